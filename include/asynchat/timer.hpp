// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TIMER_HPP
#define ASYNCHAT_TIMER_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/timing/timer_state.hpp>
#include <asynchat/fwd.hpp>

#include <memory>

namespace asynchat {

/// A running timer. Dropping it changes nothing; the loop keeps the timer until it has run.
class timer {
public:
    timer() = default;

    /// The function will not be called any more. May be called at any time, also by the function
    /// itself, and more than once.
    ASYNCHAT_DECL void cancel();

    /// True until it has run (never for call_every) or was cancelled.
    bool active() const noexcept
    {
        const auto state = state_.lock();
        return state && !state->done;
    }

private:
    friend class loop;
    explicit timer(const std::shared_ptr<detail::timer_state>& state) : state_(state) {}

    std::weak_ptr<detail::timer_state> state_;
};

} // namespace asynchat

#endif
