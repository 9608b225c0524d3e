// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FRAME_STORE_HPP
#define ASYNCHAT_DETAIL_FRAMING_FRAME_STORE_HPP

#include <asynchat/detail/copy_bytes.hpp>
#include <asynchat/detail/output/string_pool.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace asynchat::detail {

/// The bytes of an incomplete frame, in memory from a pool. Bytes are appended, or received in
/// place over the old content of the memory: setting a large frame to zero would take longer than
/// copying it. Old content is never visible.
class frame_store {
public:
    struct space {
        char* data;
        std::size_t size;
    };

    /// True without bytes and without reserved memory.
    bool is_empty() const noexcept { return bytes_.empty(); }

    /// The number of bytes of the frame.
    std::size_t size() const noexcept
    {
        assert(unfilled_ <= bytes_.size());
        return bytes_.size() - unfilled_;
    }

    /// Takes memory for a frame of which `to_come` bytes are still missing.
    void begin(string_pool& pool, std::size_t to_come)
    {
        assert(is_empty());
        pool.take(bytes_, to_come);
        unfilled_ = static_cast<unsigned>(bytes_.size());
    }

    /// Appends; `to_come` counts the piece.
    void append(std::string_view piece, std::size_t to_come)
    {
        if (piece.size() <= unfilled_) {
            copy_bytes(end(), piece.data(), piece.size());
            unfilled_ -= static_cast<unsigned>(piece.size());
            return;
        }
        drop_unfilled();
        reserve(to_come);
        bytes_ += piece;
    }

    /// Memory for the next bytes of the frame: `max_bytes`, or the part of an earlier space that is
    /// not filled yet.
    space space_for(std::size_t max_bytes, std::size_t to_come)
    {
        if (unfilled_ == 0) {
            reserve(to_come);
            bytes_.resize(bytes_.size() + max_bytes);
            unfilled_ = static_cast<unsigned>(max_bytes);
        }
        return {end(), unfilled_};
    }
    std::size_t unfilled() const noexcept { return unfilled_; }
    void filled(std::size_t bytes) noexcept
    {
        assert(bytes <= unfilled_);
        unfilled_ -= static_cast<unsigned>(bytes);
    }

    /// Whether the bytes no longer belong to a frame, because the terminator was changed.
    bool is_set_aside() const noexcept { return set_aside_; }
    void set_aside(bool on) noexcept { set_aside_ = on; }

    /// Takes the frame out; the store is then empty.
    std::string take()
    {
        set_aside_ = false;
        drop_unfilled();
        std::string frame(std::move(bytes_));
        bytes_.clear();
        return frame;
    }
    void put_back(std::string frame)
    {
        assert(is_empty());
        bytes_ = std::move(frame);
    }

    void clear() noexcept
    {
        std::string().swap(bytes_); // with its memory, which nothing counts
        unfilled_ = 0;
        set_aside_ = false;
    }

    /// As clear(), and gives the memory back, because a too long frame is large.
    void give_back(string_pool& pool) noexcept
    {
        unfilled_ = 0;
        set_aside_ = false;
        pool.give_back(bytes_);
    }

private:
    static constexpr std::size_t max_reserved = std::size_t{1} << 24; // larger frames grow

    char* end() noexcept { return bytes_.data() + size(); }
    void drop_unfilled()
    {
        if (unfilled_ > 0) // most often a call for nothing
            bytes_.resize(bytes_.size() - std::exchange(unfilled_, 0U));
    }
    void reserve(std::size_t to_come)
    {
        if (bytes_.capacity() - bytes_.size() < to_come && to_come <= max_reserved)
            bytes_.reserve(bytes_.size() + to_come);
    }

    std::string bytes_;
    unsigned unfilled_ = 0; // bytes at the end that do not belong to the frame yet
    bool set_aside_ = false;
};

} // namespace asynchat::detail

#endif
