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

// terminator::counted(): a number of bytes, and a string that has to follow them.

using asynchat::close_reason;
using asynchat::overflow;
using asynchat::terminator;
using Catch::Matchers::ContainsSubstring;
using support::chat_bench;
using support::frame_bench;
using namespace std::string_literals;

namespace {

using frames = std::vector<std::string>;

terminator line(std::size_t size)
{
    return terminator::counted(size, "\r\n");
}

} // namespace

// --- the terminator ------------------------------------------------------------------------------

TEST_CASE("counted frames: get_terminator() tells what is left, and is 0 behind the string",
          "[async_chat][counted]")
{
    chat_bench<> channel(line(5));
    auto& chat = *channel.chat;
    CHECK(channel.recv("ab") == frames{"collect ab"});
    CHECK(chat.get_terminator().count() == 3);
    CHECK(chat.get_terminator() == line(3));
    CHECK(chat.get_terminator().bytes() == "\r\n");
    CHECK(channel.recv("cde\r") == frames{"collect cde"});
    CHECK(chat.get_terminator() == line(0)); // the string is not complete
    std::string at_end;
    chat.on_found = [&] {
        at_end = chat.get_terminator().repr() + "," + std::string(chat.matched_terminator());
    };
    CHECK(channel.recv("\nfg") == frames{"found", "collect fg"});
    CHECK(at_end == "0,");
    CHECK(chat.get_terminator() == terminator(0)); // and collects everything
    CHECK(channel.recv("\r\n") == frames{"collect \\r\\n"});
}

TEST_CASE("counted frames: are not bounded by max_frame, but where they are kept",
          "[async_chat][frame_chat][counted][limit]")
{
    chat_bench<> streaming(line(5));
    streaming.chat->max_frame(2);
    CHECK(streaming.recv("abcde\r\n") == frames{"collect abcde", "found"});
    streaming.chat->set_terminator(line(5), 3);
    CHECK(streaming.recv("abcde\r\n") == frames{"collect abcde", "found"});

    frame_bench whole("\n");
    whole.chat->max_frame(4);
    CHECK_THROWS_AS(whole.chat->set_terminator(line(5)), std::length_error);
    CHECK_THROWS_AS(whole.chat->set_terminator(line(5), 3), std::length_error);
    CHECK(whole.chat->get_terminator() == terminator("\n"));
    whole.chat->set_terminator(line(4)); // the string does not count
    CHECK(whole.recv("abcd\r\n") == frames{"frame abcd"});
    whole.chat->set_terminator(line(5), 5);
    CHECK(whole.recv("abcde\r").empty());
    CHECK(whole.recv("\n") == frames{"frame abcde"});
}

// --- what does not follow ------------------------------------------------------------------------

TEST_CASE("counted frames: another byte than has to follow ends the channel",
          "[async_chat][frame_chat][counted]")
{
    const auto cut = GENERATE(as<std::size_t>{}, 1, 2, 3, 9);
    const std::string input = "ab\rXcd";
    chat_bench<> streaming(line(2));
    frame_bench whole(line(2));
    const frames handed_out = whole.recv(input, cut);
    CHECK(streaming.recv(input, cut) == frames{"collect ab", "close bad frame"});
    CHECK(streaming.reason() == close_reason::bad_frame);
    REQUIRE(streaming.chat->logs.size() == 1);
    CHECK_THAT(streaming.chat->logs[0],
               ContainsSubstring("a frame is malformed: byte 2 behind it, 'X', is not '\\n'"));
    CHECK(whole.reason() == close_reason::bad_frame);
    CHECK(handed_out == frames{"close bad frame"});
}

// --- at the end of the stream, and in the middle -------------------------------------------------

TEST_CASE("counted frames: what is there at the end of the stream is delivered",
          "[async_chat][frame_chat][counted]")
{
    SECTION("in the frame")
    {
        chat_bench<> channel(line(5));
        CHECK(channel.recv("ab") == frames{"collect ab"});
        CHECK(channel.eof() == frames{"eof", "close peer finished"});
    }
    SECTION("in the string, which no limit keeps back")
    {
        chat_bench<> channel(line(2));
        channel.chat->max_frame(1);
        CHECK(channel.recv("ab\r") == frames{"collect ab"});
        CHECK(channel.eof() == frames{"collect \\r", "eof", "close peer finished"});
    }
    SECTION("of a frame that is kept")
    {
        frame_bench channel(line(2));
        CHECK(channel.recv("ab\r").empty());
        CHECK(channel.eof() == frames{"collect ab\\r", "eof", "close peer finished"});
    }
}

TEST_CASE("counted frames: another terminator governs the byte after the piece",
          "[async_chat][counted]")
{
    chat_bench<> channel(line(3));
    auto& chat = *channel.chat;
    SECTION("in the frame")
    {
        CHECK(channel.recv("ab") == frames{"collect ab"});
        chat.set_terminator("\n");
        CHECK(channel.recv("cd\n") == frames{"collect cd", "found"});
    }
    SECTION("in the string, whose beginning is given back")
    {
        CHECK(channel.recv("abc\r") == frames{"collect abc"});
        chat.set_terminator("\n");
        CHECK(channel.recv("\n") == frames{"collect \\r", "found"});
    }
    SECTION("its own in the string: the frame is empty")
    {
        CHECK(channel.recv("abc\r") == frames{"collect abc"});
        chat.set_terminator(chat.get_terminator());
        CHECK(channel.recv("\n") == frames{"found"});
        CHECK(channel.recv("\r\n") == frames{"collect \\r\\n"});
    }
    SECTION("in the last piece, whose end is reported all the same")
    {
        chat.on_collect = [&](std::string_view) {
            chat.on_collect = nullptr;
            chat.set_terminator(line(1));
        };
        CHECK(channel.recv("abc\r\nd\r\n") == frames{"collect abc", "found", "collect d", "found"});
    }
    SECTION("where a string stays behind counts that go by")
    {
        std::string collected;
        chat.on_collect = [&](std::string_view data) { collected += data; };
        chat.on_found = [&] {
            const std::string last = std::exchange(collected, {});
            if (last.substr(0, 1) == "$")
                chat.set_terminator(line(static_cast<std::size_t>(last[1] - '0')));
            else
                chat.set_terminator("\r\n");
        };
        CHECK(channel.recv("abc\r\n$1\r\nd\r\n$0\r\n\r\n$4\r\n\r\n\r\n\r\n") ==
              frames{"collect abc", "found", "collect $1", "found", "collect d", "found",
                     "collect $0", "found", "found", "collect $4", "found", "collect \\r\\n\\r\\n",
                     "found"});
    }
}

TEST_CASE("counted frames: pieces that threw or were paused come once more, and once",
          "[async_chat][counted]")
{
    chat_bench<> channel(line(3));
    auto& chat = *channel.chat;
    chat.survives = true;
    SECTION("thrown")
    {
        chat.on_collect = support::throws_once();
        CHECK(channel.recv("abc\r") == frames{"collect abc", "error user"});
        CHECK(channel.recv("\nd") == frames{"collect abc", "found", "collect d"});
    }
    SECTION("paused in the string")
    {
        chat.on_collect = [&](std::string_view) { chat.pause_reading(); };
        CHECK(channel.recv("abc\r") == frames{"collect abc"});
        CHECK(channel.recv("\nde").empty());
        chat.resume_reading();
        CHECK(channel.tick() == frames{"found", "collect de"});
    }
    SECTION("paused in the frame")
    {
        chat.on_collect = [&](std::string_view) { chat.pause_reading(); };
        CHECK(channel.recv("ab") == frames{"collect ab"});
        CHECK(channel.recv("c\r\n").empty());
        chat.resume_reading();
        CHECK(channel.tick() == frames{"collect c", "found"});
    }
    SECTION("discarded")
    {
        chat.on_collect = [&](std::string_view) { chat.discard_buffers(); };
        CHECK(channel.recv("abc\r") == frames{"collect abc"});
        CHECK(chat.get_terminator() == line(0));
        CHECK(channel.recv("\r\n") == frames{"found"}); // the string as a whole
    }
}

TEST_CASE("counted frames: an override of get_terminator steers", "[async_chat][counted]")
{
    class steered : public support::told_chat {
    public:
        using told_chat::told_chat;
        const terminator& get_terminator() const override { return wanted; }
        terminator wanted = line(2);
    };
    chat_bench<asynchat::testing::recorder<steered>> channel;
    CHECK(channel.recv("ab\r\ncd\r\n") == frames{"collect ab", "found", "collect cd", "found"});
    channel.chat->wanted = "\n";
    CHECK(channel.recv("e\n") == frames{"collect e", "found"});
}
