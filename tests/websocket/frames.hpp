// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_WEBSOCKET_FRAMES_HPP
#define ASYNCHAT_TESTS_WEBSOCKET_FRAMES_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// The bytes of a client, written without the library.
namespace support {

inline constexpr unsigned fin = 0x80;
inline constexpr unsigned rsv1 = 0x40;
inline constexpr unsigned rsv2 = 0x20;
inline constexpr unsigned rsv3 = 0x10;
inline constexpr unsigned continuation = 0x0;
inline constexpr unsigned text = 0x1;
inline constexpr unsigned binary = 0x2;
inline constexpr unsigned closing = 0x8;
inline constexpr unsigned ping = 0x9;
inline constexpr unsigned pong = 0xa;

inline std::string bytes_of(std::uint64_t number, unsigned width)
{
    std::string out;
    for (unsigned i = width; i > 0; --i)
        out += static_cast<char>(number >> (8 * (i - 1)) & 0xff);
    return out;
}

/// A length in the form of 0, 2 or 8 more bytes, with the bit of a mask.
inline std::string length_in(unsigned width, std::uint64_t length, bool is_masked = true)
{
    const unsigned second = width == 0 ? static_cast<unsigned>(length) : width == 2 ? 126 : 127;
    return bytes_of(second | (is_masked ? 0x80U : 0U), 1) + bytes_of(length, width);
}

inline std::string usual_length(std::size_t length, bool is_masked = true)
{
    return length_in(length < 126 ? 0 : length < 65536 ? 2 : 8, length, is_masked);
}

inline constexpr std::string_view usual_key = "\x37\xfa\x21\x3d";

inline std::string masked(std::string_view payload, std::string_view key = usual_key)
{
    std::string out;
    for (std::size_t i = 0; i < payload.size(); ++i)
        out += static_cast<char>(payload[i] ^ key[i % 4]);
    return out;
}

/// A frame of a client: `first` is its first byte.
inline std::string frame(unsigned first, std::string_view payload, std::string_view key = usual_key)
{
    return bytes_of(first, 1) + usual_length(payload.size()) + std::string(key) +
           masked(payload, key);
}

/// A frame of a server.
inline std::string server_frame(unsigned first, std::string_view payload)
{
    return bytes_of(first, 1) + usual_length(payload.size(), false) + std::string(payload);
}

inline std::string close_body(unsigned code, std::string_view reason = "")
{
    return bytes_of(code, 2) + std::string(reason);
}

} // namespace support

#endif
