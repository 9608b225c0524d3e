// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// One line through a pair of sockets: a program as a user's, in two translation units.
#include "line.hpp"

#include <cstdio>
#include <utility>

int main()
{
    asynchat::loop loop;
    auto [near, far] = asynchat::socket::pair();
    std::string received;
    loop.create<line>(std::move(near), received)->push("hello\r\n");
    loop.create<line>(std::move(far), received);
    loop.run();
    std::printf("asynchat %d.%d.%d: %s\n", ASYNCHAT_VERSION_MAJOR, ASYNCHAT_VERSION_MINOR,
                ASYNCHAT_VERSION_PATCH, received.c_str());
    return received == "hello" ? 0 : 1;
}
