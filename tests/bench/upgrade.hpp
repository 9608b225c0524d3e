// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_BENCH_UPGRADE_HPP
#define ASYNCHAT_BENCH_UPGRADE_HPP

#include "stream.hpp"

#include <poll.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

namespace bench {

/// Asks for a WebSocket on a new connection. Returns whether the answer is right.
template <class Stream>
bool upgrade(Stream& peer)
{
    const std::string_view request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    if (peer.send(request.data(), request.size()) != static_cast<ssize_t>(request.size()))
        die("send");
    std::string answer;
    while (answer.find("\r\n\r\n") == answer.npos) {
        pollfd ready = {peer.fd(), POLLIN, 0};
        if (::poll(&ready, 1, 30000) != 1)
            die("no answer to the request for a WebSocket");
        char buffer[1024];
        const ssize_t got = peer.receive(buffer, sizeof buffer);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            die("recv");
        answer.append(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
    }
    // Of the example in RFC 6455, section 1.3; nothing comes behind it.
    return answer.compare(0, 12, "HTTP/1.1 101") == 0 &&
           answer.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != answer.npos &&
           answer.find("\r\n\r\n") == answer.size() - 4;
}

} // namespace bench

#endif
