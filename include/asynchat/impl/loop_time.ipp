// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_LOOP_TIME_IPP
#define ASYNCHAT_IMPL_LOOP_TIME_IPP

#include <asynchat/loop.hpp>

#include <asynchat/detail/run_then_always.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/detail/timing/system_clock.hpp>
#include <asynchat/dispatcher.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

ASYNCHAT_DECL void clock::wake(const std::weak_ptr<loop_anchor>& owner)
{
    if (const auto alive = owner.lock())
        alive->owner->run_timers();
}

ASYNCHAT_DECL void system_clock::wake_at(time_point when, const std::weak_ptr<loop_anchor>& owner)
{
    timer_.expires_at(when);
    timer_.async_wait([owner](const std::error_code& error) {
        if (!error)
            wake(owner);
    });
}

ASYNCHAT_DECL void system_clock::cancel()
{
    timer_.cancel();
}

ASYNCHAT_DECL bool system_clock::run(asio::io_context& context)
{
    context.run();
    return true;
}

ASYNCHAT_DECL bool system_clock::run_one_until(asio::io_context& context, time_point until)
{
    return context.run_one_until(until) > 0;
}

inline constexpr loop::duration deadline_tick = std::chrono::milliseconds(100);

} // namespace detail

/// Sets the wake-up of the clock for the first timer. A wake-up that is too early is not moved. A
/// wake-up without a timer is canceled: it would keep a borrowed io_context from running out of
/// work.
ASYNCHAT_DECL void loop::wait_for_timers()
{
    const time_point first = timers_.empty() ? time_point::max() : timers_.first().at;
    if (first < wakes_at_) {
        wakes_at_ = time_point::max(); // unless there is memory for it
        clock_->wake_at(first, anchor_);
    } else if (timers_.empty() && first > wakes_at_) {
        clock_->cancel();
    } else {
        return;
    }
    wakes_at_ = first;
}

/// Handles the timers and deadlines that are due. New ones are handled in a later turn, also if
/// they are due.
ASYNCHAT_DECL void loop::run_timers()
{
    wakes_at_ = time_point::max();
    const auto run_due = [this] {
        const turn in_turn(*this);
        const time_point now = clock_->now();
        const std::uint64_t end = timers_.next_sequence();
        while (!timers_.empty() && timers_.first().at <= now && timers_.first().sequence < end) {
            const auto due = timers_.pop();
            try {
                wait_for_timers();            // a timer may run the loop
            } catch (const std::bad_alloc&) { // then once that has returned
            }
            if (due.timer)
                run_timer(due.timer, now);
            else if (const auto channel = due.channel->channel())
                detail::channel_access::in_rare_event(
                    *channel, [&] { detail::channel_access::deadline_reached(*channel); });
        }
    };
    detail::run_then_always(run_due, [this] { wait_for_timers(); });
}

/// Calls a timer that is due; one of a channel as an event of that channel.
ASYNCHAT_DECL void loop::run_timer(const std::shared_ptr<detail::timer_state>& state,
                                   time_point now)
{
    if (state->channel && !state->channel->live()) { // its constructor runs the loop
        timers_.add(detail::later(now, detail::deadline_tick), state);
        return;
    }
    const bool once = state->period == duration::zero();
    state->done = once;
    const auto call = [&state] {
        try {
            state->call();
        } catch (...) {
            state->done = true;
            throw;
        }
    };
    if (!state->channel)
        call();
    else
        detail::channel_access::in_rare_event(*state->channel->channel(), call);
    if (state->done)
        return state->leave();
    state->due = detail::later(state->due, state->period);
    timers_.add(std::max(state->due, now), state);
}

ASYNCHAT_DECL void loop::set_deadline(detail::channel_state& state, time_point at)
{
    set_exact_deadline(state, detail::rounded_up(at, detail::deadline_tick));
}

ASYNCHAT_DECL void loop::set_exact_deadline(detail::channel_state& state, time_point at)
{
    if (state.heap_index == detail::not_queued)
        timers_.add(at, state);
    else if (at < timers_.time_at(state.heap_index))
        timers_.move_earlier(state.heap_index, at);
    else
        return;
    wait_for_timers();
}

ASYNCHAT_DECL void loop::drop_deadline(detail::channel_state& state)
{
    if (state.heap_index == detail::not_queued)
        return;
    timers_.remove(state.heap_index);
    if (timers_.empty())
        wait_for_timers(); // no more
}

ASYNCHAT_DECL loop::duration loop::require_period(duration period)
{
    if (period <= duration::zero())
        throw std::invalid_argument("asynchat: call_every needs a period over 0");
    return period;
}

ASYNCHAT_DECL timer loop::start_timer(duration delay, duration period, callback f,
                                      detail::channel_state* channel, detail::timer_state** list)
{
    check_thread();
    const auto state = std::make_shared<detail::timer_state>();
    state->owner = this;
    state->channel = channel;
    state->call = std::move(f);
    state->period = period;
    state->due = detail::later(now(), delay);
    timers_.add(state->due, state);
    try {
        wait_for_timers();
    } catch (...) {
        forget_timer(*state);
        throw;
    }
    if (list)
        state->join(*list);
    return timer(state);
}

ASYNCHAT_DECL void loop::forget_timer(detail::timer_state& state)
{
    check_thread();
    state.done = true;
    state.leave();
    if (state.heap_index == detail::not_queued)
        return; // it runs
    timers_.remove(state.heap_index);
    if (timers_.empty())
        wait_for_timers(); // no more
}

/// Removes the timers of a channel that ends. Destroys their functions, which may run user code.
ASYNCHAT_DECL void loop::forget_timers(detail::timer_state*& list)
{
    while (list)
        forget_timer(*list);
}

ASYNCHAT_DECL void timer::cancel()
{
    if (const auto state = state_.lock())
        state->owner->forget_timer(*state);
}

ASYNCHAT_DECL scoped_timer& scoped_timer::operator=(scoped_timer&& other)
{
    timer old = std::exchange(timer_, std::exchange(other.timer_, timer()));
    old.cancel();
    return *this;
}

ASYNCHAT_DECL scoped_timer::~scoped_timer()
{
    timer_.cancel();
}

ASYNCHAT_DECL void scoped_timer::cancel()
{
    timer_.cancel();
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
