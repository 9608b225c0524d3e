// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_IPP
#define ASYNCHAT_IMPL_DISPATCHER_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/io/connect_attempt.hpp>
#include <asynchat/detail/io/transport.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/escape.hpp>

#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/post.hpp>
#include <asio/socket_base.hpp>
#include <fmt/format.h>

#include <poll.h>
#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <typeinfo>

namespace asynchat {

// --- life ------------------------------------------------------------------------------------

ASYNCHAT_DECL dispatcher::dispatcher(loop& owner)
    : loop_(owner), state_(new detail::channel_state), is_socket_(false), in_memory_(false),
      connected_(false), accepting_(false), connecting_(false), was_accepted_(false),
      lingers_(false), was_lost_(false), eof_(false), reading_(false), received_(false),
      ended_unheard_(false), interest_failed_(false), sends_plainly_(false),
      keeps_terminator_(false), has_event_(false)
{
}

ASYNCHAT_DECL dispatcher::dispatcher(loop& owner, socket from) : dispatcher(owner)
{
    if (!from)
        return;
    addr_ = std::move(from.peer_);
    was_accepted_ = from.accepted_;
    received_ = was_accepted_; // who connects has something to say: it is worth a look
    if (from.connection_) {
        set_transport(std::unique_ptr<detail::transport>(std::exchange(from.connection_, nullptr)));
        in_memory_ = connected_ = true;
        return;
    }
    auto transport = std::make_unique<detail::socket_transport>(owner.context(), std::move(from));
    if (addr_.empty() && transport->is_stream())
        addr_ = transport->connected_peer();
    connected_ = !addr_.empty();
    set_transport(std::move(transport));
    is_socket_ = true;
    was_lost_ = !connected_ && (poll_now(POLLIN) & (POLLIN | POLLERR)) != 0;
}

ASYNCHAT_DECL dispatcher::~dispatcher()
{
    ++state_->epoch;
    loop_.drop_deadline(*state_); // of one that was never adopted
    if (slot_)
        detail::server_state::forget(*slot_);
}

ASYNCHAT_DECL void dispatcher::set_transport(std::unique_ptr<detail::transport> next)
{
    ++state_->epoch;
    state_->armed = {};
    state_->try_again_listed = false;
    is_socket_ = in_memory_ = reading_ = ended_unheard_ = has_event_ = false;
    backoff_.end_pause();
    urgent_.start_anew();
    transport_ = std::move(next);
}

ASYNCHAT_DECL void dispatcher::close()
{
    if (closed())
        return;
    gate_.set(detail::gate::closed);
    loop_.log_limit_.leave_out(log_limit_.take_left_out()); // for others to tell
    connected_ = accepting_ = connecting_ = false;
    if (reason_ == close_reason::open)
        reason_ = close_reason::local;
    attempt_.reset();
    if (lingers_)
        linger();
    set_transport(nullptr);
    assert(!transport_ && reason_ != close_reason::open);
    if (slot_ && state_->lingers)
        detail::server_state::end_linger(*slot_);
    else if (slot_)
        detail::server_state::leave(*slot_, reason_);
    if (state_->channel)
        loop_.remove(*state_);
}

ASYNCHAT_DECL void dispatcher::abort()
{
    if (closed())
        return;
    lingers_ = false;
    if (transport_)
        transport_->reset_on_close();
    close();
    dispatcher::close(); // an override may have forgotten to call the original
}

ASYNCHAT_DECL void dispatcher::shutdown_output()
{
    if (!connected_ || !transport_)
        throw std::logic_error("asynchat: shutdown_output() needs a connection");
    std::error_code error;
    transport_->shutdown_write(error);
    if (is_disconnected(error))
        return connection_lost_(close_reason::reset, error);
    if (error)
        throw detail::io_error(close_reason::system_error, error, "shutdown_output");
}

ASYNCHAT_DECL void dispatcher::close_with(asynchat::close_reason reason)
{
    if (reason_ == close_reason::open)
        reason_ = reason;
    lingers_ = false;
    dispatcher::close();
}

ASYNCHAT_DECL void dispatcher::finish(asynchat::close_reason reason, std::error_code error)
{
    if (gate_.is_over())
        return;
    gate_.set(detail::gate::ended);
    reason_ = reason;
    error_ = detail::to_std(error);
    try {
        handle_close();
        if (!closed())
            close();
    } catch (...) {
        dispatcher::close();
        throw;
    }
    dispatcher::close(); // an override may have forgotten to call the original
}

/// The connection ends for this reason, but what it has received comes first.
ASYNCHAT_DECL bool dispatcher::lose_connection(asynchat::close_reason reason,
                                               const std::error_code& error)
{
    if (is_lost() || gate_.is_over())
        return false;
    // A lost connection has nothing more to wait for. What says that it is lost and goes on all the
    // same, such as a layer, gets the time of a linger.
    close_at(detail::later(loop_.now(), detail::client_timeouts.linger));
    rare_->lost.reason = reason;
    rare_->lost.error = error;
    gate_.set(detail::gate::lost);
    flush_soon();
    return true;
}

ASYNCHAT_DECL bool dispatcher::may_receive()
{
    return connected_ && !eof_ && transport_ && readable() && transport_->may_read();
}

ASYNCHAT_DECL void dispatcher::end_lost()
{
    assert(is_lost() && rare_ && rare_->lost.reason != close_reason::open);
    finish(rare_->lost.reason, rare_->lost.error);
}

// --- events ----------------------------------------------------------------------------------

ASYNCHAT_DECL void dispatcher::handle_readiness(detail::readiness what,
                                                const std::error_code& error)
{
    state_->armed.set(what, false);
    in_event([&] {
        if (error)
            throw detail::io_error(close_reason::system_error, error, "wait");
        if (is_stale(what))
            return;
        switch (what) {
        case detail::readiness::read:
            if (readable()) {
                reading_ = true;
                const detail::scope_exit done([this] { reading_ = false; });
                handle_read_event();
            }
            break;
        case detail::readiness::write:
            if (writable())
                handle_write_event();
            break;
        case detail::readiness::urgent: urgent_event(); break;
        }
        if (urgent_.is_on() && urgent_.is_pending() && transport_)
            urgent_.passed(poll_now(POLLPRI));
    });
}

/// Whether an event is that of a channel that was closed while it was queued: Asio keeps its record
/// of a descriptor for the next one, which gets that event as its first. A channel that looks ahead
/// finds out by itself.
ASYNCHAT_DECL bool dispatcher::is_stale(detail::readiness what)
{
    if (has_event_ || what == detail::readiness::urgent || reads_speculatively_() ||
        native_handle() < 0)
        return false;
    has_event_ = poll_now(what == detail::readiness::read ? POLLIN : POLLOUT) != 0;
    return !has_event_;
}

ASYNCHAT_DECL void dispatcher::update_interest()
{
    // While connecting, the attempt itself is what we wait for.
    if (closed() || !transport_ || !state_->channel || connecting_)
        return;
    if (!connected_ && !accepting_ && !was_lost_) {
        // A stream that is not connected reports nothing but that.
        if (!is_socket_ || static_cast<detail::socket_transport&>(*transport_).is_stream())
            return;
    }
    if (!reading_ && !eof_ && !backoff_.is_paused() && readable())
        wait_for_input();
    if (!closed() && !accepting_ && writable())
        wait(detail::readiness::write);
    if (!closed() && (urgent_.waits() || is_deaf()))
        wait(detail::readiness::urgent);
}

/// What update_interest() threw was survived. It is asked again in a later turn, once: an answer
/// that never comes ends the channel.
ASYNCHAT_DECL void dispatcher::interest_refused()
{
    const bool again = interest_failed_;
    interest_failed_ = true;
    if (!again)
        return flush_later();
    guarded([this] { finish(close_reason::callback_error); });
}

ASYNCHAT_DECL void dispatcher::wait(detail::readiness what)
{
    if (closed() || state_->armed.has(what))
        return;
    assert(transport_ && state_->channel); // else the wait would end for nobody
    transport_->async_wait(what, detail::readiness_handler(state_, what));
    state_->armed.set(what, true); // unless there was no memory for it
}

/// Waits for input, or has a look for more of it first.
ASYNCHAT_DECL void dispatcher::wait_for_input()
{
    if (closed() || state_->armed.has(detail::readiness::read))
        return;
    const bool had_input = received_;
    received_ = false;
    if (!had_input || loop_.polls_ || !reads_speculatively_() || !state_->speculative_read.is_due())
        return wait(detail::readiness::read);
    loop_.try_again_soon(state_);
    state_->armed.set(detail::readiness::read, true);
}

/// Tries to receive without having waited. A channel that is the only one to be tried does not:
/// nothing can have come in the meantime.
ASYNCHAT_DECL void dispatcher::speculative_read(bool alone)
{
    if (alone) {
        state_->speculative_read.found_nothing();
        state_->armed.set(detail::readiness::read, false);
        return wait(detail::readiness::read);
    }
    received_ = false;
    handle_readiness(detail::readiness::read, {});
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

/// flush_soon() where nothing can be thrown.
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
        // Nothing is called after close() but the log: an error must not vanish.
        log_exception(" after the close of");
        return;
    }
    const auto failure = detail::failure::current();
    reason_ = failure.reason;
    error_ = failure.error;
    try {
        handle_error();
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        end_after_failed_handler();
    }
    if (!closed()) { // it survives
        reason_ = close_reason::open;
        error_ = {};
    }
}

/// What handle_error() or a handler that it called has thrown costs this channel, and no other: it
/// must not leave the loop that serves all. A listener stays.
ASYNCHAT_DECL void dispatcher::end_after_failed_handler()
{
    log_exception(accepting_ ? ", still listening" : ", closing channel");
    if (accepting_ || closed())
        return;
    try {
        finish(reason_, error_);
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        log_exception(" after the close of");
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
        connecting_ = false;
        throw detail::io_error(close_reason::connect_failed, error,
                               "connect to " + detail::quoted(addr_.to_string()));
    }
    // No error is not yet a connection: a connected socket knows its peer.
    if (is_socket_) {
        auto& socket = static_cast<detail::socket_transport&>(*transport_);
        if (socket.peer_endpoint().empty())
            return;
    }
    // The connection is there, whatever the handler makes of it; unless that is another one.
    const detail::scope_exit done([this, epoch = state_->epoch] {
        if (state_->epoch != epoch)
            return;
        connected_ = true;
        connecting_ = false;
    });
    note_activity();
    handle_connect();
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
    urgent_.set(on);
    flush_soon();
}

/// A wait for urgent data ended: because of a mark, of an error or hang-up, or for nothing.
ASYNCHAT_DECL void dispatcher::urgent_event()
{
    if (is_deaf())
        look_for_error();
    if (urgent_.is_on() && !closed() && urgent_.event(poll_now(POLLPRI)))
        handle_expt_event();
}

ASYNCHAT_DECL int dispatcher::poll_now(int events) const
{
    return detail::poll_now(native_handle(), events);
}

/// Nobody reads, and something other than input has happened: ends a connection that was lost.
ASYNCHAT_DECL void dispatcher::look_for_error()
{
    if (const auto error = pending_error())
        return connection_lost_(
            is_disconnected(error) ? close_reason::reset : close_reason::system_error, error);
    // Whatever else it is, waiting would be over at once for ever: what is there to read tells it
    // when somebody reads again.
    ended_unheard_ = is_socket_;
}

ASYNCHAT_DECL std::error_code dispatcher::pending_error()
{
    return transport_ ? transport_->take_error() : std::error_code();
}

// --- sockets ---------------------------------------------------------------------------------

ASYNCHAT_DECL detail::transport& dispatcher::require_any_socket(const char* what) const
{
    return in_memory_ ? *transport_ : require_socket(what);
}

ASYNCHAT_DECL detail::socket_transport& dispatcher::require_socket(const char* what) const
{
    if (!transport_ || !is_socket_)
        throw std::logic_error(
            std::string("asynchat: ") + what + "() needs a socket; " +
            (closed() ? "this channel is closed" : "call create_socket() first"));
    return static_cast<detail::socket_transport&>(*transport_);
}

ASYNCHAT_DECL void dispatcher::create_socket(int family, int type)
{
    require_life("create_socket");
    std::unique_ptr<detail::transport> next;
    if (loop_.network_) {
        next = loop_.network_->open(family, type);
    } else {
        next = detail::socket_transport::make(loop_.context(), family, type);
    }
    const bool had_connection = connected_;
    connected_ = accepting_ = connecting_ = was_lost_ = eof_ = was_accepted_ = false;
    set_transport(std::move(next));
    in_memory_ = loop_.network_ != nullptr;
    is_socket_ = !in_memory_;
    if (had_connection) {
        if (rare_)
            rare_->start_anew(loop_.now());
        gate_.set(detail::gate::lost, false);
        forget_connection_();
    }
    flush_soon();
}

/// Nothing begins on a channel that has ended, and handle_close() is where it ends.
ASYNCHAT_DECL void dispatcher::require_life(const char* what) const
{
    if (closed())
        throw std::logic_error(std::string("asynchat: ") + what + "() on a closed channel");
    if (gate_.has(detail::gate::ended))
        throw std::logic_error(std::string("asynchat: ") + what +
                               "() in handle_close(): create another channel instead");
}

ASYNCHAT_DECL void dispatcher::set_reuse_addr()
{
    try {
        set_option("set_reuse_addr", asio::socket_base::reuse_address(true));
    } catch (const std::system_error&) { // not needed then, or binding says so
    }
}

ASYNCHAT_DECL void dispatcher::bind(const endpoint& where)
{
    std::error_code error;
    bind(where, error);
    if (error)
        throw std::system_error(error, "asynchat: bind to " + detail::quoted(where.to_string()));
}

ASYNCHAT_DECL void dispatcher::bind(const endpoint& where, std::error_code& error)
{
    require_any_socket("bind").bind(where, error);
    error = detail::to_std(error);
    if (error)
        return;
    addr_ = where;
    flush_soon();
}

ASYNCHAT_DECL void dispatcher::listen(int backlog)
{
    std::error_code error;
    listen(backlog, error);
    if (error)
        throw std::system_error(error, "asynchat: listen on " + detail::quoted(addr_.to_string()));
}

ASYNCHAT_DECL void dispatcher::listen(int backlog, std::error_code& error)
{
    require_any_socket("listen").listen(backlog, error);
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
        backoff_.accepted();
        connection.accepted_ = true;
        endpoint peer = connection.peer();
        return std::make_pair(std::move(connection), std::move(peer));
    }
    if (is_would_block(error) || detail::is_lost_connection(error))
        return std::nullopt;
    throw detail::io_error(close_reason::system_error, error, "accept");
}

/// handle_accept(), and what makes a listener outlive its failures.
ASYNCHAT_DECL void dispatcher::accept_event()
{
    backoff_.event_begins();
    try {
        handle_accept();
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        if (backoff_.event_failed() && !closed())
            pause_accepting();
        throw;
    }
    backoff_.event_ended();
}

/// Looks again a little later.
ASYNCHAT_DECL void dispatcher::pause_accepting()
{
    loop_.call_later(detail::accept_backoff::pause, [state = state_] {
        if (const auto channel = state->channel)
            channel->in_event([&] { channel->backoff_.end_pause(); });
    });
    backoff_.begin_pause();
}

// --- connecting ------------------------------------------------------------------------------

ASYNCHAT_DECL void dispatcher::connect(const endpoint& to)
{
    require_life("connect");
    to.native(); // throws if it is no address
    drop_attempt();
    if (!transport_)
        create_socket(to.family());
    attempt_.reset();
    addr_ = to;
    start_clock(detail::deadlines::clock::connect);
    start_connect(to);
}

/// The socket of an attempt under way is of no use for another one, and its result none either.
ASYNCHAT_DECL void dispatcher::drop_attempt()
{
    if (!connecting_ || (attempt_ && attempt_->keeps_socket()))
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
    attempt_ = std::make_unique<detail::connect_attempt>(loop_.context(), transport_ != nullptr);
    addr_ = endpoint::named(host, service);
    connected_ = accepting_ = eof_ = false;
    connecting_ = true;
    start_clock(detail::deadlines::clock::connect);
    attempt_->look_up(host, service, loop_.network_ ? &addr_ : nullptr,
                      [state = state_](const std::error_code& error) {
                          if (const auto channel = state->channel)
                              channel->looked_up(error);
                      });
}

ASYNCHAT_DECL void dispatcher::looked_up(const std::error_code& error)
{
    assert(attempt_); // its end would not be told else
    if (error)
        return connect_failed(close_reason::lookup_failed, error);
    if (attempt_->keeps_socket() && !in_memory_)
        attempt_->restrict_to(require_socket("connect").family());
    connect_next({asio::error::address_family_not_supported, std::system_category()});
}

/// Tries the next address, or gives up with the error of the one before.
ASYNCHAT_DECL void dispatcher::connect_next(const std::error_code& error)
{
    const auto to = attempt_ ? attempt_->next() : std::nullopt;
    if (!to)
        return connect_failed(close_reason::connect_failed, error);
    // A socket whose connect failed is of no use for another one.
    if (!attempt_->take_socket()) {
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
    ++state_->epoch; // what was under way has nothing to do with this attempt
    state_->armed = {};
    transport.async_connect(to,
                            [state = state_, epoch = state_->epoch](const std::error_code& error) {
                                const auto channel = state->channel;
                                if (!channel || state->epoch != epoch)
                                    return;
                                // A new connection is a writer: behind the readers of this pass.
                                asio::post(channel->loop_.context(), [state, epoch, error] {
                                    const auto writer = state->channel;
                                    if (writer && state->epoch == epoch)
                                        writer->connect_ended(error);
                                });
                            });
}

ASYNCHAT_DECL void dispatcher::connect_ended(const std::error_code& error)
{
    if (error)
        return connect_next(error);
    attempt_.reset();
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
    attempt_.reset();
    connecting_ = false;
    set_transport(nullptr); // of no use for another attempt
    in_event([&] {
        const char* what = reason == close_reason::lookup_failed ? "look-up of " : "connect to ";
        throw detail::io_error(reason, error, what + detail::quoted(addr_.to_string()));
    });
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
        note_activity();
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
    throw detail::io_error(close_reason::system_error, error, "recv", detail::error_source::input);
}

/// The connection is lost, and all that it had was received.
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
        note_activity();
        count_sent(sent);
        return sent;
    }
    if (is_would_block(error))
        return 0;
    if (is_disconnected(error)) {
        connection_lost_(close_reason::reset, error);
        return 0;
    }
    throw detail::io_error(close_reason::system_error, error, "send", detail::error_source::output);
}

ASYNCHAT_DECL std::size_t dispatcher::sendto(std::string_view datagram, const endpoint& to)
{
    to.native(); // throws if it is no address
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
    // Between two turns of the listener all other channels have theirs: one connection in each
    // would keep newcomers waiting.
    constexpr int max_connections = 64;
    const unsigned epoch = state_->epoch;
    for (int i = 0; i < max_connections; ++i) {
        auto accepted = accept();
        if (!accepted)
            return;
        handle_accepted(std::move(accepted->first), accepted->second);
        if (state_->epoch != epoch || !accepting_ || !readable())
            return;
    }
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
    if (accepting_) {
        if (backoff_.is_worth_telling())
            log_exception(", still listening");
        return;
    }
    const auto failure = detail::failure::current();
    log_exception(", closing channel");
    if (failure.source == detail::error_source::input)
        input_failed(failure.reason, failure.error);
    else if (failure.source == detail::error_source::output)
        connection_lost_(failure.reason, failure.error);
    else
        finish(failure.reason, failure.error);
}

/// Whatever becomes of the line, what follows it is done all the same.
ASYNCHAT_DECL void dispatcher::log_exception(const char* what)
{
    try {
        log_of_peer(log_type::error, "uncaptured exception{} {} ({})", what, safe_repr(),
                    detail::failure::text());
    } catch (const exit_now&) {
        throw;
    } catch (...) { // there is no memory for it, or an override of the log throws
    }
}

// --- time ------------------------------------------------------------------------------------

ASYNCHAT_DECL detail::rare_state& dispatcher::rare()
{
    if (!rare_)
        rare_ = std::make_unique<detail::rare_state>(timeouts());
    return *rare_;
}

ASYNCHAT_DECL void dispatcher::set_timeout(loop::duration detail::timeouts::*which,
                                           loop::duration timeout)
{
    if (timeout < loop::duration::zero())
        throw std::invalid_argument("asynchat: a timeout is negative");
    rare().clocks.set_timeout(which, timeout);
    loop_.set_deadline(*state_, loop_.now()); // works out the next one
}

ASYNCHAT_DECL void dispatcher::connect_timeout(loop::duration timeout)
{
    set_timeout(&detail::timeouts::connect, timeout);
}

ASYNCHAT_DECL void dispatcher::idle_timeout(loop::duration timeout)
{
    if (timeouts().idle == loop::duration::zero())
        rare().clocks.start(detail::deadlines::clock::idle, loop_.now());
    set_timeout(&detail::timeouts::idle, timeout);
}

ASYNCHAT_DECL void dispatcher::write_timeout(loop::duration timeout)
{
    set_timeout(&detail::timeouts::write, timeout);
}

ASYNCHAT_DECL void dispatcher::linger_timeout(loop::duration timeout)
{
    set_timeout(&detail::timeouts::linger, timeout);
}

/// Measures from now on.
ASYNCHAT_DECL void dispatcher::start_clock(detail::deadlines::clock what)
{
    rare().clocks.start(what, loop_.now());
    look_at_clocks_by(rare_->clocks.due(what));
}

ASYNCHAT_DECL void dispatcher::close_at(loop::time_point time)
{
    rare().clocks.close_at(time);
    look_at_clocks_by(time);
}

ASYNCHAT_DECL void dispatcher::look_at_clocks_by(loop::time_point time)
{
    if (time != detail::deadlines::never)
        loop_.set_deadline(*state_, time);
}

ASYNCHAT_DECL void dispatcher::deadline_reached_()
{
    if (!rare_)
        return;
    using clock = detail::deadlines::clock;
    detail::deadlines::clock_set counting;
    counting.add(clock::close);
    if (connecting_)
        counting.add(clock::connect);
    if (connected_)
        counting.add(clock::idle);
    counting.add(clock::write);
    const auto over = rare_->clocks.expired(loop_.now(), counting);
    if (over)
        return clock_ran_out(*over);
    look_at_clocks_by(rare_->clocks.next(counting));
}

ASYNCHAT_DECL void dispatcher::clock_ran_out(detail::deadlines::clock what)
{
    using clock = detail::deadlines::clock;
    assert(what != clock::frame); // that is for an async_chat
    const detail::timeouts& limits = timeouts();
    switch (what) {
    case clock::close: return close_time_reached();
    case clock::connect:
        look_at_clocks_by(rare_->clocks.due(clock::close));
        return connect_failed(close_reason::connect_timeout, asio::error::timed_out);
    case clock::idle:
        log_timeout("nothing came and nothing went", "idle_timeout()", limits.idle);
        return finish(close_reason::idle_timeout);
    case clock::write:
        log_timeout("the other side took no output", "write_timeout()", limits.write);
        // What it said before it finished is worth hearing.
        if (transport_ && transport_->peer_has_finished())
            return connection_lost_(close_reason::write_timeout, {});
        return finish(close_reason::write_timeout);
    case clock::frame: break;
    }
}

/// Of close_when_done(); of a lost connection, for one that neither gives input nor ends; and of a
/// connection that lingers.
ASYNCHAT_DECL void dispatcher::close_time_reached()
{
    if (is_lost()) {
        end_of_input_();
        if (is_lost())
            end_lost(); // if that has not
        return;
    }
    if (!state_->lingers)
        log_timeout("its output was not sent in the time given to close_when_done()", {}, {});
    finish(close_reason::close_timeout);
}

/// A line for each timeout that ends a channel, as for each limit.
ASYNCHAT_DECL void dispatcher::log_timeout(std::string_view what, std::string_view setter,
                                           loop::duration limit)
{
    std::string text(what);
    if (!setter.empty()) {
        const std::chrono::duration<double> seconds = limit;
        text += fmt::format(" within {} s, the limit of {}", seconds.count(), setter);
    }
    log_of_peer(log_type::info, "closing channel {}: {}", safe_repr(), text);
}

/// For channels with an output queue.
ASYNCHAT_DECL void dispatcher::set_marks(std::size_t high, std::size_t low)
{
    if (low > high)
        throw std::invalid_argument("asynchat: the low mark is over the high one");
    rare().output.high = high;
    rare().output.low = low;
    flush_soon();
}

ASYNCHAT_DECL void dispatcher::output_waits(std::size_t sent)
{
    if (sent > 0 || !rare_ || !rare_->clocks.runs(detail::deadlines::clock::write))
        start_clock(detail::deadlines::clock::write);
}

ASYNCHAT_DECL void dispatcher::output_flows() noexcept
{
    if (rare_)
        rare_->clocks.stop(detail::deadlines::clock::write);
}

/// Leaves the connection to a channel of its own.
ASYNCHAT_DECL void dispatcher::linger() noexcept
{
    const loop::duration timeout = timeouts().linger;
    if (!transport_ || eof_ || !transport_->is_connection() || timeout == loop::duration::zero())
        return;
    try {
        std::error_code error;
        transport_->shutdown_write(error);
        if (!error)
            loop_.linger(std::move(transport_), timeout, slot_);
    } catch (const std::bad_alloc&) { // then it is closed at once
    }
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

ASYNCHAT_DECL void dispatcher::set_no_delay(bool on)
{
    set_option("set_no_delay", asio::ip::tcp::no_delay(on));
}

ASYNCHAT_DECL void dispatcher::set_keep_alive(bool on)
{
    set_option("set_keep_alive", asio::socket_base::keep_alive(on));
}

ASYNCHAT_DECL void dispatcher::set_dual_stack(bool on)
{
    set_option("set_dual_stack", asio::ip::v6_only(!on));
}

// --- logging ---------------------------------------------------------------------------------

ASYNCHAT_DECL std::string dispatcher::formatted(fmt::string_view format, fmt::format_args args)
{
    return fmt::vformat(format, args);
}

ASYNCHAT_DECL void dispatcher::log(std::string_view message)
{
    const std::string line = "log: " + escaped(message) + '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

ASYNCHAT_DECL void dispatcher::log_info(std::string_view message, log_type type)
{
    if (ignores(type))
        return;
    const std::string line = std::string(to_string(type)) + ": " + escaped(message) + '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

namespace detail {

/// Adds what a limit has left out to the end of a line.
template <class Limit>
void tell_left_out(std::string& text, Limit& limit, const char* whose)
{
    if (const std::uint32_t lines = limit.take_left_out(); lines > 0)
        text += fmt::format("{}{} of {}", text.empty() ? "" : ", ", lines, whose);
}

} // namespace detail

ASYNCHAT_DECL void dispatcher::log_line_of_peer(log_type type, fmt::string_view format,
                                                fmt::format_args args)
{
    if (ignores(type)) // it must not use up what the others may have
        return log_info(std::string_view(formatted(format, args)), type);
    detail::server_log_limit* const of_server = slot_ ? &slot_->server->log_limit : nullptr;
    const auto now = loop_.now().time_since_epoch();
    const auto second =
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
    // Each counts what it leaves out, until a line passes all of them.
    if (!log_limit_.admit(second) || (of_server && !of_server->admit(second)) ||
        !loop_.log_limit_.admit(second))
        return;
    std::string line = formatted(format, args);
    std::string left_out;
    detail::tell_left_out(left_out, log_limit_, "this channel");
    if (of_server)
        detail::tell_left_out(left_out, *of_server, "its server");
    detail::tell_left_out(left_out, loop_.log_limit_, "its loop");
    if (!left_out.empty())
        line += fmt::format(" (lines left out before this one: {})", left_out);
    log_info(std::string_view(line), type);
}

ASYNCHAT_DECL void dispatcher::ignore_log_types(std::initializer_list<log_type> types)
{
    ignored_log_types_ = 0;
    for (const log_type type : types)
        ignored_log_types_ =
            static_cast<unsigned char>(ignored_log_types_ | 1U << static_cast<unsigned>(type));
}

ASYNCHAT_DECL std::string dispatcher::repr() const
{
    std::string text = "<" + detail::type_name(typeid(*this));
    if (accepting_ && !addr_.empty())
        text += " listening";
    else if (connected_)
        text += " connected";
    if (const std::string where = addr_.to_string(); !where.empty())
        text += " " + where;
    return text + fmt::format(" at {}>", static_cast<const void*>(this));
}

/// repr(), or what can be said when an override of it throws.
ASYNCHAT_DECL std::string dispatcher::safe_repr() const
{
    try {
        return escaped(repr(), detail::longest_name);
    } catch (...) {
        return fmt::format("<repr() failed for the channel at {}>", static_cast<const void*>(this));
    }
}

} // namespace asynchat

#endif
