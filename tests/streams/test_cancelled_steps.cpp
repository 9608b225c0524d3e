// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/streams.hpp>
#include <asynchat/testing.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

// Short scripts of a stream. Each await of each script is cancelled once and begun again: what is
// read and what is sent must be the same as without a cancellation, no byte lost and none twice.

using namespace std::chrono_literals;
using asio::awaitable;
using asynchat::stream;
using asynchat::terminator;
using texts = std::vector<std::string>;

namespace {

const asynchat::endpoint here("127.0.0.1", 8080);

// --- steps
// -----------------------------------------------------------------------------------------

/// A step of a script: something that is done at once, or an await, whose result is noted.
struct step {
    std::function<void(stream&)> act;
    std::function<awaitable<std::string>(asynchat::loop&, stream&)> wait;
};

template <class Result>
awaitable<std::string> text_of(awaitable<Result> work)
{
    if constexpr (std::is_void_v<Result>) {
        co_await std::move(work);
        co_return "done";
    } else {
        co_return std::string(co_await std::move(work));
    }
}

/// Awaits what `begin(loop, stream)` returns.
template <class Begin>
step waiting(Begin begin)
{
    return {nullptr,
            [begin](asynchat::loop& loop, stream& on) { return text_of(begin(loop, on)); }};
}
step doing(std::function<void(stream&)> act)
{
    return {std::move(act), nullptr};
}

step line()
{
    return waiting([](asynchat::loop&, stream& on) { return on.reader.readline(); });
}
step exactly(std::size_t size)
{
    return waiting([size](asynchat::loop&, stream& on) { return on.reader.readexactly(size); });
}
step until(const terminator& separator)
{
    return waiting(
        [separator](asynchat::loop&, stream& on) { return on.reader.readuntil(separator); });
}
step some()
{
    return waiting([](asynchat::loop&, stream& on) { return on.reader.read(100); });
}
step rest()
{
    return waiting([](asynchat::loop&, stream& on) { return on.reader.read(); });
}
step drain()
{
    return waiting([](asynchat::loop&, stream& on) { return on.writer.drain(); });
}
step wait_closed()
{
    return waiting([](asynchat::loop&, stream& on) { return on.writer.wait_closed(); });
}
step line_in_time()
{
    return waiting([](asynchat::loop& loop, stream& on) {
        return asynchat::with_timeout(loop, 1h, on.reader.readline());
    });
}
step exactly_in_two_times(std::size_t size)
{
    return waiting([size](asynchat::loop& loop, stream& on) {
        return asynchat::with_timeout(
            loop, 2h, asynchat::with_timeout(loop, 1h, on.reader.readexactly(size)));
    });
}
step drain_in_time()
{
    return waiting([](asynchat::loop& loop, stream& on) {
        return asynchat::with_timeout(loop, 1h, on.writer.drain());
    });
}

awaitable<std::string> lines_that_are_there(stream& on)
{
    std::string all(co_await on.reader.readline());
    while (const auto next = on.reader.next_line())
        all += *next;
    co_return all;
}
step lines()
{
    return waiting([](asynchat::loop&, stream& on) { return lines_that_are_there(on); });
}

step write(std::size_t size, char what)
{
    return doing([size, what](stream& on) { on.writer.write(std::string(size, what)); });
}
step print(int number)
{
    return doing([number](stream& on) { on.writer.print("number {}\n", number); });
}
step write_eof()
{
    return doing([](stream& on) { on.writer.write_eof(); });
}
step close()
{
    return doing([](stream& on) { on.writer.close(); });
}

// --- scripts
// ---------------------------------------------------------------------------------------

enum class peer_end { none, finishes, resets };

struct script {
    const char* name;
    texts input;
    peer_end end;
    std::vector<step> steps;
    texts results;
    std::string output;
    bool cut_matters = false;
};

std::string repeated(std::size_t size, char what)
{
    return std::string(size, what);
}

/// The limit is 8 bytes; 1,000 bytes are under way to the peer; the marks are 2,000 and 500.
const std::vector<script>& scripts()
{
    using end = peer_end;
    static const std::vector<script> all = {
        {"lines",
         {"one\ntw", "o\n\nre", "st"},
         end::finishes,
         {line(), line(), line(), line(), line()},
         {"one\n", "two\n", "\n", "rest", ""},
         ""},
        {"counts",
         {"hel", "lo, wor", "ld"},
         end::none,
         {exactly(5), exactly(0), exactly(2), exactly(5)},
         {"hello", "", ", ", "world"},
         ""},
        {"a count over the limit",
         {repeated(20, 'a'), repeated(20, 'b')},
         end::none,
         {exactly(30), exactly(10)},
         {repeated(20, 'a') + repeated(10, 'b'), repeated(10, 'b')},
         ""},
        {"a separator of several bytes",
         {"ab\r", "\n.\r\n", "cd\r\r\n.\r", "\n"},
         end::none,
         {until("\r\n.\r\n"), until("\r\n.\r\n")},
         {"ab\r\n.\r\n", "cd\r\r\n.\r\n"},
         ""},
        {"several separators",
         {"a;b\r", "\nc", ";\r\n"},
         end::none,
         {until({";", "\r\n"}), until({";", "\r\n"}), until({";", "\r\n"}), line()},
         {"a;", "b\r\n", "c;", "\r\n"},
         ""},
        {"separators in turn",
         {"a", ";b", "b\r", "\nend", "."},
         end::none,
         {
             until(";"),
             until("\r\n"),
             until("."),
         },
         {"a;", "bb\r\n", "end."},
         ""},
        {"a line, then what it counts",
         {"5\nhel", "lo3", "\nabc0", "\n"},
         end::none,
         {line(), exactly(5), line(), exactly(3), line()},
         {"5\n", "hello", "3\n", "abc", "0\n"},
         ""},
        {"pieces",
         {"a", "bc", "def"},
         end::finishes,
         {some(), some(), some(), some()},
         {"a", "bc", "def", ""},
         "",
         true},
        {"everything",
         {repeated(500, 'a'), repeated(500, 'b'), "c"},
         end::finishes,
         {exactly(1), rest(), rest()},
         {"a", repeated(499, 'a') + repeated(500, 'b') + "c", ""},
         ""},
        {"a line over the limit",
         {"12345", "67890", "abc\nne", "xt\n"},
         end::none,
         {line(), line()},
         {"too long", "next\n"},
         ""},
        {"over the limit before a separator",
         {"12345", "67890;", "x;"},
         end::none,
         {until(";"), until(";"), exactly(9), until(";"), until(";")},
         {"too long", "too long", "123456789", "0;", "x;"},
         ""},
        {"an end in a count",
         {"ab", "c"},
         end::finishes,
         {exactly(5), exactly(1)},
         {"incomplete abc", "incomplete "},
         ""},
        {"an end in a separator",
         {"ab", "c\r"},
         end::finishes,
         {until("\r\n"), line()},
         {"incomplete abc\r", ""},
         ""},
        {"lines that are there",
         {"1\n2\n3", "\n4\n5\n"},
         end::finishes,
         {lines(), lines(), lines()},
         {"1\n2\n", "3\n4\n5\n", ""},
         "",
         true},
        {"much output",
         {},
         end::none,
         {write(3000, 'a'), drain(), write(3000, 'b'), drain(), print(7), drain(), close(),
          wait_closed()},
         {"done", "done", "done", "done"},
         repeated(3000, 'a') + repeated(3000, 'b') + "number 7\n"},
        {"answers",
         {"one\nt", "wo\n", "three\n"},
         end::finishes,
         {line(), write(1500, '1'), drain(), line(), write(1500, '2'), drain(), line(),
          write(1500, '3'), drain(), line()},
         {"one\n", "done", "two\n", "done", "three\n", "done", ""},
         repeated(1500, '1') + repeated(1500, '2') + repeated(1500, '3')},
        {"our stream ends first",
         {"late", " wo\n"},
         end::finishes,
         {write(2500, 'a'), write_eof(), drain(), line(), line(), wait_closed()},
         {"done", "late wo\n", "", "done"},
         repeated(2500, 'a')},
        {"the peer's stream ends first",
         {"last ", "words"},
         end::finishes,
         {rest(), write(2500, 'a'), drain(), close(), wait_closed()},
         {"last words", "done", "done"},
         repeated(2500, 'a')},
        {"a close with much output",
         {"x\n"},
         end::none,
         {line(), write(5000, 'a'), close(), wait_closed()},
         {"x\n", "done"},
         repeated(5000, 'a')},
        {"with_timeout()",
         {"on", "e\ntw", "o\n"},
         end::finishes,
         {line_in_time(), line_in_time(), line_in_time()},
         {"one\n", "two\n", ""},
         ""},
        {"nested with_timeout()",
         {"ab", "cd", "ef"},
         end::none,
         {exactly_in_two_times(3), exactly_in_two_times(3)},
         {"abc", "def"},
         ""},
        {"with_timeout() of drain()",
         {"x\n"},
         end::none,
         {write(3000, 'a'), drain_in_time(), line_in_time(), write(3000, 'b'), drain_in_time()},
         {"done", "x\n", "done"},
         repeated(3000, 'a') + repeated(3000, 'b')},
        {"a loss",
         {"one\nt", "wo"},
         end::resets,
         {line(), exactly(3), line(), drain()},
         {"one\n", "two", "lost: reset", "lost: reset"},
         ""},
    };
    return all;
}

// --- running
// ---------------------------------------------------------------------------------------

/// When the chosen await is cancelled.
enum class moment { never, before_input, with_input };

struct outcome {
    texts results;
    std::string output;
    std::size_t awaits = 0;
    std::size_t cancelled = 0;
};

class playing {
public:
    playing(const script& of, std::size_t chosen, moment when)
        : script_(of), chosen_(chosen), when_(when)
    {
    }

    outcome run(const texts& pieces)
    {
        asynchat::testing::loop loop;
        loop.window(1000);
        const auto configure = [](asynchat::async_chat& channel) {
            channel.write_buffer_limits(2000, 500);
        };
        const auto server = asynchat::start_server(
            loop,
            [this, &loop](asynchat::stream_reader reader, asynchat::stream_writer writer) {
                return begin(loop, stream{std::move(reader), std::move(writer)});
            },
            here, {8, configure});
        auto peer = loop.connect(here);
        loop.settle();
        for (const std::string& piece : pieces)
            go_on(loop, peer, [&] { peer.send(piece); });
        go_on(loop, peer, [&] { end(peer); });
        for (std::size_t before = 0; before != seen_.output.size() + seen_.awaits;) {
            before = seen_.output.size() + seen_.awaits;
            go_on(loop, peer, [] {});
        }
        return seen_;
    }

private:
    /// One turn of the peer, in which the chosen await is cancelled if it waits.
    template <class Act>
    void go_on(asynchat::testing::loop& loop, asynchat::testing::peer& peer, Act act)
    {
        if (when_ == moment::before_input) {
            cancel();
            loop.settle();
        }
        act();
        if (when_ == moment::with_input)
            cancel();
        loop.settle();
        cancel(); // what waits only for the peer to read
        loop.settle();
        if (script_.end != peer_end::resets)
            seen_.output += peer.received();
    }
    void cancel()
    {
        if (when_ != moment::never && std::exchange(is_waiting_, false))
            signal_.emit(asio::cancellation_type::terminal);
    }
    void end(asynchat::testing::peer& peer)
    {
        if (script_.end == peer_end::finishes)
            peer.finish();
        else if (script_.end == peer_end::resets)
            peer.reset();
    }

    /// A coroutine that the signal cancels, in the coroutine of the server.
    awaitable<void> begin(asynchat::loop& loop, stream on)
    {
        co_await asio::co_spawn(loop.context(), play(loop, on),
                                asio::bind_cancellation_slot(signal_.slot(), asio::use_awaitable));
    }
    awaitable<void> play(asynchat::loop& loop, stream& on)
    {
        for (const step& each : script_.steps) {
            if (each.act) {
                each.act(on);
                continue;
            }
            is_waiting_ = ++seen_.awaits == chosen_;
            for (std::string result; result.empty();) {
                try {
                    result = "got " + co_await each.wait(loop, on);
                } catch (const asynchat::incomplete_read_error& error) {
                    result = "got incomplete " + error.partial();
                } catch (const asynchat::limit_overrun_error&) {
                    result = "got too long";
                } catch (const asynchat::connection_lost& lost) {
                    result = "got lost: " + std::string(to_string(lost.reason()));
                } catch (const std::system_error& error) {
                    if (error.code() != asio::error::operation_aborted)
                        throw;
                }
                if (!result.empty()) {
                    seen_.results.push_back(result.substr(4));
                } else {
                    ++seen_.cancelled;
                    co_await asio::this_coro::reset_cancellation_state(
                        asio::enable_terminal_cancellation());
                }
            }
            is_waiting_ = false;
        }
    }

    const script& script_;
    const std::size_t chosen_; // await, from 1
    const moment when_;
    bool is_waiting_ = false; // the chosen one
    asio::cancellation_signal signal_;
    outcome seen_;
};

texts cut_into_bytes(const texts& pieces)
{
    texts bytes;
    for (const std::string& piece : pieces) {
        for (const char byte : piece)
            bytes.emplace_back(1, byte);
    }
    return bytes;
}

void check_all_steps(const script& of, const texts& pieces)
{
    const outcome plain = playing(of, 0, moment::never).run(pieces);
    CHECK(plain.results == of.results);
    CHECK(plain.output == of.output);
    std::size_t cancelled = 0;
    for (const moment when : {moment::before_input, moment::with_input}) {
        for (std::size_t step = 1; step <= plain.awaits; ++step) {
            CAPTURE(step, static_cast<int>(when));
            const outcome seen = playing(of, step, when).run(pieces);
            CHECK(seen.results == of.results);
            CHECK(seen.output == of.output);
            cancelled += seen.cancelled;
        }
    }
    CHECK(cancelled > 0);
}

} // namespace

TEST_CASE("streams: a script whose await is cancelled at any step has the same results",
          "[streams]")
{
    for (const script& each : scripts()) {
        CAPTURE(each.name);
        check_all_steps(each, each.input);
        if (!each.cut_matters)
            check_all_steps(each, cut_into_bytes(each.input));
    }
}
