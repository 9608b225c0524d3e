// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_GUARDS_COUNT_ALLOCATIONS_HPP
#define ASYNCHAT_TESTS_GUARDS_COUNT_ALLOCATIONS_HPP

#include "guards/guard.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>

// Counts the allocations of a program: for its only source file, as it replaces operator new.
namespace guards {

inline std::size_t allocations = 0;

inline void* allocate(std::size_t size, std::size_t alignment)
{
    allocations += counting ? 1 : 0;
    void* memory = nullptr;
    if (::posix_memalign(&memory, alignment, size) != 0)
        throw std::bad_alloc();
    return memory;
}

} // namespace guards

// All other forms of new and delete come down to these.
void* operator new(std::size_t size)
{
    return guards::allocate(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment)
{
    return guards::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept
{
    std::free(memory);
}

namespace guards {

/// What a round of a conversation is.
struct talk {
    std::string question;
    std::string answer;       // to each peer
    std::size_t messages = 0; // in a question
    std::string begun = {};   // sent once, before
    std::size_t connections = 16;
    std::size_t speakers = 16; // those who ask
};

/// Compares N rounds with 3 N: `of_user` allocations are made for each message more.
template <class Chat>
void check(guards::report& report, const char* name, const talk& talk, double of_user = 0)
{
    constexpr std::size_t rounds = 20;
    lockstep<Chat> chats(talk.connections);
    for (std::size_t i = 0; i < talk.speakers && !talk.begun.empty(); ++i)
        chats.send(i, talk.begun);
    const auto count = [&](std::size_t n) {
        allocations = 0;
        chats.converse(n, talk.speakers, talk.question, talk.answer);
        return static_cast<double>(allocations);
    };
    count(rounds);
    const double once = count(rounds);
    const double thrice = count(3 * rounds);
    const double more = static_cast<double>(2 * rounds * talk.speakers * talk.messages);
    report.exactly("allocations a message: " + std::string(name), (thrice - once) / more, of_user);
}

} // namespace guards

#endif
