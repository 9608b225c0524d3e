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

/// A lost connection: the reason for the end that follows, and the bytes of output dropped.
struct lost_connection {
    asynchat::close_reason reason = close_reason::open;
    std::error_code error;
    std::size_t output = 0;
};

/// The state that a channel allocates on first use, in one block: changed limits, running clocks,
/// waiting output, the end of a lost connection, timers. An idle channel with the default limits
/// has no such block.
struct rare_state {
    explicit rare_state(const timeouts& limits) noexcept : clocks(limits) {}

    deadlines clocks;
    output_limits output;
    std::size_t output_left = 0; // bytes left by the last event
    std::size_t stop_over = 0;   // bytes of output at which a channel that reads again must stop
    std::size_t in_flight = 0;   // bytes that the peer had not taken at the last check
    lost_connection lost;
    std::string close_text;                  // details of why the channel ends, or empty
    timer_state* timers = nullptr;           // of the channel, not of its connection
    std::unique_ptr<transport_layer> layers; // wait until the output before them is sent, or until
                                             // the channel is connected

    /// Resets the state for a new connection. Settings stay.
    void start_anew(deadlines::time_point now) noexcept
    {
        clocks.start_anew(now);
        output_left = stop_over = in_flight = 0;
        lost = {};
        close_text.clear();
        layers.reset();
    }

    /// Whether further output ends the channel.
    bool output_is_full() const noexcept { return output_left > output.max_bytes; }
};

} // namespace asynchat::detail

#endif
