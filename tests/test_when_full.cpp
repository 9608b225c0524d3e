// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/small_channel.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <cstddef>
#include <utility>

// Who stops reading when too much output waits, and who reads on.

using namespace std::chrono_literals;
using namespace support::output;

TEST_CASE("over the high mark an accepted channel stops reading, one that connected goes on",
          "[output-limits][flow]")
{
    const bool accepted = GENERATE(false, true);
    small_channel c(accepted);
    c.event([](lines& chat) { chat.push(bytes(20)); });
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->write_paused());
    CHECK(c.chat->events == (accepted ? texts{"paused"} : texts{"paused", "collect one", "found"}));
}

TEST_CASE("a socket that was adopted is not one that was accepted", "[output-limits][flow][slow]")
{
    asynchat::loop loop;
    auto ends = support::connected_pair();
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    chat->push(bytes(32 << 20));
    CHECK(support::settle(loop));
    REQUIRE(chat->write_paused());
    ends.second.send("one\n");
    CHECK(support::run_until(loop, [&] { return chat->events.size() == 3; }));
    CHECK(chat->events == texts{"paused", "collect one", "found"});
}

namespace {

asynchat::full_output full(bool stops)
{
    return stops ? asynchat::full_output::stops_reading : asynchat::full_output::reads_on;
}

} // namespace

TEST_CASE("when_full() holds for either role, now and later", "[output-limits][flow]")
{
    const bool accepted = GENERATE(false, true);
    const bool stops = GENERATE(false, true);
    const bool before = GENERATE(false, true); // it is full
    small_channel c(accepted);
    if (before)
        c.chat->when_full(full(stops));
    c.event([](lines& chat) { chat.push(bytes(20)); });
    if (!before)
        c.chat->when_full(full(stops));
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == (stops ? texts{"paused"} : texts{"paused", "collect one", "found"}));
    c.chat->when_full(full(!stops)); // it is full again, or still
    c.peer.send("two\n");
    c.loop.settle();
    CHECK(c.chat->events.size() == (stops ? 5 : 3));
    c.peer.window(100); // and empty
    c.loop.settle();
    CHECK(c.chat->events.size() == 6);
}

TEST_CASE("when_full(): one that is full reads on in time when it decides by role again",
          "[output-limits][flow]")
{
    small_channel c(true);
    c.chat->when_full(asynchat::full_output::stops_reading);
    c.event([](lines& chat) { chat.push(bytes(20)); });
    c.peer.send("one\n");
    c.loop.advance(10s);
    CHECK(c.chat->events == texts{"paused"});
    c.chat->when_full(asynchat::full_output::by_role);
    c.loop.advance(900ms);
    CHECK(c.chat->events == texts{"paused"});
    c.loop.advance(200ms);
    CHECK(c.chat->events == texts{"paused", "collect one", "found"});
}

TEST_CASE("one that connected stops reading at half of max_output()",
          "[output-limits][flow][no-records]")
{
    small_channel c(false);
    c.chat->max_output(100);
    c.event([](lines& chat) { chat.push(bytes(50)); });
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == texts{"paused", "collect one", "found"});
    c.event([](lines& chat) { chat.push("x"); });
    c.peer.send("two\n");
    c.loop.settle();
    CHECK(c.chat->events.size() == 3);
    SECTION("until the low mark")
    {
        c.peer.window(100);
        c.loop.settle();
        CHECK(c.chat->events.size() == 6);
    }
    SECTION("or until two seconds have passed in which nothing was taken")
    {
        c.loop.advance(1900ms);
        CHECK(c.chat->events.size() == 3);
        c.peer.window(1);
        c.loop.advance(1900ms); // a byte was
        CHECK(c.chat->events.size() == 3);
        c.loop.advance(200ms);
        CHECK(c.chat->events.size() == 5);
        c.event([](lines& chat) { chat.push(bytes(40)); });
        c.peer.send("three\n"); // it reads on until the low mark, up to max_output()
        c.loop.settle();
        CHECK(c.chat->events.size() == 7);
    }
    SECTION("but not if it shall stop when it is full")
    {
        c.chat->when_full(asynchat::full_output::stops_reading);
        c.loop.advance(10s);
        CHECK(c.chat->events.size() == 3);
    }
}

TEST_CASE("an accepted channel that is full reads on when nothing is taken, up to the first answer",
          "[output-limits][flow]")
{
    small_channel c(true);
    const bool answers = GENERATE(false, true);
    const std::size_t low = 5; // as small_channel has it
    c.chat->on_found = [&chat = *c.chat, answers] {
        if (answers)
            chat.push("answer");
    };
    c.event([](lines& chat) { chat.push(bytes(20)); });
    c.peer.send("one\ntwo\nthree\n");
    c.loop.advance(900ms);
    CHECK(c.chat->events == texts{"paused"});
    c.loop.advance(200ms);
    c.peer.send("four\n");
    c.loop.advance(10s);
    if (!answers) {
        CHECK(c.chat->events.size() == 9);
        CHECK(c.chat->events.back() == "found");
        return;
    }
    CHECK(c.chat->pending_output() > 20 + low);
    CHECK(c.chat->pending_output() <= 20 + 3 * 6); // what one turn has received
    const std::size_t heard = c.chat->events.size();
    c.peer.send("five\n");
    c.loop.advance(30s);
    CHECK(c.chat->events.size() == heard);
    c.peer.window(100);
    c.loop.settle();
    CHECK(c.chat->events.back() == "found");
    CHECK(c.peer.received().size() == 20 + 5 * 6);
    // The next time it stops at the mark again.
    c.peer.window(0);
    c.chat->on_found = nullptr;
    c.event([](lines& chat) { chat.push(bytes(20)); });
    c.peer.send("six\n");
    c.loop.advance(900ms);
    CHECK(c.chat->events.back() == "paused");
}

TEST_CASE("max_output: a larger one lets a channel that connected read on", "[output-limits][flow]")
{
    small_channel c(false);
    c.chat->max_output(100);
    c.event([](lines& chat) { chat.push(bytes(60)); });
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == texts{"paused"});
    c.chat->max_output(200);
    c.loop.settle();
    CHECK(c.chat->events.size() == 3);
}
