// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TIMING_TIMER_QUEUE_HPP
#define ASYNCHAT_DETAIL_TIMING_TIMER_QUEUE_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/detail/timing/timer_state.hpp>

#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace asynchat::detail {

/// What a loop has to do, by time; at the same time in the order in which it was asked for. A
/// binary heap whose elements know their place, so that each can be taken out.
///
/// Floor 1: it knows no clock. All times of channels are whole ticks: many share one wake-up.
class timer_queue {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// A timer, or a channel to be looked at. The channel is not owned: it leaves the queue before
    /// its state goes.
    struct entry {
        time_point at;
        std::uint64_t sequence;
        std::shared_ptr<timer_state> timer;
        channel_state* channel;
    };

    bool empty() const noexcept { return heap_.empty(); }
    const entry& first() const noexcept
    {
        assert(!empty());
        return heap_.front();
    }

    /// Larger than the sequence of all that is in the queue, not larger than of what will be added.
    std::uint64_t next_sequence() const noexcept { return next_sequence_; }

    void add(time_point at, std::shared_ptr<timer_state> timer)
    {
        assert(timer->heap_index == not_queued);
        heap_.push_back({at, next_sequence_, std::move(timer), nullptr});
        added();
    }
    void add(time_point at, channel_state& channel)
    {
        assert(channel.heap_index == not_queued); // a channel has one deadline
        heap_.push_back({at, next_sequence_, nullptr, &channel});
        added();
    }

    /// The time of an element, by its place.
    time_point time_at(unsigned place) const noexcept
    {
        assert(knows_its_place(place));
        return heap_[place].at;
    }

    /// Moves an element to an earlier time.
    ASYNCHAT_DECL void move_earlier(unsigned place, time_point at) noexcept;

    /// Takes an element out, and forgets its place.
    ASYNCHAT_DECL entry remove(unsigned place) noexcept;
    entry pop() noexcept { return remove(0); }

private:
    static bool before(const entry& a, const entry& b) noexcept
    {
        return a.at != b.at ? a.at < b.at : a.sequence < b.sequence;
    }
    bool knows_its_place(std::size_t place) const noexcept
    {
        return place < heap_.size() && place_of(heap_[place]) == place;
    }
    static unsigned& place_of(const entry& what) noexcept
    {
        return what.timer ? what.timer->heap_index : what.channel->heap_index;
    }
    void put(entry what, std::size_t place) noexcept
    {
        place_of(what) = static_cast<unsigned>(place);
        heap_[place] = std::move(what);
    }
    ASYNCHAT_DECL void added() noexcept;
    ASYNCHAT_DECL void rise(entry what, std::size_t place) noexcept;
    ASYNCHAT_DECL void sink(entry what, std::size_t place) noexcept;

    std::vector<entry> heap_;
    std::uint64_t next_sequence_ = 0;
};

} // namespace asynchat::detail

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/timer_queue.ipp>
#endif
#endif
