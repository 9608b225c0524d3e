// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_ROOM_HPP
#define CHAT_ROOM_HPP

#include <asynchat/asynchat.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace chat {

// A line for many members: in memory once, however many members have not read it yet.
using shared_line = std::shared_ptr<const std::string>;

// The room's view of a member.
class listener {
public:
    virtual void hear(const shared_line& line) = 0;
    virtual bool joined() const = 0;

protected:
    ~listener() = default;
};

// The way to the other servers, if there is one.
class uplink {
public:
    virtual void say(std::string_view line) = 0;
    virtual bool say_to(std::string_view name, std::string_view line) = 0; // "bob@other"
    virtual void members_changed() = 0;
    virtual std::string others() const = 0; // " bob@other carl@other"

protected:
    ~uplink() = default;
};

// The members of this server, and the last lines.
class room {
public:
    // `server` is added to each name, "ann@server", unless it is empty.
    explicit room(std::string server = "") : server_(std::move(server)) {}

    void set_uplink(uplink* others) { uplink_ = others; }
    const std::string& server() const noexcept { return server_; }
    std::string full_name(std::string_view name) const
    {
        return std::string(name) + (server_.empty() ? "" : "@" + server_);
    }

    // A name belongs to one listener at a time, joined or not.
    bool take_name(std::string_view name, listener& whose)
    {
        return names_.emplace(name, &whose).second;
    }
    void free_name(const std::string& name) { names_.erase(name); }

    // The listener of that name in the room, or null.
    listener* find(std::string_view name) const
    {
        const auto found = names_.find(name);
        return found != names_.end() && found->second->joined() ? found->second : nullptr;
    }

    std::string members() const
    {
        std::string all;
        for (const auto& [name, member] : names_)
            all += member->joined() ? " " + name : "";
        return all;
    }

    // A line of this server: all members get it, and later members get it from the history.
    void say(std::string_view line)
    {
        remember(line);
        if (uplink_)
            uplink_->say(line);
    }

    // A line of another server: all members of this server get it.
    void remember(std::string_view line)
    {
        history_.push_back(tell(line));
        history_bytes_ += history_.back()->size();
        while (history_.size() > longest_history || history_bytes_ > largest_history) {
            history_bytes_ -= history_.front()->size();
            history_.pop_front();
        }
    }

    // All members of this server get it now.
    shared_line tell(std::string_view line)
    {
        const auto shared = std::make_shared<const std::string>(std::string(line) + "\n");
        for (const auto& [name, member] : names_) {
            if (!member->joined())
                continue;
            member->hear(shared);
            ++heard_;
        }
        return shared;
    }

    // Whether other channels must come first: the cost of a line grows with the number of members.
    bool take_turn_is_over()
    {
        if (heard_ < most_heard_in_a_turn)
            return false;
        heard_ = 0;
        return true;
    }

    bool tell_elsewhere(std::string_view name, std::string_view line)
    {
        return uplink_ && uplink_->say_to(name, line);
    }

    void came_or_went(std::string_view line)
    {
        tell(line);
        if (uplink_)
            uplink_->members_changed();
    }

    std::string others() const { return uplink_ ? uplink_->others() : ""; }
    const std::deque<shared_line>& history() const noexcept { return history_; }

private:
    static constexpr std::size_t longest_history = 20;        // lines
    static constexpr std::size_t largest_history = 49152;     // bytes: makes no new member slow
    static constexpr std::size_t most_heard_in_a_turn = 5000; // lines, over all members

    std::string server_;
    uplink* uplink_ = nullptr;
    std::size_t heard_ = 0; // lines, over all members, since the last turn ended
    std::map<std::string, listener*, std::less<>> names_;
    std::deque<shared_line> history_;
    std::size_t history_bytes_ = 0;
};

} // namespace chat

#endif
