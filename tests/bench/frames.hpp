// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_BENCH_FRAMES_HPP
#define ASYNCHAT_BENCH_FRAMES_HPP

#include "stream.hpp"

#include <poll.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

// WebSocket, as the load speaks it.
namespace bench {

/// The first bytes of a frame with a whole text. `mask` is 0x80 or 0.
inline std::string frame_head(std::size_t size, unsigned mask)
{
    const auto byte = [](std::size_t value) { return static_cast<char>(value & 0xff); };
    std::string head = "\x81";
    if (size < 126)
        return head + byte(mask | size);
    const int width = size < 65536 ? 2 : 8;
    head += byte(mask | (width == 2 ? 126U : 127U));
    for (int i = width - 1; i >= 0; --i)
        head += byte(size >> (8 * i));
    return head;
}

/// As a server sends it.
inline std::string plain_frame(std::string_view text)
{
    return frame_head(text.size(), 0).append(text);
}

/// As a client sends it. `key` has four bytes.
inline std::string masked_frame(std::string_view text, std::string_view key)
{
    std::string frame = frame_head(text.size(), 0x80).append(key);
    for (std::size_t i = 0; i < text.size(); ++i)
        frame += static_cast<char>(text[i] ^ key[i % 4]);
    return frame;
}

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
