// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ENDPOINT_IPP
#define ASYNCHAT_IMPL_ENDPOINT_IPP

#include <asynchat/endpoint.hpp>

#include <asynchat/escape.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace asynchat {

ASYNCHAT_DECL void detail::refuse_port(const std::string& value)
{
    throw std::invalid_argument("asynchat: " + value + " is not a port; ports are 0 to 65535");
}

ASYNCHAT_DECL endpoint::endpoint(std::string_view host, std::int64_t port)
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
    ip_ = {address, static_cast<std::uint16_t>(port)};
    kind_ = kind::ip;
}

ASYNCHAT_DECL endpoint endpoint::unix_path(std::string_view text)
{
    if (text.empty())
        throw std::invalid_argument("asynchat: the path of a UNIX socket is empty");
    if (text.size() >= sizeof(sockaddr_un::sun_path))
        throw std::invalid_argument("asynchat: the path of a UNIX socket has at most " +
                                    std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                    " bytes, not " + std::to_string(text.size()));
    if (const auto nul = text.find('\0'); nul != 0 && nul != std::string_view::npos)
        throw std::invalid_argument("asynchat: '" + detail::quoted(text) + "' has a NUL inside");
    return endpoint(kind::path, std::string(text));
}

ASYNCHAT_DECL endpoint endpoint::named(std::string_view host, std::string_view service)
{
    return endpoint(kind::name, std::string(host) + ":" + std::string(service));
}

ASYNCHAT_DECL endpoint endpoint::from_native(const sockaddr* address, std::size_t size)
{
    if (size < sizeof(sa_family_t))
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
    if (!text.empty() && text.front() != '\0')
        text = text.substr(0, text.find('\0'));
    return endpoint(kind::path, std::string(text));
}

ASYNCHAT_DECL int endpoint::family() const noexcept
{
    if (is_ip())
        return ip_.protocol().family();
    return is_unix() ? AF_UNIX : AF_UNSPEC;
}

ASYNCHAT_DECL std::size_t endpoint::hash() const noexcept
{
    std::string_view bytes = text_.get();
    asio::ip::address_v4::bytes_type v4;
    asio::ip::address_v6::bytes_type v6;
    const asio::ip::address address = ip_.address();
    if (is_ip() && address.is_v4()) {
        v4 = address.to_v4().to_bytes();
        bytes = {reinterpret_cast<const char*>(v4.data()), v4.size()};
    } else if (is_ip()) {
        v6 = address.to_v6().to_bytes();
        bytes = {reinterpret_cast<const char*>(v6.data()), v6.size()};
    }
    return std::hash<std::string_view>()(bytes) * 31 + port();
}

ASYNCHAT_DECL std::string endpoint::host() const
{
    if (is_ip())
        return ip_.address().to_string();
    return is_unix() ? std::string(text_.get()) : std::string();
}

ASYNCHAT_DECL std::uint16_t endpoint::port() const noexcept
{
    return is_ip() ? ip_.port() : std::uint16_t{0};
}

ASYNCHAT_DECL std::string endpoint::to_string() const
{
    if (!is_ip())
        return escaped(text_.get());
    const std::string digits = host();
    return (ip_.address().is_v6() ? "[" + digits + "]" : digits) + ":" + std::to_string(port());
}

ASYNCHAT_DECL asio::generic::datagram_protocol::endpoint endpoint::native() const
{
    if (is_ip())
        return asio::generic::datagram_protocol::endpoint(ip_.data(), ip_.size());
    if (!is_unix())
        throw std::logic_error(
            "asynchat: " +
            (empty() ? "an empty endpoint" : "'" + detail::quoted(to_string()) + "'") +
            " is not an address");
    sockaddr_un raw = {};
    raw.sun_family = AF_UNIX;
    const std::string_view path = text_.get();
    path.copy(raw.sun_path, path.size());
    // An abstract name is counted, a path ends with its NUL.
    const bool is_abstract = !path.empty() && path.front() == '\0';
    const std::size_t size = offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1);
    return asio::generic::datagram_protocol::endpoint(&raw, size);
}

} // namespace asynchat

#endif
