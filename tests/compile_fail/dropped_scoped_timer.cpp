// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A scoped timer that nobody keeps is cancelled at once.
#include <asynchat/dispatcher.hpp>

asynchat::scoped_timer start(asynchat::loop& loop)
{
    return loop.call_later(std::chrono::seconds(1), [] {});
}

void use(asynchat::loop& loop)
{
#ifndef ASYNCHAT_EXPECT_VALID
    start(loop);
#else
    const auto kept = start(loop);
#endif
}
