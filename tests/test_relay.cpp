// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using asynchat::close_reason;
using asynchat::relay;

namespace {

struct joined {
    joined()
    {
        auto left = support::connected_pair();
        auto right = support::connected_pair();
        a = loop.create<relay>(std::move(left.first)).lock();
        b = loop.create<relay>(std::move(right.first)).lock();
        client = std::move(left.second);
        server = std::move(right.second);
        a->join(*b);
    }

    asynchat::loop loop;
    std::shared_ptr<relay> a, b;
    support::raw_peer client, server; // behind a and b
};

/// A pattern in which each place differs from those near it.
std::string pattern(std::size_t size)
{
    std::string text(size, '\0');
    unsigned value = 1;
    for (char& c : text) {
        value = value * 1664525U + 1013904223U;
        c = static_cast<char>(value >> 24U);
    }
    return text;
}

} // namespace

TEST_CASE("relay: both directions, and both ends of streams", "[relay]")
{
    joined j;
    j.client.send("question");
    REQUIRE(support::run_until(j.loop, [&] { return j.server.received() == "question"; }));
    j.client.shut_down_output();
    REQUIRE(support::run_until(j.loop, [&] { return j.server.ended(); }));
    j.server.send("answer");
    REQUIRE(support::run_until(j.loop, [&] { return j.client.received() == "answer"; }));
    CHECK_FALSE(j.client.ended());
    j.server.close();
    j.loop.run();
    CHECK(j.client.ended());
    CHECK(j.client.error() == 0);
}

TEST_CASE("relay: a fast sender and a slow receiver: bounded, and every byte in order", "[relay]")
{
    joined j;
    const std::string text = pattern(16 << 20);
    std::size_t sent = 0;
    std::size_t most = 0;
    const auto send_some = [&] {
        while (sent < text.size()) {
            const ssize_t n = ::send(j.client.fd(), text.data() + sent, text.size() - sent,
                                     MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n <= 0)
                return;
            sent += static_cast<std::size_t>(n);
        }
    };
    for (int i = 0; i < 200; ++i) { // the receiver does nothing
        send_some();
        support::settle(j.loop);
        most = std::max(most, j.b->pending_output());
    }
    CHECK(sent < text.size());
    CHECK(j.b->write_paused());
    // It was over its high mark, as it is paused; what the system took since then depends on its
    // buffers, but is not so much that it would go on.
    const auto [high, low] = j.b->write_buffer_limits();
    CHECK(j.b->pending_output() > low);
    CHECK(most <= high + 65536);
    REQUIRE(support::run_until(j.loop, [&] {
        send_some();
        return j.server.received().size() == text.size();
    }));
    CHECK(j.server.received() == text);
}

TEST_CASE("relay: the end of one sends what the other has, and ends it", "[relay]")
{
    joined j;
    j.server.send("last words");
    j.server.close();
    REQUIRE(support::run_until(j.loop, [&] { return j.client.ended(); }));
    CHECK(j.client.received() == "last words");
    CHECK_FALSE(j.a->closed()); // the other direction might go on
    j.client.close();
    j.loop.run();
    CHECK(j.loop.size() == 0);
}

TEST_CASE("relay: what one has still to send survives the end of the other", "[relay]")
{
    joined j;
    const std::string text = pattern(16 << 20);
    std::size_t sent = 0;
    REQUIRE(support::run_until(j.loop, [&] {
        const ssize_t n = ::send(j.client.fd(), text.data() + sent, text.size() - sent,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? static_cast<std::size_t>(n) : 0;
        return j.b->write_paused();
    }));
    j.a->close();
    CHECK_FALSE(j.b->closed());
    REQUIRE(support::run_until(j.loop, [&] { return j.server.ended(); }));
    CHECK(j.server.error() == 0);
    CHECK(j.b->pending_output() == 0);
    CHECK(j.server.received() == text.substr(0, j.server.received().size()));
}

TEST_CASE("relay: a reset of one ends the other", "[relay]")
{
    joined j;
    j.client.send("x");
    REQUIRE(support::run_until(j.loop, [&] { return j.server.received() == "x"; }));
    j.client.reset();
    REQUIRE(support::run_until(j.loop, [&] { return j.server.ended(); }));
    CHECK(j.a->close_reason() == close_reason::reset);
    j.server.close();
    j.loop.run();
    CHECK(j.b->closed());
}

TEST_CASE("relay: a proxy: joined before it is connected; what comes meanwhile is kept", "[relay]")
{
    class inward : public relay {
    public:
        inward(asynchat::loop& loop, asynchat::socket from, const asynchat::endpoint& to)
            : relay(loop, std::move(from))
        {
            const auto outward = loop.create<relay>();
            outward->connect(to);
            join(*outward);
        }
    };
    asynchat::loop loop;
    support::raw_listener target(asynchat::endpoint("127.0.0.1", 0));
    auto proxy =
        loop.create<asynchat::server<inward>>(asynchat::endpoint("127.0.0.1", 0), target.address());
    auto client = support::raw_peer::connected_to(proxy->local_endpoint());
    client.send("hello");
    REQUIRE(support::run_until(loop, [&] { return loop.size() == 3; }));
    auto behind = target.accept();
    REQUIRE(support::run_until(loop, [&] { return behind.received() == "hello"; }));
    behind.send("there");
    REQUIRE(support::run_until(loop, [&] { return client.received() == "there"; }));
    client.close();
    REQUIRE(support::run_until(loop, [&] { return behind.ended(); }));
    behind.close();
    REQUIRE(support::run_until(loop, [&] { return loop.size() == 1; }));
    loop.close_all();
}

TEST_CASE("relay: nobody at the other end: the client is let go", "[relay]")
{
    class quiet : public relay {
    public:
        using relay::relay;
        void handle_error() override { close(); }
    };
    asynchat::loop loop;
    auto ends = support::connected_pair();
    const auto in = loop.create<relay>(std::move(ends.first)).lock();
    const auto out = loop.create<quiet>().lock();
    const support::refusing_address nobody(AF_INET);
    out->connect(nobody.address());
    in->join(*out);
    REQUIRE(support::run_until(loop, [&] { return ends.second.ended(); }));
    CHECK(in->closed());
    ends.second.close();
    loop.run();
}

TEST_CASE("relay: nothing is read before it is joined, and only one may join", "[relay]")
{
    asynchat::loop loop;
    auto ends = support::connected_pair();
    auto others = support::connected_pair();
    const auto a = loop.create<relay>(std::move(ends.first)).lock();
    ends.second.send("early");
    support::settle(loop);
    const auto b = loop.create<relay>(std::move(others.first)).lock();
    CHECK_THROWS_AS(a->join(*a), std::logic_error);
    b->join(*a);
    CHECK_THROWS_AS(a->join(*b), std::logic_error);
    REQUIRE(support::run_until(loop, [&] { return others.second.received() == "early"; }));
    loop.close_all();
}

TEST_CASE("relay: a reset is passed on as one, behind what came before it", "[relay]")
{
    asynchat::testing::loop loop;
    auto [a, client] = loop.accept<relay>();
    auto [b, server] = loop.accept<relay>();
    a->join(*b);
    const auto start = loop.now();
    SECTION("of a server in the middle of its answer")
    {
        server.send("half an answer");
        server.reset();
        CHECK(client.received() == "half an answer");
        CHECK(client.was_reset()); // which is not the end of a whole one
    }
    SECTION("of a client in the middle of a download")
    {
        client.window(1000);
        server.send(std::string(100000, 'x'));
        loop.settle();
        client.reset();
        CHECK(server.was_reset());
    }
    SECTION("and so is a timeout")
    {
        a->idle_timeout(std::chrono::seconds(5));
        loop.advance(std::chrono::seconds(6));
        CHECK(a->close_reason() == close_reason::idle_timeout);
        CHECK(server.was_reset());
        return;
    }
    SECTION("but not an end")
    {
        server.send("an answer");
        server.finish();
        client.finish();
        CHECK(client.received() == "an answer");
        CHECK(client.ended());
        CHECK_FALSE(client.was_reset());
        return;
    }
    loop.run();
    CHECK(loop.now() == start); // nothing lingers
    CHECK(a->closed());
    CHECK(b->closed());
}

TEST_CASE("relay: a handle_close() that throws takes the other end along all the same", "[relay]")
{
    class failing : public support::logging<relay> {
    public:
        using logging::logging;
        void handle_close() override { throw std::runtime_error("no"); }
    };
    asynchat::testing::loop loop;
    auto [a, client] = loop.accept<failing>();
    auto [b, server] = loop.accept<relay>();
    a->join(*b);
    client.send("half a request");
    client.reset();
    CHECK(server.received() == "half a request");
    CHECK(server.was_reset());
    CHECK(a->closed());
    CHECK(b->closed());
    CHECK(a->logged("std::runtime_error: no") == 1);
}

TEST_CASE("relay: without another end, the end of its stream ends it", "[relay]")
{
    asynchat::testing::loop loop;
    auto [alone, peer] = loop.accept<relay>();
    alone->resume_reading();
    peer.finish();
    loop.settle();
    CHECK(alone->closed());
    CHECK(alone->close_reason() == close_reason::peer_finished);
}
