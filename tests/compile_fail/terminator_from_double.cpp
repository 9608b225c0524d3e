// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A count of bytes is a whole number.
#include <asynchat/terminator.hpp>

void use(asynchat::terminator& ends)
{
#ifndef ASYNCHAT_EXPECT_VALID
    ends = 4.0;
#else
    ends = 4;
#endif
}
