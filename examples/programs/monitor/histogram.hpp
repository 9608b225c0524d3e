// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef MONITOR_HISTOGRAM_HPP
#define MONITOR_HISTOGRAM_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace monitor {

// How many turns took how long. Four classes for each power of two, so a time is known to a
// quarter; from 256 ns to four minutes.
class histogram {
public:
    static constexpr std::size_t size = 121;

    void add(std::chrono::nanoseconds took) noexcept
    {
        const std::int64_t ns = took.count();
        if (ns >= least) {
            ++classes_[class_of(static_cast<std::uint64_t>(ns))];
            sum_ += static_cast<std::uint64_t>(ns);
        } else {
            ++classes_[0];
            sum_ += static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
        }
    }

    const std::array<std::uint64_t, size>& classes() const noexcept { return classes_; }
    std::uint64_t sum() const noexcept { return sum_; } // ns

    // The times of a class are below this; the last class has no bound.
    static std::uint64_t bound(std::size_t number) noexcept
    {
        return number == 0 ? std::uint64_t{least}
                           : (std::uint64_t{5} + (number - 1) % 4) << ((number - 1) / 4 + 6);
    }

private:
    // Not for the first one. The upper three bits of the time are 4 to 7. Each turn has a time, so
    // this takes few instructions.
    static std::size_t class_of(std::uint64_t ns) noexcept
    {
        const auto power = static_cast<unsigned>(__builtin_clzll(ns)) ^ 63U;
        return std::min<std::size_t>(4 * (power - 8) + (ns >> (power - 2)) - 3, size - 1);
    }

    static constexpr std::int64_t least = 256; // ns

    std::array<std::uint64_t, size> classes_ = {};
    std::uint64_t sum_ = 0;
};

} // namespace monitor

#endif
