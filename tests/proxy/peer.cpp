// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The side of interop.py that is made of the library.
//
//     peer server      expects the PROXY protocol from 127.0.0.1. Answers "GET ..." with the
//     address
//                      of the client, a space, and the address where it reached the proxy; each
//                      other line with the same line. Prints what the proxy has announced.
//     peer table       prints the headers of the tests in hexadecimal digits, each with its verdict

#include "support/proxy_headers.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace {

template <class... Args>
void say(fmt::format_string<Args...> text, Args&&... args)
{
    fmt::print("{}\n", fmt::format(text, std::forward<Args>(args)...));
    std::fflush(stdout);
}

std::string shown(const asynchat::endpoint& where)
{
    return fmt::format("{}:{}", where.host(), where.port());
}

class host : public asynchat::async_chat {
public:
    host(asynchat::loop& loop, asynchat::socket from) : async_chat(loop, std::move(from))
    {
        set_terminator({"\r\n", "\n"});
    }

    void handle_open() override
    {
        const auto* const proxy = asynchat::proxy_header::of(*this);
        const bool has_destination = !proxy->destination().empty();
        answer_ =
            shown(addr()) + ' ' + shown(has_destination ? proxy->destination() : local_endpoint());
        say("opened {} version={} local={} id={} authority={} alpn={} ssl={}", answer_,
            proxy->version(), proxy->is_local() ? "True" : "False",
            asynchat::escaped(proxy->unique_id()), asynchat::escaped(proxy->authority()),
            asynchat::escaped(proxy->alpn()), asynchat::escaped(proxy->ssl()));
    }

    void found_terminator() override
    {
        const std::string line = _get_data();
        if (line.substr(0, 4) == "GET ") {
            push("HTTP/1.0 200 OK\r\n\r\n" + answer_);
            close_when_done();
        } else {
            push(line + "\n");
        }
    }

private:
    std::string answer_;
};

int serve()
{
    asynchat::loop loop;
    loop.log_sink([](asynchat::log_type, std::string_view line) { say("log: {}", line); });
    const auto server = loop.create<asynchat::server<host>>(asynchat::endpoint("127.0.0.1", 0));
    server->expect_proxy({"127.0.0.1"});
    loop.stop_on_signals();
    say("listening on {}", server->local_endpoint().to_string());
    loop.run();
    const auto& counters = server->counters();
    say("accepted {} refused {} open {}", counters.accepted, counters.refused, counters.open);
    return 0;
}

int print_table()
{
    for (const auto& row : support::proxy_headers()) {
        std::string digits;
        for (const char c : row.bytes)
            digits += fmt::format("{:02x}", static_cast<unsigned char>(c));
        say("{}\t{}", digits, asynchat::escaped(row.verdict));
    }
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    const std::string_view what = argc == 2 ? argv[1] : "";
    if (what == "server")
        return serve();
    if (what == "table")
        return print_table();
    fmt::print(stderr, "usage: {} server | table\n", argv[0]);
    return 2;
}
