// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <asynchat/detail/tls/tls_state.hpp>

using asynchat::close_reason;
using namespace support;

// Which certificate a server shows, and which protocol is spoken above TLS.

namespace {

/// A server with certificates for several names.
tls::context naming_server()
{
    auto context = server_context();
    const auto add = [&](const std::string& name) {
        const auto shown = certificate_for({name});
        context.add_name(name, pem{shown.certificate}, pem{shown.key});
    };
    add("b.example");
    add("*.c.example");
    return context;
}

} // namespace

TEST_CASE("tls: the name that a client asks for decides the certificate", "[tls][names]")
{
    struct row {
        std::string asked;
        std::string shown; // the common name; empty: not accepted by the client
    };
    const auto [asked, shown] = GENERATE(values<row>({{"b.example", "CN=b.example"},
                                                      {"B.EXAMPLE.", "CN=b.example"},
                                                      {"x.c.example", "CN=*.c.example"},
                                                      {"y.x.c.example", ""},
                                                      {"localhost", "CN=localhost"},
                                                      {"elsewhere", ""}}));
    INFO(asked);
    auto context = client_context();
    context.maximum_version(GENERATE(tls::version::tls1_2, tls::version::tls1_3));
    both<> pair(naming_server(), context, asked);
    pair.client->push("hello\n");
    pair.loop.settle();
    REQUIRE(pair.client->closed() == shown.empty());
    CHECK(tls::connection(*pair.client).getpeercert().subject == shown);
    if (!shown.empty()) {
        CHECK(pair.client->events.back() == "found");
        CHECK(tls::connection(*pair.accepted()).server_hostname().size() >= asked.size() - 1);
    }
}

TEST_CASE("tls: an exact name comes before *., in whichever order they were added", "[tls][names]")
{
    strings names = {"x.c.example", "*.c.example"};
    if (GENERATE(false, true))
        std::swap(names.front(), names.back());
    auto server = server_context();
    for (const std::string& name : names) {
        const auto shown = certificate_for({name});
        server.add_name(name, pem{shown.certificate}, pem{shown.key});
    }
    for (const std::string label : {"x", "y"}) {
        both<> pair(server, client_context(), label + ".c.example");
        pair.loop.settle();
        CHECK(tls::connection(*pair.client).getpeercert().subject ==
              (label == "x" ? "CN=x.c.example" : "CN=*.c.example"));
    }
}

TEST_CASE("tls: unknown names can be refused", "[tls][names]")
{
    auto server = naming_server();
    server.refuse_unknown_names();
    auto context = client_context();
    context.maximum_version(GENERATE(tls::version::tls1_2, tls::version::tls1_3));
    SECTION("localhost is not among them")
    {
        both<> pair(server, context, "localhost");
        pair.loop.settle();
        CHECK(pair.client->close_text() == "tls error: connect to 127.0.0.1:443: the peer "
                                           "refused: unrecognized name");
        CHECK(pair.server->counters().closes(close_reason::tls_error) == 1);
    }
    SECTION("but b.example is")
    {
        both<> pair(server, context, "b.example");
        pair.loop.settle();
        CHECK(pair.client->connected());
    }
    SECTION("no name is no unknown name")
    {
        both<> pair(server, context, "127.0.0.1");
        pair.loop.settle();
        CHECK(pair.client->connected());
    }
}

TEST_CASE("tls: ECDSA and RSA beside each other", "[tls][names]")
{
    asynchat::testing::certificate_request what;
    what.hosts = {"localhost"};
    what.rsa = true;
    static const auto rsa = ca().issue("with RSA", what);
    auto context = server_context();
    const bool has_name = GENERATE(true, false);
    if (has_name) {
        const auto& ecdsa = usual_certificate();
        context.add_name("localhost", pem{ecdsa.certificate}, pem{ecdsa.key});
        context.add_name("localhost", pem{rsa.certificate}, pem{rsa.key});
    } else {
        context.load_cert_chain(pem{rsa.certificate}, pem{rsa.key});
    }
    openssl_client<> test(TLS1_2_VERSION, context);
    if (has_name)
        test.peer->ask_for("localhost");
    const bool can_ecdsa = GENERATE(true, false);
    SSL_set_cipher_list(test.peer->ssl.get(), can_ecdsa ? "ECDHE-ECDSA-AES128-GCM-SHA256"
                                                        : "ECDHE-RSA-AES128-GCM-SHA256");
    REQUIRE(test.peer->handshake());
    const auto name = asynchat::detail::name_text(
        X509_get_subject_name(SSL_get0_peer_certificate(test.peer->ssl.get())));
    CHECK(name == (can_ecdsa ? "CN=localhost" : "CN=with RSA"));
}

TEST_CASE("tls: the server chooses the protocol above, by its own order", "[tls][alpn]")
{
    auto server = server_context();
    server.set_alpn_protocols({"chat/2", "chat/1"});
    auto client = client_context();
    client.maximum_version(GENERATE(tls::version::tls1_2, tls::version::tls1_3));
    SECTION("both know two")
    {
        client.set_alpn_protocols({"chat/1", "chat/2", "chat/3"});
        both<> pair(server, client);
        pair.loop.settle();
        CHECK(tls::connection(*pair.client).selected_alpn_protocol() == "chat/2");
        CHECK(tls::connection(*pair.accepted()).selected_alpn_protocol() == "chat/2");
    }
    SECTION("none in common")
    {
        client.set_alpn_protocols({"chat/3", "chat/"});
        both<> pair(server, client);
        pair.loop.settle();
        CHECK(pair.client->close_text() == "tls error: connect to 127.0.0.1:443: the peer "
                                           "refused: no application protocol");
        CHECK(pair.server->counters().closes(close_reason::tls_error) == 1);
    }
    SECTION("the client offers none")
    {
        both<> pair(server, client);
        pair.loop.settle();
        CHECK(pair.client->connected());
        CHECK(tls::connection(*pair.client).selected_alpn_protocol().empty());
    }
    SECTION("the server has none")
    {
        client.set_alpn_protocols({"chat/1"});
        both<> pair(server_context(), client);
        pair.loop.settle();
        CHECK(pair.client->connected());
        CHECK(tls::connection(*pair.client).selected_alpn_protocol().empty());
    }
}

TEST_CASE("tls: without TLS a connection is empty", "[tls][names]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<recorder>();
    const tls::connection none(*chat);
    CHECK_FALSE(none);
    CHECK(none.version().empty());
    CHECK(none.cipher().empty());
    CHECK(none.selected_alpn_protocol().empty());
    CHECK(none.getpeercert().empty());
    CHECK(none.verify_error().empty());
    CHECK(none.server_hostname().empty());
    CHECK_FALSE(none.session());
    CHECK_FALSE(none.session_reused());
}
