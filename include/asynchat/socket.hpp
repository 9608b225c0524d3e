// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_SOCKET_HPP
#define ASYNCHAT_SOCKET_HPP

#include <asynchat/config.hpp>
#include <asynchat/endpoint.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>

#include <memory>
#include <utility>

namespace asynchat {

namespace detail {
class transport;
}

namespace testing {
class loop;
}

/// A socket of the system that no channel has yet: what accept() hands out and what the
/// constructors of channels take.
///
/// Owns the descriptor and closes it; movable, not copyable; bound to no loop, so that a socket
/// accepted in one thread may be given to a loop of another.
class socket {
public:
    /// No socket.
    socket() noexcept = default;

    /// Takes over an open descriptor of the given family (AF_INET, ...) and type (SOCK_STREAM,
    /// ...); `peer` is the other side, as far as it is known.
    socket(int descriptor, int family, int type, endpoint peer = {}) noexcept
        : descriptor_(descriptor), family_(family), type_(type), peer_(std::move(peer))
    {
    }

    /// Takes over a connected socket of Asio, of any io_context; the operations under way on it
    /// are cancelled. TCP_NODELAY is set, as on all our connections. Throws std::system_error when
    /// the socket is not open or cannot be released.
    ASYNCHAT_DECL socket(asio::ip::tcp::socket&& connected);
    ASYNCHAT_DECL socket(asio::local::stream_protocol::socket&& connected);

    socket(socket&& other) noexcept { swap(other); }
    socket& operator=(socket&& other) noexcept
    {
        socket(std::move(other)).swap(*this);
        return *this;
    }
    ASYNCHAT_DECL ~socket();

    /// For connections that are not the system's, those of the test kit: takes over `connection`.
    /// The descriptor is -1.
    ASYNCHAT_DECL socket(std::unique_ptr<detail::transport> connection, int family,
                         endpoint peer) noexcept;

    explicit operator bool() const noexcept { return descriptor_ >= 0 || connection_; }

    int native_handle() const noexcept { return descriptor_; }
    int family() const noexcept { return family_; }
    int type() const noexcept { return type_; }

    /// The other side; empty when it is not known.
    const endpoint& peer() const noexcept { return peer_; }

    /// Gives the descriptor up; the caller closes it.
    int release() noexcept { return std::exchange(descriptor_, -1); }

    /// A pair of connected UNIX stream sockets, for tests and for talking to oneself.
    /// Throws std::system_error. Python: socket.socketpair
    ASYNCHAT_DECL static std::pair<socket, socket> pair();

private:
    friend class dispatcher;
    friend class testing::loop;

    void swap(socket& other) noexcept
    {
        std::swap(accepted_, other.accepted_);
        std::swap(descriptor_, other.descriptor_);
        std::swap(connection_, other.connection_);
        std::swap(family_, other.family_);
        std::swap(type_, other.type_);
        std::swap(peer_, other.peer_);
    }

    bool accepted_ = false; // by a dispatcher that listens
    int descriptor_ = -1;
    detail::transport* connection_ = nullptr; // owned; instead of a descriptor
    int family_ = 0;
    int type_ = 0;
    endpoint peer_;
};

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/socket.ipp>
#endif
#endif
