// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_BOUNDS_HPP
#define ASYNCHAT_DETAIL_TIMING_BOUNDS_HPP

#include <asynchat/error.hpp>

#include <chrono>
#include <cstddef>
#include <system_error>

namespace asynchat::detail {

/// How long each thing may take on a channel; zero is for ever.
struct timeouts {
    using duration = std::chrono::steady_clock::duration;

    duration connect = std::chrono::seconds(30);
    duration idle = duration::zero();
    duration frame = duration::zero();
    duration write = std::chrono::seconds(60);
    duration linger = std::chrono::seconds(2);
};

/// Of channels that connect, and of connections that were accepted.
inline constexpr timeouts client_timeouts = {};
inline constexpr timeouts server_timeouts = {client_timeouts.connect, client_timeouts.idle,
                                             std::chrono::seconds(120), client_timeouts.write,
                                             client_timeouts.linger};

/// Bytes of output that may wait.
struct flow_limits {
    std::size_t high = 262144;  // over it an accepted channel stops reading,
    std::size_t low = 65536;    // until there are no more than these
    std::size_t most = 8388608; // while more than these wait, more output ends the channel
};
inline constexpr flow_limits default_flow = {};

/// What bounds a channel, once it has bounds of its own or something that is bounded in time goes
/// on.
struct bounds {
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr time_point never = time_point::max();

    timeouts limits;
    flow_limits flow;
    bool frame_is_set = false; // limits.frame, by the user; else it is that of the role

    // Since when what the timeout bounds goes on; `never` while it does not.
    time_point connecting = never;
    time_point idle = never;
    time_point in_frame = never; // later by as much as it has stood still
    time_point blocked = never;

    time_point frame_stopped = never; // since when the frame's clock stands still

    // Of close_when_done(); of a lost connection, for one that neither gives input nor ends.
    time_point close_by = never;

    std::size_t left = 0; // bytes of output that the last event left

    // Of a connection that is lost: the end to come, and the bytes of output that were dropped.
    asynchat::close_reason lost_for = close_reason::open;
    std::error_code lost_error;
    std::size_t lost_output = 0;

    /// Of another connection: what was set stays.
    void start_anew(time_point now)
    {
        bounds fresh;
        fresh.limits = limits;
        fresh.flow = flow;
        fresh.frame_is_set = frame_is_set;
        if (!frame_is_set)
            fresh.limits.frame = client_timeouts.frame; // it connects now
        if (idle != never)
            fresh.idle = now;
        *this = fresh;
    }
};

} // namespace asynchat::detail

#endif
