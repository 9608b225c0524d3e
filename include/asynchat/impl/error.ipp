// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ERROR_IPP
#define ASYNCHAT_IMPL_ERROR_IPP

#include <asynchat/error.hpp>

#include <asio/error.hpp>

#include <cerrno>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE std::string_view to_string(close_reason reason) noexcept
{
    switch (reason) {
    case close_reason::open: return "open";
    case close_reason::peer_finished: return "peer finished";
    case close_reason::reset: return "reset";
    case close_reason::local: return "local";
    case close_reason::connect_timeout: return "connect timeout";
    case close_reason::idle_timeout: return "idle timeout";
    case close_reason::frame_timeout: return "frame timeout";
    case close_reason::write_timeout: return "write timeout";
    case close_reason::close_timeout: return "close timeout";
    case close_reason::frame_limit: return "frame limit";
    case close_reason::output_limit: return "output limit";
    case close_reason::bad_frame: return "bad frame";
    case close_reason::early_input: return "early input";
    case close_reason::callback_error: return "callback error";
    case close_reason::shutdown: return "shutdown";
    case close_reason::connect_failed: return "connect failed";
    case close_reason::lookup_failed: return "look-up failed";
    case close_reason::system_error: return "system error";
    case close_reason::handshake_timeout: return "handshake timeout";
    case close_reason::tls_error: return "tls error";
    case close_reason::tls_truncated: return "tls truncated";
    case close_reason::user: return "user";
    }
    return "unknown";
}

ASYNCHAT_RARE std::string_view to_string(log_type type) noexcept
{
    switch (type) {
    case log_type::info: return "info";
    case log_type::warning: return "warning";
    case log_type::error: return "error";
    case log_type::log: return "log";
    }
    return "unknown";
}

namespace detail {

ASYNCHAT_RARE int errno_of(const std::error_code& error) noexcept
{
    // Older releases of Asio have a separate category for the errors of the system.
    const auto& category = error.category();
    const bool is_errno = category == std::system_category() ||
                          category == std::generic_category() ||
                          category == asio::error::get_system_category();
    return is_errno ? error.value() : 0;
}

ASYNCHAT_RARE std::error_code to_std(const std::error_code& error) noexcept
{
    const int number = errno_of(error);
    return number != 0 ? std::error_code(number, std::system_category()) : error;
}

} // namespace detail

ASYNCHAT_RARE bool is_disconnected(const std::error_code& error) noexcept
{
    switch (detail::errno_of(error)) {
    case ECONNRESET:
    case ENOTCONN:
    case ESHUTDOWN:
    case ECONNABORTED:
    case EPIPE:
    case EBADF: return true;
    default: return false;
    }
}

ASYNCHAT_RARE bool is_would_block(const std::error_code& error) noexcept
{
    const int number = detail::errno_of(error);
    return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
