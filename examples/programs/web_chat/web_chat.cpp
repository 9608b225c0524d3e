// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The chat room with a second door, for browsers.
//
//     web_chat [--host HOST] [--port PORT] [--lines PORT] [--tls CERT KEY] [--origin ORIGIN]
//
// Exits with 0 after SIGINT or SIGTERM, with 1 if it cannot serve, with 2 after wrong use.

#include "../chat/member.hpp"
#include "../chat/room.hpp"
#include "../tls_arguments.hpp"
#include "page.hpp"
#include "web_member.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view usage =
    "usage: web_chat [--host HOST] [--port PORT] [--lines PORT] [--tls CERT KEY]\n"
    "                [--origin ORIGIN]\n"
    "\n"
    "A chat room for browsers, and for telnet and netcat. SIGINT or SIGTERM end it.\n"
    "\n"
    "  --host HOST      an address in digits: 127.0.0.1 if not given\n"
    "  --port PORT      for browsers; 0, or none, is any free one: see the output\n"
    "  --lines PORT     for telnet and netcat, the same\n"
    "  --tls CERT KEY   speaks TLS at both, with the certificate and the key of these PEM files\n"
    "  --origin ORIGIN  pages from there may connect too, and its host is a name of this server:\n"
    "                   https://chat.example\n";

struct settings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::uint16_t lines = 0;
    asynchat::websocket_options options;
    std::string name;
};

// "chat.example:8443" of "https://chat.example:8443".
std::string host_of(const std::string& origin)
{
    const std::size_t end = origin.find("://");
    const std::string host = end == origin.npos ? "" : origin.substr(end + 3);
    if (host.empty() || host.find_first_of("/?#@") != host.npos)
        throw arguments::wrong_use(fmt::format("--origin: '{}' is not like https://chat.example",
                                               asynchat::escaped(origin)));
    return host;
}

settings parse(arguments::command_line& line)
{
    settings result;
    result.options.max_message(web_chat::longest_message);
    result.host = line.option("--host").value_or(result.host);
    if (const auto port = line.option("--port"))
        result.port = arguments::port("--port", *port);
    if (const auto port = line.option("--lines"))
        result.lines = arguments::port("--lines", *port);
    if (const auto origin = line.option("--origin")) {
        result.options.allow_origin(*origin);
        result.name = host_of(*origin);
    }
    line.words(0);
    return result;
}

int serve(arguments::command_line line)
{
    using namespace std::chrono_literals;
    const arguments::server_tls tls(line);
    const settings wanted = parse(line);
    chat::room room;
    web_chat::door door{room, web_chat::page, wanted.name};
    asynchat::loop loop;
    const auto browsers = loop.create<asynchat::server<web_chat::web_member>>(
        asynchat::endpoint(wanted.host, wanted.port), std::ref(door), wanted.options);
    const auto terminals = loop.create<asynchat::server<chat::member>>(
        asynchat::endpoint(wanted.host, wanted.lines), std::ref(room), web_chat::longest_message);
    tls.protect(*browsers.lock());
    tls.protect(*terminals.lock());
    browsers->max_connections(3000);
    terminals->max_connections(3000);
    fmt::print("listening on {}://{}/ for browsers\n", tls ? "https" : "http",
               browsers->local_endpoint().to_string());
    fmt::print("listening on {} for telnet and netcat\n", terminals->local_endpoint().to_string());
    std::fflush(stdout);
    loop.on_signals([&] {
        browsers->stop(2s); // tells the members, and lets them read it
        terminals->stop(2s);
    });
    loop.run();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("web_chat", usage, argc, argv, serve);
}
