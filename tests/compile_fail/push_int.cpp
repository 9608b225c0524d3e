// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A number is not bytes: print() formats it.
#include <asynchat/async_chat.hpp>

void use(asynchat::async_chat& channel)
{
#ifndef ASYNCHAT_EXPECT_VALID
    channel.push(42);
#else
    channel.print("{}", 42);
#endif
}
