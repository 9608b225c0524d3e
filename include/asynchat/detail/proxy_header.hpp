// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_PROXY_HEADER_HPP
#define ASYNCHAT_DETAIL_PROXY_HEADER_HPP

#include <asynchat/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// What a complete PROXY header says.
struct proxy_fields {
    enum class kind : unsigned char {
        none, // no address was announced: LOCAL, UNKNOWN, or a family that cannot be used
        ipv4,
        ipv6,
        path
    };

    /// An address as it is in version 2: of IPv4 the first 4 bytes.
    struct address {
        std::array<unsigned char, 16> bytes{};
        std::uint16_t port = 0;
        std::string path;
    };

    unsigned char version = 0; // 1 or 2
    bool is_local = false;     // the proxy itself speaks, for example to check the server
    kind family = kind::none;
    address source;
    address destination;
    std::string
        tlvs; // type, length (2 bytes) and value, one behind the other; they are well-formed
};

/// The value of the first TLV of this type.
ASYNCHAT_DECL std::optional<std::string_view> find_tlv(std::string_view tlvs,
                                                       unsigned char type) noexcept;

/// Decodes the header of the PROXY protocol, version 1 or 2, with which a connection begins.
///
/// Flow: look() at the input that is there. While the header is incomplete, all of the input
/// belongs to it: take() it, and look() at the next input. The verdict does not depend on how the
/// input is cut.
///
/// It makes no callbacks and reads nothing: the caller receives no byte behind the header.
class proxy_decoder {
public:
    static constexpr std::size_t max_line = 107; // of version 1, with its end

    enum class verdict : unsigned char { incomplete, complete, malformed };

    struct step {
        verdict how;
        std::size_t size; // of the header, in bytes; without meaning if it is malformed
    };

    /// Refuses headers of more than `max_bytes`.
    explicit proxy_decoder(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}

    /// Looks at the bytes behind those that were taken. Takes nothing.
    ASYNCHAT_DECL step look(std::string_view bytes);

    /// Takes bytes of an incomplete header.
    void take(std::string_view bytes) { taken_ += bytes; }

    /// The number of bytes that were taken.
    std::size_t taken() const noexcept { return taken_.size(); }

    /// What the complete header says.
    proxy_fields& fields() noexcept { return fields_; }

    /// What is wrong with a malformed header, in one line; bytes of the peer are not escaped.
    const std::string& error() const noexcept { return error_; }

private:
    step read(std::string_view bytes);
    step read_line(std::string_view bytes);
    step read_binary(std::string_view bytes);
    bool read_fixed_part(std::string_view bytes);
    bool read_body(std::string_view bytes);
    void read_addresses(std::string_view block, proxy_fields::kind family);
    bool check_tlvs(std::string_view bytes, std::size_t at);
    bool check_crc32c(std::string_view bytes, std::size_t at);
    bool read_line_fields(std::string_view line);
    bool read_ip(std::string_view text, bool is_v6, proxy_fields::address& into, const char* which);
    bool read_port(std::string_view text, proxy_fields::address& into, const char* which);
    bool fail(std::string text);

    std::size_t max_bytes_;
    std::string taken_;
    proxy_fields fields_;
    std::string error_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/proxy_header.ipp>
#  include <asynchat/impl/proxy_line.ipp>
#endif
#endif
