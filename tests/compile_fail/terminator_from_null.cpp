// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// "No terminator" is std::nullopt: a null pointer would be a string nowhere.
#include <asynchat/terminator.hpp>

void use(asynchat::terminator& ends)
{
#ifndef ASYNCHAT_EXPECT_VALID
    ends = nullptr;
#else
    ends = std::nullopt;
#endif
}
