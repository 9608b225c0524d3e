// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_FETCH_ANSWER_HPP
#define HTTP_FETCH_ANSWER_HPP

#include "http_fields.hpp"

#include <asynchat/number.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <stdexcept>

// Reads the heads of answers: pure functions. An exception says why the answer, and with it the
// connection, cannot be used.
namespace http {

inline constexpr std::size_t most_bytes = std::size_t{1} << 40; // of a page

// Where the body of an answer ends.
enum class body_end { none, counted, chunked, stream };

// The views point into the head that was parsed.
struct answer {
    int status = 0;
    fields header;
    body_end end = body_end::none;
    std::size_t length = 0;   // of a counted body
    bool keeps_alive = false; // the connection may be used again
};

inline bool has_control(std::string_view text)
{
    return std::any_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\t'; });
}

// "HTTP/1.1 200 OK", also without the words after the number.
inline int parse_status_line(std::string_view line)
{
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const bool is_http = line.size() >= 12 && line.substr(0, 7) == "HTTP/1." && is_digit(line[7]) &&
                         line[8] == ' ' && (line.size() == 12 || line[12] == ' ') &&
                         !has_control(line);
    const auto status = asynchat::parse_number(is_http ? line.substr(9, 3) : "", 999);
    if (!status || *status < 100)
        throw std::runtime_error("no answer of HTTP/1.1: " + asynchat::escaped(line, 60));
    return static_cast<int>(*status);
}

// If two programs disagree about the end of an answer, they disagree about the next answer. So an
// answer is not used if it states its end twice, or in a way that this client does not know.
inline void parse_end(answer& into, bool is_1_0)
{
    const std::size_t lengths = count_of(into.header, "Content-Length");
    const bool is_coded = count_of(into.header, "Transfer-Encoding") > 0;
    if (into.status == 204 || into.status == 304) {
        into.keeps_alive = into.keeps_alive && lengths == 0 && !is_coded; // a body may follow
        return;
    }
    if (is_coded) {
        if (is_1_0 || lengths > 0)
            throw std::runtime_error("Transfer-Encoding with Content-Length, or in HTTP/1.0");
        const auto codings = items_of(into.header, "Transfer-Encoding");
        if (codings.size() != 1 || !same_name(codings.front(), "chunked"))
            throw std::runtime_error("an unknown Transfer-Encoding");
        into.end = body_end::chunked;
    } else if (lengths > 0) {
        const auto bytes =
            asynchat::parse_number(*value_of(into.header, "Content-Length"), most_bytes);
        if (!bytes || lengths > 1)
            throw std::runtime_error("malformed Content-Length");
        into.length = *bytes;
        into.end = *bytes > 0 ? body_end::counted : body_end::none;
    } else {
        into.end = body_end::stream;
        into.keeps_alive = false;
    }
}

// Reads everything before the empty line. For an answer of 1xx, which precedes another one, it sets
// only status and header.
inline answer parse_answer(std::string_view head)
{
    const auto [line, lines] = split(head, "\r\n");
    answer made;
    made.status = parse_status_line(line);
    if (const problem wrong = parse_fields(lines, made.header))
        throw std::runtime_error("malformed answer: " + wrong.reason);
    if (made.status == 101)
        throw std::runtime_error("101, but no other protocol was asked for");
    if (made.status < 200)
        return made;
    const bool is_1_0 = line[7] == '0';
    made.keeps_alive = !lists(made.header, "Connection", "close") &&
                       (!is_1_0 || lists(made.header, "Connection", "keep-alive"));
    parse_end(made, is_1_0);
    return made;
}

// "1A;name=value" -> 26. Skips the text after the semicolon.
inline std::size_t parse_chunk_size(std::string_view line, std::size_t most)
{
    std::string_view digits = split(line, ";").first;
    digits = digits.substr(0, digits.find_last_not_of(" \t") + 1); // some servers add blanks
    const auto size = asynchat::parse_number(digits, most, asynchat::number_base::hexadecimal);
    if (!size)
        throw std::runtime_error(fmt::format("size of a chunk: {} at byte {}",
                                             to_string(size.error()), size.position()));
    if (has_control(line))
        throw std::runtime_error("size of a chunk: a control character behind it");
    return *size;
}

} // namespace http

#endif
