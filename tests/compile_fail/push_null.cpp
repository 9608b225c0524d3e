// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A null pointer is neither text nor a shared string.
#include <asynchat/async_chat.hpp>

void use(asynchat::async_chat& channel)
{
#ifndef ASYNCHAT_EXPECT_VALID
    channel.push(nullptr);
#else
    channel.push("");
#endif
}
