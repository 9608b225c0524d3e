// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/detail/timing/deadlines.hpp>

#include <chrono>
#include <optional>

using asynchat::detail::client_timeouts;
using asynchat::detail::deadlines;
using asynchat::detail::server_timeouts;
using asynchat::detail::timeouts;
using clock_of = deadlines::clock;
using namespace std::chrono_literals;

namespace {

deadlines::time_point at(std::chrono::seconds time)
{
    return deadlines::time_point(time);
}

deadlines::clock_set all()
{
    deadlines::clock_set clocks;
    for (const auto what :
         {clock_of::connect, clock_of::idle, clock_of::frame, clock_of::write, clock_of::close})
        clocks.add(what);
    return clocks;
}

} // namespace

TEST_CASE("deadlines: nothing runs out before it was started", "[deadlines]")
{
    const deadlines clocks(server_timeouts);
    CHECK_FALSE(clocks.expired(at(1000000s), all()));
    CHECK(clocks.next(all()) == deadlines::never);
}

TEST_CASE("deadlines: a clock runs out when its timeout has passed, not before", "[deadlines]")
{
    deadlines clocks(server_timeouts);
    clocks.start(clock_of::write, at(100s));
    CHECK(clocks.next(all()) == at(160s));
    CHECK_FALSE(clocks.expired(at(159s), all()));
    CHECK(clocks.expired(at(160s), all()) == clock_of::write);

    clocks.start(clock_of::write, at(150s)); // something was taken
    CHECK_FALSE(clocks.expired(at(160s), all()));
    clocks.stop(clock_of::write);
    CHECK_FALSE(clocks.expired(at(1000s), all()));
}

TEST_CASE("deadlines: a timeout of zero is for ever, and may be set while it runs", "[deadlines]")
{
    deadlines clocks(client_timeouts);
    clocks.start(clock_of::idle, at(10s));
    CHECK(clocks.due(clock_of::idle) == deadlines::never);
    clocks.set_timeout(&timeouts::idle, 5s);
    CHECK(clocks.due(clock_of::idle) == at(15s));
    clocks.set_timeout(&timeouts::idle, deadlines::duration::max()); // more than there is of time
    CHECK(clocks.due(clock_of::idle) == deadlines::never);
}

TEST_CASE("deadlines: only the clocks that count run out", "[deadlines]")
{
    deadlines clocks(client_timeouts);
    clocks.start(clock_of::connect, at(0s));
    clocks.start(clock_of::write, at(10s));
    deadlines::clock_set counting;
    counting.add(clock_of::write);
    CHECK(clocks.next(counting) == at(70s));
    CHECK_FALSE(clocks.expired(at(31s), counting));
    CHECK(clocks.expired(at(31s), all()) == clock_of::connect);
}

TEST_CASE("deadlines: the time to close is judged before all others", "[deadlines]")
{
    deadlines clocks(client_timeouts);
    clocks.start(clock_of::connect, at(0s));
    clocks.start(clock_of::write, at(0s));
    clocks.close_at(at(200s));
    CHECK(clocks.next(all()) == at(30s));
    CHECK(clocks.expired(at(199s), all()) == clock_of::connect);
    CHECK(clocks.expired(at(200s), all()) == clock_of::close);
    clocks.stop(clock_of::close);
    CHECK(clocks.expired(at(200s), all()) == clock_of::connect);
}

TEST_CASE("deadlines: the clock of a frame that stood still goes on from there", "[deadlines]")
{
    deadlines clocks(server_timeouts);
    clocks.start(clock_of::frame, at(0s));
    clocks.stand_still(at(100s));
    CHECK(clocks.due(clock_of::frame) == deadlines::never);
    CHECK_FALSE(clocks.expired(at(1000s), all()));
    CHECK(clocks.stands_still());
    clocks.go_on(at(1000s));
    CHECK_FALSE(clocks.stands_still());
    CHECK(clocks.due(clock_of::frame) == at(1020s));

    clocks.stand_still(at(1010s));
    clocks.start(clock_of::frame, at(1015s)); // the next frame does not stand
    CHECK(clocks.due(clock_of::frame) == at(1135s));
    clocks.stand_still(at(1016s));
    clocks.stop(clock_of::frame);
    CHECK_FALSE(clocks.stands_still());
}

TEST_CASE("deadlines: another connection keeps what was set, and no clock", "[deadlines]")
{
    deadlines clocks(server_timeouts);
    clocks.set_timeout(&timeouts::write, 7s);
    clocks.set_timeout(&timeouts::idle, 9s);
    clocks.start(clock_of::write, at(0s));
    clocks.start(clock_of::frame, at(0s));
    clocks.stand_still(at(1s));
    clocks.close_at(at(5s));

    clocks.start_anew(at(50s));
    CHECK_FALSE(clocks.runs(clock_of::idle)); // it did not
    CHECK_FALSE(clocks.expired(at(1000s), all()));
    CHECK_FALSE(clocks.stands_still());
    CHECK(clocks.limits().write == 7s);
    CHECK(clocks.limits().frame == client_timeouts.frame); // that of the role: it connects now

    clocks.start(clock_of::idle, at(60s));
    clocks.set_timeout(&timeouts::frame, 11s);
    clocks.start_anew(at(100s));
    CHECK(clocks.due(clock_of::idle) == at(109s));
    CHECK(clocks.limits().frame == 11s);
}
