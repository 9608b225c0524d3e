// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_SERVER_STATE_IPP
#define ASYNCHAT_IMPL_SERVER_STATE_IPP

#include <asynchat/detail/server_state.hpp>

#include <asynchat/dispatcher.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace asynchat::detail {

ASYNCHAT_DECL std::optional<std::uint64_t> server_state::address_of(const endpoint& peer)
{
    if (!peer.is_ip())
        return std::nullopt;
    const auto native = peer.native();
    const unsigned char* bytes = nullptr;
    std::size_t count = 8;
    sockaddr_in v4 = {};
    sockaddr_in6 v6 = {};
    if (peer.family() == AF_INET) {
        std::memcpy(&v4, native.data(), sizeof v4);
        bytes = reinterpret_cast<const unsigned char*>(&v4.sin_addr);
        count = 4;
    } else {
        std::memcpy(&v6, native.data(), sizeof v6);
        bytes = v6.sin6_addr.s6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            bytes += 12;
            count = 4;
        }
    }
    std::uint64_t address = count == 4 ? 0xffff : 0; // no IPv6 network begins with 0:ffff
    std::for_each(bytes, bytes + count, [&](unsigned char b) { address = address << 8 | b; });
    return address;
}

ASYNCHAT_DECL std::size_t server_state::open_from(std::uint64_t address) const
{
    const auto found = slots_.find(address);
    return found == slots_.end() ? 0 : found->second.open;
}

ASYNCHAT_DECL address_slot& server_state::enter(std::optional<std::uint64_t> address)
{
    address_slot& slot = slots_[address];
    slot.server = shared_from_this();
    slot.address = address;
    ++slot.open;
    ++slot.users;
    ++counters.accepted;
    ++counters.open;
    return slot;
}

ASYNCHAT_DECL void server_state::leave(address_slot& slot, close_reason reason) noexcept
{
    server_state& server = *slot.server;
    --slot.open;
    --server.counters.open;
    ++server.counters.closes_by_reason[static_cast<std::size_t>(reason)];
    server.wake_listener();
    if (server.place)
        server.group->left(*server.place);
}

ASYNCHAT_DECL void server_state::handshake_began(address_slot& slot) noexcept
{
    ++slot.server->counters.handshakes;
    slot.server->publish_handshakes();
}

ASYNCHAT_DECL void server_state::handshake_ended(address_slot& slot) noexcept
{
    --slot.server->counters.handshakes;
    slot.server->wake_listener();
    slot.server->publish_handshakes();
}

ASYNCHAT_DECL void server_state::publish_handshakes() noexcept
{
    if (!place)
        return;
    place->handshakes = counters.handshakes;
    group->changed();
}

/// If it accepts nothing at present, it looks again.
ASYNCHAT_DECL void server_state::wake_listener() noexcept
{
    if (!listener || !wakes_listener)
        return;
    try {
        channel_access::flush_soon(*listener);
        wakes_listener = false;
    } catch (...) { // no memory: the next one wakes it
    }
}

ASYNCHAT_DECL void server_state::begin_linger(address_slot& slot) noexcept
{
    ++slot.users;
    ++slot.lingering;
    ++slot.server->counters.lingering;
}

ASYNCHAT_DECL void server_state::end_linger(address_slot& slot) noexcept
{
    --slot.lingering;
    --slot.server->counters.lingering;
}

ASYNCHAT_DECL void server_state::forget(address_slot& slot) noexcept
{
    if (--slot.users > 0)
        return;
    const auto server = slot.server; // a copy: the slot may be the last owner
    server->slots_.erase(slot.address);
}

} // namespace asynchat::detail

#endif
