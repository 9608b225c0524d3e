// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_MEMORY_HPP
#define ASYNCHAT_TESTS_SUPPORT_MEMORY_HPP

#include "support/loopback.hpp"

#ifdef __GLIBC__
#  include <malloc.h>
#endif

#include <algorithm>
#include <cstddef>

namespace support {

/// Bytes that were allocated and not freed; 0 where that cannot be told.
inline std::size_t memory_in_use()
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    if (!sanitized) {
        const auto info = ::mallinfo2();
        return info.uordblks + info.hblkhd; // the heap, and what was too large for it
    }
#endif
    return 0;
}

/// How much more memory is in use than when this was made, at most of all the times one looked.
class memory_peak {
public:
    void look() { most_ = std::max(most_, memory_in_use()); }
    std::size_t growth() const noexcept { return most_ - before_; }

private:
    std::size_t before_ = memory_in_use();
    std::size_t most_ = before_;
};

} // namespace support

#endif
