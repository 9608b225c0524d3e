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

// A line that goes to many: kept once, however many have not read it yet.
using shared_line = std::shared_ptr<const std::string>;

// What the room sees of a member.
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

// The people of this server, and what was said last.
class room {
public:
    // `server` is put behind each name, "ann@server", unless it is empty.
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

    // Said here: everybody hears it, and later members do.
    void say(std::string_view line)
    {
        remember(line);
        if (uplink_)
            uplink_->say(line);
    }

    // Said elsewhere: everybody here hears it.
    void remember(std::string_view line)
    {
        history_.push_back(tell(line));
        if (history_.size() > longest_history)
            history_.pop_front();
    }

    // Everybody here hears it now.
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

    // Whether it is time for somebody else: a line costs as much as there are people to hear it.
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
    static constexpr std::size_t most_heard_in_a_turn = 5000; // lines, by all together

    std::string server_;
    uplink* uplink_ = nullptr;
    std::size_t heard_ = 0; // lines, by all together, since the last turn was over
    std::map<std::string, listener*, std::less<>> names_;
    std::deque<shared_line> history_;
};

} // namespace chat

#endif
