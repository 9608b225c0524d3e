// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/driven.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/local/connect_pair.hpp>
#include <asio/local/stream_protocol.hpp>

#include <memory>
#include <string>
#include <system_error>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

using calls = std::vector<std::string>;

/// Listens where it is told and keeps the connections that it accepts.
class listener : public recorder {
public:
    listener(loop& owner, const endpoint& where, int backlog = SOMAXCONN) : recorder(owner)
    {
        create_socket(where.family());
        if (where.is_ip())
            set_reuse_addr();
        bind(where);
        listen(backlog);
    }
    void handle_accepted(asynchat::socket connection, const endpoint& peer) override
    {
        peers.push_back(peer);
        connections.push_back(std::move(connection));
    }

    std::vector<asynchat::socket> connections;
    std::vector<endpoint> peers;
};

/// An address where nobody listens and whose use fails at once.
endpoint missing_path(temp_dir& dir)
{
    return endpoint::unix_path(dir.file("nobody"));
}

} // namespace

// --- sockets ---------------------------------------------------------------------------------

TEST_CASE("create_socket makes the socket that it is asked for", "[dispatcher][create_socket]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    const int type = GENERATE(SOCK_STREAM, SOCK_DGRAM);
    CAPTURE(family, type);
    loop loop;
    const auto channel = loop.create<recorder>();
    CHECK(channel->native_handle() == -1);

    channel->create_socket(family, type);
    const int fd = channel->native_handle();
    CHECK(int_option(fd, SOL_SOCKET, SO_DOMAIN) == family);
    CHECK(int_option(fd, SOL_SOCKET, SO_TYPE) == type);
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_FALSE(channel->connected());
    CHECK_FALSE(channel->accepting());
    CHECK_FALSE(channel->connecting());
    CHECK(channel->addr().empty());
}

TEST_CASE("create_socket makes an IPv4 stream unless told otherwise", "[dispatcher][create_socket]")
{
    loop loop;
    const auto channel = loop.create<recorder>();
    channel->create_socket();
    CHECK(int_option(channel->native_handle(), SOL_SOCKET, SO_DOMAIN) == AF_INET);
    CHECK(int_option(channel->native_handle(), SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
}

TEST_CASE("create_socket closes the socket before", "[dispatcher][create_socket]")
{
    loop loop;
    const auto channel = loop.create<recorder>();
    channel->create_socket();
    const int before = channel->native_handle();
    channel->create_socket(AF_UNIX);
    CHECK(channel->native_handle() != before);
    CHECK_FALSE(is_open(before));
}

TEST_CASE("a socket that cannot be made is an exception and changes nothing",
          "[dispatcher][create_socket]")
{
    loop loop;
    const auto channel = loop.create<recorder>();
    channel->create_socket();
    const int before = channel->native_handle();
    CHECK_THROWS_AS(channel->create_socket(-1), std::system_error);
    CHECK(channel->native_handle() == before);
}

TEST_CASE("what needs a socket says so when there is none", "[dispatcher]")
{
    loop loop;
    const auto channel = loop.create<recorder>().lock();
    endpoint from;
    char byte = 0;
    const auto message = Catch::Matchers::ContainsSubstring("create_socket");
    CHECK_THROWS_AS(channel->set_reuse_addr(), std::logic_error);
    CHECK_THROWS_AS(channel->set_no_delay(true), std::logic_error);
    CHECK_THROWS_AS(channel->set_keep_alive(true), std::logic_error);
    CHECK_THROWS_AS(channel->set_dual_stack(true), std::logic_error);
    CHECK_THROWS_AS(channel->listen(), std::logic_error);
    CHECK_THROWS_AS(channel->accept(), std::logic_error);
    CHECK_THROWS_AS(channel->sendto("x", endpoint("127.0.0.1", 9)), std::logic_error);
    CHECK_THROWS_AS(channel->recvfrom(asio::buffer(&byte, 1), from), std::logic_error);
    CHECK_THROWS_WITH(channel->bind(endpoint("127.0.0.1", 0)), message);
    CHECK(channel->recv(asio::buffer(&byte, 1)) == 0);
    CHECK(channel->send("x") == 0);

    channel->close();
    const auto closed = Catch::Matchers::ContainsSubstring("closed");
    CHECK_THROWS_WITH(channel->listen(), closed);
    CHECK_THROWS_WITH(channel->create_socket(), closed);
    CHECK_THROWS_WITH(channel->connect(endpoint("127.0.0.1", 9)), closed);
    CHECK_THROWS_WITH(channel->connect("localhost", 9), closed);
}

TEST_CASE("TCP_NODELAY is on for every TCP connection", "[dispatcher][options]")
{
    const int family = GENERATE(AF_INET, AF_INET6);
    CAPTURE(family);
    loop loop;
    temp_dir dir;
    const auto no_delay = [](int fd) { return int_option(fd, IPPROTO_TCP, TCP_NODELAY) != 0; };

    SECTION("made by create_socket, and set_no_delay turns it off")
    {
        const auto channel = loop.create<recorder>();
        channel->create_socket(family);
        CHECK(no_delay(channel->native_handle()));
        channel->set_no_delay(false);
        CHECK_FALSE(no_delay(channel->native_handle()));
    }
    SECTION("accepted")
    {
        const auto server = loop.create<listener>(free_address(family, dir));
        const auto client = raw_peer::connected_to(server->local_endpoint());
        REQUIRE(run_until(loop, [&] { return !server->connections.empty(); }));
        CHECK(no_delay(server->connections[0].native_handle()));
    }
    SECTION("made by connect")
    {
        const auto server = loop.create<listener>(free_address(family, dir));
        const auto client = loop.create<recorder>();
        client->connect(server->local_endpoint());
        CHECK(no_delay(client->native_handle()));
    }
    SECTION("adopted from Asio")
    {
        const raw_listener server(free_address(family, dir));
        asio::ip::tcp::socket from_asio(loop.context());
        from_asio.connect(asio::ip::tcp::endpoint(asio::ip::make_address(server.address().host()),
                                                  server.address().port()));
        const auto channel = loop.create<recorder>(asynchat::socket(std::move(from_asio)));
        CHECK(no_delay(channel->native_handle()));
    }
}

TEST_CASE("socket options reach the socket", "[dispatcher][options]")
{
    loop loop;
    const auto channel = loop.create<recorder>();
    channel->create_socket(AF_INET6);
    const int fd = channel->native_handle();

    CHECK(int_option(fd, SOL_SOCKET, SO_REUSEADDR) == 0);
    channel->set_reuse_addr();
    CHECK(int_option(fd, SOL_SOCKET, SO_REUSEADDR) != 0);

    channel->set_keep_alive(true);
    CHECK(int_option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0);
    channel->set_keep_alive(false);
    CHECK(int_option(fd, SOL_SOCKET, SO_KEEPALIVE) == 0);

    channel->set_dual_stack(true);
    CHECK(int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
    channel->set_dual_stack(false);
    CHECK(int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0);

    channel->create_socket(AF_UNIX);
    CHECK_THROWS_AS(channel->set_no_delay(true), std::system_error);
}

TEST_CASE("a dual-stack listener serves IPv4 as well", "[dispatcher][options]")
{
    loop loop;
    const auto server = loop.create<recorder>();
    server->create_socket(AF_INET6);
    server->set_dual_stack(true);
    server->bind(endpoint("::", 0));
    server->listen();
    const auto client =
        raw_peer::connected_to(endpoint("127.0.0.1", server->local_endpoint().port()));
    const auto accepted = server->accept();
    REQUIRE(accepted);
    CHECK(accepted->second.port() == local_endpoint_of(client.fd()).port());
}

// --- bind and listen ---------------------------------------------------------------------------

TEST_CASE("bind records the address only when it succeeds", "[dispatcher][bind]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(family);
    loop loop;
    temp_dir dir;
    const endpoint where = free_address(family, dir);
    const auto first = loop.create<recorder>();
    first->create_socket(family);
    first->bind(where);
    CHECK(first->addr() == where);
    CHECK(first->local_endpoint().family() == family);
    if (family != AF_UNIX)
        CHECK(first->local_endpoint().port() != 0);
    else
        CHECK(first->local_endpoint() == where);
    first->listen();

    const endpoint used = first->local_endpoint();
    const auto second = loop.create<recorder>();
    second->create_socket(family);
    CHECK_THROWS_WITH(second->bind(used), Catch::Matchers::ContainsSubstring(used.to_string()) &&
                                              Catch::Matchers::ContainsSubstring("in use"));
    CHECK(second->addr().empty());

    std::error_code error;
    second->bind(used, error);
    CHECK(error == std::errc::address_in_use);
    CHECK(second->addr().empty());

    second->bind(free_address(family, dir), error);
    CHECK_FALSE(error);
    CHECK_FALSE(second->addr().empty());
}

TEST_CASE("a failing listen does not leave the channel accepting", "[dispatcher][listen]")
{
    loop loop;
    const auto channel = loop.create<recorder>();
    channel->create_socket(AF_INET, SOCK_DGRAM);
    CHECK_THROWS_AS(channel->listen(), std::system_error);
    CHECK_FALSE(channel->accepting());
    std::error_code error;
    channel->listen(5, error);
    CHECK(error);
    CHECK_FALSE(channel->accepting());

    channel->create_socket();
    channel->bind(endpoint("127.0.0.1", 0));
    channel->listen(5, error);
    CHECK_FALSE(error);
    CHECK(channel->accepting());
}

TEST_CASE("a listener hands out connections one by one", "[dispatcher][accept]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(family);
    loop loop;
    temp_dir dir;
    const auto server = loop.create<listener>(free_address(family, dir));
    CHECK_FALSE(server->accept());

    std::vector<raw_peer> clients;
    for (int i = 0; i < 3; ++i)
        clients.push_back(raw_peer::connected_to(server->local_endpoint()));
    REQUIRE(run_until(loop, [&] { return server->connections.size() == 3; }));
    CHECK(settle(loop));
    CHECK(server->connections.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        const int fd = server->connections[i].native_handle();
        CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        CHECK(server->connections[i].family() == family);
        if (family != AF_UNIX)
            CHECK(server->peers[i] == local_endpoint_of(clients[i].fd()));
    }
    CHECK(server->accepting());
    CHECK_FALSE(server->connected());
}

TEST_CASE("handle_accepted closes the connection with a warning unless overridden",
          "[dispatcher][accept]")
{
    loop loop;
    const auto server = loop.create<recorder>();
    server->create_socket();
    server->bind(endpoint("127.0.0.1", 0));
    server->listen();
    auto client = raw_peer::connected_to(server->local_endpoint());
    REQUIRE(run_until(loop, [&] { return client.ended(); }));
    CHECK(server->lines == calls{"warning: unhandled accepted event"});
    CHECK(server->accepting());
}

TEST_CASE("an exception in handle_accepted costs its connection and not the listener",
          "[dispatcher][accept]")
{
    class picky : public listener {
    public:
        using listener::listener;
        void handle_accepted(asynchat::socket connection, const endpoint& peer) override
        {
            if (++seen == 1)
                throw test_error("not this one");
            listener::handle_accepted(std::move(connection), peer);
        }
        int seen = 0;
    };
    loop loop;
    const auto server = loop.create<picky>(endpoint("127.0.0.1", 0));
    auto refused = raw_peer::connected_to(server->local_endpoint());
    auto served = raw_peer::connected_to(server->local_endpoint());
    REQUIRE(run_until(loop, [&] { return server && server->connections.size() == 1; }));
    CHECK(refused.ended());
    CHECK_FALSE(served.ended());
    CHECK(server->accepting());
    CHECK(server->calls == calls{"handle_error"});
    CHECK(server->error_text == "not this one");
    CHECK(server->logged("not this one") == 1);
    CHECK(server->close_reason() == close_reason::open);
}

TEST_CASE("an exception in handle_accept does not close the listener", "[dispatcher][accept]")
{
    class clumsy : public listener {
    public:
        using listener::listener;
        void handle_accept() override
        {
            auto accepted = accept();
            if (++seen == 1)
                throw test_error("dropped it");
            if (accepted)
                connections.push_back(std::move(accepted->first));
        }
        int seen = 0;
    };
    loop loop;
    const auto server = loop.create<clumsy>(endpoint("127.0.0.1", 0));
    auto refused = raw_peer::connected_to(server->local_endpoint());
    auto served = raw_peer::connected_to(server->local_endpoint());
    REQUIRE(run_until(loop, [&] { return server && server->connections.size() == 1; }));
    CHECK(refused.ended());
    CHECK(server->accepting());
}

// --- connect -----------------------------------------------------------------------------------

TEST_CASE("the flags through the life of a connection", "[dispatcher][connect]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(family);
    loop loop;
    temp_dir dir;
    const auto server = loop.create<listener>(free_address(family, dir));
    CHECK(server->accepting());
    const endpoint where = server->local_endpoint();

    const auto client = loop.create<recorder>().lock();
    client->connect(where);
    CHECK(client->connecting());
    CHECK_FALSE(client->connected());
    CHECK(client->addr() == where);
    CHECK(client->calls.empty()); // also where the system connects at once

    REQUIRE(run_until(loop, [&] { return client->connected(); }));
    CHECK(client->calls == calls{"handle_connect"}); // and not yet connected then
    CHECK_FALSE(client->connecting());
    CHECK(client->peer_endpoint() == where);
    REQUIRE(run_until(loop, [&] { return server->connections.size() == 1; }));

    const auto served = loop.create<recorder>(std::move(server->connections[0])).lock();
    CHECK(served->connected());
    CHECK_FALSE(served->connecting());
    CHECK(served->local_endpoint() == where);

    client->close();
    CHECK_FALSE(client->connected());
    CHECK(client->closed());
    CHECK(client->addr() == where);
    CHECK(client->close_reason() == close_reason::local);
    CHECK(client->native_handle() == -1);
    CHECK(client->local_endpoint().empty());
    CHECK(client->peer_endpoint().empty());
    REQUIRE(run_until(loop, [&] { return served->closed(); }));
    CHECK_FALSE(served->connected());
    CHECK(served->close_reason() == close_reason::peer_finished);
    CHECK(served->calls == calls{"handle_read", "handle_close"});
    CHECK(client->calls == calls{"handle_connect"}); // handle_close is not for one's own close()

    const auto still_listening = server.lock();
    still_listening->close();
    CHECK_FALSE(still_listening->accepting());
    CHECK(loop.size() == 0);
}

TEST_CASE("a plain dispatcher that may write gets handle_write after handle_connect",
          "[dispatcher][connect]")
{
    loop loop;
    const raw_listener server(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>();
    client->wants_write = true;
    client->connect(server.address());
    REQUIRE(run_until(loop, [&] { return client->calls.size() >= 2; }));
    CHECK(client->calls[0] == "handle_connect");
    CHECK(client->calls[1] == "handle_write");
}

TEST_CASE("connect looks names up without blocking", "[dispatcher][connect]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    const std::string host = GENERATE(as<std::string>{}, "localhost", "127.0.0.1");
    CAPTURE(host);
    loop loop;
    const auto server = loop.create<listener>(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>();
    const auto port = server->local_endpoint().port();
    client->connect(host, port);
    CHECK(client->connecting());
    CHECK(client->calls.empty());
    CHECK(client->addr().to_string() == host + ":" + std::to_string(port));

    REQUIRE(run_until(loop, [&] { return client->connected(); }));
    CHECK(client->calls == calls{"handle_connect"});
    CHECK(client->addr().to_string() == host + ":" + std::to_string(port)); // as it was asked for
    CHECK(client->peer_endpoint() == server->local_endpoint());
}

TEST_CASE("connect takes a service by number or name", "[dispatcher][connect]")
{
    loop loop;
    const auto server = loop.create<listener>(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>();
    client->connect("127.0.0.1", std::to_string(server->local_endpoint().port()));
    REQUIRE(run_until(loop, [&] { return client->connected(); }));

    const auto confused = loop.create<recorder>().lock();
    confused->connect("127.0.0.1", "no-such-service");
    REQUIRE(run_until(loop, [&] { return confused->closed(); }));
    CHECK(confused->close_reason() == close_reason::lookup_failed);
}

TEST_CASE("a failing connect is reported once, by handle_error in a later turn",
          "[dispatcher][connect]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    loop loop;
    temp_dir dir;
    const refusing_address nobody(AF_INET);
    const refusing_address nobody_v6(AF_INET6);
    const bool survives = GENERATE(false, true);
    CAPTURE(survives);

    std::string address;
    std::string text;
    close_reason reason = close_reason::connect_failed;
    const auto client = loop.create<recorder>().lock();
    client->survives = survives;
    SECTION("refused over IPv4")
    {
        client->connect(nobody.address());
        address = nobody.address().to_string();
        text = std::system_category().message(ECONNREFUSED);
    }
    SECTION("refused over IPv6")
    {
        client->connect(nobody_v6.address());
        address = nobody_v6.address().to_string();
        text = std::system_category().message(ECONNREFUSED);
    }
    SECTION("refused, by name")
    {
        client->connect("localhost", nobody.address().port());
        address = "localhost:" + std::to_string(nobody.address().port());
        text = std::system_category().message(ECONNREFUSED);
    }
    SECTION("failing at once, without a socket file")
    {
        const endpoint nowhere = missing_path(dir);
        client->connect(nowhere);
        address = nowhere.to_string();
        text = std::system_category().message(ENOENT);
    }
    SECTION("failing at once, with a socket of the wrong family")
    {
        client->create_socket(AF_INET);
        client->connect(endpoint("::1", 9));
        address = "[::1]:9";
    }
    SECTION("a name that does not exist")
    {
        client->connect("nowhere.invalid", "80");
        address = "nowhere.invalid:80";
        reason = close_reason::lookup_failed;
    }
    CHECK(client->calls.empty());
    CHECK(client->connecting());

    REQUIRE(run_until(loop, [&] { return !client->calls.empty(); }));
    CHECK(settle(loop));
    CHECK(client->error_reason == reason);
    CHECK(client->error);
    CHECK_THAT(client->error_text, Catch::Matchers::ContainsSubstring(address));
    CHECK_THAT(client->error_text, Catch::Matchers::ContainsSubstring(text));
    CHECK_FALSE(client->connected());
    CHECK_FALSE(client->connecting());
    if (survives) {
        CHECK(client->calls == calls{"handle_error"});
        CHECK_FALSE(client->closed());
        CHECK(client->close_reason() == close_reason::open);
        CHECK_FALSE(client->close_error());
    } else {
        CHECK(client->calls == calls{"handle_error", "handle_close"});
        CHECK(client->closed());
        CHECK(client->close_reason() == reason);
        CHECK(client->close_error() == client->error);
    }
}

TEST_CASE("a channel that survives a failed connect can connect again", "[dispatcher][connect]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    loop loop;
    const refusing_address nobody(AF_INET);
    const raw_listener server(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>().lock();
    client->survives = true;
    client->connect(nobody.address());
    REQUIRE(run_until(loop, [&] { return !client->calls.empty(); }));

    SECTION("with a new socket")
    {
        client->create_socket();
        client->connect(server.address());
    }
    SECTION("with the same socket")
    {
        client->connect(server.address());
    }
    SECTION("by name")
    {
        client->connect("localhost", server.address().port());
    }
    REQUIRE(run_until(loop, [&] { return client->calls.size() > 1; }));
    CHECK(client->calls == calls{"handle_error", "handle_connect"});
    CHECK(client->connected());
    CHECK(client->peer_endpoint() == server.address());
}

// The system says EAGAIN, which newer releases of Asio take for "not yet", and wait; a wait ends
// without an error, and is no connection.
TEST_CASE("a connect that finds the backlog of a UNIX socket full is an error at once",
          "[dispatcher][connect]")
{
    loop loop;
    temp_dir dir;
    const bool is_abstract = GENERATE(false, true);
    const std::string name = dir.file("s");
    const raw_listener server(endpoint::unix_path(is_abstract ? std::string(1, '\0') + name : name),
                              1);
    std::vector<descriptor> waiting;
    const auto native = server.address().native();
    for (int i = 0; i < 16; ++i) {
        waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (::connect(waiting.back().get(), native.data(), static_cast<socklen_t>(native.size())) !=
            0)
            break;
    }
    REQUIRE(errno == EAGAIN);

    const auto client = loop.create<recorder>().lock();
    client->connect(server.address());
    CHECK(client->calls.empty());
    CHECK(client->connecting());
    CHECK(settle(loop)); // no time has to pass
    CHECK(client->calls == calls{"handle_error", "handle_close"});
    CHECK(client->close_reason() == close_reason::connect_failed);
    CHECK(client->close_error() == std::error_code(EAGAIN, std::system_category()));
    CHECK_THAT(client->error_text,
               Catch::Matchers::ContainsSubstring(std::system_category().message(EAGAIN)));
}

TEST_CASE("closing while connecting or looking up calls nothing any more", "[dispatcher][connect]")
{
    loop loop;
    const raw_listener server(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>().lock();
    SECTION("connecting")
    {
        client->connect(server.address());
    }
    SECTION("looking up")
    {
        client->connect("localhost", server.address().port());
    }
    SECTION("looking up a name that does not exist")
    {
        client->connect("nowhere.invalid", server.address().port());
    }
    client->close();
    CHECK_FALSE(client->connecting());
    honest_pair other(loop);
    CHECK(other.works());
    CHECK(settle(loop));
    CHECK(client->calls.empty());
    CHECK(client->lines.empty());
}

TEST_CASE("connecting elsewhere forgets the look-up under way", "[dispatcher][connect]")
{
    loop loop;
    const raw_listener server(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>();
    client->connect("nowhere.invalid", 80);
    client->connect(server.address());
    REQUIRE(run_until(loop, [&] { return !client || client->connected(); }));
    honest_pair other(loop);
    CHECK(other.works());
    REQUIRE(client);
    CHECK(client->calls == calls{"handle_connect"});
}

TEST_CASE("what is pushed in handle_connect is sent when the connection stands",
          "[dispatcher][connect]")
{
    class eager : public logging<async_chat> {
    public:
        using logging::logging;
        bool connected_inside = true;
        std::size_t pending_inside = 0;
        void handle_connect() override
        {
            connected_inside = connected();
            push("hello ");
            push("there");
            initiate_send(); // nothing can be sent yet
            pending_inside = pending_output();
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}
    };
    const int family = GENERATE(AF_INET, AF_UNIX);
    loop loop;
    temp_dir dir;
    raw_listener server(free_address(family, dir));
    const auto client = loop.create<eager>();
    client->connect(server.address());
    client->push("early, ");
    REQUIRE(run_until(loop, [&] { return client->connected(); }));
    CHECK_FALSE(client->connected_inside);
    CHECK(client->pending_inside == 18);
    auto peer = server.accept();
    CHECK(run_until(loop, [&] { return peer.received() == "early, hello there"; }));
}

TEST_CASE("an exception in handle_connect costs its channel", "[dispatcher][connect]")
{
    class failing : public recorder {
    public:
        using recorder::recorder;
        void handle_connect() override { throw test_error("in handle_connect"); }
    };
    loop loop;
    const raw_listener server(endpoint("127.0.0.1", 0));
    const auto client = loop.create<failing>().lock();
    client->connect(server.address());
    REQUIRE(run_until(loop, [&] { return client->closed(); }));
    CHECK(client->calls == calls{"handle_error", "handle_close"});
    CHECK(client->close_reason() == close_reason::callback_error);
    CHECK_FALSE(client->connected());
}

TEST_CASE("a channel that survives an exception in handle_connect is connected",
          "[dispatcher][connect]")
{
    class failing : public recorder {
    public:
        using recorder::recorder;
        void handle_connect() override
        {
            recorder::handle_connect();
            throw test_error("in handle_connect");
        }
    };
    loop loop;
    raw_listener server(endpoint("127.0.0.1", 0));
    const auto client = loop.create<failing>();
    client->survives = true;
    client->connect(server.address());
    REQUIRE(run_until(loop, [&] { return client->count("handle_error") == 1; }));
    auto peer = server.accept();
    peer.send("x");
    // As in Python, where the next event reports the connection again, and fails again; at any
    // rate the channel is not forgotten.
    CHECK(run_until(loop,
                    [&] { return client->input == "x" || client->count("handle_connect") > 1; }));
}

// --- reading and writing -----------------------------------------------------------------------

TEST_CASE("a plain dispatcher does not spin", "[dispatcher][events]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<logging<dispatcher>>(std::move(ends.first));
    CHECK(channel->readable());
    CHECK_FALSE(channel->writable());
    CHECK(settle(loop));
    CHECK(channel->lines.empty());
}

TEST_CASE("handle_write is called as long as writable() says so", "[dispatcher][events]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<recorder>(std::move(ends.first));
    CHECK(settle(loop));
    channel->wants_write = true;
    CHECK(settle(loop)); // the loop does not ask by itself
    CHECK(channel->calls.empty());
    channel->update_interest();
    REQUIRE(run_until(loop, [&] { return channel->calls.size() >= 3; }));
    channel->wants_write = false;
    CHECK(settle(loop));
    const auto before = channel->calls.size();
    CHECK(channel->count("handle_write") == before);
    CHECK(settle(loop));
    CHECK(channel->calls.size() == before);
}

TEST_CASE("nothing is read while readable() is false", "[dispatcher][events]")
{
    class reluctant : public recorder {
    public:
        using recorder::recorder;
        bool wants_read = false;
        bool readable() override { return wants_read; }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<reluctant>(std::move(ends.first));
    ends.second.send("abc");
    CHECK(settle(loop));
    CHECK(channel->calls.empty());

    channel->wants_read = true;
    channel->update_interest();
    REQUIRE(run_until(loop, [&] { return channel->input == "abc"; }));

    channel->wants_read = false; // while it waits already
    ends.second.send("def");
    CHECK(settle(loop));
    CHECK(channel->input == "abc");
    channel->wants_read = true;
    channel->update_interest();
    CHECK(run_until(loop, [&] { return channel->input == "abcdef"; }));
}

TEST_CASE("predicates are asked for channels with events only", "[dispatcher][events]")
{
    class asked : public recorder {
    public:
        using recorder::recorder;
        int times = 0;
        bool readable() override
        {
            ++times;
            return true;
        }
    };
    loop loop;
    auto idle_ends = connected_pair(AF_UNIX);
    const auto idle = loop.create<asked>(std::move(idle_ends.first));
    honest_pair busy(loop);
    CHECK(settle(loop));
    const int before = idle->times;
    for (int i = 0; i < 20; ++i)
        REQUIRE(busy.works());
    CHECK(idle->times == before);
}

TEST_CASE("an exception in readable or writable is that channel's error", "[dispatcher][events]")
{
    class undecided : public recorder {
    public:
        using recorder::recorder;
        bool read_fails = false;
        bool write_fails = false;
        bool readable() override
        {
            if (read_fails)
                throw test_error("in readable");
            return true;
        }
        bool writable() override
        {
            if (write_fails)
                throw test_error("in writable");
            return false;
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<undecided>(std::move(ends.first)).lock();
    honest_pair other(loop);
    const bool in_readable = GENERATE(true, false);
    const bool at_once = GENERATE(true, false);
    CAPTURE(in_readable, at_once);
    if (!at_once)
        CHECK(settle(loop));
    (in_readable ? channel->read_fails : channel->write_fails) = true;
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->error_text == (in_readable ? "in readable" : "in writable"));
    CHECK(channel->close_reason() == close_reason::callback_error);
    CHECK(channel->count("handle_error") == 1);
    CHECK(channel->count("handle_close") == 1);
    CHECK(other.works());
}

TEST_CASE("recv and send tell nothing now from the end", "[dispatcher][data]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(family);
    loop loop;
    auto ends = connected_pair(family);
    const auto channel = loop.create<recorder>(std::move(ends.first)).lock();
    char buffer[16];

    CHECK(channel->recv(asio::buffer(buffer)) == 0); // nothing there
    CHECK(channel->calls.empty());
    ends.second.send("abc");
    CHECK(channel->recv(asio::buffer(buffer, 2)) == 2);
    CHECK(channel->recv(asio::buffer(buffer)) == 1);
    CHECK(buffer[0] == 'c');
    CHECK(channel->calls.empty());

    const std::string much(1 << 20, 'x');
    std::size_t sent = 0;
    for (std::size_t taken = 1; taken > 0 && sent < (std::size_t{1} << 30); sent += taken)
        taken = channel->send(much);
    CHECK(channel->send(much) == 0); // it would block
    CHECK(channel->calls.empty());
    CHECK(ends.second.received().size() > 0);

    ends.second.shut_down_output();
    CHECK(channel->recv(asio::buffer(buffer)) == 0);
    CHECK(channel->calls == calls{"handle_close"});
    CHECK(channel->closed());
    CHECK(channel->close_reason() == close_reason::peer_finished);
    CHECK(channel->recv(asio::buffer(buffer)) == 0);
    CHECK(channel->send("x") == 0);
    CHECK(channel->calls == calls{"handle_close"});
}

TEST_CASE("send gathers several buffers", "[dispatcher][data]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<recorder>(std::move(ends.first));
    const asio::const_buffer parts[] = {asio::buffer("ab", 2), asio::buffer("", 0),
                                        asio::buffer("cde", 3)};
    CHECK(channel->send(const_buffers(parts, 3)) == 5);
    CHECK(channel->send("x\0y") == 3);
    CHECK(ends.second.received() == std::string("abcdex\0y", 8));
}

TEST_CASE("a connection that the peer resets ends once, with the reason", "[dispatcher][data]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<recorder>(std::move(ends.first)).lock();
    SECTION("noticed while waiting")
    {
        ends.second.reset();
        REQUIRE(run_until(loop, [&] { return channel->closed(); }));
        CHECK(channel->calls == calls{"handle_read", "handle_close"});
    }
    SECTION("noticed by recv")
    {
        ends.second.reset();
        char byte = 0;
        REQUIRE(run_until(
            loop, [&] { return channel->recv(asio::buffer(&byte, 1)) == 0 && channel->closed(); }));
        CHECK(channel->count("handle_close") == 1);
    }
    SECTION("noticed by send")
    {
        ends.second.reset();
        CHECK(channel->send("x") == 0);
        CHECK(channel->calls == calls{"handle_close"});
    }
    CHECK(settle(loop));
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->count("handle_error") == 0);
    CHECK(channel->close_reason() == close_reason::reset);
    CHECK(is_disconnected(channel->close_error()));
}

TEST_CASE("a write to a peer that is gone kills nobody", "[dispatcher][data]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<recorder>(std::move(ends.first)).lock();
    ends.second.close();
    CHECK(channel->send("x") == 0); // and no SIGPIPE, whose default would end the process
    CHECK(channel->close_reason() == close_reason::reset);
    CHECK(channel->close_error() == std::errc::broken_pipe);
}

TEST_CASE("data and hang-up at once: all data is delivered, then one handle_close",
          "[dispatcher][data]")
{
    const int family = GENERATE(AF_INET, AF_UNIX);
    loop loop;
    auto ends = connected_pair(family);
    const auto channel = loop.create<recorder>(std::move(ends.first)).lock();
    channel->wants_write = true;
    const std::string sent(10000, 'd');
    ends.second.send(sent);
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(settle(loop));
    CHECK(channel->input == sent);
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->calls.back() == "handle_close");
}

TEST_CASE("handle_eof may keep the channel open for output", "[dispatcher][data]")
{
    class listening_on : public recorder {
    public:
        using recorder::recorder;
        void handle_eof() override { calls.push_back("handle_eof"); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<listening_on>(std::move(ends.first));
    ends.second.send("ab");
    ends.second.shut_down_output();
    REQUIRE(run_until(loop, [&] { return channel->count("handle_eof") == 1; }));
    CHECK(settle(loop)); // and does not spin on the end
    CHECK(channel->count("handle_eof") == 1);
    CHECK(channel->input == "ab");
    REQUIRE(channel);
    CHECK(channel->send("answer") == 6);
    CHECK(run_until(loop, [&] { return ends.second.received() == "answer"; }));
}

TEST_CASE("when handle_close does not close, the library does", "[dispatcher][close]")
{
    class stubborn : public recorder {
    public:
        using recorder::recorder;
        void handle_close() override { calls.push_back("handle_close"); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<stubborn>(std::move(ends.first)).lock();
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(settle(loop));
    CHECK(channel->count("handle_close") == 1);
    CHECK(loop.size() == 0);
}

TEST_CASE("an overridden close that forgets the original still closes at the end",
          "[dispatcher][close]")
{
    class forgetful : public recorder {
    public:
        using recorder::recorder;
        void close() override { calls.push_back("close"); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<forgetful>(std::move(ends.first)).lock();
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->count("handle_close") == 1);
    CHECK(loop.size() == 0);
}

TEST_CASE("the reason and the error are known inside handle_close", "[dispatcher][close]")
{
    class curious : public recorder {
    public:
        using recorder::recorder;
        asynchat::close_reason seen = asynchat::close_reason::open;
        void handle_close() override
        {
            seen = close_reason();
            recorder::handle_close();
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<curious>(std::move(ends.first)).lock();
    ends.second.reset();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->seen == close_reason::reset);
    CHECK(channel->close_reason() == close_reason::reset);
}

TEST_CASE("an exception in handle_close does not call it again", "[dispatcher][close]")
{
    class failing : public recorder {
    public:
        using recorder::recorder;
        int number = 0;
        void handle_close() override
        {
            calls.push_back("handle_close");
            if (number == 0)
                throw test_error("in handle_close");
            throw std::system_error(number, std::system_category(), "in handle_close");
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<failing>(std::move(ends.first)).lock();
    channel->number = GENERATE(0, EPIPE, ETIMEDOUT);
    honest_pair other(loop);
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(settle(loop));
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->logged("in handle_close") == 1); // it does not vanish
    CHECK(channel->close_reason() == close_reason::peer_finished);
    CHECK(other.works());
}

TEST_CASE("an exception that looks like a lost connection is still the callback's",
          "[dispatcher][errors]")
{
    class failing : public recorder {
    public:
        using recorder::recorder;
        int number = 0;
        void handle_read() override
        {
            throw std::system_error(number, std::system_category(), "somewhere else");
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<failing>(std::move(ends.first)).lock();
    channel->number = GENERATE(ECONNRESET, EPIPE, EBADF, ENOTCONN, ETIMEDOUT);
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->calls == calls{"handle_error", "handle_close"});
    CHECK(channel->close_reason() == close_reason::callback_error);
}

TEST_CASE("a channel whose handle_error keeps it goes on", "[dispatcher][errors]")
{
    class sometimes : public recorder {
    public:
        using recorder::recorder;
        void handle_read() override
        {
            recorder::handle_read();
            if (input == "a")
                throw test_error("at a");
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<sometimes>(std::move(ends.first));
    channel->survives = true;
    ends.second.send("a");
    REQUIRE(run_until(loop, [&] { return channel->count("handle_error") == 1; }));
    CHECK(channel->error_reason == close_reason::callback_error); // what it would be closed for
    CHECK(channel->close_reason() == close_reason::open);
    ends.second.send("b");
    CHECK(run_until(loop, [&] { return channel->input == "ab"; }));
}

// --- urgent data -------------------------------------------------------------------------------

namespace {

class urgent_recorder : public recorder {
public:
    using recorder::recorder;
    bool takes_it = false;
    std::string urgent;
    void handle_expt() override
    {
        recorder::handle_expt();
        char byte = 0;
        if (takes_it && ::recv(native_handle(), &byte, 1, MSG_OOB) == 1)
            urgent += byte;
    }
};

} // namespace

TEST_CASE("urgent data is reported on request only", "[dispatcher][urgent]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<urgent_recorder>(std::move(ends.first));
    ends.second.send("!", MSG_OOB);
    CHECK(settle(loop));
    CHECK(channel->count("handle_expt") == 0);
    channel->watch_urgent_data();
    CHECK(run_until(loop, [&] { return channel->count("handle_expt") == 1; }));
}

TEST_CASE("each urgent mark is reported once", "[dispatcher][urgent]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<urgent_recorder>(std::move(ends.first));
    channel->watch_urgent_data();
    SECTION("when the handler takes the byte")
    {
        channel->takes_it = true;
        for (const std::string mark : {"!", "?", "."}) {
            const auto before = channel->count("handle_expt");
            ends.second.send(mark, MSG_OOB);
            REQUIRE(run_until(loop, [&] { return channel->count("handle_expt") > before; }));
            CHECK(settle(loop));
            CHECK(channel->count("handle_expt") == before + 1);
        }
        CHECK(channel->urgent == "!?.");
    }
    SECTION("when the handler leaves the byte")
    {
        ends.second.send("!", MSG_OOB);
        REQUIRE(run_until(loop, [&] { return channel->count("handle_expt") == 1; }));
        CHECK(settle(loop)); // where the mark is reported again and again
        CHECK(channel->count("handle_expt") == 1);
        ends.second.send("abc"); // reading it passes the mark
        REQUIRE(run_until(loop, [&] { return channel->input == "abc"; }));
        CHECK(channel->count("handle_expt") == 1);
        ends.second.send("!", MSG_OOB);
        CHECK(run_until(loop, [&] { return channel->count("handle_expt") == 2; }));
    }
    SECTION("ordinary data around it is not disturbed")
    {
        channel->takes_it = true;
        ends.second.send("before");
        ends.second.send("!", MSG_OOB);
        ends.second.send("after");
        REQUIRE(run_until(loop, [&] { return channel->input == "beforeafter"; }));
        CHECK(channel->count("handle_expt") == 1);
    }
    SECTION("and no more when it is no longer watched")
    {
        channel->watch_urgent_data(false);
        ends.second.send("!", MSG_OOB);
        CHECK(settle(loop));
        CHECK(channel->count("handle_expt") <= 1); // a wait may have been under way
        channel->takes_it = true;
        ends.second.send("?", MSG_OOB);
        CHECK(settle(loop));
        CHECK(channel->count("handle_expt") <= 1);
    }
    SECTION("and again when it is watched again")
    {
        channel->takes_it = true;
        ends.second.send("!", MSG_OOB);
        REQUIRE(run_until(loop, [&] { return channel->count("handle_expt") == 1; }));
        channel->watch_urgent_data(false);
        CHECK(settle(loop));
        channel->watch_urgent_data();
        CHECK(settle(loop));
        CHECK(channel->count("handle_expt") == 1);
        ends.second.send("?", MSG_OOB);
        REQUIRE(run_until(loop, [&] { return channel->count("handle_expt") == 2; }));
        CHECK(channel->urgent == "!?");
    }
}

TEST_CASE("who watches urgent data is not told of a hang-up as if it were urgent",
          "[dispatcher][urgent]")
{
    const int family = GENERATE(AF_INET, AF_UNIX);
    CAPTURE(family);
    loop loop;
    auto ends = connected_pair(family);
    const auto channel = loop.create<urgent_recorder>(std::move(ends.first)).lock();
    channel->watch_urgent_data();
    CHECK(settle(loop));
    ends.second.send("last words");
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->input == "last words");
    CHECK(channel->count("handle_expt") == 0);
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->close_reason() == close_reason::peer_finished);
}

TEST_CASE("who watches urgent data sees a reset as a lost connection", "[dispatcher][urgent]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<urgent_recorder>(std::move(ends.first)).lock();
    channel->watch_urgent_data();
    CHECK(settle(loop));
    ends.second.reset();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->count("handle_expt") == 0);
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->close_reason() == close_reason::reset);
}

// --- datagrams ---------------------------------------------------------------------------------

namespace {

/// Keeps each datagram that comes.
class datagrams : public recorder {
public:
    datagrams(loop& owner, const endpoint& where) : recorder(owner)
    {
        create_socket(where.family(), SOCK_DGRAM);
        bind(where);
    }
    void handle_read() override
    {
        char buffer[2048];
        endpoint from;
        while (const auto size = recvfrom(asio::buffer(buffer), from)) {
            received.emplace_back(buffer, *size);
            senders.push_back(from);
        }
    }
    std::vector<std::string> received;
    std::vector<endpoint> senders;
};

} // namespace

TEST_CASE("datagrams arrive whole, with their sender; an empty one is no end",
          "[dispatcher][datagram]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(family);
    loop loop;
    temp_dir dir;
    const auto here = loop.create<datagrams>(free_address(family, dir));
    const auto there = loop.create<datagrams>(free_address(family, dir));
    const endpoint to = here->local_endpoint();

    char byte = 0;
    endpoint from;
    CHECK_FALSE(here->recvfrom(asio::buffer(&byte, 1), from));

    CHECK(there->sendto("one", to) == 3);
    CHECK(there->sendto("", to) == 0);
    CHECK(there->sendto(std::string(1000, 'x'), to) == 1000);
    REQUIRE(run_until(loop, [&] { return here->received.size() == 3; }));
    CHECK(here->received == calls{"one", "", std::string(1000, 'x')});
    CHECK(here->senders[0] == there->local_endpoint());
    CHECK(here->sendto("answer", here->senders[0]) == 6);
    REQUIRE(run_until(loop, [&] { return there->received.size() == 1; }));
    CHECK(settle(loop));
    CHECK(here->calls.empty());
    CHECK(there->calls.empty());
    CHECK_FALSE(here->closed());
}

TEST_CASE("a datagram longer than the buffer is cut", "[dispatcher][datagram]")
{
    loop loop;
    const auto here = loop.create<recorder>();
    here->create_socket(AF_INET, SOCK_DGRAM);
    here->bind(endpoint("127.0.0.1", 0));
    here->sendto("abcdef", here->local_endpoint());
    here->sendto("next", here->local_endpoint());
    char buffer[4];
    endpoint from;
    REQUIRE(run_until(loop, [&] { return !here || here->calls.size() > 0; }));
    REQUIRE(here);
    const auto size = here->recvfrom(asio::buffer(buffer), from);
    REQUIRE(size);
    CHECK(std::string(buffer, *size) == "next");
}

TEST_CASE("a connected datagram socket sends and receives; an empty datagram is no end",
          "[dispatcher][datagram]")
{
    loop loop;
    const auto here = loop.create<datagrams>(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>();
    client->create_socket(AF_INET, SOCK_DGRAM);
    client->connect(here->local_endpoint());
    REQUIRE(run_until(loop, [&] { return client->connected(); }));
    CHECK(client->send("question") == 8);
    REQUIRE(run_until(loop, [&] { return here->received.size() == 1; }));
    here->sendto("", here->senders[0]);
    here->sendto("answer", here->senders[0]);
    REQUIRE(run_until(loop, [&] { return !client || client->input == "answer"; }));
    REQUIRE(client);
    CHECK(client->calls == calls{"handle_connect", "handle_read", "handle_read"});
}

TEST_CASE("errors of datagrams are exceptions", "[dispatcher][datagram]")
{
    loop loop;
    const auto here = loop.create<datagrams>(endpoint("127.0.0.1", 0));
    CHECK_THROWS_AS(here->sendto(std::string(70000, 'x'), here->local_endpoint()),
                    std::system_error);
    CHECK_THROWS_AS(here->sendto("x", endpoint()), std::logic_error);
    CHECK_THROWS_AS(here->sendto("x", endpoint::named("localhost", "9")), std::logic_error);
    CHECK(here);
}

// --- adopting ----------------------------------------------------------------------------------

TEST_CASE("a connected socket of Asio can be adopted", "[dispatcher][adopt]")
{
    loop loop;
    asio::io_context other;
    asio::io_context& context = GENERATE(false, true) ? other : loop.context();
    raw_listener server(endpoint("127.0.0.1", 0));
    asio::ip::tcp::socket from_asio(context);
    from_asio.connect(
        asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), server.address().port()));
    auto peer = server.accept();
    bool cancelled = false;
    char unused = 0;
    from_asio.async_read_some(asio::buffer(&unused, 1),
                              [&](const std::error_code& error, std::size_t) {
                                  cancelled = error == asio::error::operation_aborted;
                              });

    const auto channel = loop.create<recorder>(std::move(from_asio));
    CHECK_FALSE(from_asio.is_open());
    CHECK(channel->connected());
    CHECK(channel->addr() == server.address());
    peer.send("hello");
    REQUIRE(run_until(loop, [&] { return channel->input == "hello"; }));
    CHECK(channel->send("there") == 5);
    CHECK(peer.received() == "there");
    other.run();
    CHECK(cancelled);
}

TEST_CASE("a UNIX socket of Asio can be adopted", "[dispatcher][adopt]")
{
    loop loop;
    asio::local::stream_protocol::socket one(loop.context());
    asio::local::stream_protocol::socket two(loop.context());
    asio::local::connect_pair(one, two);
    const auto channel = loop.create<recorder>(std::move(one));
    const auto peer = loop.create<recorder>(std::move(two));
    CHECK(channel->connected());
    CHECK(peer->send("hello") == 5);
    CHECK(run_until(loop, [&] { return channel->input == "hello"; }));
}

TEST_CASE("a socket of Asio that is not open cannot be adopted", "[dispatcher][adopt]")
{
    asio::io_context context;
    CHECK_THROWS_AS(asynchat::socket(asio::ip::tcp::socket(context)), std::system_error);
}

// It was connected when its owner accepted it, so its end has to be reported like any other.
TEST_CASE("an adopted socket whose peer has reset it meanwhile ends", "[dispatcher][adopt]")
{
    loop loop;
    asio::ip::tcp::acceptor acceptor(
        loop.context(), asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
    auto peer = raw_peer::connected_to(endpoint(acceptor.local_endpoint()));
    asio::ip::tcp::socket accepted = acceptor.accept();
    peer.reset();
    const auto channel = loop.create<recorder>(std::move(accepted)).lock();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->count("handle_error") == 0);
}

TEST_CASE("a socket that is not connected yet can be adopted and used", "[dispatcher][adopt]")
{
    loop loop;
    raw_listener server(endpoint("127.0.0.1", 0));
    asynchat::socket fresh(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), AF_INET, SOCK_STREAM);
    const auto channel = loop.create<recorder>(std::move(fresh));
    CHECK_FALSE(channel->connected());
    CHECK(channel->addr().empty());
    CHECK((::fcntl(channel->native_handle(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK(settle(loop));
    CHECK(channel->calls.empty());
    channel->connect(server.address());
    CHECK(run_until(loop, [&] { return channel->connected(); }));
}

TEST_CASE("an empty socket is as none", "[dispatcher][adopt]")
{
    loop loop;
    const auto channel = loop.create<recorder>(asynchat::socket());
    CHECK(channel->native_handle() == -1);
    CHECK_FALSE(channel->connected());
}

TEST_CASE("a descriptor that is no socket is refused and closed", "[dispatcher][adopt]")
{
    loop loop;
    auto ends = make_pipe();
    const int fd = ends.first.release();
    CHECK_THROWS_AS(loop.create<recorder>(asynchat::socket(fd, AF_INET, SOCK_STREAM)),
                    std::system_error);
    CHECK_FALSE(is_open(fd));
    CHECK(loop.size() == 0);
}

TEST_CASE("a socket value owns its descriptor", "[socket]")
{
    auto ends = asynchat::socket::pair();
    const int first = ends.first.native_handle();
    const int second = ends.second.native_handle();
    CHECK((::fcntl(first, F_GETFD) & FD_CLOEXEC) != 0);
    asynchat::socket moved(std::move(ends.first));
    CHECK_FALSE(ends.first);
    CHECK(moved);
    CHECK(moved.native_handle() == first);
    CHECK(moved.family() == AF_UNIX);
    CHECK(moved.type() == SOCK_STREAM);
    moved = std::move(ends.second);
    CHECK_FALSE(is_open(first));
    CHECK(moved.native_handle() == second);
    const descriptor given_up(moved.release());
    CHECK_FALSE(moved);
    CHECK(is_open(second));
}

TEST_CASE("descriptors over 1024 work", "[dispatcher][adopt]")
{
    const descriptor_limit limit(4096);
    if (!limit.possible()) {
        WARN("the limit for descriptors cannot be raised here");
        return;
    }
    loop loop;
    auto ends = connected_pair();
    const int high = ::fcntl(ends.first.native_handle(), F_DUPFD_CLOEXEC, 1090);
    REQUIRE(high >= 1090);
    const auto channel = loop.create<recorder>(asynchat::socket(high, AF_INET, SOCK_STREAM));
    ends.second.send("far up");
    CHECK(run_until(loop, [&] { return channel->input == "far up"; }));
}

TEST_CASE("an event meant for a closed channel cannot reach a new one with its descriptor",
          "[dispatcher][adopt]")
{
    class replacing : public recorder {
    public:
        using recorder::recorder;
        std::weak_ptr<recorder> victim;
        std::shared_ptr<recorder> successor;
        raw_peer successor_peer;
        void handle_read() override
        {
            recorder::handle_read();
            const auto target = victim.lock();
            if (!target || target->closed())
                return;
            auto ends = connected_pair(AF_UNIX);
            const int number = target->native_handle();
            target->close();
            REQUIRE(::dup2(ends.first.native_handle(), number) == number);
            ends.first = asynchat::socket(number, AF_UNIX, SOCK_STREAM);
            successor = owner().create<recorder>(std::move(ends.first)).lock();
            successor_peer = std::move(ends.second);
        }
    };
    loop loop;
    auto one = connected_pair(AF_UNIX);
    auto two = connected_pair(AF_UNIX);
    const auto first = loop.create<replacing>(std::move(one.first)).lock();
    const auto second = loop.create<replacing>(std::move(two.first)).lock();
    first->victim = second;
    second->victim = first; // whichever is served first
    CHECK(settle(loop));
    one.second.send("x");
    two.second.send("y");
    REQUIRE(run_until(loop, [&] { return first->closed() || second->closed(); }));
    const auto& survivor = first->closed() ? second : first;
    const auto& gone = first->closed() ? first : second;
    CHECK(settle(loop));
    CHECK(gone->calls.empty());
    REQUIRE(survivor->successor);
    // Asio may wake the new one for nothing, but what belongs to the old one never reaches it.
    CHECK(survivor->successor->input.empty());
    CHECK(survivor->successor->count("handle_close") == 0);
    CHECK(survivor->successor->count("handle_error") == 0);
    CHECK_FALSE(survivor->successor->closed());
    survivor->successor_peer.send("for the new one");
    CHECK(run_until(loop, [&] { return survivor->successor->input == "for the new one"; }));
}

// --- layers ------------------------------------------------------------------------------------

TEST_CASE("a layer can change what goes through recv and send", "[dispatcher][layers]")
{
    // Adds 1 to each byte on its way out and takes it off on the way in, and counts.
    class shifting : public logging<async_chat> {
    public:
        shifting(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
        {
            set_terminator("\n");
        }
        std::vector<std::string> frames;
        std::size_t bytes_in = 0;
        std::size_t bytes_out = 0;

        std::size_t recv(asio::mutable_buffer into) override
        {
            const std::size_t size = async_chat::recv(into);
            char* const bytes = static_cast<char*>(into.data());
            for (std::size_t i = 0; i < size; ++i)
                bytes[i] = static_cast<char>(bytes[i] - 1);
            bytes_in += size;
            return size;
        }
        std::size_t send(const_buffers data) override
        {
            std::string shifted = data.str();
            for (char& c : shifted)
                c = static_cast<char>(c + 1);
            const std::size_t sent = async_chat::send(shifted);
            bytes_out += sent;
            return sent;
        }
        void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
        void found_terminator() override
        {
            frames.push_back(_get_data());
            push("BDF");
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<shifting>(std::move(ends.first));
    ends.second.send("bdf\x0b");
    REQUIRE(run_until(loop, [&] { return ends.second.received() == "CEG"; }));
    CHECK(channel->frames == calls{"ace"});
    CHECK(channel->bytes_in == 4);
    CHECK(channel->bytes_out == 3);
}

TEST_CASE("a layer can put a handshake before the first byte", "[dispatcher][layers]")
{
    class shaking_hands : public recorder {
    public:
        using recorder::recorder;
        bool done = false;
        void handle_read_event() override
        {
            if (done)
                return recorder::handle_read_event();
            char byte = 0;
            if (recv(asio::buffer(&byte, 1)) == 1) {
                calls.push_back("handshake");
                send(std::string_view(&byte, 1));
                done = true;
            }
        }
        void handle_write_event() override
        {
            calls.push_back("handle_write_event");
            recorder::handle_write_event();
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<shaking_hands>(std::move(ends.first));
    ends.second.send("!data");
    REQUIRE(run_until(loop, [&] { return channel->input == "data"; }));
    CHECK(ends.second.received() == "!");
    CHECK(channel->calls == calls{"handshake", "handle_read"});
    channel->wants_write = true;
    channel->update_interest();
    REQUIRE(run_until(loop, [&] { return channel->count("handle_write") > 0; }));
    CHECK(channel->count("handle_write_event") == channel->count("handle_write"));
}

TEST_CASE("a channel can be driven by hand, without a network", "[dispatcher][layers]")
{
    class scripted : public logging<async_chat> {
    public:
        explicit scripted(loop& owner) : logging(owner)
        {
            set_connected(true);
            set_terminator("\n");
        }
        std::vector<std::string> script;
        std::string sent;
        std::vector<std::string> frames;
        std::size_t recv(asio::mutable_buffer into) override
        {
            if (script.empty())
                return 0;
            const std::string piece = script.front();
            script.erase(script.begin());
            return asio::buffer_copy(into, asio::buffer(piece));
        }
        std::size_t send(const_buffers data) override
        {
            sent += data.str();
            return data.size();
        }
        void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
        void found_terminator() override
        {
            frames.push_back(_get_data());
            push("ok ");
        }
    };
    loop loop;
    const driven<scripted> owned(loop);
    scripted& channel = *owned;
    channel.script = {"a", "b\nc", "d\n\n"};
    for (int i = 0; i < 4; ++i)
        channel.handle_read();
    CHECK(channel.frames == calls{"ab", "cd", ""});
    channel.initiate_send();
    CHECK(channel.sent == "ok ok ok ");
    CHECK(channel.pending_output() == 0);
}

// --- descriptions ------------------------------------------------------------------------------

namespace {

class plain : public dispatcher {
public:
    using dispatcher::dispatcher;
};

std::string described(const dispatcher& channel, const std::string& middle)
{
    return "<(anonymous namespace)::plain" + middle +
           fmt::format(" at {}>", static_cast<const void*>(&channel));
}

} // namespace

TEST_CASE("repr tells the state and the address", "[dispatcher][repr]")
{
    loop loop;
    const auto channel = loop.create<plain>().lock();
    CHECK(channel->repr() == described(*channel, ""));
    channel->create_socket();
    CHECK(channel->repr() == described(*channel, ""));

    SECTION("listening")
    {
        channel->bind(endpoint("127.0.0.1", 0));
        CHECK(channel->repr() == described(*channel, " 127.0.0.1:0"));
        channel->listen();
        CHECK(channel->repr() == described(*channel, " listening 127.0.0.1:0"));
        channel->close();
        CHECK(channel->repr() == described(*channel, " 127.0.0.1:0"));
    }
    SECTION("connected")
    {
        const raw_listener server(endpoint("127.0.0.1", 0));
        const std::string address = " " + server.address().to_string();
        channel->connect(server.address());
        CHECK(channel->repr() == described(*channel, address));
        const auto keeps_it = loop.create<recorder>();
        REQUIRE(run_until(loop, [&] { return channel->connected(); }));
        CHECK(channel->repr() == described(*channel, " connected" + address));
        channel->close();
        CHECK(channel->repr() == described(*channel, address));
    }
    SECTION("connected over IPv6")
    {
        const raw_listener server(endpoint("::1", 0));
        const auto other = loop.create<plain>().lock();
        other->connect(server.address());
        REQUIRE(run_until(loop, [&] { return other->connected(); }));
        CHECK(other->repr() ==
              described(*other, " connected [::1]:" + std::to_string(server.address().port())));
    }
    SECTION("connected over a UNIX socket, by path and without one")
    {
        temp_dir dir;
        raw_listener server(free_address(AF_UNIX, dir));
        const auto other = loop.create<plain>().lock();
        other->connect(server.address());
        REQUIRE(run_until(loop, [&] { return other->connected(); }));
        CHECK(other->repr() == described(*other, " connected " + server.address().host()));

        const auto nameless = loop.create<plain>(std::move(asynchat::socket::pair().first)).lock();
        CHECK(nameless->connected());
        CHECK(nameless->repr() == described(*nameless, " connected"));
    }
    SECTION("looking up")
    {
        const auto other = loop.create<plain>().lock();
        other->connect("localhost", "http");
        CHECK(other->repr() == described(*other, " localhost:http"));
    }
}
