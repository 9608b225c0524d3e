// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_FRAMED_READER_HPP
#define ASYNCHAT_TESTS_SUPPORT_FRAMED_READER_HPP

#include "support/driven.hpp"
#include "support/naive_framing.hpp"

#include <asynchat/async_chat.hpp>
#include <asynchat/frame_chat.hpp>

#include <asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What frames come out of an input when they have a limit, and lengths may be malformed: as plainly
// as possible, and as the channels do it. Both are told in one line:
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

/// A channel that tells what comes out, and gets its input by deliver().
template <class Base>
class framed_reader : public Base {
public:
    framed_reader(asynchat::loop& owner, const limited_script& task) : Base(owner), task_(task)
    {
        Base::set_connected(true);
        Base::max_frame(task.max_frame);
        Base::set_terminator(task.script.terminators[0]);
    }

    void deliver(std::string_view piece)
    {
        next_ = piece;
        while (!next_.empty() && !Base::closed())
            Base::handle_read();
    }
    std::string told() const
    {
        const std::string text = told_ + open_;
        return Base::closed() ? text + " (" + std::string(to_string(Base::close_reason())) + ")"
                              : text;
    }

    std::size_t recv(asio::mutable_buffer into) override
    {
        const std::size_t size = std::min(into.size(), next_.size());
        std::memcpy(into.data(), next_.data(), size);
        next_.remove_prefix(size);
        return size;
    }
    void collect_incoming_data(std::string_view data) override { open_ += data; }
    asynchat::overflow handle_overflow() override
    {
        ++verdicts;
        if (task_.answer == asynchat::overflow::skip)
            open_.clear();
        return task_.answer;
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

    std::size_t verdicts = 0;

protected:
    void found(std::string_view frame)
    {
        told_ += "[" + std::string(frame) + (Base::truncated() ? "~]" : "]");
        if (at_ + 1 < task_.script.terminators.size())
            Base::set_terminator(task_.script.terminators[++at_]);
    }
    std::string take_open() { return std::exchange(open_, {}); }

private:
    const limited_script& task_;
    std::string told_;
    std::string open_;
    std::size_t at_ = 0;
    std::string_view next_;
};

class streaming_reader : public framed_reader<asynchat::async_chat> {
public:
    using framed_reader::framed_reader;
    void found_terminator() override { found(take_open()); }
};

class whole_frame_reader : public framed_reader<asynchat::frame_chat> {
public:
    using framed_reader::framed_reader;
    void found_frame(std::string_view frame) override { found(frame); }
};

/// What comes out when the input comes in pieces of the sizes that next_size() gives.
template <class Reader, class NextSize>
std::string outcome(asynchat::loop& loop, const limited_script& task, NextSize next_size)
{
    const driven<Reader> owned(loop, task);
    Reader& chat = *owned;
    std::string_view rest = task.script.input;
    while (!rest.empty()) {
        const std::size_t size = std::min<std::size_t>(rest.size(), next_size());
        chat.deliver(rest.substr(0, size));
        rest.remove_prefix(size);
    }
    return chat.told();
}

} // namespace support

#endif
