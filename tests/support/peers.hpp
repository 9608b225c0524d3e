// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_PEERS_HPP
#define ASYNCHAT_TESTS_SUPPORT_PEERS_HPP

#include "support/descriptors.hpp"

#include <asynchat/endpoint.hpp>
#include <asynchat/socket.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Plain sockets, for the other side of a connection, and their addresses. Nothing here waits.
namespace support {

/// What tests that look a name up need, which a bare machine may lack.
inline bool finds_localhost()
{
    addrinfo hints = {};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo("localhost", nullptr, &hints, &found) != 0)
        return false;
    ::freeaddrinfo(found);
    return true;
}

/// An address of this machine that is free: port 0, or a new path in `dir`.
inline asynchat::endpoint free_address(int family, temp_dir& dir)
{
    static int count = 0;
    if (family == AF_UNIX)
        return asynchat::endpoint::unix_path(dir.file("s" + std::to_string(++count)));
    return asynchat::endpoint(family == AF_INET ? "127.0.0.1" : "::1", 0);
}

inline asynchat::endpoint local_endpoint_of(int fd)
{
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    check_call(::getsockname(fd, raw, &size) == 0, "getsockname");
    return asynchat::endpoint::from_native(raw, size);
}

/// The other side of a connection: a plain socket, so that the test says what it does and when.
class raw_peer {
public:
    raw_peer() = default;
    explicit raw_peer(descriptor socket) : socket_(std::move(socket)) {}
    explicit raw_peer(asynchat::socket socket) : socket_(socket.release()) {}

    /// Connected, at once: the listener's backlog has room.
    static raw_peer connected_to(const asynchat::endpoint& where)
    {
        raw_peer peer(descriptor(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)));
        const auto native = where.native();
        check_call(::connect(peer.fd(), native.data(), static_cast<socklen_t>(native.size())) == 0,
                   "connect");
        return peer;
    }

    int fd() const noexcept { return socket_.get(); }

    void send(std::string_view bytes, int flags = 0)
    {
        check_call(::send(fd(), bytes.data(), bytes.size(), flags | MSG_NOSIGNAL) ==
                       static_cast<ssize_t>(bytes.size()),
                   "send");
    }

    /// All that came so far. Never waits.
    const std::string& received()
    {
        char buffer[65536];
        while (!ended_ && error_ == 0) {
            const ssize_t got = ::recv(fd(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (got > 0)
                received_.append(buffer, static_cast<std::size_t>(got));
            else if (got == 0)
                ended_ = true;
            else if (errno == EAGAIN)
                break;
            else
                error_ = errno;
        }
        return received_;
    }

    /// Receives at most so many bytes of what is there, for nobody. Returns how many.
    std::size_t drop(std::size_t max_bytes)
    {
        std::vector<char> buffer(max_bytes);
        const ssize_t got = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        return got > 0 ? static_cast<std::size_t>(got) : 0;
    }

    /// Whether the other side has ended its stream, and how.
    bool ended()
    {
        received();
        return ended_ || error_ != 0;
    }
    int error()
    {
        received();
        return error_;
    }

    void shut_down_output() { ::shutdown(fd(), SHUT_WR); }
    void close() { socket_.close(); }

    /// Closes so that the other side sees a reset (TCP).
    void reset()
    {
        const linger at_once{1, 0};
        ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close();
    }

private:
    descriptor socket_;
    std::string received_;
    bool ended_ = false;
    int error_ = 0;
};

/// A listening plain socket.
class raw_listener {
public:
    explicit raw_listener(const asynchat::endpoint& where, int backlog = SOMAXCONN)
        : socket_(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const auto native = where.native();
        check_call(::bind(fd(), native.data(), static_cast<socklen_t>(native.size())) == 0, "bind");
        check_call(::listen(fd(), backlog) == 0, "listen");
    }

    int fd() const noexcept { return socket_.get(); }
    asynchat::endpoint address() const { return local_endpoint_of(fd()); }

    /// A connection that was made already.
    raw_peer accept()
    {
        raw_peer peer(descriptor(::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC)));
        check_call(peer.fd() >= 0, "accept4");
        return peer;
    }

private:
    descriptor socket_;
};

/// An address of `family` (not AF_UNIX) on which nobody listens, as long as this lives.
class refusing_address {
public:
    explicit refusing_address(int family, std::uint16_t port = 0)
        : socket_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const asynchat::endpoint where(family == AF_INET ? "127.0.0.1" : "::1", port);
        const auto native = where.native();
        bound_ = ::bind(socket_.get(), native.data(), static_cast<socklen_t>(native.size())) == 0;
    }

    bool bound() const noexcept { return bound_; }
    asynchat::endpoint address() const { return local_endpoint_of(socket_.get()); }

private:
    descriptor socket_;
    bool bound_ = false;
};

/// A connection over TCP (or UNIX sockets): one end for a channel, the other one for the test.
inline std::pair<asynchat::socket, raw_peer> connected_pair(int family = AF_INET)
{
    if (family == AF_UNIX) {
        auto ends = asynchat::socket::pair();
        return {std::move(ends.first), raw_peer(std::move(ends.second))};
    }
    temp_dir unused;
    raw_listener listener(free_address(family, unused));
    raw_peer peer = raw_peer::connected_to(listener.address());
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    const int fd = ::accept4(listener.fd(), raw, &size, SOCK_CLOEXEC);
    check_call(fd >= 0, "accept4");
    return {asynchat::socket(fd, family, SOCK_STREAM, asynchat::endpoint::from_native(raw, size)),
            std::move(peer)};
}

} // namespace support

#endif
