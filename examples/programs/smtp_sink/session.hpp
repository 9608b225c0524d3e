// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef SMTP_SINK_SESSION_HPP
#define SMTP_SINK_SESSION_HPP

#include "../tls_arguments.hpp"
#include "envelope.hpp"
#include "receiver.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace smtp {

// What all sessions share.
struct service {
    maildir& mails;
    disk& threads;
    const arguments::server_tls& tls;
    std::size_t most_bytes;    // of a message
    std::chrono::seconds wait; // for a line
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
};

// One client, and its commands.
class session : public receiver {
public:
    session(asynchat::loop& loop, asynchat::socket peer, service& common)
        : receiver(loop, std::move(peer), common.threads, common.wait), service_(common)
    {
        client_.address = peer_endpoint().host();
        print("220 {} ESMTP asynchat\r\n", service_.mails.host());
    }

    // What was said in the clear may be from somebody between the two.
    void handle_handshake() override
    {
        client_.is_secure = true;
        client_.name.clear();
        envelope_ = {};
    }

protected:
    void command(std::string_view line) override
    {
        if (std::any_of(line.begin(), line.end(), is_control))
            return refuse("500 5.5.2 a command has no control characters");
        const std::size_t blank = std::min(line.find(' '), line.size());
        const std::string verb = upper(line.substr(0, blank));
        const std::string_view argument = trimmed(line.substr(blank));
        for (const entry& each : commands) {
            if (each.name == verb)
                return (this->*each.run)(argument);
        }
        if (chat::is_http(line))
            return say_goodbye("502 5.5.1 this is not HTTP");
        refuse("500 5.5.1 no such command");
    }

    void command_too_long() override { refuse("500 5.5.2 the line is too long"); }

    void received(const incoming& file, const mail_text& text, std::error_code error) override
    {
        envelope_ = {};
        if (text.is_too_large())
            return refuse("552 5.3.4 the message is too large");
        if (error) {
            log_info(asynchat::log_type::error, "{}: {}", file.name(), error.message());
            const bool is_full = error == std::errc::no_space_on_device;
            return answer(is_full ? "452 4.3.1 the disk is full" : "451 4.3.0 the disk failed");
        }
        ++service_.messages;
        service_.bytes += text.size();
        errors_ = 0;
        print("250 2.0.0 stored as {}\r\n", file.name());
    }

private:
    static constexpr int most_errors = 20; // since the last message

    // That wait for the disk. Each client has one or two; but the job of a client that has gone
    // stays, and another client has its place.
    static constexpr std::size_t most_jobs = 800;

    void refuse(std::string_view text)
    {
        if (++errors_ > most_errors)
            say_goodbye("421 4.7.0 too many errors");
        else
            answer(text);
    }

    // The answer of the envelope.
    void pass_on(const std::string& text) { text[0] == '2' ? answer(text) : refuse(text); }

    bool greet(std::string_view name, bool is_extended)
    {
        if (!is_domain(name) || !is_ascii(name)) {
            refuse("501 5.5.4 say the name of your machine");
            return false;
        }
        client_.name = name;
        client_.is_extended = is_extended;
        envelope_ = {};
        return true;
    }

    void helo(std::string_view name)
    {
        if (greet(name, false))
            print("250 {}\r\n", service_.mails.host());
    }

    void ehlo(std::string_view name)
    {
        if (!greet(name, true))
            return;
        print("250-{}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n",
              service_.mails.host(), service_.most_bytes);
        if (service_.tls && !client_.is_secure)
            answer("250-STARTTLS");
        answer("250 ENHANCEDSTATUSCODES");
    }

    void mail(std::string_view argument)
    {
        if (client_.name.empty())
            refuse("503 5.5.1 EHLO first");
        else if (envelope_.has_sender())
            refuse("503 5.5.1 there is a sender already");
        else
            pass_on(envelope_.mail(argument, service_.most_bytes));
    }

    void rcpt(std::string_view argument)
    {
        if (!envelope_.has_sender())
            refuse("503 5.5.1 MAIL first");
        else
            pass_on(envelope_.recipient(argument));
    }

    void data(std::string_view argument)
    {
        if (!argument.empty())
            return refuse("501 5.5.4 DATA takes no argument");
        if (!envelope_.has_recipient())
            return refuse("503 5.5.1 there is no recipient");
        if (service_.threads.waiting() > most_jobs)
            return answer("451 4.3.2 the disk is too slow, come again");
        auto file = std::make_shared<incoming>(service_.mails);
        mail_text text(service_.most_bytes,
                       envelope_.header(client_, service_.mails.host(), file->name()));
        expect_text(std::move(file), std::move(text));
        answer("354 go on, and end with a dot alone");
    }

    void rset(std::string_view)
    {
        envelope_ = {};
        answer("250 2.0.0 ok");
    }

    void noop(std::string_view) { answer("250 2.0.0 ok"); }
    void vrfy(std::string_view) { answer("252 2.5.0 send it, and see"); }
    void help(std::string_view) { answer("214 2.0.0 a sink: it keeps all mail that it gets"); }
    void quit(std::string_view) { say_goodbye("221 2.0.0 bye"); }

    void starttls(std::string_view argument)
    {
        if (!service_.tls)
            return refuse("502 5.5.1 there is no TLS here");
        if (client_.is_secure)
            return refuse("503 5.5.1 this is TLS already");
        if (!argument.empty())
            return refuse("501 5.5.4 STARTTLS takes no argument");
        answer("220 2.0.0 go ahead"); // in the clear
        service_.tls.protect(*this);
    }

    struct entry {
        std::string_view name;
        void (session::*run)(std::string_view argument);
    };
    static const entry commands[11];

    service& service_;
    client client_;
    envelope envelope_;
    int errors_ = 0;
};

inline const session::entry session::commands[11] = {
    {"MAIL", &session::mail}, {"RCPT", &session::rcpt},        {"DATA", &session::data},
    {"EHLO", &session::ehlo}, {"HELO", &session::helo},        {"RSET", &session::rset},
    {"NOOP", &session::noop}, {"VRFY", &session::vrfy},        {"HELP", &session::help},
    {"QUIT", &session::quit}, {"STARTTLS", &session::starttls}};

} // namespace smtp

#endif
