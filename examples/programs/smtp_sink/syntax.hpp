// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// What a command of SMTP says, as pure functions.

#ifndef SMTP_SINK_SYNTAX_HPP
#define SMTP_SINK_SYNTAX_HPP

#include <text.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtp {

inline std::string upper(std::string_view text)
{
    std::string result(text);
    for (char& each : result) {
        if (each >= 'a' && each <= 'z')
            each = static_cast<char>(each - 'a' + 'A');
    }
    return result;
}

inline std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

inline bool is_control(char each)
{
    return static_cast<unsigned char>(each) < 0x20 || each == 0x7f;
}

inline bool is_ascii(std::string_view text)
{
    return std::none_of(text.begin(), text.end(),
                        [](char each) { return static_cast<unsigned char>(each) >= 0x80; });
}

inline bool is_utf8(std::string_view text)
{
    while (!text.empty()) {
        const auto first = chat::first_character(text);
        if (!first)
            return false;
        text.remove_prefix(first->size);
    }
    return true;
}

inline bool is_alphanumeric(char each)
{
    return (each >= '0' && each <= '9') || (each >= 'A' && each <= 'Z') ||
           (each >= 'a' && each <= 'z');
}

// A name of a host, or an address in brackets: of EHLO, and behind the @ of a mailbox.
inline bool is_domain(std::string_view text)
{
    if (text.empty() || text.size() > 255)
        return false;
    if (text.front() == '[') {
        const std::string_view inside = text.substr(1, text.size() - 2);
        return text.size() > 2 && text.back() == ']' &&
               std::all_of(inside.begin(), inside.end(), [](char each) {
                   return is_alphanumeric(each) || each == '.' || each == ':' || each == '-';
               });
    }
    const bool is_plain = std::all_of(text.begin(), text.end(), [](char each) {
        return is_alphanumeric(each) || each == '.' || each == '-' || each == '_' ||
               static_cast<unsigned char>(each) >= 0x80;
    });
    return is_plain && text.front() != '.' && text.back() != '.' && text.find("..") == text.npos;
}

// The size of the quoted string that `text` begins with; 0 if it does not end, or has a control
// character.
inline std::size_t size_of_quoted(std::string_view text)
{
    for (std::size_t at = 1; at < text.size() && !is_control(text[at]); ++at) {
        if (text[at] == '"')
            return at + 1;
        if (text[at] == '\\' && ++at < text.size() && is_control(text[at]))
            return 0;
    }
    return 0;
}

// The part in front of the @.
inline bool is_local_part(std::string_view text)
{
    if (text.empty() || text.size() > 64)
        return false;
    if (text.front() == '"')
        return size_of_quoted(text) == text.size();
    return text.find_first_of(" \"(),:;<>@[\\]") == text.npos &&
           std::none_of(text.begin(), text.end(), is_control) && text.front() != '.' &&
           text.back() != '.' && text.find("..") == text.npos;
}

inline bool is_mailbox(std::string_view text)
{
    const std::size_t at = text.rfind('@');
    return at != text.npos && is_local_part(text.substr(0, at)) && is_domain(text.substr(at + 1));
}

struct parameter {
    std::string key; // upper case
    std::string value;
};

// The argument of MAIL and RCPT: "FROM:<ann@example.org> SIZE=1000".
struct path_argument {
    bool is_good = false; // as to its form; the path is not checked yet
    std::string path;     // without the brackets, and without a route
    std::vector<parameter> parameters;
};

// The size of the path that `text` begins with, brackets included; 0 if it does not end. A > in a
// quoted string does not end it.
inline std::size_t size_of_path(std::string_view text)
{
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '>')
            return at + 1;
        if (text[at] == '"') {
            const std::size_t size = size_of_quoted(text.substr(at));
            if (size == 0)
                return 0;
            at += size - 1;
        }
    }
    return 0;
}

// `keyword` is "FROM:" or "TO:".
inline path_argument parse_path(std::string_view argument, std::string_view keyword)
{
    path_argument result;
    if (upper(argument.substr(0, keyword.size())) != keyword)
        return result;
    const std::string_view text = trimmed(argument.substr(keyword.size()));
    const std::size_t size = size_of_path(text);
    if (size == 0 || text.front() != '<')
        return result;
    std::string_view path = text.substr(1, size - 2);
    if (path.substr(0, 1) == "@") { // a route, which is ignored: <@one,@two:ann@example.org>
        path.remove_prefix(std::min(path.find(':'), path.size() - 1) + 1);
        if (path.empty())
            return result;
    }
    result.path = path;
    std::string_view rest = text.substr(size);
    result.is_good = rest.empty() || rest.front() == ' ';
    for (rest = trimmed(rest); !rest.empty(); rest = trimmed(rest)) {
        const std::string_view word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(word.size());
        const std::size_t equals = std::min(word.find('='), word.size());
        result.parameters.push_back({upper(word.substr(0, equals)),
                                     std::string(word.substr(std::min(equals + 1, word.size())))});
    }
    return result;
}

} // namespace smtp

#endif
