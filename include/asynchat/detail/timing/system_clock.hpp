// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_SYSTEM_CLOCK_HPP
#define ASYNCHAT_DETAIL_TIMING_SYSTEM_CLOCK_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/timing/clock.hpp>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <memory>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

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
