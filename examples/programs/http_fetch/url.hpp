// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_FETCH_URL_HPP
#define HTTP_FETCH_URL_HPP

#include "http_fields.hpp"

#include <asynchat/number.hpp>

#include <fmt/format.h>

#include <cstdint>

// Addresses, and the links of a page: pure functions over text.
namespace http {

struct url {
    std::string host; // without the brackets of IPv6
    std::uint16_t port = 80;
    std::string target;     // path and query, as sent
    bool is_secure = false; // https

    // The host and the port, as in the field Host.
    std::string site() const
    {
        const bool is_ipv6 = host.find(':') != host.npos;
        const std::string name = is_ipv6 ? "[" + host + "]" : host;
        return port == (is_secure ? 443 : 80) ? name : fmt::format("{}:{}", name, port);
    }
    std::string origin() const { return (is_secure ? "https://" : "http://") + site(); }
    std::string to_string() const { return origin() + target; }
};

// "/a/./b/../c" -> "/a/c"; never above the root.
inline std::string without_dots(std::string_view path)
{
    std::string out;
    while (!path.empty()) { // "/segment", again and again
        const std::size_t end = std::min(path.find('/', 1), path.size());
        const std::string_view segment = path.substr(0, end);
        path.remove_prefix(end);
        const bool is_up = segment == "/..";
        if (is_up)
            out.erase(std::min(out.rfind('/'), out.size()));
        if (!is_up && segment != "/.")
            out += segment;
        else if (path.empty())
            out += '/';
    }
    return out;
}

// The path and query of an address. Characters that must not be sent as they are become "%XX".
inline std::string clean_target(std::string_view text)
{
    text = split(text, "#").first;
    const std::size_t query = std::min(text.find('?'), text.size());
    std::string out;
    for (const char c : without_dots(text.substr(0, query)) + std::string(text.substr(query))) {
        if (is_control(c) || static_cast<unsigned char>(c) > 0x7e ||
            std::string_view(" \"<>\\^`{|}").find(c) != std::string_view::npos)
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        else
            out += c;
    }
    return out;
}

// Accepts "http://host" and "https://host:port", also with a path or query; otherwise empty.
inline std::optional<url> parse_url(std::string_view text)
{
    const std::string_view scheme = text.substr(0, text.find(':'));
    url made;
    made.is_secure = same_name(scheme, "https");
    if ((!made.is_secure && !same_name(scheme, "http")) || text.substr(scheme.size(), 3) != "://")
        return std::nullopt;
    made.port = made.is_secure ? 443 : 80;
    text.remove_prefix(scheme.size() + 3);
    const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
    std::string_view host = text.substr(0, end);
    std::string_view port;
    if (host.substr(0, 1) == "[") {
        const std::size_t bracket = host.find(']');
        if (bracket == host.npos)
            return std::nullopt;
        port = host.substr(bracket + 1);
        host = host.substr(1, bracket - 1);
    } else {
        port = host.substr(std::min(host.find(':'), host.size()));
        host.remove_suffix(port.size());
    }
    const bool is_host = std::all_of(host.begin(), host.end(), [](char c) {
        return is_token(std::string_view(&c, 1)) || c == ':'; // a colon was in brackets
    });
    if (host.empty() || !is_host || (!port.empty() && port.front() != ':'))
        return std::nullopt;
    if (port.size() > 1) {
        const auto number = asynchat::parse_number(port.substr(1), 65535);
        if (!number || *number == 0)
            return std::nullopt;
        made.port = static_cast<std::uint16_t>(*number);
    }
    std::transform(host.begin(), host.end(), std::back_inserter(made.host), lower);
    const std::string_view rest = text.substr(end);
    made.target = clean_target(rest.substr(0, 1) == "/" ? rest : "/" + std::string(rest));
    return made;
}

// The address of a link on the page `base`; empty if it is not HTTP.
inline std::optional<url> resolve(const url& base, std::string_view link)
{
    link = split(link, "#").first;
    if (const auto whole = parse_url(link))
        return whole;
    const std::size_t colon = link.find(':');
    if (link.empty() || colon < link.find_first_of("/?")) // "mailto:", "ftp:", "javascript:"
        return std::nullopt;
    if (link.substr(0, 2) == "//")
        return parse_url((base.is_secure ? "https:" : "http:") + std::string(link));
    url made = base;
    const std::string path(split(base.target, "?").first);
    if (link.front() == '/')
        made.target = clean_target(link);
    else if (link.front() == '?')
        made.target = clean_target(path + std::string(link));
    else
        made.target = clean_target(path.substr(0, path.rfind('/') + 1) + std::string(link));
    return made;
}

// "a&amp;b" -> "a&b": only entities that occur in links.
inline std::string without_entities(std::string_view text)
{
    constexpr std::pair<std::string_view, char> known[] = {
        {"&amp;", '&'}, {"&quot;", '"'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&#39;", '\''}};
    std::string out;
    while (!text.empty()) {
        const auto found = std::find_if(std::begin(known), std::end(known), [&](const auto& e) {
            return text.substr(0, e.first.size()) == e.first;
        });
        const bool is_entity = found != std::end(known);
        out += is_entity ? found->second : text.front();
        text.remove_prefix(is_entity ? found->first.size() : 1);
    }
    return out;
}

// The attributes href and src of a page, in order. This is not an HTML parser, but it knows
// comments, scripts and both kinds of quotes.
inline std::vector<std::string> links_of(std::string_view page)
{
    constexpr std::string_view blanks = " \t\r\n\f/";
    std::vector<std::string> links;
    const auto skip_behind = [&](std::string_view what) { page = split(page, what).second; };
    while (!page.empty()) {
        skip_behind("<");
        if (page.substr(0, 3) == "!--") {
            skip_behind("-->");
            continue;
        }
        const std::string_view tag = page.substr(0, page.find_first_of(" \t\r\n\f/>"));
        page.remove_prefix(tag.size());
        while (!page.empty() && page.front() != '>') { // its attributes
            page.remove_prefix(std::min(page.find_first_not_of(blanks), page.size()));
            const std::string_view name = page.substr(0, page.find_first_of(" \t\r\n\f/>="));
            page.remove_prefix(name.size());
            page.remove_prefix(std::min(page.find_first_not_of(" \t\r\n\f"), page.size()));
            if (page.substr(0, 1) != "=")
                continue;
            page.remove_prefix(1);
            page.remove_prefix(std::min(page.find_first_not_of(" \t\r\n\f"), page.size()));
            const bool is_quoted = !page.empty() && (page.front() == '"' || page.front() == '\'');
            const std::string quote = is_quoted ? std::string(1, page.front()) : " \t\r\n\f>";
            page.remove_prefix(is_quoted ? 1 : 0);
            const std::string_view value = page.substr(0, page.find_first_of(quote));
            page.remove_prefix(std::min(value.size() + (is_quoted ? 1 : 0), page.size()));
            if (same_name(name, "href") || same_name(name, "src"))
                links.push_back(without_entities(trimmed(value)));
        }
        for (const std::string_view raw : {"script", "style"}) {
            if (same_name(tag, raw))
                skip_behind("</");
        }
    }
    return links;
}

} // namespace http

#endif
