// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FRAME_DECODER_HPP
#define ASYNCHAT_DETAIL_FRAMING_FRAME_DECODER_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/framing/find_byte.hpp>
#include <asynchat/detail/framing/terminator_scanner.hpp>
#include <asynchat/terminator.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asynchat::detail {

/// Cuts input into frames: bytes in, steps out. It calls nobody, and knows no channel and no clock.
///
/// The caller's loop over the input of one receive:
///
///     frame_decoder::pass input(decoder, bytes);
///     while (may_deliver()) {
///         const auto step = input.next();               // looks, takes nothing
///         if (step.is_rare()) {                         // starved, too long, malformed
///             if (!obey(step))
///                 break;
///             continue;
///         }
///         if (step.size() > 0)
///             collect_incoming_data(input.piece(step)); // throws: not taken, delivered again
///         if (input.take(step))                         // off the input
///             found_terminator();
///     }
///
/// It is at rest whenever the caller has control: set(), limit() and discard() are legal at any
/// time, also between next() and take(). What is left of the input when the pass goes is unread.
///
/// There is no second loop for bursts of short lines. The pass keeps where the ends are among the
/// next 64 bytes, and whatever changes clears that. So while it is there, nothing has changed, the
/// frame is at its start, one byte ends it, and the limit is 64 bytes or more: one test for all.
class frame_decoder {
public:
    class pass;

    /// What comes next in the input. Small enough to be returned in two registers.
    class step {
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

        friend bool operator==(const step& a, const step& b) noexcept
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

        constexpr step(std::size_t size, std::size_t behind, std::size_t flags) noexcept
            : size_(size), behind_(behind << 1 | flags)
        {
        }
        static constexpr step of(rare why) noexcept
        {
            return step(static_cast<std::size_t>(why), 0, not_taken);
        }
        bool has(flag which) const noexcept { return (behind_ & which) != 0; }
        std::size_t behind() const noexcept { return (behind_ & ~std::size_t{all}) >> 1; }

        std::size_t size_;
        std::size_t behind_; // bytes behind the piece that are used up with it, and flags
    };

    /// What is wrong with a frame that has its length in front.
    struct malformation {
        std::size_t position; // of the wrong byte in the input
        const char* fault;    // of the length, in words; null: a comma is missing behind the frame
    };

    frame_decoder() = default;
    frame_decoder(const frame_decoder&) = delete;
    frame_decoder& operator=(const frame_decoder&) = delete;
    ~frame_decoder() { assert(!pass_); }

    const terminator& current() const noexcept { return scanner_.current(); }

    /// The string that ended the frame before; empty if none did.
    std::string_view matched() const noexcept { return scanner_.matched(); }

    /// Whether the frame that was reported last had its rest dropped; until the next look.
    bool truncated() const noexcept { return (changes_ & truncation) != 0; }

    std::size_t limit() const noexcept { return limit_; }

    /// Whether a frame is begun and not ended, as far as its bytes were taken; the beginning of its
    /// length counts when it was looked at.
    bool in_frame() const noexcept { return begun_; }

    /// Whether the next bytes belong to a frame: there is a terminator, and a count is not spent.
    bool has_frame() const noexcept
    {
        return current().is_length_prefix() ? scanner_.in_frame()
                                            : !current().collects_everything();
    }

    /// Whether the rest of a frame that is too long is dropped.
    bool is_dropping() const noexcept { return overflow_ != overflow::none; }

    /// The pass under way; null if there is none.
    pass* under_way() const noexcept { return pass_; }

    /// Bytes that go in front of the next input: unread ones, or the beginning of a terminator.
    std::string_view carried() const
    {
        if (unread_)
            return std::string_view(unread_->bytes).substr(unread_->front);
        return partial_match_ > 0 ? scanner_.held(partial_match_) : std::string_view();
    }
    bool has_unread() const noexcept { return unread_ != nullptr; }

    /// There was no memory for unread input, which is lost.
    bool out_of_memory() const noexcept { return out_of_memory_; }

    /// The terminator from the next byte on, and the limit; unread bytes and a partial match are
    /// looked at again. A string after a string goes on with the frame; anything else begins
    /// another one.
    [[gnu::always_inline]] inline void set(const terminator& next, std::size_t limit);

    /// The largest frame that a string ends or that has its length in front, in bytes. May be lower
    /// than what the present frame has already.
    inline void limit(std::size_t bytes) noexcept;

    /// The frame under way has so many bytes: those kept from the terminator before.
    void go_on_with(std::size_t bytes) noexcept
    {
        size_ = current().is_count() ? 0 : bytes;
        begun_ = !current().collects_everything();
    }

    /// Forgets all input, but not the frame.
    ASYNCHAT_DECL void discard() noexcept;

    /// Forgets the input and the frame: another stream begins. The terminator stays.
    ASYNCHAT_DECL void start_anew() noexcept;

    // --- the end of the stream -----------------------------------------------------------------

    /// Bytes that wait in vain for others: of a terminator, or of a length.
    ASYNCHAT_DECL std::string_view remainder() const;

    /// How many of them the frame has room for.
    ASYNCHAT_DECL std::size_t room_for_remainder() const;

    ASYNCHAT_DECL void drop_remainder() noexcept;

    /// They are to be looked at again.
    ASYNCHAT_DECL void put_back(std::string_view bytes) noexcept;

    // --- input that goes around ----------------------------------------------------------------

    /// Bytes of a counted frame that are still to come and may be received without a pass.
    std::size_t lacking() const noexcept
    {
        return unread_ || partial_match_ > 0 || is_dropping() ? 0 : current().count();
    }

    /// So many of them came, 1 or more. Returns whether that was the frame.
    ASYNCHAT_DECL bool filled(std::size_t bytes) noexcept;

private:
    struct unread_input {
        std::string bytes;
        std::size_t front = 0; // of them were taken since
    };
    // Since the last look.
    enum change : unsigned char {
        none = 0,
        changed = 1,   // the terminator
        restarted = 2, // to one that begins another frame
        discarded = 4,
        truncation = 8, // the frame before was truncated
    };
    // What becomes of the rest of a frame that is too long.
    enum class overflow : unsigned char { none, skips, truncates };

    static bool is_string(const terminator& t) noexcept
    {
        return t.is_bytes() && !t.collects_everything();
    }
    std::size_t room() const noexcept { return size_ < limit_ ? limit_ - size_ : 0; }
    bool is_in_length() const noexcept
    {
        return unread_ && current().is_length_prefix() && !scanner_.in_frame();
    }
    void restart(std::size_t limit) noexcept;
    ASYNCHAT_DECL void give_back_partial_match();
    ASYNCHAT_DECL void keep(std::string_view bytes) noexcept;
    void frame_is_over() noexcept
    {
        size_ = 0;
        begun_ = false;
        overflow_ = overflow::none;
    }

    terminator_scanner scanner_;
    std::unique_ptr<unread_input> unread_;
    pass* pass_ = nullptr;
    std::size_t size_ = 0; // bytes taken of a frame that a string will end, or that is truncated
    std::size_t limit_ = 65536;
    unsigned partial_match_ = 0; // bytes of the terminator that the last input ended with
    unsigned char changes_ = none;
    overflow overflow_ = overflow::none;
    bool begun_ = false; // a frame that is not ended
    bool out_of_memory_ = false;
};

/// The input of one receive, on the stack.
class frame_decoder::pass {
public:
    enum class began : unsigned char { nothing, before, here };

    /// `input` begins with carried(), and stays where it is for as long as the pass.
    pass(frame_decoder& decoder, std::string_view input) noexcept
        : at_(input.data()), end_(at_ + input.size()), decoder_(decoder),
          partial_match_(std::exchange(decoder.partial_match_, 0U)),
          hints_(decoder.begun_ ? went_on : 0)
    {
        assert(!decoder.pass_);
        decoder.unread_.reset();
        decoder.pass_ = this;
    }

    /// Nothing was received: the unread input.
    explicit pass(frame_decoder& decoder) noexcept
        : decoder_(decoder), storage_(std::move(decoder.unread_)),
          hints_(decoder.begun_ ? went_on : 0)
    {
        assert(!decoder.pass_ && (!storage_ || decoder.partial_match_ == 0));
        if (storage_) {
            at_ = storage_->bytes.data() + storage_->front;
            end_ = storage_->bytes.data() + storage_->bytes.size();
        }
        decoder.pass_ = this;
    }

    /// Of a frame whose last bytes went around: see filled().
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
        if (at_ != end_)
            keep();
    }

    /// What comes next; the same again until take() or a change. Takes nothing, but a complete
    /// length in front of a frame, which is no part of it.
    [[gnu::always_inline]] step next()
    {
        if (ends_ != 0) {
            const auto size = first_end();
            assert(decoder_.changes_ == none && decoder_.size_ == 0 && !decoder_.is_dropping());
            assert(at_[size] == decoder_.scanner_.only_byte() && size <= decoder_.limit_);
            return step(size, 1, step::ends);
        }
        decoder_.changes_ = none;
        if (at_ == end_)
            return step::of(step::rare::starved);
        if (is(far))
            return look_far();
        const std::size_t count = decoder_.current().count();
        if (count > 0 && left() >= count && decoder_.current().is_count())
            return step(count, 0, step::ends | step::counts);
        return look();
    }

    /// The bytes to deliver; valid as long as the input is.
    std::string_view piece(step s) const noexcept { return {at_, s.size()}; }

    /// Takes it off the input. After discard() there is nothing left to take; after set() a count
    /// does not go down, and what was held back for the old terminator is for the new one. Returns
    /// whether a frame ends with it.
    [[gnu::always_inline]] bool take(step s) noexcept
    {
        assert(!s.is_rare());
        if (ends_ != 0) { // so nothing was changed, and the step is the first of these
            assert(s == step(first_end(), 1, step::ends));
            at_ += s.size() + 1;
            ends_ = ends_ >> s.size() >> 1;
            ++frames_;
            return true;
        }
        if (__builtin_expect(decoder_.changes_ != none || s.has(step::unusual), 0))
            return take_otherwise(s);
        assert(s.ends_frame() && s.size() + s.behind() <= left());
        at_ += s.size();
        if (s.has(step::counts))
            decoder_.scanner_.count_down(s.size());
        else
            at_ += s.behind();
        decoder_.size_ = 0;
        decoder_.begun_ = false;
        ++frames_;
        return true;
    }

    /// The answer to too_long: the rest of the frame is dropped, its end reported or not. Does
    /// nothing if the frame has ended meanwhile, because the terminator is of another kind.
    ASYNCHAT_DECL void drop_frame(bool report_end) noexcept;

    /// What is wrong; of a malformed step.
    ASYNCHAT_DECL malformation fault() const;

    /// Nobody wants the rest of the input.
    void drop() noexcept
    {
        at_ = end_;
        ends_ = 0;
    }

    std::size_t frames() const noexcept { return frames_; } ///< ended so far, and reported
    bool empty() const noexcept { return at_ == end_; }
    std::string_view rest() const noexcept { return {at_, left()}; }

    /// Since when the frame that is not ended goes on.
    began frame_began() const noexcept
    {
        if (!decoder_.begun_)
            return began::nothing;
        return frames_ == 0 && is(went_on) ? began::before : began::here;
    }

private:
    friend class frame_decoder;

    std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
    // What is known of the input.
    enum hint : unsigned char {
        far = 1, // a byte ended the last frame, and the limit is large: so may many that follow
        long_ones = 2, // it was longer than one look far
        of_length = 4, // the frame is too long by the length in front of it
        went_on = 8,   // the frame at the front began before this pass
    };
    bool is(hint what) const noexcept { return (hints_ & what) != 0; }
    void set(hint what, bool on = true) noexcept
    {
        hints_ = static_cast<unsigned char>(on ? hints_ | what : hints_ & ~what);
    }

    std::size_t first_end() const noexcept { return static_cast<unsigned>(__builtin_ctzll(ends_)); }
    void look_anew() noexcept
    {
        ends_ = 0;
        set(far, false);
    }
    ASYNCHAT_DECL step look();
    ASYNCHAT_DECL step look_for_string();
    [[gnu::always_inline]] step look_far();
    ASYNCHAT_DECL step look_near();
    step whole(std::size_t size) noexcept;
    ASYNCHAT_DECL step judge(terminator_scanner::step seen) noexcept;
    ASYNCHAT_DECL step judge_length() noexcept;
    ASYNCHAT_DECL step judge_counted() noexcept;
    void begin_frame() noexcept;
    ASYNCHAT_DECL bool take_otherwise(step s) noexcept;
    bool take_changed(step s) noexcept;
    ASYNCHAT_DECL void keep() noexcept;

    const char* at_ = nullptr;
    const char* end_ = nullptr;
    std::uint64_t ends_ = 0; // of the next frames, one bit for each byte from at_ on; 0: not known
    frame_decoder& decoder_;
    std::size_t frames_ = 0;
    std::size_t partial_match_ = 0;         // bytes at the front that begin the terminator
    std::size_t prefix_;                    // bytes of the length that was read last
    std::size_t length_;                    // what it says
    std::unique_ptr<unread_input> storage_; // where the input lies, if it was unread
    unsigned char hints_ = 0;
};

/// After a frame that a byte ended, others follow most often, and of the same size: finds all ends
/// among 64 bytes, or the next one.
inline frame_decoder::step frame_decoder::pass::look_far()
{
    const frame_decoder& d = decoder_;
    assert(d.size_ == 0 && !d.is_dropping() && d.limit_ >= find_bytes_size && d.scanner_.is_byte());
    if (!is(long_ones)) {
        if (left() < find_bytes_size)
            return look_near();
        ends_ = find_bytes(at_, d.scanner_.only_byte());
        if (ends_ != 0)
            return step(first_end(), 1, step::ends);
        set(long_ones);
    }
    const void* const found = std::memchr(at_, d.scanner_.only_byte(), left());
    const auto size = static_cast<std::size_t>(static_cast<const char*>(found) - at_);
    if (!found || size > d.limit_ || size < find_bytes_size) {
        set(long_ones, false);
        return look_near();
    }
    return step(size, 1, step::ends);
}

inline void frame_decoder::set(const terminator& next, std::size_t limit)
{
    if (partial_match_ > 0 && next != current())
        give_back_partial_match();
    if (next.is_count()) { // the commonest, and a change each time
        scanner_.set_count(next.count());
        return restart(limit);
    }
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

/// The next byte begins another frame.
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
        pass_->look_anew(); // what it sees was within the old one
}

} // namespace asynchat::detail

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/frame_decoder.ipp>
#endif
#endif
