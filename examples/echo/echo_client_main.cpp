// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The client of the echo pair: sends a text and checks that it comes back.
//
//     echo_client HOST PORT [TEXT]
//
// Exits with 0 if it did.

#include "arguments.hpp"
#include "echo_client.hpp"

#include <exception>
#include <string>

int main(int argc, char** argv)
{
    std::uint16_t port = 0;
    if (argc < 3 || argc > 4 || !echo::parse_port(argv[2], port)) {
        fmt::print(stderr, "usage: echo_client HOST PORT [TEXT]\n");
        return 2;
    }
    try {
        bool matched = false;
        asynchat::loop loop;
        loop.stop_on_signals();
        loop.create<echo::echo_client>(
            argv[1], port, std::string(argc > 3 ? argv[3] : echo::lorem_ipsum), matched);
        loop.run();
        return matched ? 0 : 1;
    } catch (const std::exception& error) {
        fmt::print(stderr, "echo_client: {}\n", error.what());
        return 1;
    }
}
