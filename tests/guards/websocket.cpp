// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The heap that an idle member of a chat room takes: of chat, at a terminal, and of web_chat, in a
// browser. Both have joined.
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

std::string in_browser(std::size_t number)
{
    using support::fin;
    using support::text;
    return "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
           support::frame(fin | text, "/nick " + name_of(number)) +
           support::frame(fin | text, "/join");
}

/// After its first minute, in which a timer waits for it to join.
class settled_member : public web_chat::web_member {
public:
    using web_member::web_member;
    void handle_websocket_open() override {}
};

template <class Member, class... Arguments>
double bytes_of_a_member(std::string (*says)(std::size_t), chat::room& room, Arguments... arguments)
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
            loop.create<Member>(std::move(ends.first), arguments...);
            peers.emplace_back(ends.second.release());
            support::check_call(::send(peers.back().get(), said.data(), said.size(),
                                       MSG_NOSIGNAL) == static_cast<ssize_t>(said.size()),
                                "send");
            settle();
            if (!room.find(name_of(peers.size() - 1)))
                throw support::test_error("it has not joined");
        }
    };
    join(first);
    const std::size_t before = support::memory_in_use();
    join(more);
    return static_cast<double>(support::memory_in_use() - before) / more;
}

double bytes_at_terminal()
{
    chat::room room;
    return bytes_of_a_member<chat::member>(at_terminal, room, std::ref(room));
}

double bytes_in_browser()
{
    chat::room room;
    web_chat::door door{room, ""};
    return bytes_of_a_member<settled_member>(in_browser, room, std::ref(door),
                                             asynchat::websocket_options().max_message(4096));
}

} // namespace

int main()
try {
    guards::report report;
    const double at_terminal = bytes_at_terminal();
    std::printf("an idle member at a terminal takes %.0f bytes\n", at_terminal);
    report.at_most("bytes more of one in a browser", bytes_in_browser() - at_terminal, 64);
    return report.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
