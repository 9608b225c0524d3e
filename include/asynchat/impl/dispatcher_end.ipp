// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_END_IPP
#define ASYNCHAT_IMPL_DISPATCHER_END_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/io/connect_attempt.hpp>
#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/escape.hpp>

#include <cassert>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE void dispatcher::close()
{
    if (closed())
        return;
    loop_.check_thread();
    gate_.set(detail::gate::closed);
    if (rare_) // another channel reports them
        loop_.log_limit_.leave_out(rare_->log_limit.take_left_out());
    connected_ = accepting_ = connecting_ = false;
    if (reason_ == close_reason::open)
        reason_ = close_reason::local;
    end_attempt();
    if (lingers_)
        leave_to_linger();
    set_transport(nullptr);
    assert(!transport_ && reason_ != close_reason::open);
    if (slot_)
        slot_->server->proxy_headers.erase(this);
    if (slot_ && state_->lingers)
        detail::server_state::end_linger(*slot_);
    else if (slot_)
        detail::server_state::leave(*slot_, reason_);
    if (state_->owned)
        loop_.remove(*state_);
    if (has_rates())
        detail::channel_access::leave_rates(*this);
    end_timers();
}

/// Leaves the connection to a lingerer.
ASYNCHAT_RARE void dispatcher::leave_to_linger() noexcept
{
    const loop::duration timeout = active_timeouts().linger;
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

ASYNCHAT_RARE void dispatcher::abort()
{
    if (closed())
        return;
    lingers_ = false;
    if (transport_)
        transport_->reset_on_close();
    close();
    dispatcher::close(); // an override may have forgotten to call the original
}

ASYNCHAT_RARE void dispatcher::close_with(asynchat::close_reason reason)
{
    if (reason_ == close_reason::open)
        reason_ = reason;
    lingers_ = false;
    dispatcher::close();
}

ASYNCHAT_RARE void dispatcher::finish(asynchat::close_reason reason, std::error_code error)
{
    if (gate_.is_over())
        return;
    gate_.set(detail::gate::ended);
    reason_ = reason;
    note_error(detail::to_std(error));
    try {
        handle_close();
        if (!closed())
            close();
    } catch (...) {
        close_after_exception();
        throw;
    }
    dispatcher::close(); // an override may have forgotten to call the original
}

ASYNCHAT_RARE void dispatcher::finish(std::string why)
{
    if (gate_.is_over())
        return;
    note_text(escaped(why));
    finish(close_reason::user);
}

ASYNCHAT_RARE void dispatcher::tell_end() noexcept
{
    try {
        handle_end();
    } catch (...) {
        try {
            log_exception("in the handle_end() of");
        } catch (...) { // no exception may leave: the loop may be in its destructor
        }
    }
    if (!rare_)
        return;
    for (const auto& each : rare_->watchers) // they stay: the destructor may use what they own
        each->ended(*this);
}

/// Stores the error for close_error(). Without memory only the reason is known.
ASYNCHAT_RARE void dispatcher::note_error(const std::error_code& error) noexcept
{
    try {
        if (rare_ || error)
            rare().error = error;
    } catch (const std::bad_alloc&) {
    }
}

/// Stores the text for close_text(). Without memory close_text() is the reason only.
ASYNCHAT_RARE void dispatcher::note_text(std::string text) noexcept
{
    try {
        rare().close_text = std::make_unique<std::string>(std::move(text));
    } catch (const std::bad_alloc&) { // then only the reason is known
    }
}

ASYNCHAT_RARE std::string dispatcher::close_text() const
{
    std::string text(to_string(reason_));
    const std::string noted = rare_ ? rare_->noted_text() : std::string();
    switch (reason_) {
    case close_reason::open: return {};
    case close_reason::local:
    case close_reason::peer_finished:
    case close_reason::shutdown: return text;
    case close_reason::connect_failed:
    case close_reason::connect_timeout:
    case close_reason::lookup_failed:
    case close_reason::system_error:
    case close_reason::user:
        if (!noted.empty())
            return noted;
        break;
    case close_reason::reset:
    case close_reason::early_input: break;
    case close_reason::idle_timeout:
    case close_reason::frame_timeout:
    case close_reason::write_timeout:
    case close_reason::close_timeout:
    case close_reason::frame_limit:
    case close_reason::output_limit:
    case close_reason::bad_frame:
    case close_reason::handshake_timeout:
    case close_reason::tls_error:
    case close_reason::tls_truncated:
    case close_reason::callback_error: return noted.empty() ? text : text + ": " + noted;
    }
    const std::error_code error = close_error();
    return error ? text + ": " + error.message() : text;
}

/// An exception left handle_close(). close() must still be called, because an override of it may
/// release resources.
ASYNCHAT_RARE void dispatcher::close_after_exception()
{
    const detail::scope_exit in_any_case([this] { dispatcher::close(); });
    if (closed())
        return;
    try {
        close();
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        log_exception("in the close of");
    }
}

/// The connection ends for this reason, after its received input is delivered.
ASYNCHAT_RARE bool dispatcher::lose_connection(asynchat::close_reason reason,
                                               const std::error_code& error)
{
    if (is_lost() || gate_.is_over())
        return false;
    time_lost();
    rare_->lost.reason = reason;
    rare_->lost.error = error;
    rare_->layers.reset();
    gate_.set(detail::gate::lost);
    flush_soon();
    return true;
}

/// Limits the time of a lost connection. A transport that reports a loss and still does not end,
/// such as a layer, gets the time of a linger.
ASYNCHAT_RARE void dispatcher::time_lost()
{
    close_at(detail::later(loop_.now(), detail::client_timeouts.linger));
}

ASYNCHAT_RARE bool dispatcher::may_receive()
{
    return connected_ && !eof_ && transport_ && readable() && transport_->may_read();
}

ASYNCHAT_RARE void dispatcher::end_lost()
{
    assert(is_lost() && rare_ && rare_->lost.reason != close_reason::open);
    finish(rare_->lost.reason, rare_->lost.error);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
