// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_WEBSOCKET_ACCEPT_KEY_HPP
#define ASYNCHAT_DETAIL_WEBSOCKET_ACCEPT_KEY_HPP

#include <asynchat/config.hpp>

#include <openssl/evp.h>

#include <new>
#include <string>
#include <string_view>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// The value of Sec-WebSocket-Accept: RFC 6455, section 4.2.2.
inline std::string websocket_accept_key(std::string_view key)
{
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr) != 1)
        throw std::bad_alloc();
    unsigned char encoded[(EVP_MAX_MD_SIZE + 2) / 3 * 4 + 1]; // with a NUL at its end
    EVP_EncodeBlock(encoded, digest, static_cast<int>(size));
    return reinterpret_cast<const char*>(encoded);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
