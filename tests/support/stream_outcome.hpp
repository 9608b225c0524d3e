// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_STREAM_OUTCOME_HPP
#define ASYNCHAT_TESTS_SUPPORT_STREAM_OUTCOME_HPP

#include "support/cuts.hpp"
#include "support/naive_outcome.hpp"

#include <asynchat/detail/framing/stream_buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

// What the reads of a stream take out of an input, told as naive_outcome() tells whole frames.
namespace support {

/// Whether a read takes such a frame: strings, and counts with nothing behind them.
inline bool is_for_a_read(const asynchat::terminator& each)
{
    return each.collects_everything() || each.is_bytes() ||
           (each.is_count() && each.bytes().empty());
}

/// Only readline() skips a line that is too long.
inline bool has_only_lines(const framing_script& script)
{
    return std::all_of(script.terminators.begin(), script.terminators.end(),
                       [](const asynchat::terminator& each) { return each == "\n"; });
}

/// Reads while there is something to read.
class reads {
public:
    explicit reads(const limited_script& task) : task_(task), buffer_(task.max_frame) {}

    void deliver(std::string_view piece)
    {
        buffer_.append(piece);
        while (!ended_ && one_read()) {
        }
    }
    std::string told()
    {
        return ended_ ? told_ + " (frame limit)"
                      : told_ + (wants_all() ? std::string(everything()) : "");
    }

private:
    using verdict = asynchat::detail::stream_buffer::verdict;

    bool wants_all() const
    {
        return at_ == task_.script.terminators.size() ||
               task_.script.terminators[at_].collects_everything();
    }
    std::string_view everything()
    {
        buffer_.end();
        return buffer_.read_all().data;
    }
    /// Returns false when it is starved.
    bool one_read()
    {
        if (wants_all())
            return false;
        const asynchat::terminator& wanted = task_.script.terminators[at_];
        const bool skips = task_.answer == asynchat::overflow::skip;
        const auto seen = wanted.is_count() ? buffer_.read_exactly(wanted.count())
                          : skips           ? buffer_.read_line()
                                            : buffer_.read_until(wanted);
        if (seen.what == verdict::too_long)
            return skips || !(ended_ = true);
        if (seen.what != verdict::found)
            return false;
        const std::size_t end = wanted.is_count() ? 0 : buffer_.matched().size();
        told_ += "[" + std::string(seen.data.substr(0, seen.data.size() - end)) + "]";
        if (at_ + 1 < task_.script.terminators.size() || wanted.is_count())
            ++at_;
        return true;
    }

    const limited_script& task_;
    asynchat::detail::stream_buffer buffer_;
    std::string told_;
    std::size_t at_ = 0;
    bool ended_ = false; // by a frame that is too long
};

template <class NextSize>
std::string read_outcome(const limited_script& task, NextSize next_size)
{
    reads all(task);
    in_pieces(task.script.input, std::move(next_size),
              [&](std::string_view piece) { all.deliver(piece); });
    return all.told();
}

} // namespace support

#endif
