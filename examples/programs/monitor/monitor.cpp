// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A server that sends lines back, with a monitor.
//
//     monitor [--loops N] [--watch HOST PORT] [--token FILE] [HOST [PORT]]
//
// It runs until SIGINT or SIGTERM.
//
// Exits with 0 after a signal, with 1 if it cannot serve, with 2 after wrong use.

#include "../arguments.hpp"
#include "monitor.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

namespace demo {

class echo : public asynchat::frame_chat {
public:
    using frame_chat::frame_chat;

    void handle_open() override { set_terminator("\n"); }

    void found_frame(std::string_view line) override
    {
        constexpr std::string_view verb = "busy ";
        if (line.substr(0, verb.size()) == verb)
            be_busy(asynchat::parse_number(line.substr(verb.size()), 10000));
        push(line);
        push("\n");
    }

private:
    static void be_busy(asynchat::parsed_number milliseconds)
    {
        const auto end =
            std::chrono::steady_clock::now() + std::chrono::milliseconds(*milliseconds);
        while (std::chrono::steady_clock::now() < end) {
        }
    }
};

} // namespace demo

namespace {

constexpr std::string_view usage =
    "usage: monitor [--loops N] [--watch HOST PORT] [--token FILE] [HOST [PORT]]\n"
    "\n"
    "Sends each line back until SIGINT or SIGTERM, and shows what happens in a browser and to\n"
    "Prometheus. The line \"busy 50\" keeps a loop busy for 50 milliseconds.\n"
    "\n"
    "  --loops N          so many loops, each in its thread (1)\n"
    "  --watch HOST PORT  the address of the monitor: 127.0.0.1 and any free port if not given\n"
    "  --token FILE       who looks has to know the first line of this file; needed unless HOST "
    "is\n"
    "                     an address of this machine only\n"
    "  HOST               an address in digits: 127.0.0.1 if not given\n"
    "  PORT               0, or none, is any free one; the first line of the output tells which\n";

std::string first_line(const std::string& path)
{
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    if (!line.empty() && line.back() == '\r')
        line.pop_back();
    if (line.empty())
        throw arguments::wrong_use(fmt::format("--token: no line in {}", asynchat::escaped(path)));
    return line;
}

int serve(arguments::command_line line)
{
    using namespace std::chrono_literals;
    const std::size_t count = line.loops(64);
    const auto watch = line.pair("--watch");
    const auto token = line.option("--token");
    const auto where = arguments::address(line.words(2));
    const asynchat::endpoint page =
        watch ? asynchat::endpoint(watch->first, arguments::port("--watch", watch->second))
              : asynchat::endpoint("127.0.0.1", 0);

    asynchat::server_group<demo::echo> group(asynchat::group_options(where).loops(count));
    const monitor::monitor shown(group, page, token ? first_line(*token) : "");
    fmt::print("listening on {}\nmonitor on http://{}/\n", group.local_endpoint().to_string(),
               shown.local_endpoint().to_string());
    std::fflush(stdout);
    group.stop_on_signals(5s);
    group.run();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("monitor", usage, argc, argv, serve);
}
