// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_TEXT_HPP
#define CHAT_TEXT_HPP

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace chat {

// The text before the first blank, and the text after it.
inline std::pair<std::string_view, std::string_view> split(std::string_view text)
{
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos)
        return {text, ""};
    return {text.substr(0, blank), text.substr(blank + 1)};
}

struct character {
    char32_t code;
    std::size_t size; // bytes
};

// The first character of `text`, which is not empty. Nothing if that is not UTF-8: cut off,
// overlong, a surrogate of UTF-16, or beyond the last character. A less exact terminal would take
// "\xe0\x80\x9b" for the control character that it encodes.
inline std::optional<character> first_character(std::string_view text)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80)
        return character{first, 1};
    const std::size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc0 || first >= 0xf8 || text.size() < size)
        return std::nullopt;
    char32_t code = first & (0xffU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80)
            return std::nullopt;
        code = (code << 6) | (byte(i) & 0x3fU);
    }
    constexpr char32_t least[] = {0x80, 0x800, 0x10000};
    const bool is_half = code >= 0xd800 && code <= 0xdfff;
    if (code < least[size - 2] || is_half || code > 0x10ffff)
        return std::nullopt;
    return character{code, size};
}

// The position of the first bad byte: of a control character, or not UTF-8.
inline std::optional<std::size_t> first_bad_byte(std::string_view text)
{
    for (std::size_t at = 0; at < text.size();) {
        const auto next = first_character(text.substr(at));
        if (!next || next->code < 0x20 || (next->code >= 0x7f && next->code < 0xa0))
            return at;
        at += next->size;
    }
    return std::nullopt;
}

// Characters that change the order of the text around them, end its line, or are invisible. With
// them a member can make a line look like a line of another member.
inline bool misleads(char32_t code)
{
    return (code >= 0x2028 && code <= 0x202e) || // ends of lines and paragraphs; directions
           (code >= 0x2066 && code <= 0x2069) || // directions
           (code >= 0xe0000 && code <= 0xe007f); // tags, which are invisible
}

// A text without bad bytes, as other members get it: "\u{202e}" for a misleading character.
inline std::string shown(std::string_view text)
{
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto next = first_character(text.substr(at)).value();
        if (misleads(next.code))
            out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(next.code));
        else
            out += text.substr(at, next.size);
        at += next.size;
    }
    return out;
}

// Whether two ASCII texts are the same but for capitals.
inline bool same_word(std::string_view a, std::string_view b)
{
    const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return small(x) == small(y); });
}

// Whether a line is the first one of an HTTP request, or its Host. A page in a browser may send
// such a request to any port of its machine, and what follows the header would be obeyed as lines.
inline bool is_http(std::string_view line)
{
    constexpr std::string_view version = " HTTP/1."; // and a digit
    constexpr std::string_view host = "host:";
    if (line.size() > version.size() &&
        line.substr(line.size() - version.size() - 1, version.size()) == version)
        return true;
    return same_word(line.substr(0, host.size()), host);
}

// The same for the names of members and servers, which are words.
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
