// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A client and a server over TLS, in memory, while an allocation of OpenSSL fails: the n-th one, by
// itself or with all after it for a while; n is raised until nothing fails any more. It may cost
// the connection, with a reason, but nothing else: what was received is what was sent, as far as it
// goes, and all memory comes back. The allocations of the library itself fail in tests/failures,
// also with TLS under it.

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>
#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace {

using asynchat::close_reason;
namespace tls = asynchat::tls;

// --- allocations of OpenSSL ----------------------------------------------------------------------

long in_use = 0;  // blocks
long to_come = 0; // allocations before the first that fails
long to_fail = 0;

bool fails_now()
{
    if (to_fail == 0 || to_come-- > 0)
        return false;
    --to_fail;
    to_come = 0;
    return true;
}

void* allocate(std::size_t size, const char*, int)
{
    if (size == 0 || fails_now())
        return nullptr;
    void* const memory = std::malloc(size);
    in_use += memory != nullptr;
    return memory;
}

void release(void* memory, const char*, int)
{
    in_use -= memory != nullptr;
    std::free(memory);
}

void* allocate_again(void* memory, std::size_t size, const char* file, int line)
{
    if (!memory)
        return allocate(size, file, line);
    if (size == 0) {
        release(memory, file, line);
        return nullptr;
    }
    return fails_now() ? nullptr : std::realloc(memory, size);
}

[[noreturn]] void fail(std::string_view what, long n, std::string_view detail)
{
    fmt::print(stderr, "allocation {}: {}: {}\n", n, what, detail);
    std::exit(1);
}

// --- the conversation ----------------------------------------------------------------------------

class quiet : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void collect_incoming_data(std::string_view data) override { received += data; }
    void found_terminator() override { received += "\n"; }
    void handle_log(asynchat::log_type, std::string_view) override {}
    std::string received;
};

class echo : public quiet {
public:
    echo(asynchat::loop& loop, asynchat::socket from) : quiet(loop, std::move(from))
    {
        set_terminator("\n");
    }
    void found_terminator() override
    {
        quiet::found_terminator();
        push(std::exchange(received, {}));
    }
};

class silent_server : public asynchat::server<echo> {
public:
    using server::server;
    void handle_log(asynchat::log_type, std::string_view) override {}
};

std::string conversation()
{
    return "one\n" + std::string(40000, 'x') + "\n" + std::string(100, 'y') + "\n";
}

close_reason converse(long n, const tls::context& of_server, const tls::context& of_client)
{
    const std::string text = conversation();
    const asynchat::endpoint where("127.0.0.1", 443);
    asynchat::testing::loop loop;
    const auto server = loop.create<silent_server>(where).lock();
    const auto client = loop.create<quiet>().lock();
    try {
        use_tls(*server, of_server);
        start_tls(*client, of_client, "localhost");
        client->set_terminator("\n");
        client->connect(where);
        client->push(text);
        client->push_eof();
    } catch (const std::bad_alloc&) { // nothing has happened
        return close_reason::system_error;
    }
    loop.advance(std::chrono::minutes(5));
    if (!client->closed() || loop.channels().size() != 1)
        fail("a channel is stuck", n, client->close_text());
    if (text.compare(0, client->received.size(), client->received) != 0)
        fail("other data", n, client->received);
    const auto reason = client->close_reason();
    if (reason == close_reason::peer_finished && client->received != text)
        fail("an end in order, and data is missing", n, client->received);
    if (reason == close_reason::callback_error)
        fail("an exception left a callback", n, client->close_text());
    return reason;
}

void fail_each(long failures, long step, const tls::context& server, const tls::context& client)
{
    converse(0, server, client); // what OpenSSL allocates once
    const auto blocks = [] {
        OPENSSL_thread_stop(); // its errors keep memory for the next ones
        return in_use;
    };
    const long before = blocks();
    long reasons[asynchat::close_reason_count] = {};
    for (long n = 0;; n += step) {
        to_come = n;
        to_fail = failures;
        const auto reason = converse(n, server, client);
        const bool has_failed = to_fail < failures;
        to_fail = 0;
        if (const long now = blocks(); now != before)
            fail("memory is lost", n, fmt::format("{} blocks", now - before));
        if (!has_failed && reason != close_reason::peer_finished)
            fail("another end", n, to_string(reason));
        if (!has_failed)
            break;
        ++reasons[static_cast<std::size_t>(reason)];
    }
    for (std::size_t i = 0; i < asynchat::close_reason_count; ++i) {
        if (reasons[i] > 0)
            fmt::print("{} of {}: {}\n", reasons[i], failures,
                       to_string(static_cast<close_reason>(i)));
    }
}

} // namespace

int main()
{
    if (CRYPTO_set_mem_functions(allocate, allocate_again, release) != 1)
        return 1;
    const asynchat::testing::authority authority;
    const auto shown = authority.issue("localhost");
    auto server = tls::context::for_server();
    server.load_cert_chain(tls::pem{shown.certificate}, tls::pem{shown.key});
    auto client = tls::context::for_client();
    client.load_verify_locations(tls::pem{authority.certificate()});
    for (const auto version : {tls::version::tls1_3, tls::version::tls1_2}) {
        client.maximum_version(version);
        fail_each(1, 3, server, client);
        fail_each(1000, 17, server, client);
    }
    return 0;
}
