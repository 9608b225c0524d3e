// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The kinds of work of channels in the clear; see counting.hpp.
#include "counting.hpp"
#include "guards/guard.hpp"
#include "scripted.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/detail/proxy_header.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using guards::batch;
using guards::hide;
using guards::in_events;
using guards::quiet_loop;
using guards::receive;
using guards::scripted;

constexpr std::size_t large_batch = 512; // when the event itself is not to be seen

// --- channels without a socket -------------------------------------------------------------------

/// Answers each line with the same line.
class line_echo : public scripted<asynchat::async_chat> {
public:
    explicit line_echo(asynchat::loop& owner) : scripted(owner) { set_terminator("\n"); }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override
    {
        line_ += '\n';
        push(std::string_view(line_));
        line_.clear();
    }

private:
    std::string line_;
};

/// The same as README and tutorial write it.
class natural_line_echo : public scripted<asynchat::async_chat> {
public:
    explicit natural_line_echo(asynchat::loop& owner) : scripted(owner) { set_terminator("\n"); }
    void found_terminator() override { push(_get_data() + "\n"); }
};

/// Only counts, so that nearly all of it is the library: lines that one byte ends, or two.
template <const char* End>
class counter : public scripted<asynchat::async_chat> {
public:
    explicit counter(asynchat::loop& owner) : scripted(owner) { set_terminator(End); }
    void collect_incoming_data(std::string_view data) override { bytes_ += data.size(); }
    void found_terminator() override { ++lines_; }

private:
    std::size_t bytes_ = 0;
    std::size_t lines_ = 0;
};
constexpr char lf[] = "\n";
constexpr char crlf[] = "\r\n";

/// Answers frames of 64 bytes with the same bytes.
class counted_echo : public scripted<asynchat::async_chat> {
public:
    explicit counted_echo(asynchat::loop& owner) : scripted(owner) { set_terminator(64); }
    void collect_incoming_data(std::string_view data) override { push(data); }
    void found_terminator() override { set_terminator(64); }
};

/// Answers frames that have their length in front with the same bytes.
class prefixed_echo : public scripted<asynchat::async_chat> {
public:
    explicit prefixed_echo(asynchat::loop& owner) : scripted(owner)
    {
        set_terminator(asynchat::terminator::length_prefix(4));
    }
    void collect_incoming_data(std::string_view data) override { push(data); }
    void found_terminator() override {}
};

/// Collects headers.
class header_reader : public scripted<asynchat::async_chat> {
public:
    explicit header_reader(asynchat::loop& owner) : scripted(owner) { set_terminator("\r\n\r\n"); }
    void collect_incoming_data(std::string_view data) override { header_ += data; }
    void found_terminator() override { header_.clear(); }

private:
    std::string header_;
};

/// As line_echo and counted_echo, with whole frames.
class line_frames : public scripted<asynchat::frame_chat> {
public:
    explicit line_frames(asynchat::loop& owner) : scripted(owner) { set_terminator("\n"); }
    void found_frame(std::string_view frame) override
    {
        push(frame);
        push("\n");
    }
};
class counted_frames : public scripted<asynchat::frame_chat> {
public:
    explicit counted_frames(asynchat::loop& owner) : scripted(owner) { set_terminator(64); }
    void found_frame(std::string_view frame) override
    {
        push(frame);
        set_terminator(64);
    }
};

class prefixed_frames : public scripted<asynchat::frame_chat> {
public:
    explicit prefixed_frames(asynchat::loop& owner) : scripted(owner)
    {
        set_terminator(asynchat::terminator::length_prefix(4));
    }
    void found_frame(std::string_view frame) override { push(frame); }
};

/// `count` frames of 64 bytes behind their length.
std::string prefixed(std::size_t count)
{
    using namespace std::string_literals;
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all += "\0\0\0\x40"s + std::string(64, 'x');
    return all;
}

/// Only sends.
class speaker : public scripted<asynchat::async_chat> {
public:
    using scripted::scripted;
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

void decode_headers(std::size_t n, const std::string& header)
{
    std::size_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        hide(header);
        asynchat::detail::proxy_decoder decoder(1024);
        sum += decoder.look(header).size;
        sum += decoder.fields().source.port;
    }
    if (sum != n * (header.size() + 1000))
        throw support::test_error("a wrong header");
}

// --- kinds of work -------------------------------------------------------------------------------

const guards::kind kinds[] = {
    {"lines-of-16", [](std::size_t n) { receive<line_echo>(n, guards::lines(batch, 16)); }},
    {"natural-lines-of-16",
     [](std::size_t n) { receive<natural_line_echo>(n, guards::lines(batch, 16)); }},
    {"natural-lines-of-64",
     [](std::size_t n) { receive<natural_line_echo>(n, guards::lines(batch, 64)); }},
    {"lines-of-512", [](std::size_t n) { receive<line_echo>(n, guards::lines(batch, 512)); }},
    {"lines-only-counted",
     [](std::size_t n) { receive<counter<lf>>(n, guards::lines(batch, 16)); }},
    {"crlf-lines-only-counted",
     [](std::size_t n) { receive<counter<crlf>>(n, guards::lines(batch, 16, "\r\n")); }},
    {"counted-64", [](std::size_t n) { receive<counted_echo>(n, std::string(batch * 64, 'x')); }},
    {"prefixed-64", [](std::size_t n) { receive<prefixed_echo>(n, prefixed(batch)); }},
    {"headers",
     [](std::size_t n) {
         std::string headers;
         for (std::size_t i = 0; i < batch; ++i)
             headers += "GET /index.html HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n"
                        "User-Agent: guard\r\nConnection: keep-alive\r\n\r\n";
         receive<header_reader>(n, headers);
     }},
    {"whole-lines-of-16", [](std::size_t n) { receive<line_frames>(n, guards::lines(batch, 16)); }},
    {"whole-lines-of-512",
     [](std::size_t n) { receive<line_frames>(n, guards::lines(batch, 512)); }},
    {"whole-counted-64",
     [](std::size_t n) { receive<counted_frames>(n, std::string(batch * 64, 'x')); }},
    {"whole-prefixed-64", [](std::size_t n) { receive<prefixed_frames>(n, prefixed(batch)); }},
    {"ten-small-pushes",
     [](std::size_t n) {
         in_events<speaker>(n, [](speaker& chat) {
             for (std::size_t i = 0; i < batch * 10; ++i)
                 chat.push("0123456789");
         });
     }},
    {"print",
     [](std::size_t n) {
         in_events<speaker>(n, [](speaker& chat) {
             for (std::size_t i = 0; i < batch; ++i)
                 chat.print("{} {}\r\n", 200 + i, "OK");
         });
     }},
    {"print-number",
     [](std::size_t n) {
         in_events<speaker>(n, [](speaker& chat) {
             for (std::size_t i = 0; i < batch; ++i)
                 chat.print("${}\r\n", 1000 + i);
         });
     }},
    {"set-terminator-count",
     [](std::size_t n) {
         const auto count_up = [](speaker& chat) {
             for (std::size_t i = 0; i < large_batch; ++i)
                 chat.set_terminator(1000 + i);
         };
         in_events<speaker>(n, count_up, large_batch);
     }},
    {"set-terminator-literal",
     [](std::size_t n) {
         const auto repeat = [](speaker& chat) {
             for (std::size_t i = 0; i < large_batch; ++i)
                 chat.set_terminator("\r\n");
         };
         in_events<speaker>(n, repeat, large_batch);
     }},
    {"parse-number",
     [](std::size_t n) {
         const std::string text = "1234";
         std::size_t sum = 0;
         for (std::size_t i = 0; i < n; ++i) {
             hide(text);
             sum += *asynchat::parse_number(text, 65536);
         }
         if (sum != n * 1234)
             throw support::test_error("a wrong number");
     }},
    {"proxy-v2-header",
     [](std::size_t n) {
         decode_headers(n, std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
                                       "\1\2\3\4\5\6\7\x8\3\xe8\0\x50",
                                       28));
     }},
    {"proxy-v2-checksum", // and ALPN
     [](std::size_t n) {
         decode_headers(n, std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1b"
                                       "\1\2\3\4\5\6\7\x8\3\xe8\0\x50"
                                       "\1\0\2h2\3\0\4\xdf\x68\xa4\x5c\4\0\0",
                                       43));
     }},
    // A message is what one of the channels sends.
    {"broadcast",
     [](std::size_t n) {
         quiet_loop own;
         const auto text = std::make_shared<const std::string>(4096, 'x');
         std::vector<asynchat::handle<speaker>> all;
         for (std::size_t i = 0; i < batch; ++i)
             all.push_back(own.loop.create<speaker>());
         for (std::size_t done = 0; done < n; done += batch) {
             for (const auto& chat : all)
                 chat->push(text);
             own.serve();
         }
     }},
    // Through sockets: what the loop costs. The peers' instructions are a part of it.
    {"ping-pong",
     [](std::size_t n) {
         const std::string line = guards::lines(1, 16);
         guards::lockstep<guards::line_echo>(1).converse(n, 1, line, line);
     }},
    {"ping-pong-of-64",
     [](std::size_t n) {
         const std::string line = guards::lines(1, 16);
         guards::lockstep<guards::line_echo>(64).converse(n / 64, 64, line, line);
     }},
};

} // namespace

int main(int argc, char** argv)
{
    return guards::count_all(argc, argv, kinds, batch);
}
