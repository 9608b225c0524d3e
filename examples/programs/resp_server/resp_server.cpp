// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A cache in memory that the clients of Redis can use.
//
//     resp_server [--loops N] [--memory MIB] [--timeout SECONDS] [HOST [PORT]]
//
// It runs until SIGINT or SIGTERM.
//
// Exits with 0 after a signal, with 1 if it cannot serve, with 2 after wrong use.

#include "../arguments.hpp"
#include "session.hpp"

#include <asynchat/server_group.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>

namespace {

constexpr std::string_view usage =
    "usage: resp_server [--loops N] [--memory MIB] [--timeout SECONDS] [HOST [PORT]]\n"
    "\n"
    "Keeps values in memory for clients of Redis, until SIGINT or SIGTERM.\n"
    "\n"
    "  --loops N          so many threads serve the clients (1)\n"
    "  --memory MIB       for the keys and values together (256)\n"
    "  --timeout SECONDS  for a request to be complete (30; 0 is for ever)\n"
    "  HOST               an address in digits: 127.0.0.1 if not given\n"
    "  PORT               0, or none, is any free one; the first line of the output tells which\n";

// Clients that have begun a request and do not go on.
void end_stuck_sessions(asynchat::loop& loop)
{
    for (const auto& channel : loop.channels()) {
        if (const auto client = std::dynamic_pointer_cast<resp::session>(channel))
            client->end_if_stuck();
    }
}

int serve(arguments::command_line line)
{
    using namespace std::chrono_literals;
    // Not more than half of what can be addressed: with 32 bits, 2 GiB.
    constexpr std::size_t most_memory =
        std::min<std::uint64_t>(1 << 20, std::numeric_limits<std::size_t>::max() >> 21); // MiB
    const std::size_t loops = line.loops(256);
    resp::service all(line.number("--memory", 256, most_memory) << 20, loops);
    all.patience = std::chrono::seconds(line.number("--timeout", 30, 3600));
    const auto where = arguments::address(line.words(2));
    // Clients of a cache are few and stay for long.
    asynchat::server_group<resp::session> group(
        asynchat::group_options(where).loops(loops).policy(asynchat::spread::hand_off),
        std::ref(all));
    group.each([&](asynchat::server_base& server) {
        asynchat::loop& loop = server.owner();
        server.max_connections(1000);
        all.messages.add(loop);
        if (all.patience > 0s)
            loop.call_every(all.patience, [&loop] { end_stuck_sessions(loop); });
    });
    group.stop_on_signals(5s);
    fmt::print("listening on {}\n", group.local_endpoint().to_string());
    std::fflush(stdout);
    group.run();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("resp_server", usage, argc, argv, serve);
}
