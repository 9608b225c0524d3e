// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FRAME_STEP_HPP
#define ASYNCHAT_DETAIL_FRAMING_FRAME_STEP_HPP

#include <cstddef>

namespace asynchat::detail {

class frame_decoder;

/// The next step in the input. Small enough to be returned in two registers.
class frame_step {
public:
    enum class rare : unsigned char {
        starved,   ///< more input is needed; the rest is an incomplete length
        too_long,  ///< the frame is longer than the limit: see pass::drop_frame()
        malformed, ///< the length or the string behind the frame is wrong: see pass::fault()
    };

    std::size_t size() const noexcept { return size_; }                ///< bytes to deliver
    bool ends_frame() const noexcept { return (behind_ & ends) != 0; } ///< and the end is reported
    bool is_rare() const noexcept { return (behind_ & not_taken) != 0; }
    bool is_starved() const noexcept { return size_ == 0; }        ///< for rare steps
    rare why() const noexcept { return static_cast<rare>(size_); } ///< for rare steps

    friend bool operator==(const frame_step& a, const frame_step& b) noexcept
    {
        return a.size_ == b.size_ && a.behind_ == b.behind_;
    }

private:
    friend class frame_decoder;

    // A whole frame, or its last piece, has `ends` and maybe `counts`; other steps are `unusual`.
    enum flag : std::size_t {
        ends = 1,
        unusual = ~(~std::size_t{0} >> 1), // take() handles it out of line
        counts = unusual >> 1,             // subtracts from the count
        fills = unusual >> 2,              // adds to the size of the frame
        holds = unusual >> 3,              // uses all input: the bytes behind are held back
        closes = unusual >> 4,             // ends a frame, reported or not
        not_taken = unusual >> 5,          // a rare step
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
    std::size_t behind_; // number of bytes behind the piece that are taken with it, and flags
};

} // namespace asynchat::detail

#endif
