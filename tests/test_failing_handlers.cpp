// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cerrno>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Exceptions of the handlers that come last, and of those that are asked what a channel waits for.

using asynchat::close_reason;
using asynchat::endpoint;
using asynchat::exit_now;
using asynchat::testing::operation;

namespace {

using texts = std::vector<std::string>;

/// Throws wherever it is told to.
class failing : public asynchat::testing::recorder<> {
public:
    explicit failing(asynchat::loop& owner, asynchat::socket from = {})
        : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }

    std::function<void()> in_found, in_error, in_close, in_log;
    std::function<bool()> in_readable, in_writable;

    void found_terminator() override
    {
        recorder::found_terminator();
        if (in_found)
            in_found();
    }
    void handle_accepted(asynchat::socket, const endpoint&) override
    {
        note("accepted");
        if (in_found)
            in_found();
    }
    void handle_error() override
    {
        if (!in_error)
            return recorder::handle_error();
        note("error");
        in_error();
    }
    void handle_close() override
    {
        recorder::handle_close();
        if (in_close)
            in_close();
    }
    void handle_log(asynchat::log_type type, std::string_view message) override
    {
        recorder::handle_log(type, message);
        if (in_log)
            in_log();
    }
    bool readable() override { return (!in_readable || in_readable()) && recorder::readable(); }
    bool writable() override { return (in_writable && in_writable()) || recorder::writable(); }

    bool has_logged(std::string_view part) const
    {
        for (const std::string& line : logs)
            if (line.find(part) != line.npos)
                return true;
        return false;
    }
};

void fail()
{
    throw std::runtime_error("no");
}
void fail_again()
{
    throw std::logic_error("not at all");
}
void leave()
{
    throw exit_now();
}

/// A channel that may fail, and another one that has to go on.
struct neighbours {
    /// What the other one does with a line.
    bool other_works()
    {
        other.second.send("line\n");
        loop.settle();
        return other.first->events == texts{"collect line", "found"};
    }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<failing>, asynchat::testing::peer> ends = loop.accept<failing>();
    std::pair<std::shared_ptr<failing>, asynchat::testing::peer> other = loop.accept<failing>();
    std::shared_ptr<failing> chat = ends.first;
    asynchat::testing::peer& peer = ends.second;
};

} // namespace

// --- handle_error(), handle_close() and the log ------------------------------------------------

TEST_CASE("what handle_error() throws is logged and ends its channel", "[failing-handlers][errors]")
{
    neighbours n;
    n.chat->in_found = fail;
    n.chat->in_error = fail_again;
    n.peer.send("one\ntwo\n");
    n.loop.settle();
    CHECK(n.chat->events == texts{"collect one", "found", "error", "close callback error"});
    CHECK(n.chat->has_logged("closing channel"));
    CHECK(n.chat->has_logged("std::logic_error: not at all"));
    CHECK(n.other_works());
}

TEST_CASE("what handle_error() throws for an error of the system ends with its reason",
          "[failing-handlers][errors]")
{
    neighbours n;
    n.chat->in_error = fail_again;
    n.loop.fail(1, EIO, operation::receive);
    n.peer.send("one\n");
    n.loop.settle();
    CHECK(n.chat->events == texts{"error", "close system error"});
    CHECK(n.chat->close_error() == std::errc::io_error);
    CHECK(n.other_works());
}

TEST_CASE("what handle_close() throws behind handle_error() is logged",
          "[failing-handlers][errors]")
{
    const bool handles = GENERATE(false, true);
    neighbours n;
    n.chat->in_found = fail;
    if (handles)
        n.chat->in_error = fail_again;
    n.chat->in_close = [] { throw std::domain_error("to the last"); };
    n.peer.send("one\n");
    n.loop.settle();
    CHECK(n.chat->closed());
    CHECK(n.chat->events.back() == "close callback error");
    CHECK(n.chat->has_logged("std::domain_error: to the last"));
    CHECK(n.other_works());
}

TEST_CASE("an override of close() is called when handle_close() throws",
          "[failing-handlers][errors]")
{
    class holder : public failing {
    public:
        using failing::failing;
        bool holds = true;
        std::function<void()> in_override;
        void handle_close() override { fail(); }
        void close() override
        {
            holds = false;
            if (in_override)
                in_override();
            failing::close();
        }
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<holder>();
    const bool throws_too = GENERATE(false, true);
    if (throws_too)
        chat->in_override = fail_again;
    peer.reset();
    loop.settle();
    CHECK_FALSE(chat->holds);
    CHECK(chat->closed());
    CHECK(chat->close_reason() == close_reason::reset);
    CHECK(chat->has_logged("std::runtime_error: no"));
    CHECK(chat->has_logged("std::logic_error: not at all") == throws_too);
}

TEST_CASE("a log that throws costs its line only", "[failing-handlers][errors][logging]")
{
    neighbours n;
    n.chat->in_found = fail;
    n.chat->in_log = fail_again;
    n.peer.send("one\n");
    n.loop.settle();
    CHECK(n.chat->events == texts{"collect one", "found", "error no", "close callback error"});
    CHECK(n.other_works());
}

TEST_CASE("exit_now leaves the loop from wherever it comes", "[failing-handlers][errors]")
{
    neighbours n;
    SECTION("handle_error()")
    {
        n.chat->in_found = fail;
        n.chat->in_error = leave;
    }
    SECTION("handle_close() behind handle_error()")
    {
        n.chat->in_found = fail;
        n.chat->in_close = leave;
    }
    SECTION("handle_close() behind a handle_error() that threw")
    {
        n.chat->in_found = fail;
        n.chat->in_error = fail_again;
        n.chat->in_close = leave;
    }
    SECTION("the log")
    {
        n.chat->in_found = fail;
        n.chat->in_log = leave;
    }
    n.peer.send("one\n");
    CHECK_THROWS_AS(n.loop.settle(), exit_now);
    n.loop.settle();
    CHECK(n.other_works());
}

TEST_CASE("a listener stays, whatever its handlers throw", "[failing-handlers][errors]")
{
    asynchat::testing::loop loop;
    const endpoint here("127.0.0.1", 7);
    const auto listener = loop.create<failing>().lock();
    listener->create_socket();
    listener->bind(here);
    listener->listen();
    listener->in_found = fail;
    listener->in_error = fail_again;
    const auto first = loop.connect(here);
    loop.settle();
    CHECK(listener->events == texts{"accepted", "error"});
    CHECK(listener->has_logged("still listening"));
    const auto second = loop.connect(here);
    loop.settle();
    CHECK(listener->events == texts{"accepted", "error", "accepted", "error"});
    CHECK(listener->accepting());
}

// --- readable() and writable() -----------------------------------------------------------------

TEST_CASE("a readable() or writable() that throws once is asked again",
          "[failing-handlers][errors]")
{
    neighbours n;
    int errors = 0;
    n.chat->in_error = [&errors] { ++errors; };
    int throws = 1;
    const bool reads = GENERATE(false, true);
    const auto answer = [&throws, reads] {
        if (throws-- > 0)
            fail();
        return reads;
    };
    n.loop.settle();
    n.chat->push("text");
    (reads ? n.chat->in_readable : n.chat->in_writable) = answer;
    n.loop.settle();
    CHECK(errors == 1);
    CHECK_FALSE(n.chat->closed());
    n.chat->in_readable = n.chat->in_writable = nullptr;
    n.peer.send("one\n");
    n.loop.settle();
    CHECK(n.chat->events == texts{"error", "collect one", "found"});

    // It is the second time in a row that counts.
    throws = 1;
    (reads ? n.chat->in_readable : n.chat->in_writable) = answer;
    n.peer.send("two\n");
    n.loop.settle();
    CHECK(errors == 2);
    CHECK_FALSE(n.chat->closed());
    CHECK(n.other_works());
}

TEST_CASE("a readable() or writable() that throws twice in a row ends its channel",
          "[failing-handlers][errors]")
{
    neighbours n;
    int errors = 0;
    n.chat->in_error = [&errors] { ++errors; };
    const bool reads = GENERATE(false, true);
    const auto never = []() -> bool { throw std::runtime_error("no"); };
    n.loop.settle();
    (reads ? n.chat->in_readable : n.chat->in_writable) = never;
    n.chat->push("text");
    n.loop.settle();
    CHECK(errors == 2);
    CHECK(n.chat->events == texts{"error", "error", "close callback error"});
    CHECK(n.other_works());
}
