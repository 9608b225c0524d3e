// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_LISTEN_OPTIONS_HPP
#define ASYNCHAT_LISTEN_OPTIONS_HPP

#include <asynchat/config.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/fwd.hpp>
#include <asynchat/socket.hpp>

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// Where and how a server listens. An endpoint converts to it.
///
///     loop.create<server<echo>>(endpoint("127.0.0.1", 8080));
///     loop.create<server<echo>>(listen_options("localhost", 8080).backlog(64));
///     loop.create<server<echo>>(listen_options(std::move(socket_that_listens)));
///
/// A regular value. Copies share the sockets: the first server that is made from one of them takes
/// these. If it cannot have one of its addresses, they stay, for another attempt.
/// Python: socket.create_server, asyncio.create_server
class ASYNCHAT_API listen_options {
public:
    /// One address. With port 0 the system chooses the port.
    listen_options(endpoint where) { add_address(std::move(where), false); }

    /// As above, for what converts to an endpoint, as the endpoints of Asio.
    template <class Where, std::enable_if_t<std::is_convertible_v<Where, endpoint>, int> = 0>
    listen_options(const Where& where) : listen_options(endpoint(where))
    {
    }

    /// All addresses of a host name, "localhost" for example, each with this port. "" means every
    /// address of this machine, IPv4 and IPv6.
    ///
    /// The name is looked up now, and this call blocks until that is done. Addresses that this
    /// machine does not have are left out if there are others.
    /// Throws std::system_error when the look-up fails; std::invalid_argument for a port that is
    /// none, and for a name with a NUL inside.
    ASYNCHAT_DECL listen_options(std::string_view host, std::int64_t port);
    template <class Unsigned, detail::if_wide_unsigned<Unsigned> = 0>
    listen_options(std::string_view host, Unsigned port)
        : listen_options(host, detail::narrow_port(port))
    {
    }

    /// A stream socket that listens already, for example one of listening_sockets(). The other
    /// options do not apply to it. TCP_NODELAY is set on it, for its connections.
    /// Throws std::invalid_argument when it does not listen, as a connection for example.
    ASYNCHAT_DECL listen_options(socket listening);

    /// Adds the addresses and sockets of `more`, but not its other options. One server then
    /// listens on all of them, with one set of limits and counters. Addresses with port 0 get the
    /// port of the first.
    ASYNCHAT_DECL listen_options& add(const listen_options& more);

    /// How many connections may wait in the system until they are accepted; SOMAXCONN by default.
    /// Python: backlog
    listen_options& backlog(int n)
    {
        backlog_ = n;
        return *this;
    }
    [[nodiscard]] int backlog() const noexcept { return backlog_; }

    /// Whether other sockets with this option, of the same user, may listen on the same port; the
    /// system then spreads the connections over them (SO_REUSEPORT; SO_REUSEPORT_LB on FreeBSD).
    /// Off by default. Python: reuse_port
    listen_options& reuse_port(bool on = true)
    {
        reuse_port_ = on;
        return *this;
    }

    /// Whether IPv6 addresses also serve IPv4. By default as the system does it if there is one
    /// address, and not if there are several. Python: dualstack_ipv6
    listen_options& dualstack_ipv6(bool on)
    {
        dualstack_ipv6_ = on;
        return *this;
    }

    /// Whether the file of a UNIX socket is removed, if nobody listens on it any more. Off by
    /// default. A socket that answers is never removed: its server sees one connection that ends
    /// at once. Servers that start at the same time wait for each other, by a lock of the folder;
    /// if another program keeps that for a second, nothing is removed.
    /// Python: asyncio removes the file in any case
    listen_options& remove_dead_socket(bool on = true)
    {
        remove_dead_socket_ = on;
        return *this;
    }

private:
    friend class server_base;
    friend class server_group_base;

    /// An address, or a socket with its address; the copies share the socket.
    struct place {
        endpoint where;
        bool may_be_missing; // one of several addresses of a name
        std::shared_ptr<socket> listening;
    };

    /// Nowhere: for a server that gets its connections from another one.
    listen_options() = default;

    ASYNCHAT_DECL void add_address(endpoint where, bool may_be_missing);
    ASYNCHAT_PRIVATE bool has_sockets() const noexcept;
    ASYNCHAT_PRIVATE bool has_sockets_only() const noexcept;
    ASYNCHAT_PRIVATE bool has_paths() const noexcept;

    /// Throws std::system_error if somebody listens on one of the addresses already, even with
    /// reuse_port().
    ASYNCHAT_PRIVATE void require_free() const;

    /// Opens all of it. Throws std::system_error, and std::logic_error for a socket that another
    /// server has taken.
    ASYNCHAT_PRIVATE std::vector<std::unique_ptr<transport>> open(loop& owner) const;
    ASYNCHAT_PRIVATE bool open_all(loop& owner, std::vector<std::unique_ptr<transport>>& opened,
                                   bool may_try_again) const;
    ASYNCHAT_PRIVATE std::unique_ptr<transport> open_address(loop& owner,
                                                             const endpoint& where) const;
    ASYNCHAT_PRIVATE void set_options(int descriptor, const endpoint& where) const;
    ASYNCHAT_PRIVATE void take_all(loop& owner,
                                   std::vector<std::unique_ptr<transport>>& opened) const;
    ASYNCHAT_PRIVATE static std::unique_ptr<transport> take(loop& owner, socket& from);

    std::vector<place> places_;
    std::optional<bool> dualstack_ipv6_;
    int backlog_ = SOMAXCONN;
    bool reuse_port_ = false;
    bool remove_dead_socket_ = false;
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/dispatcher.hpp>
#  include <asynchat/impl/listen_options.ipp>
#endif
#endif
