// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_PLATFORM_HPP
#define ASYNCHAT_PLATFORM_HPP

#include <asynchat/config.hpp>

#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The kind of system, and how its loops wait, for logs: "linux epoll", "posix kqueue", "posix
/// select". Python: sys.platform, and the names in the module select
ASYNCHAT_API ASYNCHAT_DECL std::string_view platform() noexcept;

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/platform.ipp>
#endif

#endif
