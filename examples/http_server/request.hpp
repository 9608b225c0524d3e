// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_REQUEST_HPP
#define HTTP_REQUEST_HPP

#include "http_fields.hpp"

#include <asynchat/number.hpp>

#include <cstdint>

// Reads requests: pure functions, which refuse what two programs may understand differently.
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

inline bool is_host(std::string_view text)
{
    constexpr std::string_view marks = ".-_~:[]!$&'()*+,;=%";
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
               marks.find(c) != marks.npos;
    });
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
        if (slash == 0 || !is_host(target.substr(0, slash)))
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

// Where the message ends is what attackers like to have two opinions about. Only a Content-Length
// of digits is accepted, once.
inline problem parse_length(request& into)
{
    const std::size_t lengths = count_of(into.header, "Content-Length");
    if (count_of(into.header, "Transfer-Encoding") > 0) {
        if (lengths > 0 || into.is_1_0)
            return {400, "Transfer-Encoding with Content-Length, or in HTTP/1.0"};
        return {411, "a body needs a Content-Length here"};
    }
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
    if (const auto expectation = value_of(into.header, "Expect"); expectation && !into.is_1_0) {
        if (!same_name(*expectation, "100-continue"))
            return {417, "Expect: only 100-continue"};
        into.awaits_continue = true;
    }
    return {};
}

// Reads all that is before the empty line. The result is complete only without a problem.
inline problem parse_head(std::string_view head, request& into)
{
    if (head.substr(0, 2) == "\r\n") // some clients send a line end too many after a body
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
