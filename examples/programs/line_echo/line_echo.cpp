// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Sends back what it receives, in the same pieces: asyncore's first server, which does not know
// lines. With --simple it sends "echo:" before each piece.
//
//     line_echo [--simple] [--tls CERT KEY] [HOST [PORT]]     until SIGINT or SIGTERM
//
// Exits with 0 after a signal, with 1 if it cannot serve, with 2 after wrong use.

#include "../tls_arguments.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

namespace {

constexpr std::string_view usage =
    "usage: line_echo [--simple] [--tls CERT KEY] [HOST [PORT]]\n"
    "\n"
    "Sends back all that comes, until SIGINT or SIGTERM.\n"
    "\n"
    "  --simple        puts echo: in front of each piece\n"
    "  --tls CERT KEY  speaks TLS, with the certificate and the key of these PEM files\n"
    "  HOST            an address in digits: 127.0.0.1 if not given\n"
    "  PORT            0, or none, is any free one; the first line of the output tells which\n";

class echo_handler : public asynchat::dispatcher_with_send {
public:
    using dispatcher_with_send::dispatcher_with_send;

    // Output is kept until the client takes it. If the client does not, the server stops reading
    // from it, and TCP stops the client from sending.
    bool readable() override { return pending_output() < most_pending; }

    void handle_read() override
    {
        std::array<char, 8192> memory;
        const std::size_t size = recv(asio::buffer(memory));
        if (size > 0) // else the end of the stream, or nothing
            answer(std::string_view(memory.data(), size));
    }

    // The default also logs a warning, for channels that do not ignore warnings.
    void handle_close() override { close(); }

private:
    static constexpr std::size_t most_pending = 65536; // bytes

    virtual void answer(std::string_view piece) { send(piece); }
};

class simple_handler : public echo_handler {
public:
    using echo_handler::echo_handler;

private:
    void answer(std::string_view piece) override
    {
        send("echo:");
        send(piece); // is sent together with "echo:", after handle_read()
    }
};

class echo_server : public asynchat::dispatcher {
public:
    echo_server(asynchat::loop& loop, const asynchat::endpoint& where, bool simple,
                arguments::server_tls tls)
        : dispatcher(loop), simple_(simple), tls_(std::move(tls))
    {
        create_socket(where.family());
        set_reuse_addr();
        bind(where);
        listen();
    }

    void handle_accepted(asynchat::socket connection, const asynchat::endpoint&) override
    {
        if (simple_)
            tls_.protect(*owner().create<simple_handler>(std::move(connection)));
        else
            tls_.protect(*owner().create<echo_handler>(std::move(connection)));
    }

private:
    bool simple_;
    arguments::server_tls tls_;
};

int serve(arguments::command_line line)
{
    const bool simple = line.flag("--simple");
    const arguments::server_tls tls(line);
    const auto where = arguments::address(line.words(2));
    asynchat::loop loop;
    loop.stop_on_signals();
    const auto server = loop.create<echo_server>(where, simple, tls);
    fmt::print("listening on {}\n", server->local_endpoint().to_string());
    std::fflush(stdout);
    loop.run();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("line_echo", usage, argc, argv, serve);
}
