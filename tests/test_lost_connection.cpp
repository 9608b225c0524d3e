// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/error_text.hpp"
#include "support/loopback.hpp"
#include "support/manual_clock.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <asio/buffer.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// What was received before a connection was lost is still delivered; and who cannot be told any
// more is not waited for.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::testing::operation;

namespace {

using lines_of_text = std::vector<std::string>;

class lines : public asynchat::testing::recorder<> {
public:
    explicit lines(asynchat::loop& owner, asynchat::socket from = {})
        : recorder(owner, std::move(from))
    {
        set_terminator("\r\n");
    }

    bool ends_turns = false; // after each line
    bool stays_open = false; // at the end of the stream
    std::function<void()> on_found;

    void found_terminator() override
    {
        recorder::found_terminator();
        if (on_found)
            std::exchange(on_found, nullptr)();
        if (ends_turns)
            end_turn();
    }
    void handle_expt() override { note("urgent"); }
    void handle_eof() override
    {
        if (stays_open)
            note("eof");
        else
            recorder::handle_eof();
    }
};

class frames : public asynchat::testing::recorder<asynchat::frame_chat> {
public:
    frames(asynchat::loop& owner, asynchat::socket from) : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }
};

/// Pushes where the other side is not, and tries to send it.
template <class Chat>
void fail_to_send(Chat& chat)
{
    chat.push("lost");
    chat.initiate_send();
}

/// A channel that others have filled: it is over its high mark, and reads no more.
struct full_channel {
    explicit full_channel()
    {
        chat->write_buffer_limits(10, 5);
        chat->when_full(asynchat::full_output::stops_reading);
        peer.window(0);
        chat->push("twenty bytes of text");
        loop.settle();
    }
    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<lines>, asynchat::testing::peer> ends = loop.accept<lines>();
    std::shared_ptr<lines> chat = ends.first;
    asynchat::testing::peer& peer = ends.second;
};

} // namespace

// --- a failed send ---------------------------------------------------------------------------

TEST_CASE("failed send: what was received comes first, then the reset; nobody hears of an end",
          "[lost-connection][eof]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    peer.send("one\r\ntwo");
    peer.send("\r\nthree\r\nfo\r");
    peer.close();
    fail_to_send(*chat);
    CHECK(chat->events.empty()); // nobody is called from inside
    CHECK_FALSE(chat->closed());
    CHECK_FALSE(chat->push("more"));
    CHECK(chat->pending_output() == 4);
    loop.settle();
    CHECK(chat->events == lines_of_text{"collect one", "found", "collect two", "found",
                                        "collect three", "found", "collect fo\\r", "close reset"});
    CHECK(chat->close_error() == std::errc::broken_pipe);
    CHECK(chat->pending_output() == 4);
}

TEST_CASE("failed send: the begun frame of a frame_chat comes before the reset",
          "[lost-connection][eof]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<frames>();
    peer.send("one\ntw");
    peer.close();
    fail_to_send(*chat);
    loop.settle();
    CHECK(chat->events == lines_of_text{"frame one", "collect tw", "close reset"});
}

TEST_CASE("failed send: each turn that was ended has its rest, and the next one as well",
          "[lost-connection][eof]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    chat->ends_turns = true;
    peer.send("one\r\ntwo\r\nthree\r\n");
    peer.send("four\r\n");
    peer.close();
    loop.handle_of(*chat).post([](lines& channel) { channel.push("lost"); });
    loop.settle();
    CHECK(chat->events == lines_of_text{"collect one", "found", "collect two", "found",
                                        "collect three", "found", "collect four", "found",
                                        "close reset"});
}

TEST_CASE("failed send: a full channel delivers what it has not read yet",
          "[lost-connection][flow]")
{
    full_channel c;
    c.peer.send("one\r\ntwo\r\n");
    c.loop.settle();
    REQUIRE(c.chat->events.empty());
    c.loop.fail(1, EPIPE, operation::send);
    c.peer.window(100);
    c.loop.settle();
    CHECK(c.chat->events ==
          lines_of_text{"collect one", "found", "collect two", "found", "close reset"});
    CHECK(c.chat->pending_output() == 20);
}

TEST_CASE("failed send: a paused channel ends at once, and drops its input",
          "[lost-connection][eof]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    chat->pause_reading();
    peer.send("one\r\n");
    loop.settle();
    peer.close();
    fail_to_send(*chat);
    loop.settle();
    CHECK(chat->events == lines_of_text{"close reset"});
}

TEST_CASE("failed send: a channel that is kept open behind the end of the stream ends at once",
          "[lost-connection][eof]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    chat->stays_open = true;
    peer.finish();
    loop.settle();
    loop.fail(1, ECONNRESET, operation::send);
    fail_to_send(*chat);
    loop.settle();
    CHECK(chat->events == lines_of_text{"eof", "close reset"});
    CHECK(chat->close_error() == std::errc::connection_reset);
}

TEST_CASE("failed send: after close_when_done() the channel ends at once",
          "[lost-connection][close]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    peer.window(0);
    chat->push("lost");
    loop.settle();
    chat->close_when_done();
    peer.send("late\r\n");
    loop.fail(1, EPIPE, operation::send);
    peer.window(100);
    loop.settle();
    CHECK(chat->events == lines_of_text{"close reset"});
    CHECK(chat->pending_output() == 4);
}

TEST_CASE("failed send: what is still under way is waited for as long as a connection lingers",
          "[lost-connection][timers]")
{
    const bool discards = GENERATE(false, true);
    asynchat::testing::loop loop;
    loop.faults().delay = 1000; // always, and for long
    loop.faults().longest_delay = 1000h;
    auto ends = loop.socket_pair();
    const auto other = loop.create<lines>(std::move(ends.second)).lock();
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    other->push("one\r\n");
    loop.settle();
    other->close();
    fail_to_send(*chat);
    loop.settle();
    loop.advance(1000ms);
    if (discards)
        chat->discard_buffers(); // the time goes on from where it was
    loop.advance(900ms);
    CHECK_FALSE(chat->closed());
    CHECK_FALSE(chat->push("more"));
    loop.advance(300ms);
    CHECK(chat->events == lines_of_text{"close reset"});
    CHECK(chat->logs.empty());
}

TEST_CASE("failed send: input follows a callback that runs the loop for longer than a linger",
          "[lost-connection][timers][nested]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    chat->on_found = [&loop = loop, &from = *chat] {
        loop.fail(1, EPIPE, operation::send);
        fail_to_send(from);
        loop.call_later(5s, [&] { loop.stop(); });
        loop.run();
        from.note("goes on");
    };
    peer.send("one\r\ntwo\r\n");
    peer.send("three\r\n");
    peer.finish();
    loop.settle();
    CHECK(chat->events == lines_of_text{"collect one", "found", "goes on", "collect two", "found",
                                        "collect three", "found", "close reset"});
}

TEST_CASE("failed send: the time of a linger begins when the callback has returned",
          "[lost-connection][timers][nested]")
{
    const auto runs_for = GENERATE(1900ms, 3900ms);
    asynchat::testing::loop loop;
    auto ends = loop.socket_pair();
    const auto other = loop.create<lines>(std::move(ends.second)).lock();
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    chat->on_found = [&] {
        loop.faults().delay = 1000; // of what follows: always, and for long
        loop.faults().longest_delay = 1000h;
        other->push("two\r\n");
        other->close_when_done();
        loop.poll();
        loop.fail(1, EPIPE, operation::send);
        fail_to_send(*chat);
        loop.call_later(runs_for, [&] { loop.stop(); });
        loop.run();
    };
    other->push("one\r\n");
    loop.settle();
    REQUIRE_FALSE(chat->closed());
    loop.advance(1900ms);
    CHECK_FALSE(chat->closed());
    loop.advance(300ms);
    CHECK(chat->events == lines_of_text{"collect one", "found", "close reset"});
}

TEST_CASE("failed send: an error that loses no connection is told at once, and the input follows",
          "[lost-connection][errors]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    peer.send("one\r\ntwo\r");
    loop.fail(1, EIO, operation::send);
    fail_to_send(*chat);
    loop.settle();
    CHECK(chat->events ==
          lines_of_text{"error asynchat: send: " + support::error_text(std::errc::io_error),
                        "collect one", "found", "collect two\\r", "close system error"});
    CHECK(chat->close_error() == std::errc::io_error);
}

TEST_CASE("failed receive: held-back bytes are delivered behind the error",
          "[lost-connection][errors]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    peer.send("one\r");
    loop.settle();
    loop.fail(1, EIO, operation::receive);
    peer.send("two");
    loop.settle();
    CHECK(chat->events ==
          lines_of_text{"collect one",
                        "error asynchat: recv: " + support::error_text(std::errc::io_error),
                        "collect \\r", "close system error"});
}

// --- a reset ---------------------------------------------------------------------------------

TEST_CASE("reset: what has arrived and the held-back bytes come before it",
          "[lost-connection][eof]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    peer.send("one\r\ntwo\r");
    peer.reset();
    loop.settle();
    CHECK(chat->events == lines_of_text{"collect one", "found", "collect two\\r", "close reset"});
    CHECK(chat->close_error() == std::errc::connection_reset);
}

TEST_CASE("reset: the begun frame of a frame_chat comes before it", "[lost-connection][eof]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<frames>();
    peer.send("one\ntw");
    peer.reset();
    loop.settle();
    CHECK(chat->events == lines_of_text{"frame one", "collect tw", "close reset"});
}

TEST_CASE("reset: overtakes what is under way", "[lost-connection][testing]")
{
    asynchat::testing::loop loop;
    loop.faults().longest_delay = 1000h;
    auto ends = loop.socket_pair();
    const auto other = loop.create<lines>(std::move(ends.second)).lock();
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    other->push("one\r\n");
    other->initiate_send();
    loop.faults().delay = 1000; // always, and for long
    other->push("two\r\n");
    other->initiate_send();
    other->abort();
    loop.settle();
    CHECK(chat->events == lines_of_text{"collect one", "found", "close reset"});
}

TEST_CASE("reset: is noticed while reading is paused, and ends the channel at once",
          "[lost-connection][eof]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    peer.send("one\r\n");
    loop.settle();
    chat->pause_reading();
    peer.send("two\r\n");
    loop.settle();
    peer.reset();
    loop.settle();
    CHECK(chat->events == lines_of_text{"collect one", "found", "close reset"});
}

TEST_CASE("reset: is noticed by a paused channel over a real socket", "[lost-connection][eof]")
{
    ASYNCHAT_TEST_NEEDS(ASYNCHAT_HAS_PEER_STATE != 0, "a system that tells of a peer's end");
    asynchat::loop loop;
    auto ends = support::connected_pair();
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    chat->pause_reading();
    CHECK(support::settle(loop));
    ends.second.reset();
    REQUIRE(support::run_until(loop, [&] { return chat->closed(); }));
    CHECK(chat->events == lines_of_text{"close reset"});
    CHECK(chat->close_error() == std::errc::connection_reset);
}

TEST_CASE("reset: is noticed by a paused channel behind an urgent byte",
          "[lost-connection][eof][urgent]")
{
    const bool watches = GENERATE(false, true);
    support::manual_loop loop;
    auto ends = support::connected_pair();
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    chat->watch_urgent_data(watches);
    chat->pause_reading();
    CHECK(support::settle(loop));
    ends.second.send("!", MSG_OOB);
    for (int second = 0; second < 3; ++second) {
        CHECK(support::settle(loop)); // does not spin
        loop.advance(1s);
    }
    ends.second.reset();
    REQUIRE(support::run_until(loop, [&] {
        loop.advance(100ms);
        return chat->closed();
    }));
    CHECK(chat->events ==
          (watches ? lines_of_text{"urgent", "close reset"} : lines_of_text{"close reset"}));
}

TEST_CASE("reset: is noticed behind the end of the stream by a channel that is kept open",
          "[lost-connection][eof]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    chat->stays_open = true;
    peer.finish();
    loop.settle();
    peer.reset();
    loop.settle();
    CHECK(chat->events == lines_of_text{"eof", "close reset"});
}

TEST_CASE("a hang-up while nobody reads keeps no loop busy, and is read later",
          "[lost-connection][eof]")
{
    asynchat::loop loop;
    auto ends = support::connected_pair(AF_UNIX);
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    chat->pause_reading();
    CHECK(support::settle(loop));
    ends.second.send("one\r\n");
    ends.second.close();
    CHECK(support::settle(loop)); // does not spin
    CHECK(chat->events.empty());
    chat->resume_reading();
    REQUIRE(support::run_until(loop, [&] { return chat->closed(); }));
    CHECK(chat->events == lines_of_text{"collect one", "found", "eof", "close peer finished"});
}

TEST_CASE("a reset that the end of our stream finds is one, also behind the end of the other",
          "[lost-connection][eof]")
{
    const bool ended = GENERATE(false, true);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    chat->stays_open = true;
    if (ended)
        peer.finish();
    loop.settle();
    loop.fail(1, ECONNRESET, operation::shutdown);
    chat->push_eof();
    loop.settle();
    CHECK(chat->closed());
    CHECK(chat->close_reason() == close_reason::reset);
    CHECK(chat->close_error() == std::errc::connection_reset);
}

// --- a write timeout -------------------------------------------------------------------------

TEST_CASE("write timeout: what a peer said before it finished is delivered",
          "[lost-connection][timers]")
{
    full_channel c;
    c.peer.send("one\r\ntw");
    c.peer.finish();
    c.loop.advance(59s);
    CHECK(c.chat->events.empty());
    c.loop.advance(2s);
    REQUIRE(c.chat->events.size() >= 4);
    CHECK(c.chat->events[0] == "collect one");
    CHECK(c.chat->events[1] == "found");
    CHECK(c.chat->events[2] == "collect tw");
    CHECK(c.chat->events.back() == "close write timeout");
    CHECK(c.chat->pending_output() == 20);
}

TEST_CASE("write timeout: a peer that has not finished is not heard any more",
          "[lost-connection][timers]")
{
    full_channel c;
    c.peer.send("one\r\ntw");
    c.loop.advance(61s);
    CHECK(c.chat->events == lines_of_text{"close write timeout"});
}

TEST_CASE("write timeout: a real socket tells that its peer has finished",
          "[lost-connection][timers]")
{
    ASYNCHAT_TEST_NEEDS(ASYNCHAT_HAS_PEER_STATE != 0, "a system that tells of a peer's end");
    const int family = GENERATE(AF_INET, AF_UNIX);
    support::manual_loop loop;
    auto ends = support::connected_pair(family);
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    chat->when_full(asynchat::full_output::stops_reading);
    chat->push(std::string(32 << 20, 'x'));
    CHECK(support::settle(loop));
    REQUIRE(chat->write_paused());
    ends.second.send("one\r\n");
    ends.second.shut_down_output();
    CHECK(support::settle(loop));
    CHECK(chat->events.empty());
    loop.advance(4s); // what the other side's system takes comes first
    CHECK(support::settle(loop));
    loop.advance(61s);
    REQUIRE(support::run_until(loop, [&] { return chat->closed(); }));
    REQUIRE(chat->events.size() >= 3);
    CHECK(chat->events[0] == "collect one");
    CHECK(chat->events.back() == "close write timeout");
}

// --- dispatcher_with_send --------------------------------------------------------------------

namespace {

class reader : public support::logging<asynchat::dispatcher_with_send> {
public:
    using logging::logging;

    std::string events;

    void handle_read() override
    {
        std::array<char, 4> some;
        if (const std::size_t got = recv(asio::buffer(some)))
            events += std::string(some.data(), got) + ' ';
    }
    void handle_eof() override
    {
        events += "eof ";
        dispatcher_with_send::handle_eof();
    }
    void handle_close() override
    {
        events += "close " + std::string(to_string(close_reason()));
        if (send("more") != 0)
            events += " sent";
        close();
    }
};

} // namespace

TEST_CASE("dispatcher_with_send: after a failed send the rest is read, then comes the reset",
          "[lost-connection][dispatcher_with_send]")
{
    asynchat::testing::loop loop;
    auto [channel, peer] = loop.accept<reader>();
    peer.send("one two three");
    peer.close();
    channel->send("lost");
    channel->initiate_send();
    CHECK(channel->events.empty());
    CHECK(channel->send("more") == 0);
    loop.settle();
    CHECK(channel->events == "one  two  thre e close reset");
    CHECK(channel->pending_output() == 4);
}

TEST_CASE("dispatcher_with_send: a failed send ends a channel whose peer says nothing",
          "[lost-connection][dispatcher_with_send]")
{
    asynchat::testing::loop loop;
    auto [channel, peer] = loop.accept<reader>();
    loop.fail(1, EPIPE, operation::send);
    channel->send("lost");
    loop.settle();
    CHECK(channel->events == "close reset");
    CHECK(channel->pending_output() == 4);
}

TEST_CASE("failed send: one in handle_close() changes nothing any more", "[lost-connection]")
{
    class says_goodbye : public asynchat::testing::recorder<> {
    public:
        using recorder::recorder;
        void handle_close() override
        {
            owner_of_faults->fail(1, EPIPE, operation::send);
            initiate_send();
            recorder::handle_close();
        }
        asynchat::testing::loop* owner_of_faults = nullptr;
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<says_goodbye>();
    chat->owner_of_faults = &loop;
    loop.handle_of(*chat).post([](says_goodbye& self) {
        self.push("goodbye");
        throw std::runtime_error("careless");
    });
    loop.settle();
    CHECK(chat->events == std::vector<std::string>{"error careless", "close callback error"});
    CHECK(chat->close_reason() == close_reason::callback_error);
    CHECK(chat->pending_output() == 7);
}
