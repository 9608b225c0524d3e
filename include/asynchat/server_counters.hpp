// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_SERVER_COUNTERS_HPP
#define ASYNCHAT_SERVER_COUNTERS_HPP

#include <asynchat/error.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// Counters of a server since it was made; see server_base::counters().
struct server_counters {
    std::uint64_t accepted = 0;  ///< connections that were given a handler
    std::uint64_t refused = 0;   ///< connections that were closed without a handler, because of a
                                 ///< limit, or of the PROXY header that expect_proxy() wants
    std::size_t open = 0;        ///< accepted connections that are not closed yet
    std::size_t lingering = 0;   ///< closed, but the connection lingers; see linger_timeout()
    std::size_t handshakes = 0;  ///< open, but the handshake of a layer is not complete; and
                                 ///< those without a handler yet, whose PROXY header is awaited
    std::uint64_t bytes_in = 0;  ///< bytes received from their sockets
    std::uint64_t bytes_out = 0; ///< bytes that their sockets took
    std::uint64_t frames = 0;    ///< frames found; counted at the end of each receive

    /// Closed connections; the index is the close_reason. accepted == open + the sum of these.
    std::array<std::uint64_t, close_reason_count> closes_by_reason = {};

    /// The connections that were closed for this reason.
    std::uint64_t closes(close_reason reason) const
    {
        return closes_by_reason.at(static_cast<std::size_t>(reason));
    }

    /// Adds those of another server.
    server_counters& operator+=(const server_counters& other)
    {
        accepted += other.accepted;
        refused += other.refused;
        open += other.open;
        lingering += other.lingering;
        handshakes += other.handshakes;
        bytes_in += other.bytes_in;
        bytes_out += other.bytes_out;
        frames += other.frames;
        std::transform(closes_by_reason.begin(), closes_by_reason.end(),
                       other.closes_by_reason.begin(), closes_by_reason.begin(), std::plus<>());
        return *this;
    }
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
