// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/streams.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <thread>

// Streams in two loops of two threads.

using asio::awaitable;
using asynchat::stream_reader;
using asynchat::stream_writer;

namespace {

constexpr int clients = 20;
constexpr int lines = 20;

awaitable<void> echo(stream_reader reader, stream_writer writer)
{
    for (auto line = co_await reader.readline(); !line.empty(); line = co_await reader.readline()) {
        writer.write(line);
        co_await writer.drain();
    }
}

/// Counts the lines that come back as they were sent.
awaitable<void> ask(asynchat::loop& loop, asynchat::endpoint where, int number, int* answered)
{
    auto stream = co_await asynchat::open_connection(loop, where);
    for (int i = 0; i < lines; ++i) {
        const std::string line = fmt::format("{} of {}\n", i, number);
        stream.writer.write(line);
        const auto answer = co_await stream.reader.readline();
        *answered += answer == line ? 1 : 0;
    }
}

} // namespace

TEST_CASE("streams: a server and its clients in two threads", "[streams][loopback][threads]")
{
    asynchat::loop served;
    const auto server = asynchat::start_server(served, echo, asynchat::endpoint("127.0.0.1", 0));
    const auto where = server->local_endpoint();
    std::thread serving([&] { served.run(); });
    int answered = 0;
    {
        asynchat::loop loop;
        for (int number = 0; number < clients; ++number)
            asynchat::spawn(loop, ask(loop, where, number, &answered));
        loop.run();
    }
    server.post([](auto& its) { its.stop(asynchat::loop::duration::zero()); });
    serving.join();
    CHECK(answered == clients * lines);
}
