// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_OUTPUT_BYTE_BLOCK_HPP
#define ASYNCHAT_DETAIL_OUTPUT_BYTE_BLOCK_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/copy_bytes.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// A buffer that grows at the end. Nearly every push appends to one; with a std::string each append
/// would be a call into the standard library.
class byte_block {
public:
    std::size_t size() const noexcept { return size_; }
    std::size_t capacity() const noexcept { return capacity_; }
    std::string_view view(std::size_t from = 0) const noexcept
    {
        assert(from <= size_);
        return {bytes_.get() + from, size_ - from};
    }

    void append(std::string_view data)
    {
        if (data.size() > capacity_ - size_)
            grow(data.size());
        add(data);
        stop_ = std::max(stop_, size_);
        assert(stop_ <= capacity_);
    }
    /// As append(), if there is room; stop_at() may make the room smaller.
    bool append_in_room(std::string_view data)
    {
        if (data.size() > stop_ - size_)
            return false;
        add(data);
        return true;
    }
    void stop_at(std::size_t size) noexcept
    {
        assert(size >= size_);
        stop_ = std::min(size, capacity_);
    }
    void clear() noexcept
    {
        size_ = 0;
        stop_ = capacity_;
    }
    void remove_front(std::size_t bytes) noexcept
    {
        assert(bytes <= size_);
        size_ -= bytes;
        std::memmove(bytes_.get(), bytes_.get() + bytes, size_);
    }

private:
    ASYNCHAT_DECL void grow(std::size_t bytes);
    void add(std::string_view data) noexcept
    {
        assert(data.size() <= capacity_ - size_);
        const std::size_t size = size_; // the copy could change size_, for all the compiler knows
        copy_bytes(bytes_.get() + size, data.data(), data.size());
        size_ = size + data.size();
    }

    std::unique_ptr<char[]> bytes_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    std::size_t stop_ = 0; // limit of append_in_room(); at least the size
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/byte_block.ipp>
#endif
#endif
