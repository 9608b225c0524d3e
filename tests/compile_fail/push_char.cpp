// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A character is a small number here; a literal of one byte is meant.
#include <asynchat/async_chat.hpp>

void use(asynchat::async_chat& channel)
{
#ifndef ASYNCHAT_EXPECT_VALID
    channel.push('x');
#else
    channel.push("x");
#endif
}
