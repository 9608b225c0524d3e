// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/cut_checker.hpp"
#include "support/cuts.hpp"
#include "support/naive_outcome.hpp"

#include <asynchat/asynchat.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

// What comes out does not depend on where the input is cut: of terminators of all kinds, with and
// without limits, from a decoder alone and from both faces of a channel.

using asynchat::byte_order;
using asynchat::overflow;
using asynchat::terminator;
using Catch::Matchers::ContainsSubstring;
using support::cut_checker;
using support::limited_script;
using support::of_size;
using namespace std::string_literals;

namespace {

const overflow answers[] = {overflow::close, overflow::skip, overflow::truncate};

void check_randomly(asynchat::loop& loop, const limited_script& task,
                    support::random_numbers& random, int cuts, std::size_t most)
{
    cut_checker checker(loop, task);
    for (int cut = 0; cut < cuts; ++cut) {
        const std::size_t longest = random.between(1, most);
        checker.check([&] { return random.between(1, longest); });
    }
}

/// Different at each place.
std::string long_body()
{
    std::string body;
    while (body.size() < 140000)
        body += std::to_string(body.size()) + ' ';
    return body;
}

} // namespace

// --- strings and counts --------------------------------------------------------------------------

TEST_CASE("every cut of an input gives the frames of the whole, in both faces", "[cuts]")
{
    const limited_script tasks[] = {
        {{"a\r\n\r\nb\r\r\nc\r", {"\r\n"}}},
        {{"qqqqaqqbqqq", {"qqq"}}},
        {{"abaababab", {"abab"}}},
        {{"ab\nabcdefghi", {"\n", 3, 4}}},
        {{"12\r\n\r\n123xyz", {"\r\n\r\n", 3, "xy", std::nullopt}}},
        {{"aaaaaaaaaa", {"aa", 1, "aaa", 2, "a"}}},
        {{"abc\0\0d\0"s, {terminator("\0\0")}}},
        {{"one two", {std::nullopt}}},
        {{"one two", {0}}},
        {{"abcdefg", {5}}},
    };
    asynchat::loop loop;
    for (const auto& task : tasks)
        cut_checker(loop, task).check_every_cut();
}

TEST_CASE("random cuts of random inputs give the frames of the whole, in both faces", "[cuts]")
{
    support::random_numbers random(3);
    asynchat::loop loop;
    for (int number = 0; number < 1000; ++number) {
        const limited_script task{support::random_script(random, random.between(10, 80))};
        check_randomly(loop, task, random, 20, 30);
    }
}

TEST_CASE("max_frame: every cut gives the same verdict at the same byte", "[cuts][limit]")
{
    asynchat::loop loop;
    for (const char* const input : {"abc\rdef\n\r\ng", "abcde\r\nf", "abcdef\r\n", "abcd\r\r\n",
                                    "abcd\r\re", "\r\r\r\r\r\r\n", "ab\r\ncdefghi"}) {
        for (const overflow answer : answers) {
            const limited_script task{{input, {"\r\n"}}, 5, answer};
            cut_checker(loop, task).check_every_cut();
        }
    }
}

// --- a length in front of the frame --------------------------------------------------------------

namespace {

/// Frames with their length in front, some of them malformed, strings in between.
limited_script task_of_lengths(support::random_numbers& random)
{
    limited_script task;
    auto& script = task.script;
    for (std::size_t n = random.between(1, 3); n > 0; --n) {
        switch (random.between(0, 4)) {
        case 0:
            script.terminators.push_back(terminator::length_prefix(
                random.between(1, 8), random.one_in(2) ? byte_order::big : byte_order::little));
            break;
        case 1: script.terminators.push_back(terminator::varint()); break;
        case 2: script.terminators.push_back(terminator::netstring()); break;
        default: script.terminators.push_back(support::random_terminator(random));
        }
    }
    task.max_frame = random.one_in(3) ? asynchat::unlimited : random.between(9, 20);
    task.answer = answers[random.between(0, 2)];
    for (std::size_t i = 0; script.input.size() < 80; ++i) {
        const terminator& kind = script.terminators[i % script.terminators.size()];
        const std::string body =
            random.word(random.one_in(4) ? random.between(0, 30) : random.between(0, 6), 3);
        if (kind.is_length_prefix()) {
            script.input += support::encoded_length(body.size(), kind) + body;
            if (kind == terminator::netstring())
                script.input += random.one_in(20) ? ";" : ",";
            if (random.one_in(20))
                script.input += static_cast<char>(random.between(0, 255));
        } else {
            script.input += body;
            if (!kind.strings().empty())
                script.input += kind.strings()[0];
        }
    }
    return task;
}

} // namespace

TEST_CASE("length prefix: every cut gives the same frames and verdicts, in both faces",
          "[cuts][length][no-tls]")
{
    const limited_script tasks[] = {
        {{"\0\0\2ab\0\0\0\0\0\1c"s, {terminator::length_prefix(3)}}},
        {{"\3\0abc\0\0\1\0d\1"s, {terminator::length_prefix(2, byte_order::little)}}},
        {{"\0\0\0\0\0\0\0\2ab\0"s, {terminator::length_prefix(8)}}},
        {{"\1a\0\2bc\5defg"s, {terminator::length_prefix(1)}}},
        {{"\3abc\0\x81\x80\1x"s, {terminator::varint()}}},
        {{"\1a\x81\0bcd"s, {terminator::varint()}}},
        {{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\2a"s, {terminator::varint()}}},
        {{"2:ab,0:,1:"s, {terminator::netstring()}}},
        {{"1:a,03:abc,"s, {terminator::netstring()}}},
        {{"1:a;1:b,"s, {terminator::netstring()}}},
        {{"1:a,1x:b,"s, {terminator::netstring()}}},
        {{"1:a,:b,"s, {terminator::netstring()}}},
        {{"\1a2:bc,d\ne"s,
          {terminator::length_prefix(1), terminator::netstring(), "\n", terminator::varint()}}},
        {{"ab\n\0\1c\0\0d\n"s, {"\n", terminator::length_prefix(2), {"\r\n", "\n"}}}},
        {{"\1ab\2cdefgh"s, {terminator::varint(), 1, terminator::varint(), std::nullopt}}},
        {{"ab\nabcdef\nghi"s, {"\n"}}},
        {{"ab\r\r\na\rb\r\n"s, {{"\r\n", "\n"}}}},
        {{"\1a\4abcd\2ab\0"s, {terminator::varint()}}},
        {{"4:abcd,1:a,"s, {terminator::netstring()}}},
        {{"4:abcd;1:a,"s, {terminator::netstring()}}},
    };
    asynchat::loop loop;
    for (const auto& task : tasks) {
        for (const std::size_t most : {asynchat::unlimited, std::size_t(3), std::size_t(1)}) {
            for (const overflow answer : answers) {
                limited_script limited = task;
                limited.max_frame = most;
                limited.answer = answer;
                cut_checker(loop, limited).check_every_cut();
            }
        }
    }
}

TEST_CASE("length prefix: random cuts of random inputs give the frames of the whole",
          "[cuts][length]")
{
    support::random_numbers random(41);
    asynchat::loop loop;
    std::string all;
    for (int number = 0; number < 3000; ++number) {
        const limited_script task = task_of_lengths(random);
        all += support::naive_outcome(task, false);
        check_randomly(loop, task, random, 10, 40);
    }
    // All that can happen did.
    CHECK_THAT(all, ContainsSubstring("~]") && ContainsSubstring("(bad frame)") &&
                        ContainsSubstring("(frame limit)"));
}

TEST_CASE("length prefix: a large frame is received straight into its place",
          "[cuts][length][no-tls][slow]")
{
    const std::string body = long_body();
    const terminator kind = GENERATE(terminator::length_prefix(4, byte_order::little),
                                     terminator::varint(), terminator::netstring());
    CAPTURE(kind.repr());
    std::string frame = support::encoded_length(body.size(), kind) + body;
    if (kind == terminator::netstring())
        frame += ",";
    asynchat::loop loop;
    const auto check = [&](std::size_t most, overflow answer) {
        const limited_script task{{frame + frame, {kind}}, most, answer};
        cut_checker checker(loop, task);
        for (const std::size_t piece : {1000U, 65536U, 1000000U})
            checker.check(of_size(piece));
    };
    check(asynchat::unlimited, answers[0]);
    for (const overflow answer : answers)
        check(100000, answer);
}

// --- a number of bytes, and a string that has to follow them -------------------------------------

namespace {

terminator line(std::size_t size)
{
    return terminator::counted(size, "\r\n");
}

/// Lines, counted frames with a string behind them, counts and lengths in front, some malformed.
limited_script task_of_counted(support::random_numbers& random)
{
    limited_script task;
    auto& script = task.script;
    const std::string strings[] = {"\r\n", ";", "aab", "abaabaa", "aaaa"};
    while (script.input.size() < 60) {
        const std::string body = random.word(random.between(0, 6), 2);
        std::string behind;
        switch (random.between(0, 5)) {
        case 0:
            behind = "\n";
            script.terminators.emplace_back("\n");
            break;
        case 1:
            if (!body.empty())
                script.terminators.emplace_back(body.size());
            break;
        case 2:
            script.input += support::encoded_length(body.size(), terminator::netstring());
            behind = ",";
            script.terminators.push_back(terminator::netstring());
            break;
        default:
            behind = strings[random.between(0, 4)];
            script.terminators.push_back(terminator::counted(body.size(), behind));
        }
        if (random.one_in(30) && !behind.empty())
            behind[random.between(0, behind.size() - 1)] = 'c';
        script.input += body + behind;
    }
    task.answer = overflow::truncate;
    return task;
}

} // namespace

TEST_CASE("counted frames: every cut gives the same frames and verdicts, in both faces",
          "[cuts][counted]")
{
    const limited_script tasks[] = {
        {{"abc\r\nde\r\n\r\nfg", {line(3), line(2), line(0)}}},
        {{"\r\n\r\n\r\n\r\nab", {line(0), line(2), line(0), std::nullopt}}},
        {{"$2\r\nab\r\n$0\r\n\r\n$", {"\r\n", line(2), "\r\n", line(0), "\r\n"}}},
        {{"ab\r\r\ncd", {line(2)}}},
        {{"ab\n", {line(2)}}},
        {{"abc\r\n", {line(2)}}},
        {{"ab\r\n;cd", {terminator::counted(2, "\r\n;"), 1}}},
        {{"ab\r\nXcd", {terminator::counted(2, "\r\n;"), 1}}},
        {{"aaaaaaaab", {terminator::counted(3, "aaa"), terminator::counted(1, "aab")}}},
        {{"xabaabab", {terminator::counted(1, "abaabb")}}},
        {{"1:a,bc;2:de,",
          {terminator::netstring(), terminator::counted(2, ";"), terminator::netstring()}}},
        {{"ab\0\0c\0\1"s, {terminator::counted(2, "\0\0"), terminator::counted(1, "\0\0")}}},
        {{"abc", {line(9)}}},
        {{"ab\r", {line(2)}}},
    };
    asynchat::loop loop;
    for (const auto& task : tasks)
        cut_checker(loop, task).check_every_cut();
}

TEST_CASE("counted frames: random cuts of random inputs give the frames of the whole",
          "[cuts][counted]")
{
    support::random_numbers random(43);
    asynchat::loop loop;
    std::size_t bad = 0;
    std::size_t good = 0;
    for (int number = 0; number < 2000; ++number) {
        const limited_script task = task_of_counted(random);
        const std::string told = support::naive_outcome(task, false);
        ++(told.find("(bad frame)") == std::string::npos ? good : bad);
        check_randomly(loop, task, random, 8, 30);
    }
    CHECK(bad > 200);
    CHECK(good > 200);
}

TEST_CASE("counted frames: a large one is received straight into its place",
          "[cuts][counted][no-tls][slow]")
{
    const std::string body = long_body();
    asynchat::loop loop;
    const limited_script good{
        {body + "\r\n" + body + "\r\n", {line(body.size()), line(body.size())}}};
    const limited_script bad{{body + "\rX", {line(body.size())}}};
    for (const limited_script& task : {good, bad}) {
        cut_checker checker(loop, task);
        for (const std::size_t piece : {1000U, 65536U, 150000U, 1000000U})
            checker.check(of_size(piece));
    }
}
