// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_RARE_STATE_HPP
#define ASYNCHAT_DETAIL_RARE_STATE_HPP

#include <asynchat/detail/channel_rates.hpp>
#include <asynchat/detail/channel_watcher.hpp>
#include <asynchat/detail/framing/frame_decoder.hpp>
#include <asynchat/detail/io/accept_backoff.hpp>
#include <asynchat/detail/io/urgent_watch.hpp>
#include <asynchat/detail/log_limit.hpp>
#include <asynchat/detail/output/water_marks.hpp>
#include <asynchat/detail/timing/deadlines.hpp>
#include <asynchat/error.hpp>
#include <asynchat/fwd.hpp>
#include <asynchat/transport.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

struct timer_state;

/// A lost connection: the reason for the end that follows, and the bytes of output dropped.
struct lost_connection {
    asynchat::close_reason reason = close_reason::open;
    std::error_code error;
    std::size_t output = 0;
};

/// The state that a channel allocates on first use, in one block: changed limits, running clocks,
/// waiting output, the end of a connection, timers; and what only connecting and listening channels
/// need. An idle channel with the default limits has no such block.
struct rare_state {
    ASYNCHAT_DECL explicit rare_state(const timeouts& limits) noexcept;
    ASYNCHAT_DECL ~rare_state();
    rare_state(const rare_state&) = delete;
    rare_state& operator=(const rare_state&) = delete;

    deadlines clocks;
    output_limits output;
    std::size_t max_frame = default_max_frame; // while a terminator has a limit of its own
    std::size_t output_left = 0;               // bytes left by the last event
    std::size_t stop_over = 0; // bytes of output at which a channel that reads again must stop
    std::size_t in_flight = 0; // bytes that the peer had not taken at the last check
    lost_connection lost;
    std::error_code error;                   // the system's, of why the channel ends
    std::unique_ptr<std::string> close_text; // details of why the channel ends, or null
    timer_state* timers = nullptr;           // of the channel, not of its connection
    std::unique_ptr<transport_layer> layers; // wait until the output before them is sent, or until
                                             // the channel is connected
    std::unique_ptr<connect_record> connects;
    std::unique_ptr<channel_rates> rates; // if the channel, or its server, has a rate
    std::vector<std::shared_ptr<channel_watcher>> watchers; // until the channel is destroyed
    channel_log_limit log_limit;
    full_output when_full{}; // full_output::by_role
    accept_backoff backoff;
    urgent_watch urgent;
    bool survives_errors = false; // a server that stops stays open for its connections

    /// Resets the state for a new connection. Settings stay.
    void start_anew(deadlines::time_point now) noexcept
    {
        clocks.start_anew(now);
        output_left = stop_over = in_flight = 0;
        lost = {};
        close_text.reset();
        layers.reset();
    }

    std::string noted_text() const { return close_text ? *close_text : std::string(); }

    /// Whether further output ends the channel.
    bool output_is_full() const noexcept { return output_left > output.max_bytes; }
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
