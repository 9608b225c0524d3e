// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/manual_clock.hpp"
#include "support/wire_bench.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using asynchat::close_reason;
using std::chrono::seconds;

namespace {

/// Writes down what happens to it, line by line.
class line_chat : public asynchat::testing::recorder<> {
public:
    line_chat(asynchat::loop& owner, asynchat::socket from) : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }

    std::string answer;        // pushed at the first line, before close_when_done()
    bool stays_at_eof = false; // handle_eof() does nothing

    void found_terminator() override
    {
        recorder::found_terminator();
        if (answer.empty())
            return;
        push(answer);
        close_when_done();
    }
    void handle_eof() override
    {
        if (stays_at_eof)
            note("eof");
        else
            recorder::handle_eof();
    }
};

using texts = std::vector<std::string>;

struct connection {
    explicit connection(asynchat::loop& loop, int family = AF_INET)
    {
        auto ends = support::connected_pair(family);
        chat = loop.create<line_chat>(std::move(ends.first)).lock();
        peer = std::move(ends.second);
    }
    std::shared_ptr<line_chat> chat;
    support::raw_peer peer;
};

/// Sends `size` bytes as fast as they are taken, and reads, until the other side has ended.
bool talk(asynchat::loop& loop, support::raw_peer& peer, std::size_t size)
{
    const std::string block(65536, 'x');
    return support::run_until(loop, [&] {
        while (size > 0) {
            const ssize_t sent = ::send(peer.fd(), block.data(), std::min(size, block.size()),
                                        MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent <= 0)
                break;
            size -= static_cast<std::size_t>(sent);
        }
        return (size == 0 && peer.ended()) || peer.error() != 0;
    });
}

} // namespace

// --- the last output survives ----------------------------------------------------------------

TEST_CASE("close_when_done: the reply arrives whole while the other side still sends",
          "[async_chat][close][linger][no-tls][slow]")
{
    asynchat::loop loop;
    for (int i = 0; i < 200; ++i) {
        connection c(loop);
        c.chat->answer.assign(4096, 'r');
        c.peer.send("request\n");
        REQUIRE(talk(loop, c.peer, 10 << 20));
        CHECK(c.peer.error() == 0);
        CHECK(c.peer.received() == c.chat->answer);
        CHECK(c.chat->events == texts{"collect request", "found", "close local"});
        c.peer.close();
    }
    loop.run(); // nothing is left of them
    CHECK(loop.size() == 0);
}

TEST_CASE("close: input that was not read resets the connection", "[dispatcher][close]")
{
    asynchat::loop loop;
    connection c(loop);
    c.peer.send("unread");
    c.chat->push("reply");
    c.chat->initiate_send();
    c.chat->close();
    REQUIRE(support::run_until(loop, [&] { return c.peer.ended(); }));
    CHECK(c.peer.error() == ECONNRESET);
}

TEST_CASE("a connection that lingers is none of the loop's channels, but run() waits for it",
          "[dispatcher][linger]")
{
    asynchat::loop loop;
    connection c(loop);
    c.chat->close_when_done();
    loop.poll();
    CHECK(c.chat->closed());
    CHECK(loop.size() == 0);
    CHECK(loop.channels().empty());
    CHECK(c.peer.ended());
    c.peer.send("late");
    bool ran = false;
    const auto end = loop.call_later(std::chrono::milliseconds(1), [&] {
        ran = true;
        c.peer.close();
    });
    loop.run();
    CHECK(ran);
}

TEST_CASE("lingering is bounded by its timeout", "[dispatcher][linger]")
{
    support::manual_loop loop;
    connection c(loop);
    const bool own = GENERATE(false, true);
    if (own)
        c.chat->linger_timeout(seconds(7));
    c.chat->close_when_done();
    support::settle(loop);
    loop.advance(own ? seconds(7) - std::chrono::milliseconds(1) : std::chrono::milliseconds(1999));
    support::settle(loop);
    c.peer.send("x"); // taken and dropped
    support::settle(loop);
    CHECK(c.peer.error() == 0);
    loop.advance(std::chrono::milliseconds(101));
    support::settle(loop);
    CHECK(::send(c.peer.fd(), "x", 1, MSG_NOSIGNAL) == 1); // nobody is there any more
    CHECK(support::run_until(loop, [&] { return ::send(c.peer.fd(), "x", 1, MSG_NOSIGNAL) < 0; }));
}

TEST_CASE("no lingering: by linger_timeout(0), after abort(), close(), close_all()",
          "[dispatcher][close]")
{
    asynchat::loop loop;
    connection c(loop);
    SECTION("linger_timeout(0)")
    {
        c.chat->linger_timeout(seconds(0));
        c.chat->close_when_done();
    }
    SECTION("abort")
    {
        c.chat->close_when_done();
        c.chat->abort();
    }
    SECTION("close")
    {
        c.chat->close_when_done();
        c.chat->close();
    }
    SECTION("close_all")
    {
        c.chat->close_when_done();
        loop.poll();
        loop.close_all();
    }
    loop.run(); // would wait
    CHECK(c.peer.ended());
}

TEST_CASE("nothing lingers once the other side has ended", "[dispatcher][linger]")
{
    asynchat::loop loop;
    connection c(loop);
    c.chat->answer = "bye";
    c.peer.send("quit\n");
    c.peer.shut_down_output();
    loop.run();
    CHECK(c.peer.received() == "bye");
    CHECK(c.peer.ended());
}

// --- abort -----------------------------------------------------------------------------------

TEST_CASE("abort: the other side sees a reset, and no handler is called", "[dispatcher][close]")
{
    asynchat::loop loop;
    connection c(loop);
    c.chat->push("never sent");
    c.chat->abort();
    CHECK(c.chat->closed());
    CHECK(c.chat->close_reason() == close_reason::local);
    CHECK(c.chat->pending_output() == 10);
    CHECK(c.chat->events.empty());
    REQUIRE(support::run_until(loop, [&] { return c.peer.ended(); }));
    CHECK(c.peer.error() == ECONNRESET);
    CHECK(c.peer.received().empty());
    c.chat->abort(); // any number of times
}

// --- half-close ------------------------------------------------------------------------------

TEST_CASE("push_eof: behind the output; input goes on; both ends end the channel",
          "[async_chat][eof]")
{
    asynchat::loop loop;
    const int family = GENERATE(AF_INET, AF_UNIX);
    connection c(loop, family);
    c.chat->stays_at_eof = GENERATE(false, true);
    c.chat->push(std::string(1 << 20, 'x'));
    c.chat->push_eof();
    CHECK_FALSE(c.chat->push("too late"));
    REQUIRE(support::run_until(loop, [&] { return c.peer.ended(); }));
    CHECK(c.peer.received().size() == 1 << 20);
    CHECK_FALSE(c.chat->closed());
    c.peer.send("more\n");
    REQUIRE(support::run_until(loop, [&] { return c.chat->events.size() == 2; }));
    c.peer.shut_down_output();
    loop.run();
    CHECK(c.chat->events == texts{"collect more", "found", "eof", "close peer finished"});
    CHECK(c.chat->close_reason() == close_reason::peer_finished);
}

TEST_CASE("push_eof: after the end of the other side ends the channel", "[async_chat][eof]")
{
    asynchat::loop loop;
    connection c(loop);
    c.chat->stays_at_eof = true;
    c.peer.shut_down_output();
    REQUIRE(support::run_until(loop, [&] { return c.chat->events == texts{"eof"}; }));
    CHECK(c.chat->push("still"));
    REQUIRE(support::run_until(loop, [&] { return c.peer.received() == "still"; }));
    c.chat->push_eof();
    loop.run();
    CHECK(c.peer.ended());
    CHECK(c.chat->events == texts{"eof", "close peer finished"});
}

TEST_CASE("push_eof: before the connection is made", "[async_chat][eof]")
{
    asynchat::loop loop;
    support::raw_listener listener(asynchat::endpoint("127.0.0.1", 0));
    class client : public line_chat {
    public:
        client(asynchat::loop& owner, const asynchat::endpoint& to)
            : line_chat(owner, asynchat::socket())
        {
            connect(to);
            push("question");
            push_eof();
        }
        void handle_connect() override {}
    };
    const auto chat = loop.create<client>(listener.address()).lock();
    auto peer = listener.accept();
    REQUIRE(support::run_until(loop, [&] { return peer.ended(); }));
    CHECK(peer.received() == "question");
    CHECK_FALSE(chat->closed());
    peer.close();
    loop.run();
    CHECK(chat->events == texts{"eof", "close peer finished"});
}

TEST_CASE("push_eof: a connection that was reset is reported as such, not as an error",
          "[async_chat][eof]")
{
    asynchat::loop loop;
    connection c(loop);
    c.peer.reset();
    c.chat->push_eof();
    c.chat->initiate_send();
    CHECK(c.chat->events.empty()); // not inside the call
    loop.run();
    CHECK(c.chat->events == texts{"close reset"});
    CHECK(c.chat->close_reason() == close_reason::reset);
    CHECK(c.chat->logs.empty());
}

TEST_CASE("push_eof: taken back by discard_buffers as long as it has not happened",
          "[async_chat][eof]")
{
    support::wire_bench<> b("\n");
    b.wire->take(0);
    b.call([](auto& chat) {
        chat.push("x");
        chat.push_eof();
        chat.discard_buffers();
        CHECK(chat.push("y"));
    });
    CHECK(b.take_everything() == support::events{"sent y"});
    CHECK(b.open());
}

TEST_CASE("shutdown_output: without a connection it is a mistake", "[dispatcher][eof]")
{
    asynchat::loop loop;
    const auto channel = loop.create<asynchat::dispatcher>().lock();
    CHECK_THROWS_AS(channel->shutdown_output(), std::logic_error);
    channel->close();
}

TEST_CASE("shutdown_output: a plain dispatcher ends its stream and still receives",
          "[dispatcher][eof]")
{
    asynchat::loop loop;
    auto ends = support::connected_pair();
    const auto channel = loop.create<support::recorder>(std::move(ends.first)).lock();
    channel->shutdown_output();
    CHECK(ends.second.ended());
    ends.second.send("hello");
    REQUIRE(support::run_until(loop, [&] { return channel->input == "hello"; }));
    ends.second.close();
    loop.run();
    CHECK(channel->close_reason() == close_reason::peer_finished);
}

// --- in the middle of something ------------------------------------------------------------------

namespace {

class last_words : public asynchat::testing::recorder<> {
public:
    using recorder::recorder;

    void handle_close() override
    {
        note(push("late") ? "sent" : "refused");
        note(push(std::string("late")) ? "sent" : "refused");
        note(push(std::make_shared<const std::string>("late")) ? "sent" : "refused");
        note(print("{}", "late") ? "sent" : "refused");
        note(push_with_producer([] { return std::string(); }) ? "sent" : "refused");
        recorder::handle_close();
    }
};

/// Ends itself when it is asked for its terminator.
class closing_override : public asynchat::testing::recorder<> {
public:
    closing_override(asynchat::loop& owner, asynchat::socket from)
        : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }

    bool when_done = false;
    mutable int asked = 0;

    const asynchat::terminator& get_terminator() const override
    {
        auto& self = const_cast<closing_override&>(*this);
        if (++asked == 2)
            when_done ? self.close_when_done() : self.close();
        return recorder::get_terminator();
    }
};

} // namespace

TEST_CASE("nothing can be pushed in handle_close()", "[output-limits][close]")
{
    const bool lost = GENERATE(false, true);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<last_words>();
    lost ? peer.reset() : peer.finish();
    loop.settle();
    CHECK(chat->closed());
    CHECK(std::count(chat->events.begin(), chat->events.end(), "refused") == 5);
    CHECK(std::count(chat->events.begin(), chat->events.end(), "sent") == 0);
    CHECK(chat->pending_output() == 0);
}

TEST_CASE("a get_terminator() that ends the channel ends its input", "[output-limits][close]")
{
    const bool when_done = GENERATE(false, true);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<closing_override>();
    chat->when_done = when_done;
    peer.send("one\ntwo\nthree\n");
    loop.settle();
    CHECK(chat->closed());
    CHECK(chat->asked == 2);
    REQUIRE(chat->events.size() >= 2);
    CHECK(chat->events[1] == "found");
    CHECK(chat->events.size() == (when_done ? 3 : 2));
}
