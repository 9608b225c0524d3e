// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A number that was parsed and not looked at was not checked either.
#include <asynchat/number.hpp>

void use(std::string_view text)
{
#ifndef ASYNCHAT_EXPECT_VALID
    asynchat::parse_number(text, 10);
#else
    static_cast<void>(asynchat::parse_number(text, 10));
#endif
}
