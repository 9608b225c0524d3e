// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FIND_BYTE_HPP
#define ASYNCHAT_DETAIL_FRAMING_FIND_BYTE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#  include <emmintrin.h>
#endif

namespace asynchat::detail {

/// Where the first `wanted` is among the first 16 bytes; input.size() when it is not found there,
/// and when there are fewer. Calls nothing.
[[gnu::always_inline]] inline std::size_t find_byte_near(std::string_view input,
                                                         char wanted) noexcept
{
#ifdef __SSE2__
    if (input.size() >= 16) {
        const __m128i bytes = _mm_loadu_si128( // at any alignment
            reinterpret_cast<const __m128i*>(input.data()));
        const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(wanted)));
        if (equal != 0)
            return static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(equal)));
    }
#else
    (void)wanted;
#endif
    return input.size();
}

/// Where the first `wanted` is; input.size() when there is none.
///
/// memchr() is the fastest there is over a distance. Many lines are short, though, and for them
/// half of its time is the call: the first bytes are looked at in place.
[[gnu::always_inline]] inline std::size_t find_byte(std::string_view input, char wanted) noexcept
{
    std::size_t from = 0;
#ifdef __SSE2__
    constexpr std::size_t block = 16;
    const __m128i pattern = _mm_set1_epi8(wanted);
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
    const void* const at = std::memchr(input.data() + from, wanted, input.size() - from);
    return at ? static_cast<std::size_t>(static_cast<const char*>(at) - input.data())
              : input.size();
}

/// How many bytes find_bytes() looks at.
inline constexpr std::size_t find_bytes_size = 64;

/// All places among 64 bytes where `wanted` is: one bit for each, the first byte's the lowest.
[[gnu::always_inline]] inline std::uint64_t find_bytes(const char* from, char wanted) noexcept
{
    std::uint64_t places = 0;
#ifdef __SSE2__
    // Spelled out: compilers leave it a loop, of twice the instructions.
    const __m128i pattern = _mm_set1_epi8(wanted);
    const auto among_16 = [&](unsigned at) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at));
        const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, pattern));
        return std::uint64_t{static_cast<unsigned>(equal)};
    };
    places = among_16(0) | among_16(16) << 16 | among_16(32) << 32 | among_16(48) << 48;
#else
    for (unsigned at = 0; at < find_bytes_size; ++at)
        places |= std::uint64_t{from[at] == wanted} << at;
#endif
    return places;
}

} // namespace asynchat::detail

#endif
