// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_SERVER_STATE_HPP
#define ASYNCHAT_DETAIL_SERVER_STATE_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/log_limit.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/error.hpp>
#include <asynchat/server_counters.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

namespace asynchat {

class dispatcher;

namespace detail {

struct server_state;

/// The connections of a server that come from the same address; their channels point to it.
struct address_slot {
    std::shared_ptr<server_state> server; // as long as there are channels
    std::optional<std::uint64_t> address; // none of a UNIX socket
    std::size_t open = 0;                 // channels that are not closed
    std::size_t lingering = 0;            // connections of closed ones
    std::size_t users = 0;                // channels that point here, closed ones included
};

/// What a server shares with the channels it made; whoever goes last takes it along.
struct server_state : std::enable_shared_from_this<server_state> {
    server_counters counters;
    dispatcher* listener = nullptr; // as long as it exists
    bool wakes_listener = false;    // it wants to hear of the next close
    server_log_limit log_limit;     // of the channels together

    /// What connections are counted by, so that nobody gets more by having many addresses: of IPv6
    /// the network of 64 bits, which is what a customer is given; IPv4 within IPv6 is IPv4.
    /// Nothing for addresses that do not tell who is there.
    ASYNCHAT_DECL static std::optional<std::uint64_t> address_of(const endpoint& peer);

    ASYNCHAT_DECL std::size_t open_from(std::uint64_t address) const;

    /// A connection is accepted, and gets a channel.
    ASYNCHAT_DECL address_slot& enter(std::optional<std::uint64_t> address);

    /// The channel of a connection was closed, or could not be made.
    ASYNCHAT_DECL static void leave(address_slot& slot, close_reason reason) noexcept;

    /// The connection of a channel that is being closed lingers, in a channel of its own.
    ASYNCHAT_DECL static void begin_linger(address_slot& slot) noexcept;
    ASYNCHAT_DECL static void end_linger(address_slot& slot) noexcept;

    /// The channel will not report any more.
    ASYNCHAT_DECL static void forget(address_slot& slot) noexcept;

private:
    std::map<std::optional<std::uint64_t>, address_slot>
        slots_; // a tree: who connects chooses the keys
};

} // namespace detail

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp> // which the implementation needs, and includes
#endif
#endif
