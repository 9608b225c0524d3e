// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The server of crowd.py: sends lines back over TLS, and works only when standard input says so:
//
//     accept N    passes of the loop until N connections in all were accepted
//     serve N     passes until N more lines were sent back; says in how many
//     rest        passes until nothing is left to do for a moment
//     wait N      passes until at most N connections are open
//     memory      says how many bytes are allocated
//
//     crowd_server CERT KEY

#include <asynchat/asynchat.hpp>
#include <asynchat/tls.hpp>

#include <fmt/core.h>

#include <malloc.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

namespace {

std::size_t lines = 0; // sent back

class echo : public asynchat::async_chat {
public:
    echo(asynchat::loop& loop, asynchat::socket from) : async_chat(loop, std::move(from))
    {
        handshake_timeout(std::chrono::minutes(5)); // longer than the test takes
    }
    void handle_open() override { set_terminator("\n"); }
    void found_terminator() override
    {
        ++lines;
        push(_get_data() + "\n");
    }
    void handle_log(asynchat::log_type, std::string_view) override {}
};

using server = asynchat::server<echo>;

template <class Done>
unsigned passes_until(asynchat::loop& loop, Done done)
{
    unsigned passes = 0;
    for (; !done(); ++passes)
        loop.poll(std::chrono::milliseconds(100));
    return passes;
}

void obey(const std::string& command, std::size_t number, asynchat::loop& loop, server& of)
{
    if (command == "accept") {
        passes_until(loop, [&] { return of.counters().accepted >= number; });
    } else if (command == "serve") {
        const std::size_t until = lines + number;
        const unsigned passes = passes_until(loop, [&] { return lines >= until; });
        fmt::print("served in {} passes\n", passes);
    } else if (command == "rest") {
        while (loop.poll(std::chrono::milliseconds(100)))
            continue;
    } else if (command == "wait") {
        passes_until(loop, [&] { return of.counters().open <= number; });
    } else if (command == "memory") {
        fmt::print("memory {}\n", ::mallinfo2().uordblks + ::mallinfo2().hblkhd);
    }
    fmt::print("done: {} open, {} in handshakes\n", of.counters().open, of.counters().handshakes);
    std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    auto context = asynchat::tls::context::for_server();
    context.load_cert_chain(argv[1], argv[2]);
    asynchat::loop loop;
    const asynchat::endpoint any("127.0.0.1", 0);
    const auto of = loop.create<server>(any).lock();
    use_tls(*of, context);
    fmt::print("listening on {}\n", of->local_endpoint().to_string());
    std::fflush(stdout);
    std::string command;
    std::size_t number = 0;
    while (std::cin >> command >> number)
        obey(command, number, loop, *of);
    return 0;
}
