// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_GUARDS_TLS_END_HPP
#define ASYNCHAT_TESTS_GUARDS_TLS_END_HPP

#include "guards/guard.hpp"

#include <asynchat/detail/tls/openssl.hpp>
#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

namespace guards {

/// Answers each line with the same line, over TLS.
class tls_line_echo : public line_echo {
public:
    tls_line_echo(asynchat::loop& owner, asynchat::socket from, std::size_t& served)
        : line_echo(owner, std::move(from), served)
    {
        start_tls(*this, context());
    }

private:
    static const asynchat::tls::context& context()
    {
        static const asynchat::tls::context made = [] {
            const auto shown = asynchat::testing::authority().issue("localhost");
            auto next = asynchat::tls::context::for_server();
            next.load_cert_chain(asynchat::tls::pem{shown.certificate},
                                 asynchat::tls::pem{shown.key});
            return next;
        }();
        return made;
    }
};

/// The other end over TLS: OpenSSL between two BIOs in memory.
class tls_end {
public:
    explicit tls_end(support::descriptor socket)
        : below_(std::move(socket)), ssl_(SSL_new(context()))
    {
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_.get());
    }

    /// Goes on with the handshake.
    bool open()
    {
        take_input();
        const bool done = SSL_do_handshake(ssl_.get()) == 1;
        give_output();
        return done;
    }

    /// As one record for each 16 KiB.
    void send(std::string_view bytes)
    {
        encrypt(bytes);
        give_output();
    }
    void encrypt(std::string_view bytes)
    {
        const int written = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
        support::check_call(written == static_cast<int>(bytes.size()), "SSL_write");
    }
    /// Sends what was encrypted, or the first bytes of it.
    void give_output(std::size_t max_bytes = std::numeric_limits<std::size_t>::max())
    {
        BIO* const out = SSL_get_wbio(ssl_.get());
        char bytes[4096];
        while (max_bytes > 0 && BIO_pending(out) > 0) {
            const auto most = static_cast<int>(std::min(max_bytes, sizeof bytes));
            const auto size = static_cast<std::size_t>(BIO_read(out, bytes, most));
            below_.send({bytes, size});
            max_bytes -= size;
        }
    }

    ssize_t receive(char* into, std::size_t size)
    {
        take_input();
        const int got = SSL_read(ssl_.get(), into, static_cast<int>(size));
        errno = EAGAIN; // the only reason here
        return got > 0 ? got : -1;
    }

private:
    static SSL_CTX* context()
    {
        static const asynchat::detail::ssl_ctx_ptr made(SSL_CTX_new(TLS_client_method()));
        return made.get();
    }

    void take_input()
    {
        char bytes[4096];
        for (ssize_t got = 0; (got = below_.receive(bytes, sizeof bytes)) > 0;)
            BIO_write(SSL_get_rbio(ssl_.get()), bytes, static_cast<int>(got));
    }

    plain_end below_;
    asynchat::detail::ssl_ptr ssl_;
};

} // namespace guards

#endif
