// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_IO_NETWORK_HPP
#define ASYNCHAT_DETAIL_IO_NETWORK_HPP

#include <asynchat/endpoint.hpp>
#include <asynchat/fwd.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Makes the sockets of a loop, instead of the system.
class network {
public:
    network() = default;
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    virtual ~network() = default;

    /// A new stream socket. Throws std::system_error.
    virtual std::unique_ptr<transport> open(int family, int type) = 0;

    /// The addresses of a name, in the order in which connect() tries them unless it interleaves.
    virtual std::vector<endpoint> addresses_of(std::string_view host,
                                               std::string_view service) const = 0;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
