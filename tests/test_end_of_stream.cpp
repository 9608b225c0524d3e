// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>

#include <sys/socket.h>

#include <stdexcept>
#include <string_view>

namespace {

class throwing_chat : public asynchat::async_chat {
public:
    using async_chat::async_chat;

    bool pauses = false;
    bool leaves = false; // by exit_now
    unsigned throws = 0; // a bit for each call of collect_incoming_data()

    void collect_incoming_data(std::string_view) override
    {
        const bool now = (throws & 1U) != 0;
        throws >>= 1U;
        if (now && leaves)
            throw asynchat::exit_now();
        if (now)
            throw std::runtime_error("on purpose");
    }
    void found_terminator() override
    {
        if (pauses)
            pause_reading();
    }
    void handle_error() override {} // survives
};

/// Everything that is ready, and what that makes ready.
void settle(asynchat::loop& loop)
{
    for (int passes = 0; passes < 20; ++passes) {
        try {
            loop.poll();
        } catch (const asynchat::exit_now&) {
        }
    }
}

} // namespace

TEST_CASE("the end is reported when exit_now left the delivery of held bytes", "[unit][eof]")
{
    asynchat::loop loop;
    auto [ours, peer] = asynchat::socket::pair();
    const auto channel = loop.create<throwing_chat>(std::move(ours));
    channel->set_terminator("\r\n");
    channel->leaves = true;
    channel->throws = 1;
    REQUIRE(::send(peer.native_handle(), "\r", 1, 0) == 1);
    ::shutdown(peer.native_handle(), SHUT_WR);
    settle(loop);
    CHECK(loop.size() == 0);
}

TEST_CASE("the end is reported when a callback throws after a pause at the end", "[unit][eof]")
{
    asynchat::loop loop;
    auto [ours, peer] = asynchat::socket::pair();
    const auto channel = loop.create<throwing_chat>(std::move(ours));
    channel->set_terminator("\n");
    channel->pauses = true;
    channel->throws = 5; // the first and the third call
    REQUIRE(::send(peer.native_handle(), "a\nb\n", 4, 0) == 4);
    settle(loop); // kept, as the first call threw
    ::shutdown(peer.native_handle(), SHUT_WR);
    settle(loop); // "a" and its end, which pauses
    REQUIRE(channel);
    channel->resume_reading();
    settle(loop);
    CHECK(loop.size() == 0);
}
