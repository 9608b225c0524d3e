// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_COPY_BYTES_HPP
#define ASYNCHAT_DETAIL_COPY_BYTES_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <cstring>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

// If g++ sees the array of a view but not the size of the view, it warns about each copy here that
// is too large for the array.
#if defined(__GNUC__) && !defined(__clang__)
#  pragma GCC diagnostic push
#  pragma GCC diagnostic ignored "-Warray-bounds"
#  pragma GCC diagnostic ignored "-Wstringop-overflow"
#  pragma GCC diagnostic ignored "-Wstringop-overread"
#endif
/// Copies `size` bytes. A short copy needs no call: it is two copies that overlap.
inline void copy_bytes(char* to, const char* from, std::size_t size) noexcept
{
    if (size > 32) {
        std::memcpy(to, from, size);
    } else if (size >= 16) {
        std::memcpy(to, from, 16);
        std::memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
        std::memcpy(to, from, 8);
        std::memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
        std::memcpy(to, from, 4);
        std::memcpy(to + size - 4, from + size - 4, 4);
    } else {
        for (std::size_t i = 0; i < size; ++i)
            to[i] = from[i];
    }
}
#if defined(__GNUC__) && !defined(__clang__)
#  pragma GCC diagnostic pop
#endif

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
