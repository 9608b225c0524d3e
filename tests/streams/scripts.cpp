// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Runs scripts of reads over the buffer of a stream: a script in each line of the input, a line of
// results for each. compare.py runs the same scripts with Python's asyncio.
//
//     limit reads pieces     4 L,X3,U0d0a,U3b+0a,R5,A 6162,630a
//
// L is a line, X exactly so many bytes, U up to a separator or one of several, R up to so many
// bytes, A all. A read that is starved gets the next piece, and at last the end of the stream.
#include <asynchat/detail/framing/stream_buffer.hpp>
#include <asynchat/stream_errors.hpp>

#include <cstddef>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using asynchat::detail::stream_buffer;

namespace {

std::vector<std::string> split(const std::string& text, char at)
{
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, at);)
        parts.push_back(part);
    return parts;
}

std::string from_hex(const std::string& digits)
{
    std::string bytes;
    for (std::size_t at = 0; at + 1 < digits.size(); at += 2)
        bytes += static_cast<char>(std::stoi(digits.substr(at, 2), nullptr, 16));
    return bytes;
}
std::string to_hex(std::string_view bytes)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes) {
        text += digits[static_cast<unsigned char>(byte) / 16];
        text += digits[static_cast<unsigned char>(byte) % 16];
    }
    return text;
}

stream_buffer::result read(stream_buffer& from, const std::string& what)
{
    const std::string argument = what.substr(1);
    switch (what[0]) {
    case 'L': return from.read_line();
    case 'X': return from.read_exactly(std::stoul(argument));
    case 'R': return from.read(std::stoul(argument));
    case 'A': return from.read_all();
    default: break;
    }
    std::vector<std::string> separators;
    for (const std::string& each : split(argument, '+'))
        separators.push_back(from_hex(each));
    return from.read_until(asynchat::terminator(separators));
}

std::string told(const stream_buffer& buffer, const stream_buffer::result& result)
{
    using verdict = stream_buffer::verdict;
    if (result.what == verdict::too_long) {
        const asynchat::limit_overrun_error error(buffer.limit(), result.data.size());
        return "long:" + std::to_string(error.consumed());
    }
    return (result.what == verdict::found ? "ok:" : "inc:") + to_hex(result.data);
}

std::string run(const std::string& script)
{
    std::istringstream in(script);
    std::size_t limit = 0;
    std::string reads;
    std::string pieces;
    in >> limit >> reads >> pieces;
    stream_buffer buffer(limit);
    const auto parts = split(pieces, ',');
    auto next = parts.begin();
    std::string results;
    for (const std::string& what : split(reads, ',')) {
        auto result = read(buffer, what);
        while (result.what == stream_buffer::verdict::starved) {
            if (next == parts.end())
                buffer.end();
            else
                buffer.append(from_hex(*next++));
            result = read(buffer, what);
        }
        results += told(buffer, result) + ' ';
    }
    std::string left = "left:" + to_hex(buffer.read_exactly(buffer.size()).data);
    while (next != parts.end())
        left += *next++;
    return results + left;
}

} // namespace

int main()
{
    std::ios::sync_with_stdio(false);
    for (std::string script; std::getline(std::cin, script);)
        std::cout << run(script) << '\n';
}
