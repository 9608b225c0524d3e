// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/chat_bench.hpp"
#include "support/cut_checker.hpp"
#include "support/cuts.hpp"
#include "support/framed_reader.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using asynchat::byte_order;
using asynchat::close_reason;
using asynchat::overflow;
using asynchat::terminator;
using Catch::Matchers::ContainsSubstring;
using support::chat_bench;
using support::cut_checker;
using support::limited_script;
using support::of_size;
using namespace std::string_literals;

namespace {

using frames = std::vector<std::string>;

const overflow answers[] = {overflow::close, overflow::skip, overflow::truncate};

/// A recording channel that answers.
class judging_chat : public asynchat::testing::recorder<support::told_chat> {
public:
    using recorder::recorder;

    overflow handle_overflow() override
    {
        note("overflow");
        if (on_overflow)
            on_overflow();
        return answer;
    }

    std::function<void()> on_overflow;
    overflow answer = overflow::close;
};
using judging_bench = chat_bench<judging_chat>;

} // namespace

// --- a length in front of the frame --------------------------------------------------------------

TEST_CASE("length prefix: stays in force, and tells what is left of a frame",
          "[async_chat][length]")
{
    chat_bench<> channel(terminator::length_prefix(2));
    const terminator& now = channel.chat->get_terminator();
    CHECK(channel.recv("\0"s).empty());
    CHECK(now.count() == 0);
    CHECK(channel.recv("\5a"s) == frames{"collect a"});
    CHECK(now.count() == 4);
    CHECK(now == terminator::length_prefix(2));
    CHECK(channel.recv("bcde\0"s) == frames{"collect bcde", "found"});
    CHECK(now.count() == 0);
    CHECK(channel.recv("\0"s) == frames{"found"});
    CHECK(channel.recv("\0\1x\0\0"s) == frames{"collect x", "found", "found"});
}

TEST_CASE("length prefix: an empty frame needs no byte behind its length", "[frame_chat][length]")
{
    asynchat::loop loop;
    const limited_script task{{"\0\0"s, {terminator::length_prefix(1)}}};
    CHECK(support::outcome<support::whole_frame_reader>(loop, task, [] { return 1; }) == "[][]");
    CHECK(support::outcome<support::streaming_reader>(loop, task, [] { return 2; }) == "[][]");
}

TEST_CASE("length prefix: set again in found_terminator, or its own value, begins with a length",
          "[async_chat][length]")
{
    const bool own = GENERATE(false, true);
    chat_bench<> channel(terminator::varint());
    auto& chat = *channel.chat;
    chat.on_found = [&] {
        chat.set_terminator(own ? chat.get_terminator() : terminator::varint());
    };
    CHECK(channel.recv("\1a\2b") == frames{"collect a", "found", "collect b"});
    CHECK(channel.recv("c\1d") == frames{"collect c", "found", "collect d", "found"});
}

TEST_CASE("length prefix: a terminator set within a frame governs the byte after the piece",
          "[async_chat][length]")
{
    chat_bench<> channel(terminator::length_prefix(1));
    auto& chat = *channel.chat;
    channel.recv("\5ab");
    SECTION("outside of any callback")
    {
        chat.set_terminator("\n");
        CHECK(channel.recv("cd\n") == frames{"collect cd", "found"});
    }
    SECTION("in collect_incoming_data")
    {
        chat.on_collect = [&](std::string_view) {
            chat.on_collect = nullptr;
            chat.set_terminator(terminator::length_prefix(1));
        };
        CHECK(channel.recv("cd") == frames{"collect cd"});
        CHECK(channel.recv("\1e") == frames{"collect e", "found"});
    }
    SECTION("in the last piece of the frame, whose end is reported all the same")
    {
        chat.on_collect = [&](std::string_view) {
            chat.on_collect = nullptr;
            chat.set_terminator("\n");
        };
        CHECK(channel.recv("cdef\n") == frames{"collect cde", "found", "collect f", "found"});
    }
}

TEST_CASE("length prefix: the bytes of an unfinished length are for the next terminator",
          "[async_chat][length]")
{
    chat_bench<> channel(terminator::length_prefix(4));
    CHECK(channel.recv("ab").empty());
    channel.chat->set_terminator("\n");
    CHECK(channel.recv("c\n") == frames{"collect abc", "found"});
}

TEST_CASE("length prefix: what is there at the end of the stream is delivered",
          "[async_chat][frame_chat][length]")
{
    chat_bench<> channel(terminator::length_prefix(4));
    channel.chat->max_frame(1); // the length is no part of a frame
    CHECK(channel.recv("ab").empty());
    CHECK(channel.eof() == frames{"collect ab", "eof", "close peer finished"});
}

TEST_CASE("length prefix: pieces that threw or were paused come once more, and once",
          "[async_chat][length]")
{
    chat_bench<> channel(terminator::netstring());
    auto& chat = *channel.chat;
    chat.survives = true;
    SECTION("thrown")
    {
        chat.on_collect = support::throws_once();
        CHECK(channel.recv("3:abc,1:") == frames{"collect abc", "error user"});
        CHECK(channel.recv("d,") == frames{"collect abc", "found", "collect d", "found"});
    }
    SECTION("paused")
    {
        chat.on_collect = [&](std::string_view) { chat.pause_reading(); };
        CHECK(channel.recv("3:ab") == frames{"collect ab"});
        CHECK(channel.recv("c,1:d,").empty());
        chat.resume_reading();
        CHECK(channel.tick() == frames{"collect c", "found"});
        chat.resume_reading();
        CHECK(channel.tick() == frames{"collect d", "found"});
    }
    SECTION("discarded")
    {
        chat.on_collect = [&](std::string_view) { chat.discard_buffers(); };
        CHECK(channel.recv("3:abc,1:d,") == frames{"collect abc", "found"});
        CHECK(channel.recv("1:d,") == frames{"collect d", "found"});
    }
}

TEST_CASE("length prefix: a malformed one ends the channel, and the log names the byte",
          "[async_chat][length]")
{
    struct fault {
        terminator kind;
        std::string input;
        std::string line;
    };
    const fault faults[] = {
        {terminator::varint(), "\x81\x80\0"s, "byte 3 of its length, '\\x00', adds nothing"},
        {terminator::varint(), std::string(9, '\x80') + "\x81",
         "byte 10 of its length, '\\x81', does not end"},
        {terminator::netstring(), "x", "byte 1 of its length, 'x', is not a digit"},
        {terminator::netstring(), ":", "byte 1 of its length, ':', is not a digit"},
        {terminator::netstring(), "12 ", "byte 3 of its length, ' ', is not a digit"},
        {terminator::netstring(), "01", "byte 2 of its length, '1', follows a zero"},
        {terminator::netstring(), "1:a\n", "byte 1 behind it, '\\n', is not ','"},
    };
    const bool at_once = GENERATE(false, true);
    for (const fault& each : faults) {
        CAPTURE(each.input);
        chat_bench<> channel(each.kind);
        const frames events =
            at_once ? channel.recv(each.input + "more") : channel.recv(each.input, 1);
        CHECK(events.back() == "close bad frame");
        CHECK(std::count(events.begin(), events.end(), "found") == 0);
        CHECK(channel.reason() == close_reason::bad_frame);
        REQUIRE(channel.chat->logs.size() == 1);
        CHECK_THAT(channel.chat->logs[0], ContainsSubstring(each.line));
    }
}

TEST_CASE("length prefix: a length over max_frame is refused before anything is delivered",
          "[async_chat][frame_chat][length][limit]")
{
    const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\xff"
                             "ab";
    chat_bench<> streaming(terminator::length_prefix(8));
    CHECK(streaming.recv(huge) == frames{"close frame limit"});
    CHECK(streaming.reason() == close_reason::frame_limit);

    asynchat::loop loop;
    for (const overflow answer : answers) {
        const limited_script task{{huge, {terminator::length_prefix(8)}}, 1, answer};
        const auto told =
            support::outcome<support::whole_frame_reader>(loop, task, [] { return 1; });
        CHECK(told == (answer == overflow::close ? " (frame limit)" : ""));
    }
}

TEST_CASE("length prefix: one that is too long for a number is over every limit, and not malformed",
          "[async_chat][frame_chat][length][limit]")
{
    struct prefix {
        terminator kind;
        std::string input;
    };
    // Also where a length has fewer bits than some of these.
    std::vector<prefix> large = {
        {terminator::length_prefix(5), "\1\0\0\0\0"s}, // over 4 GiB
        {terminator::length_prefix(8), "\0\0\0\1\0\0\0\0"s},
        {terminator::length_prefix(8, byte_order::little), "\0\0\0\0\1\0\0\0"s},
        {terminator::varint(), "\x80\x80\x80\x80\x10"},
        {terminator::netstring(), "4294967296:"},
    };
    std::vector<prefix> largest = {
        {terminator::length_prefix(8), std::string(8, '\xff')},
        {terminator::varint(), std::string(9, '\xff') + "\1"},
        {terminator::varint(), std::string(9, '\x80') + "\2"}, // over 64 bits
        {terminator::varint(), std::string(9, '\xff') + "\x7f"},
        {terminator::netstring(), "18446744073709551616:"},
        {terminator::netstring(), std::string(25, '9') + ":"},
    };
    (sizeof(std::size_t) == 4 ? largest : large)
        .push_back({terminator::length_prefix(8), "\0\0\0\1\0\0\0\2"s});
    const auto piece = GENERATE(as<std::size_t>{}, 1, 7, 1000);
    const overflow answer = GENERATE(overflow::close, overflow::skip, overflow::truncate);
    asynchat::loop loop;
    const auto check = [&](const prefix& each, std::size_t most) {
        const limited_script task{{each.input + "more", {each.kind}}, most, answer};
        cut_checker(loop, task).check(of_size(piece));
        const std::string told = support::naive_outcome(task, false);
        CHECK((told == " (frame limit)") == (answer == overflow::close));
    };
    for (const prefix& each : large)
        check(each, 65536);
    for (const prefix& each : largest) {
        check(each, 65536);
        check(each, asynchat::unlimited);
    }
}

TEST_CASE("length prefix: what is over the largest number is read as that", "[length]")
{
    using namespace asynchat::detail;
    const auto is_largest = [](length_prefix length, std::size_t size) {
        return length.how == length_prefix::state::complete && length.length == largest_length &&
               length.size == size;
    };
    CHECK(is_largest(read_fixed(std::string(8, '\xff'), 8, true), 8));
    CHECK(is_largest(read_varint(std::string(9, '\x80') + "\2"), 10));
    // The first digit too many decides: whatever follows may be still to come.
    const std::size_t digits = std::to_string(largest_length).size();
    for (const char* const behind : {"", "9", ":", "x"})
        CHECK(is_largest(read_netstring(std::string(digits, '9') + behind), digits));
}

TEST_CASE("frame_chat: what was begun before a length comes is no frame", "[frame_chat][length]")
{
    asynchat::loop loop;
    const limited_script task{{"ab", {"\n"}}};
    const support::driven<support::whole_frame_reader> owned(loop, task);
    support::whole_frame_reader& chat = *owned;
    chat.deliver("ab");
    chat.set_terminator(terminator::varint());
    chat.deliver("\1c");
    CHECK(chat.told() == "[c]ab");
}

// --- several strings -----------------------------------------------------------------------------

TEST_CASE("several terminators: the callback can ask which one ended the frame",
          "[async_chat][frame_chat][several]")
{
    chat_bench<> channel({"\r\n", "\n", "\r.", "END"});
    auto& chat = *channel.chat;
    frames matched;
    chat.on_found = [&] { matched.emplace_back(chat.matched_terminator()); };
    CHECK(channel.recv("a\r\nb\nc\r\rENEND\r.", 1) == frames{"collect a", "found", "collect b",
                                                             "found", "collect c\\r\\rEN", "found",
                                                             "found"});
    CHECK((matched == frames{"\r\n", "\n", "END", "\r."}));
    CHECK(chat.get_terminator() == terminator({"\r\n", "\n", "\r.", "END"}));

    chat.set_terminator(";");
    channel.recv("x;");
    CHECK(matched.back() == ";");
    chat.set_terminator(1);
    channel.recv("x");
    CHECK(matched.back().empty());
}

TEST_CASE("several terminators: held bytes are delivered when they are none",
          "[async_chat][several]")
{
    chat_bench<> channel({"\r\n", "\n"});
    CHECK(channel.recv("ab\r") == frames{"collect ab"});
    CHECK(channel.recv("c\r") == frames{"collect \\rc"});
    SECTION("at the end of the stream")
    {
        CHECK(channel.eof() == frames{"collect \\r", "eof", "close peer finished"});
    }
    SECTION("when the terminator changes")
    {
        channel.chat->set_terminator("\r");
        CHECK(channel.recv("d") == frames{"found", "collect d"});
    }
    SECTION("and not when it is set again")
    {
        channel.chat->set_terminator({"\r\n", "\n"});
        CHECK(channel.recv("\n") == frames{"found"});
    }
}

TEST_CASE("several terminators: of \"\\r\" and \"\\r\\n\" the first ends at once",
          "[async_chat][several]")
{
    chat_bench<> channel({"\r", "\r\n"});
    CHECK(channel.recv("a\r") == frames{"collect a", "found"});
    CHECK(channel.recv("\nb\r\n") == frames{"collect \\nb", "found", "collect \\n"});
}

// --- frames that are too long --------------------------------------------------------------------

TEST_CASE("handle_overflow: is called once, with exactly max_frame bytes delivered",
          "[async_chat][limit]")
{
    judging_bench channel("\n");
    auto& chat = *channel.chat;
    chat.max_frame(4);
    SECTION("close")
    {
        CHECK(channel.recv("abcdef\ngh\n") ==
              frames{"collect abcd", "overflow", "close frame limit"});
        CHECK(chat.logs.size() == 1);
    }
    SECTION("skip")
    {
        chat.answer = overflow::skip;
        CHECK(channel.recv("abcdef") == frames{"collect abcd", "overflow"});
        CHECK(channel.recv("gh").empty());
        CHECK(channel.recv("i\njk\n") == frames{"collect jk", "found"});
        CHECK(chat.logs.empty());
    }
    SECTION("truncate")
    {
        chat.answer = overflow::truncate;
        std::vector<bool> truncated;
        chat.on_found = [&] { truncated.push_back(chat.truncated()); };
        CHECK(channel.recv("abcdef") == frames{"collect abcd", "overflow"});
        CHECK(channel.recv("gh").empty());
        CHECK(channel.recv("i\njk\n") == frames{"found", "collect jk", "found"});
        CHECK(truncated == std::vector<bool>{true, false});
        CHECK_FALSE(chat.truncated());
    }
}

TEST_CASE("handle_overflow: with a length in front it is asked at the length",
          "[async_chat][limit][length]")
{
    judging_bench channel(terminator::length_prefix(1));
    auto& chat = *channel.chat;
    chat.max_frame(4);
    SECTION("skip")
    {
        chat.answer = overflow::skip;
        CHECK(channel.recv("\6") == frames{"overflow"});
        CHECK(chat.get_terminator().count() == 6);
        CHECK(channel.recv("abcdef\1g") == frames{"collect g", "found"});
    }
    SECTION("truncate")
    {
        chat.answer = overflow::truncate;
        CHECK(channel.recv("\6ab") == frames{"overflow", "collect ab"});
        CHECK(channel.recv("cdef\1g") == frames{"collect cd", "found", "collect g", "found"});
    }
    SECTION("a terminator that is set inside is for the bytes behind the length")
    {
        chat.answer = GENERATE(overflow::skip, overflow::truncate);
        chat.on_overflow = [&] { chat.set_terminator("\n"); };
        CHECK(channel.recv("\6ab\ncd\n") ==
              frames{"overflow", "collect ab", "found", "collect cd", "found"});
    }
}

TEST_CASE("handle_overflow: after close() and close_when_done() the answer does not matter",
          "[async_chat][limit]")
{
    const auto answer = GENERATE(overflow::close, overflow::skip, overflow::truncate);
    const terminator kind = GENERATE(terminator("\n"), terminator::length_prefix(1));
    judging_bench channel(kind);
    auto& chat = *channel.chat;
    chat.max_frame(4);
    chat.answer = answer;
    frames events;
    SECTION("close()")
    {
        chat.on_overflow = [&] { chat.close(); };
        events = channel.recv("\x15tooolong\nab\n");
        CHECK(channel.reason() == close_reason::local);
        CHECK(events.back() == "overflow"); // and no handle_close()
    }
    SECTION("close_when_done(), and what was pushed is sent")
    {
        chat.on_overflow = [&] {
            chat.push("sorry\n");
            chat.close_when_done();
        };
        events = channel.recv("\x15tooolong\nab\n");
        CHECK(channel.reason() == close_reason::local);
        CHECK(channel.peer.received() == "sorry\n");
        CHECK(std::count(events.begin(), events.end(), "close local") == 1);
    }
    CHECK(std::count(events.begin(), events.end(), "found") == 0);
    CHECK(chat.logs.empty());
}

TEST_CASE("handle_overflow: if it throws, it is asked again with the next input",
          "[async_chat][limit]")
{
    judging_bench channel("\n");
    auto& chat = *channel.chat;
    chat.max_frame(4);
    chat.survives = true;
    chat.answer = overflow::skip;
    chat.on_overflow = support::throws_once();
    CHECK(channel.recv("abcdef") == frames{"collect abcd", "overflow", "error user"});
    CHECK(channel.recv("g\nh\n") == frames{"overflow", "collect h", "found"});
}

TEST_CASE("handle_overflow: another string is what the rest is dropped up to",
          "[async_chat][limit]")
{
    const bool inside = GENERATE(false, true);
    judging_bench channel("\n");
    auto& chat = *channel.chat;
    chat.max_frame(4);
    chat.answer = overflow::skip;
    const terminator next = GENERATE(terminator(";"), terminator({";", "|"}));
    if (inside)
        chat.on_overflow = [&] { chat.set_terminator(next); };
    CHECK(channel.recv("abcdef") == frames{"collect abcd", "overflow"});
    chat.set_terminator(next);
    CHECK(channel.recv("gh\nij;kl;") == frames{"collect kl", "found"});
}

TEST_CASE("handle_overflow: a terminator of another kind ends the frame, unreported",
          "[async_chat][limit]")
{
    const auto answer = GENERATE(overflow::skip, overflow::truncate);
    judging_bench channel("\n");
    auto& chat = *channel.chat;
    chat.max_frame(4);
    chat.answer = answer;
    SECTION("inside")
    {
        chat.on_overflow = [&] { chat.set_terminator(3); };
        CHECK(channel.recv("abcdefgh") ==
              frames{"collect abcd", "overflow", "collect efg", "found", "collect h"});
    }
    SECTION("later")
    {
        channel.recv("abcdef");
        chat.set_terminator(3);
        CHECK(channel.recv("ghij") == frames{"collect ghi", "found", "collect j"});
    }
    SECTION("nothing, which would never end")
    {
        channel.recv("abcdef");
        chat.set_terminator("");
        CHECK(channel.recv("ghij") == frames{"collect ghij"});
    }
    CHECK_FALSE(chat.truncated());
}

TEST_CASE("handle_overflow: what is discarded inside is dropped, and the rest up to the end",
          "[async_chat][limit]")
{
    judging_bench channel("\n");
    auto& chat = *channel.chat;
    chat.max_frame(4);
    chat.answer = overflow::truncate;
    chat.on_overflow = [&] { chat.discard_buffers(); };
    CHECK(channel.recv("abcdef\nlost") == frames{"collect abcd", "overflow"});
    CHECK(channel.recv("x\nkl\n") == frames{"found", "collect kl", "found"});
}

TEST_CASE("handle_overflow: pausing inside puts the end off", "[async_chat][limit][pause]")
{
    judging_bench channel("\n");
    auto& chat = *channel.chat;
    chat.max_frame(4);
    chat.answer = overflow::truncate;
    chat.on_overflow = [&] { chat.pause_reading(); };
    CHECK(channel.recv("abcdef\ngh\n") == frames{"collect abcd", "overflow"});
    chat.resume_reading();
    CHECK(channel.tick() == frames{"found", "collect gh", "found"});
}

TEST_CASE("handle_overflow: what is dropped is not delivered at the end of the stream",
          "[async_chat][limit]")
{
    judging_bench channel("\r\n");
    auto& chat = *channel.chat;
    chat.max_frame(4);
    chat.answer = overflow::skip;
    SECTION("held bytes of the dropped rest")
    {
        channel.recv("abcdef\r");
        CHECK(channel.eof() == frames{"eof", "close peer finished"});
    }
    SECTION("held bytes that make the frame too long")
    {
        channel.recv("abcd\r");
        CHECK(channel.eof() == frames{"overflow", "eof", "close peer finished"});
        CHECK(channel.reason() == close_reason::peer_finished);
    }
}

TEST_CASE("handle_overflow: skip drops what _collect_incoming_data() kept", "[async_chat][limit]")
{
    judging_bench channel("\n");
    auto& chat = *channel.chat;
    chat.max_frame(4);
    chat.answer = overflow::skip;
    chat.on_collect = [&](std::string_view data) { chat._collect_incoming_data(data); };
    frames got;
    chat.on_found = [&] { got.push_back(chat._get_data()); };
    channel.recv("abcdef\nghij\n");
    CHECK(channel.open());
    CHECK(got == frames{"ghij"});
}

TEST_CASE("max_frame: holds for each of many lines that come at once", "[frame_chat][limit]")
{
    const std::size_t limit = GENERATE(20U, 63U, 64U, 100U);
    const std::string longest(limit, 'x');
    const std::string good = "a\n" + longest + "\nb\n";
    asynchat::testing::loop loop;
    const auto check = [&](auto& channel, auto& peer, const frames& expected) {
        channel->set_terminator("\n");
        channel->max_frame(limit);
        peer.send(good + good + "c\n" + longest + "x\n" + good + good);
        loop.settle();
        CHECK(channel->events == expected);
        CHECK(channel->close_reason() == asynchat::close_reason::frame_limit);
    };
    SECTION("whole")
    {
        auto [channel, peer] = loop.accept<asynchat::testing::recorder<asynchat::frame_chat>>();
        const frames twice = {"frame a", "frame " + longest, "frame b"};
        frames expected = twice;
        expected.insert(expected.end(), twice.begin(), twice.end());
        expected.insert(expected.end(), {"frame c", "close frame limit"});
        check(channel, peer, expected);
    }
    SECTION("streamed")
    {
        auto [channel, peer] = loop.accept<asynchat::testing::recorder<>>();
        const std::string piece = "collect " + longest;
        const frames twice = {"collect a", "found", piece, "found", "collect b", "found"};
        frames expected = twice;
        expected.insert(expected.end(), twice.begin(), twice.end());
        expected.insert(expected.end(), {"collect c", "found", piece, "close frame limit"});
        check(channel, peer, expected);
    }
}

TEST_CASE("max_frame: holds for a frame whose terminator changes meanwhile", "[frame_chat][limit]")
{
    asynchat::testing::loop loop;
    auto [channel, peer] = loop.accept<asynchat::testing::recorder<asynchat::frame_chat>>();
    channel->max_frame(4);
    channel->set_terminator("\n");
    peer.send("abc");
    loop.settle();
    const terminator between = GENERATE(terminator(2), terminator("\r"));
    channel->set_terminator(between);
    channel->set_terminator("\n");
    SECTION("up to it")
    {
        peer.send("d\n");
        loop.settle();
        CHECK(channel->events == frames{"frame abcd"});
    }
    SECTION("over it")
    {
        peer.send("de\n");
        loop.settle();
        CHECK(channel->events == frames{"close frame limit"});
    }
}

TEST_CASE("handle_overflow: no byte of a truncated frame is delivered again", "[frame_chat][limit]")
{
    class chat : public asynchat::testing::recorder<asynchat::frame_chat> {
    public:
        using recorder::recorder;
        overflow handle_overflow() override
        {
            set_terminator(";"); // which may be among the bytes that are kept
            return overflow::truncate;
        }
    };
    asynchat::testing::loop loop;
    auto [channel, peer] = loop.accept<chat>();
    channel->set_terminator("\n");
    channel->max_frame(4);
    peer.send("ab;cdef\nlost;gh;");
    loop.settle();
    CHECK(channel->events == frames{"frame ab;c", "frame gh"});
}

TEST_CASE("handle_overflow: every byte of 1 MiB is dropped without being kept",
          "[frame_chat][limit]")
{
    asynchat::loop loop;
    std::string input = std::string(1 << 20, 'x') + "\nshort\n";
    limited_script task{{input, {"\n"}}, 10, overflow::skip};
    const auto piece = [] { return std::size_t(4096); };
    CHECK(support::outcome<support::whole_frame_reader>(loop, task, piece) == "[short]");
    const support::driven<support::whole_frame_reader> owned(loop, task);
    support::whole_frame_reader& chat = *owned;
    chat.deliver(input);
    CHECK(chat.verdicts == 1);
}
