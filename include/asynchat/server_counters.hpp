// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_SERVER_COUNTERS_HPP
#define ASYNCHAT_SERVER_COUNTERS_HPP

#include <asynchat/error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace asynchat {

/// What a server has seen since it was made; see server_base::counters().
struct server_counters {
    std::uint64_t accepted = 0;  ///< connections that were given a handler
    std::uint64_t refused = 0;   ///< connections that were closed at once, because of a limit
    std::size_t open = 0;        ///< of the accepted ones, those that are not closed yet
    std::size_t lingering = 0;   ///< closed ones whose connections linger; see linger_timeout()
    std::uint64_t bytes_in = 0;  ///< that their sockets delivered
    std::uint64_t bytes_out = 0; ///< that their sockets took
    std::uint64_t frames = 0;    ///< that they found; those of an event are added when it ends

    /// The closed ones by reason, the index: accepted == open + the sum of these.
    std::array<std::uint64_t, close_reason_count> closes_by_reason = {};

    std::uint64_t closes(close_reason reason) const
    {
        return closes_by_reason.at(static_cast<std::size_t>(reason));
    }
};

} // namespace asynchat

#endif
