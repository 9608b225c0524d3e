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

ASYNCHAT_DECL endpoint::endpoint(std::string_view host, std::uint16_t port)
{
    std::error_code error;
    const auto address =
        asio::ip::make_address(host.empty() ? "0.0.0.0" : std::string(host), error);
    if (error || host.find('\0') != std::string_view::npos)
        throw std::invalid_argument(
            "asynchat: '" + escaped(host) +
            "' is not a numeric address; connect(host, service) takes names");
    where_ = asio::ip::tcp::endpoint(address, port);
}

ASYNCHAT_DECL endpoint endpoint::unix_path(std::string_view text)
{
    if (text.size() >= sizeof(sockaddr_un::sun_path))
        throw std::invalid_argument("asynchat: the path of a UNIX socket has at most " +
                                    std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                    " bytes, not " + std::to_string(text.size()));
    if (const auto nul = text.find('\0'); nul != 0 && nul != std::string_view::npos)
        throw std::invalid_argument("asynchat: '" + escaped(text) + "' has a NUL inside");
    endpoint result;
    result.where_ = path{std::string(text)};
    return result;
}

ASYNCHAT_DECL endpoint endpoint::named(std::string_view host, std::string_view service)
{
    endpoint result;
    result.where_ = name{std::string(host) + ":" + std::string(service)};
    return result;
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
    endpoint result;
    result.where_ = path{std::string(text)};
    return result;
}

ASYNCHAT_DECL int endpoint::family() const noexcept
{
    if (const auto* ip = std::get_if<asio::ip::tcp::endpoint>(&where_))
        return ip->protocol().family();
    return is_unix() ? AF_UNIX : AF_UNSPEC;
}

ASYNCHAT_DECL std::string endpoint::host() const
{
    if (const auto* ip = std::get_if<asio::ip::tcp::endpoint>(&where_))
        return ip->address().to_string();
    if (const auto* unix_socket = std::get_if<path>(&where_))
        return unix_socket->text;
    return {};
}

ASYNCHAT_DECL std::uint16_t endpoint::port() const noexcept
{
    const auto* ip = std::get_if<asio::ip::tcp::endpoint>(&where_);
    return ip ? ip->port() : std::uint16_t{0};
}

ASYNCHAT_DECL std::string endpoint::to_string() const
{
    if (const auto* ip = std::get_if<asio::ip::tcp::endpoint>(&where_)) {
        const std::string digits = ip->address().to_string();
        return (ip->address().is_v6() ? "[" + digits + "]" : digits) + ":" +
               std::to_string(ip->port());
    }
    if (const auto* unix_socket = std::get_if<path>(&where_))
        return escaped(unix_socket->text);
    if (const auto* unresolved = std::get_if<name>(&where_))
        return escaped(unresolved->text);
    return {};
}

ASYNCHAT_DECL asio::generic::datagram_protocol::endpoint endpoint::native() const
{
    if (const auto* ip = std::get_if<asio::ip::tcp::endpoint>(&where_))
        return asio::generic::datagram_protocol::endpoint(ip->data(), ip->size());
    const auto* unix_socket = std::get_if<path>(&where_);
    if (!unix_socket)
        throw std::logic_error(
            "asynchat: " + (empty() ? "an empty endpoint" : "'" + to_string() + "'") +
            " is not an address");
    sockaddr_un raw = {};
    raw.sun_family = AF_UNIX;
    const std::string& text = unix_socket->text;
    text.copy(raw.sun_path, text.size());
    // An abstract name is counted, a path ends with its NUL.
    const bool is_abstract = !text.empty() && text.front() == '\0';
    const std::size_t size = offsetof(sockaddr_un, sun_path) + text.size() + (is_abstract ? 0 : 1);
    return asio::generic::datagram_protocol::endpoint(&raw, size);
}

} // namespace asynchat

#endif
