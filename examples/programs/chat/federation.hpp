// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_FEDERATION_HPP
#define CHAT_FEDERATION_HPP

#include "redis_link.hpp"
#include "room.hpp"
#include "text.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <limits>
#include <map>
#include <random>
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
//     chat:SERVER  "NAME TEXT"                 for one member there
//
// A line is published once and never again, so no member gets it twice. A server that has no
// connection to Redis misses the lines that are published meanwhile. When Redis dies, the lines
// that it holds are lost. The numbers show how many lines a server missed, and it tells its room.
class federation final : public uplink, public link_user {
public:
    federation(asynchat::loop& loop, room& here, std::string host, std::uint16_t port)
        : loop_(loop), room_(here), host_(std::move(host)), port_(port)
    {
        room_.set_uplink(this);
        open_link();
        ticks_ = loop_.call_every(std::chrono::seconds(2), [this] { tick(); });
    }

    ~federation() { stop(); }

    federation(const federation&) = delete;
    federation& operator=(const federation&) = delete;

    // Ends the connection, and does not connect again.
    void stop()
    {
        room_.set_uplink(nullptr);
        up_ = false;
        ticks_.cancel();
        next_try_.cancel();
        roster_.cancel();
        if (link_)
            link_->close();
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

    void open_link()
    {
        unanswered_ = 0;
        link_ = loop_.create<redis_link>(host_, port_, "chat:" + room_.server(), *this);
    }

    void publish(std::string_view channel, std::string_view text)
    {
        if (link_)
            link_->command({"PUBLISH", channel, text});
    }

    void tell_who()
    {
        if (up_)
            publish("chat", fmt::format("who {} {}{}", room_.server(), said_, room_.members()));
    }

    // Also finds out whether Redis still answers: it answers each PUBLISH.
    void tick()
    {
        if (!link_)
            return;
        unanswered_ = std::exchange(link_->answered, false) ? 0 : unanswered_ + 1;
        if (unanswered_ > 3) {
            link_->abort();
            return link_is_down("no answer");
        }
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
        delay_ = shortest_delay;
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
        // A random delay: not all servers come back at the same moment.
        const auto wait = delay_ / 2 + delay_ / 2 * (random_() % 1024) / 1024;
        delay_ = std::min(2 * delay_, longest_delay);
        report(fmt::format("redis: {}; next try in {} ms", why, wait.count()));
        next_try_ = loop_.call_later(wait, [this] { open_link(); });
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
        const bool is_ours =
            number && !first_bad_byte_of_name(server) && (kind == "line" || kind == "who");
        if (is_ours && server != room_.server())
            heard_from(std::string(server), kind == "line", *number, content);
    }

    void heard_from(const std::string& server, bool is_line, std::uint64_t number,
                    std::string_view content)
    {
        if (peers_.size() == most_servers && peers_.count(server) == 0)
            return;
        const auto [at, is_new] = peers_.try_emplace(server);
        peer& from = at->second;
        const std::uint64_t expected = from.said + (is_line ? 1 : 0);
        if (!is_new && number > expected) // a smaller one: it was restarted
            room_.tell(fmt::format("* {} lines of {} were lost", number - expected, server));
        from.heard = loop_.now();
        from.said = number;
        if (is_line) {
            room_.remember(content);
        } else {
            from.names.clear();
            for (auto [name, rest] = split(content); !name.empty();
                 std::tie(name, rest) = split(rest)) {
                if (!first_bad_byte_of_name(name))
                    from.names.emplace(name);
            }
        }
        if (is_new)
            tell_who(); // it may not know this server either
    }

    static void report(std::string_view line)
    {
        fmt::print("{}\n", line);
        std::fflush(stdout);
    }

    static constexpr std::size_t most_servers = 100; // besides this one
    static constexpr std::chrono::milliseconds shortest_delay{100};
    static constexpr std::chrono::milliseconds longest_delay{5000};

    asynchat::loop& loop_;
    room& room_;
    std::string host_;
    std::uint16_t port_;
    asynchat::handle<redis_link> link_;
    asynchat::timer ticks_, next_try_, roster_;
    std::chrono::milliseconds delay_ = shortest_delay;
    std::minstd_rand random_{std::random_device()()};
    std::map<std::string, peer, std::less<>> peers_;
    std::uint64_t said_ = 0;
    int unanswered_ = 0; // ticks
    bool up_ = false;
};

} // namespace chat

#endif
