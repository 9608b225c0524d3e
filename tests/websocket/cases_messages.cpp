// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "cases.hpp"
#include "frames.hpp"

#include <initializer_list>
#include <utility>

namespace support {

void add_fragment_cases(websocket_cases& to)
{
    const auto add = [&](const char* what, std::string input, std::vector<std::string> outcome) {
        to.push_back({"5.4", what, std::move(input), std::move(outcome)});
    };
    const std::string start = frame(text, "frag");
    const std::string end = frame(fin | continuation, "ment");
    const std::vector<std::string> fault = {"fault 1002"};
    add("two fragments", start + end, {"text fragment"});
    add("two fragments of bytes", frame(binary, "\xff") + frame(fin | continuation, "\xfe"),
        {"binary \xff\xfe"});
    add("three fragments", start + frame(continuation, "-") + end, {"text frag-ment"});
    add("empty fragments",
        frame(text, "") + frame(continuation, "") + frame(fin | continuation, ""), {"text "});
    add("an empty first fragment", frame(text, "") + end, {"text ment"});
    add("an empty last fragment", start + frame(fin | continuation, ""), {"text frag"});
    add("many small fragments",
        [] {
            std::string all = frame(text, "0");
            for (int i = 1; i < 30; ++i)
                all += frame(continuation, std::to_string(i % 10));
            return all + frame(fin | continuation, "!");
        }(),
        {"text 012345678901234567890123456789!"});
    add("a ping between", start + frame(fin | ping, "p") + end, {"ping p", "text fragment"});
    add("an empty ping between", start + frame(fin | ping, "") + end, {"ping ", "text fragment"});
    add("a pong between", start + frame(fin | pong, "p") + end, {"pong p", "text fragment"});
    add("pings between", start + frame(fin | ping, "1") + frame(fin | ping, "2") + end,
        {"ping 1", "ping 2", "text fragment"});
    add("a ping in each gap",
        start + frame(fin | ping, "1") + frame(continuation, "-") + frame(fin | ping, "2") + end,
        {"ping 1", "ping 2", "text frag-ment"});
    add("a close between", start + frame(fin | closing, close_body(1000)) + end, {"close 1000 "});
    add("a long ping between", start + frame(fin | ping, std::string(125, 'p')) + end,
        {"ping " + std::string(125, 'p'), "text fragment"});
    add("a message behind fragments", start + end + frame(fin | text, "next"),
        {"text fragment", "text next"});
    add("fragments twice", start + end + start + end, {"text fragment", "text fragment"});
    add("no start", end, fault);
    add("no start, not the last", frame(continuation, "x"), fault);
    add("no start, empty", frame(fin | continuation, ""), fault);
    add("only the first byte of a continuation", bytes_of(fin | continuation, 1), fault);
    add("a continuation behind a message", frame(fin | text, "all") + end,
        {"text all", "fault 1002"});
    add("a continuation behind the end", start + end + end, {"text fragment", "fault 1002"});
    add("a text inside", start + frame(fin | text, "x"), fault);
    add("bytes inside", start + frame(fin | binary, "x"), fault);
    add("a start inside", start + frame(text, "x"), fault);
    add("bytes that start inside", start + frame(binary, "x"), fault);
    add("a start inside, behind a continuation",
        start + frame(continuation, "x") + frame(text, "y"), fault);
    add("a start inside, behind a ping", start + frame(fin | ping, "") + frame(text, "y"),
        {"ping ", "fault 1002"});
    add("a start inside, only its first byte", start + bytes_of(fin | text, 1), fault);
    add("incomplete", start, {});
    add("incomplete, with a ping", start + frame(fin | ping, "x"), {"ping x"});
}

void add_control_cases(websocket_cases& to)
{
    const auto add = [&](const char* section, std::string what, std::string input,
                         std::vector<std::string> outcome) {
        to.push_back({section, std::move(what), std::move(input), std::move(outcome)});
    };
    for (const std::size_t size : {0U, 1U, 3U, 4U, 8U, 124U, 125U}) {
        const std::string payload(size, '\xfe'); // no text: it does not matter
        add("5.5.2", "ping of " + std::to_string(size), frame(fin | ping, payload),
            {"ping " + payload});
        add("5.5.3", "unasked pong of " + std::to_string(size), frame(fin | pong, payload),
            {"pong " + payload});
    }
    for (const unsigned opcode : {closing, ping, pong}) {
        const std::string of = " of opcode " + std::to_string(opcode);
        const std::string body = opcode == closing ? close_body(1000) : "x";
        add("5.5", "126 bytes" + of, bytes_of(fin | opcode, 1) + length_in(2, 126), {"fault 1002"});
        add("5.5", "126 announced" + of, bytes_of(fin | opcode, 1) + "\xfe", {"fault 1002"});
        add("5.5", "127 announced" + of, bytes_of(fin | opcode, 1) + "\xff", {"fault 1002"});
        add("5.5", "without FIN" + of, frame(opcode, body), {"fault 1002"});
        add("5.5", "without FIN, its first byte" + of, bytes_of(opcode, 1), {"fault 1002"});
        add("5.5", "in fragments" + of, frame(opcode, body) + frame(fin | continuation, body),
            {"fault 1002"});
    }
    add("5.5.2", "ten pings",
        [] {
            std::string all;
            for (int i = 0; i < 10; ++i)
                all += frame(fin | ping, std::to_string(i));
            return all;
        }(),
        {"ping 0", "ping 1", "ping 2", "ping 3", "ping 4", "ping 5", "ping 6", "ping 7", "ping 8",
         "ping 9"});
    add("5.5.2", "ping and message", frame(fin | ping, "p") + frame(fin | text, "m"),
        {"ping p", "text m"});
    add("5.5.2", "message and ping", frame(fin | text, "m") + frame(fin | ping, "p"),
        {"text m", "ping p"});
}

void add_close_cases(websocket_cases& to)
{
    const auto add = [&](const char* section, std::string what, std::string input,
                         std::vector<std::string> outcome) {
        to.push_back({section, std::move(what), std::move(input), std::move(outcome)});
    };
    for (const unsigned code : {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U,
                                1012U, 1013U, 1014U, 3000U, 3999U, 4000U, 4999U}) {
        add("7.4", "code " + std::to_string(code), frame(fin | closing, close_body(code)),
            {"close " + std::to_string(code) + " "});
    }
    for (const unsigned code : {0U, 1U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 1100U, 2000U,
                                2999U, 5000U, 32768U, 65535U}) {
        add("7.4", "code " + std::to_string(code), frame(fin | closing, close_body(code)),
            {"fault 1002"});
        add("7.4", "code " + std::to_string(code) + " with a reason",
            frame(fin | closing, close_body(code, "why")), {"fault 1002"});
    }
    add("5.5.1", "no code", frame(fin | closing, ""), {"close 1005 "});
    add("5.5.1", "half a code", frame(fin | closing, "\x03"), {"fault 1002"});
    add("5.5.1", "half a code announced", "\x88\x81", {"fault 1002"});
    add("5.5.1", "a reason", frame(fin | closing, close_body(1001, "bye")), {"close 1001 bye"});
    add("5.5.1", "the longest reason",
        frame(fin | closing, close_body(1000, std::string(123, 'x'))),
        {"close 1000 " + std::string(123, 'x')});
    add("5.5.1", "a message behind it",
        frame(fin | closing, close_body(1000)) + frame(fin | text, "x"), {"close 1000 "});
    add("5.5.1", "a ping behind it",
        frame(fin | closing, close_body(1000)) + frame(fin | ping, "x"), {"close 1000 "});
    add("5.5.1", "a close behind it",
        frame(fin | closing, close_body(1000)) + frame(fin | closing, close_body(1001)),
        {"close 1000 "});
    add("5.5.1", "nonsense behind it", frame(fin | closing, close_body(1000)) + "\x83\x83\x83",
        {"close 1000 "});
    add("5.5.1", "a message before it",
        frame(fin | text, "x") + frame(fin | closing, close_body(1000)), {"text x", "close 1000 "});
    add("5.5.1", "a pong before it",
        frame(fin | pong, "x") + frame(fin | closing, close_body(1000)), {"pong x", "close 1000 "});
    add("8.1", "a reason in many letters",
        frame(fin | closing, close_body(1000, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")),
        {"close 1000 \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"});
    for (const char* const reason : {"\xff", "x\xc3", "\xe2\x82", "\xed\xa0\x80", "\xc0\xaf"})
        add("8.1", "a reason that is not UTF-8", frame(fin | closing, close_body(1000, reason)),
            {"fault 1007"});
}

void add_text_cases(websocket_cases& to)
{
    const auto good = [&](const std::string& what, const std::string& payload) {
        to.push_back({"8.1", what, frame(fin | text, payload), {"text " + payload}});
    };
    // At once, though the message goes on: only the head announces what is missing.
    const auto bad = [&](const std::string& what, const std::string& payload) {
        const std::string whole = payload + std::string(100, 'x');
        to.push_back({"8.1",
                      what + ", in the middle",
                      frame(text, whole).substr(0, 6 + payload.size()),
                      {"fault 1007"}});
    };
    const auto cut_off = [&](const std::string& what, const std::string& payload) {
        to.push_back({"8.1", what + ", incomplete", frame(fin | text, payload), {"fault 1007"}});
        to.push_back({"8.1", what + ", may be continued", frame(text, payload), {}});
        to.push_back(
            {"8.1", what + ", as bytes", frame(fin | binary, payload), {"binary " + payload}});
    };
    using namespace std::string_literals;
    const std::pair<const char*, std::string> characters[] = {{"U+0000", "\0"s},
                                                              {"U+007F", "\x7f"},
                                                              {"U+0080", "\xc2\x80"},
                                                              {"U+07FF", "\xdf\xbf"},
                                                              {"U+0800", "\xe0\xa0\x80"},
                                                              {"U+0FFF", "\xe0\xbf\xbf"},
                                                              {"U+1000", "\xe1\x80\x80"},
                                                              {"U+CFFF", "\xec\xbf\xbf"},
                                                              {"U+D7FF", "\xed\x9f\xbf"},
                                                              {"U+E000", "\xee\x80\x80"},
                                                              {"U+FEFF", "\xef\xbb\xbf"},
                                                              {"U+FFFE", "\xef\xbf\xbe"},
                                                              {"U+FFFF", "\xef\xbf\xbf"},
                                                              {"U+10000", "\xf0\x90\x80\x80"},
                                                              {"U+3FFFF", "\xf0\xbf\xbf\xbf"},
                                                              {"U+40000", "\xf1\x80\x80\x80"},
                                                              {"U+FFFFF", "\xf3\xbf\xbf\xbf"},
                                                              {"U+100000", "\xf4\x80\x80\x80"},
                                                              {"U+10FFFF", "\xf4\x8f\xbf\xbf"}};
    for (const auto& [name, character] : characters) {
        good(name, character);
        good(std::string("around ") + name, "12345678" + character + "123456789" + character);
    }
    const std::string greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
    good("a word", greek);
    for (const std::size_t at : {1U, 2U, 3U, 4U, 7U}) {
        to.push_back(
            {"8.1",
             "a word, cut into fragments at " + std::to_string(at),
             frame(text, greek.substr(0, at)) + frame(fin | continuation, greek.substr(at)),
             {"text " + greek}});
    }
    to.push_back({"8.1",
                  "a ping inside a character",
                  frame(text, "\xf0\x9f") + frame(fin | ping, "\xff") +
                      frame(fin | continuation, "\x98\x80"),
                  {"ping \xff", "text \xf0\x9f\x98\x80"}});
    to.push_back({"8.1",
                  "a message ends inside a character, the next is judged alone",
                  frame(fin | binary, "\xf0\x9f") + frame(fin | text, "x"),
                  {"binary \xf0\x9f", "text x"}});
    for (const char* const wrong :
         {"\x80",     "\xbf",     "\xc0",         "\xc1",           "\xc3\x28",
          "\xc2\xc0", "\xe0\x80", "\xe0\x9f",     "\xe1\x7f",       "\xe1\x80\xc0",
          "\xed\xa0", "\xed\xbf", "\xf0\x80",     "\xf0\x8f",       "\xf1\x80\x28",
          "\xf4\x90", "\xf4\xbf", "\xf5",         "\xf8",           "\xfc",
          "\xfe",     "\xff",     "12345678\xff", "1234567\xc3\x28"}) {
        bad("wrong", wrong);
    }
    to.push_back({"8.1",
                  "wrong in the second fragment",
                  frame(text, "\xc3") + frame(continuation, "(x").substr(0, 7),
                  {"fault 1007"}});
    for (const char* const begun :
         {"\xc2", "\xdf", "\xe0", "\xe0\xa0", "\xed\x9f", "\xf0", "\xf0\x90", "\xf0\x90\x80",
          "\xf4\x8f\xbf", "12345678\xe2\x82"}) {
        cut_off("a character", begun);
    }
}

} // namespace support
