// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ADDRESS_RANGE_IPP
#define ASYNCHAT_IMPL_ADDRESS_RANGE_IPP

#include <asynchat/address_range.hpp>

#include <asynchat/detail/ip_bytes.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/number.hpp>

#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>

#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_RARE address_range::address_range(std::string_view text)
{
    if (text == "unix:")
        return;
    const auto fail = [&](const std::string& why) {
        throw std::invalid_argument("asynchat: '" + detail::quoted(text) +
                                    "' is not a range of addresses: " + why);
    };
    const auto slash = text.find('/');
    const std::string_view host = text.substr(0, slash);
    std::error_code error;
    const auto address = asio::ip::make_address(std::string(host), error);
    // A scope would not be compared.
    if (error || host.find_first_of(std::string_view("\0%", 2)) != host.npos)
        fail("it begins with no numeric address, and is not \"unix:\"");
    auto ip = detail::ip_bytes_of(asio::ip::tcp::endpoint(address, 0));
    std::size_t bits = ip.size * 8;
    if (slash != text.npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto prefix = parse_number(digits, bits);
        if (!prefix || (digits.size() > 1 && digits.front() == '0'))
            fail("the length of the prefix is a number from 0 to " + std::to_string(bits));
        bits = *prefix;
    }
    const bool was_v6 = ip.size == 16;
    if (bits >= 96)
        ip.unmap();
    if (was_v6 && ip.size == 4)
        bits -= 96;
    of_ = ip.size == 4 ? kind::v4 : kind::v6;
    bytes_ = ip.bytes;
    prefix_ = static_cast<unsigned char>(bits);
    clear_host_bits();
    if (bytes_ != ip.bytes)
        fail("bits behind the prefix are set; the range is " + to_string());
}

ASYNCHAT_RARE void address_range::clear_host_bits() noexcept
{
    for (std::size_t bit = prefix_; bit < bytes_.size() * 8; ++bit)
        bytes_[bit / 8] = static_cast<unsigned char>(bytes_[bit / 8] & ~(0x80U >> bit % 8));
}

ASYNCHAT_RARE bool address_range::contains(const endpoint& where) const noexcept
{
    if (of_ == kind::path || !where.is_ip())
        return of_ == kind::path && where.is_unix();
    auto ip = detail::ip_bytes_of(where);
    ip.unmap();
    if ((ip.size == 4) != (of_ == kind::v4))
        return false;
    const std::size_t whole = prefix_ / 8;
    if (std::memcmp(ip.bytes.data(), bytes_.data(), whole) != 0)
        return false;
    const unsigned rest = prefix_ % 8;
    return rest == 0 || (ip.bytes[whole] ^ bytes_[whole]) >> (8 - rest) == 0;
}

ASYNCHAT_RARE std::string address_range::to_string() const
{
    if (of_ == kind::path)
        return "unix:";
    asio::ip::address address = asio::ip::address_v6(bytes_);
    if (of_ == kind::v4)
        address = asio::ip::address_v4({bytes_[0], bytes_[1], bytes_[2], bytes_[3]});
    return address.to_string() + "/" + std::to_string(prefix_);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
