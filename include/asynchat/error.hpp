// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_ERROR_HPP
#define ASYNCHAT_ERROR_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <exception>
#include <string_view>
#include <system_error>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// Throw it in a callback to leave loop::run(), loop::poll() or the call that runs the io_context.
///
/// handle_error() is not called. The channel stays open, and the loop can be run again.
/// Python: Lib/asyncore.py, ExitNow
class ASYNCHAT_API exit_now : public std::exception {
public:
    /// Always the same text.
    const char* what() const noexcept override { return "asynchat::exit_now"; }
};

/// Why a channel was closed; `open` while it is open.
enum class close_reason : unsigned char {
    open,              ///< not closed
    peer_finished,     ///< the other side ended its stream
    reset,             ///< the connection was lost: reset, broken pipe, shut down
    local,             ///< close(), abort() or close_when_done() on this side
    connect_timeout,   ///< no connection within connect_timeout()
    idle_timeout,      ///< the channel received and sent nothing for idle_timeout()
    frame_timeout,     ///< a frame was not complete within frame_timeout()
    write_timeout,     ///< the other side took no output for write_timeout()
    close_timeout,     ///< the output was not sent within the time of close_when_done(timeout)
    frame_limit,       ///< a frame grew over max_frame
    output_limit,      ///< output was added while more than max_output() waited
    bad_frame,         ///< the length in front of a frame, or what follows it, is malformed
    early_input,       ///< input was received before add_layer(), so not through the layer
    callback_error,    ///< an exception left a callback
    shutdown,          ///< the loop closed it: close_all(), the end of the loop; or server::stop()
    connect_failed,    ///< no address accepted the connection
    lookup_failed,     ///< the host name could not be resolved
    system_error,      ///< any other error of the system
    handshake_timeout, ///< the handshake was not complete within handshake_timeout()
    tls_error,         ///< TLS: the handshake failed, or the peer broke the protocol
    tls_truncated,     ///< TLS: the stream ended without the peer's close_notify
    user,              ///< finish() with a text
};

/// The number of reasons, `open` included.
inline constexpr std::size_t close_reason_count = static_cast<std::size_t>(close_reason::user) + 1;

/// The reason in words, for logs: "peer finished", "frame limit", ...; never empty.
[[nodiscard]] ASYNCHAT_API ASYNCHAT_DECL std::string_view to_string(close_reason reason) noexcept;

/// The type of a log line: a type of dispatcher::log_info(), or `log` for dispatcher::log().
enum class log_type : unsigned char { info, warning, error, log };

/// "info", "warning", "error" or "log".
[[nodiscard]] ASYNCHAT_API ASYNCHAT_DECL std::string_view to_string(log_type type) noexcept;

/// True for the errors that mean "the connection is gone" and end in handle_close() instead of
/// handle_error(): reset, not connected, shut down, aborted, broken pipe, bad descriptor.
/// Python: Lib/asyncore.py, _DISCONNECTED
[[nodiscard]] ASYNCHAT_API ASYNCHAT_DECL bool
is_disconnected(const std::error_code& error) noexcept;

/// True for the errors that mean "nothing now, try later"; an interrupted call counts.
[[nodiscard]] ASYNCHAT_API ASYNCHAT_DECL bool is_would_block(const std::error_code& error) noexcept;

namespace detail {

/// The errno that `error` carries, or 0 when it is of another kind (a look-up error, TLS, ...).
ASYNCHAT_DECL int errno_of(const std::error_code& error) noexcept;

/// The same error in std::system_category(), so that it compares with std::errc whatever the
/// release of Asio; errors of other kinds stay as they are.
ASYNCHAT_DECL std::error_code to_std(const std::error_code& error) noexcept;

} // namespace detail

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/error.ipp>
#endif
#endif
