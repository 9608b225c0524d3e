// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_TLS_OPENSSL_PEER_HPP
#define ASYNCHAT_TESTS_TLS_OPENSSL_PEER_HPP

#include "support.hpp"

#include <asynchat/detail/tls/openssl.hpp>

#include <openssl/pem.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// The other side of a channel: OpenSSL without the library, byte by byte in the hands of the test.
namespace support {

class openssl_peer {
public:
    enum class side { client, server };

    openssl_peer(side which, asynchat::testing::peer over, int version = 0)
        : connection(std::move(over)),
          ctx_(SSL_CTX_new(which == side::client ? TLS_client_method() : TLS_server_method()))
    {
        if (version != 0) {
            SSL_CTX_set_min_proto_version(ctx_.get(), version);
            SSL_CTX_set_max_proto_version(ctx_.get(), version);
        }
        if (which == side::server)
            show_certificate();
        ssl.reset(SSL_new(ctx_.get()));
        in_ = BIO_new(BIO_s_mem());
        out_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl.get(), in_, out_);
        if (which == side::client)
            SSL_set_connect_state(ssl.get());
        else
            SSL_set_accept_state(ssl.get());
    }

    /// For a client: the name of the server.
    void ask_for(std::string name)
    {
        SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    }

    /// Shakes hands until nothing moves any more. Returns whether that was successful.
    bool handshake()
    {
        bool done = false;
        int unread = 0;
        do {
            unread = BIO_pending(in_);
            done = SSL_do_handshake(ssl.get()) == 1;
        } while (move() || (!done && BIO_pending(in_) > 0 && BIO_pending(in_) < unread));
        ERR_clear_error();
        return done;
    }

    /// Sends as one record.
    void send(std::string_view data)
    {
        if (SSL_write(ssl.get(), data.data(), static_cast<int>(data.size())) <= 0)
            throw std::runtime_error("SSL_write");
        move();
    }

    /// Everything that has arrived.
    std::string received()
    {
        std::string all;
        do {
            char bytes[20000];
            int size = 0;
            while ((size = SSL_read(ssl.get(), bytes, sizeof bytes)) > 0)
                all.append(bytes, static_cast<std::size_t>(size));
        } while (move());
        ERR_clear_error();
        return all;
    }

    bool got_close_notify() const
    {
        return (SSL_get_shutdown(ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
    }
    void close_notify()
    {
        SSL_shutdown(ssl.get());
        move();
    }

    /// What OpenSSL wants to send, without sending it.
    std::string output()
    {
        std::string bytes(static_cast<std::size_t>(BIO_pending(out_)), '\0');
        if (!bytes.empty())
            BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }

    /// Moves bytes in both directions. Returns whether there were some.
    bool move()
    {
        const std::string out = output();
        if (!out.empty())
            send_raw(out);
        const std::string in = connection.received();
        if (!in.empty())
            BIO_write(in_, in.data(), static_cast<int>(in.size()));
        return !in.empty();
    }

    /// Sends in two pieces if the position `cut` of the stream lies inside, and lets the loop run
    /// between them.
    void send_raw(std::string_view bytes)
    {
        if (cut > sent && cut < sent + bytes.size()) {
            connection.send(bytes.substr(0, cut - sent));
            connection.received(0);
            connection.send(bytes.substr(cut - sent));
        } else {
            connection.send(bytes, piece);
        }
        sent += bytes.size();
    }

    asynchat::testing::peer connection;
    asynchat::detail::ssl_ptr ssl;
    std::size_t sent = 0;
    std::size_t cut = 0;
    std::size_t piece = std::numeric_limits<std::size_t>::max();

private:
    void show_certificate()
    {
        using namespace asynchat::detail;
        const auto& shown = usual_certificate();
        const auto reader = [](const std::string& text) {
            return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        };
        const auto from = reader(shown.certificate);
        const x509_ptr certificate(PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr));
        const auto key_from = reader(shown.key);
        const pkey_ptr key(PEM_read_bio_PrivateKey(key_from.get(), nullptr, nullptr, nullptr));
        SSL_CTX_use_certificate(ctx_.get(), certificate.get());
        SSL_CTX_use_PrivateKey(ctx_.get(), key.get());
    }

    asynchat::detail::ssl_ctx_ptr ctx_;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
};

/// A client of OpenSSL at a server's channel.
template <class Handler = echo>
struct openssl_client {
    explicit openssl_client(int version = 0, const tls::context& context = server_context())
        : server(loop.create<asynchat::server<Handler>>(there).lock())
    {
        use_tls(*server, context);
        peer = std::make_unique<openssl_peer>(openssl_peer::side::client, loop.connect(there),
                                              version);
        loop.settle();
        for (const auto& each : loop.channels()) {
            if (auto found = std::dynamic_pointer_cast<Handler>(each))
                channel = found;
        }
    }
    asynchat::testing::loop loop;
    std::shared_ptr<asynchat::server<Handler>> server;
    std::shared_ptr<Handler> channel;
    std::unique_ptr<openssl_peer> peer;
};

/// A server of OpenSSL at a client's channel.
struct openssl_server {
    explicit openssl_server(int version = 0, const tls::context& context = client_context())
        : listener(loop.listen(there)), channel(loop.create<recorder>().lock())
    {
        start_tls(*channel, context, "localhost");
        channel->connect(there);
        loop.settle();
        peer =
            std::make_unique<openssl_peer>(openssl_peer::side::server, listener.accept(), version);
    }
    asynchat::testing::loop loop;
    asynchat::testing::listener listener;
    std::shared_ptr<recorder> channel;
    std::unique_ptr<openssl_peer> peer;
};

} // namespace support

#endif
