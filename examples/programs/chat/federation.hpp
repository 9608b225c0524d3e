// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_FEDERATION_HPP
#define CHAT_FEDERATION_HPP

#include "redis_link.hpp"
#include "room.hpp"
#include "text.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace chat {

// Joins several servers into one room, through the channels of Redis:
//
//     chat         "line SERVER NUMBER TEXT"   a line of the room of SERVER, for all other servers
//                  "who SERVER NUMBER NAME..." its members, every two seconds; NUMBER lines so far
//                  "bye SERVER NUMBER"         it ends, after NUMBER lines
//     chat:SERVER  "NAME TEXT"                 for one member there
//
// A line is published once and never again, so no member gets it twice. A server that has no
// connection to Redis misses the lines that are published meanwhile. When Redis dies, the lines
// that it holds are lost. The numbers show how many lines a server missed, and it tells its room.
class federation final : public uplink, public link_user {
public:
    federation(asynchat::loop& loop, room& here, const std::string& host, std::uint16_t port)
        : loop_(loop), room_(here),
          link_(loop.create<asynchat::reconnecting<redis_link>>(
              asynchat::target(host, port), "chat:" + here.server(), std::ref<link_user>(*this)))
    {
        link_->back_off(std::chrono::milliseconds(100), std::chrono::seconds(5));
        room_.set_uplink(this);
        ticks_ = loop_.call_every(std::chrono::seconds(2), [this] { tick(); });
    }

    ~federation() { stop(); }

    federation(const federation&) = delete;
    federation& operator=(const federation&) = delete;

    // Ends the connection, and does not connect again.
    void stop()
    {
        room_.set_uplink(nullptr);
        if (std::exchange(up_, false))
            publish("chat", fmt::format("bye {} {}", room_.server(), said_));
        ticks_.cancel();
        roster_.cancel();
        if (link_)
            link_->stop();
    }

    void say(std::string_view line) override
    {
        ++said_; // also while unpublished, so that the others notice
        if (up_)
            publish("chat", fmt::format("line {} {} {}", room_.server(), said_, line));
    }

    bool say_to(std::string_view name, std::string_view line) override
    {
        const std::size_t at = name.find('@');
        if (!up_ || at == std::string_view::npos)
            return false;
        const std::string_view to = name.substr(0, at);
        const auto server = peers_.find(name.substr(at + 1));
        if (server == peers_.end() || server->second.names.count(to) == 0)
            return false;
        publish("chat:" + server->first, fmt::format("{} {}", to, line));
        return true;
    }

    // Many members may come and go at once: that is published once.
    void members_changed() override
    {
        if (up_ && !roster_.active())
            roster_ = loop_.call_later(std::chrono::milliseconds(300), [this] { tell_who(); });
    }

    std::string others() const override
    {
        std::string all;
        for (const auto& [server, there] : peers_) {
            for (const std::string& name : there.names)
                all += fmt::format(" {}@{}", name, server);
        }
        return all;
    }

private:
    struct peer {
        std::set<std::string, std::less<>> names; // empty when it is out of reach
        std::uint64_t said = 0;                   // lines
        asynchat::loop::time_point heard;
    };

    void publish(std::string_view channel, std::string_view text)
    {
        if (const auto current = link_ ? link_->current() : asynchat::handle<redis_link>())
            current->command({"PUBLISH", channel, text});
    }

    void tell_who()
    {
        if (up_)
            publish("chat", fmt::format("who {} {}{}", room_.server(), said_, room_.members()));
    }

    void tick()
    {
        tell_who();
        const auto now = loop_.now();
        for (auto at = peers_.begin(); at != peers_.end();) {
            if (now - at->second.heard > std::chrono::seconds(10))
                at->second.names.clear();
            // The entry stays longer, so that missed lines are counted when the server comes back.
            at = now - at->second.heard > std::chrono::hours(1) ? peers_.erase(at) : std::next(at);
        }
    }

    void link_is_up() override
    {
        up_ = true;
        report("redis: joined");
        room_.tell("* the other servers are in reach");
        tell_who();
    }

    void link_is_down(std::string_view why) override
    {
        if (std::exchange(up_, false))
            room_.tell("* the other servers are out of reach");
        for (auto& [server, there] : peers_)
            there.names.clear();
        report(fmt::format("redis: {}", why));
    }

    // Ignores messages of another form: they come from another user of the channel.
    void received(std::string_view channel, std::string_view raw) override
    {
        if (first_bad_byte(raw))
            return;
        const std::string text = shown(raw);
        if (channel != "chat") {
            const auto [name, line] = split(text);
            if (listener* const member = room_.find(name))
                member->hear(std::make_shared<const std::string>(std::string(line) + "\n"));
            return;
        }
        const auto [kind, rest] = split(text);
        const auto [server, numbered] = split(rest);
        const auto [digits, content] = split(numbered);
        const auto number = asynchat::parse_number(digits, std::numeric_limits<std::size_t>::max());
        const bool is_ours = number && !first_bad_byte_of_name(server) &&
                             (kind == "line" || kind == "who" || kind == "bye");
        if (is_ours && server != room_.server())
            heard_from(std::string(server), kind, *number, content);
    }

    void heard_from(const std::string& server, std::string_view kind, std::uint64_t number,
                    std::string_view content)
    {
        if (peers_.size() == most_servers && peers_.count(server) == 0)
            return;
        const auto [at, is_new] = peers_.try_emplace(server);
        peer& from = at->second;
        if (!is_new)
            tell_what_was_lost(server, from.said + (kind == "line" ? 1 : 0), number);
        from.heard = loop_.now();
        from.said = number;
        if (kind == "line") {
            room_.remember(content);
        } else if (kind == "bye") {
            room_.tell(fmt::format("* {} has stopped", server));
            peers_.erase(at);
            return;
        } else {
            hear_who(from, content);
        }
        if (is_new)
            tell_who(); // it may not know this server either
    }

    // A smaller number is that of another process: the first one was killed.
    void tell_what_was_lost(const std::string& server, std::uint64_t expected, std::uint64_t number)
    {
        if (number > expected)
            room_.tell(fmt::format("* {} lines of {} were lost", number - expected, server));
        else if (number < expected)
            room_.tell(fmt::format("* {} has begun anew; its last lines may be lost", server));
    }

    static void hear_who(peer& from, std::string_view names)
    {
        from.names.clear();
        for (auto [name, rest] = split(names); !name.empty(); std::tie(name, rest) = split(rest)) {
            if (!first_bad_byte_of_name(name))
                from.names.emplace(name);
        }
    }

    static void report(std::string_view line)
    {
        fmt::print("{}\n", line);
        std::fflush(stdout);
    }

    static constexpr std::size_t most_servers = 100; // besides this one

    asynchat::loop& loop_;
    room& room_;
    asynchat::handle<asynchat::reconnecting<redis_link>> link_;
    asynchat::timer ticks_, roster_;
    std::map<std::string, peer, std::less<>> peers_;
    std::uint64_t said_ = 0;
    bool up_ = false;
};

} // namespace chat

#endif
