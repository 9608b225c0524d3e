// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_ACCEPT_BACKOFF_HPP
#define ASYNCHAT_DETAIL_IO_ACCEPT_BACKOFF_HPP

#include <asynchat/config.hpp>

#include <cassert>
#include <chrono>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Decides when a listener pauses: after an event in which accept() failed and accepted nothing.
/// The connection stays in the system's queue and the socket stays readable, so without a pause the
/// loop would spin.
class accept_backoff {
public:
    static constexpr std::chrono::milliseconds pause = std::chrono::milliseconds(100);

    accept_backoff() noexcept : failures_(0), accepted_(false), paused_(false) {}

    void event_begins() noexcept { accepted_ = false; }
    void event_ended() noexcept { failures_ = 0; }
    void accepted() noexcept
    {
        accepted_ = true;
        failures_ = 0;
    }

    /// Called after a failed event. Returns whether a pause begins.
    bool event_failed() noexcept
    {
        if (accepted_)
            return false;
        failures_ = failures_ == 0 ? 1 : 2;
        return !paused_;
    }

    /// Whether to log this failure: further failures in a row would repeat the line.
    bool is_worth_telling() const noexcept { return failures_ < 2; }

    void begin_pause() noexcept
    {
        assert(!paused_ && failures_ > 0);
        paused_ = true;
    }
    void end_pause() noexcept { paused_ = false; }
    bool is_paused() const noexcept { return paused_; }

private:
    unsigned char failures_ : 2; // in a row; 2 means 2 or more
    bool accepted_ : 1;          // in this event
    bool paused_ : 1;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
