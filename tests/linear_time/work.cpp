// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Does work of each kind, for an input of SIZE bytes and for one of twice that: work SIZE.
#include "support/driven.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace {

/// Receives `input` in pieces and looks at nothing.
class reader : public asynchat::async_chat {
public:
    explicit reader(asynchat::loop& owner) : async_chat(owner)
    {
        set_connected(true);
        max_frame(asynchat::unlimited);
    }

    void read(std::string_view bytes, std::size_t piece)
    {
        ac_in_buffer_size = static_cast<std::uint32_t>(piece);
        input_ = bytes;
        while (!input_.empty())
            handle_read();
    }
    std::size_t recv(asio::mutable_buffer into) override
    {
        const std::size_t size = std::min(into.size(), input_.size());
        std::memcpy(into.data(), input_.data(), size);
        input_.remove_prefix(size);
        return size;
    }
    std::size_t send(asynchat::const_buffers data) override
    {
        const std::size_t size = std::min(data.size(), room);
        sent += size;
        return size;
    }
    void collect_incoming_data(std::string_view data) override { collected += data.size(); }
    void found_terminator() override
    {
        ++frames;
        if (on_found)
            on_found();
    }

    asynchat::overflow handle_overflow() override { return too_long; }

    std::function<void()> on_found;
    asynchat::overflow too_long = asynchat::overflow::close;
    std::size_t frames = 0;
    std::size_t collected = 0;
    std::size_t sent = 0;
    std::size_t room = asynchat::unlimited; // of one send

private:
    std::string_view input_;
};

std::string repeated(std::string_view pattern, std::size_t size)
{
    std::string text;
    text.reserve(size + pattern.size());
    while (text.size() < size)
        text += pattern;
    text.resize(size);
    return text;
}

/// `length` bytes: a...ab
std::string nearly_periodic(std::size_t length)
{
    return std::string(length - 1, 'a') + 'b';
}

struct kind {
    const char* name;
    void (*run)(asynchat::loop& loop, std::size_t size);
};

void read_all(asynchat::loop& loop, const asynchat::terminator& ends, std::string_view input,
              std::size_t piece)
{
    const support::driven<reader> owned(loop);
    reader& chat = *owned;
    chat.set_terminator(ends);
    chat.read(input, piece);
}

const kind kinds[] = {
    // One receive that is all frames: the rest of it must not be moved for each of them.
    {"one-byte-lines-in-one-read",
     [](asynchat::loop& loop, std::size_t n) { read_all(loop, "\n", repeated("\n", n), n); }},
    {"short-lines-in-one-read",
     [](asynchat::loop& loop, std::size_t n) { read_all(loop, "\r\n", repeated("x\r\n", n), n); }},
    {"records-in-one-read",
     [](asynchat::loop& loop, std::size_t n) {
         const support::driven<reader> owned(loop); reader& chat = *owned;
         chat.set_terminator(1);
         chat.on_found = [&] { chat.set_terminator(1); };
         chat.read(std::string(n, 'x'), n);
     }},
    // Input that nearly matches everywhere, under terminators that overlap themselves.
    {"a...ab-in-a...a",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, nearly_periodic(512), std::string(n, 'a'), 65536);
     }},
    {"a...ab-in-a...ac",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, nearly_periodic(512), repeated(std::string(511, 'a') + "c", n), 65536);
     }},
    {"a...ba...a-in-a...a",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, std::string(256, 'a') + "b" + std::string(255, 'a'), std::string(n, 'a'),
                  65536);
     }},
    {"carriage-returns",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, "\r\n", std::string(n, '\r'), 65536);
     }},
    {"first-byte-everywhere",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, "\r\n.\r\n", repeated("\r\n.\r", n), 65536);
     }},
    // The cost of the terminator's length: it grows with the input.
    {"long-terminator-no-match",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, nearly_periodic(n / 4), std::string(n, 'x'), 4096);
     }},
    {"long-terminator-near-match",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, nearly_periodic(n / 4), std::string(n, 'a'), n);
     }},
    {"fibonacci-word",
     [](asynchat::loop& loop, std::size_t n) {
         std::string a = "a";
         std::string b = "ab";
         while (b.size() < 610)
             a = std::exchange(b, b + a);
         read_all(loop, b + "#", repeated(b, n), 65536);
     }},
    // Several strings, of which one nearly matches wherever another fails.
    {"several-in-a...a",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, {nearly_periodic(512), nearly_periodic(300), "b" + nearly_periodic(100)},
                  std::string(n, 'a'), 65536);
     }},
    {"several-in-a...ac",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, {nearly_periodic(512), std::string(300, 'a') + "d", "b", "e"},
                  repeated(std::string(511, 'a') + "c", n), 65536);
     }},
    {"bytewise-several",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, {nearly_periodic(512), nearly_periodic(300)}, std::string(n, 'a'), 1);
     }},
    // Lengths in front, and frames that are too long.
    {"netstrings-in-one-read",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, asynchat::terminator::netstring(), repeated("1:a,0:,", n), n);
     }},
    {"bytewise-varints",
     [](asynchat::loop& loop, std::size_t n) {
         const std::string frame = "\x81\x01" + std::string(129, 'x');
         read_all(loop, asynchat::terminator::varint(), repeated(frame, n), 1);
     }},
    {"skipped-lines-in-one-read",
     [](asynchat::loop& loop, std::size_t n) {
         const support::driven<reader> owned(loop); reader& chat = *owned;
         chat.too_long = asynchat::overflow::skip;
         chat.max_frame(1);
         chat.set_terminator("\r\n");
         chat.read(repeated("abc\r\n", n), n);
     }},
    // One byte at a time.
    {"bytewise-lines", [](asynchat::loop& loop,
                          std::size_t n) { read_all(loop, "\r\n", repeated("abc\r\n", n), 1); }},
    {"bytewise-partial-match",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, nearly_periodic(1024), std::string(n, 'a'), 1);
     }},
    {"bytewise-false-alarms",
     [](asynchat::loop& loop, std::size_t n) {
         read_all(loop, nearly_periodic(64), repeated(std::string(63, 'a') + "c", n), 1);
     }},
    {"bytewise-same-terminator-set-each-time",
     [](asynchat::loop& loop, std::size_t n) {
         const support::driven<reader> owned(loop); reader& chat = *owned;
         chat.set_terminator("\r\n");
         chat.on_found = [&] { chat.set_terminator("\r\n"); };
         chat.read(repeated("\r\n", n), 1);
     }},
    {"alternating-terminators-in-one-read",
     [](asynchat::loop& loop, std::size_t n) {
         const support::driven<reader> owned(loop); reader& chat = *owned;
         chat.set_terminator(",");
         chat.on_found = [&] {
             chat.set_terminator(chat.frames % 2 == 0 ? asynchat::terminator(",")
                                                      : asynchat::terminator(";;"));
         };
         chat.read(repeated("a,b;;", n), n);
     }},
    // Back-pressure: the rest of what was received must not be moved for each frame either.
    {"pause-after-each-line-of-one-read",
     [](asynchat::loop& loop, std::size_t n) {
         const auto chat = loop.create<reader>().lock();
         chat->set_terminator("\n");
         chat->on_found = [&] { chat->pause_reading(); };
         const std::size_t lines = 4 * n;
         chat->read(repeated("\n", lines), lines);
         while (chat->frames < lines) {
             chat->resume_reading();
             loop.poll();
         }
         chat->on_found = nullptr;
         chat->close();
     }},
    // Output.
    {"many-small-pushes",
     [](asynchat::loop& loop, std::size_t n) {
         const support::driven<reader> owned(loop); reader& chat = *owned;
         for (std::size_t i = 0; i < n; ++i)
             chat.push("0123456789");
         while (chat.pending_output() > 0)
             chat.initiate_send();
     }},
    {"small-pushes-short-sends",
     [](asynchat::loop& loop, std::size_t n) {
         const support::driven<reader> owned(loop); reader& chat = *owned;
         chat.room = 7;
         for (std::size_t i = 0; i < n; ++i)
             chat.push("0123456789");
         while (chat.pending_output() > 0)
             chat.initiate_send();
     }},
    {"one-large-push-short-sends",
     [](asynchat::loop& loop, std::size_t n) {
         const support::driven<reader> owned(loop); reader& chat = *owned;
         chat.room = 7;
         chat.push(std::string(n, 'x'));
         while (chat.pending_output() > 0)
             chat.initiate_send();
     }},
    {"large-and-small-pushes-short-sends",
     [](asynchat::loop& loop, std::size_t n) {
         const support::driven<reader> owned(loop); reader& chat = *owned;
         chat.room = 1000;
         for (std::size_t i = 0; i < n / 8; ++i) {
             chat.push("small");
             chat.push(std::string(3000, 'x'));
         }
         while (chat.pending_output() > 0)
             chat.initiate_send();
     }},
    {"small-pieces-of-a-producer",
     [](asynchat::loop& loop, std::size_t n) {
         const support::driven<reader> owned(loop); reader& chat = *owned;
         chat.push_with_producer(
             std::make_unique<asynchat::simple_producer>(std::string(n, 'x'), 8));
         while (chat.writable())
             chat.initiate_send();
     }},
};

} // namespace

// check.py counts the instructions of each call of this function, found by its name.
extern "C" {
void counted_work(void (*run)(asynchat::loop&, std::size_t), asynchat::loop& loop, std::size_t n);

__attribute__((noinline)) void counted_work(void (*run)(asynchat::loop&, std::size_t),
                                            asynchat::loop& loop, std::size_t n)
{
    run(loop, n);
}
}

int main(int argc, char** argv)
{
    const auto size = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
    if (size == 0) {
        std::fprintf(stderr, "usage: work SIZE\n");
        return 2;
    }
    for (const kind& each : kinds) {
        asynchat::loop loop;
        each.run(loop, 8); // what is made once only is made here
        counted_work(each.run, loop, size);
        counted_work(each.run, loop, 2 * size);
        std::puts(each.name);
    }
    return 0;
}
