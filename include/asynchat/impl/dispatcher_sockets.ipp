// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_SOCKETS_IPP
#define ASYNCHAT_IMPL_DISPATCHER_SOCKETS_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/io/network.hpp>
#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/detail/io/system_calls.hpp>
#include <asynchat/escape.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/socket_base.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// A time for the system, rounded up: what is not zero stays so. A negative one is an error there.
template <class Unit>
int option_value(loop::duration time)
{
    if (time < loop::duration::zero())
        return -1;
    const std::int64_t max_value = std::numeric_limits<int>::max();
    return static_cast<int>(
        std::min<std::int64_t>(std::chrono::ceil<Unit>(time).count(), max_value));
}

/// The number of an option, or throws std::system_error where the system has none.
inline int known_option(socket_option option, const char* what)
{
    const int number = number_of(option);
    if (number < 0)
        throw std::system_error(std::make_error_code(std::errc::operation_not_supported), what);
    return number;
}

struct int_option {
    int level;
    int name;
    int value;
};

/// Sets an option, and `option.value` to its former value. Returns whether it could.
inline bool exchange_option(int fd, int_option& option) noexcept
{
    int former = 0;
    socklen_t size = sizeof former;
    if (::getsockopt(fd, option.level, option.name, &former, &size) != 0 ||
        ::setsockopt(fd, option.level, option.name, &option.value, sizeof option.value) != 0)
        return false;
    option.value = former;
    return true;
}

/// Sets all the options, or throws std::system_error and leaves all of them as they were.
template <std::size_t Count>
void set_options(int fd, const char* what, int_option (&&options)[Count])
{
    for (std::size_t set = 0; set < Count; ++set) {
        if (exchange_option(fd, options[set]))
            continue;
        const std::error_code error(errno, std::system_category());
        while (set > 0)
            exchange_option(fd, options[--set]);
        throw std::system_error(error, what);
    }
}

} // namespace detail

// --- sockets ---------------------------------------------------------------------------------

ASYNCHAT_DECL transport& dispatcher::require_any_socket(const char* what) const
{
    if (!in_memory_)
        require_socket(what);
    return *transport_;
}

ASYNCHAT_DECL detail::socket_transport& dispatcher::require_socket(const char* what) const
{
    if (!transport_ || !is_socket_)
        throw std::logic_error(
            std::string("asynchat: ") + what + "() needs a socket; " +
            (closed() ? "this channel is closed" : "call create_socket() first"));
    return *transport_->as_socket_();
}

ASYNCHAT_RARE void dispatcher::create_socket(int family, int type)
{
    require_life("create_socket");
    if (type != SOCK_STREAM && has_waiting_layers() && !connected_)
        throw std::logic_error("asynchat: create_socket() of datagrams: add_layer() was called for "
                               "a stream, and what is sent would go past the layer");
    auto next = make_socket(family, type);
    end_attempt();
    use_socket(std::move(next));
}

ASYNCHAT_RARE std::unique_ptr<transport> dispatcher::make_socket(int family, int type) const
{
    if (loop_.network_)
        return loop_.network_->open(family, type);
    return detail::socket_transport::make(loop_.context(), family, type);
}

/// Replaces the socket.
ASYNCHAT_DECL void dispatcher::use_socket(std::unique_ptr<transport> next)
{
    leave_connection(std::move(next));
    in_memory_ = loop_.network_ != nullptr;
    is_socket_ = !in_memory_;
    flush_soon();
}

/// Another connection, or another attempt to connect, follows. The output that waits for an attempt
/// was meant for its layers: the next one has the same, or fails.
ASYNCHAT_DECL void dispatcher::leave_connection(std::unique_ptr<transport> next)
{
    const bool is_in_handshake = state_->opening != 0 && !detail::is_of_connect(opening());
    const bool had_connection = connected_ || is_in_handshake;
    std::unique_ptr<transport_layer> layers;
#ifndef ASYNCHAT_TEST_LAYERS // those are put under the next connection, too
    if (connecting_ && !had_connection && state_->layers() != 0)
        layers = renewed_layer(opening());
#endif
    const bool were_several = state_->layers() > 1;
    connected_ = accepting_ = connecting_ = was_lost_ = eof_ = was_accepted_ = false;
    set_transport(std::move(next));
    if (layers && (were_several || !has_waiting_layers()))
        transport_layer::stack(rare().layers, std::move(layers), 0);
    if (had_connection) {
        if (rare_)
            rare_->start_anew(loop_.now());
        gate_.set(detail::gate::lost, false);
        forget_connection_();
    }
}

/// A channel that has ended, or is in handle_close(), can start nothing.
ASYNCHAT_DECL void dispatcher::require_life(const char* what) const
{
    if (closed())
        throw std::logic_error(std::string("asynchat: ") + what + "() on a closed channel");
    if (gate_.has(detail::gate::ended))
        throw std::logic_error(std::string("asynchat: ") + what +
                               "() in handle_close(): create another channel instead");
}

ASYNCHAT_RARE void dispatcher::set_reuse_addr()
{
    try {
        set_option("set_reuse_addr", asio::socket_base::reuse_address(true));
    } catch (const std::system_error&) { // not needed, or bind() reports the error
    }
}

ASYNCHAT_RARE void dispatcher::bind(const endpoint& where)
{
    std::error_code error;
    bind(where, error);
    if (error)
        throw std::system_error(error, "asynchat: bind to " + detail::quoted(where.to_string()));
}

ASYNCHAT_RARE void dispatcher::bind(const endpoint& where, std::error_code& error)
{
    require_any_socket("bind").bind(where, error);
    error = detail::to_std(error);
    if (error)
        return;
    addr_ = where;
    flush_soon();
}

ASYNCHAT_RARE void dispatcher::listen(int backlog)
{
    std::error_code error;
    listen(backlog, error);
    if (error)
        throw std::system_error(error, "asynchat: listen on " + detail::quoted(addr_.to_string()));
}

ASYNCHAT_RARE void dispatcher::listen(int backlog, std::error_code& error)
{
    auto& listener = require_any_socket("listen");
    rare(); // so that accept_event() needs no memory for it
    listener.listen(backlog, error);
    if (error)
        return;
    accepting_ = true;
    flush_soon();
}

ASYNCHAT_DECL std::optional<std::pair<socket, endpoint>> dispatcher::accept()
{
    std::error_code error;
    socket connection = require_any_socket("accept").accept(error);
    if (!error) {
        received_ = true;
        rare().backoff.accepted();
        connection.accepted_ = true;
        endpoint peer = connection.peer();
        return std::make_pair(std::move(connection), std::move(peer));
    }
    if (is_would_block(error) || detail::is_lost_connection(error))
        return std::nullopt;
    throw detail::io_error(close_reason::system_error, error, "accept");
}

/// Calls handle_accept(), and keeps the listener open after its failures.
ASYNCHAT_DECL void dispatcher::accept_event()
{
    rare().backoff.event_begins();
    try {
        handle_accept();
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        if (rare_->backoff.event_failed() && !closed())
            pause_accepting();
        throw;
    }
    rare_->backoff.event_ended();
}

/// Tries again a little later.
ASYNCHAT_DECL void dispatcher::pause_accepting()
{
    loop_.call_later(detail::accept_backoff::pause, [state = state_] {
        if (const auto channel = state->channel())
            channel->in_event([&] { channel->rare().backoff.end_pause(); });
    });
    rare_->backoff.begin_pause();
}

// --- state -----------------------------------------------------------------------------------

ASYNCHAT_DECL endpoint dispatcher::local_endpoint() const
{
    return transport_ ? transport_->local_endpoint() : endpoint();
}

ASYNCHAT_DECL endpoint dispatcher::peer_endpoint() const
{
    return transport_ ? transport_->peer_endpoint() : endpoint();
}

ASYNCHAT_DECL int dispatcher::native_handle() const
{
    return transport_ ? transport_->native_handle() : -1;
}

template <class Option>
void dispatcher::set_option(const char* what, const Option& option)
{
    if (!in_memory_)
        require_socket(what).asio_socket().set_option(option);
}

/// An option of TCP that Asio has no name for.
ASYNCHAT_RARE void dispatcher::set_tcp_option(const char* what, int option, int value)
{
    if (in_memory_)
        return;
    const int fd = require_socket(what).native_handle();
    if (::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value) != 0)
        throw std::system_error(errno, std::system_category(), what);
}

ASYNCHAT_RARE void dispatcher::set_no_delay(bool on)
{
    set_option("set_no_delay", asio::ip::tcp::no_delay(on));
}

ASYNCHAT_RARE void dispatcher::set_keep_alive(bool on)
{
    set_option("set_keep_alive", asio::socket_base::keep_alive(on));
}

ASYNCHAT_RARE void dispatcher::set_keep_alive(loop::duration idle, loop::duration interval,
                                              int count)
{
    using detail::option_value;
    using detail::socket_option;
    using std::chrono::seconds;
    const char* const what = "set_keep_alive";
    const int idle_option = detail::known_option(socket_option::keep_idle, what);
    const int interval_option = detail::known_option(socket_option::keep_interval, what);
    const int count_option = detail::known_option(socket_option::keep_count, what);
    if (in_memory_)
        return;
    detail::set_options(require_socket(what).native_handle(), what,
                        {{IPPROTO_TCP, idle_option, option_value<seconds>(idle)},
                         {IPPROTO_TCP, interval_option, option_value<seconds>(interval)},
                         {IPPROTO_TCP, count_option, count},
                         {SOL_SOCKET, SO_KEEPALIVE, 1}});
}

ASYNCHAT_RARE void dispatcher::set_user_timeout(loop::duration timeout)
{
    const char* const what = "set_user_timeout";
    set_tcp_option(what, detail::known_option(detail::socket_option::user_timeout, what),
                   detail::option_value<std::chrono::milliseconds>(timeout));
}

ASYNCHAT_RARE void dispatcher::set_reuse_port()
{
    const int option = detail::number_of(detail::socket_option::reuse_port);
    if (!in_memory_)
        detail::set_options(require_socket("set_reuse_port").native_handle(), "set_reuse_port",
                            {{SOL_SOCKET, option, 1}});
}

ASYNCHAT_RARE void dispatcher::set_defer_accept(loop::duration timeout)
{
    const char* const what = "set_defer_accept";
    set_tcp_option(what, detail::known_option(detail::socket_option::defer_accept, what),
                   detail::option_value<std::chrono::seconds>(timeout));
}

ASYNCHAT_RARE void dispatcher::set_dual_stack(bool on)
{
    set_option("set_dual_stack", asio::ip::v6_only(!on));
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
