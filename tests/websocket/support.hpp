// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_WEBSOCKET_SUPPORT_HPP
#define ASYNCHAT_TESTS_WEBSOCKET_SUPPORT_HPP

#include "frames.hpp"
#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>
#include <asynchat/websocket_chat.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A client and the server's channel, in one testing::loop.
namespace support {

using strings = std::vector<std::string>;
using asynchat::message_kind;
using asynchat::upgrade_request;
using asynchat::websocket_options;

/// Of the example in RFC 6455, section 1.3.
inline const std::string usual_request = "GET /chat HTTP/1.1\r\n"
                                         "Host: server.example.com\r\n"
                                         "Upgrade: websocket\r\n"
                                         "Connection: Upgrade\r\n"
                                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                         "Sec-WebSocket-Version: 13\r\n\r\n";
inline const std::string usual_answer =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The usual request with more lines.
inline std::string request_with(std::string_view lines)
{
    std::string request = usual_request;
    return request.insert(request.size() - 2, lines);
}

/// Notes what is called.
class noting : public asynchat::websocket_chat {
public:
    using websocket_chat::websocket_chat;

    bool handle_upgrade(const upgrade_request& request) override
    {
        events.push_back("upgrade " + std::string(request.target()));
        return on_upgrade ? on_upgrade(request) : true;
    }
    void handle_websocket_open() override
    {
        events.push_back("open");
        if (on_open)
            on_open();
    }
    void handle_message(std::string_view data, message_kind kind) override
    {
        events.push_back((kind == message_kind::text ? "text " : "binary ") + std::string(data));
        if (on_message)
            on_message(data);
    }
    void handle_websocket_close(std::uint16_t code, std::string_view reason) override
    {
        events.push_back("close " + std::to_string(code) + " " + std::string(reason));
    }
    void handle_end() override
    {
        events.push_back("end " + std::string(to_string(close_reason())));
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

    using websocket_chat::respond;
    using websocket_chat::take_message;

    strings events;
    std::function<bool(const upgrade_request&)> on_upgrade;
    std::function<void()> on_open;
    std::function<void(std::string_view)> on_message;
};

/// What a server has sent, in words: "text Hello", "pong x", "close 1000 bye".
inline strings frames_in(std::string_view bytes)
{
    strings found;
    while (bytes.size() >= 2) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
        const unsigned first = byte(0);
        std::size_t length = byte(1);
        std::size_t head = 2;
        if (length >= 126) {
            const std::size_t width = length == 126 ? 2 : 8;
            length = 0;
            for (; head < 2 + width; ++head)
                length = length << 8 | byte(head);
        }
        REQUIRE(bytes.size() >= head + length);
        const std::string payload(bytes.substr(head, length));
        bytes.remove_prefix(head + length);
        switch (first) {
        case fin | text: found.push_back("text " + payload); break;
        case fin | binary: found.push_back("binary " + payload); break;
        case fin | ping: found.push_back("ping " + payload); break;
        case fin | pong: found.push_back("pong " + payload); break;
        case fin | closing:
            found.push_back(payload.empty()
                                ? "close"
                                : "close " +
                                      std::to_string(static_cast<unsigned char>(payload[0]) * 256 +
                                                     static_cast<unsigned char>(payload[1])) +
                                      " " + payload.substr(2));
            break;
        default: FAIL("first byte " << first);
        }
    }
    CHECK(bytes.empty());
    return found;
}

/// A WebSocket that is open.
struct opened {
    explicit opened(websocket_options options = {}, std::uint64_t seed = 0) : loop(seed)
    {
        auto [made, other] = loop.accept<noting>(options);
        chat = made;
        peer = std::make_unique<asynchat::testing::peer>(std::move(other));
        peer->send(usual_request);
        REQUIRE(peer->received() == usual_answer);
        REQUIRE(chat->events == strings{"upgrade /chat", "open"});
        chat->events.clear();
    }

    strings frames() { return frames_in(peer->received()); }

    asynchat::testing::loop loop;
    std::shared_ptr<noting> chat;
    std::unique_ptr<asynchat::testing::peer> peer;
};

} // namespace support

#endif
