// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_FAILING_NEW_HPP
#define ASYNCHAT_TESTS_SUPPORT_FAILING_NEW_HPP

#include <cstddef>
#include <cstdlib>
#include <new>

// Makes an allocation fail: for one source file of a program, as it replaces operator new.
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

void* operator new(std::size_t size)
{
    if (support::fails_now())
        throw std::bad_alloc();
    if (void* const memory = std::malloc(size))
        return memory;
    throw std::bad_alloc();
}

// All forms, because a sanitizer has its own of those that are missing.
void* operator new[](std::size_t size)
{
    return ::operator new(size);
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept
{
    return std::malloc(size);
}

void* operator new[](std::size_t size, const std::nothrow_t&) noexcept
{
    return std::malloc(size);
}

// Inlined, they make g++ warn of a free() of what operator new gave.
[[gnu::noinline]] void operator delete(void* memory) noexcept
{
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}

[[gnu::noinline]] void operator delete[](void* memory) noexcept
{
    std::free(memory);
}

[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept
{
    std::free(memory);
}

#endif
