// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_ACCEPT_BACKOFF_HPP
#define ASYNCHAT_DETAIL_IO_ACCEPT_BACKOFF_HPP

#include <cassert>
#include <chrono>

namespace asynchat::detail {

/// When a listener pauses: after an event in which accept() failed and nothing was accepted. The
/// connection stays in the system's queue, and the socket readable: the loop would spin.
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

    /// The event has failed. Returns whether a pause is to begin.
    bool event_failed() noexcept
    {
        if (accepted_)
            return false;
        failures_ = failures_ == 0 ? 1 : 2;
        return !paused_;
    }

    /// Whether the failures of this row are worth a line in the log: the next say the same.
    bool is_worth_telling() const noexcept { return failures_ < 2; }

    void begin_pause() noexcept
    {
        assert(!paused_ && failures_ > 0);
        paused_ = true;
    }
    void end_pause() noexcept { paused_ = false; }
    bool is_paused() const noexcept { return paused_; }

private:
    unsigned char failures_ : 2; // in a row; 2 are as more
    bool accepted_ : 1;          // in this event
    bool paused_ : 1;
};

} // namespace asynchat::detail

#endif
