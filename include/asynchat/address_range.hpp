// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_ADDRESS_RANGE_HPP
#define ASYNCHAT_ADDRESS_RANGE_HPP

#include <asynchat/config.hpp>
#include <asynchat/endpoint.hpp>

#include <array>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// A set of addresses: an IP network, one IP address, or all UNIX sockets.
///
///     address_range("10.0.0.0/8")   address_range("fd00::/8")   address_range("::1")
///     address_range("unix:")
///
/// IPv4 within IPv6 counts as IPv4: "10.0.0.0/8" contains "::ffff:10.1.2.3", and "::/0" does not.
/// Python: ipaddress.ip_network
class ASYNCHAT_API address_range {
public:
    /// Reads the text. Throws std::invalid_argument that quotes it when it is not an address, when
    /// the length of the prefix is wrong, and when bits behind the prefix are set.
    ASYNCHAT_DECL address_range(std::string_view text);
    address_range(const char* text) : address_range(std::string_view(text)) {}
    address_range(const std::string& text) : address_range(std::string_view(text)) {}

    /// Whether the address is in the range; false for an empty endpoint and for a name.
    [[nodiscard]] ASYNCHAT_DECL bool contains(const endpoint& where) const noexcept;

    /// "10.0.0.0/8", "::1/128", "unix:".
    [[nodiscard]] ASYNCHAT_DECL std::string to_string() const;

private:
    enum class kind : unsigned char { v4, v6, path };

    ASYNCHAT_PRIVATE void clear_host_bits() noexcept;

    std::array<unsigned char, 16> bytes_{}; // of IPv4 the first 4
    unsigned char prefix_ = 0;              // in bits
    kind of_ = kind::path;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/address_range.ipp>
#endif
#endif
