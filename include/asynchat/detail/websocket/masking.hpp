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

/// Removes the mask, or adds it, and turns the key to the byte behind. Eight bytes at a time: byte
/// by byte it would take as long as everything else that is done to a message.
inline void unmask(char* data, std::size_t size, masking_key& key) noexcept
{
    unsigned char twice[8];
    std::memcpy(twice, key.data(), 4);
    std::memcpy(twice + 4, key.data(), 4);
    std::uint64_t wide_key = 0;
    std::memcpy(&wide_key, twice, 8);
    std::size_t at = 0;
    for (; size - at >= 8; at += 8) {
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, data + at, 8);
        bytes ^= wide_key;
        std::memcpy(data + at, &bytes, 8);
    }
    for (; at < size; ++at)
        data[at] = static_cast<char>(static_cast<unsigned char>(data[at]) ^ key[at % 4]);
    std::memcpy(key.data(), twice + size % 4, 4);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
