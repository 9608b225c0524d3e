// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_LAYERS_TLS_UNDER_ALL_HPP
#define ASYNCHAT_TESTS_LAYERS_TLS_UNDER_ALL_HPP

#include <asynchat/detail/tls/openssl.hpp>
#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <openssl/pem.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// TLS under all channels: the layer of the library, and under it OpenSSL as its peer, which speaks
// plain text with what is below. It keeps bytes in BIOs only, as allocations by new may fail.
namespace support {

/// A record is taken as a whole only when its plain text has been sent: until then its last byte is
/// not.
class tls_peer_layer final : public asynchat::transport_layer {
public:
    explicit tls_peer_layer(SSL_CTX* with, bool is_server)
        : ssl_(SSL_new(with)), plain_(BIO_new(BIO_s_mem()))
    {
        in_ = BIO_new(BIO_s_mem());
        out_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl_.get(), in_, out_);
        is_server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
        SSL_do_handshake(ssl_.get()); // a client speaks first
        ERR_clear_error();
    }

    bool is_established() const noexcept override { return true; }

    std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
    {
        error.clear();
        if (!has_input() && !has_ended_)
            receive(into.size(), error);
        if (!error && !has_input())
            error = asio::error::eof;
        const auto size = static_cast<int>(into.size());
        return error ? 0 : static_cast<std::size_t>(BIO_read(out_, into.data(), size));
    }

    std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
    {
        const std::string_view all(static_cast<const char*>(from.begin()->data()),
                                   from.begin()->size());
        error.clear();
        for (std::size_t at = std::exchange(fed_, 0); at < all.size(); ++at) {
            if (!is_complete_)
                at += feed(all.substr(at)) - 1; // perhaps to the last byte of a record
            if (!is_complete_ || send_plain(error))
                continue;
            if (at > 0 && error == asio::error::would_block)
                error.clear();
            if (error)
                fed_ = at; // it comes again, if the channel survives
            return error ? 0 : at;
        }
        return all.size();
    }

    std::size_t in_flight() override
    {
        return transport_layer::in_flight() + static_cast<std::size_t>(BIO_pending(plain_.get()));
    }

private:
    bool has_input() override { return BIO_pending(out_) > 0; }

    /// Makes records of up to `room` bytes of what comes from below.
    void receive(std::size_t room, std::error_code& error)
    {
        constexpr std::size_t overhead = 256; // of the records
        char piece[65536];
        const auto bytes = asio::buffer(piece, std::min(room, sizeof piece) - overhead);
        std::size_t size = lower().read_some(bytes, error);
        if (error == asio::error::eof) {
            error.clear();
            has_ended_ = true;
            SSL_shutdown(ssl_.get());
        } else if (!error && SSL_write_ex(ssl_.get(), piece, size, &size) != 1) {
            throw std::logic_error("tls_peer_layer: SSL_write");
        }
    }

    /// Gives the bytes of one record to OpenSSL. Returns their number.
    std::size_t feed(std::string_view bytes)
    {
        if (left_ == 0) {
            if (bytes.size() < 5)
                throw std::logic_error("tls_peer_layer: a part of the head of a record");
            const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
            left_ = 5U + byte(3) * 256U + byte(4);
        }
        const std::size_t size = std::min(bytes.size(), left_);
        BIO_write(in_, bytes.data(), static_cast<int>(size));
        left_ -= size;
        is_complete_ = left_ == 0;
        std::size_t got = 1;
        while (is_complete_ && got > 0) {
            char piece[16384];
            if (SSL_read_ex(ssl_.get(), piece, sizeof piece, &got) != 1)
                got = 0;
            BIO_write(plain_.get(), piece, static_cast<int>(got));
        }
        ERR_clear_error();
        return size;
    }

    bool send_plain(std::error_code& error)
    {
        while (BIO_pending(plain_.get()) > 0 && !error) {
            char piece[16384];
            char* bytes = nullptr;
            const long size = BIO_get_mem_data(plain_.get(), &bytes);
            const std::string_view all(bytes, static_cast<std::size_t>(size));
            const std::size_t sent = lower().write_some(all, error);
            for (std::size_t left = sent; left > 0;)
                left -= static_cast<std::size_t>(
                    BIO_read(plain_.get(), piece, static_cast<int>(std::min(left, sizeof piece))));
        }
        is_complete_ = is_complete_ && error;
        return !error;
    }

    asynchat::detail::ssl_ptr ssl_;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
    asynchat::detail::bio_ptr plain_; // decrypted, not sent
    std::size_t left_ = 0;            // of a record that has come in part
    bool is_complete_ = false;        // a record, but for its plain text
    std::size_t fed_ = 0;             // of what comes again after an error
    bool has_ended_ = false;
};

/// What both sides need, made once.
class tls_under_all {
public:
    /// The roles and the versions of the protocol take turns.
    std::vector<std::unique_ptr<asynchat::transport_layer>> next()
    {
        const bool is_server = count_ % 2 == 0;
        const side& mine = sides_[is_server ? 0 : 1][count_ / 2 % 2];
        ++count_;
        std::vector<std::unique_ptr<asynchat::transport_layer>> layers;
        layers.push_back(std::make_unique<tls_peer_layer>(mine.peer.get(), !is_server));
        layers.push_back(asynchat::tls::make_layer(mine.ours));
        return layers;
    }

private:
    struct side {
        asynchat::tls::context ours;
        asynchat::detail::ssl_ctx_ptr peer;
    };

    side make_side(bool is_server, bool is_new)
    {
        using asynchat::tls::context;
        using asynchat::tls::pem;
        using asynchat::tls::version;
        side made{is_server ? context::for_server() : context::for_client(),
                  asynchat::detail::ssl_ctx_ptr(
                      SSL_CTX_new(is_server ? TLS_client_method() : TLS_server_method()))};
        made.ours.maximum_version(is_new ? version::tls1_3 : version::tls1_2);
        SSL_CTX_set_session_cache_mode(made.peer.get(), SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(made.peer.get(), 0);
        SSL_CTX_set_options(made.peer.get(), SSL_OP_NO_TICKET);
        if (is_server) {
            made.ours.load_cert_chain(pem{shown_.certificate}, pem{shown_.key});
        } else {
            made.ours.check_hostname(false);
            made.ours.verify_mode(asynchat::tls::verify::none);
            show_certificate(made.peer.get());
        }
        return made;
    }

    void show_certificate(SSL_CTX* to) const
    {
        using namespace asynchat::detail;
        const auto reader = [](const std::string& text) {
            return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        };
        const auto from = reader(shown_.certificate);
        const x509_ptr certificate(PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr));
        const auto key_from = reader(shown_.key);
        const pkey_ptr key(PEM_read_bio_PrivateKey(key_from.get(), nullptr, nullptr, nullptr));
        SSL_CTX_use_certificate(to, certificate.get());
        SSL_CTX_use_PrivateKey(to, key.get());
    }

    asynchat::testing::issued shown_ = asynchat::testing::authority().issue("localhost");
    side sides_[2][2] = {{make_side(true, true), make_side(true, false)},
                         {make_side(false, true), make_side(false, false)}};
    unsigned count_ = 0;
};

} // namespace support

#endif
