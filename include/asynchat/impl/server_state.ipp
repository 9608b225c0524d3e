// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_SERVER_STATE_IPP
#define ASYNCHAT_IMPL_SERVER_STATE_IPP

#include <asynchat/detail/server_state.hpp>

#include <asynchat/detail/ip_bytes.hpp>
#include <asynchat/dispatcher.hpp>

#include <algorithm>
#include <cassert>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL std::optional<std::uint64_t> server_state::address_of(const endpoint& peer)
{
    if (!peer.is_ip())
        return std::nullopt;
    auto ip = ip_bytes_of(peer);
    ip.unmap();
    const std::size_t count = ip.size == 4 ? 4 : 8;
    std::uint64_t address = ip.size == 4 ? 0xffff : 0; // no IPv6 network begins with 0:ffff
    std::for_each(ip.bytes.begin(), ip.bytes.begin() + count,
                  [&](unsigned char b) { address = address << 8 | b; });
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
    assert(counters.handshakes >= receivers.size());            // which are counted there, too
    place->handshakes = counters.handshakes - receivers.size(); // those may go to any server
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

ASYNCHAT_DECL unsigned server_state::header_awaited(proxy_receiver& receiver)
{
    receivers.emplace(++next_receiver_, &receiver);
    ++counters.handshakes;
    return next_receiver_;
}

ASYNCHAT_DECL void server_state::header_ended(unsigned number) noexcept
{
    if (receivers.erase(number) == 0)
        return;
    --counters.handshakes;
    wake_listener();
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

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
