// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_COPY_BYTES_HPP
#define ASYNCHAT_DETAIL_COPY_BYTES_HPP

#include <cstddef>
#include <cstring>

namespace asynchat::detail {

// Where g++ sees the array that a view lies in, but not the size of the view, it warns of each of
// these copies that the array would be too short for.
#if defined(__GNUC__) && !defined(__clang__)
#  pragma GCC diagnostic push
#  pragma GCC diagnostic ignored "-Warray-bounds"
#  pragma GCC diagnostic ignored "-Wstringop-overflow"
#  pragma GCC diagnostic ignored "-Wstringop-overread"
#endif
/// Copies `size` bytes, short ones without a call: as two copies that overlap.
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
    } else {
        for (std::size_t i = 0; i < size; ++i)
            to[i] = from[i];
    }
}
#if defined(__GNUC__) && !defined(__clang__)
#  pragma GCC diagnostic pop
#endif

} // namespace asynchat::detail

#endif
