// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_BACK_OFF_IPP
#define ASYNCHAT_IMPL_BACK_OFF_IPP

#include <asynchat/detail/timing/back_off.hpp>

#include <algorithm>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The largest wait for now.
inline back_off::duration back_off::bound() const noexcept
{
    duration most = base_;
    for (unsigned i = 0; i < doublings_ && most < cap_; ++i)
        most = most < cap_ / 2 ? most * 2 : cap_;
    return std::min(most, cap_);
}

ASYNCHAT_RARE back_off::duration back_off::next(bool is_good, duration up, random& numbers) noexcept
{
    constexpr unsigned doublings_after_stable = 3;
    if (up >= stable_after)
        doublings_ = doublings_after_stable;
    else if (was_good(is_good, up))
        doublings_ = 0;
    const duration most = bound();
    if (up >= stable_after)
        doublings_ = doublings_after_stable - 1;
    else if (most < cap_)
        ++doublings_;
    return shortest_wait + numbers.up_to(std::max(most - shortest_wait, duration()));
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
