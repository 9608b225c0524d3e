// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A part of frame_pass.hpp, which includes it where the class is complete: what a change of the
// decoder does to the pass that is under way.

#ifndef ASYNCHAT_DETAIL_FRAMING_FRAME_DECODER_INLINE_HPP
#define ASYNCHAT_DETAIL_FRAMING_FRAME_DECODER_INLINE_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

inline bool frame_decoder::set_count_at_rest(std::size_t count, std::size_t limit) noexcept
{
    if (!is_at_rest())
        return false;
    scanner_.set_count(count);
    restart(limit);
    return true;
}

inline bool frame_decoder::resume_string() noexcept
{
    if (current().is_bytes())
        return false;
    scanner_.use_bytes();
    restart(limit_);
    return true;
}

/// Called when the next byte begins a new frame.
inline void frame_decoder::restart(std::size_t limit) noexcept
{
    frame_is_over();
    limit_ = limit;
    changes_ = static_cast<unsigned char>(changes_ | changed | restarted);
    if (!pass_)
        return;
    pass_->ends_ = 0;
    pass_->partial_match_ = 0;
    pass_->hints_ &= pass::of_length;
}

inline void frame_decoder::limit(std::size_t bytes) noexcept
{
    limit_ = bytes;
    if (pass_)
        pass_->look_anew(); // its positions were for the old limit
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
