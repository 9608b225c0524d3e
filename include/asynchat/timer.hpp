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

/// A running timer of a loop or of a channel. Dropping it changes nothing: the timer goes on until
/// it has run. See scoped_timer for one that ends with its owner, and dispatcher::call_later() for
/// one that ends with a channel.
class timer {
public:
    timer() = default;

    /// The function will not be called any more. May be called at any time, also by the function
    /// itself, and more than once.
    ASYNCHAT_DECL void cancel();

    /// True until it has run (never for call_every) or was cancelled.
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

/// A timer that is cancelled when this object goes, is given another timer, or is moved over.
///
///     scoped_timer tick_ = loop.call_every(std::chrono::seconds(1), [this] { ... });
///
/// Movable. It belongs to the loop's thread, and may outlive the loop.
class [[nodiscard]] scoped_timer {
public:
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

} // namespace asynchat

#endif
