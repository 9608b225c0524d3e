// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loop_channels.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

using times = std::vector<long long>; // nanoseconds

/// Notes what on_turn() is told.
times& note_turns(loop& owner, times& into)
{
    owner.on_turn(
        [&into](loop::duration took) { into.push_back(std::chrono::nanoseconds(took).count()); });
    return into;
}

} // namespace

TEST_CASE("on_turn is told how long each turn took", "[loop][turn]")
{
    times took; // outlives the loop, whose end may have turns
    testing::loop loop;
    auto [channel, peer] = loop.accept<line_echo>();
    loop.settle();
    note_turns(loop, took);
    SECTION("of posted functions, with the turns in them")
    {
        loop.post([&] {
            loop.call_later(1ms, [] {});
            loop.advance(3ms);
        });
        loop.post([] {}); // is called in there
        loop.settle();
        CHECK(took == times{3000000});
        loop.post([] {});
        loop.settle();
        CHECK(took == times{3000000, 0});
    }
    SECTION("of timers")
    {
        loop.call_later(1ms, [&] { loop.advance(5ms); });
        loop.advance(2ms);
        CHECK(took == times{5000000});
    }
    SECTION("of channels")
    {
        peer.send("one\n");
        CHECK(peer.received() == "one\n");
        CHECK_FALSE(took.empty());
    }
}

TEST_CASE("the function of on_turn can be replaced, and ended", "[loop][turn]")
{
    testing::loop loop;
    times first, second;
    note_turns(loop, first);
    loop.post([] {});
    loop.settle();
    CHECK(first.size() == 1);
    loop.post([&] { note_turns(loop, second); }); // counts from here on
    loop.settle();
    CHECK(first.size() == 1);
    CHECK(second.size() == 1);
    loop.post([&] { loop.on_turn(nullptr); });
    loop.post([] {});
    loop.settle();
    CHECK(second.size() == 1);
}

TEST_CASE("on_turn measures real time in a real loop", "[loop][turn]")
{
    times took; // outlives the loop, whose end may have turns
    loop loop;
    note_turns(loop, took);
    loop.post([] {
        const auto end = std::chrono::steady_clock::now() + 2ms;
        while (std::chrono::steady_clock::now() < end) {
        }
    });
    loop.poll();
    REQUIRE(took.size() == 1);
    CHECK(took[0] >= 2000000);
}
