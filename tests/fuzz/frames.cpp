// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Terminators of all kinds, limits and their verdicts, through the three faces and in any pieces:
// the same as a naive reading of the whole.
#include "fuzz/input.hpp"
#include "support/framed_reader.hpp"
#include "support/stream_outcome.hpp"

#include <asynchat/loop.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static asynchat::loop loop;
    fuzz::input input(data, size);
    support::limited_script task;
    for (std::size_t n = input.number(1, 4); n > 0; --n)
        task.script.terminators.push_back(input.terminator());
    if (input.number(0, 7) == 0)
        task.script.terminators.emplace_back();
    // A larger count is refused where frames are kept.
    task.max_frame = input.number(0, 1) == 0 ? asynchat::unlimited : input.number(20, 60);
    task.answer = static_cast<asynchat::overflow>(input.number(0, 2));
    const std::string sizes = input.bytes(8);
    task.script.input = input.rest();
    if (task.script.input.empty())
        return 0;

    std::size_t at = 0;
    const auto next_size = [&] {
        return sizes.empty()
                   ? std::size_t(1)
                   : std::size_t{static_cast<unsigned char>(sizes[at++ % sizes.size()])} % 32 + 1;
    };
    using namespace support;
    fuzz::require(outcome<streaming_reader>(loop, task, next_size) == naive_outcome(task, false),
                  "pieces");
    at = 0;
    fuzz::require(outcome<whole_frame_reader>(loop, task, next_size) == naive_outcome(task, true),
                  "whole frames");

    const auto& all = task.script.terminators;
    if (!std::all_of(all.begin(), all.end(), is_for_a_read))
        return 0;
    if (task.answer == asynchat::overflow::truncate || !has_only_lines(task.script))
        task.answer = asynchat::overflow::close;
    at = 0;
    fuzz::require(read_outcome(task, next_size) == naive_outcome(task, true), "reads");
    return 0;
}
