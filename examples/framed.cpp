// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Sends each frame back. A frame is its length in 4 bytes, most significant first, then its bytes.

#include <asynchat/asynchat.hpp>

#include <string>
#include <string_view>
#include <utility>

class session : public asynchat::frame_chat {
public:
    using frame_chat::frame_chat;
    void handle_open() override
    {
        set_terminator(asynchat::terminator::length_prefix(4));
        max_frame(1 << 20); // a longer frame ends the connection before it takes any memory
    }

    void found_frame(std::string_view frame) override
    {
        push(length_of(frame));
        push(frame); // sent together with its length
    }

private:
    static std::string length_of(std::string_view frame)
    {
        std::string bytes;
        for (int shift = 24; shift >= 0; shift -= 8)
            bytes += static_cast<char>(frame.size() >> shift & 0xff);
        return bytes;
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
