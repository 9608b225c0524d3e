// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace std::chrono_literals;

namespace {

/// Gives the test what subclasses have.
class clock_face : public testing::recorder<> {
public:
    clock_face(loop& owner, asynchat::socket from) : recorder(owner, std::move(from)) {}
    using async_chat::call_every;
    using async_chat::call_later;
};

/// Begins its timers in the constructor, and may run the loop there.
class early : public async_chat {
public:
    early(loop& owner, std::string& calls, bool runs, bool throws = false) : async_chat(owner)
    {
        call_later(1s, [&calls] { calls += 'l'; });
        call_every(1s, [&calls] { calls += 'e'; });
        if (runs)
            owner.poll(2s);
        if (throws)
            throw std::runtime_error("constructor");
    }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

struct bench {
    testing::loop loop;
    std::pair<std::shared_ptr<clock_face>, testing::peer> ends = loop.accept<clock_face>();
    std::shared_ptr<clock_face>& channel = ends.first;
    testing::peer& peer = ends.second;
};

} // namespace

TEST_CASE("a channel's timer is an event of it: what it pushes is sent", "[timers]")
{
    bench on;
    on.channel->call_later(1s, [&] { on.channel->push("later "); });
    on.channel->call_every(2s, [&] { on.channel->push("tick "); });
    on.loop.advance(999ms);
    CHECK(on.peer.received().empty());
    on.loop.advance(1ms);
    CHECK(on.peer.received() == "later ");
    on.loop.advance(4s);
    CHECK(on.peer.received() == "tick tick ");
}

TEST_CASE("what a channel's timer throws goes to handle_error and ends that timer", "[timers]")
{
    class survivor : public clock_face {
    public:
        using clock_face::clock_face;
        void handle_error() override { note("error"); }
    };
    testing::loop loop;
    const auto [channel, peer] = loop.accept<survivor>();
    const timer failing = channel->call_every(1s, [] { throw std::runtime_error("tick"); });
    CHECK_NOTHROW(loop.advance(3s));
    CHECK(channel->events == std::vector<std::string>{"error"});
    CHECK_FALSE(failing.active());
    CHECK_FALSE(channel->closed());
}

TEST_CASE("what a channel's timer throws ends the channel by default", "[timers]")
{
    bench on;
    on.channel->call_later(1s, [] { throw std::runtime_error("tick"); });
    CHECK_NOTHROW(on.loop.advance(1s));
    CHECK(on.channel->close_reason() == close_reason::callback_error);
}

TEST_CASE("exit_now out of a channel's timer leaves the loop", "[timers]")
{
    bench on;
    on.channel->call_later(1s, [] { throw exit_now(); });
    CHECK_THROWS_AS(on.loop.advance(1s), exit_now);
    CHECK_FALSE(on.channel->closed());
}

TEST_CASE("a channel's timers end with its close, and what they hold goes then", "[timers]")
{
    bench on;
    const auto held = std::make_shared<int>(0);
    int calls = 0;
    const timer later = on.channel->call_later(1h, [held, &calls] { ++calls; });
    const timer every = on.channel->call_every(1s, [held, &calls] { ++calls; });
    const timer other = on.loop.call_later(1h, [] {});
    on.loop.advance(1s);
    REQUIRE(calls == 1);
    REQUIRE(held.use_count() == 3);
    SECTION("its own")
    {
        on.channel->close();
    }
    SECTION("that of an error")
    {
        on.peer.reset();
        on.loop.settle();
    }
    SECTION("that of the loop")
    {
        on.loop.close_all();
    }
    SECTION("inside one of them")
    {
        on.channel->call_later(0s, [&] {
            on.channel->close();
            CHECK(held.use_count() == 1);
        });
        on.loop.settle();
    }
    REQUIRE(on.channel->closed());
    CHECK(held.use_count() == 1);
    CHECK_FALSE(later.active());
    CHECK_FALSE(every.active());
    CHECK(other.active());
    on.loop.advance(2h);
    CHECK(calls == 1);
}

TEST_CASE("a timer's own function outlives the close that it makes", "[timers]")
{
    bench on;
    bool every = GENERATE(false, true);
    CAPTURE(every);
    std::string seen;
    const auto f = [&, text = std::string(100, 'x')] {
        on.channel->close();
        seen = text;
    };
    const timer one = every ? on.channel->call_every(1s, f) : on.channel->call_later(1s, f);
    on.loop.advance(3s);
    CHECK(seen == std::string(100, 'x'));
    CHECK_FALSE(one.active());
}

TEST_CASE("a channel's timer can be cancelled alone", "[timers]")
{
    bench on;
    std::string calls;
    on.channel->call_later(1s, [&] { calls += 'a'; });
    timer middle = on.channel->call_every(1s, [&] { calls += 'b'; });
    on.channel->call_every(1s, [&] { calls += 'c'; });
    on.loop.advance(1s);
    middle.cancel();
    middle.cancel();
    on.loop.advance(1s);
    on.channel->close();
    on.loop.advance(1s);
    CHECK(calls == "abcc");
}

TEST_CASE("a channel's timers outlive its connection, not the channel", "[timers]")
{
    class client : public testing::recorder<> {
    public:
        explicit client(loop& owner) : recorder(owner)
        {
            call_every(1s, [this] { ++ticks; });
        }
        int ticks = 0;
    };
    testing::loop loop;
    auto answers = loop.listen(endpoint("10.0.0.1", 7));
    const auto channel = loop.create<client>().lock();
    channel->connect(endpoint("10.0.0.1", 7));
    const auto first = answers.accept();
    loop.advance(1s);
    channel->create_socket();
    loop.advance(1s);
    CHECK(channel->ticks == 2);
    channel->close();
    loop.advance(1s);
    CHECK(channel->ticks == 2);
}

TEST_CASE("no timer begins on a closed channel", "[timers]")
{
    bench on;
    on.channel->close();
    const auto held = std::make_shared<int>(0);
    CHECK_FALSE(on.channel->call_later(0s, [held] {}).active());
    CHECK_FALSE(on.channel->call_every(1s, [held] {}).active());
    CHECK(held.use_count() == 1);
}

TEST_CASE("a channel's call_every needs a period", "[timers]")
{
    bench on;
    CHECK_THROWS_AS(on.channel->call_every(0s, [] {}), std::invalid_argument);
    on.channel->close();
    CHECK_THROWS_AS(on.channel->call_every(-1s, [] {}), std::invalid_argument);
}

TEST_CASE("timers may begin in a constructor", "[timers]")
{
    testing::loop loop;
    std::string calls;
    SECTION("and are for later")
    {
        loop.create<early>(calls, false);
        CHECK(calls.empty());
        loop.advance(2s);
        CHECK(calls == "lee");
    }
    SECTION("that runs the loop: they wait for its end")
    {
        loop.create<dispatcher>(); // or poll() would not wait
        loop.create<early>(calls, true);
        CHECK(calls.empty());
        loop.advance(1s);
        CHECK(calls.substr(0, 2) == "le");
    }
    SECTION("that throws: they end with it")
    {
        CHECK_THROWS_WITH(loop.create<early>(calls, false, true), "constructor");
        loop.advance(2s);
        CHECK(calls.empty());
    }
}

TEST_CASE("a channel's timers end with their loop", "[timers]")
{
    const auto held = std::make_shared<int>(0);
    timer one;
    {
        bench on;
        one = on.channel->call_every(1s, [held] {});
        on.channel.reset();
        on.peer.close();
    }
    CHECK(held.use_count() == 1);
    CHECK_FALSE(one.active());
    one.cancel();
}

TEST_CASE("what a timer held may close other channels when it goes", "[timers]")
{
    bench on;
    const auto other = on.loop.accept<clock_face>().first;
    const std::shared_ptr<int> held(new int(0), [&](const int* gone) {
        delete gone;
        other->close();
        CHECK_FALSE(on.channel->call_later(0s, [] {}).active());
    });
    bool called = false;
    other->call_later(1s, [&called] { called = true; });
    {
        auto last = held;
        on.channel->call_later(1s, [last = std::move(last)] {});
    }
    const_cast<std::shared_ptr<int>&>(held).reset();
    on.channel->close();
    CHECK(other->closed());
    on.loop.advance(1s);
    CHECK_FALSE(called);
}

// --- scoped_timer ------------------------------------------------------------------------------

TEST_CASE("a scoped timer ends with its owner", "[timers]")
{
    testing::loop loop;
    int calls = 0;
    const auto start = [&] { return loop.call_every(1s, [&calls] { ++calls; }); };
    SECTION("when it goes")
    {
        const scoped_timer one = start();
        loop.advance(1s);
        CHECK(one.active());
    }
    SECTION("when it is given another timer")
    {
        scoped_timer one = start();
        loop.advance(1s);
        one = loop.call_later(1s, [&calls] { calls += 10; });
        loop.advance(1s);
        CHECK(std::exchange(calls, 1) == 11);
        CHECK_FALSE(one.active());
    }
    SECTION("which may be a container")
    {
        std::vector<scoped_timer> all;
        all.push_back(start());
        all.push_back(start());
        all.erase(all.begin());
        loop.advance(1s);
        CHECK(all.front().active());
    }
    SECTION("by its own call")
    {
        scoped_timer one = start();
        loop.advance(1s);
        one.cancel();
        CHECK_FALSE(one.active());
        loop.advance(1s);
    }
    loop.advance(1s);
    CHECK(calls == 1);
}

TEST_CASE("a scoped timer can be moved, also to itself", "[timers]")
{
    testing::loop loop;
    scoped_timer one = loop.call_later(1s, [] {});
    scoped_timer two = std::move(one);
    CHECK(two.active());
    scoped_timer& same = two;
    two = std::move(same);
    CHECK(two.active());
    one = std::move(two);
    CHECK(one.active());
    CHECK_FALSE(two.active());
}

TEST_CASE("a scoped timer may outlive its loop", "[timers]")
{
    scoped_timer one;
    testing::loop().call_later(1s, [] {});
    {
        testing::loop loop;
        one = loop.call_later(1s, [] {});
        CHECK(one.active());
    }
    CHECK_FALSE(one.active());
}

// --- functions that can only be moved ----------------------------------------------------------

TEST_CASE("all functions may be such as can only be moved", "[timers][post]")
{
    bench on;
    std::string calls;
    const auto noting = [&](std::string what) {
        return
            [&calls, owned = std::make_unique<std::string>(std::move(what))] { calls += *owned; };
    };
    on.loop.post(noting("post "));
    on.loop.call_later(0s, noting("later "));
    timer every = on.loop.call_every(1s, noting("every "));
    on.channel->call_later(0s, noting("channel-later "));
    on.channel->call_every(1s, noting("channel-every "));
    on.loop.handle_of(*on.channel).post([note = noting("to-channel ")](clock_face&) mutable {
        note();
    });
    on.loop.settle();
    CHECK(calls == "post later channel-later to-channel ");
    calls.clear();
    on.loop.advance(1s);
    CHECK(calls == "every channel-every ");
    every.cancel();
}

TEST_CASE("a function of one owner holds what fits, and what does not", "[unique_function]")
{
    using function = detail::unique_function<int(int)>;
    const auto held = std::make_shared<int>(1);
    function empty;
    CHECK_FALSE(empty);
    function small = [held](int x) { return *held + x; };
    function large = [held, more = std::vector<int>{1, 2}, text = std::string("x")](int x) {
        return *held + x + static_cast<int>(more.size() + text.size());
    };
    CHECK(small(1) == 2);
    CHECK(large(1) == 5);
    CHECK(held.use_count() == 3);
    function moved = std::move(large);
    CHECK_FALSE(large);
    CHECK(moved(1) == 5);
    moved = std::move(small);
    CHECK(held.use_count() == 2);
    CHECK(moved(1) == 2);
    function& same = moved;
    moved = std::move(same);
    CHECK(moved(1) == 2);
    moved = function();
    CHECK(held.use_count() == 1);
}
