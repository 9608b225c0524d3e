// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_NAIVE_FRAMING_HPP
#define ASYNCHAT_TESTS_SUPPORT_NAIVE_FRAMING_HPP

#include <asynchat/terminator.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// What framing means, written as plainly as possible, to hold the library's against.
namespace support {

/// An input, and the terminators that it is read with: the first at the start, the next one set
/// in each found_terminator(), the last one for ever.
struct framing_script {
    std::string input;
    std::vector<asynchat::terminator> terminators;
};

/// How far the input was understood: the same for every cut of it.
struct framing {
    std::vector<std::string> frames; ///< the complete ones
    std::string open;                ///< collected since
    std::size_t held = 0;            ///< bytes at the end that may begin a terminator
    std::size_t missing = 0;         ///< of a count

    friend bool operator==(const framing& a, const framing& b)
    {
        return a.frames == b.frames && a.open == b.open && a.held == b.held &&
               a.missing == b.missing;
    }
};

inline std::string describe(const framing& result)
{
    std::string text;
    for (const std::string& frame : result.frames)
        text += "[" + frame + "]";
    return text + result.open + " held " + std::to_string(result.held) + " missing " +
           std::to_string(result.missing);
}

/// Where a frame ends, looking at every byte and every string: the frame, and what is behind it.
struct naive_end {
    bool found = false;
    std::size_t frame = 0; ///< bytes; if not found, those that are no part of a string
    std::size_t behind = 0;
};

inline naive_end naive_string_end(std::string_view input,
                                  const std::vector<std::string_view>& strings)
{
    const auto is_at = [&](std::size_t begin, std::string_view text) {
        return input.substr(begin, text.size()) == text;
    };
    for (std::size_t end = 1; end <= input.size(); ++end) {
        std::size_t longest = 0;
        for (const std::string_view text : strings)
            if (text.size() <= end && is_at(end - text.size(), text))
                longest = std::max(longest, text.size());
        if (longest > 0)
            return {true, end - longest, longest};
    }
    std::size_t held = 0;
    for (const std::string_view text : strings)
        for (std::size_t size = 1; size < text.size() && size <= input.size(); ++size)
            if (is_at(input.size() - size, text.substr(0, size)))
                held = std::max(held, size);
    return {false, input.size() - held, held};
}

/// A length in front of a frame: its bytes, 0 if they are not all there, and what it says, at most
/// the largest number.
struct naive_length {
    std::size_t size = 0;
    std::size_t value = 0;
};

/// Digits without a zero in front.
inline bool naive_is_too_large(std::string_view digits)
{
    const std::string largest = std::to_string(std::numeric_limits<std::size_t>::max());
    return digits.size() > largest.size() || (digits.size() == largest.size() && digits > largest);
}

/// Of well-formed ones only.
inline naive_length naive_read_length(std::string_view input, const std::string& kind)
{
    naive_length length;
    bool too_large = false;
    const auto add_bits = [&](std::size_t at, std::size_t first, std::size_t count) {
        for (std::size_t bit = 0; bit < count; ++bit) {
            if ((static_cast<unsigned char>(input[at]) >> bit) % 2 == 0)
                continue;
            if (first + bit < std::numeric_limits<std::size_t>::digits)
                length.value += std::size_t{1} << (first + bit);
            else
                too_large = true;
        }
    };
    if (kind == "varint()") {
        for (std::size_t at = 0; at < input.size() && length.size == 0; ++at) {
            add_bits(at, at * 7, 7);
            if (static_cast<unsigned char>(input[at]) < 128)
                length.size = at + 1;
        }
    } else if (kind == "netstring()") {
        std::size_t at = 0;
        while (at < input.size() && input[at] != ':' && !too_large)
            too_large = naive_is_too_large(input.substr(0, ++at));
        if (at < input.size() && !too_large)
            length = {at + 1, std::stoul(std::string(input.substr(0, at)))};
        else if (too_large)
            length.size = at;
    } else { // length_prefix(4, big)
        const auto width = static_cast<std::size_t>(kind[14] - '0');
        if (input.size() >= width) {
            length.size = width;
            for (std::size_t at = 0; at < width; ++at)
                add_bits(at, 8 * (kind[17] == 'b' ? width - 1 - at : at), 8);
        }
    }
    if (too_large)
        length.value = std::numeric_limits<std::size_t>::max();
    return length;
}

/// How a sender writes it.
inline std::string encoded_length(std::size_t value, const asynchat::terminator& kind)
{
    std::string text;
    const std::string name = kind.repr();
    if (name == "varint()") {
        for (; value >= 128; value /= 128)
            text += static_cast<char>(value % 128 + 128);
        return text + static_cast<char>(value);
    }
    if (name == "netstring()")
        return std::to_string(value) + ":";
    for (std::size_t width = static_cast<std::size_t>(name[14] - '0'); width > 0; --width) {
        const auto byte = static_cast<char>(value % 256);
        text.insert(name[17] == 'b' ? text.begin() : text.end(), byte);
        value /= 256;
    }
    return text;
}

/// The whole input at once, by string search and brute force.
inline framing naive_framing(const framing_script& script)
{
    framing result;
    std::string_view rest = script.input;
    std::size_t at = 0;
    for (;;) {
        const asynchat::terminator& wanted = script.terminators[at];
        if (wanted.collects_everything()) {
            result.open = rest;
            return result;
        }
        std::size_t length = 0;
        if (wanted.is_count()) {
            if (rest.size() < wanted.count()) {
                result.open = rest;
                result.missing = wanted.count() - rest.size();
                return result;
            }
            result.frames.emplace_back(rest.substr(0, wanted.count()));
            length = wanted.count();
        } else if (wanted.is_length_prefix()) {
            const naive_length announced = naive_read_length(rest, wanted.repr());
            if (announced.size == 0) {
                result.held = rest.size();
                return result;
            }
            const std::size_t comma = wanted == asynchat::terminator::netstring() ? 1 : 0;
            length = announced.size + announced.value + comma;
            const std::string_view frame = rest.substr(announced.size, announced.value);
            if (rest.size() < length) {
                result.open = frame;
                result.missing = announced.value - frame.size();
                return result;
            }
            result.frames.emplace_back(frame);
        } else {
            const naive_end end = naive_string_end(rest, wanted.strings());
            if (!end.found) {
                result.open = rest.substr(0, end.frame);
                result.held = end.behind;
                return result;
            }
            result.frames.emplace_back(rest.substr(0, end.frame));
            length = end.frame + end.behind;
        }
        rest.remove_prefix(length);
        if (at + 1 < script.terminators.size())
            ++at;
        else if (wanted.is_count())
            at = script.terminators.size(); // a spent count
        if (at == script.terminators.size()) {
            result.open = rest;
            return result;
        }
    }
}

/// The same numbers on every machine, unlike the distributions of the standard library.
class random_numbers {
public:
    explicit random_numbers(std::uint32_t seed) : engine_(seed) {}

    /// In [low, high].
    std::size_t between(std::size_t low, std::size_t high)
    {
        return low + engine_() % (high - low + 1);
    }
    bool one_in(std::size_t n) { return between(1, n) == 1; }

    /// Over the first `letters` of the alphabet.
    std::string word(std::size_t length, std::size_t letters)
    {
        std::string text;
        while (text.size() < length)
            text += static_cast<char>('a' + between(0, letters - 1));
        return text;
    }

private:
    std::mt19937 engine_;
};

/// A terminator over a small alphabet that overlaps itself as often as not; sometimes a count.
inline asynchat::terminator random_terminator(random_numbers& random)
{
    if (random.one_in(5))
        return random.between(1, 9);
    if (random.one_in(5)) {
        std::vector<std::string> strings(random.between(2, 5));
        for (std::string& each : strings)
            each = random.word(random.between(1, random.one_in(5) ? 20 : 4), 2);
        return asynchat::terminator(strings);
    }
    const std::size_t length = random.one_in(12) ? random.between(20, 60) : random.between(1, 8);
    const std::string period = random.word(random.between(1, std::min<std::size_t>(length, 4)), 2);
    std::string text;
    while (text.size() < length)
        text += period;
    text.resize(length);
    if (random.one_in(3))
        text.back() = static_cast<char>('a' + random.between(0, 2));
    return text;
}

/// An input made of the terminators, of parts of them and of noise.
inline framing_script random_script(random_numbers& random, std::size_t length)
{
    framing_script script;
    for (std::size_t n = random.between(1, 4); n > 0; --n)
        script.terminators.push_back(random_terminator(random));
    if (random.one_in(10))
        script.terminators.emplace_back(); // none, in the end
    while (script.input.size() < length) {
        const auto& some = script.terminators[random.between(0, script.terminators.size() - 1)];
        const auto strings = some.strings();
        const std::string_view bytes =
            strings.empty() ? "" : strings[random.between(0, strings.size() - 1)];
        switch (random.between(0, 3)) {
        case 0: script.input += bytes; break;
        case 1: script.input += bytes.substr(0, random.between(0, bytes.size())); break;
        case 2: script.input += bytes.substr(random.between(0, bytes.size())); break;
        default: script.input += random.word(random.between(1, 4), 3);
        }
    }
    script.input.resize(length);
    return script;
}

} // namespace support

#endif
