// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_PROXY_HEADER_HPP
#define ASYNCHAT_PROXY_HEADER_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/proxy_header.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/fwd.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// What a proxy has announced of a connection: the header of the PROXY protocol, version 1 or 2.
/// See server_base::expect_proxy().
///
///     void handle_open() override
///     {
///         if (const auto* proxy = asynchat::proxy_header::of(*this))
///             log("{} for {}", proxy->unique_id(), proxy->authority());
///     }
///
/// The values of version 2 (TLVs) come from the proxy, and many of them from the client of the
/// proxy: escape them before you print them.
class ASYNCHAT_API proxy_header {
public:
    /// The header of a channel's connection: in handle_handshake() and handle_open(), null before
    /// and after, and without a header. Copy what you need later.
    [[nodiscard]] ASYNCHAT_DECL static const proxy_header* of(const dispatcher& channel) noexcept;

    /// 1 or 2.
    [[nodiscard]] int version() const noexcept { return version_; }

    /// Whether the proxy speaks for itself (LOCAL), for example to check the server.
    [[nodiscard]] bool is_local() const noexcept { return is_local_; }

    /// The client of the proxy, and the address where it reached the proxy. Empty when none was
    /// announced: for LOCAL, and for a client without an address that a stream can have.
    [[nodiscard]] const endpoint& source() const noexcept { return source_; }
    [[nodiscard]] const endpoint& destination() const noexcept { return destination_; }

    /// The value of the first TLV of this type; std::nullopt without one. Version 1 has none.
    [[nodiscard]] ASYNCHAT_DECL std::optional<std::string_view>
    tlv(unsigned char type) const noexcept;

    /// The protocol above TLS that the client and the proxy agreed on; empty without one.
    [[nodiscard]] std::string_view alpn() const noexcept { return value_of(0x01); }

    /// The host name that the client asked for (SNI); empty without one.
    [[nodiscard]] std::string_view authority() const noexcept { return value_of(0x02); }

    /// The proxy's name for the connection, up to 128 bytes; empty without one.
    [[nodiscard]] std::string_view unique_id() const noexcept { return value_of(0x05); }

    /// What the proxy says of the client's TLS, as it came: a byte of flags, 4 bytes of the result
    /// of the check, TLVs. Empty without it.
    [[nodiscard]] std::string_view ssl() const noexcept { return value_of(0x20); }

private:
    friend class server_base;
    friend class detail::proxy_receiver;

    ASYNCHAT_PRIVATE proxy_header(detail::proxy_fields&& from,
                                  std::chrono::steady_clock::time_point accepted);

    std::string_view value_of(unsigned char type) const noexcept
    {
        return tlv(type).value_or(std::string_view());
    }

    endpoint source_;
    endpoint destination_;
    std::string tlvs_;
    std::chrono::steady_clock::time_point accepted_; // the connection
    int version_;
    bool is_local_;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/server.hpp> // which has the implementation
#endif
#endif
