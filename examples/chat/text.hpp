// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_TEXT_HPP
#define CHAT_TEXT_HPP

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace chat {

// What is before the first blank, and what is after it.
inline std::pair<std::string_view, std::string_view> split(std::string_view text)
{
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos)
        return {text, ""};
    return {text.substr(0, blank), text.substr(blank + 1)};
}

// Where the first byte is that is no text: a control character, of the terminals of those who read
// it, or not UTF-8.
inline std::optional<std::size_t> first_bad_byte(std::string_view text)
{
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = [&](std::size_t i) {
            return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
        };
        const unsigned first = byte(0);
        const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        bool good = size == 1 ? first >= 0x20 && first != 0x7f : first >= 0xc2 && first < 0xf5;
        for (std::size_t i = 1; i < size; ++i)
            good = good && (byte(i) & 0xc0) == 0x80;
        if (!good || (first == 0xc2 && byte(1) < 0xa0))
            return at;
        at += size;
    }
    return std::nullopt;
}

// The same for names of people and of servers, which are words.
constexpr std::size_t longest_name = 16;

inline std::optional<std::size_t> first_bad_byte_of_name(std::string_view name)
{
    const std::size_t bad = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz"
                                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    if (name.empty())
        return 0;
    if (bad < longest_name)
        return bad;
    return name.size() > longest_name ? std::optional(longest_name) : std::nullopt;
}

} // namespace chat

#endif
