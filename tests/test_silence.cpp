// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/peers.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// handle_silence(): the peer has sent nothing for a while.

using namespace std::chrono_literals;
using asynchat::close_reason;
using duration = asynchat::loop::duration;

namespace {

/// Notes each silence in seconds, and does what the test says.
class listener : public asynchat::testing::recorder<> {
public:
    using recorder::recorder;

    void handle_silence(duration silence) override
    {
        note("silence " + std::to_string(silence / 1s));
        if (on_silence)
            on_silence();
    }
    using recorder::finish;

    std::function<void()> on_silence;
};

struct scene {
    /// What happened since the last call.
    std::vector<std::string> after(duration time)
    {
        loop.advance(time);
        return std::exchange(chat.events, {});
    }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<listener>, asynchat::testing::peer> ends = loop.accept<listener>();
    listener& chat = *ends.first;
    asynchat::testing::peer& peer = ends.second;
};

using lines = std::vector<std::string>;

} // namespace

TEST_CASE("silence_interval: off unless it is set", "[silence][timers]")
{
    scene s;
    CHECK(s.chat.silence_interval() == 0s);
    s.chat.idle_timeout(24h);
    CHECK(s.after(23h).empty());
    CHECK_THROWS_AS(s.chat.silence_interval(-1s), std::invalid_argument);
}

TEST_CASE("handle_silence is called for each interval without input", "[silence][timers]")
{
    scene s;
    s.chat.silence_interval(15s);
    CHECK(s.chat.silence_interval() == 15s);
    CHECK(s.after(15s - 1ns).empty());
    CHECK(s.after(200ms) == lines{"silence 15"});
    CHECK(s.after(31s) == lines{"silence 30", "silence 45"});
    s.peer.send("x"); // any byte, also in the middle of a frame
    CHECK(s.after(14s) == lines{"collect x"});
    CHECK(s.after(2s) == lines{"silence 15"});
    s.chat.silence_interval(0s);
    CHECK(s.after(1h).empty());
    CHECK_FALSE(s.chat.closed());
}

TEST_CASE("handle_silence: output is no sign of life", "[silence][timers]")
{
    scene s;
    s.chat.silence_interval(10s);
    for (int i = 0; i < 3; ++i) {
        s.loop.advance(4s);
        s.chat.push("ping\n");
        CHECK(s.peer.received() == "ping\n");
    }
    CHECK(s.after(0s) == lines{"silence 10"});
}

TEST_CASE("handle_silence may send, and end the channel", "[silence][timers]")
{
    scene s;
    s.chat.silence_interval(15s);
    int pings = 0;
    s.chat.on_silence = [&] {
        if (++pings == 3)
            s.chat.finish("no answer to two pings");
        else
            s.chat.push("ping\n");
    };
    s.loop.advance(1min);
    CHECK(s.peer.received() == "ping\nping\n");
    CHECK(s.chat.close_text() == "no answer to two pings");
    CHECK(s.peer.ended());
    CHECK(s.after(1h).back() == "close user");
}

TEST_CASE("handle_silence that throws is called again", "[silence][timers]")
{
    class patient : public listener {
    public:
        using listener::listener;
        void handle_error() override { note("error"); }
    };
    asynchat::testing::loop loop;
    auto ends = loop.accept<patient>();
    ends.first->silence_interval(10s);
    ends.first->on_silence = [] { throw std::runtime_error("no"); };
    loop.advance(21s);
    CHECK(ends.first->events == lines{"silence 10", "error", "silence 20", "error"});
}

TEST_CASE("handle_silence: input that waits in the system is a sign of life", "[silence][timers]")
{
    asynchat::testing::loop loop;
    auto ends = support::connected_pair(AF_UNIX);
    const auto chat = loop.create<listener>(std::move(ends.first)).lock();
    chat->silence_interval(10s);
    chat->pause_reading();
    SECTION("input")
    {
        ends.second.send("x");
        loop.advance(1min);
        CHECK(chat->events.empty());
    }
    SECTION("no input")
    {
        loop.advance(11s);
        CHECK(chat->events == lines{"silence 10"});
    }
}

TEST_CASE("handle_silence: input that waits in memory is a sign of life", "[silence][timers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<listener>();
    chat->silence_interval(10s);
    chat->pause_reading();
    SECTION("input")
    {
        peer.send("x");
        loop.advance(1min);
        CHECK(chat->events.empty());
        chat->resume_reading();
        loop.advance(11s);
        CHECK(chat->events == lines{"collect x", "silence 10"});
    }
    SECTION("no input")
    {
        loop.advance(11s);
        CHECK(chat->events == lines{"silence 10"});
    }
}

TEST_CASE("handle_silence: not behind the end of the stream, and not while it closes",
          "[silence][timers]")
{
    class half_closed : public listener {
    public:
        using listener::listener;
        void handle_eof() override {} // stays open for output
    };
    asynchat::testing::loop loop;
    auto ends = loop.accept<half_closed>();
    auto& chat = *ends.first;
    chat.silence_interval(10s);
    SECTION("the end of the stream")
    {
        ends.second.finish();
    }
    SECTION("while it closes")
    {
        ends.second.window(0);
        chat.push("not taken");
        chat.close_when_done();
    }
    loop.advance(50s);
    CHECK(chat.events.empty());
    CHECK_FALSE(chat.closed());
}

TEST_CASE("handle_silence: the time begins with the connection", "[silence][timers]")
{
    asynchat::testing::loop loop;
    const asynchat::endpoint here("127.0.0.1", 7000);
    auto server = loop.listen(here);
    loop.answer_after(here, 8s);
    const auto chat = loop.create<listener>().lock();
    chat->silence_interval(10s);
    chat->connect(here);
    loop.advance(17s);
    CHECK(chat->events == lines{"connect"});
    loop.advance(2s);
    CHECK(chat->events == lines{"connect", "silence 10"});
    chat->create_socket(); // another one
    chat->connect(here);
    loop.advance(17s);
    CHECK(chat->events == lines{"connect", "silence 10", "connect"});
    loop.advance(2s);
    CHECK(chat->events.back() == "silence 10");
}

TEST_CASE("handle_silence does not put off the other timeouts", "[silence][timers]")
{
    scene s;
    s.chat.silence_interval(10s);
    SECTION("of idleness")
    {
        s.chat.idle_timeout(35s);
        s.loop.advance(36s);
        CHECK(s.chat.close_reason() == close_reason::idle_timeout);
    }
    SECTION("of output")
    {
        s.chat.write_timeout(35s);
        s.peer.window(0);
        s.chat.push("not taken");
        s.loop.advance(40s);
        CHECK(s.chat.close_reason() == close_reason::write_timeout);
    }
    SECTION("of a frame")
    {
        s.chat.set_terminator("\n");
        s.chat.frame_timeout(35s);
        s.peer.send("half");
        s.loop.advance(36s);
        CHECK(s.chat.close_reason() == close_reason::frame_timeout);
    }
}
