// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_WATER_MARKS_HPP
#define ASYNCHAT_DETAIL_WATER_MARKS_HPP

#include <asynchat/detail/bounds.hpp>

#include <cstddef>

namespace asynchat::detail {

/// Whether the output that waits has passed the high mark, and not yet the low one; and which of
/// that the channel was told. Calls nobody: the channel asks what there is to tell when it may call
/// its handlers.
class water_marks {
public:
    enum class news : unsigned char { none, paused, resumed };

    /// So many bytes are left. Returns whether that changes paused().
    bool update(std::size_t size, const flow_limits& limits) noexcept
    {
        const bool before = paused_;
        if (size > limits.high)
            paused_ = true;
        else if (size <= limits.low)
            paused_ = false;
        return paused_ != before;
    }

    bool paused() const noexcept { return paused_; }

    /// Whether what was told last is not so any more.
    bool has_news() const noexcept { return paused_ != told_; }

    /// What there is to tell; once.
    news take_news() noexcept
    {
        if (!has_news())
            return news::none;
        told_ = paused_;
        return paused_ ? news::paused : news::resumed;
    }

private:
    bool paused_ = false;
    bool told_ = false; // that it is paused
};

} // namespace asynchat::detail

#endif
