// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <openssl/hmac.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

using asynchat::close_reason;
using namespace support;

// Records that OpenSSL does not make: a client of TLS 1.3 encrypts them here, one by one.

namespace {

std::string client_secret; // of the last connection

void note_secret(const SSL*, const char* line)
{
    const std::string_view text = line;
    if (text.substr(0, 24) != "CLIENT_TRAFFIC_SECRET_0 ")
        return;
    client_secret.clear();
    const std::string hex(text.substr(text.rfind(' ') + 1));
    for (std::size_t at = 0; at < hex.size(); at += 2)
        client_secret += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
}

/// HKDF-Expand-Label of RFC 8446, 7.1, without a context.
std::string expanded(const std::string& label, char size)
{
    std::string info{0, size, static_cast<char>(6 + label.size())};
    info += "tls13 " + label + std::string(1, '\0') + '\1';
    unsigned char result[EVP_MAX_MD_SIZE];
    HMAC(EVP_sha256(), client_secret.data(), static_cast<int>(client_secret.size()),
         reinterpret_cast<const unsigned char*>(info.data()), info.size(), result, nullptr);
    return std::string(reinterpret_cast<char*>(result), static_cast<std::size_t>(size));
}

enum type : char { alert = 21, handshake = 22, data = 23 };

/// A client at a server's channel, after the handshake.
class crafting_client : public openssl_client<> {
public:
    crafting_client() : openssl_client<>(TLS1_3_VERSION)
    {
        SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(peer->ssl.get()), note_secret);
        SSL_set_ciphersuites(peer->ssl.get(), "TLS_AES_128_GCM_SHA256");
        if (!peer->handshake())
            throw std::runtime_error("no handshake");
        loop.settle();
        peer->received();
        key_ = expanded("key", 16);
        iv_ = expanded("iv", 12);
    }

    /// The next record; `padding` may replace the type too.
    std::string record(std::string_view content, std::string_view type_and_padding)
    {
        std::string plain(content);
        plain += type_and_padding;
        const std::size_t size = plain.size() + 16;
        std::string head{data, 3, 3, static_cast<char>(size >> 8U), static_cast<char>(size)};
        std::string nonce = iv_;
        for (unsigned i = 0; i < 8; ++i)
            nonce[11 - i] = static_cast<char>(static_cast<unsigned char>(nonce[11 - i]) ^
                                              (number_ >> (8 * i) & 255U));
        ++number_;
        return head + encrypted(plain, head, nonce);
    }
    std::string record(std::string_view content, type of = data)
    {
        return record(content, std::string_view(reinterpret_cast<const char*>(&of), 1));
    }

    void send(const std::string& bytes)
    {
        peer->connection.send(bytes);
        loop.settle();
    }

private:
    std::string encrypted(std::string_view plain, std::string_view head, std::string_view nonce)
    {
        const auto bytes = [](std::string_view text) {
            return reinterpret_cast<const unsigned char*>(text.data());
        };
        const asynchat::detail::openssl_ptr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> cipher(
            EVP_CIPHER_CTX_new());
        std::string result(plain.size() + 16, '\0');
        auto* const out = reinterpret_cast<unsigned char*>(result.data());
        int size = 0;
        EVP_EncryptInit_ex(cipher.get(), EVP_aes_128_gcm(), nullptr, bytes(key_), bytes(nonce));
        EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes(head), static_cast<int>(head.size()));
        EVP_EncryptUpdate(cipher.get(), out, &size, bytes(plain), static_cast<int>(plain.size()));
        EVP_EncryptFinal_ex(cipher.get(), out + plain.size(), &size);
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, 16, out + plain.size());
        return result;
    }

    std::string key_;
    std::string iv_;
    std::uint64_t number_ = 0;
};

} // namespace

TEST_CASE("tls: empty records without end are an error", "[tls][records]")
{
    crafting_client test;
    const bool in_one_piece = GENERATE(true, false);
    std::string all;
    int sent = 0;
    for (; sent < 1000 && !test.channel->closed(); ++sent) {
        all = test.record("");
        if (in_one_piece) {
            for (int i = 0; i < 999; ++i)
                all += test.record("");
        }
        test.send(all);
    }
    CHECK(sent <= 33);
    CHECK(test.channel->close_reason() == close_reason::tls_error);
    CHECK(test.channel->close_text() == "tls error: the peer sends empty records without end");
    CHECK(test.channel->events == strings{"handshake", "open", "close tls error"});
}

TEST_CASE("tls: empty records between data are allowed", "[tls][records]")
{
    crafting_client test;
    std::string all;
    for (int i = 0; i < 200; ++i) {
        for (const char* const content : {"", "", "x"})
            all += test.record(content);
    }
    all += test.record("\n");
    test.send(all);
    CHECK(test.peer->received() == std::string(200, 'x') + "\n");
}

TEST_CASE("tls: records of one byte, with and without much padding", "[tls][records]")
{
    crafting_client test;
    std::string text;
    for (int i = 0; i < 500; ++i)
        text += std::to_string(i);
    text += "\n";
    std::string all;
    for (const char& byte : text) {
        const std::string padding = all.size() % 7 == 0 ? std::string(1000, '\0') : "";
        all += test.record({&byte, 1}, static_cast<char>(data) + padding);
    }
    const bool in_one_piece = GENERATE(true, false);
    if (in_one_piece)
        test.send(all);
    else
        test.peer->connection.send(all, 1000);
    CHECK(test.peer->received() == text);
}

TEST_CASE("tls: alerts in the middle", "[tls][records]")
{
    crafting_client test;
    std::string expected;
    test.send(test.record("one\n"));
    SECTION("that end the connection, behind the data before them")
    {
        std::string both = test.record("two\n");
        both += test.record("\2\x50", alert);
        test.send(both);
        expected = "tls error: the peer refused: internal error";
        CHECK(test.channel->events.at(test.channel->events.size() - 2) == "found");
    }
    SECTION("a warning, which TLS 1.3 takes for an error")
    {
        test.send(test.record(std::string("\1\x64", 2), alert)); // no renegotiation
        expected = "tls error: the peer refused: no renegotiation";
    }
    SECTION("that the user has canceled, without end")
    {
        for (int i = 0; i < 100 && !test.channel->closed(); ++i)
            test.send(test.record(std::string("\1\x5a", 2), alert));
        expected = "tls error: too many warn alerts";
    }
    SECTION("half of one")
    {
        test.send(test.record("\2", alert));
        expected = "tls error: invalid alert";
    }
    CHECK(test.channel->close_text() == expected);
    CHECK(test.channel->close_reason() == close_reason::tls_error);
}

TEST_CASE("tls: records that mean nothing", "[tls][records]")
{
    crafting_client test;
    SECTION("of padding only")
    {
        test.send(test.record("", std::string(100, '\0')));
    }
    SECTION("of a type that does not exist")
    {
        test.send(test.record("abc", "\x63"));
    }
    SECTION("a change of keys that does not exist")
    {
        test.send(test.record(std::string("\x18\0\0\1\7", 5), handshake));
    }
    SECTION("a message of the handshake that was due before")
    {
        test.send(test.record(std::string("\1\0\0\2ab", 6), handshake));
    }
    SECTION("too long")
    {
        test.send(test.record(std::string(16385, 'x')));
    }
    CHECK(test.channel->close_reason() == close_reason::tls_error);
    CHECK(test.channel->events == strings{"handshake", "open", "close tls error"});
    CHECK(test.peer->connection.received().size() > 7); // the alert
}

TEST_CASE("tls: a ClientHello of 64 KiB", "[tls][records][handshake]")
{
    openssl_client<> test;
    // An extension that nobody knows.
    static const std::string much(60000, 'x');
    const auto add = [](SSL*, unsigned, unsigned, const unsigned char** out, std::size_t* size,
                        X509*, std::size_t, int*, void*) {
        *out = reinterpret_cast<const unsigned char*>(much.data());
        *size = much.size();
        return 1;
    };
    SSL_CTX* const ctx = SSL_get_SSL_CTX(test.peer->ssl.get());
    REQUIRE(SSL_CTX_add_custom_ext(ctx, 65000, SSL_EXT_CLIENT_HELLO, add, nullptr, nullptr, nullptr,
                                   nullptr) == 1);
    SSL* const next = SSL_new(ctx);
    BIO* const in = SSL_get_rbio(test.peer->ssl.get());
    BIO* const out = SSL_get_wbio(test.peer->ssl.get());
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(next, in, out);
    SSL_set_connect_state(next);
    test.peer->ssl.reset(next);
    test.peer->piece = GENERATE(as<std::size_t>(), 100, 5000, 1000000);
    SECTION("is allowed")
    {
        REQUIRE(test.peer->handshake());
        CHECK(test.peer->sent > 60000);
        test.peer->send("hello\n");
        CHECK(test.peer->received() == "hello\n");
    }
    SECTION("half of it is not waited for without end")
    {
        SSL_do_handshake(next);
        const std::string hello = test.peer->output();
        test.peer->send_raw(hello.substr(0, hello.size() / 2));
        test.loop.advance(std::chrono::seconds(11));
        CHECK(test.channel->close_reason() == close_reason::handshake_timeout);
    }
}
