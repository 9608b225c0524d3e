// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FIND_PAIR_HPP
#define ASYNCHAT_DETAIL_FRAMING_FIND_PAIR_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <cstring>

#ifdef __SSE2__
#  include <emmintrin.h>
#endif

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Calls accept(i) for each i in [from, to) where data[i] is `first` and data[i + distance] is
/// `last`, in order, until it returns true. Returns that i; `to` without one.
/// Reads no byte behind data[to - 1 + distance].
///
/// Two given bytes at a given distance are rare even if each byte is frequent. For example, in text
/// full of "\r\n", a "\r" and a "\n" three bytes apart are nearly always an empty line.
template <class Accept>
std::size_t find_pair(const char* data, std::size_t from, std::size_t to, std::size_t distance,
                      char first, char last, Accept accept)
{
#ifdef __SSE2__
    constexpr std::size_t block = 16; // positions in one comparison
    const __m128i firsts = _mm_set1_epi8(first);
    const __m128i lasts = _mm_set1_epi8(last);
    const auto load = [data](std::size_t at) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + at)); // any alignment
    };
    for (; to - from >= block; from += block) {
        const __m128i pairs = _mm_and_si128(_mm_cmpeq_epi8(load(from), firsts),
                                            _mm_cmpeq_epi8(load(from + distance), lasts));
        auto places = static_cast<unsigned>(_mm_movemask_epi8(pairs)); // a bit for each
        for (; places != 0; places &= places - 1) {
            const std::size_t at = from + static_cast<std::size_t>(__builtin_ctz(places));
            if (accept(at))
                return at;
        }
    }
#endif
    for (; from < to; ++from) {
        if (data[from] == first && data[from + distance] == last && accept(from))
            return from;
    }
    return to;
}

/// Whether the first `size` bytes are equal; `size` is 1 to 16. Comparing two words that overlap
/// needs no loop and no call.
inline bool equal_few(const char* a, const char* b, std::size_t size) noexcept
{
    if (size >= 8)
        return std::memcmp(a, b, 8) == 0 && std::memcmp(a + size - 8, b + size - 8, 8) == 0;
    if (size >= 4)
        return std::memcmp(a, b, 4) == 0 && std::memcmp(a + size - 4, b + size - 4, 4) == 0;
    return a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1];
}

inline bool equal(const char* a, const char* b, std::size_t size) noexcept
{
    if (size <= 16)
        return equal_few(a, b, size);
    return equal_few(a, b, 16) && std::memcmp(a + 16, b + 16, size - 16) == 0;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
