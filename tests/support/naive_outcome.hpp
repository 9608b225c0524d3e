// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_NAIVE_OUTCOME_HPP
#define ASYNCHAT_TESTS_SUPPORT_NAIVE_OUTCOME_HPP

#include "support/naive_framing.hpp"

#include <asynchat/async_chat.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

// What frames come out of an input when they have a limit, and lengths may be malformed, as plainly
// as possible. It is told in one line:
//
//     "[ab][abc~]de (bad frame)"    two frames, the second truncated, what was collected since, and
//                                   why the channel was closed
namespace support {

struct limited_script {
    framing_script script;
    std::size_t max_frame = asynchat::unlimited;
    asynchat::overflow answer = asynchat::overflow::close;
};

/// The index of the first byte that cannot be part of a length.
inline std::optional<std::size_t> naive_malformed(std::string_view input, const std::string& kind)
{
    if (kind == "varint()") {
        for (std::size_t at = 0; at < std::min<std::size_t>(input.size(), 10); ++at) {
            const auto byte = static_cast<unsigned char>(input[at]);
            if ((at == 9 && byte >= 128) || (at > 0 && byte == 0))
                return at;
            if (byte < 128)
                break;
        }
    } else if (kind == "netstring()") {
        for (std::size_t at = 0; at < input.size(); ++at) {
            if (at > 0 && (input[at] == ':' || naive_is_too_large(input.substr(0, at))))
                break;
            if (input[at] < '0' || input[at] > '9' || (at > 0 && input[0] == '0'))
                return at;
        }
    }
    return std::nullopt;
}

inline std::string naive_outcome(const limited_script& task, bool whole_frames)
{
    using asynchat::overflow;
    const std::size_t most = task.max_frame;
    std::string_view rest = task.script.input;
    std::string told;
    std::size_t at = 0;
    // What is left in the hands of one who collects the pieces.
    const auto open = [&](std::string_view bytes) {
        return whole_frames ? "" : std::string(bytes);
    };
    for (;;) {
        if (at == task.script.terminators.size())
            return told + std::string(rest); // a spent count
        const asynchat::terminator& wanted = task.script.terminators[at];
        std::string_view frame;
        std::size_t length = 0; // with the terminator
        bool complete = true;
        if (wanted.collects_everything())
            return told + std::string(rest);
        if (wanted.is_count()) {
            const std::string_view behind = wanted.bytes();
            frame = rest.substr(0, wanted.count());
            length = wanted.count() + behind.size();
            complete = rest.size() >= length;
            const std::string_view follows = rest.substr(frame.size(), behind.size());
            if (frame.size() == wanted.count() && follows != behind.substr(0, follows.size()))
                return told + open(frame) + " (bad frame)";
            if (!complete)
                return told + open(frame);
            told += "[" + std::string(frame) + "]";
        } else {
            bool too_long = false;
            bool bad = false;
            std::size_t before_verdict = most;
            if (wanted.is_length_prefix()) {
                if (naive_malformed(rest, wanted.repr()))
                    return told + " (bad frame)";
                const naive_length announced = naive_read_length(rest, wanted.repr());
                if (announced.size == 0)
                    return told;
                const bool comma = wanted == asynchat::terminator::netstring();
                frame = rest.substr(announced.size, announced.value);
                complete = frame.size() == announced.value;
                if (complete && comma) {
                    const std::size_t end = announced.size + announced.value;
                    complete = end < rest.size() && rest[end] == ',';
                    bad = end < rest.size() && rest[end] != ',';
                }
                length = complete ? announced.size + announced.value + (comma ? 1 : 0) : 0;
                too_long = announced.value > most ||
                           announced.value == std::numeric_limits<std::size_t>::max();
                before_verdict = 0;
            } else {
                const naive_end end = naive_string_end(rest, wanted.strings());
                frame = rest.substr(0, end.frame);
                length = end.frame + end.behind;
                complete = end.found;
                too_long = frame.size() > most;
            }
            if (too_long && task.answer == overflow::close)
                return told + open(frame.substr(0, before_verdict)) + " (frame limit)";
            const bool truncated = too_long && task.answer == overflow::truncate;
            if (too_long)
                frame = frame.substr(0, truncated ? most : 0);
            if (bad)
                return told + open(frame) + " (bad frame)";
            if (!complete)
                return told + open(frame);
            if (!too_long || truncated)
                told += "[" + std::string(frame) + (truncated ? "~]" : "]");
            rest.remove_prefix(length);
            if (too_long && !truncated)
                continue; // nobody heard of it, and set the next terminator
            length = 0;
        }
        rest.remove_prefix(length);
        if (at + 1 < task.script.terminators.size())
            ++at;
        else if (wanted.is_count())
            at = task.script.terminators.size();
    }
}

/// What is left in the end of strings and counts without a limit: how much a count lacks, and all
/// bytes that belong to no frame, the held ones too.
inline std::string naive_left(const framing_script& script)
{
    const framing result = naive_framing(script);
    return std::to_string(result.missing) + " " + result.open +
           script.input.substr(script.input.size() - result.held);
}

} // namespace support

#endif
