// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Two copies of a producer would share its pieces.
#include <asynchat/producer.hpp>

#include <utility>

void use(asynchat::simple_producer& one)
{
#ifndef ASYNCHAT_EXPECT_VALID
    asynchat::simple_producer(one).more();
#else
    one.more();
#endif
}
