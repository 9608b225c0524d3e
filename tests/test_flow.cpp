// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/wire_bench.hpp"

#include <asynchat/asynchat.hpp>

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using asynchat::close_reason;
using support::events;

namespace {

/// Answers each line with `answer`, and notes what its output does.
class answering : public support::wire_chat {
public:
    answering(asynchat::loop& owner, asynchat::socket from) : wire_chat(owner, std::move(from))
    {
        set_terminator("\n");
        write_buffer_limits(100, 20);
        on_found = [this] {
            if (!answer.empty())
                push(answer);
        };
    }

    std::string answer;
    std::function<void()> on_paused, on_resumed, on_drained;

    void handle_write_paused() override
    {
        note("paused");
        if (on_paused)
            on_paused();
    }
    void handle_write_resumed() override
    {
        note("resumed");
        if (on_resumed)
            on_resumed();
    }
    void handle_drained() override
    {
        note("drained");
        if (on_drained)
            on_drained();
    }
};

/// One that stops reading when it is full, as an accepted one does.
class bench : public support::wire_bench<answering> {
public:
    bench() { chat->when_full(asynchat::full_output::stops_reading); }
};

std::string bytes(std::size_t size)
{
    return std::string(size, 'x');
}

} // namespace

TEST_CASE("flow: what an event can send at once calls no handler", "[async_chat][flow]")
{
    bench b;
    b.chat->answer = bytes(1000);
    CHECK(b.recv("a\n") == events{"collect a", "found", "sent " + bytes(1000)});
}

TEST_CASE("flow: over the high mark reading stops, until the low mark",
          "[async_chat][flow][no-records]")
{
    bench b;
    b.wire->take(0);
    b.chat->answer = bytes(101);
    CHECK(b.recv("a\nb\n") == events{"collect a", "found", "collect b", "found",
                                     "sent nothing of " + bytes(202), "paused"});
    CHECK(b.chat->write_paused());
    CHECK_FALSE(b.chat->readable());
    CHECK(b.recv("c\n").empty()); // not even received
    CHECK(b.take(181) == events{"sent " + bytes(181) + " of " + bytes(202)});
    CHECK(b.chat->pending_output() == 21);
    b.chat->answer.clear();
    CHECK(b.take(1) == events{"sent x of xxxxxxxxxxxxxxxxxxxxx", "resumed", "collect c", "found"});
    CHECK_FALSE(b.chat->write_paused());
    CHECK(b.take_everything() == events{"sent xxxxxxxxxxxxxxxxxxxx", "drained"});
}

TEST_CASE("flow: the marks themselves are not over the mark", "[async_chat][flow]")
{
    bench b;
    b.wire->take(0);
    b.chat->answer = bytes(100);
    CHECK(b.recv("a\n") == events{"collect a", "found", "sent nothing of " + bytes(100)});
    CHECK_FALSE(b.chat->write_paused());
}

TEST_CASE("flow: parsing stops in the middle of what was received, and goes on there",
          "[async_chat][flow]")
{
    bench b;
    b.chat->ac_out_buffer_size = 50; // sends in the middle of the input, over so much
    b.wire->take(0);
    b.chat->answer = bytes(60);
    CHECK(b.recv("a\nb\nc\nd\n") == events{"collect a", "found", "sent nothing of " + bytes(50),
                                           "collect b", "found", "paused"});
    b.chat->answer.clear();
    CHECK(b.take_everything() == events{"sent " + bytes(50), "sent " + bytes(50),
                                        "sent " + bytes(20), "resumed", "drained", "collect c",
                                        "found", "collect d", "found"});
    CHECK(b.chat->seen == support::frames{"a", "b", "c", "d"});
}

TEST_CASE("flow: kept input comes before new input, and the end of the stream after both",
          "[async_chat][flow][eof]")
{
    bench b;
    b.chat->ac_out_buffer_size = 50;
    b.wire->take(0);
    b.chat->answer = bytes(101);
    b.recv("a\nb\n");
    b.wire->feed("c\n");
    b.eof();
    b.chat->answer.clear();
    b.take_everything();
    CHECK(b.chat->seen == support::frames{"a", "b", "c"});
    CHECK(b.reason() == close_reason::peer_finished);
}

TEST_CASE("flow: the end of the stream waits for kept input", "[async_chat][flow][eof]")
{
    bench b;
    b.chat->ac_out_buffer_size = 50;
    b.chat->ac_in_buffer_size = 4;
    b.wire->take(0);
    b.chat->answer = bytes(101);
    b.wire->feed("a\nb\n");
    b.wire->feed_eof();
    b.tick();
    CHECK(b.chat->seen == support::frames{"a"});
    CHECK(b.open());
    b.take_everything();
    CHECK(b.chat->seen == support::frames{"a", "b"});
    CHECK(b.reason() == close_reason::peer_finished);
    CHECK(b.wire->sent.size() == 202);
}

TEST_CASE("flow: a pause of the user is another one", "[async_chat][flow][pause]")
{
    bench b;
    b.wire->take(0);
    b.chat->answer = bytes(101);
    b.recv("a\n");
    b.chat->pause_reading();
    b.take_everything();
    CHECK_FALSE(b.chat->write_paused());
    CHECK(b.recv("b\n").empty());
    b.wire->take(0);
    b.chat->resume_reading();
    CHECK(b.tick() == events{"collect b", "found", "sent nothing of " + bytes(101), "paused"});
    b.chat->pause_reading();
    b.chat->resume_reading(); // does not undo the other one
    CHECK(b.recv("c\n").empty());
}

TEST_CASE("flow: a channel may go on reading", "[async_chat][flow]")
{
    bench b;
    b.chat->when_full(asynchat::full_output::reads_on);
    b.wire->take(0);
    b.chat->answer = bytes(101);
    CHECK(b.recv("a\n") == events{"collect a", "found", "sent nothing of " + bytes(101), "paused"});
    CHECK(b.recv("b\n") == events{"collect b", "found"});
    b.chat->when_full(asynchat::full_output::stops_reading);
    b.tick();
    CHECK(b.recv("c\n").empty());
    b.chat->when_full(asynchat::full_output::reads_on);
    CHECK(b.tick() == events{"collect c", "found"});
}

TEST_CASE("flow: pushes from outside of events count as well", "[async_chat][flow][no-records]")
{
    bench b;
    b.wire->take(0);
    CHECK(b.call([](auto& chat) { chat.push(bytes(70)); }) ==
          events{"sent nothing of " + bytes(70)});
    CHECK(b.call([](auto& chat) { chat.push(bytes(70)); }) == events{"paused"});
    CHECK(b.call([](auto& chat) { chat.discard_buffers(); }) == events{"resumed"});
}

TEST_CASE("flow: before the connection is made", "[async_chat][flow]")
{
    bench b;
    b.chat->set_connected(false);
    CHECK(b.call([](auto& chat) { chat.push(bytes(101)); }) == events{"paused"});
    b.chat->set_connected(true);
    CHECK(b.call([](auto& chat) { chat.push("y"); }) ==
          events{"sent " + bytes(101) + "y", "resumed"});
}

TEST_CASE("flow: new marks are judged at once", "[async_chat][flow]")
{
    bench b;
    b.wire->take(0);
    b.call([](auto& chat) { chat.push(bytes(60)); });
    CHECK(b.call([](auto& chat) { chat.write_buffer_limits(50, 40); }) == events{"paused"});
    CHECK(b.call([](auto& chat) { chat.write_buffer_limits(100, 60); }) == events{"resumed"});
    CHECK_THROWS_AS(b.chat->write_buffer_limits(1, 2), std::invalid_argument);
}

TEST_CASE("flow: the handlers may do anything", "[async_chat][flow]")
{
    bench b;
    b.chat->answer = bytes(101);
    b.wire->take(0);
    SECTION("throw")
    {
        b.chat->on_paused = [] { throw support::user_error(); };
        b.chat->survives = true;
        CHECK(b.recv("a\n") == events{"collect a", "found", "sent nothing of " + bytes(101),
                                      "paused", "error user"});
        CHECK(b.open());
        CHECK(b.take_everything() == events{"sent " + bytes(101), "resumed", "drained"});
    }
    SECTION("close in handle_write_paused")
    {
        b.chat->on_paused = [&] { b.chat->close(); };
        CHECK(b.recv("a\nb\n") == events{"collect a", "found", "collect b", "found",
                                         "sent nothing of " + bytes(202), "paused"});
        CHECK_FALSE(b.open());
    }
    SECTION("close in handle_write_resumed")
    {
        b.recv("a\n");
        b.chat->on_resumed = [&] { b.chat->close(); };
        CHECK(b.take_everything() == events{"sent " + bytes(101), "resumed"});
        CHECK_FALSE(b.open());
    }
    SECTION("push in handle_drained")
    {
        b.recv("a\n");
        b.chat->on_drained = [&] { b.chat->push("more"); };
        CHECK(b.take_everything() ==
              events{"sent " + bytes(101), "resumed", "drained", "sent more"});
    }
    SECTION("close_when_done in handle_write_paused")
    {
        b.chat->on_paused = [&] { b.chat->close_when_done(); };
        b.recv("a\nb\n");
        CHECK(b.take_everything() ==
              events{"sent " + bytes(202), "resumed", "drained", "close local"});
        CHECK(b.reason() == close_reason::local);
    }
}

TEST_CASE("flow: a channel that was closed in the middle of its input hears nothing more",
          "[async_chat][flow]")
{
    bench b;
    b.chat->ac_out_buffer_size = 10;
    b.wire->take(0);
    b.call([](auto& chat) { chat.push("before"); });
    b.chat->on_found = [&] {
        b.chat->push(bytes(200));
        b.chat->close();
    };
    CHECK(b.recv("a\nb\n") == events{"collect a", "found"});
    CHECK_FALSE(b.open());
}

TEST_CASE("flow: a producer is not asked while output waits, and its pieces count",
          "[async_chat][flow][producer]")
{
    bench b;
    b.wire->take(0);
    b.call([&](auto& chat) {
        chat.push_with_producer(support::pieces(b.chat, {bytes(150), bytes(150)}));
    });
    CHECK(b.chat->write_paused());
    CHECK(b.chat->pending_output() == 150);
    b.take_everything();
    CHECK_FALSE(b.chat->write_paused());
    CHECK(b.wire->sent.size() == 300);
}

TEST_CASE("flow: more output than max_output() ends the channel, and says so",
          "[async_chat][flow][limit][no-records]")
{
    bench b;
    b.chat->max_output(300);
    b.wire->take(100);
    b.chat->answer = bytes(400);
    CHECK(b.recv("a\n") == events{"collect a", "found", "sent " + bytes(100) + " of " + bytes(400),
                                  "paused"}); // 300 is not over it
    b.call([](auto& chat) { CHECK(chat.push("y")); });
    CHECK(b.open()); // more is added only now
    b.call([](auto& chat) {
        CHECK_FALSE(chat.push("z"));
        CHECK_FALSE(chat.closed()); // not inside the call
    });
    CHECK(b.reason() == close_reason::output_limit);
    CHECK(b.chat->pending_output() == 301);
    REQUIRE(b.chat->logs.size() == 1);
    CHECK(b.chat->logs[0].find("301 bytes of output wait, the limit of max_output() is 300") !=
          std::string::npos);
}

TEST_CASE("flow: one event of an honest client does not trip max_output()",
          "[async_chat][flow][limit]")
{
    bench b;
    b.chat->max_output(300);
    b.chat->answer = bytes(200);
    std::string requests;
    for (int i = 0; i < 100; ++i)
        requests += "a\n";
    b.recv(requests);
    CHECK(b.open());
    CHECK(b.wire->sent.size() == 20000);
}

TEST_CASE("flow: who does not read answers is not asked, and does not grow",
          "[async_chat][flow][no-layers][slow]")
{
    class server_end : public asynchat::async_chat {
    public:
        server_end(asynchat::loop& owner, asynchat::socket from)
            : async_chat(owner, std::move(from))
        {
            set_terminator("\n");
            when_full(asynchat::full_output::stops_reading);
        }
        std::size_t answers = 0;
        std::size_t most = 0;
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override
        {
            push(std::string(10000, 'x'));
            most = std::max(most, pending_output());
            ++answers;
        }
    };
    asynchat::loop loop;
    auto ends = support::connected_pair();
    const auto chat = loop.create<server_end>(std::move(ends.first)).lock();
    const int peer = ends.second.fd();
    std::size_t asked = 0;
    std::string requests;
    for (int i = 0; i < 1000; ++i)
        requests += "q\n";
    for (int i = 0; i < 200; ++i) {
        const ssize_t sent =
            ::send(peer, requests.data(), requests.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0)
            asked += static_cast<std::size_t>(sent) / 2;
        support::settle(loop);
    }
    CHECK(asked > chat->answers);
    CHECK(chat->write_paused());
    // The high mark, and the answers until the next attempt to send.
    CHECK(chat->most <= 262144 + 65536 + 10000);
    std::size_t got = 0;
    REQUIRE(support::run_until(loop, [&] {
        static char buffer[1 << 20];
        const ssize_t more = ::recv(peer, buffer, sizeof buffer, MSG_DONTWAIT);
        got += more > 0 ? static_cast<std::size_t>(more) : 0;
        return got >= asked * 10000;
    }));
    CHECK(got == asked * 10000); // and then all of them are answered
    loop.close_all();
}
