// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A part of tls.hpp.

#ifndef ASYNCHAT_DETAIL_TLS_CERTIFICATE_HPP
#define ASYNCHAT_DETAIL_TLS_CERTIFICATE_HPP

#include <asynchat/config.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace tls {

/// The certificate of a peer, as connection::getpeercert() returns it. Its texts come from the
/// peer: escape them before you print them. Python: the dictionary of SSLSocket.getpeercert
struct certificate {
    std::string subject;                       ///< "CN=alice,O=example", the last name first
    std::string issuer;                        ///< the same
    std::string serial_number;                 ///< in hexadecimal digits
    std::vector<std::string> subject_alt_name; ///< "DNS:a.example", "IP:127.0.0.1", "email:a@b.c"
    /// When it is valid.
    std::chrono::system_clock::time_point not_before;
    std::chrono::system_clock::time_point not_after;
    std::string sha256; ///< the fingerprint, 64 hexadecimal digits
    std::string pem;    ///< the whole certificate

    /// True when there is none.
    bool empty() const noexcept { return pem.empty(); }
};

} // namespace tls
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
