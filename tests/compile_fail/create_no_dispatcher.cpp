// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A loop owns channels, not anything.
#include <asynchat/async_chat.hpp>

class chat : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

void use(asynchat::loop& loop)
{
#ifndef ASYNCHAT_EXPECT_VALID
    loop.create<std::string>();
#else
    loop.create<chat>();
#endif
}
