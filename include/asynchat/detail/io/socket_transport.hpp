// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_SOCKET_TRANSPORT_HPP
#define ASYNCHAT_DETAIL_IO_SOCKET_TRANSPORT_HPP

#include <asynchat/config.hpp>
#include <asynchat/const_buffers.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/fwd.hpp>
#include <asynchat/socket.hpp>
#include <asynchat/transport.hpp>

#include <asio/basic_datagram_socket.hpp>
#include <asio/buffer.hpp>
#include <asio/generic/basic_endpoint.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Receives from a stream without blocking, in any mode of the descriptor. With `keep` the bytes
/// stay. Errors as those of transport::read_some().
ASYNCHAT_DECL std::size_t receive_now(int descriptor, asio::mutable_buffer into, bool keep,
                                      std::error_code& error) noexcept;

/// Whether an error of accept() belongs to the waiting connection, not to the listener.
ASYNCHAT_DECL bool is_lost_connection(const std::error_code& error) noexcept;

/// A protocol of Asio whose family and type are chosen at run time.
class any_protocol {
public:
    using endpoint = asio::generic::basic_endpoint<any_protocol>;

    any_protocol(int family, int type) noexcept : family_(family), type_(type) {}
    int family() const noexcept { return family_; }
    int type() const noexcept { return type_; }
    int protocol() const noexcept { return 0; }

private:
    int family_;
    int type_;
};

/// A socket of any family and type.
///
/// Asio's datagram class is used for streams too: it has send_to() and receive_from(), and the
/// service below it uses the type of the protocol, not the class.
class socket_transport final : public transport {
public:
    using native_socket =
        asio::basic_datagram_socket<any_protocol, asio::io_context::executor_type>;

    /// Takes ownership of `source`, which becomes non-blocking. Throws std::system_error; then the
    /// caller still has it.
    ASYNCHAT_DECL socket_transport(asio::io_context& context, asynchat::socket&& source);

    /// A new socket, non-blocking and close-on-exec.
    /// Throws std::system_error.
    ASYNCHAT_DECL static asynchat::socket open(int family, int type);

    /// The same as a transport, with TCP_NODELAY.
    ASYNCHAT_DECL static std::unique_ptr<transport> make(asio::io_context& context, int family,
                                                         int type);

    ASYNCHAT_DECL std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t write_some(const_buffers from, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t write_file(int file, std::uint64_t offset, std::size_t count,
                                         std::error_code& error) override;
    ASYNCHAT_DECL void async_wait(readiness what, wait_handler ready) override;
    int native_handle() override { return socket_.native_handle(); }
    ASYNCHAT_DECL std::error_code take_error() override;
    ASYNCHAT_DECL bool peer_has_finished() override;
    ASYNCHAT_DECL std::size_t in_flight() override;
    ASYNCHAT_DECL bool may_read() override;
    bool is_connection() const noexcept override { return is_stream(); }
    ASYNCHAT_DECL void shutdown_write(std::error_code& error) override;
    ASYNCHAT_DECL void reset_on_close() noexcept override;

    bool is_stream() const noexcept { return type_ == SOCK_STREAM; }
    int family() const noexcept { return family_; }

    ASYNCHAT_DECL void bind(const endpoint& where, std::error_code& error) override;
    ASYNCHAT_DECL void listen(int backlog, std::error_code& error) override;
    ASYNCHAT_DECL asynchat::socket accept(std::error_code& error) override;
    ASYNCHAT_DECL void async_connect(const endpoint& to, connect_handler done) override;
    ASYNCHAT_DECL endpoint local_endpoint() const override;
    ASYNCHAT_DECL endpoint peer_endpoint() const override;

    /// As peer_endpoint(). Throws std::system_error when the system does not say whether there is a
    /// peer.
    ASYNCHAT_DECL endpoint connected_peer() const;

    /// Receives one datagram; without a datagram `from` is not changed.
    ASYNCHAT_DECL std::size_t send_to(std::string_view datagram, const endpoint& to,
                                      std::error_code& error);
    ASYNCHAT_DECL std::size_t receive_from(asio::mutable_buffer into, endpoint& from,
                                           std::error_code& error);

    native_socket& asio_socket() noexcept { return socket_; }

    /// Gives up the descriptor: it belongs to no loop any more.
    asynchat::socket release(endpoint peer)
    {
        return asynchat::socket(socket_.release(), family_, type_, std::move(peer));
    }

private:
    socket_transport* as_socket_() noexcept override { return this; }
    std::size_t receive_below_(asio::mutable_buffer into, bool keep,
                               std::error_code& error) override
    {
        return receive_now(native_handle(), into, keep, error);
    }

    native_socket socket_;
    int family_;
    int type_;
};

/// Any other descriptor: a pipe, a terminal, a regular file. Owned.
class descriptor_transport final : public transport {
public:
    /// Takes ownership of `descriptor`, which becomes non-blocking. Throws std::system_error.
    ASYNCHAT_DECL descriptor_transport(asio::io_context& context, int descriptor);

    ASYNCHAT_DECL std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override;
    ASYNCHAT_DECL std::size_t write_some(const_buffers from, std::error_code& error) override;
    ASYNCHAT_DECL void async_wait(readiness what, wait_handler ready) override;
    int native_handle() override { return descriptor_.native_handle(); }

private:
    asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor_;
    bool is_regular_ = false;
    bool makes_sigpipe_ = true;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which has the implementation of the handlers
#  include <asynchat/impl/socket_transport.ipp>
#endif
#endif
