// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Sends lines to an echo server, each after the answer to the line before, and prints the answers.
//
//     line_echo_client HOST PORT LINE...
//
// Exits with 0 if each line was answered with a line, with 1 if not, with 2 after wrong use.

#include "../arguments.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

class echo_client : public asynchat::async_chat {
public:
    // Counts the lines that come back in `answered`.
    echo_client(asynchat::loop& loop, const std::string& host, std::uint16_t port,
                std::vector<std::string> lines, std::size_t& answered)
        : async_chat(loop), lines_(std::move(lines)), answered_(answered)
    {
        set_terminator("\n");
        idle_timeout(std::chrono::seconds(10));  // a server may be silent for ever,
        frame_timeout(std::chrono::seconds(10)); // or send a byte from time to time
        connect(host, port);
    }

    void handle_connect() override { print("{}\n", lines_.front()); }

    void found_terminator() override
    {
        fmt::print("{}\n", asynchat::escaped(_get_data()));
        if (++answered_ < lines_.size())
            print("{}\n", lines_[answered_]);
        else
            close_when_done();
    }

    void handle_close() override
    {
        if (answered_ < lines_.size()) {
            fmt::print(stderr, "line_echo_client: {} of {} lines came back: {}\n", answered_,
                       lines_.size(), asynchat::to_string(close_reason()));
        }
        close();
    }

private:
    std::vector<std::string> lines_;
    std::size_t& answered_;
};

constexpr std::string_view usage = "usage: line_echo_client HOST PORT LINE...\n";

int send_lines(const arguments::command_line& line)
{
    const auto words = line.words({"HOST", "PORT", "LINE"});
    const auto port = arguments::port("PORT", words[1]);
    const std::vector<std::string> lines(words.begin() + 2, words.end());
    std::size_t answered = 0;
    asynchat::loop loop;
    loop.stop_on_signals();
    loop.create<echo_client>(words[0], port, lines, answered);
    loop.run();
    return answered == lines.size() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("line_echo_client", usage, argc, argv, send_lines);
}
