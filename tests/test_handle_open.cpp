// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/witness.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// The first call of a channel.

using asynchat::close_reason;
using asynchat::endpoint;
using support::accepted;
using support::texts;
using support::witness;

TEST_CASE("handle_open: comes once, before the first input of a connection that was accepted",
          "[hooks]")
{
    asynchat::testing::loop loop;
    const auto listener = loop.create<asynchat::server<witness>>(endpoint("127.0.0.1", 0)).lock();
    auto peer = loop.connect(listener->local_endpoint());
    peer.send("one\ntwo\n");
    loop.settle();
    std::shared_ptr<texts> seen;
    for (const auto& channel : loop.channels()) {
        if (const auto chat = std::dynamic_pointer_cast<witness>(channel))
            seen = chat->seen;
    }
    REQUIRE(seen);
    CHECK(*seen == texts{"open", "collect one", "found", "collect two", "found"});
}

TEST_CASE("handle_open: comes before handle_connect() of one that connects, for each connection",
          "[hooks]")
{
    asynchat::testing::loop loop;
    const endpoint there("127.0.0.1", 7);
    auto listener = loop.listen(there);
    const auto chat = loop.create<witness>().lock();
    loop.settle();
    CHECK(chat->seen->empty());
    chat->connect(there);
    loop.settle();
    CHECK(*chat->seen == texts{"open", "connect"});
    chat->create_socket();
    chat->connect(there);
    loop.settle();
    CHECK(*chat->seen == texts{"open", "connect", "open", "connect"});
}

TEST_CASE("handle_open: comes for a socket that was given to the constructor", "[hooks]")
{
    asynchat::loop loop;
    auto ends = support::connected_pair();
    const auto chat = loop.create<witness>(std::move(ends.first)).lock();
    CHECK(*chat->seen == texts{"open"});
    ends.second.send("one\n");
    CHECK(support::run_until(loop, [&] { return chat->seen->size() == 3; }));
}

TEST_CASE("handle_open: the channel works after exit_now has left it", "[hooks]")
{
    class leaving : public asynchat::async_chat {
    public:
        leaving(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
        {
            push("hello\n");
        }
        void handle_open() override
        {
            set_terminator("\n");
            throw asynchat::exit_now();
        }
        void found_terminator() override { push(_get_data() + "\n"); }
    };
    asynchat::testing::loop loop;
    const auto listener = loop.create<asynchat::server<leaving>>(endpoint("127.0.0.1", 0)).lock();
    auto peer = loop.connect(listener->local_endpoint());
    CHECK_THROWS_AS(loop.settle(), asynchat::exit_now);
    CHECK(listener->counters().open == 1);
    peer.send("one\n");
    loop.settle();
    CHECK(peer.received() == "hello\none\n");
    CHECK(listener->counters().bytes_out == 10);
}

TEST_CASE("handle_open: handle_connect() follows also when exit_now has left it", "[hooks]")
{
    asynchat::testing::loop loop;
    const endpoint there("127.0.0.1", 7);
    auto listener = loop.listen(there);
    const auto chat = loop.create<witness>().lock();
    chat->on_open = [](witness&) { throw asynchat::exit_now(); };
    chat->connect(there);
    CHECK_THROWS_AS(loop.settle(), asynchat::exit_now);
    CHECK(*chat->seen == texts{"open", "connect"});
    CHECK(chat->connected());
}

TEST_CASE("handle_open: no input is delivered while it runs the loop, and it counts", "[hooks]")
{
    class busy : public witness {
    public:
        busy(asynchat::loop& owner, asynchat::socket from, texts& list)
            : witness(owner, std::move(from)), list_(list)
        {
        }
        void handle_open() override
        {
            witness::handle_open();
            push(std::string(300000, 'x'));
            owner().poll();
            owner().poll();
            list_ = *seen;
            if (list_.size() == 1)
                close_when_done();
            initiate_send();
        }

    private:
        texts& list_;
    };
    asynchat::testing::loop loop;
    loop.window(1 << 20);
    texts meanwhile;
    const auto listener =
        loop.create<asynchat::server<busy>>(endpoint("127.0.0.1", 0), std::ref(meanwhile)).lock();
    auto peer = loop.connect(listener->local_endpoint());
    peer.send("one\n");
    loop.settle();
    CHECK(meanwhile == texts{"open"});
    CHECK(peer.received().size() == 300000);
    CHECK(listener->counters().bytes_out == 300000);
    CHECK(listener->counters().lingering == 1);
}

TEST_CASE("handle_open: does not come for a listener, nor for a channel without a socket",
          "[hooks]")
{
    class listening : public asynchat::dispatcher {
    public:
        explicit listening(asynchat::loop& owner) : dispatcher(owner)
        {
            create_socket();
            bind(endpoint("127.0.0.1", 0));
            listen();
        }
        bool opened = false;
        void handle_open() override { opened = true; }
    };
    asynchat::testing::loop loop;
    const auto channel = loop.create<listening>().lock();
    loop.settle();
    CHECK_FALSE(channel->opened);
}

TEST_CASE("handle_open: what is pushed there is sent, and everything is allowed there", "[hooks]")
{
    auto reason = close_reason::open; // outlives the loop
    asynchat::testing::loop loop;
    class greeting : public asynchat::async_chat {
    public:
        greeting(asynchat::loop& owner, asynchat::socket from, int what,
                 asynchat::close_reason& reason)
            : async_chat(owner, std::move(from)), what_(what), end_(reason)
        {
        }
        void handle_end() override { end_ = dispatcher::close_reason(); }
        void handle_open() override
        {
            push("hello\n");
            if (what_ == 1)
                close_when_done();
            else if (what_ == 2)
                close();
            else if (what_ == 3)
                throw std::runtime_error("no");
        }
        void found_terminator() override {}
        void handle_log(asynchat::log_type, std::string_view) override {}

    private:
        int what_;
        asynchat::close_reason& end_;
    };
    const int what = GENERATE(0, 1, 2, 3);
    auto ends = loop.accept<greeting>(int{what}, reason);
    ends.first.reset();
    loop.settle();
    CHECK(ends.second.received() == (what < 2 ? "hello\n" : ""));
    CHECK(reason == (what == 0   ? close_reason::open
                     : what == 3 ? close_reason::callback_error
                                 : close_reason::local));
}
