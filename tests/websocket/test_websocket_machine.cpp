// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "cases.hpp"
#include "frames.hpp"
#include "machine_reader.hpp"
#include "naive_frames.hpp"
#include "support/catch.hpp"
#include "support/cuts.hpp"

#include <asynchat/detail/websocket/masking.hpp>
#include <asynchat/detail/websocket/websocket_machine.hpp>
#include <asynchat/escape.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using asynchat::detail::websocket_machine;
using support::frame;
using strings = std::vector<std::string>;
using event = websocket_machine::event;

namespace {

using reader = support::machine_reader;

strings read_in_one(std::string_view input)
{
    reader one;
    one.receive(input);
    return one.told;
}

template <class NextSize>
strings read_in_pieces(std::string_view input, NextSize next_size)
{
    reader one;
    support::in_pieces(input, next_size, [&](std::string_view piece) { one.receive(piece); });
    return one.told;
}

strings read_cut_at(std::string_view input, std::size_t at)
{
    reader one;
    one.receive(input.substr(0, at));
    one.receive(input.substr(at));
    return one.told;
}

/// Each cut of a short input; of a long one all pieces of one size and all cuts in two.
void require_at_every_cut(std::string_view input, const strings& expected)
{
    REQUIRE(read_in_one(input) == expected);
    REQUIRE(support::naive_frames(input, support::max_message_of_cases).told == expected);
    if (input.size() <= 12 && !input.empty()) {
        support::for_each_cut(input.size(), [&](const support::cut& cut) {
            if (read_in_pieces(input, cut) != expected)
                FAIL("cut " << cut.places());
        });
        return;
    }
    const std::size_t step = std::max<std::size_t>(1, input.size() / 100);
    for (std::size_t n = 1; n < input.size(); n += n < 20 ? 1 : step) {
        if (input.size() < 2000 && read_in_pieces(input, support::of_size(n)) != expected)
            FAIL("pieces of " << n);
        if (read_cut_at(input, n) != expected || read_cut_at(input, input.size() - n) != expected)
            FAIL("cut at " << n << " from either end");
    }
    if (input.size() >= 2000) {
        for (const std::size_t n : {1U, 3U, 8U, 4096U})
            REQUIRE(read_in_pieces(input, support::of_size(n)) == expected);
    }
}

} // namespace

TEST_CASE("websocket_machine: the cases of RFC 6455, at every cut", "[websocket]")
{
    const auto& cases = support::all_websocket_cases();
    REQUIRE(cases.size() >= 300);
    for (const auto& each : cases) {
        INFO(each.section << ": " << each.what << ": " << asynchat::escaped(each.input, 60));
        require_at_every_cut(each.input, each.outcome);
    }
}

TEST_CASE("websocket_machine: no two cases are the same", "[websocket]")
{
    std::set<std::string> seen;
    for (const auto& each : support::all_websocket_cases()) {
        INFO(each.section << ": " << each.what);
        REQUIRE(seen.insert(each.input).second);
    }
}

TEST_CASE("websocket_machine: forty frames at every cut", "[websocket]")
{
    std::string input;
    strings expected;
    for (int i = 0; i < 10; ++i) {
        const std::string number = std::to_string(i);
        input += frame(support::text, "message ") + frame(support::fin | support::ping, number) +
                 frame(support::fin, number + "\xe2\x82\xac") +
                 frame(support::fin | support::binary,
                       std::string(static_cast<std::size_t>(i * 20), 'b'));
        expected.push_back("ping " + number);
        expected.push_back("text message " + number + "\xe2\x82\xac");
        expected.push_back("binary " + std::string(static_cast<std::size_t>(i * 20), 'b'));
    }
    for (std::size_t at = 0; at <= input.size(); ++at) {
        if (read_cut_at(input, at) != expected)
            FAIL("cut at " << at);
        if (at > 0 && read_in_pieces(input, support::of_size(at)) != expected)
            FAIL("pieces of " << at);
    }
}

TEST_CASE("websocket_machine: a fault is found at the first byte that shows it", "[websocket]")
{
    for (const auto& each : support::all_websocket_cases()) {
        if (each.outcome.empty() || each.outcome.back().substr(0, 5) != "fault")
            continue;
        INFO(each.section << ": " << each.what << ": " << asynchat::escaped(each.input, 60));
        reader one;
        std::size_t at = 0;
        while (one.told.size() < each.outcome.size() && at < each.input.size())
            one.receive(std::string_view(each.input).substr(at++, 1));
        reader other;
        other.receive(std::string_view(each.input).substr(0, at - 1));
        CHECK(other.told.size() == each.outcome.size() - 1);
    }
}

TEST_CASE("websocket_machine: a length is judged before there is memory for it", "[websocket]")
{
    reader one(1000);
    one.receive(frame(support::fin | support::text, std::string(1001, 'x')).substr(0, 4));
    CHECK(one.told == strings{"fault 1009"});

    reader lowered(0);
    lowered.receive(frame(support::fin | support::text, ""));
    lowered.receive(frame(support::fin | support::text, "x"));
    CHECK(lowered.told == strings{"text ", "fault 1009"});
}

TEST_CASE("websocket_machine: it knows how many bytes are wanted", "[websocket]")
{
    websocket_machine machine;
    CHECK(machine.is_at_rest());
    CHECK(machine.wanted() == 6); // the shortest header of a client
    machine.next("\x82", 1000);
    CHECK(machine.wanted() == 5);
    CHECK_FALSE(machine.is_at_rest());
    machine.next("\xfe", 1000);
    CHECK(machine.wanted() == 6); // two of the length, four of the key
    machine.next(std::string("\x01\x00", 2), 1000);
    machine.next("abcd", 1000);
    CHECK(machine.wanted() == 256);
    CHECK(machine.next(std::string(255, 'x'), 1000).what == event::none);
    CHECK(machine.wanted() == 1);
    const auto last = machine.next("xyz", 1000); // of which two are of the next frame
    CHECK(last.size == 1);
    CHECK(last.what == event::message);
    CHECK(machine.take_message().size() == 256);
    CHECK(machine.is_at_rest());
    CHECK(machine.wanted() == 6);
}

TEST_CASE("websocket_machine: it keeps nothing of a message that was taken", "[websocket]")
{
    CHECK(sizeof(websocket_machine) <= 48);
    reader one;
    one.receive(frame(support::text, "abc") + frame(support::fin | support::ping, "xy"));
    CHECK_FALSE(one.machine().is_at_rest());
    one.receive(frame(support::fin, "def"));
    CHECK(one.told == strings{"ping xy", "text abcdef"});
    CHECK(one.machine().is_at_rest());
}

TEST_CASE("unmask: any number of bytes, from any place of the key on", "[websocket]")
{
    using asynchat::detail::masking_key;
    for (std::size_t size = 0; size < 100; ++size) {
        const std::string plain(size, 'p');
        std::string bytes = support::masked(plain + "behind");
        masking_key key{0x37, 0xfa, 0x21, 0x3d}; // the usual one
        bool is_ascii = asynchat::detail::unmask(bytes.data(), size, key);
        CHECK(is_ascii);
        CHECK(bytes.substr(0, size) == plain);
        is_ascii = asynchat::detail::unmask(bytes.data() + size, 6, key);
        CHECK(is_ascii);
        CHECK(bytes.substr(size) == "behind");
        for (std::size_t at = 0; at < size; ++at) {
            std::string text = plain;
            text[at] = '\x80';
            text = support::masked(text);
            key = {0x37, 0xfa, 0x21, 0x3d};
            if (asynchat::detail::unmask(text.data(), size, key))
                FAIL("byte " << at << " of " << size << " is not ASCII");
        }
    }
}

TEST_CASE("utf8_check: it agrees with a decoder that is slow", "[websocket]")
{
    const auto is_good = [](std::string_view text) {
        bool is_wrong = false;
        return support::size_of_utf8(text, is_wrong) == text.size();
    };
    std::size_t good = 0;
    const auto check = [&](const std::string& text) {
        const bool expected = is_good(text);
        good += expected ? 1 : 0;
        if (asynchat::detail::is_utf8(text) != expected)
            FAIL(asynchat::escaped(text));
    };
    const std::string tails = "\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0";
    for (int first = 0; first < 256; ++first) {
        const std::string one(1, static_cast<char>(first));
        check(one);
        for (const char a : tails) {
            check(one + a);
            for (const char b : tails) {
                check(one + a + b);
                for (const char c : tails)
                    check(one + a + b + c);
            }
        }
    }
    CHECK(good > 2000); // one byte, and two, three, four
}

TEST_CASE("whole_characters: a text is cut between characters", "[websocket]")
{
    using asynchat::detail::whole_characters;
    const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    CHECK(whole_characters(text, 100) == text);
    CHECK(whole_characters(text, 10) == text);
    for (const std::size_t n : {6U, 7U, 8U, 9U})
        CHECK(whole_characters(text, n) == text.substr(0, 6));
    CHECK(whole_characters(text, 2) == "a");
    CHECK(whole_characters(text, 0).empty());
}
