// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "tls/openssl_peer.hpp"
#include "tls/support.hpp"

#include <asynchat/streams.hpp>

#include <string>
#include <string_view>
#include <system_error>
#include <utility>

// Streams over TLS: the handshake is over before a coroutine gets the stream.

using asio::awaitable;
using asynchat::stream_options;
using asynchat::stream_reader;
using asynchat::stream_writer;

namespace {

awaitable<void> echo_lines(stream_reader reader, stream_writer writer)
{
    for (auto line = co_await reader.readline(); !line.empty(); line = co_await reader.readline())
        writer.write(line);
}

awaitable<void> ask(asynchat::loop& loop, stream_options options, std::string* answer)
{
    try {
        auto stream = co_await asynchat::open_connection(loop, support::there, options);
        stream.writer.write("hello\n");
        *answer = co_await stream.reader.readline();
    } catch (const asynchat::connection_lost& error) {
        *answer = error.what();
    }
}

/// What a client gets that protects its connection and expects this name.
std::string answer_over_tls(const char* expected_name)
{
    asynchat::testing::loop loop;
    loop.log_sink([](asynchat::log_type, std::string_view) {});
    const auto server = asynchat::start_server(loop, echo_lines, support::there);
    use_tls(*server, support::server_context());
    stream_options options;
    options.configure = [expected_name](asynchat::async_chat& channel) {
        start_tls(channel, support::client_context(), expected_name);
    };
    std::string answer;
    asynchat::spawn(loop, ask(loop, options, &answer));
    loop.settle();
    return answer;
}

/// Both sides of a small STARTTLS: "STARTTLS", "go", and then an echo.
awaitable<void> serve_starttls(stream_reader reader, stream_writer writer)
{
    const auto line = co_await reader.readline();
    if (line != "STARTTLS\n")
        co_return;
    writer.write("go\n");
    co_await writer.start_tls(support::server_context());
    writer.write(co_await reader.readline());
}
awaitable<void> ask_starttls(asynchat::loop& loop, const char* name, std::string* answer)
{
    auto stream = co_await asynchat::open_connection(loop, support::there);
    stream.writer.write("STARTTLS\n");
    co_await stream.reader.readline();
    try {
        co_await stream.writer.start_tls(support::client_context(), name);
        stream.writer.write("secret\n");
        *answer = co_await stream.reader.readline();
    } catch (const asynchat::connection_lost& error) {
        *answer = error.what();
    }
}
std::string answer_after_starttls(const char* expected_name)
{
    asynchat::testing::loop loop;
    loop.log_sink([](asynchat::log_type, std::string_view) {});
    asynchat::start_server(loop, serve_starttls, support::there);
    std::string answer;
    asynchat::spawn(loop, ask_starttls(loop, expected_name, &answer));
    loop.settle();
    return answer;
}

/// What a read gives: its bytes, or why it throws.
awaitable<std::string> told(awaitable<std::string_view> read)
{
    try {
        co_return std::string(co_await std::move(read));
    } catch (const asynchat::connection_lost& error) {
        co_return std::string(to_string(error.reason()));
    }
}

} // namespace

TEST_CASE("streams: start_tls() in the middle, on both sides", "[streams][tls]")
{
    CHECK(answer_after_starttls("localhost") == "secret\n");
    const std::string refused = answer_after_starttls("other.example");
    CHECK(refused.find("other.example") != std::string::npos);
}

TEST_CASE("streams: start_tls() refuses bytes that came before it", "[streams][tls]")
{
    for (const bool in_one_piece : {true, false}) {
        asynchat::testing::loop loop;
        std::string log;
        loop.log_sink([&log](asynchat::log_type, std::string_view line) { log += line; });
        const auto server = asynchat::start_server(loop, serve_starttls, support::there);
        auto peer = loop.connect(support::there);
        if (in_one_piece) {
            peer.send("STARTTLS\ninjected\n");
        } else { // cut in the middle of the second line
            peer.send("STARTTLS\ninj");
            peer.send("ected\n");
        }
        loop.settle();
        CHECK(server->counters().open == 0);
        CHECK(log.find("bytes were unread when TLS began") != std::string::npos);
        CHECK(peer.received().find("injected") == std::string::npos);
    }
}

TEST_CASE("streams: a server and a client over TLS", "[streams][tls]")
{
    CHECK(answer_over_tls("localhost") == "hello\n");
}

TEST_CASE("streams: a client does not get a stream to another host than it expects",
          "[streams][tls]")
{
    const std::string answer = answer_over_tls("other.example");
    CHECK(answer.find("other.example") != std::string::npos);
    CHECK(answer.find("hello") == std::string::npos);
}

TEST_CASE("streams: TLS that is cut off is an error, after the data that came", "[streams][tls]")
{
    const bool waits = GENERATE(true, false); // a read, when the bytes and their end come
    asynchat::testing::loop loop;
    loop.log_sink([](asynchat::log_type, std::string_view) {});
    support::strings seen;
    const auto read = [&seen, waits](stream_reader reader,
                                     stream_writer writer) -> awaitable<void> {
        if (!waits)
            co_await writer.wait_closed();
        seen.push_back(co_await told(reader.readline()));
        seen.push_back(co_await told(reader.readline()));
        seen.push_back(co_await told(reader.read(100)));
        seen.push_back(co_await told(reader.read(100)));
        seen.push_back(co_await told(reader.read()));
    };
    const auto server = asynchat::start_server(loop, read, support::there);
    use_tls(*server, support::server_context());
    support::openssl_peer peer(support::openssl_peer::side::client, loop.connect(support::there));
    REQUIRE(peer.handshake());
    peer.send("one\ntw");
    peer.connection.finish(); // without close_notify
    loop.settle();
    CHECK(seen ==
          support::strings{"one\n", "tls truncated", "tw", "tls truncated", "tls truncated"});
}
