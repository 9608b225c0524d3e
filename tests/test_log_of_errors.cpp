// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/logged.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/escape.hpp>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// What the log says of an exception, whatever a peer or a program has put into it.

using namespace asynchat;
using namespace support;

namespace {

/// Throws in handle_read, in the way that the test asks for.
template <class Base>
class throwing : public Base {
public:
    using Base::Base;
    std::function<void()> thrower;
    void handle_read() override { thrower(); }
};

} // namespace

TEST_CASE("an exception is logged as one line with the channel, its type and its text",
          "[logging][errors]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<throwing<logging<dispatcher>>>(std::move(ends.first)).lock();
    std::string expected;
    SECTION("of the standard library")
    {
        channel->thrower = [] { throw std::invalid_argument("bad\ninput"); };
        expected = "std::invalid_argument: bad\\ninput";
    }
    SECTION("of the user's own")
    {
        channel->thrower = [] { throw test_error("mine"); };
        expected = "support::test_error: mine";
    }
    SECTION("that is no std::exception")
    {
        channel->thrower = [] { throw 42; };
        expected = "an exception of unknown type";
    }
    const std::string who = channel->repr();
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    REQUIRE(channel->lines.size() == 2);
    CHECK(channel->lines[0] ==
          "error: uncaptured exception, closing channel " + who + " (" + expected + ")");
    CHECK(channel->lines[1] == "warning: unhandled close event");
}

TEST_CASE("errors are written to standard error by default", "[logging][errors]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<throwing<plain>>(std::move(ends.first)).lock();
    channel->thrower = [] { throw test_error("oh\nno"); };
    ends.second.send("x");
    const std::string text =
        written_by([&] { run_until(loop, [&] { return channel->closed(); }); });
    CHECK_THAT(text, Catch::Matchers::StartsWith("error: uncaptured exception"));
    CHECK_THAT(text, Catch::Matchers::EndsWith("(support::test_error: oh\\nno)\n"));
}

TEST_CASE("a description that throws does not keep the error from being logged",
          "[logging][errors]")
{
    class nameless : public throwing<logging<dispatcher>> {
    public:
        using throwing::throwing;
        std::string repr() const override { throw test_error("no name"); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<nameless>(std::move(ends.first)).lock();
    channel->thrower = [] { throw test_error("the error"); };
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->logged("the error") == 1);
    CHECK(channel->logged("repr() failed") == 1);
    CHECK(channel->close_reason() == close_reason::callback_error);
}

TEST_CASE("what a description takes from a peer is escaped in the error line", "[logging][errors]")
{
    class named : public throwing<logging<dispatcher>> {
    public:
        using throwing::throwing;
        std::string repr() const override { return "<user eve\nerror: forged>"; }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<named>(std::move(ends.first)).lock();
    channel->thrower = [] { throw test_error("x"); };
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->logged("<user eve\\nerror: forged>") == 1);
    CHECK(channel->logged("\n") == 0);
}

TEST_CASE("whatever a peer sends, the log is printable", "[logging]")
{
    class quoting : public throwing<async_chat> {
    public:
        using throwing::throwing;
        std::string line;
        void collect_incoming_data(std::string_view data) override { line += data; }
        void found_terminator() override { throw std::invalid_argument(line.substr(1)); }
        void handle_read() override { async_chat::handle_read(); }
        std::string repr() const override { return "<" + line.substr(0, 10) + ">"; }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<quoting>(std::move(ends.first)).lock();
    channel->set_terminator("the end");
    for (int byte = 0; byte < 256; ++byte)
        ends.second.send(std::string(1, static_cast<char>(byte)));
    ends.second.send("the end");
    const std::string text =
        written_by([&] { run_until(loop, [&] { return channel->closed(); }); });
    CHECK_THAT(text, Catch::Matchers::StartsWith("error: uncaptured exception, closing channel <"));
    CHECK_THAT(text, Catch::Matchers::ContainsSubstring("<\\x00\\x01"));
    CHECK_THAT(text, Catch::Matchers::ContainsSubstring("\\xfe\\xff"));
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(std::all_of(text.begin(), text.end() - 1, [](char c) { return c >= ' ' && c <= '~'; }));
}

TEST_CASE("what is escaped may be cut", "[logging]")
{
    CHECK(escaped("0123456789", 10) == "0123456789");
    CHECK(escaped("0123456789", 9) == "012345...");
    CHECK(escaped("01234\n\n\n", 9) == "01234..."); // not within an escape
    CHECK(escaped("\x80\x80\x80", 11) == "\\x80\\x80...");
    CHECK(escaped("\x80\x80\x80", 12) == "\\x80\\x80\\x80");
    CHECK(escaped("0123456789", 2) == "..");
    CHECK(escaped("0123456789", 0).empty());
}

TEST_CASE("names and texts are cut in the error line", "[logging][errors]")
{
    class long_name : public throwing<logging<dispatcher>> {
    public:
        using throwing::throwing;
        std::string repr() const override { return std::string(100'000, 'n'); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<long_name>(std::move(ends.first)).lock();
    channel->thrower = [] { throw test_error(std::string(100'000, 't')); };
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->lines[0] == "error: uncaptured exception, closing channel " +
                                   std::string(253, 'n') +
                                   "... (support::test_error: " + std::string(1021, 't') + "...)");
}
