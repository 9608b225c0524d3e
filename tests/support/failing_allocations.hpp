// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_FAILING_ALLOCATIONS_HPP
#define ASYNCHAT_TESTS_SUPPORT_FAILING_ALLOCATIONS_HPP

#include <cstddef>
#include <new>

// Which allocation fails, for any file of a program. One of its files includes failing_new.hpp.
namespace support {

inline constexpr std::size_t never = ~std::size_t{0};
inline std::size_t allocations_to_come = never; // before the one that fails

/// To be asked at each allocation.
inline bool fails_now()
{
    return allocations_to_come != never && allocations_to_come-- == 0; // then it is `never`
}

/// Whether the allocation number `which` of `work` has failed, and that was told.
template <class Work>
bool fails_at(std::size_t which, Work&& work)
{
    allocations_to_come = which;
    try {
        work();
    } catch (const std::bad_alloc&) {
        return true;
    }
    allocations_to_come = never;
    return false;
}

} // namespace support

#endif
