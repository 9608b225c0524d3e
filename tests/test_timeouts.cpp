// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/manual_clock.hpp"
#include "support/wire_bench.hpp"

#include <asynchat/asynchat.hpp>

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// The time here is that of a manual clock.

using asynchat::close_reason;
using std::chrono::milliseconds;
using std::chrono::seconds;
using support::events;

namespace {

using timed = support::wire_bench<support::wire_chat, support::manual_loop>;

constexpr milliseconds tick(100);

/// Lets time pass; what that brings about is returned.
template <class Bench>
events pass(Bench& b, std::chrono::steady_clock::duration time)
{
    b.loop.advance(time);
    return b.tick();
}

} // namespace

TEST_CASE("idle timeout: neither early nor more than a tick late", "[dispatcher][timeouts]")
{
    timed b("\n");
    b.chat->idle_timeout(seconds(10));
    b.tick();
    CHECK(pass(b, seconds(10) - milliseconds(1)).empty());
    CHECK(b.open());
    CHECK(pass(b, tick + milliseconds(1)) == events{"close idle timeout"});
    CHECK(b.reason() == close_reason::idle_timeout);
}

TEST_CASE("idle timeout: input and output put it off", "[dispatcher][timeouts]")
{
    timed b("\n");
    b.chat->idle_timeout(seconds(10));
    b.tick();
    pass(b, seconds(9));
    CHECK(b.recv("x") == events{"collect x"});
    CHECK(pass(b, seconds(9)).empty());
    CHECK(b.call([](auto& chat) { chat.push("y"); }) == events{"sent y"});
    CHECK(pass(b, seconds(9)).empty());
    CHECK(pass(b, seconds(2)) == events{"close idle timeout"});
    CHECK(b.reason() == close_reason::idle_timeout);
}

TEST_CASE("idle timeout: off again, it does nothing", "[dispatcher][timeouts]")
{
    timed b("\n");
    b.chat->idle_timeout(seconds(10));
    b.tick();
    pass(b, seconds(9));
    b.chat->idle_timeout(seconds(0));
    CHECK(pass(b, seconds(100)).empty());
    CHECK(b.open());
}

TEST_CASE("idle timeout: shortened while it runs, it counts from when it began",
          "[dispatcher][timeouts]")
{
    timed b("\n");
    b.chat->idle_timeout(seconds(100));
    b.tick();
    pass(b, seconds(30));
    b.chat->idle_timeout(seconds(20));
    CHECK(pass(b, tick) == events{"close idle timeout"});
}

TEST_CASE("idle timeout: set before the connection is made, it counts from then on",
          "[dispatcher][timeouts]")
{
    support::raw_listener listener(asynchat::endpoint("127.0.0.1", 0));
    support::manual_loop loop;
    const auto client = loop.create<support::recorder>().lock();
    client->idle_timeout(seconds(10));
    client->connect(listener.address());
    loop.advance(seconds(20)); // a slow network
    REQUIRE(support::run_until(loop, [&] { return client->connected(); }));
    loop.advance(seconds(9));
    support::settle(loop);
    CHECK_FALSE(client->closed());
    loop.advance(seconds(1) + tick);
    support::settle(loop);
    CHECK(client->close_reason() == close_reason::idle_timeout);
}

TEST_CASE("a negative timeout is refused", "[dispatcher][timeouts]")
{
    timed b("\n");
    CHECK_THROWS_AS(b.chat->idle_timeout(seconds(-1)), std::invalid_argument);
    CHECK_THROWS_AS(b.chat->frame_timeout(seconds(-1)), std::invalid_argument);
}

TEST_CASE("frame timeout: bytes that trickle in do not put it off", "[async_chat][read][timeouts]")
{
    const auto first = GENERATE(asynchat::terminator("\r\n"), asynchat::terminator(100));
    timed b(first);
    b.chat->frame_timeout(seconds(10));
    b.tick();
    for (int i = 0; i < 10; ++i) {
        b.recv("x");
        CHECK(b.open());
        pass(b, seconds(1) - milliseconds(1));
    }
    CHECK(b.open());
    CHECK(pass(b, tick + milliseconds(10)) == events{"close frame timeout"});
    CHECK(b.reason() == close_reason::frame_timeout);
}

TEST_CASE("frame timeout: held-back bytes alone are a begun frame", "[async_chat][read][timeouts]")
{
    timed b("\r\n");
    b.chat->frame_timeout(seconds(10));
    CHECK(b.recv("\r").empty());
    CHECK(pass(b, seconds(10) + tick) == events{"close frame timeout"});
    CHECK(b.reason() == close_reason::frame_timeout);
}

TEST_CASE("frame timeout: runs only while a frame is begun and unfinished",
          "[async_chat][read][timeouts]")
{
    timed b("\n");
    b.chat->frame_timeout(seconds(10));
    pass(b, seconds(100));
    CHECK(b.open());
    b.recv("ab");
    pass(b, seconds(9));
    CHECK(b.recv("\n") == events{"found"});
    CHECK(pass(b, seconds(100)).empty());
    CHECK(b.open());
}

TEST_CASE("frame timeout: the next frame has its own time", "[async_chat][read][timeouts]")
{
    timed b("\n");
    b.chat->frame_timeout(seconds(10));
    b.recv("ab");
    pass(b, seconds(9));
    b.recv("\nc"); // ends one and begins one
    CHECK(pass(b, seconds(9)).empty());
    CHECK(b.open());
    CHECK(pass(b, seconds(1) + tick) == events{"close frame timeout"});
}

TEST_CASE("frame timeout: not while everything is collected", "[async_chat][read][timeouts]")
{
    timed b(std::nullopt);
    b.chat->frame_timeout(seconds(10));
    b.recv("abc");
    CHECK(pass(b, seconds(100)).empty());
    CHECK(b.open());
}

TEST_CASE("frame timeout: stands still while reading is paused", "[async_chat][read][timeouts]")
{
    timed b("\n");
    b.chat->frame_timeout(seconds(10));
    b.recv("ab");
    b.chat->pause_reading();
    CHECK(pass(b, seconds(100)).empty());
    b.chat->resume_reading();
    b.tick();
    CHECK(b.open());
    CHECK(b.recv("c") == events{"collect c"});
    CHECK(pass(b, seconds(10) + tick) == events{"close frame timeout"});
}

namespace {

/// Has a last word, or none, when a frame takes too long.
class sorry_chat : public support::wire_chat {
public:
    using wire_chat::wire_chat;

    void handle_frame_timeout() override
    {
        note("frame timeout");
        if (on_timeout)
            on_timeout();
    }

    std::function<void()> on_timeout;
};

using sorry = support::wire_bench<sorry_chat, support::manual_loop>;

} // namespace

TEST_CASE("frame timeout: handle_frame_timeout() has the last word", "[async_chat][read][timeouts]")
{
    sorry b("\n");
    b.chat->frame_timeout(seconds(10));
    b.recv("ab");
    CHECK(pass(b, seconds(9)).empty());
    SECTION("none: the channel ends")
    {
        CHECK(pass(b, seconds(2)) == events{"frame timeout", "close frame timeout"});
        CHECK(b.reason() == close_reason::frame_timeout);
    }
    SECTION("a goodbye is sent")
    {
        b.chat->on_timeout = [&] {
            b.chat->push("late");
            b.chat->close_when_done();
        };
        CHECK(pass(b, seconds(2)) == events{"frame timeout", "sent late", "close local"});
        CHECK(b.reason() == close_reason::local);
    }
    SECTION("it may close")
    {
        b.chat->on_timeout = [&] { b.chat->close(); };
        CHECK(pass(b, seconds(2)) == events{"frame timeout"});
        CHECK_FALSE(b.open());
        CHECK(b.reason() == close_reason::local);
    }
    SECTION("pushing alone does not put off the end")
    {
        b.chat->on_timeout = [&] { b.chat->push("late"); };
        CHECK(pass(b, seconds(2)) == events{"frame timeout", "close frame timeout"});
        CHECK(b.reason() == close_reason::frame_timeout);
    }
    SECTION("when it throws and the channel survives, the frame is measured anew")
    {
        b.chat->survives = true;
        b.chat->on_timeout = [&] { throw std::runtime_error("no"); };
        CHECK(pass(b, seconds(2)) == events{"frame timeout", "error no"});
        CHECK(b.open());
        b.chat->on_timeout = nullptr;
        CHECK(pass(b, seconds(9)).empty());
        CHECK(pass(b, seconds(2)) == events{"frame timeout", "close frame timeout"});
    }
}

TEST_CASE("frame timeout: large counted frames that are received in place",
          "[async_chat][read][timeouts]")
{
    class big : public asynchat::frame_chat {
    public:
        big(asynchat::loop& owner, const std::shared_ptr<support::wire>& to)
            : frame_chat(owner, support::socket_over(to))
        {
            max_frame(1 << 20);
            set_terminator(1 << 20);
            frame_timeout(seconds(10));
        }
        void found_frame(std::string_view) override { set_terminator(1 << 20); }
        void handle_error() override { close(); }
    };
    support::manual_loop loop;
    const auto wire = std::make_shared<support::wire>();
    const auto chat = loop.create<big>(wire).lock();
    const std::string part(1 << 18, 'x');
    for (int i = 0; i < 4; ++i) { // a frame in time
        wire->feed(part);
        support::settle(loop);
        loop.advance(seconds(2));
    }
    support::settle(loop);
    loop.advance(seconds(20));
    support::settle(loop);
    CHECK_FALSE(chat->closed());
    for (int i = 0; i < 3; ++i) {
        wire->feed(part);
        support::settle(loop);
        CHECK_FALSE(chat->closed());
        loop.advance(seconds(4));
    }
    support::settle(loop);
    CHECK(chat->close_reason() == close_reason::frame_timeout);
}

TEST_CASE("write timeout: 60 seconds without any progress",
          "[async_chat][write][timeouts][no-records]")
{
    timed b("\n");
    b.wire->take(4);
    b.call([](auto& chat) { chat.push("0123456789"); });
    pass(b, seconds(50));
    CHECK(b.take(1) == events{"sent 4 of 456789"}); // progress
    CHECK(pass(b, seconds(59)).empty());
    CHECK(b.open());
    CHECK(pass(b, seconds(1) + tick) == events{"close write timeout"});
    CHECK(b.reason() == close_reason::write_timeout);
    CHECK(b.chat->pending_output() == 5);
}

TEST_CASE("write timeout: can be another, or none", "[async_chat][write][timeouts]")
{
    timed b("\n");
    b.wire->take(0);
    b.call([](auto& chat) { chat.push("x"); });
    b.chat->write_timeout(seconds(0));
    pass(b, seconds(1000));
    CHECK(b.open());
    b.chat->write_timeout(seconds(2000)); // since it began
    pass(b, seconds(1000) - milliseconds(1));
    CHECK(b.open());
    pass(b, tick + milliseconds(1));
    CHECK(b.reason() == close_reason::write_timeout);
}

TEST_CASE("write timeout: pushing more is no progress", "[async_chat][write][timeouts]")
{
    timed b("\n");
    b.wire->take(0);
    b.call([](auto& chat) { chat.push("x"); });
    for (int i = 0; i < 6 && b.open(); ++i) {
        b.call([](auto& chat) { chat.push("x"); });
        pass(b, seconds(10) + tick);
    }
    CHECK(b.reason() == close_reason::write_timeout);
}

TEST_CASE("write timeout: not once everything was sent", "[async_chat][write][timeouts]")
{
    timed b("\n");
    b.wire->take(0);
    b.call([](auto& chat) { chat.push("x"); });
    b.take_everything();
    CHECK(pass(b, seconds(1000)).empty());
    CHECK(b.open());
}

TEST_CASE("write timeout: dispatcher_with_send has it too", "[dispatcher_with_send][timeouts]")
{
    class sender : public asynchat::dispatcher_with_send {
    public:
        sender(asynchat::loop& owner, const std::shared_ptr<support::wire>& to)
            : dispatcher_with_send(owner, support::socket_over(to))
        {
        }
        void handle_close() override { close(); }
    };
    support::manual_loop loop;
    const auto wire = std::make_shared<support::wire>();
    wire->take(0);
    const auto channel = loop.create<sender>(wire).lock();
    const bool sends_more = GENERATE(false, true); // which is no progress
    channel->send(std::string_view("x"));
    support::settle(loop);
    loop.advance(seconds(30));
    if (sends_more)
        channel->send(std::string_view("x"));
    support::settle(loop);
    loop.advance(seconds(30) - milliseconds(1));
    support::settle(loop);
    CHECK_FALSE(channel->closed());
    loop.advance(tick);
    support::settle(loop);
    CHECK(channel->close_reason() == close_reason::write_timeout);
}

TEST_CASE("close_when_done with a time: what is left then is lost, and counted",
          "[async_chat][close][timeouts][no-records]")
{
    timed b("\n");
    b.wire->take(3);
    b.call([](auto& chat) {
        chat.push("0123456789");
        chat.close_when_done(seconds(5));
    });
    CHECK(pass(b, seconds(5) - milliseconds(1)).empty());
    CHECK(b.open());
    CHECK(pass(b, tick) == events{"close close timeout"});
    CHECK(b.reason() == close_reason::close_timeout);
    CHECK(b.chat->pending_output() == 7);
}

TEST_CASE("close_when_done with a time: no trace of it when all was sent before",
          "[async_chat][close][timeouts]")
{
    timed b("\n");
    CHECK(b.call([](auto& chat) {
        chat.push("bye");
        chat.close_when_done(seconds(5));
    }) == events{"sent bye", "close local"});
    CHECK(b.reason() == close_reason::local);
    CHECK(pass(b, seconds(10)).empty());
}

TEST_CASE("discard_buffers takes a close_when_done and its time back",
          "[async_chat][close][timeouts]")
{
    timed b("\n");
    b.wire->take(0);
    b.call([](auto& chat) {
        chat.push("x");
        chat.close_when_done(seconds(5));
    });
    b.call([](auto& chat) { chat.discard_buffers(); });
    CHECK(pass(b, seconds(10)).empty());
    CHECK(b.open());
}

TEST_CASE("connect timeout: reported as a failure to connect", "[dispatcher][connect][timeouts]")
{
    // A listener whose backlog is full lets further attempts wait.
    const support::raw_listener full(asynchat::endpoint("127.0.0.1", 0), 0);
    const auto one = support::raw_peer::connected_to(full.address());
    support::manual_loop loop;
    const auto client = loop.create<support::recorder>().lock();
    client->connect_timeout(seconds(5));
    client->connect(full.address());
    support::settle(loop);
    if (!client->connecting())
        return; // this system accepts more than it was told to
    loop.advance(seconds(5) - milliseconds(1));
    support::settle(loop);
    CHECK(client->connecting());
    loop.advance(tick);
    support::settle(loop);
    CHECK(client->calls == std::vector<std::string>{"handle_error", "handle_close"});
    CHECK(client->error == std::errc::timed_out);
    CHECK(client->close_reason() == close_reason::connect_timeout);
}

TEST_CASE("accepted connections have a frame timeout of 120 seconds, others none",
          "[server][timeouts]")
{
    class chat : public asynchat::async_chat {
    public:
        chat(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
        {
            set_terminator("\n");
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}
        void handle_error() override { close(); }
    };
    support::manual_loop loop;
    auto ends = support::connected_pair();
    const auto server =
        loop.create<asynchat::server<chat>>(asynchat::endpoint("127.0.0.1", 0)).lock();
    auto peer = support::raw_peer::connected_to(server->local_endpoint());
    const auto adopted = loop.create<chat>(std::move(ends.first)).lock();
    ends.second.send("unfinished");
    peer.send("unfinished");
    REQUIRE(support::run_until(loop, [&] { return loop.size() == 3; }));
    const auto accepted = std::dynamic_pointer_cast<chat>(loop.channels().back());
    REQUIRE(accepted);
    support::settle(loop);
    loop.advance(seconds(119));
    support::settle(loop);
    CHECK_FALSE(accepted->closed());
    loop.advance(seconds(1) + tick);
    support::settle(loop);
    CHECK(accepted->close_reason() == close_reason::frame_timeout);
    CHECK_FALSE(adopted->closed());
    loop.close_all();
}

// --- what came in time and is not seen yet -------------------------------------------------------

namespace {

/// Counts its frames.
class counter : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override { ++frames; }
    std::size_t frames = 0;
};

/// A channel over a socket, and the time of a manual clock; the other end is a plain socket.
struct over_a_socket {
    support::manual_loop loop;
    support::raw_peer peer;
    std::shared_ptr<counter> chat;

    over_a_socket()
    {
        auto ends = support::connected_pair();
        peer = std::move(ends.second);
        chat = loop.create<counter>(std::move(ends.first)).lock();
        chat->set_terminator("\n");
    }
    void pass(std::chrono::steady_clock::duration time)
    {
        loop.advance(time);
        support::settle(loop);
    }
};

} // namespace

TEST_CASE("frame timeout: the end of a frame that is there counts, though it is seen late",
          "[async_chat][read][timeouts]")
{
    over_a_socket b;
    b.chat->frame_timeout(seconds(10));
    b.peer.send("begun");
    support::settle(b.loop);
    SECTION("it is there")
    {
        b.peer.send(", ended\n");
        b.pass(seconds(10) + tick);
        CHECK_FALSE(b.chat->closed());
        CHECK(b.chat->frames == 1);
    }
    SECTION("only more of it is")
    {
        b.peer.send(", not ended");
        b.pass(seconds(10) + tick);
        CHECK_FALSE(b.chat->closed());
        b.peer.send(", nor now");
        b.pass(tick); // once
        CHECK(b.chat->close_reason() == close_reason::frame_timeout);
    }
    SECTION("nothing is")
    {
        b.pass(seconds(10) + tick);
        CHECK(b.chat->close_reason() == close_reason::frame_timeout);
    }
}

TEST_CASE("idle timeout: input that is there counts, though it is seen late",
          "[dispatcher][timeouts]")
{
    over_a_socket b;
    b.chat->idle_timeout(seconds(10));
    support::settle(b.loop);
    b.peer.send("not idle\n");
    b.pass(seconds(10) + tick);
    CHECK_FALSE(b.chat->closed());
    CHECK(b.chat->frames == 1);
    b.pass(seconds(10) + tick);
    CHECK(b.chat->close_reason() == close_reason::idle_timeout);
}

TEST_CASE("connect timeout: a connection that is made counts, though it is seen late",
          "[dispatcher][connect][timeouts]")
{
    const support::raw_listener listener(asynchat::endpoint("127.0.0.1", 0));
    support::manual_loop loop;
    const auto client = loop.create<support::recorder>().lock();
    client->connect(listener.address());
    loop.advance(seconds(31));
    support::settle(loop);
    CHECK(client->connected());
    loop.close_all();
}

TEST_CASE("write timeout: a reader that is slow takes something", "[async_chat][write][timeouts]")
{
    // The system tells a writer only when much of its memory is free again.
    ASYNCHAT_TEST_NEEDS(ASYNCHAT_HAS_PEER_STATE != 0, "a system that counts what a peer took");
    over_a_socket b;
    b.chat->push(std::string(std::size_t{32} << 20, 'x'));
    support::settle(b.loop);
    REQUIRE(b.chat->pending_output() > 0);
    const auto left = [&b] { // here and in the system
        int in_flight = 0;
        CHECK(::ioctl(b.chat->native_handle(), SIOCOUTQ, &in_flight) == 0);
        return b.chat->pending_output() + static_cast<std::size_t>(in_flight);
    };
    for (int i = 0; i < 5; ++i) {
        const std::size_t before = left();
        CHECK(b.peer.drop(200000) > 0);
        REQUIRE(support::run_until(b.loop, [&] { return left() < before; })); // it may say so late
        b.pass(seconds(59)); // of the limit, if it did say so at once
        REQUIRE_FALSE(b.chat->closed());
    }
    b.pass(seconds(60) + 2 * tick);
    CHECK(b.chat->close_reason() == close_reason::write_timeout);
}
