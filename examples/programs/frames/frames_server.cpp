// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Serves one of five protocols, each with a different kind of frame, until SIGINT or SIGTERM.
//
//     frames_server PROTOCOL [HOST [PORT]]
//
// Exits with 0 after a signal, with 1 if it cannot serve, with 2 after wrong use.

#include "../arguments.hpp"
#include "framing.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <utility>

namespace {

using namespace frames;

constexpr std::string_view usage =
    "usage: frames_server PROTOCOL [HOST [PORT]]\n"
    "\n"
    "Serves one of five protocols, which differ in how a message ends.\n"
    "\n"
    "  marks   messages ended by ###, sent back\n"
    "  big     integers of 4 bytes, the highest first; each answered with the sum so far\n"
    "  little  the same, the lowest byte first\n"
    "  blobs   any bytes behind their length, an integer of 4 bytes; sent back\n"
    "  record  a line \"NAME COUNT\", as many big integers, a blob, a text ended by ###: answered\n"
    "          with a line; then the next record\n"
    "\n"
    "HOST is an address in digits, 127.0.0.1 if not given. PORT 0, or none, is any free one; the\n"
    "first line of the output tells which.\n";

// Messages that end with a string.
class marks : public asynchat::frame_chat {
public:
    using frame_chat::frame_chat;
    void handle_open() override { set_terminator(mark); }

    void found_frame(std::string_view message) override { push(marked(message)); }
};

// Frames of a fixed size.
class sums : public asynchat::frame_chat {
public:
    sums(asynchat::loop& loop, asynchat::socket peer, byte_order order)
        : frame_chat(loop, std::move(peer)), order_(order)
    {
        set_terminator(4);
    }

    void found_frame(std::string_view number) override
    {
        sum_ += int32(number, order_); // modulo 2^32
        push(int32(sum_, order_));
        set_terminator(4); // a count is used up by its frame
    }

private:
    byte_order order_;
    std::uint32_t sum_ = 0;
};

// Frames with a length prefix.
class blobs : public asynchat::frame_chat {
public:
    using frame_chat::frame_chat;
    void handle_open() override
    {
        set_terminator(asynchat::terminator::length_prefix(4), largest_blob);
    }

    void found_frame(std::string_view blob) override { push(prefixed(blob)); }
};

// All kinds in one connection: each frame says which kind is next.
class records : public asynchat::frame_chat {
public:
    using frame_chat::frame_chat;
    void handle_open() override { expect_head(); }

    void found_frame(std::string_view frame) override { (this->*next_)(frame); }

private:
    void expect_head()
    {
        next_ = &records::head;
        set_terminator("\n", 256);
    }

    void head(std::string_view line)
    {
        const std::size_t blank = line.find(' ');
        if (blank == std::string_view::npos)
            return refuse("no blank between NAME and COUNT", line.size());
        const auto count = asynchat::parse_number(line.substr(blank + 1), most_numbers);
        if (!count)
            return refuse(asynchat::to_string(count.error()), blank + 1 + count.position());
        name_ = line.substr(0, blank);
        sum_ = 0;
        if (*count == 0)
            return numbers(""); // set_terminator(0) would collect for ever
        next_ = &records::numbers;
        set_terminator(4 * *count);
    }

    void numbers(std::string_view all)
    {
        for (std::size_t at = 0; at < all.size(); at += 4)
            sum_ += int32(all.substr(at, 4), byte_order::big);
        next_ = &records::blob;
        set_terminator(asynchat::terminator::length_prefix(4), largest_blob);
    }

    void blob(std::string_view bytes)
    {
        blob_size_ = bytes.size();
        next_ = &records::text;
        set_terminator(mark);
    }

    void text(std::string_view text)
    {
        print("{}: sum {}, {} bytes, '{}'\n", name_, sum_, blob_size_, asynchat::escaped(text));
        expect_head();
    }

    void refuse(std::string_view fault, std::size_t position)
    {
        print("ERROR {} at byte {} of the line\n", fault, position);
        close_when_done(); // the start of the next frame is unknown
    }

    static constexpr std::size_t most_numbers = 4096; // 16 KiB, kept until all are there

    void (records::*next_)(std::string_view frame) = nullptr;
    std::string name_;
    std::uint64_t sum_ = 0;
    std::size_t blob_size_ = 0;
};

// Makes the server of a protocol. Throws if there is no such protocol.
using starter = std::function<void(asynchat::loop&, const asynchat::endpoint&)>;

template <class Handler, class... Args>
starter start(Args... args)
{
    return [=](asynchat::loop& loop, const asynchat::endpoint& where) {
        const auto server = loop.create<asynchat::server<Handler>>(where, args...);
        fmt::print("listening on {}\n", server->local_endpoint().to_string());
        std::fflush(stdout);
    };
}

starter find_protocol(std::string_view name)
{
    if (name == "marks")
        return start<marks>();
    if (name == "big")
        return start<sums>(byte_order::big);
    if (name == "little")
        return start<sums>(byte_order::little);
    if (name == "blobs")
        return start<blobs>();
    if (name == "record")
        return start<records>();
    throw arguments::wrong_use(fmt::format("there is no {}", asynchat::escaped(name)));
}

int serve(const arguments::command_line& line)
{
    const auto words = line.words(3);
    if (words.empty())
        throw arguments::wrong_use("PROTOCOL is missing");
    const starter start_server = find_protocol(words[0]);
    const auto where = arguments::address(words, 1);
    asynchat::loop loop;
    loop.stop_on_signals();
    start_server(loop, where);
    loop.run();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("frames_server", usage, argc, argv, serve);
}
