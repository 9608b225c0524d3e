// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_WEBSOCKET_MASKING_HPP
#define ASYNCHAT_DETAIL_WEBSOCKET_MASKING_HPP

#include <asynchat/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The key of a masked frame, which starts with the key of the next byte.
using masking_key = std::array<unsigned char, 4>;

/// Removes the mask, or adds it, and turns the key to the byte behind. Returns whether all bytes
/// are ASCII then: so nearly all text is checked in the same pass. Eight bytes at a time, in blocks
/// of 32: byte by byte it would take as long as everything else that is done to a message.
inline bool unmask(char* data, std::size_t size, masking_key& key) noexcept
{
    unsigned char twice[8];
    std::memcpy(twice, key.data(), 4);
    std::memcpy(twice + 4, key.data(), 4);
    std::uint64_t wide_key = 0;
    std::memcpy(&wide_key, twice, 8);
    std::uint64_t all = 0; // the bits that some byte has
    const auto unmask_eight = [wide_key, &all](char* at) {
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, at, 8);
        bytes ^= wide_key;
        all |= bytes;
        std::memcpy(at, &bytes, 8);
    };
    char* const end = data + size;
    for (; end - data >= 32; data += 32) {
        unmask_eight(data);
        unmask_eight(data + 8);
        unmask_eight(data + 16);
        unmask_eight(data + 24);
    }
    for (; end - data >= 8; data += 8)
        unmask_eight(data);
    for (std::size_t i = 0; data != end; ++i, ++data) {
        const unsigned byte = static_cast<unsigned char>(*data) ^ unsigned { key[i % 4] };
        all |= byte;
        *data = static_cast<char>(byte);
    }
    std::memcpy(key.data(), twice + size % 4, 4);
    return (all & 0x8080808080808080U) == 0;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
