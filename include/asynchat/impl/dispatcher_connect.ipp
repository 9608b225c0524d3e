// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_CONNECT_IPP
#define ASYNCHAT_IMPL_DISPATCHER_CONNECT_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/io/connect_attempt.hpp>
#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/escape.hpp>

#include <asio/error.hpp>
#include <asio/post.hpp>

#include <cassert>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace asynchat {

ASYNCHAT_DECL void dispatcher::connect(const endpoint& to)
{
    require_life("connect");
    to.native(); // throws if it is not an address
    drop_attempt();
    if (!transport_)
        create_socket(to.family());
    end_attempt();
    addr_ = to;
    start_clock(detail::deadlines::clock::connect);
    start_connect(to);
}

inline detail::connect_attempt* dispatcher::attempt() const noexcept
{
    return rare_ ? rare_->attempt.get() : nullptr;
}

ASYNCHAT_DECL void dispatcher::end_attempt() noexcept
{
    if (rare_)
        rare_->attempt.reset();
}

/// Drops a running attempt, its socket and its result: a new attempt cannot use them.
ASYNCHAT_DECL void dispatcher::drop_attempt()
{
    if (!connecting_ || (attempt() && attempt()->keeps_socket()))
        return;
    connecting_ = false;
    set_transport(nullptr);
}

ASYNCHAT_DECL void dispatcher::connect(std::string_view host, std::int64_t port)
{
    connect(host, std::to_string(port));
}

ASYNCHAT_DECL void dispatcher::connect(std::string_view host, std::string_view service)
{
    require_life("connect");
    detail::require_name("host", host);
    detail::require_name("service", service);
    if (const auto to = detail::numeric_endpoint(host, service))
        return connect(*to);
    drop_attempt();
    rare().attempt =
        std::make_unique<detail::connect_attempt>(loop_.context(), transport_ != nullptr);
    addr_ = endpoint::named(host, service);
    connected_ = accepting_ = eof_ = false;
    connecting_ = true;
    start_clock(detail::deadlines::clock::connect);
    attempt()->look_up(host, service, loop_.network_ ? &addr_ : nullptr,
                       [state = state_](const std::error_code& error) {
                           if (const auto channel = state->channel())
                               channel->looked_up(error);
                       });
}

ASYNCHAT_DECL void dispatcher::looked_up(const std::error_code& error)
{
    assert(attempt()); // otherwise its end would not be reported
    if (error)
        return connect_failed(close_reason::lookup_failed, error);
    if (attempt()->keeps_socket() && !in_memory_)
        attempt()->restrict_to(require_socket("connect").family());
    connect_next({asio::error::address_family_not_supported, std::system_category()});
}

/// Tries the next address, or fails with the error of the previous address.
ASYNCHAT_DECL void dispatcher::connect_next(const std::error_code& error)
{
    const auto to = attempt() ? attempt()->next() : std::nullopt;
    if (!to)
        return connect_failed(close_reason::connect_failed, error);
    // A socket whose connect failed cannot be used again.
    if (!attempt()->take_socket()) {
        try {
            create_socket(to->family());
        } catch (const std::system_error& no_socket) {
            return connect_next(no_socket.code());
        }
    }
    start_connect(*to);
}

ASYNCHAT_DECL void dispatcher::start_connect(const endpoint& to)
{
    auto& transport = require_any_socket("connect");
    connected_ = accepting_ = eof_ = false;
    connecting_ = true;
    state_->next_connection(); // earlier operations do not belong to this attempt
    state_->armed = {};
    if (auto* const layer = transport.as_layer_())
        layer->start_anew();
    transport.async_connect(
        to, [state = state_, connection = state_->connection()](const std::error_code& error) {
            const auto channel = state->channel();
            if (!channel || state->connection() != connection)
                return;
            // A new connection counts as a writer: its event comes after the readers of this pass.
            asio::post(channel->loop_.context(), [state, connection, error] {
                const auto writer = state->channel();
                if (writer && state->connection() == connection)
                    writer->connect_ended(error);
            });
        });
}

ASYNCHAT_DECL void dispatcher::connect_ended(const std::error_code& error)
{
    if (error)
        return connect_next(error);
    end_attempt();
    in_event([this] {
        if (writable())
            handle_write_event();
        else
            handle_connect_event();
    });
}

ASYNCHAT_DECL void dispatcher::connect_failed(asynchat::close_reason reason,
                                              const std::error_code& error)
{
    end_attempt();
    connecting_ = false;
    set_transport(nullptr); // another attempt cannot use it
    in_event([&] {
        const char* what = reason == close_reason::lookup_failed ? "look-up of " : "connect to ";
        throw detail::io_error(reason, error, what + detail::quoted(addr_.to_string()));
    });
}

} // namespace asynchat

#endif
