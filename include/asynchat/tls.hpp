// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TLS_HPP
#define ASYNCHAT_TLS_HPP

/// @file TLS for any channel and any server; not part of asynchat.hpp. Needs OpenSSL 3 and the
/// CMake target asynchat::tls.
///
///     auto context = asynchat::tls::context::for_server();
///     context.load_cert_chain("cert.pem", "key.pem");
///     use_tls(*loop.create<asynchat::server<echo>>(where).lock(), context);
///
/// A handshake that fails closes the channel with close_reason::tls_error, and close_text() says
/// why. A client's handle_error() gets the same text: "connect to shop.example:443: certificate of
/// 'CN=shop.example' has expired".

#include <asynchat/config.hpp>
#include <asynchat/detail/tls/certificate.hpp>
#include <asynchat/fwd.hpp>
#include <asynchat/transport.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {
class tls_layer;
class tls_state;
struct tls_session;
} // namespace detail

namespace tls {

/// PEM text in memory, where a function also takes the name of a file.
struct pem {
    /// One or more blocks of PEM.
    std::string text;
};

/// PEM text: the name of a file, or the text itself. reload() reads a file again.
class pem_source {
public:
    /// Nothing, the name of a file, or the text itself.
    pem_source() = default;
    pem_source(std::string file) : value_(std::move(file)), is_file_(true) {}
    pem_source(const char* file) : pem_source(std::string(file)) {}
    pem_source(pem text) : value_(std::move(text.text)) {}

    /// The name of the file, or the text.
    [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
    [[nodiscard]] bool is_file() const noexcept { return is_file_; }
    [[nodiscard]] const std::string& value() const noexcept { return value_; }

private:
    std::string value_;
    bool is_file_ = false;
};

/// Gives the passphrase of an encrypted private key. Called while the key is read, again by
/// reload(), in the thread of that call. An exception passes to the caller.
using password_callback = std::function<std::string()>;

/// A version of the protocol; older ones are not supported. Python: ssl.TLSVersion
enum class version : unsigned char { tls1_2, tls1_3 };

/// Whether the peer must show a certificate. Python: ssl.CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED
enum class verify : unsigned char {
    none,     ///< its certificate is not checked; a server does not ask for one
    optional, ///< it may show none; one that it shows must be valid
    required  ///< it must show a valid one
};

/// The settings of TLS for any number of connections: certificates, trust, versions.
///
/// A handle: copies share their settings. A change holds for connections that begin later. The
/// defaults are safe: TLS 1.2 or later, key exchange with forward secrecy, AEAD ciphers, no
/// renegotiation, no compression, no early data. Clients check the chain and the name of the
/// server.
///
/// Thread safety: all functions may be called in any thread, and one context may serve loops in
/// several threads.
/// Python: ssl.SSLContext
class ASYNCHAT_API context {
public:
    /// For servers: shows a certificate, which load_cert_chain() must set, and asks for none.
    /// Python: ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ASYNCHAT_DECL static context for_server();

    /// For clients: the certificate and the name of the server are checked, with the authorities of
    /// the system unless load_verify_locations() sets others.
    /// Python: ssl.create_default_context()
    ASYNCHAT_DECL static context for_client();

    // Functions that read certificates and keys throw std::system_error when a file cannot be read,
    // std::invalid_argument when its text is wrong or the key does not belong to the certificate;
    // then nothing has changed.

    /// Sets the certificate of this side, followed by the certificates of its authorities, and its
    /// private key; without `key` the key is in `certificate` too. A second call with a key of
    /// another kind (ECDSA, RSA) adds it: the peer's abilities decide which one is used. One with a
    /// key of the same kind replaces it.
    /// Python: SSLContext.load_cert_chain
    ASYNCHAT_DECL void load_cert_chain(const pem_source& certificate, const pem_source& key = {},
                                       password_callback password = {});

    /// For servers: the certificate for clients that ask for the host `name`: exactly, or with one
    /// label more for "*.example". Other clients get the certificate of load_cert_chain(). A
    /// second call for a name adds or replaces, as there.
    /// Throws std::invalid_argument for an empty name. Python: SSLContext.sni_callback
    ASYNCHAT_DECL void add_name(std::string name, const pem_source& certificate,
                                const pem_source& key = {}, password_callback password = {});

    /// For servers: refuses clients that ask for a name that no add_name() has set; off by default.
    ASYNCHAT_DECL void refuse_unknown_names(bool on = true);

    /// Trusts these certificates, usually of authorities. Python: SSLContext.load_verify_locations
    ASYNCHAT_DECL void load_verify_locations(const pem_source& authorities);

    /// Trusts the authorities of the system too. Python: SSLContext.load_default_certs
    ASYNCHAT_DECL void load_default_certs();

    /// Refuses peers whose certificate one of these lists revokes. Each authority of a peer needs
    /// its list. Python: load_verify_locations() with VERIFY_CRL_CHECK_LEAF
    ASYNCHAT_DECL void load_crls(const pem_source& lists);

    /// Whether the peer must show a certificate: by default `required` for clients, `none` for
    /// servers. Throws std::invalid_argument for `none` while check_hostname() is on.
    /// Python: SSLContext.verify_mode
    ASYNCHAT_DECL void verify_mode(verify mode);
    [[nodiscard]] ASYNCHAT_DECL verify verify_mode() const;

    /// For clients: whether the certificate must be for the host of connect() or of start_tls(); on
    /// by default. Without a host, as over a UNIX socket, the connection then fails.
    /// Python: SSLContext.check_hostname
    ASYNCHAT_DECL void check_hostname(bool on);
    [[nodiscard]] ASYNCHAT_DECL bool check_hostname() const;

    /// The versions to use; TLS 1.2 and 1.3 by default.
    /// Python: SSLContext.minimum_version, maximum_version
    ASYNCHAT_DECL void minimum_version(version oldest);
    ASYNCHAT_DECL void maximum_version(version newest);
    [[nodiscard]] ASYNCHAT_DECL version minimum_version() const;
    [[nodiscard]] ASYNCHAT_DECL version maximum_version() const;

    /// The protocols above TLS, best first. A server takes the first one of its list that the
    /// client offers, and refuses a client that offers only others. Throws std::invalid_argument
    /// for a name that is empty or longer than 255 bytes. Python: SSLContext.set_alpn_protocols
    ASYNCHAT_DECL void set_alpn_protocols(std::vector<std::string> protocols);

    /// Treats the end of the stream without the peer's close_notify as an orderly end: for peers
    /// that are known to omit it. An attacker can then cut the stream off; off by default.
    /// Python: suppress_ragged_eofs of SSLContext.wrap_socket, on by default
    ASYNCHAT_DECL void suppress_ragged_eofs(bool on = true);

    /// Appends the keys of all connections to a file, for programs that decrypt recorded traffic.
    /// Never done unless you call it. Holds for all later handshakes, also of servers that have the
    /// context already; each channel and server that uses it logs it. An empty name ends it. Throws
    /// std::system_error if the file cannot be opened. Python: SSLContext.keylog_filename
    ASYNCHAT_DECL void keylog_filename(const std::string& file);

    /// Reads all files again and uses them for connections that begin later. Sessions can still be
    /// resumed, unless what is trusted has changed. May be called in any thread. If it throws, the
    /// earlier certificates stay in use.
    ASYNCHAT_DECL void reload();

private:
    friend std::unique_ptr<transport_layer> make_layer(const context&, struct start_options);
    friend void start_tls(dispatcher&, const context&, struct start_options);
    friend void use_tls(server_base&, const context&);

    ASYNCHAT_DECL explicit context(bool is_server);

    std::shared_ptr<detail::tls_state> state_;
};

/// What a client needs to continue an earlier connection with a short handshake; see
/// connection::session(). Copies share it. Python: ssl.SSLSession
class session {
public:
    /// Of no connection; false then.
    session() = default;
    explicit operator bool() const noexcept { return value_ != nullptr; }

private:
    friend class connection;
    friend class detail::tls_layer;

    explicit session(std::shared_ptr<const detail::tls_session> value) : value_(std::move(value)) {}

    std::shared_ptr<const detail::tls_session> value_;
};

/// How start_tls() begins. A host name converts to it: start_tls(*this, context, "mail.example").
struct start_options {
    /// With all defaults, or with the name of the server.
    start_options() = default;
    start_options(std::string name) : server_hostname(std::move(name)) {}
    start_options(const char* name) : server_hostname(name) {}

    /// The name of the server, for its choice of a certificate (SNI) and for the check. Empty: the
    /// host given to connect(), or its address.
    std::string server_hostname;

    /// A session of an earlier connection with this context to the same name; otherwise it is
    /// ignored.
    tls::session session;

    /// What happens to input that was received before; see add_layer().
    early_input early = early_input::close;
};

/// Protects a channel from now on: of either side, in its constructor, before connect(), or in any
/// callback, as for STARTTLS. The side is that of the context.
///
/// In the middle of a stream, output that was pushed before is sent in the clear; what is pushed
/// later is sent after the handshake. Until the handshake is complete the channel is not
/// connected(), no input is delivered, and a client's handle_connect() waits. Then
/// handle_handshake() is called.
/// A channel that is not connected yet gets one TLS layer however often this is called: call it
/// before each connect(). Only after a failed handshake the next connect() is protected without it,
/// with the same context and name. Throws as add_layer(); std::logic_error when a context for
/// servers has no certificate, or while the channel watches urgent data. Python: loop.start_tls of
/// asyncio
ASYNCHAT_API ASYNCHAT_DECL void start_tls(dispatcher& channel, const context& with,
                                          start_options options = {});

/// Protects each connection that this server accepts from now on.
/// Throws std::logic_error unless the context is for servers and has a certificate.
/// Python: the parameter ssl of asyncio.start_server
ASYNCHAT_API ASYNCHAT_DECL void use_tls(server_base& server, const context& with);

/// A layer for socket::add_layer() and for your own kinds of channels; see start_tls().
ASYNCHAT_API ASYNCHAT_DECL std::unique_ptr<transport_layer> make_layer(const context& with,
                                                                       start_options options = {});

/// What TLS has agreed on with the peer, for handle_handshake() and later.
///
///     const asynchat::tls::connection tls(*this);
///     log("{} {}", tls.version(), tls.cipher());
///
/// A view: valid while the channel has this connection. Empty for a channel without TLS or before
/// the handshake is complete; its functions then return empty values.
class ASYNCHAT_API connection {
public:
    /// Of this channel; false when it is empty.
    ASYNCHAT_DECL explicit connection(const dispatcher& channel);
    explicit operator bool() const noexcept { return layer_ != nullptr; }

    /// "TLSv1.3" or "TLSv1.2". Python: SSLSocket.version
    [[nodiscard]] ASYNCHAT_DECL std::string_view version() const;

    /// For example "TLS_AES_256_GCM_SHA384". Python: SSLSocket.cipher
    [[nodiscard]] ASYNCHAT_DECL std::string_view cipher() const;

    /// Empty when none was agreed on. Python: SSLSocket.selected_alpn_protocol
    [[nodiscard]] ASYNCHAT_DECL std::string_view selected_alpn_protocol() const;

    /// The certificate of the peer; empty when it showed none. Python: SSLSocket.getpeercert
    [[nodiscard]] ASYNCHAT_DECL certificate getpeercert() const;

    /// What is wrong with the certificate of the peer, if it is used nevertheless
    /// (verify::none); empty when it is valid or there is none.
    [[nodiscard]] ASYNCHAT_DECL std::string verify_error() const;

    /// The name that this side asked for, or that the client asked for; empty without one.
    /// Python: SSLSocket.server_hostname
    [[nodiscard]] ASYNCHAT_DECL std::string_view server_hostname() const;

    /// For clients: what a later connection can resume. With TLS 1.3 it is there only after the
    /// first input. Python: SSLSocket.session
    [[nodiscard]] ASYNCHAT_DECL tls::session session() const;

    /// Whether this connection has resumed an earlier one. Python: SSLSocket.session_reused
    [[nodiscard]] ASYNCHAT_DECL bool session_reused() const;

private:
    const detail::tls_layer* layer_;
};

/// The category of errors of OpenSSL; their values are those of ERR_get_error().
ASYNCHAT_API ASYNCHAT_DECL const std::error_category& tls_category() noexcept;

} // namespace tls

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/tls/tls.ipp>
#endif
#endif
