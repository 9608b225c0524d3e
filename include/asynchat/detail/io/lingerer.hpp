// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_LINGERER_HPP
#define ASYNCHAT_DETAIL_IO_LINGERER_HPP

#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/fifo.hpp>

#include <cassert>
#include <cstddef>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The lingering connections of a loop, oldest first: their channels were closed after all their
/// output was sent. Each has a channel of the library, a lingerer, until the peer ends it.
class lingerer_list {
public:
    /// Largest number in a loop, for all servers together.
    static constexpr std::size_t max_open = 1000;

    std::size_t open() const noexcept { return open_; }
    bool is_full() const noexcept { return open_ >= max_open; }

    /// A linger begins; the loop will adopt its channel.
    void add(const state_ptr& state) { all_.push(state); }

    /// The loop has adopted a lingerer, or a lingerer was closed.
    void opened() noexcept { ++open_; }
    void closed() noexcept
    {
        assert(open_ > 0);
        --open_;
    }

    /// Removes the closed lingerers from the list when they are the majority.
    void tidy()
    {
        if (all_.size() <= 2 * open_ + 64)
            return;
        for (std::size_t left = all_.size(); left > 0 && !all_.is_empty(); --left) {
            auto first = *all_.pop();
            if (first->live())
                all_.push(std::move(first));
        }
    }

    auto begin() const { return all_.begin(); }
    auto end() const { return all_.end(); }

private:
    fifo<state_ptr> all_; // and some closed ones
    std::size_t open_ = 0;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
