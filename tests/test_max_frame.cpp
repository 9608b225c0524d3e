// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/chat_bench.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using asynchat::close_reason;
using asynchat::terminator;
using asynchat::unlimited;
using Catch::Matchers::ContainsSubstring;
using support::chat_bench;

using frames = std::vector<std::string>;

// --- the longest frame ---------------------------------------------------------------------------

TEST_CASE("max_frame: exactly so many bytes are delivered before the verdict, however they come",
          "[async_chat][read][limit]")
{
    const auto chunk = GENERATE(as<std::size_t>{}, 1, 2, 3, 4, 5, 9, 10, 11, 100);
    const auto term = GENERATE(as<std::string>{}, "\n", "\r\n", "xyxyxy");
    CAPTURE(chunk, term);
    chat_bench<> channel(term);
    channel.chat->max_frame(10);
    const std::string input =
        "ok" + term + std::string(10, 'a') + term + std::string(11, 'b') + term + "more" + term;
    CHECK(channel.recv(input, chunk) == frames{"collect ok", "found", "collect aaaaaaaaaa", "found",
                                               "collect bbbbbbbbbb", "close frame limit"});
    CHECK_FALSE(channel.open());
}

TEST_CASE("max_frame: is 64 KiB at first, per channel and per terminator",
          "[async_chat][read][limit]")
{
    chat_bench<> channel;
    auto& chat = *channel.chat;
    CHECK(chat.max_frame() == 65536);
    chat.max_frame(100);
    CHECK(chat.max_frame() == 100);
    chat.set_terminator("\n", 5);
    CHECK(chat.max_frame() == 100); // what was set, and holds again for the next terminator
    chat.set_terminator("\n", unlimited);
    CHECK(chat.max_frame() == 100);

    chat_bench<> large("\n");
    large.recv(std::string(65536, 'x'));
    CHECK(large.open());
    CHECK(large.recv("\n") == frames{"found"});
    large.recv(std::string(65536, 'x'));
    CHECK(large.open());
    large.recv("x");
    CHECK(large.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: made lower than the begun frame has, it is judged", "[async_chat][limit]")
{
    const std::string rest = GENERATE(as<std::string>{}, "\n", "4\n", "45678901\n");
    chat_bench<> channel("\n");
    channel.recv("123");
    channel.chat->max_frame(2);
    CHECK(channel.recv(rest) == frames{"close frame limit"});
}

TEST_CASE("max_frame: of a terminator ends with it", "[async_chat][read][limit]")
{
    chat_bench<> channel;
    channel.chat->max_frame(3);
    channel.chat->set_terminator("\n", 6);
    channel.chat->on_found = [&] { channel.chat->set_terminator("\n"); };
    CHECK(channel.recv("abcdef\nabcd\n") ==
          frames{"collect abcdef", "found", "collect abc", "close frame limit"});
}

TEST_CASE("max_frame: the log line names the limit and who set it", "[async_chat][read][limit]")
{
    chat_bench<> channel("\n");
    channel.chat->max_frame(1234);
    channel.recv(std::string(2000, 'x'));
    REQUIRE(channel.chat->logs.size() == 1);
    CHECK_THAT(channel.chat->logs[0],
               ContainsSubstring("1234") && ContainsSubstring("max_frame()"));

    chat_bench<> other;
    other.chat->set_terminator("\n", 777);
    other.recv(std::string(2000, 'x'));
    REQUIRE(other.chat->logs.size() == 1);
    CHECK_THAT(other.chat->logs[0],
               ContainsSubstring("777") && ContainsSubstring("set_terminator()"));
}

TEST_CASE("max_frame: 0 allows empty frames only", "[async_chat][read][limit]")
{
    chat_bench<> channel("\r\n");
    channel.chat->max_frame(0);
    CHECK(channel.recv("\r\n\r") == frames{"found"});
    CHECK(channel.recv("\n") == frames{"found"});
    CHECK(channel.recv("x\r\n") == frames{"close frame limit"});
    CHECK(channel.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: unlimited frames have no end", "[async_chat][read][limit]")
{
    chat_bench<> channel;
    channel.chat->set_terminator("\n", unlimited);
    const std::string all(5 * 65536, 'x');
    CHECK((channel.recv(all, 65536) == frames{"collect " + all}));
    CHECK(channel.recv("\n") == frames{"found"});
}

TEST_CASE("max_frame: does not bound counts and input without a terminator",
          "[async_chat][read][limit]")
{
    const terminator ends = GENERATE(terminator(100), terminator(), terminator(""), terminator(0));
    chat_bench<> channel(ends);
    channel.chat->max_frame(10);
    channel.recv(std::string(60, 'x'));
    channel.recv(std::string(60, 'x'));
    CHECK(channel.open());
    CHECK(channel.chat->logs.empty());
}

TEST_CASE("max_frame: input collected without a terminator is not part of the next frame",
          "[async_chat][read][limit]")
{
    const terminator everything = GENERATE(terminator(), terminator(0), terminator(""));
    CAPTURE(everything.repr());
    chat_bench<> channel(everything);
    channel.chat->max_frame(10);
    channel.recv("12345678");
    channel.chat->set_terminator("\n");
    CHECK(channel.recv("abcdef\n") == frames{"collect abcdef", "found"});
    CHECK(channel.open());
}

TEST_CASE("max_frame: an override of get_terminator that goes from all to a string starts anew",
          "[async_chat][read][limit]")
{
    class steering : public support::told_chat {
    public:
        using told_chat::told_chat;
        const terminator& get_terminator() const override { return wanted; }
        terminator wanted;
    };
    chat_bench<asynchat::testing::recorder<steering>> channel;
    channel.chat->max_frame(10);
    CHECK(channel.recv("12345678") == frames{"collect 12345678"});
    channel.chat->wanted = "\n";
    CHECK(channel.recv("abcdef\n") == frames{"collect abcdef", "found"});
    CHECK(channel.open());
}

TEST_CASE("max_frame: a frame goes on when its terminator changes in the middle",
          "[async_chat][read][limit]")
{
    chat_bench<> channel("\n");
    channel.chat->max_frame(10);
    channel.recv("12345678");
    channel.chat->set_terminator(";");
    CHECK(channel.recv("abcdef;") == frames{"collect ab", "close frame limit"});
    CHECK(channel.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: what is redelivered after an exception counts once",
          "[async_chat][read][limit]")
{
    chat_bench<> channel("\n");
    channel.chat->max_frame(10);
    channel.chat->survives = true;
    channel.chat->on_collect = support::throws_once();
    channel.recv("12345678");
    CHECK(channel.recv("90\n") == frames{"collect 1234567890", "found"});
    CHECK(channel.open());
}

TEST_CASE("max_frame: pausing at the limit delivers no byte twice and keeps the verdict",
          "[async_chat][read][limit][pause]")
{
    chat_bench<> channel("\n");
    channel.chat->max_frame(4);
    channel.chat->on_collect = [&](std::string_view) { channel.chat->pause_reading(); };
    CHECK(channel.recv("abcdef\n") == frames{"collect abcd"});
    CHECK(channel.open());
    channel.chat->resume_reading();
    CHECK(channel.tick() == frames{"close frame limit"});
    CHECK(channel.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: a terminator set with the last allowed byte governs the following one",
          "[async_chat][read][limit]")
{
    // As it does when the input happens to be cut there.
    const bool cut = GENERATE(false, true);
    CAPTURE(cut);
    chat_bench<> channel("\n");
    channel.chat->max_frame(4);
    channel.chat->on_collect = [&](std::string_view) {
        channel.chat->set_terminator(2);
        channel.chat->on_collect = nullptr;
    };
    CHECK(channel.recv("abcdefg", cut ? 4 : 7) == frames{"collect abcdef", "found", "collect g"});
    CHECK(channel.open());
}

TEST_CASE("max_frame: a handle_close() that forgets to close does not break the verdict",
          "[async_chat][read][limit]")
{
    class forgetful : public support::told_chat {
    public:
        using told_chat::told_chat;
        void handle_close() override {} // forgets to close: the library does it
    };
    chat_bench<asynchat::testing::recorder<forgetful>> channel("\n");
    channel.chat->max_frame(4);
    CHECK(channel.recv("abcdef\n") == frames{"collect abcd", "close frame limit"});
    CHECK_FALSE(channel.open());
    CHECK(channel.recv("x").empty());
}

TEST_CASE("_collect_incoming_data: keeps the pieces, _get_data joins and empties",
          "[async_chat][read]")
{
    chat_bench<> channel("\r\n");
    auto& chat = *channel.chat;
    chat.on_collect = [&](std::string_view data) { chat._collect_incoming_data(data); };
    std::string data;
    chat.on_found = [&] { data = chat._get_data(); };
    channel.recv("ab");
    channel.recv("cd\r\nef");
    CHECK(data == "abcd");
    chat.discard_buffers();
    CHECK(chat._get_data().empty());
}

TEST_CASE("_collect_incoming_data: is bounded by max_frame, counts included",
          "[async_chat][read][limit]")
{
    const terminator ends = GENERATE(terminator(100), terminator(), terminator("\n"));
    CAPTURE(ends.repr());
    chat_bench<> channel(ends);
    auto& chat = *channel.chat;
    chat.max_frame(10);
    chat.on_collect = [&](std::string_view data) { chat._collect_incoming_data(data); };
    channel.recv("1234567");
    CHECK(channel.open());
    channel.recv("890");
    CHECK(channel.open());
    channel.recv("X");
    CHECK(channel.reason() == close_reason::frame_limit);
    CHECK(chat._get_data() == "1234567890");
    CHECK(chat.logs.size() == 1);
}
