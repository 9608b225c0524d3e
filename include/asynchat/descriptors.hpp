// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DESCRIPTORS_HPP
#define ASYNCHAT_DESCRIPTORS_HPP

#include <asynchat/config.hpp>
#include <asynchat/socket.hpp>

#include <cstddef>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// Takes ownership of a descriptor of this process, which becomes close-on-exec, and asks for its
/// family and type. Throws std::invalid_argument when it is no socket.
ASYNCHAT_DECL socket owned_socket(int descriptor);

/// Throws std::invalid_argument if connections cannot be accepted from it.
ASYNCHAT_DECL void require_listening(const socket& from);

/// Where a socket is bound; empty if that is not known.
ASYNCHAT_DECL endpoint address_of(const socket& from);

} // namespace detail

/// Sends copies of sockets to another process, over a connected UNIX stream socket, for example
/// those of server_base::share_listeners(). Sends one byte with them.
///
/// `connection` is a descriptor, for example native_handle() of a channel that has sent all its
/// output. Throws std::invalid_argument for no sockets or more than 253, std::system_error when
/// they cannot be sent, also when that would block.
/// Python: socket.send_fds
ASYNCHAT_API ASYNCHAT_DECL void send_descriptors(int connection,
                                                 const std::vector<socket>& sockets);

/// Receives what send_descriptors() has sent: one byte, with sockets. Child processes do not
/// inherit them. Waits for it if the connection blocks. Empty at the end of the stream.
///
/// Throws, and closes all that came: std::length_error for more than `max_count`,
/// std::invalid_argument when one is no socket, std::system_error when some were lost, for lack of
/// descriptors for example, or nothing can be received.
/// Python: socket.recv_fds
[[nodiscard]] ASYNCHAT_API ASYNCHAT_DECL std::vector<socket>
recv_descriptors(int connection, std::size_t max_count);

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/descriptors.ipp>
#endif
#endif
