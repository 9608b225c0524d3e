// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Prints the cases for another implementation, against_wsproto.py: a line each, in hexadecimal, the
// input and what becomes of it. With a number, as many random inputs as well.

#include "cases.hpp"
#include "frames.hpp"
#include "machine_reader.hpp"

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
}
