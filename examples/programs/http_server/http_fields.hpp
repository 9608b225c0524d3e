// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_FIELDS_HPP
#define HTTP_FIELDS_HPP

#include <asynchat/escape.hpp>
#include <asynchat/number.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The header of an HTTP/1.1 message, a request or a response: RFC 9110 and 9112. Pure functions
// over text; the views point into the parsed text.
namespace http {

inline constexpr std::size_t most_fields = 100;

// An error in a message: the status of the answer, and the reason in words.
struct problem {
    int status = 0; // none
    std::string reason;

    explicit operator bool() const noexcept { return status != 0; }
};

struct field {
    std::string_view name;
    std::string_view value;
};
using fields = std::vector<field>;

// Splits at the first `separator`; without one, the second half is empty.
inline std::pair<std::string_view, std::string_view> split(std::string_view text,
                                                           std::string_view separator)
{
    const std::size_t at = text.find(separator);
    if (at == text.npos)
        return {text, {}};
    return {text.substr(0, at), text.substr(at + separator.size())};
}

inline std::string_view trimmed(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == text.npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline bool same_name(std::string_view a, std::string_view b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

inline bool is_token(std::string_view text)
{
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
               marks.find(c) != marks.npos;
    });
}

inline bool is_control(char c)
{
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Reads the lines after the first one, without the empty line at the end. It repairs nothing: it
// refuses a message that two programs may understand differently.
inline problem parse_fields(std::string_view lines, fields& into)
{
    for (int number = 2; !lines.empty(); ++number) {
        const auto [line, rest] = split(lines, "\r\n");
        lines = rest;
        const auto bad = [&, at = number](std::string_view what) {
            return problem{400, fmt::format("line {}: {}", at, what)};
        };
        if (line.find_first_of(" \t") == 0)
            return bad("is folded");
        const std::size_t colon = line.find(':');
        if (colon == line.npos)
            return bad("no colon");
        if (const auto name = line.substr(0, colon); !is_token(name))
            return bad(fmt::format("'{}' is no name", asynchat::escaped(name, 40)));
        for (std::size_t i = colon; i < line.size(); ++i) {
            if (is_control(line[i]) && line[i] != '\t')
                return bad(fmt::format("byte {} is {}", i, asynchat::escaped(line.substr(i, 1))));
        }
        if (into.size() == most_fields)
            return {431, fmt::format("more than {} fields", most_fields)};
        into.push_back({line.substr(0, colon), trimmed(line.substr(colon + 1))});
    }
    return {};
}

inline std::size_t count_of(const fields& in, std::string_view name)
{
    return static_cast<std::size_t>(std::count_if(
        in.begin(), in.end(), [&](const field& f) { return same_name(f.name, name); }));
}

// The value of the first field of that name.
inline std::optional<std::string_view> value_of(const fields& in, std::string_view name)
{
    for (const field& f : in) {
        if (same_name(f.name, name))
            return f.value;
    }
    return std::nullopt;
}

// The list items of all fields of that name, in order: "Connection: keep-alive, upgrade". Skips
// empty items.
inline std::vector<std::string_view> items_of(const fields& in, std::string_view name)
{
    std::vector<std::string_view> items;
    for (const field& f : in) {
        std::string_view left = same_name(f.name, name) ? f.value : std::string_view();
        while (!left.empty()) {
            const auto [item, rest] = split(left, ",");
            if (!trimmed(item).empty())
                items.push_back(trimmed(item));
            left = rest;
        }
    }
    return items;
}

// Whether a field of that name lists that word.
inline bool lists(const fields& in, std::string_view name, std::string_view word)
{
    const auto items = items_of(in, name);
    return std::any_of(items.begin(), items.end(),
                       [&](std::string_view item) { return same_name(item, word); });
}

// "a%20b" -> "a b"; empty if it is malformed or has a NUL. In a form, a plus is a blank.
inline std::optional<std::string> decoded(std::string_view text, bool is_form = false)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            const auto byte = asynchat::parse_number(text.substr(i + 1, 2), 255,
                                                     asynchat::number_base::hexadecimal);
            if (text.size() - i < 3 || !byte || *byte == 0)
                return std::nullopt;
            out += static_cast<char>(*byte);
            i += 2;
        } else {
            out += is_form && text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

} // namespace http

#endif
