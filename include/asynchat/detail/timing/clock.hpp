// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_CLOCK_HPP
#define ASYNCHAT_DETAIL_TIMING_CLOCK_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/timing/later.hpp>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <memory>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

struct loop_anchor;

/// The time of a loop and how it waits: the interface below its timers.
class clock {
public:
    using time_point = std::chrono::steady_clock::time_point;

    clock() = default;
    clock(const clock&) = delete;
    clock& operator=(const clock&) = delete;
    virtual ~clock() = default; // a pending wake-up has no effect then

    virtual time_point now() const noexcept = 0;

    /// Wakes `owner` in its io_context at `when` or later, never inside the call. Replaces the
    /// previous wake-up; that may still happen if it is due.
    virtual void wake_at(time_point when, const std::weak_ptr<loop_anchor>& owner) = 0;

    /// Cancels the wake-up, so that the io_context has no work for it.
    virtual void cancel() = 0;

    /// Runs handlers of `context` until it is stopped. Returns false when no handler can become
    /// ready any more; the system clock waits instead.
    virtual bool run(asio::io_context& context) = 0;

    /// Runs one handler of `context`, waiting for it until the given time. Returns false when no
    /// handler became ready.
    virtual bool run_one_until(asio::io_context& context, time_point until) = 0;

protected:
    /// The wake-up. Does nothing when the loop is destroyed.
    ASYNCHAT_DECL static void wake(const std::weak_ptr<loop_anchor>& owner);
};

/// The time of std::chrono::steady_clock.
class system_clock final : public clock {
public:
    explicit system_clock(asio::io_context& context) : timer_(context) {}

    time_point now() const noexcept override { return std::chrono::steady_clock::now(); }
    ASYNCHAT_DECL void wake_at(time_point when, const std::weak_ptr<loop_anchor>& owner) override;
    ASYNCHAT_DECL void cancel() override;
    ASYNCHAT_DECL bool run(asio::io_context& context) override;
    ASYNCHAT_DECL bool run_one_until(asio::io_context& context, time_point until) override;

private:
    asio::steady_timer timer_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
