// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// _get_data() takes the data out: dropped, it is lost.
#include <asynchat/async_chat.hpp>

class use : public asynchat::async_chat {
    void found_terminator() override
    {
#ifndef ASYNCHAT_EXPECT_VALID
        _get_data();
#else
        push(_get_data());
#endif
    }
};
