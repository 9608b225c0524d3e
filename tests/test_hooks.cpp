// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What is called at the beginning and at the end of a channel, and what it can say then.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;

namespace {

using texts = std::vector<std::string>;

/// Writes down what is called into a list that outlives it.
class witness : public asynchat::async_chat {
public:
    using async_chat::async_chat;

    std::shared_ptr<texts> seen = std::make_shared<texts>();
    std::function<void(witness&)> on_open, on_found, on_close, on_idle;
    bool survives = false; // an exception with that word

    void handle_open() override
    {
        note("open");
        set_terminator("\n");
        if (on_open)
            on_open(*this);
    }
    void handle_connect() override { note("connect"); }
    void collect_incoming_data(std::string_view data) override
    {
        note("collect " + std::string(data));
    }
    void found_terminator() override
    {
        note("found");
        if (on_found)
            on_found(*this);
    }
    void handle_close() override
    {
        note("close");
        if (on_close)
            on_close(*this);
        async_chat::handle_close();
    }
    void handle_end() override
    {
        CHECK(closed());
        note("end " + close_text());
    }
    void handle_idle_timeout() override
    {
        note("idle");
        if (on_idle)
            on_idle(*this);
    }
    void handle_error() override
    {
        note("error " + exception_text());
        if (!survives || exception_text().find("survived") == std::string::npos)
            async_chat::handle_error();
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

    void note(const std::string& what) { seen->push_back(what); }
    using async_chat::finish;
};

/// A witness that has accepted a connection, and whoever has made it.
struct accepted {
    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<witness>, asynchat::testing::peer> ends = loop.accept<witness>();
    std::shared_ptr<witness> chat = ends.first;
    asynchat::testing::peer& peer = ends.second;
    std::shared_ptr<texts> seen = chat->seen;

    accepted()
    {
        loop.settle();
        REQUIRE(*seen == texts{"open"});
        seen->clear();
    }

    /// Lets go of the channel, whose end is heard when nobody is in it.
    void settle()
    {
        ends.first.reset();
        chat.reset();
        loop.settle();
    }
};

} // namespace

// --- the beginning ---------------------------------------------------------------------------

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

// --- the end ---------------------------------------------------------------------------------

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
        CHECK(*a.seen == texts{"close", "end reset: Connection reset by peer"});
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
        CHECK(a.chat->close_text() == "send: Input/output error");
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
        CHECK(a.chat->close_text() == "send: Input/output error");
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
    CHECK(chat->close_text().find(": Connection refused") != std::string::npos);
}

// --- a last word, and the word that all is sent ----------------------------------------------

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

// --- what is kept by default -----------------------------------------------------------------

TEST_CASE("collecting is the default, and bounded whatever the terminator is",
          "[hooks][async_chat]")
{
    class plain : public asynchat::async_chat {
    public:
        using async_chat::async_chat;
        texts frames;
        void found_terminator() override { frames.push_back(_get_data()); }
        void handle_log(asynchat::log_type, std::string_view) override {}
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<plain>();
    chat->max_frame(5);
    SECTION("a string")
    {
        chat->set_terminator("\n");
        peer.send("one\ntwo\n12345\n");
        loop.settle();
        CHECK(chat->frames == texts{"one", "two", "12345"});
        peer.send("123456\n");
    }
    SECTION("a count")
    {
        chat->set_terminator(5);
        peer.send("12345");
        loop.settle();
        CHECK(chat->frames == texts{"12345"});
        chat->set_terminator(6);
        peer.send("123456");
    }
    SECTION("nothing")
    {
        peer.send("12345");
        loop.settle();
        CHECK_FALSE(chat->closed());
        peer.send("6");
    }
    loop.settle();
    CHECK(chat->close_reason() == close_reason::frame_limit);
}

TEST_CASE("settings can be asked for", "[hooks]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<witness>();
    CHECK(chat->connect_timeout() == 30s);
    CHECK(chat->idle_timeout() == 0s);
    CHECK(chat->frame_timeout() == 120s);
    CHECK(chat->write_timeout() == 60s);
    CHECK(chat->linger_timeout() == 2s);
    CHECK(chat->write_buffer_limits() == std::make_pair<std::size_t, std::size_t>(262144, 65536));
    CHECK(chat->max_output() == 8388608);
    CHECK(chat->max_frame() == 65536);
    CHECK(chat->when_full() == asynchat::full_output::by_role);
    chat->connect_timeout(1s);
    chat->idle_timeout(2s);
    chat->frame_timeout(3s);
    chat->write_timeout(4s);
    chat->linger_timeout(5s);
    chat->write_buffer_limits(20, 10);
    chat->max_output(30);
    chat->max_frame(40);
    chat->when_full(asynchat::full_output::reads_on);
    CHECK(chat->connect_timeout() == 1s);
    CHECK(chat->idle_timeout() == 2s);
    CHECK(chat->frame_timeout() == 3s);
    CHECK(chat->write_timeout() == 4s);
    CHECK(chat->linger_timeout() == 5s);
    CHECK(chat->write_buffer_limits() == std::make_pair<std::size_t, std::size_t>(20, 10));
    CHECK(chat->max_output() == 30);
    CHECK(chat->max_frame() == 40);
    CHECK(chat->when_full() == asynchat::full_output::reads_on);
}

// --- what is easily forgotten ----------------------------------------------------------------

TEST_CASE("a channel whose terminator was never set says so at its first input, once", "[hooks]")
{
    class forgetful : public asynchat::async_chat {
    public:
        using async_chat::async_chat;
        texts lines;
        void found_terminator() override {}
        void handle_log(asynchat::log_type, std::string_view line) override
        {
            lines.emplace_back(line);
        }
    };
    const bool collects_on_purpose = GENERATE(false, true);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<forgetful>();
    if (collects_on_purpose)
        chat->set_terminator(std::nullopt);
    loop.settle();
    CHECK(chat->lines.empty());
    peer.send("one\n");
    loop.settle();
    peer.send("two\n");
    loop.settle();
    if (collects_on_purpose) {
        CHECK(chat->lines.empty());
    } else {
        REQUIRE(chat->lines.size() == 1);
        CHECK(chat->lines[0].find("set_terminator() was never called") != std::string::npos);
    }
}

TEST_CASE("a refused connection is logged as that, not as an uncaptured exception", "[hooks]")
{
    class calling : public asynchat::async_chat {
    public:
        using async_chat::async_chat;
        texts lines;
        void found_terminator() override {}
        void handle_log(asynchat::log_type type, std::string_view line) override
        {
            lines.push_back(std::string(to_string(type)) + ": " + std::string(line));
        }
    };
    asynchat::testing::loop loop;
    const auto chat = loop.create<calling>().lock();
    chat->connect(endpoint("127.0.0.1", 2601));
    loop.settle();
    REQUIRE(chat->lines.size() == 1);
    CHECK(chat->lines[0].find("error: closing channel <") == 0);
    CHECK(chat->lines[0].find("uncaptured") == std::string::npos);
    CHECK(chat->lines[0].find(": Connection refused") != std::string::npos);
}
