// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_ENDPOINT_HPP
#define ASYNCHAT_ENDPOINT_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/asio_fwd.hpp>

#include <asio/generic/basic_endpoint.hpp>

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// Unsigned types with numbers that do not fit into std::int64_t: the conversion to a parameter
/// would change their sign.
template <class T>
using if_wide_unsigned =
    std::enable_if_t<std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t), int>;

/// Throws std::invalid_argument that quotes the value.
[[noreturn]] ASYNCHAT_API ASYNCHAT_DECL void refuse_port(const std::string& value);

template <class Unsigned>
std::int64_t narrow_port(Unsigned port)
{
    if (port > 65535)
        refuse_port(std::to_string(port));
    return static_cast<std::int64_t>(port);
}

} // namespace detail

/// The address of a socket or of its peer: an IP address with a port, the path of a UNIX socket, or
/// a host and service name that connect() is still looking up.
///
/// A regular value; converts from Asio's TCP, UDP and UNIX endpoints.
///
///     endpoint("127.0.0.1", 8080)   endpoint("::1", 0)   endpoint::unix_path("/run/app.sock")
///
/// Python: the address tuples of the socket module
class ASYNCHAT_API endpoint {
public:
    /// Empty: the address of a socket without one.
    endpoint() noexcept = default;

    /// @param host a numeric IPv4 or IPv6 address, or "" for every IPv4 address of this machine.
    /// @param port 0 to 65535, in host byte order.
    /// Throws std::invalid_argument that quotes `host` when it is a name: only connect() looks up
    /// names, because it can do so without blocking. Throws std::invalid_argument that quotes
    /// `port` when it is out of range.
    ASYNCHAT_DECL endpoint(std::string_view host, std::int64_t port);

    /// As above, for types whose numbers may not fit into std::int64_t.
    template <class Unsigned, detail::if_wide_unsigned<Unsigned> = 0>
    endpoint(std::string_view host, Unsigned port) : endpoint(host, detail::narrow_port(port))
    {
    }

    ASYNCHAT_DECL endpoint(const asio::ip::basic_endpoint<asio::ip::tcp>& where) noexcept;
    ASYNCHAT_DECL endpoint(const asio::ip::basic_endpoint<asio::ip::udp>& where);
    ASYNCHAT_DECL endpoint(const asio::local::basic_endpoint<asio::local::stream_protocol>& where);
    ASYNCHAT_DECL
    endpoint(const asio::local::basic_endpoint<asio::local::datagram_protocol>& where);

    endpoint(const endpoint& other) : is_(other.is_)
    {
        if (has_text())
            is_.where.text = new std::string(*other.is_.where.text);
    }
    endpoint(endpoint&& other) noexcept : is_(std::exchange(other.is_, {})) {}
    endpoint& operator=(endpoint other) noexcept
    {
        std::swap(is_, other.is_);
        return *this;
    }
    ~endpoint()
    {
        if (has_text())
            delete is_.where.text;
    }

    /// A UNIX socket. A path with a leading NUL is a Linux abstract name. Throws
    /// std::invalid_argument when the path is empty, has a NUL inside or is longer than the system
    /// allows (107 bytes on Linux).
    [[nodiscard]] ASYNCHAT_DECL static endpoint unix_path(std::string_view path);

    /// A name that is not looked up yet: addr() returns it during the look-up.
    [[nodiscard]] ASYNCHAT_DECL static endpoint named(std::string_view host,
                                                      std::string_view service);

    /// An address from the system; empty for an unknown family.
    [[nodiscard]] ASYNCHAT_DECL static endpoint from_native(const sockaddr* address,
                                                            std::size_t size);

    /// What it is: nothing, an IPv4 or IPv6 address with a port, or a path.
    [[nodiscard]] bool empty() const noexcept { return is_.of == kind::nowhere; }
    [[nodiscard]] bool is_ip() const noexcept { return is_.of == kind::v4 || is_.of == kind::v6; }
    [[nodiscard]] bool is_unix() const noexcept { return is_.of == kind::path; }

    /// AF_INET, AF_INET6 or AF_UNIX; AF_UNSPEC for an empty endpoint and for a name.
    [[nodiscard]] ASYNCHAT_DECL int family() const noexcept;

    /// The address in digits, without the port; the path of a UNIX socket; "" when empty.
    [[nodiscard]] ASYNCHAT_DECL std::string host() const;

    /// The port in host byte order; 0 without a port.
    [[nodiscard]] std::uint16_t port() const noexcept { return is_.port; }

    /// For logs: "127.0.0.1:80", "[::1]:80", "/run/app.sock", "name:service", "" when empty.
    [[nodiscard]] ASYNCHAT_DECL std::string to_string() const;

    /// For Asio and the system: an asio::generic::datagram_protocol::endpoint.
    /// Throws std::logic_error when empty and for a name.
    ASYNCHAT_DECL asio::generic::basic_endpoint<asio::generic::datagram_protocol> native() const;

    /// Equal when all parts are.
    friend bool operator==(const endpoint& a, const endpoint& b) noexcept
    {
        return a.compare(b) == 0;
    }
    friend bool operator!=(const endpoint& a, const endpoint& b) noexcept { return !(a == b); }

    /// An order for maps: first empty, then IP addresses by their bytes and port (IPv4 first), then
    /// UNIX sockets, then names.
    friend bool operator<(const endpoint& a, const endpoint& b) noexcept
    {
        return a.compare(b) < 0;
    }

private:
    friend struct std::hash<endpoint>;
    enum class kind : unsigned char { nowhere, v4, v6, path, name };

    /// What it is, without the ownership of the text. Small, because each channel has an address;
    /// and accepting a connection moves it about a dozen times.
    struct value {
        union {
            std::array<unsigned char, 16> bytes{}; // of an IP address; zeros behind the 4 of IPv4
            const std::string* text; // the path of a UNIX socket; "host:service"; null: ""
        } where;
        std::uint32_t scope = 0; // of an IPv6 address
        std::uint16_t port = 0;
        kind of = kind::nowhere;
    };

    ASYNCHAT_DECL endpoint(kind what, std::string text);

    [[nodiscard]] bool has_text() const noexcept { return is_.of >= kind::path && is_.where.text; }
    std::string_view text() const noexcept
    {
        return has_text() ? *is_.where.text : std::string_view();
    }
    ASYNCHAT_PRIVATE asio::ip::address address() const noexcept;
    ASYNCHAT_DECL int compare(const endpoint& other) const noexcept;
    [[nodiscard]] ASYNCHAT_DECL std::size_t hash() const noexcept;

    value is_ = {};
};

/// An address that a connect() has tried, and why it failed. For a name that could not be looked up
/// `to` is the name.
struct connect_error {
    endpoint to;           ///< the address, or the name
    std::error_code error; ///< why it failed
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

template <>
struct std::hash<asynchat::endpoint> {
    std::size_t operator()(const asynchat::endpoint& where) const noexcept { return where.hash(); }
};

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/endpoint.ipp>
#endif
#endif
