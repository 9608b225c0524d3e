// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_TLS_TLS_STATE_HPP
#define ASYNCHAT_DETAIL_TLS_TLS_STATE_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/tls/openssl.hpp>
#include <asynchat/detail/tls/ticket_keys.hpp>
#include <asynchat/tls.hpp>

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

/// A certificate with its chain and key, read and checked, and where it came from.
struct tls_identity {
    tls::pem_source certificate_source;
    tls::pem_source key_source;
    tls::password_callback password;
    x509_ptr certificate;
    std::vector<x509_ptr> chain;
    pkey_ptr key;

    /// Throws as context::load_cert_chain().
    ASYNCHAT_DECL static std::shared_ptr<const tls_identity>
    read(const tls::pem_source& certificate, const tls::pem_source& key,
         tls::password_callback password);
};

/// Certificates or revocation lists that decide whom to trust.
struct tls_trust {
    tls::pem_source source;
    bool is_crls;
    std::vector<x509_ptr> authorities;
    std::vector<x509_crl_ptr> lists;

    ASYNCHAT_DECL static std::shared_ptr<const tls_trust> read(const tls::pem_source& source,
                                                               bool is_crls);
};

/// A file that gets the keys of connections.
class tls_key_log {
public:
    ASYNCHAT_DECL explicit tls_key_log(const std::string& name);
    ASYNCHAT_DECL void write(const char* line) noexcept;
    const std::string& name() const noexcept { return name_; }

private:
    std::string name_;
    std::mutex mutex_;
    openssl_ptr<std::FILE, std::fclose> file_;
};

/// What a context has been told; copying is cheap.
struct tls_settings {
    bool is_server = false;
    bool uses_default_certs = false;
    bool asked_for_default_certs = false; // else load_verify_locations() replaces them
    bool checks_hostname = false;
    bool refuses_unknown_names = false;
    bool takes_ragged_end = false;
    tls::verify verify = tls::verify::none;
    tls::version oldest = tls::version::tls1_2;
    tls::version newest = tls::version::tls1_3;
    std::vector<std::shared_ptr<const tls_identity>> identities;
    std::vector<std::pair<std::string, std::shared_ptr<const tls_identity>>> names;
    std::vector<std::shared_ptr<const tls_trust>> trust;
    std::string alpn; // each name behind its length
    std::shared_ptr<tls_key_log> key_log;
};

/// The contexts of OpenSSL that were made of settings. Connections share it, and it does not
/// change.
struct tls_built {
    tls_settings settings;
    std::string trust_digest; // changes when sessions must not be resumed
    ssl_ctx_ptr main;
    std::vector<std::pair<std::string, ssl_ctx_ptr>> names;
    std::shared_ptr<tls_ticket_keys> tickets;
    std::weak_ptr<tls_state> context;

    /// For a name that a client asks for: the exact name, then "*." and one label less, else null.
    ASYNCHAT_DECL SSL_CTX* find(std::string_view name) const;
};

/// What the copies of a tls::context share.
class tls_state : public std::enable_shared_from_this<tls_state> {
public:
    explicit tls_state(tls_settings settings) : settings_(std::move(settings)) {}

    /// Changes the settings by f(settings&), unless that throws.
    template <class F>
    void change(F f)
    {
        const std::lock_guard lock(mutex_);
        tls_settings next = settings_;
        f(next);
        settings_ = std::move(next);
        built_.reset();
        ++changes_;
    }
    tls_settings settings() const
    {
        const std::lock_guard lock(mutex_);
        return settings_;
    }

    /// For a new connection.
    ASYNCHAT_DECL std::shared_ptr<const tls_built> built();
    ASYNCHAT_DECL void reload();

private:
    bool try_to_reload();

    mutable std::mutex mutex_;
    tls_settings settings_;
    unsigned changes_ = 0;
    unsigned reloads_ = 0;
    std::shared_ptr<const tls_built> built_; // null after a change
    std::shared_ptr<tls_ticket_keys> tickets_ = std::make_shared<tls_ticket_keys>();
};

/// A session of a client, and the name, context and trust with which it was made.
struct tls_session {
    ssl_session_ptr value;
    std::string name;
    std::string trust_digest;
    std::shared_ptr<const tls_ticket_keys> context; // each context has its own
};

/// Makes the contexts of OpenSSL. Throws std::invalid_argument when OpenSSL refuses the settings.
ASYNCHAT_DECL void build(tls_built& built);

/// The last error of OpenSSL in words, without its numbers; removes all errors of this thread.
ASYNCHAT_DECL std::string take_openssl_error();

/// The whole text of a source. Throws std::system_error for a file that cannot be read.
ASYNCHAT_DECL std::string pem_text(const tls::pem_source& source);

/// A name in one line: "CN=x,O=y".
ASYNCHAT_DECL std::string name_text(const X509_NAME* name);

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
