// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_TIME_IPP
#define ASYNCHAT_IMPL_DISPATCHER_TIME_IPP

#include <asynchat/dispatcher.hpp>

#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/detail/io/system_calls.hpp>
#include <asynchat/detail/timing/later.hpp>

#include <asio/error.hpp>

#include <poll.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_DECL detail::rare_state& dispatcher::rare()
{
    loop_.check_thread();
    if (!rare_)
        rare_ = std::make_unique<detail::rare_state>(active_timeouts());
    return *rare_;
}

ASYNCHAT_RARE void dispatcher::set_timeout(loop::duration detail::timeouts::*which,
                                           loop::duration timeout)
{
    if (timeout < loop::duration::zero())
        throw std::invalid_argument("asynchat: a timeout is negative");
    rare().clocks.set_timeout(which, timeout);
    look_at_clocks_by(loop_.now()); // computes the next deadline
}

ASYNCHAT_RARE void dispatcher::connect_timeout(loop::duration timeout)
{
    set_timeout(&detail::timeouts::connect, timeout);
}
ASYNCHAT_RARE loop::duration dispatcher::connect_timeout() const noexcept
{
    return active_timeouts().connect;
}

ASYNCHAT_RARE void dispatcher::handshake_timeout(loop::duration timeout)
{
    set_timeout(&detail::timeouts::handshake, timeout);
}
ASYNCHAT_RARE loop::duration dispatcher::handshake_timeout() const noexcept
{
    return active_timeouts().handshake;
}

ASYNCHAT_RARE void dispatcher::idle_timeout(loop::duration timeout)
{
    if (active_timeouts().idle == loop::duration::zero())
        rare().clocks.start(detail::deadlines::clock::idle, loop_.now());
    set_timeout(&detail::timeouts::idle, timeout);
}
ASYNCHAT_RARE loop::duration dispatcher::idle_timeout() const noexcept
{
    return active_timeouts().idle;
}

ASYNCHAT_RARE void dispatcher::silence_interval(loop::duration interval)
{
    if (active_timeouts().silence == loop::duration::zero())
        rare().clocks.heard(loop_.now());
    set_timeout(&detail::timeouts::silence, interval);
}
ASYNCHAT_RARE loop::duration dispatcher::silence_interval() const noexcept
{
    return active_timeouts().silence;
}

/// Something was received or sent.
ASYNCHAT_DECL void dispatcher::restart_clocks(bool is_input)
{
    using clock = detail::deadlines::clock;
    const detail::timeouts& limits = active_timeouts();
    if (limits.idle > loop::duration::zero())
        start_clock(clock::idle);
    if (!is_input || limits.silence == loop::duration::zero())
        return;
    rare_->clocks.heard(loop_.now());
    look_at_clocks_by(rare_->clocks.due(clock::silence));
}

ASYNCHAT_RARE void dispatcher::write_timeout(loop::duration timeout)
{
    set_timeout(&detail::timeouts::write, timeout);
}
ASYNCHAT_RARE loop::duration dispatcher::write_timeout() const noexcept
{
    return active_timeouts().write;
}

ASYNCHAT_RARE void dispatcher::linger_timeout(loop::duration timeout)
{
    set_timeout(&detail::timeouts::linger, timeout);
}
ASYNCHAT_RARE loop::duration dispatcher::linger_timeout() const noexcept
{
    return active_timeouts().linger;
}

/// Starts or restarts the clock now.
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

ASYNCHAT_DECL timer dispatcher::start_timer(loop::duration delay, loop::duration period,
                                            detail::unique_function<void()> f)
{
    if (closed())
        return {};
    return loop_.start_timer(delay, period, std::move(f), state_.get(), &rare().timers);
}

/// Ends the timers of a closed or destroyed channel. The last one may destroy the channel.
ASYNCHAT_DECL void dispatcher::end_timers()
{
    if (!rare_ || !rare_->timers)
        return;
    detail::timer_state* list = std::exchange(rare_->timers, nullptr);
    list->link = &list;
    loop_.forget_timers(list);
}

ASYNCHAT_DECL void dispatcher::look_at_clocks_by(loop::time_point time)
{
    if (time != detail::deadlines::never && !closed()) // a closed channel does not end again
        loop_.set_deadline(*state_, time);
}

/// The clocks that count now, except those of an async_chat.
inline detail::deadlines::clock_set dispatcher::counting_clocks() const noexcept
{
    using clock = detail::deadlines::clock;
    detail::deadlines::clock_set counting;
    counting.add(clock::close);
    counting.add(clock::write);
    if (connecting_)
        counting.add(clock::connect);
    if (!connected_ || gate_.has(detail::gate::closing) || is_held())
        return counting;
    counting.add(clock::idle);
    if (!eof_ && !is_lost() && !state_->parked)
        counting.add(clock::silence);
    return counting;
}

ASYNCHAT_DECL void dispatcher::deadline_reached_()
{
    if (!rare_)
        return;
    using clock = detail::deadlines::clock;
    auto counting = counting_clocks();
    look_what_was_taken();
    const auto over = rare_->clocks.expired(loop_.now(), counting);
    if (!over || was_met(*over)) {
        counting.add(clock::full); // async_chat handles it
        return look_at_clocks_by(rare_->clocks.next(counting));
    }
    if (*over == clock::idle || *over == clock::silence) { // the handler may throw, or send
        start_clock(*over);
        look_at_clocks_by(rare_->clocks.next(counting));
    }
    clock_ran_out(*over);
}

/// For a socket that takes no output: checks whether the peer has taken bytes from the system's
/// buffer. The system reports the socket as writable only when much of the buffer is free, which
/// takes minutes with a slow reader.
ASYNCHAT_DECL void dispatcher::look_what_was_taken()
{
    using clock = detail::deadlines::clock;
    const loop::duration limit = active_timeouts().write;
    if (!transport_ || rare_->in_flight == 0 || limit == loop::duration::zero() ||
        !rare_->clocks.runs(clock::write))
        return;
    const std::size_t before = std::exchange(rare_->in_flight, transport_->in_flight());
    if (rare_->in_flight < before)
        start_clock(clock::write);
    const auto later = std::max<loop::duration>(limit / 16, std::chrono::milliseconds(100));
    look_at_clocks_by(detail::later(loop_.now(), later));
}

/// Whether the event that an expired clock waits for has happened in time, but is not handled yet
/// because a callback took long. Then the clock continues.
ASYNCHAT_DECL bool dispatcher::was_met(detail::deadlines::clock what)
{
    using clock = detail::deadlines::clock;
    if (what == clock::connect && attempt() && attempt()->is_answered())
        return rare_->clocks.put_off(what);
    if (what == clock::close || !transport_)
        return false;
    const bool is_input = what == clock::frame || what == clock::idle || what == clock::silence ||
                          (what == clock::connect && state_->opening);
    int events = is_input ? POLLIN : POLLOUT;
    if (what == clock::idle && rare_->clocks.runs(clock::write))
        events |= POLLOUT;
    // In the tests of programs there is no descriptor to ask.
    const bool is_unread = what == clock::silence && native_handle() < 0 && !readable();
    const bool may_be_read = is_unread || (state_->layers() != 0 && (events & POLLIN) != 0);
    const bool is_met = (poll_now(events) & events) != 0 || (may_be_read && transport_->may_read());
    if (is_met && what == clock::silence) {
        rare_->clocks.heard(loop_.now()); // it may stay there while reading is paused
        return true;
    }
    return is_met && rare_->clocks.put_off(what);
}

ASYNCHAT_DECL void dispatcher::clock_ran_out(detail::deadlines::clock what)
{
    using clock = detail::deadlines::clock;
    assert(what != clock::frame && what != clock::full); // those are for an async_chat
    const detail::timeouts& limits = active_timeouts();
    switch (what) {
    case clock::close: return close_time_reached();
    case clock::connect:
        look_at_clocks_by(rare_->clocks.due(clock::close));
        if (state_->opening != 0)
            return opening_took_long();
        return connect_failed(close_reason::connect_timeout, asio::error::timed_out);
    case clock::idle: return idle_time_is_over();
    case clock::silence: return handle_silence(rare_->clocks.silent_for(loop_.now()));
    case clock::write:
        log_timeout("the other side took no output", "write_timeout()", limits.write);
        // Input from before the end must still be delivered.
        if (transport_ && transport_->peer_has_finished())
            return connection_lost_(close_reason::write_timeout, {});
        return finish(close_reason::write_timeout);
    case clock::frame:
    case clock::full: break;
    }
}

ASYNCHAT_RARE void dispatcher::idle_time_is_over()
{
    log_timeout("nothing came and nothing went", "idle_timeout()", active_timeouts().idle);
    const unsigned connection = state_->connection();
    handle_idle_timeout();
    if (state_->connection() != connection) // closed, or another connection
        return;
    if (!gate_.has(detail::gate::closing))
        return finish(close_reason::idle_timeout);
    note_text({}); // it ends for another reason
}

/// The time of close_when_done() is over; or that of a lost connection that neither delivers input
/// nor ends; or that of a lingering connection.
ASYNCHAT_DECL void dispatcher::close_time_reached()
{
    if (is_lost()) {
        end_of_input_();
        if (is_lost())
            end_lost(); // if the channel is still open
        return;
    }
    if (!state_->hidden)
        log_timeout("its output was not sent in the time given to close_when_done()", {}, {});
    finish(close_reason::close_timeout);
}

/// Logs the timeout that ends the channel, and sets close_text().
ASYNCHAT_RARE void dispatcher::log_timeout(std::string_view what, std::string_view setter,
                                           loop::duration limit)
{
    std::string text(what);
    if (!setter.empty()) {
        const std::chrono::duration<double> seconds = limit;
        text += fmt::format(" within {} s, the limit of {}", seconds.count(), setter);
    }
    log_of_peer(log_type::info, "closing channel {}: {}", safe_repr(), text);
    note_text(std::move(text));
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
    if (sent == 0 && rare_ && rare_->clocks.runs(detail::deadlines::clock::write)) {
        if (state_->layers() != 0) // a part of a record may have left
            look_what_was_taken();
        return;
    }
    start_clock(detail::deadlines::clock::write);
    if (rare_->clocks.runs(detail::deadlines::clock::full))
        start_clock(detail::deadlines::clock::full);
    rare_->in_flight = transport_ ? transport_->in_flight() : 0;
    look_what_was_taken();
}

ASYNCHAT_DECL void dispatcher::output_flows() noexcept
{
    if (rare_)
        rare_->clocks.stop(detail::deadlines::clock::write);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
