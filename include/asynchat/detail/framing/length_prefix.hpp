// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_LENGTH_PREFIX_HPP
#define ASYNCHAT_DETAIL_FRAMING_LENGTH_PREFIX_HPP

#include <asynchat/number.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

// Reads a length prefix. There is no state: a prefix is short, so it is read again when more bytes
// have arrived. A length that does not fit into std::size_t is not malformed: it is read as
// largest_length, which is over any limit.
namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

inline constexpr std::size_t largest_length = std::numeric_limits<std::size_t>::max();

struct length_prefix {
    enum class state : unsigned char { incomplete, complete, malformed };

    static length_prefix incomplete() { return {state::incomplete, 0, 0, nullptr}; }
    static length_prefix complete(std::size_t length, std::size_t size)
    {
        return {state::complete, length, size, nullptr};
    }
    static length_prefix malformed(std::size_t position, const char* fault)
    {
        return {state::malformed, 0, position, fault};
    }

    state how;
    std::size_t length; // bytes of the frame; largest_length for a larger number
    std::size_t size;   // bytes of the prefix; if malformed, the bytes before the offending byte
    const char* fault;  // what is wrong with the offending byte, in words
};

/// A binary number of 1 to 8 bytes.
inline length_prefix read_fixed(std::string_view input, std::size_t width, bool big_endian)
{
    if (input.size() < width)
        return length_prefix::incomplete();
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < width; ++i) {
        const char byte = input[big_endian ? i : width - 1 - i];
        length = length << 8 | static_cast<unsigned char>(byte);
    }
    length = std::min<std::uint64_t>(length, largest_length);
    return length_prefix::complete(static_cast<std::size_t>(length), width);
}

/// Seven bits in each byte, the lowest first; all but the last byte have their highest bit set. At
/// most 10 bytes.
inline length_prefix read_varint(std::string_view input)
{
    constexpr std::size_t max_size = 10; // bytes
    std::size_t length = 0;
    bool fits = true;
    for (std::size_t i = 0; i < input.size(); ++i) {
        const auto byte = static_cast<unsigned char>(input[i]);
        const std::size_t value = byte & 0x7fU;
        const std::size_t shift = 7 * i;
        if (shift < std::numeric_limits<std::size_t>::digits && value << shift >> shift == value)
            length |= value << shift;
        else if (value != 0)
            fits = false;
        if (byte < 0x80) {
            if (byte == 0 && i > 0)
                return length_prefix::malformed(i, "adds nothing to the length");
            return length_prefix::complete(fits ? length : largest_length, i + 1);
        }
        if (i + 1 == max_size)
            return length_prefix::malformed(i, "does not end the length");
    }
    return length_prefix::incomplete();
}

/// Decimal digits and a colon. A digit that makes the length too large also completes it.
inline length_prefix read_netstring(std::string_view input)
{
    constexpr std::size_t max_digits = std::numeric_limits<std::size_t>::digits10 + 2;
    const std::string_view begin = input.substr(0, max_digits);
    const std::size_t digits = std::min(begin.find(':'), begin.size());
    if (digits > 1 && begin[0] == '0' && digit_value(begin[1]) < 10)
        return length_prefix::malformed(1, "follows a zero");
    const auto length = parse_number(begin.substr(0, digits), largest_length);
    if (length.error() == number_error::not_a_digit)
        return length_prefix::malformed(length.position(), "is not a digit");
    if (length.error() == number_error::too_large)
        return length_prefix::complete(largest_length, length.position() + 1);
    if (digits == input.size())
        return length_prefix::incomplete();
    if (digits == 0)
        return length_prefix::malformed(0, "is not a digit");
    return length_prefix::complete(*length, digits + 1);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
