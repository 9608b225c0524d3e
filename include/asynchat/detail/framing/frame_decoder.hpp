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

    using step = frame_step;

    /// What is wrong with a frame that has its length in front, or a string behind it.
    struct malformation {
        std::size_t position; // of the wrong byte in the input
        const char* fault;    // of the length, in words; null: of what has to follow the frame
        char expected;        // in the place of that byte; only behind the frame
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
        return scanner_.is_sized() ? scanner_.in_frame() : !current().collects_everything();
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

    /// Sets the size of the frame under way to `bytes`, which the caller keeps from the terminator
    /// before.
    void go_on_with(std::size_t bytes) noexcept
    {
        size_ = current().is_count() ? 0 : bytes;
        begun_ = !current().collects_everything();
    }

    /// All input that was not taken, as it came.
    ASYNCHAT_DECL std::string undelivered() const;

    /// Forgets all input, but not the frame.
    ASYNCHAT_DECL void discard() noexcept;

    /// Forgets the input and the frame: another stream begins. The terminator stays.
    ASYNCHAT_DECL void start_anew() noexcept;

    // --- the end of the stream -----------------------------------------------------------------

    /// Bytes that wait in vain for others: of a terminator, of a length, of what follows a frame.
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

} // namespace asynchat::detail

#endif
