// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/witness.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

// A last word when a channel was idle, and the word that all is sent.

using namespace std::chrono_literals;
using asynchat::close_reason;
using support::accepted;
using support::texts;
using support::witness;

TEST_CASE("handle_idle_timeout: a chance for a last word", "[hooks][timers]")
{
    accepted a;
    a.chat->idle_timeout(10s);
    const bool says_goodbye = GENERATE(false, true);
    if (says_goodbye) {
        a.chat->on_idle = [](witness& chat) {
            chat.push("bye\n");
            chat.close_when_done();
        };
    }
    a.loop.advance(9s);
    CHECK(a.seen->empty());
    a.loop.advance(2s);
    CHECK(a.peer.received() == (says_goodbye ? "bye\n" : ""));
    CHECK(a.chat->closed());
    CHECK(a.chat->close_reason() ==
          (says_goodbye ? close_reason::local : close_reason::idle_timeout));
    CHECK(a.seen->front() == "idle");
}

TEST_CASE("idle timeout: does not count once the channel is closing", "[hooks][timers]")
{
    accepted a;
    a.chat->idle_timeout(30s);
    a.peer.window(10);
    const bool last_word = GENERATE(false, true); // on idle, which the other side does not take
    if (last_word) {
        a.chat->on_idle = [](witness& chat) {
            chat.push(std::string(1000, 'x'));
            chat.close_when_done();
        };
        a.loop.advance(31s);
    } else {
        a.chat->push(std::string(1000, 'x'));
        a.chat->close_when_done();
    }
    a.loop.advance(58s);
    CHECK_FALSE(a.chat->closed());
    a.loop.advance(3s);
    CHECK(a.chat->close_reason() == close_reason::write_timeout);
    CHECK(std::count(a.seen->begin(), a.seen->end(), "idle") == (last_word ? 1 : 0));
}

TEST_CASE("idle timeout: a handler that throws does not keep other clocks from being seen",
          "[hooks][timers]")
{
    class careless : public witness {
    public:
        using witness::witness;
        void handle_error() override {} // keeps the channel
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<careless>();
    chat->idle_timeout(500ms);
    chat->on_idle = [](witness&) { throw std::runtime_error("no"); };
    peer.window(10);
    chat->push(std::string(1000, 'x'));
    loop.advance(62s);
    CHECK(chat->close_reason() == close_reason::write_timeout);
}

TEST_CASE("call_when_sent: is called behind what was pushed before, when that is sent", "[hooks]")
{
    accepted a;
    a.peer.window(4);
    const auto called = [&a](const char* what) {
        return [seen = a.seen, what] { seen->emplace_back(what); };
    };
    a.loop.handle_of(*a.chat).post([&](witness& chat) {
        chat.push("four");
        CHECK(chat.call_when_sent(called("first")));
        chat.push("more");
        CHECK(chat.call_when_sent(called("second")));
        CHECK(a.seen->empty()); // not inside the call
    });
    a.loop.settle();
    CHECK(*a.seen == texts{"first"});
    a.peer.window(100);
    a.loop.settle();
    CHECK(*a.seen == texts{"first", "second"});
    a.chat->close();
    CHECK_FALSE(a.chat->call_when_sent(called("late")));
    a.loop.settle();
    CHECK(a.seen->back() != "late");
}

TEST_CASE("call_when_sent: a function that asks for itself again leaves others their turn",
          "[hooks]")
{
    accepted a;
    int calls = 0;
    bool others = false;
    const std::function<void()> again = [&] {
        if (++calls < 10000 && !others)
            CHECK(a.chat->call_when_sent([&] { again(); }));
    };
    a.loop.handle_of(*a.chat).post([&](witness&) { again(); });
    a.loop.post([&] { others = true; });
    a.loop.settle();
    CHECK(others);
    CHECK(calls > 1);
    CHECK(calls < 10000);
    CHECK_FALSE(a.chat->closed());
    CHECK(a.chat->call_when_sent([&] { calls = 0; })); // it goes on as before
    a.loop.settle();
    CHECK(calls == 0);
}
