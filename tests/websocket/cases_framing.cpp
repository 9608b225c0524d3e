// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "cases.hpp"
#include "frames.hpp"

#include <initializer_list>
#include <utility>

namespace support {

namespace {

const std::string hello = "Hello";

/// Whatever comes behind a fault changes nothing.
void add_fault(websocket_cases& to, const char* section, std::string what, std::string input,
               unsigned code = 1002)
{
    to.push_back({section, std::move(what), std::move(input), {"fault " + std::to_string(code)}});
}

void add_first_bytes(websocket_cases& to)
{
    for (unsigned opcode = 0; opcode < 16; ++opcode) {
        const bool is_known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
        for (const unsigned bits : {rsv1, rsv2, rsv3, rsv1 | rsv2 | rsv3}) {
            if (is_known)
                add_fault(to, "5.2",
                          "reserved bits " + std::to_string(bits >> 4) + " of opcode " +
                              std::to_string(opcode),
                          frame(fin | bits | opcode, ""));
        }
        if (!is_known) {
            add_fault(to, "5.2", "opcode " + std::to_string(opcode), frame(fin | opcode, hello));
            add_fault(to, "5.2", "only the byte with opcode " + std::to_string(opcode),
                      bytes_of(fin | opcode, 1));
        }
    }
    for (const unsigned opcode : {3U, 7U, 11U, 15U})
        add_fault(to, "5.2", "opcode " + std::to_string(opcode) + " without FIN",
                  frame(opcode, hello));
    add_fault(to, "5.2", "reserved bit inside a message",
              frame(text, "a") + frame(fin | rsv1 | continuation, "b"));
    to.push_back({"5.2",
                  "unknown opcode behind a message",
                  frame(fin | text, hello) + frame(0x83, ""),
                  {"text Hello", "fault 1002"}});
}

void add_masks(websocket_cases& to)
{
    for (const unsigned opcode : {text, binary, closing, ping, pong}) {
        add_fault(to, "5.1", "no mask, opcode " + std::to_string(opcode),
                  server_frame(fin | opcode, opcode == closing ? close_body(1000) : hello));
        add_fault(to, "5.1", "no mask and empty, opcode " + std::to_string(opcode),
                  server_frame(fin | opcode, ""));
    }
    add_fault(to, "5.1", "no mask in a continuation",
              frame(text, "a") + server_frame(fin | continuation, "b"));
    const std::string keys[] = {std::string(4, '\0'),
                                "\xff\xff\xff\xff",
                                {'\0', '\0', '\0', '\1'},
                                {'\x80', '\0', '\0', '\0'}};
    for (const std::string& key : keys) {
        to.push_back({"5.3",
                      "key " + std::to_string(&key - keys),
                      frame(fin | text, hello, key),
                      {"text Hello"}});
        to.push_back({"5.3",
                      "long, key " + std::to_string(&key - keys),
                      frame(fin | binary, std::string(37, 'x'), key),
                      {"binary " + std::string(37, 'x')}});
    }
    to.push_back({"5.7",
                  "the masked message of the RFC",
                  "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                  {"text Hello"}});
    to.push_back({"5.3",
                  "each frame has its own key",
                  frame(text, "Hel", "abcd") + frame(fin | continuation, "lo", "efgh"),
                  {"text Hello"}});
}

} // namespace

void add_framing_cases(websocket_cases& to)
{
    add_first_bytes(to);
    add_masks(to);
}

void add_length_cases(websocket_cases& to)
{
    for (const std::size_t size :
         {0U,  1U,   2U,   3U,   4U,   5U,   7U,   8U,   9U,   15U,    16U,
          17U, 124U, 125U, 126U, 127U, 128U, 255U, 256U, 257U, 65535U, 65536U}) {
        for (const unsigned kind : {text, binary}) {
            std::string payload;
            for (std::size_t i = 0; i < size; ++i)
                payload += static_cast<char>(kind == text ? ' ' + i % 90 : i * 7);
            to.push_back({"5.2",
                          std::to_string(size) + " bytes",
                          frame(fin | kind, payload),
                          {(kind == text ? "text " : "binary ") + payload}});
        }
    }
    const std::string key(usual_key);
    for (const std::uint64_t length : {0U, 1U, 124U, 125U}) {
        add_fault(to, "5.2", std::to_string(length) + " in two bytes",
                  "\x82" + length_in(2, length) + key);
    }
    for (const std::uint64_t length : {0U, 1U, 125U, 126U, 65534U, 65535U}) {
        add_fault(to, "5.2", std::to_string(length) + " in eight bytes",
                  "\x82" + length_in(8, length) + key);
    }
    for (const std::uint64_t length : {1ULL << 63, ~0ULL, (1ULL << 63) + 5})
        add_fault(to, "5.2", "the highest bit of a length", "\x82" + length_in(8, length));
    add_fault(to, "5.2", "the highest bit, and no byte more", "\x82\xff\x80");
    const std::uint64_t too_long[] = {65537, 1ULL << 31, 1ULL << 32, (1ULL << 63) - 1};
    for (const std::uint64_t length : too_long) {
        add_fault(to, "10.4", std::to_string(length) + " are too many, without a byte of them",
                  "\x82" + length_in(8, length), 1009);
    }
    add_fault(to, "10.4", "too long in two fragments",
              frame(text, std::string(65536, 'x')) + frame(fin | continuation, "x"), 1009);
    add_fault(to, "10.4", "too long in three fragments",
              frame(binary, std::string(60000, 'x')) + frame(continuation, std::string(5536, 'x')) +
                  "\x80" + length_in(0, 1),
              1009);
    to.push_back({"10.4",
                  "the longest in fragments",
                  frame(text, std::string(65535, 'x')) + frame(continuation, "x") +
                      frame(fin | continuation, ""),
                  {"text " + std::string(65536, 'x')}});
    to.push_back({"10.4",
                  "the limit is for each message",
                  frame(fin | text, std::string(65536, 'x')) + frame(fin | text, "y"),
                  {"text " + std::string(65536, 'x'), "text y"}});
}

} // namespace support
