// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/error_text.hpp"
#include "support/wire_bench.hpp"

#include <asynchat/asynchat.hpp>

#include <cerrno>
#include <cstddef>
#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

using asynchat::close_reason;
using asynchat::terminator;
using Catch::Matchers::ContainsSubstring;
using support::events;
using support::frames;
using support::user_error;
using support::wire_bench;
using support::wire_chat;

// --- exceptions --------------------------------------------------------------------------------

TEST_CASE("an exception out of collect_incoming_data: the piece is delivered again",
          "[async_chat][read][exceptions]")
{
    wire_bench<> channel("\n");
    channel.chat->survives = true;
    channel.chat->on_collect = support::throws_once();
    CHECK(channel.recv("ab\ncd") == events{"collect ab", "error user"});
    CHECK(channel.tick().empty());
    CHECK(channel.recv("ef\n") == events{"collect ab", "found", "collect cdef", "found"});
    CHECK(channel.open());
    CHECK(channel.reason() == close_reason::open);
}

TEST_CASE("an exception out of collect_incoming_data does not count down",
          "[async_chat][read][exceptions]")
{
    wire_bench<> channel(4);
    channel.chat->survives = true;
    channel.chat->on_collect = support::throws_once();
    CHECK(channel.recv("ab") == events{"collect ab", "error user"});
    CHECK(channel.chat->get_terminator() == terminator(4));
    CHECK(channel.recv("cdef") == events{"collect abcd", "found", "collect ef"});
}

TEST_CASE("an exception out of found_terminator: the frame is consumed, the rest waits",
          "[async_chat][read][exceptions]")
{
    wire_bench<> channel("\n");
    channel.chat->survives = true;
    channel.chat->on_found = support::throws_once();
    CHECK(channel.recv("ab\ncd\nef") == events{"collect ab", "found", "error user"});
    CHECK(channel.tick().empty());
    CHECK(channel.recv("g\n") == events{"collect cd", "found", "collect efg", "found"});
    CHECK(channel.chat->errors == 1);
}

TEST_CASE("an exception in every callback of a surviving channel loses nothing",
          "[async_chat][read][exceptions]")
{
    wire_bench<> channel("\n");
    channel.chat->survives = true;
    int calls = 0;
    channel.chat->on_collect = [&](std::string_view) {
        if (++calls % 2 == 1)
            throw user_error();
    };
    channel.chat->on_found = [&] { throw user_error(); };
    for (const char* piece :
         {"a\nb", "b\nc", "c\n", "d\n", "e\n", "f\n", "g\n", "h\n", "i\n", "j\n"})
        channel.recv(piece);
    channel.chat->on_collect = nullptr;
    channel.chat->on_found = nullptr;
    channel.recv("rest");
    CHECK(channel.chat->seen == frames{"a", "bb", "cc", "d", "e", "f", "g", "h", "i", "j"});
    CHECK(channel.chat->frame == "rest");
}

TEST_CASE("an exception costs the channel: logged, handle_close, closed, with the reason",
          "[async_chat][read][exceptions]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [] { throw user_error(); };
    CHECK(channel.recv("ab\ncd\n") ==
          events{"collect ab", "found", "error user", "close callback error"});
    CHECK(channel.reason() == close_reason::callback_error);
    REQUIRE(channel.chat->logs.size() == 1);
    CHECK_THAT(channel.chat->logs[0], ContainsSubstring("error: ") && ContainsSubstring("user"));
}

TEST_CASE("exit_now leaves the loop; the rest of the input waits", "[async_chat][read][exceptions]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = support::throws_once<asynchat::exit_now>();
    channel.wire->feed("ab\ncd\n");
    CHECK_THROWS_AS(channel.tick(), asynchat::exit_now);
    CHECK(channel.open());
    CHECK(channel.chat->errors == 0);
    CHECK(channel.recv("e\n") ==
          events{"collect ab", "found", "collect cd", "found", "collect e", "found"});
}

TEST_CASE("handle_read called directly throws to its caller", "[async_chat][read][exceptions]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [] { throw user_error(); };
    const auto chat = channel.chat;
    channel.wire->feed("ab\n");
    CHECK_THROWS_AS(chat->handle_read(), user_error);
    CHECK(chat->errors == 0);
    CHECK(channel.open());
}

// --- closing, discarding and pausing in callbacks ------------------------------------------------

TEST_CASE("close in found_terminator: later input is not delivered (Python: it is)",
          "[async_chat][read][differs]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->close(); };
    CHECK(channel.recv("QUIT\nmore\nrest") == events{"collect QUIT", "found"});
    CHECK_FALSE(channel.open());
    CHECK(channel.recv("again\n").empty());
    CHECK(channel.chat->closes == 0);
    CHECK(channel.reason() == close_reason::local);
}

TEST_CASE(
    "close in collect_incoming_data: the terminator behind it is not reported (Python: it is)",
    "[async_chat][read][differs]")
{
    const terminator ends = GENERATE(terminator("\n"), terminator(4), terminator("\nm"));
    wire_bench<> channel(ends);
    channel.chat->on_collect = [&](std::string_view) { channel.chat->close(); };
    CHECK(channel.recv("QUIT\nmore\n") == events{"collect QUIT"});
    CHECK_FALSE(channel.open());
}

TEST_CASE("close in collect_incoming_data: one of many frames, or an announced one, has no end",
          "[async_chat][read]")
{
    SECTION("of many")
    {
        wire_bench<> channel("\n");
        channel.chat->on_collect = [&](std::string_view data) {
            if (data == "QUIT")
                channel.chat->close();
        };
        CHECK(channel.recv("\n\nQUIT\n" + std::string(100, '\n')) ==
              events{"found", "found", "collect QUIT"});
        CHECK_FALSE(channel.open());
    }
    SECTION("announced")
    {
        wire_bench<> channel(terminator::netstring());
        channel.chat->on_collect = [&](std::string_view) { channel.chat->close(); };
        CHECK(channel.recv("4:QUIT,4:more,") == events{"collect QUIT"});
        CHECK_FALSE(channel.open());
    }
}

TEST_CASE("close_when_done in a callback: later input is not delivered (Python: it is)",
          "[async_chat][read][differs]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->push("bye");
        channel.chat->close_when_done();
    };
    CHECK(channel.recv("QUIT\nmore\nrest") ==
          events{"collect QUIT", "found", "sent bye", "close local"});

    wire_bench<> collecting("\n");
    collecting.chat->on_collect = [&](std::string_view) { collecting.chat->close_when_done(); };
    CHECK(collecting.recv("QUIT\nmore\nrest") == events{"collect QUIT", "close local"});
}

TEST_CASE("close_when_done: nothing is delivered while the output waits (Python: it is)",
          "[async_chat][read][differs]")
{
    wire_bench<> channel("\n");
    channel.wire->take(0);
    channel.event([](auto& chat) {
        chat.push("reply");
        chat.close_when_done();
    });
    CHECK(channel.recv("more\n").empty());
    CHECK(channel.take_everything() == events{"sent reply", "close local"});
}

TEST_CASE("discard_buffers in a callback drops the rest of the received input",
          "[async_chat][read]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->discard_buffers();
        channel.chat->on_found = nullptr;
    };
    CHECK(channel.recv("a\nb\nc") == events{"collect a", "found"});
    CHECK(channel.recv("d\n") == events{"collect d", "found"});

    wire_bench<> collecting("\n");
    collecting.chat->on_collect = [&](std::string_view) {
        collecting.chat->discard_buffers();
        collecting.chat->on_collect = nullptr;
    };
    CHECK(collecting.recv("a\nb\nc") == events{"collect a", "found"});
    CHECK(collecting.recv("d\n") == events{"collect d", "found"});
}

TEST_CASE("discard_buffers drops held bytes; terminator and count stay", "[async_chat][read]")
{
    wire_bench<> channel("\r\n");
    CHECK(channel.recv("abc\r") == events{"collect abc"});
    channel.chat->discard_buffers();
    CHECK(channel.recv("\nx") == events{"collect \\nx"});

    wire_bench<> count(5);
    CHECK(count.recv("abc") == events{"collect abc"});
    count.chat->discard_buffers();
    CHECK(count.chat->get_terminator() == terminator(2));
    CHECK(count.recv("de") == events{"collect de", "found"});
}

TEST_CASE("pause_reading: nothing more is delivered, resume_reading delivers in a later turn",
          "[async_chat][read][pause]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\nc") == events{"collect a", "found"});
    CHECK(channel.recv("d\n").empty());
    channel.chat->resume_reading();
    CHECK(channel.chat->events.empty()); // not inside the call
    CHECK(channel.tick() == events{"collect b", "found"});
    channel.chat->on_found = nullptr;
    channel.chat->resume_reading();
    CHECK(channel.tick() == events{"collect c", "collect d", "found"});
}

TEST_CASE("pause_reading in collect_incoming_data: only the end of that piece is still reported",
          "[async_chat][read][pause]")
{
    wire_bench<> channel("\n");
    channel.chat->on_collect = [&](std::string_view) { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\n") == events{"collect a", "found"});
    channel.chat->resume_reading();
    CHECK(channel.tick() == events{"collect b", "found"});

    wire_bench<> count(3);
    count.chat->on_collect = [&](std::string_view) { count.chat->pause_reading(); };
    CHECK(count.recv("ab") == events{"collect ab"});
    CHECK(count.recv("cd").empty());
    count.chat->resume_reading();
    CHECK(count.tick() == events{"collect c", "found"});
}

TEST_CASE("pause_reading: held bytes stay held", "[async_chat][read][pause]")
{
    wire_bench<> channel("\r\n");
    CHECK(channel.recv("a\r") == events{"collect a"});
    channel.chat->pause_reading();
    CHECK(channel.recv("\nb").empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == events{"found", "collect b"});

    wire_bench<> inside("\r\n");
    inside.chat->on_collect = [&](std::string_view) { inside.chat->pause_reading(); };
    CHECK(inside.recv("a\r") == events{"collect a"});
    inside.chat->resume_reading();
    CHECK(inside.tick().empty());
    CHECK(inside.recv("\n") == events{"found"});
}

TEST_CASE("pause_reading: the socket is not read, so that the sender is held up",
          "[async_chat][read][pause]")
{
    wire_bench<> channel;
    channel.chat->pause_reading();
    channel.wire->feed("a");
    channel.wire->feed("b");
    channel.tick();
    CHECK(channel.wire->receives == 0);
    channel.chat->resume_reading();
    CHECK(channel.tick() == events{"collect a", "collect b"});
}

TEST_CASE("pause_reading and resume_reading in one callback change nothing",
          "[async_chat][read][pause]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->pause_reading();
        channel.chat->resume_reading();
    };
    CHECK(channel.recv("a\nb\nc") ==
          events{"collect a", "found", "collect b", "found", "collect c"});
    CHECK(channel.recv("\n") == events{"found"});
}

TEST_CASE("resume_reading without a pause does nothing", "[async_chat][read][pause]")
{
    wire_bench<> channel("\r\n");
    channel.recv("a\r");
    channel.chat->resume_reading();
    CHECK(channel.tick().empty());
    CHECK(channel.recv("\n") == events{"found"});
}

TEST_CASE("pausing again before the input was delivered keeps it", "[async_chat][read][pause]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nb\n");
    channel.chat->resume_reading();
    channel.chat->pause_reading();
    CHECK(channel.tick().empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == events{"collect b", "found"});
}

TEST_CASE("a terminator set while paused governs the input that waits", "[async_chat][read][pause]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nbc;d\n");
    channel.chat->set_terminator(";");
    channel.chat->resume_reading();
    CHECK(channel.tick() == events{"collect bc", "found"});
}

TEST_CASE("closing while paused drops the input that waits", "[async_chat][read][pause]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nb\n");
    channel.chat->resume_reading();
    channel.chat->close();
    CHECK(channel.tick().empty());
    CHECK_FALSE(channel.open());
}

TEST_CASE("a callback may run the loop: the rest of the input stays in order", "[async_chat][read]")
{
    // Input comes while frames are being delivered, in a turn of the channel's own and in one
    // that resume_reading() made.
    const bool resumed = GENERATE(false, true);
    CAPTURE(resumed);
    wire_bench<> channel("\n");
    int runs = 0;
    const auto run_loop = [&] {
        if (runs++ < 2) {
            channel.wire->feed("late" + std::to_string(runs) + "\n");
            channel.handle.post([](auto&) {}); // an event: it looks what to wait for
            channel.loop.context().poll();
        }
    };
    if (resumed) {
        channel.chat->on_found = [&] { channel.chat->pause_reading(); };
        channel.recv("a\nb\nc\nd\n");
        channel.chat->on_found = run_loop;
        channel.chat->resume_reading();
        channel.tick();
    } else {
        channel.chat->on_found = run_loop;
        channel.recv("a\nb\nc\nd\n");
    }
    channel.tick();
    CHECK(channel.chat->seen == frames{"a", "b", "c", "d", "late1", "late2"});
    CHECK(channel.chat->frame.empty());
}

TEST_CASE("a callback may run the loop: also in a channel that always says it is readable",
          "[async_chat][read]")
{
    class eager_chat : public wire_chat {
    public:
        using wire_chat::wire_chat;
        bool readable() override { return !closed(); }
    };
    wire_bench<eager_chat> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nb\nc\n");
    bool ran = false;
    channel.chat->on_found = [&] {
        if (std::exchange(ran, true))
            return;
        channel.wire->feed("late\n");
        for (int i = 0; i < 10; ++i)
            channel.loop.context().poll_one();
    };
    channel.chat->resume_reading();
    channel.tick();
    CHECK(channel.chat->seen == frames{"a", "b", "c", "late"});
}

// --- errors of the system ------------------------------------------------------------------------

TEST_CASE("would-block on receiving is silent", "[async_chat][read][errors]")
{
    const auto number = GENERATE(EAGAIN, EWOULDBLOCK, EALREADY, EINPROGRESS, EINTR);
    CAPTURE(number);
    wire_bench<> channel("\r\n");
    CHECK(channel.recv("ab\r") == events{"collect ab"});
    CHECK(channel.recv_error(number).empty());
    CHECK(channel.recv("\n") == events{"found"});
    CHECK(channel.chat->errors == 0);
}

TEST_CASE("errors are told apart whether they come from Asio or from the standard library",
          "[async_chat][read][errors]")
{
    for (const auto* category :
         {&asio::error::get_system_category(), &std::system_category(), &std::generic_category()}) {
        CAPTURE(category->name());
        CHECK(asynchat::is_would_block(std::error_code(EAGAIN, *category)));
        CHECK(asynchat::is_would_block(std::error_code(EINTR, *category)));
        CHECK_FALSE(asynchat::is_would_block(std::error_code(EIO, *category)));
        for (const int number : {ECONNRESET, ENOTCONN, ESHUTDOWN, ECONNABORTED, EPIPE, EBADF})
            CHECK(asynchat::is_disconnected(std::error_code(number, *category)));
        CHECK_FALSE(asynchat::is_disconnected(std::error_code(EAGAIN, *category)));
        wire_bench<> channel;
        channel.wire->feed_error(std::error_code(EAGAIN, *category));
        CHECK(channel.tick().empty());
        channel.wire->feed_error(std::error_code(ECONNRESET, *category));
        CHECK(channel.tick() == events{"close reset"});
    }
    // The same numbers mean other things elsewhere.
    CHECK_FALSE(asynchat::is_would_block(asio::error::eof));
    CHECK_FALSE(asynchat::is_disconnected(std::error_code(EPIPE, std::future_category())));
}

TEST_CASE("a lost connection on receiving is handle_close, not handle_error",
          "[async_chat][read][errors]")
{
    const auto number = GENERATE(ECONNRESET, ENOTCONN, ESHUTDOWN, ECONNABORTED, EPIPE, EBADF);
    CAPTURE(number);
    wire_bench<> channel("\r\n");
    channel.recv("ab\r");
    CHECK(channel.recv_error(number) == events{"collect \\r", "close reset"});
    CHECK(channel.reason() == close_reason::reset);
    CHECK(channel.chat->close_error().value() == number);
    CHECK(channel.chat->logs.empty());
}

TEST_CASE("other errors on receiving go to handle_error", "[async_chat][read][errors]")
{
    const auto number = GENERATE(ETIMEDOUT, EHOSTUNREACH, EIO, ECONNREFUSED);
    CAPTURE(number);
    wire_bench<> channel("\r\n");
    CHECK(channel.recv_error(number) ==
          events{"error asynchat: recv: " + std::system_category().message(number),
                 "close system error"});
    CHECK(channel.reason() == close_reason::system_error);
    CHECK(channel.chat->close_error().value() == number);
    REQUIRE(channel.chat->logs.size() == 1);
    CHECK_THAT(channel.chat->logs[0], ContainsSubstring("error: "));
}

TEST_CASE("handle_read called directly passes an error of the system to handle_error itself",
          "[async_chat][read][errors]")
{
    wire_bench<> channel;
    channel.wire->feed_error(EIO);
    CHECK_NOTHROW(channel.chat->handle_read());
    CHECK(channel.tick() ==
          events{"error asynchat: recv: " + support::error_text(std::errc::io_error),
                 "close system error"});
}

TEST_CASE("a channel that survives an error on receiving goes on", "[async_chat][read][errors]")
{
    wire_bench<> channel("\r\n");
    channel.chat->survives = true;
    channel.recv("ab\r");
    CHECK(channel.recv_error(EIO) ==
          events{"error asynchat: recv: " + support::error_text(std::errc::io_error)});
    CHECK(channel.reason() == close_reason::open);
    CHECK(channel.recv("\n") == events{"found"});
}

namespace {

/// A layer that rotates letters on the way in and may answer what it likes.
class layered_chat : public wire_chat {
public:
    using wire_chat::wire_chat;
    std::size_t recv(asio::mutable_buffer into) override
    {
        if (on_recv)
            on_recv();
        const std::size_t size = wire_chat::recv(into);
        if (drops_input)
            return 0;
        auto* const bytes = static_cast<char*>(into.data());
        std::transform(bytes, bytes + size, bytes,
                       [](char c) { return c == '\n' ? c : static_cast<char>(c + 1); });
        return size;
    }
    bool drops_input = false;
    std::function<void()> on_recv;
};

} // namespace

TEST_CASE("an overridden recv is a layer: it transforms, or has nothing now",
          "[async_chat][read][override]")
{
    wire_bench<layered_chat> channel("\n");
    CHECK(channel.recv("HAL\n") == events{"collect IBM", "found"});
    channel.chat->drops_input = true;
    CHECK(channel.recv("HAL\n").empty());
    CHECK(channel.open());
    channel.chat->drops_input = false;
    CHECK(channel.eof() == events{"eof", "close peer finished"});
}

TEST_CASE("an overridden recv may do what a callback may", "[async_chat][read][override]")
{
    wire_bench<layered_chat> channel("\r\n");
    channel.recv("a");
    SECTION("change the terminator while bytes are held")
    {
        channel.recv("\x0c"); // \r for the layer above
        channel.chat->on_recv = [&] { channel.chat->set_terminator("\rc"); };
        CHECK(channel.recv("b") == events{"found"});
    }
    SECTION("drop the held bytes")
    {
        channel.recv("\x0c");
        channel.chat->on_recv = [&] { channel.chat->discard_buffers(); };
        CHECK(channel.recv("b") == events{"collect c"});
    }
    SECTION("pause")
    {
        channel.chat->on_recv = [&] { channel.chat->pause_reading(); };
        CHECK(channel.recv("b").empty());
        channel.chat->on_recv = nullptr;
        channel.chat->resume_reading();
        CHECK(channel.tick() == events{"collect c"}); // what was received is not lost
    }
    SECTION("close")
    {
        channel.chat->on_recv = [&] { channel.chat->close(); };
        CHECK(channel.recv("b").empty());
        CHECK_FALSE(channel.open());
    }
    SECTION("close when done")
    {
        channel.chat->on_recv = [&] { channel.chat->close_when_done(); };
        CHECK(channel.recv("b") == events{"close local"});
    }
    SECTION("throw")
    {
        channel.chat->on_recv = [&] { throw user_error(); };
        CHECK(channel.recv("b") == events{"error user", "close callback error"});
    }
}
