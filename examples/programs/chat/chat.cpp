// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A chat room for telnet and netcat, on one server or on several that share a Redis.
//
//     chat [--host HOST] [--port PORT] [--redis HOST:PORT [--name NAME]]
//
// Exits with 0 after SIGINT or SIGTERM, 1 when it cannot serve, 2 when used wrongly.

#include "federation.hpp"
#include "member.hpp"
#include "room.hpp"

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

namespace {

constexpr std::string_view usage =
    "usage: chat [--host HOST] [--port PORT] [--redis HOST:PORT [--name NAME]]\n"
    "\n"
    "A chat room: telnet or netcat to it, and say /help. SIGINT or SIGTERM end it.\n"
    "\n"
    "  --host HOST         an address in digits: 127.0.0.1 if not given\n"
    "  --port PORT         0, or none, is any free one; the first line of the output tells which\n"
    "  --redis HOST:PORT   one room with all the servers at this Redis, of version 6 or later\n"
    "  --name NAME         this server among them, its own; if not given it is a random one\n";

struct settings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::string redis_host;
    std::uint16_t redis_port = 0;
    std::string name;
};

std::uint16_t parse_port(std::string_view flag, std::string_view text)
{
    const auto port = asynchat::parse_number(text, 65535);
    if (!port) {
        throw std::invalid_argument(fmt::format("{}: {} at byte {} of '{}'", flag,
                                                asynchat::to_string(port.error()), port.position(),
                                                asynchat::escaped(text)));
    }
    return static_cast<std::uint16_t>(*port);
}

settings parse(int argc, char** argv)
{
    settings result;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view flag = argv[i];
        if (flag != "--host" && flag != "--port" && flag != "--redis" && flag != "--name")
            throw std::invalid_argument(fmt::format("there is no {}", flag));
        if (i + 1 == argc)
            throw std::invalid_argument(fmt::format("nothing after {}", flag));
        const std::string_view value = argv[i + 1];
        if (flag == "--host") {
            result.host = value;
        } else if (flag == "--port") {
            result.port = parse_port(flag, value);
        } else if (flag == "--redis") {
            const std::size_t colon = value.rfind(':');
            if (colon == std::string_view::npos || colon == 0)
                throw std::invalid_argument(fmt::format("--redis: '{}' is not HOST:PORT", value));
            result.redis_host = value.substr(0, colon);
            result.redis_port = parse_port(flag, value.substr(colon + 1));
        } else {
            if (const auto bad = chat::first_bad_byte_of_name(value))
                throw std::invalid_argument(
                    fmt::format("--name: byte {} of '{}'", *bad, asynchat::escaped(value)));
            result.name = value;
        }
    }
    if (result.redis_host.empty() != result.name.empty()) {
        if (result.redis_host.empty())
            throw std::invalid_argument("--name: without --redis there is only one server");
        result.name = fmt::format("{:08x}", std::random_device()());
    }
    return result;
}

void serve(const settings& wanted)
{
    chat::room room(wanted.name);
    asynchat::loop loop;
    const auto server = loop.create<asynchat::server<chat::member>>(
        asynchat::endpoint(wanted.host, wanted.port), std::ref(room));
    server->max_connections(3000); // their names fit into one message between servers
    fmt::print("listening on {}\n", server->local_endpoint().to_string());
    std::fflush(stdout);

    std::unique_ptr<chat::federation> others;
    if (!wanted.redis_host.empty()) {
        others =
            std::make_unique<chat::federation>(loop, room, wanted.redis_host, wanted.redis_port);
    }

    loop.on_signals([&] {
        server->stop(std::chrono::seconds(2)); // the members are told, and get to read it
        if (others)
            others->stop();
    });
    loop.run();
}

} // namespace

int main(int argc, char** argv)
{
    try {
        if (argc == 2 && argv[1] == std::string_view("--help")) {
            fmt::print("{}", usage);
            return 0;
        }
        serve(parse(argc, argv));
        return 0;
    } catch (const std::invalid_argument& error) {
        fmt::print(stderr, "chat: {}\n{}", error.what(), usage);
        return 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "chat: {}\n", error.what());
        return 1;
    }
}
