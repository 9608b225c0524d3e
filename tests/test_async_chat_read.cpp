// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/wire_bench.hpp"

#include <asynchat/asynchat.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using asynchat::terminator;
using Catch::Matchers::ContainsSubstring;
using support::events;
using support::frames;
using support::wire_bench;
using support::wire_chat;
using namespace std::string_literals;

// --- framing -----------------------------------------------------------------------------------

TEST_CASE("a terminator set from outside acts on held bytes, however they came",
          "[async_chat][read]")
{
    const auto chunk = GENERATE(as<std::size_t>{}, 1, 2, 3, 100);
    wire_bench<> channel("\r\n.\r\n");
    const std::string input = "ab\r\n.\r";
    channel.recv(input, chunk);
    CHECK(channel.chat->frame == "ab");
    channel.chat->set_terminator("\n");
    CHECK(channel.tick().empty());
    channel.recv("c");
    CHECK(channel.chat->seen == frames{"ab\r"});
    CHECK(channel.chat->frame == ".\rc");
}

// --- the exact pieces --------------------------------------------------------------------------

TEST_CASE("pieces: bytes before a string are collected, its end is reported", "[async_chat][read]")
{
    wire_bench<> channel("\r\n");
    CHECK(channel.recv("hello\r\n") == events{"collect hello", "found"});
    CHECK(channel.recv("a\r\nbb\r\n\r\nccc\r\nd") == events{"collect a", "found", "collect bb",
                                                            "found", "found", "collect ccc",
                                                            "found", "collect d"});
}

TEST_CASE("pieces: what may begin the terminator is held back, the rest is delivered at once",
          "[async_chat][read]")
{
    wire_bench<> channel("\r\n");
    CHECK(channel.recv("ab\r") == events{"collect ab"});
    CHECK(channel.recv("\ncd") == events{"found", "collect cd"});

    wire_bench<> dot("\r\n.\r\n");
    CHECK(dot.recv("ab\r\n") == events{"collect ab"});
    CHECK(dot.recv(".\r").empty());
    CHECK(dot.recv("\n") == events{"found"});

    wire_bench<> overlapping("abab");
    CHECK(overlapping.recv("xab") == events{"collect x"});
    CHECK(overlapping.recv("xaba") == events{"collect abx"});
    CHECK(overlapping.recv("b") == events{"found"});
}

TEST_CASE("pieces: after a false alarm held and new bytes come as one piece", "[async_chat][read]")
{
    wire_bench<> channel("aab");
    CHECK(channel.recv("a").empty());
    CHECK(channel.recv("a").empty());
    CHECK(channel.recv("a") == events{"collect a"});
    CHECK(channel.recv("b") == events{"found"});

    wire_bench<> line("\r\n");
    CHECK(line.recv("x\r") == events{"collect x"});
    CHECK(line.recv("\r") == events{"collect \\r"});
    CHECK(line.recv("y") == events{"collect \\ry"});
    CHECK(line.recv("ab\r") == events{"collect ab"});
    CHECK(line.recv("cd\r\n") == events{"collect \\rcd", "found"});
}

TEST_CASE("pieces: the leftmost match wins and its bytes are not used again", "[async_chat][read]")
{
    wire_bench<> channel("aa");
    CHECK(channel.recv("aaaaa") == events{"found", "found"});
    CHECK(channel.recv("a") == events{"found"});

    wire_bench<> longer("abab");
    CHECK(longer.recv("ababa") == events{"found"});
    CHECK(longer.recv("bab") == events{"found"});
}

TEST_CASE("pieces: an empty frame is found without being collected", "[async_chat][read]")
{
    wire_bench<> channel("\r\n");
    CHECK(channel.recv("\r\n\r\n") == events{"found", "found"});
    CHECK(channel.recv("\r").empty());
    CHECK(channel.recv("\n") == events{"found"});
}

TEST_CASE("pieces: a terminator longer than a receive is found", "[async_chat][read]")
{
    wire_bench<> channel("0123456789");
    channel.chat->ac_in_buffer_size = 1;
    CHECK(channel.recv("x012345678") == events{"collect x"});
    CHECK(channel.recv("9") == events{"found"});
    CHECK(channel.recv("0123456780") == events{"collect 012345678"});
}

TEST_CASE("pieces: none, 0 and the empty string deliver what comes, in one piece a receive",
          "[async_chat][read]")
{
    const terminator everything = GENERATE(terminator(), terminator(0), terminator(""));
    wire_bench<> channel(everything);
    CHECK(channel.recv("ab\r\n") == events{"collect ab\\r\\n"});
    CHECK(channel.recv("cd") == events{"collect cd"});
    CHECK(channel.chat->get_terminator() == everything);
}

TEST_CASE("pieces: follow the receives, no more than ac_in_buffer_size each", "[async_chat][read]")
{
    wire_bench<> channel;
    channel.chat->ac_in_buffer_size = 3;
    channel.wire->feed("abcdefgh");
    CHECK(channel.tick() == events{"collect abc", "collect def", "collect gh"});
    channel.chat->on_collect = [&](std::string_view) { channel.chat->ac_in_buffer_size = 1; };
    channel.wire->feed("abcde");
    CHECK(channel.tick() == events{"collect abc", "collect d", "collect e"});
    channel.chat->on_collect = nullptr;
    channel.chat->ac_in_buffer_size = 0; // counts as 1
    CHECK(channel.recv("xy") == events{"collect x", "collect y"});
    channel.chat->ac_in_buffer_size = 65536;
    CHECK(channel.recv("xy") == events{"collect xy"});
}

TEST_CASE("one receive an event: what is left waits until others had their turn",
          "[async_chat][read]")
{
    asynchat::loop loop;
    const auto one = std::make_shared<support::wire>();
    const auto two = std::make_shared<support::wire>();
    const auto first = loop.create<wire_chat>(support::socket_over(one)).lock();
    const auto second = loop.create<wire_chat>(support::socket_over(two)).lock();
    std::string order;
    first->on_collect = [&](std::string_view data) { (order += '1') += data; };
    second->on_collect = [&](std::string_view data) { (order += '2') += data; };
    first->ac_in_buffer_size = second->ac_in_buffer_size = 2;
    one->feed("aabbcc");
    two->feed("xxyyzz");
    while (loop.poll()) {
    }
    CHECK(order == "1aa2xx1bb2yy1cc2zz");
}

TEST_CASE("ac_in_buffer_size is 64 KiB at first, ac_out_buffer_size 256 KiB", "[async_chat]")
{
    wire_bench<> channel;
    CHECK(channel.chat->ac_in_buffer_size == 65536);
    CHECK(channel.chat->ac_out_buffer_size == 262144);
}

// --- terminators -------------------------------------------------------------------------------

TEST_CASE("no terminator was set: everything is collected (Python: the first byte is an error)",
          "[async_chat][read][differs]")
{
    wire_bench<> channel;
    CHECK(channel.chat->get_terminator().is_none());
    CHECK(channel.recv("x\r\n") == events{"collect x\\r\\n"});
    CHECK(channel.open());
}

TEST_CASE("set_terminator: what was set reads back, nothing is examined", "[async_chat][read]")
{
    wire_bench<> channel;
    const terminator all[] = {"\n", 7, std::nullopt, "", 0, "a\0b"};
    for (const terminator& each : all) {
        channel.chat->set_terminator(each);
        CHECK(channel.chat->get_terminator() == each);
        CHECK(channel.tick().empty());
    }
}

TEST_CASE("set_terminator: a negative count throws and changes nothing", "[async_chat][read]")
{
    wire_bench<> channel("\r\n");
    CHECK_THROWS_AS(channel.chat->set_terminator(-1), std::invalid_argument);
    CHECK_THROWS_WITH(channel.chat->set_terminator(-17), ContainsSubstring("-17"));
    CHECK(channel.recv("ab\r\n") == events{"collect ab", "found"});
}

TEST_CASE("a count counts down across receives and is 0 in found_terminator", "[async_chat][read]")
{
    wire_bench<> channel(7);
    std::optional<terminator> in_found;
    channel.chat->on_found = [&] { in_found = channel.chat->get_terminator(); };
    CHECK(channel.recv("abc") == events{"collect abc"});
    CHECK(channel.chat->get_terminator() == terminator(4));
    CHECK(channel.recv("de") == events{"collect de"});
    CHECK(channel.chat->get_terminator() == terminator(2));
    CHECK(channel.recv("fgh") == events{"collect fg", "found", "collect h"});
    CHECK(in_found == terminator(0));
    CHECK(channel.chat->get_terminator() == terminator(0));
}

TEST_CASE("a spent count collects everything until a terminator is set", "[async_chat][read]")
{
    wire_bench<> channel(4);
    CHECK(channel.recv("abcdef") == events{"collect abcd", "found", "collect ef"});
    CHECK(channel.recv("gh\n") == events{"collect gh\\n"});
    channel.chat->set_terminator("\n");
    CHECK(channel.recv("i\n") == events{"collect i", "found"});
}

TEST_CASE("a count set again in found_terminator makes records", "[async_chat][read]")
{
    wire_bench<> channel(3);
    channel.chat->on_found = [&] { channel.chat->set_terminator(3); };
    CHECK(channel.recv("abcdefgh") ==
          events{"collect abc", "found", "collect def", "found", "collect gh"});
    CHECK(channel.chat->get_terminator() == terminator(1));
    CHECK(channel.recv("i") == events{"collect i", "found"});
    CHECK(channel.chat->get_terminator() == terminator(3));
}

TEST_CASE("a change in found_terminator governs the bytes already received", "[async_chat][read]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->set_terminator(channel.chat->get_terminator().is_bytes() ? terminator(5)
                                                                               : terminator("\n"));
    };
    CHECK(channel.recv("ECHO 5\nhel") == events{"collect ECHO 5", "found", "collect hel"});
    CHECK(channel.chat->get_terminator() == terminator(2));
    CHECK(channel.recv("lo") == events{"collect lo", "found"});
    CHECK(channel.chat->get_terminator() == terminator("\n"));

    wire_bench<> http("\r\n\r\n");
    const std::vector<terminator> then{5, "\r\n\r\n", std::nullopt};
    std::size_t at = 0;
    http.chat->on_found = [&] { http.chat->set_terminator(then[at++]); };
    CHECK(http.recv("POST\r\n\r\n12345GET\r\n\r\nrest") ==
          events{"collect POST", "found", "collect 12345", "found", "collect GET", "found",
                 "collect rest"});
}

TEST_CASE("a change from outside looks at held bytes together with the next input",
          "[async_chat][read]")
{
    wire_bench<> channel("\r\n");
    CHECK(channel.recv("ab\r") == events{"collect ab"});
    channel.chat->set_terminator(std::nullopt);
    CHECK(channel.tick().empty());
    CHECK(channel.recv("c") == events{"collect \\rc"});

    wire_bench<> dot("\r\n.\r\n");
    CHECK(dot.recv("ab\r\n.") == events{"collect ab"});
    dot.chat->set_terminator(".");
    CHECK(dot.tick().empty());
    CHECK(dot.recv("c") == events{"collect \\r\\n", "found", "collect c"});

    wire_bench<> twice("\r\n");
    twice.recv("ab\r");
    twice.chat->set_terminator(3);
    twice.chat->set_terminator("\r\n"); // and back: the held byte still counts
    CHECK(twice.recv("\nc") == events{"found", "collect c"});

    wire_bench<> same("\r\n");
    same.recv("ab\r");
    same.chat->set_terminator("\r\n");
    CHECK(same.recv("\nc") == events{"found", "collect c"});

    wire_bench<> counted("\r\n");
    counted.recv("ab\r");
    counted.chat->set_terminator(2);
    CHECK(counted.recv("cd") == events{"collect \\rc", "found", "collect d"});
}

TEST_CASE("a change in collect_incoming_data acts after the match already made",
          "[async_chat][read]")
{
    wire_bench<> channel(";");
    channel.chat->on_collect = [&](std::string_view) { channel.chat->set_terminator(","); };
    CHECK(channel.recv("a;b,c") == events{"collect a", "found", "collect b", "found", "collect c"});

    wire_bench<> count("\n");
    count.chat->on_collect = [&](std::string_view) { count.chat->set_terminator(3); };
    CHECK(count.recv("ab") == events{"collect ab"});
    CHECK(count.chat->get_terminator() == terminator(3));

    wire_bench<> held("\r\n");
    held.chat->on_collect = [&](std::string_view) {
        held.chat->set_terminator("\rX");
        held.chat->on_collect = nullptr;
    };
    CHECK(held.recv("ab\r") == events{"collect ab"}); // the \r may begin the new one as well
    CHECK(held.recv("X") == events{"found"});
}

TEST_CASE("a count set while counting is taken as it is (Python: bytes just delivered are "
          "subtracted)",
          "[async_chat][read][differs]")
{
    wire_bench<> channel(10);
    channel.chat->on_collect = [&](std::string_view) {
        channel.chat->set_terminator(20);
        channel.chat->on_collect = nullptr;
    };
    CHECK(channel.recv("abcde") == events{"collect abcde"});
    CHECK(channel.chat->get_terminator() == terminator(20)); // 15 there

    wire_bench<> smaller(10);
    smaller.chat->on_collect = [&](std::string_view) {
        smaller.chat->set_terminator(3);
        smaller.chat->on_collect = nullptr;
    };
    CHECK(smaller.recv("abcde") == events{"collect abcde"});
    CHECK(smaller.chat->get_terminator() == terminator(3)); // -2 there
    CHECK(smaller.recv("wxyz") == events{"collect wxy", "found", "collect z"});
}

TEST_CASE("a string or none set while counting is taken as it is (Python: an error)",
          "[async_chat][read][differs]")
{
    wire_bench<> channel(10);
    channel.chat->on_collect = [&](std::string_view) {
        channel.chat->set_terminator("x");
        channel.chat->on_collect = nullptr;
    };
    CHECK(channel.recv("abcde") == events{"collect abcde"});
    CHECK(channel.recv("fxg") == events{"collect f", "found", "collect g"});
    CHECK(channel.open());
    CHECK(channel.chat->errors == 0);

    wire_bench<> none(10);
    none.chat->on_collect = [&](std::string_view) { none.chat->set_terminator(std::nullopt); };
    CHECK(none.recv("abcde") == events{"collect abcde"});
    CHECK(none.recv("fghijkl") == events{"collect fghijkl"});
    CHECK(none.open());
}

TEST_CASE("a terminator set with the last byte of a count survives (Python: overwritten by 0)",
          "[async_chat][read][differs]")
{
    wire_bench<> channel(3);
    channel.chat->on_collect = [&](std::string_view) {
        channel.chat->set_terminator("\n");
        channel.chat->on_collect = nullptr;
    };
    CHECK(channel.recv("abcde\nf") ==
          events{"collect abc", "found", "collect de", "found", "collect f"});
    CHECK(channel.chat->get_terminator() == terminator("\n"));
}

TEST_CASE("setting the terminator that is in force, in every piece, changes nothing",
          "[async_chat][read]")
{
    const auto chunk = GENERATE(as<std::size_t>{}, 1, 2, 5, 100);
    wire_bench<> channel("aab");
    channel.chat->on_collect = [&](std::string_view) { channel.chat->set_terminator("aab"); };
    const std::string input = "xaaabyaabaaaab";
    channel.recv(input, chunk);
    CHECK(channel.chat->seen == frames{"xa", "y", "aa"});
}

namespace {

/// Answers get_terminator() from a list, the last one for ever.
class steering_chat : public wire_chat {
public:
    using wire_chat::wire_chat;
    const asynchat::terminator& get_terminator() const override
    {
        if (answers.empty())
            return wire_chat::get_terminator();
        const asynchat::terminator& answer = answers[at];
        if (at + 1 < answers.size())
            ++at;
        return answer;
    }
    std::vector<asynchat::terminator> answers;
    mutable std::size_t at = 0;
};

} // namespace

TEST_CASE("get_terminator: an override is asked for every piece and steers", "[async_chat][read]")
{
    wire_bench<steering_chat> channel;
    channel.chat->answers = {"X", "Y", std::nullopt};
    CHECK(channel.recv("aXbYc") == events{"collect a", "found", "collect b", "found", "collect c"});
}

TEST_CASE("get_terminator: an override that always answers the same count never gets less",
          "[async_chat][read]")
{
    wire_bench<steering_chat> channel;
    channel.chat->answers = {5};
    CHECK(channel.recv("ab") == events{"collect ab"});
    CHECK(channel.recv("cde") == events{"collect cde"});
    CHECK(channel.recv("fghij") == events{"collect fghij", "found"});
    CHECK(channel.recv("fghijfghijk") ==
          events{"collect fghij", "found", "collect fghij", "found", "collect k"});
}

TEST_CASE("get_terminator: an override that changes its mind sees held bytes again",
          "[async_chat][read]")
{
    wire_bench<steering_chat> channel;
    channel.chat->answers = {"\r\n", "\r\r"};
    CHECK(channel.recv("ab\r") == events{"collect ab"});
    CHECK(channel.recv("\rc") == events{"found", "collect c"});
}
