// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_RATE_LIMIT_HPP
#define ASYNCHAT_DETAIL_TIMING_RATE_LIMIT_HPP

#include <asynchat/detail/timing/later.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// A bucket of tokens that holds the tokens of one second, and is refilled at a rate.
///
/// It is kept as the time at which it will be full again ("virtual scheduling"), and a fraction of
/// a nanosecond: nothing is lost by rounding. More may be taken than there is; the wait is then
/// longer. It knows no clock: the caller tells the time, which never goes back.
class rate_limit {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// Tokens per second; the largest number by default, which means no limit.
    std::size_t rate() const noexcept { return static_cast<std::size_t>(rate_); }

    /// Changes the rate. The bucket is then as full as before, in parts of its size; a bucket from
    /// which too much was taken is empty.
    void rate(std::size_t per_second, time_point now) noexcept
    {
        if (per_second == rate_)
            return;
        rate_ = per_second;
        full_at_ = std::min(full_at_, later(now, second));
        fraction_ = 0;
    }

    /// Takes `n` tokens at the time `now`.
    void charge(std::size_t n, time_point now) noexcept
    {
        if (!is_on())
            return;
        if (full_at_ < now) {
            full_at_ = now;
            fraction_ = 0;
        }
        constexpr std::uint64_t century = std::uint64_t{100} * 366 * 24 * 3600;
        const std::chrono::seconds whole(std::min(n / rate_, century));
        const std::uint64_t rest = n % rate_ * nanos + fraction_; // in parts of 1/rate_ ns
        full_at_ = later(full_at_, whole + std::chrono::nanoseconds(rest / rate_));
        fraction_ = rest % rate_;
    }

    /// When there will be a token, rounded up to a nanosecond. A time that is over means now.
    time_point next() const noexcept
    {
        if (!is_on())
            return time_point::min();
        const std::uint64_t one = (nanos + fraction_ + rate_ - 1) / rate_;
        return full_at_ - (second - std::chrono::nanoseconds(one));
    }

private:
    static constexpr std::uint64_t nanos = 1'000'000'000;
    static constexpr std::chrono::nanoseconds second{nanos};
    static constexpr std::uint64_t unlimited = std::numeric_limits<std::size_t>::max();
    // No machine reaches this, and the products above do not overflow.
    static constexpr std::uint64_t max_rate =
        std::numeric_limits<std::uint64_t>::max() / (nanos + 1);

    bool is_on() const noexcept { return rate_ <= max_rate && rate_ != unlimited; }

    std::uint64_t rate_ = unlimited;
    time_point full_at_{};
    std::uint64_t fraction_ = 0; // of a nanosecond after full_at_, in parts of 1/rate_
};

/// Throws std::invalid_argument for a rate of 0.
inline void require_rate(std::size_t per_second)
{
    if (per_second == 0)
        throw std::invalid_argument("asynchat: a rate of 0 would stop reading for ever; "
                                    "asynchat::unlimited is no limit");
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
