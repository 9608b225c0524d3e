// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef FRAMES_FRAMING_HPP
#define FRAMES_FRAMING_HPP

#include <asynchat/asynchat.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace frames {

using asynchat::byte_order;

// The bytes of a message on the wire, as the terminator of the other side expects them: a string
// comes after the message, a length before it.

constexpr std::string_view mark = "###";

inline std::string marked(std::string_view message)
{
    return std::string(message).append(mark);
}

inline std::string int32(std::uint32_t number, byte_order order)
{
    std::string bytes;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned shift = 8 * (order == byte_order::big ? 3 - i : i);
        bytes += static_cast<char>(number >> shift & 0xff);
    }
    return bytes;
}

inline std::string prefixed(std::string_view message)
{
    return int32(static_cast<std::uint32_t>(message.size()), byte_order::big).append(message);
}

// The meaning of a frame of four bytes.
inline std::uint32_t int32(std::string_view bytes, byte_order order)
{
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i)
        number =
            number << 8 | static_cast<unsigned char>(bytes[order == byte_order::big ? i : 3 - i]);
    return number;
}

// The longest blob that either side accepts, in bytes: memory is allocated for the length that the
// other side announces.
constexpr std::size_t largest_blob = 1 << 20;

} // namespace frames

#endif
