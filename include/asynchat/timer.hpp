// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TIMER_HPP
#define ASYNCHAT_TIMER_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/timing/timer_state.hpp>
#include <asynchat/fwd.hpp>

#include <memory>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// A handle to a running timer of a loop or of a channel. Dropping the handle does not cancel the
/// timer. See scoped_timer for a timer that ends with its owner, and dispatcher::call_later() for a
/// timer that ends with a channel.
class ASYNCHAT_API timer {
public:
    /// Of no function: there is nothing to cancel.
    timer() = default;

    /// Cancels the timer: its function is not called again. May be called at any time, also in the
    /// function itself, and more than once.
    ASYNCHAT_DECL void cancel();

    /// True until the timer has run or was cancelled; a timer of call_every() runs until cancelled.
    [[nodiscard]] bool active() const noexcept
    {
        const auto state = state_.lock();
        return state && !state->done;
    }

private:
    friend class loop;
    explicit timer(const std::shared_ptr<detail::timer_state>& state) : state_(state) {}

    std::weak_ptr<detail::timer_state> state_;
};

/// Owns a timer: cancels it in the destructor, and when another timer is assigned.
///
///     scoped_timer tick_ = loop.call_every(std::chrono::seconds(1), [this] { ... });
///
/// Movable. It belongs to the loop's thread, and may outlive the loop.
class [[nodiscard]] ASYNCHAT_API scoped_timer {
public:
    /// Of no timer, or of this one.
    scoped_timer() = default;
    scoped_timer(timer owned) noexcept : timer_(std::move(owned)) {}
    scoped_timer(scoped_timer&&) noexcept = default;
    ASYNCHAT_DECL scoped_timer& operator=(scoped_timer&& other);
    ASYNCHAT_DECL ~scoped_timer();

    /// As timer::cancel().
    ASYNCHAT_DECL void cancel();

    /// As timer::active().
    [[nodiscard]] bool active() const noexcept { return timer_.active(); }

private:
    timer timer_;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
