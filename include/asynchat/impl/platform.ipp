// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_PLATFORM_IPP
#define ASYNCHAT_IMPL_PLATFORM_IPP

#include <asynchat/platform.hpp>

#include <asio/detail/config.hpp>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE std::string_view platform() noexcept
{
#if ASYNCHAT_IS_LINUX && defined(ASIO_HAS_EPOLL)
    return "linux epoll";
#elif ASYNCHAT_IS_LINUX
    return "linux select";
#elif defined(ASIO_HAS_EPOLL)
    return "posix epoll";
#elif defined(ASIO_HAS_KQUEUE)
    return "posix kqueue";
#elif defined(ASIO_HAS_DEV_POLL)
    return "posix /dev/poll";
#else
    return "posix select";
#endif
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
