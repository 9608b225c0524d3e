// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Connects each client to the server at HOST and PORT, and passes the bytes on in both directions.
//
//     proxy HOST PORT

#include <asynchat/asynchat.hpp>

#include <fmt/core.h>

#include <string>
#include <utility>

class inward : public asynchat::relay {
public:
    inward(asynchat::loop& loop, asynchat::socket peer, const std::string& host,
           const std::string& port)
        : relay(loop, std::move(peer))
    {
        const auto outward = loop.create<asynchat::relay>();
        outward->connect(host, port);
        join(*outward);
    }
};

int main(int argc, char** argv)
{
    if (argc != 3) {
        fmt::print(stderr, "usage: proxy HOST PORT\n");
        return 2;
    }
    const std::string host = argv[1];
    const std::string port = argv[2];

    asynchat::loop loop;
    loop.stop_on_signals();
    const asynchat::endpoint any_port("127.0.0.1", 0);
    const auto server = loop.create<asynchat::server<inward>>(any_port, host, port);
    server->log("listening on {}", server->local_endpoint().to_string());
    loop.run();
}
