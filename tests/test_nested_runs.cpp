// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// How long channels live that are made and closed while a callback runs the loop.

using namespace std::chrono_literals;

namespace {

/// How many of its kind there are.
struct census {
    std::size_t alive = 0;
    std::size_t most = 0; // at once
};

class counted : public asynchat::async_chat {
public:
    counted(asynchat::loop& owner, asynchat::socket from, census& all)
        : async_chat(owner, std::move(from)), all_(all)
    {
        set_terminator("\n");
        all_.most = std::max(all_.most, ++all_.alive);
    }
    ~counted() override { --all_.alive; }

    std::function<void()> on_found;
    asynchat::socket other_side;

    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override
    {
        if (on_found)
            on_found();
    }

    /// Closes itself, and lets everything happen that might end its life.
    void end_in_a_method()
    {
        const census& all = all_;
        const std::size_t before = all.alive;
        auto& loop = owner();
        close();
        loop.post([] {});
        loop.poll();
        loop.poll();
        outlived = all.alive == before;
    }

    static inline bool outlived = false; // its method

private:
    census& all_;
};

using pair = std::pair<std::shared_ptr<counted>, asynchat::testing::peer>;

/// Calls it in a callback of a channel.
void in_a_callback(asynchat::testing::loop& loop, const std::function<void()>& call)
{
    census unused;
    auto [chat, peer] = loop.accept<counted>(std::ref(unused));
    chat->on_found = call;
    peer.send("now\n");
    loop.settle();
    chat->close();
    loop.settle();
}

/// Makes a channel over a connection of its own, which nobody keeps alive.
counted& make(asynchat::testing::loop& loop, census& all)
{
    auto ends = loop.socket_pair();
    const auto channel = loop.create<counted>(std::move(ends.first), std::ref(all)).lock();
    channel->other_side = std::move(ends.second);
    return *channel;
}

/// Runs the loop in which so many channels are made and closed, one after the other. Returns how
/// many were not.
std::size_t open_and_close(asynchat::testing::loop& loop, census& all, std::size_t left)
{
    std::function<void()> next = [&] {
        make(loop, all).close();
        if (--left > 0)
            loop.post(next);
        else
            loop.stop();
    };
    loop.post(next);
    loop.run();
    return left;
}

/// Enough for what was posted, and for the channels that it has closed.
void poll_twice(asynchat::testing::loop& loop)
{
    loop.poll();
    loop.poll();
}

} // namespace

TEST_CASE("channels that a nested run opens and closes go with its turns",
          "[nested-runs][nested][no-tls]")
{
    census all;
    asynchat::testing::loop loop;
    in_a_callback(loop, [&] {
        CHECK(open_and_close(loop, all, 20000) == 0);
        CHECK(all.alive <= 1);
    });
    CHECK(all.most <= 2);
    CHECK(all.alive == 0);
}

TEST_CASE("channels that a nested run within a nested run opens and closes go as well",
          "[nested-runs][nested]")
{
    census all;
    asynchat::testing::loop loop;
    bool done = false;
    in_a_callback(loop, [&] {
        loop.post([&] { done = open_and_close(loop, all, 100) == 0; });
        loop.run();
    });
    CHECK(done);
    CHECK(all.most <= 2);
    CHECK(all.alive == 0);
}

TEST_CASE("a channel of before that a nested run closes stays until that has returned",
          "[nested-runs][nested]")
{
    census all;
    asynchat::testing::loop loop;
    counted& channel = make(loop, all);
    std::size_t inside = 0;
    in_a_callback(loop, [&] {
        loop.post([&channel] { channel.close(); });
        poll_twice(loop);
        inside = all.alive;
    });
    CHECK(inside == 1);
    CHECK(all.alive == 0);
}

TEST_CASE("a channel of before that a nested run closes stays, whatever is made and closed there",
          "[nested-runs][nested]")
{
    census all;
    asynchat::testing::loop loop;
    counted& channel = make(loop, all);
    std::size_t inside = 0;
    in_a_callback(loop, [&] {
        loop.post([&] {
            channel.close();
            make(loop, all).close();
            make(loop, all); // while two are closed, of which one has to stay
        });
        poll_twice(loop);
        inside = all.alive;
    });
    CHECK(inside == 2);
    CHECK(all.alive == 1);
}

TEST_CASE("a channel that was closed before a nested run stays until that has returned",
          "[nested-runs][nested]")
{
    census all;
    asynchat::testing::loop loop;
    std::size_t inside = 0;
    in_a_callback(loop, [&] {
        make(loop, all).close(); // one of its functions may be on the stack
        loop.post([] {});
        loop.poll();
        inside = all.alive;
    });
    CHECK(inside == 1);
    CHECK(all.alive == 0);
}

TEST_CASE("channels that several nested runs have left go when all have returned",
          "[nested-runs][nested]")
{
    census all;
    asynchat::testing::loop loop;
    counted& oldest = make(loop, all);
    in_a_callback(loop, [&] {
        counted& middle = make(loop, all);
        loop.post([&] {
            counted& youngest = make(loop, all);
            loop.post([&] {
                oldest.close();
                middle.close();
                youngest.close();
            });
            poll_twice(loop);
            CHECK(all.alive == 3);
        });
        poll_twice(loop);
        CHECK(all.alive == 2); // the youngest one was of this run
    });
    CHECK(all.alive == 0);
}

TEST_CASE("a channel that closes itself in a method outlives it, whoever calls",
          "[nested-runs][nested]")
{
    census all;
    asynchat::testing::loop loop;
    counted::outlived = false;
    SECTION("a function of the loop")
    {
        loop.post([&] { make(loop, all).end_in_a_method(); });
        loop.settle();
    }
    SECTION("a callback of another channel")
    {
        in_a_callback(loop, [&] { make(loop, all).end_in_a_method(); });
    }
    SECTION("a function of the loop in a nested run")
    {
        in_a_callback(loop, [&] {
            loop.post([&] { make(loop, all).end_in_a_method(); });
            poll_twice(loop);
        });
    }
    SECTION("a callback of another channel in a nested run")
    {
        in_a_callback(loop, [&] {
            auto ends = loop.socket_pair();
            const auto caller = loop.create<counted>(std::move(ends.first), std::ref(all)).lock();
            const auto other = loop.create<counted>(std::move(ends.second), std::ref(all)).lock();
            caller->on_found = [&] { make(loop, all).end_in_a_method(); };
            other->push("now\n");
            for (int i = 0; i < 10; ++i)
                loop.poll();
            caller->close();
            other->close();
        });
    }
    SECTION("a callback, behind the nested run that made it")
    {
        in_a_callback(loop, [&] {
            counted* made = nullptr;
            loop.post([&] { made = &make(loop, all); });
            poll_twice(loop);
            REQUIRE(made);
            made->end_in_a_method();
        });
    }
    CHECK(counted::outlived);
    loop.settle();
    CHECK(all.alive == 0);
}

TEST_CASE("a channel that closes itself and makes another one outlives its callback",
          "[nested-runs][nested]")
{
    census all;
    asynchat::testing::loop loop;
    const bool nested = GENERATE(false, true);
    bool outlived = false;
    const auto play = [&] {
        auto ends = loop.socket_pair();
        const auto other = loop.create<counted>(std::move(ends.second), std::ref(all)).lock();
        auto& channel = *loop.create<counted>(std::move(ends.first), std::ref(all)).lock();
        channel.on_found = [&] {
            const std::size_t before = all.alive;
            channel.close();
            make(loop, all).close(); // in turns of their own, inside this one
            loop.close_all();
            outlived = all.alive == before + 1;
        };
        other->push("now\n");
        for (int i = 0; i < 10; ++i)
            loop.poll();
    };
    nested ? in_a_callback(loop, play) : play();
    CHECK(outlived);
    loop.settle();
    CHECK(all.alive == 0);
}

TEST_CASE("what was pushed before a nested run is sent in it", "[nested-runs][nested]")
{
    census all;
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<counted>(std::ref(all));
    std::size_t waiting = 0;
    chat->on_found = [&, &from = *chat] {
        from.push("text");
        poll_twice(loop);
        waiting = from.pending_output();
        from.push(", and more");
    };
    peer.send("now\n");
    loop.settle();
    CHECK(waiting == 0);
    CHECK(peer.received() == "text, and more");
}

TEST_CASE("a poll() in a callback waits until something happens", "[nested-runs][nested]")
{
    census all;
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<counted>(std::ref(all));
    bool idle = true;
    bool woken = false;
    chat->on_found = [&] {
        const auto start = loop.now();
        idle = loop.poll(200ms);
        CHECK(loop.now() - start == 200ms);
        loop.run(2, 200ms);
        CHECK(loop.now() - start == 600ms);
        loop.call_later(50ms, [] {});
        woken = loop.poll(200ms);
        CHECK(loop.now() - start == 650ms);
    };
    peer.send("now\n");
    loop.settle();
    CHECK_FALSE(idle);
    CHECK(woken);
}

TEST_CASE("a channel that is called by its handle outlives the call, also outside of any turn",
          "[nested-runs]")
{
    census all;
    asynchat::loop loop;
    auto ends = asynchat::socket::pair();
    const auto handle = loop.create<counted>(std::move(ends.first), std::ref(all));
    counted::outlived = false;
    handle->end_in_a_method();
    CHECK(counted::outlived);
    CHECK(all.alive == 0);
    CHECK_THROWS_AS(handle->end_in_a_method(), std::logic_error);
}
