// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What is bounded in time, and when its time does not run. A frame has two minutes here, as on
// every connection that was accepted.

using namespace std::chrono_literals;
using asynchat::close_reason;

namespace {

using texts = std::vector<std::string>;

class lines : public asynchat::testing::recorder<> {
public:
    lines(asynchat::loop& owner, asynchat::socket from) : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }

    std::function<void()> on_collect;

    void collect_incoming_data(std::string_view data) override
    {
        recorder::collect_incoming_data(data);
        if (on_collect)
            on_collect();
    }
};

/// An accepted channel and its other side, which speaks.
struct conversation {
    /// Lets the other side say something, and time pass.
    void say(std::string_view text, asynchat::loop::duration time)
    {
        peer.send(text);
        loop.settle();
        loop.advance(time);
    }

    /// Whether the channel is ended by its frame timeout after so long, and not much earlier.
    bool ends_after(asynchat::loop::duration time)
    {
        loop.advance(time - 1s);
        if (chat->closed())
            return false;
        loop.advance(2s);
        return chat->close_reason() == close_reason::frame_timeout;
    }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<lines>, asynchat::testing::peer> ends = loop.accept<lines>();
    std::shared_ptr<lines> chat = ends.first;
    asynchat::testing::peer& peer = ends.second;
};

} // namespace

// --- the time of a frame ---------------------------------------------------------------------

TEST_CASE("frame timeout: the kit's accepted channels have that of a server",
          "[standing-clocks][timers]")
{
    conversation c;
    c.say("begun", 0s);
    CHECK(c.ends_after(120s));
}

TEST_CASE("frame timeout: goes on after a pause from where it was", "[standing-clocks][timers]")
{
    conversation c;
    c.say("begun", 60s);
    c.chat->pause_reading();
    c.loop.advance(24h);
    CHECK_FALSE(c.chat->closed());
    c.chat->resume_reading();
    CHECK(c.ends_after(60s));
}

TEST_CASE("frame timeout: many pauses do not make it longer", "[standing-clocks][timers]")
{
    conversation c;
    c.say("begun", 0s);
    for (int i = 0; i < 11; ++i) {
        c.loop.advance(10s);
        c.chat->pause_reading();
        c.chat->pause_reading(); // twice is once
        c.loop.advance(1h);
        c.chat->resume_reading();
        c.chat->resume_reading();
        REQUIRE_FALSE(c.chat->closed());
    }
    CHECK(c.ends_after(10s));
}

TEST_CASE("frame timeout: a frame that begins in the piece that pauses has not begun yet",
          "[standing-clocks][timers]")
{
    conversation c;
    c.chat->on_collect = [&c] { c.chat->pause_reading(); };
    c.say("begun", 24h);
    CHECK_FALSE(c.chat->closed());
    c.chat->resume_reading();
    CHECK(c.ends_after(120s));
}

TEST_CASE("frame timeout: stands still while the channel is full", "[standing-clocks][timers]")
{
    conversation c;
    c.chat->write_buffer_limits(10, 5);
    c.chat->write_timeout(0s);
    c.say("begun", 60s);
    c.peer.window(0);
    c.chat->push("twenty bytes of text");
    c.loop.advance(24h);
    CHECK_FALSE(c.chat->closed());
    c.peer.window(100);
    c.loop.settle();
    CHECK(c.ends_after(60s));
}

TEST_CASE("frame timeout: a pause of a full channel is one time", "[standing-clocks][timers]")
{
    conversation c;
    c.chat->write_buffer_limits(10, 5);
    c.chat->write_timeout(0s);
    c.say("begun", 60s);
    c.chat->pause_reading();
    c.loop.advance(1h);
    c.peer.window(0);
    c.chat->push("twenty bytes of text");
    c.loop.advance(1h);
    c.chat->resume_reading();
    c.loop.advance(1h);
    c.peer.window(100);
    c.loop.settle();
    CHECK(c.ends_after(60s));
}

TEST_CASE("frame timeout: stands still while a callback of the input runs the loop",
          "[standing-clocks][timers]")
{
    conversation c;
    c.say("begun", 60s);
    c.chat->on_collect = [&c] {
        c.chat->on_collect = nullptr;
        const auto end = c.loop.call_later(1h, [&c] { c.loop.stop(); });
        c.loop.run();
        CHECK_FALSE(c.chat->closed());
    };
    c.say("and", 0s);
    CHECK_FALSE(c.chat->on_collect);
    CHECK(c.ends_after(60s));
}

TEST_CASE("frame timeout: runs while a callback of another channel runs the loop",
          "[standing-clocks][timers]")
{
    conversation c;
    auto [other, peer] = c.loop.accept<lines>();
    c.say("begun", 0s);
    other->on_collect = [&c] {
        const auto end = c.loop.call_later(1h, [&c] { c.loop.stop(); });
        c.loop.run();
    };
    peer.send("begun, too");
    c.loop.settle();
    CHECK(c.chat->close_reason() == close_reason::frame_timeout);
    CHECK_FALSE(other->closed());
}

TEST_CASE("frame timeout: ends when a terminator of another kind begins another frame",
          "[standing-clocks][timers]")
{
    conversation c;
    c.say("begun", 100s);
    c.chat->set_terminator(10);
    c.loop.advance(24h);
    CHECK_FALSE(c.chat->closed());
    c.say("x", 0s);
    CHECK(c.ends_after(120s));
}

TEST_CASE("frame timeout: goes on when a string takes the place of another",
          "[standing-clocks][timers]")
{
    conversation c;
    c.say("begun", 100s);
    c.chat->set_terminator(";");
    CHECK(c.ends_after(20s));
}

TEST_CASE("frame timeout: ends when everything is collected", "[standing-clocks][timers]")
{
    const auto everything = GENERATE(asynchat::terminator(std::nullopt), asynchat::terminator(0),
                                     asynchat::terminator(""));
    conversation c;
    c.say("begun", 100s);
    c.chat->set_terminator(everything);
    c.loop.advance(1h);
    c.say("more", 24h);
    CHECK_FALSE(c.chat->closed());
}

TEST_CASE("frame timeout: one that is set anew in a pause counts without it",
          "[standing-clocks][timers]")
{
    conversation c;
    c.say("begun", 10s);
    c.chat->pause_reading();
    c.chat->frame_timeout(30s);
    c.loop.advance(1h);
    CHECK_FALSE(c.chat->closed());
    c.chat->resume_reading();
    CHECK(c.ends_after(20s));
}

namespace {

/// Connects to somewhere else when a frame takes too long.
class reconnecting final : public lines {
public:
    using lines::lines;

    void handle_frame_timeout() override
    {
        note("late");
        create_socket();
        connect(asynchat::endpoint("127.0.0.1", 7));
    }
};

} // namespace

TEST_CASE("frame timeout: another connection that its handler makes is not ended by it",
          "[standing-clocks][timers]")
{
    asynchat::testing::loop loop;
    auto elsewhere = loop.listen(asynchat::endpoint("127.0.0.1", 7));
    auto [chat, peer] = loop.accept<reconnecting>();
    peer.send("begun");
    loop.advance(121s);
    CHECK(chat->connected());
    auto other = elsewhere.accept();
    other.send("hello\n");
    loop.settle();
    CHECK(chat->events == texts{"collect begun", "late", "connect", "collect hello", "found"});
}

// --- the time of output ----------------------------------------------------------------------

namespace {

/// A producer of one piece, which runs the loop for an hour.
auto piece_after_an_hour(asynchat::testing::loop& loop)
{
    return [&loop, asked = false]() mutable {
        if (std::exchange(asked, true))
            return std::string();
        const auto end = loop.call_later(1h, [&loop] { loop.stop(); });
        loop.run();
        return std::string("piece");
    };
}

} // namespace

TEST_CASE("write timeout: a producer that runs the loop is not the other side's fault",
          "[standing-clocks][timers]")
{
    conversation c;
    c.peer.window(0);
    c.chat->push("text");
    c.chat->push_with_producer(piece_after_an_hour(c.loop));
    c.loop.advance(50s);
    c.peer.window(4); // for the text only
    c.loop.settle();
    CHECK_FALSE(c.chat->closed());
    c.peer.window(100);
    CHECK(c.peer.received() == "textpiece");
    CHECK_FALSE(c.chat->closed());
}

TEST_CASE("write timeout: begins anew behind a producer that ran the loop",
          "[standing-clocks][timers]")
{
    conversation c;
    c.peer.window(4);
    c.chat->push("text");
    c.chat->push_with_producer(piece_after_an_hour(c.loop));
    c.loop.settle();
    c.loop.advance(59s);
    CHECK_FALSE(c.chat->closed());
    c.loop.advance(2s);
    CHECK(c.chat->close_reason() == close_reason::write_timeout);
}

// --- what the log tells ----------------------------------------------------------------------

TEST_CASE("each timeout that ends a channel is a line of the log, with its setter",
          "[standing-clocks][timers][logging]")
{
    conversation c;
    std::string expected;
    SECTION("frame_timeout()")
    {
        c.say("begun", 121s);
        expected = "a frame was not complete within 120 s, the limit of frame_timeout()";
    }
    SECTION("idle_timeout()")
    {
        c.chat->idle_timeout(1500ms);
        c.loop.advance(2s);
        expected = "nothing came and nothing went within 1.5 s, the limit of idle_timeout()";
    }
    SECTION("write_timeout()")
    {
        c.peer.window(0);
        c.chat->push("text");
        c.loop.advance(61s);
        expected = "the other side took no output within 60 s, the limit of write_timeout()";
    }
    SECTION("close_when_done()")
    {
        c.peer.window(0);
        c.chat->push("text");
        c.chat->close_when_done(5s);
        c.loop.advance(6s);
        expected = "its output was not sent in the time given to close_when_done()";
    }
    CHECK(c.chat->closed());
    REQUIRE(c.chat->logs.size() == 1);
    CHECK(c.chat->logs[0].find("info: closing channel <") == 0);
    CHECK(c.chat->logs[0].find(expected) != std::string::npos);
}

TEST_CASE("a connection that lingers to its end writes nothing",
          "[standing-clocks][timers][logging]")
{
    support::captured_stderr log;
    conversation c;
    c.chat->push("bye");
    c.chat->close_when_done();
    c.loop.settle();
    CHECK(c.chat->closed());
    CHECK_FALSE(c.peer.ended()); // what it was sent is to be read
    CHECK(c.peer.received() == "bye");
    c.loop.advance(3s);
    CHECK(c.chat->logs.empty());
    CHECK(log.text().empty());
}
