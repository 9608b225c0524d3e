// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_FAMILIES_HPP
#define ASYNCHAT_TESTS_SUPPORT_FAMILIES_HPP

#include "support/catch.hpp"
#include "support/peers.hpp"

#include <sys/socket.h>

#include <system_error>
#include <vector>

namespace support {

/// IPv4, and IPv6 where this machine has it.
inline std::vector<int> ip_families()
{
    try {
        temp_dir unused;
        const raw_listener probe(free_address(AF_INET6, unused));
        return {AF_INET, AF_INET6};
    } catch (const std::system_error&) {
        WARN("not tested over IPv6, which this machine does not have");
        return {AF_INET};
    }
}

inline std::vector<int> all_families()
{
    auto all = ip_families();
    all.push_back(AF_UNIX);
    return all;
}

} // namespace support

#endif
