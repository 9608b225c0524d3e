// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_SERVER_HPP
#define ASYNCHAT_SERVER_HPP

#include <asynchat/async_chat.hpp>
#include <asynchat/config.hpp>
#include <asynchat/detail/server_state.hpp>
#include <asynchat/dispatcher.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace asynchat {

/// What every server<Handler> is, whatever its Handler: a listener with limits, counters and an
/// orderly end.
///
/// Flow: it accepts the connections that wait, up to 64 in a turn, while fewer than
/// max_connections() are open.
///
///     accept -> handle_accepted -> over a limit: closed at once, counted in `refused`
///                               -> a handler, counted in `accepted` and `open` until it is closed
///     stop(deadline) -> handle_shutdown() of each handler -> at the deadline those left are closed
///                    -> handle_close() of the server, when none is left
///
/// Thread safety and lifetime: as dispatcher. Its close() does not touch the connections it made;
/// they go on to be counted.
class server_base : public dispatcher {
public:
    /// The connections that may be open at once; `unlimited` by default.
    ///
    /// Those beyond it are not accepted but wait in the system's queue until others end. Refusing
    /// would only make the client retry. Connections that linger after their channel was closed
    /// count as well: the oldest of them goes when a new one comes. A number below that of the open
    /// ones closes no connection.
    ASYNCHAT_DECL void max_connections(std::size_t n);
    std::size_t max_connections() const noexcept { return max_connections_; }

    /// The connections that may be open at once from one address; `unlimited` by default. One IPv6
    /// network of 64 bits counts as one address; UNIX sockets have none and are not limited.
    ///
    /// Those beyond it are closed at once, with a line in the log: waiting, they would keep the
    /// others from being accepted.
    void max_connections_per_address(std::size_t n) noexcept { max_per_address_ = n; }
    std::size_t max_connections_per_address() const noexcept { return max_per_address_; }

    /// Has each connection that is accepted from now on receive and send through a layer that
    /// `make()` makes, from the first byte on; an empty function: through none. See add_layer().
    /// What `make()` throws, and a null pointer, costs that connection only.
    void use_layer(std::function<std::unique_ptr<transport_layer>()> make)
    {
        make_layer_ = std::move(make);
    }

    /// What it has seen so far. To be asked at any time in the loop's thread, also after the close.
    const server_counters& counters() const noexcept { return shared_->counters; }

    /// Ends the server in an orderly way: stops listening now; asks each connection to finish, by
    /// its handle_shutdown(), in a later turn; closes those left after `deadline`, with their
    /// handle_close() and close_reason::shutdown; ends with its own handle_close() when none is
    /// left.
    ///
    /// Legal everywhere, any number of times: the latest deadline counts, handle_shutdown() is
    /// called once. Connections that wait in the system's queue are lost.
    ASYNCHAT_DECL void stop(loop::duration deadline);

    /// True after stop().
    bool stopping() const noexcept { return stopping_; }

    /// False while as many connections are open as may be.
    ASYNCHAT_DECL bool readable() override;

    /// Makes a handler, or refuses the connection. An override may look at the connection first,
    /// and refuse it by not calling the original.
    ASYNCHAT_DECL void handle_accepted(socket connection, const endpoint& peer) override;

    /// Closes.
    ASYNCHAT_DECL void handle_close() override;

    ASYNCHAT_DECL ~server_base() override;

private:
    template <class Handler>
    friend class server;

    /// Makes a handler, and returns it unless its own constructor has closed it.
    using maker = std::function<std::shared_ptr<dispatcher>(loop&, socket&&)>;

    ASYNCHAT_DECL server_base(loop& owner, const endpoint& where, maker make);

    ASYNCHAT_DECL void end_of_event_() override;
    void refuse(const endpoint& peer, std::size_t from_there);
    void serve(socket&& connection, std::optional<std::uint64_t> address);
    void make_room(const detail::address_slot& slot);
    static std::vector<detail::state_ptr> channels_of(loop& owner,
                                                      const detail::server_state& shared);
    static void shut_down(loop& owner, std::vector<detail::state_ptr> channels, bool now);

    maker make_;
    std::function<std::unique_ptr<transport_layer>()> make_layer_;
    std::shared_ptr<detail::server_state> shared_;
    std::size_t max_connections_ = unlimited;
    std::size_t max_per_address_ = unlimited;
    timer deadline_;
    bool stopping_ = false;
    bool told_full_ = false; // in the log
};

/// Listens on an address and makes a Handler for each connection.
///
///     loop.create<server<echo_handler>>(endpoint("127.0.0.1", 8080));
///
/// Handler is a dispatcher that can be made of (loop&, socket, args...), where the args are those
/// given to create() after the address; they are copied for each connection (std::ref shares).
/// A Handler whose constructor throws costs its own connection: the error is logged, the server
/// goes on. With port 0 the system chooses; local_endpoint() tells.
template <class Handler>
class server : public server_base {
public:
    /// Throws std::system_error when the address cannot be had.
    template <class... Args>
    explicit server(loop& owner, const endpoint& where, Args... args)
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

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/server.ipp>
#endif
#endif
