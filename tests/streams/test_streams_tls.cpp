// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "tls/support.hpp"

#include <asynchat/streams.hpp>

#include <string>
#include <system_error>

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
