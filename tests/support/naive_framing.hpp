// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_NAIVE_FRAMING_HPP
#define ASYNCHAT_TESTS_SUPPORT_NAIVE_FRAMING_HPP

#include <asynchat/terminator.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
        } else {
            const std::size_t found = rest.find(wanted.bytes());
            if (found == std::string_view::npos) {
                std::size_t held = std::min(rest.size(), wanted.bytes().size() - 1);
                while (rest.substr(rest.size() - held) != wanted.bytes().substr(0, held))
                    --held;
                result.open = rest.substr(0, rest.size() - held);
                result.held = held;
                return result;
            }
            result.frames.emplace_back(rest.substr(0, found));
            length = found + wanted.bytes().size();
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
        const std::string_view bytes = some.bytes();
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
