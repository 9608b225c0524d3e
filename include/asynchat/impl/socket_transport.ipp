// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_SOCKET_TRANSPORT_IPP
#define ASYNCHAT_IMPL_SOCKET_TRANSPORT_IPP

#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/detail/io/system_calls.hpp>
#include <asynchat/socket.hpp>

#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL bool is_lost_connection(const std::error_code& error) noexcept
{
    switch (errno_of(error)) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH: return true;
    default: return false;
    }
}

// --- sockets ---------------------------------------------------------------------------------

ASYNCHAT_DECL socket_transport::socket_transport(asio::io_context& context,
                                                 asynchat::socket&& source)
    : socket_(context), family_(source.family()), type_(source.type())
{
    without_sigpipe(source.native_handle());
    socket_.assign(any_protocol(family_, type_), source.native_handle());
    source.release();
    socket_.non_blocking(true);
}

ASYNCHAT_DECL asynchat::socket socket_transport::open(int family, int type)
{
    const int descriptor = open_socket(family, type);
    if (descriptor < 0)
        throw std::system_error(errno, std::system_category(), "asynchat: socket");
    return asynchat::socket(descriptor, family, type);
}

/// The result of `call`, or 0 when it fails with `error`.
template <class Call>
ssize_t again_after_signals(Call call, std::error_code& error)
{
    for (;;) {
        const ssize_t result = call();
        if (result >= 0) {
            error.clear();
            return result;
        }
        if (errno != EINTR) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                error = asio::error::would_block;
            else
                error.assign(errno, std::system_category());
            return 0;
        }
    }
}

ASYNCHAT_DECL std::size_t receive_now(int descriptor, asio::mutable_buffer into, bool keep,
                                      std::error_code& error) noexcept
{
    const int flags = MSG_DONTWAIT | (keep ? MSG_PEEK : 0);
    const ssize_t received = again_after_signals(
        [&] { return ::recv(descriptor, into.data(), into.size(), flags); }, error);
    if (received == 0 && !error)
        error = asio::error::eof;
    return static_cast<std::size_t>(received);
}

ASYNCHAT_DECL std::unique_ptr<transport> socket_transport::make(asio::io_context& context,
                                                                int family, int type)
{
    auto made = std::make_unique<socket_transport>(context, open(family, type));
    if (type == SOCK_STREAM && (family == AF_INET || family == AF_INET6))
        made->socket_.set_option(asio::ip::tcp::no_delay(true));
    return made;
}

ASYNCHAT_DECL std::size_t socket_transport::read_some(asio::mutable_buffer into,
                                                      std::error_code& error)
{
    // Not through Asio, which checks more: this runs for each event.
    const ssize_t received = again_after_signals(
        [&] { return ::recv(native_handle(), into.data(), into.size(), 0); }, error);
    if (received == 0 && !error && is_stream() && into.size() > 0)
        error = asio::error::eof;
    return static_cast<std::size_t>(received);
}

/// A piece for the system, which does not change it.
inline iovec piece_of(const void* bytes, std::size_t size) noexcept
{
    return {const_cast<void*>(bytes), size};
}

/// As much of several pieces as one call takes.
inline ssize_t send_pieces(int descriptor, const const_buffers& from) noexcept
{
    constexpr std::size_t max_pieces = 64;
    iovec pieces[max_pieces];
    msghdr message = {};
    message.msg_iov = pieces;
    for (const asio::const_buffer& each : from) {
        if (static_cast<std::size_t>(message.msg_iovlen) == max_pieces)
            break;
        pieces[message.msg_iovlen++] = piece_of(each.data(), each.size());
    }
    if (message.msg_iovlen == 0)
        return send_bytes(descriptor, nullptr, 0); // some systems refuse a message without pieces
    return send_message(descriptor, message);
}

ASYNCHAT_DECL std::size_t socket_transport::write_some(const_buffers from, std::error_code& error)
{
    // Not through Asio, which does not know how to do without SIGPIPE on each system.
    const auto send = [&] {
        if (from.count() != 1)
            return send_pieces(native_handle(), from);
        const asio::const_buffer all = *from.begin(); // send() is cheaper than sendmsg()
        return send_bytes(native_handle(), all.data(), all.size());
    };
    return static_cast<std::size_t>(again_after_signals(send, error));
}

ASYNCHAT_DECL std::size_t socket_transport::write_file(int file, std::uint64_t offset,
                                                       std::size_t count, std::error_code& error)
{
    if (ASYNCHAT_HAS_SENDFILE == 0 || !is_stream())
        return transport::write_file(file, offset, count, error);
    return static_cast<std::size_t>(again_after_signals(
        [&] { return send_file(native_handle(), file, offset, count); }, error));
}

ASYNCHAT_DECL void socket_transport::async_wait(readiness what, wait_handler ready)
{
    const auto kind = what == readiness::read    ? native_socket::wait_read
                      : what == readiness::write ? native_socket::wait_write
                                                 : native_socket::wait_error;
    socket_.async_wait(kind, std::move(ready));
}

ASYNCHAT_DECL std::error_code socket_transport::take_error()
{
    int number = 0;
    socklen_t size = sizeof number;
    if (::getsockopt(native_handle(), SOL_SOCKET, SO_ERROR, &number, &size) != 0)
        number = errno;
    return {number, std::system_category()};
}

ASYNCHAT_DECL bool socket_transport::peer_has_finished()
{
    return detail::peer_has_finished(native_handle());
}

ASYNCHAT_DECL std::size_t socket_transport::in_flight()
{
    return unreceived_bytes(native_handle());
}

ASYNCHAT_DECL bool socket_transport::may_read()
{
    return poll_now(native_handle(), POLLIN) != 0;
}

ASYNCHAT_DECL void socket_transport::bind(const endpoint& where, std::error_code& error)
{
    const auto native = where.native();
    socket_.bind(any_protocol::endpoint(native.data(), native.size()), error);
}

ASYNCHAT_DECL void socket_transport::listen(int backlog, std::error_code& error)
{
    error.clear();
    if (::listen(native_handle(), backlog) != 0)
        error.assign(errno, std::system_category());
}

ASYNCHAT_DECL void socket_transport::async_connect(const endpoint& to, connect_handler done)
{
    const auto native = to.native();
    if (family_ != AF_UNIX) {
        const any_protocol::endpoint where(native.data(), native.size());
        return socket_.async_connect(where, std::move(done));
    }
    // A UNIX socket is connected at once or not at all. A full backlog is EAGAIN, for which Asio
    // waits, but the wait never ends.
    std::error_code error;
    again_after_signals(
        [&] {
            const auto size = static_cast<socklen_t>(native.size());
            return ::connect(native_handle(), native.data(), size);
        },
        error);
    asio::post(socket_.get_executor(), [done = std::move(done), error] { done(error); });
}

ASYNCHAT_DECL asynchat::socket socket_transport::accept(std::error_code& error)
{
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    const int descriptor = accept_socket(native_handle(), raw, &size);
    if (descriptor < 0) {
        error.assign(errno, std::system_category());
        return {};
    }
    error.clear();
    asynchat::socket accepted(descriptor, family_, type_);
    endpoint peer = endpoint::from_native(raw, size);
    return asynchat::socket(accepted.release(), family_, type_, std::move(peer));
}

ASYNCHAT_DECL void socket_transport::shutdown_write(std::error_code& error)
{
    socket_.shutdown(native_socket::shutdown_send, error);
}

ASYNCHAT_DECL void socket_transport::reset_on_close() noexcept
{
    // Not through Asio, which resets the option before it closes.
    const ::linger at_once = {1, 0};
    ::setsockopt(native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

ASYNCHAT_DECL endpoint socket_transport::local_endpoint() const
{
    std::error_code none;
    const auto where = socket_.local_endpoint(none);
    return none ? endpoint() : endpoint::from_native(where.data(), where.size());
}

ASYNCHAT_DECL endpoint socket_transport::peer_endpoint() const
{
    std::error_code none;
    const auto where = socket_.remote_endpoint(none);
    return none ? endpoint() : endpoint::from_native(where.data(), where.size());
}

ASYNCHAT_DECL endpoint socket_transport::connected_peer() const
{
    std::error_code error;
    const auto peer = socket_.remote_endpoint(error);
    const int number = errno_of(error);
    if (error && number != ENOTCONN && number != EINVAL)
        throw std::system_error(to_std(error), "asynchat: dispatcher");
    return error ? endpoint() : endpoint::from_native(peer.data(), peer.size());
}

ASYNCHAT_DECL std::size_t socket_transport::send_to(std::string_view datagram, const endpoint& to,
                                                    std::error_code& error)
{
    auto where = to.native();
    iovec all = piece_of(datagram.data(), datagram.size());
    msghdr message = {};
    message.msg_name = where.data();
    message.msg_namelen = static_cast<socklen_t>(where.size());
    message.msg_iov = &all;
    message.msg_iovlen = 1;
    return static_cast<std::size_t>(
        again_after_signals([&] { return send_message(native_handle(), message); }, error));
}

ASYNCHAT_DECL std::size_t socket_transport::receive_from(asio::mutable_buffer into, endpoint& from,
                                                         std::error_code& error)
{
    any_protocol::endpoint native;
    const std::size_t received = socket_.receive_from(into, native, 0, error);
    if (!error)
        from = endpoint::from_native(native.data(), native.size());
    return received;
}

// --- other descriptors -----------------------------------------------------------------------

ASYNCHAT_DECL descriptor_transport::descriptor_transport(asio::io_context& context, int descriptor)
    : descriptor_(context)
{
    std::error_code error;
    descriptor_.assign(descriptor, error);
    if (error) {
        ::close(descriptor);
        throw std::system_error(error, "asynchat: file_dispatcher");
    }
    descriptor_.non_blocking(true);
    struct ::stat status;
    is_regular_ = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    makes_sigpipe_ = !writes_without_sigpipe(descriptor);
}

ASYNCHAT_DECL std::size_t descriptor_transport::read_some(asio::mutable_buffer into,
                                                          std::error_code& error)
{
    return descriptor_.read_some(into, error);
}

ASYNCHAT_DECL std::size_t descriptor_transport::write_some(const_buffers from,
                                                           std::error_code& error)
{
    std::optional<sigpipe_guard> guard;
    if (makes_sigpipe_)
        guard.emplace();
    return descriptor_.write_some(from, error);
}

ASYNCHAT_DECL void descriptor_transport::async_wait(readiness what, wait_handler ready)
{
    // A file is always ready, but not every system says so: kqueue() never tells of its end.
    if (is_regular_)
        return std::move(ready).post();
    using native = decltype(descriptor_);
    const auto kind = what == readiness::read    ? native::wait_read
                      : what == readiness::write ? native::wait_write
                                                 : native::wait_error;
    descriptor_.async_wait(kind, std::move(ready));
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
