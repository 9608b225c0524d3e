// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_WEBSOCKET_HTTP_TEXT_HPP
#define ASYNCHAT_DETAIL_WEBSOCKET_HTTP_TEXT_HPP

#include <asynchat/config.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

// What the head of a request is made of: RFC 9110 and 9112. Pure functions over text.
namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The text before the first `separator`, and the text behind it; without one, all and nothing.
inline std::pair<std::string_view, std::string_view> split_at(std::string_view text,
                                                              std::string_view separator) noexcept
{
    const std::size_t at = std::min(text.find(separator), text.size());
    return {text.substr(0, at), text.substr(std::min(at + separator.size(), text.size()))};
}

inline std::string_view without_blanks(std::string_view text) noexcept
{
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == text.npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

inline char lower_case(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline bool same_word(std::string_view a, std::string_view b) noexcept
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower_case(x) == lower_case(y); });
}

inline bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

inline bool is_letter_or_digit(char c) noexcept
{
    return is_digit(c) || (lower_case(c) >= 'a' && lower_case(c) <= 'z');
}

inline bool is_control(char c) noexcept
{
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// Whether all characters are letters, digits or one of `marks`, and there is at least one.
inline bool consists_of(std::string_view text, std::string_view marks) noexcept
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return is_letter_or_digit(c) || marks.find(c) != marks.npos;
    });
}

inline bool is_token(std::string_view text) noexcept
{
    return consists_of(text, "!#$%&'*+-.^_`|~");
}

/// "host", "host:80", "[::1]:80".
inline bool is_host(std::string_view text) noexcept
{
    return consists_of(text, "-._~!$&'()*+,;=%:[]");
}

/// 16 bytes in base64.
inline bool is_websocket_key(std::string_view text) noexcept
{
    return text.size() == 24 && text.substr(22) == "==" && consists_of(text.substr(0, 22), "+/");
}

/// The words of a status line.
inline std::string_view reason_of(int status) noexcept
{
    switch (status) {
    case 200: return "OK";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    }
    return "Other";
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
