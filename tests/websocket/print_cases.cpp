// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Prints the cases for another implementation, against_wsproto.py: a line each, in hexadecimal, the
// input and what becomes of it. With a number, as many random inputs as well; with a second one, as
// many random upgrade requests and their verdicts: the status, and what is wrong.

#include "cases.hpp"
#include "frames.hpp"
#include "machine_reader.hpp"

#include <asynchat/upgrade_request.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

void print_hexadecimal(std::string_view bytes)
{
    for (const char byte : bytes)
        std::printf("%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
}

void print(std::string_view input, const std::vector<std::string>& outcome)
{
    print_hexadecimal(input);
    for (const std::string& line : outcome) {
        std::putchar(' ');
        print_hexadecimal(line);
    }
    std::putchar('\n');
}

unsigned below(unsigned limit, std::minstd_rand& random)
{
    return static_cast<unsigned>(random() >> 8U) % limit;
}

/// Frames that are nearly right: some have a wrong first byte, and their texts are hardly UTF-8.
std::string random_frames(std::minstd_rand& random)
{
    using namespace support;
    constexpr unsigned usual[] = {fin | text, text,       fin,        continuation, fin | binary,
                                  binary,     fin | ping, fin | pong, fin | closing};
    const std::string_view parts[] = {"a",       "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                      "\xc3",    "\xed\xa0", "\x03\xe8",     "\x03\xed",
                                      "12345678"};
    std::string input;
    for (unsigned frames = below(6, random); frames > 0; --frames) {
        std::string payload;
        for (unsigned n = below(4, random); n > 0; --n)
            payload += parts[below(9, random)];
        const unsigned first =
            below(12, random) == 0 ? below(256, random) : usual[below(9, random)];
        input += frame(first, payload, bytes_of(below(1U << 23U, random) * 511, 4));
    }
    if (below(6, random) == 0 && !input.empty())
        input.resize(below(static_cast<unsigned>(input.size()), random));
    return input;
}

/// Usually the first one, sometimes another.
std::string_view one_of(const std::vector<std::string_view>& choice, std::minstd_rand& random)
{
    const auto size = static_cast<unsigned>(choice.size());
    return below(16, random) != 0 ? choice.front() : choice[below(size, random)];
}

std::string random_fields(std::minstd_rand& random)
{
    const std::vector<std::string_view> usual[] = {
        {"Host: server.example.com", "host:a", "Host: a:80", "Host:", "Host: a/b", "Host: a b",
         "Host : a", "Host: [::1]:80", "Host"},
        {"Upgrade: websocket", "upgrade:WEBSOCKET", "Upgrade: h2c", "Upgrade: websocket, h2c",
         "Upgrade: web socket", "Upgrade: "},
        {"Connection: Upgrade", "connection:\tkeep-alive ,upgrade", "Connection: close",
         "Connection: upgrade,", "Connection: \"Upgrade\""},
        {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
         "sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=",
         "Sec-WebSocket-Key: ", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j",
         "Sec-WebSocket-Key: dGhlIHNh bXBsZSBub25jZQ=="},
        {"Sec-WebSocket-Version: 13", "sec-websocket-version:13", "Sec-WebSocket-Version: 8",
         "Sec-WebSocket-Version: 13, 8", "Sec-WebSocket-Version: 013", "Sec-WebSocket-Version:"},
    };
    const std::vector<std::string_view> more = {"X: y",
                                                "Origin: http://server.example.com",
                                                "Cookie: a=b",
                                                "Sec-WebSocket-Protocol: a, b",
                                                "Sec-WebSocket-Protocol: a b",
                                                "Sec-WebSocket-Extensions: permessage-deflate",
                                                "Content-Length: 0",
                                                "Content-Length: 5",
                                                "Content-Length: 0, 0",
                                                "Content-Length: x",
                                                "Transfer-Encoding: chunked",
                                                "Transfer-Encoding: identity",
                                                " folded",
                                                "\tfolded",
                                                ": y",
                                                "X",
                                                "X y: z",
                                                "X: \xc3\xa9",
                                                "X: a\rb",
                                                "X: a\nb",
                                                "Expect: 100-continue"};
    std::vector<std::string_view> lines;
    for (const auto& choice : usual) {
        if (below(40, random) != 0)
            lines.push_back(one_of(choice, random));
        if (below(60, random) == 0)
            lines.push_back(one_of(choice, random));
    }
    while (below(3, random) == 0)
        lines.push_back(more[below(static_cast<unsigned>(more.size()), random)]);
    std::shuffle(lines.begin(), lines.end(), random);
    std::string fields;
    for (const std::string_view line : lines)
        fields.append(line).append(below(80, random) == 0 ? "\n" : "\r\n");
    return fields;
}

/// A request for a WebSocket that is nearly right, up to its empty line; some have a wrong byte.
std::string random_upgrade(std::minstd_rand& random)
{
    std::string request;
    request += one_of({"GET", "POST", "get", "HEAD", "OPTIONS", "G(T", ""}, random);
    request += one_of({" ", "  ", "\t", ""}, random);
    request += one_of({"/chat", "/", "/?a=b", "http://server.example.com/chat", "http://b/chat",
                       "*", "chat", "/\x01", "/a b", "/\xc3\xa9", "/#x"},
                      random);
    request += one_of({" ", "  ", ""}, random);
    request += one_of(
        {"HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", "HTTP/11", ""},
        random);
    request += "\r\n" + random_fields(random) + "\r\n";
    if (below(4, random) == 0) {
        const unsigned at = below(static_cast<unsigned>(request.size()), random);
        const auto byte = static_cast<char>(below(256, random));
        switch (below(3, random)) {
        case 0: request[at] = byte; break;
        case 1: request.insert(at, 1, byte); break;
        default: request.erase(at, 1);
        }
    }
    return request.substr(0, request.find("\r\n\r\n")) + "\r\n\r\n";
}

void print_upgrade(const std::string& request)
{
    const asynchat::upgrade_request read(request.substr(0, request.size() - 4));
    print(request, {"upgrade " + std::to_string(read.status()) + " " + read.problem()});
}

} // namespace

int main(int argc, char** argv)
{
    for (const support::websocket_case& each : support::all_websocket_cases())
        print(each.input, each.outcome);
    std::minstd_rand random(1);
    for (int n = argc > 1 ? std::atoi(argv[1]) : 0; n > 0; --n) {
        const std::string input = random_frames(random);
        print(input, support::read_in_pieces_of(input, input.size() + 1));
    }
    for (int n = argc > 2 ? std::atoi(argv[2]) : 0; n > 0; --n)
        print_upgrade(random_upgrade(random));
}
