// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The server of the echo pair, for any number of clients, until SIGINT or SIGTERM.
//
//     echo_server [HOST [PORT]]     HOST in digits, 127.0.0.1 if not given; PORT 0 is any free one

#include "arguments.hpp"
#include "echo_handler.hpp"

#include <exception>
#include <string>

int main(int argc, char** argv)
{
    std::uint16_t port = 0;
    if (argc > 3 || (argc == 3 && !echo::parse_port(argv[2], port))) {
        fmt::print(stderr, "usage: echo_server [HOST [PORT]]\n");
        return 2;
    }
    try {
        const asynchat::endpoint where(argc > 1 ? argv[1] : "127.0.0.1", port);
        asynchat::loop loop;
        loop.stop_on_signals();
        const auto server = loop.create<asynchat::server<echo::echo_handler>>(where);
        echo::step("EchoServer", "listening on {}", server->local_endpoint().to_string());
        loop.run();
        echo::step("EchoServer", "stopped");
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "echo_server: {}\n", error.what());
        return 1;
    }
}
