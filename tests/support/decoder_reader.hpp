// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_DECODER_READER_HPP
#define ASYNCHAT_TESTS_SUPPORT_DECODER_READER_HPP

#include "support/naive_outcome.hpp"

#include <asynchat/detail/framing/frame_decoder.hpp>
#include <asynchat/detail/framing/frame_pass.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A frame_decoder with no channel around it, and inputs for it.
namespace support::decoding {

using asynchat::overflow;
using asynchat::terminator;
using asynchat::unlimited;
using asynchat::detail::frame_decoder;
using namespace std::string_literals;

using pass = frame_decoder::pass;
using rare = frame_decoder::step::rare;

inline std::string name_of(pass::began since)
{
    switch (since) {
    case pass::began::nothing: return "nothing";
    case pass::began::before: return "before";
    case pass::began::here: return "here";
    }
    return "?";
}

/// Obeys the steps as a channel does, and writes down what comes out.
class reader {
public:
    enum class moment { before_take, after_take, at_rare_step };

    explicit reader(limited_script task) : task_(std::move(task))
    {
        decoder.set(task_.script.terminators[0], task_.max_frame);
    }

    /// Bytes that were received, behind those that were carried over.
    void receive(std::string_view bytes)
    {
        if (closes_)
            return;
        std::string input(decoder.carried());
        input += bytes;
        received_ += bytes;
        pass now(decoder, input, {part, nullptr});
        deliver(now);
    }
    /// What was not read yet.
    void receive_kept()
    {
        pass now(decoder, asynchat::detail::input_bounds{part, nullptr});
        deliver(now);
    }

    /// As support::naive_outcome() tells it.
    std::string told() const { return told_ + open_ + why_closed_; }
    /// As naive_left().
    std::string left() const
    {
        return std::to_string(decoder.current().count()) + " " + open_ +
               std::string(decoder.carried());
    }
    /// The first thing that must never be; empty if there was none.
    std::string fault() const
    {
        if (fault_.empty() && used_ + std::string(decoder.carried()) + dropped_ != received_)
            return "bytes got lost: " + used_;
        return fault_;
    }

    frame_decoder decoder;
    std::function<void(moment, pass&)> at_rest; ///< called whenever there may be a change
    bool keeps_count_of_bytes = true;           ///< nothing is changed or discarded
    std::size_t stop_after = unlimited;         ///< frames in one pass
    std::size_t part = unlimited;               ///< bytes that are examined at a time
    std::size_t steps = 0;                      ///< that were taken
    std::size_t verdicts = 0;                   ///< frames that were too long
    pass::began began = pass::began::nothing;   ///< after the last pass

private:
    void deliver(pass& now)
    {
        while (!closes_ && now.frames() < stop_after) {
            const std::string_view before = now.rest();
            const auto step = now.next();
            const std::string_view behind_length = now.rest();
            if (!(now.next() == step) || now.rest() != behind_length)
                note("the second look is another one");
            use(before.substr(0, before.size() - behind_length.size()));
            if (step.is_rare()) {
                if (step.is_starved() && !now.has_more())
                    break;
                if (step.is_starved()) {
                    now.widen(part);
                    continue;
                }
                obey(now, step.why());
                continue;
            }
            take(now, step);
        }
        if (closes_)
            dropped_ = now.rest();
        if (closes_)
            now.drop();
        began = now.frame_began();
    }
    void take(pass& now, frame_decoder::step step)
    {
        const std::string_view before = now.rest();
        open_ += now.piece(step);
        size_ += step.size();
        ++steps;
        rest_at(moment::before_take, now);
        const bool ended = now.take(step);
        if (ended != step.ends_frame() && keeps_count_of_bytes)
            note("an end is not one");
        if (!now.has_more() && !now.empty() && !decoder.carried().empty())
            note("bytes are held back in front of others");
        if (keeps_count_of_bytes)
            use(before.substr(0, before.size() - now.rest().size() - decoder.carried().size()));
        rest_at(moment::after_take, now);
        if (ended)
            found();
        else if (!decoder.in_frame())
            size_ = 0;
    }
    void obey(pass& now, rare why)
    {
        if (why == rare::malformed) {
            rest_at(moment::at_rare_step, now);
            why_closed_ = " (bad frame)";
            closes_ = true;
            return;
        }
        ++verdicts;
        if (decoder.current().is_length_prefix()) {
            if (size_ != 0 && keeps_count_of_bytes)
                note("a length is judged behind its frame");
        } else if (size_ < decoder.limit() && keeps_count_of_bytes) {
            note("too long before it is so");
        }
        rest_at(moment::at_rare_step, now);
        if (task_.answer == overflow::close) {
            why_closed_ = " (frame limit)";
            closes_ = true;
            return;
        }
        if (task_.answer == overflow::skip)
            open_.clear();
        const std::string_view before = now.rest();
        now.drop_frame(task_.answer == overflow::truncate);
        use(before.substr(0, before.size() - now.rest().size()));
    }
    void found()
    {
        told_ += "[" + std::exchange(open_, {}) + (decoder.truncated() ? "~]" : "]");
        size_ = 0;
        if (at_ + 1 < task_.script.terminators.size())
            decoder.set(task_.script.terminators[++at_], task_.max_frame);
    }
    void rest_at(moment where, pass& now)
    {
        if (at_rest)
            at_rest(where, now);
    }
    void use(std::string_view bytes)
    {
        if (keeps_count_of_bytes)
            used_ += bytes;
    }
    void note(const char* fault)
    {
        if (fault_.empty())
            fault_ = fault;
    }

    limited_script task_;
    std::string told_;
    std::string open_; // collected since
    std::string why_closed_;
    std::string fault_;
    std::string received_;
    std::string used_;
    std::string dropped_;  // of a channel that is closed
    std::size_t size_ = 0; // of the frame
    std::size_t at_ = 0;   // of the terminators
    bool closes_ = false;
};

inline limited_script script(std::string input, std::vector<terminator> terminators,
                             std::size_t max_frame = unlimited,
                             overflow answer = overflow::truncate)
{
    return {{std::move(input), std::move(terminators)}, max_frame, answer};
}

/// At most 12 bytes each, to be cut everywhere.
inline std::vector<framing_script> scripts()
{
    std::vector<framing_script> all{
        {"ab\ncdefg\n\nh", {"\n"}},
        {"ab\r\nc\r\r\nd\r", {"\r\n"}},
        {"aabaaabaab", {"aab"}},
        {"ab\r\nc\nd\r", {{"\r\n", "\n"}}},
        {"xabyabcz", {{"abcd", "bc", "x"}}},
        {"abcdefgh", {3, "g", 0}},
        {"abc", {7}},
        {"a\nbcd\ne", {"\n", 2, "\n", std::nullopt}},
        {"\x02"
         "ab"
         "\x00"
         "\x05"
         "cdefgh"s,
         {terminator::length_prefix(1)}},
        {"\x00\x02"
         "ab"
         "\x00\x00\x00\x03"
         "cd"s,
         {terminator::length_prefix(2)}},
        {"\x00\x00\x02"
         "ab"
         "\x00\x00\x01"
         "c"s,
         {terminator::length_prefix(3)}},
        {"\x03\x00\x00\x00"
         "abc"
         "\x01\x00"s,
         {terminator::length_prefix(4, asynchat::byte_order::little)}},
        {"\x00\x00\x00\x00\x02"
         "ab"
         "\x00"s,
         {terminator::length_prefix(5)}},
        {"\x00\x00\x00\x00\x00\x03"
         "abc"
         "\x00"s,
         {terminator::length_prefix(6)}},
        {"\x00\x00\x00\x00\x00\x00\x03"
         "abc"s,
         {terminator::length_prefix(7)}},
        {"\x00\x00\x00\x00\x00\x00\x00\x03"
         "ab"s,
         {terminator::length_prefix(8)}},
        {"\x02"
         "ab"
         "\x00"
         "\x04"
         "cdef"
         "\x85"s,
         {terminator::varint()}},
        {"\x02"
         "ab"
         "\x83\x00"
         "c"s,
         {terminator::varint()}},
        {"2:ab,0:,3:cd"s, {terminator::netstring()}},
        {"2:ab,1:cd"s, {terminator::netstring()}},
        {"1:a,02:"s, {terminator::netstring()}},
        {"3:abc,x\ny", {terminator::netstring(), "\n", terminator::varint()}},
        {"ab\r\nc\r\nde", {terminator::counted(2, "\r\n"), terminator::counted(1, "\r\n")}},
        {"\r\nab\r\n\r\n\r\n",
         {terminator::counted(0, "\r\n"), terminator::counted(2, "\r\n"),
          terminator::counted(0, "\r\n")}},
        {"2\r\nab\r\n0\r\n\r\n",
         {"\r\n", terminator::counted(2, "\r\n"), "\r\n", terminator::counted(0, "\r\n")}},
        {"ab\rXcd", {terminator::counted(2, "\r\n")}},
        {"abX", {terminator::counted(2, "\r\n")}},
        {"Xab", {terminator::counted(0, ";")}},
        {"aabaabaabaab", {terminator::counted(2, "baabaab"), 1, terminator::counted(1, "b")}},
        {"1:a,b;cd;", {terminator::netstring(), terminator::counted(1, ";"), 1, ";"}},
    };
    return all;
}

inline constexpr overflow answers[] = {overflow::close, overflow::skip, overflow::truncate};

inline std::string printable(std::string_view text)
{
    return terminator(text).repr();
}

} // namespace support::decoding

#endif
