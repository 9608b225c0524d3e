// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_GUARDS_INSTRUCTIONS_SCRIPTED_HPP
#define ASYNCHAT_TESTS_GUARDS_INSTRUCTIONS_SCRIPTED_HPP

#include "guards/guard.hpp"

#include <asynchat/asynchat.hpp>

#include <asio/buffer.hpp>
#include <asio/executor_work_guard.hpp>

#include <cstddef>
#include <string>
#include <string_view>

// Channels without a socket, and the loop that they need.
namespace guards {

inline constexpr std::size_t batch = 64; // messages of one event

/// Receives the same batch again and again, and sends into nothing.
template <class Base>
class scripted : public Base {
public:
    explicit scripted(asynchat::loop& owner) : Base(owner) { Base::set_connected(true); }

    std::size_t recv(asio::mutable_buffer into) override
    {
        // In pieces: a large copy is one instruction, which valgrind counts once for each byte.
        for (std::size_t done = 0; done < input.size(); done += 1024)
            asio::buffer_copy(into + done, asio::buffer(input.substr(done, 1024)));
        return input.size();
    }
    std::size_t send(asynchat::const_buffers data) override { return data.size(); }

    std::string_view input; // a batch
};

/// A loop without sockets that does not come to its end.
struct quiet_loop {
    asio::io_context context;
    asynchat::loop loop{context};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};

    void serve()
    {
        if (context.poll() == 0)
            throw support::test_error("there was nothing to do");
    }
};

/// The compiler cannot know the bytes of the text afterwards.
inline void hide(const std::string& text)
{
    asm volatile("" : : "g"(&text) : "memory");
}

/// Calls `body(chat)` as an event of the channel, for each batch of the messages.
template <class Chat, class Body>
void in_events(std::size_t messages, Body body, std::size_t of_an_event = batch)
{
    quiet_loop own;
    const auto chat = own.loop.create<Chat>();
    for (std::size_t done = 0; done < messages; done += of_an_event) {
        chat.post(body);
        own.serve();
    }
}

template <class Chat>
void receive(std::size_t messages, const std::string& input)
{
    in_events<Chat>(messages, [&](Chat& chat) {
        chat.input = input;
        chat.handle_read_event();
    });
}

} // namespace guards

#endif
