// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// One channel with a rate. What the network cuts, and when, is the test's.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::unlimited;

namespace {

using texts = std::vector<std::string>;

/// Notes its frames, and how often the loop asks whether it reads.
template <class Base>
class noting : public Base {
public:
    explicit noting(asynchat::loop& owner, asynchat::socket from = {})
        : Base(owner, std::move(from))
    {
        this->set_terminator("\n");
    }

    texts frames;
    std::size_t questions = 0;
    std::function<void(const std::string&)> on_frame;

    bool readable() override
    {
        ++questions;
        return Base::readable();
    }
    void handle_connect() override {}
    void handle_error() override { frames.push_back("error"); }

protected:
    void found(std::string frame)
    {
        frames.push_back(frame);
        if (on_frame)
            on_frame(frame);
    }
};

class lines : public noting<asynchat::async_chat> {
public:
    using noting::noting;
    void found_terminator() override { found(_get_data()); }
    void handle_eof() override
    {
        frames.emplace_back("eof");
        async_chat::handle_eof();
    }
};

class whole : public noting<asynchat::frame_chat> {
public:
    using noting::noting;
    void found_frame(std::string_view frame) override { found(std::string(frame)); }
    void handle_eof() override
    {
        frames.emplace_back("eof");
        frame_chat::handle_eof();
    }
};

/// An accepted channel and its other side.
template <class Chat>
struct conversation {
    /// Lets the other side say something at once.
    void say(std::string_view text)
    {
        peer.send(text);
        loop.settle();
    }
    /// How many frames were found since the last call, after so long.
    std::size_t more_after(asynchat::loop::duration time)
    {
        loop.advance(time);
        return chat->frames.size() - std::exchange(counted_, chat->frames.size());
    }
    std::size_t more_now()
    {
        loop.settle();
        return more_after(0s);
    }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<Chat>, asynchat::testing::peer> ends = loop.accept<Chat>();
    std::shared_ptr<Chat> chat = ends.first;
    asynchat::testing::peer& peer = ends.second;

private:
    std::size_t counted_ = 0;
};

/// One that has taken "a", and takes "b" in a second, and "c" in two.
template <class Chat>
struct held : conversation<Chat> {
    held()
    {
        this->chat->frame_rate(1);
        this->say("a\nb\nc\n");
        this->more_now();
    }
};

std::string numbered_lines(std::size_t count)
{
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all += std::to_string(i) + "\n";
    return all;
}

} // namespace

// --- frames ----------------------------------------------------------------------------------

TEST_CASE("rates: a channel has none until it gets one", "[rates]")
{
    conversation<lines> c;
    CHECK(c.chat->read_rate() == unlimited);
    CHECK(c.chat->frame_rate() == unlimited);
    c.chat->read_rate(1000);
    c.chat->frame_rate(10);
    CHECK(c.chat->read_rate() == 1000);
    CHECK(c.chat->frame_rate() == 10);
    CHECK_THROWS_AS(c.chat->read_rate(0), std::invalid_argument);
    CHECK_THROWS_AS(c.chat->frame_rate(0), std::invalid_argument);
    CHECK(c.chat->read_rate() == 1000);
}

TEMPLATE_TEST_CASE("rates: the frames of a second come at once, the others in time", "[rates]",
                   lines, whole)
{
    conversation<TestType> c;
    c.chat->frame_rate(10);
    c.say(numbered_lines(25));
    CHECK(c.more_now() == 10);
    CHECK(c.more_after(100ms) == 1);
    CHECK(c.more_after(500ms) == 5);
    CHECK(c.more_after(900ms) == 9);
    c.say("last\n");
    CHECK(c.more_after(0s) == 0);
    CHECK(c.more_after(100ms) == 1);
    CHECK(c.chat->frames.back() == "last");
}

TEMPLATE_TEST_CASE("rates: the frames do not depend on the cuts", "[rates]", lines, whole)
{
    texts expected;
    for (std::size_t i = 0; i < 20; ++i)
        expected.push_back(std::to_string(i));
    expected.emplace_back("eof");
    for (const std::size_t piece : {1U, 2U, 3U, 5U, 100U}) {
        INFO("pieces of " << piece);
        conversation<TestType> c;
        c.chat->frame_rate(7);
        c.peer.send(numbered_lines(20), piece);
        c.peer.finish();
        CHECK(c.more_now() == 7);
        CHECK(c.more_after(1s) == 7);
        CHECK(c.more_after(1s) == 7); // with the end of the stream
        CHECK(c.chat->frames == expected);
        CHECK(c.chat->close_reason() == close_reason::peer_finished);
    }
}

TEST_CASE("rates: no event comes while a channel waits for its rate", "[rates]")
{
    held<lines> c;
    c.chat->frame_rate(unlimited);
    c.more_now();
    c.chat->read_rate(1);
    c.say(std::string(1000, 'x'));
    c.say(std::string(1000, 'x')); // waits in the network
    c.loop.settle();
    const std::size_t questions = c.chat->questions;
    c.loop.advance(998s);
    CHECK(c.chat->questions <= questions + 1); // of the clocks
    CHECK(c.chat->frames.size() == 3);
}

TEST_CASE("rates: what is not used is kept for one second only", "[rates]")
{
    conversation<lines> c;
    c.chat->frame_rate(5);
    c.loop.advance(1h);
    c.say(numbered_lines(20));
    CHECK(c.more_now() == 5);
    c.loop.advance(3s);
    c.loop.advance(1h);
    CHECK(c.more_now() == 15);
    c.say(numbered_lines(20));
    CHECK(c.more_now() == 5);
}

TEST_CASE("rates: a frame that has begun is received to its end", "[rates][no-records]")
{
    conversation<lines> c;
    c.chat->frame_rate(1);
    c.say("a\nbe");
    CHECK(c.more_now() == 1);
    c.loop.advance(1s); // the beginning is received
    c.say("gun\nc\n");
    CHECK(c.more_now() == 1);
    CHECK(c.chat->frames.back() == "begun");
    CHECK(c.more_after(990ms) == 0);
    CHECK(c.more_after(20ms) == 1);
}

TEST_CASE("rates: without a terminator there are no frames to count", "[rates]")
{
    conversation<lines> c;
    std::string all;
    c.chat->frame_rate(1);
    c.say("a\n");
    c.chat->set_terminator(std::nullopt);
    c.say(std::string(1000, 'x'));
    CHECK(c.chat->pending_output() == 0);
    c.chat->on_frame = nullptr;
    c.chat->set_terminator("\n");
    c.say("\n");
    CHECK(c.more_now() == 1);     // "a"
    CHECK(c.more_after(1s) == 1); // which was received already
    CHECK(c.chat->frames[1].size() == 1000);
}

TEST_CASE("rates: length prefixes and counts are frames", "[rates]")
{
    conversation<whole> c;
    c.chat->frame_rate(2);
    c.chat->set_terminator(asynchat::terminator::netstring());
    c.say("1:a,1:b,0:,1:d,1:e,");
    CHECK(c.more_now() == 2);
    CHECK(c.more_after(1s) == 2);
    CHECK(c.more_after(1s) == 1);
    CHECK(c.chat->frames == texts{"a", "b", "", "d", "e"});
    c.loop.advance(1s);
    c.chat->set_terminator(40000);
    c.chat->on_frame = [&](const std::string&) { c.chat->set_terminator(40000); };
    for (int i = 0; i < 3; ++i)
        c.say(std::string(40000, 'x'));
    CHECK(c.more_now() == 2);
    CHECK(c.more_after(500ms) == 1);
}

TEST_CASE("rates: a frame whose callback throws counts", "[rates]")
{
    conversation<lines> c;
    c.chat->frame_rate(2);
    c.chat->on_frame = [](const std::string&) { throw std::runtime_error("of the test"); };
    c.say("a\n");
    c.say("b\n");
    c.say("c\n");
    CHECK(c.chat->frames == texts{"a", "error", "b", "error"});
    c.loop.advance(500ms);
    CHECK(c.chat->frames == texts{"a", "error", "b", "error", "c", "error"});
}

TEST_CASE("rates: a rate that a callback sets counts from the next frame on", "[rates]")
{
    conversation<lines> c;
    c.chat->on_frame = [&](const std::string& frame) {
        if (frame == "limit")
            c.chat->frame_rate(2);
    };
    c.say("a\nb\nc\nlimit\nd\ne\nf\n");
    CHECK(c.more_now() == 6);
    CHECK(c.more_after(500ms) == 1);
}

TEST_CASE("rates: an overridden get_terminator() is still asked", "[rates]")
{
    class steering : public lines {
    public:
        using lines::lines;
        const asynchat::terminator& get_terminator() const override { return next; }
        asynchat::terminator next{";"};
    };
    conversation<steering> c;
    c.chat->frame_rate(1);
    c.say("a;b,c,");
    CHECK(c.more_now() == 1);
    c.chat->next = ",";
    CHECK(c.more_after(1s) == 1);
    CHECK(c.chat->frames == texts{"a", "b"});
}

TEST_CASE("rates: a constructor may set them", "[rates]")
{
    class limited : public lines {
    public:
        limited(asynchat::loop& owner, asynchat::socket from) : lines(owner, std::move(from))
        {
            frame_rate(3);
        }
    };
    conversation<limited> c;
    c.say(numbered_lines(5));
    CHECK(c.more_now() == 3);
    CHECK(c.more_after(1s) == 2);
}

TEST_CASE("rates: a missing terminator is still told", "[rates]")
{
    class forgetful : public asynchat::testing::recorder<> {
    public:
        forgetful(asynchat::loop& owner, asynchat::socket from) : recorder(owner, std::move(from))
        {
            frame_rate(1);
        }
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<forgetful>();
    peer.send("x");
    loop.settle();
    REQUIRE(chat->logs.size() == 1);
    CHECK(chat->logs[0].find("set_terminator() was never called") != std::string::npos);
}

// --- bytes -----------------------------------------------------------------------------------

TEMPLATE_TEST_CASE("rates: bytes are received at their rate", "[rates][no-records]", lines, whole)
{
    conversation<TestType> c;
    c.chat->read_rate(1000);
    for (int i = 0; i < 100; ++i) // a piece is a receive
        c.peer.send(std::string(99, 'x') + "\n");
    CHECK(c.more_now() == 10);
    for (int second = 1; second < 9; ++second)
        CHECK(c.more_after(1s) == 10);
    CHECK(c.more_after(1s) == 10);
    CHECK(c.more_after(1h) == 0);
}

TEMPLATE_TEST_CASE("rates: after a receive of many bytes the wait is longer", "[rates][no-records]",
                   lines, whole)
{
    conversation<TestType> c;
    c.chat->read_rate(1000);
    c.say(std::string(8999, 'x') + "\n");
    c.say("b\n");
    CHECK(c.more_now() == 1);
    CHECK(c.more_after(7990ms) == 0);
    CHECK(c.more_after(20ms) == 1);
}

TEST_CASE("rates: a large frame is received at the rate of bytes, too", "[rates][no-records]")
{
    conversation<whole> c;
    c.chat->max_frame(unlimited);
    c.chat->read_rate(100000);
    c.chat->ac_in_buffer_size = 1000; // of a large frame, 16 times as much otherwise
    c.chat->set_terminator(1000000);
    c.peer.send(std::string(1000000, 'x'), 100000);
    c.loop.settle();
    CHECK(c.more_after(8900ms) == 0);
    CHECK(c.more_after(200ms) == 1);
}

TEST_CASE("rates: in the long run neither rate is exceeded", "[rates][no-records]")
{
    conversation<lines> c;
    c.chat->read_rate(1000);
    c.chat->frame_rate(3);
    std::size_t bytes = 0;
    c.chat->on_frame = [&](const std::string& frame) { bytes += frame.size() + 1; };
    for (std::size_t i = 0; i < 2000; ++i)
        c.peer.send(std::string(i % 700, 'x') + "\n");
    for (int i = 0; i < 300; ++i) {
        c.loop.advance(1s);
        const auto seconds = static_cast<std::size_t>(i + 1);
        REQUIRE(c.chat->frames.size() <= 3 * seconds + 3);
        REQUIRE(bytes <= 1000 * seconds + 1000 + 700);
    }
    c.loop.advance(700s);
    CHECK(c.chat->frames.size() == 2000);
}

// --- what happens in the meantime ------------------------------------------------------------

TEMPLATE_TEST_CASE("rates: the wait goes on when reading is resumed", "[rates]", lines, whole)
{
    held<TestType> c;
    c.chat->pause_reading();
    c.chat->resume_reading();
    CHECK(c.more_now() == 0);
    CHECK(c.more_after(1s) == 1);
}

TEMPLATE_TEST_CASE("rates: a pause lasts longer than the wait", "[rates]", lines, whole)
{
    held<TestType> c;
    c.chat->pause_reading();
    CHECK(c.more_after(10s) == 0);
    c.chat->resume_reading();
    CHECK(c.more_now() == 1); // the second of one frame was kept
    CHECK(c.more_after(1s) == 1);
}

TEMPLATE_TEST_CASE("rates: end_turn() does not end the wait", "[rates]", lines, whole)
{
    conversation<TestType> c;
    c.chat->frame_rate(2);
    c.chat->on_frame = [&](const std::string&) { c.chat->end_turn(); };
    c.say("a\nb\nc\n");
    CHECK(c.more_now() == 2);
    CHECK(c.more_after(400ms) == 0);
    CHECK(c.more_after(100ms) == 1);
}

TEMPLATE_TEST_CASE("rates: output is sent during the wait", "[rates]", lines, whole)
{
    held<TestType> c;
    c.chat->push("hello");
    CHECK(c.peer.received() == "hello");
    CHECK(c.more_now() == 0);
}

TEMPLATE_TEST_CASE("rates: close() ends a channel that waits", "[rates]", lines, whole)
{
    held<TestType> c;
    c.chat->close();
    CHECK(c.peer.was_reset() == false);
    CHECK(c.more_after(10s) == 0);
    CHECK(c.chat->close_reason() == close_reason::local);
    c.chat->frame_rate(unlimited); // has no effect any more
    CHECK(c.more_now() == 0);
}

TEMPLATE_TEST_CASE("rates: abort() ends a channel that waits", "[rates][no-tls]", lines, whole)
{
    held<TestType> c;
    c.chat->abort();
    CHECK(c.peer.was_reset());
    CHECK(c.more_after(10s) == 0);
}

TEMPLATE_TEST_CASE("rates: close_when_done() ends it without waiting, and drops the input",
                   "[rates]", lines, whole)
{
    held<TestType> c;
    c.chat->push("bye");
    c.chat->close_when_done();
    CHECK(c.peer.received() == "bye");
    CHECK(c.chat->closed());
    CHECK(c.more_after(10s) == 0);
}

TEST_CASE("rates: after close_when_done() the peer may send on, at any rate", "[rates][no-records]")
{
    held<lines> c;
    c.peer.window(0);
    c.chat->push("bye");
    c.chat->close_when_done();
    c.chat->read_rate(1);
    for (int i = 0; i < 100; ++i)
        c.say(std::string(1000, 'x'));
    c.peer.window(100);
    CHECK(c.peer.received() == "bye");
    CHECK(c.chat->closed());
}

TEMPLATE_TEST_CASE("rates: the end of the stream comes behind the frames", "[rates]", lines, whole)
{
    held<TestType> c;
    c.peer.finish();
    CHECK(c.more_after(990ms) == 0);
    CHECK(c.more_after(20ms) == 1);
    CHECK_FALSE(c.chat->closed());
    c.loop.advance(2s);
    CHECK(c.chat->frames == texts{"a", "b", "c", "eof"});
    CHECK(c.chat->close_reason() == close_reason::peer_finished);
}

TEMPLATE_TEST_CASE("rates: what was received before a reset is delivered in time", "[rates]", lines,
                   whole)
{
    held<TestType> c;
    c.say("d\ne\nf\n");
    c.peer.reset();
    c.loop.settle();
    c.chat->push("nobody hears this");
    CHECK(c.more_now() == 0);
    CHECK(c.more_after(4s) == 4);
    CHECK_FALSE(c.chat->closed());
    CHECK(c.more_after(10s) == 1);
    CHECK(c.chat->frames == texts{"a", "b", "c", "d", "e", "f"});
    CHECK(c.chat->close_reason() == close_reason::reset);
}

TEMPLATE_TEST_CASE("rates: a channel that waits is not idle", "[rates][no-records]", lines, whole)
{
    conversation<TestType> c;
    c.chat->idle_timeout(2s);
    c.chat->read_rate(10);
    c.say(std::string(99, 'x') + "\n");
    c.say("b\n"); // what the wait is for
    CHECK(c.more_after(8900ms) == 1);
    CHECK(c.more_after(200ms) == 1);
    CHECK_FALSE(c.chat->closed());
    c.loop.advance(1500ms);
    CHECK_FALSE(c.chat->closed());
    c.loop.advance(700ms);
    CHECK(c.chat->close_reason() == close_reason::idle_timeout);
}

TEMPLATE_TEST_CASE("rates: the clock of a frame stands still during the wait",
                   "[rates][no-records]", lines, whole)
{
    conversation<TestType> c;
    c.chat->frame_timeout(2s);
    c.chat->read_rate(10);
    c.say(std::string(100, 'x'));
    c.loop.advance(1s);
    c.say("the rest"); // not the end
    c.loop.advance(8500ms);
    CHECK_FALSE(c.chat->closed());
    c.loop.advance(400ms);
    CHECK_FALSE(c.chat->closed());
    c.loop.advance(400ms);
    CHECK(c.chat->close_reason() == close_reason::frame_timeout);
}

TEST_CASE("rates: a peer that sends nothing is not excused by an empty bucket", "[rates]")
{
    conversation<lines> c;
    c.chat->frame_timeout(2s);
    c.chat->read_rate(1);
    c.say(std::string(100, 'x'));
    c.loop.advance(2100ms);
    CHECK(c.chat->close_reason() == close_reason::frame_timeout);
}

TEMPLATE_TEST_CASE("rates: a terminator that is set meanwhile holds for what waits", "[rates]",
                   lines, whole)
{
    held<TestType> c;
    c.chat->set_terminator(3);
    CHECK(c.more_now() == 0);
    CHECK(c.more_after(1s) == 1);
    CHECK(c.chat->frames.back() == "b\nc");
}

TEMPLATE_TEST_CASE("rates: a higher rate acts at once", "[rates]", lines, whole)
{
    held<TestType> c;
    c.chat->frame_rate(100);
    CHECK(c.more_after(10ms) == 1);
    CHECK(c.more_after(10ms) == 1);
}

TEMPLATE_TEST_CASE("rates: without its rate a channel goes on at once", "[rates]", lines, whole)
{
    held<TestType> c;
    c.chat->frame_rate(unlimited);
    CHECK(c.more_now() == 2);
    c.say(numbered_lines(1000));
    CHECK(c.more_now() == 1000);
}

TEMPLATE_TEST_CASE("rates: a lower rate acts at once", "[rates]", lines, whole)
{
    conversation<TestType> c;
    c.chat->frame_rate(10);
    c.say(numbered_lines(20));
    CHECK(c.more_now() == 10);
    c.chat->frame_rate(1);
    CHECK(c.more_after(990ms) == 0);
    CHECK(c.more_after(10ms) == 1);
    CHECK(c.more_after(5s) == 5);
}

TEMPLATE_TEST_CASE("rates: a debt of bytes is forgiven by another rate", "[rates][no-records]",
                   lines, whole)
{
    conversation<TestType> c;
    c.chat->read_rate(1);
    c.say(std::string(999, 'x') + "\n");
    c.say("b\n");
    CHECK(c.more_after(100s) == 1);
    c.chat->read_rate(1000);
    CHECK(c.more_after(10ms) == 1);
}

TEMPLATE_TEST_CASE("rates: discarded input is not delivered after the wait", "[rates]", lines,
                   whole)
{
    held<TestType> c;
    c.chat->discard_buffers();
    CHECK(c.more_after(10s) == 0);
    c.say("d\n");
    CHECK(c.chat->frames.back() == "d");
}

TEST_CASE("rates: another connection does not wait for input of the one before", "[rates]")
{
    const asynchat::endpoint there("127.0.0.1", 7);
    held<lines> c;
    auto listener = c.loop.listen(there);
    c.chat->create_socket();
    c.chat->connect(there);
    c.loop.settle();
    auto other = listener.accept();
    other.send("new\n");
    CHECK(c.more_now() == 0); // but the rate is that of the channel
    CHECK(c.more_after(1s) == 1);
    CHECK(c.chat->frames == texts{"a", "new"});
}

TEMPLATE_TEST_CASE("rates: close_all() of the loop ends a channel that waits", "[rates]", lines,
                   whole)
{
    held<TestType> c;
    c.loop.close_all();
    CHECK(c.chat->close_reason() == close_reason::shutdown);
    CHECK(c.more_after(10s) == 0);
}

TEMPLATE_TEST_CASE("rates: a loop may be destroyed while a channel waits", "[rates]", lines, whole)
{
    std::shared_ptr<TestType> chat;
    {
        held<TestType> c;
        chat = c.chat;
    }
    CHECK(chat->close_reason() == close_reason::shutdown);
    CHECK(chat->frames == texts{"a"});
}

TEMPLATE_TEST_CASE("rates: a channel goes on inside a loop that another one's callback runs",
                   "[rates]", lines, whole)
{
    held<TestType> c;
    auto other = c.loop.template accept<lines>();
    std::size_t inside = 0;
    other.first->on_frame = [&](const std::string&) {
        c.loop.advance(1s);
        inside = c.more_now();
    };
    other.second.send("x\n");
    c.loop.settle();
    CHECK(inside == 1);
    CHECK(c.more_after(1s) == 1);
}

TEMPLATE_TEST_CASE("rates: a callback that runs the loop gets no frame in it", "[rates]", lines,
                   whole)
{
    conversation<TestType> c;
    c.chat->frame_rate(1);
    c.chat->on_frame = [&](const std::string& frame) {
        c.loop.advance(5s);
        c.chat->frames.push_back("end of " + frame);
    };
    c.say("a\nb\n");
    c.loop.advance(1s);
    CHECK(c.chat->frames == texts{"a", "end of a", "b", "end of b"});
}

TEMPLATE_TEST_CASE("rates: a callback may destroy what it likes after the wait", "[rates]", lines,
                   whole)
{
    held<TestType> c;
    c.chat->on_frame = [&](const std::string&) { c.chat->close(); };
    CHECK(c.more_after(10s) == 1);
    CHECK(c.chat->closed());
}

TEST_CASE("rates: an exception after the wait keeps the clocks running", "[rates]")
{
    held<lines> c;
    c.chat->idle_timeout(5s);
    c.chat->on_frame = [](const std::string&) { throw std::runtime_error("of the test"); };
    c.loop.advance(1s);
    CHECK(c.chat->frames == texts{"a", "b", "error"});
    c.chat->on_frame = nullptr;
    c.loop.advance(1s);
    c.say("d\n");
    c.loop.advance(10s);
    CHECK(c.chat->frames == texts{"a", "b", "error", "c", "d"});
    CHECK(c.chat->close_reason() == close_reason::idle_timeout);
}

TEST_CASE("rates: exit_now after the wait loses nothing", "[rates]")
{
    held<lines> c;
    c.chat->idle_timeout(5s);
    c.chat->on_frame = [](const std::string&) { throw asynchat::exit_now(); };
    CHECK_THROWS_AS(c.loop.advance(1s), asynchat::exit_now);
    c.chat->on_frame = nullptr;
    c.loop.advance(1s);
    c.say("d\n");
    c.loop.advance(10s);
    CHECK(c.chat->frames == texts{"a", "b", "c", "d"});
    CHECK(c.chat->close_reason() == close_reason::idle_timeout);
}

TEST_CASE("rates: a relay passes everything on, at its rate", "[rates][relay][no-records]")
{
    asynchat::testing::loop loop;
    auto left = loop.accept<asynchat::relay>();
    auto right = loop.accept<asynchat::relay>();
    left.first->join(*right.first);
    left.first->read_rate(1000);
    std::string all;
    for (int i = 0; i < 10; ++i) {
        left.second.send(std::string(500, static_cast<char>('a' + i)));
        all += std::string(500, static_cast<char>('a' + i));
    }
    left.second.finish();
    std::string got = right.second.received();
    CHECK(got.size() == 1000);
    loop.advance(1s);
    got += right.second.received();
    CHECK(got.size() == 2000);
    right.second.send("answer"); // the other direction has no rate
    CHECK(left.second.received() == "answer");
    loop.advance(3s);
    got += right.second.received();
    CHECK((got == all));
    loop.advance(10ms);
    CHECK(right.second.ended());
}
