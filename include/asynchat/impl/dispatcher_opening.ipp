// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_OPENING_IPP
#define ASYNCHAT_IMPL_DISPATCHER_OPENING_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/detail/run_then_always.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/impl/dispatcher_layers.ipp> // missing_layer
#include <asynchat/transport.hpp>

#include <asio/error.hpp>
#include <asio/post.hpp>

#include <cassert>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

// Handshakes of layers. Until one is complete, its channel is in the state of a channel that
// connects: it queues its output and delivers nothing.

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// A layer that needs a handshake was put on the connection.
ASYNCHAT_RARE void dispatcher::begin_opening() noexcept
{
    using stage = detail::handshake_stage;
    if (state_->opening == 0) // in a constructor nothing has been called yet
        state_->opening =
            static_cast<unsigned char>(state_->live() ? stage::started : stage::accepted);
    connected_ = false;
    connecting_ = true;
    count_opening();
    if (rare_)
        rare_->clocks.stop(detail::deadlines::clock::connect); // wait_for_opening() starts it
}

/// Counts the handshake of a channel that a server has made.
ASYNCHAT_RARE void dispatcher::count_opening() noexcept
{
    if (!slot_ || state_->opening == 0 || state_->opening_counted)
        return;
    state_->opening_counted = true;
    detail::server_state::handshake_began(*slot_);
}

ASYNCHAT_RARE void dispatcher::uncount_opening() noexcept
{
    assert(slot_ && state_->opening_counted);
    state_->opening_counted = false;
    detail::server_state::handshake_ended(*slot_);
}

/// Waits for the next step of the handshake, if there is one.
ASYNCHAT_RARE void dispatcher::wait_for_opening()
{
    using clock = detail::deadlines::clock;
    if (state_->opening == 0 || state_->opening_listed)
        return;
    if (!rare().clocks.runs(clock::connect)) {
        rare_->clocks.start_handshake(loop_.now());
        look_at_clocks_by(rare_->clocks.due(clock::connect));
    }
    wait_for(readiness::read);
    transport_->as_layer_()->look_again(state_);
}

ASYNCHAT_RARE void dispatcher::go_on_opening()
{
    if (!state_->opening_listed && loop_.may_open(state_))
        step_opening();
}

ASYNCHAT_RARE void dispatcher::step_opening()
{
    std::error_code error;
    transport_->establish(addr_, error);
    if (!error)
        return opened();
    if (!is_would_block(error))
        opening_failed(error);
}

// --- turns ---------------------------------------------------------------------------------------

namespace detail {

/// The steps of handshakes in a pass: each costs as much time as hundreds of messages, and those
/// who talk must not wait behind all who come.
inline constexpr unsigned max_openings = 5;

} // namespace detail

/// Whether a handshake may go on in this pass; if not, it is listed, and goes on in a later one.
ASYNCHAT_RARE bool loop::may_open(const detail::state_ptr& state)
{
    post_openings();
    if (openings_ < detail::max_openings && to_open_.is_empty()) {
        ++openings_;
        return true;
    }
    to_open_.push(state);
    state->opening_listed = true;
    return false;
}

ASYNCHAT_RARE void loop::post_openings()
{
    if (openings_posted_)
        return;
    post_call(&loop::go_on_openings);
    openings_posted_ = true;
}

ASYNCHAT_RARE void loop::go_on_openings()
{
    const auto go_on = [this] {
        const turn in_turn(*this);
        openings_ = 0;
        while (openings_ < detail::max_openings && !to_open_.is_empty()) {
            const auto state = *to_open_.pop();
            state->opening_listed = false;
            const auto channel = state->channel();
            if (!channel || state->opening == 0)
                continue;
            ++openings_;
            detail::channel_access::go_on_opening(*channel);
        }
    };
    detail::run_then_always(go_on, [this] {
        openings_posted_ = false;
        if (openings_ > 0 || !to_open_.is_empty()) // once more, and a new pass begins
            post_openings();
    });
}

// --- the end of a handshake ------------------------------------------------------------------

/// The handshake is complete.
ASYNCHAT_RARE void dispatcher::opened()
{
    const auto stage = opening();
    end_opening();
    if (rare_)
        rare_->clocks.stop(detail::deadlines::clock::connect);
    note_activity(true);
    if (!detail::is_of_connect(stage)) {
        connecting_ = false;
        connected_ = true;
    }
    reading_ = true; // during the calls nested loops deliver no input
    const detail::scope_exit done([this, connection = state_->connection()] {
        if (state_->connection() != connection)
            return;
        reading_ = false;
        if (state_->opening == 0) {
            now_connected();
            if (slot_)
                slot_->server->proxy_headers.erase(this);
        }
    });
    tell_opened(stage);
}

ASYNCHAT_RARE void dispatcher::tell_opened(detail::handshake_stage stage)
{
    const auto follow = [this, stage, connection = state_->connection()] {
        if (state_->connection() != connection)
            return;
        if (state_->opening != 0) { // another layer was added: its handshake comes first
            state_->opening = static_cast<unsigned char>(stage) & 7U;
            return;
        }
        if (stage == detail::handshake_stage::accepted)
            handle_open();
        else if (stage == detail::handshake_stage::connected)
            connection_made();
        else if (stage == detail::handshake_stage::open_told)
            handle_connect();
    };
    try {
        handle_handshake();
    } catch (const exit_now&) { // nothing is lost by it
        guarded(follow);
        throw;
    }
    follow();
}

ASYNCHAT_RARE void dispatcher::opening_failed(const std::error_code& error)
{
    if (auto why = transport_->explain(error))
        return fail_to_open(why->reason, error, std::move(why->text));
    const bool is_lost = is_disconnected(error) || error == asio::error::eof;
    fail_to_open(is_lost ? close_reason::reset : close_reason::system_error, error,
                 "the connection was lost in the handshake: " + error.message());
}

ASYNCHAT_RARE void dispatcher::opening_took_long()
{
    const std::chrono::duration<double> limit = active_timeouts().handshake;
    fail_to_open(close_reason::handshake_timeout, asio::error::timed_out,
                 fmt::format("the handshake was not complete within {} s, the limit of "
                             "handshake_timeout()",
                             limit.count()));
}

/// Ends the channel. After connect() it calls handle_error(), as for every failure to connect.
ASYNCHAT_RARE void dispatcher::fail_to_open(asynchat::close_reason reason,
                                            const std::error_code& error, std::string text)
{
    const auto stage = opening();
    const bool connects = detail::is_of_connect(stage);
    end_opening();
    text = escaped(text, detail::longest_text);
    if (connects) {
        const std::string what = "connect to " + detail::quoted(addr_.to_string());
        auto next = renewed_layer(stage);
        connecting_ = false;
        note_connect_error(peer_endpoint(), error);
        set_transport(nullptr); // another attempt cannot use it, and must not do without its layers
        transport_layer::stack(rare().layers, std::move(next), 0);
        throw detail::io_error(reason, error, what, text);
    }
    log_of_peer(log_type::info, "closing channel {}: {}", safe_repr(), text);
    note_text(std::move(text));
    finish(reason, error);
}

/// Renews a layer that was there alone, and before the connection: what was added in callbacks may
/// be added by them again.
ASYNCHAT_RARE std::unique_ptr<transport_layer>
dispatcher::renewed_layer(detail::handshake_stage stage)
{
    if (state_->layers() == 1 && stage != detail::handshake_stage::open_told) {
        if (auto renewed = transport_->as_layer_()->renewed_())
            return renewed;
    }
    return std::make_unique<detail::missing_layer>();
}

/// An error that the transport explains, which ends the channel. Returns false if it does not.
ASYNCHAT_RARE bool dispatcher::end_with_explanation(const std::error_code& error, bool of_input)
{
    auto why = transport_->explain(error);
    if (!why)
        return false;
    if (!is_lost()) { // else it ends for what came first
        std::string text = escaped(why->text, detail::longest_text);
        if (!state_->lingers)
            log_of_peer(log_type::info, "closing channel {}: {}", safe_repr(), text);
        note_text(std::move(text));
    }
    of_input ? input_failed(why->reason, error) : connection_lost_(why->reason, error);
    return true;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
