// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The type of a line comes first; in Python it is the last argument.
#include <asynchat/dispatcher.hpp>

void use(asynchat::dispatcher& channel)
{
#ifndef ASYNCHAT_EXPECT_VALID
    channel.log_info("text", asynchat::log_type::error);
#else
    channel.log_info(asynchat::log_type::error, "text");
#endif
}
