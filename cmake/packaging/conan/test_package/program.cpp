// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include <asynchat/asynchat.hpp>

#include <cstdio>

int main()
{
    asynchat::loop loop;
    loop.call_later(std::chrono::seconds(0), [] { std::puts("asynchat: the loop runs"); });
    loop.run();
}
