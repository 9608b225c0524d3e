// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_CRC32C_IPP
#define ASYNCHAT_IMPL_CRC32C_IPP

#include <asynchat/detail/crc32c.hpp>

#include <array>
#include <cstddef>
#include <cstring>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The checksum of each byte, behind which 0 to 3 zeros follow: four bytes are looked up at a time.
constexpr std::array<std::array<std::uint32_t, 256>, 4> make_crc32c_table() noexcept
{
    std::array<std::array<std::uint32_t, 256>, 4> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (auto& zeros : table) {
            for (int bit = 0; bit < 8; ++bit)
                value = value >> 1U ^ ((value & 1U) != 0 ? 0x82f63b78U : 0U);
            zeros[i] = value;
        }
    }
    return table;
}

inline constexpr auto crc32c_table = make_crc32c_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) inline std::uint32_t
crc32c_by_processor(std::string_view bytes, std::uint32_t before) noexcept
{
    std::uint64_t crc = ~before;
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
        std::uint64_t eight;
        std::memcpy(&eight, bytes.data(), 8);
        crc = __builtin_ia32_crc32di(crc, eight);
    }
    auto rest = static_cast<std::uint32_t>(crc);
    for (const char c : bytes)
        rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(c));
    return ~rest;
}
#endif

ASYNCHAT_DECL std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before) noexcept
{
    const auto& table = crc32c_table;
    const auto byte_at = [&](std::size_t at) {
        return std::uint32_t(static_cast<unsigned char>(bytes[at]));
    };
    std::uint32_t crc = ~before;
    for (; bytes.size() >= 4; bytes.remove_prefix(4)) {
        crc ^= byte_at(0) | byte_at(1) << 8U | byte_at(2) << 16U | byte_at(3) << 24U;
        crc = table[3][crc & 0xffU] ^ table[2][crc >> 8U & 0xffU] ^ table[1][crc >> 16U & 0xffU] ^
              table[0][crc >> 24U];
    }
    for (const char c : bytes)
        crc = crc >> 8U ^ table[0][(crc ^ static_cast<unsigned char>(c)) & 0xffU];
    return ~crc;
}

ASYNCHAT_DECL std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) noexcept
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_by_processor(bytes, before);
#endif
    return crc32c_by_table(bytes, before);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
