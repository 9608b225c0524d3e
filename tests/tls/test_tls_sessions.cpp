// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <asynchat/detail/tls/ticket_keys.hpp>
#include <asynchat/detail/tls/tls_layer.hpp>

#include <chrono>

using namespace support;

// Short handshakes: when a session is resumed, and when it must not be.

namespace {

struct result {
    bool resumed;
    tls::session session;
    std::string subject; // of the client, as the server sees it
};

/// One connection, which asks for `name`.
result visit(const tls::context& server, const tls::context& client, const tls::session& earlier,
             const std::string& name = "localhost")
{
    tls::start_options options(name);
    options.session = earlier;
    both<> pair(server, client, options);
    pair.client->push("hello\n");
    pair.loop.settle();
    REQUIRE(pair.client->connected());
    REQUIRE(pair.client->events.back() == "found");
    const tls::connection tls(*pair.client);
    const tls::connection other(*pair.accepted());
    CHECK(tls.session_reused() == other.session_reused());
    CHECK_FALSE(tls.getpeercert().empty()); // also when it was not sent again
    return {tls.session_reused(), tls.session(), other.getpeercert().subject};
}

/// The size of a client's first bytes. They are larger with a session, which has a ticket.
std::size_t hello_size(const tls::context& client, const std::string& name,
                       const tls::session& earlier)
{
    tls::start_options options(name);
    options.session = earlier;
    asynchat::testing::loop loop;
    auto listener = loop.listen(there);
    const auto channel = loop.create<recorder>().lock();
    start_tls(*channel, client, options);
    channel->connect(there);
    loop.settle();
    return listener.accept().received().size();
}

tls::context client_of(tls::version newest)
{
    auto context = client_context();
    context.maximum_version(newest);
    return context;
}

} // namespace

TEST_CASE("tls: a session is resumed, again and again", "[tls][sessions]")
{
    const auto server = server_context();
    const auto client = client_of(GENERATE(tls::version::tls1_2, tls::version::tls1_3));
    auto last = visit(server, client, {});
    CHECK_FALSE(last.resumed);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(last.session);
        last = visit(server, client, last.session);
        CHECK(last.resumed);
    }
}

TEST_CASE("tls: the certificate of a client is known in a resumed session", "[tls][sessions]")
{
    auto server = server_context();
    server.load_verify_locations(pem{ca().certificate()});
    server.verify_mode(tls::verify::required);
    auto client = client_of(GENERATE(tls::version::tls1_2, tls::version::tls1_3));
    const auto own = ca().issue("alice");
    client.load_cert_chain(pem{own.certificate}, pem{own.key});
    const auto first = visit(server, client, {});
    CHECK(first.subject == "CN=alice");
    const auto second = visit(server, client, first.session);
    CHECK(second.resumed);
    CHECK(second.subject == "CN=alice");
}

TEST_CASE("tls: a session is not resumed elsewhere", "[tls][sessions]")
{
    auto server = server_context();
    const auto client = client_of(GENERATE(tls::version::tls1_2, tls::version::tls1_3));
    const auto first = visit(server, client, {});
    REQUIRE(first.session);
    SECTION("the client does not offer it to another name")
    {
        CHECK_FALSE(visit(server, client, first.session, "a.example").resumed);
        const auto plain = hello_size(client, "a.example", {});
        CHECK(hello_size(client, "a.example", first.session) == plain);
        CHECK(hello_size(client, "localhost", first.session) > plain);
    }
    SECTION("nor from another context")
    {
        CHECK_FALSE(visit(server, client_context(), first.session).resumed);
    }
    SECTION("another context of a server does not know it")
    {
        CHECK_FALSE(visit(server_context(), client, first.session).resumed);
    }
}

TEST_CASE("tls: a server refuses a session that was made for another name", "[tls][sessions]")
{
    const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    const auto context = server_context();
    SSL_SESSION* made = nullptr;
    const std::string second = GENERATE("a.example", "localhost", "");
    for (const std::string& name : {std::string("localhost"), second}) {
        openssl_client<> test(version, context);
        if (made)
            SSL_set_session(test.peer->ssl.get(), made);
        if (!name.empty())
            test.peer->ask_for(name);
        REQUIRE(test.peer->handshake());
        test.peer->send("hello\n");
        CHECK(test.peer->received() == "hello\n");
        if (made) {
            CHECK((SSL_session_reused(test.peer->ssl.get()) == 1) == (name == "localhost"));
            SSL_SESSION_free(made);
        } else {
            made = SSL_get1_session(test.peer->ssl.get());
            test.peer->close_notify(); // or OpenSSL does not use it again
        }
    }
}

TEST_CASE("tls: a reload does not end sessions, unless it changes whom to trust", "[tls][sessions]")
{
    auto server = server_context();
    const auto client = client_of(GENERATE(tls::version::tls1_2, tls::version::tls1_3));
    const auto first = visit(server, client, {});
    SECTION("the same again")
    {
        server.reload();
        CHECK(visit(server, client, first.session).resumed);
    }
    SECTION("another certificate")
    {
        const auto shown = certificate_for({"localhost"});
        server.load_cert_chain(pem{shown.certificate}, pem{shown.key});
        CHECK(visit(server, client, first.session).resumed);
    }
    SECTION("other authorities for clients")
    {
        server.load_verify_locations(pem{ca().certificate()});
        server.verify_mode(tls::verify::optional);
        CHECK_FALSE(visit(server, client, first.session).resumed);
    }
    SECTION("another authority for the server")
    {
        auto changed = client;
        changed.load_verify_locations(pem{asynchat::testing::authority("other").certificate()});
        CHECK_FALSE(visit(server, changed, first.session).resumed);
    }
    SECTION("another certificate of the client")
    {
        auto changed = client;
        const auto own = ca().issue("alice");
        changed.load_cert_chain(pem{own.certificate}, pem{own.key});
        CHECK_FALSE(visit(server, changed, first.session).resumed);
    }
}

TEST_CASE("tls: keys of tickets change twice a day, and the last one still counts",
          "[tls][sessions]")
{
    using keys_type = asynchat::detail::tls_ticket_keys;
    using std::chrono::hours;
    keys_type keys;
    const auto start = keys_type::time_point(hours(1000));
    const auto first = keys.current(start);
    CHECK(keys.current(start + hours(11)).name == first.name);
    CHECK(keys.is_current(first));
    const auto second = keys.current(start + hours(12));
    CHECK(second.name != first.name);
    CHECK(second.secret != first.secret);
    CHECK(second.mac_secret != first.mac_secret);
    CHECK_FALSE(keys.is_current(first));
    CHECK(keys.find(first.name.data(), start + hours(23)));
    CHECK_FALSE(keys.find(first.name.data(), start + hours(24)));
    CHECK(keys.find(second.name.data(), start + hours(24)));
    CHECK_FALSE(keys.find(second.name.data(), start + hours(36)));
    CHECK(keys.current(start + hours(36)).name != second.name);
    const unsigned char unknown[16] = {};
    CHECK_FALSE(keys.find(unknown, start));
}

TEST_CASE("tls: no early data is offered, and no session is kept", "[tls][sessions]")
{
    openssl_client<> test(TLS1_3_VERSION);
    REQUIRE(test.peer->handshake());
    test.peer->received();
    const auto session = SSL_get0_session(test.peer->ssl.get());
    CHECK(SSL_SESSION_is_resumable(session) == 1);
    CHECK(SSL_SESSION_get_max_early_data(session) == 0);
    const auto* const layer =
        asynchat::detail::channel_access::find_layer<asynchat::detail::tls_layer>(*test.channel);
    REQUIRE(layer);
    SSL_CTX* const inside = SSL_get_SSL_CTX(layer->ssl());
    CHECK(SSL_CTX_get_session_cache_mode(inside) == SSL_SESS_CACHE_OFF);
    CHECK(SSL_CTX_sess_number(inside) == 0);
}
