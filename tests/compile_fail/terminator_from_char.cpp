// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A character is neither a string nor a count: '\n' must not mean ten bytes.
#include <asynchat/terminator.hpp>

asynchat::terminator newline()
{
#ifndef ASYNCHAT_EXPECT_VALID
    return '\n';
#else
    return "\n";
#endif
}
