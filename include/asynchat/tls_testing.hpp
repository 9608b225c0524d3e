// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TLS_TESTING_HPP
#define ASYNCHAT_TLS_TESTING_HPP

// Certificates for the tests of your program, made in memory; needs the CMake target asynchat::tls.
//
//     const asynchat::testing::authority ca;
//     const auto shown = ca.issue("localhost");
//     auto server = asynchat::tls::context::for_server();
//     server.load_cert_chain(pem{shown.certificate}, pem{shown.key});
//     auto client = asynchat::tls::context::for_client();
//     client.load_verify_locations(pem{ca.certificate()});
//
// TLS works over testing::loop as over sockets. The keys are new in each run, so that the bytes on
// the network differ, also with the same seed.

#include <asynchat/config.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace testing {

/// A certificate and its private key, as PEM text.
struct issued {
    /// PEM.
    std::string certificate;
    std::string key;
};

/// What else a certificate says; see authority::issue().
struct certificate_request {
    /// The hosts that it is for: names, and IP addresses in digits. May be empty, as for clients.
    std::vector<std::string> hosts;

    /// When it begins and ends to be valid, from now on. Negative: in the past.
    std::chrono::hours valid_from = std::chrono::hours(-1);
    std::chrono::hours valid_until = std::chrono::hours(24);

    /// RSA with 2048 bits instead of ECDSA with P-256; takes a tenth of a second to make.
    bool rsa = false;

    /// Encrypts the key with this passphrase; empty: not encrypted.
    std::string password;
};

/// An authority that issues certificates, with a key of its own (ECDSA, P-256). For tests only.
class ASYNCHAT_API authority {
public:
    /// Throws std::runtime_error when OpenSSL fails, as all functions do.
    ASYNCHAT_DECL explicit authority(const std::string& name = "asynchat test authority");
    ASYNCHAT_DECL ~authority();
    authority(const authority&) = delete;
    authority& operator=(const authority&) = delete;

    /// Its own certificate, to be trusted, as PEM text.
    [[nodiscard]] ASYNCHAT_DECL std::string certificate() const;

    /// A certificate for `name`, its common name. Without `what` it is for a host of this name.
    ASYNCHAT_DECL issued issue(const std::string& name) const;
    ASYNCHAT_DECL issued issue(const std::string& name, const certificate_request& what) const;

    /// The list of revoked certificates, as PEM text; each of `revoked` is PEM text too.
    ASYNCHAT_DECL std::string revoke(const std::vector<std::string>& revoked) const;

private:
    struct inside;
    std::unique_ptr<inside> inside_;
};

} // namespace testing
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/tls/tls_testing.ipp>
#endif
#endif
