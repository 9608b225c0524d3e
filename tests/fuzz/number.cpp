// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Numbers and lengths: the value that naive arithmetic gives, or an error at the first wrong byte,
// whatever follows it and however little of it is there.
#include "fuzz/input.hpp"
#include "support/framed_reader.hpp"

#include <asynchat/detail/framing/length_prefix.hpp>
#include <asynchat/number.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

/// Digit by digit in long double, which is exact for more than is compared.
void check_number(std::string_view text, std::size_t max, unsigned radix)
{
    const auto base =
        radix == 10 ? asynchat::number_base::decimal : asynchat::number_base::hexadecimal;
    const auto number = asynchat::parse_number(text, max, base);
    const std::string_view digits =
        radix == 10 ? "0123456789" : "0123456789abcdefABCDEF"; // the capitals are worth 6 less
    long double value = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::size_t digit = digits.find(text[at]);
        if (digit == std::string_view::npos) {
            fuzz::require(number.error() == asynchat::number_error::not_a_digit, "not a digit");
            fuzz::require(number.position() == at, "where it is not");
            return;
        }
        digit -= digit >= 16 ? 6 : 0;
        value = value * static_cast<long double>(radix) + static_cast<long double>(digit);
        if (value > static_cast<long double>(max)) {
            fuzz::require(number.error() == asynchat::number_error::too_large, "too large");
            fuzz::require(number.position() == at, "where it is");
            return;
        }
    }
    fuzz::require(static_cast<bool>(number) == !text.empty(), "a number");
    fuzz::require(static_cast<long double>(*number) == value, "its value");
}

/// The same with a sign, and another limit. The arithmetic is exact for what is compared.
void check_integer(std::string_view text, std::int64_t min, std::int64_t max)
{
    using asynchat::number_error;
    const auto number = asynchat::parse_integer(text, min, max);
    const bool negative = text.substr(0, 1) == "-";
    const auto fails = [&](number_error error, std::size_t position) {
        fuzz::require(!number && *number == 0, "no integer");
        fuzz::require(number.error() == error, "what is wrong with an integer");
        fuzz::require(number.position() == position, "where an integer is wrong");
    };
    long double value = 0;
    std::size_t at = negative ? 1 : 0;
    if (at == text.size())
        return fails(number_error::empty, at);
    for (; at < text.size(); ++at) {
        if (text[at] < '0' || text[at] > '9')
            return fails(number_error::not_a_digit, at);
        value = value * 10 + static_cast<long double>((text[at] - '0') * (negative ? -1 : 1));
        if (value < 0 && value < static_cast<long double>(min))
            return fails(number_error::too_small, at);
        if (value > 0 && value > static_cast<long double>(max))
            return fails(number_error::too_large, at);
    }
    if (value < static_cast<long double>(min))
        return fails(number_error::too_small, at);
    if (value > static_cast<long double>(max))
        return fails(number_error::too_large, at);
    fuzz::require(static_cast<bool>(number), "an integer");
    fuzz::require(static_cast<long double>(*number) == value, "the value of an integer");
}

template <class Read>
void check_length(const std::string& input, const asynchat::terminator& kind, Read read)
{
    using state = asynchat::detail::length_prefix::state;
    for (std::size_t size = 1; size <= input.size(); ++size) {
        const std::string_view part = std::string_view(input).substr(0, size);
        const auto length = read(part);
        if (const auto wrong = support::naive_malformed(part, kind.repr())) {
            fuzz::require(length.how == state::malformed, "malformed");
            fuzz::require(length.size == *wrong, "the wrong byte");
            continue;
        }
        const auto expected = support::naive_read_length(part, kind.repr());
        fuzz::require((length.how == state::complete) == (expected.size > 0), "complete");
        if (expected.size > 0) {
            fuzz::require(length.size == expected.size, "size of the length");
            fuzz::require(length.length == expected.value, "length");
            if (length.length < asynchat::detail::largest_length)
                fuzz::require(support::encoded_length(length.length, kind) ==
                                  part.substr(0, length.size),
                              "written again");
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::input input(data, size);
    const std::size_t bits = input.number(0, 64);
    const std::size_t max = bits == 0 ? 0 : ~std::size_t(0) >> (64 - bits);
    const std::size_t width = input.number(1, 8);
    const bool big = input.number(0, 1) == 0;
    const std::string text = input.bytes(64);
    check_number(text, max, 10);
    check_number(text, max, 16);
    // Limits on both sides of 0, and on one.
    const auto high = static_cast<std::int64_t>(max >> 1);
    check_integer(text, -high - 1, high);
    check_integer(text, big ? -1 : 1, high);
    check_integer(text, -high - 1, big ? 0 : -1);

    using asynchat::terminator;
    using namespace asynchat::detail;
    check_length(text, terminator::varint(), read_varint);
    check_length(text, terminator::netstring(), read_netstring);
    const auto order = big ? asynchat::byte_order::big : asynchat::byte_order::little;
    check_length(text, terminator::length_prefix(width, order),
                 [&](std::string_view part) { return read_fixed(part, width, big); });
    return 0;
}
