// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_NUMBER_HPP
#define ASYNCHAT_NUMBER_HPP

#include <cstddef>
#include <string_view>

namespace asynchat {

/// What is wrong with the text of a number.
enum class number_error : unsigned char {
    none,        ///< nothing
    empty,       ///< there is no digit at all
    not_a_digit, ///< a byte is no digit of the base: a sign, a space, anything
    too_large,   ///< with this digit the number is over the limit
};

/// "no error", "no digits", "not a digit" or "too large".
[[nodiscard]] constexpr std::string_view to_string(number_error error) noexcept
{
    switch (error) {
    case number_error::none: break;
    case number_error::empty: return "no digits";
    case number_error::not_a_digit: return "not a digit";
    case number_error::too_large: return "too large";
    }
    return "no error";
}

enum class number_base : unsigned char { decimal = 10, hexadecimal = 16 };

/// What parse_number() made of a text: a number, or an error and the byte that is to blame.
class parsed_number {
public:
    constexpr explicit parsed_number(std::size_t value) noexcept : value_(value) {}
    constexpr parsed_number(number_error error, std::size_t position) noexcept
        : value_(position), error_(error)
    {
    }

    /// True when there is a number, also when it is 0.
    constexpr explicit operator bool() const noexcept { return error_ == number_error::none; }
    constexpr std::size_t operator*() const noexcept { return error() == none ? value_ : 0; }

    [[nodiscard]] constexpr number_error error() const noexcept { return error_; }
    /// Of the byte that is wrong, from 0; the size of the text if nothing is there. 0 without
    /// error.
    [[nodiscard]] constexpr std::size_t position() const noexcept
    {
        return error() == none ? 0 : value_;
    }

private:
    static constexpr number_error none = number_error::none;

    std::size_t value_; // or the position
    number_error error_ = none;
};

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
    if (text.empty())
        return {number_error::empty, 0};
    const auto radix = static_cast<unsigned>(base);
    std::size_t value = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const unsigned digit = detail::digit_value(text[at]);
        if (digit >= radix)
            return {number_error::not_a_digit, at};
        if (digit > max || value > (max - digit) / radix)
            return {number_error::too_large, at};
        value = value * radix + digit;
    }
    return parsed_number(value);
}

} // namespace asynchat

#endif
