// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_BENCH_ASIO_SERVER_HPP
#define ASYNCHAT_BENCH_ASIO_SERVER_HPP

#include "echo.h"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <memory>
#include <system_error>
#include <utility>

// What the servers on plain Asio have in common.
namespace bench {

template <class Session>
void accept_next(asio::ip::tcp::acceptor& acceptor, bool counted)
{
    acceptor.async_accept([&acceptor, counted](std::error_code error, asio::ip::tcp::socket peer) {
        if (!error)
            std::make_shared<Session>(std::move(peer), counted)->start();
        accept_next<Session>(acceptor, counted);
    });
}

template <class Session>
int serve(int argc, char** argv)
{
    const bool counted = echo_mode(argc, argv) != 0;
    asio::io_context context(1);
    asio::ip::tcp::acceptor acceptor(context, asio::ip::tcp::v4(), echo_listen());
    accept_next<Session>(acceptor, counted);
    context.run();
    return 0;
}

} // namespace bench

#endif
