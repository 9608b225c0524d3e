// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// This library, whole frames.

#include "server.hpp"

#include <string_view>

namespace {

class line_echo : public asynchat::frame_chat {
public:
    using frame_chat::frame_chat;
    void handle_open() override { set_terminator("\n"); }
    void found_frame(std::string_view frame) override
    {
        push(frame);
        push("\n");
    }
};

class counted_echo : public asynchat::frame_chat {
public:
    using frame_chat::frame_chat;
    void handle_open() override
    {
        max_frame(bench::largest_frame);
        set_terminator("\n");
    }
    void found_frame(std::string_view frame) override
    {
        if (get_terminator().is_bytes()) {
            set_terminator(bench::count_of(frame));
        } else {
            push(take_frame());
            set_terminator("\n");
        }
    }
};

} // namespace

int main(int argc, char** argv)
{
    return bench::serve<line_echo, counted_echo>(argc, argv);
}
