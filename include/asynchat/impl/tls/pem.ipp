// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_PEM_IPP
#define ASYNCHAT_IMPL_TLS_PEM_IPP

#include <asynchat/detail/tls/tls_state.hpp>

#include <asynchat/escape.hpp>

#include <openssl/pem.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>

// Certificates, keys and revocation lists: from PEM text to objects of OpenSSL.

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

ASYNCHAT_DECL std::string take_openssl_error()
{
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (code == 0)
        return "unknown error";
    if (ERR_SYSTEM_ERROR(code))
        return std::system_category().message(ERR_GET_REASON(code));
    const char* const reason = ERR_reason_error_string(code);
    return reason ? reason : "error " + std::to_string(code);
}

ASYNCHAT_DECL std::string pem_text(const tls::pem_source& source)
{
    if (!source.is_file())
        return source.value();
    const openssl_ptr<std::FILE, std::fclose> file(std::fopen(source.value().c_str(), "rbe"));
    const int number = errno;
    std::string text;
    char piece[4096];
    while (file) {
        const std::size_t size = std::fread(piece, 1, sizeof piece, file.get());
        text.append(piece, size);
        if (size < sizeof piece)
            break;
    }
    if (!file || std::ferror(file.get()) != 0)
        throw std::system_error(file ? EIO : number, std::system_category(),
                                "asynchat: tls: cannot read '" + quoted(source.value()) + "'");
    return text;
}

/// For the text of an exception.
inline std::string name_of(const tls::pem_source& source)
{
    return source.is_file() ? "'" + quoted(source.value()) + "'" : std::string("the PEM text");
}

[[noreturn]] inline void refuse(const tls::pem_source& source, const std::string& why)
{
    throw std::invalid_argument("asynchat: tls: " + name_of(source) + ": " + why);
}

inline bio_ptr reader_of(const std::string& text)
{
    if (text.size() > INT_MAX)
        throw std::length_error("asynchat: tls: the PEM text is too long");
    return bio_ptr(needed(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))));
}

/// Whether the last PEM_read has only found that there is no more.
inline bool is_at_end()
{
    const unsigned long code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/// Calls the password callback inside a function of C.
struct password_call {
    const tls::password_callback& callback;
    std::exception_ptr failure;

    static int get(char* into, int size, int, void* self) noexcept
    {
        auto& call = *static_cast<password_call*>(self);
        if (!call.callback)
            return -1; // or OpenSSL asks at the terminal
        try {
            const std::string password = call.callback();
            if (password.size() > static_cast<std::size_t>(size))
                return -1;
            std::memcpy(into, password.data(), password.size());
            return static_cast<int>(password.size());
        } catch (...) {
            call.failure = std::current_exception();
            return -1;
        }
    }
};

inline pkey_ptr read_key(const tls::pem_source& source, const tls::password_callback& password)
{
    const std::string text = pem_text(source);
    const auto reader = reader_of(text);
    password_call call{password, {}};
    pkey_ptr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, password_call::get, &call));
    if (call.failure)
        std::rethrow_exception(call.failure);
    if (!key)
        refuse(source, "no private key that can be read: " + take_openssl_error());
    return key;
}

/// Gives a certificate and its key to a context of OpenSSL. Returns false if that refuses them, for
/// example because the key is too short.
inline bool give_identity(SSL_CTX* ctx, const tls_identity& identity)
{
    if (SSL_CTX_use_certificate(ctx, identity.certificate.get()) != 1 ||
        SSL_CTX_use_PrivateKey(ctx, identity.key.get()) != 1)
        return false;
    SSL_CTX_clear_chain_certs(ctx);
    return std::all_of(identity.chain.begin(), identity.chain.end(), [ctx](const auto& above) {
        return SSL_CTX_add1_chain_cert(ctx, above.get()) == 1;
    });
}

ASYNCHAT_DECL std::shared_ptr<const tls_identity>
tls_identity::read(const tls::pem_source& certificate, const tls::pem_source& key,
                   tls::password_callback password)
{
    ERR_clear_error();
    auto made = std::make_shared<tls_identity>();
    made->certificate_source = certificate;
    made->key_source = key;
    made->password = std::move(password);
    const std::string text = pem_text(certificate);
    const auto reader = reader_of(text);
    made->certificate.reset(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
    if (!made->certificate)
        refuse(certificate, "no certificate that can be read: " + take_openssl_error());
    while (X509* const next = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr))
        made->chain.emplace_back(next);
    if (!is_at_end())
        refuse(certificate, "the chain cannot be read: " + take_openssl_error());
    made->key = read_key(key.empty() ? certificate : key, made->password);
    if (X509_check_private_key(made->certificate.get(), made->key.get()) != 1)
        refuse(key.empty() ? certificate : key,
               "the key does not belong to the certificate of " + name_of(certificate));
    // Now, and not at the next connection.
    const ssl_ctx_ptr trial(SSL_CTX_new(TLS_method()));
    if (!trial || !give_identity(trial.get(), *made))
        refuse(certificate, "OpenSSL refuses it: " + take_openssl_error());
    ERR_clear_error();
    return made;
}

ASYNCHAT_DECL std::shared_ptr<const tls_trust> tls_trust::read(const tls::pem_source& source,
                                                               bool is_crls)
{
    ERR_clear_error();
    auto made = std::make_shared<tls_trust>();
    made->source = source;
    made->is_crls = is_crls;
    const std::string text = pem_text(source);
    const auto reader = reader_of(text);
    if (is_crls) {
        while (auto* const next = PEM_read_bio_X509_CRL(reader.get(), nullptr, nullptr, nullptr))
            made->lists.emplace_back(next);
    } else {
        while (auto* const next = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr))
            made->authorities.emplace_back(next);
    }
    if (!is_at_end() || (made->lists.empty() && made->authorities.empty()))
        refuse(source, std::string(is_crls ? "no revocation list" : "no certificate") +
                           " that can be read: " + take_openssl_error());
    ERR_clear_error();
    return made;
}

ASYNCHAT_DECL std::string name_text(const X509_NAME* name)
{
    const bio_ptr out(needed(BIO_new(BIO_s_mem())));
    X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

// --- the file of keys --------------------------------------------------------------------------

ASYNCHAT_DECL tls_key_log::tls_key_log(const std::string& name) : name_(name)
{
    const int file = ::open(name.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0)
        file_.reset(::fdopen(file, "a"));
    if (file >= 0 && !file_)
        ::close(file);
    if (!file_)
        throw std::system_error(errno, std::system_category(),
                                "asynchat: tls: cannot open '" + quoted(name) + "'");
}

ASYNCHAT_DECL void tls_key_log::write(const char* line) noexcept
{
    const std::lock_guard lock(mutex_);
    std::fprintf(file_.get(), "%s\n", line);
    std::fflush(file_.get());
}

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
