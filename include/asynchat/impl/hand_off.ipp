// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_HAND_OFF_IPP
#define ASYNCHAT_IMPL_HAND_OFF_IPP

#include <asynchat/detail/hand_off.hpp>

#include <asynchat/dispatcher.hpp>

#include <asio/post.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

inline hand_off::member::member(dispatcher& of) noexcept : owner(of.owner()), server(&of) {}

ASYNCHAT_DECL hand_off::member& hand_off::add(dispatcher& server)
{
    return *members_.emplace_back(std::make_unique<member>(server));
}

ASYNCHAT_DECL bool hand_off::is_room_for(std::size_t count) const noexcept
{
    return std::any_of(members_.begin(), members_.end(), [&](const auto& each) {
        count -= std::min(count, each->room());
        return count == 0;
    });
}

ASYNCHAT_DECL bool hand_off::has_room_for(std::size_t count) noexcept
{
    if (is_room_for(count))
        return true;
    waits_ = true;
    return is_room_for(count);
}

ASYNCHAT_DECL void hand_off::changed() noexcept
{
    if (waits_ && waits_.exchange(false) && !wake(*members_.front()))
        waits_ = true; // the next change wakes it
}

/// Makes the server look at its state, in its thread. Returns false without memory for that.
ASYNCHAT_DECL bool hand_off::wake(member& which) noexcept
{
    try {
        channel_access::post(which.owner, [&which] {
            if (which.server && !which.server->closed())
                channel_access::flush_soon(*which.server);
        });
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

ASYNCHAT_DECL hand_off::member* hand_off::choose() noexcept
{
    for (;;) {
        member* best = nullptr;
        for (const auto& each : members_) {
            if (each->room() > 0 && (!best || each->connections < best->connections))
                best = each.get();
        }
        if (!best)
            return nullptr;
        ++best->connections;
        ++best->coming;
        if (!best->stops) // else it may have ended before it was counted
            return best;
        --best->coming;
        --best->connections;
        wake(*best); // it may have seen that one was coming
    }
}

ASYNCHAT_DECL void hand_off::give(member& to, socket&& connection)
{
    try {
        // Not loop::post(), which costs a third more for a loop that may be gone.
        asio::post(to.owner.context(), [this, &to, from = std::move(connection)]() mutable {
            --to.coming;
            if (to.server && !to.server->closed())
                to.take(*to.server, std::move(from));
            else
                left(to);
        });
    } catch (...) {
        --to.coming;
        left(to);
        throw;
    }
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
