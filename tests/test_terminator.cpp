// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/terminator.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using asynchat::find_prefix_at_end;
using asynchat::terminator;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

std::size_t naive_prefix_at_end(std::string_view haystack, std::string_view needle)
{
    for (std::size_t length = std::min(haystack.size(), needle.size() - 1); length > 0; --length)
        if (haystack.substr(haystack.size() - length) == needle.substr(0, length))
            return length;
    return 0;
}

/// All strings over {a, b} of up to `length` bytes.
std::vector<std::string> all_words(std::size_t length)
{
    std::vector<std::string> words{""};
    for (std::size_t i = 0; i < words.size(); ++i)
        if (words[i].size() < length)
            for (const char c : {'a', 'b'})
                words.push_back(words[i] + c);
    return words;
}

} // namespace

TEST_CASE("terminator: a string, a count and none read back as they were set", "[unit][terminator]")
{
    const terminator none;
    CHECK(none.is_none());
    CHECK(none.count() == 0);
    CHECK(none.bytes().empty());
    CHECK(terminator(std::nullopt) == none);

    const terminator text("\r\n");
    CHECK(text.is_bytes());
    CHECK(text.bytes() == "\r\n");
    CHECK(text.count() == 0);

    const terminator count(7);
    CHECK(count.is_count());
    CHECK(count.count() == 7);
    CHECK(count.bytes().empty());
}

TEST_CASE("terminator: none, 0 and the empty string all collect everything but stay different",
          "[unit][terminator]")
{
    const terminator none;
    const terminator zero(0);
    const terminator empty("");
    CHECK(none.collects_everything());
    CHECK(zero.collects_everything());
    CHECK(empty.collects_everything());
    CHECK(none != zero);
    CHECK(none != empty);
    CHECK(zero != empty);
    CHECK(zero.is_count());
    CHECK(empty.is_bytes());
    CHECK_FALSE(terminator(1).collects_everything());
    CHECK_FALSE(terminator("\n").collects_everything());
    CHECK_FALSE(terminator("\0").collects_everything());
}

TEST_CASE("terminator: is a regular value", "[unit][terminator]")
{
    terminator a("abc");
    terminator b = a;
    CHECK(a == b);
    b = terminator(3);
    CHECK(a != b);
    a = std::move(b);
    CHECK(a == terminator(3));
    CHECK(terminator("3") != terminator(3));
    static_assert(std::is_nothrow_move_constructible_v<terminator>);
    static_assert(std::is_default_constructible_v<terminator>);
}

TEST_CASE("terminator: a literal means all its bytes, NULs included", "[unit][terminator]")
{
    CHECK(terminator("\0").bytes() == "\0"sv);
    CHECK(terminator("\0\0").bytes() == "\0\0"sv);
    CHECK(terminator("a\0b").bytes() == "a\0b"sv);
    CHECK(terminator("a\0b"s).bytes() == "a\0b"sv);
    CHECK(terminator("a\0b"sv).bytes() == "a\0b"sv);
}

TEST_CASE("terminator: a C string ends at its NUL", "[unit][terminator]")
{
    const char* const text = "ab\0c";
    CHECK(terminator(text).bytes() == "ab");
    char changeable[] = "xyz";
    char* const pointer = changeable;
    CHECK(terminator(pointer).bytes() == "xyz");
}

TEST_CASE("terminator: a buffer of characters that is no literal ends at its NUL",
          "[unit][terminator]")
{
    char buffer[16] =
        "\r\n"; // filled by snprintf(), say: what lies behind the NUL is no part of it
    CHECK(terminator(buffer).bytes() == "\r\n");
}

TEST_CASE("terminator: strings of any length keep their bytes", "[unit][terminator]")
{
    std::string every_byte;
    for (int i = 0; i < 256; ++i)
        every_byte += static_cast<char>(i);
    CHECK(terminator(every_byte).bytes() == every_byte);
    const std::string large(1 << 20, 'x');
    CHECK(terminator(large).bytes() == large);
}

TEST_CASE("terminator: a negative count is refused by a message that names it",
          "[unit][terminator]")
{
    CHECK_THROWS_AS(terminator(-1), std::invalid_argument);
    CHECK_THROWS_WITH(terminator(-1), Catch::Matchers::ContainsSubstring("-1"));
    CHECK_THROWS_WITH(terminator(std::int64_t{-1234567890123}),
                      Catch::Matchers::ContainsSubstring("-1234567890123"));
    CHECK_THROWS_WITH(terminator(std::numeric_limits<std::intmax_t>::min()),
                      Catch::Matchers::ContainsSubstring("-9223372036854775808"));
    CHECK_THROWS_AS(terminator(short{-5}), std::invalid_argument);
}

TEST_CASE("terminator: every integer type can be a count", "[unit][terminator]")
{
    CHECK(terminator(short{5}).count() == 5);
    CHECK(terminator(5U).count() == 5);
    CHECK(terminator(5L).count() == 5);
    CHECK(terminator(5ULL).count() == 5);
    CHECK(terminator(std::uint32_t{5}).count() == 5);
    CHECK(terminator(std::numeric_limits<std::size_t>::max()).count() ==
          std::numeric_limits<std::size_t>::max());
}

TEST_CASE("terminator: characters, bools, null pointers and floating point are no terminators",
          "[unit][terminator]")
{
    static_assert(!std::is_constructible_v<terminator, char>);
    static_assert(!std::is_constructible_v<terminator, signed char>);
    static_assert(!std::is_constructible_v<terminator, unsigned char>);
    static_assert(!std::is_constructible_v<terminator, wchar_t>);
    static_assert(!std::is_constructible_v<terminator, char16_t>);
    static_assert(!std::is_constructible_v<terminator, char32_t>);
    static_assert(!std::is_constructible_v<terminator, bool>);
    static_assert(!std::is_constructible_v<terminator, std::nullptr_t>);
    static_assert(!std::is_constructible_v<terminator, double>);
    static_assert(!std::is_constructible_v<terminator, const wchar_t*>);
    static_assert(!std::is_constructible_v<terminator, void*>);
#ifdef __cpp_char8_t
    // A count of ten for u8'\n' would be the very mistake that is excluded for '\n'.
    CHECK_FALSE(std::is_constructible_v<terminator, char8_t>);
#endif
    // What may be written where a terminator is expected.
    static_assert(std::is_convertible_v<int, terminator>);
    static_assert(std::is_convertible_v<const char(&)[3], terminator>);
    static_assert(std::is_convertible_v<std::string, terminator>);
    static_assert(std::is_convertible_v<std::string_view, terminator>);
    static_assert(std::is_convertible_v<std::nullopt_t, terminator>);
    SUCCEED("checked by the compiler");
}

TEST_CASE("terminator: prints as Python would, unprintable bytes escaped", "[unit][terminator]")
{
    CHECK(terminator().repr() == "None");
    CHECK(terminator(0).repr() == "0");
    CHECK(terminator(1024).repr() == "1024");
    CHECK(terminator("\r\n").repr() == "'\\r\\n'");
    CHECK(terminator("a\x01\xff").repr() == "'a\\x01\\xff'");
    CHECK(terminator("\0").repr() == "'\\x00'");
}

TEST_CASE("find_prefix_at_end: the longest proper prefix of the needle that ends the haystack",
          "[unit][terminator]")
{
    struct row {
        std::string_view haystack;
        std::string_view needle;
        std::size_t length;
    };
    const row rows[] = {
        {"qwerty\r", "\r\n", 1},
        {"qwertydkjf", "\r\n", 0},
        {"", "\r\n", 0},
        {"x", "a", 0},
        {"aa", "aab", 2},
        {"xaba", "abab", 3},
        {"abcabc", "abcabcd", 6},
        {"\r\n.\r", "\r\n.\r\n", 4},
        {"ab", "abcdef", 2},
        {"a", "", 0},
        {"", "", 0},
        {"aaaa", "aaaa", 3},
        {"\0\0"sv, "\0\0x"sv, 2},
        {"a\0"sv, "\0b"sv, 1},
    };
    for (const row& r : rows) {
        CAPTURE(r.haystack, r.needle);
        CHECK(find_prefix_at_end(r.haystack, r.needle) == r.length);
    }
}

TEST_CASE("find_prefix_at_end: agrees with the plain definition on all short words",
          "[unit][terminator]")
{
    std::size_t different = 0;
    const auto haystacks = all_words(8);
    for (const std::string& needle : all_words(6)) {
        if (needle.empty())
            continue;
        for (const std::string& haystack : haystacks)
            different +=
                find_prefix_at_end(haystack, needle) != naive_prefix_at_end(haystack, needle);
    }
    CHECK(different == 0);
}

TEST_CASE("terminator: several strings read back as they were set", "[unit][terminator]")
{
    const terminator several = {"\r\n", "a\0b", std::string(300, 'x')};
    CHECK(several.is_several());
    CHECK(several.is_bytes());
    CHECK_FALSE(several.is_length_prefix());
    CHECK_FALSE(several.collects_everything());
    CHECK(several.bytes().empty());
    CHECK(several.count() == 0);
    CHECK(several.strings() ==
          std::vector<std::string_view>{"\r\n", "a\0b"sv, std::string_view(several.strings()[2])});
    CHECK(several.strings()[2] == std::string(300, 'x'));
    CHECK(several == terminator(std::vector<std::string>{"\r\n", "a\0b"s, std::string(300, 'x')}));
    CHECK(several != terminator({"\r\n", "\n"}));
    CHECK(terminator({"\n", "\r\n"}) != terminator({"\r\n", "\n"}));
    CHECK(terminator({"\r\n", "\n"}).repr() == "('\\r\\n', '\\n')");
    // The same bytes, but as one string.
    CHECK(terminator("\1a\1b") != terminator({"a", "b"}));
    CHECK(terminator("ab").strings() == std::vector<std::string_view>{"ab"});
    CHECK(terminator(3).strings().empty());
}

TEST_CASE("terminator: one string in braces is that string", "[unit][terminator]")
{
    CHECK(terminator{"\n"} == terminator("\n"));
    CHECK(terminator{"a\0b"} == terminator("a\0b"s));
    CHECK(terminator{""}.collects_everything());
    CHECK(terminator{0} == terminator(0));
    CHECK(terminator{terminator(5)} == terminator(5));
    CHECK(terminator{} == terminator());
}

TEST_CASE("terminator: no string, and an empty one among several, are refused",
          "[unit][terminator]")
{
    CHECK_THROWS_AS(terminator({"a", ""}), std::invalid_argument);
    CHECK_THROWS_AS(terminator(std::vector<std::string>{}), std::invalid_argument);
    CHECK_THROWS_AS(terminator::length_prefix(0), std::invalid_argument);
    CHECK_THROWS_AS(terminator::length_prefix(9), std::invalid_argument);
}

TEST_CASE("terminator: a count with a string behind it reads back", "[unit][terminator]")
{
    const terminator body = terminator::counted(5, "\r\n");
    CHECK(body.is_count());
    CHECK_FALSE(body.is_bytes());
    CHECK_FALSE(body.is_several());
    CHECK_FALSE(body.is_none());
    CHECK_FALSE(body.is_length_prefix());
    CHECK_FALSE(body.collects_everything());
    CHECK(body.count() == 5);
    CHECK(body.bytes() == "\r\n");
    CHECK(body.strings().empty());
    CHECK(body.repr() == "counted(5, '\\r\\n')");

    CHECK(body == terminator::counted(std::size_t{5}, std::string("\r\n")));
    CHECK(body != terminator::counted(4, "\r\n"));
    CHECK(body != terminator::counted(5, "\n"));
    CHECK(body != terminator(5));
    CHECK(body != terminator("\r\n"));
    CHECK(terminator::counted(0, "\0").bytes() == "\0"s); // a literal means all its bytes
    CHECK_FALSE(terminator::counted(0, ";").collects_everything());
    CHECK(terminator::counted(0, ";") != terminator(0));

    terminator copy = body;
    CHECK(copy == body);
    const terminator moved = std::move(copy);
    CHECK(moved == body);
}

TEST_CASE("terminator: a negative count, and an empty string behind one, are refused",
          "[unit][terminator]")
{
    CHECK_THROWS_AS(terminator::counted(-1, "\n"), std::invalid_argument);
    CHECK_THROWS_AS(terminator::counted(5, ""), std::invalid_argument);
    CHECK_THROWS_AS(terminator::counted(0, ""), std::invalid_argument);
    CHECK_THROWS_WITH(terminator::counted(5, ""), "asynchat: an empty string behind a count");
}

TEST_CASE("terminator: lengths in front have a kind and no value", "[unit][terminator]")
{
    const auto fixed = terminator::length_prefix(4);
    CHECK(fixed.is_length_prefix());
    CHECK_FALSE(fixed.is_bytes());
    CHECK_FALSE(fixed.is_count());
    CHECK_FALSE(fixed.is_none());
    CHECK_FALSE(fixed.collects_everything());
    CHECK(fixed == terminator::length_prefix(4, asynchat::byte_order::big));
    CHECK(fixed != terminator::length_prefix(4, asynchat::byte_order::little));
    CHECK(fixed != terminator::length_prefix(3));
    CHECK(terminator::varint() != terminator::netstring());
    CHECK(terminator::varint() == terminator::varint());
    CHECK(fixed.repr() == "length_prefix(4, big)");
    CHECK(terminator::length_prefix(8, asynchat::byte_order::little).repr() ==
          "length_prefix(8, little)");
    CHECK(terminator::varint().repr() == "varint()");
    CHECK(terminator::netstring().repr() == "netstring()");
}
