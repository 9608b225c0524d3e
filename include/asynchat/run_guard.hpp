// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_RUN_GUARD_HPP
#define ASYNCHAT_RUN_GUARD_HPP

#include <asynchat/config.hpp>
#include <asynchat/fwd.hpp>

#include <memory>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {
struct loop_anchor;
} // namespace detail

/// Keeps loop::run() running while it lives, also without a channel. See loop::keep_running().
///
/// Movable. It may be moved to another thread and destroyed there while the loop lives. Functions
/// that the thread posted earlier are called before run() ends. In the loop's thread it may outlive
/// the loop.
class [[nodiscard]] ASYNCHAT_API run_guard {
public:
    /// Keeps nothing running.
    run_guard() = default;
    run_guard(run_guard&&) noexcept = default;
    ASYNCHAT_DECL run_guard& operator=(run_guard&& other) noexcept;
    ASYNCHAT_DECL ~run_guard();

    /// Ends its effect before the object is destroyed. May be called more than once.
    ASYNCHAT_DECL void release() noexcept;

private:
    friend class loop;
    explicit run_guard(const std::shared_ptr<detail::loop_anchor>& loop) noexcept : loop_(loop) {}

    std::weak_ptr<detail::loop_anchor> loop_;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
