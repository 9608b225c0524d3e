// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TLS_OPENSSL_HPP
#define ASYNCHAT_DETAIL_TLS_OPENSSL_HPP

#include <asynchat/config.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <new>

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#  error "asynchat::tls needs OpenSSL 3"
#endif

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// Frees an object of OpenSSL, or gives back a reference to it.
template <auto Free>
struct openssl_delete {
    template <class T>
    void operator()(T* object) const noexcept
    {
        Free(object);
    }
};
template <class T, auto Free>
using openssl_ptr = std::unique_ptr<T, openssl_delete<Free>>;

using bio_ptr = openssl_ptr<BIO, BIO_free_all>;
using pkey_ptr = openssl_ptr<EVP_PKEY, EVP_PKEY_free>;
using ssl_ptr = openssl_ptr<SSL, SSL_free>;
using ssl_ctx_ptr = openssl_ptr<SSL_CTX, SSL_CTX_free>;
using ssl_session_ptr = openssl_ptr<SSL_SESSION, SSL_SESSION_free>;
using x509_ptr = openssl_ptr<X509, X509_free>;
using x509_crl_ptr = openssl_ptr<X509_CRL, X509_CRL_free>;

/// The argument, for results that are null or 0 only when there is no memory.
template <class T>
T needed(T result)
{
    if (!result)
        throw std::bad_alloc();
    return result;
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
