// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "streams/kept_stream.hpp"
#include "support/catch.hpp"

#include <asynchat/streams.hpp>
#include <asynchat/testing.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// Streams in unusual orders: cancellations, timeouts, flow and reads that nobody waits for.

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;
using asio::awaitable;
using asynchat::endpoint;
using asynchat::stream;
using asynchat::stream_reader;
using asynchat::stream_writer;
using Catch::Matchers::ContainsSubstring;
using support::a_line;
using support::here;
using support::kept_stream;
using support::next_turn;
using support::note;
using support::read_a_line;
using texts = std::vector<std::string>;

// --- cancellation and time ----------------------------------------------------------------------

namespace {

/// Runs work that a test can cancel from outside.
struct cancellable {
    void run(asynchat::loop& loop, awaitable<void> work)
    {
        asio::co_spawn(loop.context(), note(std::move(work), &end),
                       asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr failure) {
                           if (failure)
                               std::rethrow_exception(failure);
                       }));
    }
    asio::cancellation_signal signal;
    std::string end;
};

} // namespace

TEST_CASE("streams: a cancellation from outside is none of with_timeout()", "[streams]")
{
    kept_stream c;
    std::string line;
    const auto read = [&]() -> awaitable<void> {
        line = co_await asynchat::with_timeout(c.loop, 2s, c.side->reader.readline());
    };
    SECTION("before its time")
    {
        cancellable work;
        work.run(c.loop, read());
        c.send("on");
        work.signal.emit(asio::cancellation_type::terminal);
        c.loop.settle();
        CHECK(work.end == "cancelled");
    }
    SECTION("in the turn of its time")
    {
        cancellable work;
        work.run(c.loop, read());
        c.send("on");
        c.loop.call_later(2s, [&work] { work.signal.emit(asio::cancellation_type::terminal); });
        cancellable first;
        first.run(c.loop, asynchat::with_timeout(c.loop, 2s, next_turn()));
        c.loop.advance(2s);
        CHECK((work.end == "cancelled" || work.end == asynchat::timeout_error().what()));
    }
    SECTION("just before its time, when the coroutine has not gone on yet")
    {
        cancellable work;
        c.loop.call_later(2s, [&work] { work.signal.emit(asio::cancellation_type::terminal); });
        work.run(c.loop, read());
        c.send("on");
        c.loop.advance(2s);
        CHECK(work.end == "cancelled");
    }
    SECTION("of another kind, if the coroutine allows it")
    {
        const auto allow_all = [&]() -> awaitable<void> {
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            line = co_await asynchat::with_timeout(c.loop, 2s, c.side->reader.readline());
        };
        cancellable work;
        work.run(c.loop, allow_all());
        c.send("on");
        work.signal.emit(asio::cancellation_type::total);
        c.loop.settle();
        CHECK(work.end == "cancelled");
    }
    // The stream can be used, and has lost nothing.
    c.run([&line](std::shared_ptr<stream> side) { return read_a_line(side, &line); });
    c.send("e\n");
    CHECK(line == "one\n");
}

TEST_CASE("streams: with_timeout() leaves nothing behind in the cancellation of its caller",
          "[streams]")
{
    kept_stream c;
    int turns = 0;
    const auto read_and_wait = [&]() -> awaitable<void> {
        const std::string line(
            co_await asynchat::with_timeout(c.loop, 2s, c.side->reader.readline()));
        for (; turns < 10; ++turns)
            co_await next_turn();
    };
    {
        cancellable work;
        work.run(c.loop, read_and_wait());
        c.send("one\n");
        CHECK(turns == 10);
        work.signal.emit(asio::cancellation_type::terminal); // nobody listens
    }
    // The coroutine is destroyed in the middle, and the signal outlives it.
    cancellable work;
    {
        kept_stream other;
        const auto read = [&other]() -> awaitable<void> {
            co_await asynchat::with_timeout(other.loop, 2s, other.side->reader.readline());
        };
        work.run(other.loop, read());
        other.loop.settle();
    }
    work.signal.emit(asio::cancellation_type::terminal);
    CHECK(work.end.empty());
}

TEST_CASE("streams: with_timeout() around any wait", "[streams]")
{
    asynchat::testing::loop loop;
    std::string opened;
    std::string drained;
    std::string closed;
    loop.ignore(endpoint("127.0.0.1", 1));
    const auto open = [&]() -> awaitable<void> {
        const endpoint silent("127.0.0.1", 1);
        co_await asynchat::with_timeout(loop, 2s, asynchat::open_connection(loop, silent));
    };
    asynchat::spawn(loop, note(open(), &opened));
    loop.advance(2s);
    CHECK(opened == asynchat::timeout_error().what());
    CHECK(loop.size() == 0); // the attempt has ended

    kept_stream c(
        {65536, [](asynchat::async_chat& channel) { channel.write_buffer_limits(1000, 0); }});
    c.peer.window(100);
    c.side->writer.write(std::string(2000, 'x'));
    c.run([&](std::shared_ptr<stream> side) {
        return note(asynchat::with_timeout(c.loop, 2s, side->writer.drain()), &drained);
    });
    c.run([&](std::shared_ptr<stream> side) {
        return note(asynchat::with_timeout(c.loop, 2s, side->writer.wait_closed()), &closed);
    });
    c.loop.advance(2s);
    CHECK(drained == asynchat::timeout_error().what());
    CHECK(closed == asynchat::timeout_error().what());
    std::string received;
    for (std::string got = c.peer.received(); !got.empty(); got = c.peer.received())
        received += got;
    CHECK(received.size() == 2000);
}

TEST_CASE("streams: open_connection() in time gives a stream", "[streams]")
{
    kept_stream c;
    std::string received;
    const auto ask = [&]() -> awaitable<void> {
        auto made =
            co_await asynchat::with_timeout(c.loop, 2s, asynchat::open_connection(c.loop, here));
        made.writer.write("hello\n");
        co_await made.writer.drain();
        co_await next_turn();
        received = co_await c.side->reader.readline();
    };
    asynchat::spawn(c.loop, ask());
    c.loop.settle();
    CHECK(received == "hello\n");
}

TEST_CASE("streams: a line and the time of its read in one turn lose nothing", "[streams]")
{
    for (const bool line_first : {true, false}) {
        kept_stream c;
        texts got;
        const auto work = [&](std::shared_ptr<stream> side) -> awaitable<void> {
            while (got.size() < 2) {
                bool is_late = false;
                try {
                    const std::string line(
                        co_await asynchat::with_timeout(c.loop, 2s, side->reader.readline()));
                    got.push_back(line);
                } catch (const asynchat::timeout_error&) {
                    is_late = true;
                }
                if (is_late)
                    co_await next_turn();
            }
        };
        if (line_first)
            c.loop.call_later(2s, [&c] { c.peer.send("one\ntwo\n"); });
        c.run(work);
        if (!line_first)
            c.loop.call_later(2s, [&c] { c.peer.send("one\ntwo\n"); });
        c.loop.advance(3s);
        CHECK(got == texts{"one\n", "two\n"});
    }
}

TEST_CASE("streams: the loser of two waits takes nothing", "[streams]")
{
    kept_stream c;
    texts got;
    c.run([&](std::shared_ptr<stream> side) -> awaitable<void> {
        for (int i = 0; i < 2; ++i) {
            const auto first =
                co_await(asynchat::with_timeout(c.loop, 2s, side->writer.wait_closed()) ||
                         side->reader.readexactly(4));
            got.push_back(first.index() == 0 ? "closed" : std::string(std::get<1>(first)));
        }
    });
    c.send("ab");
    c.send("cdef");
    CHECK(got == texts{"abcd"});
    c.send("gh");
    CHECK(got == texts{"abcd", "efgh"});
}

TEST_CASE("streams: while a cancelled read has not gone on, nobody loses its bytes", "[streams]")
{
    kept_stream c;
    cancellable first;
    std::string line;
    const auto read = [&]() -> awaitable<void> { co_await c.side->reader.readline(); };
    first.run(c.loop, read());
    c.send("on");
    c.loop.post([&] {
        first.signal.emit(asio::cancellation_type::terminal);
        asynchat::spawn(c.loop, read_a_line(c.side, &line));
        c.peer.send("e\n");
    });
    c.loop.settle();
    CHECK(first.end == "cancelled");
    CHECK(line == "one\n");
}

// --- flow ---------------------------------------------------------------------------------------

TEST_CASE("streams: long lines, large counts and everything do not stop for ever", "[streams]")
{
    texts got;
    asynchat::testing::loop loop;
    loop.window(3000);
    const auto server =
        asynchat::start_server(loop,
                               [&got](stream_reader reader, stream_writer) -> awaitable<void> {
                                   for (int i = 0; i < 2; ++i) {
                                       bool is_long = false;
                                       try {
                                           co_await reader.readline();
                                       } catch (const asynchat::limit_overrun_error&) {
                                           is_long = true;
                                       }
                                       got.push_back(is_long ? "long" : "short");
                                       co_await next_turn();
                                   }
                                   const auto large = co_await reader.readexactly(50000);
                                   got.push_back(std::to_string(large.size()));
                                   co_await next_turn();
                                   const auto rest = co_await reader.read();
                                   got.push_back(std::to_string(rest.size()));
                               },
                               here, {1000, {}});
    auto peer = loop.connect(here);
    peer.send(std::string(20000, 'x'), 700);
    peer.send("\nshort\n");
    peer.send(std::string(50000, 'y'), 900);
    peer.send(std::string(30000, 'z'), 1100);
    peer.finish();
    loop.settle();
    CHECK(got == texts{"long", "short", "50000", "30000"});
}

TEST_CASE("streams: twice the largest limit is more than any input", "[streams]")
{
    kept_stream c({std::numeric_limits<std::size_t>::max() / 2 + 1, {}});
    c.send(std::string(100, 'x'));
    c.send(std::string(100, 'y'));
    CHECK(c.server->counters().bytes_in == 200);
}

TEST_CASE("streams: without a reader the peer may go on sending, and the writer closes",
          "[streams]")
{
    asynchat::testing::loop loop;
    loop.window(1000);
    std::string end;
    const auto server = asynchat::start_server(
        loop,
        [&end](stream_reader reader, stream_writer writer) -> awaitable<void> {
            {
                const stream_reader gone = std::move(reader);
            }
            for (int i = 0; i < 10; ++i)
                co_await next_turn();
            writer.write("enough");
            writer.close();
            co_await note(writer.wait_closed(), &end);
        },
        here, {100, {}});
    auto peer = loop.connect(here);
    for (int i = 0; i < 20; ++i)
        peer.send(std::string(500, 'x'));
    loop.settle();
    CHECK(peer.received() == "enough");
    CHECK(end == "ended");
}

TEST_CASE("streams: either side may end its stream first", "[streams]")
{
    for (const bool peer_first : {true, false}) {
        kept_stream c;
        std::string rest;
        std::string end;
        if (peer_first) {
            c.peer.send("last words");
            c.peer.finish();
        }
        c.run([&](std::shared_ptr<stream> side) -> awaitable<void> {
            if (peer_first)
                rest = co_await side->reader.read();
            side->writer.write("answer");
            side->writer.write_eof();
            CHECK_FALSE(side->writer.write("too late"));
            if (!peer_first)
                rest = co_await side->reader.read();
            co_await note(side->writer.wait_closed(), &end);
            CHECK((co_await side->reader.read(1)).empty());
        });
        CHECK(c.peer.received() == "answer");
        CHECK(c.peer.ended());
        if (!peer_first) {
            c.peer.send("last words");
            c.peer.finish();
            c.loop.settle();
        }
        CHECK(rest == "last words");
        CHECK(end == "ended");
        CHECK(c.server->counters().open == 0);
    }
}

TEST_CASE("streams: a read after our own close() ends", "[streams]")
{
    kept_stream c;
    std::string end;
    c.side->writer.close();
    c.run([&end](std::shared_ptr<stream> side) { return note(a_line(side->reader), &end); });
    CHECK_THAT(end, ContainsSubstring("local"));
}

TEST_CASE("streams: next_line() among other reads", "[streams]")
{
    kept_stream c({4, {}});
    texts got;
    const auto lines = [&got](stream& side) {
        while (const auto line = side.reader.next_line())
            got.emplace_back(*line);
    };
    c.run([&](std::shared_ptr<stream> side) -> awaitable<void> {
        lines(*side); // nothing has come
        got.emplace_back(co_await side->reader.readline());
        lines(*side);
        got.emplace_back(co_await side->reader.readexactly(2));
        lines(*side);
        bool is_long = false;
        try {
            co_await side->reader.readline();
        } catch (const asynchat::limit_overrun_error&) {
            is_long = true;
        }
        CHECK(is_long);
        lines(*side); // not the rest of the long one
        got.emplace_back(co_await side->reader.readline());
    });
    c.send("1\n2\n3");
    CHECK(got == texts{"1\n", "2\n"});
    c.send("4\n5\n123456789\n6\n7\n8");
    CHECK(got == texts{"1\n", "2\n", "34", "\n", "5\n", "6\n", "7\n"});
    c.send("\n");
    CHECK(got.back() == "8\n");
}

TEST_CASE("streams: a million lines that are there need no stack", "[streams]")
{
    constexpr std::size_t count = 1000000;
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all += "x\n";
    std::size_t lines = 0;
    asynchat::testing::loop loop;
    const auto server =
        asynchat::start_server(loop,
                               [&lines](stream_reader reader, stream_writer) -> awaitable<void> {
                                   co_await reader.readexactly(2 * count);
                                   for (auto line = co_await reader.readline(); !line.empty();
                                        line = co_await reader.readline())
                                       ++lines;
                               },
                               here, {4 * count, {}});
    auto peer = loop.connect(here);
    peer.send(all, 65536);
    peer.send(all, 65536);
    peer.finish();
    loop.settle();
    CHECK(lines == count);
}

// --- the channel --------------------------------------------------------------------------------

TEST_CASE("streams: the idle timeout ends a coroutine that waits", "[streams]")
{
    kept_stream c({65536, [](asynchat::async_chat& channel) { channel.idle_timeout(5s); }});
    texts ends(3);
    c.peer.window(0);
    c.side->writer.channel()->write_buffer_limits(10, 0);
    c.side->writer.write(std::string(100, 'x'));
    c.run([&](std::shared_ptr<stream> side) { return note(a_line(side->reader), &ends[0]); });
    c.run([&](std::shared_ptr<stream> side) { return note(side->writer.drain(), &ends[1]); });
    c.run([&](std::shared_ptr<stream> side) { return note(side->writer.wait_closed(), &ends[2]); });
    c.loop.advance(6s);
    for (const std::string& end : ends)
        CHECK_THAT(end, ContainsSubstring("idle timeout"));
}

TEST_CASE("streams: max_connections() lets the next one in when a coroutine ends", "[streams]")
{
    asynchat::testing::loop loop;
    int served = 0;
    const auto server = asynchat::start_server(
        loop,
        [&served](stream_reader reader, stream_writer) -> awaitable<void> {
            ++served;
            co_await reader.readline();
        },
        here);
    server->max_connections(2);
    std::vector<asynchat::testing::peer> peers;
    for (int i = 0; i < 5; ++i)
        peers.push_back(loop.connect(here));
    loop.settle();
    CHECK(served == 2);
    for (int i = 0; i < 3; ++i) {
        peers[static_cast<std::size_t>(i)].send("\n");
        loop.settle();
    }
    CHECK(served == 5);
}

TEST_CASE("streams: a name that does not exist", "[streams][loopback]")
{
    asynchat::loop loop;
    std::string text;
    const auto open = [&]() -> awaitable<void> {
        co_await asynchat::open_connection(loop, "no-such-name.invalid", 80);
    };
    asynchat::spawn(loop, note(open(), &text));
    loop.run();
    CHECK_THAT(text, ContainsSubstring("no-such-name.invalid"));
}

TEST_CASE("streams: a stream that nobody awaits is closed", "[streams]")
{
    kept_stream c;
    {
        const auto dropped = asynchat::open_connection(c.loop, here);
    }
    c.loop.settle();
    CHECK(c.loop.size() == 2); // the server and the first connection
}
