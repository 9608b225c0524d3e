// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <asio/buffer.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// One socket of a channel after the other: nothing of the first connection reaches the second one.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;
using asynchat::testing::operation;

namespace {

using texts = std::vector<std::string>;

const endpoint elsewhere("127.0.0.1", 7);

template <class Base = asynchat::async_chat>
class recording : public asynchat::testing::recorder<Base> {
public:
    using recorder = asynchat::testing::recorder<Base>;

    explicit recording(asynchat::loop& owner, asynchat::socket from = {})
        : recorder(owner, std::move(from))
    {
        this->set_terminator("\n");
    }

    std::function<void()> on_collect;
    std::function<void()> on_found;
    bool stays_open = false; // at the end of the stream, at first
    asynchat::overflow overflows = asynchat::overflow::close;

    void collect_incoming_data(std::string_view data) override
    {
        recorder::collect_incoming_data(data);
        if (on_collect)
            std::exchange(on_collect, nullptr)();
    }
    void handle_eof() override
    {
        if (std::exchange(stays_open, false))
            this->note("eof");
        else
            recorder::handle_eof();
    }
    void handle_connect() override {}
    asynchat::overflow handle_overflow() override { return overflows; }
    void handle_accepted(asynchat::socket, const endpoint&) override { this->note("accepted"); }
};

class lines : public recording<> {
public:
    using async_chat::_collect_incoming_data;
    using async_chat::_get_data;
    using recording::recording;

    void found_terminator() override
    {
        recording::found_terminator();
        if (on_found)
            std::exchange(on_found, nullptr)();
    }
};

/// A channel with a connection, which is to be replaced by another one.
template <class Chat = lines>
struct replaced {
    /// What becomes of another connection, on which both sides say something.
    std::string conversation(std::string_view hello = "hello\n")
    {
        chat->create_socket();
        chat->connect(elsewhere);
        return rest_of_conversation(hello);
    }

    std::string rest_of_conversation(std::string_view hello = "hello\n")
    {
        loop.settle();
        auto other = listener.accept();
        chat->note("another connection");
        chat->events.clear();
        other.send(hello);
        loop.settle();
        if (!chat->push("world"))
            chat->note("refused");
        chat->note("out " + other.received());
        other.finish();
        loop.settle();
        std::string all;
        for (const std::string& event : chat->events)
            all += (all.empty() ? "" : ", ") + event;
        return all;
    }

    asynchat::testing::loop loop;
    asynchat::testing::listener listener = loop.listen(elsewhere);
    std::pair<std::shared_ptr<Chat>, asynchat::testing::peer> ends = loop.template accept<Chat>();
    std::shared_ptr<Chat> chat = ends.first;
    asynchat::testing::peer& peer = ends.second;
};

const std::string undisturbed = "collect hello, found, out world, eof, close peer finished";

} // namespace

// --- input -----------------------------------------------------------------------------------

TEST_CASE("another connection does not begin with input of the one before",
          "[second-socket][sockets]")
{
    replaced c;
    std::string hello = "hello\n";
    SECTION("held back for a terminator")
    {
        c.chat->set_terminator("\r\n");
        c.peer.send("one\r");
        hello = "hello\r\n";
    }
    SECTION("counted for the limit of a frame")
    {
        c.chat->max_frame(10);
        c.peer.send("nine byte");
    }
    SECTION("of a frame that is dropped")
    {
        c.chat->max_frame(10);
        c.chat->overflows = asynchat::overflow::skip;
        c.peer.send("this is too long");
    }
    SECTION("of a frame that has its length in front")
    {
        c.chat->set_terminator(asynchat::terminator::netstring());
        c.peer.send("100:begun");
        hello = "5:hello,";
    }
    SECTION("kept by the channel")
    {
        c.chat->_collect_incoming_data("begun");
    }
    SECTION("that has not been read")
    {
        c.chat->pause_reading();
        c.peer.send("one\n");
        c.loop.settle();
        c.chat->resume_reading();
    }
    c.loop.settle();
    CHECK(c.conversation(hello) == undisturbed);
    CHECK(c.chat->_get_data().empty());
}

TEST_CASE("another connection does not begin with input that a pause has kept",
          "[second-socket][sockets]")
{
    replaced c;
    c.chat->on_found = [&c] { c.chat->pause_reading(); };
    c.peer.send("one\ntwo\n");
    c.loop.settle();
    c.chat->create_socket();
    c.chat->resume_reading();
    c.chat->connect(elsewhere);
    CHECK(c.rest_of_conversation() == undisturbed);
}

TEST_CASE("another connection of a frame_chat does not go on with a begun frame",
          "[second-socket][sockets]")
{
    replaced<recording<asynchat::frame_chat>> c;
    c.peer.send("begun");
    c.loop.settle();
    CHECK(c.conversation() == "frame hello, out world, eof, close peer finished");
}

TEST_CASE("a callback that replaces its connection ends the piece that it is called for",
          "[second-socket][sockets]")
{
    replaced c;
    const auto replace = [&c] {
        c.chat->create_socket();
        c.chat->connect(elsewhere);
    };
    SECTION("in collect_incoming_data()")
    {
        c.chat->on_collect = replace;
    }
    SECTION("in found_terminator()")
    {
        c.chat->on_found = replace;
    }
    c.peer.send("one\ntwo\nthree");
    c.loop.settle();
    CHECK(c.chat->events.size() <= 2);
    CHECK(c.rest_of_conversation() == undisturbed);
}

TEST_CASE("a connection that is made for the last bytes of another does not end with that",
          "[second-socket][sockets]")
{
    replaced c;
    c.chat->set_terminator("\r\n");
    c.peer.send("one\r");
    c.loop.settle();
    const auto replace = [&c] {
        c.chat->create_socket();
        c.chat->set_terminator("\n");
        c.chat->connect(elsewhere);
    };
    SECTION("at once")
    {
        c.chat->on_collect = replace;
        c.peer.finish();
    }
    SECTION("when they are delivered again, and end a frame by then")
    {
        c.chat->on_found = replace;
        c.chat->on_collect = [&c] {
            c.chat->set_terminator("\r");
            throw asynchat::exit_now();
        };
        c.peer.finish();
        CHECK_THROWS_AS(c.loop.settle(), asynchat::exit_now);
    }
    CHECK(c.rest_of_conversation() == undisturbed);
}

TEST_CASE("a socket that is made behind the end of a stream listens as any other",
          "[second-socket][sockets]")
{
    replaced c;
    c.chat->stays_open = true;
    c.peer.finish();
    c.loop.settle();
    c.chat->create_socket();
    c.chat->bind(endpoint("127.0.0.1", 8));
    c.chat->listen();
    const auto newcomer = c.loop.connect(endpoint("127.0.0.1", 8));
    c.loop.settle();
    CHECK(c.chat->events == texts{"eof", "accepted"});
}

// --- output and ends -------------------------------------------------------------------------

TEST_CASE("another connection does not send what was pushed for the one before",
          "[second-socket][sockets]")
{
    replaced c;
    c.chat->write_buffer_limits(10, 5);
    c.peer.window(0);
    c.chat->push("twenty bytes of text");
    c.loop.settle();
    REQUIRE(c.chat->write_paused());
    c.chat->create_socket();
    CHECK_FALSE(c.chat->write_paused());
    CHECK(c.chat->pending_output() == 0);
    CHECK(c.chat->push("and "));
    c.chat->connect(elsewhere);
    CHECK(c.rest_of_conversation() ==
          "collect hello, found, out and world, eof, close peer finished");
}

TEST_CASE("what is pushed before a connection is made is for that one", "[second-socket][sockets]")
{
    asynchat::testing::loop loop;
    auto listener = loop.listen(elsewhere);
    const auto chat = loop.create<lines>().lock();
    CHECK(chat->push("pushed "));
    chat->create_socket();
    CHECK(chat->push("before"));
    chat->create_socket();
    chat->connect(elsewhere);
    loop.settle();
    CHECK(listener.accept().received() == "pushed before");
}

TEST_CASE("another connection does not end for what was to end the one before",
          "[second-socket][sockets]")
{
    replaced c;
    SECTION("the end of the stream, which was read")
    {
        c.chat->stays_open = true;
        c.peer.finish();
    }
    SECTION("the end of the stream, behind output that waits")
    {
        c.peer.window(0);
        c.chat->push("waits");
        c.loop.settle();
        c.peer.finish();
    }
    SECTION("close_when_done()")
    {
        c.peer.window(0);
        c.chat->push("waits");
        c.loop.settle();
        c.chat->close_when_done();
    }
    SECTION("push_eof(), which has happened")
    {
        c.chat->push_eof();
    }
    SECTION("push_eof(), behind output that waits")
    {
        c.peer.window(0);
        c.chat->push("waits");
        c.loop.settle();
        c.chat->push_eof();
    }
    c.loop.settle();
    CHECK(c.conversation() == undisturbed);
}

TEST_CASE("another connection is not lost because the one before was", "[second-socket][sockets]")
{
    replaced c;
    c.loop.fail(1, EPIPE, operation::send);
    c.chat->push("lost");
    c.chat->initiate_send();
    REQUIRE_FALSE(c.chat->push("more"));
    CHECK(c.conversation() == undisturbed);
}

TEST_CASE("another connection is not over a limit because the one before was",
          "[second-socket][sockets]")
{
    replaced c;
    c.chat->max_output(10);
    c.peer.window(0);
    c.chat->push("twenty bytes of text");
    c.loop.settle();
    REQUIRE_FALSE(c.chat->push("more"));
    CHECK(c.conversation() == undisturbed);
}

// --- time and role ---------------------------------------------------------------------------

TEST_CASE("the times of another connection run from its beginning", "[second-socket][sockets]")
{
    replaced c;
    SECTION("of a frame")
    {
        c.peer.send("begun");
        c.loop.advance(119s);
    }
    SECTION("of output")
    {
        c.peer.window(0);
        c.chat->push("waits");
        c.loop.advance(59s);
    }
    SECTION("of close_when_done()")
    {
        c.peer.window(0);
        c.chat->push("waits");
        c.chat->close_when_done(5s);
        c.loop.advance(4s);
    }
    SECTION("of idleness")
    {
        c.chat->idle_timeout(60s);
        c.loop.advance(59s);
    }
    c.chat->create_socket();
    c.chat->connect(elsewhere);
    auto other = c.listener.accept();
    c.loop.advance(59s);
    CHECK_FALSE(c.chat->closed());
}

TEST_CASE("a channel that was accepted and connects anew reads on when it is full",
          "[second-socket][sockets]")
{
    replaced c;
    c.chat->write_buffer_limits(10, 5);
    c.chat->create_socket();
    c.chat->connect(elsewhere);
    auto other = c.listener.accept();
    other.window(0);
    c.chat->push("twenty bytes of text");
    other.send("hello\n");
    c.loop.settle();
    CHECK(c.chat->write_paused());
    CHECK(c.chat->events == texts{"collect hello", "found"});
}

// --- where no connection begins --------------------------------------------------------------

namespace {

/// Wants to go on when it ends.
class stubborn : public lines {
public:
    using lines::lines;

    void handle_close() override
    {
        refused += refuses([this] { create_socket(); }) ? 1 : 0;
        refused += refuses([this] { connect(elsewhere); }) ? 1 : 0;
        refused += refuses([this] { connect("localhost", 80); }) ? 1 : 0;
        lines::handle_close();
        refused += refuses([this] { create_socket(); }) ? 1 : 0;
        refused += refuses([this] { connect(elsewhere); }) ? 1 : 0;
    }

    int refused = 0;

private:
    static bool refuses(const std::function<void()>& call)
    {
        try {
            call();
        } catch (const std::logic_error&) {
            return true;
        }
        return false;
    }
};

} // namespace

TEST_CASE("no connection begins in handle_close() and after it", "[second-socket][sockets]")
{
    replaced<stubborn> c;
    c.peer.reset();
    c.loop.settle();
    CHECK(c.chat->closed());
    CHECK(c.chat->refused == 5);
    CHECK_THROWS_AS(c.chat->create_socket(), std::logic_error);
    CHECK_THROWS_AS(c.chat->connect(elsewhere), std::logic_error);
    CHECK(c.listener.waiting() == 0);
}

namespace {

/// Does something when it is connected, and keeps what it hears.
class sender : public support::logging<asynchat::dispatcher_with_send> {
public:
    explicit sender(asynchat::loop& owner, asynchat::socket from = {})
        : logging(owner, std::move(from))
    {
    }

    std::function<void()> on_connect;
    std::string heard;

    void handle_connect() override
    {
        if (on_connect)
            std::exchange(on_connect, nullptr)();
    }
    void handle_read() override
    {
        std::array<char, 100> some;
        heard.append(some.data(), recv(asio::buffer(some)));
    }
    void handle_close() override { close(); }
};

} // namespace

TEST_CASE("a channel that begins another connection in handle_connect() is not connected yet",
          "[second-socket][sockets]")
{
    asynchat::testing::loop loop;
    auto listener = loop.listen(elsewhere);
    auto other = loop.listen(endpoint("127.0.0.1", 8));
    loop.ignore(endpoint("127.0.0.1", 9));
    const auto channel = loop.create<sender>().lock();
    channel->connect(elsewhere);
    SECTION("to one who answers")
    {
        channel->on_connect = [&channel] {
            channel->create_socket();
            channel->connect(endpoint("127.0.0.1", 8));
        };
        auto peer = other.accept();
        CHECK(channel->connected());
        peer.send("hello");
        loop.settle();
        CHECK(channel->heard == "hello");
    }
    SECTION("to one who does not")
    {
        channel->on_connect = [&channel] {
            channel->create_socket();
            channel->connect(endpoint("127.0.0.1", 9));
        };
        loop.settle();
        CHECK_FALSE(channel->connected());
        CHECK(channel->connecting());
        loop.advance(31s);
        CHECK(channel->close_reason() == close_reason::connect_timeout);
    }
    SECTION("to nobody, as it listens")
    {
        channel->on_connect = [&channel] {
            channel->create_socket();
            channel->bind(endpoint("127.0.0.1", 10));
            channel->listen();
        };
        loop.settle();
        CHECK_FALSE(channel->connected());
        CHECK(channel->accepting());
    }
    SECTION("to nobody, as it closes")
    {
        channel->on_connect = [&channel] { channel->close(); };
        loop.settle();
        CHECK_FALSE(channel->connected());
    }
}

TEST_CASE("dispatcher_with_send: another connection has nothing of the one before",
          "[second-socket][sockets][dispatcher_with_send]")
{
    asynchat::testing::loop loop;
    auto listener = loop.listen(elsewhere);
    auto [channel, peer] = loop.accept<sender>();
    peer.window(0);
    channel->send("twenty bytes of text");
    loop.settle();
    SECTION("output that waits")
    {
        channel->write_buffer_limits(10, 5);
        loop.settle();
        REQUIRE(channel->write_paused());
    }
    SECTION("a limit that was reached")
    {
        channel->max_output(15);
        channel->initiate_send();
        REQUIRE(channel->send("x") == 0);
    }
    SECTION("an end that waits for the output")
    {
        peer.finish();
        loop.settle();
        REQUIRE_FALSE(channel->closed());
    }
    SECTION("a connection that was lost")
    {
        loop.fail(1, EPIPE, operation::send);
        channel->initiate_send();
        REQUIRE(channel->send("x") == 0);
    }
    channel->create_socket();
    CHECK_FALSE(channel->write_paused());
    CHECK(channel->pending_output() == 0);
    channel->connect(elsewhere);
    loop.settle();
    auto other = listener.accept();
    other.send("hello");
    loop.settle();
    CHECK(channel->heard == "hello");
    CHECK(channel->send("world") == 5);
    CHECK(other.received() == "world");
    CHECK_FALSE(channel->closed());
    other.finish();
    loop.settle();
    CHECK(channel->close_reason() == close_reason::peer_finished);
}

TEST_CASE("a channel that was accepted and connects anew has the frame timeout of a client",
          "[second-socket][timeouts]")
{
    const bool sets_another = GENERATE(false, true);
    const bool sets_this = GENERATE(false, true);
    CAPTURE(sets_another, sets_this);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<asynchat::testing::recorder<>>();
    auto listener = loop.listen(endpoint("127.0.0.1", 9));
    chat->set_terminator("\n");
    if (sets_another)
        chat->idle_timeout(std::chrono::hours(24));
    if (sets_this)
        chat->frame_timeout(std::chrono::seconds(120));
    chat->create_socket();
    chat->connect(endpoint("127.0.0.1", 9));
    auto other = listener.accept();
    other.send("half a line");
    loop.advance(std::chrono::seconds(200));
    CHECK(chat->closed() == sets_this); // what was set stays
}
