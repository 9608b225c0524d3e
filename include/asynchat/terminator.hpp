// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TERMINATOR_HPP
#define ASYNCHAT_TERMINATOR_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/framing/short_string.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

class terminator_scanner;

/// True for the integers that can be a count: not bool, not a character.
template <class T>
inline constexpr bool is_count_type =
    std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char> &&
    !std::is_same_v<T, signed char> && !std::is_same_v<T, unsigned char> &&
    !std::is_same_v<T, wchar_t> && !std::is_same_v<T, char16_t> && !std::is_same_v<T, char32_t>
#ifdef __cpp_char8_t
    && !std::is_same_v<T, char8_t>
#endif
    ;

/// One of the strings of a terminator; a literal means all its bytes without the final NUL.
class string_argument {
public:
    string_argument(std::string_view bytes) noexcept : bytes_(bytes) {}
    string_argument(const std::string& bytes) noexcept : bytes_(bytes) {}
    template <std::size_t N>
    string_argument(const char (&literal)[N]) noexcept : bytes_(literal, N - 1)
    {
    }
    template <class T,
              std::enable_if_t<std::is_same_v<T, const char*> || std::is_same_v<T, char*>, int> = 0>
    string_argument(T text) : bytes_(text)
    {
    }
    template <std::size_t N>
    string_argument(char (&text)[N]) : bytes_(text)
    {
    }
    template <class T, std::enable_if_t<std::is_same_v<T, std::nullptr_t>, int> = 0>
    string_argument(T) = delete;

    operator std::string_view() const noexcept { return bytes_; }

private:
    std::string_view bytes_;
};

} // namespace detail

/// Which byte of a number comes first: the highest (network byte order) or the lowest.
enum class byte_order : unsigned char { big, little };

/// What ends a frame: a string of bytes, the first of several strings, a count of bytes with or
/// without a string behind them, a length prefix, or nothing.
///
/// A regular value. "None", the count 0 and the empty string all mean "collect everything, report
/// nothing", as in Python. They compare unequal: get_terminator() returns the value that was set.
///
///     terminator t;                    // none; also terminator(std::nullopt)
///     terminator t = "\r\n";           // a literal means all its bytes, NULs included
///     terminator t = std::string(...); // any length, any bytes
///     terminator t = 1024;             // the next 1024 bytes
///     terminator t = {"\r\n", "\n"};   // the one that ends first; then the longest
///
///     terminator t = terminator::counted(5, "\r\n"); // the next 5 bytes, then a line end
///     terminator t = terminator::length_prefix(4);   // the length comes first, in 4 bytes
///
/// A string and a length prefix stay in force for all later frames. A count ends one frame only.
///
/// A single character, a bool or a null pointer does not compile: '\n' must not mean ten bytes.
/// Python: Lib/asynchat.py, async_chat.set_terminator
class ASYNCHAT_API terminator : detail::short_string {
public:
    /// No terminator: everything is collected and nothing is reported.
    terminator() noexcept = default;
    terminator(std::nullopt_t) noexcept {}

    /// The given bytes, copied.
    terminator(std::string_view bytes) : short_string(bytes), kind_(kind::bytes) {}
    terminator(const std::string& bytes) : terminator(std::string_view(bytes)) {}

    /// A literal: all its bytes but the final NUL.
    template <std::size_t N>
    terminator(const char (&literal)[N]) : terminator(std::string_view(literal, N - 1))
    {
    }

    /// A C string, or a buffer with one: the bytes before its NUL.
    template <class T,
              std::enable_if_t<std::is_same_v<T, const char*> || std::is_same_v<T, char*>, int> = 0>
    terminator(T text) : terminator(std::string_view(text))
    {
    }
    template <std::size_t N>
    terminator(char (&text)[N]) : terminator(std::string_view(text))
    {
    }
    terminator(std::nullptr_t) = delete;

    /// A count of bytes. Throws std::invalid_argument when it is negative.
    template <class Integer, std::enable_if_t<detail::is_count_type<Integer>, int> = 0>
    terminator(Integer count) : kind_(kind::count), count_(static_cast<std::size_t>(count))
    {
        if constexpr (std::is_signed_v<Integer>) {
            if (count < 0)
                refuse(count);
        }
    }

    /// Any of several strings. The frame ends with the string that is complete first; if several
    /// end at the same byte, with the longest. A list of one string is the same as that string.
    /// Throws std::invalid_argument when the list is empty, or when one of several strings is
    /// empty.
    ASYNCHAT_DECL terminator(std::initializer_list<detail::string_argument> strings);
    ASYNCHAT_DECL explicit terminator(const std::vector<std::string>& strings);

    /// The next `count` bytes, which `string` must follow; the string is removed. A count of 0 is
    /// an empty frame before the string. If other bytes follow, the frame is malformed: the channel
    /// is closed with close_reason::bad_frame.
    /// Throws std::invalid_argument when the count is negative or the string empty.
    template <class Integer, std::enable_if_t<detail::is_count_type<Integer>, int> = 0>
    static terminator counted(Integer count, detail::string_argument string)
    {
        terminator made(count);
        made.be_followed_by(string);
        return made;
    }

    /// Each frame follows its length in bytes. The length is a binary number of `width` bytes, 1 to
    /// 8, and does not count itself. Throws std::invalid_argument for another width.
    ASYNCHAT_DECL static terminator length_prefix(std::size_t width,
                                                  byte_order order = byte_order::big);

    /// The length as LEB128, as in Protocol Buffers: seven bits in each byte, the lowest first, in
    /// 10 bytes at most. A length with more bytes than necessary is malformed.
    ASYNCHAT_DECL static terminator varint();

    /// A netstring: the length in decimal digits, a colon, the frame, a comma, as in "5:hello,".
    /// A leading zero before other digits is malformed.
    ASYNCHAT_DECL static terminator netstring();

    /// True for the terminator that never ends a frame.
    [[nodiscard]] bool is_none() const noexcept { return kind_ == kind::none; }
    /// A number of bytes, with or without a string behind them.
    [[nodiscard]] bool is_count() const noexcept
    {
        return kind_ == kind::count || kind_ == kind::counted;
    }
    /// One string or several.
    [[nodiscard]] bool is_bytes() const noexcept { return kind_ >= kind::bytes; }
    /// True for several strings, any of which ends a frame.
    [[nodiscard]] bool is_several() const noexcept { return kind_ == kind::several; }
    /// True when the length of a frame stands in front of it.
    [[nodiscard]] bool is_length_prefix() const noexcept
    {
        return kind_ < kind::none && kind_ != kind::counted;
    }

    /// True for the terminators that collect everything: none, the count 0 without a string behind
    /// it, and the empty string.
    [[nodiscard]] bool collects_everything() const noexcept
    {
        return is_bytes() ? short_string::empty() : count_ == 0 && kind_ >= kind::none;
    }

    /// The string; of counted(), the string behind the count. Empty for the other kinds. The view
    /// is valid until the terminator is changed.
    [[nodiscard]] std::string_view bytes() const noexcept
    {
        return kind_ == kind::bytes || kind_ == kind::counted ? view() : std::string_view();
    }

    /// The strings in the given order; one element for a single string; empty for the other kinds.
    /// The views are valid until the terminator is changed.
    [[nodiscard]] ASYNCHAT_DECL std::vector<std::string_view> strings() const;

    /// The count of bytes; 0 for the other kinds. For a length prefix that
    /// async_chat::get_terminator() returns: the bytes of the frame that are still missing; 0 while
    /// the length is read.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

    /// For a length prefix, the number of missing bytes is not compared.
    friend bool operator==(const terminator& a, const terminator& b) noexcept
    {
        return a.kind_ == b.kind_ && a.equals(b);
    }
    friend bool operator!=(const terminator& a, const terminator& b) noexcept { return !(a == b); }

    /// The value as Python prints it: None, 7, or '\r\n' with unprintable bytes escaped; several
    /// strings as ('\r\n', '\n'); and counted(5, '\r\n'), length_prefix(4, big), varint(),
    /// netstring().
    [[nodiscard]] ASYNCHAT_DECL std::string repr() const;

private:
    friend class detail::terminator_scanner;

    [[noreturn]] ASYNCHAT_DECL static void refuse(std::intmax_t count);

    // The order makes each question that is asked for every frame a single comparison: first the
    // kinds with bytes behind the frame, then the other length prefixes, then none and count, then
    // the strings.
    enum class kind : unsigned char {
        counted,
        netstring,
        fixed,
        varint,
        none,
        count,
        bytes,
        several
    };

    explicit terminator(kind of) noexcept : kind_(of) {}
    template <class Strings>
    void join(const Strings& strings);
    ASYNCHAT_DECL void be_followed_by(std::string_view string);
    ASYNCHAT_DECL bool equals(const terminator& other) const noexcept;

    // The string is the base; of several strings, a list. In the scanner a count keeps the last
    // string.
    kind kind_ = kind::none;
    unsigned char width_ = 0;            // of a fixed length prefix
    byte_order order_ = byte_order::big; // of a fixed length prefix
    bool in_frame_ = false;              // the length is read; always true for `counted`
    unsigned char short_size_ = 0;       // for the scanner: size of a short string
    std::size_t count_ = 0;
};

/// Length of the longest proper prefix of `needle` that ends `haystack`.
///
/// Call it when `haystack` does not contain the whole needle. The cost is linear in the length of
/// the needle, for all bytes.
/// @return bytes, in [0, needle.size()); 0 when nothing matches.
/// Throws std::bad_alloc only. Example: ("qwerty\r", "\r\n") gives 1; ("qwerty", "\r\n") gives 0.
/// Python: Lib/asynchat.py, find_prefix_at_end
ASYNCHAT_API ASYNCHAT_DECL std::size_t find_prefix_at_end(std::string_view haystack,
                                                          std::string_view needle);

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/terminator.ipp>
#endif
#endif
