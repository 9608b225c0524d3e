// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The allocations of a message in the steady state: none but the user's own.
#include "guards/count_allocations.hpp"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using guards::check;
using guards::lines;

// --- input -------------------------------------------------------------------------------------

/// Answers frames of 64 bytes with themselves.
class counted_echo : public asynchat::async_chat {
public:
    counted_echo(asynchat::loop& owner, asynchat::socket from, std::size_t&)
        : async_chat(owner, std::move(from))
    {
        set_terminator(64);
    }
    void collect_incoming_data(std::string_view data) override { push(data); }
    void found_terminator() override { set_terminator(64); }
};

/// Answers "ECHO n" and n bytes with the bytes.
class command_echo : public asynchat::async_chat {
public:
    command_echo(asynchat::loop& owner, asynchat::socket from, std::size_t&)
        : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { frame_ += data; }
    void found_terminator() override
    {
        if (get_terminator().is_bytes()) {
            set_terminator(std::atoi(frame_.c_str() + std::string_view("ECHO ").size()));
        } else {
            push(std::string_view(frame_));
            set_terminator("\n");
        }
        frame_.clear();
    }

private:
    std::string frame_;
};

/// Reads a line of either kind, a frame with its length in front and a netstring in turn; answers
/// the last.
class mixed_echo : public asynchat::async_chat {
public:
    mixed_echo(asynchat::loop& owner, asynchat::socket from, std::size_t&)
        : async_chat(owner, std::move(from))
    {
        set_terminator({"\r\n", "\n"});
    }
    void collect_incoming_data(std::string_view data) override { frame_ += data; }
    void found_terminator() override
    {
        const asynchat::terminator& now = get_terminator();
        if (now.is_several()) {
            set_terminator(asynchat::terminator::length_prefix(2));
        } else if (now == asynchat::terminator::length_prefix(2)) {
            set_terminator(asynchat::terminator::netstring());
        } else {
            push(std::string_view(frame_));
            set_terminator({"\r\n", "\n"});
        }
        frame_.clear();
    }

private:
    std::string frame_;
};

/// Answers each line, which comes whole.
class whole_line_echo : public asynchat::frame_chat {
public:
    whole_line_echo(asynchat::loop& owner, asynchat::socket from, std::size_t&)
        : frame_chat(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void found_frame(std::string_view frame) override
    {
        push(frame);
        push("\n");
    }
};

/// Waits for its rate before each line but the first: the bucket of one line is empty then, and the
/// larger one is as empty. (What was received of later frames is kept in memory during the wait, as
/// by a pause: so one line at a time.)
class limited_echo : public guards::line_echo {
public:
    limited_echo(asynchat::loop& owner, asynchat::socket from, std::size_t& served)
        : line_echo(owner, std::move(from), served)
    {
        frame_rate(1);
    }
    void found_terminator() override
    {
        line_echo::found_terminator();
        frame_rate(200);
    }
};

void check_input(guards::report& report)
{
    const std::string batch = lines(64, 100);
    // So that the last line of each batch ends in the next one.
    const std::string cut = batch.substr(50) + batch.substr(0, 50);
    const std::string begun = batch.substr(0, 50);
    check<guards::line_echo>(report, "lines", {batch, batch, 64});
    check<guards::line_echo>(report, "lines, cut", {cut, batch, 64, begun});
    check<limited_echo>(report, "lines, at a rate", {lines(1, 100), lines(1, 100), 1});
    check<whole_line_echo>(report, "whole lines", {batch, batch, 64});
    check<whole_line_echo>(report, "whole lines, cut", {cut, batch, 64, begun});

    const std::string counted(64 * 64, 'x');
    check<counted_echo>(report, "counted frames", {counted, counted, 64});
    check<counted_echo>(report, "counted frames, cut",
                        {counted, counted, 64, std::string(64 - 1, 'x')});

    const std::string text(100, 'x');
    check<command_echo>(report, "lines and counts in turn", {"ECHO 100\n" + text, text, 1});
    check<mixed_echo>(report, "several strings and lengths in turn",
                      {std::string("line\n\0\3abc5:hello,", 19), "hello", 1});
}

// --- output ------------------------------------------------------------------------------------

/// Answers each line with Answer::push_to(chat).
template <class Answer>
class answering : public asynchat::async_chat {
public:
    answering(asynchat::loop& owner, asynchat::socket from, std::size_t&)
        : async_chat(owner, std::move(from)), peers_(all_of(owner))
    {
        peers_->push_back(this);
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override { Answer::push_to(*this); }

    const std::vector<answering*>& peers() const noexcept { return *peers_; }

private:
    using list = std::vector<answering*>;

    static std::shared_ptr<list> all_of(asynchat::loop& owner)
    {
        const auto channels = owner.channels();
        return channels.empty() ? std::make_shared<list>()
                                : static_cast<answering&>(*channels.front()).peers_;
    }

    std::shared_ptr<list> peers_;
};

/// So long a string is moved into the output, and one of 100 bytes copied.
constexpr std::size_t large = 4096;

template <std::size_t size>
struct moved_string {
    template <class Chat>
    static void push_to(Chat& chat)
    {
        chat.push(std::string(size, 'x'));
    }
};

struct formatted_text {
    template <class Chat>
    static void push_to(Chat& chat)
    {
        chat.print("{} {}\r\n", 200, "OK");
    }
};

struct formatted_number {
    template <class Chat>
    static void push_to(Chat& chat)
    {
        chat.print("${}\r\n", 1000);
    }
};

/// A text made once, to everybody.
template <std::size_t size>
struct broadcast {
    template <class Chat>
    static void push_to(Chat& chat)
    {
        static const auto text = std::make_shared<const std::string>(size, 'x');
        for (Chat* const peer : chat.peers())
            peer->push(text);
    }
};

/// Ten pieces from a callable.
struct called {
    template <class Chat>
    static void push_to(Chat& chat)
    {
        chat.push_with_producer([left = 10]() mutable {
            return std::string_view("0123456789", left-- > 0 ? 10U : 0U);
        });
    }
};

/// A text in eight pieces.
struct in_pieces {
    template <class Chat>
    static void push_to(Chat& chat)
    {
        chat.push_with_producer(
            std::make_unique<asynchat::simple_producer>(std::string(large, 'x')));
    }
};

std::string repeated(std::size_t count, const std::string& text)
{
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all += text;
    return all;
}

void check_output(guards::report& report)
{
    const std::string line = lines(1, 16);
    const std::string few = lines(8, 16);
    check<answering<moved_string<100>>>(report, "small strings, moved, the user's one",
                                        {few, std::string(8 * 100, 'x'), 8}, 1);
    check<answering<moved_string<large>>>(report, "large strings, moved, the user's one",
                                          {few, std::string(8 * large, 'x'), 8}, 1);
    check<answering<formatted_text>>(report, "print", {few, repeated(8, "200 OK\r\n"), 8});
    check<answering<formatted_number>>(report, "print of a number",
                                       {few, repeated(8, "$1000\r\n"), 8});

    // The producer is the user's, as is the string in the second one.
    check<answering<called>>(report, "callables, the user's one",
                             {few, repeated(80, "0123456789"), 8}, 1);
    check<answering<in_pieces>>(report, "simple_producers, the user's two",
                                {few, std::string(8 * large, 'x'), 8}, 2);

    check<answering<broadcast<100>>>(report, "small strings, shared by 100 channels",
                                     {line, std::string(100, 'x'), 1, "", 100, 1});
    check<answering<broadcast<large>>>(report, "large strings, shared by 100 channels",
                                       {line, std::string(large, 'x'), 1, "", 100, 1});
}

} // namespace

int main()
try {
    guards::report report;
    check_input(report);
    check_output(report);
    return report.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
