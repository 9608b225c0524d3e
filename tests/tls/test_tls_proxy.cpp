// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// TLS behind a PROXY header.

#include "openssl_peer.hpp"
#include "support.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

using namespace asynchat;
using namespace std::chrono_literals;
using namespace support;

namespace {

const std::string header = "PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n";

/// Notes the header in both places where it is there.
class announced : public echo {
public:
    using echo::echo;
    void handle_handshake() override { note("handshake " + source()); }
    void handle_open() override { note("open " + source()); }
    void found_terminator() override
    {
        CHECK(source() == "no header");
        echo::found_terminator();
    }

private:
    std::string source() const
    {
        const auto* const proxy = proxy_header::of(*this);
        return proxy ? proxy->source().to_string() : "no header";
    }
};

/// Sends a header in one piece with the first output.
class prefix_layer : public transport_layer {
public:
    std::size_t write_some(const_buffers from, std::error_code& error) override
    {
        if (was_sent_)
            return transport_layer::write_some(from, error);
        was_sent_ = true;
        std::string all = header;
        for (const asio::const_buffer& each : from)
            all.append(static_cast<const char*>(each.data()), each.size());
        const std::size_t sent = transport_layer::write_some(const_buffers(all), error);
        REQUIRE(sent == all.size());
        return from.size();
    }

private:
    bool was_sent_ = false;
};

} // namespace

TEST_CASE("a ClientHello may come in one piece with the PROXY header", "[proxy]")
{
    testing::loop loop;
    const auto server = loop.create<asynchat::server<announced>>(there).lock();
    use_tls(*server, server_context());
    server->expect_proxy({"127.0.0.1"});
    const auto client = loop.create<recorder>().lock();
    client->add_layer(std::make_unique<prefix_layer>());
    start_tls(*client, client_context(), "localhost");
    client->push("hello\n");
    client->connect(there);
    loop.settle();
    CHECK(client->events == strings{"handshake", "open", "connect", "collect hello", "found"});
    const auto accepted = std::dynamic_pointer_cast<announced>(loop.channels().back());
    REQUIRE(accepted);
    CHECK(accepted->events ==
          strings{"handshake 192.0.2.1:1000", "open 192.0.2.1:1000", "collect hello", "found"});
    CHECK(accepted->addr() == endpoint("192.0.2.1", 1000));
    CHECK(server->counters().handshakes == 0);
}

TEST_CASE("the PROXY header is not part of TLS, however it is cut", "[proxy]")
{
    for (std::size_t size = 1; size <= header.size(); ++size) {
        testing::loop loop;
        const auto server = loop.create<asynchat::server<announced>>(there).lock();
        use_tls(*server, server_context());
        server->expect_proxy({"127.0.0.1"});
        openssl_peer peer(openssl_peer::side::client, loop.connect(there));
        peer.connection.send(header, size);
        CAPTURE(size);
        CHECK(peer.handshake());
    }
}

TEST_CASE("the time of a handshake behind a proxy counts from the accept on", "[proxy]")
{
    testing::loop loop;
    const auto server = loop.create<asynchat::server<announced>>(there).lock();
    use_tls(*server, server_context());
    server->expect_proxy({"127.0.0.1"});
    auto peer = loop.connect(there);
    loop.advance(2500ms);
    peer.send(header);
    loop.settle();
    const auto accepted = std::dynamic_pointer_cast<announced>(loop.channels().back());
    REQUIRE(accepted);
    CHECK(server->counters().handshakes == 1);
    loop.advance(7400ms);
    CHECK(!accepted->closed());
    loop.advance(200ms);
    CHECK(accepted->close_reason() == close_reason::handshake_timeout);
    CHECK(server->counters().handshakes == 0);
}

TEST_CASE("without its PROXY header no handshake begins", "[proxy]")
{
    testing::loop loop;
    loop.log_sink([](log_type, std::string_view) {});
    const auto server = loop.create<asynchat::server<announced>>(there).lock();
    use_tls(*server, server_context());
    server->expect_proxy({"127.0.0.1"});
    openssl_peer peer(openssl_peer::side::client, loop.connect(there));
    CHECK(!peer.handshake());
    CHECK(server->counters().refused == 1);
    CHECK(server->counters().accepted == 0);
}
