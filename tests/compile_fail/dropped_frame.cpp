// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// take_frame() takes the frame out: dropped, it is lost.
#include <asynchat/frame_chat.hpp>

class use : public asynchat::frame_chat {
    void found_frame(std::string_view) override
    {
#ifndef ASYNCHAT_EXPECT_VALID
        take_frame();
#else
        push(take_frame());
#endif
    }
};
