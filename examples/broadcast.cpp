// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Sends each line of a member to all members.

#include <asynchat/asynchat.hpp>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

class member;
using room = std::set<member*>;

class member : public asynchat::async_chat {
public:
    member(asynchat::loop& loop, asynchat::socket peer, room& members)
        : async_chat(loop, std::move(peer)), members_(members)
    {
        set_terminator({"\r\n", "\n"});
        members_.insert(this);
    }
    ~member() override { members_.erase(this); }

    void found_terminator() override
    {
        const auto line = std::make_shared<const std::string>(_get_data() + "\n");
        for (member* const each : members_) {
            if (!each->write_paused()) // a slow member misses lines
                each->push(line);
        }
        end_turn(); // a line costs a push for each member: other channels come before the next line
    }

private:
    room& members_;
};

int main()
{
    room members; // outlives the loop, whose members refer to it
    asynchat::loop loop;
    loop.stop_on_signals();
    const asynchat::endpoint any_port("127.0.0.1", 0);
    const auto server = loop.create<asynchat::server<member>>(any_port, std::ref(members));
    server->log("listening on {}", server->local_endpoint().to_string());
    loop.run();
}
