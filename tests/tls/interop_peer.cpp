// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The side of interop.py that is made of the library: a server, a client, and their certificates.
//
//     peer certificates FOLDER
//     peer server [OPTION...] CERT KEY
//     peer client [OPTION...] HOST PORT [LINE...]
//
// --tls12, --tls13   only this version         --starttls        after a conversation like SMTP's
// --ca FILE          checks the other side     --certificate CERT KEY
// --alpn A,B         protocols above TLS       --twice           the client comes again
// --half             the client ends its stream behind the lines; the end of the other is its end

#include "../../examples/programs/arguments.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/tls.hpp>
#include <asynchat/tls_testing.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace tls = asynchat::tls;
using strings = std::vector<std::string>;

template <class... Args>
void say(fmt::format_string<Args...> text, Args&&... args)
{
    fmt::print("{}\n", fmt::format(text, std::forward<Args>(args)...));
    std::fflush(stdout);
}

// What both sides print.
class channel : public asynchat::async_chat {
public:
    using async_chat::async_chat;

    void handle_handshake() override
    {
        const tls::connection now(*this);
        say("handshake {} {} reused={} alpn={} peer={}", now.version(), now.cipher(),
            now.session_reused(), now.selected_alpn_protocol(), now.getpeercert().subject);
    }

    void handle_end() override { say("closed: {}", close_text()); }
    void handle_log(asynchat::log_type, std::string_view line) override { say("log: {}", line); }
};

// Sends each line back. "END" ends its own stream, and lines are printed from then on.
class echo : public channel {
public:
    echo(asynchat::loop& loop, asynchat::socket peer, tls::context context, bool starttls)
        : channel(loop, std::move(peer)), context_(std::move(context)), in_clear_(starttls)
    {
        set_terminator({"\r\n", "\n"});
        max_frame(1 << 20);
        if (in_clear_)
            push("220 localhost ready\r\n");
    }

    void found_terminator() override
    {
        const std::string line = _get_data();
        if (in_clear_) {
            answer_in_clear(line);
        } else if (ended_) {
            say("line: {}", line);
        } else if (line == "END") {
            ended_ = true;
            push_eof();
        } else {
            push(line + "\n");
        }
    }

    void handle_eof() override
    {
        if (!ended_)
            push("bye\n"); // arrives where the other side has ended its own stream only
        close_when_done();
    }

private:
    void answer_in_clear(const std::string& line)
    {
        in_clear_ = line != "STARTTLS";
        push(in_clear_ ? "250-localhost\r\n250 STARTTLS\r\n" : "220 go ahead\r\n");
        if (!in_clear_)
            start_tls(*this, context_);
    }

    tls::context context_;
    bool in_clear_;
    bool ended_ = false;
};

struct errand {
    tls::context context = tls::context::for_client();
    std::string host;
    std::uint16_t port = 0;
    strings lines;
    bool half = false;
    bool starttls = false;
    tls::session session; // for the next connection
};

// Sends each line after the answer to the line before, and prints the answers.
class client : public channel {
public:
    client(asynchat::loop& loop, errand& what)
        : channel(loop), in_clear_(what.starttls), what_(what)
    {
        set_terminator({"\r\n", "\n"});
        max_frame(1 << 20);
        idle_timeout(std::chrono::seconds(20));
        if (!in_clear_)
            start_tls(*this, what_.context, how());
        connect(what_.host, what_.port);
    }

    void handle_handshake() override
    {
        channel::handle_handshake();
        in_clear_ = false;
        if (what_.half)
            send_all();
        else
            next();
    }

    void handle_connect() override {}

    void found_terminator() override
    {
        const std::string line = _get_data();
        if (in_clear_)
            return answer_in_clear(line);
        say("line: {}", line);
        if (!what_.half)
            next();
    }

private:
    tls::start_options how() const
    {
        tls::start_options options;
        options.session = what_.session;
        return options;
    }

    void next()
    {
        what_.session = tls::connection(*this).session(); // with TLS 1.3 it comes with the input
        if (sent_ == what_.lines.size())
            return close_when_done();
        push(what_.lines[sent_++] + "\n");
    }

    void send_all()
    {
        for (const std::string& line : what_.lines)
            push(line + "\n");
        push_eof();
    }

    void answer_in_clear(const std::string& line)
    {
        if (line.rfind("220", 0) == 0 && !greeted_) {
            greeted_ = true;
            push("EHLO localhost\r\n");
        } else if (line.rfind("250 ", 0) == 0) {
            push("STARTTLS\r\n");
        } else if (line.rfind("220", 0) == 0) {
            start_tls(*this, what_.context, how());
        }
    }

    bool in_clear_;
    errand& what_;
    std::size_t sent_ = 0;
    bool greeted_ = false;
};

void set_up(tls::context& context, arguments::command_line& line)
{
    if (line.flag("--tls12"))
        context.maximum_version(tls::version::tls1_2);
    if (line.flag("--tls13"))
        context.minimum_version(tls::version::tls1_3);
    if (const auto file = line.option("--ca")) {
        context.load_verify_locations(*file);
        context.verify_mode(tls::verify::required);
    }
    if (const auto files = line.pair("--certificate"))
        context.load_cert_chain(files->first, files->second);
    if (const auto list = line.option("--alpn")) {
        const std::size_t comma = list->find(',');
        strings names = {list->substr(0, comma)};
        if (comma != std::string::npos)
            names.push_back(list->substr(comma + 1));
        context.set_alpn_protocols(names);
    }
}

int serve(arguments::command_line line)
{
    auto context = tls::context::for_server();
    set_up(context, line);
    const bool starttls = line.flag("--starttls");
    const auto words = line.words({"server", "CERT", "KEY"});
    context.load_cert_chain(words[1], words[2]);
    asynchat::loop loop;
    loop.stop_on_signals();
    const asynchat::endpoint any_port("127.0.0.1", 0);
    const auto server = loop.create<asynchat::server<echo>>(any_port, context, starttls).lock();
    if (!starttls)
        use_tls(*server, context);
    say("listening on {}", server->local_endpoint().to_string());
    loop.run();
    return 0;
}

int ask(arguments::command_line line)
{
    errand what;
    set_up(what.context, line);
    what.half = line.flag("--half");
    what.starttls = line.flag("--starttls");
    const int times = line.flag("--twice") ? 2 : 1;
    const auto words = line.words({"client", "HOST", "PORT"});
    what.host = words[1];
    what.port = arguments::port("PORT", words[2]);
    what.lines.assign(words.begin() + 3, words.end());
    asynchat::loop loop;
    for (int i = 0; i < times; ++i) {
        loop.create<client>(std::ref(what));
        loop.run();
    }
    return 0;
}

int make_certificates(const std::string& folder)
{
    const auto write = [&](const std::string& name, const std::string& text) {
        std::ofstream(folder + "/" + name) << text;
    };
    const auto write_both = [&](const std::string& name, const asynchat::testing::issued& made) {
        write(name + ".pem", made.certificate);
        write(name + ".key", made.key);
    };
    const asynchat::testing::authority ca;
    asynchat::testing::certificate_request what;
    what.hosts = {"localhost", "127.0.0.1"};
    write("ca.pem", ca.certificate());
    write_both("ecdsa", ca.issue("localhost", what));
    what.rsa = true;
    write_both("rsa", ca.issue("localhost", what));
    what.rsa = false;
    what.hosts.clear();
    write_both("client", ca.issue("alice", what));
    return 0;
}

int run(const arguments::command_line& line, std::string_view mode, const char* folder)
{
    if (mode == "certificates")
        return make_certificates(folder);
    return mode == "server" ? serve(line) : ask(line);
}

} // namespace

int main(int argc, char** argv)
{
    return arguments::run("peer", "usage: the source has it\n", argc, argv, [&](const auto& line) {
        return run(line, argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : ".");
    });
}
