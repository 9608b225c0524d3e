// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_CUT_CHECKER_HPP
#define ASYNCHAT_TESTS_SUPPORT_CUT_CHECKER_HPP

#include "support/catch.hpp"
#include "support/cuts.hpp"
#include "support/decoder_reader.hpp"
#include "support/driven.hpp"
#include "support/framed_reader.hpp"
#include "support/naive_outcome.hpp"

#include <asynchat/loop.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// Reads an input in pieces, and compares with what a naive reading of the whole gives: the same
/// frames, verdicts, and bytes that are left, however it is cut.
class cut_checker {
public:
    /// By a decoder without a channel.
    explicit cut_checker(const limited_script& task)
        : task_(task), streamed_(naive_outcome(task, false)), left_(naive_left_of(task))
    {
        decoding::reader whole(task);
        whole.receive(task.script.input);
        REQUIRE(whole.told() == streamed_);
        verdicts_ = whole.verdicts;
    }
    /// And by both faces of a channel.
    cut_checker(asynchat::loop& loop, const limited_script& task) : cut_checker(task)
    {
        loop_ = &loop;
        whole_ = naive_outcome(task, true);
    }

    template <class NextSize>
    void check(NextSize next_size)
    {
        decoding::reader alone(task_);
        read(next_size, [&](std::string_view piece) { alone.receive(piece); });
        compare("decoder", alone, streamed_);
        if (!alone.fault().empty())
            fail("decoder", alone.fault(), "");
        decoding::reader in_parts(task_);
        in_parts.part = part_ = part_ % 7 + 1;
        read(next_size, [&](std::string_view piece) { in_parts.receive(piece); });
        compare("decoder, in parts", in_parts, streamed_);
        if (!in_parts.fault().empty())
            fail("decoder, in parts", in_parts.fault(), "");
        if (loop_ != nullptr) {
            check_channel<streaming_reader>("async_chat", next_size, streamed_);
            check_channel<whole_frame_reader>("frame_chat", next_size, whole_);
        }
    }
    /// Of an input of at most 16 bytes.
    void check_every_cut()
    {
        for_each_cut(task_.script.input.size(), [this](const cut& one) { check(one); });
    }

private:
    template <class NextSize, class Deliver>
    void read(NextSize next_size, Deliver deliver)
    {
        sizes_.clear();
        in_pieces(task_.script.input, next_size, [&](std::string_view piece) {
            sizes_.push_back(piece.size());
            deliver(piece);
        });
    }
    template <class Reader, class NextSize>
    void check_channel(const char* who, NextSize next_size, const std::string& expected)
    {
        const driven<Reader> owned(*loop_, task_);
        read(next_size, [&](std::string_view piece) { (*owned).deliver(piece); });
        compare(who, *owned, expected);
    }
    template <class Reader>
    void compare(const char* who, Reader& reader, const std::string& expected) const
    {
        if (reader.told() != expected)
            fail(who, reader.told(), expected);
        if (reader.verdicts != verdicts_)
            fail(who, std::to_string(reader.verdicts) + " verdicts", std::to_string(verdicts_));
        if (left_.empty())
            return;
        const std::string left = reader.left();
        if (left != left_)
            fail(who, left, left_);
    }
    void fail(const char* who, const std::string& told, const std::string& expected) const
    {
        std::string terminators;
        for (const asynchat::terminator& each : task_.script.terminators)
            terminators += each.repr() + " ";
        CAPTURE(who, part_, decoding::printable(task_.script.input), sizes_, terminators,
                task_.max_frame, static_cast<int>(task_.answer));
        REQUIRE(told == expected);
    }

    /// Empty where it cannot be told so simply.
    static std::string naive_left_of(const limited_script& task)
    {
        const auto is_simple = [](const asynchat::terminator& each) {
            return !each.is_length_prefix() && (!each.is_count() || each.bytes().empty());
        };
        const auto& all = task.script.terminators;
        return task.max_frame == asynchat::unlimited &&
                       std::all_of(all.begin(), all.end(), is_simple)
                   ? naive_left(task.script)
                   : "";
    }

    asynchat::loop* loop_ = nullptr;
    const limited_script& task_;
    std::string streamed_;
    std::string whole_;
    std::string left_;
    std::size_t verdicts_ = 0;
    std::size_t part_ = 0;           // bytes that were examined at a time, the last time
    std::vector<std::size_t> sizes_; // of the pieces that were read last
};

} // namespace support

#endif
