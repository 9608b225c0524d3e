// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// accept() returns the connection, which ends when it is dropped.
#include <asynchat/testing.hpp>

void use(asynchat::testing::listener& from)
{
#ifndef ASYNCHAT_EXPECT_VALID
    from.accept();
#else
    const auto connection = from.accept();
#endif
}
