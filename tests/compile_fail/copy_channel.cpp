// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A channel is one connection: it is not copied.
#include <asynchat/async_chat.hpp>

class chat : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

void use(const chat& one)
{
#ifndef ASYNCHAT_EXPECT_VALID
    chat(one).push("x");
#else
    static_cast<void>(one);
#endif
}
