// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_CONNECT_ATTEMPT_IPP
#define ASYNCHAT_IMPL_CONNECT_ATTEMPT_IPP

#include <asynchat/detail/io/connect_attempt.hpp>

#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/detail/io/network.hpp>
#include <asynchat/detail/io/socket_transport.hpp>
#include <asynchat/detail/io/system_calls.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/number.hpp>

#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <poll.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_RARE void require_name(const char* what, std::string_view name)
{
    if (name.empty())
        throw std::invalid_argument(fmt::format("asynchat: connect(): the {} is empty", what));
    if (name.find('\0') != name.npos)
        throw std::invalid_argument(
            fmt::format("asynchat: connect(): the {} '{}' has a NUL inside", what, quoted(name)));
}

ASYNCHAT_RARE std::optional<endpoint> numeric_endpoint(std::string_view host,
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

/// Whether a host names this machine by name, as RFC 6761 has it.
inline bool is_localhost(std::string_view host)
{
    const std::string_view name = "localhost";
    return host.size() >= name.size() && host.substr(host.size() - name.size()) == name &&
           (host.size() == name.size() || host[host.size() - name.size() - 1] == '.');
}

ASYNCHAT_RARE void connect_attempt::look_up(std::string_view host, std::string_view service,
                                            const network* names, looked_up done)
{
    if (!names && may_be_service(service))
        return ask_system(host, service, std::move(done));
    mark_ = std::make_shared<char>();
    std::error_code error;
    if (may_be_service(service))
        addresses_ = names->addresses_of(host, service);
    else
        error = asio::error::service_not_found;
    asio::post(context_, unless_gone([done = std::move(done), error] { done(error); }));
}

ASYNCHAT_RARE void connect_attempt::ask_system(std::string_view host, std::string_view service,
                                               looked_up done)
{
    // Addresses of a family that this machine does not have cost a question and a failed attempt.
    // But the system counts no loopback address as one that it has.
    using resolver = asio::ip::tcp::resolver;
    const auto flags =
        is_localhost(host) ? resolver::flags() : resolver::flags(resolver::address_configured);
    const auto asks = std::make_shared<resolver>(context_);
    mark_ = asks;
    asks->async_resolve(
        std::string(host), std::string(service), flags,
        unless_gone([this, done = std::move(done)](const std::error_code& error,
                                                   const resolver::results_type& all) {
            for (const auto& entry : all)
                addresses_.push_back(entry.endpoint());
            done(error);
        }));
}

// --- the race --------------------------------------------------------------------------------

ASYNCHAT_RARE void connect_attempt::begin_race(const race_settings& settings,
                                               std::optional<int> family)
{
    const auto found = std::exchange(addresses_, {});
    std::vector<int> families;
    std::vector<const endpoint*> suitable;
    for (const endpoint& address : found) {
        if (family && address.family() != *family)
            continue;
        families.push_back(address.family());
        suitable.push_back(&address);
    }
    for (const std::size_t i : connect_race::interleave(families, settings.first_family))
        addresses_.push_back(*suitable[i]);
    race_ = connect_race(addresses_.size(),
                         in_channel_ ? connect_race::duration::zero() : settings.delay);
    last_error_ = {asio::error::address_family_not_supported, std::system_category()};
}

ASYNCHAT_RARE void connect_attempt::failed(std::size_t index, const std::error_code& error,
                                           connect_race::time_point now) noexcept
{
    close(index);
    last_error_ = error;
    race_.failed(now);
}

ASYNCHAT_RARE void connect_attempt::connect(std::size_t index, std::unique_ptr<transport> socket,
                                            looked_up done)
{
    sockets_.push_back({index, std::move(socket)});
    sockets_.back().socket->async_connect(addresses_[index], unless_gone(std::move(done)));
}

ASYNCHAT_RARE bool connect_attempt::has_socket(std::size_t index) const noexcept
{
    return std::any_of(sockets_.begin(), sockets_.end(),
                       [index](const racer& each) { return each.index == index; });
}

ASYNCHAT_RARE bool connect_attempt::is_self_connected(const transport& socket)
{
    const endpoint local = socket.local_endpoint();
    return local.is_ip() && local == socket.peer_endpoint();
}

ASYNCHAT_RARE std::error_code connect_attempt::result(std::size_t index,
                                                      const std::error_code& error) const
{
    if (error)
        return error;
    for (const racer& each : sockets_) {
        if (each.index == index && is_self_connected(*each.socket))
            return asio::error::connection_refused;
    }
    return {};
}

/// A connection that was made meanwhile is reset: nothing was sent over it.
ASYNCHAT_RARE void connect_attempt::close(std::size_t index) noexcept
{
    for (auto each = sockets_.begin(); each != sockets_.end(); ++each) {
        if (each->index != index)
            continue;
        each->socket->reset_on_close();
        sockets_.erase(each);
        return;
    }
}

ASYNCHAT_RARE void connect_attempt::close_all() noexcept
{
    while (!sockets_.empty() && sockets_.back().socket)
        close(sockets_.back().index);
}

ASYNCHAT_RARE void connect_attempt::won(std::size_t index) noexcept
{
    assert(has_socket(index) && !is_won_);
    const auto winner = std::find_if(sockets_.begin(), sockets_.end(),
                                     [index](const racer& each) { return each.index == index; });
    std::iter_swap(sockets_.begin(), winner);
    while (sockets_.size() > 1)
        close(sockets_.back().index);
    next_start_.cancel();
    is_won_ = true;
}

ASYNCHAT_RARE bool connect_attempt::is_answered() const noexcept
{
    return is_won_ || std::any_of(sockets_.begin(), sockets_.end(), [](const racer& each) {
               return poll_now(each.socket->native_handle(), POLLOUT) != 0;
           });
}

ASYNCHAT_RARE std::vector<endpoint> connect_attempt::under_way() const
{
    std::vector<endpoint> all;
    if (in_channel_ && race_.is_under_way())
        all.push_back(addresses_[race_.last_started()]);
    for (const racer& each : sockets_)
        all.push_back(addresses_[each.index]);
    return all;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
