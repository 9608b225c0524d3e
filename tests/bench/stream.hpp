// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_BENCH_STREAM_HPP
#define ASYNCHAT_BENCH_STREAM_HPP

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#ifdef ASYNCHAT_BENCH_TLS
#  include <openssl/bio.h>
#  include <openssl/err.h>
#  include <openssl/ssl.h>
#endif

// The load's end of a connection, in the clear or over TLS.
namespace bench {

[[noreturn]] inline void die(const char* what)
{
    std::fprintf(stderr, "load: %s (%s)\n", what, std::strerror(errno));
    std::exit(1);
}

inline int connect_to(std::uint16_t port)
{
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
        die("connect");
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/// In the clear.
class plain_stream {
public:
    /// What all connections share.
    struct shared {
        explicit shared(bool) {}
    };

    void connect(std::uint16_t port, shared&) { fd_ = connect_to(port); }
    void close() { ::close(fd_); }
    int fd() const noexcept { return fd_; }

    /// The results of both are those of the system: negative with EAGAIN when nothing moves.
    ssize_t send(const char* data, std::size_t size)
    {
        return ::send(fd_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    ssize_t receive(char* into, std::size_t size) { return ::recv(fd_, into, size, MSG_DONTWAIT); }

    /// Sends what send() has taken and not sent. Returns whether nothing is left.
    static bool flush() { return true; }
    void shut_down_output() { ::shutdown(fd_, SHUT_WR); }

protected:
    int fd_ = -1;
};

#ifdef ASYNCHAT_BENCH_TLS

/// Over TLS 1.3, between two memory BIOs.
class tls_stream : plain_stream {
public:
    /// Each connection continues the newest session, if the load `resumes`.
    class shared {
    public:
        explicit shared(bool resumes) : resumes_(resumes), ctx_(SSL_CTX_new(TLS_client_method()))
        {
            SSL_CTX_set_min_proto_version(ctx_, TLS1_3_VERSION);
            SSL_CTX_set_mode(ctx_, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
            SSL_CTX_set_app_data(ctx_, this);
            SSL_CTX_set_session_cache_mode(ctx_,
                                           SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
            SSL_CTX_sess_set_new_cb(ctx_, keep);
        }
        shared(const shared&) = delete;
        shared& operator=(const shared&) = delete;

        SSL_CTX* context() const noexcept { return ctx_; }
        SSL_SESSION* session() const noexcept { return resumes_ ? newest_ : nullptr; }

    private:
        static int keep(SSL* ssl, SSL_SESSION* session)
        {
            auto& all = *static_cast<shared*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
            SSL_SESSION_free(std::exchange(all.newest_, session));
            return 1;
        }

        bool resumes_;
        SSL_CTX* ctx_;
        SSL_SESSION* newest_ = nullptr;
    };

    void connect(std::uint16_t port, shared& all)
    {
        fd_ = connect_to(port);
        ssl_ = SSL_new(all.context());
        SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_);
        resumes_ = all.session() != nullptr;
        if (resumes_) { // a copy: OpenSSL uses a session up when its successor comes
            SSL_SESSION* const session = SSL_SESSION_dup(all.session());
            SSL_set_session(ssl_, session);
            SSL_SESSION_free(session);
        }
        shook_hands_ = false;
    }
    void close()
    {
        SSL_free(std::exchange(ssl_, nullptr));
        plain_stream::close();
    }
    using plain_stream::fd;

    ssize_t send(const char* data, std::size_t size)
    {
        constexpr std::size_t piece = 65536;
        std::size_t taken = 0;
        while (flush() && taken < size) {
            std::size_t written = 0;
            if (SSL_write_ex(ssl_, data + taken, std::min(piece, size - taken), &written) != 1) {
                check_that_it_waits();
                flush(); // of the handshake
                break;
            }
            taken += written;
        }
        errno = EAGAIN;
        return taken > 0 ? static_cast<ssize_t>(taken) : -1;
    }

    /// Receives once, and decrypts all of it.
    ssize_t receive(char* into, std::size_t size)
    {
        static char cipher[1 << 17]; // so that the plaintext fits
        const ssize_t got = plain_stream::receive(cipher, sizeof cipher);
        if (got <= 0)
            return got;
        BIO_write(SSL_get_rbio(ssl_), cipher, static_cast<int>(got));
        std::size_t have = 0;
        std::size_t read = 0;
        while (SSL_read_ex(ssl_, into + have, size - have, &read) == 1)
            have += read;
        check_that_it_waits();
        flush();
        check_resumption();
        errno = EAGAIN;
        return have > 0 ? static_cast<ssize_t>(have) : -1;
    }

    bool flush()
    {
        BIO* const out = SSL_get_wbio(ssl_);
        char* data = nullptr;
        const long size = BIO_get_mem_data(out, &data);
        if (size == 0)
            return true;
        const ssize_t sent = plain_stream::send(data, static_cast<std::size_t>(size));
        if (sent < 0 && errno != EAGAIN)
            die("send");
        if (sent == size)
            BIO_reset(out);
        // It has no other way to remove a part.
        static char sent_part[1 << 17];
        for (ssize_t left = sent == size ? 0 : sent; left > 0;)
            left -= BIO_read(out, sent_part,
                             static_cast<int>(std::min<ssize_t>(left, sizeof sent_part)));
        return sent == size;
    }

    void shut_down_output()
    {
        SSL_shutdown(ssl_);
        flush();
        plain_stream::shut_down_output();
    }

private:
    /// After a call without success: it needs more input, or the peer has said that it closes.
    void check_that_it_waits() const
    {
        const int why = SSL_get_error(ssl_, 0);
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_ZERO_RETURN)
            return;
        ERR_print_errors_fp(stderr);
        die("TLS");
    }

    void check_resumption()
    {
        if (shook_hands_ || SSL_is_init_finished(ssl_) == 0)
            return;
        shook_hands_ = true;
        if ((SSL_session_reused(ssl_) != 0) != resumes_)
            die(resumes_ ? "a session was not resumed" : "a session was resumed");
    }

    SSL* ssl_ = nullptr;
    bool resumes_ = false;
    bool shook_hands_ = false;
};
using stream = tls_stream;

#else

using stream = plain_stream;

#endif

} // namespace bench

#endif
