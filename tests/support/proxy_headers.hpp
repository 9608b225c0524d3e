// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_PROXY_HEADERS_HPP
#define ASYNCHAT_TESTS_SUPPORT_PROXY_HEADERS_HPP

#include <asynchat/detail/proxy_header.hpp>
#include <asynchat/escape.hpp>

#include <fmt/format.h>

#include <arpa/inet.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// PROXY headers, and what becomes of them. The tests of the decoder read this table, and the test
// that sends the same headers to HAProxy.
namespace support {

struct proxy_row {
    std::string bytes;
    std::string verdict; // "SOURCE to DESTINATION", then TLVs "01=h2" without those of CRC32C and
                         // NOOP; "local", "unknown", "incomplete", or the text of the error
};

/// A header of version 2: the bytes behind its signature, in hexadecimal digits and spaces.
inline std::string v2(std::string_view digits)
{
    std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
    std::string pair;
    for (const char c : digits) {
        if (c == ' ')
            continue;
        pair += c;
        if (pair.size() == 2)
            bytes += static_cast<char>(std::stoi(std::exchange(pair, {}), nullptr, 16));
    }
    return bytes;
}

inline std::string shown(const asynchat::detail::proxy_fields::address& address,
                         asynchat::detail::proxy_fields::kind family)
{
    using kind = asynchat::detail::proxy_fields::kind;
    if (family == kind::path)
        return asynchat::escaped(address.path);
    char digits[INET6_ADDRSTRLEN] = {};
    const bool is_v6 = family == kind::ipv6;
    inet_ntop(is_v6 ? AF_INET6 : AF_INET, address.bytes.data(), digits, sizeof digits);
    const std::string_view host = digits;
    return is_v6 ? fmt::format("[{}]:{}", host, address.port)
                 : fmt::format("{}:{}", host, address.port);
}

/// What the table says of a header that was decoded.
inline std::string shown(asynchat::detail::proxy_decoder::verdict how,
                         asynchat::detail::proxy_decoder& decoder)
{
    using verdict = asynchat::detail::proxy_decoder::verdict;
    using kind = asynchat::detail::proxy_fields::kind;
    if (how != verdict::complete)
        return how == verdict::incomplete ? "incomplete" : decoder.error();
    const auto& fields = decoder.fields();
    std::string text = fields.is_local ? "local"
                       : fields.family == kind::none
                           ? "unknown"
                           : shown(fields.source, fields.family) + " to " +
                                 shown(fields.destination, fields.family);
    for (std::string_view rest = fields.tlvs; !rest.empty();) {
        const auto type = static_cast<unsigned char>(rest[0]);
        const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(rest[1]))
                                     << 8U |
                                 static_cast<unsigned char>(rest[2]);
        if (type != 3 && type != 4)
            text += fmt::format(" {:02x}={}", type, asynchat::escaped(rest.substr(3, size)));
        rest.remove_prefix(3 + size);
    }
    return text;
}

/// Decodes the beginning of a stream, which comes in these pieces; and how many bytes of it belong
/// to the header, 0 if it is malformed.
template <class Pieces>
std::pair<std::string, std::size_t> decode(const Pieces& pieces, std::size_t max_bytes = 1024)
{
    using verdict = asynchat::detail::proxy_decoder::verdict;
    asynchat::detail::proxy_decoder decoder(max_bytes);
    auto how = verdict::incomplete;
    for (const std::string_view piece : pieces) {
        const auto step = decoder.look(piece);
        how = step.how;
        if (how == verdict::malformed)
            return {shown(how, decoder), 0};
        if (how == verdict::complete)
            return {shown(how, decoder), decoder.taken() + step.size};
        decoder.take(piece.substr(0, step.size));
    }
    return {shown(how, decoder), decoder.taken()};
}

inline const std::vector<proxy_row>& proxy_headers()
{
    static const std::vector<proxy_row> all = {
        // --- version 1
        {"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "192.0.2.1:56324 to 198.51.100.2:443"},
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
         "255.255.255.255:65535 to 255.255.255.255:65535"},
        {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0 to 0.0.0.0:0"},
        {"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", "127.0.0.1:1 to 127.0.0.1:2"},
        {"PROXY TCP6 2001:db8::1 2001:db8::2 1000 80\r\n",
         "[2001:db8::1]:1000 to [2001:db8::2]:80"},
        {"PROXY TCP6 ::1 :: 1 2\r\n", "[::1]:1 to [::]:2"},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:fff"
         "f:ffff 65535 65535\r\n",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 to [ffff:ffff:ffff:ffff:ffff:ffff:ff"
         "ff:ffff]:65535"},
        {"PROXY TCP6 2001:DB8::A 2001:0db8::000b 1000 80\r\n",
         "[2001:db8::a]:1000 to [2001:db8::b]:80"},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1000 80\r\n",
         "[::ffff:192.0.2.1]:1000 to [::ffff:192.0.2.2]:80"},
        {"PROXY UNKNOWN\r\n", "unknown"},
        {"PROXY UNKNOWN 192.0.2.1 198.51.100.2 1000 80\r\n", "unknown"},
        {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:"
         "ffff:ffff 65535 65535\r\n",
         "unknown"},
        {"PROXY UNKNOWN \r\n", "unknown"},
        {"PROXY UNKNOWN what\never is \r here\r\n", "unknown"},
        {"PROXY UNKNOWNS\r\n", "the protocol is not TCP4, TCP6 or UNKNOWN: UNKNOWNS"},
        {"PROXY unknown\r\n", "the protocol is not TCP4, TCP6 or UNKNOWN: unknown"},
        {"PROXY TCP5 192.0.2.1 198.51.100.2 1000 80\r\n",
         "the protocol is not TCP4, TCP6 or UNKNOWN: TCP5"},
        {"PROXY UDP4 192.0.2.1 198.51.100.2 1000 80\r\n",
         "the protocol is not TCP4, TCP6 or UNKNOWN: UDP4"},
        {"PROXY tcp4 192.0.2.1 198.51.100.2 1000 80\r\n",
         "the protocol is not TCP4, TCP6 or UNKNOWN: tcp4"},
        {"PROXY TCP4\r\n", "there are less than two addresses and two ports"},
        {"PROXY TCP4 \r\n", "there are less than two addresses and two ports"},
        {"PROXY TCP4 192.0.2.1\r\n", "there are less than two addresses and two ports"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2\r\n",
         "there are less than two addresses and two ports"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1000\r\n",
         "there are less than two addresses and two ports"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1000 \r\n",
         "the destination port is not a number from 0 to 65535: "},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1000 80 \r\n",
         "there is a sixth field behind \"PROXY\""},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1000 80 x\r\n",
         "there is a sixth field behind \"PROXY\""},
        {"PROXY TCP4  192.0.2.1 198.51.100.2 1000 80\r\n",
         "there is a sixth field behind \"PROXY\""},
        {"PROXY TCP4 192.0.2.1  198.51.100.2 1000 80\r\n",
         "there is a sixth field behind \"PROXY\""},
        {"PROXY TCP4\t192.0.2.1 198.51.100.2 1000 80\r\n",
         "the protocol is not TCP4, TCP6 or UNKNOWN: TCP4\t192.0.2.1"},
        {"PROXY TCP4 192.0.2.1\t198.51.100.2 1000 80\r\n",
         "there are less than two addresses and two ports"},
        {"PROXY  TCP4 192.0.2.1 198.51.100.2 1000 80\r\n",
         "there is a sixth field behind \"PROXY\""},
        {"PROXY\tTCP4 192.0.2.1 198.51.100.2 1000 80\r\n",
         "byte 5 is 0x09, so this is neither \"PROXY \" nor the signature of version 2"},
        {"PROXY\r\n",
         "byte 5 is 0x0d, so this is neither \"PROXY \" nor the signature of version 2"},
        {"PROXY \r\n", "the protocol is not TCP4, TCP6 or UNKNOWN: "},
        {std::string("PROXY TCP4 192.0.2.1 198.51.100.2 1000 80\n") + std::string(70, 'x'),
         "the line does not end within 107 bytes"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1000 80\rGET / HTTP/1.0\r\n",
         "there is a sixth field behind \"PROXY\""},
        {"PROXY TCP4 192.0.2.256 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv4: 192.0.2.256"},
        {"PROXY TCP4 192.0.2 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv4: 192.0.2"},
        {"PROXY TCP4 192.0.2.1.5 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv4: 192.0.2.1.5"},
        {"PROXY TCP4 192.0.02.1 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv4: 192.0.02.1"},
        {"PROXY TCP4 0x7f.0.0.1 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv4: 0x7f.0.0.1"},
        {"PROXY TCP4 -1.0.0.1 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv4: -1.0.0.1"},
        {"PROXY TCP4 localhost 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv4: localhost"},
        {"PROXY TCP4 192..2.1 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv4: 192..2.1"},
        {"PROXY TCP4 192.0.2.1. 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv4: 192.0.2.1."},
        {"PROXY TCP4 ::1 198.51.100.2 1000 80\r\n", "the source address is not one of IPv4: ::1"},
        {"PROXY TCP4 192.0.2.1 198.51.100.999 1000 80\r\n",
         "the destination address is not one of IPv4: 198.51.100.999"},
        {"PROXY TCP4 192.0.2.1 :: 1000 80\r\n", "the destination address is not one of IPv4: ::"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 65536 80\r\n",
         "the source port is not a number from 0 to 65535: 65536"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 01000 80\r\n",
         "the source port is not a number from 0 to 65535: 01000"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1000 080\r\n",
         "the destination port is not a number from 0 to 65535: 080"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 -1 80\r\n",
         "the source port is not a number from 0 to 65535: -1"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 +1 80\r\n",
         "the source port is not a number from 0 to 65535: +1"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1e3 80\r\n",
         "the source port is not a number from 0 to 65535: 1e3"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1000 80x\r\n",
         "the destination port is not a number from 0 to 65535: 80x"},
        {"PROXY TCP4 192.0.2.1 198.51.100.2 1000 4294967376\r\n",
         "the destination port is not a number from 0 to 65535: 4294967376"},
        {"PROXY TCP6 192.0.2.1 198.51.100.2 1000 80\r\n",
         "the source address is not one of IPv6: 192.0.2.1"},
        {"PROXY TCP6 2001:db8:::1 2001:db8::2 1000 80\r\n",
         "the source address is not one of IPv6: 2001:db8:::1"},
        {"PROXY TCP6 2001::db8::1 2001:db8::2 1000 80\r\n",
         "the source address is not one of IPv6: 2001::db8::1"},
        {"PROXY TCP6 2001:db8::12345 2001:db8::2 1000 80\r\n",
         "the source address is not one of IPv6: 2001:db8::12345"},
        {"PROXY TCP6 1:2:3:4:5:6:7 2001:db8::2 1000 80\r\n",
         "the source address is not one of IPv6: 1:2:3:4:5:6:7"},
        {"PROXY TCP6 1:2:3:4:5:6:7:8:9 2001:db8::2 1000 80\r\n",
         "the source address is not one of IPv6: 1:2:3:4:5:6:7:8:9"},
        {"PROXY TCP6 fe80::1%eth0 2001:db8::2 1000 80\r\n",
         "the source address is not one of IPv6: fe80::1%eth0"},
        {"PROXY TCP6 [::1] 2001:db8::2 1000 80\r\n",
         "the source address is not one of IPv6: [::1]"},
        {"PROXY TCP6 ::1 2001:db8::g 1000 80\r\n",
         "the destination address is not one of IPv6: 2001:db8::g"},
        {"PROXY TCP6 ::1 ::2 1000 65536\r\n",
         "the destination port is not a number from 0 to 65535: 65536"},
        {"PROXY TCP6 ::1 ::2 0001 80\r\n", "the source port is not a number from 0 to 65535: 0001"},
        {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:"
         "ffff:ffff 65535 65535x\r\n",
         "the line does not end within 107 bytes"},
        {"proxy TCP4 192.0.2.1 198.51.100.2 1000 80\r\n",
         "byte 0 is 0x70, so this is neither \"PROXY \" nor the signature of version 2"},
        {"GET / HTTP/1.0\r\n",
         "byte 0 is 0x47, so this is neither \"PROXY \" nor the signature of version 2"},
        {"\x16\x03\x01\x02",
         "byte 0 is 0x16, so this is neither \"PROXY \" nor the signature of version 2"},
        {"PRI * HTTP/2.0\r\n",
         "byte 2 is 0x49, so this is neither \"PROXY \" nor the signature of version 2"},
        {"\r\n", "incomplete"},
        // --- version 2
        {std::string("\r\n\r\n\0\r\nQUIT\r", 12),
         "byte 11 is 0x0d, so this is neither \"PROXY \" nor the signature of version 2"},
        {std::string("\r\n\r\n\x00\r\nQUIT", 11), "incomplete"},
        {std::string("\r\nGET", 5),
         "byte 2 is 0x47, so this is neither \"PROXY \" nor the signature of version 2"},
        {v2("21 11 000c c0000201 c6336402 dc04 01bb"), "192.0.2.1:56324 to 198.51.100.2:443"},
        {v2("21 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 03e8"
            " 01bb"),
         "[2001:db8::1]:1000 to [2001:db8::2]:443"},
        {v2("21 11 000c 00000000 00000000 0000 0000"), "0.0.0.0:0 to 0.0.0.0:0"},
        {v2("21 11 000c ffffffff ffffffff ffff ffff"),
         "255.255.255.255:65535 to 255.255.255.255:65535"},
        {v2("21 31 00d8 2f72756e2f610000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000000000000000000000000000000000000 2f72756e2f62000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000"),
         "/run/a to /run/b"},
        {v2("21 31 00d8 0000000000000000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000000000"),
         " to "},
        {v2("21 31 00d8 0078000000000000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000000000000000000000000000000000000 2f2f2f2f2f2f2f2"
            "f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f"
            "2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2"
            "f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f"),
         "\\x00x to //////////////////////////////////////////////////////////////////////////"
         "//////////////////////////////////"},
        {v2("20 00 0000"), "local"},
        {v2("20 11 000c c0000201 c6336402 dc04 01bb"), "local"},
        {v2("20 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 03e8"
            " 01bb"),
         "local"},
        {v2("20 11 0000"), "local"},
        {v2("20 11 0004 00000000"), "local"},
        {v2("20 ff 0003 ffffff"), "local"},
        {v2("20 00 0003 04 0000"), "local"},
        {v2("20 00 0007 03 0004 a9b87e8f"), "local"},
        {v2("20 00 0007 03 0004 00000000"), "local"},
        {v2("20 00 0002 04 00"), "local"},
        {v2("20 00 0003 04 0001"), "local"},
        {v2("21 00 0000"), "unknown"},
        {v2("21 00 0003 04 0000"), "unknown"},
        {v2("21 00 0007 03 0004 3ec9894e"), "unknown"},
        {v2("21 12 000c c0000201 c6336402 dc04 01bb"), "unknown"},
        {v2("21 22 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 03e8"
            " 01bb"),
         "unknown"},
        {v2("21 32 00d8 2f72756e2f610000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000000000000000000000000000000000000 2f72756e2f62") +
             std::string(102, '\0'),
         "unknown"},
        {v2("21 10 000c c0000201 c6336402 dc04 01bb"), "unknown"},
        {v2("21 01 0000"), "unknown"},
        {v2("21 02 0000"), "unknown"},
        {v2("21 11 000b c0000201 c6336402 dc04 01"),
         "the length is 11, and the addresses take 12 bytes"},
        {v2("21 11 0000"), "the length is 0, and the addresses take 12 bytes"},
        {v2("21 21 000c c0000201 c6336402 dc04 01bb"),
         "the length is 12, and the addresses take 36 bytes"},
        {v2("21 21 0023 20010db8000000000000000000000001 20010db8000000000000000000000002 03e8"
            " 01"),
         "the length is 35, and the addresses take 36 bytes"},
        {v2("21 31 00d7 2f72756e2f610000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000000000000000000000000000000000000 2f72756e2f62000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "0000000000000000000000000000000000000"),
         "the length is 215, and the addresses take 216 bytes"},
        {v2("21 12 0004 00000000"), "the length is 4, and the addresses take 12 bytes"},
        {v2("22 11 000c c0000201 c6336402 dc04 01bb"),
         "byte 12 is 0x22: the command is neither LOCAL nor PROXY"},
        {v2("2f 11 000c c0000201 c6336402 dc04 01bb"),
         "byte 12 is 0x2f: the command is neither LOCAL nor PROXY"},
        {v2("11 11 000c c0000201 c6336402 dc04 01bb"), "byte 12 is 0x11: the version is not 2"},
        {v2("31 11 000c c0000201 c6336402 dc04 01bb"), "byte 12 is 0x31: the version is not 2"},
        {v2("01 11 000c c0000201 c6336402 dc04 01bb"), "byte 12 is 0x01: the version is not 2"},
        {v2("21 41 000c c0000201 c6336402 dc04 01bb"),
         "byte 13 is 0x41: the family or the transport is unknown"},
        {v2("21 f1 000c c0000201 c6336402 dc04 01bb"),
         "byte 13 is 0xf1: the family or the transport is unknown"},
        {v2("21 13 000c c0000201 c6336402 dc04 01bb"),
         "byte 13 is 0x13: the family or the transport is unknown"},
        {v2("21 1f 000c c0000201 c6336402 dc04 01bb"),
         "byte 13 is 0x1f: the family or the transport is unknown"},
        {v2("21 03 0000"), "byte 13 is 0x03: the family or the transport is unknown"},
        {v2("21 11 000f c0000201 c6336402 dc04 01bb 04 0000"),
         "192.0.2.1:56324 to 198.51.100.2:443"},
        {v2("21 11 0010 c0000201 c6336402 dc04 01bb 04 0001 00"),
         "192.0.2.1:56324 to 198.51.100.2:443"},
        {v2("21 11 0011 c0000201 c6336402 dc04 01bb 01 0002 6832"),
         "192.0.2.1:56324 to 198.51.100.2:443 01=h2"},
        {v2("21 11 001a c0000201 c6336402 dc04 01bb 02 000b 7777772e6578616d706c65"),
         "192.0.2.1:56324 to 198.51.100.2:443 02=www.example"},
        {v2("21 11 0014 c0000201 c6336402 dc04 01bb 05 0005 69642d3137"),
         "192.0.2.1:56324 to 198.51.100.2:443 05=id-17"},
        {v2("21 11 0013 c0000201 c6336402 dc04 01bb ea 0004 61776d65"),
         "192.0.2.1:56324 to 198.51.100.2:443 ea=awme"},
        {v2("21 11 0017 c0000201 c6336402 dc04 01bb 20 0008 01 00000000 21 00 00"),
         "192.0.2.1:56324 to 198.51.100.2:443 20=\\x01\\x00\\x00\\x00\\x00!\\x00\\x00"},
        {v2("21 11 0014 c0000201 c6336402 dc04 01bb 30 0005 626c7565 31"),
         "192.0.2.1:56324 to 198.51.100.2:443 30=blue1"},
        {v2("21 11 0015 c0000201 c6336402 dc04 01bb 01 0002 6832 01 0001 78"),
         "192.0.2.1:56324 to 198.51.100.2:443 01=h2 01=x"},
        {v2("21 11 0013 01020304 05060708 03e8 0050 03 0004 01cdccb0"),
         "1.2.3.4:1000 to 5.6.7.8:80"},
        {v2("21 11 001b 01020304 05060708 03e8 0050 01 0002 6832 03 0004 df68a45c 04 0000"),
         "1.2.3.4:1000 to 5.6.7.8:80 01=h2"},
        {v2("21 21 002b 20010db8000000000000000000000001 20010db8000000000000000000000002 03e8"
            " 01bb 03 0004 26afe2c2"),
         "[2001:db8::1]:1000 to [2001:db8::2]:443"},
        {v2("21 11 0013 01020304 05060708 03e8 0050 03 0004 01cdccb1"),
         "the CRC32C at byte 31 is wrong"},
        {v2("21 11 0013 01020304 05060708 03e8 0051 03 0004 01cdccb0"),
         "the CRC32C at byte 31 is wrong"},
        {v2("21 11 0013 c0000201 c6336402 dc04 01bb 03 0004 00000000"),
         "the CRC32C at byte 31 is wrong"},
        {v2("21 11 0012 c0000201 c6336402 dc04 01bb 03 0003 000000"),
         "the TLV at byte 28 is a second CRC32C, or one without 4 bytes"},
        {v2("21 11 0014 c0000201 c6336402 dc04 01bb 03 0005 0000000000"),
         "the TLV at byte 28 is a second CRC32C, or one without 4 bytes"},
        {v2("21 11 000f c0000201 c6336402 dc04 01bb 03 0000"),
         "the TLV at byte 28 is a second CRC32C, or one without 4 bytes"},
        {v2("21 11 000d c0000201 c6336402 dc04 01bb 04"),
         "the TLV at byte 28 ends behind the header"},
        {v2("21 11 000e c0000201 c6336402 dc04 01bb 04 00"),
         "the TLV at byte 28 ends behind the header"},
        {v2("21 11 000f c0000201 c6336402 dc04 01bb 04 0001"),
         "the TLV at byte 28 ends behind the header"},
        {v2("21 11 0010 c0000201 c6336402 dc04 01bb 04 ffff 00"),
         "the TLV at byte 28 ends behind the header"},
        {v2("21 11 0013 c0000201 c6336402 dc04 01bb 04 0000 04 0002 00"),
         "the TLV at byte 31 ends behind the header"},
        {v2("21 11 008f c0000201 c6336402 dc04 01bb 05 0080") + std::string(128, 'a'),
         "192.0.2.1:56324 to 198.51.100.2:443 05=" + std::string(128, 'a')},
        {v2("21 11 0090 c0000201 c6336402 dc04 01bb 05 0081") + std::string(129, 'a'),
         "the TLV at byte 28, of type 0x05, has 129 bytes, which is too much"},
        {v2("21 11 010e c0000201 c6336402 dc04 01bb 02 00ff") + std::string(255, 'a'),
         "192.0.2.1:56324 to 198.51.100.2:443 02=" + std::string(255, 'a')},
        {v2("21 11 010f c0000201 c6336402 dc04 01bb 02 0100") + std::string(256, 'a'),
         "the TLV at byte 28, of type 0x02, has 256 bytes, which is too much"},
        {v2("21 11 03f0 c0000201 c6336402 dc04 01bb 04 03e1") + std::string(993, '\0'),
         "192.0.2.1:56324 to 198.51.100.2:443"},
        {v2("21 11 03f1 c0000201 c6336402 dc04 01bb 04 03e2") + std::string(994, '\0'),
         "the header has 1025 bytes, and the limit is 1024"},
        {v2("21 11 ffff c0000201 c6336402 dc04 01bb"),
         "the header has 65551 bytes, and the limit is 1024"},
        {v2("21 11 000c c0000201 c6336402 dc04 "), "incomplete"},
        {v2("21 11"), "incomplete"},
        {v2(""), "incomplete"},
        {v2("20 00 0001"), "incomplete"},
    };
    return all;
}

} // namespace support

#endif
