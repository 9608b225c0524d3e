// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <sys/socket.h>

#include <chrono>

using asynchat::close_reason;
using asynchat::early_input;
using namespace support;

// TLS that begins in the middle of a stream.

namespace {

/// A server that speaks in the clear until STARTTLS, and a client that asks for it.
class switching : public recorder {
public:
    switching(asynchat::loop& owner, asynchat::socket from, tls::context context,
              tls::start_options options = {})
        : recorder(owner, std::move(from)), context_(std::move(context)),
          options_(std::move(options))
    {
    }
    void collect_incoming_data(std::string_view data) override
    {
        recorder::collect_incoming_data(data);
        line_ += data;
    }
    void found_terminator() override
    {
        recorder::found_terminator();
        const std::string line = std::exchange(line_, {});
        if (line == "STARTTLS")
            push("220 go\n");
        if (line == "STARTTLS" || line == "220 go") {
            start_tls(*this, context_, options_);
            note(connected() ? "still in clear" : "not connected");
            push("inside\n");
        }
    }
    void handle_handshake() override { note("handshake " + line_); }

private:
    tls::context context_;
    tls::start_options options_;
    std::string line_;
};

} // namespace

TEST_CASE("starttls: both sides, in found_terminator()", "[tls][starttls]")
{
    asynchat::testing::loop loop;
    auto ends = loop.socket_pair();
    const auto server = loop.create<switching>(std::move(ends.first), server_context()).lock();
    const auto client =
        loop.create<switching>(std::move(ends.second), client_context(), "localhost").lock();
    client->push("STARTTLS\n");
    loop.settle();
    CHECK(client->events == strings{"open", "collect 220 go", "found", "not connected",
                                    "handshake ", "collect inside", "found"});
    CHECK(server->events == strings{"open", "collect STARTTLS", "found", "not connected",
                                    "handshake ", "collect inside", "found"});
    CHECK(tls::connection(*client).version() == "TLSv1.3");
    client->push_eof();
    loop.settle();
    CHECK(server->close_reason() == close_reason::peer_finished);
}

TEST_CASE("starttls: what was pushed before leaves in the clear, what follows does not",
          "[tls][starttls]")
{
    asynchat::testing::loop loop;
    auto [server, peer] = loop.accept<switching>(server_context());
    const bool has_room = GENERATE(true, false);
    if (!has_room)
        peer.window(3);
    peer.send("STARTTLS\n");
    CHECK(peer.received() == "220 go\n");
    peer.window(65536);
    openssl_peer tls_peer(openssl_peer::side::client, std::move(peer));
    REQUIRE(tls_peer.handshake());
    CHECK(tls_peer.received() == "inside\n");
    tls_peer.send("MAIL\n");
    loop.settle();
    CHECK(server->events.back() == "found");
    CHECK_FALSE(server->closed());
}

TEST_CASE("starttls: bytes behind the command end the channel", "[tls][starttls]")
{
    asynchat::testing::loop loop;
    const bool as_server = GENERATE(true, false);
    const std::string line = as_server ? "STARTTLS\n" : "220 go\n";
    const std::string injected = GENERATE("RCPT TO:<mallory>\n", "R");
    auto [chat, peer] = loop.accept<switching>(as_server ? server_context() : client_context(),
                                               as_server ? "" : "localhost");
    peer.send(line + injected);
    CHECK(peer.received().empty());
    CHECK(chat->close_reason() == close_reason::early_input);
    CHECK(chat->events.at(3) == "close early input");
    for (const auto& event : chat->events)
        CHECK(event.find("RCPT") == event.npos);
}

TEST_CASE("starttls: bytes behind the command can be dropped", "[tls][starttls]")
{
    tls::start_options options;
    options.early = early_input::discard;
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<switching>(server_context(), options);
    peer.send("STARTTLS\nRCPT TO:<mallory>\nDA");
    CHECK(peer.received() == "220 go\n");
    openssl_peer tls_peer(openssl_peer::side::client, std::move(peer));
    REQUIRE(tls_peer.handshake());
    tls_peer.send("MAIL\n");
    loop.settle();
    CHECK(chat->events == strings{"open", "collect STARTTLS", "found", "not connected",
                                  "handshake ", "collect MAIL", "found"});
}

TEST_CASE("starttls: behind a header in front of TLS, where the rest is meant", "[tls][starttls]")
{
    tls::start_options options;
    options.early = early_input::feed;
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<switching>(server_context(), options);
    openssl_peer tls_peer(openssl_peer::side::client, std::move(peer));
    SSL_do_handshake(tls_peer.ssl.get());
    const std::string hello = tls_peer.output();
    const auto early = GENERATE(as<std::size_t>(), 1, 5, 100, 1000000);
    tls_peer.connection.send("STARTTLS\n" + hello.substr(0, early));
    CHECK(tls_peer.connection.received(7) == "220 go\n");
    if (early < hello.size())
        tls_peer.connection.send(hello.substr(early));
    REQUIRE(tls_peer.handshake());
    CHECK(tls_peer.received() == "inside\n");
    CHECK_FALSE(chat->closed());
}

TEST_CASE("starttls: the timeout of the handshake begins with it", "[tls][starttls]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<switching>(server_context());
    loop.advance(std::chrono::minutes(1));
    peer.send("STARTTLS\n");
    loop.advance(std::chrono::seconds(9));
    CHECK_FALSE(chat->closed());
    loop.advance(std::chrono::seconds(2));
    CHECK(chat->close_reason() == close_reason::handshake_timeout);
    CHECK(chat->close_text() == "handshake timeout: the handshake was not complete within 10 s, "
                                "the limit of handshake_timeout()");
    CHECK(peer.received() == "220 go\n"); // nothing that was pushed behind it
}

TEST_CASE("starttls: another connection has nothing of the one that shook hands", "[tls][starttls]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<switching>(server_context());
    peer.send("STARTTLS\n");
    loop.settle();
    CHECK(chat->pending_output() == 7); // "inside"
    chat->create_socket();
    CHECK(chat->pending_output() == 0);
    CHECK_FALSE(chat->connecting());
    auto listener = loop.listen(there);
    chat->connect(there);
    chat->push("in clear\n");
    CHECK(listener.accept().received() == "in clear\n");
}

TEST_CASE("starttls: a client refuses, in the middle of a stream too", "[tls][starttls]")
{
    asynchat::testing::loop loop;
    auto ends = loop.socket_pair();
    const auto server = loop.create<switching>(std::move(ends.first), server_context()).lock();
    const auto client =
        loop.create<switching>(std::move(ends.second), client_context(), "b.example").lock();
    client->push("STARTTLS\n");
    loop.settle();
    CHECK(client->close_text() ==
          "tls error: certificate of 'CN=localhost' is not for 'b.example'");
    CHECK(client->events.back() == "close tls error");
    CHECK(server->close_reason() == close_reason::tls_error);
    for (const auto& event : server->events)
        CHECK(event.find("inside") == event.npos);
}

TEST_CASE("starttls: not over datagrams, not on a listener, not twice at a time", "[tls][starttls]")
{
    asynchat::loop loop;
    const auto chat = loop.create<recorder>().lock();
    chat->create_socket(AF_INET, SOCK_DGRAM);
    CHECK_THROWS_WITH(start_tls(*chat, client_context()), "asynchat: add_layer() over datagrams");
    asynchat::socket adopted(::socket(AF_INET, SOCK_DGRAM, 0), AF_INET, SOCK_DGRAM);
    CHECK_THROWS_WITH(adopted.add_layer(make_layer(client_context())),
                      "asynchat: add_layer() over datagrams");
    const auto client = loop.create<recorder>().lock();
    start_tls(*client, client_context(), "localhost");
    CHECK_THROWS_WITH(
        client->create_socket(AF_INET, SOCK_DGRAM),
        Catch::Matchers::ContainsSubstring("create_socket() of datagrams: add_layer() was called"));
    client->create_socket(AF_INET, SOCK_STREAM);
    const auto server =
        loop.create<asynchat::server<echo>>(asynchat::endpoint("127.0.0.1", 0)).lock();
    CHECK_THROWS_AS(start_tls(*server, server_context()), std::logic_error);
    CHECK_THROWS_AS(use_tls(*server, client_context()), std::logic_error);
    CHECK_THROWS_AS(use_tls(*server, tls::context::for_server()), std::logic_error);
}
