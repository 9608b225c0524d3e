// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_ASIO_ABI_HPP
#define ASYNCHAT_DETAIL_ASIO_ABI_HPP

#include <asynchat/config.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/detail/config.hpp>
#include <asio/detail/thread_info_base.hpp>
#include <asio/version.hpp>

#include <cstddef>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// What of Asio decides how its types are laid out, as some of ours have them as members.
constexpr unsigned asio_options() noexcept
{
    unsigned options = 0;
#ifdef ASIO_HAS_THREADS
    options |= 1U;
#endif
#ifdef ASIO_HAS_EPOLL
    options |= 2U;
#endif
#ifdef ASIO_HAS_TIMERFD
    options |= 4U;
#endif
#ifdef ASIO_HAS_EVENTFD
    options |= 8U;
#endif
#ifdef ASIO_HAS_IO_URING
    options |= 16U;
#endif
#ifdef ASIO_ENABLE_BUFFER_DEBUGGING
    options |= 32U;
#endif
#ifdef ASIO_ENABLE_HANDLER_TRACKING
    options |= 64U;
#endif
#ifdef ASIO_HAS_KQUEUE
    options |= 128U;
#endif
#ifdef ASIO_HAS_DEV_POLL
    options |= 256U;
#endif
    return options;
}

/// A parameter of functions that a program calls in a compiled library: it makes the program link
/// only to a library that was compiled with the same minor version of Asio, and the same options.
/// The sizes are of what lies in our objects, and of what the running io_context keeps: options
/// that are not listed above change them too, as ASIO_USE_TS_EXECUTOR_AS_DEFAULT.
template <int MinorVersion, unsigned Options, std::size_t... Sizes>
struct compiled_with_asio {
};

using this_asio =
    compiled_with_asio<ASIO_VERSION / 100, asio_options(), sizeof(asio::any_io_executor),
                       sizeof(asio::detail::thread_info_base)>;

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
