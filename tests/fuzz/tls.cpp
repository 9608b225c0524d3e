// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// One channel over TLS, as server or client, from the first byte on or after STARTTLS. Its peer is
// OpenSSL, and between the two bytes are cut, changed, dropped and added, before, in and after the
// handshake. Whatever comes: nothing is delivered before the handshake, what is delivered was sent
// over TLS and in order, and the channel ends for a reason.
#define OPENSSL_SUPPRESS_DEPRECATED // RAND_set_rand_method()

#include "fuzz/input.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>
#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

namespace tls = asynchat::tls;
using asynchat::close_reason;

// --- random numbers that are the same in each run ------------------------------------------------

std::uint64_t random_state = 0;

int random_bytes(unsigned char* into, int size)
{
    for (int i = 0; i < size; ++i) {
        random_state = random_state * 6364136223846793005U + 1442695040888963407U;
        into[i] = static_cast<unsigned char>(random_state >> 56U);
    }
    return 1;
}

void make_random_numbers_known()
{
    static const RAND_METHOD known = {nullptr, random_bytes, nullptr,
                                      nullptr, random_bytes, [] { return 1; }};
    static const bool is_set = RAND_set_rand_method(&known) == 1;
    fuzz::require(is_set, "RAND_set_rand_method");
    random_state = 0;
}

// --- both sides ----------------------------------------------------------------------------------

/// The contexts of both sides, and the certificate.
struct contexts {
    contexts()
    {
        const asynchat::testing::authority authority;
        const auto shown = authority.issue("localhost");
        server.load_cert_chain(tls::pem{shown.certificate}, tls::pem{shown.key});
        client.load_verify_locations(tls::pem{authority.certificate()});
        BIO* const from = BIO_new_mem_buf(shown.certificate.data(), -1);
        X509* const certificate = PEM_read_bio_X509(from, nullptr, nullptr, nullptr);
        SSL_CTX_use_certificate(of_server, certificate);
        X509_free(certificate);
        BIO_free(from);
        BIO* const key_from = BIO_new_mem_buf(shown.key.data(), -1);
        EVP_PKEY* const key = PEM_read_bio_PrivateKey(key_from, nullptr, nullptr, nullptr);
        SSL_CTX_use_PrivateKey(of_server, key);
        EVP_PKEY_free(key);
        BIO_free(key_from);
    }
    tls::context server = tls::context::for_server();
    tls::context client = tls::context::for_client();
    SSL_CTX* of_server = SSL_CTX_new(TLS_server_method()); // lives as long as the program
    SSL_CTX* of_client = SSL_CTX_new(TLS_client_method());
};

/// What may be delivered, and how it goes.
struct account {
    bool in_clear = false;
    bool is_open = false;  // the handshake is complete
    std::string clear;     // sent to the channel before STARTTLS
    std::string inside;    // by the peer, over TLS
    std::string pushed;    // by the channel, over TLS
    std::size_t seen = 0;  // of clear, or of inside
    bool switches = false; // STARTTLS was read
    bool is_closed = false;
};

class channel : public asynchat::async_chat {
public:
    channel(asynchat::loop& loop, asynchat::socket from, account& books, const tls::context& with)
        : async_chat(loop, std::move(from)), books_(books), with_(with)
    {
        set_terminator("\n");
        max_frame(1000);
        if (!books_.in_clear)
            start_tls(*this, with_, "localhost");
    }

    void say(std::string_view text)
    {
        if ((!books_.in_clear || books_.switches) && push(text))
            books_.pushed += text;
    }

    void collect_incoming_data(std::string_view data) override
    {
        take(data);
        if (line_.size() < 100)
            line_ += data;
    }
    void found_terminator() override
    {
        take("\n");
        const std::string line = std::exchange(line_, {});
        if (books_.in_clear && !books_.switches && line == "STARTTLS") {
            start_tls(*this, with_, "localhost");
            books_.switches = true;
        } else if (line == "bye") {
            close_when_done();
        } else {
            say(line + "\n");
        }
    }
    void handle_handshake() override
    {
        fuzz::require(!books_.is_open, "two handshakes");
        fuzz::require(!books_.in_clear || books_.switches, "a handshake before STARTTLS");
        books_.is_open = true;
        books_.seen = 0;
    }
    void handle_eof() override
    {
        fuzz::require(books_.is_open || books_.in_clear, "an end before the handshake");
        close_when_done();
    }
    void handle_end() override { books_.is_closed = true; }
    void handle_log(asynchat::log_type, std::string_view) override {}

private:
    void take(std::string_view data)
    {
        fuzz::require(!books_.is_closed, "input after the end");
        fuzz::require(books_.is_open || (books_.in_clear && !books_.switches),
                      "input before the handshake");
        const std::string& from = books_.is_open ? books_.inside : books_.clear;
        fuzz::require(from.compare(books_.seen, data.size(), data) == 0, "other input");
        books_.seen += data.size();
    }

    account& books_;
    const tls::context& with_;
    std::string line_;
};

/// OpenSSL, and the bytes on the way in both directions.
class world {
public:
    world(const std::uint8_t* data, std::size_t size) : input_(data, size)
    {
        static const contexts all;
        const bool is_server = input_.number(0, 1) == 0;
        books_.in_clear = input_.number(0, 1) == 1;
        ssl_ = SSL_new(is_server ? all.of_client : all.of_server);
        if (input_.number(0, 1) == 1)
            SSL_set_max_proto_version(ssl_, TLS1_2_VERSION);
        in_ = BIO_new(BIO_s_mem());
        out_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl_, in_, out_);
        is_server ? SSL_set_connect_state(ssl_) : SSL_set_accept_state(ssl_);
        auto made = loop_.accept<channel>(books_, is_server ? all.server : all.client);
        channel_ = std::move(made.first);
        peer_.emplace(std::move(made.second));
    }
    ~world() { SSL_free(ssl_); }
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    void run()
    {
        for (int i = 0; i < 300 && !input_.is_empty(); ++i) {
            step();
            work();
        }
        come_to_an_end();
    }

private:
    void step()
    {
        switch (input_.number(0, 17)) {
        case 0: return talk();
        case 1: return send(to_send(input_.number(1, 256)));
        case 2: return change(to_send(input_.number(1, 256)));
        case 3: to_send(input_.number(1, 256)); return; // is lost
        case 4: return send(input_.bytes(input_.number(1, 64)));
        case 5: return send_record();
        case 6: return say(input_.bytes(input_.number(1, 64)));
        case 7: return say(std::string(input_.number(1, 255) * 100, 'x'));
        case 8: return say("\n");
        case 9: return change_keys();
        case 10: SSL_shutdown(ssl_); return;
        case 11: return channel_->say(input_.bytes(input_.number(1, 64)) + "\n");
        case 12: return channel_->say(std::string(input_.number(1, 255) * 200, 'y'));
        case 13: return steer();
        case 14: peer_->window(input_.number(0, 255) * 10); return;
        case 15: return give(peer_->received(input_.number(1, 256)));
        case 16: loop_.advance(std::chrono::seconds(input_.number(1, 11))); return;
        default: return begin_tls();
        }
    }

    /// Lets both sides talk as long as they have something to say.
    void talk()
    {
        for (int i = 0; i < 10; ++i) {
            work();
            const std::string from = peer_->received();
            const std::string to = to_send(1U << 20U);
            if (from.empty() && to.empty())
                return;
            give(from);
            send(to);
        }
    }

    std::string to_send(std::size_t most)
    {
        std::string bytes(std::min(most, static_cast<std::size_t>(BIO_pending(out_))), '\0');
        BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }
    void send(const std::string& bytes)
    {
        if (bytes.empty() || has_finished_)
            return;
        if (!books_.switches && books_.in_clear)
            books_.clear += bytes;
        peer_->send(bytes);
        loop_.settle();
    }
    void change(std::string bytes)
    {
        if (bytes.empty())
            return;
        char& byte = bytes[input_.number(0, 255) % bytes.size()];
        byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << input_.number(0, 7)));
        send(bytes);
    }
    /// A record in the clear, with a right head.
    void send_record()
    {
        const auto type = static_cast<char>(input_.number(19, 25));
        const std::size_t size = input_.number(0, 255);
        send(std::string{type, 3, 3, 0, static_cast<char>(size)} + input_.bytes(size) +
             std::string(input_.number(0, 1) * size, '\0'));
    }
    void say(const std::string& text)
    {
        std::size_t written = 0;
        if (SSL_is_init_finished(ssl_) == 1 &&
            SSL_write_ex(ssl_, text.data(), text.size(), &written) == 1)
            books_.inside += text;
    }
    void change_keys()
    {
        const bool both = input_.number(0, 1) == 1;
        for (std::size_t i = input_.number(1, 40); i > 0; --i) {
            SSL_key_update(ssl_, both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
            SSL_do_handshake(ssl_);
        }
    }
    void steer()
    {
        switch (input_.number(0, 4)) {
        case 0: return channel_->pause_reading();
        case 1: return channel_->resume_reading();
        case 2: return channel_->close_when_done();
        case 3:
            channel_->ac_in_buffer_size = static_cast<std::uint32_t>(input_.number(1, 100));
            return;
        default: channel_->push_eof();
        }
    }
    void begin_tls()
    {
        if (books_.in_clear && !books_.switches)
            send("STARTTLS\n");
    }

    void give(const std::string& bytes)
    {
        BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    }
    /// OpenSSL goes on as far as it can.
    void work()
    {
        char piece[4096];
        std::size_t size = 0;
        if (books_.in_clear && !books_.switches)
            return;
        SSL_do_handshake(ssl_);
        while (SSL_read_ex(ssl_, piece, sizeof piece, &size) == 1) {
            fuzz::require(books_.pushed.compare(received_, size, piece, size) == 0, "other output");
            received_ += size;
        }
        ERR_clear_error();
    }

    void come_to_an_end()
    {
        if (!channel_->closed())
            channel_->resume_reading();
        peer_->window(1U << 20U);
        if (input_.number(0, 1) == 0)
            talk();
        peer_->finish();
        has_finished_ = true;
        talk();
        peer_->close();
        loop_.advance(std::chrono::minutes(10));
        fuzz::require(channel_->closed() && loop_.channels().empty(), "a channel is stuck");
        const auto reason = channel_->close_reason();
        fuzz::require(reason != close_reason::open && reason != close_reason::callback_error &&
                          reason != close_reason::system_error,
                      to_string(reason));
    }

    fuzz::input input_;
    account books_;
    SSL* ssl_ = nullptr;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
    std::size_t received_ = 0; // of what was pushed
    bool has_finished_ = false;
    asynchat::testing::loop loop_;
    std::shared_ptr<channel> channel_;
    std::optional<asynchat::testing::peer> peer_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    make_random_numbers_known();
    world(data, size).run();
    ERR_clear_error();
    return 0;
}
