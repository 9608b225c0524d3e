// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <chrono>
#include <thread>
#include <vector>

using namespace support;
using std::chrono::seconds;

// Many handshakes, and one context in several threads.

TEST_CASE("tls: a server bounds the handshakes that are not complete", "[tls][handshake]")
{
    openssl_client<> test;
    test.server->max_handshakes(3);
    CHECK(test.server->counters().handshakes == 1);
    std::vector<asynchat::testing::peer> silent;
    for (int i = 0; i < 5; ++i)
        silent.push_back(test.loop.connect(there));
    test.loop.settle();
    CHECK(test.server->counters().handshakes == 3);
    CHECK(test.server->counters().open == 3);
    SECTION("one that is complete makes room")
    {
        REQUIRE(test.peer->handshake());
        test.loop.settle();
        CHECK(test.server->counters().handshakes == 3);
        CHECK(test.server->counters().open == 4);
        test.server->max_handshakes(asynchat::unlimited);
    }
    SECTION("and one that is closed")
    {
        silent.clear();
        test.loop.settle();
        CHECK(test.server->counters().handshakes == 1);
        CHECK(test.server->counters().accepted == 6);
        REQUIRE(test.peer->handshake());
    }
    test.peer->send("hello\n");
    CHECK(test.peer->received() == "hello\n");
    test.loop.advance(seconds(20));
    CHECK(test.server->counters().handshakes == 0);
    CHECK(test.server->counters().open == 1);
}

TEST_CASE("tls: those who talk do not wait behind those who come", "[tls][handshake]")
{
    openssl_client<> test;
    REQUIRE(test.peer->handshake());
    test.peer->received();
    std::vector<openssl_peer> newcomers;
    for (int i = 0; i < 100; ++i) {
        newcomers.emplace_back(openssl_peer::side::client, test.loop.connect(there));
        SSL_do_handshake(newcomers.back().ssl.get());
    }
    test.loop.settle();
    for (auto& each : newcomers) // all at the same time, and all before the line
        each.connection.send(each.output());
    SSL_write(test.peer->ssl.get(), "hello\n", 6);
    test.peer->connection.send(test.peer->output());
    std::size_t passes = 0;
    while (test.channel->events.back() != "found" && test.loop.poll())
        ++passes;
    CHECK(passes <= 3);
    while (test.loop.poll())
        ++passes;
    CHECK(passes >= 5); // a call of poll() may be several passes of Asio
    for (auto& each : newcomers)
        CHECK(each.handshake());
}

TEST_CASE("tls: a server that stops ends those that still shake hands", "[tls][handshake]")
{
    openssl_client<> test;
    test.server->stop(seconds(5));
    test.loop.settle();
    CHECK(test.channel->closed());
    CHECK(test.server->closed());
}

TEST_CASE("tls: one context in several threads, while it is read again", "[tls][threads]")
{
    const auto server = server_context();
    const auto client = client_context();
    const auto visit = [&](int& lines) {
        tls::session session;
        for (int i = 0; i < 20; ++i) {
            tls::start_options options("localhost");
            options.session = session;
            both<> pair(server, client, options);
            pair.client->push("hello\n");
            pair.loop.settle();
            lines += pair.client->events.back() == "found";
            session = tls::connection(*pair.client).session();
        }
    };
    int lines[3] = {};
    std::vector<std::thread> threads;
    for (int& count : lines)
        threads.emplace_back([&visit, &count] { visit(count); });
    for (int i = 0; i < 20; ++i) {
        auto again = server; // a copy is the same context
        again.reload();
    }
    for (auto& each : threads)
        each.join();
    for (const int count : lines)
        CHECK(count == 20);
}
