// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The callable has to return its next piece.
#include <asynchat/async_chat.hpp>

void use(asynchat::async_chat& channel)
{
#ifndef ASYNCHAT_EXPECT_VALID
    channel.push_with_producer([] {});
#else
    channel.push_with_producer([] { return std::string_view(); });
#endif
}
