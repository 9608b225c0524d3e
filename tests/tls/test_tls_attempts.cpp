// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using asynchat::close_reason;
using namespace support;

// Another connect() after a handshake has failed.

namespace {

/// Connects once more when an attempt has failed.
class stubborn : public recorder {
public:
    using recorder::recorder;
    int left = 1;
    std::function<void()> before; // the next attempt
    void handle_error() override
    {
        note("error");
        if (left-- == 0)
            return recorder::handle_error();
        if (before)
            before();
        connect(there);
    }
};

struct two_attempts {
    two_attempts() : listener(loop.listen(there)), client(loop.create<stubborn>().lock())
    {
        start_tls(*client, context, "localhost");
        client->connect(there);
        client->push("the secret\n");
        loop.settle();
    }
    /// Somebody who does not speak TLS answers the first one.
    void fail()
    {
        auto peer = listener.accept();
        peer.received();
        peer.send("no TLS here\r\n");
        loop.settle();
    }
    tls::context context = client_context();
    asynchat::testing::loop loop;
    asynchat::testing::listener listener;
    std::shared_ptr<stubborn> client;
};

} // namespace

TEST_CASE("tls: another connect() after a failed handshake is protected too", "[tls][handshake]")
{
    two_attempts test;
    test.client->left = 3;
    for (int i = 0; i < 3; ++i)
        test.fail();
    openssl_peer peer(openssl_peer::side::server, test.listener.accept());
    REQUIRE(peer.handshake());
    CHECK(std::string(SSL_get_servername(peer.ssl.get(), TLSEXT_NAMETYPE_host_name)) ==
          "localhost");
    CHECK(peer.received() == "the secret\n");
    CHECK(test.client->events ==
          strings{"error", "error", "error", "handshake", "open", "connect"});
}

TEST_CASE("tls: another attempt checks the certificate, and has its own time", "[tls][handshake]")
{
    two_attempts test;
    SECTION("the certificate")
    {
        test.context.load_crls(pem{ca().revoke({usual_certificate().certificate})});
        test.fail(); // what changed in the context holds for the next attempt
        openssl_peer peer(openssl_peer::side::server, test.listener.accept());
        peer.handshake();
        CHECK(peer.received().empty());
        CHECK(test.client->close_text() == "tls error: connect to 127.0.0.1:443: certificate of "
                                           "'CN=localhost' is revoked");
    }
    SECTION("the time")
    {
        test.loop.advance(std::chrono::seconds(20));
        test.fail();
        CHECK(test.listener.waiting() == 1);
        test.loop.advance(std::chrono::seconds(29));
        CHECK_FALSE(test.client->closed());
        test.loop.advance(std::chrono::seconds(2));
        CHECK(test.client->close_reason() == close_reason::handshake_timeout);
    }
    CHECK(test.client->closed());
}

TEST_CASE("tls: another attempt may have other options, or be for another host", "[tls][handshake]")
{
    SECTION("options")
    {
        two_attempts test;
        test.client->before = [&] { start_tls(*test.client, test.context, "a.example"); };
        test.fail();
        openssl_peer peer(openssl_peer::side::server, test.listener.accept());
        REQUIRE(peer.handshake());
        CHECK(tls::connection(*test.client).server_hostname() == "a.example");
    }
    SECTION("a host")
    {
        class mover : public recorder {
        public:
            using recorder::recorder;
            void handle_error() override { connect("a.example", 443); }
        };
        asynchat::testing::loop loop;
        auto first = loop.listen(asynchat::endpoint::named("localhost", "443"));
        auto second = loop.listen(asynchat::endpoint::named("a.example", "443"));
        const auto client = loop.create<mover>().lock();
        start_tls(*client, client_context());
        client->connect("localhost", 443);
        auto refused = first.accept();
        refused.received();
        refused.send("no TLS here\r\n");
        openssl_peer peer(openssl_peer::side::server, second.accept());
        REQUIRE(peer.handshake());
        CHECK(tls::connection(*client).server_hostname() == "a.example");
    }
}

TEST_CASE("tls: an attempt that takes the place of another is protected too", "[tls][handshake]")
{
    two_attempts test; // the handshake is under way
    REQUIRE(test.listener.waiting() == 1);
    test.listener.accept().received();
    SECTION("connect()") {}
    SECTION("create_socket()")
    {
        test.client->create_socket();
    }
    SECTION("discard_buffers() of what came before")
    {
        test.client->discard_buffers();
        test.client->push("the secret\n");
    }
    test.client->connect(there);
    openssl_peer peer(openssl_peer::side::server, test.listener.accept());
    REQUIRE(peer.handshake());
    CHECK(peer.received() == "the secret\n");
    CHECK(test.client->events == strings{"handshake", "open", "connect"});
}

TEST_CASE("tls: a client that goes to another server after the handshake is protected there",
          "[tls][handshake]")
{
    class picky : public recorder {
    public:
        using recorder::recorder;
        bool refuses = true;
        void handle_handshake() override
        {
            recorder::handle_handshake();
            if (std::exchange(refuses, false))
                connect(there);
        }
    };
    asynchat::testing::loop loop;
    auto listener = loop.listen(there);
    const auto client = loop.create<picky>().lock();
    start_tls(*client, client_context(), "localhost");
    client->connect(there);
    client->push("the secret\n");
    openssl_peer first(openssl_peer::side::server, listener.accept());
    first.handshake();
    CHECK(first.received().empty());
    openssl_peer second(openssl_peer::side::server, listener.accept());
    REQUIRE(second.handshake());
    CHECK(second.received() == "the secret\n");
    CHECK(client->events == strings{"handshake", "handshake", "open", "connect"});
}

TEST_CASE("tls: a connection that is left in its handshake leaves its output behind",
          "[tls][handshake]")
{
    asynchat::testing::loop loop;
    auto listener = loop.listen(there);
    const auto client = loop.create<recorder>().lock();
    client->connect(there);
    auto first = listener.accept();
    start_tls(*client, client_context(), "localhost");
    client->push("the secret\n");
    loop.settle();
    client->connect(there); // without TLS
    auto second = listener.accept();
    CHECK(second.received().empty());
    client->push("hello\n");
    CHECK(second.received() == "hello\n");
}

TEST_CASE("tls: discard_buffers() before the connection leaves TLS where it is", "[tls][handshake]")
{
    const bool has_socket = GENERATE(false, true);
    asynchat::testing::loop loop;
    auto listener = loop.listen(there);
    const auto client = loop.create<recorder>().lock();
    start_tls(*client, client_context(), "localhost");
    if (has_socket)
        client->create_socket();
    else
        client->connect(there);
    client->discard_buffers();
    if (has_socket)
        client->connect(there);
    client->push("the secret\n");
    openssl_peer peer(openssl_peer::side::server, listener.accept());
    REQUIRE(peer.handshake());
    CHECK(peer.received() == "the secret\n");
}

TEST_CASE("tls: handle_connect() waits for TLS that handle_open() has started", "[tls][handshake]")
{
    class opener : public recorder {
    public:
        opener(asynchat::loop& owner, std::string name) : recorder(owner), name_(std::move(name)) {}
        void handle_open() override
        {
            recorder::handle_open();
            start_tls(*this, client_context(), name_);
        }
        void handle_connect() override
        {
            recorder::handle_connect();
            push(std::string(tls::connection(*this).version()) + "\n");
        }
        void handle_error() override
        {
            note("error");
            if (std::exchange(again, false))
                return connect(there);
            recorder::handle_error();
        }
        bool again = false;

    private:
        std::string name_;
    };
    asynchat::testing::loop loop;
    auto listener = loop.listen(there);
    SECTION("and comes once")
    {
        const auto client = loop.create<opener>("localhost").lock();
        client->connect(there);
        openssl_peer peer(openssl_peer::side::server, listener.accept());
        REQUIRE(peer.handshake());
        CHECK(peer.received() == "TLSv1.3\n");
        CHECK(client->connected());
        CHECK(client->events == strings{"open", "handshake", "connect"});
    }
    SECTION("or does not come")
    {
        const auto client = loop.create<opener>("b.example").lock();
        client->connect(there);
        openssl_peer peer(openssl_peer::side::server, listener.accept());
        peer.handshake();
        CHECK(peer.received().empty());
        CHECK(client->events.at(1) == "error");
        CHECK(client->closed());
    }
    SECTION("and another attempt has no TLS twice")
    {
        const auto client = loop.create<opener>("b.example").lock();
        client->again = true;
        client->connect(there);
        openssl_peer peer(openssl_peer::side::server, listener.accept());
        peer.handshake();
        loop.settle();
        CHECK(client->events.at(1) == "error");
        CHECK(client->events.at(2) == "error"); // as nobody has added it before connect()
        CHECK(client->closed());
    }
}

TEST_CASE("tls: several layers are not renewed, and nothing goes out in the clear",
          "[tls][handshake]")
{
    struct unchanged : asynchat::transport_layer {};
    asynchat::testing::loop loop;
    auto listener = loop.listen(there);
    const auto client = loop.create<stubborn>().lock();
    client->add_layer(std::make_unique<unchanged>());
    start_tls(*client, client_context(), "localhost");
    client->connect(there);
    client->push("the secret\n");
    loop.settle();
    auto first = listener.accept();
    first.received();
    first.send("no TLS here\r\n");
    loop.settle();
    REQUIRE(listener.waiting() == 1);
    auto second = listener.accept();
    CHECK(second.received().empty());
    CHECK(second.ended());
    CHECK(client->closed());
    CHECK(client->close_text().find("add the layer again before connect()") != std::string::npos);
}

TEST_CASE("tls: urgent data is refused, because it would not be protected", "[tls]")
{
    const std::string text = "asynchat: urgent data over TLS: it would not be protected";
    asynchat::testing::loop loop;
    const auto channel = loop.create<recorder>().lock();
    SECTION("before connect()")
    {
        start_tls(*channel, client_context(), "localhost");
        CHECK_THROWS_AS(channel->watch_urgent_data(), std::logic_error);
        CHECK_THROWS_WITH(channel->watch_urgent_data(), text);
        channel->watch_urgent_data(false);
    }
    SECTION("when it is watched already")
    {
        channel->watch_urgent_data();
        CHECK_THROWS_WITH(start_tls(*channel, client_context(), "localhost"), text);
        channel->watch_urgent_data(false);
        start_tls(*channel, client_context(), "localhost");
    }
    SECTION("on a connection")
    {
        both<> pair;
        pair.loop.settle();
        CHECK_THROWS_WITH(pair.client->watch_urgent_data(), text);
        CHECK_THROWS_WITH(pair.accepted()->watch_urgent_data(), text);
        pair.client->push("hello\n");
        pair.loop.settle();
        CHECK(pair.client->events.back() == "found");
    }
}
