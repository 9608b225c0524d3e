// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Server and client in one loop, over a real connection, with every step printed.
//
//     ./run echo
//
// Exits with 0 if the client got back what it sent.

#include "echo_client.hpp"
#include "echo_handler.hpp"

#include <exception>
#include <utility>

namespace {

// Serves one client and is gone; the loop ends when both sides are.
class echo_server : public asynchat::dispatcher {
public:
    explicit echo_server(asynchat::loop& loop) : dispatcher(loop)
    {
        create_socket();
        bind(asynchat::endpoint("127.0.0.1", 0));
        listen(1);
    }

    void handle_accepted(asynchat::socket connection, const asynchat::endpoint&) override
    {
        owner().create<echo::echo_handler>(std::move(connection));
        close();
    }
};

} // namespace

int main()
{
    try {
        bool matched = false;
        asynchat::loop loop;
        const auto server = loop.create<echo_server>();
        loop.create<echo::echo_client>("127.0.0.1", server->local_endpoint().port(),
                                       std::string(echo::lorem_ipsum), matched);
        loop.run();
        return matched ? 0 : 1;
    } catch (const std::exception& error) {
        fmt::print(stderr, "echo: {}\n", error.what());
        return 1;
    }
}
