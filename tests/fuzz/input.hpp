// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_FUZZ_INPUT_HPP
#define ASYNCHAT_TESTS_FUZZ_INPUT_HPP

#include <asynchat/terminator.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

/// What libFuzzer calls with each input, and replay.cpp with each file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Takes an input apart. Where it ends, all is 0 and empty.
class input {
public:
    input(const std::uint8_t* data, std::size_t size)
        : rest_(reinterpret_cast<const char*>(data), size)
    {
    }

    bool is_empty() const noexcept { return rest_.empty(); }

    /// In [low, high], at most 256 of them.
    std::size_t number(std::size_t low, std::size_t high)
    {
        if (rest_.empty())
            return low;
        const auto byte = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return low + byte % (high - low + 1);
    }
    std::string bytes(std::size_t size)
    {
        const std::string text(rest_.substr(0, size));
        rest_.remove_prefix(text.size());
        return text;
    }
    std::string rest() { return bytes(rest_.size()); }

    asynchat::terminator terminator()
    {
        const std::size_t kind = number(0, 13);
        if (kind == 13) {
            const std::size_t count = number(0, 9);
            return asynchat::terminator::counted(count, bytes(number(0, 5)) + "\n");
        }
        switch (kind % 7) {
        case 0: return number(1, 20);
        case 1: return asynchat::terminator::varint();
        case 2: return asynchat::terminator::netstring();
        case 3:
            return asynchat::terminator::length_prefix(
                number(1, 8),
                number(0, 1) == 0 ? asynchat::byte_order::big : asynchat::byte_order::little);
        case 4: {
            std::vector<std::string> strings(number(2, 4));
            for (std::string& each : strings) {
                each = bytes(number(1, 6));
                each += each.empty() ? "\n" : "";
            }
            return asynchat::terminator(strings);
        }
        default: return bytes(number(0, 11)) + "\n";
        }
    }

private:
    std::string_view rest_;
};

/// Ends the program, as a fault that libFuzzer sees.
inline void require(bool holds, std::string_view what)
{
    if (holds)
        return;
    std::fprintf(stderr, "fuzz: wrong: %.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}

} // namespace fuzz

#endif
