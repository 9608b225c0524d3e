// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// This library, as README and tutorial write a server: no setting is tuned.

#include "server.hpp"

namespace {

class line_echo : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_open() override { set_terminator("\n"); }
    void found_terminator() override { push(_get_data() + "\n"); }
};

class counted_echo : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_open() override
    {
        max_frame(bench::largest_frame);
        set_terminator("\n");
    }
    void found_terminator() override
    {
        if (get_terminator().is_bytes()) {
            set_terminator(bench::count_of(_get_data()));
        } else {
            push(_get_data());
            set_terminator("\n");
        }
    }
};

} // namespace

int main(int argc, char** argv)
{
    return bench::serve<line_echo, counted_echo>(argc, argv);
}
