// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A part of dispatcher.hpp, which includes it where the class is complete: the templates.

#ifndef ASYNCHAT_DETAIL_DISPATCHER_INLINE_HPP
#define ASYNCHAT_DETAIL_DISPATCHER_INLINE_HPP

#include <memory>
#include <type_traits>
#include <utility>

namespace asynchat {

template <class F>
timer dispatcher::call_later(loop::duration delay, F f)
{
    static_assert(std::is_invocable_v<F&>, "call_later: the function is called without arguments");
    return start_timer(delay, loop::duration::zero(), std::move(f));
}

template <class F>
timer dispatcher::call_every(loop::duration period, F f)
{
    static_assert(std::is_invocable_v<F&>, "call_every: the function is called without arguments");
    return start_timer(period, loop::require_period(period), std::move(f));
}

template <class T>
handle<T> loop::handle_of(T& channel)
{
    const auto& owner = detail::channel_access::state(channel)->owned;
    if (owner.use_count() == 0)
        return {};
    // Not empty for a closed channel, so that it equals the earlier handles.
    return handle<T>(*this, std::shared_ptr<T>(owner, &channel));
}

template <class T>
template <class F>
void handle<T>::post(F f) const
{
    static_assert(std::is_invocable_v<F&, T&>, "post: the function is called with the channel");
    if (!loop_)
        return;
    loop_->post([channel = channel_, f = std::move(f)]() mutable {
        if (const auto alive = channel.lock())
            detail::channel_access::in_event(*alive, [&] { f(*alive); });
    });
}

} // namespace asynchat

#endif
