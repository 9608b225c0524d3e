// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A terminator is bytes, and wide characters are none.
#include <asynchat/terminator.hpp>

void use(asynchat::terminator& ends)
{
#ifndef ASYNCHAT_EXPECT_VALID
    ends = L"\n";
#else
    ends = "\n";
#endif
}
