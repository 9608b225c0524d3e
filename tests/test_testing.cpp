// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/error_text.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using asynchat::endpoint;
using asynchat::testing::recorder;

namespace {

using lines = std::vector<std::string>;

class echo : public asynchat::async_chat {
public:
    echo(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\r\n");
    }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override { push(std::exchange(line_, {}) + "\r\n"); }

private:
    std::string line_;
};

/// Says hello to a server.
class greeter : public recorder<asynchat::async_chat> {
public:
    template <class... Where>
    explicit greeter(asynchat::loop& owner, const Where&... where) : recorder(owner)
    {
        set_terminator("\n");
        push("hello\n");
        connect(where...);
    }
};

/// Notes when its deadline is.
class punctual : public recorder<asynchat::async_chat> {
public:
    using recorder::recorder;
    std::vector<asynchat::loop::time_point> looked;

private:
    void deadline_reached_() override { looked.push_back(owner().now()); }
};

// Deadlines are not for users; the tests set them all the same. Access is not checked in an
// explicit instantiation, which lets the tests in without a door for everybody.
struct set_deadline_of {
    using type = void (asynchat::loop::*)(asynchat::detail::channel_state&,
                                          asynchat::loop::time_point);
    friend type private_member(set_deadline_of);
};
template <class Tag, typename Tag::type member>
struct open_member {
    friend typename Tag::type private_member(Tag) { return member; }
};
template struct open_member<set_deadline_of, &asynchat::loop::set_deadline>;

void set_deadline(asynchat::dispatcher& channel, asynchat::loop::duration after)
{
    asynchat::loop& loop = channel.owner();
    (loop.*private_member(set_deadline_of{}))(*asynchat::detail::channel_access::state(channel),
                                              loop.now() + after);
}

/// Has a deadline, and is never adopted.
class stillborn : public punctual {
public:
    explicit stillborn(asynchat::loop& owner) : punctual(owner)
    {
        set_deadline(*this, 1s);
        throw std::runtime_error("constructor");
    }
};

} // namespace

TEST_CASE("the kit plays the other side of a channel", "[testing]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<echo>();
    peer.send("hel");
    peer.send("lo\r");
    CHECK(peer.received().empty());
    peer.send("\nworld\r\n");
    CHECK(peer.received() == "hello\r\nworld\r\n");
    peer.finish();
    CHECK(peer.ended());
    CHECK(chat->closed());
    CHECK(chat->close_reason() == asynchat::close_reason::peer_finished);
}

TEST_CASE("the kit records callbacks", "[testing]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<recorder<echo>>();
    peer.send("one\r\n\r\ntwo", 1);
    peer.finish();
    CHECK(peer.received() == "one\r\n\r\n");
    CHECK(chat->events ==
          lines{"collect one", "found", "found", "collect two", "eof", "close peer finished"});
}

TEST_CASE("the kit records frames, and callbacks that throw", "[testing]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<recorder<asynchat::frame_chat>>();
    chat->set_terminator("\n");
    peer.send("a\nb\x01\nc");
    loop.settle();
    loop.handle_of(*chat).post([](auto&) { throw std::runtime_error("no\n"); });
    loop.settle();
    CHECK(chat->events == lines{"frame a", "frame b\\x01", "error no\\n", "close callback error"});
    CHECK(chat->logs.size() == 1);
    CHECK(peer.ended());

    auto [other, again] = loop.accept<recorder<asynchat::frame_chat>>();
    other->set_terminator("\n");
    again.send("a\nb\x01\nc", 2);
    again.finish();
    loop.settle();
    CHECK(other->events ==
          lines{"frame a", "frame b\\x01", "collect c", "eof", "close peer finished"});
}

TEST_CASE("the kit's time passes at once, and to the nanosecond", "[testing][timers]")
{
    asynchat::testing::loop loop;
    const auto start = loop.now();
    std::vector<asynchat::loop::duration> calls;
    const auto note = [&] { calls.push_back(loop.now() - start); };
    loop.call_later(1h, note);
    loop.call_later(1ns, note);
    loop.call_later(1h, note);
    auto every = loop.call_every(25min, note);
    loop.settle();
    CHECK(calls.empty());
    loop.advance(1h - 1ns);
    CHECK(calls == decltype(calls){1ns, 25min, 50min});
    loop.advance(1ns);
    CHECK(calls == decltype(calls){1ns, 25min, 50min, 1h, 1h});
    every.cancel();
    loop.advance(24h);
    CHECK(calls.size() == 5);
    CHECK(loop.now() - start == 25h);
}

TEST_CASE("a periodic timer makes up for calls that are late, one in each turn", "[loop][timers]")
{
    asynchat::testing::loop loop;
    std::string order;
    auto every = loop.call_every(1s, [&] { order += 'e'; });
    loop.call_later(500ms, [&] {
        loop.advance(3500ms); // a callback that takes its time
        order += '|';
    });
    loop.advance(5s);
    CHECK(order == "eeee|e");
    CHECK(every.active());
}

TEST_CASE("run of the kit's loop ends when nothing can happen any more", "[testing]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<echo>();
    const auto start = loop.now();
    loop.call_later(2h, [peer = &peer] { peer->send("x\r\n"); });
    loop.run();
    CHECK(loop.now() - start == 2h);
    CHECK(peer.received() == "x\r\n");
    CHECK_FALSE(chat->closed());
    CHECK_FALSE(loop.poll(1min));
    CHECK(loop.now() - start == 2h + 1min);
}

TEST_CASE("deadlines of channels are never early, and at most a tick late", "[loop][timers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<punctual>();
    const auto start = loop.now();
    set_deadline(*chat, 250ms);
    set_deadline(*chat, 10s); // is for deadline_reached_() to set
    loop.advance(20s);
    REQUIRE(chat->looked.size() == 1);
    CHECK(chat->looked[0] - start >= 250ms);
    CHECK(chat->looked[0] - start <= 350ms);
    SECTION("an earlier one replaces it")
    {
        set_deadline(*chat, 10s);
        set_deadline(*chat, 1s);
        loop.advance(20s);
        REQUIRE(chat->looked.size() == 2);
        CHECK(chat->looked[1] - start == 21s);
    }
    SECTION("a closed channel has none")
    {
        set_deadline(*chat, 1s);
        chat->close();
        loop.advance(20s);
        CHECK(chat->looked.size() == 1);
    }
    SECTION("nor has one that is gone")
    {
        CHECK_THROWS_WITH(loop.create<stillborn>(), "constructor");
        loop.advance(20s);
        CHECK(chat->looked.size() == 1);
    }
}

TEST_CASE("servers and clients work in the kit's network as they are", "[testing]")
{
    asynchat::testing::loop loop;
    const endpoint where = GENERATE(endpoint("127.0.0.1", 7), endpoint("::1", 7), endpoint("", 7));
    const auto server = loop.create<asynchat::server<echo>>(where);
    const endpoint to = where.host() == "0.0.0.0" ? endpoint("127.0.0.1", 7) : where;
    const auto client = loop.create<greeter>(to).lock();
    auto peer = loop.connect(to);
    peer.send("x\r\n");
    CHECK(peer.received() == "x\r\n");
    CHECK(client->events == lines{"connect"});
    client->push("\r\n");
    loop.settle();
    CHECK(client->events == lines{"connect", "collect hello", "found", "collect \\r", "found"});
    server->close();
    CHECK_THROWS_AS(loop.connect(to), std::logic_error);
    CHECK(loop.size() == 3);
}

TEST_CASE("the kit answers clients, by address or by name", "[testing]")
{
    asynchat::testing::loop loop;
    auto mail = loop.listen(endpoint::named("mail.example", "25"));
    CHECK_THROWS_AS(mail.accept(), std::logic_error);
    const auto client = loop.create<greeter>("mail.example", std::string_view("25")).lock();
    CHECK(mail.waiting() == 1);
    auto peer = mail.accept();
    CHECK(peer.received() == "hello\n");
    CHECK(client->connected());

    const auto refused = loop.create<greeter>("nowhere.example", std::string_view("25")).lock();
    loop.settle();
    CHECK(refused->close_reason() == asynchat::close_reason::connect_failed);
    CHECK(refused->close_error() == std::errc::connection_refused);

    loop.ignore(endpoint("127.0.0.1", 9));
    const auto waiting = loop.create<greeter>(endpoint("127.0.0.1", 9)).lock();
    loop.settle();
    CHECK(waiting->connecting());
}

TEST_CASE("the kit joins two channels", "[testing]")
{
    asynchat::testing::loop loop;
    auto [near, far] = loop.socket_pair();
    const auto server = loop.create<recorder<echo>>(std::move(far)).lock();
    const auto client = loop.create<recorder<>>(std::move(near)).lock();
    client->set_terminator("\r\n");
    client->push("hello\r\n");
    client->push_eof();
    loop.settle();
    CHECK(client->events == lines{"collect hello", "found", "eof", "close peer finished"});
    CHECK(server->events == lines{"collect hello", "found", "eof", "close peer finished"});
}

TEST_CASE("what is sent and received in the kit can be measured out", "[testing]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<recorder<echo>>();
    CHECK(chat->peer_endpoint() == peer.local_endpoint());
    CHECK(chat->local_endpoint() == peer.peer_endpoint());
    CHECK_THROWS_AS(peer.send("abc", 0), std::invalid_argument);
    peer.send("abcdef\r\n", 3);
    CHECK(peer.received(2) == "ab");
    CHECK(peer.received(4) == "cdef");
    CHECK(peer.received(100) == "\r\n");
    CHECK(peer.received(100).empty());
}

TEST_CASE("what the test does not receive keeps the channel from sending", "[testing][no-records]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<recorder<>>();
    peer.window(10);
    chat->push("0123456789abcdef");
    loop.settle();
    CHECK(chat->pending_output() == 6);
    CHECK(peer.received(4) == "0123");
    loop.settle();
    CHECK(chat->pending_output() == 2);
    CHECK(peer.received() == "456789abcdef");
    peer.window(0);
    chat->push("x");
    CHECK(peer.received().empty());
    CHECK(chat->pending_output() == 1);
    chat->close();
    CHECK(peer.ended());
    CHECK_FALSE(peer.was_reset());
}

TEST_CASE("connections of the kit end as those of TCP do", "[testing]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<recorder<>>();
    chat->set_terminator("\n");
    SECTION("one side has finished, and goes on receiving")
    {
        peer.send("a");
        peer.finish();
        CHECK_THROWS_AS(peer.send("b"), std::logic_error);
        chat->push("bye");
        CHECK(peer.received() == "bye");
        CHECK(peer.ended());
        CHECK(chat->events == lines{"collect a", "eof", "close peer finished"});
    }
    SECTION("what has arrived before a reset can be received, as with TCP")
    {
        peer.send("a");
        peer.reset();
        loop.settle();
        CHECK(chat->events == lines{"collect a", "close reset"});
        CHECK(peer.was_reset());
    }
    SECTION("a reset loses what is under way")
    {
        loop.faults().delay = 1000; // all that channels send
        auto [near, far] = loop.socket_pair();
        const auto sender = loop.create<recorder<>>(std::move(near)).lock();
        const auto receiver = loop.create<recorder<>>(std::move(far)).lock();
        sender->push("a");
        sender->initiate_send();
        sender->abort();
        loop.settle();
        CHECK(receiver->events == lines{"close reset"});
    }
    SECTION("a close with input unread is a reset")
    {
        chat->push("a");
        loop.settle();
        peer.close();
        loop.settle();
        CHECK(chat->events == lines{"close reset"});
        CHECK_THROWS_AS(peer.received(), std::logic_error);
    }
    SECTION("a close without is an end")
    {
        peer.close();
        loop.settle();
        CHECK(chat->events == lines{"eof", "close peer finished"});
    }
    SECTION("a close ends the wait for room")
    {
        struct goes_on : recorder<> {
            using recorder::recorder;
            void handle_eof() override {}
        };
        auto [waiting, full] = loop.accept<goes_on>();
        full.window(0);
        waiting->push("a");
        loop.settle();
        full.close();
        loop.settle();
        CHECK(waiting->events == lines{"close reset"});
    }
}

TEST_CASE("an operation fails when the test says so", "[testing]")
{
    asynchat::testing::loop loop;
    using asynchat::testing::operation;
    SECTION("the second receive")
    {
        auto [chat, peer] = loop.accept<recorder<>>();
        chat->set_terminator("\n");
        loop.fail(2, EIO, operation::receive);
        peer.send("a");
        peer.send("b");
        loop.settle();
        CHECK(chat->events.front() == "collect a");
        CHECK(chat->close_error() == std::errc::io_error);
        CHECK_FALSE(loop.has_to_fail());
    }
    SECTION("a receive that would block is tried again")
    {
        auto [chat, peer] = loop.accept<echo>();
        loop.fail(1, EAGAIN, operation::receive);
        peer.send("a\r\n");
        CHECK(peer.received() == "a\r\n");
    }
    SECTION("an accept, after which the listener pauses")
    {
        class quiet_server : public asynchat::server<echo> {
        public:
            using server::server;
            void handle_log(asynchat::log_type, std::string_view) override {}
        };
        loop.create<quiet_server>(endpoint("127.0.0.1", 7));
        loop.fail(1, EMFILE, operation::accept);
        auto peer = loop.connect(endpoint("127.0.0.1", 7));
        peer.send("a\r\n");
        CHECK(peer.received().empty());
        loop.advance(1s);
        CHECK(peer.received() == "a\r\n");
    }
    SECTION("a bind")
    {
        loop.fail(1, EACCES, operation::bind);
        CHECK_THROWS_AS(loop.create<asynchat::server<echo>>(endpoint("127.0.0.1", 7)),
                        std::system_error);
        CHECK(loop.size() == 0);
    }
}

TEST_CASE("a seed replays the faults that were drawn from it", "[testing]")
{
    const auto play = [](std::uint64_t seed) {
        asynchat::testing::loop loop(seed);
        loop.faults().cut = loop.faults().block = 500;
        loop.faults().delay = 500;
        loop.faults().reset = 20;
        auto [chat, peer] = loop.accept<echo>();
        std::string course;
        for (int i = 0; i < 20; ++i) {
            peer.send("some line\r\n");
            loop.advance(50ms);
            course += peer.received() + std::to_string(loop.operations()) + ' ';
        }
        return course;
    };
    CHECK(play(1) == play(1));
    CHECK(play(1) != play(2));
}

TEST_CASE("a test over seeds stops at the one that fails", "[testing]")
{
    std::vector<std::uint64_t> seeds;
    asynchat::testing::for_seeds(3, [&](std::uint64_t seed) { seeds.push_back(seed); });
    CHECK(seeds == std::vector<std::uint64_t>{1, 2, 3});
    CHECK_THROWS_AS(asynchat::testing::for_seeds(3,
                                                 [](std::uint64_t seed) {
                                                     if (seed == 2)
                                                         throw std::runtime_error("two");
                                                 }),
                    std::runtime_error);
}

namespace {

/// Writes down the order of its events.
class ordered : public asynchat::dispatcher {
public:
    using dispatcher::dispatcher;
    bool writable() override { return wants_to_write; }
    void handle_read() override
    {
        char bytes[10];
        recv(asio::buffer(bytes));
        events += "read ";
    }
    void handle_write() override
    {
        wants_to_write = false;
        events += "write ";
    }
    void handle_close() override { close(); }

    bool wants_to_write = false;
    std::string events;
};

/// What one poll() of `loop` does with a channel that can both read and write.
template <class Loop>
std::string events_of_one_poll(Loop& loop, std::pair<asynchat::socket, asynchat::socket> ends)
{
    const auto channel = loop.template create<ordered>(std::move(ends.first)).lock();
    const auto other = loop.template create<ordered>(std::move(ends.second)).lock();
    loop.poll(); // the first event of a channel is a matter of its own
    other->send(std::string_view("x"));
    loop.poll();
    channel->events.clear();
    other->send(std::string_view("x"));
    channel->wants_to_write = true;
    channel->update_interest();
    loop.poll();
    return channel->events;
}

} // namespace

TEST_CASE("the kit serves a read and a write in the same pass, as a system loop does", "[testing]")
{
    asynchat::loop system;
    asynchat::testing::loop kit;
    CHECK(events_of_one_poll(system, asynchat::socket::pair()) == "read write ");
    CHECK(events_of_one_poll(kit, kit.socket_pair()) == "read write ");
}

// --- the loop as a base class --------------------------------------------------------------------

TEST_CASE("a loop of a test may be held, and destroyed, as any loop", "[testing]")
{
    class watched : public asynchat::testing::loop {
    public:
        explicit watched(bool& gone) : gone_(gone) {}
        ~watched() override { gone_ = true; }

    private:
        bool& gone_;
    };
    bool gone = false;
    std::unique_ptr<asynchat::loop> loop = std::make_unique<watched>(gone);
    const auto chat = loop->create<greeter>(endpoint("127.0.0.1", 7)).lock();
    loop.reset();
    CHECK(gone);
    CHECK(chat->closed());
}

TEST_CASE("what can be derived from can be destroyed through its base", "[testing]")
{
    CHECK(std::has_virtual_destructor_v<asynchat::loop>);
    CHECK(std::has_virtual_destructor_v<asynchat::dispatcher>);
    CHECK(std::has_virtual_destructor_v<asynchat::producer>);
    CHECK(std::has_virtual_destructor_v<asynchat::exit_now>);
}

TEST_CASE("an output_recorder: what was sent is in order with what was called",
          "[testing][no-records]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<asynchat::testing::output_recorder<echo>>();
    SECTION("all of it, or a part")
    {
        peer.window(5);
        peer.send("ab\r\ncd\r\n");
        loop.settle();
        CHECK(chat->events == lines{"collect ab", "found", "collect cd", "found",
                                    "sent ab\\r\\nc of ab\\r\\ncd\\r\\n"});
        CHECK(peer.received() == "ab\r\ncd\r\n");
        CHECK(chat->events.back() == "sent d\\r\\n");
    }
    SECTION("nothing")
    {
        peer.window(0);
        chat->push("hello");
        loop.settle();
        CHECK(chat->events == lines{"sent nothing of hello"});
    }
    SECTION("an error")
    {
        loop.fail(1, EIO, asynchat::testing::operation::send);
        chat->push("hello");
        loop.settle();
        CHECK(chat->events ==
              lines{"sent nothing of hello",
                    "error asynchat: send: " + support::error_text(std::errc::io_error),
                    "close system error"});
    }
}

TEST_CASE("an output_recorder: a send() that takes more than it is offered", "[testing]")
{
    struct swallowing : asynchat::frame_chat {
        using frame_chat::frame_chat;
        void found_frame(std::string_view) override {}
        std::size_t send(asynchat::const_buffers data) override { return data.size() + 1; }
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<asynchat::testing::output_recorder<swallowing>>();
    chat->push("hello");
    loop.settle();
    CHECK(chat->events == lines{"sent hello"});
}

TEST_CASE("the events of a recorder may be cleared between two pieces", "[testing]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<recorder<>>();
    chat->set_terminator("\n");
    peer.send("a");
    loop.settle();
    chat->events.clear();
    peer.send("b");
    loop.settle();
    CHECK(chat->events == lines{"collect b"});
}
