// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_LATER_HPP
#define ASYNCHAT_DETAIL_TIMING_LATER_HPP

#include <asynchat/config.hpp>

#include <chrono>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The sum, or the largest time if it overflows. A negative delay counts as 0.
inline std::chrono::steady_clock::time_point
later(std::chrono::steady_clock::time_point from,
      std::chrono::steady_clock::duration delay) noexcept
{
    using time_point = std::chrono::steady_clock::time_point;
    if (delay < std::chrono::steady_clock::duration::zero())
        return from;
    return delay < time_point::max() - from ? from + delay : time_point::max();
}

/// The next multiple of `tick`, or the time itself if it is one.
inline std::chrono::steady_clock::time_point
rounded_up(std::chrono::steady_clock::time_point at,
           std::chrono::steady_clock::duration tick) noexcept
{
    const auto over = at.time_since_epoch() % tick;
    return over > std::chrono::steady_clock::duration::zero() ? later(at, tick - over) : at;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
