// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// What a message over TLS takes in the steady state: no allocation of the library, so many of
// OpenSSL, and one receive and one send for an event. What a handshake sends, and the memory of an
// idle connection.
#include "guards/guard.hpp"
#include "guards/tls_end.hpp"

#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <openssl/crypto.h>

#include <malloc.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

/// Of the library and of OpenSSL, while it works for the library.
struct counts {
    std::size_t allocations = 0;
    std::size_t openssl_allocations = 0;
    std::size_t receives = 0;
    std::size_t sends = 0;
    std::ptrdiff_t bytes = 0; // in use
    std::ptrdiff_t openssl_bytes = 0;
};

counts made;

/// Bytes that are allocated and not freed.
std::ptrdiff_t in_use = 0;
std::ptrdiff_t openssl_in_use = 0;

/// What a block takes of the heap, if it is counted now.
std::ptrdiff_t size_of(void* memory)
{
    constexpr std::ptrdiff_t head = 8; // in front of each block
    if (!guards::counting || !memory)
        return 0;
    return static_cast<std::ptrdiff_t>(malloc_usable_size(memory)) + head;
}

void* allocate(std::size_t size)
{
    made.allocations += guards::counting ? 1 : 0;
    void* const memory = std::malloc(size);
    if (!memory)
        throw std::bad_alloc();
    in_use += size_of(memory);
    return memory;
}
void release(void* memory) noexcept
{
    in_use -= size_of(memory);
    std::free(memory);
}

void* openssl_allocate(std::size_t size, const char*, int)
{
    made.openssl_allocations += guards::counting ? 1 : 0;
    void* const memory = std::malloc(size);
    openssl_in_use += size_of(memory);
    return memory;
}
void* openssl_reallocate(void* memory, std::size_t size, const char*, int)
{
    made.openssl_allocations += guards::counting ? 1 : 0;
    openssl_in_use -= size_of(memory);
    void* const next = std::realloc(memory, size);
    openssl_in_use += size_of(next);
    return next;
}
void openssl_free(void* memory, const char*, int)
{
    openssl_in_use -= size_of(memory);
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
    release(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    release(memory);
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
constexpr bool is_measured = OPENSSL_VERSION_NUMBER < 0x30200000L;
constexpr double of_openssl = is_measured ? 6 : 12;
// Of an idle connection; docs/tls.md and docs/performance.md have these two.
constexpr double own_bytes = 1700;
constexpr double openssl_bytes = is_measured ? 14600 : 20000;

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

/// A loop, and connections that are made one after the other.
class crowd {
public:
    /// The last flight of the client and its first lines are there when the channel looks.
    void add_at_once(std::string_view lines)
    {
        guards::tls_end& end = make();
        for (serve(); !end.open(); serve()) {
        }
        end.send(lines);
        serve();
        receive(end, lines);
    }

    /// They come one after the other, the lines in pieces.
    void add_slowly(std::string_view lines)
    {
        guards::tls_end& end = make();
        for (serve(); !end.open(); serve()) {
        }
        serve();
        end.encrypt(lines);
        end.give_output(lines.size() / 2);
        serve();
        end.give_output();
        serve();
        receive(end, lines);
    }

private:
    guards::tls_end& make()
    {
        auto ends = asynchat::socket::pair();
        {
            const guards::counted here;
            loop_.create<guards::tls_line_echo>(std::move(ends.first), served_);
        }
        return ends_.emplace_back(support::descriptor(ends.second.release()));
    }

    static void receive(guards::tls_end& end, std::string_view lines)
    {
        std::string answer(lines.size(), '\0');
        if (end.receive(answer.data(), answer.size()) != static_cast<ssize_t>(lines.size()))
            throw support::test_error("an answer is missing");
    }

    void serve()
    {
        const guards::counted here;
        context_.poll();
    }

    asio::io_context context_;
    asynchat::loop loop_{context_};
    std::size_t served_ = 0;
    std::vector<guards::tls_end> ends_;
};

void check_connections(guards::report& report)
{
    constexpr std::size_t count = 100;
    const std::string lines = guards::lines(20, 64);
    crowd all;
    const auto add = [&](void (crowd::*one)(std::string_view)) {
        const auto before = in_use;
        const auto openssl_before = openssl_in_use;
        made = {};
        for (std::size_t i = 0; i < count; ++i)
            (all.*one)(lines);
        made.bytes = in_use - before;
        made.openssl_bytes = openssl_in_use - openssl_before;
    };
    const auto each = [](auto sum) { return static_cast<double>(sum) / count; };
    add(&crowd::add_slowly); // also makes what is made only once
    for (const bool at_once : {true, false}) {
        add(at_once ? &crowd::add_at_once : &crowd::add_slowly);
        if (at_once)
            report.exactly("sends of a handshake and the first answer", each(made.sends), 2);
        report.at_most("bytes of an idle connection", each(made.bytes), own_bytes);
        report.at_most("OpenSSL's bytes of an idle connection", each(made.openssl_bytes),
                       openssl_bytes);
    }
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
    check_connections(report);
    return report.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
