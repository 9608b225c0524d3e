// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_RARE_STATE_HPP
#define ASYNCHAT_DETAIL_RARE_STATE_HPP

#include <asynchat/detail/output/water_marks.hpp>
#include <asynchat/detail/timing/deadlines.hpp>
#include <asynchat/error.hpp>
#include <asynchat/transport.hpp>

#include <cstddef>
#include <string>
#include <memory>
#include <system_error>

namespace asynchat::detail {

struct timer_state;

/// Of a connection that is lost: the end to come, and the bytes of output that were dropped.
struct lost_connection {
    asynchat::close_reason reason = close_reason::open;
    std::error_code error;
    std::size_t output = 0;
};

/// What a channel has once it needs it, in one block: limits of its own, a clock that runs, output
/// that waits, the end of a lost connection, timers. An idle channel with the default limits has
/// none.
struct rare_state {
    explicit rare_state(const timeouts& limits) noexcept : clocks(limits) {}

    deadlines clocks;
    output_limits output;
    std::size_t output_left = 0; // bytes that the last event left
    std::size_t stop_over = 0;   // bytes of output at which a channel that reads on stops again
    std::size_t in_flight = 0;   // bytes that the other side had not taken at the last look
    lost_connection lost;
    std::string close_text;        // why the channel ends, where the reason does not say it all
    timer_state* timers = nullptr; // those of the channel; they are not of the connection
    std::unique_ptr<transport_layer> layers; // for when the output before them is sent, or when
                                             // there is a connection

    /// Of another connection: what was set stays.
    void start_anew(deadlines::time_point now) noexcept
    {
        clocks.start_anew(now);
        output_left = stop_over = in_flight = 0;
        lost = {};
        close_text.clear();
        layers.reset();
    }

    /// Whether so much output waits that more of it ends the channel.
    bool output_is_full() const noexcept { return output_left > output.max_bytes; }
};

} // namespace asynchat::detail

#endif
