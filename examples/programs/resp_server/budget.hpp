// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_BUDGET_HPP
#define RESP_BUDGET_HPP

#include <atomic>
#include <cstddef>

namespace resp {

// The memory that all shards together may use.
class budget {
public:
    explicit budget(std::size_t most) noexcept : most_(most) {}

    // In any thread. Takes nothing and returns false when there is not enough.
    bool take(std::size_t bytes) noexcept
    {
        if (used_.fetch_add(bytes) + bytes <= most_)
            return true;
        give_back(bytes);
        return false;
    }
    void give_back(std::size_t bytes) noexcept { used_ -= bytes; }

    std::size_t used() const noexcept { return used_; }
    std::size_t most() const noexcept { return most_; }

private:
    std::atomic<std::size_t> used_{0};
    const std::size_t most_;
};

} // namespace resp

#endif
