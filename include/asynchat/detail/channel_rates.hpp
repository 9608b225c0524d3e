// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_CHANNEL_RATES_HPP
#define ASYNCHAT_DETAIL_CHANNEL_RATES_HPP

#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/detail/timing/rate_limit.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// What a channel wants to do next.
struct rate_need {
    bool bytes = false; // to receive, not only to deliver
    bool frame = false; // a frame begins
};

/// The limits of a channel, or of all channels of a server together.
struct rate_limits {
    /// When it may do that.
    rate_limit::time_point next(rate_need need) const noexcept
    {
        const auto never_waits = rate_limit::time_point::min();
        return std::max(need.bytes ? bytes.next() : never_waits,
                        need.frame ? frames.next() : never_waits);
    }

    rate_limit bytes;
    rate_limit frames;
};

/// The rates of a channel, and why it does not read at present.
struct channel_rates {
    explicit channel_rates(channel_state& of) noexcept : channel(of) {}
    channel_rates(const channel_rates&) = delete;
    channel_rates& operator=(const channel_rates&) = delete;
    ~channel_rates() { assert(!is_waiting()); }

    bool is_waiting() const noexcept { return link != nullptr; }

    channel_state& channel;
    rate_limits own;
    std::size_t charged_frames = 0; // of the pass that is under way
    bool is_held = false;           // it reads nothing until its time has come
    rate_need need;                 // while it is held
    bool has_turn = false;          // it has waited in the queue: this is its pass
    channel_rates** link = nullptr; // in the queue of the server: the pointer to this, or null
    channel_rates* next = nullptr;
};

/// The channels that wait for the rate of their server, in the order in which they came. The first
/// one has a deadline, and has its turn then. So nobody is served twice while another one waits,
/// and connections that come and go leave no debt to those that stay.
class rate_queue {
public:
    rate_queue() = default;
    rate_queue(const rate_queue&) = delete;
    rate_queue& operator=(const rate_queue&) = delete;

    bool is_empty() const noexcept { return !first_; }
    channel_rates& first() const noexcept
    {
        assert(!is_empty());
        return *first_;
    }
    void add(channel_rates& last) noexcept
    {
        assert(!last.is_waiting());
        last.link = end_;
        last.next = nullptr;
        *end_ = &last;
        end_ = &last.next;
    }
    void remove(channel_rates& which) noexcept
    {
        assert(which.is_waiting());
        *which.link = which.next;
        (which.next ? which.next->link : end_) = which.link;
        which.link = nullptr;
    }

private:
    channel_rates* first_ = nullptr;
    channel_rates** end_ = &first_;
};

/// The rates of a server.
struct server_rates {
    rate_limits limits;
    rate_queue waiting;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
