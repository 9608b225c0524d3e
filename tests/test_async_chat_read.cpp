// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/driven.hpp"
#include "support/naive_framing.hpp"
#include "support/recording_chat.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using asynchat::close_reason;
using asynchat::terminator;
using asynchat::unlimited;
using Catch::Matchers::ContainsSubstring;
using support::bench;
using support::frames;
using support::recording_chat;
using support::user_error;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

/// Receives what the test puts into `next` and sends nowhere: no loop, no events.
class detached_chat : public asynchat::async_chat {
public:
    explicit detached_chat(asynchat::loop& owner) : async_chat(owner) { set_connected(true); }

    void deliver(std::string_view piece)
    {
        next = piece;
        while (!next.empty())
            handle_read();
    }
    std::size_t recv(asio::mutable_buffer into) override
    {
        const std::size_t size = std::min(into.size(), next.size());
        std::memcpy(into.data(), next.data(), size);
        next.remove_prefix(size);
        return size;
    }
    void collect_incoming_data(std::string_view data) override
    {
        empty_piece |= data.empty();
        frame += data;
    }
    void found_terminator() override
    {
        seen.push_back(std::exchange(frame, {}));
        if (on_found)
            on_found();
    }

    std::string_view next;
    std::string frame;
    frames seen;
    bool empty_piece = false;
    std::function<void()> on_found;
};

/// Reads the script in pieces of the sizes that next_size() gives.
template <class NextSize>
support::framing read_pieces(asynchat::loop& loop, const support::framing_script& script,
                             NextSize next_size, bool& valid)
{
    const support::driven<detached_chat> owned(loop);
    detached_chat& chat = *owned;
    std::size_t at = 0;
    chat.set_terminator(script.terminators[0]);
    chat.on_found = [&] {
        if (at + 1 < script.terminators.size())
            chat.set_terminator(script.terminators[++at]);
    };
    std::string_view rest = script.input;
    while (!rest.empty()) {
        const std::size_t size = std::min(rest.size(), next_size());
        chat.deliver(rest.substr(0, size));
        rest.remove_prefix(size);
    }
    valid &= !chat.empty_piece;
    support::framing result{chat.seen, chat.frame, 0, 0};
    result.missing = chat.get_terminator().count();
    // What is held comes out when there is no terminator any more.
    chat.set_terminator(std::nullopt);
    chat.deliver("|");
    result.held = chat.frame.size() - result.open.size() - 1;
    return result;
}

} // namespace

// --- framing -----------------------------------------------------------------------------------

TEST_CASE("frames do not depend on the size of the pieces", "[async_chat][read]")
{
    const auto term = GENERATE(as<std::string>{}, "\n", "\r\n", "qqq", "abab", "\0\0"s);
    const auto chunk = GENERATE(range(1, 10));
    CAPTURE(term, chunk);

    bench<> channel(term);
    const std::string input = "hello world" + term + term + "I'm not dead yet!" + term;
    for (std::size_t at = 0; at < input.size(); at += static_cast<std::size_t>(chunk))
        channel.recv(input.substr(at, static_cast<std::size_t>(chunk)));

    CHECK(channel.chat->seen == frames{"hello world", "", "I'm not dead yet!"});
    CHECK(channel.chat->frame.empty());
}

TEST_CASE("every cut of an input gives the frames of the whole", "[async_chat][read]")
{
    const support::framing_script scripts[] = {
        {"a\r\n\r\nb\r\r\nc\r", {"\r\n"}},
        {"qqqqaqqbqqq", {"qqq"}},
        {"abaababab", {"abab"}},
        {"ab\nabcdefghi", {"\n", 3, 4}},
        {"12\r\n\r\n123xyz", {"\r\n\r\n", 3, "xy", std::nullopt}},
        {"aaaaaaaaaa", {"aa", 1, "aaa", 2, "a"}},
        {"abc\0\0d\0"s, {terminator("\0\0")}},
        {"one two", {std::nullopt}},
        {"one two", {0}},
        {"abcdefg", {5}},
    };
    asynchat::loop loop;
    for (const auto& script : scripts) {
        CAPTURE(script.input);
        bool valid = true;
        const auto expected = support::naive_framing(script);
        for (std::uint32_t cuts = 0; cuts < 1U << (script.input.size() - 1); ++cuts) {
            std::size_t at = 0;
            const auto to_next_cut = [&] {
                std::size_t size = 1;
                while (at < script.input.size() && ((cuts >> at++) & 1U) == 0)
                    ++size;
                return size;
            };
            const auto result = read_pieces(loop, script, to_next_cut, valid);
            if (!(result == expected)) {
                CAPTURE(cuts);
                REQUIRE(support::describe(result) == support::describe(expected));
            }
        }
        CHECK(valid);
    }
}

TEST_CASE("random cuts of random inputs give the frames of the whole", "[async_chat][read]")
{
    support::random_numbers random(3);
    asynchat::loop loop;
    bool valid = true;
    for (int script_number = 0; script_number < 500; ++script_number) {
        const auto script = support::random_script(random, random.between(10, 80));
        const auto expected = support::naive_framing(script);
        for (int cut = 0; cut < 20; ++cut) {
            const std::size_t longest = random.between(1, 30);
            const auto result = read_pieces(
                loop, script, [&] { return random.between(1, longest); }, valid);
            if (!(result == expected)) {
                CAPTURE(script_number, cut, script.input);
                REQUIRE(support::describe(result) == support::describe(expected));
            }
        }
    }
    CHECK(valid);
}

TEST_CASE("a terminator set from outside acts on held bytes, however they came",
          "[async_chat][read]")
{
    const auto chunk = GENERATE(as<std::size_t>{}, 1, 2, 3, 100);
    bench<> channel("\r\n.\r\n");
    const std::string input = "ab\r\n.\r";
    for (std::size_t at = 0; at < input.size(); at += chunk)
        channel.recv(input.substr(at, chunk));
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
    bench<> channel("\r\n");
    CHECK(channel.recv("hello\r\n") == "collect('hello') found");
    CHECK(channel.recv("a\r\nbb\r\n\r\nccc\r\nd") ==
          "collect('a') found collect('bb') found found collect('ccc') found collect('d')");
}

TEST_CASE("pieces: what may begin the terminator is held back, the rest is delivered at once",
          "[async_chat][read]")
{
    bench<> channel("\r\n");
    CHECK(channel.recv("ab\r") == "collect('ab')");
    CHECK(channel.recv("\ncd") == "found collect('cd')");

    bench<> dot("\r\n.\r\n");
    CHECK(dot.recv("ab\r\n") == "collect('ab')");
    CHECK(dot.recv(".\r").empty());
    CHECK(dot.recv("\n") == "found");

    bench<> overlapping("abab");
    CHECK(overlapping.recv("xab") == "collect('x')");
    CHECK(overlapping.recv("xaba") == "collect('abx')");
    CHECK(overlapping.recv("b") == "found");
}

TEST_CASE("pieces: after a false alarm held and new bytes come as one piece", "[async_chat][read]")
{
    bench<> channel("aab");
    CHECK(channel.recv("a").empty());
    CHECK(channel.recv("a").empty());
    CHECK(channel.recv("a") == "collect('a')");
    CHECK(channel.recv("b") == "found");

    bench<> line("\r\n");
    CHECK(line.recv("x\r") == "collect('x')");
    CHECK(line.recv("\r") == "collect('\\r')");
    CHECK(line.recv("y") == "collect('\\ry')");
    CHECK(line.recv("ab\r") == "collect('ab')");
    CHECK(line.recv("cd\r\n") == "collect('\\rcd') found");
}

TEST_CASE("pieces: the leftmost match wins and its bytes are not used again", "[async_chat][read]")
{
    bench<> channel("aa");
    CHECK(channel.recv("aaaaa") == "found found");
    CHECK(channel.recv("a") == "found");

    bench<> longer("abab");
    CHECK(longer.recv("ababa") == "found");
    CHECK(longer.recv("bab") == "found");
}

TEST_CASE("pieces: an empty frame is found without being collected", "[async_chat][read]")
{
    bench<> channel("\r\n");
    CHECK(channel.recv("\r\n\r\n") == "found found");
    CHECK(channel.recv("\r").empty());
    CHECK(channel.recv("\n") == "found");
}

TEST_CASE("pieces: a terminator longer than a receive is found", "[async_chat][read]")
{
    bench<> channel("0123456789");
    channel.chat->ac_in_buffer_size = 1;
    CHECK(channel.recv("x012345678") == "collect('x')");
    CHECK(channel.recv("9") == "found");
    CHECK(channel.recv("0123456780") == "collect('012345678')");
}

TEST_CASE("pieces: none, 0 and the empty string deliver what comes, in one piece a receive",
          "[async_chat][read]")
{
    const terminator everything = GENERATE(terminator(), terminator(0), terminator(""));
    bench<> channel(everything);
    CHECK(channel.recv("ab\r\n") == "collect('ab\\r\\n')");
    CHECK(channel.recv("cd") == "collect('cd')");
    CHECK(channel.chat->get_terminator() == everything);
}

TEST_CASE("pieces: follow the receives, no more than ac_in_buffer_size each", "[async_chat][read]")
{
    bench<> channel;
    channel.chat->ac_in_buffer_size = 3;
    channel.wire->feed("abcdefgh");
    CHECK(channel.tick() == "collect('abc') collect('def') collect('gh')");
    channel.chat->on_collect = [&](std::string_view) { channel.chat->ac_in_buffer_size = 1; };
    channel.wire->feed("abcde");
    CHECK(channel.tick() == "collect('abc') collect('d') collect('e')");
    channel.chat->on_collect = nullptr;
    channel.chat->ac_in_buffer_size = 0; // counts as 1
    CHECK(channel.recv("xy") == "collect('x') collect('y')");
    channel.chat->ac_in_buffer_size = 65536;
    CHECK(channel.recv("xy") == "collect('xy')");
}

TEST_CASE("one receive an event: what is left waits until others had their turn",
          "[async_chat][read]")
{
    asynchat::loop loop;
    const auto one = std::make_shared<support::wire>();
    const auto two = std::make_shared<support::wire>();
    const auto first = loop.create<recording_chat>(one).lock();
    const auto second = loop.create<recording_chat>(two).lock();
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

TEST_CASE("ac_in_buffer_size and ac_out_buffer_size are 65536 at first", "[async_chat]")
{
    bench<> channel;
    CHECK(channel.chat->ac_in_buffer_size == 65536);
    CHECK(channel.chat->ac_out_buffer_size == 65536);
}

// --- terminators -------------------------------------------------------------------------------

TEST_CASE("no terminator was set: everything is collected (Python: the first byte is an error)",
          "[async_chat][read][differs]")
{
    bench<> channel;
    CHECK(channel.chat->get_terminator().is_none());
    CHECK(channel.recv("x\r\n") == "collect('x\\r\\n')");
    CHECK(channel.open());
}

TEST_CASE("set_terminator: what was set reads back, nothing is examined", "[async_chat][read]")
{
    bench<> channel;
    const terminator all[] = {"\n", 7, std::nullopt, "", 0, "a\0b"};
    for (const terminator& each : all) {
        channel.chat->set_terminator(each);
        CHECK(channel.chat->get_terminator() == each);
        CHECK(channel.tick().empty());
    }
}

TEST_CASE("set_terminator: a negative count throws and changes nothing", "[async_chat][read]")
{
    bench<> channel("\r\n");
    CHECK_THROWS_AS(channel.chat->set_terminator(-1), std::invalid_argument);
    CHECK_THROWS_WITH(channel.chat->set_terminator(-17), ContainsSubstring("-17"));
    CHECK(channel.recv("ab\r\n") == "collect('ab') found");
}

TEST_CASE("a count counts down across receives and is 0 in found_terminator", "[async_chat][read]")
{
    bench<> channel(7);
    std::optional<terminator> in_found;
    channel.chat->on_found = [&] { in_found = channel.chat->get_terminator(); };
    CHECK(channel.recv("abc") == "collect('abc')");
    CHECK(channel.chat->get_terminator() == terminator(4));
    CHECK(channel.recv("de") == "collect('de')");
    CHECK(channel.chat->get_terminator() == terminator(2));
    CHECK(channel.recv("fgh") == "collect('fg') found collect('h')");
    CHECK(in_found == terminator(0));
    CHECK(channel.chat->get_terminator() == terminator(0));
}

TEST_CASE("a spent count collects everything until a terminator is set", "[async_chat][read]")
{
    bench<> channel(4);
    CHECK(channel.recv("abcdef") == "collect('abcd') found collect('ef')");
    CHECK(channel.recv("gh\n") == "collect('gh\\n')");
    channel.chat->set_terminator("\n");
    CHECK(channel.recv("i\n") == "collect('i') found");
}

TEST_CASE("a count set again in found_terminator makes records", "[async_chat][read]")
{
    bench<> channel(3);
    channel.chat->on_found = [&] { channel.chat->set_terminator(3); };
    CHECK(channel.recv("abcdefgh") == "collect('abc') found collect('def') found collect('gh')");
    CHECK(channel.chat->get_terminator() == terminator(1));
    CHECK(channel.recv("i") == "collect('i') found");
    CHECK(channel.chat->get_terminator() == terminator(3));
}

TEST_CASE("a change in found_terminator governs the bytes already received", "[async_chat][read]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->set_terminator(channel.chat->get_terminator().is_bytes() ? terminator(5)
                                                                               : terminator("\n"));
    };
    CHECK(channel.recv("ECHO 5\nhel") == "collect('ECHO 5') found collect('hel')");
    CHECK(channel.chat->get_terminator() == terminator(2));
    CHECK(channel.recv("lo") == "collect('lo') found");
    CHECK(channel.chat->get_terminator() == terminator("\n"));

    bench<> http("\r\n\r\n");
    const std::vector<terminator> then{5, "\r\n\r\n", std::nullopt};
    std::size_t at = 0;
    http.chat->on_found = [&] { http.chat->set_terminator(then[at++]); };
    CHECK(http.recv("POST\r\n\r\n12345GET\r\n\r\nrest") ==
          "collect('POST') found collect('12345') found collect('GET') found collect('rest')");
}

TEST_CASE("a change from outside looks at held bytes together with the next input",
          "[async_chat][read]")
{
    bench<> channel("\r\n");
    CHECK(channel.recv("ab\r") == "collect('ab')");
    channel.chat->set_terminator(std::nullopt);
    CHECK(channel.tick().empty());
    CHECK(channel.recv("c") == "collect('\\rc')");

    bench<> dot("\r\n.\r\n");
    CHECK(dot.recv("ab\r\n.") == "collect('ab')");
    dot.chat->set_terminator(".");
    CHECK(dot.tick().empty());
    CHECK(dot.recv("c") == "collect('\\r\\n') found collect('c')");

    bench<> twice("\r\n");
    twice.recv("ab\r");
    twice.chat->set_terminator(3);
    twice.chat->set_terminator("\r\n"); // and back: the held byte still counts
    CHECK(twice.recv("\nc") == "found collect('c')");

    bench<> same("\r\n");
    same.recv("ab\r");
    same.chat->set_terminator("\r\n");
    CHECK(same.recv("\nc") == "found collect('c')");

    bench<> counted("\r\n");
    counted.recv("ab\r");
    counted.chat->set_terminator(2);
    CHECK(counted.recv("cd") == "collect('\\rc') found collect('d')");
}

TEST_CASE("a change in collect_incoming_data acts after the match already made",
          "[async_chat][read]")
{
    bench<> channel(";");
    channel.chat->on_collect = [&](std::string_view) { channel.chat->set_terminator(","); };
    CHECK(channel.recv("a;b,c") == "collect('a') found collect('b') found collect('c')");

    bench<> count("\n");
    count.chat->on_collect = [&](std::string_view) { count.chat->set_terminator(3); };
    CHECK(count.recv("ab") == "collect('ab')");
    CHECK(count.chat->get_terminator() == terminator(3));

    bench<> held("\r\n");
    held.chat->on_collect = [&](std::string_view) {
        held.chat->set_terminator("\rX");
        held.chat->on_collect = nullptr;
    };
    CHECK(held.recv("ab\r") == "collect('ab')"); // the \r may begin the new one as well
    CHECK(held.recv("X") == "found");
}

TEST_CASE("a count set while counting is taken as it is (Python: bytes just delivered are "
          "subtracted)",
          "[async_chat][read][differs]")
{
    bench<> channel(10);
    channel.chat->on_collect = [&](std::string_view) {
        channel.chat->set_terminator(20);
        channel.chat->on_collect = nullptr;
    };
    CHECK(channel.recv("abcde") == "collect('abcde')");
    CHECK(channel.chat->get_terminator() == terminator(20)); // 15 there

    bench<> smaller(10);
    smaller.chat->on_collect = [&](std::string_view) {
        smaller.chat->set_terminator(3);
        smaller.chat->on_collect = nullptr;
    };
    CHECK(smaller.recv("abcde") == "collect('abcde')");
    CHECK(smaller.chat->get_terminator() == terminator(3)); // -2 there
    CHECK(smaller.recv("wxyz") == "collect('wxy') found collect('z')");
}

TEST_CASE("a string or none set while counting is taken as it is (Python: an error)",
          "[async_chat][read][differs]")
{
    bench<> channel(10);
    channel.chat->on_collect = [&](std::string_view) {
        channel.chat->set_terminator("x");
        channel.chat->on_collect = nullptr;
    };
    CHECK(channel.recv("abcde") == "collect('abcde')");
    CHECK(channel.recv("fxg") == "collect('f') found collect('g')");
    CHECK(channel.open());
    CHECK(channel.chat->errors == 0);

    bench<> none(10);
    none.chat->on_collect = [&](std::string_view) { none.chat->set_terminator(std::nullopt); };
    CHECK(none.recv("abcde") == "collect('abcde')");
    CHECK(none.recv("fghijkl") == "collect('fghijkl')");
    CHECK(none.open());
}

TEST_CASE("a terminator set with the last byte of a count survives (Python: overwritten by 0)",
          "[async_chat][read][differs]")
{
    bench<> channel(3);
    channel.chat->on_collect = [&](std::string_view) {
        channel.chat->set_terminator("\n");
        channel.chat->on_collect = nullptr;
    };
    CHECK(channel.recv("abcde\nf") == "collect('abc') found collect('de') found collect('f')");
    CHECK(channel.chat->get_terminator() == terminator("\n"));
}

TEST_CASE("setting the terminator that is in force, in every piece, changes nothing",
          "[async_chat][read]")
{
    const auto chunk = GENERATE(as<std::size_t>{}, 1, 2, 5, 100);
    bench<> channel("aab");
    channel.chat->on_collect = [&](std::string_view) { channel.chat->set_terminator("aab"); };
    const std::string input = "xaaabyaabaaaab";
    for (std::size_t at = 0; at < input.size(); at += chunk)
        channel.recv(input.substr(at, chunk));
    CHECK(channel.chat->seen == frames{"xa", "y", "aa"});
}

namespace {

/// Answers get_terminator() from a list, the last one for ever.
class steering_chat : public recording_chat {
public:
    using recording_chat::recording_chat;
    const terminator& get_terminator() const override
    {
        if (answers.empty())
            return recording_chat::get_terminator();
        const terminator& answer = answers[at];
        if (at + 1 < answers.size())
            ++at;
        return answer;
    }
    std::vector<terminator> answers;
    mutable std::size_t at = 0;
};

} // namespace

TEST_CASE("get_terminator: an override is asked for every piece and steers", "[async_chat][read]")
{
    bench<steering_chat> channel;
    channel.chat->answers = {"X", "Y", std::nullopt};
    CHECK(channel.recv("aXbYc") == "collect('a') found collect('b') found collect('c')");
}

TEST_CASE("get_terminator: an override that always answers the same count never gets less",
          "[async_chat][read]")
{
    bench<steering_chat> channel;
    channel.chat->answers = {5};
    CHECK(channel.recv("ab") == "collect('ab')");
    CHECK(channel.recv("cde") == "collect('cde')");
    CHECK(channel.recv("fghij") == "collect('fghij') found");
    CHECK(channel.recv("fghijfghijk") == "collect('fghij') found collect('fghij') found "
                                         "collect('k')");
}

TEST_CASE("get_terminator: an override that changes its mind sees held bytes again",
          "[async_chat][read]")
{
    bench<steering_chat> channel;
    channel.chat->answers = {"\r\n", "\r\r"};
    CHECK(channel.recv("ab\r") == "collect('ab')");
    CHECK(channel.recv("\rc") == "found collect('c')");
}

// --- exceptions --------------------------------------------------------------------------------

TEST_CASE("an exception out of collect_incoming_data: the piece is delivered again",
          "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
    channel.chat->survives = true;
    bool thrown = false;
    channel.chat->on_collect = [&](std::string_view) {
        if (!std::exchange(thrown, true))
            throw user_error();
    };
    CHECK(channel.recv("ab\ncd") == "collect('ab') handle_error(user)");
    CHECK(channel.tick().empty());
    CHECK(channel.recv("ef\n") == "collect('ab') found collect('cdef') found");
    CHECK(channel.open());
    CHECK(channel.reason() == close_reason::open);
}

TEST_CASE("an exception out of collect_incoming_data does not count down",
          "[async_chat][read][exceptions]")
{
    bench<> channel(4);
    channel.chat->survives = true;
    bool thrown = false;
    channel.chat->on_collect = [&](std::string_view) {
        if (!std::exchange(thrown, true))
            throw user_error();
    };
    CHECK(channel.recv("ab") == "collect('ab') handle_error(user)");
    CHECK(channel.chat->get_terminator() == terminator(4));
    CHECK(channel.recv("cdef") == "collect('abcd') found collect('ef')");
}

TEST_CASE("an exception out of found_terminator: the frame is consumed, the rest waits",
          "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
    channel.chat->survives = true;
    bool thrown = false;
    channel.chat->on_found = [&] {
        if (!std::exchange(thrown, true))
            throw user_error();
    };
    CHECK(channel.recv("ab\ncd\nef") == "collect('ab') found handle_error(user)");
    CHECK(channel.tick().empty());
    CHECK(channel.recv("g\n") == "collect('cd') found collect('efg') found");
    CHECK(channel.chat->errors == 1);
}

TEST_CASE("an exception in every callback of a surviving channel loses nothing",
          "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
    channel.chat->survives = true;
    int calls = 0;
    channel.chat->on_collect = [&](std::string_view) {
        if (++calls % 2 == 1)
            throw user_error();
    };
    channel.chat->on_found = [&] { throw user_error(); };
    for (const char* piece :
         {"a\nb", "b\nc", "c\n", "d\n", "e\n", "f\n", "g\n", "h\n", "i\n", "j\n"})
        channel.recv(piece);
    channel.chat->on_collect = nullptr;
    channel.chat->on_found = nullptr;
    channel.recv("rest");
    CHECK(channel.chat->seen == frames{"a", "bb", "cc", "d", "e", "f", "g", "h", "i", "j"});
    CHECK(channel.chat->frame == "rest");
}

TEST_CASE("an exception costs the channel: logged, handle_close, closed, with the reason",
          "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
    channel.chat->on_found = [] { throw user_error(); };
    CHECK(channel.recv("ab\ncd\n") == "collect('ab') found handle_error(user) handle_close closed");
    CHECK(channel.reason() == close_reason::callback_error);
    REQUIRE(channel.chat->logs.size() == 1);
    CHECK_THAT(channel.chat->logs[0], ContainsSubstring("error: ") && ContainsSubstring("user"));
}

TEST_CASE("exit_now leaves the loop; the rest of the input waits", "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
    bool thrown = false;
    channel.chat->on_found = [&] {
        if (!std::exchange(thrown, true))
            throw asynchat::exit_now();
    };
    channel.wire->feed("ab\ncd\n");
    CHECK_THROWS_AS(channel.tick(), asynchat::exit_now);
    CHECK(channel.open());
    CHECK(channel.chat->errors == 0);
    CHECK(channel.recv("e\n") == "collect('ab') found collect('cd') found collect('e') found");
}

TEST_CASE("handle_read called directly throws to its caller", "[async_chat][read][exceptions]")
{
    bench<> channel("\n");
    channel.chat->on_found = [] { throw user_error(); };
    const auto chat = channel.chat;
    channel.wire->feed("ab\n");
    CHECK_THROWS_AS(chat->handle_read(), user_error);
    CHECK(chat->errors == 0);
    CHECK(channel.open());
}

// --- closing, discarding and pausing in callbacks ------------------------------------------------

TEST_CASE("close in found_terminator: later input is not delivered (Python: it is)",
          "[async_chat][read][differs]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->close(); };
    CHECK(channel.recv("QUIT\nmore\nrest") == "collect('QUIT') found closed");
    CHECK(channel.recv("again\n").empty());
    CHECK(channel.chat->closes == 0);
    CHECK(channel.reason() == close_reason::local);
}

TEST_CASE(
    "close in collect_incoming_data: the terminator behind it is not reported (Python: it is)",
    "[async_chat][read][differs]")
{
    const terminator ends = GENERATE(terminator("\n"), terminator(4), terminator("\nm"));
    bench<> channel(ends);
    channel.chat->on_collect = [&](std::string_view) { channel.chat->close(); };
    CHECK(channel.recv("QUIT\nmore\n") == "collect('QUIT') closed");
}

TEST_CASE("close in collect_incoming_data: one of many frames, or an announced one, has no end",
          "[async_chat][read]")
{
    SECTION("of many")
    {
        bench<> channel("\n");
        channel.chat->on_collect = [&](std::string_view data) {
            if (data == "QUIT")
                channel.chat->close();
        };
        CHECK(channel.recv("\n\nQUIT\n" + std::string(100, '\n')) ==
              "found found collect('QUIT') closed");
    }
    SECTION("announced")
    {
        bench<> channel(terminator::netstring());
        channel.chat->on_collect = [&](std::string_view) { channel.chat->close(); };
        CHECK(channel.recv("4:QUIT,4:more,") == "collect('QUIT') closed");
    }
}

TEST_CASE("close_when_done in a callback: later input is not delivered (Python: it is)",
          "[async_chat][read][differs]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->push("bye");
        channel.chat->close_when_done();
    };
    CHECK(channel.recv("QUIT\nmore\nrest") ==
          "collect('QUIT') found send('bye')=3 handle_close closed");

    bench<> collecting("\n");
    collecting.chat->on_collect = [&](std::string_view) { collecting.chat->close_when_done(); };
    CHECK(collecting.recv("QUIT\nmore\nrest") == "collect('QUIT') handle_close closed");
}

TEST_CASE("close_when_done: nothing is delivered while the output waits (Python: it is)",
          "[async_chat][read][differs]")
{
    bench<> channel("\n");
    channel.wire->take(0);
    channel.event([](recording_chat& chat) {
        chat.push("reply");
        chat.close_when_done();
    });
    CHECK(channel.recv("more\n").empty());
    CHECK(channel.take_everything() == "send('reply')=5 handle_close closed");
}

TEST_CASE("discard_buffers in a callback drops the rest of the received input",
          "[async_chat][read]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->discard_buffers();
        channel.chat->on_found = nullptr;
    };
    CHECK(channel.recv("a\nb\nc") == "collect('a') found");
    CHECK(channel.recv("d\n") == "collect('d') found");

    bench<> collecting("\n");
    collecting.chat->on_collect = [&](std::string_view) {
        collecting.chat->discard_buffers();
        collecting.chat->on_collect = nullptr;
    };
    CHECK(collecting.recv("a\nb\nc") == "collect('a') found");
    CHECK(collecting.recv("d\n") == "collect('d') found");
}

TEST_CASE("discard_buffers drops held bytes; terminator and count stay", "[async_chat][read]")
{
    bench<> channel("\r\n");
    CHECK(channel.recv("abc\r") == "collect('abc')");
    channel.chat->discard_buffers();
    CHECK(channel.recv("\nx") == "collect('\\nx')");

    bench<> count(5);
    CHECK(count.recv("abc") == "collect('abc')");
    count.chat->discard_buffers();
    CHECK(count.chat->get_terminator() == terminator(2));
    CHECK(count.recv("de") == "collect('de') found");
}

TEST_CASE("pause_reading: nothing more is delivered, resume_reading delivers in a later turn",
          "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\nc") == "collect('a') found");
    CHECK(channel.recv("d\n").empty());
    channel.chat->resume_reading();
    CHECK(channel.wire->take_trace().empty()); // not inside the call
    CHECK(channel.tick() == "collect('b') found");
    channel.chat->on_found = nullptr;
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('c') collect('d') found");
}

TEST_CASE("pause_reading in collect_incoming_data: only the end of that piece is still reported",
          "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_collect = [&](std::string_view) { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\n") == "collect('a') found");
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('b') found");

    bench<> count(3);
    count.chat->on_collect = [&](std::string_view) { count.chat->pause_reading(); };
    CHECK(count.recv("ab") == "collect('ab')");
    CHECK(count.recv("cd").empty());
    count.chat->resume_reading();
    CHECK(count.tick() == "collect('c') found");
}

TEST_CASE("pause_reading: held bytes stay held", "[async_chat][read][pause]")
{
    bench<> channel("\r\n");
    CHECK(channel.recv("a\r") == "collect('a')");
    channel.chat->pause_reading();
    CHECK(channel.recv("\nb").empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == "found collect('b')");

    bench<> inside("\r\n");
    inside.chat->on_collect = [&](std::string_view) { inside.chat->pause_reading(); };
    CHECK(inside.recv("a\r") == "collect('a')");
    inside.chat->resume_reading();
    CHECK(inside.tick().empty());
    CHECK(inside.recv("\n") == "found");
}

TEST_CASE("pause_reading: the socket is not read, so that the sender is held up",
          "[async_chat][read][pause]")
{
    bench<> channel;
    channel.chat->pause_reading();
    channel.wire->feed("a");
    channel.wire->feed("b");
    channel.tick();
    CHECK(channel.wire->receives == 0);
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('a') collect('b')");
}

TEST_CASE("pause_reading and resume_reading in one callback change nothing",
          "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->pause_reading();
        channel.chat->resume_reading();
    };
    CHECK(channel.recv("a\nb\nc") == "collect('a') found collect('b') found collect('c')");
    CHECK(channel.recv("\n") == "found");
}

TEST_CASE("resume_reading without a pause does nothing", "[async_chat][read][pause]")
{
    bench<> channel("\r\n");
    channel.recv("a\r");
    channel.chat->resume_reading();
    CHECK(channel.tick().empty());
    CHECK(channel.recv("\n") == "found");
}

TEST_CASE("pausing again before the input was delivered keeps it", "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nb\n");
    channel.chat->resume_reading();
    channel.chat->pause_reading();
    CHECK(channel.tick().empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('b') found");
}

TEST_CASE("a terminator set while paused governs the input that waits", "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nbc;d\n");
    channel.chat->set_terminator(";");
    channel.chat->resume_reading();
    CHECK(channel.tick() == "collect('bc') found");
}

TEST_CASE("closing while paused drops the input that waits", "[async_chat][read][pause]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nb\n");
    channel.chat->resume_reading();
    channel.chat->close();
    CHECK(channel.tick() == "closed");
}

TEST_CASE("a callback may run the loop: the rest of the input stays in order", "[async_chat][read]")
{
    // Input comes while frames are being delivered, in a turn of the channel's own and in one
    // that resume_reading() made.
    const bool resumed = GENERATE(false, true);
    CAPTURE(resumed);
    bench<> channel("\n");
    int runs = 0;
    const auto run_loop = [&] {
        if (runs++ < 2) {
            channel.wire->feed("late" + std::to_string(runs) + "\n");
            channel.handle.post([](recording_chat&) {}); // an event: it looks what to wait for
            channel.loop.context().poll();
        }
    };
    if (resumed) {
        channel.chat->on_found = [&] { channel.chat->pause_reading(); };
        channel.recv("a\nb\nc\nd\n");
        channel.chat->on_found = run_loop;
        channel.chat->resume_reading();
        channel.tick();
    } else {
        channel.chat->on_found = run_loop;
        channel.recv("a\nb\nc\nd\n");
    }
    channel.tick();
    CHECK(channel.chat->seen == frames{"a", "b", "c", "d", "late1", "late2"});
    CHECK(channel.chat->frame.empty());
}

TEST_CASE("a callback may run the loop: also in a channel that always says it is readable",
          "[async_chat][read]")
{
    class eager_chat : public recording_chat {
    public:
        using recording_chat::recording_chat;
        bool readable() override { return !closed(); }
    };
    bench<eager_chat> channel("\n");
    channel.chat->on_found = [&] { channel.chat->pause_reading(); };
    channel.recv("a\nb\nc\n");
    bool ran = false;
    channel.chat->on_found = [&] {
        if (std::exchange(ran, true))
            return;
        channel.wire->feed("late\n");
        for (int i = 0; i < 10; ++i)
            channel.loop.context().poll_one();
    };
    channel.chat->resume_reading();
    channel.tick();
    CHECK(channel.chat->seen == frames{"a", "b", "c", "late"});
}

// --- errors of the system ------------------------------------------------------------------------

TEST_CASE("would-block on receiving is silent", "[async_chat][read][errors]")
{
    const auto number = GENERATE(EAGAIN, EWOULDBLOCK, EALREADY, EINPROGRESS, EINTR);
    CAPTURE(number);
    bench<> channel("\r\n");
    CHECK(channel.recv("ab\r") == "collect('ab')");
    CHECK(channel.recv_error(number).empty());
    CHECK(channel.recv("\n") == "found");
    CHECK(channel.chat->errors == 0);
}

TEST_CASE("errors are told apart whether they come from Asio or from the standard library",
          "[async_chat][read][errors]")
{
    for (const auto* category :
         {&asio::error::get_system_category(), &std::system_category(), &std::generic_category()}) {
        CAPTURE(category->name());
        CHECK(asynchat::is_would_block(std::error_code(EAGAIN, *category)));
        CHECK(asynchat::is_would_block(std::error_code(EINTR, *category)));
        CHECK_FALSE(asynchat::is_would_block(std::error_code(EIO, *category)));
        for (const int number : {ECONNRESET, ENOTCONN, ESHUTDOWN, ECONNABORTED, EPIPE, EBADF})
            CHECK(asynchat::is_disconnected(std::error_code(number, *category)));
        CHECK_FALSE(asynchat::is_disconnected(std::error_code(EAGAIN, *category)));
        bench<> channel;
        channel.wire->feed_error(std::error_code(EAGAIN, *category));
        CHECK(channel.tick().empty());
        channel.wire->feed_error(std::error_code(ECONNRESET, *category));
        CHECK(channel.tick() == "handle_close closed");
    }
    // The same numbers mean other things elsewhere.
    CHECK_FALSE(asynchat::is_would_block(asio::error::eof));
    CHECK_FALSE(asynchat::is_disconnected(std::error_code(EPIPE, std::future_category())));
}

TEST_CASE("a lost connection on receiving is handle_close, not handle_error",
          "[async_chat][read][errors]")
{
    const auto number = GENERATE(ECONNRESET, ENOTCONN, ESHUTDOWN, ECONNABORTED, EPIPE, EBADF);
    CAPTURE(number);
    bench<> channel("\r\n");
    channel.recv("ab\r");
    CHECK(channel.recv_error(number) == "collect('\\r') handle_close closed");
    CHECK(channel.reason() == close_reason::reset);
    CHECK(channel.chat->close_error().value() == number);
    CHECK(channel.chat->logs.empty());
}

TEST_CASE("other errors on receiving go to handle_error", "[async_chat][read][errors]")
{
    const auto number = GENERATE(ETIMEDOUT, EHOSTUNREACH, EIO, ECONNREFUSED);
    CAPTURE(number);
    bench<> channel("\r\n");
    CHECK(channel.recv_error(number) ==
          "handle_error(" + support::errno_name(number) + ") handle_close closed");
    CHECK(channel.reason() == close_reason::system_error);
    CHECK(channel.chat->close_error().value() == number);
    REQUIRE(channel.chat->logs.size() == 1);
    CHECK_THAT(channel.chat->logs[0], ContainsSubstring("error: "));
}

TEST_CASE("handle_read called directly passes an error of the system to handle_error itself",
          "[async_chat][read][errors]")
{
    bench<> channel;
    channel.wire->feed_error(EIO);
    CHECK_NOTHROW(channel.chat->handle_read());
    CHECK(channel.tick() == "handle_error(EIO) handle_close closed");
}

TEST_CASE("a channel that survives an error on receiving goes on", "[async_chat][read][errors]")
{
    bench<> channel("\r\n");
    channel.chat->survives = true;
    channel.recv("ab\r");
    CHECK(channel.recv_error(EIO) == "handle_error(EIO)");
    CHECK(channel.reason() == close_reason::open);
    CHECK(channel.recv("\n") == "found");
}

namespace {

/// A layer that rotates letters on the way in and may answer what it likes.
class layered_chat : public recording_chat {
public:
    using recording_chat::recording_chat;
    std::size_t recv(asio::mutable_buffer into) override
    {
        if (on_recv)
            on_recv();
        const std::size_t size = recording_chat::recv(into);
        if (drops_input)
            return 0;
        auto* const bytes = static_cast<char*>(into.data());
        std::transform(bytes, bytes + size, bytes,
                       [](char c) { return c == '\n' ? c : static_cast<char>(c + 1); });
        return size;
    }
    bool drops_input = false;
    std::function<void()> on_recv;
};

} // namespace

TEST_CASE("an overridden recv is a layer: it transforms, or has nothing now",
          "[async_chat][read][layer]")
{
    bench<layered_chat> channel("\n");
    CHECK(channel.recv("HAL\n") == "collect('IBM') found");
    channel.chat->drops_input = true;
    CHECK(channel.recv("HAL\n").empty());
    CHECK(channel.open());
    channel.chat->drops_input = false;
    CHECK(channel.eof() == "handle_eof handle_close closed");
}

TEST_CASE("an overridden recv may do what a callback may", "[async_chat][read][layer]")
{
    bench<layered_chat> channel("\r\n");
    channel.recv("a");
    SECTION("change the terminator while bytes are held")
    {
        channel.recv("\x0c"); // \r for the layer above
        channel.chat->on_recv = [&] { channel.chat->set_terminator("\rc"); };
        CHECK(channel.recv("b") == "found");
    }
    SECTION("drop the held bytes")
    {
        channel.recv("\x0c");
        channel.chat->on_recv = [&] { channel.chat->discard_buffers(); };
        CHECK(channel.recv("b") == "collect('c')");
    }
    SECTION("pause")
    {
        channel.chat->on_recv = [&] { channel.chat->pause_reading(); };
        CHECK(channel.recv("b").empty());
        channel.chat->on_recv = nullptr;
        channel.chat->resume_reading();
        CHECK(channel.tick() == "collect('c')"); // what was received is not lost
    }
    SECTION("close")
    {
        channel.chat->on_recv = [&] { channel.chat->close(); };
        CHECK(channel.recv("b") == "closed");
    }
    SECTION("close when done")
    {
        channel.chat->on_recv = [&] { channel.chat->close_when_done(); };
        CHECK(channel.recv("b") == "handle_close closed");
    }
    SECTION("throw")
    {
        channel.chat->on_recv = [&] { throw user_error(); };
        CHECK(channel.recv("b") == "handle_error(user) handle_close closed");
    }
}

// --- the longest frame ---------------------------------------------------------------------------

TEST_CASE("max_frame: exactly so many bytes are delivered before the verdict, however they come",
          "[async_chat][read][limit]")
{
    const auto chunk = GENERATE(as<std::size_t>{}, 1, 2, 3, 4, 5, 9, 10, 11, 100);
    const auto term = GENERATE(as<std::string>{}, "\n", "\r\n", "xyxyxy");
    CAPTURE(chunk, term);
    bench<> channel(term);
    channel.chat->max_frame(10);
    const std::string input =
        "ok" + term + std::string(10, 'a') + term + std::string(11, 'b') + term + "more" + term;
    for (std::size_t at = 0; at < input.size(); at += chunk)
        channel.recv(input.substr(at, chunk));
    CHECK(channel.chat->seen == frames{"ok", std::string(10, 'a')});
    CHECK(channel.chat->frame == std::string(10, 'b'));
    CHECK_FALSE(channel.open());
    CHECK(channel.reason() == close_reason::frame_limit);
    CHECK(channel.chat->closes == 1);
    CHECK(channel.chat->errors == 0);
}

TEST_CASE("max_frame: every cut gives the same verdict at the same byte",
          "[async_chat][read][limit]")
{
    const auto* const input = GENERATE("abc\rdef\n\r\ng", "abcde\r\nf", "abcdef\r\n", "abcd\r\r\n",
                                       "abcd\r\re", "\r\r\r\r\r\r\n", "ab\r\ncdefghi");
    CAPTURE(input);
    const std::string bytes = input;
    asynchat::loop loop;
    std::string whole;
    for (std::uint32_t cuts = 0; cuts < 1U << (bytes.size() - 1); ++cuts) {
        const auto wire = std::make_shared<support::wire>();
        const support::driven<recording_chat> owned(loop, wire);
        recording_chat* const chat = &*owned;
        chat->set_terminator("\r\n", 5);
        std::size_t begin = 0;
        for (std::size_t end = 1; end <= bytes.size() && !chat->closed(); ++end) {
            if (end == bytes.size() || ((cuts >> (end - 1)) & 1U) != 0) {
                wire->feed(bytes.substr(begin, end - begin));
                begin = end;
                chat->handle_read();
            }
        }
        std::string result = std::string(to_string(chat->close_reason())) + ": ";
        for (const std::string& frame : chat->seen)
            result += "[" + frame + "]";
        result += chat->frame;
        if (cuts == 0)
            whole = result;
        CAPTURE(cuts);
        REQUIRE(result == whole);
    }
}

TEST_CASE("max_frame: is 64 KiB at first, per channel and per terminator",
          "[async_chat][read][limit]")
{
    bench<> channel;
    auto& chat = *channel.chat;
    CHECK(chat.max_frame() == 65536);
    chat.max_frame(100);
    CHECK(chat.max_frame() == 100);
    chat.set_terminator("\n", 5);
    CHECK(chat.max_frame() == 5);
    chat.set_terminator("\n");
    CHECK(chat.max_frame() == 100);
    chat.set_terminator("\n", unlimited);
    CHECK(chat.max_frame() == unlimited);

    bench<> large("\n");
    large.recv(std::string(65536, 'x'));
    CHECK(large.open());
    CHECK(large.recv("\n") == "found");
    large.recv(std::string(65536, 'x'));
    CHECK(large.open());
    large.recv("x");
    CHECK(large.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: made lower than the begun frame has, it is judged", "[async_chat][limit]")
{
    const std::string rest = GENERATE(as<std::string>{}, "\n", "4\n", "45678901\n");
    bench<> channel("\n");
    channel.recv("123");
    channel.chat->max_frame(2);
    channel.recv(rest);
    CHECK(channel.chat->seen.empty());
    CHECK(channel.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: of a terminator ends with it", "[async_chat][read][limit]")
{
    bench<> channel;
    channel.chat->max_frame(3);
    channel.chat->set_terminator("\n", 6);
    channel.chat->on_found = [&] { channel.chat->set_terminator("\n"); };
    channel.recv("abcdef\nabcd\n");
    CHECK(channel.chat->seen == frames{"abcdef"});
    CHECK(channel.chat->frame == "abc");
    CHECK(channel.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: the log line names the limit and who set it", "[async_chat][read][limit]")
{
    bench<> channel("\n");
    channel.chat->max_frame(1234);
    channel.recv(std::string(2000, 'x'));
    REQUIRE(channel.chat->logs.size() == 1);
    CHECK_THAT(channel.chat->logs[0],
               ContainsSubstring("1234") && ContainsSubstring("max_frame()"));

    bench<> other;
    other.chat->set_terminator("\n", 777);
    other.recv(std::string(2000, 'x'));
    REQUIRE(other.chat->logs.size() == 1);
    CHECK_THAT(other.chat->logs[0],
               ContainsSubstring("777") && ContainsSubstring("set_terminator()"));
}

TEST_CASE("max_frame: 0 allows empty frames only", "[async_chat][read][limit]")
{
    bench<> channel("\r\n");
    channel.chat->max_frame(0);
    CHECK(channel.recv("\r\n\r") == "found");
    CHECK(channel.recv("\n") == "found");
    CHECK(channel.recv("x\r\n") == "handle_close closed");
    CHECK(channel.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: unlimited frames have no end", "[async_chat][read][limit]")
{
    bench<> channel;
    channel.chat->set_terminator("\n", unlimited);
    for (int i = 0; i < 5; ++i)
        channel.recv(std::string(65536, 'x'));
    CHECK(channel.recv("\n") == "found");
    CHECK(channel.chat->seen[0].size() == 5 * 65536);
}

TEST_CASE("max_frame: does not bound counts and input without a terminator",
          "[async_chat][read][limit]")
{
    const terminator ends = GENERATE(terminator(100), terminator(), terminator(""), terminator(0));
    bench<> channel(ends);
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
    bench<> channel(everything);
    channel.chat->max_frame(10);
    channel.recv("12345678");
    channel.chat->set_terminator("\n");
    CHECK(channel.recv("abcdef\n") == "collect('abcdef') found");
    CHECK(channel.open());
}

TEST_CASE("max_frame: an override of get_terminator that goes from all to a string starts anew",
          "[async_chat][read][limit]")
{
    bench<steering_chat> channel;
    channel.chat->max_frame(10);
    channel.chat->answers = {std::nullopt, "\n"};
    channel.recv("12345678");
    CHECK(channel.recv("abcdef\n") == "collect('abcdef') found");
    CHECK(channel.open());
}

TEST_CASE("max_frame: a frame goes on when its terminator changes in the middle",
          "[async_chat][read][limit]")
{
    bench<> channel("\n");
    channel.chat->max_frame(10);
    channel.recv("12345678");
    channel.chat->set_terminator(";");
    CHECK(channel.recv("abcdef;") == "collect('ab') handle_close closed");
    CHECK(channel.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: what is redelivered after an exception counts once",
          "[async_chat][read][limit]")
{
    bench<> channel("\n");
    channel.chat->max_frame(10);
    channel.chat->survives = true;
    bool thrown = false;
    channel.chat->on_collect = [&](std::string_view) {
        if (!std::exchange(thrown, true))
            throw user_error();
    };
    channel.recv("12345678");
    CHECK(channel.recv("90\n") == "collect('1234567890') found");
    CHECK(channel.open());
}

TEST_CASE("max_frame: pausing at the limit delivers no byte twice and keeps the verdict",
          "[async_chat][read][limit][pause]")
{
    bench<> channel("\n");
    channel.chat->max_frame(4);
    channel.chat->on_collect = [&](std::string_view) { channel.chat->pause_reading(); };
    CHECK(channel.recv("abcdef\n") == "collect('abcd')");
    CHECK(channel.open());
    channel.chat->resume_reading();
    CHECK(channel.tick() == "handle_close closed");
    CHECK(channel.reason() == close_reason::frame_limit);
}

TEST_CASE("max_frame: a terminator set with the last allowed byte governs the following one",
          "[async_chat][read][limit]")
{
    // As it does when the input happens to be cut there.
    const bool cut = GENERATE(false, true);
    CAPTURE(cut);
    bench<> channel("\n");
    channel.chat->max_frame(4);
    channel.chat->on_collect = [&](std::string_view) { channel.chat->set_terminator(2); };
    if (cut) {
        channel.recv("abcd");
        channel.chat->on_collect = nullptr;
        channel.recv("efg");
    } else {
        channel.chat->on_collect = [&](std::string_view) {
            channel.chat->set_terminator(2);
            channel.chat->on_collect = nullptr;
        };
        channel.recv("abcdefg");
    }
    CHECK(channel.chat->seen == frames{"abcdef"});
    CHECK(channel.open());
}

TEST_CASE("max_frame: a log that closes or throws does not break the verdict",
          "[async_chat][read][limit]")
{
    bench<> channel("\n");
    channel.chat->max_frame(4);
    channel.chat->on_close = [&] {}; // forgets to close: the library does it
    CHECK(channel.recv("abcdef\n") == "collect('abcd') handle_close closed");
    CHECK(channel.recv("x").empty());
}

TEST_CASE("_collect_incoming_data: keeps the pieces, _get_data joins and empties",
          "[async_chat][read]")
{
    bench<> channel("\r\n");
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
    bench<> channel(ends);
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
