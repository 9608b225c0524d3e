// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Sends lines to an echo server, each after the answer to the line before, and prints the answers.
//
//     line_echo_client HOST PORT LINE...
//
// Exits with 0 if each line was answered with a line, with 1 if not, with 2 after wrong use.

#include "../arguments.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/streams.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view usage =
    "usage: line_echo_client HOST PORT LINE...\n"
    "\n"
    "Sends each LINE to a server that sends all back, and prints what comes.\n";
constexpr std::chrono::seconds answer_limit(10);

// Counts the lines that come back in `answered`.
asio::awaitable<void> converse(asynchat::loop& loop, std::string host, std::uint16_t port,
                               const std::vector<std::string>& lines, std::size_t& answered)
{
    auto stream = co_await asynchat::open_connection(loop, host, port);
    for (const std::string& line : lines) {
        stream.writer.print("{}\n", line);
        auto answer = co_await with_timeout(loop, answer_limit, stream.reader.readuntil("\n"));
        answer.remove_suffix(1);
        fmt::print("{}\n", asynchat::escaped(answer));
        ++answered;
    }
}

int send_lines(const arguments::command_line& line)
{
    const auto words = line.words({"HOST", "PORT", "LINE"});
    const auto port = arguments::port("PORT", words[1]);
    const std::vector<std::string> lines(words.begin() + 2, words.end());
    std::size_t answered = 0;
    asynchat::loop loop;
    loop.stop_on_signals();
    asynchat::spawn(loop, converse(loop, words[0], port, lines, answered));
    try {
        loop.run();
    } catch (const std::exception& error) {
        fmt::print(stderr, "line_echo_client: {} of {} lines came back: {}\n", answered,
                   lines.size(), error.what());
    }
    return answered == lines.size() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("line_echo_client", usage, argc, argv, send_lines);
}
