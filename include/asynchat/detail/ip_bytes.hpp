// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IP_BYTES_HPP
#define ASYNCHAT_DETAIL_IP_BYTES_HPP

#include <asynchat/endpoint.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The bytes of an IP address in network order: 4 or 16.
struct ip_bytes {
    std::array<unsigned char, 16> bytes{};
    std::size_t size = 16;

    /// IPv4 within IPv6 becomes IPv4.
    void unmap() noexcept
    {
        constexpr unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        if (size != 16 || std::memcmp(bytes.data(), mapped, sizeof mapped) != 0)
            return;
        std::copy(bytes.begin() + 12, bytes.end(), bytes.begin());
        std::fill(bytes.begin() + 4, bytes.end(), static_cast<unsigned char>(0));
        size = 4;
    }
};

/// The bytes of an endpoint that is an IP address.
inline ip_bytes ip_bytes_of(const endpoint& where)
{
    ip_bytes ip;
    const auto native = where.native();
    if (where.family() == AF_INET) {
        sockaddr_in v4 = {};
        std::memcpy(&v4, native.data(), sizeof v4);
        std::memcpy(ip.bytes.data(), &v4.sin_addr, 4);
        ip.size = 4;
    } else {
        sockaddr_in6 v6 = {};
        std::memcpy(&v6, native.data(), sizeof v6);
        std::memcpy(ip.bytes.data(), &v6.sin6_addr, 16);
    }
    return ip;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
