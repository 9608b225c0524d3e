// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A chat room for telnet and netcat, on one server or on several that share a Redis server.
//
//     chat [--host HOST] [--port PORT] [--tls CERT KEY] [--proxy ADDRESS]
//          [--redis HOST:PORT [--name NAME]]
//
// Exits with 0 after SIGINT or SIGTERM, with 1 if it cannot serve, with 2 after wrong use.

#include "../tls_arguments.hpp"
#include "federation.hpp"
#include "member.hpp"
#include "room.hpp"

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::string_view usage =
    "usage: chat [--host HOST] [--port PORT] [--tls CERT KEY] [--proxy ADDRESS]\n"
    "            [--redis HOST:PORT [--name NAME]]\n"
    "\n"
    "A chat room: telnet or netcat to it, and say /help. SIGINT or SIGTERM end it.\n"
    "\n"
    "  --host HOST         an address in digits: 127.0.0.1 if not given\n"
    "  --port PORT         0, or none, is any free one; the first line of the output tells which\n"
    "  --tls CERT KEY      speaks TLS, with the certificate and the key of these PEM files\n"
    "  --proxy ADDRESS     HAProxy and the like connect from here, with the PROXY protocol; also "
    "a\n"
    "                      range: 10.0.0.0/8\n"
    "  --redis HOST:PORT   one room with all the servers at this Redis, of version 6 or later\n"
    "  --name NAME         this server among them, its own; if not given it is a random one\n";

struct settings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::vector<asynchat::address_range> proxies; // at most one
    std::string redis_host;
    std::uint16_t redis_port = 0;
    std::string name;
};

asynchat::address_range range(const std::string& text)
{
    try {
        return text;
    } catch (const std::invalid_argument& error) {
        throw arguments::wrong_use(fmt::format("--proxy: {}", error.what()));
    }
}

settings parse(arguments::command_line& line)
{
    settings result;
    result.host = line.option("--host").value_or(result.host);
    if (const auto port = line.option("--port"))
        result.port = arguments::port("--port", *port);
    if (const auto proxy = line.option("--proxy"))
        result.proxies.push_back(range(*proxy));
    if (const auto redis = line.option("--redis")) {
        const std::size_t colon = redis->rfind(':');
        if (colon == std::string::npos || colon == 0)
            throw arguments::wrong_use(
                fmt::format("--redis: '{}' is not HOST:PORT", asynchat::escaped(*redis)));
        result.redis_host = redis->substr(0, colon);
        result.redis_port = arguments::port("--redis", redis->substr(colon + 1));
    }
    if (const auto name = line.option("--name")) {
        if (const auto bad = chat::first_bad_byte_of_name(*name))
            throw arguments::wrong_use(
                fmt::format("--name: byte {} of '{}'", *bad, asynchat::escaped(*name)));
        result.name = *name;
    }
    line.words(0);
    if (result.redis_host.empty() != result.name.empty()) {
        if (result.redis_host.empty())
            throw arguments::wrong_use("--name: without --redis there is only one server");
        result.name = fmt::format("{:08x}", std::random_device()());
    }
    return result;
}

int serve(arguments::command_line line)
{
    const arguments::server_tls tls(line);
    const settings wanted = parse(line);
    chat::room room(wanted.name);
    asynchat::loop loop;
    const auto server = loop.create<asynchat::server<chat::member>>(
        asynchat::endpoint(wanted.host, wanted.port), std::ref(room));
    tls.protect(*server.lock());
    server->max_connections(3000); // their names fit into one message between servers
    server->expect_proxy(wanted.proxies);
    fmt::print("listening on {}\n", server->local_endpoint().to_string());
    std::fflush(stdout);

    std::unique_ptr<chat::federation> others;
    if (!wanted.redis_host.empty()) {
        others =
            std::make_unique<chat::federation>(loop, room, wanted.redis_host, wanted.redis_port);
    }

    loop.on_signals([&] {
        server->stop(std::chrono::seconds(2)); // tells the members, and lets them read it
        if (others)
            others->stop();
    });
    loop.run();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("chat", usage, argc, argv, serve);
}
