// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_MEMBER_HPP
#define CHAT_MEMBER_HPP

#include "talker.hpp"

#include <asynchat/asynchat.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace chat {

// A member at a telnet or netcat.
class member : public asynchat::async_chat, public talker {
public:
    // `longest_line` is in bytes.
    member(asynchat::loop& loop, asynchat::socket peer, room& where, std::size_t longest_line = 512)
        : async_chat(loop, std::move(peer)), talker(where)
    {
        set_terminator({"\r\n", "\n"}); // telnet, and netcat
        max_frame(longest_line);
        write_buffer_limits(65536, 16384); // what a slow member costs
        max_output(1 << 20);
        set_keep_alive(true);                   // finds lost members, which may be silent for hours
        idle_timeout(std::chrono::seconds(60)); // before they join
        push("* hello; /nick NAME, then /join; /help tells the rest\n");
    }

    void found_terminator() override
    {
        const std::string line = _get_data();
        if (!joined() && is_http(line)) {
            tell("! this is not HTTP");
            return hang_up();
        }
        said(line);
        if (where().take_turn_is_over())
            end_turn(); // a member that talks without end must not block the others
    }

    asynchat::overflow handle_overflow() override
    {
        print("! a line has {} bytes at most\n", max_frame());
        return asynchat::overflow::skip;
    }

    void handle_write_resumed() override { reads_again(); }

    void handle_shutdown() override
    {
        push("* the server stops\n");
        close_when_done();
    }

private:
    void deliver(const shared_line& line) override { push(line); }
    void tell(std::string_view line) override { print("{}\n", line); }
    bool is_slow() const override { return write_paused(); }
    void has_joined() override { idle_timeout(asynchat::loop::duration::zero()); }
    void hang_up() override { close_when_done(); }
};

} // namespace chat

#endif
