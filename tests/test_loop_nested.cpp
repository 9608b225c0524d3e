// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

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
    const deadline limit(*loop);
    const bool closes =
        GENERATE(false, true); // all channels; else it stops. The outer run ends, too
    bool returned = false;
    inner.channel->on_read = [&] { closes ? loop->close_all() : loop->stop(); };
    outer.channel->on_read = [&] {
        inner.peer.send("y");
        loop->run();
        returned = true;
    };
    loop->run();
    CHECK(returned);
    CHECK(loop->size() == (closes ? 0 : 2));
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
    CHECK(run_until(*loop, [&] { return channel->closed(); }));
    ends.second.close(); // so that it does not linger
    loop->run();
    CHECK(channel->frames == 2);
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
