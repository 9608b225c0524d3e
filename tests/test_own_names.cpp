// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/wire_bench.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

using asynchat::close_reason;
using support::events;

namespace {

struct event {};
struct timeouts {};
struct output_limits {};

/// A program that has functions and types of its own, by names that a library might have, too.
class own_names : public support::wire_chat {
public:
    using wire_chat::wire_chat;

    virtual void flush() { ++own_calls; }
    virtual void end() { ++own_calls; }
    virtual bool ready() { return ++own_calls > 0; }
    virtual void failed() { ++own_calls; }
    virtual void wait() { ++own_calls; }
    virtual void end_of_event() { ++own_calls; }
    virtual void end_of_input() { ++own_calls; }
    virtual void connection_lost(asynchat::close_reason, const std::error_code&) { ++own_calls; }
    virtual void forget_connection() { ++own_calls; }
    virtual void nested_run(bool) { ++own_calls; }
    virtual void fed_too_much() { ++own_calls; }
    virtual void deadline_reached() { ++own_calls; }
    virtual bool reads_speculatively() const { return ++own_calls > 0; }
    virtual void owner() { ++own_calls; }
    virtual void start() { ++own_calls; }
    virtual void stop() { ++own_calls; }
    virtual void finish() { ++own_calls; }
    virtual void finished() { ++own_calls; }
    virtual void reset() { ++own_calls; }
    virtual void abort() { ++own_calls; }
    virtual void write(std::string_view) { ++own_calls; }
    virtual void read() { ++own_calls; }
    virtual void error(const std::error_code&) { ++own_calls; }
    virtual int state() const { return ++own_calls; }
    virtual int timer() { return ++own_calls; }
    virtual void note_sent(std::string_view, std::size_t) { ++own_calls; }
    virtual std::string current_error() { return std::to_string(++own_calls); }

    mutable int own_calls = 0;
    event last;
    timeouts times;
    output_limits limits;
    linger at_close = {}; // of the system
};

using named = support::wire_bench<own_names, support::manual_loop>;

} // namespace

TEST_CASE("functions of a program are not called because of their names",
          "[dispatcher][async_chat][names]")
{
    SECTION("while it goes on, and at the end of the stream")
    {
        named b("\n");
        b.chat->on_found = [&] { b.chat->push("answer"); };
        CHECK(b.recv("a\n") == events{"collect a", "found", "sent answer"});
        b.eof();
        CHECK(b.reason() == close_reason::peer_finished);
        CHECK(b.chat->own_calls == 0);
    }
    SECTION("when the connection is lost")
    {
        named b("\n");
        b.recv_error(ECONNRESET);
        CHECK(b.reason() == close_reason::reset);
        CHECK(b.chat->own_calls == 0);
    }
    SECTION("when time has passed")
    {
        named b("\n");
        b.chat->idle_timeout(std::chrono::seconds(10));
        b.tick();
        b.loop.advance(std::chrono::seconds(11));
        b.tick();
        CHECK(b.reason() == close_reason::idle_timeout);
        CHECK(b.chat->own_calls == 0);
    }
    SECTION("when a callback runs the loop, or makes another socket")
    {
        named b("\n");
        b.chat->on_found = [&] { b.loop.poll(); };
        CHECK(b.recv("a\n") == events{"collect a", "found"});
        b.chat->create_socket();
        CHECK(b.chat->own_calls == 0);
    }
}

namespace {

/// A handle asks the channel, not the class of the program.
template <bool Answer>
class own_closed : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void found_terminator() override {}
    bool closed() const { return Answer; }
};

/// The same name for a member.
class closed_member : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void found_terminator() override {}
    bool closed = true;
};

class own_note : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void found_terminator() override { note("mine"); }
    virtual void note(std::string) { ++own_calls; }

    int own_calls = 0;
};

} // namespace

TEMPLATE_TEST_CASE("a handle does not ask a closed() of the program", "[handles][names]",
                   own_closed<true>, own_closed<false>, closed_member)
{
    asynchat::testing::loop loop;
    auto channel = loop.create<TestType>();
    CHECK(channel);
    CHECK(channel.get() == channel.operator->().get());
    channel->dispatcher::close();
    CHECK_FALSE(channel);
    CHECK(channel.get() == nullptr);
    CHECK_THROWS_AS(channel.operator->(), std::logic_error);
}

TEST_CASE("the note() of a recorder is not that of the program", "[testing][names]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<asynchat::testing::recorder<own_note>>();
    chat->set_terminator("\n");
    peer.send("a\n");
    loop.settle();
    chat->note("of the test");
    CHECK(chat->events == events{"collect a", "found", "of the test"});
    CHECK(chat->own_calls == 1);
}
