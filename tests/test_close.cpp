// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/recording_chat.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using asynchat::close_reason;
using asynchat::terminator;
using Catch::Matchers::ContainsSubstring;
using support::bench;
using support::frames;
using support::pieces;
using support::recording_chat;
using support::user_error;

// --- the end of the stream -----------------------------------------------------------------------

TEST_CASE("end of stream: held bytes are delivered before the end (Python: they are lost)",
          "[close][eof][differs]")
{
    bench<> channel("\r\n.\r\n");
    CHECK(channel.recv("unfinished\r\n.") == "collect('unfinished')");
    CHECK(channel.eof() == "collect('\\r\\n.') handle_eof handle_close closed");
    CHECK(channel.reason() == close_reason::peer_finished);
    CHECK(channel.chat->frame == "unfinished\r\n.");
    CHECK(channel.chat->seen.empty());
}

TEST_CASE("end of stream: without held bytes only the end is reported", "[close][eof]")
{
    const terminator ends = GENERATE(terminator("\n"), terminator(5), terminator(), terminator(""));
    bench<> channel(ends);
    CHECK(channel.recv("abc") == "collect('abc')");
    CHECK(channel.eof() == "handle_eof handle_close closed");
    CHECK(channel.chat->errors == 0);
    CHECK(channel.chat->logs.empty());
    CHECK_FALSE(channel.chat->close_error());
}

TEST_CASE("end of stream: held bytes under a new terminator come before the end (Python: after it)",
          "[close][eof][differs]")
{
    bench<> channel("\r\n");
    channel.recv("ab\r");
    channel.chat->set_terminator(std::nullopt);
    CHECK(channel.eof() == "collect('\\r') handle_eof handle_close closed");

    bench<> found("\r\n");
    found.recv("ab\r");
    found.chat->set_terminator("\r");
    CHECK(found.eof() == "found handle_eof handle_close closed");
}

TEST_CASE("end of stream: input left by an exception is delivered before the end",
          "[close][eof][exceptions]")
{
    bench<> channel("\n");
    channel.chat->survives = true;
    channel.chat->on_found = [] { throw user_error(); };
    CHECK(channel.recv("a\nb\nc") == "collect('a') found handle_error(user)");
    CHECK(channel.eof() ==
          "collect('b') found handle_error(user) collect('c') handle_eof handle_close closed");
    CHECK(channel.reason() == close_reason::peer_finished);
}

TEST_CASE("end of stream: a callback that always throws does not keep the end away",
          "[close][eof][exceptions]")
{
    bench<> channel("\n");
    channel.chat->survives = true;
    channel.chat->on_collect = [](std::string_view) { throw user_error(); };
    channel.recv("ab");
    channel.eof();
    CHECK_FALSE(channel.open());
    CHECK(channel.chat->closes == 1);
    CHECK(channel.reason() == close_reason::peer_finished);
}

TEST_CASE("end of stream: seen while input waits for resume_reading comes behind that input",
          "[close][eof][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\nc") == "collect('a') found");
    CHECK(channel.eof().empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('b') found");
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('c') handle_eof handle_close closed");
}

TEST_CASE("end of stream: pausing in the input that is left puts the end off",
          "[close][eof][pause]")
{
    bench<> channel("\n");
    channel.chat->survives = true;
    channel.chat->on_found = [&] {
        channel.chat->on_found = [&] { channel.chat->pause_reading(); };
        throw user_error();
    };
    channel.recv("a\nb\nc\n");
    CHECK(channel.eof() == "collect('b') found"); // the end is seen, but not reported
    CHECK(channel.open());
    CHECK(channel.tick().empty());
    channel.chat->on_found = nullptr;
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('c') found handle_eof handle_close closed");
}

TEST_CASE("end of stream: pending output is sent first (Python: it is lost)",
          "[close][eof][differs][no-records]")
{
    bench<> channel;
    channel.wire->take(3);
    channel.call([](recording_chat& chat) { chat.push("a long reply"); });
    CHECK(channel.eof() == "handle_eof");
    CHECK(channel.tick().empty()); // neither over nor spinning
    CHECK(channel.take(4) == "send('ong reply')=4");
    CHECK(channel.take_everything() == "send('reply')=5 handle_close closed");
    CHECK(channel.wire->sent == "a long reply");
    CHECK(channel.reason() == close_reason::peer_finished);
}

TEST_CASE("end of stream: what the last input caused to be pushed is sent", "[close][eof]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->push("reply"); };
    channel.wire->feed("x\n");
    channel.wire->feed_eof();
    channel.wire->take(0);
    CHECK(channel.tick() == "collect('x') found send('reply')=EAGAIN handle_eof");
    CHECK(channel.take_everything() == "send('reply')=5 handle_close closed");
}

TEST_CASE("end of stream: one may push until the output is first empty", "[close][eof]")
{
    bench<> channel;
    channel.wire->take(0);
    channel.call([](recording_chat& chat) { chat.push("one "); });
    channel.eof();
    CHECK(channel.chat->push("two "));
    channel.chat->push_with_producer(pieces(channel.wire, {"three"}));
    channel.take_everything();
    CHECK(channel.wire->sent == "one two three");
    CHECK_FALSE(channel.open());
    CHECK_FALSE(channel.chat->push("four"));
}

TEST_CASE("handle_eof: an override may push and pass on", "[close][eof]")
{
    bench<> channel;
    channel.chat->on_eof = [&] {
        channel.chat->push("goodbye");
        static_cast<asynchat::async_chat&>(*channel.chat).async_chat::handle_eof();
    };
    CHECK(channel.eof() == "handle_eof send('goodbye')=7 handle_close closed");
}

TEST_CASE("handle_eof: an override that does nothing keeps the channel open for output",
          "[close][eof]")
{
    bench<> channel;
    channel.chat->on_eof = [] {};
    CHECK(channel.eof() == "handle_eof");
    CHECK(channel.tick().empty()); // reported once
    CHECK(channel.call([](recording_chat& chat) { chat.push("still here"); }) ==
          "send('still here')=10");
    CHECK(channel.open());
    CHECK(channel.call([](recording_chat& chat) { chat.close_when_done(); }) ==
          "handle_close closed");
    CHECK(channel.reason() == close_reason::local);
}

TEST_CASE("handle_eof: may close, close when done or throw", "[close][eof]")
{
    bench<> closes;
    closes.chat->on_eof = [&] { closes.chat->close(); };
    CHECK(closes.eof() == "handle_eof closed");
    CHECK(closes.reason() == close_reason::local);

    bench<> done;
    done.chat->on_eof = [&] { done.chat->close_when_done(); };
    CHECK(done.eof() == "handle_eof handle_close closed");

    bench<> throws;
    throws.chat->on_eof = [] { throw user_error(); };
    CHECK(throws.eof() == "handle_eof handle_error(user) handle_close closed");
    CHECK(throws.reason() == close_reason::callback_error);
}

TEST_CASE("end of stream: a callback that takes the last bytes may end the channel itself",
          "[close][eof]")
{
    bench<> channel("\r\n");
    channel.recv("ab\r");
    SECTION("close")
    {
        channel.chat->on_collect = [&](std::string_view) { channel.chat->close(); };
        CHECK(channel.eof() == "collect('\\r') closed");
        CHECK(channel.reason() == close_reason::local);
    }
    SECTION("throw")
    {
        channel.chat->on_collect = [](std::string_view) { throw user_error(); };
        CHECK(channel.eof() == "collect('\\r') handle_error(user) handle_close closed");
        CHECK(channel.reason() == close_reason::callback_error);
    }
    SECTION("close when done")
    {
        channel.chat->on_collect = [&](std::string_view) {
            channel.chat->push("bye");
            channel.chat->close_when_done();
        };
        channel.eof();
        CHECK(channel.wire->sent == "bye");
        CHECK(channel.chat->closes == 1);
        CHECK_FALSE(channel.open());
    }
}

TEST_CASE("end of stream: the last bytes are bounded by max_frame as all others are",
          "[close][eof][limit]")
{
    bench<> channel("abcdef");
    channel.chat->max_frame(2);
    CHECK(channel.recv("abcde").empty());
    CHECK(channel.eof() == "collect('ab') handle_close closed");
    CHECK(channel.reason() == close_reason::frame_limit);

    bench<> fits("abcdef");
    fits.chat->max_frame(5);
    fits.recv("abcde");
    CHECK(fits.eof() == "collect('abcde') handle_eof handle_close closed");
}

TEST_CASE("end of stream: a lost connection after it ends the channel once", "[close][eof]")
{
    bench<> channel;
    channel.wire->take(0);
    channel.call([](recording_chat& chat) { chat.push("lost"); });
    channel.eof();
    channel.wire->fail_next_send(EPIPE);
    CHECK(channel.tick() == "send('lost')=EPIPE handle_close closed");
    CHECK(channel.reason() == close_reason::reset);
    CHECK(channel.chat->pending_output() == 4);
}

TEST_CASE("close_when_done is on its way: the end of the stream is not read any more",
          "[close][eof]")
{
    bench<> channel;
    channel.wire->take(0);
    channel.event([](recording_chat& chat) {
        chat.push("bye");
        chat.close_when_done();
    });
    CHECK(channel.eof().empty());
    CHECK(channel.take_everything() == "send('bye')=3 handle_close closed");
    CHECK(channel.reason() == close_reason::local);
}

// --- close_when_done -----------------------------------------------------------------------------

TEST_CASE("close_when_done: with nothing to send ends with the event (Python: at the next one)",
          "[close][differs]")
{
    bench<> channel;
    CHECK(channel.event([&](recording_chat& chat) {
        chat.close_when_done();
        CHECK_FALSE(chat.closed()); // not inside the call
        channel.wire->note("event-ends");
    }) == "event-ends handle_close closed");
    CHECK(channel.reason() == close_reason::local);
}

TEST_CASE("close_when_done: outside of events ends in a later turn", "[close]")
{
    bench<> channel;
    channel.chat->close_when_done();
    CHECK(channel.open());
    CHECK(channel.tick() == "handle_close closed");
}

TEST_CASE("close_when_done: all that was pushed is sent first", "[close][no-records]")
{
    bench<> channel;
    CHECK(channel.call([](recording_chat& chat) {
        chat.push("bye");
        chat.close_when_done();
    }) == "send('bye')=3 handle_close closed");

    bench<> slow;
    slow.wire->take(1);
    CHECK(slow.call([](recording_chat& chat) {
        chat.push("bye");
        chat.close_when_done();
    }) == "send('bye')=1");
    CHECK(slow.take(1) == "send('ye')=1");
    CHECK(slow.take(1) == "send('e')=1 handle_close closed");

    bench<> producing;
    CHECK(producing.call([&](recording_chat& chat) {
        chat.push_with_producer(pieces(producing.wire, {"a", "b"}));
        chat.close_when_done();
    }) == "more('a') send('a')=1 more('b') send('b')=1 more('') ~producer handle_close closed");
}

TEST_CASE("close_when_done: twice is once (Python: handle_close for each)", "[close][differs]")
{
    bench<> channel;
    CHECK(channel.call([](recording_chat& chat) {
        chat.close_when_done();
        chat.close_when_done();
    }) == "handle_close closed");
    channel.chat->close_when_done();
    CHECK(channel.tick().empty());
    CHECK(channel.chat->closes == 1);
}

TEST_CASE("close_when_done: waits for a connection that is being made when there is output",
          "[close]")
{
    bench<> channel;
    channel.chat->set_connected(false);
    CHECK(channel
              .call([](recording_chat& chat) {
                  chat.push("x");
                  chat.close_when_done();
              })
              .empty());
    channel.chat->set_connected(true);
    CHECK(channel.event([](recording_chat&) {}) == "send('x')=1 handle_close closed");
}

TEST_CASE("discard_buffers: cancels close_when_done, and input is delivered again",
          "[close][no-records]")
{
    bench<> channel("\n");
    channel.wire->take(0);
    channel.call([](recording_chat& chat) {
        chat.push("x");
        chat.close_when_done();
    });
    channel.chat->discard_buffers();
    channel.wire->take_everything();
    CHECK(channel.tick().empty());
    CHECK(channel.open());
    CHECK(channel.recv("a\n") == "collect('a') found");
    CHECK(channel.call([](recording_chat& chat) { CHECK(chat.push("y")); }) == "send('y')=1");

    bench<> same_event;
    CHECK(same_event
              .event([](recording_chat& chat) {
                  chat.close_when_done();
                  chat.discard_buffers();
              })
              .empty());
    CHECK(same_event.open());
}

TEST_CASE("discard_buffers: at the end of the stream the channel ends, as nothing is left to send",
          "[close][eof][no-records]")
{
    bench<> channel;
    channel.wire->take(0);
    channel.call([](recording_chat& chat) { chat.push("x"); });
    channel.eof();
    channel.chat->discard_buffers();
    CHECK(channel.tick() == "handle_close closed");
    CHECK(channel.reason() == close_reason::peer_finished);
    CHECK(channel.wire->sent.empty());
}

// --- close and handle_close ----------------------------------------------------------------------

TEST_CASE("close: never calls handle_close, any number of times, everywhere", "[close]")
{
    bench<> channel;
    channel.chat->close();
    channel.chat->close();
    CHECK(channel.tick() == "closed");
    CHECK(channel.chat->closes == 0);
    CHECK(channel.reason() == close_reason::local);
    CHECK_FALSE(channel.chat->connected());
    CHECK_FALSE(channel.handle);
    CHECK(channel.loop.size() == 0);
}

TEST_CASE("close: pending output is lost and counted", "[close][no-records]")
{
    bench<> channel;
    channel.wire->take(2);
    channel.call([](recording_chat& chat) { chat.push("abcdef"); });
    channel.chat->close();
    channel.wire->take_everything();
    channel.tick();
    CHECK(channel.wire->sent == "ab");
    CHECK(channel.chat->pending_output() == 4);
}

TEST_CASE("close: pushed and closed in one event sends nothing", "[close]")
{
    bench<> channel;
    CHECK(channel.event([](recording_chat& chat) {
        chat.push("abc");
        chat.close();
    }) == "closed");
    CHECK(channel.chat->pending_output() == 3);
}

TEST_CASE("after close the methods of a channel still in one's hands do nothing", "[close]")
{
    bench<> channel("\n");
    channel.chat->close();
    channel.tick();
    auto& chat = *channel.chat;
    chat.set_terminator(5);
    chat.discard_buffers();
    chat.close_when_done();
    chat.pause_reading();
    chat.resume_reading();
    chat.initiate_send();
    chat.handle_read();
    chat.handle_write();
    chat.update_interest();
    CHECK(channel.tick().empty());
    CHECK(chat.closes == 0);
    CHECK(chat.get_terminator() == terminator(5));
}

TEST_CASE("handle_close: an override that does not close is closed by the library, once "
          "(Python: called for ever)",
          "[close][differs]")
{
    bench<> channel;
    channel.chat->on_close = [] {};
    CHECK(channel.eof() == "handle_eof handle_close closed");
    CHECK(channel.tick().empty());
    CHECK(channel.chat->closes == 1);
    CHECK(channel.reason() == close_reason::peer_finished);
}

TEST_CASE("handle_close: is called once, whatever comes together", "[close][differs]")
{
    SECTION("the end of the stream and a lost connection on sending")
    {
        bench<> channel;
        channel.wire->feed_eof();
        channel.wire->fail_next_send(EPIPE);
        channel.chat->push("x");
        channel.tick();
        CHECK(channel.chat->closes == 1);
    }
    SECTION("closed inside handle_close, and more errors")
    {
        bench<> channel;
        channel.chat->on_close = [&] {
            CHECK(channel.reason() == close_reason::reset); // known by now
            channel.chat->finish(close_reason::system_error);
            channel.chat->close();
            channel.chat->finish(close_reason::system_error);
        };
        channel.recv_error(ECONNRESET);
        CHECK(channel.chat->closes == 1);
        CHECK(channel.reason() == close_reason::reset);
    }
    SECTION("an exception inside handle_close")
    {
        bench<> channel;
        channel.chat->on_close = [] { throw user_error(); };
        CHECK(channel.recv_error(ECONNRESET) == "handle_close closed");
        CHECK(channel.chat->errors == 0);
        REQUIRE(channel.chat->logs.size() == 1);
        CHECK_THAT(channel.chat->logs[0], ContainsSubstring("user"));
    }
}

TEST_CASE("handle_close: what is pushed there is not sent", "[close]")
{
    bench<> channel;
    channel.chat->on_close = [&] { channel.chat->push("too late"); };
    CHECK(channel.recv_error(ECONNRESET) == "handle_close closed");
    CHECK(channel.wire->sent.empty());
}

TEST_CASE("the loop's end closes its channels without handle_close", "[close]")
{
    const auto wire = std::make_shared<support::wire>();
    std::shared_ptr<recording_chat> chat;
    {
        asynchat::loop loop;
        chat = loop.create<recording_chat>(wire).lock();
        chat->push("never sent");
    }
    CHECK(wire->take_trace() == "closed");
    CHECK(chat->closed());
    CHECK(chat->close_reason() == close_reason::shutdown);
    CHECK(chat->closes == 0);
    CHECK(chat->pending_output() == 10);
    chat.reset();
}

// --- the loop is run by handle_close -------------------------------------------------------------

namespace {

class polls_at_close : public asynchat::testing::recorder<> {
public:
    using recorder::recorder;
    void handle_close() override
    {
        note("polls");
        if (before_poll)
            before_poll();
        owner().poll();
        recorder::handle_close();
    }

    std::function<void()> before_poll;
};

} // namespace

TEST_CASE("handle_close: a loop that it runs brings nothing more to its channel", "[close][nested]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<polls_at_close>();
    loop.fail(1, EPIPE, asynchat::testing::operation::send);
    chat->push("x");
    chat->before_poll = [p = &peer] { p->send("input"); };
    loop.settle();
    CHECK(chat->events == std::vector<std::string>{"polls", "close reset"});
}
