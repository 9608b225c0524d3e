// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_SERVICE_MANAGER_HPP
#define ASYNCHAT_SERVICE_MANAGER_HPP

#include <asynchat/config.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/socket.hpp>
#include <asynchat/timer.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The protocols of systemd, which other service managers have too: sockets that are open before the
// program starts (sd_listen_fds), and messages about its state (sd_notify). No library is needed.

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The sockets that the service manager has opened for this process, each with its name, in the
/// order of its configuration. Empty without a service manager, and in each further call.
///
///     for (auto& [name, listener] : listening_sockets())
///         loop.create<server<echo>>(listen_options(std::move(listener)));
///
/// A name is FileDescriptorName= of the unit, which is the name of the unit by default; "unknown"
/// without names. Child processes do not inherit the sockets. The variables LISTEN_PID, LISTEN_FDS
/// and LISTEN_FDNAMES are removed, so call it early in main(), before there are threads.
/// Throws std::invalid_argument when the variables are wrong, a descriptor is no socket, or a
/// stream socket does not listen (with systemd, Accept= has to be "no").
[[nodiscard]] ASYNCHAT_API ASYNCHAT_DECL std::vector<std::pair<std::string, socket>>
listening_sockets();

/// Tells the service manager about the state of this process: "READY=1" when it serves,
/// "STOPPING=1" when it ends, "STATUS=..." for people. Several lines are one message.
///
/// Returns false without a service manager (the variable NOTIFY_SOCKET). Does not block. Throws
/// std::system_error when the message cannot be sent, std::invalid_argument when the variable is
/// wrong.
ASYNCHAT_API ASYNCHAT_DECL bool notify_service_manager(std::string_view state);

namespace detail {

/// How often the service manager wants to hear from this process; nothing without a watchdog.
ASYNCHAT_DECL std::optional<loop::duration> watchdog_time();

/// Sends "WATCHDOG=1". An error is ignored: the next message may arrive.
ASYNCHAT_DECL void feed_watchdog() noexcept;

} // namespace detail

/// Sends "WATCHDOG=1" to the service manager in half of the time that it allows, as long as the
/// loop turns: so a process whose loop is stuck is started again. The timer is a timer of the loop.
/// Without a watchdog (the variables WATCHDOG_USEC and WATCHDOG_PID) there is no timer. For several
/// loops there is server_group_base::start_watchdog().
ASYNCHAT_API ASYNCHAT_DECL timer start_watchdog(loop& owner);

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/service_manager.ipp>
#endif
#endif
