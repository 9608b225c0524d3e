// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A web server: the example of Python's asynchat manual, completed. It serves a folder of files,
// and its own page, which shows the requests.
//
//     http_server [--root FOLDER] [--timeout SECONDS] [--tls CERT KEY] [HOST [PORT]]
//
// It runs until SIGINT or SIGTERM.
//
// Exits with 0 after a signal, with 1 if it cannot serve, with 2 after wrong use.

#include "../tls_arguments.hpp"
#include "http_channel.hpp"

#include <cstdio>

namespace {

constexpr std::string_view usage =
    "usage: http_server [--root FOLDER] [--timeout SECONDS] [--tls CERT KEY] [HOST [PORT]]\n"
    "\n"
    "Serves HTTP until SIGINT or SIGTERM; a second signal does not wait for the last answers.\n"
    "\n"
    "  --root FOLDER      its files, index.html for the folders; without it only /server\n"
    "  --timeout SECONDS  for a request to be complete; twice that for it to begin\n"
    "                     (30; 0 is for ever)\n"
    "  --tls CERT KEY     HTTPS, with the certificate and the key of these PEM files\n"
    "  HOST               an address in digits: 127.0.0.1 if not given\n"
    "  PORT               0, or none, is any free one; the first line of the output tells which\n";

int serve(arguments::command_line line)
{
    using namespace std::chrono_literals;
    http::settings settings;
    settings.root = line.option("--root").value_or("");
    settings.timeout = std::chrono::seconds(line.number("--timeout", 30, 3600));
    const arguments::server_tls tls(line);
    const auto where = arguments::address(line.words(2));
    http::site site(settings);
    asynchat::loop loop;
    const auto server =
        loop.create<asynchat::server<http::http_channel>>(where, std::ref(site)).lock();
    tls.protect(*server);
    server->max_connections(400); // each may have an open file; 1024 descriptors are usual
    site.show(server->counters());
    loop.on_signals([&] { server->stop(5s); });
    fmt::print("listening on {}://{}/\n", tls ? "https" : "http",
               server->local_endpoint().to_string());
    std::fflush(stdout);
    loop.run();
    fmt::print("{} requests on {} connections, {} bytes in, {} bytes out\n", site.requests(),
               server->counters().accepted, server->counters().bytes_in,
               server->counters().bytes_out);
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("http_server", usage, argc, argv, serve);
}
