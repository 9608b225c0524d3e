// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>
#include <asynchat/websocket_chat.hpp>

#include <cstdio>
#include <string>

namespace {

class echo : public asynchat::websocket_chat {
public:
    using websocket_chat::websocket_chat;
    void handle_message(std::string_view data, asynchat::message_kind) override { push_text(data); }
};

} // namespace

int main()
{
    asynchat::testing::loop loop;
    const asynchat::endpoint where("127.0.0.1", 80);
    loop.create<asynchat::server<echo>>(where, asynchat::websocket_options());
    auto client = loop.connect(where);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    if (client.received().find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == std::string::npos)
        return 1;
    std::puts("asynchat: WebSocket has answered");
}
