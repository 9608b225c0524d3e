// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_NUMBER_HPP
#define ASYNCHAT_NUMBER_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

namespace asynchat {

/// What is wrong with the text of a number.
enum class number_error : unsigned char {
    none,        ///< nothing
    empty,       ///< there is no digit at all
    not_a_digit, ///< a byte is no digit of the base: a sign, a space, anything
    too_large,   ///< with this digit the number is over the limit
    too_small,   ///< with this digit it is under the other limit, that of parse_integer()
};

/// "no error", "no digits", "not a digit", "too large" or "too small".
[[nodiscard]] constexpr std::string_view to_string(number_error error) noexcept
{
    switch (error) {
    case number_error::none: break;
    case number_error::empty: return "no digits";
    case number_error::not_a_digit: return "not a digit";
    case number_error::too_large: return "too large";
    case number_error::too_small: return "too small";
    }
    return "no error";
}

enum class number_base : unsigned char { decimal = 10, hexadecimal = 16 };

/// What parse_number() or parse_integer() made of a text: a number, or an error and the byte that
/// is to blame.
template <class Number>
class [[nodiscard]] basic_parsed_number {
public:
    constexpr explicit basic_parsed_number(Number value) noexcept : value_(value) {}
    constexpr basic_parsed_number(number_error error, std::size_t position) noexcept
        : value_(static_cast<Number>(position)), error_(error)
    {
    }

    /// True when there is a number, also when it is 0.
    constexpr explicit operator bool() const noexcept { return error_ == number_error::none; }
    constexpr Number operator*() const noexcept { return error() == none ? value_ : 0; }

    [[nodiscard]] constexpr number_error error() const noexcept { return error_; }
    /// Of the byte that is wrong, from 0; the size of the text if nothing is there. 0 without
    /// error.
    [[nodiscard]] constexpr std::size_t position() const noexcept
    {
        return error() == none ? 0 : static_cast<std::size_t>(value_);
    }

private:
    static constexpr number_error none = number_error::none;

    Number value_; // or the position
    number_error error_ = none;
};

using parsed_number = basic_parsed_number<std::size_t>;
using parsed_integer = basic_parsed_number<std::int64_t>;

namespace detail {

/// Of a digit in either case; 16 for any other byte.
constexpr unsigned digit_value(char digit) noexcept
{
    if (digit >= '0' && digit <= '9')
        return static_cast<unsigned>(digit - '0');
    if (digit >= 'a' && digit <= 'f')
        return static_cast<unsigned>(digit - 'a') + 10;
    if (digit >= 'A' && digit <= 'F')
        return static_cast<unsigned>(digit - 'A') + 10;
    return 16;
}

/// Digits and nothing else, at most `max`.
template <class Number>
constexpr basic_parsed_number<Number> parse_digits(std::string_view text, Number max,
                                                   number_base base) noexcept
{
    if (text.empty())
        return {number_error::empty, 0};
    const auto radix = static_cast<unsigned>(base);
    Number value = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const unsigned digit = digit_value(text[at]);
        if (digit >= radix)
            return {number_error::not_a_digit, at};
        if (digit > max || value > (max - digit) / radix)
            return {number_error::too_large, at};
        value = value * radix + digit;
    }
    return basic_parsed_number<Number>(value);
}

} // namespace detail

/// Reads a length as the other side of a protocol wrote it: nothing but digits, and at most `max`.
///
///     if (const auto length = parse_number(text, max_frame()))
///         set_terminator(*length);
///
/// A sign, a space, a 0x or anything behind the digits is an error, as is an empty text; zeros in
/// front are not. The first byte that is wrong decides, whatever follows it. Hexadecimal digits may
/// be of either case. Throws nothing and allocates nothing.
[[nodiscard]] constexpr parsed_number parse_number(std::string_view text, std::size_t max,
                                                   number_base base = number_base::decimal) noexcept
{
    return detail::parse_digits(text, max, base);
}

/// Reads an integer of 64 bits with its sign: as parse_number(), but one '-' may stand in front of
/// the digits, and the number is at least `min`.
///
///     parse_integer("-1", -1, max_frame()) // the length of a bulk string of RESP
///
/// A '+' is an error, and so is a '-' without digits; "-0" is 0. Where 0 is out of the limits, a
/// number between it and them, as 3 for [5, 9], is wrong only at its end: position() is the size of
/// the text then. Throws nothing and allocates nothing.
[[nodiscard]] constexpr parsed_integer
parse_integer(std::string_view text, std::int64_t min = std::numeric_limits<std::int64_t>::min(),
              std::int64_t max = std::numeric_limits<std::int64_t>::max(),
              number_base base = number_base::decimal) noexcept
{
    const bool negative = !text.empty() && text.front() == '-';
    // As far from 0 as it may be on its side.
    const auto farthest =
        static_cast<std::uint64_t>(negative ? (min < 0 ? min : 0) : (max > 0 ? max : 0));
    const auto size = detail::parse_digits(text.substr(negative ? 1 : 0),
                                           negative ? 0 - farthest : farthest, base);
    if (!size) {
        const bool is_far = size.error() == number_error::too_large;
        return {is_far && negative ? number_error::too_small : size.error(),
                size.position() + (negative ? 1 : 0)};
    }
    const auto value = static_cast<std::int64_t>(negative ? 0 - *size : *size);
    if (value < min)
        return {number_error::too_small, text.size()};
    if (value > max)
        return {number_error::too_large, text.size()};
    return parsed_integer(value);
}

/// As above, for a `max` without a sign, as max_frame(): one that is over all integers of 64 bits,
/// as `unlimited`, is no limit.
template <class Unsigned, std::enable_if_t<std::is_unsigned_v<Unsigned>, int> = 0>
[[nodiscard]] constexpr parsed_integer
parse_integer(std::string_view text, std::int64_t min, Unsigned max,
              number_base base = number_base::decimal) noexcept
{
    constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
    const bool is_over = max > static_cast<std::uint64_t>(largest);
    return parse_integer(text, min, is_over ? largest : static_cast<std::int64_t>(max), base);
}

} // namespace asynchat

#endif
