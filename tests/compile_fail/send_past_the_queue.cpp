// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A send() from outside would pass what is queued.
#include <asynchat/async_chat.hpp>

void use(asynchat::async_chat& chat)
{
#ifdef ASYNCHAT_EXPECT_VALID
    chat.push("text");
#else
    chat.send(std::string_view("text"));
#endif
}
