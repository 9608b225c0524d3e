// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// A loop, in an io_context of its own or in a borrowed one.
class either_loop {
public:
    explicit either_loop(bool borrowed)
    {
        if (borrowed)
            loop_.emplace(context_);
        else
            loop_.emplace();
    }
    loop* operator->() { return &*loop_; }
    loop& operator*() { return *loop_; }
    void destroy() { loop_.reset(); }
    asio::io_context& borrowed_context() { return context_; }

private:
    asio::io_context context_;
    std::optional<loop> loop_;
};

/// Calls what the test gives it.
class hooked : public recorder {
public:
    using recorder::recorder;
    std::function<void()> on_read;
    void handle_read() override
    {
        recorder::handle_read();
        if (on_read)
            on_read();
    }
};

/// A channel with input waiting, and its peer.
struct ready_channel {
    explicit ready_channel(loop& loop)
    {
        auto ends = connected_pair(AF_UNIX);
        channel = loop.create<hooked>(std::move(ends.first)).lock();
        peer = std::move(ends.second);
        peer.send("x");
    }
    std::shared_ptr<hooked> channel;
    raw_peer peer;
};

/// Keeps its frames and says what happened.
class chat : public logging<async_chat> {
public:
    chat(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
    {
        set_terminator("\n");
    }
    std::string pieces;
    std::function<void(std::string_view)> on_collect;
    std::function<void()> on_frame;
    int frames = 0;
    void collect_incoming_data(std::string_view data) override
    {
        pieces += data;
        if (on_collect)
            on_collect(data);
    }
    void found_terminator() override
    {
        ++frames;
        if (on_frame)
            on_frame();
    }
};

} // namespace

// --- run and poll ------------------------------------------------------------------------------

TEST_CASE("run returns when no channel is left", "[loop][run]")
{
    either_loop loop(GENERATE(false, true));
    loop->run(); // at once

    ready_channel one(*loop);
    ready_channel two(*loop);
    one.channel->on_read = [&] { one.channel->close(); };
    two.channel->on_read = [&] { two.channel->close(); };
    CHECK(loop->size() == 2);
    const deadline limit(*loop);
    loop->run();
    CHECK(loop->size() == 0);
    CHECK(one.channel->closed());
    CHECK(two.channel->closed());

    ready_channel again(*loop); // and it can run again
    again.channel->on_read = [&] { again.channel->close(); };
    loop->run();
    CHECK(again.channel->closed());
}

TEST_CASE("run calls posted functions first, and serves the channels that they create",
          "[loop][run]")
{
    either_loop loop(GENERATE(false, true));
    std::optional<ready_channel> made;
    loop->post([&] {
        made.emplace(*loop);
        made->channel->on_read = [&] { made->channel->close(); };
    });
    const deadline limit(*loop);
    loop->run();
    REQUIRE(made);
    CHECK(made->channel->input == "x");
}

TEST_CASE("run goes on when the last channel closes and makes a new one", "[loop][run]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel one(*loop);
    std::optional<ready_channel> two;
    one.channel->on_read = [&] {
        one.channel->close();
        two.emplace(*loop);
        two->channel->on_read = [&] { two->channel->close(); };
    };
    const deadline limit(*loop);
    loop->run();
    REQUIRE(two);
    CHECK(two->channel->input == "x");
}

TEST_CASE("timers alone do not keep run going", "[loop][run]")
{
    either_loop loop(GENERATE(false, true));
    bool called = false;
    loop->call_later(10min, [&] { called = true; });
    loop->run();
    CHECK_FALSE(called);
}

TEST_CASE("run with a count makes so many passes", "[loop][run][no-records]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel one(*loop);
    REQUIRE(run_until(*loop, [&] { return one.channel->input == "x"; }));
    one.peer.send(std::string(50000, 'y')); // ten times what a handle_read() takes
    const auto served = [&] { return one.channel->count("handle_read") - 1; };
    loop->run(0, 0s);
    CHECK(served() == 0);
    loop->run(3, 0s);
    CHECK(served() == 3);
    loop->run(1);
    CHECK(served() == 4);

    one.channel->close();
    bool called = false;
    loop->post([&] { called = true; });
    loop->run(5); // no channel, no pass
    CHECK_FALSE(called);
}

TEST_CASE("run with a count returns when no channel is left", "[loop][run]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel one(*loop);
    one.channel->on_read = [&] { one.channel->close(); };
    loop->run(1000);
    CHECK(one.channel->closed());
}

TEST_CASE("poll tells whether anything was ready", "[loop][poll]")
{
    either_loop loop(GENERATE(false, true));
    CHECK_FALSE(loop->poll());
    CHECK_FALSE(loop->poll(1h)); // nothing to wait for
    loop->post([] {});
    CHECK(loop->poll());
    CHECK_FALSE(loop->poll());

    ready_channel one(*loop);
    CHECK(settle(*loop));
    CHECK(one.channel->input == "x");
    CHECK_FALSE(loop->poll());
    CHECK_FALSE(loop->poll(1ms));
    one.peer.send("y");
    CHECK(loop->poll(1h));
    CHECK(one.channel->input == "xy");
}

TEST_CASE("the longest timeout there is means for ever", "[loop][poll]")
{
    loop loop;
    ready_channel one(loop);
    CHECK(settle(loop));
    one.peer.send("y");
    loop.run(1, loop::duration::max());
    CHECK(one.channel->input == "xy");
}

TEST_CASE("a pass serves each ready channel once", "[loop][poll][no-records]")
{
    either_loop loop(GENERATE(false, true));
    std::vector<std::unique_ptr<ready_channel>> channels;
    for (int i = 0; i < 5; ++i) {
        channels.push_back(std::make_unique<ready_channel>(*loop));
        channels.back()->peer.send(std::string(10000, 'x')); // more than a handle_read() takes
    }
    while (channels[0]->channel->input.empty())
        REQUIRE(loop->poll(20ms));
    for (const auto& each : channels)
        CHECK(each->channel->count("handle_read") == 1);
    CHECK(loop->poll());
    for (const auto& each : channels)
        CHECK(each->channel->count("handle_read") == 2);
}

TEST_CASE("a busy pair cannot keep a pass for ever", "[loop][poll]")
{
    class ping_pong : public logging<dispatcher> {
    public:
        using logging::logging;
        int times = 0;
        void handle_read() override
        {
            char byte = 0;
            if (recv(asio::buffer(&byte, 1)) == 1 && ++times < 100000)
                send(std::string_view(&byte, 1));
        }
    };
    either_loop loop(GENERATE(false, true));
    auto ends = asynchat::socket::pair();
    const auto one = loop->create<ping_pong>(std::move(ends.first));
    const auto two = loop->create<ping_pong>(std::move(ends.second));
    one->send("x");
    for (int pass = 1; pass <= 10; ++pass) {
        loop->poll();
        CHECK(one->times + two->times <= 2 * pass);
    }
    CHECK(one->times > 0);
}

TEST_CASE("run and poll do not end while a channel is connecting", "[loop][run]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    either_loop loop(GENERATE(false, true));
    const refusing_address nobody(AF_INET);
    const auto client = loop->create<recorder>().lock();
    client->connect("localhost", nobody.address().port());
    const deadline limit(*loop);
    loop->run();
    CHECK(client->close_reason() == close_reason::connect_failed);
}

// --- stop --------------------------------------------------------------------------------------

TEST_CASE("stop ends run", "[loop][stop]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel one(*loop);
    one.channel->on_read = [&] { loop->stop(); };
    const deadline limit(*loop);
    SECTION("from a callback")
    {
        loop->run();
        CHECK(one.channel->input == "x");
    }
    SECTION("from a posted function")
    {
        one.channel->on_read = nullptr;
        loop->post([&] { loop->stop(); });
        loop->run();
    }
    SECTION("from a timer")
    {
        one.channel->on_read = nullptr;
        loop->call_later(0s, [&] { loop->stop(); });
        loop->run();
    }
    SECTION("with a count of passes")
    {
        loop->run(1000000);
        CHECK(one.channel->input == "x");
    }
    CHECK_FALSE(one.channel->closed());
    CHECK(loop->size() == 1);

    one.channel->on_read = [&] { one.channel->close(); };
    one.peer.send("y");
    loop->run(); // it is forgotten
    CHECK(one.channel->closed());
}

TEST_CASE("stop before run ends that run at once", "[loop][stop]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel one(*loop);
    const deadline limit(*loop);
    loop->stop();
    loop->run();
    CHECK(one.channel->calls.empty());
    loop->stop();
    CHECK_FALSE(loop->poll(1h));
    CHECK(one.channel->calls.empty());
    CHECK(run_until(*loop, [&] { return one.channel->input == "x"; }));
}

TEST_CASE("stop in a function that is called before the first channel exists ends run",
          "[loop][stop]")
{
    either_loop loop(GENERATE(false, true));
    std::optional<ready_channel> made;
    loop->post([&] {
        made.emplace(*loop);
        loop->stop();
    });
    const deadline limit(*loop);
    CHECK_NOTHROW(loop->run());
    CHECK(made);
}

TEST_CASE("stop does not stop a borrowed context", "[loop][stop]")
{
    asio::io_context context;
    loop loop(context);
    ready_channel one(loop);
    loop.stop();
    CHECK_FALSE(context.stopped());
    one.channel->on_read = [&] { one.channel->close(); };
    context.run_for(patience);
    CHECK(one.channel->closed());
}

TEST_CASE("a signal stops the loop on request", "[loop][stop]")
{
    either_loop loop(GENERATE(false, true));
    const int number = GENERATE(SIGTERM, SIGINT);
    ready_channel one(*loop);
    loop->stop_on_signals();
    loop->stop_on_signals(); // twice is once
    one.channel->on_read = [&] { std::raise(number); };
    const deadline limit(*loop);
    loop->run();
    CHECK(one.channel->input == "x");
    CHECK_FALSE(one.channel->closed());

    loop->stop_on_signals();
    one.channel->on_read = [&] { one.channel->close(); };
    one.peer.send("y");
    loop->run(); // waiting for signals does not keep it going
    CHECK(one.channel->closed());
}

TEST_CASE("a signal calls a function on request, the latest, once", "[loop][stop]")
{
    loop loop;
    ready_channel one(loop);
    std::string calls;
    loop.stop_on_signals();
    loop.on_signals([&] { calls += "a"; });
    loop.on_signals([&] {
        calls += "b";
        one.channel->close(); // which may be destroyed here
    });
    one.channel->on_read = [&] {
        std::raise(SIGINT);
        calls += "r";
    };
    const deadline limit(loop);
    loop.run();
    CHECK(calls == "rb");
}

// Whoever handles the signal first may end the loop for it.
TEST_CASE("a loop may be destroyed while its signal is on the way", "[loop][stop]")
{
    asio::io_context context;
    auto doomed = std::make_unique<loop>(context);
    asio::signal_set before(context, SIGTERM);
    before.async_wait([&](const std::error_code&, int) { doomed.reset(); });
    doomed->stop_on_signals();
    asio::signal_set after(context, SIGTERM);
    after.async_wait([&](const std::error_code&, int) { doomed.reset(); });
    std::raise(SIGTERM);
    context.run_for(patience);
    CHECK_FALSE(doomed);
    CHECK(context.stopped()); // nothing was left to do
}

// --- post --------------------------------------------------------------------------------------

TEST_CASE("posted functions are called in order, later and once", "[loop][post]")
{
    either_loop loop(GENERATE(false, true));
    std::vector<int> order;
    loop->post([&] {
        order.push_back(1);
        loop->post([&] { order.push_back(4); });
        order.push_back(2);
    });
    loop->post([&, owned = std::make_unique<int>(3)] { order.push_back(*owned); });
    CHECK(order.empty());
    CHECK(settle(*loop));
    CHECK(order == std::vector<int>{1, 2, 3, 4});
}

TEST_CASE("an exception of a posted function leaves the loop, which goes on afterwards",
          "[loop][post]")
{
    either_loop loop(GENERATE(false, true));
    bool called = false;
    loop->post([] { throw test_error("posted"); });
    loop->post([&] { called = true; });
    CHECK_THROWS_WITH(loop->poll(), "posted");
    CHECK_FALSE(called);
    CHECK(loop->poll());
    CHECK(called);
}

TEST_CASE("a function can be posted to one channel, as an event of it", "[loop][post]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<chat>(std::move(ends.first));
    const auto object = channel.lock();
    SECTION("which may push")
    {
        channel.post([](chat& self) { self.push("hello"); });
        CHECK(object->pending_output() == 0);
        CHECK(run_until(loop, [&] { return ends.second.received() == "hello"; }));
    }
    SECTION("whose exceptions are the channel's")
    {
        channel.post([](chat&) { throw test_error("posted to it"); });
        CHECK(settle(loop));
        CHECK(object->closed());
        CHECK(object->close_reason() == close_reason::callback_error);
        CHECK(object->logged("posted to it") == 1);
    }
    SECTION("unless it is closed by then")
    {
        bool called = false;
        channel.post([&](chat&) { called = true; });
        channel->close();
        channel.post([&](chat&) { called = true; });
        CHECK(settle(loop));
        CHECK_FALSE(called);
    }
    SECTION("unless it is gone by then")
    {
        handle<chat> nobody;
        nobody.post([](chat&) {});
        CHECK_FALSE(nobody);
    }
}

// --- handles -----------------------------------------------------------------------------------

TEST_CASE("a handle becomes empty with the close of its channel", "[loop][handle]")
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

// --- close_all ---------------------------------------------------------------------------------

namespace {

/// Notes that it is closed, and may throw instead of closing.
class closer : public logging<dispatcher> {
public:
    closer(loop& owner, std::vector<int>& order, int number)
        : logging(owner), order_(order), number_(number)
    {
    }
    std::function<void()> thrower;
    int handle_close_calls = 0;
    void close() override
    {
        order_.push_back(number_);
        if (thrower)
            thrower();
        logging::close();
    }
    void handle_close() override { ++handle_close_calls; }

private:
    std::vector<int>& order_;
    int number_;
};

} // namespace

TEST_CASE("close_all closes everything, without handle_close", "[loop][close_all]")
{
    loop loop;
    std::vector<int> order;
    std::vector<std::shared_ptr<closer>> channels;
    for (int i = 1; i <= 3; ++i)
        channels.push_back(loop.create<closer>(order, i).lock());
    loop.close_all();
    CHECK(order == std::vector<int>{1, 2, 3});
    CHECK(loop.size() == 0);
    for (const auto& each : channels) {
        CHECK(each->closed());
        CHECK(each->close_reason() == close_reason::shutdown);
        CHECK(each->handle_close_calls == 0);
    }
    loop.close_all();
    CHECK(order.size() == 3);
}

TEST_CASE("close_all and exceptions of close", "[loop][close_all]")
{
    const auto fails_with = [](int number) -> std::function<void()> {
        return [number] { throw std::system_error(number, std::system_category(), "close"); };
    };
    struct row {
        const char* what;
        std::function<void()> thrower;
        bool stops;            // without ignore_all
        bool stops_ignore_all; // with it
    };
    const row rows[] = {
        {"bad descriptor", fails_with(EBADF), false, false},
        {"input/output error", fails_with(EIO), true, false},
        {"another exception", [] { throw test_error("close"); }, true, false},
        {"no std::exception", [] { throw 42; }, true, false},
        {"exit_now", [] { throw exit_now(); }, true, true},
    };
    for (const row& each : rows) {
        for (const bool ignore_all : {false, true}) {
            CAPTURE(each.what, ignore_all);
            loop loop;
            std::vector<int> order;
            std::vector<std::shared_ptr<closer>> channels;
            for (int i = 1; i <= 3; ++i)
                channels.push_back(loop.create<closer>(order, i).lock());
            channels[1]->thrower = each.thrower;
            const bool stops = ignore_all ? each.stops_ignore_all : each.stops;
            bool stopped = false;
            try {
                loop.close_all(ignore_all);
            } catch (...) {
                stopped = true;
            }
            CHECK(stopped == stops);
            if (stops) {
                CHECK(order == std::vector<int>{1, 2});
                CHECK(loop.size() == 2);
                CHECK_FALSE(channels[1]->closed());
                CHECK(channels[1]->close_reason() == close_reason::open);
                CHECK(channels[2]->close_reason() == close_reason::open);
            } else {
                CHECK(order == std::vector<int>{1, 2, 3});
                CHECK(loop.size() == 0);
                CHECK(channels[1]->closed());
            }
        }
    }
}

TEST_CASE("close_all inside a callback ends run", "[loop][close_all]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel one(*loop);
    ready_channel two(*loop);
    one.channel->on_read = [&] { loop->close_all(); };
    two.channel->on_read = [&] { loop->close_all(); };
    const deadline limit(*loop);
    loop->run();
    CHECK(one.channel->calls.size() + two.channel->calls.size() == 1);
    CHECK(one.channel->close_reason() == close_reason::shutdown);
}

TEST_CASE("a channel that is closed by another one's close is not closed twice by close_all",
          "[loop][close_all]")
{
    loop loop;
    std::vector<int> order;
    const auto one = loop.create<closer>(order, 1).lock();
    const auto two = loop.create<closer>(order, 2).lock();
    one->thrower = [&] { two->close(); };
    loop.close_all();
    CHECK(order == std::vector<int>{1, 2});
    CHECK(two->close_reason() == close_reason::local);
}

// --- a borrowed context ------------------------------------------------------------------------

TEST_CASE("the user's run of a borrowed context serves the channels and ends with them",
          "[loop][borrowed]")
{
    asio::io_context context;
    loop loop(context);
    CHECK(&loop.context() == &context);
    ready_channel one(loop);
    bool user_work = false;
    one.channel->on_read = [&] {
        asio::post(context, [&] { user_work = true; });
        one.channel->close();
    };
    context.run_for(patience);
    CHECK(one.channel->input == "x");
    CHECK(user_work);
    CHECK(context.stopped()); // it ran out of work
}

TEST_CASE("what is pushed outside of events is sent by the user's run", "[loop][borrowed]")
{
    asio::io_context context;
    loop loop(context);
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<chat>(std::move(ends.first));
    channel->push("one ");
    context.poll();
    CHECK(ends.second.received() == "one ");
    channel->push("two");
    context.restart();
    context.poll();
    CHECK(ends.second.received() == "one two");
}

TEST_CASE("exit_now and exceptions of handle_error leave the user's run", "[loop][borrowed]")
{
    asio::io_context context;
    loop loop(context);
    ready_channel one(loop);
    one.channel->on_read = [] { throw exit_now(); };
    CHECK_THROWS_AS(context.run_for(patience), exit_now);
    CHECK_FALSE(one.channel->closed());
    one.channel->on_read = [&] { one.channel->close(); };
    one.peer.send("y");
    context.run_for(patience);
    CHECK(one.channel->closed());
}

TEST_CASE("two loops may share a context", "[loop][borrowed]")
{
    asio::io_context context;
    loop one(context);
    loop two(context);
    ready_channel first(one);
    ready_channel second(two);
    first.channel->on_read = [&] { first.channel->close(); };
    second.channel->on_read = [&] { second.channel->close(); };
    const deadline limit(one);
    one.run(); // serves both, and ends with its own
    CHECK(first.channel->closed());
    const deadline limit_two(two);
    two.run();
    CHECK(second.channel->closed());
}

// --- nested loops ------------------------------------------------------------------------------

TEST_CASE("a callback may push and run the loop until the peer got it", "[loop][nested]")
{
    either_loop loop(GENERATE(false, true));
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop->create<chat>(std::move(ends.first)).lock();
    std::string seen;
    channel->on_frame = [&] {
        channel->push("answer");
        CHECK(run_until(*loop, [&] { return !ends.second.received().empty(); }));
        seen = ends.second.received();
    };
    ends.second.send("a\nb\n");
    REQUIRE(run_until(*loop, [&] { return channel->frames == 2; }));
    CHECK(seen == "answer");
    CHECK(run_until(*loop, [&] { return ends.second.received() == "answeranswer"; }));
}

TEST_CASE(
    "what other channels receive in a nested loop leaves the view of the outer callback alone",
    "[loop][nested][no-records]")
{
    either_loop loop(GENERATE(false, true));
    auto one = connected_pair(AF_UNIX);
    auto two = connected_pair(AF_UNIX);
    const auto outer = loop->create<chat>(std::move(one.first)).lock();
    const auto inner = loop->create<chat>(std::move(two.first)).lock();
    std::string after;
    outer->on_collect = [&](std::string_view data) {
        two.second.send(std::string(50000, 'i') + "\n");
        CHECK(run_until(*loop, [&] { return inner->frames == 1; }));
        after += data;
    };
    const std::string sent(50000, 'o');
    one.second.send(sent + "\n");
    REQUIRE(run_until(*loop, [&] { return outer->frames == 1; }));
    CHECK(after == sent);
    CHECK(inner->pieces == std::string(50000, 'i'));
    outer->on_collect = nullptr;
    one.second.send("next");
    CHECK(run_until(*loop, [&] { return outer->pieces == sent + "next"; }));
}

TEST_CASE("a nested loop serves what was pushed before it began", "[loop][nested]")
{
    either_loop loop(GENERATE(false, true));
    auto one = connected_pair(AF_UNIX);
    auto two = connected_pair(AF_UNIX);
    const auto first = loop->create<chat>(std::move(one.first)).lock();
    const auto second = loop->create<chat>(std::move(two.first)).lock();
    bool got_it = false;
    // Both are flushed together; the producer of the first one runs the loop.
    first->push_with_producer([&, asked = false]() mutable -> std::string {
        if (asked)
            return {};
        asked = true;
        second->push("later, ");
        const auto end = std::chrono::steady_clock::now() + 2s;
        while (!got_it && std::chrono::steady_clock::now() < end) {
            loop->poll(1ms);
            got_it = two.second.received() == "before, later, ";
        }
        return "done";
    });
    second->push("before, ");
    REQUIRE(run_until(*loop, [&] { return one.second.received() == "done"; }));
    CHECK(got_it);
}

TEST_CASE("a nested loop serves what is pushed while it runs", "[loop][nested]")
{
    either_loop loop(GENERATE(false, true));
    auto one = connected_pair(AF_UNIX);
    auto two = connected_pair(AF_UNIX);
    const auto first = loop->create<chat>(std::move(one.first)).lock();
    const auto second = loop->create<chat>(std::move(two.first)).lock();
    bool got_it = false;
    // The flush that asks the producer has to return before it can go on with others.
    first->push_with_producer([&, asked = false]() mutable -> std::string {
        if (std::exchange(asked, true))
            return {};
        loop->post([&] { second->push("meanwhile"); });
        auto looking = loop->call_every(1ms, [&] {
            got_it = two.second.received() == "meanwhile";
            if (got_it)
                loop->stop();
        });
        const deadline limit(*loop);
        loop->run();
        looking.cancel();
        return "done";
    });
    REQUIRE(run_until(*loop, [&] { return one.second.received() == "done"; }));
    CHECK(got_it);
}

TEST_CASE("run inside a callback ends with the last other channel or by stop", "[loop][nested]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel outer(*loop);
    ready_channel inner(*loop);
    bool returned = false;
    const deadline limit(*loop);
    SECTION("when all are closed, the outer run ends as well")
    {
        outer.channel->on_read = [&] {
            inner.channel->on_read = [&] { loop->close_all(); };
            inner.peer.send("y");
            loop->run();
            returned = true;
        };
        loop->run();
        CHECK(returned);
        CHECK(loop->size() == 0);
    }
    SECTION("by stop, which ends the outer run as well")
    {
        outer.channel->on_read = [&] {
            inner.channel->on_read = [&] { loop->stop(); };
            inner.peer.send("y");
            loop->run();
            returned = true;
        };
        loop->run();
        CHECK(returned);
        CHECK(loop->size() == 2);
    }
}

TEST_CASE("a channel is not read while its own handle_read runs the loop", "[loop][nested]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel one(*loop);
    int depth = 0;
    int deepest = 0;
    one.channel->on_read = [&] {
        deepest = std::max(deepest, ++depth);
        if (one.channel->input.size() < 3) {
            one.peer.send("y");
            for (int i = 0; i < 3; ++i)
                loop->poll();
        }
        --depth;
    };
    REQUIRE(run_until(*loop, [&] { return one.channel->input == "xyy"; }));
    CHECK(deepest == 1);
}

TEST_CASE("poll inside a callback after the last channel has closed", "[loop][nested]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel one(*loop);
    bool returned = false;
    one.channel->on_read = [&] {
        one.channel->close();
        loop->poll();
        loop->run();
        returned = true;
    };
    const deadline limit(*loop);
    loop->run();
    CHECK(returned);
}

TEST_CASE("a channel that closes itself outlives its callback, whatever runs in it",
          "[loop][nested]")
{
    class closing : public asynchat::async_chat {
    public:
        closing(asynchat::loop& owner, asynchat::socket from, bool& gone, bool& gone_inside)
            : async_chat(owner, std::move(from)), gone_(gone), gone_inside_(gone_inside)
        {
            set_terminator("\n");
        }
        ~closing() override { gone_ = true; }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override
        {
            bool& gone = gone_;
            bool& gone_inside = gone_inside_;
            close();
            owner().post([] {});
            owner().poll();
            gone_inside = gone;
        }

    private:
        bool& gone_;
        bool& gone_inside_;
    };
    either_loop loop(GENERATE(false, true));
    bool gone = false;
    bool gone_inside = false;
    auto ends = connected_pair(AF_UNIX);
    loop->create<closing>(std::move(ends.first), std::ref(gone), std::ref(gone_inside));
    ends.second.send("a\n");
    REQUIRE(run_until(*loop, [&] { return gone; }));
    CHECK_FALSE(gone_inside);
}

// --- exceptions --------------------------------------------------------------------------------

TEST_CASE("exit_now leaves the loop, and the channel goes on", "[loop][errors]")
{
    either_loop loop(GENERATE(false, true));
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop->create<chat>(std::move(ends.first)).lock();
    channel->on_frame = [&] {
        channel->push("answer");
        throw exit_now();
    };
    ends.second.send("a\n");
    const deadline limit(*loop);
    SECTION("of run")
    {
        CHECK_THROWS_AS(loop->run(), exit_now);
    }
    SECTION("of run with a count")
    {
        CHECK_THROWS_AS(loop->run(1000), exit_now);
    }
    SECTION("of poll")
    {
        CHECK_THROWS_AS(
            [&] {
                for (int i = 0; i < 1000; ++i)
                    loop->poll(20ms);
            }(),
            exit_now);
    }
    CHECK_FALSE(channel->closed());
    CHECK(channel->lines.empty());
    channel->on_frame = [&] { channel->close_when_done(); };
    CHECK(run_until(*loop, [&] { return ends.second.received() == "answer"; }));
    ends.second.send("b\n");
    loop->run();
    CHECK(channel->frames == 2);
    CHECK(channel->closed());
}

TEST_CASE("an exception out of handle_error costs its channel only", "[loop][errors]")
{
    class failing : public hooked {
    public:
        using hooked::hooked;
        void handle_error() override { throw test_error("in handle_error"); }
    };
    either_loop loop(GENERATE(false, true));
    honest_pair other(*loop);
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop->create<failing>(std::move(ends.first)).lock();
    channel->on_read = [] { throw test_error("first"); };
    ends.second.send("x");
    CHECK(run_until(*loop, [&] { return channel->closed(); }));
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->close_reason() == close_reason::callback_error);
    CHECK(other.works());
}

TEST_CASE("an exception out of the handle_close that handle_error calls costs its channel only",
          "[loop][errors]")
{
    class failing : public hooked {
    public:
        using hooked::hooked;
        void handle_close() override
        {
            calls.push_back("handle_close");
            throw test_error("in handle_close");
        }
    };
    either_loop loop(GENERATE(false, true));
    honest_pair other(*loop);
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop->create<failing>(std::move(ends.first)).lock();
    channel->on_read = [] { throw test_error("first"); };
    ends.second.send("x");
    CHECK(run_until(*loop, [&] { return channel->closed(); }));
    CHECK(channel->count("handle_close") == 1);
    CHECK(other.works());
}

// --- the channels ------------------------------------------------------------------------------

TEST_CASE("the channels may be closed and created while they are walked", "[loop][channels]")
{
    loop loop;
    std::vector<int> order;
    std::vector<std::weak_ptr<closer>> made;
    for (int i = 0; i < 5; ++i)
        made.push_back(loop.create<closer>(order, i).lock());
    std::size_t walked = 0;
    for (const auto& channel : loop.channels()) {
        CHECK(channel == made[walked].lock()); // oldest first
        ++walked;
        channel->close();
        loop.create<recorder>();
    }
    CHECK(walked == 5);
    CHECK(loop.size() == 5);
    CHECK(loop.channels().size() == 5);
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("a channel is one of its loop's from create to close", "[loop][channels]")
{
    loop loop;
    const auto one = loop.create<recorder>();
    const auto two = loop.create<recorder>();
    CHECK(&one->owner() == &loop);
    CHECK(loop.channels().size() == 2);
    one->close();
    CHECK(loop.size() == 1);
    REQUIRE(loop.channels().size() == 1);
    CHECK(loop.channels()[0] == two.lock());
}

// --- the end of a loop -------------------------------------------------------------------------

TEST_CASE("a loop may go with everything under way", "[loop][destruction]")
{
    const bool borrowed = GENERATE(false, true);
    CAPTURE(borrowed);
    asio::io_context context;
    std::optional<loop> loop;
    if (borrowed)
        loop.emplace(context);
    else
        loop.emplace();
    bool called = false;
    const auto witness = std::make_shared<int>(0);
    const auto call = [&called, witness] { called = true; };
    timer later;
    timer every;
    handle<recorder> handle;
    std::shared_ptr<recorder> object;
    std::shared_ptr<chat> talking;
    raw_peer peer;

    SECTION("live channels")
    {
        auto ends = connected_pair(AF_UNIX);
        handle = loop->create<recorder>(std::move(ends.first));
        object = handle.lock();
        peer = std::move(ends.second);
        peer.send("x");
    }
    SECTION("channels waiting for events")
    {
        auto ends = connected_pair(AF_UNIX);
        object = loop->create<recorder>(std::move(ends.first)).lock();
        CHECK(settle(*loop));
    }
    SECTION("events that were not served yet")
    {
        auto ends = connected_pair(AF_UNIX);
        object = loop->create<recorder>(std::move(ends.first)).lock();
        CHECK(settle(*loop));
        ends.second.send("x");
        ends.second.close();
    }
    SECTION("output that was not sent yet")
    {
        auto ends = connected_pair(AF_UNIX);
        talking = loop->create<chat>(std::move(ends.first)).lock();
        peer = std::move(ends.second);
        talking->push("lost");
        talking->push(std::string(1 << 20, 'x'));
    }
    SECTION("timers")
    {
        later = loop->call_later(0s, call);
        every = loop->call_every(1ms, call);
        loop->call_later(1h, call);
    }
    SECTION("connects")
    {
        const raw_listener server(endpoint("127.0.0.1", 0));
        object = loop->create<recorder>().lock();
        object->connect(server.address());
        loop->create<recorder>()->connect(server.address());
    }
    SECTION("look-ups")
    {
        object = loop->create<recorder>().lock();
        object->connect("localhost", 9);
        loop->create<recorder>()->connect("nowhere.invalid", 9);
    }
    SECTION("posted functions")
    {
        auto ends = connected_pair(AF_UNIX);
        handle = loop->create<recorder>(std::move(ends.first));
        loop->post(call);
        handle.post([call](recorder&) { call(); });
    }
    SECTION("signals")
    {
        loop->stop_on_signals();
    }
    SECTION("a listener in its pause")
    {
        class failing : public recorder {
        public:
            using recorder::recorder;
            std::optional<std::pair<asynchat::socket, endpoint>> accept() override
            {
                throw std::system_error(EMFILE, std::system_category(), "accept");
            }
        };
        object = loop->create<failing>().lock();
        object->create_socket();
        object->bind(endpoint("127.0.0.1", 0));
        object->listen();
        const auto client = raw_peer::connected_to(object->local_endpoint());
        REQUIRE(run_until(*loop, [&] { return object->count("handle_error") > 0; }));
        object->calls.clear();
    }

    loop.reset();
    CHECK_FALSE(handle);
    if (object) {
        CHECK(object->closed());
        CHECK(object->close_reason() == close_reason::shutdown);
        CHECK(object->calls.empty());
        CHECK(object->native_handle() == -1);
    }
    if (talking) {
        CHECK(talking->pending_output() > 0);
        CHECK_FALSE(talking->push("x"));
        talking->close_when_done();
        talking->discard_buffers();
        talking.reset();
    }
    CHECK_FALSE(later.active());
    CHECK_FALSE(every.active());
    later.cancel();
    every.cancel();
    context.run_for(patience); // what is left in it does nothing
    CHECK_FALSE(called);
    if (!borrowed)
        CHECK(witness.use_count() == 2); // here and in `call`: the functions are gone
}

TEST_CASE("a channel that was closed outside of events goes with its loop", "[loop][destruction]")
{
    either_loop loop(GENERATE(false, true));
    std::weak_ptr<dispatcher> gone;
    {
        const auto channel = loop->create<dispatcher>().lock();
        gone = channel;
        channel->close();
    }
    loop.destroy();
    CHECK(gone.expired());
}

TEST_CASE("channels that outlive their loop can be looked at and destroyed", "[loop][destruction]")
{
    std::shared_ptr<chat> kept;
    auto ends = connected_pair(AF_UNIX);
    {
        loop loop;
        kept = loop.create<chat>(std::move(ends.first)).lock();
        kept->push(std::string(100, 'x'));
    }
    CHECK(kept->closed());
    CHECK(kept->pending_output() == 100);
    CHECK(kept->close_reason() == close_reason::shutdown);
    kept->close();
    kept->update_interest();
    CHECK(kept->repr().find("chat") != std::string::npos);
    kept.reset(); // its output queue goes after the pool of the loop
}

TEST_CASE("destructors of channels may close and create channels", "[loop][destruction]")
{
    class meddling : public recorder {
    public:
        meddling(loop& owner, int& generations) : recorder(owner), generations_(generations) {}
        ~meddling() override
        {
            for (const auto& other : owner().channels())
                other->close();
            if (--generations_ > 0)
                owner().create<meddling>(generations_);
            owner().post([] {});
            owner().call_later(0s, [] {});
        }

    private:
        int& generations_;
    };
    int generations = 5;
    SECTION("at the end of the loop")
    {
        {
            loop loop;
            loop.create<meddling>(generations);
            loop.create<recorder>();
            loop.create<recorder>();
        }
        CHECK(generations == 0);
    }
    SECTION("while it runs")
    {
        loop loop;
        const auto first = loop.create<meddling>(generations);
        loop.create<recorder>();
        first->close();
        for (int i = 0; i < 20 && generations > 0; ++i) {
            settle(loop);
            loop.close_all();
        }
        CHECK(generations == 0);
    }
}

TEST_CASE("a constructor that throws leaves nothing behind", "[loop][create]")
{
    class unlucky : public logging<async_chat> {
    public:
        unlucky(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
        {
            push("never sent");
            create_socket();
            connect("localhost", 9);
            throw test_error("in the constructor");
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}
    };
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    CHECK_THROWS_WITH(loop.create<unlucky>(std::move(ends.first)), "in the constructor");
    CHECK(loop.size() == 0);
    CHECK(settle(loop));
    CHECK(ends.second.ended()); // nobody asks for the descriptor: the look-up may have its number
    CHECK(ends.second.received().empty());
}

TEST_CASE("a constructor may close", "[loop][create]")
{
    class shy : public recorder {
    public:
        shy(loop& owner, asynchat::socket from) : recorder(owner, std::move(from)) { close(); }
    };
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<shy>(std::move(ends.first));
    CHECK_FALSE(channel);
    CHECK(loop.size() == 0);
    CHECK(ends.second.ended());
    loop.run();
}

TEST_CASE("a constructor may push, listen and connect", "[loop][create]")
{
    class busy : public logging<async_chat> {
    public:
        busy(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
        {
            set_terminator("\n");
            push("greeting\n");
            close_when_done();
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}
    };
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    loop.create<busy>(std::move(ends.first));
    const deadline limit(loop);
    loop.run();
    CHECK(ends.second.received() == "greeting\n");
    CHECK(ends.second.ended());
}

TEST_CASE("a constructor may create other channels", "[loop][create]")
{
    class pair_of : public recorder {
    public:
        pair_of(loop& owner) : recorder(owner), other(owner.create<recorder>()) {}
        handle<recorder> other;
    };
    loop loop;
    const auto channel = loop.create<pair_of>();
    CHECK(loop.size() == 2);
    CHECK(channel->other);
}
