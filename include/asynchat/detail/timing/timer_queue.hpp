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

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The timers and deadlines of a loop by time, and for equal times in the order of their addition.
/// A binary heap whose elements know their index, so that each can be removed.
///
/// It knows no clock. The deadlines of channels are whole ticks: many share one wake-up.
class timer_queue {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// A timer, or a channel with a deadline. The channel is not owned: it leaves the queue before
    /// its state is destroyed.
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

    /// Larger than the sequence of all elements in the queue, and not larger than of later
    /// elements.
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

    /// The time of the element at an index.
    time_point time_at(unsigned place) const noexcept
    {
        assert(knows_its_place(place));
        return heap_[place].at;
    }

    /// Moves an element to an earlier time.
    ASYNCHAT_DECL void move_earlier(unsigned place, time_point at) noexcept;

    /// Removes an element, and resets its index.
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

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/timer_queue.ipp>
#endif
#endif
