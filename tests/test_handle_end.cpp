// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/error_text.hpp"
#include "support/witness.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

// The last call of a channel, and what it can say of the end then.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;
using support::accepted;
using support::texts;
using support::witness;

TEST_CASE("handle_end: comes once for every end, as the last call", "[hooks][close]")
{
    accepted a;
    SECTION("of the other side")
    {
        a.peer.finish();
        a.settle();
        CHECK(*a.seen == texts{"close", "end peer finished"});
    }
    SECTION("a reset")
    {
        a.peer.reset();
        a.settle();
        CHECK(*a.seen ==
              texts{"close", "end reset: " + support::error_text(std::errc::connection_reset)});
    }
    SECTION("close() from outside")
    {
        a.chat->close();
        a.settle();
        CHECK(*a.seen == texts{"end local"});
    }
    SECTION("abort() from outside")
    {
        a.chat->abort();
        a.settle();
        CHECK(*a.seen == texts{"end local"});
    }
    SECTION("close_when_done()")
    {
        a.chat->close_when_done();
        a.settle();
        CHECK(*a.seen == texts{"close", "end local"});
    }
    SECTION("close() in a callback, when that has returned")
    {
        a.chat->on_found = [](witness& chat) {
            chat.close();
            chat.note("still here");
        };
        a.peer.send("one\n");
        a.settle();
        CHECK(*a.seen == texts{"collect one", "found", "still here", "end local"});
    }
    SECTION("an exception")
    {
        a.chat->on_found = [](witness&) { throw std::runtime_error("no"); };
        a.peer.send("one\n");
        a.settle();
        CHECK(*a.seen == texts{"collect one", "found", "error std::runtime_error: no", "close",
                               "end callback error: std::runtime_error: no"});
    }
    SECTION("a text of the user's")
    {
        a.chat->on_found = [](witness& chat) { chat.finish("no HELO before MAIL"); };
        a.peer.send("one\n");
        a.settle();
        CHECK(*a.seen == texts{"collect one", "found", "close", "end no HELO before MAIL"});
    }
    SECTION("close_all()")
    {
        a.loop.close_all();
        a.settle();
        CHECK(*a.seen == texts{"end shutdown"});
    }
}

TEST_CASE("handle_end: comes from the destructor of the loop for those that are left",
          "[hooks][close]")
{
    std::shared_ptr<texts> seen;
    {
        asynchat::testing::loop loop;
        auto [chat, peer] = loop.accept<witness>();
        seen = chat->seen;
        loop.settle();
    }
    CHECK(*seen == texts{"open", "end shutdown"});
}

TEST_CASE("handle_end: comes for a channel that its own constructor has closed", "[hooks][close]")
{
    class stillborn : public witness {
    public:
        stillborn(asynchat::loop& owner, const std::shared_ptr<texts>& list) : witness(owner)
        {
            seen = list;
            close();
        }
    };
    asynchat::testing::loop loop;
    const auto seen = std::make_shared<texts>();
    loop.create<stillborn>(seen);
    loop.settle();
    CHECK(*seen == texts{"end local"});
}

TEST_CASE("handle_end: handle_of() gives the handle that create() gave", "[hooks][close]")
{
    class member : public asynchat::async_chat {
    public:
        member(asynchat::loop& owner, std::vector<asynchat::handle<member>>& all)
            : async_chat(owner), all_(all)
        {
        }
        void found_terminator() override {}
        void handle_end() override
        {
            const auto self = owner().handle_of(*this);
            all_.erase(std::remove(all_.begin(), all_.end(), self), all_.end());
        }

    private:
        std::vector<asynchat::handle<member>>& all_;
    };
    std::vector<asynchat::handle<member>> all;
    asynchat::testing::loop loop;
    all.push_back(loop.create<member>(std::ref(all)));
    all.push_back(loop.create<member>(std::ref(all)));
    all.front()->close();
    loop.settle();
    CHECK(all.size() == 1);
    CHECK(all.front());
}

TEST_CASE("handle_end: what it throws is logged", "[hooks][close]")
{
    class careless : public asynchat::async_chat {
    public:
        using async_chat::async_chat;
        std::shared_ptr<texts> lines = std::make_shared<texts>();
        void found_terminator() override {}
        void handle_end() override { throw std::runtime_error("no"); }
        void handle_log(asynchat::log_type, std::string_view line) override
        {
            lines->emplace_back(line);
        }
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<careless>();
    const auto lines = chat->lines;
    chat->close();
    chat.reset();
    loop.settle();
    REQUIRE(lines->size() == 1);
    CHECK(lines->front().find("in the handle_end() of") != std::string::npos);
    CHECK(lines->front().find("std::runtime_error: no") != std::string::npos);
}

TEST_CASE("close_text: names the limit or the address", "[hooks][close]")
{
    accepted a;
    a.chat->write_buffer_limits(10, 5);
    SECTION("frame_limit")
    {
        a.chat->max_frame(3);
        a.peer.send("four\n");
        a.loop.settle();
        CHECK(a.chat->close_text() == "frame limit: 3 bytes, set by max_frame()");
    }
    SECTION("frame_limit of a terminator")
    {
        a.chat->set_terminator("\n", 3);
        CHECK(a.chat->max_frame() == 65536);
        a.peer.send("four\n");
        a.loop.settle();
        CHECK(a.chat->close_text() == "frame limit: 3 bytes, set by set_terminator()");
    }
    SECTION("output_limit")
    {
        a.chat->max_output(10);
        a.peer.window(0);
        a.chat->push("twenty bytes of text");
        a.loop.settle();
        a.chat->push("more");
        a.loop.settle();
        CHECK(a.chat->close_text() == "output limit: 20 bytes wait, more than max_output() is: 10");
    }
    SECTION("idle_timeout")
    {
        a.chat->idle_timeout(10s);
        a.loop.advance(11s);
        CHECK(
            a.chat->close_text() ==
            "idle timeout: nothing came and nothing went within 10 s, the limit of idle_timeout()");
    }
    SECTION("a send that fails, whose channel ends later")
    {
        a.loop.fail(1, EIO, asynchat::testing::operation::send);
        a.chat->push("lost");
        a.loop.settle();
        CHECK(a.chat->close_reason() == close_reason::system_error);
        CHECK(a.chat->close_text() == "send: " + support::error_text(std::errc::io_error));
    }
    SECTION("a send that fails, also if a callback throws before the end and that is survived")
    {
        a.chat->on_found = [](witness& chat) {
            if (chat.seen->size() > 3)
                throw std::runtime_error("survived");
            chat.push("lost");
            chat.initiate_send();
        };
        a.chat->survives = true;
        a.loop.fail(1, EIO, asynchat::testing::operation::send);
        a.peer.send("one\ntwo\n");
        a.loop.settle();
        CHECK(std::count(a.seen->begin(), a.seen->end(), "error std::runtime_error: survived") ==
              1);
        a.peer.close();
        a.loop.advance(10s);
        CHECK(a.chat->close_reason() == close_reason::system_error);
        CHECK(a.chat->close_text() == "send: " + support::error_text(std::errc::io_error));
    }
    SECTION("not a timeout that was answered, when it ends for another reason")
    {
        a.chat->idle_timeout(10s);
        a.chat->on_idle = [](witness& chat) { chat.close_when_done(); };
        a.peer.window(0);
        a.chat->push("text");
        a.loop.advance(11s);
        CHECK_FALSE(a.chat->closed());
        a.chat->finish(close_reason::user);
        CHECK(a.chat->close_text() == "user");
    }
    SECTION("nothing while it is open")
    {
        CHECK(a.chat->close_text().empty());
    }
}

TEST_CASE("close_text: names the address that could not be connected to", "[hooks][close]")
{
    asynchat::testing::loop loop;
    const auto chat = loop.create<witness>().lock();
    chat->connect(endpoint("127.0.0.1", 2601));
    loop.settle();
    CHECK(chat->close_reason() == close_reason::connect_failed);
    CHECK(chat->close_text().find("127.0.0.1:2601") != std::string::npos);
    CHECK(chat->close_text().find("connect to ") == 0);
    CHECK(chat->close_text().find(": " + support::error_text(std::errc::connection_refused)) !=
          std::string::npos);
}
