// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/cut_checker.hpp"
#include "support/cuts.hpp"
#include "support/decoder_reader.hpp"
#include "support/naive_outcome.hpp"

#include <asynchat/detail/framing/frame_decoder.hpp>
#include <asynchat/detail/framing/frame_pass.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using support::for_each_cut;
using support::in_pieces;
using support::limited_script;
using namespace support::decoding;
using namespace std::string_literals;

// --- every cut of an input is the same -----------------------------------------------------------

TEST_CASE("frame_decoder: what comes out does not depend on the cuts", "[unit][decoder]")
{
    for (const support::framing_script& each : scripts()) {
        for (const std::size_t limit : {std::size_t{1}, std::size_t{3}, unlimited}) {
            for (const overflow answer : answers) {
                if (limit == unlimited && answer != overflow::close)
                    continue;
                const limited_script task{each, limit, answer};
                support::cut_checker(task).check_every_cut();
            }
        }
    }
}

TEST_CASE("frame_decoder: random scripts, randomly cut", "[unit][decoder]")
{
    support::random_numbers random(1);
    for (int n = 0; n < 400; ++n) {
        limited_script task;
        task.script = support::random_script(random, random.between(13, 300));
        task.max_frame = random.one_in(3) ? unlimited : random.between(0, 80);
        task.answer = answers[random.between(0, 2)];
        const std::size_t most = random.between(1, 100);
        support::cut_checker(task).check([&] { return random.between(1, most); });
    }
}

TEST_CASE("frame_decoder: random frames behind their lengths, randomly cut", "[unit][decoder]")
{
    support::random_numbers random(2);
    for (std::size_t n = 0; n < 300; ++n) {
        const terminator kinds[] = {terminator::varint(), terminator::netstring(),
                                    terminator::length_prefix(n % 8 + 1)};
        const terminator& kind = kinds[random.between(0, 2)];
        limited_script task = script("", {kind}, random.between(0, 200));
        task.answer = answers[random.between(0, 2)];
        for (std::size_t frames = random.between(1, 9); frames > 0; --frames) {
            const std::size_t size = random.between(0, random.one_in(2) ? 4 : 200);
            task.script.input += support::encoded_length(size, kind) + random.word(size, 3);
            if (kind == terminator::netstring())
                task.script.input += random.one_in(20) ? ';' : ',';
        }
        const std::size_t most = random.between(1, 100);
        support::cut_checker(task).check([&] { return random.between(1, most); });
    }
}

TEST_CASE("frame_decoder: a frame that is too long is judged once", "[unit][decoder]")
{
    for (const overflow answer : {overflow::skip, overflow::truncate}) {
        const bool told = answer == overflow::truncate;
        for_each_cut(12, [&](const support::cut& cut) {
            const auto check = [&](const char* input, const terminator& kind, std::size_t verdicts,
                                   const char* expected) {
                reader now(script("", {kind}, 2, answer));
                in_pieces(input, cut, [&](std::string_view piece) { now.receive(piece); });
                REQUIRE(now.verdicts == verdicts);
                REQUIRE(now.told() == expected);
            };
            check("abcd\nef\nghi\n", "\n", 2, told ? "[ab~][ef][gh~]" : "[ef]");
            check("4:abcd,2:ef,", terminator::netstring(), 1, told ? "[ab~][ef]" : "[ef]");
        });
    }
}

TEST_CASE("frame_decoder: a string is judged after the limit, a length before any byte",
          "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set("\n", 3);
    {
        pass input(decoder, "abcd");
        const auto piece = input.next();
        CHECK(input.piece(piece) == "abc");
        CHECK_FALSE(input.take(piece));
        REQUIRE(input.next().is_rare());
        CHECK(input.next().why() == rare::too_long);
        CHECK(input.rest() == "d");
        input.drop();
    }
    decoder.set(terminator::length_prefix(1), 3);
    {
        pass input(decoder, "\x04");
        REQUIRE(input.next().is_rare());
        CHECK(input.next().why() == rare::too_long);
        CHECK(input.rest() == "\x04"); // not taken before there is an answer
        input.drop_frame(false);
        CHECK(input.empty());
        CHECK(decoder.is_dropping());
    }
    {
        pass input(decoder, "abcd"
                            "\x01"
                            "e");
        auto step = input.next();
        CHECK(step.size() == 0);
        CHECK_FALSE(input.take(step));
        CHECK_FALSE(decoder.is_dropping());
        step = input.next();
        CHECK(input.piece(step) == "e");
        CHECK(input.take(step));
        CHECK(input.frames() == 1); // what is skipped is not reported
    }
}

TEST_CASE("frame_decoder: what is malformed, and where", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set(terminator::netstring(), 9);
    {
        pass input(decoder, "1:a,1x");
        CHECK(input.take(input.next()));
        REQUIRE(input.next().is_rare());
        CHECK(input.next().why() == rare::malformed);
        CHECK(input.fault().position == 1);
        CHECK(input.fault().fault == "is not a digit"s);
        input.drop();
    }
    {
        pass input(decoder, "1:ab");
        CHECK_FALSE(input.take(input.next()));
        REQUIRE(input.next().is_rare());
        CHECK(input.next().why() == rare::malformed);
        CHECK(input.fault().position == 0);
        CHECK(input.fault().fault == nullptr);
        input.drop();
    }
}

TEST_CASE("frame_decoder: a length that no number can hold is too long, and has no end",
          "[unit][decoder]")
{
    const bool truncates = GENERATE(false, true);
    frame_decoder decoder;
    decoder.set(terminator::length_prefix(8), unlimited);
    {
        pass input(decoder, "\xff\xff\xff\xff\xff\xff\xff\xff"
                            "ab");
        REQUIRE(input.next().is_rare());
        REQUIRE(input.next().why() == rare::too_long);
        input.drop_frame(truncates);
        const auto step = input.next();
        CHECK(step.size() == (truncates ? 2 : 0));
        CHECK_FALSE(input.take(step));
        CHECK(input.empty());
    }
    // What is left of it is not known either: nothing that follows is taken for another frame.
    CHECK(decoder.current().count() == std::numeric_limits<std::size_t>::max());
    CHECK(decoder.is_dropping());
    CHECK(decoder.lacking() == 0);

    decoder.set(terminator::length_prefix(8), unlimited);
    {
        pass input(decoder, "\xff\xff\xff\xff\xff\xff\xff\xfe"
                            "ab"); // one less is a number
        if (sizeof(std::size_t) == 8) {
            REQUIRE_FALSE(input.next().is_rare());
            CHECK_FALSE(input.take(input.next()));
            CHECK(decoder.lacking() == std::numeric_limits<std::size_t>::max() - 3);
        }
        input.drop();
    }
}

TEST_CASE("frame_decoder: the byte that should not follow a counted frame", "[unit][decoder]")
{
    const std::string input = "ab\r\nX"; // behind it has to be "\r\n\r\n"
    for_each_cut(input.size(), [&](const support::cut& cut) {
        CAPTURE(cut.places());
        reader now(script("", {terminator::counted(2, "\r\n\r\n")}, 9));
        std::size_t looks = 0;
        now.at_rest = [&](reader::moment where, pass& at) {
            if (where != reader::moment::at_rare_step)
                return;
            ++looks;
            CHECK(at.fault().position == 2);
            CHECK(at.fault().fault == nullptr);
            CHECK(at.fault().expected == '\r');
            CHECK(at.rest() == "\r\nX");
        };
        in_pieces(input, cut, [&](std::string_view piece) { now.receive(piece); });
        CHECK(looks == 1);
        CHECK(now.told() == "ab (bad frame)");
    });
}

TEST_CASE("frame_decoder: what has to follow a counted frame is not looked at twice",
          "[unit][decoder]")
{
    // Held back in pieces of any size, at the same cost: and given back when it is not needed.
    const std::string behind(5000, 'x');
    frame_decoder decoder;
    decoder.set(terminator::counted(1, behind), 9);
    {
        pass input(decoder, "ax");
        const auto step = input.next();
        CHECK(step.size() == 1);
        CHECK_FALSE(input.take(step));
    }
    for (std::size_t held = 1; held < behind.size(); ++held) {
        REQUIRE(decoder.carried().size() == held);
        REQUIRE_FALSE(decoder.has_unread());
        REQUIRE(decoder.in_frame());
        const std::string front(decoder.carried());
        const std::string all = front + "x";
        pass input(decoder, all);
        CHECK(input.take(input.next()) == (held + 1 == behind.size()));
    }
    CHECK(decoder.carried().empty());
    CHECK_FALSE(decoder.in_frame());
    CHECK(decoder.current() == terminator(0));

    decoder.set(terminator::counted(0, "abc"), 9);
    {
        pass input(decoder, "ab");
        CHECK_FALSE(input.take(input.next()));
    }
    decoder.set("b", 9);
    CHECK(decoder.carried() == "ab"); // what was held back is input of the next terminator
    pass input(decoder);
    CHECK(input.piece(input.next()) == "a");
    CHECK(input.take(input.next()));
}

TEST_CASE("frame_decoder: a count with a string behind it tells what is left", "[unit][decoder]")
{
    frame_decoder decoder;
    const terminator wanted = terminator::counted(3, "\r\n");
    decoder.set(wanted, 1); // the limit is not for counts
    CHECK(decoder.current() == wanted);
    CHECK(decoder.has_frame());
    CHECK(decoder.lacking() == 3);
    {
        pass input(decoder, "a");
        CHECK_FALSE(input.take(input.next()));
        CHECK(input.next().is_starved());
    }
    CHECK(decoder.current() == terminator::counted(2, "\r\n"));
    decoder.start_anew(); // as a count does, it goes on with another stream
    CHECK(decoder.current() == terminator::counted(2, "\r\n"));
    CHECK_FALSE(decoder.filled(2)); // the string is still to come
    CHECK(decoder.current() == terminator::counted(0, "\r\n"));
    CHECK(decoder.in_frame());
    CHECK(decoder.has_frame());
    pass input(decoder, "\r\nb");
    CHECK(input.take(input.next()));
    CHECK(decoder.current() == terminator(0)); // spent
    CHECK_FALSE(decoder.has_frame());
    CHECK(input.piece(input.next()) == "b");
    CHECK_FALSE(input.take(input.next()));
    CHECK_FALSE(decoder.in_frame());
}

// --- limits and unread input ---------------------------------------------------------------------

TEST_CASE("frame_decoder: the limit is lowered in the middle of a frame", "[unit][decoder]")
{
    reader now(script("", {"\r\n"}, 10));
    now.receive("abcd");
    now.decoder.limit(2);
    now.receive("\r");
    CHECK(now.verdicts == 0); // perhaps it ends here
    now.receive("\n");
    CHECK(now.verdicts == 1);
    CHECK(now.told() == "[abcd~]");
    now.receive("ef\r\ng");
    CHECK(now.told() == "[abcd~][ef]g");
    now.decoder.limit(1);
    now.receive("\r\n");
    CHECK(now.verdicts == 1); // just so long
    CHECK(now.told() == "[abcd~][ef][g]");
    CHECK(now.fault() == "");

    reader truncated(script("", {terminator::length_prefix(1)}, 4));
    truncated.receive("\x06"
                      "ab");
    CHECK(truncated.told() == "ab");
    truncated.decoder.limit(3);
    truncated.receive("cdef");
    CHECK(truncated.told() == "[abc~]");

    reader counted(script("", {6}, 4)); // a count needs no limit
    counted.receive("abcdefg");
    CHECK(counted.verdicts == 0);
    CHECK(counted.told() == "[abcdef]g");
}

TEST_CASE("frame_decoder: truncated() holds until the next look", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set("\n", 1);
    pass input(decoder, "abc\nd\n");
    CHECK_FALSE(input.take(input.next()));
    REQUIRE(input.next().why() == rare::too_long);
    input.drop_frame(true);
    CHECK(decoder.is_dropping());
    CHECK(input.take(input.next()));
    CHECK(decoder.truncated());
    decoder.set(1, 1);
    CHECK(decoder.truncated());
    const auto step = input.next();
    CHECK_FALSE(decoder.truncated());
    CHECK(input.take(step));
    CHECK_FALSE(decoder.truncated());
    input.drop();
}

TEST_CASE("frame_decoder: unread input is delivered by the next pass", "[unit][decoder]")
{
    for (const support::framing_script& each : scripts()) {
        const limited_script task{each, unlimited, overflow::close};
        reader now(task);
        now.stop_after = 1;
        now.receive(each.input);
        std::size_t passes = 1;
        while (now.decoder.has_unread() && passes < 20) {
            const std::string before(now.decoder.carried());
            now.receive_kept();
            ++passes;
            if (now.decoder.carried() == before)
                break; // the beginning of a length
        }
        INFO(printable(each.input));
        CHECK(now.fault() == "");
        CHECK(now.told() == support::naive_outcome(task, false));
    }

    frame_decoder decoder;
    decoder.set("\n", unlimited);
    {
        pass input(decoder, "a\nb\nc\n");
        CHECK(input.take(input.next()));
        CHECK(input.rest() == "b\nc\n");
    }
    CHECK(decoder.carried() == "b\nc\n");
    const char* const place = decoder.carried().data();
    {
        pass input(decoder);
        CHECK(input.rest().data() == place);
        CHECK(input.take(input.next()));
    }
    CHECK(decoder.carried() == "c\n");
    CHECK(decoder.carried().data() == place + 2); // not moved
    {
        pass input(decoder, "c\nd\n"); // or in front of what is received
        CHECK_FALSE(decoder.has_unread());
        CHECK(input.take(input.next()));
        decoder.discard();
    }
    CHECK(decoder.carried().empty());
}

TEST_CASE("frame_decoder: a piece that was not taken is delivered again", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set(terminator::netstring(), unlimited);
    {
        pass input(decoder, "3:abc,");
        CHECK(input.piece(input.next()) == "abc");
    }
    CHECK(decoder.carried() == "abc,"); // the length was taken
    pass input(decoder);
    CHECK(input.piece(input.next()) == "abc");
    CHECK(input.take(input.next()));
    CHECK(input.empty());
}

TEST_CASE("frame_decoder: bytes that wait for others at the end", "[unit][decoder]")
{
    reader now(script("", {"\r\n"}, 2));
    now.receive("ab\r");
    CHECK(now.decoder.remainder() == "\r");
    CHECK(now.decoder.room_for_remainder() == 0);
    now.decoder.limit(3);
    CHECK(now.decoder.room_for_remainder() == 1);
    now.decoder.drop_remainder();
    CHECK(now.decoder.remainder().empty());
    now.decoder.put_back("\r");
    CHECK(now.decoder.carried() == "\r");

    reader counted(script("", {terminator::counted(1, "\r\n")}, 0));
    counted.receive("a\r");
    CHECK(counted.decoder.remainder() == "\r");
    CHECK(counted.decoder.room_for_remainder() == 1); // no limit holds for a count
    counted.decoder.drop_remainder();
    counted.decoder.put_back("\r");
    CHECK(counted.decoder.carried() == "\r");
    counted.receive("\nb");
    CHECK(counted.told() == "[a]b");

    reader length(script("", {terminator::length_prefix(4)}, 2));
    length.receive("\x00\x00\x00"s);
    CHECK(length.decoder.remainder() == "\x00\x00\x00"s);
    CHECK(length.decoder.room_for_remainder() == 3);
    length.decoder.start_anew();
    CHECK(length.decoder.remainder().empty());
    CHECK_FALSE(length.decoder.in_frame());
    length.keeps_count_of_bytes = false;
    length.receive("\x00\x00\x00\x01z"s);
    CHECK(length.told() == "[z]");
}

TEST_CASE("frame_decoder: bytes of a counted frame that go around", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set(5, unlimited);
    CHECK(decoder.lacking() == 5);
    CHECK_FALSE(decoder.filled(3));
    CHECK(decoder.in_frame());
    CHECK(decoder.filled(2));
    CHECK_FALSE(decoder.in_frame());
    {
        pass input(decoder, pass::received_aside());
        CHECK(input.frames() == 1);
        CHECK(input.empty());
        CHECK(input.next().is_starved());
    }
    decoder.set(terminator::netstring(), unlimited);
    CHECK(decoder.lacking() == 0);
    {
        pass input(decoder, "3:a");
        CHECK_FALSE(input.take(input.next()));
    }
    CHECK(decoder.lacking() == 2);
    CHECK_FALSE(decoder.filled(2)); // the comma is still to come
    pass input(decoder, ",");
    CHECK(input.frame_began() == pass::began::before);
    CHECK(input.take(input.next()));
    CHECK(input.frame_began() == pass::began::nothing);
}

// --- since when a frame goes on ------------------------------------------------------------------

namespace {

/// After each of the pieces.
std::string began(std::vector<terminator> terminators, const std::vector<std::string>& pieces,
                  std::size_t limit = unlimited, overflow answer = overflow::truncate)
{
    reader now(script("", std::move(terminators), limit, answer));
    std::string all;
    for (const std::string& each : pieces) {
        now.receive(each);
        all += (all.empty() ? "" : " ") + name_of(now.began);
    }
    return all;
}

} // namespace

TEST_CASE("frame_decoder: frame_began()", "[unit][decoder]")
{
    CHECK(began({"\n"}, {"a\n", "b", "c", "\nd", "\n"}) == "nothing here before here nothing");
    CHECK(began({"\n"}, {"a", "b\n", "\n", "c\nd\ne"}) == "here nothing nothing here");
    CHECK(began({"\r\n"}, {"\r", "\na", "\r", "\n"}) == "here here before nothing");
    CHECK(began({"\r\n"}, {"a\r", "b\r", "\n\r"}) == "here before here");
    CHECK(began({{"ab", "c"}}, {"a", "xa", "b", "ca"}) == "here before nothing here");
    CHECK(began({5}, {"ab", "cd", "e", "f"}) == "here before nothing nothing");
    CHECK(began({2, 2, 0}, {"a", "bc", "d", "e"}) == "here here nothing nothing");
    CHECK(began({std::nullopt}, {"a", "b"}) == "nothing nothing");
    CHECK(began({""}, {"a", "b"}) == "nothing nothing");
    CHECK(began({terminator::length_prefix(2)}, {"\0"s, "\2"s, "a", "b", "\0\0"s, "\0\1"s}) ==
          "here before before nothing nothing here");
    CHECK(began({terminator::length_prefix(2)}, {"\0"s, "\1a\0"s, "\2"s, "bc\0\2d"s}) ==
          "here here before here");
    CHECK(began({terminator::varint()}, {"\x82", "\x01", "\1"}) == "here before before");
    CHECK(began({terminator::netstring()}, {"1", ":", "a", ",1", ":b", ",0:,"}) ==
          "here before before here before nothing");
}

TEST_CASE("frame_decoder: frame_began() of dropped frames", "[unit][decoder]")
{
    for (const overflow answer : {overflow::skip, overflow::truncate}) {
        CHECK(began({"\n"}, {"ab", "cd", "e\nf", "g", "\n"}, 3, answer) ==
              "here before here before nothing");
        CHECK(began({"\n"}, {"abcdef", "g", "\n", "h"}, 3, answer) == "here before nothing here");
        CHECK(began({"\n"}, {"a", "bcd\ne\nfghij", "k\n"}, 3, answer) == "here here nothing");
        CHECK(began({terminator::length_prefix(1)},
                    {"\x05"
                     "a",
                     "bc",
                     "de"
                     "\x01",
                     "f"},
                    3, answer) == "here before here nothing");
        CHECK(began({terminator::netstring()}, {"5:a", "bcde", ",5:", "abcde,"}, 3, answer) ==
              "here before here nothing");
    }
}

TEST_CASE("frame_decoder: frame_began() behind set()", "[unit][decoder]")
{
    frame_decoder decoder;
    decoder.set("\n", unlimited);
    {
        pass input(decoder, "ab");
        CHECK_FALSE(input.take(input.next()));
        CHECK(input.frame_began() == pass::began::here);
        decoder.set("\r\n", unlimited); // a string after a string goes on with the frame
        CHECK(input.frame_began() == pass::began::here);
    }
    {
        pass input(decoder, "c");
        const auto step = input.next();
        decoder.set("\n", unlimited);
        CHECK_FALSE(input.take(step));
        CHECK(input.frame_began() == pass::began::before);
    }
    {
        pass input(decoder, "de");
        CHECK(input.frame_began() == pass::began::before);
        decoder.set(3, unlimited); // begins another
        CHECK(input.frame_began() == pass::began::nothing);
        CHECK_FALSE(input.take(input.next()));
        CHECK(input.frame_began() == pass::began::here);
    }
    {
        pass input(decoder, "f\n");
        CHECK(input.frame_began() == pass::began::before);
        CHECK(input.take(input.next()));
        CHECK(input.frame_began() == pass::began::nothing);
        decoder.set("\n", unlimited);
        CHECK(input.take(input.next()));
    }
    decoder.go_on_with(4);
    CHECK(decoder.in_frame());
    pass input(decoder, "g");
    CHECK(input.frame_began() == pass::began::before);
    decoder.discard();
    CHECK(input.frame_began() == pass::began::before);
    decoder.start_anew();
    CHECK(input.frame_began() == pass::began::nothing);
}
