// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_CUT_CHECKER_HPP
#define ASYNCHAT_TESTS_SUPPORT_CUT_CHECKER_HPP

#include "support/catch.hpp"
#include "support/framed_reader.hpp"

#include <asynchat/loop.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace support {

/// Reads an input in pieces, through both faces, and compares with what a naive reading of the
/// whole gives.
class cut_checker {
public:
    cut_checker(asynchat::loop& loop, const limited_script& task)
        : loop_(loop), task_(task), streamed_(naive_outcome(task, false)),
          whole_(naive_outcome(task, true))
    {
    }

    template <class NextSize>
    void check(NextSize next_size)
    {
        const std::string streamed = outcome<streaming_reader>(loop_, task_, next_size);
        const std::string whole = outcome<whole_frame_reader>(loop_, task_, next_size);
        if (streamed == streamed_ && whole == whole_)
            return;
        std::string terminators;
        for (const asynchat::terminator& each : task_.script.terminators)
            terminators += each.repr() + " ";
        CAPTURE(task_.script.input, terminators, task_.max_frame, static_cast<int>(task_.answer));
        REQUIRE(streamed == streamed_);
        REQUIRE(whole == whole_);
    }

private:
    asynchat::loop& loop_;
    const limited_script& task_;
    const std::string streamed_;
    const std::string whole_;
};

/// Of at most 15 bytes.
inline void check_all_cuts(asynchat::loop& loop, const limited_script& task)
{
    const std::size_t size = task.script.input.size();
    REQUIRE(size <= 15);
    cut_checker all(loop, task);
    for (std::uint32_t cuts = 0; cuts < 1U << (size - 1); ++cuts) {
        std::size_t at = 0;
        all.check([&] {
            at = at == size ? 0 : at; // for the second reader
            std::size_t piece = 1;
            while (++at < size && ((cuts >> (at - 1)) & 1U) == 0)
                ++piece;
            return piece;
        });
    }
}

} // namespace support

#endif
