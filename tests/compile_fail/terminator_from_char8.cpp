// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Whatever the standard, a character of UTF-8 is no count of bytes.
#include <asynchat/terminator.hpp>

void use(asynchat::terminator& ends)
{
#ifndef ASYNCHAT_EXPECT_VALID
    ends = u8'\n';
#else
    ends = "\n";
#endif
}
