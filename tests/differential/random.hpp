// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_DIFFERENTIAL_RANDOM_HPP
#define ASYNCHAT_TESTS_DIFFERENTIAL_RANDOM_HPP

#include <cstdint>

namespace differential {

/// SplitMix64: the same numbers with every compiler and library, which the standard distributions
/// do not promise.
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

    /// In [0, bound). The tiny bias does not matter here.
    unsigned below(unsigned bound) noexcept { return static_cast<unsigned>(next() % bound); }

    /// In [low, high].
    unsigned between(unsigned low, unsigned high) noexcept { return low + below(high - low + 1); }

    bool percent(unsigned chance) noexcept { return below(100) < chance; }

private:
    std::uint64_t state_;
};

} // namespace differential

#endif
