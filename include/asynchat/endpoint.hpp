// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_ENDPOINT_HPP
#define ASYNCHAT_ENDPOINT_HPP

#include <asynchat/config.hpp>

#include <asio/generic/datagram_protocol.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/local/datagram_protocol.hpp>
#include <asio/local/stream_protocol.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace asynchat {

/// Where a socket is or goes: an IP address with a port, the path of a UNIX socket, or the name
/// of a host and service that connect() is still looking up.
///
/// A regular value; converts from Asio's TCP, UDP and UNIX endpoints.
///
///     endpoint("127.0.0.1", 8080)   endpoint("::1", 0)   endpoint::unix_path("/run/app.sock")
///
/// Python: the address tuples of the socket module
class endpoint {
public:
    /// Nowhere: the address of a socket that has none.
    endpoint() noexcept = default;

    /// @param host a numeric IPv4 or IPv6 address, or "" for every IPv4 address of this machine.
    /// Throws std::invalid_argument that quotes `host` when it is a name: only connect() looks
    /// names up, because only it can do so without blocking.
    ASYNCHAT_DECL endpoint(std::string_view host, std::uint16_t port);

    endpoint(const asio::ip::tcp::endpoint& where) : where_(where) {}
    endpoint(const asio::ip::udp::endpoint& where)
        : where_(asio::ip::tcp::endpoint(where.address(), where.port()))
    {
    }
    endpoint(const asio::local::stream_protocol::endpoint& where) : where_(path{where.path()}) {}
    endpoint(const asio::local::datagram_protocol::endpoint& where) : where_(path{where.path()}) {}

    /// A UNIX socket; a leading NUL means Linux's abstract names. Throws std::invalid_argument
    /// when the path has a NUL inside or is longer than the system takes (107 bytes on Linux).
    ASYNCHAT_DECL static endpoint unix_path(std::string_view path);

    /// A name that is still to be looked up: what addr() answers meanwhile.
    ASYNCHAT_DECL static endpoint named(std::string_view host, std::string_view service);

    /// What the system filled in; nowhere for a family that is none of ours.
    ASYNCHAT_DECL static endpoint from_native(const sockaddr* address, std::size_t size);

    bool empty() const noexcept { return std::holds_alternative<std::monostate>(where_); }
    bool is_ip() const noexcept { return std::holds_alternative<asio::ip::tcp::endpoint>(where_); }
    bool is_unix() const noexcept { return std::holds_alternative<path>(where_); }

    /// AF_INET, AF_INET6 or AF_UNIX; AF_UNSPEC for nowhere and for a name.
    ASYNCHAT_DECL int family() const noexcept;

    /// The address in digits, without the port; the path of a UNIX socket; "" for nowhere.
    ASYNCHAT_DECL std::string host() const;

    /// In host byte order; 0 when there is none.
    ASYNCHAT_DECL std::uint16_t port() const noexcept;

    /// For people: "127.0.0.1:80", "[::1]:80", "/run/app.sock", "name:service", "" for nowhere.
    ASYNCHAT_DECL std::string to_string() const;

    /// For Asio and the system. Throws std::logic_error for nowhere and for a name.
    ASYNCHAT_DECL asio::generic::datagram_protocol::endpoint native() const;

    friend bool operator==(const endpoint& a, const endpoint& b) { return a.where_ == b.where_; }
    friend bool operator!=(const endpoint& a, const endpoint& b) { return !(a == b); }

private:
    struct path {
        std::string text;
        friend bool operator==(const path& a, const path& b) { return a.text == b.text; }
    };
    struct name {
        std::string text; // "host:service"
        friend bool operator==(const name& a, const name& b) { return a.text == b.text; }
    };

    std::variant<std::monostate, asio::ip::tcp::endpoint, path, name> where_;
};

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/endpoint.ipp>
#endif
#endif
