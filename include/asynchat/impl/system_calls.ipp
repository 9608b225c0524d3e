// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_SYSTEM_CALLS_IPP
#define ASYNCHAT_IMPL_SYSTEM_CALLS_IPP

#include <asynchat/detail/io/system_calls.hpp>

#if ASYNCHAT_HAS_PEER_STATE
#  include <linux/sockios.h>
#  include <sys/ioctl.h>
#endif
#if ASYNCHAT_HAS_SENDFILE
#  include <sys/sendfile.h>
#endif
#if ASYNCHAT_HAS_AFFINITY
#  include <sched.h>
#endif
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <thread>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

#if ASYNCHAT_HAS_SOCK_FLAGS
inline constexpr int close_on_exec_flag = SOCK_CLOEXEC;
#else
inline constexpr int close_on_exec_flag = 0;
#endif
#if ASYNCHAT_HAS_MSG_NOSIGNAL
inline constexpr int no_signal_flag = MSG_NOSIGNAL;
#else
inline constexpr int no_signal_flag = 0;
#endif

inline void mark_close_on_exec(int descriptor) noexcept
{
    if (descriptor >= 0)
        ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

ASYNCHAT_DECL int open_socket(int family, int type) noexcept
{
    const int descriptor = ::socket(family, type | close_on_exec_flag, 0);
    if (close_on_exec_flag == 0)
        mark_close_on_exec(descriptor);
    return descriptor;
}

ASYNCHAT_DECL int open_socket_pair(int (&ends)[2]) noexcept
{
    const int result = ::socketpair(AF_UNIX, SOCK_STREAM | close_on_exec_flag, 0, ends);
    if (result != 0)
        return result;
    for (const int end : ends) {
        if (close_on_exec_flag == 0)
            mark_close_on_exec(end);
        without_sigpipe(end);
    }
    return result;
}

ASYNCHAT_DECL int accept_socket(int listener, sockaddr* peer, socklen_t* size) noexcept
{
#if ASYNCHAT_HAS_ACCEPT4
    return ::accept4(listener, peer, size, SOCK_CLOEXEC);
#else
    const int descriptor = ::accept(listener, peer, size);
    mark_close_on_exec(descriptor);
    return descriptor;
#endif
}

#if ASYNCHAT_HAS_MSG_CMSG_CLOEXEC
ASYNCHAT_DECL ssize_t receive_message(int connection, msghdr& message) noexcept
{
    return ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
}
#else
ASYNCHAT_DECL ssize_t receive_message(int connection, msghdr& message) noexcept
{
    const ssize_t received = ::recvmsg(connection, &message, 0);
    if (received < 0)
        return received;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof descriptor, sizeof descriptor);
            mark_close_on_exec(descriptor);
        }
    }
    return received;
}
#endif

/// The result of `send()`, which makes no SIGPIPE.
template <class Send>
ssize_t sent_by(Send send) noexcept
{
#if !ASYNCHAT_HAS_MSG_NOSIGNAL && !ASYNCHAT_HAS_SO_NOSIGPIPE
    const sigpipe_guard guard;
#endif
    return send();
}

/// The same for a connection, with the error of one that is lost.
template <class Send>
ssize_t sent_to_peer_by(Send send) noexcept
{
    const ssize_t sent = sent_by(send);
    if (ASYNCHAT_HAS_SEND_EPROTOTYPE != 0 && sent < 0 && errno == EPROTOTYPE)
        errno = EPIPE;
    return sent;
}

ASYNCHAT_DECL ssize_t send_bytes(int descriptor, const void* bytes, std::size_t size) noexcept
{
    return sent_to_peer_by([&] { return ::send(descriptor, bytes, size, no_signal_flag); });
}

ASYNCHAT_DECL ssize_t send_message(int descriptor, const msghdr& message) noexcept
{
    const auto send = [&] { return ::sendmsg(descriptor, &message, no_signal_flag); };
    return message.msg_name ? sent_by(send) : sent_to_peer_by(send);
}

ASYNCHAT_DECL void without_sigpipe(int socket) noexcept
{
#if ASYNCHAT_HAS_SO_NOSIGPIPE
    // It fails when the other side has gone: an accepted connection has it from its listener.
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#else
    (void)socket;
#endif
}

ASYNCHAT_DECL bool writes_without_sigpipe(int descriptor) noexcept
{
#if ASYNCHAT_HAS_F_SETNOSIGPIPE
    return ::fcntl(descriptor, F_SETNOSIGPIPE, 1) == 0;
#else
    (void)descriptor;
    return false;
#endif
}

ASYNCHAT_DECL ssize_t send_file(int descriptor, int file, std::uint64_t offset,
                                std::size_t count) noexcept
{
#if ASYNCHAT_HAS_SENDFILE
    const sigpipe_guard guard; // sendfile() has no MSG_NOSIGNAL
    auto from = static_cast<off_t>(offset);
    return ::sendfile(descriptor, file, &from, count);
#else
    (void)descriptor, (void)file, (void)offset, (void)count;
    errno = EOPNOTSUPP;
    return -1;
#endif
}

ASYNCHAT_DECL int number_of(socket_option option) noexcept
{
    switch (option) {
#if ASYNCHAT_HAS_REUSEPORT_LB
    case socket_option::reuse_port: return SO_REUSEPORT_LB;
#else
    case socket_option::reuse_port: return SO_REUSEPORT;
#endif
#if ASYNCHAT_HAS_KEEPALIVE_TIMES
#  if ASYNCHAT_HAS_TCP_KEEPIDLE
    case socket_option::keep_idle: return TCP_KEEPIDLE;
#  else
    case socket_option::keep_idle: return TCP_KEEPALIVE;
#  endif
    case socket_option::keep_interval: return TCP_KEEPINTVL;
    case socket_option::keep_count: return TCP_KEEPCNT;
#endif
#if ASYNCHAT_HAS_TCP_TIMEOUTS
    case socket_option::user_timeout: return TCP_USER_TIMEOUT;
    case socket_option::defer_accept: return TCP_DEFER_ACCEPT;
#endif
    default: return -1;
    }
}

ASYNCHAT_DECL bool peer_has_finished(int descriptor) noexcept
{
#if ASYNCHAT_HAS_PEER_STATE
    return (poll_now(descriptor, POLLRDHUP) & (POLLRDHUP | POLLHUP)) != 0;
#else
    (void)descriptor;
    return false;
#endif
}

ASYNCHAT_DECL std::size_t unreceived_bytes(int descriptor) noexcept
{
    int bytes = 0;
#if ASYNCHAT_HAS_PEER_STATE
    if (::ioctl(descriptor, SIOCOUTQ, &bytes) != 0)
        bytes = 0;
#else
    (void)descriptor;
#endif
    return static_cast<std::size_t>(std::max(bytes, 0));
}

ASYNCHAT_DECL int poll_now(int descriptor, int events) noexcept
{
    pollfd state = {};
    state.fd = descriptor;
    state.events = static_cast<short>(events);
    return ::poll(&state, 1, 0) > 0 ? state.revents : 0;
}

ASYNCHAT_DECL std::size_t usable_processors() noexcept
{
#if ASYNCHAT_HAS_AFFINITY
    cpu_set_t usable;
    if (::sched_getaffinity(0, sizeof usable, &usable) == 0)
        return static_cast<std::size_t>(CPU_COUNT(&usable));
#endif
    return std::max(1U, std::thread::hardware_concurrency());
}

// --- SIGPIPE ---------------------------------------------------------------------------------

inline bool is_pending(int signal) noexcept
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, signal) == 1;
}

ASYNCHAT_DECL sigpipe_guard::sigpipe_guard() noexcept : was_pending_(is_pending(SIGPIPE))
{
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    if (!was_pending_)
        pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
}

ASYNCHAT_DECL sigpipe_guard::~sigpipe_guard()
{
    if (was_pending_)
        return;              // it was pending before, so other code has blocked it
    const int error = errno; // of the write
#if ASYNCHAT_HAS_SIGTIMEDWAIT
    const timespec at_once = {};
    while (sigtimedwait(&sigpipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
#else
    // Another thread may take one that is for the process, and sigwait() would wait: so there is
    // always one for this thread. Twice, as the system may choose the one for the process first.
    for (int i = 0; i < 2 && is_pending(SIGPIPE); ++i) {
        int taken = 0;
        pthread_kill(pthread_self(), SIGPIPE);
        sigwait(&sigpipe_, &taken);
    }
#endif
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
