// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_FRAME_DECODER_IPP
#define ASYNCHAT_IMPL_FRAME_DECODER_IPP

#include <asynchat/detail/framing/frame_pass.hpp>

#include <algorithm>
#include <new>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

// --- changes, at any time ------------------------------------------------------------------------

/// Bytes that begin the old terminator are input for the new one.
ASYNCHAT_DECL void frame_decoder::give_back_partial_match()
{
    assert(!unread_);
    unread_ = std::make_unique<unread_input>(scanner_.held(partial_match_), nullptr);
    partial_match_ = 0;
}

ASYNCHAT_DECL void frame_decoder::set(const terminator& next, std::size_t limit)
{
    if (partial_match_ > 0 && next != current())
        give_back_partial_match();
    const bool restarts = !is_string(next) || !is_string(current());
    if (scanner_.set(next)) {
        if (restarts)
            return restart(limit);
        changes_ = static_cast<unsigned char>(changes_ | changed);
        if (pass_)
            pass_->partial_match_ = 0;
    } else if (limit == limit_) {
        return;
    }
    this->limit(limit);
}

ASYNCHAT_DECL std::string frame_decoder::undelivered() const
{
    std::string all(carried());
    if (pass_)
        all += pass_->rest();
    return all;
}

ASYNCHAT_DECL void frame_decoder::discard() noexcept
{
    unread_.reset();
    partial_match_ = 0;
    changes_ = static_cast<unsigned char>(changes_ | discarded);
    if (!pass_)
        return;
    pass_->drop();
    pass_->look_anew();
    pass_->partial_match_ = 0;
}

ASYNCHAT_DECL void frame_decoder::start_anew() noexcept
{
    discard();
    frame_is_over();
    scanner_.start_anew();
    changes_ = static_cast<unsigned char>(changes_ | changed | restarted);
}

// --- the end of the stream -----------------------------------------------------------------------

ASYNCHAT_DECL std::string_view frame_decoder::remainder() const
{
    if (is_in_length())
        return carried();
    return unread_ || is_dropping() || partial_match_ == 0 ? std::string_view()
                                                           : scanner_.held(partial_match_);
}

ASYNCHAT_DECL std::size_t frame_decoder::room_for_remainder() const
{
    const std::size_t size = remainder().size();
    return is_string(current()) ? std::min(size, room()) : size;
}

ASYNCHAT_DECL void frame_decoder::drop_remainder() noexcept
{
    assert(!pass_);
    unread_.reset();
    partial_match_ = 0;
}

ASYNCHAT_DECL void frame_decoder::put_back(std::string_view bytes) noexcept
{
    assert(!pass_ && !unread_ && partial_match_ == 0);
    keep(bytes, nullptr);
}

ASYNCHAT_DECL void frame_decoder::keep(std::string_view bytes,
                                       const unread_counter* counter) noexcept
{
    try {
        unread_ = std::make_unique<unread_input>(bytes, counter);
    } catch (const std::bad_alloc&) {
        out_of_memory_ = true;
    }
}

// --- input without a pass ------------------------------------------------------------------------

ASYNCHAT_DECL bool frame_decoder::filled(std::size_t bytes) noexcept
{
    assert(!pass_ && bytes > 0 && bytes <= lacking());
    scanner_.count_down(bytes);
    begun_ = true;
    if (current().count() > 0 || scanner_.needs_behind())
        return false;
    scanner_.end_frame();
    frame_is_over();
    return true;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
