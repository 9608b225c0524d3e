// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_NUMBER_HPP
#define ASYNCHAT_NUMBER_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// What is wrong with the text of a number.
enum class number_error : unsigned char {
    none,        ///< nothing
    empty,       ///< there is no digit at all
    not_a_digit, ///< a byte is not a digit of the base: a sign, a space, any other byte
    too_large,   ///< with this digit the number is over the upper limit
    too_small,   ///< with this digit the number is under the lower limit of parse_integer()
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

/// Which digits a number has.
enum class number_base : unsigned char { decimal = 10, hexadecimal = 16 };

/// The result of parse_number() or parse_integer(): a number, or an error and its position.
template <class Number>
class [[nodiscard]] basic_parsed_number {
public:
    /// For parse_number() and parse_integer().
    constexpr explicit basic_parsed_number(Number value) noexcept : value_(value) {}
    constexpr basic_parsed_number(number_error error, std::size_t position) noexcept
        : value_(static_cast<Number>(position)), error_(error)
    {
    }

    /// True for a number, also for the number 0.
    constexpr explicit operator bool() const noexcept { return error_ == number_error::none; }
    constexpr Number operator*() const noexcept { return error() == none ? value_ : 0; }

    /// Why there is no number; none when there is one.
    [[nodiscard]] constexpr number_error error() const noexcept { return error_; }
    /// Index of the offending byte; text.size() if the text is empty or ends early; 0 if there is
    /// no error.
    [[nodiscard]] constexpr std::size_t position() const noexcept
    {
        return error() == none ? 0 : static_cast<std::size_t>(value_);
    }

private:
    static constexpr number_error none = number_error::none;

    Number value_; // or the position
    number_error error_ = none;
};

/// What parse_number() and parse_integer() return.
using parsed_number = basic_parsed_number<std::size_t>;
using parsed_integer = basic_parsed_number<std::int64_t>;

namespace detail {

/// The value of a digit, in either case; 16 for any other byte.
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

/// Four bytes as one number, the first one lowest.
constexpr std::uint32_t four_bytes(const char* bytes) noexcept
{
    const auto byte = [bytes](unsigned at) {
        return std::uint32_t{static_cast<unsigned char>(bytes[at])} << (8 * at);
    };
    return byte(0) | byte(1) | byte(2) | byte(3); // one load, in the eyes of a compiler
}

/// Whether all four bytes are digits; then their value.
constexpr bool are_digits(std::uint32_t bytes) noexcept
{
    const std::uint32_t digits = bytes - 0x30303030; // a smaller byte borrows, and is over 9 then
    return ((digits | (digits + 0x76767676)) & 0x80808080) == 0;
}
constexpr std::uint32_t four_digits(std::uint32_t bytes) noexcept
{
    const std::uint32_t digits = bytes - 0x30303030;
    const std::uint32_t pairs = (digits * 10 + (digits >> 8)) & 0x00ff00ff; // "12" is 12 in a byte
    return (pairs * 100 + (pairs >> 16)) & 0xffff;
}

/// Parses decimal digits, at least one, and too few for a number that the type does not hold.
/// Returns false when there is any other byte.
template <class Number>
constexpr bool parse_few_decimals(std::string_view text, Number& value) noexcept
{
    std::size_t at = 0;
    if (text.size() >= 4) {
        const std::uint32_t bytes = four_bytes(text.data());
        if (!are_digits(bytes))
            return false;
        value = four_digits(bytes);
        at = 4;
    }
    for (; at < text.size(); ++at) {
        const unsigned digit = static_cast<unsigned char>(text[at]) - unsigned{'0'};
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    return true;
}

/// Parses a text of digits only; the number is at most `max`.
template <class Number>
constexpr basic_parsed_number<Number> parse_digits(std::string_view text, Number max,
                                                   number_base base) noexcept
{
    Number value = 0;
    const bool has_few = text.size() - 1 < std::numeric_limits<Number>::digits10;
    if (base == number_base::decimal && has_few && parse_few_decimals(text, value) && value <= max)
        return basic_parsed_number<Number>(value); // nearly always
    value = 0;
    if (text.empty())
        return {number_error::empty, 0};
    const auto radix = static_cast<unsigned>(base);
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

/// Parses a length that a peer has sent: only digits, and at most `max`.
///
///     if (const auto length = parse_number(text, max_frame()))
///         set_terminator(*length);
///
/// An empty text, a sign, a space, a 0x and any byte behind the digits is an error; leading zeros
/// are accepted. The error is that of the first offending byte. Hexadecimal digits may be upper or
/// lower case. Throws nothing and allocates nothing.
[[nodiscard]] constexpr parsed_number parse_number(std::string_view text, std::size_t max,
                                                   number_base base = number_base::decimal) noexcept
{
    return detail::parse_digits(text, max, base);
}

/// Parses a signed integer of 64 bits: as parse_number(), but one '-' may precede the digits, and
/// the number is at least `min`.
///
///     parse_integer("-1", -1, max_frame()) // the length of a bulk string of RESP
///
/// A '+' and a '-' without digits are errors; "-0" is 0. If the limits exclude 0, as in [5, 9], the
/// error of a number between 0 and the limits, as 3, shows only at the end of the text: position()
/// is then text.size(). Throws nothing and allocates nothing.
[[nodiscard]] constexpr parsed_integer
parse_integer(std::string_view text, std::int64_t min = std::numeric_limits<std::int64_t>::min(),
              std::int64_t max = std::numeric_limits<std::int64_t>::max(),
              number_base base = number_base::decimal) noexcept
{
    const bool negative = !text.empty() && text.front() == '-';
    // The largest distance from 0 that the limit on this side of 0 allows.
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

/// As above, for an unsigned `max` such as max_frame(). A `max` that does not fit into 64 signed
/// bits, such as `unlimited`, is no limit.
template <class Unsigned, std::enable_if_t<std::is_unsigned_v<Unsigned>, int> = 0>
[[nodiscard]] constexpr parsed_integer
parse_integer(std::string_view text, std::int64_t min, Unsigned max,
              number_base base = number_base::decimal) noexcept
{
    constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
    const bool is_over = max > static_cast<std::uint64_t>(largest);
    return parse_integer(text, min, is_over ? largest : static_cast<std::int64_t>(max), base);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
