// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/wire_bench.hpp"

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
using support::events;
using support::pieces;
using support::user_error;
using support::wire_bench;
using support::wire_chat;

// --- the end of the stream -----------------------------------------------------------------------

TEST_CASE("end of stream: held bytes are delivered before the end (Python: they are lost)",
          "[close][eof][differs]")
{
    wire_bench<> channel("\r\n.\r\n");
    CHECK(channel.recv("unfinished\r\n.") == events{"collect unfinished"});
    CHECK(channel.eof() == events{"collect \\r\\n.", "eof", "close peer finished"});
    CHECK(channel.reason() == close_reason::peer_finished);
    CHECK(channel.chat->frame == "unfinished\r\n.");
    CHECK(channel.chat->seen.empty());
}

TEST_CASE("end of stream: without held bytes only the end is reported", "[close][eof]")
{
    const terminator ends = GENERATE(terminator("\n"), terminator(5), terminator(), terminator(""));
    wire_bench<> channel(ends);
    CHECK(channel.recv("abc") == events{"collect abc"});
    CHECK(channel.eof() == events{"eof", "close peer finished"});
    CHECK(channel.chat->errors == 0);
    CHECK(channel.chat->logs.empty());
    CHECK_FALSE(channel.chat->close_error());
}

TEST_CASE("end of stream: held bytes under a new terminator come before the end (Python: after it)",
          "[close][eof][differs]")
{
    wire_bench<> channel("\r\n");
    channel.recv("ab\r");
    channel.chat->set_terminator(std::nullopt);
    CHECK(channel.eof() == events{"collect \\r", "eof", "close peer finished"});

    wire_bench<> found("\r\n");
    found.recv("ab\r");
    found.chat->set_terminator("\r");
    CHECK(found.eof() == events{"found", "eof", "close peer finished"});
}

TEST_CASE("end of stream: input left by an exception is delivered before the end",
          "[close][eof][exceptions]")
{
    wire_bench<> channel("\n");
    channel.chat->survives = true;
    channel.chat->on_found = [] { throw user_error(); };
    CHECK(channel.recv("a\nb\nc") == events{"collect a", "found", "error user"});
    CHECK(channel.eof() ==
          events{"collect b", "found", "error user", "collect c", "eof", "close peer finished"});
    CHECK(channel.reason() == close_reason::peer_finished);
}

TEST_CASE("end of stream: a callback that always throws does not keep the end away",
          "[close][eof][exceptions]")
{
    wire_bench<> channel("\n");
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
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\nc") == events{"collect a", "found"});
    CHECK(channel.eof().empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == events{"collect b", "found"});
    channel.chat->resume_reading();
    CHECK(channel.tick() == events{"collect c", "eof", "close peer finished"});
}

TEST_CASE("end of stream: pausing in the input that is left puts the end off",
          "[close][eof][pause]")
{
    wire_bench<> channel("\n");
    channel.chat->survives = true;
    channel.chat->on_found = [&] {
        channel.chat->on_found = [&] { channel.chat->pause_reading(); };
        throw user_error();
    };
    channel.recv("a\nb\nc\n");
    CHECK(channel.eof() == events{"collect b", "found"}); // the end is seen, but not reported
    CHECK(channel.open());
    CHECK(channel.tick().empty());
    channel.chat->on_found = nullptr;
    channel.chat->resume_reading();
    CHECK(channel.tick() == events{"collect c", "found", "eof", "close peer finished"});
}

TEST_CASE("end of stream: pending output is sent first (Python: it is lost)",
          "[close][eof][differs][no-records]")
{
    wire_bench<> channel;
    channel.wire->take(3);
    channel.call([](auto& chat) { chat.push("a long reply"); });
    CHECK(channel.eof() == events{"eof"});
    CHECK(channel.tick().empty()); // neither over nor spinning
    CHECK(channel.take(4) == events{"sent ong  of ong reply"});
    CHECK(channel.take_everything() == events{"sent reply", "close peer finished"});
    CHECK(channel.wire->sent == "a long reply");
    CHECK(channel.reason() == close_reason::peer_finished);
}

TEST_CASE("end of stream: what the last input caused to be pushed is sent", "[close][eof]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->push("reply"); };
    channel.wire->feed("x\n");
    channel.wire->feed_eof();
    channel.wire->take(0);
    CHECK(channel.tick() == events{"collect x", "found", "sent nothing of reply", "eof"});
    CHECK(channel.take_everything() == events{"sent reply", "close peer finished"});
}

TEST_CASE("end of stream: one may push until the output is first empty", "[close][eof]")
{
    wire_bench<> channel;
    channel.wire->take(0);
    channel.call([](auto& chat) { chat.push("one "); });
    channel.eof();
    CHECK(channel.chat->push("two "));
    channel.chat->push_with_producer(pieces(channel.chat, {"three"}));
    channel.take_everything();
    CHECK(channel.wire->sent == "one two three");
    CHECK_FALSE(channel.open());
    CHECK_FALSE(channel.chat->push("four"));
}

TEST_CASE("handle_eof: an override may push and pass on", "[close][eof]")
{
    wire_bench<> channel;
    channel.chat->on_eof = [&] {
        channel.chat->push("goodbye");
        static_cast<asynchat::async_chat&>(*channel.chat).async_chat::handle_eof();
    };
    CHECK(channel.eof() == events{"eof", "sent goodbye", "close peer finished"});
}

TEST_CASE("handle_eof: an override that does nothing keeps the channel open for output",
          "[close][eof]")
{
    wire_bench<> channel;
    channel.chat->on_eof = [] {};
    CHECK(channel.eof() == events{"eof"});
    CHECK(channel.tick().empty()); // reported once
    CHECK(channel.call([](auto& chat) { chat.push("still here"); }) == events{"sent still here"});
    CHECK(channel.open());
    CHECK(channel.call([](auto& chat) { chat.close_when_done(); }) == events{"close local"});
    CHECK(channel.reason() == close_reason::local);
}

TEST_CASE("handle_eof: may close, close when done or throw", "[close][eof]")
{
    wire_bench<> closes;
    closes.chat->on_eof = [&] { closes.chat->close(); };
    CHECK(closes.eof() == events{"eof"});
    CHECK_FALSE(closes.open());
    CHECK(closes.reason() == close_reason::local);

    wire_bench<> done;
    done.chat->on_eof = [&] { done.chat->close_when_done(); };
    CHECK(done.eof() == events{"eof", "close local"});

    wire_bench<> throws;
    throws.chat->on_eof = [] { throw user_error(); };
    CHECK(throws.eof() == events{"eof", "error user", "close callback error"});
    CHECK(throws.reason() == close_reason::callback_error);
}

TEST_CASE("end of stream: a callback that takes the last bytes may end the channel itself",
          "[close][eof]")
{
    wire_bench<> channel("\r\n");
    channel.recv("ab\r");
    SECTION("close")
    {
        channel.chat->on_collect = [&](std::string_view) { channel.chat->close(); };
        CHECK(channel.eof() == events{"collect \\r"});
        CHECK_FALSE(channel.open());
        CHECK(channel.reason() == close_reason::local);
    }
    SECTION("throw")
    {
        channel.chat->on_collect = [](std::string_view) { throw user_error(); };
        CHECK(channel.eof() == events{"collect \\r", "error user", "close callback error"});
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
    wire_bench<> channel("abcdef");
    channel.chat->max_frame(2);
    CHECK(channel.recv("abcde").empty());
    CHECK(channel.eof() == events{"collect ab", "close frame limit"});
    CHECK(channel.reason() == close_reason::frame_limit);

    wire_bench<> fits("abcdef");
    fits.chat->max_frame(5);
    fits.recv("abcde");
    CHECK(fits.eof() == events{"collect abcde", "eof", "close peer finished"});
}

TEST_CASE("end of stream: a lost connection after it ends the channel once", "[close][eof]")
{
    wire_bench<> channel;
    channel.wire->take(0);
    channel.call([](auto& chat) { chat.push("lost"); });
    channel.eof();
    channel.wire->fail_next_send(EPIPE);
    CHECK(channel.tick() == events{"sent nothing of lost", "close reset"});
    CHECK(channel.reason() == close_reason::reset);
    CHECK(channel.chat->pending_output() == 4);
}

TEST_CASE("close_when_done is on its way: the end of the stream is not read any more",
          "[close][eof]")
{
    wire_bench<> channel;
    channel.wire->take(0);
    channel.event([](auto& chat) {
        chat.push("bye");
        chat.close_when_done();
    });
    CHECK(channel.eof().empty());
    CHECK(channel.take_everything() == events{"sent bye", "close local"});
    CHECK(channel.reason() == close_reason::local);
}

// --- close_when_done -----------------------------------------------------------------------------

TEST_CASE("close_when_done: with nothing to send ends with the event (Python: at the next one)",
          "[close][differs]")
{
    wire_bench<> channel;
    CHECK(channel.event([&](auto& chat) {
        chat.close_when_done();
        CHECK_FALSE(chat.closed()); // not inside the call
        channel.chat->note("event ends");
    }) == events{"event ends", "close local"});
    CHECK(channel.reason() == close_reason::local);
}

TEST_CASE("close_when_done: outside of events ends in a later turn", "[close]")
{
    wire_bench<> channel;
    channel.chat->close_when_done();
    CHECK(channel.open());
    CHECK(channel.tick() == events{"close local"});
}

TEST_CASE("close_when_done: all that was pushed is sent first", "[close][no-records]")
{
    wire_bench<> channel;
    CHECK(channel.call([](auto& chat) {
        chat.push("bye");
        chat.close_when_done();
    }) == events{"sent bye", "close local"});

    wire_bench<> slow;
    slow.wire->take(1);
    CHECK(slow.call([](auto& chat) {
        chat.push("bye");
        chat.close_when_done();
    }) == events{"sent b of bye"});
    CHECK(slow.take(1) == events{"sent y of ye"});
    CHECK(slow.take(1) == events{"sent e", "close local"});

    wire_bench<> producing;
    CHECK(producing.call([&](auto& chat) {
        chat.push_with_producer(pieces(producing.chat, {"a", "b"}));
        chat.close_when_done();
    }) == events{"more a", "sent a", "more b", "sent b", "more nothing", "producer destroyed",
                 "close local"});
}

TEST_CASE("close_when_done: twice is once (Python: handle_close for each)", "[close][differs]")
{
    wire_bench<> channel;
    CHECK(channel.call([](auto& chat) {
        chat.close_when_done();
        chat.close_when_done();
    }) == events{"close local"});
    channel.chat->close_when_done();
    CHECK(channel.tick().empty());
    CHECK(channel.chat->closes == 1);
}

TEST_CASE("close_when_done: waits for a connection that is being made when there is output",
          "[close]")
{
    wire_bench<> channel;
    channel.chat->set_connected(false);
    CHECK(channel
              .call([](auto& chat) {
                  chat.push("x");
                  chat.close_when_done();
              })
              .empty());
    channel.chat->set_connected(true);
    CHECK(channel.event([](auto&) {}) == events{"sent x", "close local"});
}

TEST_CASE("discard_buffers: cancels close_when_done, and input is delivered again",
          "[close][no-records]")
{
    wire_bench<> channel("\n");
    channel.wire->take(0);
    channel.call([](auto& chat) {
        chat.push("x");
        chat.close_when_done();
    });
    channel.chat->discard_buffers();
    channel.wire->take_everything();
    CHECK(channel.tick().empty());
    CHECK(channel.open());
    CHECK(channel.recv("a\n") == events{"collect a", "found"});
    CHECK(channel.call([](auto& chat) { CHECK(chat.push("y")); }) == events{"sent y"});

    wire_bench<> same_event;
    CHECK(same_event
              .event([](auto& chat) {
                  chat.close_when_done();
                  chat.discard_buffers();
              })
              .empty());
    CHECK(same_event.open());
}

TEST_CASE("discard_buffers: at the end of the stream the channel ends, as nothing is left to send",
          "[close][eof][no-records]")
{
    wire_bench<> channel;
    channel.wire->take(0);
    channel.call([](auto& chat) { chat.push("x"); });
    channel.eof();
    channel.chat->discard_buffers();
    CHECK(channel.tick() == events{"close peer finished"});
    CHECK(channel.reason() == close_reason::peer_finished);
    CHECK(channel.wire->sent.empty());
}

// --- close and handle_close ----------------------------------------------------------------------

TEST_CASE("close: never calls handle_close, any number of times, everywhere", "[close]")
{
    wire_bench<> channel;
    channel.chat->close();
    channel.chat->close();
    CHECK(channel.tick().empty());
    CHECK_FALSE(channel.open());
    CHECK(channel.chat->closes == 0);
    CHECK(channel.reason() == close_reason::local);
    CHECK_FALSE(channel.chat->connected());
    CHECK_FALSE(channel.handle);
    CHECK(channel.loop.size() == 0);
}

TEST_CASE("close: pending output is lost and counted", "[close][no-records]")
{
    wire_bench<> channel;
    channel.wire->take(2);
    channel.call([](auto& chat) { chat.push("abcdef"); });
    channel.chat->close();
    channel.wire->take_everything();
    channel.tick();
    CHECK(channel.wire->sent == "ab");
    CHECK(channel.chat->pending_output() == 4);
}

TEST_CASE("close: pushed and closed in one event sends nothing", "[close]")
{
    wire_bench<> channel;
    CHECK(channel.event([](auto& chat) {
        chat.push("abc");
        chat.close();
    }) == events());
    CHECK_FALSE(channel.open());
    CHECK(channel.chat->pending_output() == 3);
}

TEST_CASE("after close the methods of a channel still in one's hands do nothing", "[close]")
{
    wire_bench<> channel("\n");
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
    wire_bench<> channel;
    channel.chat->on_close = [] {};
    CHECK(channel.eof() == events{"eof", "close peer finished"});
    CHECK(channel.tick().empty());
    CHECK(channel.chat->closes == 1);
    CHECK(channel.reason() == close_reason::peer_finished);
}

TEST_CASE("handle_close: is called once, whatever comes together", "[close][differs]")
{
    SECTION("the end of the stream and a lost connection on sending")
    {
        wire_bench<> channel;
        channel.wire->feed_eof();
        channel.wire->fail_next_send(EPIPE);
        channel.chat->push("x");
        channel.tick();
        CHECK(channel.chat->closes == 1);
    }
    SECTION("closed inside handle_close, and more errors")
    {
        wire_bench<> channel;
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
        wire_bench<> channel;
        channel.chat->on_close = [] { throw user_error(); };
        CHECK(channel.recv_error(ECONNRESET) == events{"close reset"});
        CHECK(channel.chat->errors == 0);
        REQUIRE(channel.chat->logs.size() == 1);
        CHECK_THAT(channel.chat->logs[0], ContainsSubstring("user"));
    }
}

TEST_CASE("handle_close: what is pushed there is not sent", "[close]")
{
    wire_bench<> channel;
    channel.chat->on_close = [&] { channel.chat->push("too late"); };
    CHECK(channel.recv_error(ECONNRESET) == events{"close reset"});
    CHECK(channel.wire->sent.empty());
}

TEST_CASE("the loop's end closes its channels without handle_close", "[close]")
{
    const auto wire = std::make_shared<support::wire>();
    std::shared_ptr<wire_chat> chat;
    {
        asynchat::loop loop;
        chat = loop.create<wire_chat>(support::socket_over(wire)).lock();
        chat->push("never sent");
    }
    CHECK_FALSE(wire->is_open());
    CHECK(chat->events.empty());
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
