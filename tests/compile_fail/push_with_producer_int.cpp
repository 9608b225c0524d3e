// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A producer has more(), or is a callable.
#include <asynchat/async_chat.hpp>

void use(asynchat::async_chat& channel)
{
#ifndef ASYNCHAT_EXPECT_VALID
    channel.push_with_producer(42);
#else
    channel.push_with_producer([] { return std::string(); });
#endif
}
