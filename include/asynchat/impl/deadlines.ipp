// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DEADLINES_IPP
#define ASYNCHAT_IMPL_DEADLINES_IPP

#include <asynchat/detail/timing/deadlines.hpp>

#include <asynchat/detail/timing/later.hpp>

#include <algorithm>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The order of the checks: the time of close_when_done() comes first, before the timeouts that
/// depend on the peer.
inline constexpr deadlines::clock judged[] = {deadlines::clock::close,  deadlines::clock::connect,
                                              deadlines::clock::idle,   deadlines::clock::frame,
                                              deadlines::clock::write,  deadlines::clock::full,
                                              deadlines::clock::silence};

ASYNCHAT_DECL void deadlines::go_on(time_point now) noexcept
{
    assert(runs(clock::frame) && stands_still() && now >= frame_stopped_);
    since_[index(clock::frame)] += now - std::exchange(frame_stopped_, never);
}

ASYNCHAT_DECL deadlines::time_point deadlines::due(clock what) const noexcept
{
    const time_point since = since_[index(what)];
    if (what == clock::close || since == never)
        return since;
    constexpr duration timeouts::*timeout_of[] = {&timeouts::connect, &timeouts::idle,
                                                  &timeouts::frame,   &timeouts::write,
                                                  &timeouts::full,    &timeouts::silence};
    const bool is_handshake = what == clock::connect && in_handshake_;
    const duration timeout = is_handshake ? limits_.handshake : limits_.*timeout_of[index(what)];
    if (timeout == duration::zero() || (what == clock::frame && stands_still()))
        return never;
    return later(since, put_off_.has(what) ? timeout + grace : timeout);
}

ASYNCHAT_DECL std::optional<deadlines::clock> deadlines::expired(time_point now,
                                                                 clock_set counting) const noexcept
{
    for (const clock what : judged) {
        if (counting.has(what) && due(what) <= now)
            return what;
    }
    return std::nullopt;
}

ASYNCHAT_DECL deadlines::time_point deadlines::next(clock_set counting) const noexcept
{
    time_point first = never;
    for (const clock what : judged) {
        if (counting.has(what))
            first = std::min(first, due(what));
    }
    return first;
}

ASYNCHAT_DECL void deadlines::start_anew(time_point now) noexcept
{
    const bool was_timed = runs(clock::idle);
    const bool was_heard = runs(clock::silence);
    since_.fill(never);
    put_off_ = {};
    frame_stopped_ = never;
    if (!frame_is_set_)
        limits_.frame = client_timeouts.frame;
    limits_.full = client_timeouts.full;
    if (was_timed)
        start(clock::idle, now);
    if (was_heard)
        heard(now);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
