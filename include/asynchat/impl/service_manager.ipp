// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_SERVICE_MANAGER_IPP
#define ASYNCHAT_IMPL_SERVICE_MANAGER_IPP

#include <asynchat/service_manager.hpp>

#include <asynchat/descriptors.hpp>
#include <asynchat/detail/io/system_calls.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/number.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <limits>
#include <stdexcept>
#include <system_error>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

inline std::string_view variable(const char* name)
{
    const char* const value = std::getenv(name);
    return value ? value : std::string_view();
}

[[noreturn]] inline void refuse_variable(const char* name)
{
    throw std::invalid_argument("asynchat: " + std::string(name) + " is '" +
                                quoted(variable(name)) + "'");
}

/// A variable with a number from 0 to `max_value`.
inline std::int64_t number_in(const char* name, std::int64_t max_value)
{
    const auto number = parse_integer(variable(name), 0, max_value);
    if (!number)
        refuse_variable(name);
    return *number;
}

/// Whether the variable has the number of this process.
inline bool is_for_us(const char* name)
{
    return number_in(name, std::numeric_limits<int>::max()) == ::getpid();
}

/// The names of `count` descriptors.
inline std::vector<std::string> names_of_descriptors(std::size_t count)
{
    if (!std::getenv("LISTEN_FDNAMES"))
        return std::vector<std::string>(count, "unknown");
    std::vector<std::string> names(1);
    for (const char c : variable("LISTEN_FDNAMES")) {
        if (c == ':')
            names.emplace_back();
        else
            names.back() += c;
    }
    if (names.size() != count)
        refuse_variable("LISTEN_FDNAMES");
    return names;
}

} // namespace detail

ASYNCHAT_RARE std::vector<std::pair<std::string, socket>> listening_sockets()
{
    constexpr int first_descriptor = 3;
    const detail::scope_exit done([] { // children must not take them for their own
        for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
            ::unsetenv(name);
    });
    std::vector<std::pair<std::string, socket>> found;
    if (detail::variable("LISTEN_PID").empty() || !detail::is_for_us("LISTEN_PID"))
        return found;
    constexpr int max_sockets = 65536;
    const auto count = static_cast<std::size_t>(detail::number_in("LISTEN_FDS", max_sockets));
    int descriptor = first_descriptor;
    for (auto& name : detail::names_of_descriptors(count))
        found.emplace_back(std::move(name), detail::owned_socket(descriptor++));
    for (const auto& each : found) {
        if (each.second.type() == SOCK_STREAM)
            detail::require_listening(each.second);
    }
    return found;
}

ASYNCHAT_RARE bool notify_service_manager(std::string_view state)
{
    std::string path(detail::variable("NOTIFY_SOCKET"));
    if (path.empty())
        return false;
    if (path.front() != '/' && path.front() != '@')
        detail::refuse_variable("NOTIFY_SOCKET");
    if (path.front() == '@') // an abstract name
        path.front() = '\0';
    const auto to = endpoint::unix_path(path).native();
    const socket from(detail::open_socket(AF_UNIX, SOCK_DGRAM), AF_UNIX, SOCK_DGRAM);
    if (!from || ::sendto(from.native_handle(), state.data(), state.size(), MSG_DONTWAIT, to.data(),
                          static_cast<socklen_t>(to.size())) < 0)
        throw std::system_error(errno, std::system_category(), "asynchat: NOTIFY_SOCKET");
    return true;
}

ASYNCHAT_RARE std::optional<loop::duration> detail::watchdog_time()
{
    if (variable("WATCHDOG_USEC").empty() ||
        (!variable("WATCHDOG_PID").empty() && !is_for_us("WATCHDOG_PID")))
        return std::nullopt;
    return std::chrono::microseconds(
        number_in("WATCHDOG_USEC", std::numeric_limits<std::int64_t>::max()));
}

ASYNCHAT_RARE void detail::feed_watchdog() noexcept
{
    try {
        notify_service_manager("WATCHDOG=1");
    } catch (const std::exception&) {
    }
}

ASYNCHAT_RARE timer start_watchdog(loop& owner)
{
    const auto allowed = detail::watchdog_time();
    return allowed ? owner.call_every(*allowed / 2, [] { detail::feed_watchdog(); }) : timer();
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
