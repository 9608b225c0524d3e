// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

using asynchat::close_reason;
using namespace support;

// A whole conversation, cut at every position, and with every fault of the network.

TEST_CASE("tls: a conversation with a server, cut at every position", "[tls][cuts]")
{
    const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    const auto context = server_context();
    std::size_t total = 1;
    for (std::size_t cut = 0; cut < total; ++cut) {
        openssl_client<> test(version, context);
        test.peer->cut = cut;
        if (!test.peer->handshake())
            throw std::runtime_error("no handshake with a cut at " + std::to_string(cut));
        test.peer->send("hello\nworld\n");
        if (test.peer->received() != "hello\nworld\n")
            throw std::runtime_error("no answer with a cut at " + std::to_string(cut));
        test.peer->close_notify();
        test.peer->received();
        if (test.channel->close_reason() != close_reason::peer_finished)
            throw std::runtime_error("no end with a cut at " + std::to_string(cut));
        total = test.peer->sent;
    }
    CHECK(total > 300);
}

TEST_CASE("tls: a conversation with a client, cut at every position", "[tls][cuts]")
{
    const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    const auto context = client_context();
    std::size_t total = 1;
    for (std::size_t cut = 0; cut < total; ++cut) {
        openssl_server test(version, context);
        test.peer->cut = cut;
        test.channel->push("hello\n");
        if (!test.peer->handshake() || test.peer->received() != "hello\n")
            throw std::runtime_error("no handshake with a cut at " + std::to_string(cut));
        test.peer->send("hello\nworld\n");
        test.peer->close_notify();
        test.peer->received();
        if (test.channel->events != strings{"handshake", "open", "connect", "collect hello",
                                            "found", "collect world", "found", "eof",
                                            "close peer finished"})
            throw std::runtime_error("other events with a cut at " + std::to_string(cut));
        total = test.peer->sent;
    }
    CHECK(total > 700);
}

TEST_CASE("tls: the stream of a client ends at every position: nothing incomplete is data",
          "[tls][cuts]")
{
    const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    const auto context = server_context();
    openssl_client<> whole(version, context);
    REQUIRE(whole.peer->handshake());
    const std::size_t handshake = whole.peer->sent;
    SSL_write(whole.peer->ssl.get(), "hello\n", 6);
    const std::size_t total = handshake + whole.peer->output().size();
    for (std::size_t end = 0; end < total; ++end) {
        openssl_client<> test(version, context);
        std::size_t sent = 0;
        for (int i = 0; i < 4 && sent < end; ++i) {
            const bool is_done = SSL_do_handshake(test.peer->ssl.get()) == 1;
            if (is_done)
                SSL_write(test.peer->ssl.get(), "hello\n", 6);
            const std::string out = test.peer->output().substr(0, end - sent);
            test.peer->connection.send(out);
            sent += out.size();
            test.peer->move();
        }
        test.peer->connection.finish();
        test.loop.settle();
        const auto reason = test.channel->close_reason();
        const bool was_open = test.channel->events.front() == "handshake";
        if (reason != (was_open ? close_reason::tls_truncated : close_reason::tls_error) ||
            test.channel->events.size() != (was_open ? 3U : 1U))
            throw std::runtime_error("another end at " + std::to_string(end));
    }
}

TEST_CASE("tls: the stream of a server ends at every position: nothing incomplete is data",
          "[tls][cuts]")
{
    const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    const auto context = client_context();
    int opened = 0;
    bool is_whole = false;
    std::size_t end = 0;
    for (; !is_whole; ++end) { // signatures differ in size, and so does the stream
        openssl_server test(version, context);
        std::size_t sent = 0;
        for (int i = 0; i < 4 && sent < end; ++i) {
            test.peer->move();
            const bool is_done = SSL_do_handshake(test.peer->ssl.get()) == 1;
            if (is_done)
                SSL_write(test.peer->ssl.get(), "hello\n", 6);
            const std::string all = test.peer->output();
            const std::string out = all.substr(0, end - sent);
            test.peer->connection.send(out);
            sent += out.size();
            is_whole = is_done && out.size() == all.size();
            if (is_done)
                break;
        }
        test.peer->connection.finish();
        test.loop.settle();
        const auto& events = test.channel->events;
        const bool was_open = events.front() == "handshake";
        opened += was_open && !is_whole;
        const auto has_more = [&](const std::string& event) {
            return event == "open" || event == "connect" || event.rfind("collect", 0) == 0;
        };
        if (test.channel->close_reason() !=
                (was_open ? close_reason::tls_truncated : close_reason::tls_error) ||
            std::count_if(events.begin(), events.end(), has_more) != (was_open ? 2 : 0) + is_whole)
            throw std::runtime_error("another end at " + std::to_string(end));
    }
    CHECK(end > 700);
    CHECK(opened > 20); // in the last record, and in tickets
}

namespace {

/// Lines there and back, until the end. Returns whether the client ended in order.
bool converse(both<>& pair)
{
    std::string expected;
    for (int i = 0; i < 20; ++i)
        pair.client->push(std::string(static_cast<std::size_t>(i * i * 10), 'x') + "\n");
    pair.client->push_eof();
    pair.loop.advance(std::chrono::seconds(30));
    const auto& events = pair.client->events;
    const auto lines = std::count(events.begin(), events.end(), "found");
    const bool in_order = pair.client->close_reason() == close_reason::peer_finished;
    if (in_order && lines != 20)
        throw std::runtime_error("an orderly end, and lines are missing");
    if (pair.loop.channels().size() != 1)
        throw std::runtime_error("a channel is left");
    return in_order;
}

} // namespace

TEST_CASE("tls: with sends and receives that are cut, blocked and late", "[tls][cuts]")
{
    const auto server = server_context();
    auto client = client_context();
    asynchat::testing::for_seeds(150, [&](std::uint64_t seed) {
        client.maximum_version(seed % 2 == 0 ? tls::version::tls1_2 : tls::version::tls1_3);
        both<> pair(seed, server, client);
        pair.loop.window(seed % 3 == 0 ? 50 : 65536);
        pair.loop.faults().cut = seed % 5 == 0 ? 900 : 300;
        pair.loop.faults().block = 300;
        pair.loop.faults().delay = seed % 4 == 0 ? 200 : 0;
        pair.loop.faults().longest_delay = std::chrono::milliseconds(10);
        if (!converse(pair))
            throw std::runtime_error("another end: " + pair.client->close_text());
    });
}

TEST_CASE("tls: with resets and refused connections", "[tls][cuts]")
{
    const auto server = server_context();
    const auto client = client_context();
    int in_order = 0;
    asynchat::testing::for_seeds(300, [&](std::uint64_t seed) {
        both<> pair(seed, server, client);
        pair.loop.faults().cut = 200;
        pair.loop.faults().block = 200;
        pair.loop.faults().reset = 10;
        pair.loop.faults().refuse = 50;
        pair.loop.faults().accept_error = 50;
        in_order += converse(pair);
    });
    CHECK(in_order > 30);
    CHECK(in_order < 300);
}

TEST_CASE("tls: each operation fails once", "[tls][cuts]")
{
    const auto server = server_context();
    const auto client = client_context();
    std::size_t operations = 1;
    for (std::size_t n = 1; n <= operations; ++n) {
        both<> pair(server, client);
        const std::size_t before = pair.loop.operations();
        const int error = n % 2 == 0 ? ECONNRESET : EIO;
        pair.loop.fail(n, error);
        converse(pair);
        if (pair.loop.has_to_fail())
            break;
        operations = n + 1;
        CHECK(pair.loop.operations() > before);
    }
    CHECK(operations > 15);
}
