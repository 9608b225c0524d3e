// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_BENCH_ASIO_SERVER_HPP
#define ASYNCHAT_BENCH_ASIO_SERVER_HPP

#include "echo.h"

#include <asio.hpp>

#include <memory>
#include <utility>

// What the servers on bare Asio have in common.
namespace bench {

/// Accepts for ever; a Session is made of the connected socket and of `counted`, and started.
template <class Session>
void accept(asio::ip::tcp::acceptor& acceptor, bool counted)
{
    acceptor.async_accept([&acceptor, counted](std::error_code error, asio::ip::tcp::socket peer) {
        if (!error)
            std::make_shared<Session>(std::move(peer), counted)->start();
        accept<Session>(acceptor, counted);
    });
}

template <class Session>
int serve(int argc, char** argv)
{
    const bool counted = echo_mode(argc, argv) != 0;
    asio::io_context context(1);
    asio::ip::tcp::acceptor acceptor(context, asio::ip::tcp::v4(), echo_listen());
    accept<Session>(acceptor, counted);
    context.run();
    return 0;
}

} // namespace bench

#endif
