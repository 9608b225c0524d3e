// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/listener.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

using namespace asynchat;
using namespace support;

// --- reading and writing -----------------------------------------------------------------------

TEST_CASE("a plain dispatcher does not spin", "[dispatcher][events]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<logging<dispatcher>>(std::move(ends.first));
    CHECK(channel->readable());
    CHECK_FALSE(channel->writable());
    CHECK(settle(loop));
    CHECK(channel->lines.empty());
}

TEST_CASE("handle_write is called as long as writable() says so", "[dispatcher][events]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<recorder>(std::move(ends.first));
    CHECK(settle(loop));
    channel->wants_write = true;
    CHECK(settle(loop)); // the loop does not ask by itself
    CHECK(channel->calls.empty());
    channel->update_interest();
    REQUIRE(run_until(loop, [&] { return channel->calls.size() >= 3; }));
    channel->wants_write = false;
    CHECK(settle(loop));
    const auto before = channel->calls.size();
    CHECK(channel->count("handle_write") == before);
    CHECK(settle(loop));
    CHECK(channel->calls.size() == before);
}

TEST_CASE("nothing is read while readable() is false", "[dispatcher][events]")
{
    class reluctant : public recorder {
    public:
        using recorder::recorder;
        bool wants_read = false;
        bool readable() override { return wants_read; }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<reluctant>(std::move(ends.first));
    ends.second.send("abc");
    CHECK(settle(loop));
    CHECK(channel->calls.empty());

    channel->wants_read = true;
    channel->update_interest();
    REQUIRE(run_until(loop, [&] { return channel->input == "abc"; }));

    channel->wants_read = false; // while it waits already
    ends.second.send("def");
    CHECK(settle(loop));
    CHECK(channel->input == "abc");
    channel->wants_read = true;
    channel->update_interest();
    CHECK(run_until(loop, [&] { return channel->input == "abcdef"; }));
}

TEST_CASE("predicates are asked for channels with events only", "[dispatcher][events]")
{
    class asked : public recorder {
    public:
        using recorder::recorder;
        int times = 0;
        bool readable() override
        {
            ++times;
            return true;
        }
    };
    loop loop;
    auto idle_ends = connected_pair(AF_UNIX);
    const auto idle = loop.create<asked>(std::move(idle_ends.first));
    honest_pair busy(loop);
    CHECK(settle(loop));
    const int before = idle->times;
    for (int i = 0; i < 20; ++i)
        REQUIRE(busy.works());
    CHECK(idle->times == before);
}

TEST_CASE("an exception in readable or writable is that channel's error", "[dispatcher][events]")
{
    class undecided : public recorder {
    public:
        using recorder::recorder;
        bool read_fails = false;
        bool write_fails = false;
        bool readable() override
        {
            if (read_fails)
                throw test_error("in readable");
            return true;
        }
        bool writable() override
        {
            if (write_fails)
                throw test_error("in writable");
            return false;
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<undecided>(std::move(ends.first)).lock();
    honest_pair other(loop);
    const bool in_readable = GENERATE(true, false);
    const bool at_once = GENERATE(true, false);
    CAPTURE(in_readable, at_once);
    if (!at_once)
        CHECK(settle(loop));
    (in_readable ? channel->read_fails : channel->write_fails) = true;
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->error_text == (in_readable ? "in readable" : "in writable"));
    CHECK(channel->close_reason() == close_reason::callback_error);
    CHECK(channel->count("handle_error") == 1);
    CHECK(channel->count("handle_close") == 1);
    CHECK(other.works());
}

TEST_CASE("recv and send tell nothing now from the end", "[dispatcher][data]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(family);
    loop loop;
    auto ends = connected_pair(family);
    const auto channel = loop.create<recorder>(std::move(ends.first)).lock();
    char buffer[16];

    CHECK(channel->recv(asio::buffer(buffer)) == 0); // nothing there
    CHECK(channel->calls.empty());
    ends.second.send("abc");
    CHECK(channel->recv(asio::buffer(buffer, 2)) == 2);
    CHECK(channel->recv(asio::buffer(buffer)) == 1);
    CHECK(buffer[0] == 'c');
    CHECK(channel->calls.empty());

    const std::string much(1 << 20, 'x');
    std::size_t sent = 0;
    for (std::size_t taken = 1; taken > 0 && sent < (std::size_t{1} << 30); sent += taken)
        taken = channel->send(much);
    CHECK(channel->send(much) == 0); // it would block
    CHECK(channel->calls.empty());
    CHECK(ends.second.received().size() > 0);

    ends.second.shut_down_output();
    CHECK(channel->recv(asio::buffer(buffer)) == 0);
    CHECK(channel->calls == calls{"handle_close"});
    CHECK(channel->closed());
    CHECK(channel->close_reason() == close_reason::peer_finished);
    CHECK(channel->recv(asio::buffer(buffer)) == 0);
    CHECK(channel->send("x") == 0);
    CHECK(channel->calls == calls{"handle_close"});
}

TEST_CASE("send gathers several buffers", "[dispatcher][data]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<recorder>(std::move(ends.first));
    const asio::const_buffer parts[] = {asio::buffer("ab", 2), asio::buffer("", 0),
                                        asio::buffer("cde", 3)};
    CHECK(channel->send(const_buffers(parts, 3)) == 5);
    CHECK(channel->send("x\0y") == 3);
    CHECK(ends.second.received() == std::string("abcdex\0y", 8));
}

TEST_CASE("a connection that the peer resets ends once, with the reason", "[dispatcher][data]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<recorder>(std::move(ends.first)).lock();
    SECTION("noticed while waiting")
    {
        ends.second.reset();
        REQUIRE(run_until(loop, [&] { return channel->closed(); }));
        CHECK(channel->calls == calls{"handle_read", "handle_close"});
    }
    SECTION("noticed by recv")
    {
        ends.second.reset();
        char byte = 0;
        REQUIRE(run_until(
            loop, [&] { return channel->recv(asio::buffer(&byte, 1)) == 0 && channel->closed(); }));
        CHECK(channel->count("handle_close") == 1);
    }
    SECTION("noticed by send")
    {
        ends.second.reset();
        CHECK(channel->send("x") == 0);
        CHECK(channel->calls == calls{"handle_close"});
    }
    CHECK(settle(loop));
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->count("handle_error") == 0);
    CHECK(channel->close_reason() == close_reason::reset);
    CHECK(is_disconnected(channel->close_error()));
}

TEST_CASE("a write to a peer that is gone kills nobody", "[dispatcher][data]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<recorder>(std::move(ends.first)).lock();
    ends.second.close();
    CHECK(channel->send("x") == 0); // and no SIGPIPE, whose default would end the process
    CHECK(channel->close_reason() == close_reason::reset);
    CHECK(channel->close_error() == std::errc::broken_pipe);
}

TEST_CASE("data and hang-up at once: all data is delivered, then one handle_close",
          "[dispatcher][data]")
{
    const int family = GENERATE(AF_INET, AF_UNIX);
    loop loop;
    auto ends = connected_pair(family);
    const auto channel = loop.create<recorder>(std::move(ends.first)).lock();
    channel->wants_write = true;
    const std::string sent(10000, 'd');
    ends.second.send(sent);
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(settle(loop));
    CHECK(channel->input == sent);
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->calls.back() == "handle_close");
}

TEST_CASE("handle_eof may keep the channel open for output", "[dispatcher][data]")
{
    class listening_on : public recorder {
    public:
        using recorder::recorder;
        void handle_eof() override { calls.push_back("handle_eof"); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<listening_on>(std::move(ends.first));
    ends.second.send("ab");
    ends.second.shut_down_output();
    REQUIRE(run_until(loop, [&] { return channel->count("handle_eof") == 1; }));
    CHECK(settle(loop)); // and does not spin on the end
    CHECK(channel->count("handle_eof") == 1);
    CHECK(channel->input == "ab");
    REQUIRE(channel);
    CHECK(channel->send("answer") == 6);
    CHECK(run_until(loop, [&] { return ends.second.received() == "answer"; }));
}

TEST_CASE("when handle_close does not close, the library does", "[dispatcher][close]")
{
    class stubborn : public recorder {
    public:
        using recorder::recorder;
        void handle_close() override { calls.push_back("handle_close"); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<stubborn>(std::move(ends.first)).lock();
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(settle(loop));
    CHECK(channel->count("handle_close") == 1);
    CHECK(loop.size() == 0);
}

TEST_CASE("an overridden close that forgets the original still closes at the end",
          "[dispatcher][close]")
{
    class forgetful : public recorder {
    public:
        using recorder::recorder;
        void close() override { calls.push_back("close"); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<forgetful>(std::move(ends.first)).lock();
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->count("handle_close") == 1);
    CHECK(loop.size() == 0);
}

TEST_CASE("the reason and the error are known inside handle_close", "[dispatcher][close]")
{
    class curious : public recorder {
    public:
        using recorder::recorder;
        asynchat::close_reason seen = asynchat::close_reason::open;
        void handle_close() override
        {
            seen = close_reason();
            recorder::handle_close();
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<curious>(std::move(ends.first)).lock();
    ends.second.reset();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->seen == close_reason::reset);
    CHECK(channel->close_reason() == close_reason::reset);
}

TEST_CASE("an exception in handle_close does not call it again", "[dispatcher][close]")
{
    class failing : public recorder {
    public:
        using recorder::recorder;
        int number = 0;
        void handle_close() override
        {
            calls.push_back("handle_close");
            if (number == 0)
                throw test_error("in handle_close");
            throw std::system_error(number, std::system_category(), "in handle_close");
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<failing>(std::move(ends.first)).lock();
    channel->number = GENERATE(0, EPIPE, ETIMEDOUT);
    honest_pair other(loop);
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(settle(loop));
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->logged("in handle_close") == 1); // it does not vanish
    CHECK(channel->close_reason() == close_reason::peer_finished);
    CHECK(other.works());
}

TEST_CASE("an exception that looks like a lost connection is still the callback's",
          "[dispatcher][errors]")
{
    class failing : public recorder {
    public:
        using recorder::recorder;
        int number = 0;
        void handle_read() override
        {
            throw std::system_error(number, std::system_category(), "somewhere else");
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<failing>(std::move(ends.first)).lock();
    channel->number = GENERATE(ECONNRESET, EPIPE, EBADF, ENOTCONN, ETIMEDOUT);
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->calls == calls{"handle_error", "handle_close"});
    CHECK(channel->close_reason() == close_reason::callback_error);
}

TEST_CASE("a channel whose handle_error keeps it goes on", "[dispatcher][errors]")
{
    class sometimes : public recorder {
    public:
        using recorder::recorder;
        void handle_read() override
        {
            recorder::handle_read();
            if (input == "a")
                throw test_error("at a");
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<sometimes>(std::move(ends.first));
    channel->survives = true;
    ends.second.send("a");
    REQUIRE(run_until(loop, [&] { return channel->count("handle_error") == 1; }));
    CHECK(channel->error_reason == close_reason::callback_error); // what it would be closed for
    CHECK(channel->close_reason() == close_reason::open);
    ends.second.send("b");
    CHECK(run_until(loop, [&] { return channel->input == "ab"; }));
}

// --- urgent data -------------------------------------------------------------------------------

namespace {

class urgent_recorder : public recorder {
public:
    using recorder::recorder;
    bool takes_it = false;
    std::string urgent;
    void handle_expt() override
    {
        recorder::handle_expt();
        char byte = 0;
        if (takes_it && ::recv(native_handle(), &byte, 1, MSG_OOB) == 1)
            urgent += byte;
    }
};

} // namespace

TEST_CASE("urgent data is reported on request only", "[dispatcher][urgent]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<urgent_recorder>(std::move(ends.first));
    ends.second.send("!", MSG_OOB);
    CHECK(settle(loop));
    CHECK(channel->count("handle_expt") == 0);
    channel->watch_urgent_data();
    CHECK(run_until(loop, [&] { return channel->count("handle_expt") == 1; }));
}

TEST_CASE("each urgent mark is reported once", "[dispatcher][urgent]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<urgent_recorder>(std::move(ends.first));
    channel->watch_urgent_data();
    SECTION("when the handler takes the byte")
    {
        channel->takes_it = true;
        for (const std::string mark : {"!", "?", "."}) {
            const auto before = channel->count("handle_expt");
            ends.second.send(mark, MSG_OOB);
            REQUIRE(run_until(loop, [&] { return channel->count("handle_expt") > before; }));
            CHECK(settle(loop));
            CHECK(channel->count("handle_expt") == before + 1);
        }
        CHECK(channel->urgent == "!?.");
    }
    SECTION("when the handler leaves the byte")
    {
        ends.second.send("!", MSG_OOB);
        REQUIRE(run_until(loop, [&] { return channel->count("handle_expt") == 1; }));
        CHECK(settle(loop)); // where the mark is reported again and again
        CHECK(channel->count("handle_expt") == 1);
        ends.second.send("abc"); // reading it passes the mark
        REQUIRE(run_until(loop, [&] { return channel->input == "abc"; }));
        CHECK(channel->count("handle_expt") == 1);
        ends.second.send("!", MSG_OOB);
        CHECK(run_until(loop, [&] { return channel->count("handle_expt") == 2; }));
    }
    SECTION("ordinary data around it is not disturbed")
    {
        channel->takes_it = true;
        ends.second.send("before");
        ends.second.send("!", MSG_OOB);
        ends.second.send("after");
        REQUIRE(run_until(loop, [&] { return channel->input == "beforeafter"; }));
        CHECK(channel->count("handle_expt") == 1);
    }
    SECTION("and no more when it is no longer watched")
    {
        channel->watch_urgent_data(false);
        ends.second.send("!", MSG_OOB);
        CHECK(settle(loop));
        CHECK(channel->count("handle_expt") <= 1); // a wait may have been under way
        channel->takes_it = true;
        ends.second.send("?", MSG_OOB);
        CHECK(settle(loop));
        CHECK(channel->count("handle_expt") <= 1);
    }
    SECTION("and again when it is watched again")
    {
        channel->takes_it = true;
        ends.second.send("!", MSG_OOB);
        REQUIRE(run_until(loop, [&] { return channel->count("handle_expt") == 1; }));
        channel->watch_urgent_data(false);
        CHECK(settle(loop));
        channel->watch_urgent_data();
        CHECK(settle(loop));
        CHECK(channel->count("handle_expt") == 1);
        ends.second.send("?", MSG_OOB);
        REQUIRE(run_until(loop, [&] { return channel->count("handle_expt") == 2; }));
        CHECK(channel->urgent == "!?");
    }
}

TEST_CASE("who watches urgent data is not told of a hang-up as if it were urgent",
          "[dispatcher][urgent]")
{
    const int family = GENERATE(AF_INET, AF_UNIX);
    CAPTURE(family);
    loop loop;
    auto ends = connected_pair(family);
    const auto channel = loop.create<urgent_recorder>(std::move(ends.first)).lock();
    channel->watch_urgent_data();
    CHECK(settle(loop));
    ends.second.send("last words");
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->input == "last words");
    CHECK(channel->count("handle_expt") == 0);
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->close_reason() == close_reason::peer_finished);
}

TEST_CASE("who watches urgent data sees a reset as a lost connection", "[dispatcher][urgent]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<urgent_recorder>(std::move(ends.first)).lock();
    channel->watch_urgent_data();
    CHECK(settle(loop));
    ends.second.reset();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->count("handle_expt") == 0);
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->close_reason() == close_reason::reset);
}
