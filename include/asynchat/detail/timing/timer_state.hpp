// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_TIMER_STATE_HPP
#define ASYNCHAT_DETAIL_TIMING_TIMER_STATE_HPP

#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/fwd.hpp>

#include <chrono>
#include <functional>

namespace asynchat::detail {

/// One running call_later() or call_every().
struct timer_state {
    loop* owner;
    std::function<void()> call;
    std::chrono::steady_clock::duration period;  // 0: once
    std::chrono::steady_clock::time_point due{}; // by the period, however late the last call was
    unsigned heap_index = not_queued;            // in the loop's queue
    bool done = false;                           // has run, or was cancelled
};

} // namespace asynchat::detail

#endif
