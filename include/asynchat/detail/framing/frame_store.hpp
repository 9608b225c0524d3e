// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_FRAMING_FRAME_STORE_HPP
#define ASYNCHAT_DETAIL_FRAMING_FRAME_STORE_HPP

#include <asynchat/detail/copy_bytes.hpp>
#include <asynchat/detail/output/string_pool.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The bytes of an incomplete frame, in memory from a pool; without a frame a pointer only. Bytes
/// are appended, or received in place over the old content of the memory: setting a large frame to
/// zero would take longer than copying it. Old content is never visible.
class frame_store {
public:
    struct space {
        char* data;
        std::size_t size;
    };

    /// True without a frame, and so without reserved memory.
    bool is_empty() const noexcept { return !frame_; }

    /// The number of bytes of the frame.
    std::size_t size() const noexcept { return frame_ ? size_of(*frame_) : 0; }

    /// Takes memory for a frame of which `to_come` bytes are still missing.
    void begin(string_pool& pool, std::size_t to_come)
    {
        assert(is_empty());
        frame_ = pool.take(to_come);
        frame_->unfilled = static_cast<unsigned>(frame_->bytes.size());
    }

    /// Appends to a frame that has begun; `to_come` counts the piece.
    void append(std::string_view piece, std::size_t to_come)
    {
        begun_frame& frame = *frame_;
        if (piece.size() <= frame.unfilled) {
            copy_bytes(end_of(frame), piece.data(), piece.size());
            frame.unfilled -= static_cast<unsigned>(piece.size());
            return;
        }
        drop_unfilled(frame);
        reserve(frame, to_come);
        frame.bytes += piece;
    }

    /// Memory for the next bytes of the frame: at least `max_bytes`.
    space space_for(std::size_t max_bytes, std::size_t to_come)
    {
        begun_frame& frame = *frame_;
        if (frame.unfilled < max_bytes) {
            reserve(frame, to_come);
            frame.bytes.resize(size_of(frame) + max_bytes);
            frame.unfilled = static_cast<unsigned>(max_bytes);
        }
        return {end_of(frame), frame.unfilled};
    }
    std::size_t unfilled() const noexcept { return frame_ ? frame_->unfilled : 0; }
    void filled(std::size_t bytes) noexcept
    {
        assert(bytes <= unfilled());
        frame_->unfilled -= static_cast<unsigned>(bytes);
    }

    /// Whether the bytes no longer belong to a frame, because the terminator was changed.
    bool is_set_aside() const noexcept { return frame_ && frame_->set_aside; }
    void set_aside(bool on) noexcept { frame_->set_aside = on; }

    /// Takes the frame out; the store is then empty.
    std::string take(string_pool& pool) { return frame_ ? take_out(pool) : std::string(); }
    void put_back(string_pool& pool, std::string bytes)
    {
        begin(pool, 0);
        frame_->bytes = std::move(bytes);
        frame_->unfilled = 0;
    }

    /// Frees the frame, because nothing counts its memory.
    void clear() noexcept { frame_.reset(); }

    /// As clear(), and gives the memory back, because a too long frame is large.
    void give_back(string_pool& pool) noexcept
    {
        if (!frame_)
            return;
        frame_->unfilled = 0;
        pool.give_back(frame_->bytes);
        leave(pool);
    }

private:
    static constexpr std::size_t max_reserved = std::size_t{1} << 24; // larger frames grow

    static std::size_t size_of(const begun_frame& frame) noexcept
    {
        assert(frame.unfilled <= frame.bytes.size());
        return frame.bytes.size() - frame.unfilled;
    }
    static char* end_of(begun_frame& frame) noexcept { return frame.bytes.data() + size_of(frame); }
    static void drop_unfilled(begun_frame& frame)
    {
        if (frame.unfilled > 0) // erase(), because resize() is a call
            frame.bytes.erase(frame.bytes.size() - std::exchange(frame.unfilled, 0U));
    }
    static void reserve(begun_frame& frame, std::size_t to_come)
    {
        const std::size_t size = size_of(frame);
        if (frame.bytes.capacity() - size < to_come && to_come <= max_reserved)
            frame.bytes.reserve(size + to_come);
    }
    std::string take_out(string_pool& pool)
    {
        drop_unfilled(*frame_);
        std::string bytes(std::move(frame_->bytes));
        leave(pool);
        return bytes;
    }
    void leave(string_pool& pool) noexcept
    {
        frame_->set_aside = false;
        pool.give_back(frame_);
    }

    std::unique_ptr<begun_frame> frame_;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
