// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_FRAME_PASS_IPP
#define ASYNCHAT_IMPL_FRAME_PASS_IPP

#include <asynchat/detail/framing/frame_pass.hpp>

#include <algorithm>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

// --- looking for the end -------------------------------------------------------------------------

/// A leaf function that saves no registers; code that needs registers is in the functions that it
/// calls last.
ASYNCHAT_DECL frame_decoder::step frame_decoder::pass::look()
{
    const frame_decoder& d = decoder_;
    if (!d.scanner_.is_byte())
        return look_for_string();
    const std::size_t at = find_byte_near(part(), d.scanner_.first_byte());
    if (at < left() && d.size_ + at <= d.limit_ && !d.is_dropping())
        return whole(at, 1);
    return look_near();
}

/// A frame that a short string ends, or its last piece.
inline frame_decoder::step frame_decoder::pass::whole(std::size_t size, std::size_t behind) noexcept
{
    if (decoder_.size_ == 0 && decoder_.limit_ >= find_bytes_size)
        set(far);
    return step_of(size, behind, step::ends);
}

ASYNCHAT_DECL frame_decoder::step frame_decoder::pass::look_for_string()
{
    frame_decoder& d = decoder_;
    if (!is_string(d.current()))
        return judge(terminator_scanner::step::more_to_come(left(), 0));
    // A second look at the same bytes begins at the front, because the automaton for several
    // strings has moved on.
    const auto seen = d.scanner_.find_string(part(), std::exchange(partial_match_, 0));
    if (!seen.found() || d.size_ + seen.collect() > d.limit_ || d.is_dropping())
        return judge(seen);
    return d.scanner_.short_size() > 0 ? whole(seen.collect(), seen.skip())
                                       : step_of(seen.collect(), seen.skip(), step::ends);
}

/// Looks for the next occurrence of a byte.
ASYNCHAT_DECL frame_decoder::step frame_decoder::pass::look_near()
{
    const frame_decoder& d = decoder_;
    const std::size_t at = find_byte(part(), d.scanner_.first_byte());
    if (at < left() && d.size_ + at <= d.limit_ && !d.is_dropping())
        return whole(at, 1);
    return judge(at < left() ? terminator_scanner::step::end_of_frame(at, 1)
                             : terminator_scanner::step::more_to_come(at, 0));
}

// --- other steps than a whole frame or its last piece --------------------------------------------

ASYNCHAT_DECL frame_decoder::step frame_decoder::pass::judge(terminator_scanner::step seen) noexcept
{
    const frame_decoder& d = decoder_;
    set(far, false);
    set(of_length, false);
    if (d.scanner_.is_sized())
        return d.scanner_.in_frame() ? judge_counted() : judge_length();
    if (d.is_dropping()) {
        if (!seen.found())
            return step_of(0, seen.held(), step::unusual | step::holds);
        const unsigned reported = d.overflow_ == overflow::truncates ? unsigned{step::ends} : 0;
        return step_of(0, seen.collect() + seen.skip(),
                       step::unusual | step::fills | step::closes | reported);
    }
    if (!is_string(d.current()))
        return step_of(left(), 0,
                       step::unusual | (d.current().count() > 0 ? unsigned{step::counts} : 0));
    const std::size_t room = d.room();
    if (seen.collect() > room) // the limit comes first
        return room > 0 ? step_of(room, 0, step::unusual | step::fills)
                        : step::of(step::rare::too_long);
    if (!seen.found())
        return step_of(seen.collect(), seen.held(), step::unusual | step::fills | step::holds);
    // The limit may have become lower.
    return d.size_ <= d.limit_ ? step_of(seen.collect(), seen.skip(), step::ends)
                               : step::of(step::rare::too_long);
}

/// The input begins with a length prefix.
ASYNCHAT_DECL frame_decoder::step frame_decoder::pass::judge_length() noexcept
{
    frame_decoder& d = decoder_;
    const auto length = d.scanner_.read_length({at_, left()});
    if (length.how == length_prefix::state::incomplete) {
        d.begun_ = true;
        return step::of(step::rare::starved);
    }
    if (length.how == length_prefix::state::malformed)
        return step::of(step::rare::malformed);
    prefix_ = length.size;
    length_ = length.length;
    if (length_ >= d.limit_ && (length_ > d.limit_ || length_ == largest_length)) {
        set(of_length); // largest_length means larger than any limit
        return step::of(step::rare::too_long);
    }
    // Continue at once, because an empty frame needs no more input.
    if (length_ == 0 && !d.scanner_.needs_behind())
        return step_of(0, prefix_, step::unusual | step::closes | step::ends);
    begin_frame();
    return at_ == end_ ? step::of(step::rare::starved) : judge_counted();
}

/// Takes the length prefix.
inline void frame_decoder::pass::begin_frame() noexcept
{
    frame_decoder& d = decoder_;
    at_ += std::min(left(), prefix_);
    d.size_ = 0;
    d.begun_ = true;
    d.scanner_.begin_frame(length_);
}

/// The input begins with bytes of a frame whose length is known, or with the string behind it.
ASYNCHAT_DECL frame_decoder::step frame_decoder::pass::judge_counted() noexcept
{
    if (decoder_.scanner_.needs_behind())
        return judge_followed();
    const std::size_t count = decoder_.current().count();
    const std::size_t size = std::min(left(), count);
    return counted(size, 0, size == count ? unsigned{step::closes} : 0);
}

/// The same for a frame with a string behind it.
ASYNCHAT_DECL frame_decoder::step frame_decoder::pass::judge_followed() noexcept
{
    const std::size_t count = decoder_.current().count();
    if (left() <= count)
        return counted(left(), 0, 0);
    const std::string_view behind = decoder_.scanner_.behind();
    const std::size_t there = std::min(behind.size(), left() - count);
    // Held bytes are not compared again: with one byte per receive that would be quadratic.
    std::size_t matched = std::exchange(partial_match_, 0);
    while (matched < there && at_[count + matched] == behind[matched])
        ++matched;
    if (matched == behind.size())
        return counted(count, matched, step::closes);
    if (matched == there)
        return counted(count, matched, step::holds);
    if (count == 0)
        return step::of(step::rare::malformed);
    return counted(count, 0, 0); // first the bytes before the offending byte
}

/// A step of `size` bytes of such a frame and `behind` bytes behind it; `flags` says what they are.
inline frame_decoder::step frame_decoder::pass::counted(std::size_t size, std::size_t behind,
                                                        unsigned flags) noexcept
{
    const frame_decoder& d = decoder_;
    const unsigned ends = (flags & step::closes) != 0 ? unsigned{step::ends} : 0;
    flags |= step::unusual | step::counts;
    if (!d.is_dropping())
        return step_of(size, behind, flags | ends);
    const std::size_t delivered = d.overflow_ == overflow::truncates ? std::min(size, d.room()) : 0;
    flags |= step::fills;
    if (d.current().count() == largest_length)
        flags &= ~unsigned{step::counts}; // the end of such a frame is not known
    return step_of(delivered, size - delivered + behind,
                   d.overflow_ == overflow::skips ? flags : flags | ends);
}

ASYNCHAT_DECL frame_decoder::malformation frame_decoder::pass::fault() const
{
    if (decoder_.scanner_.in_frame()) {
        const std::string_view behind = decoder_.scanner_.behind();
        const auto [wrong, expected] = std::mismatch(at_, end_, behind.begin(), behind.end());
        assert(wrong != end_ && expected != behind.end());
        return {static_cast<std::size_t>(wrong - at_), nullptr, *expected};
    }
    const auto length = decoder_.scanner_.read_length({at_, left()});
    assert(length.how == length_prefix::state::malformed);
    return {length.size, length.fault, '\0'};
}

// --- taking --------------------------------------------------------------------------------------

ASYNCHAT_DECL bool frame_decoder::pass::take_otherwise(step s) noexcept
{
    frame_decoder& d = decoder_;
    if ((d.changes_ & changed) != 0)
        return take_changed(s);
    const bool was_discarded = (d.changes_ & discarded) != 0; // so no input is left
    assert(was_discarded || s.size() + behind_ <= left());
    if (s.has(step::counts)) // they were delivered, also after a discard
        d.scanner_.count_down(s.has(step::closes)  ? d.current().count()
                              : s.has(step::fills) ? s.size() + behind_
                                                   : s.size());
    if (s.has(step::fills))
        d.size_ += s.size();
    if (!was_discarded) {
        at_ = s.has(step::holds) ? end_ : at_ + s.size() + behind_;
        d.partial_match_ = s.has(step::holds) ? static_cast<unsigned>(behind_) : 0;
    }
    assert(d.partial_match_ == 0 || (at_ == end_ && !d.unread_));
    if (!s.has(step::closes) && !s.ends_frame()) {
        d.begun_ = !d.current().collects_everything();
        return false;
    }
    if (d.overflow_ == overflow::truncates)
        d.changes_ = static_cast<unsigned char>(d.changes_ | truncation);
    d.scanner_.end_frame();
    d.frame_is_over();
    set(went_on, false);
    if (s.ends_frame())
        ++frames_;
    return s.ends_frame();
}

/// The terminator has changed since the look. An end that was found stays an end, unless it ends a
/// frame whose rest is dropped.
inline bool frame_decoder::pass::take_changed(step s) noexcept
{
    frame_decoder& d = decoder_;
    const bool ends = s.ends_frame() && !s.has(step::fills);
    at_ += std::min(left(), s.size() + (ends ? behind_ : 0));
    if (s.has(step::holds) && at_ != end_) { // examined together with the next input, as in Python
        d.keep(part(), unread_);
        at_ = end_;
    }
    if (ends) {
        d.size_ = 0;
        d.begun_ = false;
        ++frames_;
    } else if ((d.changes_ & restarted) == 0) {
        if (s.has(step::fills))
            d.size_ += s.size();
        d.begun_ = true;
    }
    return ends;
}

ASYNCHAT_DECL void frame_decoder::pass::drop_frame(bool report_end) noexcept
{
    frame_decoder& d = decoder_;
    const bool by_length = is(of_length);
    set(of_length, false);
    if ((d.changes_ & restarted) != 0) { // the frame has ended
        if (by_length)
            at_ += std::min(left(), prefix_);
        return;
    }
    if (by_length)
        begin_frame();
    d.begun_ = true;
    d.overflow_ = report_end ? overflow::truncates : overflow::skips;
}

/// Bytes that were held back, as the beginning of a terminator, are the last of the part: the next
/// look begins with them.
inline void frame_decoder::pass::release_held() noexcept
{
    assert(decoder_.carried().empty() || at_ == end_);
    at_ -= decoder_.carried().size();
    decoder_.unread_.reset();
    partial_match_ = std::exchange(decoder_.partial_match_, 0U);
}

ASYNCHAT_DECL void frame_decoder::pass::widen(std::size_t bytes) noexcept
{
    assert(has_more() && bytes > 0 && ends_ == 0);
    release_held();
    examine(bytes);
}

/// Makes the rest unread input. If it was unread before, it stays in place: a pause after each
/// frame does not move all later input.
ASYNCHAT_DECL void frame_decoder::pass::keep() noexcept
{
    if (has_more())
        release_held();
    assert(decoder_.partial_match_ == 0 && !decoder_.unread_);
    if (!storage_)
        return decoder_.keep(rest(), unread_);
    storage_->front = storage_->bytes.size() - rest().size();
    decoder_.unread_ = std::move(storage_);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
