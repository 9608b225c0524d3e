// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// lock() keeps a channel for whom it gives the result, and for nobody else.
#include <asynchat/dispatcher.hpp>

void use(const asynchat::handle<asynchat::dispatcher>& one)
{
#ifndef ASYNCHAT_EXPECT_VALID
    one.lock();
#else
    const auto kept = one.lock();
#endif
}
