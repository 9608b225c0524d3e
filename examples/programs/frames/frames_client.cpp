// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Sends messages in one of five protocols, all at once, and prints the answers.
//
//     frames_client PROTOCOL HOST PORT MESSAGE...
//
// Exits with 0 if the server answered all messages, with 1 if not, with 2 after wrong use.

#include "../arguments.hpp"
#include "framing.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

namespace {

using namespace frames;

constexpr std::string_view usage =
    "usage: frames_client PROTOCOL HOST PORT MESSAGE...\n"
    "\n"
    "Sends messages to a frames_server, and prints the answers.\n"
    "\n"
    "  marks   each MESSAGE ends with ###\n"
    "  big     each MESSAGE is a number, sent as 4 bytes, the highest first\n"
    "  little  the same, the lowest byte first\n"
    "  blobs   each MESSAGE goes behind its length\n"
    "  record  NAME BLOB TEXT NUMBER...: one record\n";

std::uint32_t number_of(std::string_view text)
{
    return static_cast<std::uint32_t>(arguments::number("NUMBER", text, 0xffffffff));
}

// What is sent, which answers come back, and how many.
struct conversation {
    std::string output;
    asynchat::terminator answers_end_with;
    std::size_t answers;
    std::optional<byte_order> answers_are_numbers;
};

conversation prepare(std::string_view protocol, const std::vector<std::string>& messages)
{
    conversation talk{"", mark, messages.size(), std::nullopt};
    if (protocol == "marks") {
        for (const std::string& message : messages)
            talk.output += marked(message);
    } else if (protocol == "big" || protocol == "little") {
        const auto order = protocol == "big" ? byte_order::big : byte_order::little;
        for (const std::string& message : messages)
            talk.output += int32(number_of(message), order);
        talk.answers_end_with = 4;
        talk.answers_are_numbers = order;
    } else if (protocol == "blobs") {
        for (const std::string& message : messages)
            talk.output += prefixed(message);
        talk.answers_end_with = asynchat::terminator::length_prefix(4);
    } else if (protocol == "record" && messages.size() >= 3) {
        talk.output = fmt::format("{} {}\n", messages[0], messages.size() - 3);
        for (std::size_t i = 3; i < messages.size(); ++i)
            talk.output += int32(number_of(messages[i]), byte_order::big);
        talk.output += prefixed(messages[1]) + marked(messages[2]);
        talk.answers_end_with = "\n";
        talk.answers = 1;
    } else if (protocol == "record") {
        throw arguments::wrong_use("a record has NAME BLOB TEXT");
    } else {
        throw arguments::wrong_use(fmt::format("there is no {}", asynchat::escaped(protocol)));
    }
    return talk;
}

class client : public asynchat::frame_chat {
public:
    // Counts `talk.answers` down.
    client(asynchat::loop& loop, const std::string& host, std::uint16_t port, conversation& talk)
        : frame_chat(loop), talk_(talk)
    {
        max_frame(largest_blob);
        set_terminator(talk_.answers_end_with);
        idle_timeout(std::chrono::seconds(10));  // a server may be silent for ever,
        frame_timeout(std::chrono::seconds(10)); // or send a byte from time to time
        connect(host, port);
        push(std::move(talk_.output)); // waits for the connection
    }

    void found_frame(std::string_view answer) override
    {
        if (talk_.answers_are_numbers)
            fmt::print("{}\n", int32(answer, *talk_.answers_are_numbers));
        else
            fmt::print("{}\n", asynchat::escaped(answer));
        if (--talk_.answers == 0)
            close();
        else
            set_terminator(talk_.answers_end_with); // a count is used up; a string stays
    }

    void handle_close() override
    {
        fmt::print(stderr, "frames_client: {} answers are missing: {}\n", talk_.answers,
                   asynchat::to_string(close_reason()));
        close();
    }

private:
    conversation& talk_;
};

int converse(const arguments::command_line& line)
{
    const auto words = line.words({"PROTOCOL", "HOST", "PORT", "MESSAGE"});
    conversation talk = prepare(words[0], {words.begin() + 3, words.end()});
    const auto port = arguments::port("PORT", words[2]);
    asynchat::loop loop;
    loop.stop_on_signals();
    loop.create<client>(words[1], port, talk);
    loop.run();
    return talk.answers == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("frames_client", usage, argc, argv, converse);
}
