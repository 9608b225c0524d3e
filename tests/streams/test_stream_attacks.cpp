// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/streams.hpp>
#include <asynchat/testing.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

// Streams in unusual orders: ends, exceptions, cancellations and reads that nobody waits for.

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;
using asio::awaitable;
using asynchat::endpoint;
using asynchat::stream;
using asynchat::stream_options;
using asynchat::stream_reader;
using asynchat::stream_writer;
using Catch::Matchers::ContainsSubstring;
using texts = std::vector<std::string>;

namespace {

const endpoint here("127.0.0.1", 8080);

/// A server that keeps the stream of its connection for the test, and ends its own coroutine.
struct kept_stream {
    explicit kept_stream(stream_options options = {})
        : server(asynchat::start_server(
              loop,
              [this](stream_reader reader, stream_writer writer) -> awaitable<void> {
                  side = std::make_shared<stream>(stream{std::move(reader), std::move(writer)});
                  co_return;
              },
              here, std::move(options))),
          peer(loop.connect(here))
    {
        loop.settle();
    }

    /// Runs `work(stream)` until it ends or waits.
    void run(std::function<awaitable<void>(std::shared_ptr<stream>)> work)
    {
        works.push_back(std::move(work)); // its captures must live as long as the coroutine
        asynchat::spawn(loop, works.back()(side));
        loop.settle();
    }
    void send(std::string_view bytes)
    {
        peer.send(bytes);
        loop.settle();
    }

    std::shared_ptr<stream> side;
    std::list<std::function<awaitable<void>(std::shared_ptr<stream>)>> works;
    asynchat::testing::loop loop;
    asynchat::handle<asynchat::stream_server> server;
    asynchat::testing::peer peer;
};

/// The message of what `work` throws; "ended" without.
awaitable<void> note(awaitable<void> work, std::string* text)
{
    try {
        co_await std::move(work);
        *text = "ended";
    } catch (const std::system_error& error) {
        *text = error.code() == asio::error::operation_aborted ? "cancelled" : error.what();
    } catch (const std::exception& error) {
        *text = error.what();
    }
}

/// Lets go of the coroutine for a turn.
awaitable<void> next_turn()
{
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

awaitable<void> read_a_line(std::shared_ptr<stream> side, std::string* line)
{
    *line = co_await side->reader.readline();
}

} // namespace

// --- exceptions ----------------------------------------------------------------------------------

TEST_CASE("streams: an exception of spawn() leaves run() also when input has woken the coroutine",
          "[streams]")
{
    kept_stream c;
    CHECK_THROWS_WITH(
        [&c] {
            c.run([](std::shared_ptr<stream> side) -> awaitable<void> {
                co_await side->reader.readline();
                throw std::runtime_error("of the user");
            });
            c.send("one\ntwo\n");
        }(),
        "of the user");
    CHECK(c.side->writer.channel() != nullptr);
    std::string rest;
    c.run([&rest](std::shared_ptr<stream> side) -> awaitable<void> {
        rest = co_await side->reader.read(100);
    });
    CHECK(rest == "two\n");
}

TEST_CASE("streams: exit_now of a coroutine that input has woken doubles no input", "[streams]")
{
    kept_stream c;
    const auto leave = [](std::shared_ptr<stream> side) -> awaitable<void> {
        co_await side->reader.readline();
        throw asynchat::exit_now();
    };
    c.run(leave);
    CHECK_THROWS_AS(c.send("one\ntwo\n"), asynchat::exit_now);
    std::string rest;
    c.run([&rest](std::shared_ptr<stream> side) -> awaitable<void> {
        rest = co_await side->reader.read(100);
    });
    CHECK(rest == "two\n");
}

TEST_CASE("streams: the exception of one drain() does not lose the others", "[streams]")
{
    kept_stream c(
        {65536, [](asynchat::async_chat& channel) { channel.write_buffer_limits(1000, 0); }});
    c.peer.window(100);
    int drained = 0;
    c.side->writer.write(std::string(2000, 'x'));
    c.run([](std::shared_ptr<stream> side) -> awaitable<void> {
        co_await side->writer.drain();
        throw std::runtime_error("of the first");
    });
    for (int i = 0; i < 3; ++i) {
        c.run([&drained](std::shared_ptr<stream> side) -> awaitable<void> {
            co_await side->writer.drain();
            ++drained;
        });
    }
    CHECK(drained == 0);
    std::size_t thrown = 0;
    for (int i = 0; i < 100; ++i) {
        try {
            c.peer.received();
        } catch (const std::runtime_error& error) {
            CHECK(error.what() == std::string("of the first"));
            ++thrown;
        }
    }
    CHECK(thrown == 1);
    CHECK(drained == 3);
}

TEST_CASE("streams: the exceptions of two coroutines in one event leave run() one by one",
          "[streams]")
{
    kept_stream c;
    const auto leave = [](std::shared_ptr<stream> side) -> awaitable<void> {
        co_await side->writer.drain();
        throw asynchat::exit_now();
    };
    c.peer.window(0);
    c.side->writer.channel()->write_buffer_limits(1000, 0);
    c.side->writer.write(std::string(2000, 'x'));
    c.run(leave);
    c.run(leave);
    c.peer.window(10000);
    CHECK_THROWS_AS(c.peer.received(), asynchat::exit_now);
    CHECK_THROWS_AS(c.peer.received(), asynchat::exit_now);
    CHECK(c.peer.received().size() == 2000);
}

namespace {

enum class moment { at_once, after_a_read, after_a_turn, after_the_end };

/// A server whose coroutine throws at a moment.
struct thrower {
    explicit thrower(moment at, std::function<void()> fail)
        : server(asynchat::start_server(
              loop,
              [at, fail](stream_reader reader, stream_writer writer) -> awaitable<void> {
                  if (at == moment::after_a_read)
                      co_await reader.readline();
                  if (at == moment::after_a_turn)
                      co_await next_turn();
                  if (at == moment::after_the_end) {
                      writer.close();
                      co_await writer.wait_closed();
                  }
                  fail();
              },
              here))
    {
        loop.log_sink([this](asynchat::log_type, std::string_view line) { log += line; });
    }
    void connect()
    {
        peer.emplace(loop.connect(here));
        peer->send("a line\n");
        loop.settle();
    }

    std::string log;
    asynchat::testing::loop loop;
    asynchat::handle<asynchat::stream_server> server;
    std::optional<asynchat::testing::peer> peer;
};

const auto all_moments = {moment::at_once, moment::after_a_read, moment::after_a_turn,
                          moment::after_the_end};

} // namespace

TEST_CASE("streams: an exception of a server's coroutine is logged at any moment", "[streams]")
{
    for (const moment at : all_moments) {
        CAPTURE(static_cast<int>(at));
        thrower t(at, [] { throw std::runtime_error("of the user"); });
        t.connect();
        CHECK_THAT(t.log, ContainsSubstring("of the user"));
        CHECK(t.server->counters().open == 0);
    }
}

TEST_CASE("streams: exit_now of a server's coroutine leaves run() at any moment", "[streams]")
{
    for (const moment at : all_moments) {
        CAPTURE(static_cast<int>(at));
        thrower t(at, [] { throw asynchat::exit_now(); });
        CHECK_THROWS_AS(t.connect(), asynchat::exit_now);
        t.loop.settle();
        CHECK(t.server->counters().open == 0);
    }
}

TEST_CASE("streams: a coroutine that ends with its connection is not logged", "[streams]")
{
    texts lines;
    kept_stream c;
    const auto server = asynchat::start_server(
        c.loop,
        [](stream_reader reader, stream_writer) -> awaitable<void> { co_await reader.readline(); },
        endpoint("127.0.0.1", 8081));
    c.loop.log_sink(
        [&lines](asynchat::log_type, std::string_view text) { lines.emplace_back(text); });
    auto peer = c.loop.connect(endpoint("127.0.0.1", 8081));
    c.loop.settle();
    peer.reset();
    c.loop.settle();
    CHECK(server->counters().open == 0);
    CHECK(lines.empty());
}

TEST_CASE("streams: an exception of configure() costs its connection", "[streams]")
{
    asynchat::testing::loop loop;
    std::string log;
    loop.log_sink([&log](asynchat::log_type, std::string_view line) { log += line; });
    int served = 0;
    const auto server = asynchat::start_server(
        loop,
        [&served](stream_reader, stream_writer) -> awaitable<void> {
            ++served;
            co_return;
        },
        here, {65536, [](asynchat::async_chat&) { throw std::runtime_error("no settings"); }});
    auto peer = loop.connect(here);
    loop.settle();
    CHECK_THAT(log, ContainsSubstring("no settings"));
    CHECK(server->counters().open == 0);
    CHECK(served == 0);

    CHECK_THROWS_WITH(
        asynchat::open_connection(
            loop, here,
            {65536, [](asynchat::async_chat&) { throw std::runtime_error("no settings"); }}),
        "no settings");
    loop.settle();
    CHECK(loop.size() == 1); // the server
}

TEST_CASE("streams: exit_now of configure() leaves no connection that nobody serves", "[streams]")
{
    asynchat::testing::loop loop;
    const auto server = asynchat::start_server(
        loop, [](stream_reader, stream_writer) -> awaitable<void> { co_return; }, here,
        {65536, [](asynchat::async_chat&) { throw asynchat::exit_now(); }});
    auto peer = loop.connect(here);
    CHECK_THROWS_AS(loop.settle(), asynchat::exit_now);
    loop.settle();
    CHECK(server->counters().open == 0);
}

TEST_CASE("streams: spawn() in a callback begins in a later turn", "[streams]")
{
    asynchat::testing::loop loop;
    std::string order;
    const auto work = [&order]() -> awaitable<void> {
        order += "coroutine ";
        co_return;
    };
    loop.post([&] {
        asynchat::spawn(loop, work());
        order += "callback ";
    });
    loop.settle();
    CHECK(order == "callback coroutine ");
}

// --- output that is lost
// ---------------------------------------------------------------------------

namespace {

/// Writes until drain() throws. A drain() that neither waits nor throws would hold up the loop for
/// ever: `rounds` ends that.
awaitable<void> write_for_ever(std::shared_ptr<stream> side, std::string* end)
{
    const std::string piece(100, 'x');
    for (int rounds = 0; rounds < 100000; ++rounds) {
        side->writer.write(piece);
        try {
            co_await side->writer.drain();
        } catch (const asynchat::connection_lost& error) {
            *end = asynchat::to_string(error.reason());
            co_return;
        }
    }
    *end = "never";
}

} // namespace

TEST_CASE("streams: a coroutine that only writes learns of the end", "[streams]")
{
    SECTION("a send fails")
    {
        kept_stream c;
        std::string end;
        c.loop.fail(1, EPIPE, asynchat::testing::operation::send);
        c.run([&end](std::shared_ptr<stream> side) { return write_for_ever(side, &end); });
        c.loop.advance(10s);
        CHECK(end == "reset");
    }
    SECTION("the peer resets")
    {
        kept_stream c;
        std::string end;
        c.run([&end](std::shared_ptr<stream> side) { return write_for_ever(side, &end); });
        CHECK(end.empty()); // it waits
        c.peer.reset();
        c.loop.advance(10s);
        CHECK(end == "reset");
    }
    SECTION("another coroutine closes")
    {
        kept_stream c;
        std::string end;
        c.side->writer.close();
        c.run([&end](std::shared_ptr<stream> side) { return write_for_ever(side, &end); });
        CHECK(end == "local");
    }
    SECTION("the server stops")
    {
        kept_stream c;
        std::string end;
        c.run([&end](std::shared_ptr<stream> side) { return write_for_ever(side, &end); });
        c.server->stop(5s);
        for (int i = 0; i < 1000 && end.empty(); ++i)
            c.peer.received();
        CHECK(end == "local");
    }
}

TEST_CASE("streams: wait_closed() tells that output was lost, and write() that it is dropped",
          "[streams]")
{
    kept_stream c;
    c.peer.window(10);
    CHECK(c.side->writer.write(std::string(1000, 'x')));
    c.side->writer.close();
    CHECK_FALSE(c.side->writer.write("more"));
    std::string seen;
    c.run(
        [&seen](std::shared_ptr<stream> side) { return note(side->writer.wait_closed(), &seen); });
    CHECK(seen.empty());
    c.loop.advance(60s); // write_timeout()
    CHECK_THAT(seen, ContainsSubstring("timeout"));
    CHECK_FALSE(c.side->writer.write("more"));
}

TEST_CASE("streams: an error is told once in the text of connection_lost", "[streams]")
{
    const asynchat::connection_lost lost(asynchat::close_reason::reset,
                                         std::make_error_code(std::errc::connection_reset),
                                         "reset: Connection reset by peer");
    CHECK(lost.what() == std::string("asynchat: reset: Connection reset by peer"));
    CHECK(lost.code() == std::errc::connection_reset);
    const asynchat::connection_lost idle(asynchat::close_reason::idle_timeout, {}, "idle timeout");
    CHECK(idle.what() == std::string("asynchat: idle timeout"));
}

// --- lifetime
// --------------------------------------------------------------------------------------

namespace {

/// Counts the coroutines that live.
struct alive {
    std::shared_ptr<int> count;
};

using wait = std::function<awaitable<void>(asynchat::loop&, stream&)>;

awaitable<void> wait_with(asynchat::loop& loop, stream_reader reader, stream_writer writer,
                          wait how, std::shared_ptr<int> count)
{
    const alive me{count};
    stream side{std::move(reader), std::move(writer)};
    co_await how(loop, side);
    *count += 1; // must not come
}

awaitable<void> a_line(stream_reader& reader)
{
    co_await reader.readline();
}

awaitable<std::string> line_in_time(asynchat::loop& loop, stream_reader& reader)
{
    co_return std::string(co_await asynchat::with_timeout(loop, 1h, reader.readline()));
}

const std::vector<std::pair<const char*, wait>>& all_waits()
{
    static const std::vector<std::pair<const char*, wait>> waits = {
        {"read",
         [](asynchat::loop&, stream& side) -> awaitable<void> { co_await a_line(side.reader); }},
        {"drain",
         [](asynchat::loop&, stream& side) -> awaitable<void> {
             static const auto much = std::make_shared<const std::string>(20000000, 'x');
             side.writer.write(much);
             co_await side.writer.drain();
         }},
        {"wait_closed",
         [](asynchat::loop&, stream& side) -> awaitable<void> {
             co_await side.writer.wait_closed();
         }},
        {"open_connection",
         [](asynchat::loop& loop, stream&) -> awaitable<void> {
             const endpoint silent("127.0.0.1", 1);
             co_await asynchat::open_connection(loop, silent);
         }},
        {"with_timeout",
         [](asynchat::loop& loop, stream& side) -> awaitable<void> {
             co_await asynchat::with_timeout(loop, 1h, side.reader.readline());
         }},
        {"nested with_timeout",
         [](asynchat::loop& loop, stream& side) -> awaitable<void> {
             co_await asynchat::with_timeout(loop, 1h, line_in_time(loop, side.reader));
         }},
        {"one of two",
         [](asynchat::loop& loop, stream& side) -> awaitable<void> {
             co_await(a_line(side.reader) ||
                      asynchat::with_timeout(loop, 1h, side.writer.wait_closed()));
         }},
    };
    return waits;
}

} // namespace

TEST_CASE("streams: the loop ends with a thousand coroutines in any wait", "[streams]")
{
    for (const auto& [name, how] : all_waits()) {
        CAPTURE(name);
        const auto count = std::make_shared<int>(0);
        {
            asynchat::testing::loop loop;
            loop.ignore(endpoint("127.0.0.1", 1));
            std::vector<asynchat::testing::peer> peers;
            const auto server = asynchat::start_server(
                loop,
                [&loop, count, how = how](stream_reader reader, stream_writer writer) {
                    return wait_with(loop, std::move(reader), std::move(writer), how, count);
                },
                here);
            for (int i = 0; i < 1000; ++i)
                peers.push_back(loop.connect(here));
            loop.settle();
            CHECK(count.use_count() > 1000);
        }
        CHECK(count.use_count() == 1);
        CHECK(*count == 0);
    }
}

TEST_CASE("streams: an io_context runs on after its loop", "[streams]")
{
    for (const auto& [name, how] : all_waits()) {
        if (name == std::string("open_connection"))
            continue; // on this machine every address answers
        CAPTURE(name);
        const auto count = std::make_shared<int>(0);
        asio::io_context context;
        asio::ip::tcp::socket peer(context);
        {
            asynchat::loop loop(context);
            const auto server = asynchat::start_server(
                loop,
                [&loop, count, how = how](stream_reader reader, stream_writer writer) {
                    return wait_with(loop, std::move(reader), std::move(writer), how, count);
                },
                endpoint("127.0.0.1", 0));
            peer.connect({asio::ip::address_v4::loopback(),
                          static_cast<asio::ip::port_type>(server->local_endpoint().port())});
            for (int i = 0; i < 100 && server->counters().open == 0; ++i)
                loop.poll(1s);
            CHECK(count.use_count() > 1);
        }
        context.restart();
        context.run();
        CHECK(count.use_count() == 1);
        CHECK(*count == 0);
    }
}

TEST_CASE("streams: a coroutine that has not begun does not begin after its loop", "[streams]")
{
    bool has_begun = false;
    asio::io_context context;
    const auto work = [&has_begun]() -> awaitable<void> {
        has_begun = true;
        co_return;
    };
    {
        asynchat::loop loop(context);
        asynchat::spawn(loop, work());
    }
    context.run();
    CHECK_FALSE(has_begun);
}

TEST_CASE("streams: reader and writer outlive their loop", "[streams]")
{
    std::shared_ptr<stream> side;
    {
        kept_stream c;
        c.send("one\nrest");
        side = c.side;
    }
    texts got;
    std::string lost;
    std::string drained;
    std::string closed;
    asynchat::testing::loop other;
    const auto use = [&]() -> awaitable<void> {
        got.emplace_back(co_await side->reader.readline());
        got.emplace_back(co_await side->reader.read(100));
        co_await note(a_line(side->reader), &lost);
        co_await note(side->writer.drain(), &drained);
        co_await note(side->writer.wait_closed(), &closed);
    };
    asynchat::spawn(other, use());
    other.settle();
    CHECK(got == texts{"one\n", "rest"});
    CHECK_THAT(lost, ContainsSubstring("shutdown"));
    CHECK_THAT(drained, ContainsSubstring("shutdown"));
    CHECK(closed == "ended");
    CHECK_FALSE(side->writer.write("x"));
    CHECK_FALSE(side->writer.print("{}", 1));
    side->writer.write_eof();
    side->writer.close();
    CHECK(side->writer.is_closing());
    CHECK(side->writer.channel() == nullptr);
    CHECK_FALSE(side->reader.next_line());
}

TEST_CASE("streams: run() returns after the coroutine of the last connection has seen its end",
          "[streams][loopback]")
{
    std::string end;
    asio::io_context of_peer;
    asio::ip::tcp::socket peer(of_peer);
    asynchat::loop loop;
    asynchat::handle<asynchat::stream_server> server;
    server = asynchat::start_server(
        loop,
        [&](stream_reader reader, stream_writer writer) -> awaitable<void> {
            loop.call_later(0s, [&server, &writer] {
                server->close();
                writer.channel()->close();
            });
            co_await note(a_line(reader), &end);
        },
        endpoint("127.0.0.1", 0));
    peer.connect({asio::ip::address_v4::loopback(),
                  static_cast<asio::ip::port_type>(server->local_endpoint().port())});
    loop.run();
    CHECK_THAT(end, ContainsSubstring("local"));
}

TEST_CASE("streams: a writer that is moved closes nothing, one that is replaced does", "[streams]")
{
    kept_stream c;
    stream_writer first = std::move(c.side->writer);
    c.side.reset();
    c.loop.settle();
    CHECK(c.server->counters().open == 1);
    CHECK(first.write("x"));
    kept_stream other;
    first = std::move(other.side->writer); // closes what it had
    c.loop.settle();
    CHECK(c.server->counters().open == 0);
    CHECK(c.peer.received() == "x");
    CHECK(other.server->counters().open == 1);
}

// --- cancellation and time
// -------------------------------------------------------------------------

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

// --- flow
// ------------------------------------------------------------------------------------------

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

// --- the channel
// -----------------------------------------------------------------------------------

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
