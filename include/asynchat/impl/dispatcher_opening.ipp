// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_OPENING_IPP
#define ASYNCHAT_IMPL_DISPATCHER_OPENING_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/transport.hpp>

#include <asio/error.hpp>
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

// Handshakes of layers. Until one is complete, its channel is in the state of a channel that
// connects: it queues its output and delivers nothing.

namespace asynchat {

/// A layer that needs a handshake was put on the connection.
ASYNCHAT_DECL void dispatcher::begin_opening() noexcept
{
    using stage = detail::handshake_stage;
    if (state_->opening == 0) // in a constructor nothing has been called yet
        state_->opening =
            static_cast<unsigned char>(state_->live() ? stage::started : stage::accepted);
    connected_ = false;
    connecting_ = true;
    if (rare_)
        rare_->clocks.stop(detail::deadlines::clock::connect); // wait_for_opening() starts it
}

/// Waits for the next step of the handshake, if there is one.
ASYNCHAT_DECL void dispatcher::wait_for_opening()
{
    using clock = detail::deadlines::clock;
    if (state_->opening == 0)
        return;
    if (!rare().clocks.runs(clock::connect)) {
        rare_->clocks.start_handshake(loop_.now());
        look_at_clocks_by(rare_->clocks.due(clock::connect));
    }
    wait_for(readiness::read);
    transport_->as_layer_()->look_again(state_);
}

ASYNCHAT_DECL void dispatcher::go_on_opening()
{
    std::error_code error;
    transport_->establish(addr_, error);
    if (!error)
        return opened();
    if (!is_would_block(error))
        opening_failed(error);
}

/// The handshake is complete.
ASYNCHAT_DECL void dispatcher::opened()
{
    const auto stage = opening();
    end_opening();
    if (rare_)
        rare_->clocks.stop(detail::deadlines::clock::connect);
    note_activity();
    if (stage != detail::handshake_stage::connected) {
        connecting_ = false;
        connected_ = true;
    }
    reading_ = true; // during the calls nested loops deliver no input
    const detail::scope_exit done([this, connection = state_->connection()] {
        if (state_->connection() != connection)
            return;
        reading_ = false;
        if (state_->opening == 0) {
            connecting_ = false;
            connected_ = true;
        }
    });
    tell_opened(stage);
}

ASYNCHAT_DECL void dispatcher::tell_opened(detail::handshake_stage stage)
{
    const auto follow = [this, stage, connection = state_->connection()] {
        if (state_->connection() != connection)
            return;
        if (stage == detail::handshake_stage::accepted)
            handle_open();
        else if (stage == detail::handshake_stage::connected)
            connection_made();
    };
    try {
        handle_handshake();
    } catch (const exit_now&) { // nothing is lost by it
        guarded(follow);
        throw;
    }
    follow();
}

ASYNCHAT_DECL void dispatcher::opening_failed(const std::error_code& error)
{
    if (auto why = transport_->explain(error))
        return fail_to_open(why->reason, error, std::move(why->text));
    const bool is_lost = is_disconnected(error) || error == asio::error::eof;
    fail_to_open(is_lost ? close_reason::reset : close_reason::system_error, error,
                 "the connection was lost in the handshake: " + error.message());
}

ASYNCHAT_DECL void dispatcher::opening_took_long()
{
    const std::chrono::duration<double> limit = active_timeouts().handshake;
    fail_to_open(close_reason::handshake_timeout, asio::error::timed_out,
                 fmt::format("the handshake was not complete within {} s, the limit of "
                             "handshake_timeout()",
                             limit.count()));
}

/// Ends the channel. After connect() it calls handle_error(), as for every failure to connect.
ASYNCHAT_DECL void dispatcher::fail_to_open(asynchat::close_reason reason,
                                            const std::error_code& error, std::string text)
{
    const bool connects = opening() == detail::handshake_stage::connected;
    end_opening();
    text = escaped(text, detail::longest_text);
    if (connects) {
        const std::string what = "connect to " + detail::quoted(addr_.to_string());
        connecting_ = false;
        set_transport(nullptr); // another attempt cannot use it
        throw detail::io_error(reason, error, what, text);
    }
    log_of_peer(log_type::info, "closing channel {}: {}", safe_repr(), text);
    note_text(std::move(text));
    finish(reason, error);
}

/// An error that the transport explains, which ends the channel. Returns false if it does not.
ASYNCHAT_DECL bool dispatcher::end_with_explanation(const std::error_code& error, bool of_input)
{
    auto why = transport_->explain(error);
    if (!why)
        return false;
    std::string text = escaped(why->text, detail::longest_text);
    if (!state_->lingers)
        log_of_peer(log_type::info, "closing channel {}: {}", safe_repr(), text);
    note_text(std::move(text));
    of_input ? input_failed(why->reason, error) : connection_lost_(why->reason, error);
    return true;
}

} // namespace asynchat

#endif
