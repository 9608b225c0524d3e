// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/descriptors.hpp"
#include "support/error_text.hpp"

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
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// Readers and writers over the memory network.

using namespace std::chrono_literals;
using asio::awaitable;
using asynchat::endpoint;
using asynchat::stream_reader;
using asynchat::stream_writer;
using texts = std::vector<std::string>;

namespace {

const endpoint here("127.0.0.1", 8080);
const asynchat::terminator semicolon_or_line{";", "\r\n"};

awaitable<void> echo(stream_reader reader, stream_writer writer)
{
    for (auto line = co_await reader.readline(); !line.empty(); line = co_await reader.readline()) {
        writer.write(line);
        co_await writer.drain();
    }
}

/// Runs `work(reader, writer)` over an accepted connection; an exception becomes a text.
struct conversation {
    using work = std::function<awaitable<void>(stream_reader, stream_writer)>;

    explicit conversation(work of, asynchat::stream_options options = {})
        : server(asynchat::start_server(loop, guarded(std::move(of)), here, std::move(options))),
          peer(loop.connect(here))
    {
        loop.settle();
    }
    void send(std::string_view bytes)
    {
        peer.send(bytes);
        loop.settle();
    }

    texts seen;
    asynchat::testing::loop loop;
    asynchat::handle<asynchat::stream_server> server;
    asynchat::testing::peer peer;

private:
    work guarded(work of)
    {
        return [this, of](stream_reader reader, stream_writer writer) {
            return run(of, std::move(reader), std::move(writer), &seen);
        };
    }
    static awaitable<void> run(work of, stream_reader reader, stream_writer writer, texts* seen)
    {
        try {
            co_await of(std::move(reader), std::move(writer));
            seen->push_back("ended");
        } catch (const std::exception& error) {
            seen->push_back(error.what());
        }
    }
};

} // namespace

TEST_CASE("streams: a server answers line by line, and ends with its coroutine", "[streams]")
{
    asynchat::testing::loop loop;
    const auto server = asynchat::start_server(loop, echo, here);
    auto peer = loop.connect(here);
    peer.send("hello\nwor");
    loop.settle();
    CHECK(peer.received() == "hello\n");
    peer.send("ld\nrest");
    loop.settle();
    CHECK(peer.received() == "world\n");
    peer.finish();
    loop.settle();
    CHECK(peer.received() == "rest");
    CHECK(server->counters().open == 0);
}

TEST_CASE("streams: readexactly() and read()", "[streams]")
{
    texts got;
    conversation c([&got](stream_reader reader, stream_writer) -> awaitable<void> {
        got.emplace_back(co_await reader.readexactly(5));
        got.emplace_back(co_await reader.read(3));
        got.emplace_back(co_await reader.read(100));
        got.emplace_back(co_await reader.read());
        CHECK(reader.at_eof());
        got.emplace_back(co_await reader.read(1));
    });
    c.send("hel");
    CHECK(got.empty());
    c.send("lo, world");
    CHECK(got == texts{"hello", ", w", "orld"});
    c.send("the ");
    c.send("rest");
    c.peer.finish();
    c.loop.settle();
    CHECK(got == texts{"hello", ", w", "orld", "the rest", ""});
    CHECK(c.seen == texts{"ended"});
}

TEST_CASE("streams: the end of the stream before a read is complete", "[streams]")
{
    conversation c([](stream_reader reader, stream_writer) -> awaitable<void> {
        try {
            co_await reader.readexactly(5);
        } catch (const asynchat::incomplete_read_error& error) {
            CHECK(error.partial() == "abc");
            CHECK(error.expected() == std::optional<std::size_t>(5));
        }
        co_await reader.readuntil(";");
    });
    c.send("abc");
    c.peer.finish();
    c.loop.settle();
    CHECK(c.seen == texts{"asynchat: the stream ended after 0 bytes without a separator"});
}

TEST_CASE("streams: a line over the limit is an error, and the next one is read", "[streams]")
{
    std::string next;
    conversation c(
        [&next](stream_reader reader, stream_writer) -> awaitable<void> {
            bool was_too_long = false;
            try {
                co_await reader.readline();
            } catch (const asynchat::limit_overrun_error& error) {
                was_too_long = true;
                CHECK(error.consumed() == 8);
                CHECK(error.what() == std::string("asynchat: no separator within 8 bytes, the "
                                                  "limit of this stream, set by "
                                                  "stream_options::limit; 9 bytes were "
                                                  "there"));
            }
            CHECK(was_too_long);
            next = co_await reader.readline();
        },
        {8, {}});
    c.send("123456789");
    c.send("0123456789\nnext\n");
    CHECK(next == "next\n");
    CHECK(c.seen == texts{"ended"});
}

TEST_CASE("streams: several separators; the lines that are there without waiting", "[streams]")
{
    texts got;
    conversation c([&got](stream_reader reader, stream_writer) -> awaitable<void> {
        got.emplace_back(co_await reader.readuntil(semicolon_or_line));
        got.emplace_back(reader.matched_terminator());
        got.emplace_back(co_await reader.readline());
        while (const auto line = reader.next_line())
            got.emplace_back(*line);
        got.emplace_back(co_await reader.readline());
    });
    c.send("a;one\ntwo\nthree\nfo");
    CHECK(got == texts{"a;", ";", "one\n", "two\n", "three\n"});
    c.send("ur\n");
    CHECK(got.back() == "four\n");
}

TEST_CASE("streams: drain() waits while the peer takes nothing", "[streams]")
{
    asynchat::testing::loop loop;
    loop.window(1000);
    std::size_t written = 0;
    const auto server = asynchat::start_server(
        loop,
        [&written](stream_reader, stream_writer writer) -> awaitable<void> {
            const std::string piece(1000, 'x');
            for (; written < 100; ++written) {
                writer.write(piece);
                co_await writer.drain();
            }
        },
        here,
        {65536, [](asynchat::async_chat& channel) { channel.write_buffer_limits(4000, 1000); }});
    auto peer = loop.connect(here);
    loop.settle();
    CHECK(written < 10);
    std::size_t received = 0;
    for (std::string got = peer.received(); !got.empty(); got = peer.received()) {
        received += got.size();
        loop.settle();
    }
    CHECK(received == 100000);
    CHECK(written == 100);
}

TEST_CASE("streams: a view stays valid while the coroutine waits for something else", "[streams]")
{
    asynchat::testing::loop loop;
    loop.window(100);
    std::string first;
    const auto server = asynchat::start_server(
        loop,
        [&first](stream_reader reader, stream_writer writer) -> awaitable<void> {
            const auto line = co_await reader.readline();
            writer.write(std::string(1000, 'x'));
            co_await writer.drain(); // meanwhile more is received
            first = line;
        },
        here, {65536, [](asynchat::async_chat& channel) {
                   channel.write_buffer_limits(500, 0);
                   channel.when_full(asynchat::full_output::reads_on);
               }});
    auto peer = loop.connect(here);
    peer.send("a first line of some length\n");
    loop.settle();
    CHECK(first.empty());
    peer.send(std::string(5000, 'y') + "\n");
    loop.settle();
    while (!peer.received().empty())
        loop.settle();
    CHECK(first == "a first line of some length\n");
}

TEST_CASE("streams: after a loss what was received is read, then reads and drain() throw",
          "[streams]")
{
    texts got;
    conversation c([&got](stream_reader reader, stream_writer writer) -> awaitable<void> {
        got.emplace_back(co_await reader.readline());
        got.emplace_back(co_await reader.read(4));
        try {
            co_await reader.read(4);
        } catch (const asynchat::connection_lost& error) {
            CHECK(error.reason() == asynchat::close_reason::reset);
            CHECK(error.code() == std::errc::connection_reset);
            got.emplace_back("lost");
        }
        CHECK_FALSE(writer.write("x"));
        co_await writer.drain();
    });
    c.peer.send("one\ntwo\n");
    c.peer.reset();
    c.loop.settle();
    CHECK(got == texts{"one\n", "two\n", "lost"});
    REQUIRE(c.seen.size() == 1);
    CHECK(c.seen[0].find(support::error_text(std::errc::connection_reset)) != std::string::npos);
}

TEST_CASE("streams: an exception of a coroutine costs its connection and is logged", "[streams]")
{
    asynchat::testing::loop loop;
    texts lines;
    loop.log_sink(
        [&lines](asynchat::log_type, std::string_view text) { lines.emplace_back(text); });
    const auto server = asynchat::start_server(
        loop,
        [](stream_reader reader, stream_writer) -> awaitable<void> {
            co_await reader.readline();
            throw std::runtime_error("of the user");
        },
        here);
    auto peer = loop.connect(here);
    peer.send("x\n");
    loop.settle();
    CHECK(server->counters().open == 0);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("of the user") != std::string::npos);
}

TEST_CASE("streams: a client connects, talks and waits for the end", "[streams]")
{
    asynchat::testing::loop loop;
    const auto server = asynchat::start_server(loop, echo, here);
    texts got;
    const auto client = [&loop, &got]() -> awaitable<void> {
        auto c = co_await asynchat::open_connection(loop, here);
        c.writer.print("{}\n", 42);
        got.emplace_back(co_await c.reader.readline());
        c.writer.write_eof();
        got.emplace_back(co_await c.reader.readline());
        c.writer.close();
        CHECK(c.writer.is_closing());
        co_await c.writer.wait_closed();
        got.emplace_back("closed");
    };
    asynchat::spawn(loop, client());
    loop.settle();
    CHECK(got == texts{"42\n", "", "closed"});
}

TEST_CASE("streams: a refused connection says so", "[streams]")
{
    asynchat::testing::loop loop;
    std::string text;
    const auto client = [&loop, &text]() -> awaitable<void> {
        try {
            co_await asynchat::open_connection(loop, "127.0.0.1", 9);
        } catch (const asynchat::connection_lost& error) {
            text = error.what();
            CHECK(error.code() == std::errc::connection_refused);
        }
    };
    asynchat::spawn(loop, client());
    loop.settle();
    CHECK(text.find("connect to 127.0.0.1:9") != std::string::npos);
}

TEST_CASE("streams: with_timeout() cancels a read, which takes no bytes", "[streams]")
{
    texts got;
    conversation* self = nullptr;
    conversation c([&](stream_reader reader, stream_writer) -> awaitable<void> {
        got.emplace_back(co_await reader.readline());
        try {
            co_await asynchat::with_timeout(self->loop, 2s, reader.readline());
        } catch (const asynchat::timeout_error&) {
            got.emplace_back("late");
        }
        got.emplace_back(co_await asynchat::with_timeout(self->loop, 2s, reader.readline()));
    });
    self = &c;
    c.send("one\ntw");
    CHECK(got == texts{"one\n"});
    c.loop.advance(1999ms);
    CHECK(got == texts{"one\n"});
    c.loop.advance(1ms);
    CHECK(got == texts{"one\n", "late"});
    c.send("o\n");
    CHECK(got == texts{"one\n", "late", "two\n"});
    CHECK(c.seen == texts{"ended"});
}

TEST_CASE("streams: a second read at a time is refused", "[streams]")
{
    std::shared_ptr<stream_reader> shared;
    conversation c([&shared](stream_reader reader, stream_writer) -> awaitable<void> {
        shared = std::make_shared<stream_reader>(reader);
        co_await reader.readline();
    });
    std::string text;
    const auto second = [&shared, &text]() -> awaitable<void> {
        try {
            co_await shared->read(1);
        } catch (const std::logic_error& error) {
            text = error.what();
        }
    };
    asynchat::spawn(c.loop, second());
    c.loop.settle();
    CHECK(text == "asynchat: another read of this stream is under way");
    c.send("x\n");
    CHECK(c.seen == texts{"ended"});
}

TEST_CASE("streams: a stream that is not read stops receiving at twice its limit", "[streams]")
{
    std::shared_ptr<stream_reader> kept;
    std::shared_ptr<stream_writer> kept_writer;
    std::size_t taken = 0;
    asynchat::testing::loop loop;
    loop.window(1000);
    const auto server =
        asynchat::start_server(loop,
                               [&](stream_reader reader, stream_writer writer) -> awaitable<void> {
                                   kept = std::make_shared<stream_reader>(reader);
                                   kept_writer = std::make_shared<stream_writer>(std::move(writer));
                                   co_return;
                               },
                               here, {2000, {}});
    auto peer = loop.connect(here);
    for (int i = 0; i < 20; ++i) {
        peer.send(std::string(1000, 'x'));
        loop.settle();
    }
    CHECK(server->counters().bytes_in == 5000);
    const auto rest = [&]() -> awaitable<void> {
        taken = (co_await kept->readexactly(20000)).size();
    };
    asynchat::spawn(loop, rest());
    loop.settle();
    CHECK(taken == 20000);
}

TEST_CASE("streams: the loop ends with a thousand suspended reads", "[streams]")
{
    const auto count = std::make_shared<int>(0);
    {
        asynchat::testing::loop loop;
        std::vector<asynchat::testing::peer> peers;
        const auto server = asynchat::start_server(
            loop,
            [count](stream_reader reader, stream_writer writer) -> awaitable<void> {
                const std::shared_ptr<int> alive(count);
                co_await reader.readline();
                writer.write("never");
            },
            here);
        for (int i = 0; i < 1000; ++i)
            peers.push_back(loop.connect(here));
        loop.settle();
        CHECK(count.use_count() > 1000);
    }
    CHECK(count.use_count() == 1);
}

namespace {

/// Reads a line, five bytes, up to ";", and the rest; begins a cancelled read again.
awaitable<void> read_all_kinds(stream_reader reader, texts* got)
{
    for (int step = 0; step < 4;) {
        bool is_cancelled = false;
        try {
            switch (step) {
            case 0: got->emplace_back(co_await reader.readline()); break;
            case 1: got->emplace_back(co_await reader.readexactly(5)); break;
            case 2: got->emplace_back(co_await reader.readuntil(semicolon_or_line)); break;
            default: got->emplace_back(co_await reader.read()); break;
            }
            ++step;
        } catch (const std::system_error& error) {
            is_cancelled = error.code() == asio::error::operation_aborted;
            if (!is_cancelled)
                throw;
        }
        if (is_cancelled)
            co_await asio::this_coro::reset_cancellation_state(
                asio::enable_terminal_cancellation());
    }
}

} // namespace

TEST_CASE("streams: a read that is cancelled at any step loses nothing", "[streams]")
{
    const std::string input = "a line\nhelloup to;the rest\n";
    for (std::size_t at = 0; at <= input.size(); ++at) {
        for (const auto size : {std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
            CAPTURE(at, size);
            texts got;
            asio::cancellation_signal cancel;
            asynchat::testing::loop loop;
            auto server = asynchat::start_server(
                loop,
                [&](stream_reader reader, stream_writer writer) -> awaitable<void> {
                    co_await asio::co_spawn(
                        loop.context(), read_all_kinds(reader, &got),
                        asio::bind_cancellation_slot(cancel.slot(), asio::use_awaitable));
                    writer.write("done");
                },
                here);
            auto peer = loop.connect(here);
            loop.settle();
            for (std::size_t sent = 0; sent < input.size(); sent += size) {
                if (sent <= at && at < sent + size) {
                    cancel.emit(asio::cancellation_type::terminal);
                    loop.settle();
                }
                peer.send(std::string_view(input).substr(sent, size));
                loop.settle();
            }
            peer.finish();
            CHECK(peer.received() == "done");
            CHECK(got == texts{"a line\n", "hello", "up to;", "the rest\n"});
        }
    }
}

TEST_CASE("streams: spawn() keeps a loop running, and its exception leaves run()", "[streams]")
{
    asynchat::loop loop;
    auto server = asynchat::start_server(loop, echo, endpoint("127.0.0.1", 0));
    std::string got;
    const auto client = [&]() -> awaitable<void> {
        auto c = co_await asynchat::open_connection(loop, server->local_endpoint());
        c.writer.write("over a socket\n");
        got = co_await c.reader.readline();
        c.writer.close();
        co_await c.writer.wait_closed();
        server->stop(0s);
        throw std::runtime_error("the end");
    };
    asynchat::spawn(loop, client());
    CHECK_THROWS_WITH(loop.run(), "the end");
    CHECK(got == "over a socket\n");
    loop.run();
}

TEST_CASE("streams: over a UNIX socket", "[streams][loopback]")
{
    asynchat::loop loop;
    support::temp_dir dir;
    const std::string name = dir.file("socket");
    auto server = asynchat::start_server(loop, echo, endpoint::unix_path(name));
    std::string got;
    const auto client = [&]() -> awaitable<void> {
        auto c = co_await asynchat::open_connection(loop, endpoint::unix_path(name));
        c.writer.write("hello\n");
        got = co_await c.reader.readline();
        server->stop(0s);
    };
    asynchat::spawn(loop, client());
    loop.run();
    CHECK(got == "hello\n");
}

TEST_CASE("streams: a rate of bytes, of one stream and of all of a server", "[streams][rates]")
{
    texts got;
    conversation c([&got](stream_reader reader, stream_writer writer) -> awaitable<void> {
        writer.channel()->read_rate(1000);
        for (;;) {
            const auto line = co_await reader.readline();
            if (line.empty())
                break;
            got.emplace_back(line);
        }
    });
    for (int i = 0; i < 8; ++i)
        c.peer.send(std::string(499, 'x') + "\n");
    c.loop.settle();
    CHECK(got.size() == 2);
    c.loop.advance(1s);
    CHECK(got.size() == 4);
    c.server->read_rate(100); // the first receive takes more than there is
    c.loop.advance(3500ms);
    CHECK(got.size() == 5);
    c.loop.advance(5s);
    CHECK(got.size() == 6);
    c.peer.finish();
    c.loop.advance(20s);
    CHECK(got.size() == 8);
    CHECK(c.seen == texts{"ended"});
}
