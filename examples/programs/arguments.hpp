// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The command line of the programs.

#ifndef PROGRAMS_ARGUMENTS_HPP
#define PROGRAMS_ARGUMENTS_HPP

#include <asynchat/endpoint.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/number.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace arguments {

// The command line is wrong. The text names the argument, and the wrong byte if there is one.
class wrong_use : public std::invalid_argument {
public:
    using invalid_argument::invalid_argument;
};

inline std::size_t number(std::string_view name, std::string_view text, std::size_t most)
{
    const auto parsed = asynchat::parse_number(text, most);
    if (!parsed)
        throw wrong_use(fmt::format("{}: {} at byte {} of '{}'", name,
                                    asynchat::to_string(parsed.error()), parsed.position(),
                                    asynchat::escaped(text)));
    return *parsed;
}

inline std::uint16_t port(std::string_view name, std::string_view text)
{
    return static_cast<std::uint16_t>(number(name, text, 65535));
}

// The address to listen on: "[HOST [PORT]]", beginning with the word `at`. The default is 127.0.0.1
// and any free port.
inline asynchat::endpoint address(const std::vector<std::string>& words, std::size_t at = 0)
{
    return {words.size() > at ? words[at] : "127.0.0.1",
            words.size() > at + 1 ? port("PORT", words[at + 1]) : 0};
}

// Flags and options are removed from it one by one. The rest are the words.
class command_line {
public:
    command_line(int argc, char** argv) : words_(argv + 1, argv + argc) {}

    // Whether the flag `name` is there: "--simple".
    bool flag(std::string_view name)
    {
        const auto end = std::remove(words_.begin(), words_.end(), name);
        const bool found = end != words_.end();
        words_.erase(end, words_.end());
        return found;
    }

    // The word after the option `name`, if it is there: "--root FOLDER". The last one counts.
    std::optional<std::string> option(std::string_view name)
    {
        std::optional<std::string> value;
        for (auto at = find(name); at != words_.end(); at = find(name)) {
            if (at + 1 == words_.end())
                throw wrong_use(fmt::format("{}: the value is missing", name));
            value = at[1];
            words_.erase(at, at + 2);
        }
        return value;
    }

    // The number after the option `name`, or `otherwise` if it is not there: "--loops 2".
    std::size_t number(std::string_view name, std::size_t otherwise, std::size_t most)
    {
        const auto text = option(name);
        return text ? arguments::number(name, *text, most) : otherwise;
    }

    // The number of threads that serve: "--loops 2".
    std::size_t loops(std::size_t most)
    {
        const std::size_t count = number("--loops", 1, most);
        if (count == 0)
            throw wrong_use("--loops: one is the least");
        return count;
    }

    // The two words after the option `name`, if it is there: "--tls CERT KEY". The last ones count.
    std::optional<std::pair<std::string, std::string>> pair(std::string_view name)
    {
        std::optional<std::pair<std::string, std::string>> values;
        for (auto at = find(name); at != words_.end(); at = find(name)) {
            if (words_.end() - at < 3)
                throw wrong_use(fmt::format("{}: two values are needed", name));
            values.emplace(at[1], at[2]);
            words_.erase(at, at + 3);
        }
        return values;
    }

    // The rest: no options, and at most `most` words.
    std::vector<std::string> words(std::size_t most) const
    {
        for (const std::string& word : words_) {
            if (word.substr(0, 1) == "-")
                throw wrong_use(fmt::format("there is no {}", asynchat::escaped(word)));
        }
        if (words_.size() > most)
            throw wrong_use(
                fmt::format("one argument too many: '{}'", asynchat::escaped(words_[most])));
        return words_;
    }

    // The rest: at least one word for each of `names`.
    std::vector<std::string> words(std::initializer_list<std::string_view> names) const
    {
        if (words_.size() < names.size())
            throw wrong_use(fmt::format("{} is missing", names.begin()[words_.size()]));
        return words_;
    }

private:
    std::vector<std::string>::iterator find(std::string_view name)
    {
        return std::find(words_.begin(), words_.end(), name);
    }

    std::vector<std::string> words_;
};

// The main function. Returns the exit status of `body`; 2 if the command line is wrong, and 1 for
// any other exception.
template <class Body>
int run(std::string_view program, std::string_view usage, int argc, char** argv, Body body)
{
    try {
        if (argc == 2 && argv[1] == std::string_view("--help")) {
            fmt::print("{}", usage);
            return 0;
        }
        return body(command_line(argc, argv));
    } catch (const wrong_use& error) {
        fmt::print(stderr, "{}: {}\n\n{}", program, error.what(), usage);
        return 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}: {}\n", program, error.what());
        return 1;
    }
}

} // namespace arguments

#endif
