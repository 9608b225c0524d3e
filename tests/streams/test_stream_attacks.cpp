// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "streams/kept_stream.hpp"
#include "support/catch.hpp"
#include "support/error_text.hpp"

#include <asynchat/streams.hpp>
#include <asynchat/testing.hpp>

#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// Streams in unusual orders: exceptions, output that is lost, and ends.

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
using texts = std::vector<std::string>;

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

// --- output that is lost ------------------------------------------------------------------------

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
    const asynchat::connection_lost lost(
        asynchat::close_reason::reset, std::make_error_code(std::errc::connection_reset),
        "reset: " + support::error_text(std::errc::connection_reset));
    CHECK(lost.what() ==
          std::string("asynchat: reset: " + support::error_text(std::errc::connection_reset)));
    CHECK(lost.code() == std::errc::connection_reset);
    const asynchat::connection_lost idle(asynchat::close_reason::idle_timeout, {}, "idle timeout");
    CHECK(idle.what() == std::string("asynchat: idle timeout"));
}

// --- lifetime -----------------------------------------------------------------------------------

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
