// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_IPP
#define ASYNCHAT_IMPL_DISPATCHER_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/io/connect_attempt.hpp>
#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/detail/io/system_calls.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/escape.hpp>

#include <asio/error.hpp>

#include <poll.h>

#include <cassert>
#include <chrono>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

#ifdef ASYNCHAT_TEST_LAYERS
/// The layers that the tests put under all channels.
std::vector<std::unique_ptr<transport_layer>> layers_under_test(transport& below);
void prepare_layers_under_test(transport_layer& top);
#endif

/// How long a channel that does not read waits before it checks behind an urgent mark.
inline constexpr loop::duration look_behind_mark_after = std::chrono::seconds(1);

} // namespace detail

// --- life ------------------------------------------------------------------------------------

ASYNCHAT_DECL dispatcher::dispatcher(loop& owner)
    : loop_(owner), state_(new detail::channel_state(owner.inputs_)), is_socket_(false),
      in_memory_(false), connected_(false), accepting_(false), connecting_(false),
      was_accepted_(false), lingers_(false), was_lost_(false), eof_(false), reading_(false),
      received_(false), ended_unheard_(false), marked_unheard_(false), interest_failed_(false),
      sends_plainly_(false), has_event_(false)
{
    if (!std::exchange(owner.creates_, false))
        throw std::logic_error("asynchat: a channel is made by loop.create<T>(...), which owns it; "
                               "no loop would run this one");
    owner.check_thread();
}

ASYNCHAT_DECL dispatcher::dispatcher(loop& owner, socket from) : dispatcher(owner)
{
    if (!from)
        return;
    addr_ = std::move(from.peer_);
    was_accepted_ = from.accepted_;
    std::unique_ptr<transport_layer> layers(std::exchange(from.layers_, nullptr));
    received_ = was_accepted_; // an accepted peer usually has sent input: try at once
    if (from.connection_) {
        set_transport(std::unique_ptr<transport>(std::exchange(from.connection_, nullptr)));
        in_memory_ = connected_ = true;
        if (layers)
            put_on(std::move(layers));
        return;
    }
    auto transport = std::make_unique<detail::socket_transport>(owner.context(), std::move(from));
    if (addr_.empty() && transport->is_stream())
        addr_ = transport->connected_peer();
    connected_ = !addr_.empty();
    set_transport(std::move(transport));
    is_socket_ = true;
    was_lost_ = !connected_ && (poll_now(POLLIN) & (POLLIN | POLLERR)) != 0;
    if (layers)
        connected_ ? put_on(std::move(layers)) : rare().layers.swap(layers);
}

ASYNCHAT_DECL dispatcher::~dispatcher()
{
    state_->next_connection();
    // A channel that the loop never adopted may still have a deadline. Without one the loop may be
    // gone: it must not be called.
    if (state_->heap_index != detail::not_queued)
        loop_.drop_deadline(*state_);
    end_timers();
    if (slot_)
        detail::server_state::forget(*slot_);
}

ASYNCHAT_DECL void dispatcher::set_transport(std::unique_ptr<transport> next)
{
    state_->next_connection();
    state_->armed = {};
    state_->try_again_listed = false;
    state_->parked = false;
    is_socket_ = in_memory_ = reading_ = has_event_ = false;
    end_opening();
    ended_unheard_ = marked_unheard_ = false;
    if (rare_) {
        rare_->backoff.end_pause();
        rare_->urgent.start_anew();
    }
    transport_ = std::move(next);
    auto* const layer = transport_ ? transport_->as_layer_() : nullptr;
    state_->set_layers(layer ? layer->start_anew() : 0);
    has_event_ = layer;     // it may have events without a cause
#ifdef ASYNCHAT_TEST_LAYERS // see tests/layers
    std::unique_ptr<transport_layer> under_test;
    if (transport_ && !layer && !state_->hidden) {
        for (auto& next_layer : detail::layers_under_test(*transport_))
            transport_layer::stack(under_test, std::move(next_layer), 0);
    }
    if (under_test) {
        detail::prepare_layers_under_test(*under_test);
        put_on(std::move(under_test));
    }
#endif
}

// --- events ----------------------------------------------------------------------------------

ASYNCHAT_DECL void dispatcher::handle_readiness(readiness what, const std::error_code& error)
{
    state_->armed.set(what, false);
    in_event([&] {
        if (error)
            throw detail::io_error(close_reason::system_error, error, "wait");
        if ((state_->opening != 0 || state_->parked) &&
            detail::channel_access::take_event(*this, what))
            return;
        if (is_stale(what))
            return;
        switch (what) {
        case readiness::read:
            if (readable()) {
                reading_ = true;
                const detail::scope_exit done([this] { reading_ = false; });
                handle_read_event();
            }
            break;
        case readiness::write:
            if (writable())
                handle_write_event();
            break;
        case readiness::urgent: urgent_event(); break;
        }
        if (rare_ && rare_->urgent.is_on() && rare_->urgent.is_pending() && transport_)
            rare_->urgent.passed(poll_now(POLLPRI));
    });
}

/// Whether an event belongs to a channel that was closed while the event was queued: Asio reuses
/// its record of a descriptor for the next channel, which gets this event as its first. A channel
/// that reads speculatively finds out by itself.
ASYNCHAT_DECL bool dispatcher::is_stale(readiness what)
{
    if (has_event_ || what == readiness::urgent || reads_speculatively_() || native_handle() < 0)
        return false;
    has_event_ = poll_now(what == readiness::read ? POLLIN : POLLOUT) != 0;
    return !has_event_;
}

ASYNCHAT_DECL void dispatcher::update_interest()
{
    if (closed())
        return; // and the loop may be gone
    loop_.check_thread();
    // While connecting, the channel waits for the attempt itself.
    if (!transport_ || !state_->live())
        return;
    if (connecting_)
        return wait_for_opening();
    if (!connected_ && !accepting_ && !was_lost_) {
        // A stream that is not connected has no other events.
        if (!is_socket_ || transport_->as_socket_()->is_stream())
            return;
    }
    if (!reading_ && !eof_ && !(rare_ && rare_->backoff.is_paused()) && readable())
        wait_for_input();
    if (!closed() && !accepting_ && writable())
        wait_for(readiness::write);
    if (!closed() && ((rare_ && rare_->urgent.waits()) || is_deaf()))
        wait_for(readiness::urgent);
    if (state_->layers() != 0 && transport_) // waits_for() of a pending wait may have changed
        transport_->as_layer_()->look_again(state_);
}

/// update_interest() has thrown, and the channel is still open. It is called once more in a later
/// turn; if it throws again, the channel ends.
ASYNCHAT_DECL void dispatcher::interest_refused()
{
    const bool again = interest_failed_;
    interest_failed_ = true;
    if (!again)
        return flush_later();
    guarded([this] { finish(close_reason::callback_error); });
}

ASYNCHAT_DECL void dispatcher::wait_for(readiness what)
{
    if (closed() || state_->armed.has(what))
        return;
    assert(transport_ && state_->live()); // or its end has no effect
    transport_->async_wait(what, wait_handler(state_, what));
    state_->armed.set(what, true); // unless there was no memory for it
}

/// Waits for input, or first tries to receive more.
ASYNCHAT_DECL void dispatcher::wait_for_input()
{
    if (closed() || state_->armed.has(readiness::read))
        return;
    const bool had_input = received_;
    received_ = false;
    if (!had_input || !state_->speculative_read.is_due(++loop_.inputs_) || loop_.polls_ ||
        !reads_speculatively_())
        return wait_for(readiness::read);
    loop_.try_again_soon(state_);
    state_->armed.set(readiness::read, true);
}

/// Tries to receive without a wait. If only this channel is listed, it does not try, because no
/// input can have arrived since.
ASYNCHAT_DECL void dispatcher::speculative_read(bool alone)
{
    if (alone) {
        state_->speculative_read.found_nothing();
        state_->armed.set(readiness::read, false);
        return wait_for(readiness::read);
    }
    received_ = false;
    handle_readiness(readiness::read, {});
    if (received_ || state_->try_again_listed)
        state_->speculative_read.found_input();
    else
        state_->speculative_read.found_nothing();
}

ASYNCHAT_DECL void dispatcher::flush_later()
{
    if (!closed())
        loop_.flush_soon(state_);
}

/// As flush_soon(), but without exceptions.
ASYNCHAT_DECL void dispatcher::try_flush_soon() noexcept
{
    try {
        flush_soon();
    } catch (const std::bad_alloc&) { // then by the next event
    }
}

ASYNCHAT_DECL void dispatcher::handle_exception()
{
    if (gate_.is_over()) {
        // After close() only the log is called: an error must not be lost.
        log_exception("after the close of");
        return;
    }
    const auto failure = detail::failure::current();
    const bool was_lost = is_lost();
    std::unique_ptr<std::string> cause; // of the loss, which is yet to end the channel
    if (was_lost)
        cause.swap(rare_->close_text);
    reason_ = failure.reason;
    note_error(failure.error);
    try {
        note_text(detail::failure::text());
        handle_error();
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        end_after_failed_handler();
    }
    if (!closed()) { // it survives
        reason_ = close_reason::open;
        note_error({});
        if (rare_ && !is_lost())
            rare_->close_text.reset();
        else if (rare_ && was_lost)
            rare_->close_text.swap(cause);
    }
}

/// An exception from handle_error() ends this channel only: it must not leave the loop that runs
/// all channels. A listener stays open.
ASYNCHAT_DECL void dispatcher::end_after_failed_handler()
{
    const char* const stays = detail::channel_access::stays_after_errors(*this);
    log_failure(stays ? stays : "closing channel");
    if (stays || closed())
        return;
    try {
        finish(reason_, close_error());
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        log_exception("after the close of");
    }
}

ASYNCHAT_DECL void dispatcher::handle_read_event()
{
    if (accepting_)
        return accept_event();
    if (connecting_) {
        handle_connect_event();
        if (closed() || !connected_)
            return;
    }
    handle_read();
}

ASYNCHAT_DECL void dispatcher::handle_write_event()
{
    if (accepting_)
        return;
    if (connecting_) {
        handle_connect_event();
        if (closed() || !connected_)
            return;
    }
    handle_write();
}

ASYNCHAT_DECL void dispatcher::handle_connect_event()
{
    if (const auto error = pending_error()) {
        note_unfinished(error);
        connecting_ = false;
        throw detail::io_error(close_reason::connect_failed, error,
                               "connect to " + detail::quoted(addr_.to_string()));
    }
    // Without an error there may still be no connection: a connected socket knows its peer.
    if (is_socket_) {
        if (transport_->peer_endpoint().empty())
            return;
    }
    end_connect();
    put_on_layers();
    if (state_->opening == 0)
        return connection_made();
    state_->opening = static_cast<unsigned char>(detail::handshake_stage::connected);
}

ASYNCHAT_DECL void dispatcher::now_connected() noexcept
{
    connecting_ = false;
    connected_ = true;
    if (!rare_)
        return;
    for (const auto& each : rare_->watchers)
        each->connected(*this, loop_.now());
}

ASYNCHAT_DECL void dispatcher::connection_made()
{
    using stage = detail::handshake_stage;
    // The connection exists, also if the handler throws; unless the handler has replaced it.
    const detail::scope_exit done([this, connection = state_->connection()] {
        if (state_->connection() != connection || state_->opening != 0)
            return;
        now_connected();
    });
    note_activity(true);
    if (rare_)
        rare_->clocks.stop(detail::deadlines::clock::connect); // the handler may take long
    const auto follow = [this, connection = state_->connection()] {
        if (state_->connection() != connection)
            return;
        if (state_->opening == 0)
            handle_connect();
        else // of a layer that was added now
            state_->opening = static_cast<unsigned char>(stage::open_told) & 7U;
    };
    try {
        handle_open();
    } catch (const exit_now&) { // nothing is lost by it
        guarded(follow);
        throw;
    }
    follow();
}

ASYNCHAT_DECL void dispatcher::handle_expt_event()
{
    if (const auto error = pending_error())
        return finish(is_disconnected(error) ? close_reason::reset : close_reason::system_error,
                      error);
    handle_expt();
}

ASYNCHAT_DECL void dispatcher::watch_urgent_data(bool on)
{
    auto* const layer = transport_ ? transport_->as_layer_() : nullptr;
    if (on && layer)
        layer->require_urgent_data();
    if (on && has_waiting_layers())
        rare_->layers->require_urgent_data();
    rare().urgent.set(on);
    flush_soon();
}

/// A wait for urgent data has ended: by a mark, an error or hang-up, or without a cause.
ASYNCHAT_DECL void dispatcher::urgent_event()
{
    if (is_deaf())
        look_for_error();
    if (rare_ && rare_->urgent.waits() && !closed() && rare_->urgent.event(poll_now(POLLPRI)))
        handle_expt_event();
}

ASYNCHAT_DECL int dispatcher::poll_now(int events) const
{
    return detail::poll_now(native_handle(), events);
}

/// Called when the channel does not read and there was an event without input: ends the connection
/// if it is lost.
ASYNCHAT_DECL void dispatcher::look_for_error()
{
    if (const auto error = pending_error())
        return connection_lost_(
            is_disconnected(error) ? close_reason::reset : close_reason::system_error, error);
    const int state = is_socket_ ? poll_now(POLLPRI) : 0;
    if ((state & (POLLERR | POLLHUP)) != 0) {
        // Each wait would end at once. The channel learns of the end when it reads again.
        ended_unheard_ = true;
    } else if ((state & POLLPRI) != 0) {
        // An urgent mark stays until the channel reads, and hides later events: each wait would end
        // at once.
        marked_unheard_ = true;
        look_at_clocks_by(detail::later(loop_.now(), detail::look_behind_mark_after));
    }
}

ASYNCHAT_DECL void dispatcher::deadline_reached()
{
    marked_unheard_ = false; // the end of the event waits again
    deadline_reached_();
}

ASYNCHAT_DECL std::error_code dispatcher::pending_error()
{
    return transport_ ? transport_->take_error() : std::error_code();
}

// --- data ------------------------------------------------------------------------------------

ASYNCHAT_DECL std::size_t dispatcher::recv(asio::mutable_buffer into)
{
    if (!transport_ || eof_)
        return 0;
    std::error_code error;
    const std::size_t received = transport_->read_some(into, error);
    if (!error) {
        received_ = true;
        note_activity(true);
        count_received(received);
        return received;
    }
    if (is_would_block(error))
        return 0;
    if (error == asio::error::eof) {
        eof_ = true;
        end_of_input_();
        return 0;
    }
    if (is_disconnected(error)) {
        input_failed(close_reason::reset, error);
        return 0;
    }
    if (end_with_explanation(error, true))
        return 0;
    throw detail::io_error(close_reason::system_error, error, "recv", detail::error_source::input);
}

/// The connection is lost, and all its input was received.
ASYNCHAT_DECL void dispatcher::input_failed(asynchat::close_reason reason,
                                            const std::error_code& error)
{
    eof_ = true;
    connection_lost_(reason, error);
    if (!closed())
        end_of_input_();
}

ASYNCHAT_DECL std::size_t dispatcher::send(const_buffers data)
{
    if (!transport_)
        return 0;
    std::error_code error;
    const std::size_t sent = transport_->write_some(data, error);
    if (!error) {
        note_activity(false);
        count_sent(sent);
        return sent;
    }
    if (is_would_block(error))
        return 0;
    if (is_disconnected(error)) {
        connection_lost_(close_reason::reset, error);
        return 0;
    }
    if (end_with_explanation(error, false))
        return 0;
    throw detail::io_error(close_reason::system_error, error, "send", detail::error_source::output);
}

ASYNCHAT_DECL std::size_t dispatcher::sendto(std::string_view datagram, const endpoint& to)
{
    to.native(); // throws if it is not an address
    std::error_code error;
    const std::size_t sent = require_socket("sendto").send_to(datagram, to, error);
    if (!error)
        return sent;
    if (is_would_block(error))
        return 0;
    throw detail::io_error(close_reason::system_error, error,
                           "sendto " + detail::quoted(to.to_string()));
}

ASYNCHAT_DECL std::optional<std::size_t> dispatcher::recvfrom(asio::mutable_buffer into,
                                                              endpoint& from)
{
    std::error_code error;
    const std::size_t received = require_socket("recvfrom").receive_from(into, from, error);
    if (is_would_block(error))
        return std::nullopt;
    if (error)
        throw detail::io_error(close_reason::system_error, error, "recvfrom");
    return received;
}

// --- default handlers ------------------------------------------------------------------------

ASYNCHAT_DECL void dispatcher::handle_read()
{
    log_of_peer(log_type::warning, "unhandled read event");
}

ASYNCHAT_DECL void dispatcher::handle_write()
{
    log_of_peer(log_type::warning, "unhandled write event");
}

ASYNCHAT_DECL void dispatcher::handle_connect()
{
    log_of_peer(log_type::warning, "unhandled connect event");
}

ASYNCHAT_DECL void dispatcher::handle_accept()
{
    // Between two turns of the listener all other channels have a turn. With one connection in each
    // turn, new connections would wait too long.
    constexpr int max_connections = 64;
    const unsigned connection = state_->connection();
    for (int i = 0; i < max_connections; ++i) {
        auto accepted = accept();
        if (!accepted)
            return;
        accepted_(std::move(accepted->first), accepted->second);
        if (state_->connection() != connection || !accepting_ || !readable())
            return;
    }
}

ASYNCHAT_DECL void dispatcher::accepted_(socket connection, const endpoint& peer)
{
    handle_accepted(std::move(connection), peer);
}

ASYNCHAT_DECL void dispatcher::handle_accepted(socket, const endpoint&)
{
    log_of_peer(log_type::warning, "unhandled accepted event");
}

ASYNCHAT_DECL void dispatcher::handle_expt()
{
    log_of_peer(log_type::warning, "unhandled incoming priority event");
}

ASYNCHAT_DECL void dispatcher::handle_eof()
{
    finish(close_reason::peer_finished);
}

ASYNCHAT_DECL void dispatcher::handle_close()
{
    log_of_peer(log_type::warning, "unhandled close event");
    close();
}

ASYNCHAT_DECL void dispatcher::handle_shutdown()
{
    finish(close_reason::shutdown);
}

ASYNCHAT_DECL void dispatcher::handle_error()
{
    if (const char* const stays = detail::channel_access::stays_after_errors(*this)) {
        if (rare().backoff.is_worth_telling())
            log_failure(stays);
        return;
    }
    const auto failure = detail::failure::current();
    log_failure("closing channel");
    if (failure.source == detail::error_source::input)
        input_failed(failure.reason, failure.error);
    else if (failure.source == detail::error_source::output)
        connection_lost_(failure.reason, failure.error);
    else
        finish(failure.reason, failure.error);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
