// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FIND_BYTE_HPP
#define ASYNCHAT_DETAIL_FRAMING_FIND_BYTE_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#  include <emmintrin.h>
#endif

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Index of the first `byte` among the first 16 bytes. input.size() when it is not there, or when
/// the input is shorter than 16 bytes. Makes no call.
[[gnu::always_inline]] inline std::size_t find_byte_near(std::string_view input, char byte) noexcept
{
#ifdef __SSE2__
    if (input.size() >= 16) {
        const __m128i bytes = _mm_loadu_si128( // at any alignment
            reinterpret_cast<const __m128i*>(input.data()));
        const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte)));
        if (equal != 0)
            return static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(equal)));
    }
#else
    (void)byte;
#endif
    return input.size();
}

/// Index of the first `byte`; input.size() without one.
///
/// memchr() is the fastest search in long input. In short lines half of its time is the call, so
/// the first bytes are searched here.
[[gnu::always_inline]] inline std::size_t find_byte(std::string_view input, char byte) noexcept
{
    std::size_t from = 0;
#ifdef __SSE2__
    constexpr std::size_t block = 16;
    const __m128i pattern = _mm_set1_epi8(byte);
    for (; from < 2 * block && input.size() - from >= block; from += block) {
        const __m128i bytes = _mm_loadu_si128( // at any alignment
            reinterpret_cast<const __m128i*>(input.data() + from));
        const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, pattern));
        if (equal != 0)
            return from + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(equal)));
    }
    if (from == input.size())
        return from;
#endif
    const void* const at = std::memchr(input.data() + from, byte, input.size() - from);
    return at ? static_cast<std::size_t>(static_cast<const char*>(at) - input.data())
              : input.size();
}

/// The number of bytes that find_bytes() examines.
inline constexpr std::size_t find_bytes_size = 64;

/// All positions of `byte` among 64 bytes, one bit each; the lowest bit is the first byte.
[[gnu::always_inline]] inline std::uint64_t find_bytes(const char* from, char byte) noexcept
{
    std::uint64_t places = 0;
#ifdef __SSE2__
    // Unrolled by hand: compilers keep a loop, with twice the instructions.
    const __m128i pattern = _mm_set1_epi8(byte);
    const auto among_16 = [&](unsigned at) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at));
        const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, pattern));
        return std::uint64_t{static_cast<unsigned>(equal)};
    };
    places = among_16(0) | among_16(16) << 16 | among_16(32) << 32 | among_16(48) << 48;
#else
    for (unsigned at = 0; at < find_bytes_size; ++at)
        places |= std::uint64_t{from[at] == byte} << at;
#endif
    return places;
}

/// All positions of `first` with `last` behind it among 64 bytes. Equal bytes may overlap: take the
/// first, and skip two bytes.
/// Not inline: the compiler would mix both searches, and the one for a byte would get slower.
[[gnu::noinline]] inline std::uint64_t find_pairs(const char* from, char first, char last) noexcept
{
    return find_bytes(from, first) & find_bytes(from, last) >> 1;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
