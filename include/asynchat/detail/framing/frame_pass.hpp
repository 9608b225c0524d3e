// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FRAME_PASS_HPP
#define ASYNCHAT_DETAIL_FRAMING_FRAME_PASS_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/framing/find_byte.hpp>
#include <asynchat/detail/framing/frame_decoder.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The input of one receive, on the stack.
///
/// It is examined in parts, so that a piece has a largest size however much was received: next()
/// sees only the first part, until widen() adds another one.
class frame_decoder::pass {
public:
    enum class began : unsigned char { nothing, before, here };

    /// `input` begins with carried(), and must stay valid as long as the pass.
    pass(frame_decoder& decoder, std::string_view input, input_bounds within = {}) noexcept
        : at_(input.data()), input_end_(at_ + input.size()), decoder_(decoder),
          partial_match_(std::exchange(decoder.partial_match_, 0U)), unread_(within.counter),
          hints_(decoder.begun_ ? went_on : 0)
    {
        assert(!decoder.pass_);
        decoder.unread_.reset();
        decoder.pass_ = this;
        end_ = at_ + partial_match_;
        examine(within.part);
    }

    /// A pass over the unread input, when nothing was received.
    explicit pass(frame_decoder& decoder, input_bounds within = {}) noexcept
        : decoder_(decoder), unread_(within.counter), storage_(std::move(decoder.unread_)),
          hints_(decoder.begun_ ? went_on : 0)
    {
        assert(!decoder.pass_ && (!storage_ || decoder.partial_match_ == 0));
        if (storage_) {
            at_ = end_ = storage_->bytes.data() + storage_->front;
            input_end_ = storage_->bytes.data() + storage_->bytes.size();
            examine(within.part);
        }
        decoder.pass_ = this;
    }

    /// A pass for a frame whose last bytes came without a pass: see filled().
    struct received_aside {};
    pass(frame_decoder& decoder, received_aside) noexcept : decoder_(decoder), frames_(1)
    {
        assert(!decoder.pass_ && !decoder.begun_);
        decoder.pass_ = this;
    }
    pass(const pass&) = delete;
    pass& operator=(const pass&) = delete;
    ~pass()
    {
        assert(decoder_.pass_ == this);
        decoder_.pass_ = nullptr;
        if (at_ != input_end_)
            keep();
    }

    /// The next step; the same step again until take() or a change. Takes no bytes, except a
    /// complete length prefix, which is not part of the frame.
    [[gnu::always_inline]] step next()
    {
        if (ends_ != 0) {
            assert(decoder_.changes_ == none && decoder_.size_ == 0 && !decoder_.is_dropping());
            return first_of_many();
        }
        decoder_.changes_ = none;
        if (at_ == end_)
            return step::of(step::rare::starved);
        if (is(far))
            return look_far();
        const std::size_t count = decoder_.current().count();
        if (count > 0 && left() >= count && terminator_scanner::is_only_count(decoder_.current()))
            return step_of(count, 0, step::ends | step::counts);
        return look();
    }

    /// The bytes to deliver; valid as long as the input.
    std::string_view piece(step s) const noexcept { return {at_, s.size()}; }

    /// Takes the step off the input. After discard() no input is left to take. After set() a count
    /// does not decrease, and the new terminator also applies to bytes that were held back for the
    /// old one. Returns whether a frame ends with the step.
    [[gnu::always_inline]] bool take(step s) noexcept
    {
        assert(!s.is_rare());
        // While there are ends, nothing has changed, and the step is the first of these frames.
        if (__builtin_expect(ends_ != 0, 1)) {
            assert(s == first_of_many());
            const std::size_t size = s.size() + behind_;
            at_ += size;
            ends_ = ends_ >> (size - 1) >> 1;
            ++frames_;
            return true;
        }
        if (__builtin_expect(decoder_.changes_ != none || s.has(step::unusual), 0))
            return take_otherwise(s.copy());
        assert(s.ends_frame() && s.size() + behind_ <= left());
        at_ += s.size() + behind_;
        if (s.has(step::counts))
            decoder_.scanner_.count_down(s.size());
        decoder_.size_ = 0;
        decoder_.begun_ = false;
        ++frames_;
        return true;
    }

    /// The answer to too_long: drops the rest of the frame, and reports its end or not. Does
    /// nothing if the frame has ended because a terminator of another kind was set.
    ASYNCHAT_DECL void drop_frame(bool report_end) noexcept;

    /// What next() sees: the input, without what is behind the first part.
    std::string_view part() const noexcept { return {at_, left()}; }

    /// Its first byte, to be changed in place. Only if the pass was given memory that may be.
    char* writable() const noexcept { return const_cast<char*>(at_); }

    /// Takes bytes of that which the caller has cut into frames itself. Only between two frames
    /// that are counted.
    void take_frames(std::size_t bytes, std::size_t frames) noexcept
    {
        assert(decoder_.current().count() > 0 && !decoder_.begun_ && !decoder_.is_dropping());
        assert(ends_ == 0 && partial_match_ == 0 && bytes <= left());
        at_ += bytes;
        frames_ += frames;
    }

    /// The fault of a malformed step.
    ASYNCHAT_DECL malformation fault() const;

    /// Whether there is input behind the part that next() sees.
    bool has_more() const noexcept { return end_ != input_end_; }

    /// Lets next() see up to `bytes` more, 1 or more. The step before is not valid any more: look
    /// again. Only if has_more().
    ASYNCHAT_DECL void widen(std::size_t bytes) noexcept;

    /// Drops the rest of the input.
    void drop() noexcept
    {
        at_ = end_ = input_end_;
        ends_ = 0;
    }

    std::size_t frames() const noexcept { return frames_; } ///< frames ended and reported so far
    bool empty() const noexcept { return at_ == input_end_; }
    std::string_view rest() const noexcept
    {
        return {at_, static_cast<std::size_t>(input_end_ - at_)};
    }

    /// Whether a frame is open, and whether it began before this pass.
    began frame_began() const noexcept
    {
        if (!decoder_.begun_)
            return began::nothing;
        return frames_ == 0 && is(went_on) ? began::before : began::here;
    }

private:
    friend class frame_decoder;

    // Of the part that is examined.
    std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
    void examine(std::size_t more) noexcept
    {
        end_ += std::min(more, static_cast<std::size_t>(input_end_ - end_));
    }
    void release_held() noexcept;

    // What is known about the input.
    enum hint : unsigned char {
        far = 1,       // a short string ended the last frame, the limit is large: expect more
        long_ones = 2, // the last frame was longer than 64 bytes
        of_length = 4, // the length prefix says that the frame is too long
        went_on = 8,   // the frame at the front began before this pass
    };
    bool is(hint what) const noexcept { return (hints_ & what) != 0; }
    void set(hint what, bool on = true) noexcept
    {
        hints_ = static_cast<unsigned char>(on ? hints_ | what : hints_ & ~what);
    }

    std::size_t first_end() const noexcept { return static_cast<unsigned>(__builtin_ctzll(ends_)); }
    /// The first of the frames whose ends are known.
    step first_of_many() const noexcept
    {
        assert(first_end() <= decoder_.limit_);
        assert(std::string_view(at_ + first_end(), behind_) == decoder_.current().bytes());
        return step(first_end(), step::ends);
    }
    /// Every other step but a rare one.
    step step_of(std::size_t size, std::size_t behind, unsigned flags) noexcept
    {
        behind_ = behind;
        return step(size, flags);
    }
    void look_anew() noexcept
    {
        ends_ = 0;
        set(far, false);
    }
    ASYNCHAT_DECL step look();
    ASYNCHAT_DECL step look_for_string();
    [[gnu::always_inline]] step look_far();
    ASYNCHAT_DECL step look_near();
    step whole(std::size_t size, std::size_t behind) noexcept;
    ASYNCHAT_DECL step judge(terminator_scanner::step seen) noexcept;
    ASYNCHAT_DECL step judge_length() noexcept;
    ASYNCHAT_DECL step judge_counted() noexcept;
    ASYNCHAT_DECL step judge_followed() noexcept;
    step counted(std::size_t size, std::size_t behind, unsigned flags) noexcept;
    void begin_frame() noexcept;
    ASYNCHAT_DECL bool take_otherwise(step s) noexcept;
    bool take_changed(step s) noexcept;
    ASYNCHAT_DECL void keep() noexcept;

    const char* at_ = nullptr;
    const char* end_ = nullptr;       // of the part that is examined
    const char* input_end_ = nullptr; // of all
    std::uint64_t ends_ = 0; // of the next frames, one bit for each byte from at_ on; 0: not known
    frame_decoder& decoder_;
    std::size_t behind_ = 0; // bytes behind the piece of the last step that are taken with it
    std::size_t frames_ = 0;
    std::size_t partial_match_ = 0; // bytes at the front that begin the terminator or
                                    // the string behind the frame
    std::size_t prefix_;            // size of the last length prefix
    std::size_t length_;            // its value
    const unread_counter* unread_ = nullptr;
    std::unique_ptr<unread_input> storage_; // owns the input if it was unread
    unsigned char hints_ = 0;
};

/// After a frame that a short string ended, frames of the same kind and size are likely. Finds all
/// ends among 64 bytes, or the next end. The size of the string is behind_, from the last step.
inline frame_decoder::step frame_decoder::pass::look_far()
{
    const frame_decoder& d = decoder_;
    assert(d.size_ == 0 && !d.is_dropping() && d.limit_ >= find_bytes_size);
    assert(behind_ == d.scanner_.short_size() && behind_ > 0);
    if (!is(long_ones)) {
        if (left() < find_bytes_size)
            return look();
        const char first = d.scanner_.first_byte();
        ends_ =
            behind_ == 1 ? find_bytes(at_, first) : find_pairs(at_, first, d.scanner_.last_byte());
        if (ends_ != 0)
            return first_of_many();
        set(long_ones);
    }
    const void* const found = std::memchr(at_, d.scanner_.first_byte(), left());
    const auto size = static_cast<std::size_t>(static_cast<const char*>(found) - at_);
    const bool is_long = found && size <= d.limit_ && size + behind_ > find_bytes_size;
    if (is_long && (behind_ == 1 || (size + 1 < left() && at_[size + 1] == d.scanner_.last_byte())))
        return step(size, step::ends);
    set(long_ones, false);
    return look();
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#include <asynchat/detail/framing/frame_decoder_inline.hpp> // needs the class

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/frame_decoder.ipp>
#  include <asynchat/impl/frame_pass.ipp>
#endif
#endif
