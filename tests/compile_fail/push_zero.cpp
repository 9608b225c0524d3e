// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// 0 is a null pointer to some overloads, and bytes to none.
#include <asynchat/async_chat.hpp>

void use(asynchat::async_chat& channel)
{
#ifndef ASYNCHAT_EXPECT_VALID
    channel.push(0);
#else
    channel.print("{}", 0);
#endif
}
