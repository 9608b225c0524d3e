// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Compiles where <asynchat/streams.hpp> does: this compiler's coroutines are ones that Asio knows.
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

asio::awaitable<void> nothing()
{
    co_return;
}

void spawn(asio::io_context& context)
{
    asio::co_spawn(context, nothing(), asio::detached);
}

int main() {}
