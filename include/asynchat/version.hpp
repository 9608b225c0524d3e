// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_VERSION_HPP
#define ASYNCHAT_VERSION_HPP

#include <asynchat/config.hpp>

#include <string_view>

// The only place where the version is written; the build reads it from here.
#define ASYNCHAT_VERSION_MAJOR 0
#define ASYNCHAT_VERSION_MINOR 1
#define ASYNCHAT_VERSION_PATCH 0

namespace asynchat {

/// The kind of system, and how its loops wait, for logs: "linux epoll", "posix kqueue", "posix
/// select". Python: sys.platform, and the names in the module select
ASYNCHAT_DECL std::string_view platform() noexcept;

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/version.ipp>
#endif

#endif
