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

/// send() without SIGPIPE. On systems that know only an option for it, without_sigpipe() has set
/// it.
ASYNCHAT_DECL ssize_t send_bytes(int descriptor, const void* bytes, std::size_t size) noexcept;
ASYNCHAT_DECL ssize_t send_message(int descriptor, const msghdr& message) noexcept;
ASYNCHAT_DECL void without_sigpipe(int descriptor) noexcept;

#if ASYNCHAT_HAS_SENDFILE
/// sendfile() to a stream, without SIGPIPE.
ASYNCHAT_DECL ssize_t send_file(int descriptor, int file, std::uint64_t offset,
                                std::size_t count) noexcept;
#endif

/// Whether the peer has finished, as far as the system tells.
ASYNCHAT_DECL bool peer_has_finished(int descriptor) noexcept;
/// Bytes that were sent and that the peer has not received, as far as the system tells.
ASYNCHAT_DECL std::size_t unreceived_bytes(int descriptor) noexcept;

/// The result of poll() for a descriptor now; 0 without a descriptor.
ASYNCHAT_DECL int poll_now(int descriptor, int events) noexcept;

/// The processors that this process may use.
ASYNCHAT_DECL std::size_t usable_processors() noexcept;

/// Prevents that a write without a reader ends the process, for any disposition of SIGPIPE: blocks
/// the signal in this thread and removes the signal that the write made. errno stays.
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
