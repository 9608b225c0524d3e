// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ENDPOINT_IPP
#define ASYNCHAT_IMPL_ENDPOINT_IPP

#include <asynchat/endpoint.hpp>

#include <asynchat/escape.hpp>

#include <asio/generic/datagram_protocol.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/local/datagram_protocol.hpp>
#include <asio/local/stream_protocol.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE void detail::refuse_port(const std::string& value)
{
    throw std::invalid_argument("asynchat: " + value + " is not a port; ports are 0 to 65535");
}

ASYNCHAT_RARE endpoint::endpoint(std::string_view host, std::int64_t port)
{
    if (port < 0 || port > 65535)
        detail::refuse_port(std::to_string(port));
    std::error_code error;
    const auto address =
        asio::ip::make_address(host.empty() ? "0.0.0.0" : std::string(host), error);
    if (error || host.find('\0') != std::string_view::npos)
        throw std::invalid_argument(
            "asynchat: '" + detail::quoted(host) +
            "' is not a numeric address; connect(host, service) takes names");
    *this = asio::ip::tcp::endpoint(address, static_cast<std::uint16_t>(port));
}

ASYNCHAT_RARE endpoint::endpoint(const asio::ip::tcp::endpoint& where) noexcept
{
    const asio::ip::address address = where.address();
    is_.of = address.is_v4() ? kind::v4 : kind::v6;
    is_.port = where.port();
    if (address.is_v4()) {
        const auto bytes = address.to_v4().to_bytes();
        std::copy(bytes.begin(), bytes.end(), is_.where.bytes.begin());
    } else {
        is_.where.bytes = address.to_v6().to_bytes();
        is_.scope = static_cast<std::uint32_t>(address.to_v6().scope_id());
    }
}

ASYNCHAT_RARE endpoint::endpoint(const asio::ip::udp::endpoint& where)
    : endpoint(asio::ip::tcp::endpoint(where.address(), where.port()))
{
}

ASYNCHAT_RARE endpoint::endpoint(const asio::local::stream_protocol::endpoint& where)
    : endpoint(from_native(where.data(), where.size()))
{
}

ASYNCHAT_RARE endpoint::endpoint(const asio::local::datagram_protocol::endpoint& where)
    : endpoint(from_native(where.data(), where.size()))
{
}

ASYNCHAT_RARE endpoint::endpoint(kind what, std::string text)
{
    is_.where.text = text.empty() ? nullptr : new std::string(std::move(text));
    is_.of = what;
}

ASYNCHAT_RARE endpoint endpoint::unix_path(std::string_view text)
{
    if (text.empty())
        throw std::invalid_argument("asynchat: the path of a UNIX socket is empty");
    if (text.size() >= sizeof(sockaddr_un::sun_path))
        throw std::invalid_argument("asynchat: the path of a UNIX socket has at most " +
                                    std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                    " bytes, not " + std::to_string(text.size()));
    if (ASYNCHAT_HAS_ABSTRACT_UNIX == 0 && text.front() == '\0')
        throw std::invalid_argument("asynchat: only Linux knows '" + detail::quoted(text) +
                                    "', an abstract name of a UNIX socket");
    if (const auto nul = text.find('\0'); nul != 0 && nul != std::string_view::npos)
        throw std::invalid_argument("asynchat: '" + detail::quoted(text) + "' has a NUL inside");
    return endpoint(kind::path, std::string(text));
}

ASYNCHAT_RARE endpoint endpoint::named(std::string_view host, std::string_view service)
{
    return endpoint(kind::name, std::string(host) + ":" + std::string(service));
}

ASYNCHAT_RARE endpoint endpoint::from_native(const sockaddr* address, std::size_t size)
{
    if (size < offsetof(sockaddr, sa_data))
        return {};
    if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
        asio::ip::tcp::endpoint ip;
        if (size > ip.capacity())
            return {};
        std::memcpy(ip.data(), address, size);
        return ip;
    }
    if (address->sa_family != AF_UNIX)
        return {};
    const std::size_t offset = offsetof(sockaddr_un, sun_path);
    std::string_view text;
    if (size > offset)
        text = {reinterpret_cast<const char*>(address) + offset, size - offset};
    // Systems without abstract names fill the address of a nameless socket with zeros.
    if (ASYNCHAT_HAS_ABSTRACT_UNIX == 0 || (!text.empty() && text.front() != '\0'))
        text = text.substr(0, text.find('\0'));
    return endpoint(kind::path, std::string(text));
}

ASYNCHAT_RARE int endpoint::family() const noexcept
{
    switch (is_.of) {
    case kind::v4: return AF_INET;
    case kind::v6: return AF_INET6;
    case kind::path: return AF_UNIX;
    default: return AF_UNSPEC;
    }
}

/// Of an IP address.
ASYNCHAT_RARE asio::ip::address endpoint::address() const noexcept
{
    if (is_.of == kind::v6)
        return asio::ip::address_v6(is_.where.bytes, is_.scope);
    asio::ip::address_v4::bytes_type bytes;
    std::copy_n(is_.where.bytes.begin(), bytes.size(), bytes.begin());
    return asio::ip::address_v4(bytes);
}

/// Less than 0, 0 or more than 0, as std::string::compare().
ASYNCHAT_RARE int endpoint::compare(const endpoint& other) const noexcept
{
    const auto order = [](auto a, auto b) { return a < b ? -1 : a > b ? 1 : 0; };
    if (is_.of != other.is_.of)
        return order(is_.of, other.is_.of);
    if (!is_ip())
        return text().compare(other.text());
    if (const int bytes = order(is_.where.bytes, other.is_.where.bytes))
        return bytes;
    const int scope = order(is_.scope, other.is_.scope);
    return scope != 0 ? scope : order(is_.port, other.is_.port);
}

ASYNCHAT_RARE std::size_t endpoint::hash() const noexcept
{
    const auto& ip = is_.where.bytes;
    const std::string_view bytes =
        is_ip() ? std::string_view(reinterpret_cast<const char*>(ip.data()), ip.size()) : text();
    return std::hash<std::string_view>()(bytes) * 31 + port();
}

ASYNCHAT_RARE std::string endpoint::host() const
{
    if (is_ip())
        return address().to_string();
    return is_unix() ? std::string(text()) : std::string();
}

ASYNCHAT_RARE std::string endpoint::to_string() const
{
    if (!is_ip())
        return escaped(text());
    const std::string digits = host();
    return (is_.of == kind::v6 ? "[" + digits + "]" : digits) + ":" + std::to_string(port());
}

ASYNCHAT_RARE asio::generic::datagram_protocol::endpoint endpoint::native() const
{
    if (is_ip()) {
        const asio::ip::tcp::endpoint ip(address(), port());
        return asio::generic::datagram_protocol::endpoint(ip.data(), ip.size());
    }
    if (!is_unix())
        throw std::logic_error(
            "asynchat: " +
            (empty() ? "an empty endpoint" : "'" + detail::quoted(to_string()) + "'") +
            " is not an address");
    sockaddr_un raw = {};
    raw.sun_family = AF_UNIX;
    const std::string_view path = text();
    path.copy(raw.sun_path, path.size());
    // An abstract name is counted, a path ends with its NUL.
    const bool is_abstract = !path.empty() && path.front() == '\0';
    const std::size_t size = offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1);
    return asio::generic::datagram_protocol::endpoint(&raw, size);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
