// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_GUARDS_INSTRUCTIONS_COUNTING_HPP
#define ASYNCHAT_TESTS_GUARDS_INSTRUCTIONS_COUNTING_HPP

#include <asio/version.hpp>
#include <fmt/format.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

// What compare.py expects of a program whose instructions it counts: a program of one source file,
// which includes this.

// The instructions of each call of this function are counted; it is found by its name.
extern "C" {
void counted_work(void (*run)(std::size_t), std::size_t messages);

__attribute__((noinline)) void counted_work(void (*run)(std::size_t), std::size_t messages)
{
    run(messages);
}
}

namespace guards {

/// Work that is the same for each message.
struct kind {
    const char* name;
    void (*run)(std::size_t messages);
};

/// Figures are comparable when this is the same.
inline std::string key_of_figures()
{
#if defined(__clang__)
    const std::string compiler = fmt::format("clang++-{}", __clang_major__);
#else
    const std::string compiler = fmt::format("g++-{}", __GNUC__);
#endif
#if defined(__x86_64__)
    const char* const processor = "x86_64";
#elif defined(__aarch64__)
    const char* const processor = "aarch64";
#else
    const char* const processor = "other";
#endif
    return fmt::format("{}/{}/asio-{}.{}/fmt-{}", compiler, processor, ASIO_VERSION / 100000,
                       ASIO_VERSION / 100 % 1000, FMT_VERSION / 10000);
}

/// The main function of such a program. With the argument COUNT it does each kind of work for COUNT
/// messages, and for twice that, and prints the kinds. What is made only once is made before, by
/// `first` messages. With the argument "key" it prints key_of_figures() and `suffix`.
template <std::size_t Size>
int count_all(int argc, char** argv, const kind (&kinds)[Size], std::size_t first,
              const char* suffix = "")
{
    const std::string_view argument = argc == 2 ? argv[1] : "";
    if (argument == "key") {
        std::puts((key_of_figures() + suffix).c_str());
        return 0;
    }
    const auto count = std::strtoul(std::string(argument).c_str(), nullptr, 10);
    if (count == 0) {
        std::fprintf(stderr, "usage: PROGRAM COUNT | PROGRAM key\n");
        return 2;
    }
    for (const kind& each : kinds) {
        each.run(first);
        counted_work(each.run, count);
        counted_work(each.run, 2 * count);
        std::puts(each.name);
    }
    return 0;
}

} // namespace guards

#endif
