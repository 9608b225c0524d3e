// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_CONNECT_ATTEMPT_IPP
#define ASYNCHAT_IMPL_CONNECT_ATTEMPT_IPP

#include <asynchat/detail/io/connect_attempt.hpp>

#include <asynchat/escape.hpp>
#include <asynchat/number.hpp>

#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <asio/post.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace asynchat::detail {

ASYNCHAT_DECL void require_name(const char* what, std::string_view name)
{
    if (name.empty())
        throw std::invalid_argument(fmt::format("asynchat: connect(): the {} is empty", what));
    if (name.find('\0') != name.npos)
        throw std::invalid_argument(
            fmt::format("asynchat: connect(): the {} '{}' has a NUL inside", what, quoted(name)));
}

ASYNCHAT_DECL std::optional<endpoint> numeric_endpoint(std::string_view host,
                                                       std::string_view service)
{
    std::error_code not_numeric;
    const auto address = asio::ip::make_address(std::string(host), not_numeric);
    const auto port = parse_number(service, 65535);
    if (not_numeric || !port)
        return std::nullopt;
    return asio::ip::tcp::endpoint(address, static_cast<std::uint16_t>(*port));
}

/// Whether the service may be looked up. The system accepts signs and spaces before digits, and
/// uses the last 16 bits of a large number.
inline bool may_be_service(std::string_view service)
{
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (std::all_of(service.begin(), service.end(), is_digit))
        return static_cast<bool>(parse_number(service, 65535));
    const char first = service.front();
    return is_digit(first) || (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
}

/// A handler that does nothing when the attempt is destroyed.
ASYNCHAT_DECL connect_attempt::looked_up connect_attempt::unless_gone(looked_up done)
{
    return [mark = std::weak_ptr(mark_), done = std::move(done)](const std::error_code& error) {
        if (!mark.expired())
            done(error);
    };
}

ASYNCHAT_DECL void connect_attempt::look_up(std::string_view host, std::string_view service,
                                            const endpoint* known, looked_up done)
{
    auto ended = unless_gone(std::move(done));
    if (!may_be_service(service))
        return asio::post(resolver_.get_executor(),
                          [ended = std::move(ended)] { ended(asio::error::service_not_found); });
    if (known) {
        found({*known});
        return asio::post(resolver_.get_executor(),
                          [ended = std::move(ended)] { ended(std::error_code()); });
    }
    using results = asio::ip::tcp::resolver::results_type;
    resolver_.async_resolve(std::string(host), std::string(service),
                            [this, mark = std::weak_ptr(mark_), ended = std::move(ended)](
                                const std::error_code& error, const results& all) {
                                if (mark.expired())
                                    return;
                                std::vector<endpoint> addresses;
                                for (const auto& entry : all)
                                    addresses.push_back(entry.endpoint());
                                found(std::move(addresses));
                                ended(error);
                            });
}

ASYNCHAT_DECL void connect_attempt::found(std::vector<endpoint> addresses)
{
    addresses_ = std::move(addresses);
    std::reverse(addresses_.begin(), addresses_.end());
}

ASYNCHAT_DECL void connect_attempt::restrict_to(int family)
{
    addresses_.erase(std::remove_if(addresses_.begin(), addresses_.end(),
                                    [family](const endpoint& a) { return a.family() != family; }),
                     addresses_.end());
}

ASYNCHAT_DECL std::optional<endpoint> connect_attempt::next()
{
    if (addresses_.empty())
        return std::nullopt;
    endpoint to = std::move(addresses_.back());
    addresses_.pop_back();
    return to;
}

} // namespace asynchat::detail

#endif
