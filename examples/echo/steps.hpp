// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ECHO_STEPS_HPP
#define ECHO_STEPS_HPP

#include <asynchat/asynchat.hpp>

#include <fmt/core.h>

#include <cstdio>
#include <string_view>
#include <utility>

namespace echo {

// What the programs send by default: 166 bytes, more than fits into one buffer.
inline constexpr std::string_view lorem_ipsum =
    "Lorem ipsum dolor sit amet, consectetuer adipiscing elit. Donec\n"
    "egestas, enim et consectetuer ullamcorper, lectus ligula rutrum\n"
    "leo, a elementum elit tortor eu quam.\n";

// Both sides use buffers that are too small for it, to show how messages arrive in pieces.
inline constexpr std::size_t buffer_size = 128;

// Prints one step of the conversation, as it happens: "EchoHandler: found_terminator()".
template <class... Args>
void step(std::string_view who, fmt::format_string<Args...> what, Args&&... args)
{
    fmt::print("{:<11}: {}\n", who, fmt::format(what, std::forward<Args>(args)...));
    std::fflush(stdout);
}

} // namespace echo

#endif
