// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMEOUTS_HPP
#define ASYNCHAT_DETAIL_TIMEOUTS_HPP

#include <chrono>

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

/// What a channel keeps of time once it has timeouts of its own, or one of them runs.
struct timing {
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr time_point never = time_point::max();

    timeouts limits;

    // Since when what the timeout bounds goes on; `never` while it does not.
    time_point connecting = never;
    time_point idle = never;
    time_point in_frame = never;
    time_point blocked = never;

    time_point close_by = never; // of close_when_done()
};

} // namespace asynchat::detail

#endif
