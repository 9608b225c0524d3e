// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/manual_clock.hpp"
#include "support/wire_bench.hpp"

#include <asynchat/asynchat.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
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
