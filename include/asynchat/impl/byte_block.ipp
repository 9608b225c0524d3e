// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_BYTE_BLOCK_IPP
#define ASYNCHAT_IMPL_BYTE_BLOCK_IPP

#include <asynchat/detail/output/byte_block.hpp>

#include <algorithm>
#include <cstring>
#include <memory>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL void byte_block::grow(std::size_t bytes)
{
    const std::size_t capacity = std::max({size_ + bytes, capacity_ * 2, std::size_t{512}});
    std::unique_ptr<char[]> larger(
        new char[capacity]); // not initialized, because it will be written
    if (size_ > 0)
        std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = stop_ = capacity;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
