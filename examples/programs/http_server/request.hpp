// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_REQUEST_HPP
#define HTTP_REQUEST_HPP

#include "http_fields.hpp"

#include <asynchat/number.hpp>

#include <fmt/format.h>

#include <cstdint>

// Reads requests: pure functions. They refuse what two programs may understand differently.
namespace http {

inline constexpr std::size_t most_target = 8192;      // bytes
inline constexpr std::size_t most_body = 1024 * 1024; // bytes; kept in memory

// The views point into the head that was parsed.
struct request {
    std::string_view method;
    std::string_view target; // as it came, without the host
    std::string path;        // of it, decoded
    std::string_view query;  // of it, not decoded
    fields header;
    std::size_t length = 0; // of the body
    bool is_1_0 = false;
    bool keeps_alive = true;
    bool awaits_continue = false;
};

// Whether it is "host", "host:80", "[::1]:80", or empty.
inline bool is_host(std::string_view text)
{
    const auto consists_of = [](std::string_view part, std::string_view marks, bool letters) {
        return std::all_of(part.begin(), part.end(), [&](char c) {
            return (c >= '0' && c <= '9') || (letters && lower(c) >= 'a' && lower(c) <= 'z') ||
                   marks.find(c) != marks.npos;
        });
    };
    const bool in_brackets = text.substr(0, 1) == "[";
    const std::size_t end = in_brackets ? text.find(']') : 0;
    if (end == text.npos)
        return false;
    const std::size_t colon = std::min(text.find(':', end), text.size());
    const std::string_view name = text.substr(0, colon);
    const std::string_view port = text.substr(std::min(colon + 1, text.size()));
    if (!consists_of(port, "", false))
        return false;
    if (in_brackets)
        return end > 1 && colon == end + 1 && consists_of(name.substr(1, end - 1), ":.", true);
    return consists_of(name, ".-_~!$&'()*+,;=%", true);
}

// "/path?query" or "http://host/path?query".
inline problem parse_target(std::string_view target, request& into)
{
    constexpr std::string_view scheme = "http://";
    if (target.size() > most_target)
        return {414, fmt::format("the target is longer than {} bytes", most_target)};
    if (same_name(target.substr(0, scheme.size()), scheme)) {
        target.remove_prefix(scheme.size());
        const std::size_t slash = std::min(target.find('/'), target.size());
        if (slash == 0 || target.front() == ':' || !is_host(target.substr(0, slash)))
            return {400, "line 1: the host of the target"};
        target.remove_prefix(slash);
    }
    const bool is_visible = std::all_of(target.begin(), target.end(),
                                        [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
    if (target.substr(0, 1) != "/" || !is_visible)
        return {400, "line 1: the target is no path"};
    into.target = target;
    const auto [path, query] = split(target, "?");
    into.query = query;
    auto plain = decoded(path);
    if (!plain)
        return {400, "line 1: a percent sign without two digits, or %00"};
    into.path = std::move(*plain);
    return {};
}

// "GET /path HTTP/1.1": three words and two blanks.
inline problem parse_request_line(std::string_view line, request& into)
{
    const auto [method, rest] = split(line, " ");
    const auto [target, version] = split(rest, " ");
    if (!is_token(method))
        return {400, "line 1: the method"};
    into.method = method;
    const bool is_version = version.size() == 8 && version.substr(0, 5) == "HTTP/" &&
                            asynchat::parse_number(version.substr(5, 1), 9) && version[6] == '.' &&
                            asynchat::parse_number(version.substr(7, 1), 9);
    if (!is_version)
        return {400, "line 1: the version"};
    if (version[5] != '1')
        return {505, "HTTP/1.0 and HTTP/1.1 are spoken here"};
    into.is_1_0 = version[7] == '0';
    return parse_target(target, into);
}

// Refuses every body in chunks. The status says whether its end would be known.
inline problem refuse_coding(const request& asked)
{
    if (count_of(asked.header, "Content-Length") > 0 || asked.is_1_0)
        return {400, "Transfer-Encoding with Content-Length, or in HTTP/1.0"};
    const auto codings = items_of(asked.header, "Transfer-Encoding");
    const auto chunked = [](std::string_view coding) { return same_name(coding, "chunked"); };
    if (std::count_if(codings.begin(), codings.end(), chunked) != 1 || !chunked(codings.back()))
        return {400, "Transfer-Encoding: chunked has to be there once, as the last one"};
    if (codings.size() > 1)
        return {501, "Transfer-Encoding: no other coding is known"};
    return {411, "a body needs a Content-Length here"};
}

// Attackers send requests whose end two programs see differently. So only one Content-Length is
// accepted, and only digits in it.
inline problem parse_length(request& into)
{
    const std::size_t lengths = count_of(into.header, "Content-Length");
    if (count_of(into.header, "Transfer-Encoding") > 0)
        return refuse_coding(into);
    if (lengths > 1)
        return {400, "more than one Content-Length"};
    if (lengths == 0 && into.method == "POST")
        return {411, "POST needs a Content-Length"};
    if (lengths == 0)
        return {};
    const auto text = *value_of(into.header, "Content-Length");
    const auto length = asynchat::parse_number(text, most_body);
    if (length.error() == asynchat::number_error::too_large)
        return {413, fmt::format("the body is longer than {} bytes", most_body)};
    if (!length) {
        return {400, fmt::format("Content-Length: {} at byte {}", to_string(length.error()),
                                 length.position())};
    }
    into.length = *length;
    return {};
}

inline problem parse_options(request& into)
{
    const std::size_t hosts = count_of(into.header, "Host");
    if (hosts > 1 || (hosts == 0 && !into.is_1_0))
        return {400, "one Host is needed"};
    if (hosts == 1 && !is_host(*value_of(into.header, "Host")))
        return {400, "Host: no host"};
    into.keeps_alive = !lists(into.header, "Connection", "close") &&
                       (!into.is_1_0 || lists(into.header, "Connection", "keep-alive"));
    for (const std::string_view expectation : items_of(into.header, "Expect")) {
        if (!into.is_1_0 && !same_name(expectation, "100-continue"))
            return {417, "Expect: only 100-continue"};
        into.awaits_continue = !into.is_1_0;
    }
    return {};
}

// Reads everything before the empty line. The result is complete only if there is no problem.
inline problem parse_head(std::string_view head, request& into)
{
    if (head.substr(0, 2) == "\r\n") // some clients send one more line end after a body
        head.remove_prefix(2);
    const auto [line, lines] = split(head, "\r\n");
    problem wrong = parse_request_line(line, into);
    if (!wrong)
        wrong = parse_fields(lines, into.header);
    if (!wrong)
        wrong = parse_options(into);
    if (!wrong)
        wrong = parse_length(into);
    return wrong;
}

} // namespace http

#endif
