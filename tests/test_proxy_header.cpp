// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/cuts.hpp"
#include "support/proxy_headers.hpp"

#include <asynchat/detail/crc32c.hpp>
#include <asynchat/detail/proxy_header.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asynchat::detail;
using namespace support;

namespace {

using pieces = std::vector<std::string_view>;

pieces in_pieces_of(std::string_view input, std::size_t size)
{
    pieces all;
    in_pieces(input, of_size(size), [&](std::string_view piece) { all.push_back(piece); });
    return all;
}

} // namespace

TEST_CASE("each PROXY header has its verdict", "[proxy]")
{
    CHECK(proxy_headers().size() >= 100);
    for (const proxy_row& row : proxy_headers()) {
        CAPTURE(asynchat::escaped(row.bytes));
        CHECK(decode(pieces{row.bytes}).first == row.verdict);
    }
}

TEST_CASE("the verdict on a PROXY header does not depend on its cuts", "[proxy]")
{
    for (const proxy_row& row : proxy_headers()) {
        CAPTURE(asynchat::escaped(row.bytes));
        const std::string_view all = row.bytes;
        support::for_each_place(all, [&](std::string_view first, std::string_view rest) {
            const auto cut =
                decode(first.empty() || rest.empty() ? pieces{all} : pieces{first, rest});
            if (cut.first != row.verdict)
                CHECK(std::make_pair(first.size(), cut.first) ==
                      std::make_pair(first.size(), row.verdict));
        });
        for (const std::size_t size : {1U, 2U, 3U, 7U, 16U})
            CHECK(decode(in_pieces_of(all, size)).first == row.verdict);
    }
}

TEST_CASE("what follows a PROXY header does not belong to it", "[proxy]")
{
    for (const proxy_row& row : proxy_headers()) {
        CAPTURE(asynchat::escaped(row.bytes));
        const auto alone = decode(pieces{row.bytes});
        if (alone.second != row.bytes.size() || row.verdict == "incomplete")
            continue; // it is malformed, or cut off
        const std::string more = row.bytes + "PROXY TCP4 \r\n" + row.bytes;
        CHECK(decode(pieces{more}) == alone);
        for (std::size_t at = 1; at < more.size(); ++at) {
            const auto cut = decode(
                pieces{std::string_view(more).substr(0, at), std::string_view(more).substr(at)});
            if (cut != alone)
                CHECK(std::make_pair(at, cut) == std::make_pair(at, alone));
        }
    }
}

TEST_CASE("each beginning of a PROXY header is incomplete", "[proxy]")
{
    for (const proxy_row& row : proxy_headers()) {
        const auto whole = decode(pieces{row.bytes});
        if (whole.second != row.bytes.size())
            continue;
        CAPTURE(asynchat::escaped(row.bytes));
        for (std::size_t size = 0; size < row.bytes.size(); ++size) {
            const auto part = decode(pieces{std::string_view(row.bytes).substr(0, size)});
            if (part != std::make_pair(std::string("incomplete"), size))
                CHECK(part == std::make_pair(std::string("incomplete"), size));
        }
    }
}

TEST_CASE("looking at a PROXY header takes nothing", "[proxy]")
{
    proxy_decoder decoder(1024);
    const std::string header = v2("21 11 000c c0000201 c6336402 dc04 01bb");
    for (int i = 0; i < 3; ++i) {
        const auto begun = decoder.look(std::string_view(header).substr(0, 20));
        CHECK(begun.how == proxy_decoder::verdict::incomplete);
        CHECK(begun.size == 20);
        CHECK(decoder.taken() == 0);
    }
    decoder.take(std::string_view(header).substr(0, 20));
    for (int i = 0; i < 3; ++i) {
        const auto rest = decoder.look(std::string_view(header).substr(20));
        CHECK(shown(rest.how, decoder) == "192.0.2.1:56324 to 198.51.100.2:443");
        CHECK(rest.size == header.size() - 20);
        CHECK(decoder.taken() == 20);
    }
}

TEST_CASE("the size of a PROXY header is limited before it is there", "[proxy]")
{
    const std::string begun = v2("21 11 0208");
    CHECK(decode(pieces{begun}, 536).first == "incomplete");
    CHECK(decode(pieces{v2("21 11 0209")}, 536).first ==
          "the header has 537 bytes, and the limit is 536");
    CHECK(decode(pieces{v2("20 00 ffff")}, 4096).first ==
          "the header has 65551 bytes, and the limit is 4096");
    CHECK(decode(pieces{v2("20 00 0ff0")}, 4096).first == "incomplete");
}

TEST_CASE("the checksum of a PROXY header is that of iSCSI", "[proxy]")
{
    for (const auto sum : {crc32c, crc32c_by_table}) {
        CHECK(sum("", 0) == 0);
        CHECK(sum("123456789", 0) == 0xe3069283U);
        CHECK(sum("56789", sum("1234", 0)) == 0xe3069283U);
        CHECK(sum(std::string(32, '\0'), 0) == 0x8a9136aaU); // RFC 3720, B.4
    }
}

TEST_CASE("the checksum of a PROXY header is the same on every processor", "[proxy]")
{
    std::string bytes;
    for (unsigned i = 0; i < 100; ++i) {
        CHECK(crc32c(bytes, i) == crc32c_by_table(bytes, i));
        bytes += static_cast<char>(i * 167U + 89U);
    }
}

TEST_CASE("a TLV is found by its type", "[proxy]")
{
    const std::string_view tlvs("\x01\0\2h2\x05\0\0\x01\0\1x", 12);
    CHECK(find_tlv(tlvs, 1) == std::optional<std::string_view>("h2"));
    CHECK(find_tlv(tlvs, 5) == std::optional<std::string_view>(""));
    CHECK(find_tlv(tlvs, 2) == std::nullopt);
    CHECK(find_tlv({}, 0) == std::nullopt);
}
