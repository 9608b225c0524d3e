// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/cuts.hpp"
#include "support/decoder_reader.hpp"

#include <asynchat/detail/framing/frame_decoder.hpp>
#include <asynchat/detail/framing/frame_pass.hpp>

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

using support::limited_script;
using namespace support::decoding;
using namespace std::string_literals;

// --- many short lines ----------------------------------------------------------------------------

namespace {

std::string lines(std::size_t count, std::size_t size, const char* end = "\n")
{
    std::string all;
    for (std::size_t n = 0; n < count; ++n)
        all += std::string(size, static_cast<char>('a' + n % 26)) + end;
    return all;
}

/// Lines of all sizes around the bytes that are looked at together.
std::string mixed_lines(const char* end = "\n")
{
    std::string all;
    for (const std::size_t size : std::initializer_list<std::size_t>{
             0,   1,   5,   62, 63, 64, 65, 0,  0,  30, 31,  32, 200, 1, 126,
             127, 128, 129, 2,  63, 63, 64, 64, 65, 65, 300, 3,  3,   3, 60})
        all += lines(1, size, end);
    return all + lines(70, 0, end) + lines(40, 3, end) + lines(3, 63, end) + lines(3, 64, end) +
           "end";
}

} // namespace

TEST_CASE("frame_decoder: bursts of lines", "[unit][decoder]")
{
    const char* const end = GENERATE("\n", "\r\n", "aa");
    std::vector<std::string> inputs{mixed_lines(end), lines(200, 0, end),
                                    lines(1, 63, end) + lines(64, 0, end),
                                    lines(1, 62, end) + lines(64, 1, end)};
    for (const std::size_t size :
         std::initializer_list<std::size_t>{1, 7, 31, 61, 62, 63, 64, 65, 66, 127, 128})
        inputs.push_back(lines(9, size, end));
    for (const std::string& input : inputs) {
        for (const std::size_t limit : {std::size_t{0}, std::size_t{62}, std::size_t{63},
                                        std::size_t{64}, std::size_t{65}, unlimited}) {
            for (const overflow answer : answers) {
                const limited_script task = script(input, {end}, limit, answer);
                const std::string expected = support::naive_outcome(task, false);
                for (const std::size_t first : {std::size_t{0}, std::size_t{1}, std::size_t{66}}) {
                    reader now(task);
                    if (first > 0)
                        now.receive(input.substr(0, first));
                    if (first < input.size())
                        now.receive(input.substr(first));
                    INFO("limit " << limit << " first " << first << " input " << input);
                    CHECK(now.fault() == "");
                    CHECK(now.told() == expected);
                }
            }
        }
    }
}

TEST_CASE("frame_decoder: bursts of lines with two bytes at the end, cut anywhere",
          "[unit][decoder]")
{
    // Among them: single bytes of the end, twice its first byte, and empty lines.
    const std::string input = "a\rb\r\n\n\r\r\n" + lines(9, 5, "\r\n") + "\r\n\r\n\n\n" +
                              lines(1, 62, "\r\n") + "\r\r\r\n" + lines(2, 63, "\r\n") +
                              lines(33, 0, "\r\n") + lines(5, 30, "\r\n") + "\r";
    for (const std::size_t limit : {std::size_t{4}, std::size_t{62}, std::size_t{64}, unlimited}) {
        for (const overflow answer : answers) {
            const limited_script task = script(input, {"\r\n"}, limit, answer);
            const std::string expected = support::naive_outcome(task, false);
            support::for_each_place(input, [&](std::string_view first, std::string_view rest) {
                reader now(task);
                for (const std::string_view part : {first, rest}) {
                    if (!part.empty())
                        now.receive(part);
                }
                INFO("limit " << limit << " cut " << first.size());
                CHECK(now.fault() == "");
                CHECK(now.told() == expected);
            });
        }
    }
}

TEST_CASE("frame_decoder: bursts of lines, examined in parts", "[unit][decoder]")
{
    const std::string end = GENERATE("\n", "\r\n", "aa");
    const std::string input = mixed_lines(end.c_str());
    for (const std::size_t limit : {std::size_t{63}, std::size_t{64}, unlimited}) {
        const limited_script task = script(input, {end}, limit, overflow::truncate);
        const std::string expected = support::naive_outcome(task, false);
        for (std::size_t part = 1; part < 200; ++part) {
            reader now(task);
            now.part = part;
            now.receive(input);
            INFO("limit " << limit << " part " << part);
            CHECK(now.fault() == "");
            CHECK(now.told() == expected);
        }
    }
}

TEST_CASE("frame_decoder: the limit of each line of a burst", "[unit][decoder]")
{
    const std::string end = GENERATE("\n", "\r\n", ";;");
    for (std::size_t size = 58; size < 68; ++size) {
        for (std::size_t limit = size - 2; limit <= size + 2; ++limit) {
            // Short ones first, so that more of them are expected.
            const std::string input = lines(3, 2, end.c_str()) + lines(4, size, end.c_str());
            const limited_script task = script(input, {end}, limit);
            reader now(task);
            now.receive(input);
            INFO("size " << size << " limit " << limit);
            CHECK(now.fault() == "");
            CHECK(now.told() == support::naive_outcome(task, false));
        }
    }
}

TEST_CASE("frame_decoder: a change in the middle of a burst", "[unit][decoder]")
{
    const std::string end = GENERATE("\n", "\r\n");
    const std::string input = mixed_lines(end.c_str());
    const limited_script whole = script(input, {end});
    const std::string expected = support::naive_outcome(whole, false);
    for (const std::size_t k : std::initializer_list<std::size_t>{1, 2, 3, 7, 20}) {
        for (const reader::moment when :
             {reader::moment::before_take, reader::moment::after_take}) {
            const auto each_k_th = [&](const std::function<void(reader&, pass&)>& change) {
                reader now(whole);
                std::size_t line = 0;
                now.at_rest = [&](reader::moment where, pass& input_now) {
                    if (where == when && ++line % k == 0)
                        change(now, input_now);
                };
                now.receive(input);
                CHECK(now.fault() == "");
                return now.told();
            };
            INFO("each " << k << "th");
            CHECK(each_k_th([&](reader& r, pass&) { r.decoder.set(end, unlimited); }) == expected);
            CHECK(each_k_th([&](reader& r, pass&) { r.decoder.set(end, 300); }) == expected);
            CHECK(each_k_th([](reader& r, pass&) { r.decoder.limit(301); }) == expected);
            CHECK(each_k_th([&](reader& r, pass&) {
                      r.decoder.set(1, 300);
                      r.decoder.set(end, 300);
                  }) == expected);
            CHECK(each_k_th([&](reader& r, pass&) {
                      r.decoder.set("\n\r", 300);
                      r.decoder.set(end, unlimited);
                  }) == expected);
            // What is behind the k-th line is lost; it is reported all the same.
            for (const bool discards : {true, false}) {
                if (!discards && when == reader::moment::before_take)
                    continue; // there is nothing to take any more
                reader now(whole);
                now.keeps_count_of_bytes = false;
                std::size_t line = 0;
                now.at_rest = [&](reader::moment where, pass& input_now) {
                    if (where == when && ++line == k)
                        discards ? now.decoder.discard() : input_now.drop();
                };
                now.receive(input);
                CHECK(now.steps == k);
                CHECK_FALSE(now.decoder.has_unread());
                now.receive("x" + end + "y");
                std::size_t behind = 0;
                for (std::size_t n = 0; n < k; ++n)
                    behind = input.find(end, behind) + end.size();
                const limited_script rest =
                    script(input.substr(0, behind) + "x" + end + "y", {end});
                CHECK(now.told() == support::naive_outcome(rest, false));
            }
        }
    }
}

TEST_CASE("frame_decoder: another string ends the lines of a burst", "[unit][decoder]")
{
    const auto [one, other] = GENERATE(table<std::string, std::string>(
        {{"\n", ";"}, {"\r\n", ";"}, {";", "\r\n"}, {"\r\n", "\n\r"}, {"\r\n", ";;"}}));
    for (const std::size_t k : std::initializer_list<std::size_t>{1, 2, 5}) {
        // k lines with one end, k with the other, each with the other one inside.
        std::string input;
        std::string expected;
        std::vector<terminator> ends;
        for (std::size_t n = 0; n < 60; ++n) {
            const bool odd = n / k % 2 == 1;
            const std::string line = std::string(n % 9, 'a') + (odd ? one : other);
            input += line + (odd ? other : one);
            expected += "[" + line + "]";
            ends.emplace_back(odd ? other : one);
        }
        for (const std::size_t limit : {std::size_t{10}, std::size_t{64}, unlimited}) {
            reader now(script(input, ends, limit));
            now.receive(input);
            CHECK(now.fault() == "");
            CHECK(now.told() == expected);
            reader before(script(input, {one}, limit));
            std::size_t line = 0;
            before.at_rest = [&](reader::moment where, pass&) {
                ++line;
                if (where == reader::moment::before_take && line / 2 + 1 < ends.size())
                    before.decoder.set(ends[line / 2 + 1], limit);
            };
            before.receive(input);
            CHECK(before.told() == expected);
        }
    }
}

TEST_CASE("frame_decoder: the limit changes in a burst", "[unit][decoder]")
{
    const std::string end = GENERATE("\n", "\r\n");
    for (const std::size_t limit : {std::size_t{3}, std::size_t{62}, std::size_t{63}}) {
        for (const reader::moment when :
             {reader::moment::before_take, reader::moment::after_take}) {
            reader now(script("", {end}, 64));
            std::size_t line = 0;
            now.at_rest = [&](reader::moment where, pass&) {
                if (where == when && ++line == 2)
                    now.decoder.limit(limit);
            };
            const std::string two = lines(2, 2, end.c_str());
            const std::string long_ones = lines(2, 64, end.c_str());
            now.receive(two + long_ones + "x" + end);
            CHECK(now.fault() == "");
            CHECK(now.verdicts == 2);
            CHECK(now.told() == "[aa][bb][" + std::string(limit, 'a') + "~][" +
                                    std::string(limit, 'b') + "~][x]");
        }
    }
}
