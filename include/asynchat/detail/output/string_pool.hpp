// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OUTPUT_STRING_POOL_HPP
#define ASYNCHAT_DETAIL_OUTPUT_STRING_POOL_HPP

#include <asynchat/config.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// In bytes. A shorter text needs no memory but that of the string itself.
inline constexpr std::size_t min_pooled_size = 24;

/// A frame that has begun: see frame_store. In the pool, the place for a string.
struct begun_frame {
    std::string bytes;
    unsigned unfilled = 0; // bytes at the end that do not belong to the frame yet
    bool set_aside = false;
    begun_frame* next = nullptr; // in a list of the pool
};

/// Reuses the memory of strings. A loop has one pool for all its channels: a channel without an
/// incomplete frame holds no memory, and a new frame allocates nothing in the steady state.
class string_pool {
public:
    string_pool() { large_.reserve(max_large / max_small_size); }
    string_pool(const string_pool&) = delete;
    string_pool& operator=(const string_pool&) = delete;
    ~string_pool()
    {
        for (begun_frame** const list : {&small_, &empty_}) {
            while (*list)
                unlink(*list);
        }
    }

    /// A frame with memory for `n` bytes, if there is some, but not far more: a slow peer may
    /// occupy it for a long time, and a program may keep it for ever. Its string has its old size
    /// and content.
    std::unique_ptr<begun_frame> take(std::size_t n)
    {
        if (small_ && n <= max_small_size && small_->bytes.capacity() <= largest_for(n))
            return take_small(small_); // the last one fits most often
        return take_other(n);
    }

    /// The same without the frame.
    std::string take_string(std::size_t n)
    {
        auto frame = take(n);
        std::string string(std::move(frame->bytes));
        give_back(frame);
        return string;
    }

    /// Takes a frame whose string was moved out. The pool keeps as many as were begun at a time.
    void give_back(std::unique_ptr<begun_frame>& empty) noexcept
    {
        assert(empty->bytes.empty() && empty->unfilled == 0 && !empty->set_aside);
        link(empty_, std::move(empty));
    }

    /// Takes the memory of a string, which is empty then. The pools never grow: a small string
    /// without a place is freed, and for a large one the oldest ones are. The oldest, because their
    /// memory lies between other strings, where the allocator keeps it for the next string of the
    /// program. Memory at the end of the heap goes to the system, which clears each page of it
    /// again for the next string.
    void give_back(std::string& string) noexcept
    {
        if (empty_ && small_count_ < max_small && is_small(string))
            keep_small(unlink(empty_), string);
        else
            give_back_other(string);
    }

private:
    // In bytes, except max_small.
    static constexpr std::size_t max_tiny_size = 64;
    static constexpr std::size_t max_small_size = 64 * 1024;
    static constexpr std::size_t max_small = 16; // strings
    static constexpr std::size_t max_large = 16 * 1024 * 1024;

    static std::size_t largest_for(std::size_t n) noexcept
    {
        return std::max(max_tiny_size, 4 * n);
    }
    static bool is_small(const std::string& string) noexcept
    {
        return string.capacity() >= min_pooled_size && string.capacity() <= max_small_size;
    }

    /// Takes the first one out of a list that is not empty.
    static std::unique_ptr<begun_frame> unlink(begun_frame*& list) noexcept
    {
        return std::unique_ptr<begun_frame>(std::exchange(list, list->next));
    }
    static void link(begun_frame*& list, std::unique_ptr<begun_frame> frame) noexcept
    {
        frame->next = list;
        list = frame.release();
    }

    std::unique_ptr<begun_frame> take_empty()
    {
        return empty_ ? unlink(empty_) : std::make_unique<begun_frame>();
    }
    std::unique_ptr<begun_frame> take_small(begun_frame*& which) noexcept
    {
        --small_count_;
        return unlink(which);
    }
    // Cold, so that what is done for nearly every message stays short.
    [[gnu::cold]] std::unique_ptr<begun_frame> take_other(std::size_t n)
    {
        if (n > max_small_size)
            return take_large(n);
        for (begun_frame** each = &small_; *each; each = &(*each)->next) {
            if ((*each)->bytes.capacity() <= largest_for(n))
                return take_small(*each);
        }
        return take_empty();
    }
    void keep_small(std::unique_ptr<begun_frame> place, std::string& string) noexcept
    {
        // An assignment is a call, and looks for memory that is to be kept: there is none.
        assert(place->bytes.capacity() < min_pooled_size);
        std::destroy_at(&place->bytes);
        ::new (&place->bytes) std::string(std::move(string));
        link(small_, std::move(place));
        ++small_count_;
    }
    [[gnu::cold]] void give_back_other(std::string& string) noexcept
    {
        const std::size_t size = string.capacity();
        if (size > max_small_size)
            keep_large(string, size);
        else if (size >= min_pooled_size && small_count_ < max_small)
            keep_small_in_new_place(string);
        string.clear();
        if (string.capacity() >= min_pooled_size)
            std::string().swap(string); // it has no place
    }
    void keep_small_in_new_place(std::string& string) noexcept
    {
        try {
            keep_small(take_empty(), string);
        } catch (const std::bad_alloc&) { // then it is freed
        }
    }
    std::unique_ptr<begun_frame> take_large(std::size_t n)
    {
        auto frame = take_empty();
        for (auto each = large_.begin(); each != large_.end(); ++each) {
            if (each->capacity() >= n && each->capacity() / 2 <= n) {
                frame->bytes = std::move(*each);
                forget_large(each, frame->bytes.capacity());
                break;
            }
        }
        return frame;
    }
    void keep_large(std::string& string, std::size_t size) noexcept
    {
        if (size > max_large)
            return;
        while (size > max_large - kept_large_)
            forget_large(large_.begin(), large_.front().capacity());
        kept_large_ += size;
        assert(large_.size() < large_.capacity()); // growing may throw
        large_.push_back(std::move(string));
    }
    void forget_large(std::vector<std::string>::iterator which, std::size_t size) noexcept
    {
        assert(size <= kept_large_);
        kept_large_ -= size;
        large_.erase(which);
    }

    begun_frame* small_ = nullptr; // a list of frames with memory, owned
    std::size_t small_count_ = 0;
    begun_frame* empty_ = nullptr;   // a list of frames without memory, owned
    std::vector<std::string> large_; // the oldest first
    std::size_t kept_large_ = 0;     // bytes
};

/// A string that returns to its pool when it is destroyed.
class pooled_string {
public:
    pooled_string(string_pool& pool, std::string string) noexcept
        : pool_(pool), string_(std::move(string))
    {
    }
    ~pooled_string() { pool_.give_back(string_); }
    pooled_string(const pooled_string&) = delete;
    pooled_string& operator=(const pooled_string&) = delete;

    std::string& operator*() noexcept { return string_; }

private:
    string_pool& pool_;
    std::string string_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
