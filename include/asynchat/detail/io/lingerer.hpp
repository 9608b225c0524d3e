// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_LINGERER_HPP
#define ASYNCHAT_DETAIL_IO_LINGERER_HPP

#include <asynchat/detail/io/channel_state.hpp>
#include <asynchat/fifo.hpp>

#include <cassert>
#include <cstddef>
#include <utility>

namespace asynchat::detail {

/// The connections that linger in a loop, oldest first: their channels were closed after all their
/// output was sent. Each has a channel of the library, a lingerer, until the other side ends it.
class lingerer_list {
public:
    /// Of a loop, whatever its servers allow.
    static constexpr std::size_t max_open = 1000;

    std::size_t open() const noexcept { return open_; }
    bool is_full() const noexcept { return open_ >= max_open; }

    /// One begins, and will be adopted by the loop.
    void add(const state_ptr& state) { all_.push(state); }

    /// The loop has adopted one, or one was closed.
    void opened() noexcept { ++open_; }
    void closed() noexcept
    {
        assert(open_ > 0);
        --open_;
    }

    /// Forgets those that are gone, once they are the most.
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
    fifo<state_ptr> all_; // and some that are gone
    std::size_t open_ = 0;
};

} // namespace asynchat::detail

#endif
