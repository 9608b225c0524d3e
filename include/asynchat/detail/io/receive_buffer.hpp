// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_RECEIVE_BUFFER_HPP
#define ASYNCHAT_DETAIL_IO_RECEIVE_BUFFER_HPP

#include <asynchat/config.hpp>

#include <cstddef>
#include <memory>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Memory to receive into. Several are in use only while loops are nested.
struct receive_buffer {
    std::unique_ptr<char[]> memory;
    std::size_t size = 0;

    /// Makes it at least `bytes` large; the content is lost when it has to grow.
    char* reserve(std::size_t bytes)
    {
        if (size < bytes) {
            size = 0;
            memory.reset();                // first, so that there are never two
            memory.reset(new char[bytes]); // not initialized, because it will be written
            size = bytes;
        }
        return memory.get();
    }
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
