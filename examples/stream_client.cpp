// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Sends a line to a server, and prints the line that the server answers.
//
//     stream_client HOST PORT LINE

#include <asynchat/asynchat.hpp>
#include <asynchat/streams.hpp>

#include <fmt/core.h>

#include <chrono>
#include <exception>
#include <string>

asio::awaitable<void> ask(asynchat::loop& loop, std::string host, std::string port,
                          std::string line)
{
    auto stream = co_await asynchat::open_connection(loop, host, port);
    stream.writer.print("{}\n", line);
    auto answer = co_await stream.reader.readuntil("\n");
    answer.remove_suffix(1);
    fmt::print("{}\n", asynchat::escaped(answer));
}

int main(int argc, char** argv)
try {
    if (argc != 4) {
        fmt::print(stderr, "usage: stream_client HOST PORT LINE\n");
        return 2;
    }
    asynchat::loop loop;
    const auto limit = std::chrono::seconds(10);
    asynchat::spawn(loop, with_timeout(loop, limit, ask(loop, argv[1], argv[2], argv[3])));
    loop.run(); // ends with the coroutine
} catch (const std::exception& error) {
    fmt::print(stderr, "stream_client: {}\n", error.what());
    return 1;
}
