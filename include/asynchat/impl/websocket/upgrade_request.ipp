// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_WEBSOCKET_UPGRADE_REQUEST_IPP
#define ASYNCHAT_IMPL_WEBSOCKET_UPGRADE_REQUEST_IPP

#include <asynchat/upgrade_request.hpp>

#include <asynchat/detail/websocket/http_text.hpp>

#include <algorithm>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_DECL upgrade_request::upgrade_request(std::string head) : head_(std::move(head))
{
    parse();
}

ASYNCHAT_DECL std::string_view upgrade_request::query() const noexcept
{
    return detail::split_at(target_, "?").second;
}

ASYNCHAT_DECL std::optional<std::string_view>
upgrade_request::header(std::string_view name) const noexcept
{
    for (const auto& [each, value] : fields_) {
        if (detail::same_word(each, name))
            return value;
    }
    return std::nullopt;
}

ASYNCHAT_DECL std::optional<std::string_view>
upgrade_request::cookie(std::string_view name) const noexcept
{
    for (const auto& [each, value] : fields_) {
        std::string_view left = detail::same_word(each, "Cookie") ? value : std::string_view();
        while (!left.empty()) {
            const auto [pair, rest] = detail::split_at(left, ";");
            const auto [key, content] = detail::split_at(pair, "=");
            if (detail::without_blanks(key) == name)
                return detail::without_blanks(content);
            left = rest;
        }
    }
    return std::nullopt;
}

ASYNCHAT_DECL std::vector<std::string_view> upgrade_request::list(std::string_view name) const
{
    std::vector<std::string_view> items;
    for (const auto& [each, value] : fields_) {
        std::string_view left = detail::same_word(each, name) ? value : std::string_view();
        while (!left.empty()) {
            const auto [item, rest] = detail::split_at(left, ",");
            if (const auto word = detail::without_blanks(item); !word.empty())
                items.push_back(word);
            left = rest;
        }
    }
    return items;
}

ASYNCHAT_DECL std::size_t upgrade_request::count(std::string_view name) const noexcept
{
    return static_cast<std::size_t>(
        std::count_if(fields_.begin(), fields_.end(),
                      [&](const field& each) { return detail::same_word(each.first, name); }));
}

ASYNCHAT_DECL bool upgrade_request::lists(std::string_view name, std::string_view item) const
{
    const auto items = list(name);
    return std::any_of(items.begin(), items.end(),
                       [&](std::string_view each) { return detail::same_word(each, item); });
}

ASYNCHAT_DECL bool upgrade_request::refuse(int status, std::string_view problem)
{
    status_ = status;
    problem_ = problem;
    return false;
}

ASYNCHAT_DECL void upgrade_request::parse()
{
    std::string_view left = head_;
    if (left.substr(0, 2) == "\r\n") // some clients end what they sent before with one more
        left.remove_prefix(2);
    const auto [first, fields] = detail::split_at(left, "\r\n");
    bool is_good = parse_first_line(first);
    for (left = fields; is_good && !left.empty();) {
        const auto [line, rest] = detail::split_at(left, "\r\n");
        is_good = parse_field(line);
        left = rest;
    }
    if (is_good && check_fields() && wants_websocket_ && check_upgrade())
        status_ = 101;
}

/// "GET /path HTTP/1.1": three words and two blanks.
ASYNCHAT_DECL bool upgrade_request::parse_first_line(std::string_view line)
{
    const auto [method, rest] = detail::split_at(line, " ");
    const auto [target, version] = detail::split_at(rest, " ");
    if (!detail::is_token(method))
        return refuse(400, "no method");
    if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || version[6] != '.' ||
        !detail::is_digit(version[5]) || !detail::is_digit(version[7]))
        return refuse(400, "no version of HTTP");
    if (version[5] != '1')
        return refuse(505, "only HTTP/1.1 is spoken here");
    is_1_0_ = version[7] == '0';
    if (method != "GET")
        return refuse(405, "only GET is allowed here");
    return parse_target(target);
}

/// "/path?query", or "http://host/path?query" as for a proxy, where the path may be missing.
ASYNCHAT_DECL bool upgrade_request::parse_target(std::string_view target)
{
    for (const std::string_view scheme : {"http://", "https://", "ws://", "wss://"}) {
        if (detail::same_word(target.substr(0, scheme.size()), scheme)) {
            target.remove_prefix(scheme.size());
            authority_ = target.substr(0, target.find_first_of("/?"));
            target.remove_prefix(authority_.size());
            if (authority_.empty())
                return refuse(400, "the target has no host");
            if (target.empty())
                target = "/";
            break;
        }
    }
    const bool is_visible = std::all_of(target.begin(), target.end(),
                                        [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
    if (target.substr(0, 1) != "/" || !is_visible)
        return refuse(400, "the target is no path");
    target_ = target;
    return true;
}

ASYNCHAT_DECL bool upgrade_request::parse_field(std::string_view line)
{
    const auto [name, value] = detail::split_at(line, ":");
    if (name.size() == line.size() || !detail::is_token(name))
        return refuse(400, "a field without a name"); // or folded, or with a blank before the colon
    if (std::any_of(value.begin(), value.end(),
                    [](char c) { return detail::is_control(c) && c != '\t'; }))
        return refuse(400, "a control character in a field");
    fields_.emplace_back(name, detail::without_blanks(value));
    return true;
}

ASYNCHAT_DECL bool upgrade_request::check_fields()
{
    wants_websocket_ = lists("Upgrade", "websocket");
    const std::size_t hosts = count("Host");
    if (hosts > 1 || (hosts == 0 && !is_1_0_))
        return refuse(400, "one Host is needed");
    if (hosts == 1 && !detail::is_host(host()))
        return refuse(400, "Host is no host");
    if (hosts == 1 && !authority_.empty() && !detail::same_word(authority_, host()))
        return refuse(400, "Host is not the host of the target");
    if (count("Origin") > 1)
        return refuse(400, "more than one Origin");
    const std::size_t lengths = count("Content-Length");
    if (count("Transfer-Encoding") > 0 || lengths > 1 ||
        header("Content-Length").value_or("0") != "0")
        return refuse(400, "a request with a body");
    return true;
}

/// RFC 6455, section 4.2.1.
ASYNCHAT_DECL bool upgrade_request::check_upgrade()
{
    if (is_1_0_)
        return refuse(400, "WebSocket needs HTTP/1.1");
    if (!lists("Connection", "Upgrade"))
        return refuse(400, "Connection does not list Upgrade");
    if (count("Sec-WebSocket-Version") != 1)
        return refuse(400, "one Sec-WebSocket-Version is needed");
    if (header("Sec-WebSocket-Version") != "13")
        return refuse(426, "the version of WebSocket is 13");
    if (count("Sec-WebSocket-Key") != 1 || !detail::is_websocket_key(*header("Sec-WebSocket-Key")))
        return refuse(400, "one Sec-WebSocket-Key of 16 bytes is needed");
    const auto offered = protocols();
    if (!std::all_of(offered.begin(), offered.end(), detail::is_token))
        return refuse(400, "the name of a sub-protocol");
    return true;
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
