// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/error_text.hpp"
#include "support/small_channel.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <string>
#include <system_error>

// What is pushed outside of the events of the channel.

using asynchat::close_reason;
using asynchat::endpoint;
using asynchat::testing::operation;
using namespace support::output;

TEST_CASE("a push from outside over the high mark sends at once what the socket takes",
          "[output-limits][flow]")
{
    small_channel c;
    c.peer.window(1000);
    c.loop.post([&chat = *c.chat] {
        CHECK(chat.push(bytes(10)));
        CHECK(chat.pending_output() == 10); // not over the mark
        CHECK(chat.push(bytes(900)));
        CHECK(chat.pending_output() == 0);
        CHECK_FALSE(chat.write_paused());
    });
    CHECK(c.peer.received().size() == 910);
    CHECK(c.chat->events.empty());
}

TEST_CASE("a push from outside that is too much pauses the channel within the call",
          "[output-limits][flow]")
{
    small_channel c;
    c.loop.settle();
    c.loop.post([&chat = *c.chat] {
        CHECK(chat.push(bytes(20)));
        CHECK(chat.write_paused());
        CHECK_FALSE(chat.readable());
        CHECK(chat.events.empty()); // which is told in a turn
    });
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == texts{"paused"});
    c.peer.window(100);
    c.loop.settle();
    CHECK(c.chat->events == texts{"paused", "resumed", "collect one", "found"});
}

TEST_CASE("small pushes from outside come to the high mark as large ones do",
          "[output-limits][flow]")
{
    small_channel c;
    SECTION("behind nothing") {}
    SECTION("behind what an event has left")
    {
        c.event([](lines& chat) { chat.push("x"); });
    }
    SECTION("behind a producer, in memory that was used before")
    {
        c.peer.window(1);
        c.chat->push("x");
        c.loop.settle();
        c.chat->push_with_producer([] { return std::string(); });
    }
    SECTION("behind a large string")
    {
        c.chat->write_buffer_limits(10000, 5);
        c.chat->push(bytes(9990));
    }
    SECTION("behind others, and with lower marks")
    {
        c.chat->write_buffer_limits(1000, 5);
        for (int i = 0; i < 10; ++i)
            c.chat->push("x");
        c.chat->write_buffer_limits(10, 5);
    }
    const std::size_t before = c.chat->pending_output();
    for (int i = 0; i < 20 && !c.chat->write_paused(); ++i)
        CHECK(c.chat->push("x"));
    CHECK(c.chat->write_paused());
    CHECK(c.chat->pending_output() == (before < 1000 ? 11 : 10001));
}

TEST_CASE("small pushes from outside come to the high mark before a connection is made",
          "[output-limits][flow]")
{
    const bool connects = GENERATE(false, true);
    asynchat::testing::loop loop;
    loop.ignore(endpoint("127.0.0.1", 9));
    const auto chat = loop.create<lines>().lock();
    chat->write_buffer_limits(10, 5);
    if (connects)
        chat->connect(endpoint("127.0.0.1", 9));
    loop.handle_of(*chat).post([](lines& self) { self.push("x"); });
    loop.settle();
    for (int i = 0; i < 9; ++i)
        CHECK(chat->push("x"));
    CHECK_FALSE(chat->write_paused()); // the mark itself is not over it
    CHECK(chat->push("x"));
    CHECK(chat->write_paused());
    CHECK(chat->pending_output() == 11);
}

TEST_CASE("an error of a push from outside is told in a turn", "[output-limits][flow][errors]")
{
    small_channel c;
    c.peer.window(1000);
    c.loop.post([&] {
        c.loop.fail(1, EIO, operation::send);
        CHECK(c.chat->push(bytes(20)));
        CHECK(c.chat->events.empty());
        CHECK_FALSE(c.chat->closed());
        c.loop.fail(1, EIO, operation::send);
    });
    c.loop.settle();
    CHECK(c.chat->events ==
          texts{"paused", "error asynchat: send: " + support::error_text(std::errc::io_error),
                "close system error"});
}

TEST_CASE("a connection that a push from outside finds lost ends in a turn",
          "[output-limits][flow]")
{
    small_channel c;
    c.peer.send("one\n");
    c.peer.close();
    c.chat->push(bytes(20));
    CHECK(c.chat->events.empty());
    CHECK_FALSE(c.chat->closed());
    CHECK_FALSE(c.chat->push("more"));
    c.loop.settle();
    CHECK(c.chat->events == texts{"collect one", "found", "close reset"});
    CHECK(c.chat->pending_output() == 20);
}
