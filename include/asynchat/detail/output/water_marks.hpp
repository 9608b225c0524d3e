// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OUTPUT_WATER_MARKS_HPP
#define ASYNCHAT_DETAIL_OUTPUT_WATER_MARKS_HPP

#include <cassert>
#include <cstddef>

namespace asynchat::detail {

/// Bytes of output that may wait.
struct output_limits {
    std::size_t high = 262144;       // over it a channel that was accepted stops reading,
    std::size_t low = 65536;         // until there are no more than these
    std::size_t max_bytes = 8388608; // while more than these wait, more output ends the channel
};
inline constexpr output_limits default_output_limits = {};

/// Whether the output that waits has passed the high mark, and not yet the low one; which of that
/// the channel was told; and whether more was added than may wait. Calls nobody: the channel asks
/// what there is to tell when it may call its handlers.
class water_marks {
public:
    enum class news : unsigned char { none, paused, resumed };

    /// So many bytes are left. Returns whether that changes paused().
    bool update(std::size_t size, const output_limits& limits) noexcept
    {
        assert(limits.low <= limits.high);
        const bool before = paused();
        if (size > limits.high)
            set(is_paused, true);
        else if (size <= limits.low)
            set(is_paused, false);
        return paused() != before;
    }

    bool paused() const noexcept { return (state_ & is_paused) != 0; }

    /// More was added than may wait: the channel has to end.
    void refuse() noexcept { set(over_limit, true); }
    /// What was refused, and all before it, is given up.
    void accept() noexcept { set(over_limit, false); }
    bool refused() const noexcept { return (state_ & over_limit) != 0; }

    /// Whether there is nothing to compare, to tell or to end for.
    bool is_quiet() const noexcept { return state_ == 0; }

    /// What there is to tell; once.
    news take_news() noexcept
    {
        const bool told = (state_ & was_told) != 0;
        if (paused() == told)
            return news::none;
        set(was_told, !told);
        return told ? news::resumed : news::paused;
    }

private:
    enum state : unsigned char { is_paused = 1, was_told = 2, over_limit = 4 };

    void set(state what, bool on) noexcept
    {
        state_ = static_cast<unsigned char>(on ? state_ | what : state_ & ~what);
    }

    unsigned char state_ = 0;
};

} // namespace asynchat::detail

#endif
