// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_TIMER_STATE_HPP
#define ASYNCHAT_DETAIL_TIMING_TIMER_STATE_HPP

#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/detail/unique_function.hpp>
#include <asynchat/fwd.hpp>

#include <cassert>
#include <chrono>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// A running call_later() or call_every() of a loop or of a channel.
///
/// The timers of a channel form a list, whose head is in the channel: they end with the channel.
/// The channel_state outlives its timers.
struct timer_state {
    timer_state() = default;
    timer_state(const timer_state&) = delete;
    timer_state& operator=(const timer_state&) = delete;
    ~timer_state() { leave(); }

    void join(timer_state*& list) noexcept
    {
        assert(!link);
        link = &list;
        next = list;
        if (next)
            next->link = &next;
        list = this;
    }
    void leave() noexcept
    {
        if (!link)
            return;
        *link = next;
        if (next)
            next->link = link;
        link = nullptr;
        next = nullptr;
    }

    loop* owner = nullptr;
    channel_state* channel = nullptr; // whose event the call is; null: of the loop
    unique_function<void()> call;
    std::chrono::steady_clock::duration period{}; // 0: once
    std::chrono::steady_clock::time_point due{};  // advances by the period, also if a call was late
    timer_state** link = nullptr;                 // the pointer to this in the list, or null
    timer_state* next = nullptr;
    unsigned heap_index = not_queued; // in the loop's queue
    bool done = false;                // has run, or was cancelled
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
