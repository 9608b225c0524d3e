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
        const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0));
        ++classes_[class_of(ns)];
        sum_ += ns;
    }

    const std::array<std::uint64_t, size>& classes() const noexcept { return classes_; }
    std::uint64_t sum() const noexcept { return sum_; } // ns

    // The times of a class are below this; the last class has no bound.
    static std::uint64_t bound(std::size_t number) noexcept
    {
        return number == 0 ? least : (5 + (number - 1) % 4) << ((number - 1) / 4 + 6);
    }

private:
    static std::size_t class_of(std::uint64_t ns) noexcept
    {
        if (ns < least)
            return 0;
        const auto power = static_cast<std::size_t>(63 - __builtin_clzll(ns));
        return std::min<std::size_t>(1 + (power - 8) * 4 + (ns >> (power - 2)) % 4, size - 1);
    }

    static constexpr std::uint64_t least = 256; // ns

    std::array<std::uint64_t, size> classes_ = {};
    std::uint64_t sum_ = 0;
};

} // namespace monitor

#endif
