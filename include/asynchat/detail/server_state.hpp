// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_SERVER_STATE_HPP
#define ASYNCHAT_DETAIL_SERVER_STATE_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/channel_rates.hpp>
#include <asynchat/detail/hand_off.hpp>
#include <asynchat/detail/log_limit.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/error.hpp>
#include <asynchat/fwd.hpp>
#include <asynchat/server_counters.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

struct server_state;

/// The connections of a server from one address; their channels point to it.
struct address_slot {
    std::shared_ptr<server_state> server; // while there are channels
    std::optional<std::uint64_t> address; // std::nullopt for a UNIX socket
    std::size_t open = 0;                 // channels that are not closed
    std::size_t lingering = 0;            // connections of closed channels
    std::size_t users = 0;                // channels that point here, closed ones included
};

/// The state that a server shares with its channels; the last owner destroys it.
struct server_state : std::enable_shared_from_this<server_state> {
    server_counters counters;
    dispatcher* listener = nullptr;                // null when it is destroyed
    bool wakes_listener = false;                   // the next close must wake it
    server_log_limit log_limit;                    // of all channels together
    std::unique_ptr<server_rates> rates;           // the same, since one was set
    std::shared_ptr<hand_off> group;               // if one server accepts for several
    hand_off::member* place = nullptr;             // of this one in the group
    std::map<unsigned, proxy_receiver*> receivers; // of PROXY headers, by their numbers

    /// The headers of channels that are not open yet: until handle_open() returns.
    std::map<const dispatcher*, std::shared_ptr<const proxy_header>> proxy_headers;

    /// The key by which connections are counted. For IPv6 it is the /64 network, because one
    /// customer gets a whole /64 and must not pass the limit with many addresses. IPv4 inside IPv6
    /// counts as IPv4. std::nullopt for addresses that do not identify the peer.
    ASYNCHAT_DECL static std::optional<std::uint64_t> address_of(const endpoint& peer);

    ASYNCHAT_DECL std::size_t open_from(std::uint64_t address) const;

    /// A connection is accepted and gets a channel.
    ASYNCHAT_DECL address_slot& enter(std::optional<std::uint64_t> address);

    /// The channel of a connection was closed, or could not be made.
    ASYNCHAT_DECL static void leave(address_slot& slot, close_reason reason) noexcept;

    /// A channel has a handshake before it.
    ASYNCHAT_DECL static void handshake_began(address_slot& slot) noexcept;

    /// A handshake that was counted is complete, or has failed.
    ASYNCHAT_DECL static void handshake_ended(address_slot& slot) noexcept;

    /// A connection has no handler yet: its PROXY header is awaited. Returns the number of the
    /// receiver.
    ASYNCHAT_DECL unsigned header_awaited(proxy_receiver& receiver);

    /// The header is complete, or the connection was closed. May be called again.
    ASYNCHAT_DECL void header_ended(unsigned number) noexcept;

    /// The connection of a closing channel lingers, in a lingerer.
    ASYNCHAT_DECL static void begin_linger(address_slot& slot) noexcept;
    ASYNCHAT_DECL static void end_linger(address_slot& slot) noexcept;

    /// The channel makes no further report.
    ASYNCHAT_DECL static void forget(address_slot& slot) noexcept;

private:
    void wake_listener() noexcept;
    void publish_handshakes() noexcept;

    std::map<std::optional<std::uint64_t>, address_slot>
        slots_; // a tree, not a hash table: peers choose the keys
    unsigned next_receiver_ = 0;
};

} // namespace detail

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which the implementation needs, and includes
#endif
#endif
