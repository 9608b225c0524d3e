// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A list of characters is no literal: its last one would be taken for the final NUL.
#include <asynchat/async_chat.hpp>

void use(asynchat::async_chat& channel)
{
#ifndef ASYNCHAT_EXPECT_VALID
    channel.set_terminator({'\r', '\n'});
#else
    channel.set_terminator("\r\n");
#endif
}
