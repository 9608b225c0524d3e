// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_MEMBER_HPP
#define CHAT_MEMBER_HPP

#include "room.hpp"
#include "text.hpp"

#include <asynchat/asynchat.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace chat {

// One member. A line that begins with a slash is a command; any other line goes to the room.
class member : public asynchat::async_chat, public listener {
public:
    member(asynchat::loop& loop, asynchat::socket peer, room& where)
        : async_chat(loop, std::move(peer)), room_(where)
    {
        set_terminator({"\r\n", "\n"}); // telnet, and netcat
        max_frame(longest_line);
        write_buffer_limits(65536, 16384);
        max_output(1 << 20);
        set_keep_alive(true);                   // finds lost members, which may be silent for hours
        idle_timeout(std::chrono::seconds(60)); // before they join
        push("* hello; /nick NAME, then /join; /help tells the rest\n");
    }

    // Runs for every kind of end.
    ~member() override { leave(); }

    void found_terminator() override
    {
        const std::string raw = _get_data();
        if (const auto bad = first_bad_byte(raw)) {
            print("! byte {} of the line is no text\n", *bad);
            return;
        }
        const std::string line = shown(raw);
        if (line.substr(0, 1) == "/")
            command(line);
        else if (!line.empty())
            say(line);
        if (room_.take_turn_is_over())
            end_turn(); // a member that talks without end must not block the others
    }

    asynchat::overflow handle_overflow() override
    {
        print("! a line has {} bytes at most\n", longest_line);
        return asynchat::overflow::skip;
    }

    // A slow member costs 64 KiB and delays no other member. Above that, lines for it are dropped,
    // and later it gets their number.
    void hear(const shared_line& line) override
    {
        if (write_paused())
            ++missed_;
        else
            push(line);
    }

    void handle_write_resumed() override
    {
        if (const std::size_t missed = std::exchange(missed_, 0); missed > 0)
            print("* {} lines were dropped, as you read too slowly\n", missed);
    }

    bool joined() const override { return joined_; }

    void handle_shutdown() override
    {
        push("* the server stops\n");
        close_when_done();
    }

private:
    void command(std::string_view line)
    {
        const auto [verb, rest] = split(line);
        if (verb == "/nick")
            nick(rest);
        else if (verb == "/join")
            join();
        else if (verb == "/msg")
            whisper(rest);
        else if (verb == "/who")
            print("* here:{}{}\n", room_.members(), room_.others());
        else if (verb == "/quit")
            quit();
        else if (verb == "/help")
            push("* /nick NAME, /join, /msg NAME TEXT, /who, /quit; the rest is said to all\n");
        else
            print("! no such command: {}\n", verb);
    }

    void nick(std::string_view name)
    {
        if (const auto bad = first_bad_byte_of_name(name)) {
            print("! NAME: byte {}: up to {} letters, digits, - and _\n", *bad, longest_name);
        } else if (!room_.take_name(name, *this)) {
            print("! {} is taken\n", name);
        } else {
            const std::string before = std::exchange(name_, std::string(name));
            room_.free_name(before);
            print("* you are {}\n", room_.full_name(name_));
            if (joined_)
                room_.came_or_went(fmt::format("* {} is {} now", before, name_));
        }
    }

    void join()
    {
        if (name_.empty()) {
            push("! /nick NAME first\n");
        } else if (!std::exchange(joined_, true)) {
            idle_timeout(asynchat::loop::duration::zero());
            for (const shared_line& line : room_.history())
                push(line);
            room_.came_or_went(fmt::format("* {} is here", name_));
        }
    }

    void say(std::string_view text)
    {
        if (joined_)
            room_.say(fmt::format("<{}> {}", room_.full_name(name_), text));
        else
            push("! /join first\n");
    }

    void whisper(std::string_view rest)
    {
        const auto [to, text] = split(rest);
        const std::string line = fmt::format("({}) {}", room_.full_name(name_), text);
        if (!joined_)
            push("! /join first\n");
        else if (listener* const other = room_.find(to))
            other->hear(std::make_shared<const std::string>(line + "\n"));
        else if (!room_.tell_elsewhere(to, line))
            print("! {} is not here\n", to);
    }

    void quit()
    {
        leave();
        push("* bye\n");
        close_when_done();
    }

    void leave()
    {
        const std::string name = std::exchange(name_, {});
        room_.free_name(name);
        if (std::exchange(joined_, false))
            room_.came_or_went(fmt::format("* {} is gone", name));
    }

    static constexpr std::size_t longest_line = 512; // bytes

    room& room_;
    std::string name_;
    std::size_t missed_ = 0; // lines
    bool joined_ = false;
};

} // namespace chat

#endif
