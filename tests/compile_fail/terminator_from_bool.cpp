// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// true is not a count of one byte.
#include <asynchat/terminator.hpp>

void use(asynchat::terminator& ends)
{
#ifndef ASYNCHAT_EXPECT_VALID
    ends = true;
#else
    ends = 1;
#endif
}
