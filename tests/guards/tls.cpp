// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// What a message over TLS takes in the steady state: no allocation of the library, so many of
// OpenSSL, and one receive and one send for an event.
#include "guards/guard.hpp"
#include "guards/tls_end.hpp"

#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <openssl/crypto.h>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <utility>

namespace {

/// Of the library and of OpenSSL, while it works for the library.
struct counts {
    std::size_t allocations = 0;
    std::size_t openssl_allocations = 0;
    std::size_t receives = 0;
    std::size_t sends = 0;
};

counts made;

void* allocate(std::size_t size)
{
    made.allocations += guards::counting ? 1 : 0;
    if (void* const memory = std::malloc(size))
        return memory;
    throw std::bad_alloc();
}

void* openssl_allocate(std::size_t size, const char*, int)
{
    made.openssl_allocations += guards::counting ? 1 : 0;
    return std::malloc(size);
}
void* openssl_reallocate(void* memory, std::size_t size, const char*, int)
{
    made.openssl_allocations += guards::counting ? 1 : 0;
    return std::realloc(memory, size);
}
void openssl_free(void* memory, const char*, int)
{
    std::free(memory);
}

} // namespace

// Nothing here needs more than the usual alignment.
void* operator new(std::size_t size)
{
    return allocate(size);
}
void operator delete(void* memory) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}

#define ASYNCHAT_COUNTED(kind, name, parameters, arguments)                                        \
  ssize_t __real_##name parameters;                                                                \
  ssize_t __wrap_##name parameters                                                                 \
  {                                                                                                \
    made.kind += guards::counting ? 1 : 0;                                                         \
    return __real_##name arguments;                                                                \
  }

extern "C" {
ASYNCHAT_COUNTED(receives, recv, (int fd, void* to, size_t n, int flags), (fd, to, n, flags))
ASYNCHAT_COUNTED(receives, recvmsg, (int fd, msghdr* to, int flags), (fd, to, flags))
ASYNCHAT_COUNTED(receives, read, (int fd, void* to, size_t n), (fd, to, n))
ASYNCHAT_COUNTED(receives, readv, (int fd, const iovec* to, int n), (fd, to, n))
ASYNCHAT_COUNTED(sends, send, (int fd, const void* from, size_t n, int flags), (fd, from, n, flags))
ASYNCHAT_COUNTED(sends, sendmsg, (int fd, const msghdr* from, int flags), (fd, from, flags))
ASYNCHAT_COUNTED(sends, write, (int fd, const void* from, size_t n), (fd, from, n))
ASYNCHAT_COUNTED(sends, writev, (int fd, const iovec* from, int n), (fd, from, n))
}

namespace {

constexpr std::size_t connections = 16;
using lockstep = guards::lockstep<guards::tls_line_echo, guards::tls_end>;

// For a record that comes and one that goes: a buffer each, and what OpenSSL 3.0 takes to write
// headers. Other versions were not measured.
constexpr double of_openssl = OPENSSL_VERSION_NUMBER < 0x30200000L ? 6 : 12;

/// Compares N rounds with 3 N, of one question on each connection. An event has `batch` lines.
void check_allocations(guards::report& report, const std::string& what, const std::string& batch)
{
    constexpr std::size_t rounds = 20;
    lockstep chats(connections);
    const auto after = [&](std::size_t n) {
        made = {};
        chats.converse(n, connections, batch, batch);
        return made;
    };
    after(rounds);
    const counts once = after(rounds);
    const counts thrice = after(3 * rounds);
    const auto of = [&](std::size_t counts::*kind) {
        return static_cast<double>(thrice.*kind - once.*kind) / (2 * rounds * connections);
    };
    report.exactly("allocations an event: " + what, of(&counts::allocations), 0);
    report.at_most("OpenSSL's allocations an event: " + what, of(&counts::openssl_allocations),
                   of_openssl);
}

/// Every connection always has a batch of lines to be served.
void check_system_calls(guards::report& report, const std::string& what, std::size_t lines,
                        std::size_t size)
{
    constexpr std::size_t rounds = 100;
    lockstep chats(connections);
    const std::string batch = guards::lines(lines, size);
    made = {};
    for (std::size_t i = 0; i < rounds; ++i) {
        chats.send(batch);
        chats.serve(connections * lines);
        chats.receive(batch);
    }
    const double events = rounds * connections;
    report.at_most("receives an event: " + what, static_cast<double>(made.receives) / events, 1.1);
    report.exactly("sends an event: " + what, static_cast<double>(made.sends) / events, 1);
}

} // namespace

int main()
try {
    CRYPTO_set_mem_functions(openssl_allocate, openssl_reallocate, openssl_free);
    guards::report report;
    check_allocations(report, "a line of 64 bytes", guards::lines(1, 64));
    check_allocations(report, "a line of 4 KiB", guards::lines(1, 4096));
    check_allocations(report, "64 lines of 64 bytes", guards::lines(64, 64));
    check_system_calls(report, "a line of 64 bytes", 1, 64);
    check_system_calls(report, "a line of 4 KiB", 1, 4096);
    check_system_calls(report, "64 lines of 64 bytes", 64, 64);
    return report.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
