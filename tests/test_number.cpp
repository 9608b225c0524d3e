// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/number.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using asynchat::number_base;
using asynchat::number_error;
using asynchat::parse_integer;
using asynchat::parse_number;
using asynchat::parsed_integer;
using asynchat::parsed_number;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();

template <class Number>
bool fails(const Number& number, number_error error, std::size_t position)
{
    return !number && *number == 0 && number.error() == error && number.position() == position;
}

/// The same by counting: every number up to `max` is written down and compared.
std::optional<std::size_t> naive_number(std::string text, std::size_t max, unsigned radix)
{
    if (text.empty())
        return std::nullopt;
    while (text.size() > 1 && text.front() == '0')
        text.erase(0, 1);
    for (std::size_t value = 0; value <= max; ++value) {
        std::string lower;
        std::string upper;
        std::size_t rest = value;
        do {
            lower.insert(lower.begin(), "0123456789abcdef"[rest % radix]);
            upper.insert(upper.begin(), "0123456789ABCDEF"[rest % radix]);
            rest /= radix;
        } while (rest > 0);
        if (text == lower || text == upper)
            return value;
    }
    return std::nullopt;
}

} // namespace

static_assert(*parse_number("42", 100) == 42);
static_assert(!parse_number("42", 41));

TEST_CASE("parse_number: digits are a number", "[unit][number]")
{
    CHECK(*parse_number("0", 0) == 0);
    CHECK(parse_number("0", 0));
    CHECK(*parse_number("7", 7) == 7);
    CHECK(*parse_number("65536", 65536) == 65536);
    CHECK(*parse_number("0000000000000000000000000000012", 12) == 12);
    CHECK(*parse_number("ff", 255, number_base::hexadecimal) == 255);
    CHECK(*parse_number("BeeF", largest, number_base::hexadecimal) == 0xbeef);
    CHECK(parse_number("5", 5).error() == number_error::none);
    CHECK(parse_number("5", 5).position() == 0);
}

TEST_CASE("parse_number: the largest number fits, one more does not", "[unit][number]")
{
    const std::string text = std::to_string(largest);
    CHECK(*parse_number(text, largest) == largest);
    CHECK(fails(parse_number(text, largest - 1), number_error::too_large, text.size() - 1));
    std::string more = text;
    ++more.back(); // no power of two ends with 9
    CHECK(fails(parse_number(more, largest), number_error::too_large, text.size() - 1));
    CHECK(fails(parse_number(text + "0", largest), number_error::too_large, text.size()));

    const std::string all(2 * sizeof(std::size_t), 'f');
    CHECK(*parse_number(all, largest, number_base::hexadecimal) == largest);
    CHECK(fails(parse_number(all + "f", largest, number_base::hexadecimal), number_error::too_large,
                all.size()));
}

TEST_CASE("parse_number: an error names the first byte that is wrong", "[unit][number]")
{
    CHECK(fails(parse_number("", 9), number_error::empty, 0));
    CHECK(fails(parse_number("+1", 9), number_error::not_a_digit, 0));
    CHECK(fails(parse_number("-1", 9), number_error::not_a_digit, 0));
    CHECK(fails(parse_number(" 1", 9), number_error::not_a_digit, 0));
    CHECK(fails(parse_number("1 ", 9), number_error::not_a_digit, 1));
    CHECK(fails(parse_number("1\r", 9), number_error::not_a_digit, 1));
    CHECK(fails(parse_number("1\0"sv, 9), number_error::not_a_digit, 1));
    CHECK(fails(parse_number("12a", 99), number_error::not_a_digit, 2));
    CHECK(fails(parse_number("0x1", 99, number_base::hexadecimal), number_error::not_a_digit, 1));
    CHECK(fails(parse_number("g", 99, number_base::hexadecimal), number_error::not_a_digit, 0));
    CHECK(fails(parse_number("100x", 99), number_error::too_large, 2));
    CHECK(fails(parse_number("1x00", 99), number_error::not_a_digit, 1));
    CHECK(fails(parse_number("00010", 9), number_error::too_large, 4));
    CHECK(fails(parse_number("1", 0), number_error::too_large, 0));
}

TEST_CASE("parse_number: no byte but a digit is one", "[unit][number]")
{
    for (int byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        const auto letter = static_cast<char>(byte);
        const bool decimal = "0123456789"s.find(letter) != std::string::npos;
        const bool hexadecimal = "0123456789abcdefABCDEF"s.find(letter) != std::string::npos;
        const std::string_view text(&letter, 1);
        CHECK(static_cast<bool>(parse_number(text, 99)) == decimal);
        CHECK(static_cast<bool>(parse_number(text, 99, number_base::hexadecimal)) == hexadecimal);
    }
}

TEST_CASE("parse_number: agrees with counting, for all short texts and all small limits",
          "[unit][number]")
{
    const auto base = GENERATE(number_base::decimal, number_base::hexadecimal);
    const std::string letters = "0129aF-";
    std::vector<std::string> texts{""};
    for (std::size_t i = 0; i < texts.size(); ++i)
        if (texts[i].size() < 3)
            for (const char letter : letters)
                texts.push_back(texts[i] + letter);
    for (const std::string& text : texts) {
        for (const std::size_t max : {0U, 1U, 2U, 9U, 10U, 19U, 92U, 100U}) {
            const auto expected = naive_number(text, max, static_cast<unsigned>(base));
            const auto number = parse_number(text, max, base);
            if (static_cast<bool>(number) != expected.has_value() ||
                (number && *number != *expected)) {
                CAPTURE(text, max, static_cast<int>(base));
                REQUIRE(static_cast<bool>(number) == expected.has_value());
                REQUIRE(*number == *expected);
            }
        }
    }
    CHECK(texts.size() == 1 + 7 + 49 + 343);
}

// --- with a sign ---------------------------------------------------------------------------------

namespace {

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

} // namespace

static_assert(*parse_integer("-42") == -42);
static_assert(!parse_integer("-42", -41));
static_assert(*parse_integer("-9223372036854775808") == lowest);

TEST_CASE("parse_integer: digits, and a minus in front of them, are a number", "[unit][number]")
{
    CHECK(*parse_integer("0") == 0);
    CHECK(parse_integer("0"));
    CHECK(*parse_integer("17") == 17);
    CHECK(*parse_integer("-1") == -1);
    CHECK(*parse_integer("007") == 7); // as parse_number()
    CHECK(*parse_integer("-007") == -7);
    CHECK(parse_integer("-0"));
    CHECK(*parse_integer("-0") == 0);
    CHECK(*parse_integer("-fF", -255, 0, number_base::hexadecimal) == -255);
    CHECK(parse_integer("-1", -1, 5).error() == number_error::none);
    CHECK(parse_integer("-1", -1, 5).position() == 0);
    CHECK(*parse_integer("5", -1, 5) == 5);
}

TEST_CASE("parse_integer: the largest and the smallest fit, one more does not", "[unit][number]")
{
    CHECK(*parse_integer("9223372036854775807") == highest);
    CHECK(fails(parse_integer("9223372036854775808"), number_error::too_large, 18));
    CHECK(*parse_integer("-9223372036854775808") == lowest);
    CHECK(fails(parse_integer("-9223372036854775809"), number_error::too_small, 19));
    CHECK(fails(parse_integer("-92233720368547758080"), number_error::too_small, 20));
    CHECK(fails(parse_integer("18446744073709551616"), number_error::too_large, 19));
    CHECK(fails(parse_integer("-18446744073709551616"), number_error::too_small, 20));
    CHECK(*parse_integer("-7fffffffffffffff", lowest, highest, number_base::hexadecimal) ==
          -highest);
    CHECK(*parse_integer("-8000000000000000", lowest, highest, number_base::hexadecimal) == lowest);
}

TEST_CASE("parse_integer: an error names the first byte that is wrong", "[unit][number]")
{
    CHECK(fails(parse_integer(""), number_error::empty, 0));
    CHECK(fails(parse_integer("-"), number_error::empty, 1));
    CHECK(fails(parse_integer("+1"), number_error::not_a_digit, 0));
    CHECK(fails(parse_integer(" 1"), number_error::not_a_digit, 0));
    CHECK(fails(parse_integer("- 1"), number_error::not_a_digit, 1));
    CHECK(fails(parse_integer("--1"), number_error::not_a_digit, 1));
    CHECK(fails(parse_integer("-+1"), number_error::not_a_digit, 1));
    CHECK(fails(parse_integer("1-"), number_error::not_a_digit, 1));
    CHECK(fails(parse_integer("-1\r"), number_error::not_a_digit, 2));
    CHECK(fails(parse_integer("-1\0"sv), number_error::not_a_digit, 2));
    CHECK(fails(parse_integer("\xe2\x88\x92"
                              "1"), // the minus sign of Unicode
                number_error::not_a_digit, 0));
    CHECK(fails(parse_integer("-2", -1, 5), number_error::too_small, 1));
    CHECK(fails(parse_integer("-10", -1, 5), number_error::too_small, 2));
    CHECK(fails(parse_integer("6", -1, 5), number_error::too_large, 0));
    CHECK(fails(parse_integer("-1", 0, 5), number_error::too_small, 1));
    CHECK(fails(parse_integer("12x", -1, 11), number_error::too_large, 1));
}

TEST_CASE("parse_integer: limits that 0 is not between", "[unit][number]")
{
    CHECK(*parse_integer("5", 5, 9) == 5);
    CHECK(*parse_integer("9", 5, 9) == 9);
    CHECK(fails(parse_integer("4", 5, 9), number_error::too_small, 1)); // of "4x" the x is wrong
    CHECK(fails(parse_integer("4x", 5, 9), number_error::not_a_digit, 1));
    CHECK(fails(parse_integer("10", 5, 9), number_error::too_large, 1));
    CHECK(fails(parse_integer("-0", 5, 9), number_error::too_small, 2));
    CHECK(fails(parse_integer("-5", 5, 9), number_error::too_small, 1));
    CHECK(*parse_integer("-5", -9, -5) == -5);
    CHECK(fails(parse_integer("-4", -9, -5), number_error::too_large, 2));
    CHECK(fails(parse_integer("-10", -9, -5), number_error::too_small, 2));
    CHECK(fails(parse_integer("0", -9, -5), number_error::too_large, 1));
    CHECK(fails(parse_integer("5", -9, -5), number_error::too_large, 0));
    CHECK(fails(parse_integer("0", 1, -1), number_error::too_small, 1)); // nothing is between
}

TEST_CASE("parse_integer: a limit without a sign may be over all integers", "[unit][number]")
{
    CHECK(*parse_integer("-1", -1, largest) == -1);
    CHECK(*parse_integer("9223372036854775807", -1, ~std::uint64_t{0}) == highest);
    CHECK(fails(parse_integer("9223372036854775808", -1, ~std::uint64_t{0}),
                number_error::too_large, 18));
    CHECK(fails(parse_integer("11", -1, std::size_t{10}), number_error::too_large, 1));
    CHECK(*parse_integer("10", -1, 10U) == 10);
}

TEST_CASE("parse_integer: agrees with counting, for all short texts and small limits",
          "[unit][number][no-tls][slow]")
{
    const std::string bytes = "-0123x";
    std::vector<std::string> texts{""};
    for (std::size_t at = 0; texts[at].size() < 4; ++at) {
        for (const char byte : bytes)
            texts.push_back(texts[at] + byte);
    }
    const auto naive_integer = [](const std::string& text) -> std::optional<std::int64_t> {
        const bool negative = text.substr(0, 1) == "-";
        const auto size = naive_number(text.substr(negative ? 1 : 0), 3333, 10);
        if (!size)
            return std::nullopt;
        return static_cast<std::int64_t>(*size) * (negative ? -1 : 1);
    };
    const std::int64_t limits[] = {-25, -3, -1, 0, 1, 2, 31};
    for (const std::string& text : texts) {
        const auto value = naive_integer(text);
        for (const std::int64_t min : limits) {
            for (const std::int64_t max : limits) {
                const auto number = parse_integer(text, min, max);
                const bool fits = value && *value >= min && *value <= max;
                const std::int64_t wanted = fits ? *value : 0;
                if (static_cast<bool>(number) == fits && *number == wanted &&
                    number.position() <= text.size())
                    continue;
                CAPTURE(text, min, max, *number);
                REQUIRE(static_cast<bool>(number) == fits);
                REQUIRE(*number == wanted);
                REQUIRE(number.position() <= text.size());
            }
        }
    }
}

TEST_CASE("number_error: has words for each", "[unit][number]")
{
    CHECK(to_string(number_error::too_small) == "too small");
    CHECK(to_string(number_error::none) == "no error");
    CHECK(to_string(number_error::empty) == "no digits");
    CHECK(to_string(number_error::not_a_digit) == "not a digit");
    CHECK(to_string(number_error::too_large) == "too large");
}
