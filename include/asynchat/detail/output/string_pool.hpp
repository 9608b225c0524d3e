// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OUTPUT_STRING_POOL_HPP
#define ASYNCHAT_DETAIL_OUTPUT_STRING_POOL_HPP

#include <cassert>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace asynchat::detail {

/// In bytes. Smaller strings need no memory, or it is not worth keeping.
inline constexpr std::size_t min_pooled_size = 64;

/// Reuses the memory of strings. A loop has one pool for all its channels: a channel without an
/// incomplete frame holds no memory, and a new frame allocates nothing in the steady state.
class string_pool {
public:
    string_pool()
    {
        small_.reserve(max_small);
        large_.reserve(max_large / max_small_size);
    }

    /// A string, if possible with memory for `n` bytes, but not with far more: a slow peer may
    /// occupy it for a long time. A small string is empty; a large one has its old size and
    /// content.
    std::string take(std::size_t n)
    {
        if (n > max_small_size)
            return take_large(n);
        if (small_.empty())
            return {};
        std::string string = std::move(small_.back());
        small_.pop_back();
        assert(string.empty());
        return string;
    }

    /// Takes a string back. The pools never grow: a string without a place is freed.
    void give_back(std::string string) noexcept
    {
        const std::size_t size = string.capacity();
        if (size > max_small_size) {
            if (size > max_large - kept_large_)
                return;
            kept_large_ += size;
            assert(large_.size() < large_.capacity()); // growing may throw
            large_.push_back(std::move(string));
        } else if (size >= min_pooled_size && small_.size() < max_small) {
            string.clear();
            assert(small_.size() < small_.capacity());
            small_.push_back(std::move(string));
        }
    }

private:
    // In bytes, except max_small.
    static constexpr std::size_t max_small_size = 64 * 1024;
    static constexpr std::size_t max_small = 16; // strings
    static constexpr std::size_t max_large = 4 * 1024 * 1024;

    std::string take_large(std::size_t n)
    {
        for (std::string& each : large_) {
            const std::size_t size = each.capacity();
            if (size < n || size / 2 > n)
                continue;
            std::string string = std::move(each);
            assert(size <= kept_large_);
            kept_large_ -= size;
            if (&each != &large_.back())
                each = std::move(large_.back());
            large_.pop_back();
            return string;
        }
        return {};
    }

    std::vector<std::string> small_;
    std::vector<std::string> large_;
    std::size_t kept_large_ = 0; // bytes
};

/// A string that returns to its pool when it is destroyed.
class pooled_string {
public:
    explicit pooled_string(string_pool& pool) : pooled_string(pool, pool.take(0)) {}
    pooled_string(string_pool& pool, std::string string) noexcept
        : pool_(pool), string_(std::move(string))
    {
    }
    ~pooled_string() { pool_.give_back(std::move(string_)); }
    pooled_string(const pooled_string&) = delete;
    pooled_string& operator=(const pooled_string&) = delete;

    std::string& operator*() noexcept { return string_; }

private:
    string_pool& pool_;
    std::string string_;
};

} // namespace asynchat::detail

#endif
