// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_FAILING_NEW_HPP
#define ASYNCHAT_TESTS_SUPPORT_FAILING_NEW_HPP

#include "support/failing_allocations.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

// Makes an allocation fail: for one source file of a program, as it replaces operator new.
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
