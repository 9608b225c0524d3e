// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_SOCKET_HPP
#define ASYNCHAT_SOCKET_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/asio_fwd.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/fwd.hpp>

#include <memory>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace testing {
class loop;
}

/// A socket without a channel: accept() returns one, and the constructors of channels take one.
///
/// Owns the descriptor and closes it; movable, not copyable. It belongs to no loop: a socket that
/// is accepted in one thread may be given to a loop of another thread.
class ASYNCHAT_API socket {
public:
    /// No socket.
    socket() noexcept = default;

    /// Takes ownership of an open descriptor of the given family (AF_INET, ...) and type
    /// (SOCK_STREAM, ...); `peer` is the address of the peer, if it is known.
    socket(int descriptor, int family, int type, endpoint peer = {}) noexcept
        : descriptor_(descriptor), family_(family), type_(type), peer_(std::move(peer))
    {
    }

    /// Takes ownership of a connected socket of Asio, TCP or UNIX, of any io_context. Cancels its
    /// pending operations. Sets TCP_NODELAY, as on all TCP connections of the library. Throws
    /// std::system_error when the socket is not open or cannot be released.
    template <class Protocol, class Executor>
    socket(asio::basic_stream_socket<Protocol, Executor>&& connected)
    {
        describe(connected.native_handle());
        descriptor_ = connected.release();
    }

    socket(socket&& other) noexcept
        : accepted_(std::exchange(other.accepted_, false)),
          descriptor_(std::exchange(other.descriptor_, -1)),
          connection_(std::exchange(other.connection_, nullptr)),
          layers_(std::exchange(other.layers_, nullptr)), proxy_(std::move(other.proxy_)),
          family_(std::exchange(other.family_, 0)), type_(std::exchange(other.type_, 0)),
          peer_(std::move(other.peer_))
    {
    }
    socket& operator=(socket&& other) noexcept
    {
        socket(std::move(other)).swap(*this);
        return *this;
    }
    ASYNCHAT_DECL ~socket();

    /// A connection that is not a socket of the system. A channel over it receives and sends
    /// through `connection`, and is connected. The descriptor is -1, and socket options are
    /// ignored. A null pointer means no socket.
    ASYNCHAT_DECL explicit socket(std::unique_ptr<transport> connection,
                                  endpoint peer = {}) noexcept;

    /// True when it has a descriptor, or a connection without one.
    explicit operator bool() const noexcept { return descriptor_ >= 0 || connection_; }

    /// The descriptor, -1 without one; AF_INET and the like; SOCK_STREAM and the like.
    [[nodiscard]] int native_handle() const noexcept { return descriptor_; }
    [[nodiscard]] int family() const noexcept { return family_; }
    [[nodiscard]] int type() const noexcept { return type_; }

    /// The address of the peer; empty when it is not known.
    [[nodiscard]] const endpoint& peer() const noexcept { return peer_; }

    /// What a proxy has announced of this connection; null without a PROXY header. See
    /// server_base::expect_proxy().
    [[nodiscard]] const proxy_header* proxy() const noexcept { return proxy_.get(); }

    /// Gives up the ownership of the descriptor; the caller closes it.
    int release() noexcept { return std::exchange(descriptor_, -1); }

    /// A channel over this socket will receive and send through `layer`, from the first byte on.
    /// The layer lies over the layers added before. See dispatcher::add_layer().
    /// Throws std::invalid_argument for a null pointer, std::logic_error without a stream socket.
    ASYNCHAT_DECL void add_layer(std::unique_ptr<transport_layer> layer);

    /// A pair of connected UNIX stream sockets, for tests and for channels of one process.
    /// Throws std::system_error. Python: socket.socketpair
    ASYNCHAT_DECL static std::pair<socket, socket> pair();

private:
    friend class dispatcher;
    friend class server_base;
    friend class testing::loop;
    friend struct detail::channel_access;

    /// Sets all but the descriptor.
    ASYNCHAT_DECL void describe(int descriptor);

    void swap(socket& other) noexcept
    {
        std::swap(accepted_, other.accepted_);
        std::swap(descriptor_, other.descriptor_);
        std::swap(connection_, other.connection_);
        std::swap(layers_, other.layers_);
        std::swap(proxy_, other.proxy_);
        std::swap(family_, other.family_);
        std::swap(type_, other.type_);
        std::swap(peer_, other.peer_);
    }

    bool accepted_ = false; // by a listening dispatcher
    int descriptor_ = -1;
    transport* connection_ = nullptr;   // owned; instead of a descriptor
    transport_layer* layers_ = nullptr; // owned; to be put over the connection
    std::shared_ptr<const proxy_header> proxy_;
    int family_ = 0;
    int type_ = 0;
    endpoint peer_;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/socket.ipp>
#endif
#endif
