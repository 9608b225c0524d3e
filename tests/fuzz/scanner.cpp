// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The scanner itself, for strings and several of them: finds what a naive search of the whole
// finds, and holds back exactly what could still become one.
#include "fuzz/input.hpp"
#include "support/naive_framing.hpp"

#include <asynchat/detail/framing/terminator_scanner.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::input input(data, size);
    const asynchat::terminator wanted = input.terminator();
    if (!wanted.is_bytes())
        return 0;
    const std::string sizes = input.bytes(8);
    const std::string all = input.rest();

    asynchat::detail::terminator_scanner scanner;
    scanner.set(wanted);
    std::size_t frame = 0; // where it begins
    std::size_t held = 0;
    std::size_t at = 0;
    for (std::size_t end = 0; end < all.size();) {
        const std::size_t more =
            sizes.empty() ? 1 : static_cast<unsigned char>(sizes[at++ % sizes.size()]) % 64U + 1;
        const std::size_t begin = end - held;
        end = std::min(all.size(), end + more);
        std::string_view rest = std::string_view(all).substr(begin, end - begin);
        std::size_t matched = std::exchange(held, 0);
        while (!rest.empty()) {
            const auto step = scanner.scan(rest, std::exchange(matched, 0));
            const auto place = static_cast<std::size_t>(rest.data() - all.data());
            const auto expected = support::naive_string_end(
                std::string_view(all).substr(frame, end - frame), wanted.strings());
            fuzz::require(step.found() == expected.found, "found");
            fuzz::require(place + step.collect() == frame + expected.frame, "collected");
            fuzz::require(step.skip() + step.held() == expected.behind, "behind it");
            if (!step.found()) {
                held = step.held();
                fuzz::require(scanner.held(held) == rest.substr(rest.size() - held), "held");
                break;
            }
            fuzz::require(scanner.matched() == rest.substr(step.collect(), step.skip()), "matched");
            rest.remove_prefix(step.collect() + step.skip());
            frame = place + step.collect() + step.skip();
        }
    }
    return 0;
}
