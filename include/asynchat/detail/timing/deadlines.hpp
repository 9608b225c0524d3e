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

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The timeouts of a channel; zero means no limit.
struct timeouts {
    using duration = std::chrono::steady_clock::duration;

    duration connect = std::chrono::seconds(30);
    duration idle = duration::zero();
    duration frame = duration::zero();
    duration write = std::chrono::seconds(60);
    duration linger = std::chrono::seconds(2);
    duration full = std::chrono::seconds(2);
    duration handshake = std::chrono::seconds(30);
    duration silence = duration::zero();
};

/// The default timeouts of channels that connect, and of accepted connections.
inline constexpr timeouts client_timeouts = {};
inline constexpr timeouts server_timeouts = {client_timeouts.connect, client_timeouts.idle,
                                             std::chrono::seconds(120), client_timeouts.write,
                                             client_timeouts.linger,
                                             // first: the other side would grow to its limit
                                             std::chrono::seconds(1), std::chrono::seconds(10)};

/// The clocks of a channel: their timeouts and their start times.
///
/// Flow: the channel starts and stops the clocks, and sets its deadline to next(). Then expired()
/// returns the clock that has expired, if any, and the channel decides what to do.
///
/// It makes no callbacks, and gets the time as a parameter.
class deadlines {
public:
    using duration = timeouts::duration;
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr time_point never = time_point::max();
    static constexpr duration grace = std::chrono::milliseconds(100);

    /// `close` expires at a given time, the others are measured from their start. `connect` also
    /// measures the handshake that follows a connect. `full` runs while a channel has stopped
    /// reading because of its output and the peer takes nothing. `silence` runs since the last
    /// input, or since it has expired.
    enum class clock : unsigned char { connect, idle, frame, write, full, silence, close };

    /// A set of clocks: the clocks that count at a moment.
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

    /// Sets the timeouts. Running clocks keep their start.
    void set_timeout(duration timeouts::*which, duration timeout) noexcept
    {
        assert(timeout >= duration::zero());
        limits_.*which = timeout;
        if (which == &timeouts::frame)
            frame_is_set_ = true;
        times_activity_ = limits_.idle > duration::zero() || limits_.silence > duration::zero();
    }

    /// Whether one of the clocks starts anew when something is received or sent.
    bool times_activity() const noexcept { return times_activity_; }

    /// Starts the clock now, or restarts it.
    void start(clock what, time_point now) noexcept
    {
        assert(what != clock::close && now != never);
        since_[index(what)] = now;
        put_off_.remove(what);
        if (what == clock::frame)
            frame_stopped_ = never;
        if (what == clock::connect)
            in_handshake_ = false;
    }

    /// Starts the clock `connect` now, with the timeout of a handshake.
    void start_handshake(time_point now) noexcept
    {
        start(clock::connect, now);
        in_handshake_ = true;
    }
    void stop(clock what) noexcept
    {
        since_[index(what)] = never;
        if (what == clock::frame)
            frame_stopped_ = never;
    }
    bool runs(clock what) const noexcept { return since_[index(what)] != never; }

    /// Input has come: starts the clock `silence` anew.
    void heard(time_point now) noexcept
    {
        start(clock::silence, now);
        heard_at_ = now;
    }
    /// The time since the last input.
    duration silent_for(time_point now) const noexcept
    {
        assert(runs(clock::silence) && now >= heard_at_);
        return now - heard_at_;
    }

    /// Gives an expired clock a tenth of a second more, once since its start: the event that it
    /// waits for is there, and this program is late. Returns false if it had the extra time before.
    bool put_off(clock what) noexcept
    {
        assert(what != clock::close && runs(what));
        if (put_off_.has(what))
            return false;
        put_off_.add(what);
        return true;
    }

    /// Starts the clock `close`, which expires at this time.
    void close_at(time_point at) noexcept { since_[index(clock::close)] = at; }

    /// Stops the running clock of the frame until go_on().
    void stand_still(time_point now) noexcept
    {
        assert(runs(clock::frame) && !stands_still() && now != never);
        frame_stopped_ = now;
    }

    /// Continues the clock of the frame after its stop.
    ASYNCHAT_DECL void go_on(time_point now) noexcept;
    bool stands_still() const noexcept { return frame_stopped_ != never; }

    /// When a clock expires; `never` if it does not run, is stopped, or has no timeout.
    ASYNCHAT_DECL time_point due(clock what) const noexcept;

    /// The first of these clocks that has expired, in the order in which they are checked.
    ASYNCHAT_DECL std::optional<clock> expired(time_point now, clock_set counting) const noexcept;

    /// When the next of these clocks expires.
    ASYNCHAT_DECL time_point next(clock_set counting) const noexcept;

    /// Stops all clocks for a new connection, which connects. The timeouts stay.
    ASYNCHAT_DECL void start_anew(time_point now) noexcept;

private:
    static constexpr std::size_t index(clock what) noexcept
    {
        return static_cast<std::size_t>(what);
    }

    timeouts limits_;
    // The start of each clock; `never` while it does not run. The start of the frame's clock moves
    // by the time for which it was stopped. The last element is the time to close.
    std::array<time_point, 7> since_;
    time_point heard_at_{}; // the last input, while `silence` runs
    clock_set put_off_;
    bool times_activity_ = false;      // limits_.idle or limits_.silence is set
    bool frame_is_set_ = false;        // limits_.frame is set; else it depends on the role
    bool in_handshake_ = false;        // `connect` measures a handshake
    time_point frame_stopped_ = never; // when the frame's clock was stopped
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/deadlines.ipp>
#endif
#endif
