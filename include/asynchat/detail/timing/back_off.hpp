// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_BACK_OFF_HPP
#define ASYNCHAT_DETAIL_TIMING_BACK_OFF_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/random.hpp>

#include <chrono>
#include <cstddef>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// How long a client waits before it connects again: random times whose bound doubles with each
/// attempt that fails ("full jitter"), so that many clients do not come back at the same moment.
///
/// It knows no clock, and gets the random numbers as a parameter.
class back_off {
public:
    using duration = std::chrono::steady_clock::duration;
    static constexpr duration shortest_wait = std::chrono::milliseconds(50);
    static constexpr duration good_after = std::chrono::seconds(10);
    static constexpr duration stable_after = std::chrono::seconds(60);

    /// Times between shortest_wait and `cap`, the first one up to `base`.
    void set(duration base, duration cap) noexcept
    {
        base_ = base;
        cap_ = cap;
    }
    duration base() const noexcept { return base_; }
    duration cap() const noexcept { return cap_; }

    /// The wait after an attempt has failed, or its connection has ended after `up`. `is_good`: the
    /// protocol has succeeded on it.
    ///
    /// A good connection makes the bound small again. One that stood for stable_after is probably
    /// lost to many clients at a time: then the first bound is eight times as large.
    ASYNCHAT_DECL duration next(bool is_good, duration up, random& numbers) noexcept;

    /// Whether a connection was good: the protocol says so, or it stood for good_after.
    static bool was_good(bool is_good, duration up) noexcept { return is_good || up >= good_after; }

private:
    duration bound() const noexcept;

    duration base_ = std::chrono::milliseconds(500);
    duration cap_ = std::chrono::seconds(30);
    unsigned doublings_ = 0;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/back_off.ipp>
#endif
#endif
