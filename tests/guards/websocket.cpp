// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The heap that an idle WebSocket takes, beside an async_chat; and that an idle member of a chat
// room takes: of chat, at a terminal, and of web_chat, in a browser. Both have joined.
#include "guards/guard.hpp"
#include "support/memory.hpp"
#include "websocket/frames.hpp"

#include <chat/member.hpp>
#include <web_chat/web_member.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace {

// With these the loop's list of channels does not grow while one counts.
constexpr std::size_t first = 140;
constexpr std::size_t more = 110;

std::string name_of(std::size_t number)
{
    return "m" + std::to_string(1000 + number);
}

std::string at_terminal(std::size_t number)
{
    return "/nick " + name_of(number) + "\n/join\n";
}

const std::string upgrade =
    "GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

std::string in_browser(std::size_t number)
{
    using support::fin;
    using support::text;
    return upgrade + support::frame(fin | text, "/nick " + name_of(number)) +
           support::frame(fin | text, "/join");
}

class plain : public asynchat::async_chat {
public:
    plain(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

class timed : public plain {
public:
    timed(asynchat::loop& owner, asynchat::socket from) : plain(owner, std::move(from))
    {
        silence_interval(std::chrono::seconds(30));
    }
};

class web_socket : public asynchat::websocket_chat {
public:
    using websocket_chat::websocket_chat;
    void handle_message(std::string_view, asynchat::message_kind) override {}
};

/// `says` is what number n sends; `has_joined` says whether that was understood.
template <class Channel, class Says, class HasJoined, class... Arguments>
double bytes_of_a_channel(Says says, HasJoined has_joined, Arguments... arguments)
{
    asio::io_context context;
    asynchat::loop loop(context);
    std::vector<support::descriptor> peers;
    peers.reserve(first + more);
    const auto settle = [&] {
        while (context.poll() > 0) {
        }
        char heard[4096]; // each is told of each
        for (const support::descriptor& peer : peers) {
            while (::recv(peer.get(), heard, sizeof heard, MSG_DONTWAIT) > 0) {
            }
        }
    };
    const auto join = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::string said = says(peers.size());
            auto ends = asynchat::socket::pair();
            const auto channel = loop.create<Channel>(std::move(ends.first), arguments...).lock();
            peers.emplace_back(ends.second.release());
            support::check_call(::send(peers.back().get(), said.data(), said.size(),
                                       MSG_NOSIGNAL) == static_cast<ssize_t>(said.size()),
                                "send");
            settle();
            if (!has_joined(*channel, peers.size() - 1))
                throw support::test_error("it has not joined");
        }
    };
    join(first);
    const std::size_t before = support::memory_in_use();
    join(more);
    return static_cast<double>(support::memory_in_use() - before) / more;
}

template <class Channel>
double bytes_of_a_line_channel()
{
    return bytes_of_a_channel<Channel>(
        [](std::size_t) { return std::string("hello\n"); },
        [](Channel& channel, std::size_t) { return channel.connected(); });
}

double bytes_of_a_websocket()
{
    return bytes_of_a_channel<web_socket>(
        [](std::size_t) { return upgrade; },
        [](web_socket& channel, std::size_t) { return channel.is_open(); });
}

double bytes_at_terminal()
{
    chat::room room;
    return bytes_of_a_channel<chat::member>(
        at_terminal,
        [&](chat::member&, std::size_t number) { return room.find(name_of(number)) != nullptr; },
        std::ref(room));
}

double bytes_in_browser()
{
    chat::room room;
    web_chat::door door{room, "", ""};
    return bytes_of_a_channel<web_chat::web_member>(
        in_browser,
        [&](web_chat::web_member&, std::size_t number) {
            return room.find(name_of(number)) != nullptr;
        },
        std::ref(door), asynchat::websocket_options().max_message(web_chat::longest_message));
}

} // namespace

int main()
try {
    guards::report report;
    const double channel = bytes_of_a_line_channel<plain>();
    std::printf("an idle async_chat takes %.0f bytes\n", channel);
    const double websocket = bytes_of_a_websocket();
    report.at_most("bytes more of an idle websocket_chat", websocket - channel, 400);
    report.at_most("bytes more than of an async_chat with a clock",
                   websocket - bytes_of_a_line_channel<timed>(), 64);
    const double at_terminal = bytes_at_terminal();
    std::printf("an idle member at a terminal takes %.0f bytes\n", at_terminal);
    report.at_most("bytes more of one in a browser", bytes_in_browser() - at_terminal, 64);
    return report.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
