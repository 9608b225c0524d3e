// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_SYSTEM_CALLS_HPP
#define ASYNCHAT_DETAIL_IO_SYSTEM_CALLS_HPP

// The calls that are not the same on every system.

#include <asynchat/config.hpp>
#include <asynchat/detail/platform.hpp>

#include <sys/socket.h>
#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

// These open descriptors that other programs do not inherit by exec(). Where the system opens and
// marks them in two steps, a fork() of another thread in between hands them on. They return what
// the system's call returns, and set errno.

ASYNCHAT_DECL int open_socket(int family, int type) noexcept;
ASYNCHAT_DECL int open_socket_pair(int (&ends)[2]) noexcept;
ASYNCHAT_DECL int accept_socket(int listener, sockaddr* peer, socklen_t* size) noexcept;
/// recvmsg() of a message with descriptors in it.
ASYNCHAT_DECL ssize_t receive_message(int connection, msghdr& message) noexcept;

/// send() and sendmsg() without SIGPIPE, for a socket that without_sigpipe() was called for: some
/// systems know only an option for it.
ASYNCHAT_DECL ssize_t send_bytes(int descriptor, const void* bytes, std::size_t size) noexcept;
ASYNCHAT_DECL ssize_t send_message(int descriptor, const msghdr& message) noexcept;
ASYNCHAT_DECL void without_sigpipe(int socket) noexcept;

/// The same for writes to any descriptor. Returns false where they need a sigpipe_guard.
ASYNCHAT_DECL bool writes_without_sigpipe(int descriptor) noexcept;

/// sendfile() to a stream, without SIGPIPE. Fails where ASYNCHAT_HAS_SENDFILE is 0.
ASYNCHAT_DECL ssize_t send_file(int descriptor, int file, std::uint64_t offset,
                                std::size_t count) noexcept;

/// Options of sockets that POSIX has not.
enum class socket_option {
    reuse_port, ///< of SOL_SOCKET: the system spreads connections over those that share a port
    keep_idle,  ///< these are of IPPROTO_TCP
    keep_interval,
    keep_count,
    user_timeout,
    defer_accept
};

/// The number of an option, -1 where the system has none.
ASYNCHAT_DECL int number_of(socket_option option) noexcept;

/// Whether the peer has finished, as far as the system tells.
ASYNCHAT_DECL bool peer_has_finished(int descriptor) noexcept;
/// Bytes that were sent and that the peer has not received, as far as the system tells.
ASYNCHAT_DECL std::size_t unreceived_bytes(int descriptor) noexcept;

/// The result of poll() for a descriptor now; 0 without a descriptor.
ASYNCHAT_DECL int poll_now(int descriptor, int events) noexcept;

/// The processors that this process may use.
ASYNCHAT_DECL std::size_t usable_processors() noexcept;

/// Prevents that a write without a reader ends the process, for any disposition of SIGPIPE: blocks
/// the signal in this thread and removes the signal that the write made. errno stays. It is for
/// systems that send the signal to the thread.
class sigpipe_guard {
public:
    ASYNCHAT_DECL sigpipe_guard() noexcept;
    ASYNCHAT_DECL ~sigpipe_guard();
    sigpipe_guard(const sigpipe_guard&) = delete;
    sigpipe_guard& operator=(const sigpipe_guard&) = delete;

private:
    sigset_t sigpipe_;
    sigset_t before_;
    bool was_pending_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/system_calls.ipp>
#endif

#endif
