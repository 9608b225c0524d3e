// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_LISTENER_HPP
#define ASYNCHAT_TESTS_SUPPORT_LISTENER_HPP

#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <string>
#include <utility>
#include <vector>

namespace support {

using calls = std::vector<std::string>;

/// Listens where it is told and keeps the connections that it accepts.
class listener : public recorder {
public:
    listener(asynchat::loop& owner, const asynchat::endpoint& where, int backlog = SOMAXCONN)
        : recorder(owner)
    {
        create_socket(where.family());
        if (where.is_ip())
            set_reuse_addr();
        bind(where);
        listen(backlog);
    }
    void handle_accepted(asynchat::socket connection, const asynchat::endpoint& peer) override
    {
        peers.push_back(peer);
        connections.push_back(std::move(connection));
    }

    std::vector<asynchat::socket> connections;
    std::vector<asynchat::endpoint> peers;
};

/// An address where nobody listens and whose use fails at once.
inline asynchat::endpoint missing_path(temp_dir& dir)
{
    return asynchat::endpoint::unix_path(dir.file("nobody"));
}

} // namespace support

#endif
