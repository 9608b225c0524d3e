// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A chat has to say what becomes of its frames.
#include <asynchat/async_chat.hpp>

class chat : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void collect_incoming_data(std::string_view) override {}
#ifdef ASYNCHAT_EXPECT_VALID
    void found_terminator() override {}
#endif
};

void use(asynchat::loop& loop)
{
    loop.create<chat>();
}
