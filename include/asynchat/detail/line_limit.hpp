// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_LINE_LIMIT_HPP
#define ASYNCHAT_DETAIL_LINE_LIMIT_HPP

#include <cstdint>
#include <optional>

namespace asynchat::detail {

/// Bounds the lines of a log: ten in each second. The others are left out, and counted.
class line_limit {
public:
    static constexpr std::uint32_t most = 10;

    /// Asked for each line. Nothing: it is left out. Otherwise how many were, since the last one.
    std::optional<std::uint32_t> admit(std::uint32_t second) noexcept
    {
        if (second != second_) {
            const std::uint32_t left_out = lines_ > most ? lines_ - most : 0;
            second_ = second;
            lines_ = 1;
            return left_out;
        }
        if (lines_ < UINT32_MAX)
            ++lines_;
        return lines_ <= most ? std::optional<std::uint32_t>(0) : std::nullopt;
    }

private:
    std::uint32_t second_ = 0;
    std::uint32_t lines_ = 0; // of that second, those left out included
};

} // namespace asynchat::detail

#endif
