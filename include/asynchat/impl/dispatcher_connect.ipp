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

#include <sys/socket.h>

#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

// --- settings --------------------------------------------------------------------------------

ASYNCHAT_RARE detail::connect_record& dispatcher::connects()
{
    auto& record = rare().connects;
    if (!record)
        record = std::make_unique<detail::connect_record>();
    return *record;
}

ASYNCHAT_RARE void dispatcher::happy_eyeballs_delay(loop::duration delay)
{
    using std::chrono::milliseconds;
    if (delay < loop::duration::zero() ||
        (delay > loop::duration::zero() && delay < milliseconds(10)))
        throw std::invalid_argument("asynchat: happy_eyeballs_delay() is 0 or at least 10 ms");
    connects().settings.delay = delay;
}

ASYNCHAT_RARE loop::duration dispatcher::happy_eyeballs_delay() const noexcept
{
    return race_settings().delay;
}

ASYNCHAT_RARE void dispatcher::interleave(std::size_t first_family)
{
    connects().settings.first_family = first_family;
}

ASYNCHAT_RARE std::size_t dispatcher::interleave() const noexcept
{
    return race_settings().first_family;
}

ASYNCHAT_RARE detail::race_settings dispatcher::race_settings() const noexcept
{
    return rare_ && rare_->connects ? rare_->connects->settings : detail::race_settings();
}

ASYNCHAT_RARE std::vector<connect_error> dispatcher::connect_errors() const
{
    return rare_ && rare_->connects ? rare_->connects->errors : std::vector<connect_error>();
}

ASYNCHAT_RARE void dispatcher::connection_is_good()
{
    loop_.check_thread();
    if (!rare_)
        return;
    for (const auto& each : rare_->watchers)
        each->good();
}

// --- connecting ------------------------------------------------------------------------------

ASYNCHAT_RARE void dispatcher::connect(const endpoint& to)
{
    require_life("connect");
    to.native(); // throws if it is not an address
    drop_attempt();
    if (!transport_)
        use_socket(make_socket(to.family(), SOCK_STREAM));
    end_connect();
    addr_ = to;
    start_clock(detail::deadlines::clock::connect);
    start_connect(to);
}

ASYNCHAT_RARE detail::connect_attempt* dispatcher::attempt() const noexcept
{
    return rare_ && rare_->connects ? rare_->connects->attempt.get() : nullptr;
}

ASYNCHAT_RARE void dispatcher::end_attempt() noexcept
{
    if (attempt())
        rare_->connects->attempt.reset();
}

/// Ends the attempt that runs, and forgets why addresses have failed.
ASYNCHAT_RARE void dispatcher::end_connect() noexcept
{
    if (!rare_ || !rare_->connects)
        return;
    rare_->connects->attempt.reset();
    rare_->connects->errors = {};
    rare_->connects->reached = {};
    if (!rare_->connects->is_needed())
        rare_->connects.reset();
}

/// Drops a running attempt, its socket and its result: a new attempt cannot use them.
ASYNCHAT_RARE void dispatcher::drop_attempt()
{
    if (!connecting_ || (attempt() && attempt()->keeps_socket()))
        return;
    leave_connection(nullptr);
}

ASYNCHAT_RARE void dispatcher::connect(std::string_view host, std::int64_t port)
{
    connect(host, std::to_string(port));
}

ASYNCHAT_RARE void dispatcher::connect(std::string_view host, std::string_view service)
{
    require_life("connect");
    detail::require_name("host", host);
    detail::require_name("service", service);
    if (const auto to = detail::numeric_endpoint(host, service))
        return connect(*to);
    drop_attempt();
    end_connect();
    connects().attempt =
        std::make_unique<detail::connect_attempt>(loop_.context(), transport_ != nullptr);
    addr_ = endpoint::named(host, service);
    connected_ = accepting_ = eof_ = false;
    connecting_ = true;
    start_clock(detail::deadlines::clock::connect);
    attempt()->look_up(host, service, loop_.network_,
                       [state = state_](const std::error_code& error) {
                           if (const auto channel = state->channel())
                               channel->looked_up(error);
                       });
}

ASYNCHAT_RARE void dispatcher::looked_up(const std::error_code& error)
{
    assert(attempt()); // otherwise its end would not be reported
    if (error)
        return connect_failed(close_reason::lookup_failed, error);
    std::optional<int> family;
    if (attempt()->keeps_socket() && !in_memory_)
        family = require_socket("connect").family();
    attempt()->begin_race(race_settings(), family);
    go_on_connecting();
}

/// Starts the attempts that are due, or fails with the error of the last one.
ASYNCHAT_RARE void dispatcher::go_on_connecting()
{
    using action = detail::connect_race::action;
    for (;;) {
        const auto step = attempt()->race().next(loop_.now());
        if (step.what == action::start) {
            start_address(step.address);
        } else if (step.what == action::wait) {
            return wait_to_connect(step.until);
        } else {
            return connect_failed(close_reason::connect_failed, attempt()->last_error());
        }
    }
}

ASYNCHAT_RARE void dispatcher::wait_to_connect(loop::time_point until)
{
    if (until == detail::connect_race::never)
        return;
    const auto is_time = [state = state_] {
        const auto channel = state->channel();
        if (channel && !channel->attempt()->is_won())
            channel->go_on_connecting();
    };
    // Behind the answers that have come at the same time: then another attempt is not needed.
    const auto soon = [context = &loop_.context(), f = attempt()->unless_gone(is_time)] {
        asio::post(*context, f);
    };
    attempt()->wait(loop_.call_later(until - loop_.now(), attempt()->unless_gone(soon)));
}

ASYNCHAT_RARE void dispatcher::start_address(std::size_t index)
{
    auto& trial = *attempt();
    const endpoint& to = trial.address(index);
    try {
        if (trial.in_channel()) {
            // A socket whose connect failed cannot be used again.
            if (!trial.take_socket())
                use_socket(make_socket(to.family(), SOCK_STREAM));
            return start_connect(to);
        }
        trial.connect(index, make_socket(to.family(), SOCK_STREAM),
                      [state = state_, index](const std::error_code& error) {
                          if (const auto channel = state->channel())
                              channel->answered(index, error);
                      });
    } catch (const std::system_error& no_socket) {
        address_failed(index, no_socket.code());
    } catch (const std::bad_alloc&) {
        address_failed(index, std::make_error_code(std::errc::not_enough_memory));
    }
}

ASYNCHAT_RARE void dispatcher::address_failed(std::size_t index, const std::error_code& error)
{
    note_connect_error(attempt()->address(index), error);
    attempt()->failed(index, error, loop_.now());
}

/// An attempt with a socket of its own has ended.
ASYNCHAT_RARE void dispatcher::answered(std::size_t index, const std::error_code& error)
{
    auto& trial = *attempt();
    if (!trial.has_socket(index))
        return; // another one has won
    if (const auto failure = trial.result(index, error)) {
        address_failed(index, failure);
        return go_on_connecting();
    }
    trial.won(index);
    // A new connection counts as a writer: its event comes after the readers of this pass.
    asio::post(loop_.context(), trial.unless_gone([state = state_] {
        if (const auto channel = state->channel())
            channel->race_won();
    }));
}

ASYNCHAT_RARE void dispatcher::race_won()
{
    use_socket(attempt()->take_winner());
    connecting_ = true;
    connect_succeeded();
}

/// Connects the socket of the channel.
ASYNCHAT_RARE void dispatcher::start_connect(const endpoint& to)
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
            // As in answered().
            asio::post(channel->loop_.context(), [state, connection, error] {
                const auto writer = state->channel();
                if (writer && state->connection() == connection)
                    writer->connect_ended(error);
            });
        });
}

ASYNCHAT_RARE void dispatcher::connect_ended(std::error_code error)
{
    if (!error && transport_->is_connection() &&
        detail::connect_attempt::is_self_connected(*transport_)) {
        transport_->reset_on_close();
        error = asio::error::connection_refused;
    }
    if (!error)
        return connect_succeeded();
    if (!attempt())
        return connect_failed(close_reason::connect_failed, error);
    address_failed(attempt()->race().last_started(), error);
    go_on_connecting();
}

/// The connection may be lost again by now. So the errors of the other addresses are kept until
/// handle_connect_event() has looked.
ASYNCHAT_RARE void dispatcher::connect_succeeded()
{
    if (attempt())
        rare_->connects->reached = attempt()->take_reached();
    end_attempt();
    detail::channel_access::in_rare_event(*this, [this] {
        if (writable())
            handle_write_event();
        else
            handle_connect_event();
    });
}

ASYNCHAT_RARE void dispatcher::connect_failed(asynchat::close_reason reason, std::error_code error)
{
    note_unfinished(error);
    end_attempt();
    connecting_ = false;
    set_transport(nullptr); // another attempt cannot use it
    detail::channel_access::in_rare_event(*this, [&] {
        const char* what = reason == close_reason::lookup_failed ? "look-up of " : "connect to ";
        throw detail::io_error(reason, error, what + detail::quoted(addr_.to_string()));
    });
}

/// Notes an error for connect_errors(). Without memory it is not listed.
ASYNCHAT_RARE void dispatcher::note_connect_error(const endpoint& to,
                                                  const std::error_code& error) noexcept
{
    try {
        connects().errors.push_back({to, detail::to_std(error)});
    } catch (const std::bad_alloc&) {
    }
}

/// Notes the error that ends a connect for what is under way; or else for the whole.
ASYNCHAT_RARE void dispatcher::note_unfinished(const std::error_code& error) noexcept
{
    try {
        if (attempt()) {
            for (const endpoint& to : attempt()->under_way())
                note_connect_error(to, error);
        } else if (!connects().reached.empty()) {
            note_connect_error(std::exchange(connects().reached, {}), error);
        }
        if (connects().errors.empty())
            note_connect_error(addr_, error);
    } catch (const std::bad_alloc&) { // then they are not listed
    }
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
