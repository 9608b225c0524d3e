// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A mail server that keeps all mail it gets in a maildir, and loses none that it has acknowledged.
//
//     smtp_sink --maildir FOLDER [--size BYTES] [--timeout SECONDS] [--tls CERT KEY]
//               [--monitor PORT] [HOST [PORT]]
//
// It runs until SIGINT or SIGTERM.
//
// Exits with 0 after a signal, with 1 if it cannot serve, with 2 after wrong use.

#include "../monitor/monitor.hpp"
#include "session.hpp"

#include <cstdio>
#include <optional>

namespace {

constexpr std::string_view usage =
    "usage: smtp_sink --maildir FOLDER [--size BYTES] [--timeout SECONDS] [--tls CERT KEY]\n"
    "                 [--monitor PORT] [HOST [PORT]]\n"
    "\n"
    "Receives mail until SIGINT or SIGTERM. A message that it has acknowledged is on the disk.\n"
    "\n"
    "  --maildir FOLDER   where the mail goes; made if it is not there\n"
    "  --size BYTES       the largest message (134217728)\n"
    "  --timeout SECONDS  for each line of the client, and twelve times that for a message to be\n"
    "                     complete (300; 0 is for ever)\n"
    "  --tls CERT KEY     offers STARTTLS, with the certificate and the key of these PEM files\n"
    "  --monitor PORT     shows what happens to browsers on this machine, and to Prometheus\n"
    "  HOST               an address in digits: 127.0.0.1 if not given\n"
    "  PORT               0, or none, is any free one; the first line of the output tells which\n";

// The threads post to the loop, so they end before it does.
struct finisher {
    smtp::disk& threads;
    ~finisher() { threads.finish(); }
};

int serve(arguments::command_line line)
{
    using namespace std::chrono_literals;
    const auto folder = line.option("--maildir");
    const std::size_t size = line.number("--size", std::size_t{128} << 20, 1000000000);
    const std::chrono::seconds wait(line.number("--timeout", 300, 3600));
    const arguments::server_tls tls(line);
    const auto watch = line.option("--monitor");
    const auto where = arguments::address(line.words(2));
    if (!folder)
        throw arguments::wrong_use("--maildir is missing");
    smtp::maildir mails(*folder);
    smtp::disk threads;
    smtp::service service{mails, threads, tls, size, wait};
    asynchat::loop loop;
    const finisher ends{threads};
    const auto server =
        loop.create<asynchat::server<smtp::session>>(where, std::ref(service)).lock();
    server->max_connections(400); // each may have an open file; 1024 descriptors are usual
    loop.on_signals([&] { server->stop(5s); });
    std::optional<monitor::monitor> shown;
    if (watch)
        shown.emplace(*server,
                      asynchat::endpoint("127.0.0.1", arguments::port("--monitor", *watch)));
    fmt::print("listening on {}\n", server->local_endpoint().to_string());
    std::fflush(stdout);
    loop.run();
    fmt::print("{} messages of {} bytes on {} connections\n", service.messages, service.bytes,
               server->counters().accepted);
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("smtp_sink", usage, argc, argv, serve);
}
