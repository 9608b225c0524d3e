// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_HANDSHAKE_IPP
#define ASYNCHAT_IMPL_TLS_HANDSHAKE_IPP

#include <asynchat/detail/tls/tls_layer.hpp>

#include <asynchat/impl/tls/tls_layer.ipp> // call_scope

#include <asynchat/detail/scope_exit.hpp>

#include <asio/error.hpp>
#include <asio/ip/address.hpp>

#include <string>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL tls_layer::tls_layer(std::shared_ptr<const tls_built> built,
                                   tls::start_options options)
    : built_(std::move(built)), options_(std::move(options)),
      ssl_(needed(SSL_new(built_->main.get())))
{
    BIO* const end = needed(BIO_new(bio::method()));
    BIO_set_data(end, this);
    BIO_set_init(end, 1);
    SSL_set_bio(ssl_.get(), end, end); // it owns both references
    needed(SSL_set_app_data(ssl_.get(), this));
    if (built_->settings.is_server)
        SSL_set_accept_state(ssl_.get());
    else
        SSL_set_connect_state(ssl_.get());
}

ASYNCHAT_DECL tls_layer::~tls_layer()
{
    // Otherwise OpenSSL makes the session useless, as the connection has no orderly end.
    if (!failure_)
        SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

// --- the handshake -------------------------------------------------------------------------------

/// The host that was given to connect().
inline std::string host_of(const endpoint& peer)
{
    if (peer.empty() || peer.is_unix())
        return {};
    if (peer.is_ip())
        return peer.host();
    const std::string named = peer.to_string();
    return named.substr(0, named.rfind(':')); // services have no colon
}

ASYNCHAT_DECL void tls_layer::begin(const endpoint& peer)
{
    has_begun_ = true;
    if (built_->settings.is_server)
        return;
    std::string name = lower_name(options_.server_hostname);
    has_name_of_connect_ = name.empty();
    begin_client(has_name_of_connect_ ? lower_name(host_of(peer)) : std::move(name));
}

/// Tells OpenSSL whom to ask for and what to check.
ASYNCHAT_DECL void tls_layer::begin_client(std::string name)
{
    const bool checks = built_->settings.checks_hostname;
    std::error_code is_no_address;
    asio::ip::make_address(name, is_no_address);
    // OpenSSL takes ".example" for every host below it, and a zero byte for the end.
    bool is_set = name.empty() || (name.front() != '.' && name.find('\0') == name.npos);
    if (name.empty() && checks) {
        fail(close_reason::tls_error, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_VALUE),
             "no host name is known to check the certificate: connect to a name, give one to "
             "start_tls(), or turn check_hostname() off");
        return;
    }
    if (is_set && checks && !is_no_address)
        is_set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str()) == 1;
    else if (is_set && checks)
        is_set = SSL_set1_host(ssl_.get(), name.c_str()) == 1;
    if (is_set && !name.empty() && is_no_address)
        is_set = SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                          name.data()) == 1;
    if (!is_set) {
        ERR_clear_error(); // the text below says more
        fail(close_reason::tls_error, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_VALUE),
             "'" + name + "' is no name of a host");
        return;
    }
    options_.server_hostname = std::move(name);
    const auto& earlier = options_.session.value_;
    if (earlier && earlier->name == options_.server_hostname &&
        earlier->context == built_->tickets && earlier->trust_digest == built_->trust_digest &&
        SSL_set_session(ssl_.get(), earlier->value.get()) != 1)
        ERR_clear_error(); // then the whole handshake is made
    options_.session = {};
}

ASYNCHAT_DECL tls_layer::step tls_layer::shake_hands()
{
    for (;;) {
        is_starved_ = false;
        ERR_clear_error();
        const int result = SSL_do_handshake(ssl_.get());
        if (result == 1)
            return step::done;
        const int why = SSL_get_error(ssl_.get(), result);
        if (why != SSL_ERROR_WANT_READ)
            return failed(why);
        if (is_starved_)
            return step::starved;
    }
}

/// Sends what a step of the handshake has written. The last flight of a server with TLS 1.3 is
/// only tickets, which the client does not wait for: they leave with the first output.
ASYNCHAT_DECL void tls_layer::send_flight(tls_scratch& scratch, step result)
{
    const bool is_tickets = result == step::done && built_->settings.is_server &&
                            SSL_version(ssl_.get()) >= TLS1_3_VERSION;
    if (!is_tickets || has_waiting())
        return send_or_keep(scratch);
    keep_waiting(scratch.sent);
    scratch.sent.clear();
    holds_tickets_ = has_waiting();
}

ASYNCHAT_DECL void tls_layer::establish(const endpoint& peer, std::error_code& error)
{
    error.clear();
    if (!lower().is_established())
        lower().establish(peer, error);
    if (!error && !has_begun_)
        begin(peer);
    if (!error && has_waiting())
        send_waiting(error);
    if (!error)
        error = failure_;
    if (error)
        return;
    const call_scope call(*this);
    const scope_exit keep([this] { keep_rest(); });
    step next = shake_hands();
    send_flight(call.scratch(), next); // before a receive: the peer waits for it
    if (next == step::starved && !has_waiting()) {
        if (receive(call.scratch(), tls_scratch::max_received, error)) {
            next = shake_hands();
            send_flight(call.scratch(), next);
        } else if (error == asio::error::eof) {
            input_has_ended("in the handshake");
        }
    }
    if (failure_)
        error = failure_;
    else if (next == step::done)
        is_open_ = true;
    else if (!error)
        error = asio::error::would_block;
}

/// Sets the certificate for the name that the client asks for. Returns false to refuse it.
ASYNCHAT_DECL bool tls_layer::choose_certificate(int& alert)
{
    // The extension: the size of a list, of which the first entry is a type, a size and the name.
    const unsigned char* data = nullptr;
    std::size_t size = 0;
    options_.server_hostname.clear();
    if (SSL_client_hello_get0_ext(ssl_.get(), TLSEXT_TYPE_server_name, &data, &size) == 1 &&
        size > 5 && data[2] == TLSEXT_NAMETYPE_host_name) {
        const std::size_t length = data[3] * 256U + data[4];
        if (length <= size - 5 && length <= TLSEXT_MAXLEN_host_name)
            options_.server_hostname =
                lower_name({reinterpret_cast<const char*>(data + 5), length});
    }
    if (options_.server_hostname.empty())
        return true;
    if (SSL_CTX* const named = built_->find(options_.server_hostname)) {
        SSL_set_SSL_CTX(ssl_.get(), named);
    } else if (built_->settings.refuses_unknown_names) {
        alert = SSL_AD_UNRECOGNIZED_NAME;
        fail(close_reason::tls_error, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_EXTENSION),
             "the client asks for the unknown name '" + options_.server_hostname + "'");
        return false;
    }
    return true;
}

ASYNCHAT_DECL tls::session tls_layer::session() const
{
    ssl_session_ptr now(SSL_get1_session(ssl_.get()));
    if (!now || built_->settings.is_server || SSL_SESSION_is_resumable(now.get()) != 1)
        return {};
    return tls::session(std::make_shared<const tls_session>(
        tls_session{std::move(now), server_name(), built_->trust_digest, built_->tickets}));
}

// --- failures ------------------------------------------------------------------------------------

/// The certificate of a peer that is not accepted, and why.
inline std::string fault_text(X509_STORE_CTX* chain, const std::string& host)
{
    const int code = X509_STORE_CTX_get_error(chain);
    const X509* const wrong = X509_STORE_CTX_get_current_cert(chain);
    const std::string what =
        wrong ? "certificate of '" + name_text(X509_get_subject_name(wrong)) + "'" : "certificate";
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return what + " has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return what + " is not valid yet";
    case X509_V_ERR_CERT_REVOKED: return what + " is revoked";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return what + " is not for '" + host + "'";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return what + " is self-signed and not trusted";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        if (wrong)
            return what + " is of an unknown authority, '" +
                   name_text(X509_get_issuer_name(wrong)) + "'";
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return what + " is that of an authority that is not trusted";
    default: break;
    }
    return what + ": " + X509_verify_cert_error_string(code);
}

ASYNCHAT_DECL int tls_layer::verified(int ok, X509_STORE_CTX* chain) noexcept
{
    if (ok == 1)
        return 1;
    const auto* const ssl = static_cast<const SSL*>(
        X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    try {
        tls_layer& layer = of(ssl);
        if (layer.certificate_fault_.empty())
            layer.certificate_fault_ = fault_text(chain, layer.server_name());
    } catch (...) { // then OpenSSL's own text has to do
    }
    return 0;
}

/// A failure of OpenSSL in words.
inline std::string failure_text(unsigned long code)
{
    constexpr int alerts = 1000; // SSL_R_..._ALERT_... are alerts behind this number
    const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    if (reason > alerts && reason < alerts + 256)
        return std::string("the peer refused: ") + SSL_alert_desc_string_long(reason - alerts);
    switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return "the peer spoke plain HTTP";
    case SSL_R_BAD_RECORD_TYPE: // OpenSSL 3.5 says this of what 3.0 calls the next one
    case SSL_R_WRONG_VERSION_NUMBER: return "the peer does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL: return "the peer offers no version of TLS that is allowed";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "the peer showed no certificate";
    case SSL_R_RECORD_TOO_SMALL: return "the peer sends empty records without end";
    case SSL_R_NO_APPLICATION_PROTOCOL: return "the peer offers no known application protocol";
    default: break;
    }
    const char* const text = ERR_reason_error_string(code);
    return text ? text : "error " + std::to_string(code) + " of OpenSSL";
}

/// Takes all errors of this thread. Returns the one that says what is wrong: the last one, but from
/// OpenSSL 3.2 on a general one may follow it.
inline unsigned long take_errors() noexcept
{
    unsigned long telling = 0;
    while (const unsigned long next = ERR_get_error()) {
#ifdef SSL_R_RECORD_LAYER_FAILURE
        if (telling != 0 && ERR_GET_REASON(next) == SSL_R_RECORD_LAYER_FAILURE)
            continue;
#endif
        telling = next;
    }
    return telling;
}

/// OpenSSL has failed with this result of SSL_get_error().
ASYNCHAT_DECL tls_layer::step tls_layer::failed(int why)
{
    const unsigned long code = take_errors();
    if (failure_) // a callback has said more
        return step::over;
    if (why == SSL_ERROR_ZERO_RETURN) {
        input_has_ended("in the handshake");
        return step::over;
    }
    if (why == SSL_ERROR_SYSCALL || code == 0)
        return fail_for_memory();
    const bool is_of_certificate =
        ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    return fail(close_reason::tls_error, code,
                is_of_certificate && !certificate_fault_.empty() ? certificate_fault_
                                                                 : failure_text(code));
}

ASYNCHAT_DECL tls_layer::step tls_layer::fail(close_reason reason, unsigned long code,
                                              std::string text)
{
    failure_ = std::error_code(static_cast<int>(code), tls::tls_category());
    failure_reason_ = reason;
    failure_text_ = std::move(text);
    return step::over;
}

ASYNCHAT_DECL tls_layer::step tls_layer::fail_for_memory() noexcept
{
    // Short: the string needs no memory.
    return fail(close_reason::system_error, ERR_PACK(ERR_LIB_SSL, 0, ERR_R_MALLOC_FAILURE),
                "no memory");
}

ASYNCHAT_DECL std::optional<error_explanation> tls_layer::explain(const std::error_code& error)
{
    if (failure_ && error == failure_)
        return error_explanation{failure_reason_, failure_text_};
    return transport_layer::explain(error);
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
