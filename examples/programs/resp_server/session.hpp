// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_SESSION_HPP
#define RESP_SESSION_HPP

#include "broker.hpp"
#include "store.hpp"
#include "value_commands.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace resp {

// What all connections share.
struct service {
    service(std::size_t memory, std::size_t loops) : data(memory, loops > 1) {}

    store data;
    broker messages;
    asynchat::loop::duration patience = std::chrono::seconds(30);
};

// One connection: finds the command of a request, and has those about messages and the server.
class session final : public value_commands, public subscriber {
public:
    session(asynchat::loop& loop, asynchat::socket peer, service& all)
        : value_commands(loop, std::move(peer), all.patience, all.data), all_(all),
          here_(all.messages.part_of(loop))
    {
        set_keep_alive(true); // finds lost clients, which may be silent for hours
        max_output(most_output);
        here_.connections.add(1);
        here_.connections_so_far.add(1);
    }

    // Runs for every kind of end.
    ~session() override
    {
        here_.connections.add(-1);
        for (const std::string& channel : channels_)
            here_.subscribed.remove(channel, *this);
    }

    // A message to many: its bytes are there once. A client that does not read its messages costs
    // at most most_output bytes, then it is closed.
    void hear(std::string_view channel, const text& message) override
    {
        push_message("message");
        push_bulk(channel);
        push_bulk(message);
    }

private:
    struct command {
        std::string_view name;
        std::size_t least, most; // words, with the name
        void (session::*run)(const request& words);
        bool while_subscribed; // in RESP2
    };

    static constexpr std::size_t most_output = 1 << 20; // bytes
    static constexpr std::size_t most_channels = 1000;
    static constexpr std::size_t longest_channel = 1024; // bytes of a name

    static const command* find(std::string_view name)
    {
        static constexpr std::size_t any = most_words;
        static constexpr command all[] = {
            {"GET", 2, 2, &session::get, false},
            {"SET", 3, 3, &session::set, false},
            {"DEL", 2, any, &session::del, false},
            {"INCR", 2, 2, &session::incr, false},
            {"INCRBY", 3, 3, &session::incr, false}, // what redis-py sends for it
            {"MGET", 2, any, &session::mget, false},
            {"LPUSH", 3, any, &session::lpush, false},
            {"LRANGE", 4, 4, &session::lrange, false},
            {"EXPIRE", 3, 3, &session::expire, false},
            {"PUBLISH", 3, 3, &session::publish, false},
            {"SUBSCRIBE", 2, any, &session::subscribe, true},
            {"UNSUBSCRIBE", 1, any, &session::unsubscribe, true},
            {"PING", 1, 2, &session::ping, true},
            {"ECHO", 2, 2, &session::echo, false},
            {"INFO", 1, 2, &session::info, false},
            {"HELLO", 1, 2, &session::hello, false},
        };
        for (const command& each : all) {
            if (is_word(name, each.name))
                return &each;
        }
        return nullptr;
    }

    void handle_request(const request& words) override
    {
        here_.requests.add(1);
        const command* const known = find(words.name());
        if (!known)
            return push_error(fmt::format("ERR unknown command '{}'", shown(words.name())));
        if (words.size() < known->least || words.size() > known->most)
            return push_error(
                fmt::format("ERR wrong number of arguments for '{}' command", shown(words.name())));
        if (!speaks_resp3 && !channels_.empty() && !known->while_subscribed)
            return push_error("ERR only SUBSCRIBE, UNSUBSCRIBE and PING here, or HELLO 3 first");
        try {
            (this->*known->run)(words);
        } catch (const too_large& why) {
            push_error(why.what());
            end_turn();
        } catch (const refused& why) {
            push_error(why.what());
        }
    }

    // An error is one line, and must not grow with the request.
    static std::string shown(std::string_view word) { return asynchat::escaped(word, 64); }

    // With several loops the client waits until all of them have the message. So the answer is
    // exact, and a client cannot give the other loops messages faster than they send them.
    void publish(const request& words)
    {
        const text message = make_text(words[2]);
        if (all_.messages.parts().size() == 1)
            return push_heard(here_.subscribed.tell(words[1], message));
        pause_reading();
        const auto done = [to = owner().handle_of(*this)](std::size_t heard) {
            to.post([heard](session& asked) {
                asked.push_heard(heard);
                asked.resume_reading();
            });
        };
        all_.messages.publish(words[1], message, done);
    }

    void push_heard(std::size_t heard)
    {
        push_integer(size_of(heard));
        if (heard > 100)
            end_turn(); // much work for few bytes, and the other clients wait
    }

    void subscribe(const request& words)
    {
        for (std::size_t i = 1; i < words.size(); ++i) {
            if (channels_.size() == most_channels && channels_.count(words[i]) == 0)
                throw refused("ERR too many channels");
            if (words[i].size() > longest_channel)
                throw refused("ERR the name of the channel is too long");
            channels_.emplace(words[i]);
            here_.subscribed.add(words[i], *this);
            push_change("subscribe", words[i]);
        }
    }

    // From these channels, or from all.
    void unsubscribe(const request& words)
    {
        std::vector<std::string> from(channels_.begin(), channels_.end());
        if (words.size() > 1) {
            from.clear();
            for (std::size_t i = 1; i < words.size(); ++i)
                from.emplace_back(words[i]);
        }
        for (const std::string& channel : from) {
            channels_.erase(channel);
            here_.subscribed.remove(channel, *this);
            push_change("unsubscribe", channel);
        }
        if (from.empty()) {
            push_message("unsubscribe");
            push_null();
            push_integer(0);
        }
    }

    // What RESP3 sends without having been asked is marked.
    void push_message(std::string_view kind)
    {
        print(speaks_resp3 ? ">3\r\n" : "*3\r\n");
        push_bulk(kind);
    }

    void push_change(std::string_view kind, std::string_view channel)
    {
        push_message(kind);
        push_bulk(channel);
        push_integer(size_of(channels_.size()));
    }

    void ping(const request& words)
    {
        const std::string_view word = words.size() > 1 ? words[1] : std::string_view();
        if (!speaks_resp3 && !channels_.empty()) {
            push_array(2);
            push_bulk("pong");
            push_bulk(word);
        } else if (words.size() > 1) {
            push_bulk(word);
        } else {
            push("+PONG\r\n");
        }
    }

    void echo(const request& words) { push_bulk(words[1]); }

    void info(const request&)
    {
        std::int64_t connections = 0, so_far = 0, requests = 0;
        for (const loop_part& each : all_.messages.parts()) {
            connections += each.connections.value();
            so_far += each.connections_so_far.value();
            requests += each.requests.value();
        }
        const budget& memory = all_.data.memory();
        const store::numbers kept = all_.data.count();
        push_bulk(fmt::format(
            "# Server\r\nserver_name:asynchat\r\nloops:{}\r\n"
            "# Clients\r\nconnected_clients:{}\r\n"
            "# Memory\r\nused_memory:{}\r\nmaxmemory:{}\r\n"
            "# Stats\r\ntotal_connections_received:{}\r\ntotal_commands_processed:{}\r\n"
            "# Keyspace\r\ndb0:keys={},expires={}\r\n",
            all_.messages.parts().size(), connections, memory.used(), memory.most(), so_far,
            requests, kept.keys, kept.expiring));
    }

    void hello(const request& words)
    {
        if (words.size() > 1) {
            if (words[1] != "2" && words[1] != "3")
                throw refused("NOPROTO this server speaks 2 and 3");
            speaks_resp3 = words[1] == "3";
        }
        push_map(3);
        push_bulk("server");
        push_bulk("asynchat");
        push_bulk("proto");
        push_integer(speaks_resp3 ? 3 : 2);
        push_bulk("mode");
        push_bulk("standalone");
    }

    service& all_;
    loop_part& here_;
    std::set<std::string, std::less<>> channels_;
};

} // namespace resp

#endif
