// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TERMINATOR_HPP
#define ASYNCHAT_TERMINATOR_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace asynchat {

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

/// Throws std::invalid_argument that names the count.
[[noreturn]] ASYNCHAT_DECL void throw_negative_count(std::intmax_t count);

} // namespace detail

/// What ends a frame: a string of bytes, a number of bytes, or nothing.
///
/// A regular value. All three of "none", the count 0 and the empty string mean "collect
/// everything, report nothing", as in Python, and compare unequal: what was set reads back.
///
///     terminator t;                    // none; also terminator(std::nullopt)
///     terminator t = "\r\n";           // a literal means all its bytes, NULs included
///     terminator t = std::string(...); // any length, any bytes
///     terminator t = 1024;             // the next 1024 bytes
///
/// A single character, a bool or a null pointer does not compile: '\n' must not mean ten bytes.
/// Python: Lib/asynchat.py, async_chat.set_terminator
class terminator {
public:
    /// No terminator: everything is collected and nothing reported.
    terminator() noexcept = default;
    terminator(std::nullopt_t) noexcept {}

    /// The given bytes, copied.
    terminator(std::string_view bytes) : kind_(kind::bytes), bytes_(bytes) {}
    terminator(std::string bytes) noexcept : kind_(kind::bytes), bytes_(std::move(bytes)) {}

    /// A literal: all its bytes but the final NUL.
    template <std::size_t N>
    terminator(const char (&literal)[N]) : kind_(kind::bytes), bytes_(literal, N - 1)
    {
    }

    /// A C string, or a buffer with one: the bytes before its NUL.
    template <class T,
              std::enable_if_t<std::is_same_v<T, const char*> || std::is_same_v<T, char*>, int> = 0>
    terminator(T text) : kind_(kind::bytes), bytes_(text)
    {
    }
    template <std::size_t N>
    terminator(char (&text)[N]) : kind_(kind::bytes), bytes_(text)
    {
    }
    terminator(std::nullptr_t) = delete;

    /// A count of bytes. Throws std::invalid_argument when it is negative.
    template <class Integer, std::enable_if_t<detail::is_count_type<Integer>, int> = 0>
    terminator(Integer count) : kind_(kind::count), count_(static_cast<std::size_t>(count))
    {
        if constexpr (std::is_signed_v<Integer>) {
            if (count < 0)
                detail::throw_negative_count(count);
        }
    }

    bool is_none() const noexcept { return kind_ == kind::none; }
    bool is_count() const noexcept { return kind_ == kind::count; }
    bool is_bytes() const noexcept { return kind_ == kind::bytes; }

    /// True when everything is to be collected: none, the count 0, or the empty string.
    bool collects_everything() const noexcept { return is_bytes() ? bytes_.empty() : count_ == 0; }

    /// The string; empty for the other kinds. Valid until the terminator is changed.
    std::string_view bytes() const noexcept
    {
        return is_bytes() ? std::string_view(bytes_) : std::string_view();
    }

    /// The number of bytes; 0 for the other kinds.
    std::size_t count() const noexcept { return count_; }

    friend bool operator==(const terminator& a, const terminator& b) noexcept
    {
        return a.kind_ == b.kind_ && a.count_ == b.count_ && a.bytes() == b.bytes();
    }
    friend bool operator!=(const terminator& a, const terminator& b) noexcept { return !(a == b); }

    /// As Python would print it: None, 7, or '\r\n' with everything unprintable escaped.
    ASYNCHAT_DECL std::string repr() const;

private:
    friend class detail::terminator_scanner;

    enum class kind : unsigned char { none, count, bytes };

    kind kind_ = kind::none;
    std::size_t count_ = 0;
    std::string bytes_; // the scanner's keeps the last string through a count
};

/// Length of the longest proper prefix of `needle` that ends `haystack`.
///
/// Assumes that the whole needle was already searched for and not found. The cost is linear in
/// the length of the needle, whatever the bytes.
/// @return bytes, in [0, needle.size()); 0 when nothing matches.
/// Throws std::bad_alloc only. Example: ("qwerty\r", "\r\n") gives 1; ("qwerty", "\r\n") gives 0.
/// Python: Lib/asynchat.py, find_prefix_at_end
ASYNCHAT_DECL std::size_t find_prefix_at_end(std::string_view haystack, std::string_view needle);

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/terminator.ipp>
#endif
#endif
