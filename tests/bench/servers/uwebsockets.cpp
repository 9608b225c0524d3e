// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0
//
// uWebSockets: answers of one receive leave together, as it does by itself.
#include <App.h>

#include <cstdio>
#include <string_view>

struct member {};

int main(int argc, char** argv)
{
    if (argc != 2 || std::string_view(argv[1]) != "websocket")
        return std::fprintf(stderr, "usage: %s websocket\n", argv[0]), 2;
    uWS::TemplatedApp<false>::WebSocketBehavior<member> echo;
    echo.compression = uWS::DISABLED;
    echo.maxPayloadLength = 65536;
    echo.maxBackpressure = 0; // without a limit, as the others
    echo.message = [](auto* socket, std::string_view text, uWS::OpCode kind) {
        socket->send(text, kind);
    };
    uWS::App()
        .ws<member>("/*", std::move(echo))
        .listen("127.0.0.1", 0,
                [](us_listen_socket_t* listener) {
                    const auto socket = reinterpret_cast<us_socket_t*>(listener);
                    std::printf("%d\n", us_socket_local_port(0, socket));
                    std::fflush(stdout);
                })
        .run();
}
