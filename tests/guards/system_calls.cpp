// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The system calls of a message. The linker sends them through the functions below (see --wrap in
// CMakeLists.txt), which count those of the library.
#include "guards/guard.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace {

struct system_calls {
    std::size_t receives = 0;
    std::size_t sends = 0;
    std::size_t waits = 0;
    std::size_t changes = 0; // of what is waited for

    std::size_t all() const noexcept { return receives + sends + waits + changes; }
};

system_calls calls;

} // namespace

#define ASYNCHAT_COUNTED(kind, result, name, parameters, arguments)                                \
  result __real_##name parameters;                                                                 \
  result __wrap_##name parameters                                                                  \
  {                                                                                                \
    calls.kind += guards::counting ? 1 : 0;                                                        \
    return __real_##name arguments;                                                                \
  }

extern "C" {
ASYNCHAT_COUNTED(receives, ssize_t, recv, (int fd, void* to, size_t n, int flags),
                 (fd, to, n, flags))
ASYNCHAT_COUNTED(receives, ssize_t, recvmsg, (int fd, msghdr* to, int flags), (fd, to, flags))
ASYNCHAT_COUNTED(receives, ssize_t, read, (int fd, void* to, size_t n), (fd, to, n))
ASYNCHAT_COUNTED(receives, ssize_t, readv, (int fd, const iovec* to, int n), (fd, to, n))
ASYNCHAT_COUNTED(sends, ssize_t, send, (int fd, const void* from, size_t n, int flags),
                 (fd, from, n, flags))
ASYNCHAT_COUNTED(sends, ssize_t, sendmsg, (int fd, const msghdr* from, int flags),
                 (fd, from, flags))
ASYNCHAT_COUNTED(sends, ssize_t, write, (int fd, const void* from, size_t n), (fd, from, n))
ASYNCHAT_COUNTED(sends, ssize_t, writev, (int fd, const iovec* from, int n), (fd, from, n))
ASYNCHAT_COUNTED(waits, int, epoll_wait, (int fd, epoll_event* events, int n, int timeout),
                 (fd, events, n, timeout))
ASYNCHAT_COUNTED(changes, int, epoll_ctl, (int fd, int what, int which, epoll_event* event),
                 (fd, what, which, event))
}

namespace {

constexpr std::size_t rounds = 1000;
constexpr double per_round = rounds;
constexpr std::size_t late_speakers = 64;

/// Every connection always has a batch of lines to be served.
system_calls saturated(std::size_t connections, std::size_t lines_of_batch)
{
    guards::lockstep<guards::line_echo> echo(connections);
    const std::string batch = guards::lines(lines_of_batch, 16);
    calls = {};
    for (std::size_t i = 0; i < rounds; ++i) {
        echo.send(batch);
        echo.serve(connections * lines_of_batch);
        echo.receive(batch);
    }
    return calls;
}

/// Every connection has come to rest before it gets its next line.
system_calls unhurried(std::size_t connections)
{
    guards::lockstep<guards::line_echo> echo(connections);
    const std::string line = guards::lines(1, 16);
    calls = {};
    for (std::size_t i = 0; i < rounds; ++i) {
        echo.send(line);
        echo.idle();
        echo.receive(line);
    }
    return calls;
}

void check_ping_pong(guards::report& report)
{
    const auto of = [&](std::size_t connections) {
        return static_cast<double>(saturated(connections, 1).all()) / per_round /
               static_cast<double>(connections);
    };
    report.at_most("calls a line, 1 connection", of(1), 4.05);
    report.at_most("calls a line, 64 connections", of(64), 2.3);
}

/// A look for more input that finds nothing is a call for nothing: they become rare.
void check_vain_looks(guards::report& report)
{
    constexpr std::size_t connections = 64;
    const double receives = static_cast<double>(unhurried(connections).receives) / connections;
    report.at_most("receives a line, 64 connections that take their time", receives / per_round,
                   1.1);
}

void check_batches(guards::report& report, std::size_t connections)
{
    const auto of = [&](std::size_t count) {
        return static_cast<double>(count) / per_round / static_cast<double>(connections);
    };
    const std::string where = " a batch of 64 lines, connections: " + std::to_string(connections);
    const system_calls made = saturated(connections, 64);
    report.exactly("sends" + where, of(made.sends), 1);
    report.at_most("receives" + where, of(made.receives), 1.1);
    report.at_most("changes of the wait" + where, of(made.changes), 1.05);
}

/// Many connect at once, and say all they have to say. A server that waited for each of them would
/// change what is waited for four times a connection: for the listener, for the connection, and
/// when it comes and goes.
void check_connections(guards::report& report)
{
    constexpr std::size_t connections = 200;
    asio::io_context context;
    asynchat::loop loop(context);
    std::size_t served = 0;
    const auto server = loop.create<asynchat::server<guards::line_echo>>(
                                asynchat::endpoint("127.0.0.1", 0), std::ref(served))
                            .lock();
    const auto address = server->local_endpoint();
    std::vector<support::raw_peer> peers;
    for (std::size_t i = 0; i < connections; ++i) {
        peers.push_back(support::raw_peer::connected_to(address));
        peers.back().send("a line\n");
        peers.back().shut_down_output();
    }
    calls = {};
    {
        const guards::counted here;
        while (server->counters().accepted < connections || server->counters().open > 0)
            context.run_one();
    }
    const auto of = [](std::size_t count) { return static_cast<double>(count) / connections; };
    report.at_most("changes of the wait a connection", of(calls.changes), 2.3);
    report.at_most("receives a connection", of(calls.receives), 2.1);
}

/// Clients that speak a moment after they have connected. With `defer`, the system shows a
/// connection only when there is something to receive.
system_calls calls_of_late_speakers(bool defer)
{
    asio::io_context context;
    asynchat::loop loop(context);
    std::size_t served = 0;
    const auto server = loop.create<asynchat::server<guards::line_echo>>(
                                asynchat::endpoint("127.0.0.1", 0), std::ref(served))
                            .lock();
    if (defer)
        server->set_defer_accept(std::chrono::seconds(5));
    std::vector<support::raw_peer> peers;
    for (std::size_t i = 0; i < late_speakers; ++i)
        peers.push_back(support::raw_peer::connected_to(server->local_endpoint()));
    calls = {};
    const guards::counted here;
    while (!defer && server->counters().accepted < late_speakers)
        context.run_one();
    while (context.poll() > 0) {
    }
    guards::counting = false;
    for (auto& peer : peers) {
        peer.send("a line\n");
        peer.shut_down_output();
    }
    guards::counting = true;
    while (server->counters().accepted < late_speakers || server->counters().open > 0)
        context.run_one();
    return calls;
}

void check_deferred_accepts(guards::report& report)
{
    const auto each = [](std::size_t count) { return static_cast<double>(count) / late_speakers; };
    const system_calls at_once = calls_of_late_speakers(false);
    const system_calls deferred = calls_of_late_speakers(true);
    std::printf("%-60s %9.3f, %.3f receives\n", "calls a connection that speaks late",
                each(at_once.all()), each(at_once.receives));
    report.at_most("the same with TCP_DEFER_ACCEPT", each(deferred.all()), each(at_once.all()) - 1);
    report.at_most("receives of these", each(deferred.receives), 2.1);
}

} // namespace

int main()
try {
    guards::report report;
    check_ping_pong(report);
    check_vain_looks(report);
    check_batches(report, 1);
    check_batches(report, 16);
    check_connections(report);
    check_deferred_accepts(report);
    return report.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
