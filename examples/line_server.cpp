// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Answers each line with its length and its text; "quit" ends the session.

#include <asynchat/asynchat.hpp>

#include <string>
#include <string_view>
#include <utility>

class session : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_open() override
    {
        set_terminator({"\r\n", "\n"}); // telnet sends the first, netcat the second
    }

    void found_terminator() override
    {
        const std::string line = _get_data();
        if (line == "quit") {
            push("bye\n");
            close_when_done();
        } else {
            print("{} bytes: {}\n", line.size(), line);
        }
    }
};

int main()
{
    asynchat::loop loop;
    loop.stop_on_signals();
    const asynchat::endpoint any_port("127.0.0.1", 0);
    const auto server = loop.create<asynchat::server<session>>(any_port);
    server->log("listening on {}", server->local_endpoint().to_string());
    loop.run();
}
