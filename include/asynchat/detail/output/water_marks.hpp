// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OUTPUT_WATER_MARKS_HPP
#define ASYNCHAT_DETAIL_OUTPUT_WATER_MARKS_HPP

#include <asynchat/config.hpp>

#include <cassert>
#include <cstddef>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The limits for waiting output, in bytes.
struct output_limits {
    std::size_t high = 262144;       // over this an accepted channel stops reading
    std::size_t low = 65536;         // until not more than this waits
    std::size_t max_bytes = 8388608; // while more than this waits, further output ends the channel
};
inline constexpr output_limits default_output_limits = {};

/// Knows whether the waiting output has passed the high mark and is not yet down to the low mark,
/// which of these changes was reported, and whether output was added over the limit. It makes no
/// callbacks: the channel asks for changes when it may call its handlers.
class water_marks {
public:
    enum class news : unsigned char { none, paused, resumed };

    /// Compares the bytes left with the marks. Returns whether paused() has changed.
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

    /// Output was added over the limit: the channel must end.
    void refuse() noexcept { set(over_limit, true); }
    /// Forgets the refused output, because all output is dropped.
    void accept() noexcept { set(over_limit, false); }
    bool refused() const noexcept { return (state_ & over_limit) != 0; }

    /// Whether there is nothing to compare and nothing to report.
    bool is_quiet() const noexcept { return state_ == 0; }

    /// Takes the change to report; each change is reported once.
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

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
