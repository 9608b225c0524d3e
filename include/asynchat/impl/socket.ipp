// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_SOCKET_IPP
#define ASYNCHAT_IMPL_SOCKET_IPP

#include <asynchat/socket.hpp>

#include <asynchat/detail/io/system_calls.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/transport.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_DECL void socket::describe(int descriptor)
{
    sockaddr_storage address = {};
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (::getsockname(descriptor, raw, &size) != 0)
        throw std::system_error(errno, std::system_category(), "asynchat: getsockname");
    family_ = raw->sa_family;
    type_ = SOCK_STREAM;
    const int on = 1;
    if ((family_ == AF_INET || family_ == AF_INET6) &&
        ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        throw std::system_error(errno, std::system_category(), "asynchat: TCP_NODELAY");
    size = sizeof address;
    if (::getpeername(descriptor, raw, &size) == 0)
        peer_ = endpoint::from_native(raw, size);
}

ASYNCHAT_DECL socket::socket(std::unique_ptr<transport> connection, endpoint peer) noexcept
    : connection_(connection.release()), family_(peer.family()), type_(SOCK_STREAM),
      peer_(std::move(peer))
{
}

ASYNCHAT_DECL socket::~socket()
{
    if (descriptor_ >= 0)
        ::close(descriptor_);
    delete layers_;
    delete connection_;
}

ASYNCHAT_DECL void socket::add_layer(std::unique_ptr<transport_layer> layer)
{
    if (!*this)
        throw std::logic_error("asynchat: add_layer() needs a socket");
    if (type_ != SOCK_STREAM)
        throw std::logic_error("asynchat: add_layer() over datagrams");
    std::unique_ptr<transport_layer> all(layers_);
    layers_ = nullptr;
    const detail::scope_exit keep([&] { layers_ = all.release(); });
    transport_layer::stack(all, std::move(layer), 0);
}

ASYNCHAT_DECL std::pair<socket, socket> socket::pair()
{
    int ends[2];
    if (detail::open_socket_pair(ends) != 0)
        throw std::system_error(errno, std::system_category(), "asynchat: socketpair");
    return {socket(ends[0], AF_UNIX, SOCK_STREAM), socket(ends[1], AF_UNIX, SOCK_STREAM)};
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
