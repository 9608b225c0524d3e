// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_STRING_POOL_HPP
#define ASYNCHAT_DETAIL_STRING_POOL_HPP

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace asynchat::detail {

/// Strings whose memory is used again. A loop has one pool for all its channels, so that a channel
/// without a begun frame holds no memory, and beginning one allocates nothing in the steady state.
class string_pool {
public:
    string_pool() { unused_.reserve(max_strings); }

    /// An empty string, if possible with memory.
    std::string take()
    {
        if (unused_.empty())
            return {};
        std::string string = std::move(unused_.back());
        unused_.pop_back();
        return string;
    }

    void give_back(std::string string) noexcept
    {
        if (string.capacity() < min_kept || string.capacity() > max_kept)
            return;
        if (unused_.size() == max_strings)
            return;
        string.clear();
        unused_.push_back(std::move(string)); // within what the constructor reserved
    }

private:
    static constexpr std::size_t min_kept = 64; // bytes; less lies in the string itself
    static constexpr std::size_t max_kept = 256 * 1024;
    static constexpr std::size_t max_strings = 16;

    std::vector<std::string> unused_;
};

/// A string that goes back to its pool.
class lent_string {
public:
    explicit lent_string(string_pool& pool) : lent_string(pool, pool.take()) {}
    lent_string(string_pool& pool, std::string string) noexcept
        : pool_(pool), string_(std::move(string))
    {
    }
    ~lent_string() { pool_.give_back(std::move(string_)); }
    lent_string(const lent_string&) = delete;
    lent_string& operator=(const lent_string&) = delete;

    std::string& operator*() noexcept { return string_; }

private:
    string_pool& pool_;
    std::string string_;
};

} // namespace asynchat::detail

#endif
