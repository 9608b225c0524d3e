// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_PLATFORM_HPP
#define ASYNCHAT_DETAIL_PLATFORM_HPP

// What the system has beyond POSIX of 2008. This is the only file that asks which system it is;
// each answer may be given from outside, as 0 or 1. ASYNCHAT_NO_LINUX turns off what Linux has
// alone, so that the rest can be tested there.

#if !defined(__unix__) && !defined(__APPLE__) && !defined(__HAIKU__)
#  error "asynchat needs a POSIX system; see docs/building.md"
#endif

#if defined(__linux__) && !defined(ASYNCHAT_NO_LINUX)
#  define ASYNCHAT_IS_LINUX 1
#else
#  define ASYNCHAT_IS_LINUX 0
#endif
#ifdef __APPLE__
#  define ASYNCHAT_IS_APPLE 1
#else
#  define ASYNCHAT_IS_APPLE 0
#endif
#if ASYNCHAT_IS_LINUX || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
#  define ASYNCHAT_IS_LINUX_OR_BSD 1
#else
#  define ASYNCHAT_IS_LINUX_OR_BSD 0
#endif

// accept4()
#ifndef ASYNCHAT_HAS_ACCEPT4
#  define ASYNCHAT_HAS_ACCEPT4 ASYNCHAT_IS_LINUX_OR_BSD
#endif

// SOCK_CLOEXEC for socket() and socketpair()
#ifndef ASYNCHAT_HAS_SOCK_FLAGS
#  define ASYNCHAT_HAS_SOCK_FLAGS ASYNCHAT_IS_LINUX_OR_BSD
#endif

// MSG_CMSG_CLOEXEC for recvmsg()
#ifndef ASYNCHAT_HAS_MSG_CMSG_CLOEXEC
#  define ASYNCHAT_HAS_MSG_CMSG_CLOEXEC ASYNCHAT_IS_LINUX_OR_BSD
#endif

// MSG_NOSIGNAL for send()
#ifndef ASYNCHAT_HAS_MSG_NOSIGNAL
#  define ASYNCHAT_HAS_MSG_NOSIGNAL (1 - ASYNCHAT_IS_APPLE)
#endif

// SO_NOSIGPIPE, an option of the socket that stands for MSG_NOSIGNAL
#ifndef ASYNCHAT_HAS_SO_NOSIGPIPE
#  define ASYNCHAT_HAS_SO_NOSIGPIPE ASYNCHAT_IS_APPLE
#endif

// F_SETNOSIGPIPE of fcntl(), the same for a pipe. These systems send SIGPIPE to the process, not to
// the thread that writes: blocking it there does not help.
#ifndef ASYNCHAT_HAS_F_SETNOSIGPIPE
#  if ASYNCHAT_IS_APPLE || defined(__NetBSD__)
#    define ASYNCHAT_HAS_F_SETNOSIGPIPE 1
#  else
#    define ASYNCHAT_HAS_F_SETNOSIGPIPE 0
#  endif
#endif

// send() that fails with EPROTOTYPE instead of EPIPE while a connection is torn down
#ifndef ASYNCHAT_HAS_SEND_EPROTOTYPE
#  define ASYNCHAT_HAS_SEND_EPROTOTYPE ASYNCHAT_IS_APPLE
#endif

// sendfile(), with the parameters that Linux has
#ifndef ASYNCHAT_HAS_SENDFILE
#  define ASYNCHAT_HAS_SENDFILE ASYNCHAT_IS_LINUX
#endif

// sigtimedwait()
#ifndef ASYNCHAT_HAS_SIGTIMEDWAIT
#  if ASYNCHAT_IS_APPLE || defined(__OpenBSD__) || defined(ASYNCHAT_NO_LINUX)
#    define ASYNCHAT_HAS_SIGTIMEDWAIT 0
#  else
#    define ASYNCHAT_HAS_SIGTIMEDWAIT 1
#  endif
#endif

// names of UNIX sockets that are no paths
#ifndef ASYNCHAT_HAS_ABSTRACT_UNIX
#  define ASYNCHAT_HAS_ABSTRACT_UNIX ASYNCHAT_IS_LINUX
#endif

// POLLRDHUP, which says that the peer has finished; SIOCOUTQ, which counts what it has not received
#ifndef ASYNCHAT_HAS_PEER_STATE
#  define ASYNCHAT_HAS_PEER_STATE ASYNCHAT_IS_LINUX
#endif

// TCP_USER_TIMEOUT and TCP_DEFER_ACCEPT
#ifndef ASYNCHAT_HAS_TCP_TIMEOUTS
#  define ASYNCHAT_HAS_TCP_TIMEOUTS ASYNCHAT_IS_LINUX
#endif

// TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT; OpenBSD has one setting for all sockets
#ifndef ASYNCHAT_HAS_KEEPALIVE_TIMES
#  if ASYNCHAT_IS_LINUX || ASYNCHAT_IS_APPLE || defined(__FreeBSD__) || defined(__NetBSD__) ||     \
      defined(__DragonFly__)
#    define ASYNCHAT_HAS_KEEPALIVE_TIMES 1
#  else
#    define ASYNCHAT_HAS_KEEPALIVE_TIMES 0
#  endif
#endif

// TCP_KEEPIDLE by that name; macOS calls it TCP_KEEPALIVE
#ifndef ASYNCHAT_HAS_TCP_KEEPIDLE
#  define ASYNCHAT_HAS_TCP_KEEPIDLE (1 - ASYNCHAT_IS_APPLE)
#endif

// SO_REUSEPORT_LB, with which the system spreads connections; elsewhere SO_REUSEPORT does
#ifndef ASYNCHAT_HAS_REUSEPORT_LB
#  ifdef __FreeBSD__
#    define ASYNCHAT_HAS_REUSEPORT_LB 1
#  else
#    define ASYNCHAT_HAS_REUSEPORT_LB 0
#  endif
#endif

// sched_getaffinity()
#ifndef ASYNCHAT_HAS_AFFINITY
#  define ASYNCHAT_HAS_AFFINITY ASYNCHAT_IS_LINUX
#endif

#endif
