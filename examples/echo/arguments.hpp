// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ECHO_ARGUMENTS_HPP
#define ECHO_ARGUMENTS_HPP

#include <charconv>
#include <cstdint>
#include <string_view>

namespace echo {

inline bool parse_port(std::string_view text, std::uint16_t& port)
{
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    return error == std::errc() && stop == end;
}

} // namespace echo

#endif
