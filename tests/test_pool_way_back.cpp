// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/pool_worker.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using asynchat::target;
using std::errc;
using scene = support::pool_scene;
using support::here;
using support::lines;
using support::worker;
using support::worker_handle;
using support::worker_pool;

// How channels come back to a pool, and what ends it.

TEST_CASE("pool: only a channel between two messages is kept", "[pool]")
{
    scene s;
    const auto channel = s.lent();
    auto& peer = s.peers[0];
    bool is_kept = false;
    SECTION("at rest")
    {
        is_kept = true;
    }
    SECTION("in a frame")
    {
        peer.send("half a li");
        s.loop.settle();
    }
    SECTION("in a frame whose bytes were kept")
    {
        channel->set_terminator(asynchat::terminator::counted(10, "\r\n"));
        peer.send("0123456789\r");
        s.loop.settle();
    }
    SECTION("before the body that its head has announced")
    {
        peer.send("LEN 10\n");
        s.loop.settle();
        channel->set_terminator(10);
    }
    SECTION("with another string for the rest of the message")
    {
        channel->set_terminator("\n.\n");
    }
    SECTION("with its first terminator again")
    {
        channel->set_terminator(10);
        peer.send("0123456789");
        s.loop.settle();
        channel->set_terminator("\n");
        is_kept = true;
    }
    SECTION("with output that the peer does not take")
    {
        peer.window(1);
        channel->push("abc");
        s.loop.settle();
    }
    SECTION("with a producer")
    {
        channel->push_with_producer([] { return std::string(); });
    }
    SECTION("paused")
    {
        channel->pause_reading();
    }
    SECTION("with its output ended")
    {
        channel->push_eof();
    }
    SECTION("while it closes")
    {
        channel->close_when_done();
    }
    SECTION("in a callback, with nothing behind the frame")
    {
        channel->on_line = [&] { s.pool->give_back(channel); };
        peer.send("one\n");
        s.loop.settle();
        is_kept = true;
        s.got.clear();
    }
    SECTION("in a callback, with more behind the frame")
    {
        channel->on_line = [&] { s.pool->give_back(channel); };
        peer.send("one\ntwo\n");
        s.loop.settle();
        CHECK(std::count(s.told.begin(), s.told.end(), "found two") == 0);
        s.got.clear();
    }
    if (!s.got.empty())
        s.pool->give_back(channel);
    s.loop.settle();
    CHECK(static_cast<bool>(channel) == is_kept);
    CHECK(s.pool->idle() == (is_kept ? 1 : 0));
    CHECK(s.pool->size() == s.pool->idle());
}

TEST_CASE("pool: an ended channel and an empty handle may be handed back", "[pool]")
{
    scene s;
    const auto channel = s.lent();
    channel->close();
    s.pool->give_back(channel);
    s.pool->give_back(worker_handle());
    s.loop.settle();
    s.pool->give_back(channel);
    CHECK(s.pool->size() == 0);
}

TEST_CASE("pool: a channel that takes another connection while it is idle is not lent", "[pool]")
{
    scene s;
    const auto channel = s.idle();
    channel->create_socket();
    channel->connect(here);
    s.loop.settle();
    const auto next = s.lent();
    CHECK(next != channel);
}

TEST_CASE("pool: after stop() a channel in use ends when it is handed back", "[pool]")
{
    scene s;
    const auto channel = s.lent();
    s.pool->stop();
    s.pool->stop();
    CHECK(s.pool->stopping());
    s.ask();
    CHECK(s.failures.empty()); // not inside the call
    s.loop.settle();
    CHECK(s.failures == lines{s.text(errc::operation_canceled)});
    CHECK(channel->connected());
    s.taken();
    s.pool->give_back(channel);
    s.loop.settle();
    CHECK(s.taken() == lines{"shutdown", "close local", "gone"});
    s.loop.run(); // nothing keeps it
}

namespace {

/// Asks until it is refused, and asks again after each error.
struct stubborn {
    void ask()
    {
        try {
            pool.checkout(0s, [this](const worker_handle&, const std::error_code& error) {
                told.push_back(error.message());
                if (told.size() < 100)
                    ask();
            });
        } catch (const std::system_error& error) {
            CHECK(error.code() == errc::operation_canceled);
            ++refused;
        }
    }

    worker_pool& pool;
    lines told;
    int refused = 0;
};

} // namespace

TEST_CASE("pool: a function that asks after each error is told of the end once", "[pool]")
{
    scene s;
    stubborn asker{*s.pool, {}, 0};
    const lines once = {s.text(errc::operation_canceled)};
    SECTION("by stop()")
    {
        asker.ask();
        s.pool->stop();
        s.loop.settle();
    }
    SECTION("after stop()")
    {
        s.pool->stop();
        asker.ask();
        CHECK(asker.told.empty()); // not inside the call
        s.loop.settle();
    }
    SECTION("by the end of the pool")
    {
        asker.ask();
        s.pool.reset();
    }
    SECTION("by the end of the pool in a function that is told")
    {
        s.pool->checkout(0s, [&](const worker_handle&, const std::error_code&) {
            s.pool.reset(); // and asks no more
        });
        asker.ask();
        s.pool->stop();
        s.loop.settle();
    }
    CHECK(asker.told == once);
    CHECK(asker.refused == 1);
    s.loop.run(); // nothing keeps it
}

TEST_CASE("pool: only while a function is told of the end is it refused", "[pool]")
{
    scene s;
    int later = 0;
    s.pool->checkout(0s, [&](const worker_handle&, const std::error_code&) {
        s.loop.post([&] {
            s.pool->checkout(0s, [&](const worker_handle&, const std::error_code& error) {
                CHECK(error == errc::operation_canceled);
                ++later;
            });
        });
        throw std::runtime_error("told");
    });
    s.pool->stop();
    CHECK_THROWS_AS(s.loop.settle(), std::runtime_error);
    s.loop.settle();
    CHECK(later == 1);
}

TEST_CASE("pool: done() may destroy the pool", "[pool]")
{
    int calls = 0;
    scene s;
    const bool fails = GENERATE(false, true);
    if (fails)
        s.server.reset();
    s.pool->checkout(0s, [&](const worker_handle&, const std::error_code& error) {
        ++calls;
        CHECK(static_cast<bool>(error) == fails);
        s.pool.reset();
    });
    s.ask();
    s.loop.settle();
    CHECK(calls == 1);
    CHECK(s.failures == lines{s.text(errc::operation_canceled)});
    CHECK_FALSE(s.pool);
}

TEST_CASE("pool: handle_close() of an idle channel may destroy the pool", "[pool]")
{
    class killer : public worker {
    public:
        killer(asynchat::loop& owner, lines& told, std::function<void()>& kill)
            : worker(owner, told), kill_(kill)
        {
        }
        void handle_close() override
        {
            kill_();
            worker::handle_close();
        }

    private:
        std::function<void()>& kill_;
    };
    lines told;
    std::function<void()> kill;
    int failures = 0;
    asynchat::testing::loop loop;
    auto server = loop.listen(here);
    std::optional<asynchat::pool<killer>> pool;
    pool.emplace(loop, target(here), std::ref(told), std::ref(kill));
    kill = [&] { pool.reset(); };
    const auto ask = [&] {
        pool->checkout(0s, [&](const asynchat::handle<killer>& channel, const std::error_code& e) {
            e ? static_cast<void>(++failures) : pool->give_back(channel);
        });
    };
    ask();
    auto peer = server.accept();
    REQUIRE(pool->idle() == 1);
    peer.finish();
    ask();
    loop.settle();
    CHECK_FALSE(pool);
    CHECK(failures == 1);
}

TEST_CASE("pool: done() may run the loop, and ask again", "[pool]")
{
    lines order;
    scene s;
    s.pool->max_size(1);
    s.pool->checkout(1s, [&](const worker_handle& channel, const std::error_code&) {
        order.push_back("first");
        s.pool->checkout(
            1s, [&](const worker_handle&, const std::error_code&) { order.push_back("second"); });
        s.pool->give_back(channel);
        s.loop.settle();
        s.loop.advance(2s); // past its own deadline
        order.push_back("first ends");
    });
    s.loop.settle();
    CHECK(order == lines{"first", "second", "first ends"});
}

TEST_CASE("pool: what makes no sense is refused", "[pool]")
{
    scene s;
    CHECK_THROWS_AS(worker_pool(s.loop, std::vector<target>(), std::ref(s.told)),
                    std::invalid_argument);
    CHECK_THROWS_AS(s.pool->max_size(0), std::invalid_argument);
    CHECK_THROWS_AS(s.pool->idle_limit(-1s), std::invalid_argument);
    CHECK_THROWS_AS(s.pool->life_limit(-1s), std::invalid_argument);
    CHECK_THROWS_AS(s.pool->checkout(-1s, [](const worker_handle&, const std::error_code&) {}),
                    std::invalid_argument);
    CHECK(s.pool->waiting() == 0);
}

TEST_CASE("pool: a channel that sends by itself is at rest when all is sent", "[pool]")
{
    class simple : public asynchat::dispatcher_with_send {
    public:
        explicit simple(asynchat::loop& owner) : dispatcher_with_send(owner) {}
        void handle_connect() override {}
        void handle_read() override {}
        void handle_close() override { close(); }
    };
    asynchat::testing::loop loop;
    auto server = loop.listen(here);
    asynchat::pool<simple> pool(loop, target(here));
    asynchat::handle<simple> channel;
    pool.checkout(0s,
                  [&](const asynchat::handle<simple>& c, const std::error_code&) { channel = c; });
    auto peer = server.accept();
    const bool is_sent = GENERATE(false, true);
    channel->send(asynchat::const_buffers("hello"));
    if (is_sent)
        loop.settle();
    pool.give_back(channel);
    CHECK(pool.idle() == (is_sent ? 1 : 0));
}

TEST_CASE("pool: its channels may outlive it, and go with the loop", "[pool]")
{
    lines told;
    {
        asynchat::testing::loop loop;
        auto server = loop.listen(here);
        {
            worker_pool pool(loop, target(here), std::ref(told));
            for (int i = 0; i < 3; ++i)
                pool.checkout(0s, [](const worker_handle&, const std::error_code&) {});
            loop.settle();
        }
        CHECK(server.waiting() == 3);
        CHECK(loop.size() == 3);
    }
    CHECK(std::count(told.begin(), told.end(), "made") ==
          std::count(told.begin(), told.end(), "gone"));
}
