// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_DEADLINES_HPP
#define ASYNCHAT_DETAIL_TIMING_DEADLINES_HPP

#include <asynchat/config.hpp>

#include <array>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <optional>

namespace asynchat::detail {

/// How long each thing may take on a channel; zero is for ever.
struct timeouts {
    using duration = std::chrono::steady_clock::duration;

    duration connect = std::chrono::seconds(30);
    duration idle = duration::zero();
    duration frame = duration::zero();
    duration write = std::chrono::seconds(60);
    duration linger = std::chrono::seconds(2);
    duration full = std::chrono::seconds(2);
};

/// Of channels that connect, and of connections that were accepted.
inline constexpr timeouts client_timeouts = {};
inline constexpr timeouts server_timeouts = {client_timeouts.connect, client_timeouts.idle,
                                             std::chrono::seconds(120), client_timeouts.write,
                                             client_timeouts.linger,
                                             // first: the other one would grow to its limit
                                             std::chrono::seconds(1)};

/// The clocks of a channel: how long each thing may take, and since when it goes on.
///
/// Flow: the channel starts and stops the clocks, and has itself woken at next(). Then expired()
/// says which clock has run out, if any, and the channel decides what that means.
///
/// It calls nobody, and asks nobody for the time.
class deadlines {
public:
    using duration = timeouts::duration;
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr time_point never = time_point::max();
    static constexpr duration grace = std::chrono::milliseconds(100);

    /// `close` is a time that was set, the others are measured from their start. `full` is that of
    /// a channel that has stopped reading for its output, of which the other side takes nothing.
    enum class clock : unsigned char { connect, idle, frame, write, full, close };

    /// Some of the clocks: those that count at a moment.
    class clock_set {
    public:
        constexpr void add(clock what) noexcept
        {
            bits_ = static_cast<unsigned char>(bits_ | 1U << index(what));
        }
        constexpr void remove(clock what) noexcept
        {
            bits_ = static_cast<unsigned char>(bits_ & ~(1U << index(what)));
        }
        constexpr bool has(clock what) const noexcept { return ((bits_ >> index(what)) & 1U) != 0; }

    private:
        unsigned char bits_ = 0;
    };

    explicit deadlines(const timeouts& limits) noexcept : limits_(limits) { since_.fill(never); }

    const timeouts& limits() const noexcept { return limits_; }

    /// What runs already is measured from when it began.
    void set_timeout(duration timeouts::*which, duration timeout) noexcept
    {
        assert(timeout >= duration::zero());
        limits_.*which = timeout;
        if (which == &timeouts::frame)
            frame_is_set_ = true;
    }

    /// Measures from now on, whether it ran before or not.
    void start(clock what, time_point now) noexcept
    {
        assert(what != clock::close && now != never);
        since_[index(what)] = now;
        put_off_.remove(what);
        if (what == clock::frame)
            frame_stopped_ = never;
    }
    void stop(clock what) noexcept
    {
        since_[index(what)] = never;
        if (what == clock::frame)
            frame_stopped_ = never;
    }
    bool runs(clock what) const noexcept { return since_[index(what)] != never; }

    /// A clock that has run out gets a tenth of a second more, once since its start: what it waits
    /// for is there, and we are late ourselves. Returns false if it had that before.
    bool put_off(clock what) noexcept
    {
        assert(what != clock::close && runs(what));
        if (put_off_.has(what))
            return false;
        put_off_.add(what);
        return true;
    }

    /// Starts the clock `close`, which runs out at this time.
    void close_at(time_point at) noexcept { since_[index(clock::close)] = at; }

    /// The clock of the frame, which runs, stands still until go_on().
    void stand_still(time_point now) noexcept
    {
        assert(runs(clock::frame) && !stands_still() && now != never);
        frame_stopped_ = now;
    }

    /// The clock of the frame goes on from where it stood.
    ASYNCHAT_DECL void go_on(time_point now) noexcept;
    bool stands_still() const noexcept { return frame_stopped_ != never; }

    /// When a clock runs out; `never` if it does not run, stands still, or nothing bounds it.
    ASYNCHAT_DECL time_point due(clock what) const noexcept;

    /// The first clock of these, in the order in which they are judged, that has run out.
    ASYNCHAT_DECL std::optional<clock> expired(time_point now, clock_set counting) const noexcept;

    /// When the next of these clocks runs out.
    ASYNCHAT_DECL time_point next(clock_set counting) const noexcept;

    /// Of another connection, which connects: what was set stays.
    ASYNCHAT_DECL void start_anew(time_point now) noexcept;

private:
    static constexpr std::size_t index(clock what) noexcept
    {
        return static_cast<std::size_t>(what);
    }

    timeouts limits_;
    // Since when what the timeout bounds goes on; `never` while it does not. The frame's is later
    // by as much as it has stood still. The last one is the time to close at.
    std::array<time_point, 6> since_;
    clock_set put_off_;
    time_point frame_stopped_ = never; // since when the frame's clock stands still
    bool frame_is_set_ = false;        // limits_.frame, by the user; else it is that of the role
};

} // namespace asynchat::detail

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/deadlines.ipp>
#endif
#endif
