// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_BUILD_IPP
#define ASYNCHAT_IMPL_TLS_BUILD_IPP

#include <asynchat/detail/tls/tls_state.hpp>

#include <asynchat/detail/tls/tls_layer.hpp>
#include <asynchat/impl/tls/pem.ipp> // give_identity

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

// From settings to the contexts of OpenSSL.

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

[[noreturn]] inline void refuse_settings(const char* what)
{
    throw std::invalid_argument(std::string("asynchat: tls: ") + what + ": " +
                                take_openssl_error());
}

inline void require_ok(long result, const char* what)
{
    if (result != 1)
        refuse_settings(what);
}

// --- tickets -----------------------------------------------------------------------------------

/// Encrypts or decrypts a ticket.
inline int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                      EVP_MAC_CTX* mac, int encrypts) noexcept
{
    try {
        auto& keys = *tls_layer::of(ssl).built().tickets;
        const auto now = std::chrono::steady_clock::now();
        auto found = encrypts ? std::optional(keys.current(now)) : keys.find(name, now);
        if (!found)
            return 0; // a full handshake
        char digest[] = "sha256";
        tls_ticket_keys::key key = *found;
        OSSL_PARAM parameters[] = {
            OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac_secret.data(),
                                              key.mac_secret.size()),
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
            OSSL_PARAM_construct_end()};
        if (encrypts) {
            std::copy(key.name.begin(), key.name.end(), name);
            if (RAND_bytes(iv, 16) != 1)
                return -1;
        }
        const bool is_ready = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr,
                                                key.secret.data(), iv, encrypts) == 1 &&
                              EVP_MAC_CTX_set_params(mac, parameters) == 1;
        OPENSSL_cleanse(key.mac_secret.data(), key.mac_secret.size());
        OPENSSL_cleanse(key.secret.data(), key.secret.size());
        const int result = !is_ready ? -1 : encrypts || keys.is_current(*found) ? 1 : 2;
        OPENSSL_cleanse(&*found, sizeof *found);
        return result;
    } catch (...) {
        return -1;
    }
}

/// What a session belongs to: the name that the client asked for, and whom the context trusts.
inline std::string ticket_mark(SSL* ssl)
{
    const auto& layer = tls_layer::of(ssl);
    return layer.built().trust_digest + std::string(layer.server_name());
}

inline int ticket_made(SSL* ssl, void*) noexcept
{
    try {
        const std::string mark = ticket_mark(ssl);
        return SSL_SESSION_set1_ticket_appdata(SSL_get0_session(ssl), mark.data(), mark.size());
    } catch (...) {
        return 0;
    }
}

/// A ticket for another name, or from before a change of trust, is ignored: OpenSSL itself would
/// resume such a session without another look at the certificate of the client.
inline SSL_TICKET_RETURN ticket_shown(SSL* ssl, SSL_SESSION* session, const unsigned char*,
                                      std::size_t, SSL_TICKET_STATUS status, void*) noexcept
{
    const bool is_new = status == SSL_TICKET_SUCCESS_RENEW;
    if (status != SSL_TICKET_SUCCESS && !is_new)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    void* data = nullptr;
    std::size_t size = 0;
    try {
        if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 ||
            ticket_mark(ssl) != std::string_view(static_cast<const char*>(data), size))
            return SSL_TICKET_RETURN_IGNORE_RENEW;
    } catch (...) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    return is_new ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

// --- names and protocols -------------------------------------------------------------------------

/// Called before OpenSSL looks at tickets: chooses the certificate.
inline int client_hello(SSL* ssl, int* alert, void*) noexcept
{
    try {
        return tls_layer::of(ssl).choose_certificate(*alert) ? SSL_CLIENT_HELLO_SUCCESS
                                                             : SSL_CLIENT_HELLO_ERROR;
    } catch (...) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
}

/// The first protocol of our list that the client offers.
inline int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* size,
                           const unsigned char* offered, unsigned offered_size, void*) noexcept
{
    const std::string& ours = tls_layer::of(ssl).built().settings.alpn;
    for (std::size_t at = 0; at < ours.size(); at += 1U + static_cast<unsigned char>(ours[at])) {
        const std::string_view name(&ours[at], 1U + static_cast<unsigned char>(ours[at]));
        for (unsigned i = 0; i < offered_size; i += 1U + offered[i]) {
            const std::string_view theirs(reinterpret_cast<const char*>(offered + i),
                                          std::min(1U + offered[i], offered_size - i));
            if (theirs != name)
                continue;
            *out = offered + i + 1;
            *size = offered[i];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

inline void log_key(const SSL* ssl, const char* line) noexcept
{
    if (const auto& log = tls_layer::of(ssl).built().settings.key_log)
        log->write(line);
}

// --- the contexts --------------------------------------------------------------------------------

inline void set_protocol(SSL_CTX* ctx, const tls_settings& settings)
{
    const auto number = [](tls::version v) {
        return v == tls::version::tls1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    };
    require_ok(SSL_CTX_set_min_proto_version(ctx, number(settings.oldest)), "minimum_version");
    require_ok(SSL_CTX_set_max_proto_version(ctx, number(settings.newest)), "maximum_version");
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); // the layer counts records without data
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    require_ok(SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL"),
               "ciphers");
#if OPENSSL_VERSION_NUMBER >= 0x30500000L
    const char* const groups = "X25519MLKEM768:X25519:P-256:P-384:P-521";
#else
    const char* const groups = "X25519:P-256:P-384:P-521"; // no finite fields, which cost much
#endif
    require_ok(SSL_CTX_set1_groups_list(ctx, groups), "groups");
}

inline void set_identity(SSL_CTX* ctx, const tls_identity& identity)
{
    if (!give_identity(ctx, identity))
        refuse_settings("certificate");
}

inline void set_trust(SSL_CTX* ctx, const tls_settings& settings)
{
    X509_STORE* const store = SSL_CTX_get_cert_store(ctx);
    if (settings.uses_default_certs)
        require_ok(SSL_CTX_set_default_verify_paths(ctx), "load_default_certs");
    unsigned long flags = X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN;
    for (const auto& trust : settings.trust) {
        for (const auto& authority : trust->authorities) {
            require_ok(X509_STORE_add_cert(store, authority.get()), "load_verify_locations");
            if (settings.is_server && settings.verify != tls::verify::none)
                require_ok(SSL_CTX_add_client_CA(ctx, authority.get()), "load_verify_locations");
        }
        for (const auto& list : trust->lists) {
            require_ok(X509_STORE_add_crl(store, list.get()), "load_crls");
            flags |= X509_V_FLAG_CRL_CHECK;
        }
    }
    X509_VERIFY_PARAM* const param = SSL_CTX_get0_param(ctx);
    require_ok(X509_VERIFY_PARAM_set_flags(param, flags), "verification");
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const int mode = settings.verify == tls::verify::none ? SSL_VERIFY_NONE
                     : settings.verify == tls::verify::required
                         ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                         : SSL_VERIFY_PEER;
    SSL_CTX_set_verify(ctx, mode, tls_layer::verified);
}

inline ssl_ctx_ptr make_ctx(const tls_settings& settings)
{
    ssl_ctx_ptr ctx(
        needed(SSL_CTX_new(settings.is_server ? TLS_server_method() : TLS_client_method())));
    set_protocol(ctx.get(), settings);
    set_trust(ctx.get(), settings);
    if (settings.key_log)
        SSL_CTX_set_keylog_callback(ctx.get(), log_key);
    if (!settings.is_server) {
        const auto* const wire = reinterpret_cast<const unsigned char*>(settings.alpn.data());
        const auto size = static_cast<unsigned>(settings.alpn.size());
        if (size > 0 && SSL_CTX_set_alpn_protos(ctx.get(), wire, size) != 0)
            refuse_settings("set_alpn_protocols");
        return ctx;
    }
    static constexpr unsigned char id[] = "asynchat";
    require_ok(SSL_CTX_set_session_id_context(ctx.get(), id, sizeof id - 1), "sessions");
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx.get(), ticket_key);
    SSL_CTX_set_session_ticket_cb(ctx.get(), ticket_made, ticket_shown, nullptr);
    SSL_CTX_set_client_hello_cb(ctx.get(), client_hello, nullptr);
    if (!settings.alpn.empty())
        SSL_CTX_set_alpn_select_cb(ctx.get(), choose_protocol, nullptr);
    return ctx;
}

/// A digest of everything that decides whether a peer is trusted, and of who a client is.
inline std::string trust_digest_of(const tls_settings& settings)
{
    const openssl_ptr<EVP_MD_CTX, EVP_MD_CTX_free> digest(needed(EVP_MD_CTX_new()));
    const auto add = [&](const void* data, std::size_t size) {
        require_ok(EVP_DigestUpdate(digest.get(), data, size), "digest");
    };
    unsigned char result[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    require_ok(EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr), "digest");
    const unsigned char flags[] = {static_cast<unsigned char>(settings.verify),
                                   settings.uses_default_certs, settings.checks_hostname};
    add(flags, sizeof flags);
    if (!settings.is_server) { // a session of a client also carries its own certificate
        for (const auto& own : settings.identities) {
            require_ok(X509_digest(own->certificate.get(), EVP_sha256(), result, &size), "digest");
            add(result, size);
        }
    }
    for (const auto& trust : settings.trust) {
        for (const auto& authority : trust->authorities) {
            require_ok(X509_digest(authority.get(), EVP_sha256(), result, &size), "digest");
            add(result, size);
        }
        for (const auto& list : trust->lists) {
            require_ok(X509_CRL_digest(list.get(), EVP_sha256(), result, &size), "digest");
            add(result, size);
        }
    }
    require_ok(EVP_DigestFinal_ex(digest.get(), result, &size), "digest");
    return std::string(reinterpret_cast<const char*>(result), size);
}

ASYNCHAT_DECL void build(tls_built& built)
{
    ERR_clear_error();
    const tls_settings& settings = built.settings;
    built.trust_digest = trust_digest_of(settings);
    built.main = make_ctx(settings);
    for (const auto& identity : settings.identities)
        set_identity(built.main.get(), *identity);
    for (const auto& named : settings.names) {
        const auto same = [&](const auto& entry) { return entry.first == named.first; };
        auto place = std::find_if(built.names.begin(), built.names.end(), same);
        if (place == built.names.end())
            place = built.names.insert(place, {named.first, make_ctx(settings)});
        set_identity(place->second.get(), *named.second);
    }
    ERR_clear_error();
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
