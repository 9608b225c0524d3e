// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <asynchat/testing.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using asynchat::close_reason;
using namespace support;

// What a peer, or a program, may do that is allowed, and that nobody expects.

namespace {

/// A ticket in several records of 512 bytes; returns its bytes, not sent.
std::string long_ticket(openssl_peer& peer)
{
    SSL_set_max_send_fragment(peer.ssl.get(), 512);
    const std::string much(1500, 'x');
    REQUIRE(SSL_SESSION_set1_ticket_appdata(SSL_get_session(peer.ssl.get()), much.data(),
                                            much.size()) == 1);
    REQUIRE(SSL_new_session_ticket(peer.ssl.get()) == 1);
    REQUIRE(SSL_do_handshake(peer.ssl.get()) == 1);
    auto bytes = peer.output();
    REQUIRE(bytes.size() > 1500);
    return bytes;
}

} // namespace

TEST_CASE("tls: a client that asks for small records gets all data", "[tls]")
{
    openssl_client<recorder> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    SSL_set_tlsext_max_fragment_length(test.peer->ssl.get(), TLSEXT_max_fragment_length_512);
    REQUIRE(test.peer->handshake());
    std::string data;
    for (int i = 0; data.size() < 10000; ++i)
        data += std::to_string(i) + " ";
    test.channel->push(data);
    const auto got = test.peer->received();
    CHECK(got.size() == data.size());
    CHECK((got == data));
}

TEST_CASE("tls: output while a message of the handshake has come in part", "[tls]")
{
    openssl_server test(TLS1_3_VERSION);
    REQUIRE(test.peer->handshake());
    test.loop.settle();
    const auto ticket = long_ticket(*test.peer);
    test.peer->send_raw(ticket.substr(0, 700)); // one record, and a part of the next
    test.loop.settle();
    CHECK_FALSE(test.channel->closed());
    test.channel->push("hello\n");
    test.loop.settle();
    test.peer->send_raw(ticket.substr(700));
    test.loop.settle();
    CHECK(test.peer->received() == "hello\n");
    CHECK_FALSE(test.channel->closed());
    CHECK(test.channel->close_text() == "");
}

TEST_CASE("tls: close_when_done() while a message of the handshake has come in part", "[tls]")
{
    openssl_server test(TLS1_3_VERSION);
    REQUIRE(test.peer->handshake());
    test.loop.settle();
    const auto ticket = long_ticket(*test.peer);
    test.peer->send_raw(ticket.substr(0, 700));
    test.loop.settle();
    test.channel->close_when_done();
    test.loop.settle();
    test.peer->send_raw(ticket.substr(700));
    test.peer->received();
    CHECK(test.peer->connection.ended());
    CHECK(test.peer->got_close_notify());
}

TEST_CASE("tls: a peer that asks for new keys and does not read is ended", "[tls]")
{
    const std::size_t taken =
        GENERATE(std::size_t{0}, std::size_t{20}); // bytes that it reads each time
    openssl_client<recorder> test(TLS1_3_VERSION);
    REQUIRE(test.peer->handshake());
    test.loop.settle();
    test.peer->received();
    test.peer->connection.window(taken);
    for (int i = 0; i < 40000 && !test.channel->closed(); ++i) {
        SSL_key_update(test.peer->ssl.get(), SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(test.peer->ssl.get());
        SSL_write(test.peer->ssl.get(), "\n", 1);
        test.peer->connection.send(test.peer->output());
        test.loop.settle();
        if (taken > 0)
            test.peer->connection.received(taken);
    }
    CHECK(test.channel->close_reason() == close_reason::tls_error);
    CHECK(test.channel->close_text() ==
          "tls error: the peer does not read the answers that it asks for");
}

TEST_CASE("tls: close_notify in the handshake", "[tls][handshake]")
{
    openssl_server test(0);
    test.peer->connection.received();
    test.peer->connection.send(std::string("\x15\x03\x03\x00\x02\x01\x00", 7));
    test.loop.settle();
    CHECK(test.channel->close_reason() == close_reason::tls_error);
    CHECK(test.channel->close_text() ==
          "tls error: connect to 127.0.0.1:443: the peer ended the stream in the handshake");
}

TEST_CASE("tls: names that could match more than one host", "[tls][verify]")
{
    const auto name =
        GENERATE(std::string(".example"), std::string("a.example\0.evil.example", 23));
    both<> test(server_context(), client_context(), name); // the certificate is for a.example
    test.loop.settle();
    CHECK(test.client->events != strings{"handshake", "open", "connect"});
    CHECK(test.client->closed());
}

TEST_CASE("tls: errors that others leave in OpenSSL's queue are not ours, and ours stay here",
          "[tls]")
{
    openssl_client<> test;
    REQUIRE(test.peer->handshake());
    SSL_write(test.peer->ssl.get(), "one\n", 4);
    std::string record = test.peer->output();
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    test.peer->send_raw(record);
    test.loop.settle();
    CHECK(test.channel->events.back() == "found");
    CHECK(ERR_peek_error() == 0);
    SSL_write(test.peer->ssl.get(), "two\n", 4);
    record = test.peer->output();
    record.back() = static_cast<char>(record.back() ^ 1);
    test.peer->send_raw(record);
    test.loop.settle();
    CHECK(test.channel->close_reason() == close_reason::tls_error);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("tls: a name that OpenSSL refuses is named, and leaves no error in its queue", "[tls]")
{
    const std::string name(300, 'a');
    both<> test(server_context(), client_context(), name);
    test.loop.settle();
    CHECK(test.client->close_text().find("is no name of a host") != std::string::npos);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("tls: what another thread changes during reload() stays", "[tls][context]")
{
    asynchat::testing::certificate_request what;
    what.hosts = {"localhost"};
    what.password = "secret";
    const auto shown = ca().issue("localhost", what);
    auto context = tls::context::for_server();
    bool again = false;
    context.load_cert_chain(pem{shown.certificate}, pem{shown.key}, [&, again_ = &again] {
        if (*again_) { // as another thread would
            context.load_verify_locations(pem{ca().certificate()});
            context.verify_mode(tls::verify::required);
        }
        return std::string("secret");
    });
    again = true;
    context.reload();
    again = false;
    both<> test(context); // the client has no certificate
    test.loop.settle();
    CHECK(test.client->closed());
}

TEST_CASE("tls: close_notify of a client behind its hello", "[tls][handshake]")
{
    openssl_client<recorder> test(TLS1_2_VERSION);
    SSL_do_handshake(test.peer->ssl.get());
    test.peer->move();
    test.peer->connection.send(std::string("\x15\x03\x03\x00\x02\x01\x00", 7));
    test.loop.settle();
    CHECK(test.channel->close_reason() == close_reason::tls_error);
    CHECK(test.channel->close_text() == "tls error: the peer ended the stream in the handshake");
}

// --- handshakes in a row -------------------------------------------------------------------------

namespace {

/// Puts TLS into TLS.
class twice : public recorder {
public:
    using recorder::recorder;
    tls::context again = tls::context::for_client();
    int left = 1;
    void handle_handshake() override
    {
        recorder::handle_handshake();
        if (left-- > 0)
            start_tls(*this, again, "localhost");
    }
};

class server_twice : public twice {
public:
    server_twice(asynchat::loop& owner, asynchat::socket from) : twice(owner, std::move(from))
    {
        again = server_context();
    }
};

} // namespace

TEST_CASE("tls: a layer that is added in handle_handshake() has its handshake before the rest",
          "[tls][handshake]")
{
    asynchat::testing::loop loop;
    const auto server = loop.create<asynchat::server<server_twice>>(there).lock();
    use_tls(*server, server_context());
    const auto client = loop.create<twice>().lock();
    client->again = client_context();
    start_tls(*client, client_context(), "localhost");
    client->connect(there);
    loop.settle();
    CHECK(client->events == strings{"handshake", "handshake", "open", "connect"});
    int found = 0;
    for (const auto& each : loop.channels()) {
        if (const auto accepted = std::dynamic_pointer_cast<server_twice>(each)) {
            ++found;
            CHECK(accepted->events == strings{"handshake", "handshake", "open"});
        }
    }
    CHECK(found == 1);
}
