// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_TLS_CONNECTION_IPP
#define ASYNCHAT_IMPL_TLS_CONNECTION_IPP

#include <asynchat/tls.hpp>

#include <asynchat/detail/tls/tls_layer.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/server.hpp>

#include <asio/ip/address.hpp>
#include <openssl/pem.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace tls {

// --- starting ------------------------------------------------------------------------------------

ASYNCHAT_DECL std::unique_ptr<transport_layer> make_layer(const context& with,
                                                          start_options options)
{
    auto built = with.state_->built();
    const auto& settings = built->settings;
    if (settings.is_server && settings.identities.empty() && settings.names.empty())
        throw std::logic_error("asynchat: tls: a server without a certificate: call "
                               "load_cert_chain() first");
    return std::make_unique<detail::tls_layer>(std::move(built), std::move(options));
}

/// Says where the keys go, if they do.
inline void tell_key_log(dispatcher& channel, const detail::tls_settings& settings)
{
    if (settings.key_log)
        channel.log_info(log_type::info, "the keys of TLS are written to '{}'",
                         detail::quoted(settings.key_log->name()));
}

ASYNCHAT_DECL void start_tls(dispatcher& channel, const context& with, start_options options)
{
    const early_input early = options.early;
    auto layer = make_layer(with, std::move(options));
    tell_key_log(channel, with.state_->settings());
    detail::channel_access::drop_waiting_layer(channel, [](const transport_layer& waiting) {
        return dynamic_cast<const detail::tls_layer*>(&waiting) != nullptr;
    });
    channel.add_layer(std::move(layer), early);
}

ASYNCHAT_DECL void use_tls(server_base& server, const context& with)
{
    const auto settings = with.state_->settings();
    if (!settings.is_server)
        throw std::logic_error("asynchat: tls: use_tls() needs a context for servers");
    make_layer(with); // throws now, and not for each connection
    tell_key_log(server, settings);
    server.use_layer([with, &server, state = with.state_, told = settings.key_log]() mutable {
        const auto built = state->built();
        if (std::exchange(told, built->settings.key_log) != built->settings.key_log)
            tell_key_log(server, built->settings);
        return make_layer(with);
    });
}

// --- what was agreed on --------------------------------------------------------------------------

ASYNCHAT_DECL connection::connection(const dispatcher& channel)
    : layer_(detail::channel_access::find_layer<detail::tls_layer>(channel))
{
    if (layer_ && !layer_->is_established())
        layer_ = nullptr;
}

ASYNCHAT_DECL std::string_view connection::version() const
{
    return layer_ ? SSL_get_version(layer_->ssl()) : std::string_view();
}

ASYNCHAT_DECL std::string_view connection::cipher() const
{
    return layer_ ? SSL_get_cipher_name(layer_->ssl()) : std::string_view();
}

ASYNCHAT_DECL std::string_view connection::selected_alpn_protocol() const
{
    const unsigned char* name = nullptr;
    unsigned size = 0;
    if (layer_)
        SSL_get0_alpn_selected(layer_->ssl(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

ASYNCHAT_DECL std::string connection::verify_error() const
{
    if (!layer_ || SSL_get_verify_result(layer_->ssl()) == X509_V_OK)
        return {};
    if (!layer_->certificate_fault().empty())
        return layer_->certificate_fault();
    return X509_verify_cert_error_string(SSL_get_verify_result(layer_->ssl()));
}

ASYNCHAT_DECL std::string_view connection::server_hostname() const
{
    return layer_ ? std::string_view(layer_->server_name()) : std::string_view();
}

ASYNCHAT_DECL tls::session connection::session() const
{
    return layer_ ? layer_->session() : tls::session();
}

ASYNCHAT_DECL bool connection::session_reused() const
{
    return layer_ && SSL_session_reused(layer_->ssl()) == 1;
}

// --- certificates --------------------------------------------------------------------------------

inline std::string hex_of(const unsigned char* bytes, std::size_t size)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < size; ++i)
        (text += digits[bytes[i] >> 4U]) += digits[bytes[i] & 15U];
    return text;
}

inline std::chrono::system_clock::time_point time_of(const ASN1_TIME* time)
{
    using point = std::chrono::system_clock::time_point;
    const detail::openssl_ptr<ASN1_TIME, ASN1_TIME_free> epoch(ASN1_TIME_set(nullptr, 0));
    int days = 0;
    int rest = 0;
    if (!epoch || ASN1_TIME_diff(&days, &rest, epoch.get(), time) != 1)
        return {};
    const std::chrono::seconds seconds = std::chrono::hours(24) * days + std::chrono::seconds(rest);
    // It has nanoseconds, and so ends in 2262; a certificate without an end says 9999.
    if (seconds > std::chrono::floor<std::chrono::seconds>(point::max()).time_since_epoch())
        return point::max();
    if (seconds < std::chrono::ceil<std::chrono::seconds>(point::min()).time_since_epoch())
        return point::min();
    return point(seconds);
}

inline std::string address_text(const unsigned char* bytes, int size)
{
    std::string text;
    if (size == 4) {
        asio::ip::address_v4::bytes_type four = {};
        std::copy(bytes, bytes + 4, four.begin());
        text = asio::ip::address_v4(four).to_string();
    } else if (size == 16) {
        asio::ip::address_v6::bytes_type sixteen = {};
        std::copy(bytes, bytes + 16, sixteen.begin());
        text = asio::ip::address_v6(sixteen).to_string();
    }
    return text;
}

inline std::vector<std::string> names_in(const X509* from)
{
    std::vector<std::string> all;
    const detail::openssl_ptr<GENERAL_NAMES, GENERAL_NAMES_free> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(from, NID_subject_alt_name, nullptr, nullptr)));
    const auto text = [](const ASN1_STRING* string) {
        return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                           static_cast<std::size_t>(ASN1_STRING_length(string)));
    };
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
        switch (name->type) {
        case GEN_DNS: all.push_back("DNS:" + text(name->d.dNSName)); break;
        case GEN_EMAIL: all.push_back("email:" + text(name->d.rfc822Name)); break;
        case GEN_URI: all.push_back("URI:" + text(name->d.uniformResourceIdentifier)); break;
        case GEN_IPADD:
            all.push_back("IP:" + address_text(ASN1_STRING_get0_data(name->d.iPAddress),
                                               ASN1_STRING_length(name->d.iPAddress)));
            break;
        default: break;
        }
    }
    return all;
}

ASYNCHAT_DECL certificate connection::getpeercert() const
{
    certificate all;
    const X509* const peer = layer_ ? SSL_get0_peer_certificate(layer_->ssl()) : nullptr;
    if (!peer)
        return all;
    all.subject = detail::name_text(X509_get_subject_name(peer));
    all.issuer = detail::name_text(X509_get_issuer_name(peer));
    const ASN1_INTEGER* const number = X509_get0_serialNumber(peer);
    all.serial_number =
        hex_of(ASN1_STRING_get0_data(number), static_cast<std::size_t>(ASN1_STRING_length(number)));
    all.subject_alt_name = names_in(peer);
    all.not_before = time_of(X509_get0_notBefore(peer));
    all.not_after = time_of(X509_get0_notAfter(peer));
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_digest(peer, EVP_sha256(), digest, &size) == 1)
        all.sha256 = hex_of(digest, size);
    const detail::bio_ptr out(detail::needed(BIO_new(BIO_s_mem())));
    PEM_write_bio_X509(out.get(), peer);
    char* text = nullptr;
    const long length = BIO_get_mem_data(out.get(), &text);
    all.pem.assign(text, static_cast<std::size_t>(length));
    ERR_clear_error();
    return all;
}

// --- errors --------------------------------------------------------------------------------------

ASYNCHAT_DECL const std::error_category& tls_category() noexcept
{
    class category final : public std::error_category {
    public:
        const char* name() const noexcept override { return "tls"; }
        std::string message(int code) const override
        {
            const auto number = static_cast<unsigned>(code);
            const char* const text = ERR_reason_error_string(number);
            return text ? text : "error " + std::to_string(number) + " of OpenSSL";
        }
    };
    static const category only;
    return only;
}

} // namespace tls
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
