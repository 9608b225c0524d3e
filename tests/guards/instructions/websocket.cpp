// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A message of WebSocket, the same as a counted frame, and what is done to each byte; see
// counting.hpp.
#include "counting.hpp"
#include "scripted.hpp"
#include "websocket/frames.hpp"

#include <asynchat/detail/websocket/masking.hpp>
#include <asynchat/detail/websocket/utf8_check.hpp>
#include <asynchat/websocket_chat.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace {

using guards::batch;

class without_socket : public asynchat::websocket_chat {
public:
    explicit without_socket(asynchat::loop& owner) : websocket_chat(owner, asynchat::socket()) {}
};

/// As docs/websocket.md writes it. The first batch is the request.
class websocket_echo : public guards::scripted<without_socket> {
public:
    using scripted::scripted;
    void handle_message(std::string_view data, asynchat::message_kind) override { push_text(data); }

    std::size_t recv(asio::mutable_buffer into) override
    {
        return is_open() ? scripted::recv(into) : asio::buffer_copy(into, asio::buffer(request_));
    }

private:
    const std::string_view request_ = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
};

/// Frames behind a line that says how long they are, as the benchmark has them.
class frame_echo : public guards::scripted<asynchat::frame_chat> {
public:
    explicit frame_echo(asynchat::loop& owner) : scripted(owner) { set_terminator("\n"); }
    void found_frame(std::string_view frame) override
    {
        if (get_terminator().is_bytes()) {
            set_terminator(*asynchat::parse_number(frame.substr(5), 65536));
        } else {
            push(take_frame());
            set_terminator("\n");
        }
    }
};

std::string frames(std::size_t count)
{
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all += "ECHO 64\n" + std::string(64, 'x');
    return all;
}

std::string messages(std::size_t count)
{
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all += support::frame(support::fin | support::text, std::string(64, 'x'));
    return all;
}

template <class Chat>
void receive_one_by_one(std::size_t n, const std::string& input)
{
    const auto receive = [&input](Chat& chat) {
        chat.input = input;
        chat.handle_read_event();
    };
    guards::in_events<Chat>(n, receive, 1);
}

/// 1 KiB is a message here.
void check(std::size_t n, std::string_view character)
{
    std::string text;
    while (text.size() < 1024)
        text += character;
    std::size_t good = 0;
    for (std::size_t i = 0; i < n; ++i) {
        guards::hide(text);
        good += asynchat::detail::is_utf8(text) ? 1 : 0;
    }
    if (good != n)
        throw support::test_error("it is UTF-8");
}

// --- kinds of work -------------------------------------------------------------------------------

const guards::kind kinds[] = {
    {"websocket-64", [](std::size_t n) { guards::receive<websocket_echo>(n, messages(batch)); }},
    {"frames-64", [](std::size_t n) { guards::receive<frame_echo>(n, frames(batch)); }},
    {"websocket-64-one-by-one",
     [](std::size_t n) { receive_one_by_one<websocket_echo>(n, messages(1)); }},
    {"frames-64-one-by-one", [](std::size_t n) { receive_one_by_one<frame_echo>(n, frames(1)); }},
    {"unmask-1k",
     [](std::size_t n) {
         std::string text(1024, 'x');
         asynchat::detail::masking_key key{1, 2, 3, 4};
         for (std::size_t i = 0; i < n; ++i) {
             guards::hide(text);
             static_cast<void>(asynchat::detail::unmask(text.data(), text.size(), key));
         }
     }},
    {"utf8-1k-of-ascii", [](std::size_t n) { check(n, "x"); }},
    {"utf8-1k-of-two-bytes", [](std::size_t n) { check(n, "\xc3\xa4"); }},
};

} // namespace

int main(int argc, char** argv)
{
    return guards::count_all(argc, argv, kinds, batch, "/websocket");
}
