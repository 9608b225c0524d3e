// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/detail/io/connect_race.hpp>

#include <chrono>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using asynchat::detail::connect_race;

namespace {

using indices = std::vector<std::size_t>;

/// The next step in words.
std::string next(connect_race& race, connect_race::duration now)
{
    const auto step = race.next(connect_race::time_point(now));
    switch (step.what) {
    case connect_race::action::start: return "start " + std::to_string(step.address);
    case connect_race::action::fail: return "fail";
    case connect_race::action::wait: break;
    }
    if (step.until == connect_race::never)
        return "wait";
    using std::chrono::milliseconds;
    const auto until = std::chrono::duration_cast<milliseconds>(step.until.time_since_epoch());
    return "wait " + std::to_string(until.count());
}

connect_race::time_point at(connect_race::duration time)
{
    return connect_race::time_point(time);
}

} // namespace

TEST_CASE("connect_race: the families take turns, the first one first", "[connect_race]")
{
    constexpr int v4 = 4;
    constexpr int v6 = 6;
    const std::vector<int> mixed = {v6, v6, v6, v4, v4};
    CHECK(connect_race::interleave({}, 1).empty());
    CHECK(connect_race::interleave({v4, v4}, 1) == indices{0, 1});
    CHECK(connect_race::interleave(mixed, 1) == indices{0, 3, 1, 4, 2});
    CHECK(connect_race::interleave({v4, v6, v6}, 1) == indices{0, 1, 2});
    CHECK(connect_race::interleave({v4, v4, v6, v6, v6}, 1) == indices{0, 2, 1, 3, 4});
    CHECK(connect_race::interleave(mixed, 2) == indices{0, 1, 3, 2, 4});
    CHECK(connect_race::interleave(mixed, 3) == indices{0, 1, 2, 3, 4});
    const auto all = std::numeric_limits<std::size_t>::max();
    CHECK(connect_race::interleave({v4, v6, v4}, all) == indices{0, 2, 1});
    CHECK(connect_race::interleave({}, all).empty());
    CHECK(connect_race::interleave({v6, v6, v4, v6}, 0) == indices{0, 1, 2, 3}); // as it was
}

TEST_CASE("connect_race: of many addresses 16 are tried, of all families", "[connect_race]")
{
    std::vector<int> families(20, 6);
    families.resize(40, 4);
    const auto order = connect_race::interleave(families, 1);
    REQUIRE(order.size() == connect_race::max_addresses);
    CHECK(order[0] == 0);
    CHECK(order[1] == 20);
    CHECK(order[15] == 27);
    CHECK(connect_race::interleave(families, 0).size() == 16);
    CHECK(connect_race::interleave(families, 30).size() == 16);
}

TEST_CASE("connect_race: the next attempt starts after the delay", "[connect_race]")
{
    connect_race race(3, 250ms);
    CHECK(next(race, 10ms) == "start 0");
    CHECK(next(race, 10ms) == "wait 260");
    CHECK(next(race, 259ms) == "wait 260");
    CHECK(next(race, 260ms) == "start 1");
    CHECK(next(race, 260ms) == "wait 510");
    CHECK(next(race, 2s) == "start 2"); // late, but one at a time
    CHECK(race.last_started() == 2);
    CHECK(next(race, 2s) == "wait");
    CHECK(race.is_under_way());
}

TEST_CASE("connect_race: the next attempt starts at once when one has failed", "[connect_race]")
{
    connect_race race(4, 250ms);
    CHECK(next(race, 0ms) == "start 0");
    race.failed(at(1ms));
    CHECK(next(race, 1ms) == "start 1");
    CHECK(next(race, 1ms) == "wait 251");
    CHECK(next(race, 251ms) == "start 2");
    race.failed(at(300ms)); // either of the two
    CHECK(next(race, 300ms) == "start 3");
    CHECK(next(race, 300ms) == "wait");
    race.failed(at(400ms));
    CHECK(next(race, 400ms) == "wait");
    race.failed(at(500ms));
    CHECK(next(race, 500ms) == "fail");
    CHECK_FALSE(race.is_under_way());
}

TEST_CASE("connect_race: at most 4 attempts are under way", "[connect_race]")
{
    connect_race race(6, 100ms);
    for (int i = 0; i < 4; ++i)
        CHECK(next(race, i * 100ms) == "start " + std::to_string(i));
    CHECK(next(race, 10s) == "wait");
    race.failed(at(11s));
    CHECK(next(race, 11s) == "start 4");
    CHECK(next(race, 12s) == "wait");
    race.failed(at(12s));
    CHECK(next(race, 12s) == "start 5");
    CHECK(next(race, 13s) == "wait");
}

TEST_CASE("connect_race: without a delay each attempt waits for the one before", "[connect_race]")
{
    connect_race race(2, 0ms);
    CHECK(next(race, 0ms) == "start 0");
    CHECK(next(race, 1h) == "wait");
    race.failed(at(1h));
    CHECK(next(race, 1h) == "start 1");
    CHECK(next(race, 2h) == "wait");
    race.failed(at(2h));
    CHECK(next(race, 2h) == "fail");
}

TEST_CASE("connect_race: without an address it fails", "[connect_race]")
{
    connect_race race(0, 250ms);
    CHECK(next(race, 0ms) == "fail");
}
