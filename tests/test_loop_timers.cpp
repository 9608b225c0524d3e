// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

// --- handles -----------------------------------------------------------------------------------

TEST_CASE("a handle is null from the close of its channel on", "[loop][handle]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto handle = loop.create<chat>(std::move(ends.first));
    const auto copy = handle;
    REQUIRE(handle);
    CHECK(copy.get() == handle.get());
    CHECK(&*copy == handle.get());

    SECTION("kept alive by somebody")
    {
        const auto object = handle.lock();
        object->close();
        CHECK_FALSE(handle);
        CHECK_FALSE(copy);
        CHECK(settle(loop));
        CHECK(handle.lock() == object); // still there to be looked at
        CHECK(object->close_reason() == close_reason::local);
        CHECK_FALSE(object->push("x"));
    }
    SECTION("kept alive by nobody")
    {
        handle->close();
        CHECK(settle(loop));
        CHECK_FALSE(handle.lock());
    }
    CHECK_FALSE(handle);
    CHECK(handle.get() == nullptr);
    CHECK_THROWS_AS(handle->push("x"), std::logic_error);
    CHECK_THROWS_AS(*copy, std::logic_error);
}

TEST_CASE("a closed channel goes when none of its callbacks is on the stack", "[loop][handle]")
{
    class fading : public hooked {
    public:
        fading(loop& owner, asynchat::socket from, bool& gone)
            : hooked(owner, std::move(from)), gone_(gone)
        {
        }
        ~fading() override { gone_ = true; }

    private:
        bool& gone_;
    };
    loop loop;
    bool gone = false;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<fading>(std::move(ends.first), gone);
    bool gone_inside = true;
    SECTION("closed in its own callback")
    {
        channel->on_read = [&, object = channel.get()] {
            object->close();
            loop.poll(); // not even here
            gone_inside = gone;
        };
        ends.second.send("x");
        CHECK(run_until(loop, [&] { return gone; }));
        CHECK_FALSE(gone_inside);
    }
    SECTION("closed from outside: with the next pass")
    {
        channel->close();
        CHECK_FALSE(gone);
        CHECK(settle(loop));
        CHECK(gone);
    }
}

// --- timers ------------------------------------------------------------------------------------

TEST_CASE("call_later calls once, in order of time", "[loop][timers]")
{
    either_loop loop(GENERATE(false, true));
    std::vector<int> order;
    const auto third = loop->call_later(200ms, [&] { order.push_back(3); });
    const auto first = loop->call_later(0ms, [&] { order.push_back(1); });
    const auto second = loop->call_later(1ms, [&] { order.push_back(2); });
    CHECK(order.empty());
    CHECK(first.active());
    REQUIRE(run_until(*loop, [&] { return order.size() == 3; }));
    CHECK(settle(*loop));
    CHECK(order == std::vector<int>{1, 2, 3});
    CHECK_FALSE(first.active());
    CHECK_FALSE(third.active());
    CHECK_FALSE(timer().active());
}

TEST_CASE("call_later is never early", "[loop][timers]")
{
    loop loop;
    const auto wanted = std::chrono::steady_clock::now() + 5ms;
    std::chrono::steady_clock::time_point called;
    bool done = false;
    loop.call_later(5ms, [&] {
        called = std::chrono::steady_clock::now();
        done = true;
    });
    REQUIRE(run_until(loop, [&] { return done; }));
    CHECK(called >= wanted);
}

TEST_CASE("a cancelled timer is not called", "[loop][timers]")
{
    either_loop loop(GENERATE(false, true));
    bool called = false;
    bool other = false;
    timer cancelled = loop->call_later(0s, [&] { called = true; });
    SECTION("before it is due")
    {
        cancelled.cancel();
    }
    SECTION("twice, and by way of a copy")
    {
        timer copy = cancelled;
        copy.cancel();
        cancelled.cancel();
    }
    SECTION("by another timer that is due at the same time")
    {
        cancelled.cancel();
        loop->call_later(0s, [&] { cancelled.cancel(); });
        cancelled = loop->call_later(0s, [&] { called = true; });
    }
    if (!cancelled.active())
        loop->call_later(0s, [&] { other = true; });
    else
        loop->call_later(1ms, [&] { other = true; });
    REQUIRE(run_until(*loop, [&] { return other; }));
    CHECK_FALSE(called);
    CHECK_FALSE(cancelled.active());
    timer().cancel();
}

TEST_CASE("call_every calls until it is cancelled", "[loop][timers]")
{
    either_loop loop(GENERATE(false, true));
    int times = 0;
    timer every;
    SECTION("by itself")
    {
        every = loop->call_every(1ms, [&] {
            if (++times == 3) {
                CHECK(every.active());
                every.cancel();
            }
        });
    }
    SECTION("from outside")
    {
        every = loop->call_every(1ms, [&] {
            if (++times == 3)
                loop->post([&] { every.cancel(); });
        });
    }
    REQUIRE(run_until(*loop, [&] { return !every.active(); }));
    CHECK(times >= 3);
    const int before = times;
    bool later = false;
    loop->call_later(5ms, [&] { later = true; });
    REQUIRE(run_until(*loop, [&] { return later; }));
    CHECK(times == before);
}

TEST_CASE("call_every needs a period", "[loop][timers]")
{
    loop loop;
    CHECK_THROWS_AS(loop.call_every(0s, [] {}), std::invalid_argument);
    CHECK_THROWS_AS(loop.call_every(-1s, [] {}), std::invalid_argument);
}

TEST_CASE("an exception of a timer leaves the loop and ends that timer only", "[loop][timers]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel served(*loop);
    bool other = false;
    loop->call_later(1ms, [&] { other = true; });
    timer failing;
    SECTION("once")
    {
        failing = loop->call_later(0s, [] { throw test_error("timer"); });
    }
    SECTION("every")
    {
        failing = loop->call_every(1us, [] { throw test_error("timer"); });
    }
    const deadline limit(*loop);
    CHECK_THROWS_WITH(loop->run(), "timer");
    CHECK_FALSE(failing.active());
    CHECK(run_until(*loop, [&] { return other && served.channel->input == "x"; }));
}

TEST_CASE("a timer may start timers, create and close channels", "[loop][timers]")
{
    either_loop loop(GENERATE(false, true));
    std::optional<ready_channel> made;
    loop->call_later(0s, [&] {
        made.emplace(*loop);
        loop->call_later(0s, [&] { loop->call_later(0s, [&] { made->channel->close(); }); });
    });
    CHECK(run_until(*loop, [&] { return made && made->channel->closed(); }));
}

TEST_CASE("what is due together is called together, in the order of creation", "[loop][timers]")
{
    either_loop loop(GENERATE(false, true));
    std::string order;
    loop->create<dispatcher>();
    for (const char name : {'a', 'b', 'c'})
        loop->call_later(0s, [&order, name] { order += name; });
    loop->call_later(0s, [&] { loop->call_later(0s, [&] { order += 'x'; }); });
    loop->call_later(0s, [&] { order += 'd'; });
    loop->poll(patience);
    CHECK(order == "abcd");
    loop->poll(patience);
    CHECK(order == "abcdx");
}

TEST_CASE("a timer that runs the loop lets the others be called", "[loop][timers]")
{
    either_loop loop(GENERATE(false, true));
    std::string order;
    loop->create<dispatcher>();
    loop->call_later(0s, [&] {
        order += '(';
        CHECK(run_until(*loop, [&] { return order.size() == 3; }));
        order += ')';
    });
    loop->call_later(0s, [&] { order += 'a'; });
    loop->call_later(1ms, [&] { order += 'b'; });
    CHECK(run_until(*loop, [&] { return order.size() == 4; }));
    CHECK(order == "(ab)");
}

TEST_CASE("a cancelled timer keeps neither its function nor a borrowed context", "[loop][timers]")
{
    asio::io_context context;
    loop loop(context);
    const auto witness = std::make_shared<int>(0);
    timer timer = loop.call_later(1h, [witness] {});
    CHECK(witness.use_count() == 2);
    timer.cancel();
    CHECK(witness.use_count() == 1);
    context.run_for(patience);
    CHECK(context.stopped()); // for want of work
}

TEST_CASE("a timer at the end of time is not called", "[loop][timers]")
{
    either_loop loop(GENERATE(false, true));
    bool called = false;
    const timer never = loop->call_later(loop::duration::max(), [&] { called = true; });
    const timer over = loop->call_later(loop::duration::min(), [&] { called = true; });
    CHECK(run_until(*loop, [&] { return !over.active(); }));
    CHECK(std::exchange(called, false));
    CHECK(settle(*loop));
    CHECK_FALSE(called);
    CHECK(never.active());
}

TEST_CASE("the time of a loop is that of steady_clock", "[loop][timers]")
{
    const loop loop;
    const auto before = std::chrono::steady_clock::now();
    const auto now = loop.now();
    CHECK(before <= now);
    CHECK(now <= std::chrono::steady_clock::now());
}
