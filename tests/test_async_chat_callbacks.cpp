// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/recording_chat.hpp"

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
using support::bench;
using support::frames;
using support::recording_chat;
using support::user_error;

// --- exceptions --------------------------------------------------------------------------------

TEST_CASE("an exception out of collect_incoming_data: the piece is delivered again",
          "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
    channel.chat->survives = true;
    bool thrown = false;
    channel.chat->on_collect = [&](std::string_view) {
        if (!std::exchange(thrown, true))
            throw user_error();
    };
    CHECK(channel.recv("ab\ncd") == "collect('ab') handle_error(user)");
    CHECK(channel.tick().empty());
    CHECK(channel.recv("ef\n") == "collect('ab') found collect('cdef') found");
    CHECK(channel.open());
    CHECK(channel.reason() == close_reason::open);
}

TEST_CASE("an exception out of collect_incoming_data does not count down",
          "[async_chat][read][exceptions]")
{
    bench<> channel(4);
    channel.chat->survives = true;
    bool thrown = false;
    channel.chat->on_collect = [&](std::string_view) {
        if (!std::exchange(thrown, true))
            throw user_error();
    };
    CHECK(channel.recv("ab") == "collect('ab') handle_error(user)");
    CHECK(channel.chat->get_terminator() == terminator(4));
    CHECK(channel.recv("cdef") == "collect('abcd') found collect('ef')");
}

TEST_CASE("an exception out of found_terminator: the frame is consumed, the rest waits",
          "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
    channel.chat->survives = true;
    bool thrown = false;
    channel.chat->on_found = [&] {
        if (!std::exchange(thrown, true))
            throw user_error();
    };
    CHECK(channel.recv("ab\ncd\nef") == "collect('ab') found handle_error(user)");
    CHECK(channel.tick().empty());
    CHECK(channel.recv("g\n") == "collect('cd') found collect('efg') found");
    CHECK(channel.chat->errors == 1);
}

TEST_CASE("an exception in every callback of a surviving channel loses nothing",
          "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
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
    bench<> channel("\n");
    channel.chat->on_found = [] { throw user_error(); };
    CHECK(channel.recv("ab\ncd\n") == "collect('ab') found handle_error(user) handle_close closed");
    CHECK(channel.reason() == close_reason::callback_error);
    REQUIRE(channel.chat->logs.size() == 1);
    CHECK_THAT(channel.chat->logs[0], ContainsSubstring("error: ") && ContainsSubstring("user"));
}

TEST_CASE("exit_now leaves the loop; the rest of the input waits", "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
    bool thrown = false;
    channel.chat->on_found = [&] {
        if (!std::exchange(thrown, true))
            throw asynchat::exit_now();
    };
    channel.wire->feed("ab\ncd\n");
    CHECK_THROWS_AS(channel.tick(), asynchat::exit_now);
    CHECK(channel.open());
    CHECK(channel.chat->errors == 0);
    CHECK(channel.recv("e\n") == "collect('ab') found collect('cd') found collect('e') found");
}

TEST_CASE("handle_read called directly throws to its caller", "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
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
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->close(); };
    CHECK(channel.recv("QUIT\nmore\nrest") == "collect('QUIT') found closed");
    CHECK(channel.recv("again\n").empty());
    CHECK(channel.chat->closes == 0);
    CHECK(channel.reason() == close_reason::local);
}

TEST_CASE(
    "close in collect_incoming_data: the terminator behind it is not reported (Python: it is)",
    "[async_chat][read][differs]")
{
    const terminator ends = GENERATE(terminator("\n"), terminator(4), terminator("\nm"));
    bench<> channel(ends);
    channel.chat->on_collect = [&](std::string_view) { channel.chat->close(); };
    CHECK(channel.recv("QUIT\nmore\n") == "collect('QUIT') closed");
}

TEST_CASE("close in collect_incoming_data: one of many frames, or an announced one, has no end",
          "[async_chat][read]")
{
    SECTION("of many")
    {
        bench<> channel("\n");
        channel.chat->on_collect = [&](std::string_view data) {
            if (data == "QUIT")
                channel.chat->close();
        };
        CHECK(channel.recv("\n\nQUIT\n" + std::string(100, '\n')) ==
              "found found collect('QUIT') closed");
    }
    SECTION("announced")
    {
        bench<> channel(terminator::netstring());
        channel.chat->on_collect = [&](std::string_view) { channel.chat->close(); };
        CHECK(channel.recv("4:QUIT,4:more,") == "collect('QUIT') closed");
    }
}

TEST_CASE("close_when_done in a callback: later input is not delivered (Python: it is)",
          "[async_chat][read][differs]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->push("bye");
        channel.chat->close_when_done();
    };
    CHECK(channel.recv("QUIT\nmore\nrest") ==
          "collect('QUIT') found send('bye')=3 handle_close closed");

    bench<> collecting("\n");
    collecting.chat->on_collect = [&](std::string_view) { collecting.chat->close_when_done(); };
    CHECK(collecting.recv("QUIT\nmore\nrest") == "collect('QUIT') handle_close closed");
}

TEST_CASE("close_when_done: nothing is delivered while the output waits (Python: it is)",
          "[async_chat][read][differs]")
{
    bench<> channel("\n");
    channel.wire->take(0);
    channel.event([](recording_chat& chat) {
        chat.push("reply");
        chat.close_when_done();
    });
    CHECK(channel.recv("more\n").empty());
    CHECK(channel.take_everything() == "send('reply')=5 handle_close closed");
}

TEST_CASE("discard_buffers in a callback drops the rest of the received input",
          "[async_chat][read]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->discard_buffers();
        channel.chat->on_found = nullptr;
    };
    CHECK(channel.recv("a\nb\nc") == "collect('a') found");
    CHECK(channel.recv("d\n") == "collect('d') found");

    bench<> collecting("\n");
    collecting.chat->on_collect = [&](std::string_view) {
        collecting.chat->discard_buffers();
        collecting.chat->on_collect = nullptr;
    };
    CHECK(collecting.recv("a\nb\nc") == "collect('a') found");
    CHECK(collecting.recv("d\n") == "collect('d') found");
}

TEST_CASE("discard_buffers drops held bytes; terminator and count stay", "[async_chat][read]")
{
    bench<> channel("\r\n");
    CHECK(channel.recv("abc\r") == "collect('abc')");
    channel.chat->discard_buffers();
    CHECK(channel.recv("\nx") == "collect('\\nx')");

    bench<> count(5);
    CHECK(count.recv("abc") == "collect('abc')");
    count.chat->discard_buffers();
    CHECK(count.chat->get_terminator() == terminator(2));
    CHECK(count.recv("de") == "collect('de') found");
}

TEST_CASE("pause_reading: nothing more is delivered, resume_reading delivers in a later turn",
          "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\nc") == "collect('a') found");
    CHECK(channel.recv("d\n").empty());
    channel.chat->resume_reading();
    CHECK(channel.wire->take_trace().empty()); // not inside the call
    CHECK(channel.tick() == "collect('b') found");
    channel.chat->on_found = nullptr;
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('c') collect('d') found");
}

TEST_CASE("pause_reading in collect_incoming_data: only the end of that piece is still reported",
          "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_collect = [&](std::string_view) { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\n") == "collect('a') found");
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('b') found");

    bench<> count(3);
    count.chat->on_collect = [&](std::string_view) { count.chat->pause_reading(); };
    CHECK(count.recv("ab") == "collect('ab')");
    CHECK(count.recv("cd").empty());
    count.chat->resume_reading();
    CHECK(count.tick() == "collect('c') found");
}

TEST_CASE("pause_reading: held bytes stay held", "[async_chat][read][pause]")
{
    bench<> channel("\r\n");
    CHECK(channel.recv("a\r") == "collect('a')");
    channel.chat->pause_reading();
    CHECK(channel.recv("\nb").empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == "found collect('b')");

    bench<> inside("\r\n");
    inside.chat->on_collect = [&](std::string_view) { inside.chat->pause_reading(); };
    CHECK(inside.recv("a\r") == "collect('a')");
    inside.chat->resume_reading();
    CHECK(inside.tick().empty());
    CHECK(inside.recv("\n") == "found");
}

TEST_CASE("pause_reading: the socket is not read, so that the sender is held up",
          "[async_chat][read][pause]")
{
    bench<> channel;
    channel.chat->pause_reading();
    channel.wire->feed("a");
    channel.wire->feed("b");
    channel.tick();
    CHECK(channel.wire->receives == 0);
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('a') collect('b')");
}

TEST_CASE("pause_reading and resume_reading in one callback change nothing",
          "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->pause_reading();
        channel.chat->resume_reading();
    };
    CHECK(channel.recv("a\nb\nc") == "collect('a') found collect('b') found collect('c')");
    CHECK(channel.recv("\n") == "found");
}

TEST_CASE("resume_reading without a pause does nothing", "[async_chat][read][pause]")
{
    bench<> channel("\r\n");
    channel.recv("a\r");
    channel.chat->resume_reading();
    CHECK(channel.tick().empty());
    CHECK(channel.recv("\n") == "found");
}

TEST_CASE("pausing again before the input was delivered keeps it", "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nb\n");
    channel.chat->resume_reading();
    channel.chat->pause_reading();
    CHECK(channel.tick().empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('b') found");
}

TEST_CASE("a terminator set while paused governs the input that waits", "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nbc;d\n");
    channel.chat->set_terminator(";");
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('bc') found");
}

TEST_CASE("closing while paused drops the input that waits", "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nb\n");
    channel.chat->resume_reading();
    channel.chat->close();
    CHECK(channel.tick() == "closed");
}

TEST_CASE("a callback may run the loop: the rest of the input stays in order", "[async_chat][read]")
{
    // Input comes while frames are being delivered, in a turn of the channel's own and in one
    // that resume_reading() made.
    const bool resumed = GENERATE(false, true);
    CAPTURE(resumed);
    bench<> channel("\n");
    int runs = 0;
    const auto run_loop = [&] {
        if (runs++ < 2) {
            channel.wire->feed("late" + std::to_string(runs) + "\n");
            channel.handle.post([](recording_chat&) {}); // an event: it looks what to wait for
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
    class eager_chat : public recording_chat {
    public:
        using recording_chat::recording_chat;
        bool readable() override { return !closed(); }
    };
    bench<eager_chat> channel("\n");
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
    bench<> channel("\r\n");
    CHECK(channel.recv("ab\r") == "collect('ab')");
    CHECK(channel.recv_error(number).empty());
    CHECK(channel.recv("\n") == "found");
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
        bench<> channel;
        channel.wire->feed_error(std::error_code(EAGAIN, *category));
        CHECK(channel.tick().empty());
        channel.wire->feed_error(std::error_code(ECONNRESET, *category));
        CHECK(channel.tick() == "handle_close closed");
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
    bench<> channel("\r\n");
    channel.recv("ab\r");
    CHECK(channel.recv_error(number) == "collect('\\r') handle_close closed");
    CHECK(channel.reason() == close_reason::reset);
    CHECK(channel.chat->close_error().value() == number);
    CHECK(channel.chat->logs.empty());
}

TEST_CASE("other errors on receiving go to handle_error", "[async_chat][read][errors]")
{
    const auto number = GENERATE(ETIMEDOUT, EHOSTUNREACH, EIO, ECONNREFUSED);
    CAPTURE(number);
    bench<> channel("\r\n");
    CHECK(channel.recv_error(number) ==
          "handle_error(" + support::errno_name(number) + ") handle_close closed");
    CHECK(channel.reason() == close_reason::system_error);
    CHECK(channel.chat->close_error().value() == number);
    REQUIRE(channel.chat->logs.size() == 1);
    CHECK_THAT(channel.chat->logs[0], ContainsSubstring("error: "));
}

TEST_CASE("handle_read called directly passes an error of the system to handle_error itself",
          "[async_chat][read][errors]")
{
    bench<> channel;
    channel.wire->feed_error(EIO);
    CHECK_NOTHROW(channel.chat->handle_read());
    CHECK(channel.tick() == "handle_error(EIO) handle_close closed");
}

TEST_CASE("a channel that survives an error on receiving goes on", "[async_chat][read][errors]")
{
    bench<> channel("\r\n");
    channel.chat->survives = true;
    channel.recv("ab\r");
    CHECK(channel.recv_error(EIO) == "handle_error(EIO)");
    CHECK(channel.reason() == close_reason::open);
    CHECK(channel.recv("\n") == "found");
}

namespace {

/// A layer that rotates letters on the way in and may answer what it likes.
class layered_chat : public recording_chat {
public:
    using recording_chat::recording_chat;
    std::size_t recv(asio::mutable_buffer into) override
    {
        if (on_recv)
            on_recv();
        const std::size_t size = recording_chat::recv(into);
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
    bench<layered_chat> channel("\n");
    CHECK(channel.recv("HAL\n") == "collect('IBM') found");
    channel.chat->drops_input = true;
    CHECK(channel.recv("HAL\n").empty());
    CHECK(channel.open());
    channel.chat->drops_input = false;
    CHECK(channel.eof() == "handle_eof handle_close closed");
}

TEST_CASE("an overridden recv may do what a callback may", "[async_chat][read][override]")
{
    bench<layered_chat> channel("\r\n");
    channel.recv("a");
    SECTION("change the terminator while bytes are held")
    {
        channel.recv("\x0c"); // \r for the layer above
        channel.chat->on_recv = [&] { channel.chat->set_terminator("\rc"); };
        CHECK(channel.recv("b") == "found");
    }
    SECTION("drop the held bytes")
    {
        channel.recv("\x0c");
        channel.chat->on_recv = [&] { channel.chat->discard_buffers(); };
        CHECK(channel.recv("b") == "collect('c')");
    }
    SECTION("pause")
    {
        channel.chat->on_recv = [&] { channel.chat->pause_reading(); };
        CHECK(channel.recv("b").empty());
        channel.chat->on_recv = nullptr;
        channel.chat->resume_reading();
        CHECK(channel.tick() == "collect('c')"); // what was received is not lost
    }
    SECTION("close")
    {
        channel.chat->on_recv = [&] { channel.chat->close(); };
        CHECK(channel.recv("b") == "closed");
    }
    SECTION("close when done")
    {
        channel.chat->on_recv = [&] { channel.chat->close_when_done(); };
        CHECK(channel.recv("b") == "handle_close closed");
    }
    SECTION("throw")
    {
        channel.chat->on_recv = [&] { throw user_error(); };
        CHECK(channel.recv("b") == "handle_error(user) handle_close closed");
    }
}
