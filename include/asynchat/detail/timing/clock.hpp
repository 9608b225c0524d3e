// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_CLOCK_HPP
#define ASYNCHAT_DETAIL_TIMING_CLOCK_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/timing/later.hpp>

#include <asio/io_context.hpp>

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

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
