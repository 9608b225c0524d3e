// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

} // namespace

TEST_CASE("a guard keeps run going, without a channel, until it is released", "[run_guard]")
{
    either_loop loop(GENERATE(false, true));
    const deadline limit(*loop);
    auto guard = loop->keep_running();
    std::string calls;
    loop->call_later(0s, [&] {
        calls += 'a';
        loop->call_later(1ms, [&] {
            calls += 'b';
            guard.release();
            guard.release();
        });
    });
    loop->run();
    CHECK(calls == "ab");
    loop->run(); // nothing keeps this one
}

TEST_CASE("a guard in another thread keeps run going until all that it posted was called",
          "[run_guard][threads]")
{
    either_loop loop(GENERATE(false, true));
    const deadline limit(*loop);
    int calls = 0;
    std::thread worker([&, guard = loop->keep_running()]() mutable {
        for (int i = 0; i < 1000; ++i)
            loop->post([&calls] { ++calls; });
        const run_guard gone = std::move(guard);
    });
    loop->run();
    CHECK(calls == 1000);
    worker.join();
}

TEST_CASE("stop ends run in spite of a guard", "[run_guard]")
{
    either_loop loop(GENERATE(false, true));
    const deadline limit(*loop);
    const auto guard = loop->keep_running();
    loop->post([&] { loop->stop(); });
    CHECK_NOTHROW(loop->run());
}

TEST_CASE("run ends with the last of channels and guards", "[run_guard]")
{
    either_loop loop(GENERATE(false, true));
    const deadline limit(*loop);
    auto one = loop->keep_running();
    auto two = loop->keep_running();
    const auto channel = loop->create<dispatcher>();
    std::string order;
    const auto then = [&](char name, auto f) {
        return [&order, name, f] {
            order += name;
            f();
        };
    };
    const bool channel_last = GENERATE(false, true);
    CAPTURE(channel_last);
    loop->call_later(1ms, then('1', [&] { one.release(); }));
    const auto close = [&] { channel->close(); };
    const auto release = [&] { two = run_guard(); };
    if (channel_last) {
        loop->call_later(2ms, then('g', release));
        loop->call_later(3ms, then('c', close));
    } else {
        loop->call_later(2ms, then('c', close));
        loop->call_later(3ms, then('g', release));
    }
    loop->run();
    CHECK(order == (channel_last ? "1gc" : "1cg"));
}

TEST_CASE("a guard can be moved", "[run_guard]")
{
    loop loop;
    const deadline limit(loop);
    run_guard kept;
    {
        auto guard = loop.keep_running();
        kept = std::move(guard);
    }
    bool called = false;
    loop.call_later(1ms, [&] {
        called = true;
        kept = {};
    });
    loop.run();
    CHECK(called);
}

TEST_CASE("poll waits while there is a guard", "[run_guard]")
{
    loop loop;
    bool called = false;
    loop.call_later(1ms, [&] { called = true; });
    CHECK_FALSE(loop.poll(patience));
    CHECK_FALSE(called);
    const auto guard = loop.keep_running();
    CHECK(loop.poll(patience));
    CHECK(called);
    bool again = false;
    loop.call_later(1ms, [&] { again = true; });
    loop.run(1, patience);
    CHECK(again);
}

TEST_CASE("a guard that goes in a nested run ends both", "[run_guard]")
{
    either_loop loop(GENERATE(false, true));
    const deadline limit(*loop);
    auto guard = loop->keep_running();
    std::string order;
    loop->post([&] {
        loop->call_later(0s, [&] {
            order += "in ";
            guard.release();
        });
        loop->run();
        order += "out";
    });
    loop->run();
    CHECK(order == "in out");
}

TEST_CASE("a guard may outlive its loop in the same thread", "[run_guard]")
{
    run_guard guard;
    {
        loop loop;
        guard = loop.keep_running();
    }
    guard.release();
    loop other;
    guard = other.keep_running();
}

TEST_CASE("in a test's loop run ends when nothing can happen, in spite of a guard", "[run_guard]")
{
    testing::loop loop;
    const auto guard = loop.keep_running();
    bool called = false;
    loop.call_later(1h, [&] { called = true; });
    loop.run();
    CHECK(called);
}

TEST_CASE("what is posted after run has returned waits for the next one", "[run_guard][threads]")
{
    either_loop loop(GENERATE(false, true));
    loop->run();
    int calls = 0;
    std::thread([&] { loop->post([&calls] { ++calls; }); }).join();
    CHECK(calls == 0);
    loop->run();
    CHECK(calls == 1);
    std::thread([&] { loop->post([&calls] { ++calls; }); }).join();
    CHECK(loop->poll());
    CHECK(calls == 2);
}
