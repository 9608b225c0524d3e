// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// WebSocket: one verdict, however the frames are cut, and the one that a slow reader comes to. A
// channel in the memory network says the same. A request is read without a fault of ours.
#include "fuzz/input.hpp"
#include "websocket/machine_reader.hpp"
#include "websocket/naive_frames.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>
#include <asynchat/websocket_chat.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using strings = std::vector<std::string>;
using asynchat::message_kind;

class noting : public asynchat::websocket_chat {
public:
    using websocket_chat::websocket_chat;
    void handle_message(std::string_view data, message_kind kind) override
    {
        events.push_back((kind == message_kind::text ? "text " : "binary ") + std::string(data));
    }
    void handle_websocket_close(std::uint16_t code, std::string_view reason) override
    {
        events.push_back("close " + std::to_string(code) + " " + std::string(reason));
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

    strings events;
};

const std::string request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What random bytes hardly are: masked, and with lengths that fit.
std::string as_frames(fuzz::input& input)
{
    std::string frames;
    while (!input.is_empty()) {
        const std::size_t kinds[] = {0x81, 0x01, 0x80, 0x00, 0x82, 0x02, 0x88, 0x89, 0x8a};
        const std::size_t kind = input.number(0, 255);
        frames += static_cast<char>(kind < 230 ? kinds[kind % 9] : kind);
        const std::string key = input.bytes(4) + "key.";
        const std::string payload = input.bytes(input.number(0, 140));
        if (payload.size() >= 126)
            frames += std::string("\xfe\0", 2) + static_cast<char>(payload.size());
        else
            frames += static_cast<char>(payload.size() | 0x80);
        frames += key.substr(0, 4);
        for (std::size_t i = 0; i < payload.size(); ++i)
            frames += static_cast<char>(payload[i] ^ key[i % 4]);
    }
    return frames;
}

strings of_channel(const std::string& frames, std::size_t piece, std::size_t max_message)
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<noting>(asynchat::websocket_options().max_message(max_message));
    peer.send(request);
    fuzz::require(peer.received().substr(9, 3) == "101", "no upgrade");
    peer.send(frames, piece);
    loop.settle();
    fuzz::require(chat->closed() == !chat->is_open(), "neither open nor closed");
    return chat->events;
}

/// What the machine told, as a channel reports it.
strings for_channel(const strings& told)
{
    strings events;
    for (const std::string& line : told) {
        const std::string kind = line.substr(0, line.find(' '));
        if (kind == "fault")
            events.push_back("close " + line.substr(6));
        else if (kind != "ping" && kind != "pong")
            events.push_back(line);
    }
    return events;
}

void read_request(const std::string& text)
{
    const asynchat::upgrade_request read(text);
    const int status = read.status();
    fuzz::require(read.problem().empty() == (status == 101 || status == 200), "a problem or none");
    if (read.problem().empty()) {
        fuzz::require(read.path().substr(0, 1) == "/", "no path");
        fuzz::require(read.target().size() >= read.path().size() + read.query().size(),
                      "no target");
        fuzz::require(status != 101 || read.wants_websocket(), "not asked for");
        const bool ends_line = text.size() > 1 && text.compare(text.size() - 2, 2, "\r\n") == 0;
        const asynchat::upgrade_request again(text + (ends_line ? "X: y" : "\r\nX: y"));
        fuzz::require(again.status() == status, "a field more changes it");
    }
    fuzz::require(read.protocols().size() <= text.size(), "too many protocols");
    fuzz::require(read.cookie("a").value_or("").size() <= text.size(), "no cookie of it");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::input input(data, size);
    const std::size_t kind = input.number(0, 3);
    if (kind == 0) {
        read_request(input.rest());
        return 0;
    }
    const std::size_t limits[] = {0, 10, 126, 65536};
    const std::size_t max_message = limits[input.number(0, 3)];
    const std::size_t piece = input.number(1, 32);
    const std::string frames = kind == 1 ? input.rest() : as_frames(input);

    const strings told = support::read_in_pieces_of(frames, frames.size() + 1, max_message);
    fuzz::require(support::naive_frames(frames, max_message).told == told,
                  "not as it is read slowly");
    fuzz::require(support::read_in_pieces_of(frames, piece, max_message) == told,
                  "the cuts matter");
    fuzz::require(support::read_in_pieces_of(frames, 1, max_message) == told,
                  "single bytes matter");

    for (const std::size_t each : {piece, frames.size() + 1}) {
        strings events = of_channel(frames, each, max_message);
        if (!told.empty() && told.back().substr(0, 5) == "fault" && !events.empty())
            events.back().resize(std::min<std::size_t>(events.back().size(), 10)); // no reason
        fuzz::require(events == for_channel(told), "a channel says something else");
    }
    return 0;
}
