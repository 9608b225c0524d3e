// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_TLS_TESTING_IPP
#define ASYNCHAT_IMPL_TLS_TLS_TESTING_IPP

#include <asynchat/tls_testing.hpp>

#include <asynchat/detail/tls/openssl.hpp>

#include <asio/ip/address.hpp>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace testing {

struct authority::inside {
    asynchat::detail::pkey_ptr key;
    asynchat::detail::x509_ptr certificate;
};

inline void require_made(bool ok, const char* what)
{
    if (!ok)
        throw std::runtime_error(std::string("asynchat: OpenSSL cannot make ") + what);
}

inline asynchat::detail::pkey_ptr make_key(bool rsa)
{
    asynchat::detail::pkey_ptr key(rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"));
    require_made(key != nullptr, "a key");
    return key;
}

inline std::string text_in(BIO* memory)
{
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory, &text);
    return std::string(text, static_cast<std::size_t>(size));
}

inline std::string pem_of(const X509* certificate)
{
    const asynchat::detail::bio_ptr out(asynchat::detail::needed(BIO_new(BIO_s_mem())));
    require_made(PEM_write_bio_X509(out.get(), certificate) == 1, "PEM text");
    return text_in(out.get());
}

inline std::string pem_of(EVP_PKEY* key, const std::string& password)
{
    const asynchat::detail::bio_ptr out(asynchat::detail::needed(BIO_new(BIO_s_mem())));
    const auto size = static_cast<int>(password.size());
    const EVP_CIPHER* const cipher = size > 0 ? EVP_aes_256_cbc() : nullptr;
    require_made(PEM_write_bio_PKCS8PrivateKey(out.get(), key, cipher, password.data(), size,
                                               nullptr, nullptr) == 1,
                 "PEM text");
    return text_in(out.get());
}

/// The list of hosts as an extension writes it.
inline std::string list_of(const std::vector<std::string>& hosts)
{
    std::string list;
    for (const std::string& host : hosts) {
        std::error_code is_name;
        asio::ip::make_address(host, is_name);
        list += (list.empty() ? "" : ",") + std::string(is_name ? "DNS:" : "IP:") + host;
    }
    return list;
}

inline void add_extension(X509* to, X509* issuer, int nid, const std::string& value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    const asynchat::detail::openssl_ptr<X509_EXTENSION, X509_EXTENSION_free> extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    require_made(extension && X509_add_ext(to, extension.get(), -1) == 1, "an extension");
}

inline void set_number(ASN1_INTEGER* number)
{
    std::uint64_t random = 0;
    require_made(RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof random) == 1,
                 "a number");
    require_made(ASN1_INTEGER_set_uint64(number, random >> 1U | 1U) == 1, "a number");
}

/// A certificate for `key` without extensions and signature.
inline asynchat::detail::x509_ptr begin_certificate(const std::string& name, EVP_PKEY* key,
                                                    std::chrono::hours from,
                                                    std::chrono::hours until)
{
    using std::chrono::seconds;
    asynchat::detail::x509_ptr made(asynchat::detail::needed(X509_new()));
    X509_set_version(made.get(), X509_VERSION_3);
    set_number(X509_get_serialNumber(made.get()));
    X509_gmtime_adj(X509_getm_notBefore(made.get()), static_cast<long>(seconds(from).count()));
    X509_gmtime_adj(X509_getm_notAfter(made.get()), static_cast<long>(seconds(until).count()));
    const auto* const text = reinterpret_cast<const unsigned char*>(name.c_str());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8, text, -1, -1,
                               0);
    require_made(X509_set_pubkey(made.get(), key) == 1, "a certificate");
    return made;
}

ASYNCHAT_DECL authority::authority(const std::string& name) : inside_(std::make_unique<inside>())
{
    inside_->key = make_key(false);
    auto made = begin_certificate(name, inside_->key.get(), std::chrono::hours(-1),
                                  std::chrono::hours(24 * 365));
    X509* const self = made.get();
    X509_set_issuer_name(self, X509_get_subject_name(self));
    add_extension(self, self, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(self, self, NID_subject_key_identifier, "hash");
    require_made(X509_sign(self, inside_->key.get(), EVP_sha256()) > 0, "a signature");
    inside_->certificate = std::move(made);
}

ASYNCHAT_DECL authority::~authority() = default;

ASYNCHAT_DECL std::string authority::certificate() const
{
    return pem_of(inside_->certificate.get());
}

ASYNCHAT_DECL issued authority::issue(const std::string& name) const
{
    certificate_request what;
    what.hosts = {name};
    return issue(name, what);
}

ASYNCHAT_DECL issued authority::issue(const std::string& name,
                                      const certificate_request& what) const
{
    const auto key = make_key(what.rsa);
    const auto made = begin_certificate(name, key.get(), what.valid_from, what.valid_until);
    X509* const issuer = inside_->certificate.get();
    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer));
    add_extension(made.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(made.get(), issuer, NID_key_usage, "critical,digitalSignature");
    add_extension(made.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth");
    add_extension(made.get(), issuer, NID_subject_key_identifier, "hash");
    add_extension(made.get(), issuer, NID_authority_key_identifier, "keyid:always");
    if (!what.hosts.empty())
        add_extension(made.get(), issuer, NID_subject_alt_name, list_of(what.hosts));
    require_made(X509_sign(made.get(), inside_->key.get(), EVP_sha256()) > 0, "a signature");
    return {pem_of(made.get()), pem_of(key.get(), what.password)};
}

ASYNCHAT_DECL std::string authority::revoke(const std::vector<std::string>& revoked) const
{
    using namespace asynchat::detail;
    const x509_crl_ptr list(needed(X509_CRL_new()));
    X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(inside_->certificate.get()));
    const openssl_ptr<ASN1_TIME, ASN1_TIME_free> time(needed(X509_gmtime_adj(nullptr, -60)));
    X509_CRL_set1_lastUpdate(list.get(), time.get());
    const openssl_ptr<ASN1_TIME, ASN1_TIME_free> next(needed(X509_gmtime_adj(nullptr, 86400)));
    X509_CRL_set1_nextUpdate(list.get(), next.get());
    for (const std::string& pem : revoked) {
        const bio_ptr reader(needed(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))));
        const x509_ptr certificate(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
        require_made(certificate != nullptr, "sense of a certificate");
        openssl_ptr<X509_REVOKED, X509_REVOKED_free> entry(needed(X509_REVOKED_new()));
        X509_REVOKED_set_serialNumber(entry.get(), X509_get_serialNumber(certificate.get()));
        X509_REVOKED_set_revocationDate(entry.get(), time.get());
        require_made(X509_CRL_add0_revoked(list.get(), entry.release()) == 1, "a list");
    }
    X509V3_CTX context;
    X509V3_set_ctx(&context, inside_->certificate.get(), nullptr, nullptr, list.get(), 0);
    const openssl_ptr<X509_EXTENSION, X509_EXTENSION_free> issuer(
        X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
    require_made(issuer && X509_CRL_add_ext(list.get(), issuer.get(), -1) == 1, "an extension");
    const openssl_ptr<ASN1_INTEGER, ASN1_INTEGER_free> number(needed(ASN1_INTEGER_new()));
    set_number(number.get());
    X509_CRL_add1_ext_i2d(list.get(), NID_crl_number, number.get(), 0, 0);
    require_made(X509_CRL_sign(list.get(), inside_->key.get(), EVP_sha256()) > 0, "a signature");
    const bio_ptr out(needed(BIO_new(BIO_s_mem())));
    require_made(PEM_write_bio_X509_CRL(out.get(), list.get()) == 1, "PEM text");
    return text_in(out.get());
}

} // namespace testing
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
