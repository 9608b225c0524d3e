// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <asio/ip/tcp.hpp>

#include <chrono>

#include <unistd.h>

using asynchat::close_reason;
using namespace support;

// TLS under each kind of channel.

TEST_CASE("tls: under a plain dispatcher, which sees nothing of the handshake", "[tls][channels]")
{
    class plain : public asynchat::dispatcher {
    public:
        using dispatcher::dispatcher;
        bool writable() override { return !to_send.empty(); }
        void handle_write() override { to_send.erase(0, send(to_send)); }
        void handle_handshake() override { calls += "handshake "; }
        void handle_open() override { calls += "open "; }
        void handle_read() override
        {
            char piece[4];
            const std::size_t size = recv(asio::buffer(piece));
            calls += size > 0 ? "read " : "nothing ";
            received.append(piece, size);
        }
        void handle_close() override
        {
            calls += std::string(to_string(close_reason()));
            close();
        }
        std::string to_send = "welcome\n";
        std::string received;
        std::string calls;
    };
    openssl_client<plain> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    char byte = 0;
    CHECK(test.channel->recv(asio::buffer(&byte, 1)) == 0);
    CHECK(test.channel->send("too early") == 0);
    CHECK_FALSE(test.channel->closed());
    test.peer->piece = 20;
    REQUIRE(test.peer->handshake());
    CHECK(test.peer->received() == "welcome\n");
    test.peer->piece = 100000;
    test.peer->send("hello, world");
    test.loop.settle();
    CHECK(test.channel->received == "hello, world");
    CHECK(test.channel->calls == "handshake open read read read ");
    test.peer->connection.finish();
    test.loop.settle();
    CHECK(test.channel->closed());
    CHECK(test.channel->close_reason() == close_reason::tls_truncated);
}

TEST_CASE("tls: under a dispatcher_with_send", "[tls][channels]")
{
    class buffered : public asynchat::dispatcher_with_send {
    public:
        buffered(asynchat::loop& owner, asynchat::socket from)
            : dispatcher_with_send(owner, std::move(from))
        {
        }
        void handle_open() override { send("welcome\n"); }
        void handle_read() override
        {
            char piece[100];
            send(std::string_view(piece, recv(asio::buffer(piece))));
        }
    };
    openssl_client<buffered> test;
    test.channel->send("early\n");
    REQUIRE(test.peer->handshake());
    CHECK(test.peer->received() == "early\nwelcome\n");
    test.peer->connection.window(20);
    test.peer->send(std::string(1000, 'x'));
    CHECK(test.peer->received() == std::string(1000, 'x'));
    test.peer->close_notify();
    test.peer->received();
    CHECK(test.peer->got_close_notify());
    CHECK(test.channel->close_reason() == close_reason::peer_finished);
}

TEST_CASE("tls: large frames are received in place", "[tls][channels]")
{
    class frames : public asynchat::frame_chat {
    public:
        frames(asynchat::loop& owner, asynchat::socket peer) : frame_chat(owner, std::move(peer))
        {
            max_frame(200000);
            set_terminator(100000);
        }
        void found_frame(std::string_view frame) override
        {
            found.emplace_back(frame);
            set_terminator(100000);
        }
        strings found;
    };
    openssl_client<frames> test;
    REQUIRE(test.peer->handshake());
    test.peer->piece = GENERATE(std::size_t{777}, std::size_t{20000}, std::size_t{1000000});
    const std::string all = std::string(100000, 'a') + std::string(100000, 'b');
    for (std::size_t at = 0; at < all.size(); at += 33000)
        test.peer->send(all.substr(at, 33000));
    test.loop.settle();
    CHECK((test.channel->found == strings{all.substr(0, 100000), all.substr(100000)}));
}

TEST_CASE("tls: a file is read and encrypted", "[tls][channels]")
{
    char name[] = "/tmp/asynchat-tls-XXXXXX";
    const int file = ::mkstemp(name);
    REQUIRE(file >= 0);
    ::unlink(name);
    const std::string text(50000, 'f');
    REQUIRE(::write(file, text.data(), text.size()) == 50000);
    openssl_client<recorder> test;
    REQUIRE(test.peer->handshake());
    test.channel->push_with_producer(std::make_unique<asynchat::file_producer>(file));
    test.channel->close_when_done();
    CHECK(test.peer->received() == text);
    CHECK(test.peer->got_close_notify());
    ::close(file);
}

TEST_CASE("tls: a connection of Asio, and a layer on a socket", "[tls][channels][loopback]")
{
    asynchat::loop loop;
    asio::ip::tcp::acceptor acceptor(loop.context(), {asio::ip::address_v4::loopback(), 0});
    asio::ip::tcp::socket near(loop.context());
    near.connect(acceptor.local_endpoint());
    asio::ip::tcp::socket far = acceptor.accept();
    asynchat::socket from(std::move(far));
    from.add_layer(tls::make_layer(server_context()));
    const auto server = loop.create<echo>(std::move(from)).lock();
    const auto client = loop.create<recorder>(asynchat::socket(std::move(near))).lock();
    start_tls(*client, client_context()); // the peer's address is checked
    client->push("hello\n");
    client->push_eof();
    for (int i = 0; i < 1000 && !client->closed(); ++i)
        loop.run(1, std::chrono::milliseconds(100));
    CHECK(client->events ==
          strings{"open", "handshake", "collect hello", "found", "eof", "close peer finished"});
    CHECK(server->events ==
          strings{"handshake", "open", "collect hello", "found", "eof", "close peer finished"});
}

TEST_CASE("tls: over TLS", "[tls][channels]")
{
    asynchat::testing::loop loop;
    auto ends = loop.socket_pair();
    const auto server_settings = server_context();
    const auto client_settings = client_context();
    const auto server = loop.create<echo>(std::move(ends.first)).lock();
    const auto client = loop.create<recorder>(std::move(ends.second)).lock();
    for (int i = 0; i < 2; ++i) {
        start_tls(*server, server_settings);
        start_tls(*client, client_settings, "localhost");
        if (GENERATE(true, false))
            loop.settle();
    }
    const std::string line(30000, 'x');
    client->push(line + "\n");
    loop.settle();
    CHECK(client->events.at(client->events.size() - 2) == "collect " + line);
    client->close_when_done();
    loop.settle();
    CHECK(server->close_reason() == close_reason::peer_finished);
}

TEST_CASE("tls: a relay ends TLS, and passes its truncation on", "[tls][channels]")
{
    const asynchat::endpoint behind("127.0.0.1", 80);
    class front : public asynchat::relay {
    public:
        front(asynchat::loop& owner, asynchat::socket from, asynchat::endpoint to)
            : relay(owner, std::move(from))
        {
            const auto outward = owner.create<relay>().lock();
            outward->connect(to);
            join(*outward);
        }
    };
    asynchat::testing::loop loop;
    auto listener = loop.listen(behind);
    const auto server = loop.create<asynchat::server<front>>(there, behind).lock();
    use_tls(*server, server_context());
    openssl_peer peer(openssl_peer::side::client, loop.connect(there));
    REQUIRE(peer.handshake());
    auto plain = listener.accept();
    peer.send("question");
    CHECK(plain.received() == "question");
    plain.send("answer");
    CHECK(peer.received() == "answer");
    SECTION("in order")
    {
        peer.close_notify();
        CHECK(plain.ended());
        CHECK_FALSE(plain.was_reset());
    }
    SECTION("cut off")
    {
        peer.connection.finish();
        CHECK(plain.was_reset());
    }
}

TEST_CASE("tls: idle_timeout() counts data, and close_when_done() has its time", "[tls][channels]")
{
    openssl_client<recorder> test;
    REQUIRE(test.peer->handshake());
    test.peer->received();
    SECTION("idle")
    {
        test.channel->idle_timeout(std::chrono::seconds(10));
        test.loop.advance(std::chrono::seconds(9));
        test.peer->send("x");
        test.loop.advance(std::chrono::seconds(9));
        CHECK_FALSE(test.channel->closed());
        test.loop.advance(std::chrono::seconds(2));
        CHECK(test.channel->close_reason() == close_reason::idle_timeout);
    }
    SECTION("the last words wait no longer than output does")
    {
        test.peer->connection.window(0);
        test.channel->close_when_done();
        test.loop.advance(std::chrono::seconds(59));
        CHECK_FALSE(test.channel->closed());
        test.loop.advance(std::chrono::seconds(2));
        CHECK(test.channel->close_reason() == close_reason::write_timeout);
    }
}

TEST_CASE("tls: write_timeout() counts from the last byte that left, also of a part of a record",
          "[tls][channels]")
{
    using std::chrono::seconds;
    openssl_client<recorder> test;
    REQUIRE(test.peer->handshake());
    test.peer->received();
    test.peer->connection.window(1000);
    test.channel->push(std::string(100000, 'x'));
    test.loop.advance(seconds(50));
    test.peer->connection.received(500); // makes room for more of the first record
    test.loop.advance(seconds(59));
    CHECK_FALSE(test.channel->closed());
    test.loop.advance(seconds(2));
    CHECK(test.channel->close_reason() == close_reason::write_timeout);
}
