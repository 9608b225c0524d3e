// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_SERVER_HPP
#define ASYNCHAT_SERVER_HPP

#include <asynchat/dispatcher.hpp>

#include <cstdint>
#include <functional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace asynchat {

/// Listens on an address and makes a Handler for each connection.
///
///     loop.create<server<echo_handler>>(endpoint("127.0.0.1", 8080));
///
/// Handler is a dispatcher that can be made of (loop&, socket, args...), where the args are those
/// given to create() after the address; they are copied for each connection (std::ref shares).
/// A Handler whose constructor throws costs its own connection: the error is logged, the server
/// goes on. With port 0 the system chooses; local_endpoint() tells.
template <class Handler>
class server : public dispatcher {
public:
    /// Throws std::system_error when the address cannot be had.
    template <class... Args>
    explicit server(loop& owner, const endpoint& where, Args... args)
        : dispatcher(owner),
          make_([args = std::tuple<Args...>(std::move(args)...)](loop& l, socket connection) {
              std::apply([&](const auto&... a) { l.create<Handler>(std::move(connection), a...); },
                         args);
          })
    {
        static_assert(
            std::is_constructible_v<Handler, loop&, socket, const Args&...>,
            "server<Handler>: Handler must be constructible from (loop&, socket, args...)");
        create_socket(where.family());
        if (where.is_ip())
            set_reuse_addr();
        bind(where);
        listen();
    }

    void handle_accepted(socket connection, const endpoint&) override
    {
        make_(owner(), std::move(connection));
    }

private:
    std::function<void(loop&, socket)> make_;
};

} // namespace asynchat

#endif
