// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Sends each line back. Each connection is a coroutine.

#include <asynchat/asynchat.hpp>
#include <asynchat/streams.hpp>

#include <exception>

asio::awaitable<void> echo(asynchat::stream_reader reader, asynchat::stream_writer writer)
{
    for (auto line = co_await reader.readline(); !line.empty(); line = co_await reader.readline()) {
        writer.write(line);
        co_await writer.drain(); // while the peer takes nothing
    }
}

int main()
try {
    asynchat::loop loop;
    loop.stop_on_signals();
    const asynchat::endpoint any_port("127.0.0.1", 0);
    const auto server = asynchat::start_server(loop, echo, any_port);
    server->log("listening on {}", server->local_endpoint().to_string());
    loop.run();
} catch (const std::exception& error) {
    return fmt::print(stderr, "stream_echo: {}\n", error.what()), 1;
}
