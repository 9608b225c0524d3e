// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_PROXY_LINE_IPP
#define ASYNCHAT_IMPL_PROXY_LINE_IPP

#include <asynchat/detail/proxy_header.hpp>

#include <asynchat/impl/proxy_header.ipp> // the form of a header

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>

// Version 1 of the PROXY protocol: a line of text.

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL proxy_decoder::step proxy_decoder::read_line(std::string_view bytes)
{
    using namespace proxy_format;
    const std::size_t end = bytes.substr(0, max_line).find(line_end);
    if (end == bytes.npos) {
        if (bytes.size() < max_line)
            return {verdict::incomplete, bytes.size()};
        fail("the line does not end within " + std::to_string(max_line) + " bytes");
        return {verdict::malformed, 0};
    }
    fields_.version = 1;
    if (!read_line_fields(bytes.substr(line_start.size(), end - line_start.size())))
        return {verdict::malformed, 0};
    return {verdict::complete, end + line_end.size()};
}

/// Reads what is between "PROXY " and the end of the line.
ASYNCHAT_DECL bool proxy_decoder::read_line_fields(std::string_view line)
{
    using kind = proxy_fields::kind;
    constexpr std::string_view unknown = "UNKNOWN";
    if (line == unknown || line.substr(0, unknown.size() + 1) == "UNKNOWN ")
        return true; // what follows is ignored
    constexpr std::size_t count = 5;
    std::array<std::string_view, count> fields;
    std::size_t found = 0;
    for (std::string_view rest = line;; ++found) {
        const auto space = rest.find(' ');
        if (found == count)
            return fail("there is a sixth field behind \"PROXY\"");
        fields[found] = rest.substr(0, space);
        if (space == rest.npos)
            break;
        rest.remove_prefix(space + 1);
    }
    const bool is_v6 = fields[0] == "TCP6";
    if (!is_v6 && fields[0] != "TCP4")
        return fail("the protocol is not TCP4, TCP6 or UNKNOWN: " + std::string(fields[0]));
    if (found + 1 < count)
        return fail("there are less than two addresses and two ports");
    if (!read_ip(fields[1], is_v6, fields_.source, "source") ||
        !read_ip(fields[2], is_v6, fields_.destination, "destination") ||
        !read_port(fields[3], fields_.source, "source") ||
        !read_port(fields[4], fields_.destination, "destination"))
        return false;
    fields_.family = is_v6 ? kind::ipv6 : kind::ipv4;
    return true;
}

ASYNCHAT_DECL bool proxy_decoder::read_ip(std::string_view text, bool is_v6,
                                          proxy_fields::address& into, const char* which)
{
    char digits[INET6_ADDRSTRLEN] = {};
    const bool fits = text.size() < sizeof digits && text.find('\0') == text.npos;
    if (fits)
        text.copy(digits, text.size());
    if (fits && inet_pton(is_v6 ? AF_INET6 : AF_INET, digits, into.bytes.data()) == 1)
        return true;
    return fail("the " + std::string(which) + " address is not one of " +
                (is_v6 ? "IPv6: " : "IPv4: ") + std::string(text));
}

ASYNCHAT_DECL bool proxy_decoder::read_port(std::string_view text, proxy_fields::address& into,
                                            const char* which)
{
    const bool is_number =
        !text.empty() && text.size() <= 5 && (text.size() == 1 || text.front() != '0') &&
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    unsigned value = 0;
    for (const char c : is_number ? text : std::string_view())
        value = value * 10 + static_cast<unsigned>(c - '0');
    if (!is_number || value > 65535)
        return fail("the " + std::string(which) +
                    " port is not a number from 0 to 65535: " + std::string(text));
    into.port = static_cast<std::uint16_t>(value);
    return true;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
