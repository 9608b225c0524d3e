// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// closed() asks, it does not close.
#include <asynchat/dispatcher.hpp>

void use(asynchat::dispatcher& channel)
{
#ifndef ASYNCHAT_EXPECT_VALID
    channel.closed();
#else
    channel.close();
#endif
}
