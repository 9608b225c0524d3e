// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_RANDOM_HPP
#define ASYNCHAT_DETAIL_RANDOM_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <cstdint>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Pseudo-random numbers, the same for the same seed on every system (SplitMix64; distributions of
/// the standard library may differ between systems). Not for secrets.
class random {
public:
    explicit random(std::uint64_t seed) noexcept : state_(seed) {}

    std::uint64_t next() noexcept
    {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31U);
    }

    /// In [0, bound); 0 when `bound` is 0.
    std::size_t below(std::size_t bound) noexcept
    {
        return bound == 0 ? 0 : static_cast<std::size_t>(next() % bound);
    }

    /// A time in [0, max]; its count needs 64 bits also where a size has 32.
    template <class Duration>
    Duration up_to(Duration max) noexcept
    {
        const auto range = max.count() < 0 ? 1 : static_cast<std::uint64_t>(max.count()) + 1;
        return Duration(static_cast<typename Duration::rep>(next() % range));
    }

    /// True with a probability of `chance` in a thousand.
    bool per_mille(unsigned chance) noexcept { return below(1000) < chance; }

private:
    std::uint64_t state_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
