// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FRAME_STEP_HPP
#define ASYNCHAT_DETAIL_FRAMING_FRAME_STEP_HPP

#include <asynchat/config.hpp>

#include <cstddef>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

class frame_decoder;

/// The next step in the input. Small enough to be returned in two registers.
class frame_step {
public:
    enum class rare : unsigned char {
        starved,   ///< more input is needed; the rest is an incomplete length
        too_long,  ///< the frame is longer than the limit: see pass::drop_frame()
        malformed, ///< the length or the string behind the frame is wrong: see pass::fault()
    };

    std::size_t size() const noexcept { return size_; }               ///< bytes to deliver
    bool ends_frame() const noexcept { return (flags_ & ends) != 0; } ///< and the end is reported
    bool is_rare() const noexcept { return (flags_ & not_taken) != 0; }
    bool is_starved() const noexcept { return size_ == 0; }        ///< for rare steps
    rare why() const noexcept { return static_cast<rare>(size_); } ///< for rare steps

    /// The same step, to be passed to a function that is not inline: the step itself then stays in
    /// registers.
    frame_step copy() const noexcept { return frame_step(size_, flags_); }

    friend bool operator==(const frame_step& a, const frame_step& b) noexcept
    {
        return a.size_ == b.size_ && a.flags_ == b.flags_;
    }

private:
    friend class frame_decoder;

    // A whole frame, or its last piece, has `ends` and maybe `counts`; other steps are `unusual`.
    enum flag : unsigned {
        ends = 1,
        counts = 2,     // subtracts from the count
        unusual = 4,    // take() handles it out of line
        fills = 8,      // adds to the size of the frame
        holds = 16,     // uses all input: the bytes behind are held back
        closes = 32,    // ends a frame, reported or not
        not_taken = 64, // a rare step
    };

    constexpr frame_step(std::size_t size, unsigned flags) noexcept : size_(size), flags_(flags) {}
    static constexpr frame_step of(rare why) noexcept
    {
        return frame_step(static_cast<std::size_t>(why), not_taken);
    }
    bool has(flag which) const noexcept { return (flags_ & which) != 0; }

    std::size_t size_;
    unsigned flags_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
