// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_TERMINATOR_SCANNER_HPP
#define ASYNCHAT_DETAIL_FRAMING_TERMINATOR_SCANNER_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/framing/find_byte.hpp>
#include <asynchat/detail/framing/find_pair.hpp>
#include <asynchat/detail/framing/length_prefix.hpp>
#include <asynchat/detail/framing/prefix_table.hpp>
#include <asynchat/detail/framing/string_search.hpp>
#include <asynchat/terminator.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Finds the end of a frame in input that arrives in any pieces. No I/O, no callbacks.
///
/// Flow:
///   1. scan(input, matched) says what to do with the front of the input: how many bytes to
///      collect, whether the terminator follows them, how many bytes to hold back;
///   2. the caller delivers the bytes and drops the bytes that the step used;
///   3. count_down() after a piece of a counted frame, unless the terminator was changed.
/// For a length prefix, or a count with a string behind it, the caller does not call scan():
///   1. read_length() until the length is complete, and begin_frame(); a count is in_frame() from
///      the start;
///   2. count_down() after each piece of the frame; in_frame() stays true at its end, because
///      behind() may have to follow;
///   3. end_frame(); a count is then 0 and has no string.
/// Held bytes are the longest proper prefix of the terminator that ends the input. The caller puts
/// them in front of the next input and passes their number as `matched`: they are not examined
/// again. The cost of all steps together is linear in the input, for all bytes.
class terminator_scanner {
public:
    /// Small enough to be returned in two registers, because there is a step for every frame.
    class step {
    public:
        static step end_of_frame(std::size_t before, std::size_t skipped) noexcept
        {
            return step(before, skipped, true);
        }
        static step more_to_come(std::size_t before, std::size_t held_back) noexcept
        {
            return step(before, held_back, false);
        }

        /// The number of bytes at the front that belong to the frame.
        std::size_t collect() const noexcept { return collect_; }
        /// Whether the frame ends behind these bytes.
        bool found() const noexcept { return (behind_ & 1U) != 0; }
        /// The number of terminator bytes behind them; 0 for a count, and if not found.
        std::size_t skip() const noexcept { return found() ? behind_ >> 1U : 0; }
        /// The number of bytes at the end of the input to hold back; 0 if found.
        std::size_t held() const noexcept { return found() ? 0 : behind_ >> 1U; }

    private:
        step(std::size_t collect, std::size_t behind, bool found) noexcept
            : collect_(collect), behind_(behind << 1U | (found ? 1U : 0U))
        {
        }

        std::size_t collect_;
        std::size_t behind_; // skip or held; the last bit says which
    };

    const terminator& current() const noexcept { return terminator_; }

    /// The size of a short string: one byte or two. 0 for any other terminator.
    std::size_t short_size() const noexcept
    {
        return terminator_.kind_ == terminator::kind::bytes ? terminator_.short_size_ : 0;
    }
    bool is_byte() const noexcept { return short_size() == 1; }

    /// Of a short string.
    char first_byte() const noexcept { return terminator_.near()[0]; }
    char last_byte() const noexcept { return terminator_.near()[terminator_.near_size() - 1]; }

    /// New input begins: it does not contain the rest of a length-prefixed frame.
    void start_anew() noexcept
    {
        if (!terminator_.is_length_prefix())
            return;
        terminator_.count_ = 0;
        terminator_.in_frame_ = false;
    }

    /// Replaces the terminator; examines nothing. Returns whether that is a change.
    ASYNCHAT_DECL bool set(const terminator& next);

    /// Whether the last string was this one, and not empty; also if a count came since.
    bool has_bytes(std::string_view bytes) const noexcept
    {
        return !bytes.empty() && bytes == terminator_.view();
    }

    /// The same for a string of one byte or two; for others it is false.
    [[gnu::always_inline]] bool has_short_bytes(std::string_view bytes) const noexcept
    {
        const std::size_t size = terminator_.near_size();
        return size == bytes.size() && size - 1 < 2 && bytes.front() == *terminator_.near() &&
               bytes.back() == terminator_.near()[size - 1];
    }

    /// That becomes the terminator again. A protocol that goes back and forth between a string and
    /// counts copies nothing.
    void use_bytes() noexcept
    {
        terminator_.kind_ = terminator::kind::bytes;
        terminator_.count_ = 0;
    }

    /// As set(), for a count without a string behind it. The last string is kept.
    void set_count(std::size_t count) noexcept
    {
        terminator_.kind_ = terminator::kind::count;
        terminator_.count_ = count;
    }

    /// Examines `input`, never empty. Its first `matched` bytes are held bytes (see above).
    /// Inline, because it runs for each frame: a call would be a tenth of its cost.
    [[gnu::always_inline]] step scan(std::string_view input, std::size_t matched)
    {
        if (is_byte()) {
            const std::size_t at = find_byte(input, first_byte());
            return at < input.size() ? step::end_of_frame(at, 1) : step::more_to_come(at, 0);
        }
        const std::size_t count = terminator_.count_;
        if (is_only_count(terminator_) && count > 0 && input.size() >= count)
            return step::end_of_frame(count, 0);
        if (!strings().empty())
            return find_string(input, matched);
        return step::more_to_come(is_sized() ? 0 : input.size(), 0);
    }

    /// As scan(), for a string of two bytes or more, or several.
    [[gnu::always_inline]] step find_string(std::string_view input, std::size_t matched)
    {
        if (terminator_.is_several())
            return find_several(input, matched);
        const std::size_t size = terminator_.near_size();
        if (matched > 0 || size == 0)
            return search(input, matched, matched);
        // Nearly every first byte begins a whole terminator; the most frequent one is "\r\n".
        const char* const needle = terminator_.near();
        const std::size_t at = find_byte(input, *needle);
        if (at == input.size())
            return step::more_to_come(at, 0);
        if (input.size() - at < size)
            return search(input, at, 0);
        if (input[at + size - 1] == needle[size - 1] &&
            (size == 2 || equal(input.data() + at, needle, size)))
            return step::end_of_frame(at, size);
        return search(input, at + 1, 0);
    }

    /// The bytes that the last step held back: of the terminator or of behind().
    ASYNCHAT_DECL std::string_view held(std::size_t bytes) const;

    /// The string that ended the last frame; empty if no string ended it.
    std::string_view matched() const noexcept
    {
        if (!terminator_.is_several())
            return strings();
        return tools_ && tools_->search ? tools_->search->found() : std::string_view();
    }

    /// Subtracts `bytes`, at most the count, from the rest of a counted or length-prefixed frame.
    void count_down(std::size_t bytes) noexcept { terminator_.count_ -= bytes; }

    /// A count without a string behind it.
    static bool is_only_count(const terminator& t) noexcept
    {
        return t.kind_ == terminator::kind::count;
    }

    // --- a length prefix, or a count with a string behind it -----------------------------------

    static bool is_sized(const terminator& t) noexcept { return t.kind_ < terminator::kind::none; }
    bool is_sized() const noexcept { return is_sized(terminator_); }
    bool in_frame() const noexcept { return is_sized() && terminator_.in_frame_; }

    /// Whether a string must follow the frame, and which string.
    bool needs_behind() const noexcept { return terminator_.kind_ <= terminator::kind::netstring; }
    ASYNCHAT_DECL std::string_view behind() const noexcept;
    ASYNCHAT_DECL length_prefix read_length(std::string_view input) const;
    void begin_frame(std::size_t length) noexcept
    {
        terminator_.count_ = length;
        terminator_.in_frame_ = true;
    }
    void end_frame() noexcept
    {
        terminator_.in_frame_ = false;
        if (terminator_.kind_ == terminator::kind::counted)
            terminator_.kind_ = terminator::kind::count;
    }

private:
    /// The string, or the list of several, which is longer than one byte.
    std::string_view strings() const noexcept
    {
        return terminator_.is_bytes() ? terminator_.view() : std::string_view();
    }
    /// What only some strings need, or only some input.
    struct search_tools {
        prefix_table table; // for terminator_; built when a partial match first fails
        std::unique_ptr<string_search> search; // for the last terminator of several strings
    };
    search_tools& tools();
    ASYNCHAT_DECL void set_sized(const terminator& next);
    ASYNCHAT_DECL step find_several(std::string_view input, std::size_t matched);
    ASYNCHAT_DECL void replace_string(std::string_view bytes);
    ASYNCHAT_DECL step search(std::string_view input, std::size_t position, std::size_t matched);

    struct landing {
        std::size_t position;
        bool found; // a whole terminator is there
    };
    ASYNCHAT_DECL landing jump(std::string_view input, std::size_t position) const;

    terminator terminator_;
    std::unique_ptr<search_tools> tools_; // made when they are needed
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/terminator_scanner.ipp>
#endif
#endif
