// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_SERVER_HPP
#define ASYNCHAT_SERVER_HPP

#include <asynchat/address_range.hpp>
#include <asynchat/async_chat.hpp>
#include <asynchat/config.hpp>
#include <asynchat/detail/server_state.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/fwd.hpp>
#include <asynchat/listen_options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// The base of every server<Handler>: a listener with limits, counters and an orderly end.
///
/// Flow: it accepts the connections that wait, up to 64 in a turn, while fewer than
/// max_connections() are open.
///
///     accept, with expect_proxy() the header of a proxy
///            -> handle_accepted -> over a limit: closed at once, counted in `refused`
///                               -> a handler, counted in `accepted` and `open` until it is closed
///     stop(deadline) -> handle_shutdown() of each handler -> at the deadline those left are closed
///                    -> handle_close() of the server, when all are closed
///
/// Thread safety and lifetime: as dispatcher. Its close() does not close the connections that it
/// made; the counters still count them.
class ASYNCHAT_API server_base : public dispatcher {
public:
    /// Largest number of open connections; `unlimited` by default.
    ///
    /// Further connections are not accepted: they wait in the system's queue until others end.
    /// Refusing would only make the client retry. Connections that linger after their channel was
    /// closed count too; the oldest of them is ended when a new connection comes. A limit below the
    /// number of open connections closes no connection.
    ASYNCHAT_DECL void max_connections(std::size_t n);
    [[nodiscard]] std::size_t max_connections() const noexcept { return max_connections_; }

    /// Largest number of open connections from one address; `unlimited` by default. An IPv6 /64
    /// network counts as one address. UNIX sockets have no address and are not limited.
    ///
    /// Further connections are closed at once, with a line in the log: if they waited, they would
    /// block the connections from other addresses.
    void max_connections_per_address(std::size_t n) noexcept { max_per_address_ = n; }
    [[nodiscard]] std::size_t max_connections_per_address() const noexcept
    {
        return max_per_address_;
    }

    /// Largest number of connections with an incomplete handshake, for example of TLS, or PROXY
    /// header; `unlimited` by default. Further connections wait in the system's queue. A loop takes
    /// five steps of handshakes in a pass, whatever this limit is, so that open connections do not
    /// wait.
    ASYNCHAT_DECL void max_handshakes(std::size_t n);
    [[nodiscard]] std::size_t max_handshakes() const noexcept { return max_handshakes_; }

    /// Largest number of bytes that all connections together receive in a second; `unlimited` by
    /// default. Connections that are over it stop reading, and go on in the order in which they
    /// came to it, so each gets the same share. Nothing is lost, and nobody is closed. Otherwise as
    /// async_chat::read_rate(), which limits one connection; both may be set. It holds for handlers
    /// that are an async_chat. Throws std::invalid_argument for 0.
    ASYNCHAT_DECL void read_rate(std::size_t bytes_per_second);
    [[nodiscard]] std::size_t read_rate() const noexcept
    {
        return shared_->rates ? shared_->rates->limits.bytes.rate() : unlimited;
    }

    /// As read_rate(), for the frames that end in a second; see async_chat::frame_rate().
    ASYNCHAT_DECL void frame_rate(std::size_t frames_per_second);
    [[nodiscard]] std::size_t frame_rate() const noexcept
    {
        return shared_->rates ? shared_->rates->limits.frames.rate() : unlimited;
    }

    /// Calls `make()` for each connection accepted from now on. The connection receives and sends
    /// through the returned layer from the first byte on. An empty function means no layer. See
    /// add_layer(). If `make()` throws or returns null, only that connection is closed.
    void use_layer(std::function<std::unique_ptr<transport_layer>()> make)
    {
        make_layer_ = std::move(make);
    }

    /// Expects the PROXY protocol, version 1 or 2, from the proxies in these ranges: each of their
    /// connections must begin with its header, from which addr() and the limit per address take the
    /// client. Connections from elsewhere are closed. Off by default, and with an empty list.
    ///
    ///     server->expect_proxy({"10.0.0.0/8", "::1"}); // "unix:" is every UNIX socket
    ///
    /// List only proxies that you run: everybody who connects from there may claim any address. The
    /// handler is made when the header is complete, and receives what follows it; use_layer() and
    /// TLS begin there too. It finds the rest of the header by proxy_header::of(). For connections
    /// of the proxy itself (LOCAL), and of clients whose address is unknown, addr() is the address
    /// of the proxy, and the limit per address does not count them. peer_endpoint() is always the
    /// proxy. HAProxy: bind ... accept-proxy. nginx: listen ... proxy_protocol
    ASYNCHAT_DECL void expect_proxy(std::vector<address_range> from);

    /// How long a PROXY header may take, from the accept on; 3 seconds by default, zero means no
    /// limit. A handshake that follows counts from the accept on, too. Then the connection is
    /// closed. Throws std::invalid_argument for a negative time.
    /// nginx: proxy_protocol_timeout
    ASYNCHAT_DECL void proxy_timeout(loop::duration timeout);
    [[nodiscard]] loop::duration proxy_timeout() const noexcept { return proxy_timeout_; }

    /// The largest PROXY header, in bytes; 1024 by default. Throws std::invalid_argument unless it
    /// is 536 to 4096. A header of version 1 has 107 bytes at most.
    ASYNCHAT_DECL void max_proxy_header(std::size_t bytes);
    [[nodiscard]] std::size_t max_proxy_header() const noexcept { return max_proxy_header_; }

    /// The counters. May be read at any time in the loop's thread, also after the close.
    [[nodiscard]] const server_counters& counters() const noexcept { return shared_->counters; }

    /// The addresses that it listens on; local_endpoint() is the first.
    [[nodiscard]] ASYNCHAT_DECL std::vector<endpoint> local_endpoints() const;

    /// Copies of the listening sockets, for another process: see send_descriptors(). From then on
    /// stop() leaves the connections in the queue to that process. Empty where there are no
    /// sockets of the system. Throws std::system_error.
    [[nodiscard]] ASYNCHAT_DECL std::vector<socket> share_listeners();

    /// The copies of share_listeners() did not reach another process, for example because
    /// send_descriptors() has thrown: stop() serves the connections in the queue again.
    void take_back_listeners() noexcept { is_shared_ = false; }

    /// Ends the server in an orderly way. In a later turn it accepts the connections that wait in
    /// the system's queue, stops listening, and calls handle_shutdown() of each connection. After
    /// `deadline`, a duration from now, it accepts nothing more, and closes the remaining
    /// connections, with handle_close() and close_reason::shutdown. When no connection is left,
    /// handle_close() of the server is called.
    ///
    /// A connection from the queue is served, or refused because of a limit: it gets a handler,
    /// which receives what has arrived, and then its handle_shutdown(). So is one whose PROXY
    /// header is awaited; at the deadline, it is refused. stop(0s) ends the listening at once, and
    /// the connections in the queue are lost. The queue is also left alone, for other processes, if
    /// the server was given sockets that listened already, or has shared its own.
    ///
    /// May be called everywhere, any number of times: the last deadline set is used, and
    /// handle_shutdown() is called once.
    ASYNCHAT_DECL void stop(loop::duration deadline);

    /// True after stop().
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }

    /// False while max_connections() connections are open, or max_handshakes() are not complete.
    ASYNCHAT_DECL bool readable() override;

    /// Makes a handler, or refuses the connection because of a limit. An override may check the
    /// connection first; to refuse it, it does not call the original. With expect_proxy() it is
    /// called when the header is complete, and `peer` is the client.
    ASYNCHAT_DECL void handle_accepted(socket connection, const endpoint& peer) override;

    /// Closes.
    ASYNCHAT_DECL void handle_close() override;

    ASYNCHAT_DECL ~server_base() override;

private:
    template <class Handler>
    friend class server;
    friend class detail::proxy_receiver;
    friend class server_group_base;

    /// Makes a handler. Returns it unless its constructor has closed it.
    using maker = std::function<std::shared_ptr<dispatcher>(loop&, socket&&)>;

    ASYNCHAT_DECL server_base(loop& owner, const listen_options& where, maker make);

    ASYNCHAT_DECL void accepted_(socket connection, const endpoint& peer) override;
    ASYNCHAT_DECL void end_of_event_() override;
    ASYNCHAT_PRIVATE void join(std::shared_ptr<detail::hand_off> group);
    ASYNCHAT_PRIVATE void leave_group() noexcept;
    ASYNCHAT_PRIVATE bool has_room() noexcept;
    ASYNCHAT_PRIVATE void hand_on(socket&& connection, const endpoint& peer);
    ASYNCHAT_PRIVATE void take(socket&& connection);
    ASYNCHAT_PRIVATE void admit(socket&& connection, const endpoint& peer);
    ASYNCHAT_PRIVATE void refuse(const endpoint& peer, std::size_t from_there);
    ASYNCHAT_PRIVATE void refuse(const endpoint& peer, const std::string& why);
    ASYNCHAT_PRIVATE std::shared_ptr<dispatcher> make_channel(socket&& connection,
                                                              detail::address_slot& slot);
    ASYNCHAT_PRIVATE void serve(socket&& connection, std::optional<std::uint64_t> address);
    ASYNCHAT_PRIVATE void take_proxied(socket&& connection, detail::proxy_fields&& fields,
                                       loop::time_point accepted);

    // For a receiver. The server may be gone, or closed.
    ASYNCHAT_PRIVATE static void proxy_failed(const detail::server_state& server,
                                              const endpoint& peer, const std::string& why);
    ASYNCHAT_PRIVATE static void proxy_received(detail::server_state& server, socket&& connection,
                                                detail::proxy_fields&& fields,
                                                loop::time_point accepted);
    ASYNCHAT_PRIVATE std::size_t connections() const noexcept;
    ASYNCHAT_PRIVATE detail::address_slot& enter(std::optional<std::uint64_t> address);
    ASYNCHAT_PRIVATE void set_rate(detail::rate_limit detail::rate_limits::*which,
                                   std::size_t per_second);
    ASYNCHAT_PRIVATE void make_room(const detail::address_slot& slot);
    ASYNCHAT_PRIVATE void end_listening();
    ASYNCHAT_PRIVATE void accept_rest();
    ASYNCHAT_PRIVATE bool accept_one_more();
    ASYNCHAT_PRIVATE void accept_rest_soon(bool has_failed);
    ASYNCHAT_PRIVATE static void deadline_reached(loop& owner,
                                                  const std::shared_ptr<detail::server_state>& of);
    ASYNCHAT_PRIVATE void refuse_rest();
    ASYNCHAT_PRIVATE static std::vector<detail::state_ptr>
    channels_of(loop& owner, const detail::server_state& shared);
    ASYNCHAT_PRIVATE static void shut_down(loop& owner, std::vector<detail::state_ptr> channels,
                                           bool now);

    maker make_;
    std::function<std::unique_ptr<transport_layer>()> make_layer_;
    std::shared_ptr<detail::server_state> shared_;
    std::size_t max_connections_ = unlimited;
    std::size_t max_per_address_ = unlimited;
    std::size_t max_handshakes_ = unlimited;
    std::vector<address_range> proxies_; // empty: no PROXY header is expected
    loop::duration proxy_timeout_ = std::chrono::seconds(3);
    std::size_t max_proxy_header_ = 1024;
    timer deadline_;
    bool listens_ = false; // or did: otherwise another server gives it its connections
    bool stopping_ = false;
    bool refuses_ = false;      // stop(0s), or its deadline was reached
    bool is_inherited_ = false; // the listening sockets come from elsewhere, which may have copies
    bool is_shared_ = false;    // another process has copies of them
    bool accepts_rest_ = false; // after stop(): what waits in the system's queue
    std::size_t rest_ = 0;      // how many of them it still accepts
    bool told_full_ = false;    // in the log
};

/// Listens and makes a Handler for each connection.
///
///     loop.create<server<echo_handler>>(endpoint("127.0.0.1", 8080));
///     loop.create<server<echo_handler>>(listen_options("localhost", 8080).backlog(64));
///
/// Handler is a dispatcher with a constructor (loop&, socket, args...). The args are the arguments
/// of create() after the address; each connection gets a copy of them (std::ref shares an object).
/// If the constructor throws, only that connection is closed: the error is logged, and the server
/// continues. With port 0 the system chooses the port; see local_endpoint().
template <class Handler>
class server : public server_base {
public:
    /// Throws std::system_error when it cannot bind to or listen on one of the addresses;
    /// std::logic_error when another server has taken the socket.
    template <class... Args>
    explicit server(loop& owner, const listen_options& where, Args... args)
        : server_base(
              owner, where,
              [args = std::tuple<Args...>(std::move(args)...)](loop& l, socket&& connection) {
                  return std::apply(
                      [&](const auto&... a) -> std::shared_ptr<dispatcher> {
                          return detail::channel_access::make<Handler>(l, std::move(connection),
                                                                       a...);
                      },
                      args);
              })
    {
        static_assert(!std::is_abstract_v<Handler>,
                      "server<Handler>: Handler is abstract: it has to override found_terminator() "
                      "if it is an async_chat, found_frame() if it is a frame_chat");
        static_assert(
            std::is_abstract_v<Handler> ||
                std::is_constructible_v<Handler, loop&, socket, const Args&...>,
            "server<Handler>: Handler must be constructible from (loop&, socket, args...); args "
            "are "
            "copied for each connection, and one that it takes by reference is passed by std::ref");
    }
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/proxy_receiver.ipp>
#  include <asynchat/impl/server.ipp>
#endif
#endif
