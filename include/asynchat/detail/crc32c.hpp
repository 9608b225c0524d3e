// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_CRC32C_HPP
#define ASYNCHAT_DETAIL_CRC32C_HPP

#include <asynchat/config.hpp>

#include <cstdint>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The checksum CRC-32C of `bytes`, behind bytes whose checksum is `before`.
ASYNCHAT_DECL std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0) noexcept;
/// The same, without the instruction that some processors have for it.
ASYNCHAT_DECL std::uint32_t crc32c_by_table(std::string_view bytes,
                                            std::uint32_t before = 0) noexcept;

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/crc32c.ipp>
#endif

#endif
