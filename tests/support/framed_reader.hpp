// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_FRAMED_READER_HPP
#define ASYNCHAT_TESTS_SUPPORT_FRAMED_READER_HPP

#include "support/cuts.hpp"
#include "support/driven.hpp"
#include "support/naive_outcome.hpp"

#include <asynchat/async_chat.hpp>
#include <asynchat/frame_chat.hpp>

#include <asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

// Channels that tell what comes out of their input as naive_outcome() does.
namespace support {

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

    /// As naive_left(). What was begun comes out when there is no terminator any more.
    std::string left()
    {
        const std::string missing = std::to_string(Base::get_terminator().count());
        Base::set_terminator(asynchat::terminator());
        deliver("|");
        return missing + " " + open_.substr(0, open_.size() - 1);
    }

    std::size_t recv(asio::mutable_buffer into) override
    {
        const std::size_t size = std::min(into.size(), next_.size());
        std::memcpy(into.data(), next_.data(), size);
        next_.remove_prefix(size);
        return size;
    }
    void collect_incoming_data(std::string_view data) override
    {
        open_ += data.empty() ? "an empty piece" : data;
    }
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
    in_pieces(task.script.input, std::move(next_size),
              [&](std::string_view piece) { chat.deliver(piece); });
    return chat.told();
}

} // namespace support

#endif
