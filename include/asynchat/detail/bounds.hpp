// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_BOUNDS_HPP
#define ASYNCHAT_DETAIL_BOUNDS_HPP

#include <chrono>
#include <cstddef>

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
    std::size_t high = 262144;  // over it the channel stops reading,
    std::size_t low = 65536;    // until there are no more than these
    std::size_t most = 8388608; // over it the channel ends
};
inline constexpr flow_limits default_flow = {};

/// What bounds a channel, once it has bounds of its own or something that is bounded in time goes
/// on.
struct bounds {
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr time_point never = time_point::max();

    timeouts limits;
    flow_limits flow;

    // Since when what the timeout bounds goes on; `never` while it does not.
    time_point connecting = never;
    time_point idle = never;
    time_point in_frame = never;
    time_point blocked = never;

    time_point close_by = never; // of close_when_done()
};

} // namespace asynchat::detail

#endif
