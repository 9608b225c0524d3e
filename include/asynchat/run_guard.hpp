// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_RUN_GUARD_HPP
#define ASYNCHAT_RUN_GUARD_HPP

#include <asynchat/config.hpp>
#include <asynchat/fwd.hpp>

#include <memory>

namespace asynchat {

namespace detail {
struct loop_anchor;
} // namespace detail

/// Keeps loop::run() running as long as it lives, also while there is no channel; what
/// loop::keep_running() returns.
///
/// Movable. It may be given to another thread and go there, as long as the loop lives: functions
/// that the thread has posted before are called before run() ends. In the loop's thread it may
/// outlive the loop.
class [[nodiscard]] run_guard {
public:
    /// Keeps nothing running.
    run_guard() = default;
    run_guard(run_guard&&) noexcept = default;
    ASYNCHAT_DECL run_guard& operator=(run_guard&& other) noexcept;
    ASYNCHAT_DECL ~run_guard();

    /// Ends it before the object goes. May be called more than once.
    ASYNCHAT_DECL void release() noexcept;

private:
    friend class loop;
    explicit run_guard(const std::shared_ptr<detail::loop_anchor>& loop) noexcept : loop_(loop) {}

    std::weak_ptr<detail::loop_anchor> loop_;
};

} // namespace asynchat

#endif
