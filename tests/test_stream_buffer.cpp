// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/cuts.hpp"

#include <asynchat/detail/framing/stream_buffer.hpp>
#include <asynchat/escape.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// Reads of a stream without a network: whatever the cuts, the results are the same.

using asynchat::terminator;
using asynchat::detail::stream_buffer;
using verdict = stream_buffer::verdict;

namespace {

using reading = std::function<stream_buffer::result(stream_buffer&)>;

reading line()
{
    return [](stream_buffer& from) { return from.read_line(); };
}
reading until(terminator separator)
{
    return [separator](stream_buffer& from) { return from.read_until(separator); };
}
reading exactly(std::size_t size)
{
    return [size](stream_buffer& from) { return from.read_exactly(size); };
}
reading all()
{
    return [](stream_buffer& from) { return from.read_all(); };
}

std::string told(const stream_buffer::result& result)
{
    switch (result.what) {
    case verdict::found: return std::string(result.data);
    case verdict::starved: return "starved";
    case verdict::incomplete: return "incomplete " + std::string(result.data);
    case verdict::too_long: break;
    }
    return "too long";
}

/// What the reads give, each repeated while it is starved: `input` comes in these pieces.
std::vector<std::string> results(std::size_t limit, const std::vector<std::string_view>& pieces,
                                 const std::vector<reading>& reads)
{
    stream_buffer buffer(limit);
    std::vector<std::string> seen;
    auto next = pieces.begin();
    for (const reading& each : reads) {
        for (;;) {
            const auto result = each(buffer);
            if (result.what != verdict::starved) {
                seen.push_back(told(result));
                break;
            }
            if (next == pieces.end())
                buffer.end();
            else
                buffer.append(*next++);
        }
    }
    return seen;
}

/// The same for every cut into two pieces, for single bytes and for one piece.
void check(std::size_t limit, std::string_view input, const std::vector<reading>& reads,
           const std::vector<std::string>& expected)
{
    std::vector<std::string_view> bytes;
    for (std::size_t at = 0; at < input.size(); ++at)
        bytes.push_back(input.substr(at, 1));
    CHECK(results(limit, bytes, reads) == expected);
    CHECK(results(limit, {input}, reads) == expected);
    support::for_each_place(input, [&](std::string_view first, std::string_view rest) {
        if (first.empty() || rest.empty())
            return;
        CAPTURE(first.size());
        CHECK(results(limit, {first, rest}, reads) == expected);
    });
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("stream_buffer: a line comes with its end, the last one without", "[unit][stream]")
{
    check(100, "one\n\ntwo\nrest", {line(), line(), line(), line(), line()},
          texts{"one\n", "\n", "two\n", "rest", ""});
}

TEST_CASE("stream_buffer: a line over the limit is skipped up to its end", "[unit][stream]")
{
    check(4, "1234\n12345\nnext\n", {line(), line(), line(), line()},
          texts{"1234\n", "too long", "next\n", ""});
    check(4, "123456789\nnext\nlast", {line(), exactly(3), all()},
          texts{"too long", "nex", "t\nlast"});
    check(4, "123456789", {line(), line(), all()}, texts{"too long", "", ""});
    check(4, "123456789\n", {line(), until(";")}, texts{"too long", "incomplete "});
}

TEST_CASE("stream_buffer: a separator of several bytes, also in part at the end", "[unit][stream]")
{
    check(100, "ab\r\r\ncd\r\n\r", {until("\r\n"), until("\r\n"), until("\r\n"), line()},
          texts{"ab\r\r\n", "cd\r\n", "incomplete \r", ""});
    check(100, "aabaabaac", {until("aabaac"), until("x")}, texts{"aabaabaac", "incomplete "});
}

TEST_CASE("stream_buffer: over the limit read_until() takes nothing", "[unit][stream]")
{
    check(4, "12345;x", {until(";"), until(";"), exactly(4), until(";"), line()},
          texts{"too long", "too long", "1234", "5;", "x"});
    check(4, "1234;;", {until(";"), until(";;"), all()}, texts{"1234;", "incomplete ;", ""});
    check(4, "12345\r\n", {until("\r\n"), line(), all()}, texts{"too long", "too long", ""});
    // The end shows that a last "\r" belongs to the bytes before a separator.
    check(4, "1234\r", {until("\r\n"), until("\r\n"), exactly(5), until("\r\n")},
          texts{"too long", "too long", "1234\r", "incomplete "});
    check(4, "123\r", {until("\r\n")}, texts{"incomplete 123\r"});
}

TEST_CASE("stream_buffer: the first of several separators ends a read", "[unit][stream]")
{
    const reading any = until(terminator{"\r\n", "\n", "."});
    check(100, "a\nb\r\nc.d", {any, any, any, any}, texts{"a\n", "b\r\n", "c.", "incomplete d"});

    stream_buffer buffer(100);
    buffer.append("a.b\r\n");
    CHECK(buffer.read_until({"\r\n", "."}).data == "a.");
    CHECK(buffer.matched() == ".");
    CHECK(buffer.read_until({"\r\n", "."}).data == "b\r\n");
    CHECK(buffer.matched() == "\r\n");
}

TEST_CASE("stream_buffer: counts and separators in turn", "[unit][stream]")
{
    check(100, "5\nhello3\nabc", {line(), exactly(5), line(), exactly(3), exactly(1)},
          texts{"5\n", "hello", "3\n", "abc", "incomplete "});
    check(2, "0123456789", {exactly(0), exactly(7), exactly(4)},
          texts{"", "0123456", "incomplete 789"});
}

TEST_CASE("stream_buffer: read() returns what is there", "[unit][stream]")
{
    stream_buffer buffer(100);
    CHECK(told(buffer.read(0)) == "");
    CHECK(told(buffer.read(10)) == "starved");
    buffer.append("hello");
    CHECK(told(buffer.read(2)) == "he");
    CHECK(told(buffer.read(10)) == "llo");
    CHECK(told(buffer.read(10)) == "starved");
    CHECK(told(buffer.read_all()) == "starved");
    buffer.append("more");
    CHECK(buffer.size() == 4);
    buffer.end();
    CHECK(told(buffer.read_all()) == "more");
    CHECK(told(buffer.read(10)) == "");
    CHECK(told(buffer.read_all()) == "");
}

TEST_CASE("stream_buffer: a starved read takes nothing, so another one may follow",
          "[unit][stream]")
{
    stream_buffer buffer(100);
    buffer.append("abc\r");
    CHECK(told(buffer.read_until("\r\n")) == "starved");
    CHECK(told(buffer.read_exactly(9)) == "starved");
    CHECK(told(buffer.read_line()) == "starved");
    CHECK(told(buffer.read_all()) == "starved");
    CHECK(told(buffer.read_until({"\n", ";"})) == "starved");
    buffer.append("\nx");
    CHECK(told(buffer.read_until("\r\n")) == "abc\r\n");
    CHECK(told(buffer.read(9)) == "x");
}

TEST_CASE("stream_buffer: a view stays valid while bytes are appended", "[unit][stream]")
{
    stream_buffer buffer(1 << 20);
    buffer.append("first line of some length\nsecond");
    const auto first = buffer.read_line();
    const std::string large(100000, 'x');
    buffer.append(large);
    buffer.append("\n");
    CHECK(told(first) == "first line of some length\n");
    CHECK(buffer.size() == 6 + large.size() + 1);
    CHECK(told(buffer.read_line()) == "second" + large + "\n");
}

TEST_CASE("stream_buffer: next_line() gives the complete lines only", "[unit][stream]")
{
    stream_buffer buffer(5);
    buffer.append("a\nb\n\ncd");
    CHECK(told(buffer.read_line()) == "a\n");
    CHECK(told(buffer.next_line()) == "b\n");
    CHECK(told(buffer.next_line()) == "\n");
    CHECK(told(buffer.next_line()) == "starved");
    buffer.append("e\n123456\nz\n");
    CHECK(told(buffer.read_line()) == "cde\n");
    CHECK(told(buffer.next_line()) == "too long");
    CHECK(told(buffer.read_line()) == "too long");
    CHECK(told(buffer.read_line()) == "z\n");
}

TEST_CASE("stream_buffer: an empty one gives its memory away", "[unit][stream]")
{
    stream_buffer buffer(100);
    buffer.use(std::string(1000, 'x'));
    CHECK(buffer.is_at_rest());
    CHECK(buffer.capacity() >= 1000);
    buffer.append("hello\n");
    CHECK(told(buffer.read_line()) == "hello\n");
    CHECK_FALSE(buffer.is_at_rest()); // there is a view
    CHECK(told(buffer.read_line()) == "starved");
    CHECK(buffer.is_at_rest());
    CHECK(buffer.release().capacity() >= 1000);
    CHECK(buffer.capacity() < 100);
    buffer.append("again\n");
    CHECK(told(buffer.read_line()) == "again\n");
}
