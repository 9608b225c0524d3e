// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// PROXY headers: one verdict, however the input is cut and whatever follows it, and a complete
// header that is written again is the same header.
#include "fuzz/input.hpp"
#include "support/proxy_headers.hpp"

#include <asynchat/detail/crc32c.hpp>
#include <asynchat/detail/proxy_header.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using asynchat::detail::crc32c;
using pieces = std::vector<std::string_view>;

pieces cut(std::string_view text, std::size_t size)
{
    pieces all;
    for (; !text.empty(); text.remove_prefix(std::min(size, text.size())))
        all.push_back(text.substr(0, size));
    return all;
}

/// Makes what random bytes hardly have: a length that fits, and a checksum that is right.
void mend(std::string& header, bool with_checksum)
{
    constexpr std::size_t fixed = 16;
    const std::string_view start = "\r\n\r\n";
    if (header.size() < fixed || header.compare(0, start.size(), start) != 0)
        return;
    if (with_checksum)
        header.append("\3\0\4\0\0\0\0", 7);
    const std::size_t length = header.size() - fixed;
    header[14] = static_cast<char>(length >> 8U);
    header[15] = static_cast<char>(length & 0xffU);
    if (!with_checksum)
        return;
    const std::uint32_t sum = crc32c(header);
    for (unsigned i = 0; i < 4; ++i)
        header[header.size() - 1 - i] = static_cast<char>(sum >> 8U * i & 0xffU);
}

/// Version 1 that says the same.
std::string as_line(const asynchat::detail::proxy_fields& fields)
{
    using kind = asynchat::detail::proxy_fields::kind;
    const bool is_v6 = fields.family == kind::ipv6;
    const auto digits = [&](const asynchat::detail::proxy_fields::address& address) {
        char text[INET6_ADDRSTRLEN] = {};
        inet_ntop(is_v6 ? AF_INET6 : AF_INET, address.bytes.data(), text, sizeof text);
        return std::string(text);
    };
    return fmt::format("PROXY TCP{} {} {} {} {}\r\n", is_v6 ? 6 : 4, digits(fields.source),
                       digits(fields.destination), fields.source.port, fields.destination.port);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using kind = asynchat::detail::proxy_fields::kind;
    using verdict = asynchat::detail::proxy_decoder::verdict;
    fuzz::input input(data, size);
    const std::size_t kinds = input.number(0, 3);
    const std::size_t max_bytes = input.number(0, 1) == 0 ? 536 : 4096;
    const std::size_t piece = input.number(1, 64);
    std::string text = input.rest();
    if (kinds > 0)
        mend(text, kinds == 1);

    const auto whole = support::decode(pieces{text}, max_bytes);
    fuzz::require(support::decode(cut(text, piece), max_bytes) == whole ||
                      (text.empty() && whole.second == 0),
                  "the verdict depends on the cuts");
    fuzz::require(support::decode(cut(text, 1), max_bytes) == whole || text.empty(),
                  "the verdict depends on single bytes");

    asynchat::detail::proxy_decoder decoder(max_bytes);
    const auto step = decoder.look(text);
    fuzz::require(step.size <= text.size() && step.size <= max_bytes, "more than there is");
    if (step.how == verdict::incomplete)
        fuzz::require(step.size == text.size() && text.size() < max_bytes, "all is of the header");
    if (step.how == verdict::malformed)
        fuzz::require(!decoder.error().empty(), "an error without a text");
    if (step.how != verdict::complete)
        return 0;
    const std::string header = text.substr(0, step.size);
    for (const std::string_view more : {"", "x", "PROXY UNKNOWN\r\n"})
        fuzz::require(support::decode(pieces{header + std::string(more)}, max_bytes) ==
                          support::decode(pieces{header}, max_bytes),
                      "what follows the header changes it");
    const auto& fields = decoder.fields();
    if (fields.is_local)
        fuzz::require(fields.family == kind::none && fields.tlvs.empty(), "LOCAL says something");
    if (fields.family == kind::ipv4 || fields.family == kind::ipv6) {
        const auto again = support::decode(pieces{as_line(fields)}, max_bytes);
        fuzz::require(support::shown(verdict::complete, decoder)
                              .compare(0, again.first.size(), again.first) == 0,
                      "the header is not the same when it is written again");
    }
    return 0;
}
