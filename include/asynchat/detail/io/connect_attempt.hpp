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

/// Throws std::invalid_argument when a name is empty or has a NUL inside: the system would look up
/// only the part before the NUL.
ASYNCHAT_DECL void require_name(const char* what, std::string_view name);

/// The address if host and service are numeric, so that no look-up is needed.
ASYNCHAT_DECL std::optional<endpoint> numeric_endpoint(std::string_view host,
                                                       std::string_view service);

/// A connect() to a name: the look-up, and the addresses that are not tried yet.
///
/// Flow: look_up() -> its handler -> next(), repeated until an address accepts or no address is
/// left. After its destruction no handler is called. It knows no channel.
class connect_attempt {
public:
    using looked_up = std::function<void(const std::error_code&)>;

    /// `keeps_socket`: the channel has a socket, which is used for the first address.
    connect_attempt(asio::io_context& context, bool keeps_socket)
        : resolver_(context), keeps_socket_(keeps_socket)
    {
    }

    /// Calls `done` once, never inside this call, unless the attempt is destroyed first. A service
    /// with an invalid name is reported as not existing, without asking the system. In a network
    /// that knows its names `known` is the address, and no look-up is made; otherwise it is null.
    ASYNCHAT_DECL void look_up(std::string_view host, std::string_view service,
                               const endpoint* known, looked_up done);

    /// Drops the addresses of other families.
    ASYNCHAT_DECL void restrict_to(int family);

    /// The next address to try.
    ASYNCHAT_DECL std::optional<endpoint> next();

    bool keeps_socket() const noexcept { return keeps_socket_; }

    /// Whether the socket of the channel is used for the last address of next(): only for the
    /// first.
    bool take_socket() noexcept { return std::exchange(keeps_socket_, false); }

private:
    looked_up unless_gone(looked_up done);
    void found(std::vector<endpoint> addresses);

    asio::ip::tcp::resolver resolver_;
    std::vector<endpoint> addresses_; // in reverse: the next one is at the back
    bool keeps_socket_;
    const std::shared_ptr<char> mark_ = std::make_shared<char>(); // destroyed with the attempt
};

} // namespace asynchat::detail

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/connect_attempt.ipp>
#endif
#endif
