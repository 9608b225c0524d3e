// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Who may see the monitor: pure functions.

#ifndef MONITOR_ACCESS_HPP
#define MONITOR_ACCESS_HPP

#include <request.hpp>

#include <asynchat/address_range.hpp>
#include <asynchat/endpoint.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace monitor {

inline std::string base64(std::string_view text)
{
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    for (std::size_t at = 0; at < text.size(); at += 3) {
        std::uint32_t bits = 0;
        for (std::size_t i = at; i < at + 3; ++i)
            bits = (bits << 8) | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0U);
        const std::size_t count = std::min<std::size_t>(text.size() - at, 3) + 1;
        for (std::size_t i = 0; i < 4; ++i)
            result += i < count ? digits[(bits >> (18 - 6 * i)) & 63U] : '=';
    }
    return result;
}

// Takes the same time wherever the first difference is.
inline bool is_same_secret(std::string_view a, std::string_view b)
{
    unsigned different = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
        different |= static_cast<unsigned>(a[i] ^ b[i]);
    return different == 0;
}

// Of this machine only.
inline bool is_loopback(const asynchat::endpoint& where)
{
    static const asynchat::address_range here[] = {"127.0.0.0/8", "::1", "unix:"};
    return std::any_of(std::begin(here), std::end(here),
                       [&](const asynchat::address_range& each) { return each.contains(where); });
}

// A page of another site could have the browser ask a name of its own that leads to 127.0.0.1, and
// read the answer. An address in digits, or localhost, cannot be such a name.
inline bool is_local_host(std::string_view host)
{
    const std::string_view name = host.substr(
        0, host.substr(0, 1) == "[" ? host.find(']') + 1 : std::min(host.find(':'), host.size()));
    return http::same_name(name, "localhost") || name.substr(0, 1) == "[" ||
           name.find_first_not_of("0123456789.") == name.npos;
}

// Without a token everybody on this machine may look; so it may only listen there.
class access {
public:
    access(const asynchat::endpoint& where, std::string token)
        : token_(std::move(token)), basic_(base64("monitor:" + token_)),
          needs_token_(!token_.empty())
    {
        if (!needs_token_ && !is_loopback(where))
            throw std::invalid_argument(fmt::format(
                "monitor: {} is not on this machine only: it needs a token", where.to_string()));
    }

    // The status of a refusal, or 0. Prometheus sends a bearer token, or a user and a password, as
    // browsers do: the user is "monitor".
    int refusal(const http::request& asked) const
    {
        if (!needs_token_)
            return is_local_host(value_of(asked.header, "Host").value_or("localhost")) ? 0 : 403;
        const std::string_view said = value_of(asked.header, "Authorization").value_or("");
        const auto [scheme, secret] = http::split(said, " ");
        const bool is_bearer = http::same_name(scheme, "Bearer");
        if (!is_bearer && !http::same_name(scheme, "Basic"))
            return 401;
        return is_same_secret(http::trimmed(secret), is_bearer ? token_ : basic_) ? 0 : 401;
    }

private:
    std::string token_;
    std::string basic_; // a user and a password
    bool needs_token_;
};

} // namespace monitor

#endif
