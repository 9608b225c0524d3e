// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_TALKER_HPP
#define CHAT_TALKER_HPP

#include "room.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace chat {

// What a member says and hears, whatever its connection is. A line that begins with a slash is a
// command; any other line goes to the room.
class talker : public listener {
public:
    explicit talker(room& where) : room_(where) {}
    talker(const talker&) = delete;
    talker& operator=(const talker&) = delete;

    // A slow member costs what its connection keeps, and delays no other member. Above that, lines
    // for it are dropped, and later it gets their number.
    void hear(const shared_line& line) override
    {
        if (is_slow())
            ++missed_;
        else
            deliver(line);
    }

    bool joined() const override { return joined_; }

protected:
    // Runs for every kind of end.
    ~talker() { leave(); }

    // The connection.
    virtual void deliver(const shared_line& line) = 0; // for many; with its line end
    virtual void tell(std::string_view line) = 0;      // for this member; without one
    virtual bool is_slow() const = 0;
    virtual void has_joined() = 0;
    virtual void hang_up() = 0; // when all is sent

    room& where() const noexcept { return room_; }

    // A line of this member, without its end.
    void said(std::string_view raw)
    {
        if (const auto bad = first_bad_byte(raw))
            return tell(fmt::format("! byte {} of the line is no text", *bad));
        const std::string line = shown(raw);
        if (line.substr(0, 1) == "/")
            command(line);
        else if (!line.empty())
            say(line);
    }

    void reads_again()
    {
        if (const std::size_t missed = std::exchange(missed_, 0); missed > 0)
            tell(fmt::format("* {} lines were dropped, as you read too slowly", missed));
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
            tell(fmt::format("* here:{}{}", room_.members(), room_.others()));
        else if (verb == "/quit")
            quit();
        else if (verb == "/help")
            tell("* /nick NAME, /join, /msg NAME TEXT, /who, /quit; the rest is said to all");
        else
            tell(fmt::format("! no such command: {}", verb));
    }

    void nick(std::string_view name)
    {
        if (const auto bad = first_bad_byte_of_name(name)) {
            tell(fmt::format("! NAME: byte {}: up to {} letters, digits, - and _", *bad,
                             longest_name));
        } else if (!room_.take_name(name, *this)) {
            tell(fmt::format("! {} is taken", name));
        } else {
            const std::string before = std::exchange(name_, std::string(name));
            room_.free_name(before);
            tell(fmt::format("* you are {}", room_.full_name(name_)));
            if (joined_)
                room_.came_or_went(fmt::format("* {} is {} now", before, name_));
        }
    }

    void join()
    {
        if (name_.empty()) {
            tell("! /nick NAME first");
        } else if (!std::exchange(joined_, true)) {
            has_joined();
            for (const shared_line& line : room_.history())
                hear(line);
            room_.came_or_went(fmt::format("* {} is here", name_));
        }
    }

    void say(std::string_view text)
    {
        if (joined_)
            room_.say(fmt::format("<{}> {}", room_.full_name(name_), text));
        else
            tell("! /join first");
    }

    void whisper(std::string_view rest)
    {
        const auto [to, text] = split(rest);
        const std::string line = fmt::format("({}) {}", room_.full_name(name_), text);
        if (!joined_)
            tell("! /join first");
        else if (listener* const other = room_.find(to))
            other->hear(std::make_shared<const std::string>(line + "\n"));
        else if (!room_.tell_elsewhere(to, line))
            tell(fmt::format("! {} is not here", to));
    }

    void quit()
    {
        leave();
        tell("* bye");
        hang_up();
    }

    void leave()
    {
        const std::string name = std::exchange(name_, {});
        room_.free_name(name);
        if (std::exchange(joined_, false))
            room_.came_or_went(fmt::format("* {} is gone", name));
    }

    room& room_;
    std::string name_;
    std::size_t missed_ = 0; // lines
    bool joined_ = false;
};

} // namespace chat

#endif
