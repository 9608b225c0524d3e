// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_HAND_OFF_HPP
#define ASYNCHAT_DETAIL_HAND_OFF_HPP

#include <asynchat/config.hpp>
#include <asynchat/fwd.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The servers of a group of which one accepts for all.
///
/// The numbers are atomic, because the loop that accepts reads those of all loops. They change
/// where a connection, or its handshake, begins and ends, and nowhere else. All accesses are
/// sequentially consistent: whoever changes a number looks at waits_ afterwards, and the acceptor
/// looks at the numbers once more after it has set waits_, so one of the two sees the other.
class hand_off {
public:
    struct member {
        explicit member(dispatcher& of) noexcept;

        /// The connections that may be given to it.
        std::size_t room() const noexcept
        {
            const auto left = [](std::size_t limit, std::size_t used) {
                return limit - std::min(limit, used);
            };
            return stops ? 0
                         : std::min(left(max_connections, connections),
                                    left(max_handshakes, handshakes + coming));
        }

        loop& owner;
        dispatcher* server; // for its own thread; null when it is destroyed
        void (*take)(dispatcher& server, socket&& connection) = nullptr;
        std::atomic<std::size_t> max_connections{0};
        std::atomic<std::size_t> max_handshakes{0};
        std::atomic<bool> stops{false};

        // On a cache line apart: both threads write these for each connection, and only read the
        // others.
        alignas(64) std::atomic<std::size_t> connections{0}; // open, or under way to it
        std::atomic<std::size_t> coming{0};                  // under way to it
        std::atomic<std::size_t> handshakes{0};              // incomplete
    };

    /// Adds a server; the first one accepts. The caller sets the rest of the member.
    ASYNCHAT_DECL member& add(dispatcher& server);

    /// The number of a member has changed: the acceptor looks again, if it waits for that.
    ASYNCHAT_DECL void changed() noexcept;

    /// A connection of a member has ended, or did not come into being.
    void left(member& from) noexcept
    {
        --from.connections;
        changed();
    }

    // --- for the acceptor -----------------------------------------------------------------------

    /// Whether all members together have room for `count` connections. If they do not, the next
    /// changed() wakes the acceptor.
    ASYNCHAT_DECL bool has_room_for(std::size_t count) noexcept;

    /// The member with the fewest connections, with one more that is under way to it; null if all
    /// are full or stop.
    ASYNCHAT_DECL member* choose() noexcept;

    /// Posts a connection to the loop of the member that choose() has returned. The group outlives
    /// what is posted to its loops.
    ASYNCHAT_DECL void give(member& to, socket&& connection);

private:
    bool is_room_for(std::size_t count) const noexcept;
    bool wake(member& which) noexcept;

    std::vector<std::unique_ptr<member>> members_;
    std::atomic<bool> waits_{false}; // the acceptor accepts nothing at present
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which has the implementation
#endif
#endif
