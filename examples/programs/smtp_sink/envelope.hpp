// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef SMTP_SINK_ENVELOPE_HPP
#define SMTP_SINK_ENVELOPE_HPP

#include "syntax.hpp"

#include <asynchat/number.hpp>

#include <fmt/chrono.h>

#include <cstddef>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtp {

// What the client has said of itself.
struct client {
    std::string name; // of EHLO or HELO; empty before
    std::string address;
    bool is_extended = false; // it said EHLO
    bool is_secure = false;   // it speaks TLS
};

// Who sends the next message, and who gets it. No sockets: each command has its answer.
class envelope {
public:
    static constexpr std::size_t most_recipients = 100;

    bool has_sender() const noexcept { return sender_.has_value(); }
    bool has_recipient() const noexcept { return !recipients_.empty(); }
    bool has_utf8() const noexcept { return has_utf8_; }

    // MAIL FROM:<...>. Keeps nothing unless the answer begins with 2.
    std::string mail(std::string_view argument, std::size_t most_bytes)
    {
        const path_argument parsed = parse_path(argument, "FROM:");
        if (!parsed.is_good)
            return "501 5.5.4 MAIL FROM:<address>";
        bool has_utf8 = false;
        for (const parameter& each : parsed.parameters) {
            if (const std::string_view wrong = fault_of(each, most_bytes); !wrong.empty())
                return std::string(wrong);
            has_utf8 = has_utf8 || each.key == "SMTPUTF8";
        }
        const std::string_view wrong = parsed.path.empty() ? "" : fault_of(parsed.path, has_utf8);
        if (!wrong.empty())
            return std::string(wrong);
        sender_ = parsed.path;
        has_utf8_ = has_utf8;
        return "250 2.1.0 ok";
    }

    // RCPT TO:<...>
    std::string recipient(std::string_view argument)
    {
        const path_argument parsed = parse_path(argument, "TO:");
        if (!parsed.is_good)
            return "501 5.5.4 RCPT TO:<address>";
        if (!parsed.parameters.empty())
            return "555 5.5.4 no such parameter";
        const std::string_view wrong =
            upper(parsed.path) == "POSTMASTER" ? "" : fault_of(parsed.path, has_utf8_);
        if (!wrong.empty())
            return std::string(wrong);
        if (recipients_.size() == most_recipients)
            return "452 4.5.3 too many recipients";
        recipients_.push_back(parsed.path);
        return "250 2.1.5 ok";
    }

    // The lines in front of the message that it is stored with.
    std::string header(const client& from, std::string_view host, std::string_view id) const
    {
        const bool is_extended = from.is_extended || from.is_secure; // by STARTTLS
        const std::string_view protocol = has_utf8_ ? "UTF8SMTP" : is_extended ? "ESMTP" : "SMTP";
        const bool is_v6 = from.address.find(':') != from.address.npos;
        std::string lines = fmt::format("Return-Path: <{}>\n", *sender_);
        for (const std::string& each : recipients_)
            lines += fmt::format("Delivered-To: {}\n", each);
        return lines + fmt::format("Received: from {} ([{}{}])\n\tby {} with {}{} id {};\n\t"
                                   "{:%a, %d %b %Y %H:%M:%S} +0000\n",
                                   from.name, is_v6 ? "IPv6:" : "", from.address, host, protocol,
                                   from.is_secure ? "S" : "", id, fmt::gmtime(std::time(nullptr)));
    }

private:
    // The answer to a path that is wrong; empty if it is not.
    static std::string_view fault_of(std::string_view path, bool may_have_utf8)
    {
        if (!is_utf8(path))
            return "501 5.5.2 the address is not UTF-8";
        if (!may_have_utf8 && !is_ascii(path))
            return "553 5.6.7 such an address needs SMTPUTF8";
        return is_mailbox(path) ? "" : "553 5.1.3 that is no address";
    }

    // The same for a parameter of MAIL.
    static std::string_view fault_of(const parameter& said, std::size_t most_bytes)
    {
        if (said.key == "SIZE") {
            const auto size = asynchat::parse_number(said.value, most_bytes);
            if (size)
                return "";
            return size.error() == asynchat::number_error::too_large
                       ? "552 5.3.4 the message is too large"
                       : "501 5.5.4 SIZE is a number";
        }
        const std::string value = upper(said.value);
        if (said.key == "BODY")
            return value == "7BIT" || value == "8BITMIME" ? "" : "501 5.5.4 no such BODY";
        if (said.key == "SMTPUTF8")
            return value.empty() ? "" : "501 5.5.4 SMTPUTF8 has no value";
        return "555 5.5.4 no such parameter";
    }

    std::optional<std::string> sender_; // empty: the message is about another one
    std::vector<std::string> recipients_;
    bool has_utf8_ = false;
};

} // namespace smtp

#endif
