// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Asio's coroutines as its examples use them: async_read_until for lines, async_read for counts,
// async_write, each awaited.

#include "echo.h"

#include <asio.hpp>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

awaitable<void> session(tcp::socket socket, bool counted)
{
    std::string input;
    try {
        for (;;) {
            std::size_t from = 0;
            std::size_t size = co_await asio::async_read_until(socket, asio::dynamic_buffer(input),
                                                               '\n', use_awaitable);
            if (counted) {
                const std::size_t count = std::strtoul(input.c_str() + 5, nullptr, 10);
                if (input.size() < size + count) {
                    co_await asio::async_read(socket, asio::dynamic_buffer(input),
                                              asio::transfer_exactly(size + count - input.size()),
                                              use_awaitable);
                }
                from = std::exchange(size, count);
            }
            co_await asio::async_write(socket, asio::buffer(input.data() + from, size),
                                       use_awaitable);
            input.erase(0, from + size);
        }
    } catch (const std::system_error&) { // the end of the stream
    }
}

awaitable<void> listen(tcp::acceptor acceptor, bool counted)
{
    for (;;) {
        auto socket = co_await acceptor.async_accept(use_awaitable);
        asio::co_spawn(acceptor.get_executor(), session(std::move(socket), counted),
                       asio::detached);
    }
}

} // namespace

int main(int argc, char** argv)
{
    const bool counted = echo_mode(argc, argv) != 0;
    asio::io_context context(1);
    tcp::acceptor acceptor(context, tcp::v4(), echo_listen());
    asio::co_spawn(context, listen(std::move(acceptor), counted), asio::detached);
    context.run();
    return 0;
}
