// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FRAME_STEP_HPP
#define ASYNCHAT_DETAIL_FRAMING_FRAME_STEP_HPP

#include <cstddef>

namespace asynchat::detail {

class frame_decoder;

/// What comes next in the input. Small enough to be returned in two registers.
class frame_step {
public:
    enum class rare : unsigned char {
        starved,   ///< more input is needed; what is left is the beginning of a length
        too_long,  ///< the frame is longer than the limit: see pass::drop_frame()
        malformed, ///< its length, or what follows it, is: see pass::fault()
    };

    std::size_t size() const noexcept { return size_; }                ///< bytes to deliver
    bool ends_frame() const noexcept { return (behind_ & ends) != 0; } ///< to be reported
    bool is_rare() const noexcept { return (behind_ & not_taken) != 0; }
    bool is_starved() const noexcept { return size_ == 0; }        ///< of a rare one
    rare why() const noexcept { return static_cast<rare>(size_); } ///< of a rare one

    friend bool operator==(const frame_step& a, const frame_step& b) noexcept
    {
        return a.size_ == b.size_ && a.behind_ == b.behind_;
    }

private:
    friend class frame_decoder;

    // A whole frame, or its last piece, has `ends` and maybe `counts`; all else is `unusual`.
    enum flag : std::size_t {
        ends = 1,
        unusual = ~(~std::size_t{0} >> 1), // is taken out of line
        counts = unusual >> 1,             // goes off the count
        fills = unusual >> 2,              // adds to the size of the frame
        holds = unusual >> 3,              // is all of the input: what is behind is held back
        closes = unusual >> 4,             // is the end of a frame, reported or not
        not_taken = unusual >> 5,          // is rare
        all = unusual | counts | fills | holds | closes | not_taken | ends
    };

    constexpr frame_step(std::size_t size, std::size_t behind, std::size_t flags) noexcept
        : size_(size), behind_(behind << 1 | flags)
    {
    }
    static constexpr frame_step of(rare why) noexcept
    {
        return frame_step(static_cast<std::size_t>(why), 0, not_taken);
    }
    bool has(flag which) const noexcept { return (behind_ & which) != 0; }
    std::size_t behind() const noexcept { return (behind_ & ~std::size_t{all}) >> 1; }

    std::size_t size_;
    std::size_t behind_; // bytes behind the piece that are used up with it, and flags
};

} // namespace asynchat::detail

#endif
