// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TIMER_QUEUE_IPP
#define ASYNCHAT_IMPL_TIMER_QUEUE_IPP

#include <asynchat/detail/timing/timer_queue.hpp>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Moves the appended last element to its place.
ASYNCHAT_DECL void timer_queue::added() noexcept
{
    ++next_sequence_;
    rise(std::move(heap_.back()), heap_.size() - 1);
}

ASYNCHAT_DECL void timer_queue::move_earlier(unsigned place, time_point at) noexcept
{
    assert(knows_its_place(place) && at <= heap_[place].at);
    entry what = std::move(heap_[place]);
    what.at = at;
    rise(std::move(what), place);
}

ASYNCHAT_DECL timer_queue::entry timer_queue::remove(unsigned place) noexcept
{
    assert(knows_its_place(place));
    entry gone = std::move(heap_[place]);
    place_of(gone) = not_queued;
    entry last = std::move(heap_.back());
    heap_.pop_back();
    if (place < heap_.size()) {
        if (before(last, gone))
            rise(std::move(last), place);
        else
            sink(std::move(last), place);
    }
    return gone;
}

/// Puts `what` at the free `place` or above it.
ASYNCHAT_DECL void timer_queue::rise(entry what, std::size_t place) noexcept
{
    while (place > 0 && before(what, heap_[(place - 1) / 2])) {
        put(std::move(heap_[(place - 1) / 2]), place);
        place = (place - 1) / 2;
    }
    put(std::move(what), place);
}

/// Puts `what` at the free `place` or below it.
ASYNCHAT_DECL void timer_queue::sink(entry what, std::size_t place) noexcept
{
    for (;;) {
        std::size_t child = 2 * place + 1;
        if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child]))
            ++child;
        if (child >= heap_.size() || before(what, heap_[child]))
            break;
        put(std::move(heap_[child]), place);
        place = child;
    }
    assert(place == 0 || !before(what, heap_[(place - 1) / 2])); // all above it are earlier
    put(std::move(what), place);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
