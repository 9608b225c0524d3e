// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ASYNC_CHAT_RATES_IPP
#define ASYNCHAT_IMPL_ASYNC_CHAT_RATES_IPP

#include <asynchat/async_chat.hpp>

#include <asynchat/detail/channel_access.hpp>
#include <asynchat/detail/scope_exit.hpp>

#include <algorithm>
#include <cassert>
#include <memory>

// A channel whose bucket is empty is held: as after end_turn(), but until a time. While it has a
// rate, gate::steered is set, so that a channel without one does not test for it.

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_DECL void async_chat::read_rate(std::size_t bytes_per_second)
{
    set_rate(&detail::rate_limits::bytes, bytes_per_second);
}

ASYNCHAT_DECL void async_chat::frame_rate(std::size_t frames_per_second)
{
    set_rate(&detail::rate_limits::frames, frames_per_second);
}

ASYNCHAT_DECL void async_chat::set_rate(detail::rate_limit detail::rate_limits::*which,
                                        std::size_t per_second)
{
    detail::require_rate(per_second);
    if (closed() || (per_second == unlimited && !has_rates()))
        return;
    obey_rates_();
    if (under_way())
        charge_frames(under_way()->frames()); // at the rate of before
    (rare_->rates->own.*which).rate(per_second, owner().now());
    if (is_held())
        detail::channel_access::wake_by_rate(owner(), *state_,
                                             owner().now()); // it may go on earlier
}

ASYNCHAT_DECL void async_chat::obey_rates_()
{
    auto& rates = rare().rates;
    if (rates)
        return;
    rates = std::make_unique<detail::channel_rates>(*state_);
    if (under_way()) // these frames were found without a rate
        rates->charged_frames = under_way()->frames();
    gate_.set(detail::gate::steered);
}

inline void async_chat::charge(detail::rate_limit detail::rate_limits::*which,
                               std::size_t n) noexcept
{
    const loop::time_point now = owner().now();
    (rare_->rates->own.*which).charge(n, now);
    if (auto* const all = detail::channel_access::rates_of_server(*this))
        (all->limits.*which).charge(n, now);
}

ASYNCHAT_DECL void async_chat::charge_bytes(std::size_t n) noexcept
{
    if (n > 0 && has_rates() && !is_closing()) // then it is dropped
        charge(&detail::rate_limits::bytes, n);
}

/// Charges the frames that have ended since the last call. `in_pass` is the number of those that
/// have ended in the present pass.
ASYNCHAT_DECL void async_chat::charge_frames(std::size_t in_pass) noexcept
{
    std::size_t& charged = rare_->rates->charged_frames;
    if (in_pass == charged)
        return;
    charge(&detail::rate_limits::frames, in_pass - charged);
    charged = in_pass;
}

/// Whether the channel may deliver more now, or first receive it. If not, it is held from now on.
/// What was received once is not stopped by the rate of bytes.
ASYNCHAT_DECL bool async_chat::rates_allow(bool receives)
{
    detail::channel_rates& rates = *rare_->rates;
    if (rates.is_held)
        return false;
    const bool begins = !decoder_.in_frame() && !decoder_.current().collects_everything();
    rates.need = {receives, begins};
    const loop::time_point now = owner().now();
    const loop::time_point own = rates.own.next(rates.need);
    if (own > now) {
        hold(own, nullptr);
        return false;
    }
    auto* const all = detail::channel_access::rates_of_server(*this);
    const loop::time_point next = all ? all->limits.next(rates.need) : loop::time_point::min();
    const bool is_limited = next > loop::time_point::min();
    if (!is_limited || (next <= now && (rates.has_turn || all->waiting.is_empty())))
        return true;
    hold(next, all);
    return false;
}

/// Stops reading until then; or until it is the turn of this channel, in the queue of its server.
ASYNCHAT_DECL void async_chat::hold(loop::time_point until, detail::server_rates* all)
{
    detail::channel_rates& rates = *rare_->rates;
    const bool is_first = !all || all->waiting.is_empty();
    detail::channel_access::wake_by_rate(owner(), is_first ? *state_ : all->waiting.first().channel,
                                         until); // or throws
    if (all)
        all->waiting.add(rates);
    rates.is_held = true;
    rates.has_turn = false;
    gate_.set(detail::gate::turn_over);
    stop_or_go_on_timing_frame();
}

/// Called at a deadline. If the hold is not over, sets the next one.
ASYNCHAT_DECL bool async_chat::hold_is_over()
{
    const detail::channel_rates& rates = *rare_->rates;
    loop::time_point next = rates.own.next(rates.need);
    if (rates.is_waiting()) {
        const detail::server_rates& all = *detail::channel_access::rates_of_server(*this);
        if (&all.waiting.first() != &rates)
            return false; // it is woken when it is
        next = std::max(next, all.limits.next(rates.need));
    }
    if (next <= owner().now())
        return true;
    detail::channel_access::wake_by_rate(owner(), *state_, next);
    return false;
}

/// Goes on with the unread input, or receives some. What this takes is charged before the next one
/// of the queue is woken.
ASYNCHAT_DECL void async_chat::end_hold()
{
    detail::channel_rates& rates = *rare_->rates;
    if (rates.is_waiting()) {
        detail::channel_access::rates_of_server(*this)->waiting.remove(rates);
        rates.has_turn = true;
    }
    const detail::scope_exit others([this] { detail::channel_access::wake_first_waiting(*this); });
    rates.is_held = false;
    stop_or_go_on_timing_frame();
    note_activity(true);
    deliver_kept(); // which ends gate::turn_over
    if (reading_ || decoder_.has_unread() || !may_receive())
        return;
    reading_ = true;
    const detail::scope_exit done([this] { reading_ = false; });
    handle_read_event();
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
