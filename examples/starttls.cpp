// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The beginning of a mail server: a client must start TLS before it may say its password.
//
//     starttls CERT KEY     two PEM files; the user is "ann", the password "secret"

#include <asynchat/asynchat.hpp>
#include <asynchat/tls.hpp>

#include <fmt/core.h>

#include <strings.h>

#include <string>
#include <string_view>
#include <utility>

class session : public asynchat::async_chat {
public:
    session(asynchat::loop& loop, asynchat::socket peer, asynchat::tls::context context)
        : async_chat(loop, std::move(peer)), context_(std::move(context))
    {
        set_terminator("\r\n");
        push("220 localhost ready\r\n");
    }

    // Anybody may have said what came before TLS: keep nothing of it.
    void handle_handshake() override { secure_ = true; }

    void found_terminator() override
    {
        const std::string line = _get_data();
        if (begins(line, "EHLO")) {
            print("250-localhost\r\n250 {}\r\n", secure_ ? "AUTH PLAIN" : "STARTTLS");
        } else if (begins(line, "STARTTLS") && !secure_) {
            push("220 2.0.0 go ahead\r\n"); // leaves in the clear; what is pushed later does not
            start_tls(*this, context_);
        } else if (begins(line, "AUTH") && !secure_) {
            push("530 5.7.0 say STARTTLS first\r\n");
        } else if (begins(line, "AUTH")) {
            const bool is_ann = line.substr(4) == " PLAIN AGFubgBzZWNyZXQ="; // \0ann\0secret
            push(is_ann ? "235 2.7.0 welcome\r\n" : "535 5.7.8 wrong user or password\r\n");
        } else if (begins(line, "QUIT")) {
            push("221 2.0.0 bye\r\n");
            close_when_done();
        } else {
            push("502 5.5.1 no such command\r\n");
        }
    }

private:
    static bool begins(const std::string& line, std::string_view verb)
    {
        return strncasecmp(line.c_str(), verb.data(), verb.size()) == 0;
    }

    asynchat::tls::context context_;
    bool secure_ = false;
};

int main(int argc, char** argv)
{
    if (argc != 3) {
        fmt::print(stderr, "usage: starttls CERT KEY\n");
        return 2;
    }
    auto context = asynchat::tls::context::for_server();
    context.load_cert_chain(argv[1], argv[2]);
    asynchat::loop loop;
    loop.stop_on_signals();
    const asynchat::endpoint any_port("127.0.0.1", 0);
    const auto server = loop.create<asynchat::server<session>>(any_port, context);
    server->log("listening on {}", server->local_endpoint().to_string());
    loop.run();
}
