// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_RESPONSE_HPP
#define HTTP_RESPONSE_HPP

#include "http_fields.hpp"

#include <asynchat/number.hpp>
#include <asynchat/producer.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <memory>

namespace http {

inline std::string_view reason_of(int status)
{
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 426: return "Upgrade Required";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    }
    return "Unknown";
}

// An answer. Its body is ready, or a producer makes it while it is sent.
struct response {
    int status = 200;
    std::string type = "text/plain; charset=utf-8";
    std::string header; // more fields: "Allow: GET\r\n"
    std::string body;
    std::unique_ptr<asynchat::producer> source;
    std::optional<std::uint64_t> source_length; // empty: not known yet, sent in chunks
    bool becomes_tunnel = false;                // no HTTP follows
};

inline response text_response(int status, std::string_view text, std::string header = {})
{
    response made;
    made.status = status;
    made.header = std::move(header);
    made.body = fmt::format("{} {}: {}\n", status, reason_of(status), text);
    return made;
}

inline response moved(int status, std::string_view to)
{
    return text_response(status, to, fmt::format("Location: {}\r\n", to));
}

// The part of a file that "bytes=0-99", "bytes=100-" or "bytes=-100" means.
struct byte_range {
    std::uint64_t first = 0;
    std::uint64_t length = 0; // 0: there is no such part
};

// Empty for everything but a single range: there the whole file is a correct answer.
inline std::optional<byte_range> parse_range(std::string_view text, std::uint64_t size)
{
    constexpr std::string_view unit = "bytes=";
    if (!same_name(text.substr(0, unit.size()), unit))
        return std::nullopt;
    text = trimmed(text.substr(unit.size()));
    const std::size_t dash = text.find('-');
    if (dash == text.npos)
        return std::nullopt;
    constexpr std::size_t any = std::numeric_limits<std::size_t>::max();
    const auto first = asynchat::parse_number(text.substr(0, dash), any);
    const auto last = asynchat::parse_number(text.substr(dash + 1), any);
    const bool is_open = dash + 1 == text.size();
    if (dash == 0 && last) {
        const auto length = std::min<std::uint64_t>(*last, size);
        return byte_range{size - length, length};
    }
    if (!first || (!last && !is_open) || (last && *last < *first))
        return std::nullopt;
    if (*first >= size)
        return byte_range{};
    const auto end = is_open ? size - 1 : std::min<std::uint64_t>(*last, size - 1);
    return byte_range{*first, end - *first + 1};
}

// Puts the output of another producer into chunks.
class chunked_producer : public asynchat::producer {
public:
    explicit chunked_producer(std::unique_ptr<asynchat::producer> source)
        : source_(std::move(source))
    {
    }

    std::string_view more() override
    {
        if (!source_)
            return {};
        const std::string_view piece = source_->more();
        chunk_ = fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
        if (piece.empty()) // then "0\r\n\r\n" is the last chunk
            source_.reset();
        return chunk_;
    }

private:
    std::unique_ptr<asynchat::producer> source_;
    std::string chunk_;
};

} // namespace http

#endif
