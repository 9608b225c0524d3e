// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/detail/gate.hpp>
#include <asynchat/detail/io/accept_backoff.hpp>
#include <asynchat/detail/io/urgent_watch.hpp>
#include <asynchat/detail/scope_exit.hpp>

#include <poll.h>

#include <initializer_list>
#include <stdexcept>

using asynchat::detail::accept_backoff;
using asynchat::detail::gate;
using asynchat::detail::scope_exit;
using asynchat::detail::urgent_watch;

TEST_CASE("gate: a reason stops input, output, or both", "[gate]")
{
    struct row {
        gate::reason why;
        bool delivers;
        bool accepts;
    };
    for (const row& each : {row{gate::closed, false, false}, row{gate::closing, false, false},
                            row{gate::ended, false, false}, row{gate::paused, false, true},
                            row{gate::full, false, true}, row{gate::turn_over, false, true},
                            row{gate::steered, true, true}, row{gate::renewed, true, true},
                            row{gate::output_ended, true, false}, row{gate::lost, true, false},
                            row{gate::blocked, true, true}}) {
        CAPTURE(each.why);
        gate g;
        CHECK(g.delivers_input());
        CHECK(g.accepts_output());
        g.set(each.why);
        CHECK(g.has(each.why));
        CHECK(g.delivers_input() == each.delivers);
        CHECK(g.accepts_output() == each.accepts);
    }
}

TEST_CASE("gate: what was taken back stops no more, other reasons do", "[gate]")
{
    gate g;
    g.set(gate::paused);
    g.set(gate::closing);
    g.set(gate::closing, false);
    CHECK_FALSE(g.delivers_input());
    CHECK(g.accepts_output());
    g.set(gate::paused, false);
    CHECK(g.delivers_input());
    CHECK_FALSE(g.is_over());
    g.set(gate::ended);
    CHECK(g.is_over());
}

TEST_CASE("gate: a question for many reasons is answered by each of them", "[gate]")
{
    const auto of = {gate::closing,      gate::paused, gate::turn_over,
                     gate::output_ended, gate::lost,   gate::blocked};
    for (const gate::reason a : of) {
        for (const gate::reason b : of) {
            gate g;
            g.set(a);
            CHECK(g.has(unsigned{a} | b));
            CHECK(g.has(b) == (a == b));
        }
    }
}

TEST_CASE("accept_backoff: a pause begins once, after an event that accepted nothing",
          "[accept_backoff]")
{
    accept_backoff backoff;
    backoff.event_begins();
    backoff.accepted();
    CHECK_FALSE(backoff.event_failed());
    CHECK(backoff.is_worth_telling());

    backoff.event_begins();
    CHECK(backoff.event_failed());
    CHECK(backoff.is_worth_telling());
    backoff.begin_pause();
    CHECK(backoff.is_paused());

    backoff.event_begins(); // it was called all the same
    CHECK_FALSE(backoff.event_failed());
    CHECK_FALSE(backoff.is_worth_telling());
    backoff.end_pause();
    CHECK(backoff.event_failed());
    CHECK_FALSE(backoff.is_worth_telling());

    backoff.event_ended();
    CHECK(backoff.event_failed());
    CHECK(backoff.is_worth_telling()); // the first of another row
}

TEST_CASE("urgent_watch: a mark is told once, until it has gone", "[urgent_watch]")
{
    urgent_watch watch;
    CHECK_FALSE(watch.waits());
    watch.set(true);
    CHECK(watch.waits());
    CHECK_FALSE(watch.event(0)); // for nothing
    CHECK(watch.event(POLLPRI));
    CHECK_FALSE(watch.waits());
    watch.passed(POLLPRI);
    CHECK(watch.is_pending());
    watch.passed(0);
    CHECK(watch.waits());

    CHECK(watch.event(POLLPRI));
    watch.start_anew();
    CHECK(watch.waits());
}

TEST_CASE("urgent_watch: an error is told, and what would wake for ever ends the watch",
          "[urgent_watch]")
{
    urgent_watch watch;
    watch.set(true);
    CHECK_FALSE(watch.event(POLLHUP));
    CHECK_FALSE(watch.is_on());
    watch.set(true);
    CHECK(watch.event(POLLERR));
    CHECK_FALSE(watch.is_on());
    watch.set(true);
    CHECK(watch.event(POLLPRI | POLLHUP)); // the mark comes first
    CHECK(watch.is_on());
}

TEST_CASE("scope_exit: the function is called when the scope ends, also by an exception",
          "[scope_exit]")
{
    int calls = 0;
    {
        const scope_exit done([&] { ++calls; });
        CHECK(calls == 0);
    }
    CHECK(calls == 1);
    const auto leave = [&] {
        const scope_exit done([&] { ++calls; });
        throw std::runtime_error("leaves");
    };
    CHECK_THROWS_AS(leave(), std::runtime_error);
    CHECK(calls == 2);
}
