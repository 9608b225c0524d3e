// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FRAME_DECODER_HPP
#define ASYNCHAT_DETAIL_FRAMING_FRAME_DECODER_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/framing/frame_step.hpp>
#include <asynchat/detail/framing/terminator_scanner.hpp>
#include <asynchat/terminator.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Largest frame in bytes, unless another limit is set.
inline constexpr std::size_t default_max_frame = 65536;

/// Counts the unread bytes of all channels of a loop.
using unread_counter = std::shared_ptr<std::size_t>;

/// How a pass looks at its input, and who counts what it leaves.
struct input_bounds {
    std::size_t part = std::numeric_limits<std::size_t>::max(); // bytes
    const unread_counter* counter = nullptr;
};

/// Cuts input into frames: bytes in, steps out. It makes no callbacks, and knows no channel and no
/// clock.
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
/// The caller may call set(), limit() and discard() at any time, also between next() and take().
/// When the pass is destroyed, the rest of its input becomes unread input.
///
/// There is no second loop for bursts of short lines. Instead the pass stores the positions of the
/// ends among the next 64 bytes, and every change clears them. While they are set, one test shows
/// all of this: nothing has changed, the frame is at its start, a string of one byte or two ends
/// it, and the limit is 64 bytes or more.
class frame_decoder {
public:
    class pass;

    using step = frame_step;

    /// Why a frame with a length prefix, or with a string behind it, is malformed.
    struct malformation {
        std::size_t position; // index of the offending byte in the input
        const char* fault;    // why the length is wrong; null: the string behind the frame is wrong
        char expected;        // instead of that byte; only behind the frame
    };

    frame_decoder() = default;
    frame_decoder(const frame_decoder&) = delete;
    frame_decoder& operator=(const frame_decoder&) = delete;
    ~frame_decoder() { assert(!pass_); }

    const terminator& current() const noexcept { return scanner_.current(); }

    /// The string that ended the last frame; empty if no string ended it.
    std::string_view matched() const noexcept { return scanner_.matched(); }

    /// Whether the last reported frame was truncated; valid until the next look.
    bool truncated() const noexcept { return (changes_ & truncation) != 0; }

    std::size_t limit() const noexcept { return limit_; }

    /// Whether bytes of a frame were taken and its end was not. An incomplete length counts too,
    /// once next() has seen it.
    bool in_frame() const noexcept { return begun_; }

    /// Whether the next bytes belong to a frame: there is a terminator, and it is not a count of 0.
    bool has_frame() const noexcept
    {
        return scanner_.is_sized() ? scanner_.in_frame() : !current().collects_everything();
    }

    /// Whether the rest of a too long frame is being dropped.
    bool is_dropping() const noexcept { return overflow_ != overflow::none; }

    /// The current pass, or null.
    pass* under_way() const noexcept { return pass_; }

    /// Bytes to put in front of the next input: unread bytes, or the beginning of a terminator.
    std::string_view carried() const
    {
        if (unread_)
            return std::string_view(unread_->bytes).substr(unread_->front);
        return partial_match_ > 0 ? scanner_.held(partial_match_) : std::string_view();
    }
    bool has_unread() const noexcept { return unread_ != nullptr; }

    /// Whether unread input was lost because there was no memory for it.
    bool out_of_memory() const noexcept { return out_of_memory_; }

    /// The terminator from the next byte on, and the limit; unread bytes and a partial match are
    /// looked at again. A string after a string goes on with the frame; anything else begins
    /// another one.
    ASYNCHAT_DECL void set(const terminator& next, std::size_t limit);

    /// As set() for a count, when nothing is held or dropped: then there is little to do. Otherwise
    /// does nothing and returns false.
    inline bool set_count_at_rest(std::size_t count, std::size_t limit) noexcept;

    /// Whether nothing is held or dropped, and the string is the one of before, also with counts
    /// between: then resume_string() sets it. The first is quick, and false for strings of more
    /// than two bytes.
    bool can_resume_short(std::string_view string) const noexcept
    {
        return is_at_rest() && scanner_.has_short_bytes(string) && !current().is_several();
    }
    bool can_resume(std::string_view string) const noexcept
    {
        return is_at_rest() && scanner_.has_bytes(string) && !current().is_several();
    }
    /// Returns whether a new frame begins, because there was a count.
    inline bool resume_string() noexcept;

    /// Largest frame with a string or a length prefix, in bytes. May be lower than the size that
    /// the present frame already has.
    inline void limit(std::size_t bytes) noexcept;

    /// Sets the size of the current frame to `bytes`, which the caller has kept since the previous
    /// terminator.
    void go_on_with(std::size_t bytes) noexcept
    {
        size_ = current().is_count() ? 0 : bytes;
        begun_ = !current().collects_everything();
    }

    /// All input that was not taken, in order.
    ASYNCHAT_DECL std::string undelivered() const;

    /// Forgets all input, but not the frame.
    ASYNCHAT_DECL void discard() noexcept;

    /// Forgets the input and the frame, because a new stream begins. The terminator stays.
    ASYNCHAT_DECL void start_anew() noexcept;

    // --- the end of the stream -----------------------------------------------------------------

    /// Bytes of an incomplete terminator, length or string behind a frame.
    ASYNCHAT_DECL std::string_view remainder() const;

    /// How many bytes of remainder() fit into the frame.
    ASYNCHAT_DECL std::size_t room_for_remainder() const;

    ASYNCHAT_DECL void drop_remainder() noexcept;

    /// Makes `bytes` part of the next input again.
    ASYNCHAT_DECL void put_back(std::string_view bytes) noexcept;

    // --- input without a pass -------------------------------------------------------------------

    /// Missing bytes of a counted frame that may be received without a pass.
    std::size_t lacking() const noexcept
    {
        return unread_ || partial_match_ > 0 || is_dropping() ? 0 : current().count();
    }

    /// Tells that `bytes` of the missing bytes were received, 1 or more. Returns whether the frame
    /// is complete.
    ASYNCHAT_DECL bool filled(std::size_t bytes) noexcept;

private:
    class unread_input {
    public:
        unread_input(std::string_view input, const unread_counter* counter) : bytes(input)
        {
            if (counter)
                counter_ = *counter;
            if (counter_)
                *counter_ += bytes.size();
        }
        unread_input(const unread_input&) = delete;
        unread_input& operator=(const unread_input&) = delete;
        ~unread_input()
        {
            if (counter_)
                *counter_ -= bytes.size();
        }

        std::string bytes;
        std::size_t front = 0; // number of bytes taken since

    private:
        unread_counter counter_; // the channel may outlive its loop
    };
    // Changes since the last look.
    enum change : unsigned char {
        none = 0,
        changed = 1,   // there is another terminator
        restarted = 2, // and it begins a new frame
        discarded = 4,
        truncation = 8, // the previous frame was truncated
    };
    // What happens to the rest of a too long frame.
    enum class overflow : unsigned char { none, skips, truncates };

    bool is_at_rest() const noexcept { return partial_match_ == 0 && !is_dropping(); }
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
    ASYNCHAT_DECL void keep(std::string_view bytes, const unread_counter* counter) noexcept;
    void frame_is_over() noexcept
    {
        size_ = 0;
        begun_ = false;
        overflow_ = overflow::none;
    }

    terminator_scanner scanner_;
    std::unique_ptr<unread_input> unread_;
    pass* pass_ = nullptr;
    std::size_t size_ = 0; // bytes taken of a frame with a string, or of a truncated frame
    std::size_t limit_ = default_max_frame;
    unsigned partial_match_ = 0; // bytes of the terminator that the last input ended with
    unsigned char changes_ = none;
    overflow overflow_ = overflow::none;
    bool begun_ = false; // a frame has begun and not ended
    bool out_of_memory_ = false;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
