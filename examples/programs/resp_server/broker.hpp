// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_BROKER_HPP
#define RESP_BROKER_HPP

#include "text.hpp"

#include <asynchat/asynchat.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace resp {

// A connection that may subscribe to channels.
class subscriber {
public:
    virtual void hear(std::string_view channel, const text& message) = 0;

protected:
    ~subscriber() = default;
};

// Who has subscribed to what, of one loop. Used in the thread of that loop.
class subscriptions {
public:
    void add(std::string_view channel, subscriber& who) { all_[std::string(channel)].insert(&who); }

    void remove(std::string_view channel, subscriber& who)
    {
        const auto found = all_.find(channel);
        if (found == all_.end())
            return;
        found->second.erase(&who);
        if (found->second.empty())
            all_.erase(found);
    }

    // Returns how many have heard it.
    std::size_t tell(std::string_view channel, const text& message) const
    {
        const auto found = all_.find(channel);
        if (found == all_.end())
            return 0;
        for (subscriber* const who : found->second)
            who->hear(channel, message); // which only queues it
        return found->second.size();
    }

private:
    std::map<std::string, std::set<subscriber*>, std::less<>> all_;
};

// What belongs to one loop.
struct loop_part {
    explicit loop_part(asynchat::loop& of) : loop(of) {}

    // Counted in the thread of the loop, and read in others.
    class counter {
    public:
        void add(std::int64_t n) noexcept // cheaper than +=, as nobody else writes
        {
            value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
        }
        std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

    private:
        std::atomic<std::int64_t> value_{0};
    };

    asynchat::loop& loop;
    subscriptions subscribed;
    counter connections, connections_so_far, requests;
};

// Brings messages to the subscribers of all loops.
class broker {
public:
    // Before the loops run.
    void add(asynchat::loop& loop) { parts_.emplace_back(loop); }

    loop_part& part_of(const asynchat::loop& loop)
    {
        for (loop_part& each : parts_) {
            if (&each.loop == &loop)
                return each;
        }
        throw std::logic_error("resp_server: a loop that the broker does not know");
    }
    const std::deque<loop_part>& parts() const noexcept { return parts_; }

    // Calls a copy of `done(heard)` in the thread of the last loop that the message has reached,
    // also if it could not be told there.
    template <class Done>
    void publish(std::string_view channel, const text& message, const Done& done)
    {
        struct delivery {
            delivery(std::size_t loops, const Done& f) : loops_left(loops), done(f) {}
            void reached()
            {
                if (--loops_left == 0)
                    done(heard);
            }

            std::atomic<std::size_t> heard{0};
            std::atomic<std::size_t> loops_left;
            Done done;
        };
        const auto state = std::make_shared<delivery>(parts_.size(), done);
        for (loop_part& each : parts_) {
            each.loop.post([&each, state, message, name = std::string(channel)] {
                try {
                    state->heard += each.subscribed.tell(name, message);
                } catch (...) {
                    state->reached();
                    throw;
                }
                state->reached();
            });
        }
    }

private:
    std::deque<loop_part> parts_; // its elements never move
};

} // namespace resp

#endif
