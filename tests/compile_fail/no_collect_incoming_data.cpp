// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A chat has to say what becomes of its input.
#include <asynchat/async_chat.hpp>

class chat : public asynchat::async_chat {
public:
    using async_chat::async_chat;
#ifdef ASYNCHAT_EXPECT_VALID
    void collect_incoming_data(std::string_view) override {}
#endif
    void found_terminator() override {}
};

void use(asynchat::loop& loop)
{
    loop.create<chat>();
}
