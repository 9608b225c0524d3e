// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <chrono>
#include <functional>
#include <stdexcept>

using asynchat::close_reason;
using namespace support;
using std::chrono::seconds;

// The time before a connection is there: silence, nonsense, and what callbacks may do.

TEST_CASE("tls: a client that says nothing is closed in time", "[tls][handshake]")
{
    openssl_client<> test;
    SECTION("nothing at all") {}
    SECTION("half of its first words")
    {
        SSL_do_handshake(test.peer->ssl.get());
        test.peer->connection.send(test.peer->output().substr(0, 100));
    }
    SECTION("a byte a second, which wins no time")
    {
        SSL_do_handshake(test.peer->ssl.get());
        const std::string hello = test.peer->output();
        for (std::size_t i = 0; i < 9; ++i) {
            test.peer->connection.send(hello.substr(i, 1));
            test.loop.advance(seconds(1));
        }
        test.loop.advance(seconds(2));
    }
    SECTION("our side waits for it to read")
    {
        test.peer->connection.window(10);
        SSL_do_handshake(test.peer->ssl.get());
        test.peer->connection.send(test.peer->output());
    }
    test.loop.settle();
    if (!test.channel->closed())
        test.loop.advance(std::chrono::milliseconds(9900));
    CHECK(test.channel->closed() == (test.loop.now() > asynchat::loop::time_point(seconds(86410))));
    test.loop.advance(seconds(1));
    CHECK(test.channel->close_reason() == close_reason::handshake_timeout);
    CHECK(test.channel->events == strings{"close handshake timeout"});
    CHECK(test.server->counters().closes(close_reason::handshake_timeout) == 1);
}

TEST_CASE("tls: a server that says nothing is given up, as for every failure to connect",
          "[tls][handshake]")
{
    openssl_server test;
    test.channel->push("secret\n");
    test.loop.advance(seconds(29));
    CHECK_FALSE(test.channel->closed());
    CHECK(test.channel->connecting());
    test.loop.advance(seconds(2));
    CHECK(test.channel->close_reason() == close_reason::handshake_timeout);
    CHECK(test.channel->events ==
          strings{"error asynchat: connect to 127.0.0.1:443: the handshake was not complete within "
                  "30 s, the limit of handshake_timeout()",
                  "close handshake timeout"});
    CHECK(test.peer->connection.received().find("secret") == std::string::npos);
}

TEST_CASE("tls: handshake_timeout() may be changed, also while it runs", "[tls][handshake]")
{
    openssl_client<> test;
    CHECK(test.channel->handshake_timeout() == seconds(10));
    CHECK(test.loop.create<recorder>().lock()->handshake_timeout() == seconds(30));
    test.channel->handshake_timeout(seconds(3));
    test.loop.advance(seconds(2));
    CHECK_FALSE(test.channel->closed());
    test.loop.advance(seconds(2));
    CHECK(test.channel->close_reason() == close_reason::handshake_timeout);
    CHECK_THROWS_AS(test.channel->handshake_timeout(seconds(-1)), std::invalid_argument);
}

TEST_CASE("tls: after the handshake its clock stands", "[tls][handshake]")
{
    both<> pair;
    pair.loop.settle();
    pair.loop.advance(std::chrono::hours(1));
    CHECK(pair.client->connected());
    CHECK(pair.accepted()->connected());
}

TEST_CASE("tls: handle_handshake() of a client may take longer than a handshake may",
          "[tls][handshake][nested]")
{
    class patient : public recorder {
    public:
        using recorder::recorder;
        void handle_handshake() override
        {
            note("handshake");
            wait();
            note("an hour later");
        }
        std::function<void()> wait;
    };
    asynchat::testing::loop loop;
    const auto server = loop.create<asynchat::server<echo>>(there).lock();
    use_tls(*server, server_context());
    const auto client = loop.create<patient>().lock();
    client->wait = [&] {
        loop.call_later(std::chrono::hours(1), [&] { loop.stop(); });
        loop.run();
    };
    start_tls(*client, client_context(), "localhost");
    client->connect(there);
    loop.settle();
    CHECK(client->events == strings{"handshake", "an hour later", "open", "connect"});
    CHECK(client->connected());
}

TEST_CASE("tls: what is not TLS is told in one line", "[tls][handshake]")
{
    openssl_client<> test;
    std::string expected;
    SECTION("HTTP")
    {
        test.peer->connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expected = "the peer spoke plain HTTP";
    }
    SECTION("nonsense")
    {
        test.peer->connection.send("what is this, please?");
        expected = "the peer does not speak TLS";
    }
    SECTION("the end")
    {
        test.peer->connection.finish();
        expected = "the peer ended the stream in the handshake";
    }
    SECTION("too long")
    {
        test.peer->connection.send(std::string{0x16, 3, 1, 0, 4, 1, 3, 0, 0}); // 192 KiB
        expected = "excessive message size";
    }
    SECTION("an alert")
    {
        SSL_do_handshake(test.peer->ssl.get());
        test.peer->send_raw(test.peer->output());
        test.loop.settle();
        test.peer->connection.send(std::string{0x15, 3, 3, 0, 2, 2, 40});
        expected = "the peer refused: handshake failure";
    }
    SECTION("SSL 3")
    {
        openssl_peer old(openssl_peer::side::client, std::move(test.peer->connection),
                         TLS1_1_VERSION);
        SSL_set_security_level(old.ssl.get(), 0);
        old.handshake();
        expected = "the peer offers no version of TLS that is allowed";
    }
    test.loop.settle();
    CHECK(test.channel->close_text() == "tls error: " + expected);
    CHECK(test.channel->events == strings{"close tls error"});
    REQUIRE(test.channel->logs.size() == 1);
    CHECK(test.channel->logs[0].find("info: closing channel ") == 0);
    CHECK(test.channel->logs[0].find(expected) != std::string::npos);
}

TEST_CASE("tls: a reset in the handshake is one", "[tls][handshake]")
{
    openssl_client<> test;
    test.peer->connection.send("\x16");
    test.loop.settle();
    test.peer->connection.reset();
    test.loop.settle();
    CHECK(test.channel->close_reason() == close_reason::reset);
}

TEST_CASE("tls: no shared cipher", "[tls][handshake]")
{
    openssl_client<> test(TLS1_2_VERSION);
    SSL_set_cipher_list(test.peer->ssl.get(), "AES256-SHA");
    CHECK_FALSE(test.peer->handshake());
    CHECK(test.channel->close_text() == "tls error: no shared cipher");
}

TEST_CASE("tls: no key exchange in finite fields, which costs a server much", "[tls][handshake]")
{
    asynchat::testing::certificate_request what;
    what.hosts = {"localhost"};
    what.rsa = true;
    static const auto rsa = ca().issue("localhost", what);
    const bool is_old = GENERATE(true, false);
    openssl_client<> test(is_old ? TLS1_2_VERSION : TLS1_3_VERSION, server_context(rsa));
    if (is_old)
        SSL_set_cipher_list(test.peer->ssl.get(), "DHE-RSA-AES128-GCM-SHA256");
    else
        REQUIRE(SSL_set1_groups_list(test.peer->ssl.get(), "ffdhe2048") == 1);
    CHECK_FALSE(test.peer->handshake());
    CHECK(test.channel->close_reason() == close_reason::tls_error);
}

TEST_CASE("tls: versions can be limited", "[tls][handshake]")
{
    auto context = server_context();
    auto other = client_context();
    SECTION("to the old one, by either side")
    {
        (GENERATE(true, false) ? context : other).maximum_version(tls::version::tls1_2);
        both<> pair(context, other);
        pair.loop.settle();
        CHECK(tls::connection(*pair.client).version() == "TLSv1.2");
        CHECK(tls::connection(*pair.client).cipher().substr(0, 6) == "ECDHE-");
    }
    SECTION("to the new one")
    {
        context.minimum_version(tls::version::tls1_3);
        other.maximum_version(tls::version::tls1_2);
        both<> pair(context, other);
        pair.loop.settle();
        CHECK(pair.client->close_text() == "tls error: connect to 127.0.0.1:443: the peer "
                                           "refused: protocol version");
    }
}

// --- callbacks -----------------------------------------------------------------------------------

TEST_CASE("tls: output waits for the handshake, also its end", "[tls][handshake]")
{
    both<> pair;
    pair.client->push("one\n");
    SECTION("push_eof")
    {
        pair.client->push_eof();
        pair.loop.settle();
        CHECK(pair.client->events == strings{"handshake", "open", "connect", "collect one", "found",
                                             "eof", "close peer finished"});
    }
    SECTION("close_when_done")
    {
        pair.client->close_when_done();
        pair.loop.settle();
        CHECK(pair.client->close_reason() == close_reason::local);
    }
    CHECK(pair.server->counters().frames == 1);
    CHECK(pair.server->counters().closes(close_reason::peer_finished) == 1);
}

namespace {

struct refusal : std::runtime_error {
    refusal() : std::runtime_error("refused") {}
};

/// Does something in handle_handshake().
class acting : public recorder {
public:
    using recorder::recorder;
    void handle_handshake() override
    {
        note("handshake");
        if (what == "close")
            close();
        if (what == "throw")
            throw refusal();
        if (what == "exit")
            throw asynchat::exit_now();
        if (what == "push")
            push("welcome\n");
        if (what == "run")
            owner().poll();
    }
    static inline std::string what;
};

} // namespace

TEST_CASE("tls: everything is allowed in handle_handshake()", "[tls][handshake]")
{
    acting::what = GENERATE("close", "throw", "exit", "push", "run");
    INFO(acting::what);
    both<acting> pair;
    pair.client->push("hello\n");
    if (acting::what == "exit") {
        CHECK_THROWS_AS(pair.loop.settle(), asynchat::exit_now);
    }
    pair.loop.settle();
    const auto server = pair.accepted();
    if (acting::what == "close" || acting::what == "throw") {
        CHECK_FALSE(server);
        CHECK(pair.client->closed());
        CHECK(pair.server->counters().frames == 0);
        return;
    }
    REQUIRE(server);
    CHECK(server->events == strings{"handshake", "open", "collect hello", "found"});
    if (acting::what == "push")
        CHECK(pair.client->events.at(3) == "collect welcome");
}

TEST_CASE("tls: a client connects again, and is protected again", "[tls][handshake]")
{
    class stubborn : public recorder {
    public:
        stubborn(asynchat::loop& owner, tls::context context)
            : recorder(owner), context_(std::move(context))
        {
            begin("b.example");
        }
        void handle_error() override
        {
            note("again");
            begin("localhost");
        }

    private:
        void begin(const char* name)
        {
            start_tls(*this, context_, name);
            connect(there);
        }
        tls::context context_;
    };
    asynchat::testing::loop loop;
    const auto server = loop.create<asynchat::server<echo>>(there).lock();
    use_tls(*server, server_context());
    const bool is_refused = GENERATE(true, false); // or its certificate is for another name
    if (is_refused)
        loop.fail(1, ECONNREFUSED, asynchat::testing::operation::connect);
    const auto client = loop.create<stubborn>(client_context()).lock();
    client->push("hello\n");
    loop.settle();
    CHECK(client->events ==
          strings{"again", "handshake", "open", "connect", "collect hello", "found"});
    CHECK(tls::connection(*client).server_hostname() == "localhost");
}
