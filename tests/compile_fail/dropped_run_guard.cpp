// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A loop is kept running for whom it gives the guard, and no longer.
#include <asynchat/dispatcher.hpp>

void use(asynchat::loop& loop)
{
#ifndef ASYNCHAT_EXPECT_VALID
    loop.keep_running();
#else
    const auto guard = loop.keep_running();
#endif
}
