// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_MANUAL_CLOCK_HPP
#define ASYNCHAT_TESTS_SUPPORT_MANUAL_CLOCK_HPP

#include <asynchat/loop.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <chrono>
#include <memory>

// A loop whose time goes on when the test says so, and only then.
namespace support {

class manual_clock final : public asynchat::detail::clock {
public:
    time_point now() const noexcept override { return now_; }
    void wake_at(time_point when, const std::weak_ptr<asynchat::detail::loop_anchor>& whom) override
    {
        when_ = when;
        whom_ = whom;
    }
    void cancel() override { when_ = time_point::max(); }
    bool run(asio::io_context& context) override
    {
        context.run();
        return true;
    }
    bool run_one_until(asio::io_context& context, time_point) override
    {
        return context.poll_one() > 0;
    }

    void advance(asio::io_context& context, std::chrono::steady_clock::duration by)
    {
        now_ += by;
        if (now_ < when_)
            return;
        when_ = time_point::max();
        asio::post(context, [whom = whom_] { wake(whom); });
    }

private:
    time_point now_{std::chrono::hours(1)};
    time_point when_ = time_point::max();
    std::weak_ptr<asynchat::detail::loop_anchor> whom_;
};

class manual_loop : public asynchat::loop {
public:
    manual_loop() : manual_loop(std::make_unique<manual_clock>()) {}

    void advance(duration by) { clock_.advance(context(), by); }

private:
    explicit manual_loop(std::unique_ptr<manual_clock> clock)
        : asynchat::loop(std::unique_ptr<asynchat::detail::clock>(clock.get())), clock_(*clock)
    {
        clock.release();
    }

    manual_clock& clock_;
};

} // namespace support

#endif
