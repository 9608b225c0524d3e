// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_CONNECT_ATTEMPT_HPP
#define ASYNCHAT_DETAIL_IO_CONNECT_ATTEMPT_HPP

#include <asynchat/config.hpp>
#include <asynchat/endpoint.hpp>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace asynchat::detail {

/// Throws std::invalid_argument when there is nothing to look up, or when the system would look up
/// what is before a NUL.
ASYNCHAT_DECL void require_name(const char* what, std::string_view name);

/// The address that host and service are the digits of: nothing to look up.
ASYNCHAT_DECL std::optional<endpoint> numeric_endpoint(std::string_view host,
                                                       std::string_view service);

/// A connect() to a name: the look-up, and the addresses that are still to be tried.
///
/// Flow: look_up() -> its handler -> next(), again and again until one accepts or none is left.
/// Whoever drops it hears nothing more of it. It knows no channel.
class connect_attempt {
public:
    using looked_up = std::function<void(const std::error_code&)>;

    /// `keeps_socket`: the channel has one, which serves the first address.
    connect_attempt(asio::io_context& context, bool keeps_socket)
        : resolver_(context), keeps_socket_(keeps_socket)
    {
    }

    /// Calls `done` once, never from inside, unless the attempt goes first. A service that the
    /// system must not be asked for is one that does not exist. In a network that knows its names
    /// nothing is asked: `known` is the address then, else null.
    ASYNCHAT_DECL void look_up(std::string_view host, std::string_view service,
                               const endpoint* known, looked_up done);

    /// Drops the addresses of other families.
    ASYNCHAT_DECL void restrict_to(int family);

    /// The next address to try.
    ASYNCHAT_DECL std::optional<endpoint> next();

    bool keeps_socket() const noexcept { return keeps_socket_; }

    /// Whether the socket of the channel serves the address that next() gave: the first one.
    bool take_socket() noexcept { return std::exchange(keeps_socket_, false); }

private:
    looked_up unless_gone(looked_up done);
    void found(std::vector<endpoint> addresses);

    asio::ip::tcp::resolver resolver_;
    std::vector<endpoint> addresses_; // in reverse: the next one is at the back
    bool keeps_socket_;
    const std::shared_ptr<char> mark_ = std::make_shared<char>(); // goes with the attempt
};

} // namespace asynchat::detail

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/connect_attempt.ipp>
#endif
#endif
