// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support.hpp"
#include "support/failing_new.hpp"

#include <cstddef>

// What becomes of the frames when an allocation fails.

using namespace support;
using namespace std::chrono_literals;

namespace {

/// Pushes with each allocation failing. Returns how many of them have ended the channel.
template <class Push>
int require_no_half_frame(Push&& push)
{
    int ended = 0;
    for (std::size_t n = 0;; ++n) {
        opened one;
        if (!fails_at(n, [&] { push(*one.chat); }))
            return ended;
        INFO("allocation " << n);
        REQUIRE(n < 20);
        const bool is_closed = one.chat->closed();
        ended += is_closed ? 1 : 0;
        CHECK(one.chat->push_text("next") == !is_closed);
        CHECK(one.frames() == (is_closed ? strings{} : strings{"text next"}));
    }
}

} // namespace

TEST_CASE("websocket_chat: without memory no half of a frame is sent", "[websocket]")
{
    const std::string message(300000, 'x');
    CHECK(require_no_half_frame([&](noting& chat) { chat.push_text(std::string_view(message)); }) >
          0);
    std::string moved;
    CHECK(require_no_half_frame([&](noting& chat) {
              const std::size_t which = std::exchange(allocations_to_come, never);
              moved = message;
              allocations_to_come = which;
              chat.push_binary(std::move(moved));
          }) > 0);
    require_no_half_frame([](noting& chat) { chat.push_text("short"); });
}

TEST_CASE("websocket_chat: a close frame that was sent has its deadline also without memory",
          "[websocket]")
{
    for (std::size_t n = 0;; ++n) {
        opened one;
        if (!fails_at(n, [&] { one.chat->push_close(1000, "as long as it has to be"); }))
            break;
        INFO("allocation " << n);
        REQUIRE(n < 20);
        const bool is_sent = !one.frames().empty();
        CHECK(one.chat->is_open() != is_sent);
        one.loop.advance(10s);
        CHECK(one.chat->closed() == is_sent);
    }
}

TEST_CASE("websocket_chat: a ping that finds no memory does not become a part of the message",
          "[websocket]")
{
    class brave : public noting {
    public:
        using noting::noting;
        void handle_error() override { ++errors; }
        int errors = 0;
    };
    int errors = 0;
    for (std::size_t n = 0; n < 20; ++n) {
        INFO("allocation " << n);
        asynchat::testing::loop loop;
        auto [chat, peer] = loop.accept<brave>();
        peer.send(usual_request + frame(text, "hello "));
        loop.settle();
        peer.send(frame(fin | ping, std::string(60, 'P')));
        fails_at(n, [&loop = loop] { loop.poll(); }); // it leaves poll() outside of a channel
        peer.send(frame(fin, "world"));
        loop.settle();
        errors += chat->errors;
        if (!chat->closed())
            CHECK(chat->events == strings{"upgrade /chat", "open", "text hello world"});
    }
    CHECK(errors > 0);
}
