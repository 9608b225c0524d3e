// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support.hpp"
#include "support/peers.hpp"

using namespace support;

TEST_CASE("tls: a line goes there and back", "[tls]")
{
    both<> pair;
    pair.client->push("hello\n");
    pair.loop.settle();
    const auto server = pair.accepted();
    REQUIRE(server);
    CHECK(pair.client->events == strings{"handshake", "open", "connect", "collect hello", "found"});
    CHECK(server->events == strings{"handshake", "open", "collect hello", "found"});
}

TEST_CASE("tls: over sockets of the system", "[tls][loopback]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    asynchat::loop loop;
    const auto server =
        loop.create<asynchat::server<echo>>(asynchat::endpoint("127.0.0.1", 0)).lock();
    use_tls(*server, server_context());
    const auto client = loop.create<recorder>().lock();
    start_tls(*client, client_context());
    client->connect("localhost", server->local_endpoint().port());
    client->push("hello\n");
    client->push_eof();
    for (int i = 0; i < 1000 && !client->closed(); ++i)
        loop.run(1, std::chrono::milliseconds(100));
    CHECK(client->events == strings{"handshake", "open", "connect", "collect hello", "found", "eof",
                                    "close peer finished"});
}
