// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// What is posted to a channel is called with that channel.
#include <asynchat/async_chat.hpp>

class chat : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

void use(const asynchat::handle<chat>& one)
{
#ifndef ASYNCHAT_EXPECT_VALID
    one.post([](int) {});
#else
    one.post([](chat&) {});
#endif
}
