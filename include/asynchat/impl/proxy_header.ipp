// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_PROXY_HEADER_IPP
#define ASYNCHAT_IMPL_PROXY_HEADER_IPP

#include <asynchat/detail/proxy_header.hpp>

#include <asynchat/detail/crc32c.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

// The PROXY protocol is a specification of the HAProxy project, proxy-protocol.txt. Where it leaves
// a choice, the verdict is that of HAProxy.

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

namespace proxy_format {

inline constexpr std::string_view line_start = "PROXY ";
inline constexpr std::string_view line_end = "\r\n";
inline constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
inline constexpr std::size_t fixed_size = 16; // of version 2: up to the length
inline constexpr std::size_t tlv_head = 3;
inline constexpr std::size_t path_size = 108;

inline constexpr unsigned char tlv_authority = 0x02;
inline constexpr unsigned char tlv_crc32c = 0x03;
inline constexpr unsigned char tlv_unique_id = 0x05;

/// The size of both addresses, by the family in version 2; the ports are part of it.
inline constexpr std::size_t address_sizes[] = {0, 12, 36, 2 * path_size};

inline unsigned byte_at(std::string_view bytes, std::size_t at) noexcept
{
    return static_cast<unsigned char>(bytes[at]);
}

inline unsigned u16_at(std::string_view bytes, std::size_t at) noexcept
{
    return byte_at(bytes, at) << 8U | byte_at(bytes, at + 1);
}

inline std::string hex(unsigned value)
{
    constexpr char digits[] = "0123456789abcdef";
    return std::string("0x") + digits[value >> 4U & 15U] + digits[value & 15U];
}

/// Whether `bytes` begins as `whole` does, as far as both go.
inline bool may_become(std::string_view bytes, std::string_view whole) noexcept
{
    const std::size_t size = std::min(bytes.size(), whole.size());
    return bytes.substr(0, size) == whole.substr(0, size);
}

/// The path of a UNIX socket in its field. An abstract name has its NUL in front; NULs behind it
/// are the rest of the field.
inline std::string_view path_in(std::string_view field) noexcept
{
    if (field.front() != '\0')
        return field.substr(0, field.find('\0'));
    const auto last = field.find_last_not_of('\0');
    return field.substr(0, last == field.npos ? 0 : last + 1);
}

} // namespace proxy_format

ASYNCHAT_DECL std::optional<std::string_view> find_tlv(std::string_view tlvs,
                                                       unsigned char type) noexcept
{
    using namespace proxy_format;
    while (tlvs.size() >= tlv_head) {
        const std::size_t size = u16_at(tlvs, 1);
        assert(size <= tlvs.size() - tlv_head);
        if (byte_at(tlvs, 0) == type)
            return tlvs.substr(tlv_head, size);
        tlvs.remove_prefix(tlv_head + size);
    }
    return std::nullopt;
}

ASYNCHAT_DECL proxy_decoder::step proxy_decoder::look(std::string_view bytes)
{
    if (taken_.empty())
        return read(bytes);
    const std::size_t before = taken_.size();
    taken_ += bytes;
    step whole = read(taken_);
    taken_.resize(before);
    if (whole.how != verdict::malformed) {
        assert(whole.size >= before);
        whole.size -= before;
    }
    return whole;
}

/// Looks at all bytes of the connection. The first wrong one decides the error.
ASYNCHAT_DECL proxy_decoder::step proxy_decoder::read(std::string_view bytes)
{
    using namespace proxy_format;
    if (may_become(bytes, signature))
        return read_binary(bytes);
    if (may_become(bytes, line_start))
        return read_line(bytes);
    const bool is_binary = bytes.front() == signature.front();
    const std::string_view start = is_binary ? signature : line_start;
    std::size_t at = 0;
    while (at < bytes.size() && bytes[at] == start[at])
        ++at;
    fail("byte " + std::to_string(at) + " is " + hex(byte_at(bytes, at)) +
         ", so this is neither \"PROXY \" nor the signature of version 2");
    return {verdict::malformed, 0};
}

ASYNCHAT_DECL bool proxy_decoder::fail(std::string text)
{
    error_ = std::move(text);
    return false;
}

// --- version 2 -------------------------------------------------------------------------------

ASYNCHAT_DECL proxy_decoder::step proxy_decoder::read_binary(std::string_view bytes)
{
    using namespace proxy_format;
    if (!read_fixed_part(bytes))
        return {verdict::malformed, 0};
    if (bytes.size() < fixed_size)
        return {verdict::incomplete, bytes.size()};
    const std::size_t size = fixed_size + u16_at(bytes, fixed_size - 2);
    if (bytes.size() < size)
        return {verdict::incomplete, bytes.size()};
    if (!read_body(bytes.substr(0, size)))
        return {verdict::malformed, 0};
    return {verdict::complete, size};
}

/// Checks what is there of the first 16 bytes.
ASYNCHAT_DECL bool proxy_decoder::read_fixed_part(std::string_view bytes)
{
    using namespace proxy_format;
    constexpr std::size_t command_at = 12;
    constexpr std::size_t family_at = 13;
    if (bytes.size() <= command_at)
        return true;
    const unsigned command = byte_at(bytes, command_at);
    if (command >> 4U != 2)
        return fail("byte 12 is " + hex(command) + ": the version is not 2");
    if ((command & 15U) > 1)
        return fail("byte 12 is " + hex(command) + ": the command is neither LOCAL nor PROXY");
    fields_.version = 2;
    fields_.is_local = (command & 15U) == 0;
    if (bytes.size() <= family_at)
        return true;
    const unsigned family = byte_at(bytes, family_at);
    // Those of LOCAL are ignored, whatever they are.
    if (!fields_.is_local && (family >> 4U > 3 || (family & 15U) > 2))
        return fail("byte 13 is " + hex(family) + ": the family or the transport is unknown");
    if (bytes.size() < fixed_size)
        return true;
    const std::size_t length = u16_at(bytes, fixed_size - 2);
    if (fixed_size + length > max_bytes_)
        return fail("the header has " + std::to_string(fixed_size + length) +
                    " bytes, and the limit is " + std::to_string(max_bytes_));
    if (!fields_.is_local && length < address_sizes[family >> 4U])
        return fail("the length is " + std::to_string(length) + ", and the addresses take " +
                    std::to_string(address_sizes[family >> 4U]) + " bytes");
    return true;
}

/// Reads all that is behind the first 16 bytes.
ASYNCHAT_DECL bool proxy_decoder::read_body(std::string_view bytes)
{
    using namespace proxy_format;
    using kind = proxy_fields::kind;
    if (fields_.is_local) // anything may follow, and it means nothing
        return true;
    const unsigned family = byte_at(bytes, fixed_size - 3);
    const std::size_t addresses = address_sizes[family >> 4U];
    // No datagram comes on a stream: such an address is not used, as if its family were unknown.
    if ((family & 15U) == 1)
        read_addresses(bytes.substr(fixed_size, addresses), static_cast<kind>(family >> 4U));
    return check_tlvs(bytes, fixed_size + addresses);
}

ASYNCHAT_DECL void proxy_decoder::read_addresses(std::string_view block, proxy_fields::kind family)
{
    using namespace proxy_format;
    using kind = proxy_fields::kind;
    fields_.family = family;
    if (family == kind::path) {
        fields_.source.path = path_in(block.substr(0, path_size));
        fields_.destination.path = path_in(block.substr(path_size));
    } else if (family != kind::none) {
        const std::size_t size = family == kind::ipv4 ? 4 : 16;
        // Of a size that the compiler knows: a call would take longer.
        if (family == kind::ipv4) {
            std::memcpy(fields_.source.bytes.data(), block.data(), 4);
            std::memcpy(fields_.destination.bytes.data(), block.data() + 4, 4);
        } else {
            std::memcpy(fields_.source.bytes.data(), block.data(), 16);
            std::memcpy(fields_.destination.bytes.data(), block.data() + 16, 16);
        }
        fields_.source.port = static_cast<std::uint16_t>(u16_at(block, 2 * size));
        fields_.destination.port = static_cast<std::uint16_t>(u16_at(block, 2 * size + 2));
    }
}

/// Checks the TLVs of a whole header, from the byte `at` on, and keeps them.
ASYNCHAT_DECL bool proxy_decoder::check_tlvs(std::string_view bytes, std::size_t at)
{
    using namespace proxy_format;
    constexpr std::size_t max_unique_id = 128;
    constexpr std::size_t max_authority = 255; // a host name has no more
    const std::size_t first = at;
    bool has_checksum = false;
    while (at < bytes.size()) {
        const std::size_t left = bytes.size() - at;
        if (left < tlv_head || left - tlv_head < u16_at(bytes, at + 1))
            return fail("the TLV at byte " + std::to_string(at) + " ends behind the header");
        const std::size_t size = u16_at(bytes, at + 1);
        const unsigned type = byte_at(bytes, at);
        if (type == tlv_crc32c && (size != 4 || std::exchange(has_checksum, true)))
            return fail("the TLV at byte " + std::to_string(at) +
                        " is a second CRC32C, or one without 4 bytes");
        if (type == tlv_crc32c && !check_crc32c(bytes, at + tlv_head))
            return false;
        if ((type == tlv_unique_id && size > max_unique_id) ||
            (type == tlv_authority && size > max_authority))
            return fail("the TLV at byte " + std::to_string(at) + ", of type " + hex(type) +
                        ", has " + std::to_string(size) + " bytes, which is too much");
        at += tlv_head + size;
    }
    if (first < bytes.size())
        fields_.tlvs = bytes.substr(first);
    return true;
}

/// The checksum at the byte `at` is that of the header, with 0 in its own place.
ASYNCHAT_DECL bool proxy_decoder::check_crc32c(std::string_view bytes, std::size_t at)
{
    using namespace proxy_format;
    std::uint32_t crc = crc32c(bytes.substr(0, at));
    crc = crc32c(std::string_view("\0\0\0\0", 4), crc);
    crc = crc32c(bytes.substr(at + 4), crc);
    const std::uint32_t stated = u16_at(bytes, at) << 16U | u16_at(bytes, at + 2);
    return crc == stated || fail("the CRC32C at byte " + std::to_string(at) + " is wrong");
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
