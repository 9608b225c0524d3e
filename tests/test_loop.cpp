// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <asio/signal_set.hpp>

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

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
