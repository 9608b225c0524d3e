// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef WEB_CHAT_WEB_MEMBER_HPP
#define WEB_CHAT_WEB_MEMBER_HPP

#include "../chat/talker.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/websocket_chat.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace web_chat {

// The lines of the room as frames: a line is in memory once for all browsers. The room hands a line
// to each member in turn, and the last lines to each that comes, so these frames are enough.
class framed_lines {
public:
    explicit framed_lines(const chat::room& from) : room_(from) {}

    const asynchat::websocket_frame& frame_of(const chat::shared_line& line)
    {
        const auto found = std::find_if(kept_.begin(), kept_.end(),
                                        [&](const framed& each) { return each.line == line; });
        if (found != kept_.end())
            return found->frame;
        forget();
        const std::string_view text = *line;
        kept_.push_back({line, asynchat::websocket_frame(text.substr(0, text.size() - 1))});
        return kept_.back().frame;
    }

private:
    struct framed {
        chat::shared_line line; // with its line end, the frame without it
        asynchat::websocket_frame frame;
    };

    // What is not among the last lines comes no more.
    void forget()
    {
        const auto& last = room_.history();
        const auto is_old = [&](const framed& each) {
            return std::find(last.begin(), last.end(), each.line) == last.end();
        };
        kept_.erase(std::remove_if(kept_.begin(), kept_.end(), is_old), kept_.end());
    }

    const chat::room& room_;
    std::vector<framed> kept_;
};

constexpr std::size_t longest_message = 40000; // bytes; the page knows this number

// What all browsers share.
struct door {
    chat::room& room;
    std::string_view page; // HTML
    std::string name;      // of this server, as in Host; empty without one
    framed_lines frames{room};

    // Whether Host is this server. The owner of any other name can have it point here, and then the
    // browser takes his pages for ours. Nobody can do that with an address or "localhost".
    bool is_called(std::string_view host) const
    {
        if (host.empty() || host[0] == ':')
            return false;
        const std::string_view without_port = host.substr(0, host.find(':'));
        const bool is_address =
            host[0] == '[' || without_port.find_first_not_of("0123456789.") == host.npos;
        return is_address || chat::same_word(without_port, "localhost") ||
               chat::same_word(host, name);
    }
};

// A member in a browser. A message is a line without an end. The same port serves the page.
class web_member : public asynchat::websocket_chat, public chat::talker {
public:
    web_member(asynchat::loop& loop, asynchat::socket peer, door& from,
               asynchat::websocket_options options)
        : websocket_chat(loop, std::move(peer), std::move(options)), talker(from.room), door_(from)
    {
        write_buffer_limits(65536, 16384); // what a slow member costs
        max_output(1 << 20);
    }

    void handle_http(const asynchat::upgrade_request& request) override
    {
        if (!door_.is_called(request.host()))
            return refuse_name();
        if (request.path() != "/")
            return websocket_chat::handle_http(request); // 404
        // The page loads nothing, and cannot be framed by another one.
        respond(200, "text/html; charset=utf-8", door_.page,
                "Cache-Control: no-cache\r\n"
                "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; "
                "style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; "
                "form-action 'none'; frame-ancestors 'none'\r\n"
                "Referrer-Policy: no-referrer\r\n"
                "X-Content-Type-Options: nosniff\r\n");
    }

    bool handle_upgrade(const asynchat::upgrade_request& request) override
    {
        if (!door_.is_called(request.host()))
            refuse_name();
        return request.path() == "/chat";
    }

    void handle_websocket_open() override
    {
        call_every(std::chrono::seconds(15), [this, left = 4]() mutable {
            if (!joined() && --left == 0)
                push_close(policy_violation, "nobody has joined");
            else if (!write_paused())
                push_text(""); // a sign of life: the page does not see pings
        });
    }

    void handle_message(std::string_view data, asynchat::message_kind kind) override
    {
        if (kind != asynchat::message_kind::text) {
            push_close(unsupported_data, "only text");
            return;
        }
        said(data);
        if (where().take_turn_is_over())
            end_turn(); // a member that talks without end must not block the others
    }

    void handle_write_resumed() override { reads_again(); }

private:
    void refuse_name()
    {
        respond(403, "text/plain; charset=utf-8",
                "403 Forbidden: this server has another name, see --origin\n");
    }

    void deliver(const chat::shared_line& line) override
    {
        push_frame(door_.frames.frame_of(line));
    }
    void tell(std::string_view line) override { push_text(line); }
    bool is_slow() const override { return write_paused(); }
    void has_joined() override {}
    void hang_up() override { push_close(); }

    static constexpr std::uint16_t unsupported_data = 1003;
    static constexpr std::uint16_t policy_violation = 1008;

    door& door_;
};

} // namespace web_chat

#endif
