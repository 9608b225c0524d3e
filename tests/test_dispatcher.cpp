// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/error_text.hpp"
#include "support/listener.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <asio/ip/tcp.hpp>

#include <netinet/tcp.h>

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// The std::system_error of a call.
template <class Call>
std::error_code error_of(Call call)
{
    try {
        call();
    } catch (const std::system_error& error) {
        return error.code();
    }
    return {};
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

    if (ASYNCHAT_HAS_KEEPALIVE_TIMES != 0) {
        channel->set_keep_alive(60s, 1500ms, 4);
        CHECK(int_option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0);
        CHECK(int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
        CHECK(int_option(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 2);
        CHECK(int_option(fd, IPPROTO_TCP, TCP_KEEPCNT) == 4);
    } else {
        CHECK(error_of([&] { channel->set_keep_alive(60s, 1500ms, 4); }) ==
              std::errc::operation_not_supported);
        CHECK(int_option(fd, SOL_SOCKET, SO_KEEPALIVE) == 0);
    }

    if (ASYNCHAT_HAS_TCP_TIMEOUTS != 0) {
        channel->set_user_timeout(20s);
        CHECK(int_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 20000);
        channel->set_user_timeout(0s);
        CHECK(int_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
    } else {
        CHECK(error_of([&] { channel->set_user_timeout(20s); }) ==
              std::errc::operation_not_supported);
    }
    CHECK_THROWS_AS(channel->set_user_timeout(-1ns), std::system_error);

    channel->set_dual_stack(true);
    CHECK(int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
    channel->set_dual_stack(false);
    CHECK(int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0);

    channel->create_socket(AF_UNIX);
    CHECK_THROWS_AS(channel->set_no_delay(true), std::system_error);
    CHECK_THROWS_AS(channel->set_keep_alive(1s, 1s, 1), std::system_error);
    CHECK_THROWS_AS(channel->set_user_timeout(1s), std::system_error);
}

TEST_CASE("set_keep_alive: a value that the system refuses leaves all of them as they were",
          "[dispatcher][options]")
{
    ASYNCHAT_TEST_NEEDS(ASYNCHAT_HAS_KEEPALIVE_TIMES != 0, "a system with times for a socket");
    loop loop;
    const auto channel = loop.create<recorder>();
    channel->create_socket();
    const int fd = channel->native_handle();
    const bool on = GENERATE(false, true);
    channel->set_keep_alive(60s, 7s, 4);
    channel->set_keep_alive(on);
    CHECK_THROWS_AS(channel->set_keep_alive(0s, 1s, 3), std::system_error);
    CHECK_THROWS_AS(channel->set_keep_alive(1s, -1s, 3), std::system_error);
    CHECK_THROWS_AS(channel->set_keep_alive(1s, 1s, 0), std::system_error);
    CHECK(int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
    CHECK(int_option(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 7);
    CHECK(int_option(fd, IPPROTO_TCP, TCP_KEEPCNT) == 4);
    CHECK((int_option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0) == on);
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
                                              Catch::Matchers::ContainsSubstring(
                                                  support::error_text(std::errc::address_in_use)));
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
