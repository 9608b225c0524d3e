// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// This library's WebSocket, as docs/websocket.md writes a server.

#include "server.hpp"

#include <asynchat/websocket_chat.hpp>

#include <string_view>

namespace {

class echo : public asynchat::websocket_chat {
public:
    using websocket_chat::websocket_chat;
    void handle_message(std::string_view data, asynchat::message_kind) override { push_text(data); }
};

} // namespace

int main(int argc, char** argv)
{
    if (argc != 2 || argv[1] != std::string_view("websocket"))
        return std::fprintf(stderr, "usage: %s websocket\n", argv[0]), 2;
    asynchat::loop loop;
    return bench::run(loop, bench::listen<echo>(loop, argv));
}
