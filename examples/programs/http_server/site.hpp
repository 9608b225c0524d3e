// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_SITE_HPP
#define HTTP_SITE_HPP

#include "files.hpp"
#include "page.hpp"
#include "request.hpp"
#include "response.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <deque>

namespace http {

struct settings {
    std::string root;                     // the folder of the files; empty: no files
    std::chrono::milliseconds timeout{0}; // 0 is for ever
};

// Makes the answer to a request; knows nothing of sockets. Its memory is bounded.
class site {
public:
    explicit site(settings chosen) : settings_(std::move(chosen)), files_(settings_.root) {}

    const settings& chosen() const noexcept { return settings_; }

    // The counters of the server, for the page. They outlive the last request.
    void show(const asynchat::server_counters& of_server) { counters_ = &of_server; }

    std::uint64_t requests() const noexcept { return requests_; }

    response answer(const request& asked, std::string_view body)
    {
        const std::string_view path = asked.path;
        if (path == "/server")
            return read_only(asked, [] { return page(); });
        if (path == "/server/state")
            return read_only(asked, [this] { return state(); });
        if (path == "/server/say")
            return asked.method == "POST" ? say(body) : not_allowed("POST");
        if (path == "/server/echo")
            return echo(asked, body);
        if (path.substr(0, 14) == "/server/count/")
            return read_only(asked, [&] { return count(path.substr(14)); });
        if (files_.empty() && path == "/")
            return read_only(asked, [] { return moved(302, "/server"); });
        return read_only(asked, [&] { return files_.answer(asked); });
    }

    // Remembers a request and its answer for the page, except the requests of the page itself.
    void note(const std::string& peer, const request& asked, int status)
    {
        ++requests_;
        if (asked.path == "/server/state")
            return;
        log_.push_front({peer, std::string(asked.method), asynchat::escaped(asked.target, 100),
                         std::to_string(status)});
        if (log_.size() > 20)
            log_.pop_back();
    }

private:
    template <class Make>
    static response read_only(const request& asked, Make make)
    {
        const bool reads = asked.method == "GET" || asked.method == "HEAD";
        return reads ? make() : not_allowed("GET, HEAD");
    }

    static response not_allowed(std::string_view methods)
    {
        return text_response(405, methods, fmt::format("Allow: {}\r\n", methods));
    }

    static response page()
    {
        response made;
        made.type = "text/html; charset=utf-8";
        made.body = own_page;
        return made;
    }

    // Lines with the numbers from 1 on. They are made while they are sent, so their memory does not
    // grow with their number.
    static response count(std::string_view text)
    {
        const auto last = asynchat::parse_number(text, 1000000000);
        if (!last)
            return text_response(
                400, fmt::format("count: {} at byte {}", to_string(last.error()), last.position()));
        class counter : public asynchat::producer {
        public:
            explicit counter(std::size_t last) : last_(last) {}

            std::string_view more() override
            {
                lines_.clear();
                while (done_ < last_ && lines_.size() < 16384)
                    fmt::format_to(std::back_inserter(lines_), "{}\n", ++done_);
                return lines_;
            }

        private:
            std::size_t last_;
            std::size_t done_ = 0;
            std::string lines_;
        };
        response made;
        made.source = std::make_unique<counter>(*last);
        return made;
    }

    // Sends the body back; after an upgrade, everything.
    static response echo(const request& asked, std::string_view body)
    {
        response made;
        if (asked.method == "POST") {
            made.type = "application/octet-stream";
            made.body = body;
        } else if (asked.method != "GET") {
            return not_allowed("GET, POST");
        } else if (asked.is_1_0 || !lists(asked.header, "Connection", "upgrade") ||
                   !lists(asked.header, "Upgrade", "echo")) {
            return text_response(426, "echo", "Upgrade: echo\r\n");
        } else {
            made.status = 101;
            made.header = "Upgrade: echo\r\n";
            made.becomes_tunnel = true;
        }
        return made;
    }

    response say(std::string_view form)
    {
        while (!form.empty() && form.substr(0, 5) != "text=")
            form = split(form, "&").second;
        const auto text =
            decoded(split(form.substr(std::min<std::size_t>(form.size(), 5)), "&").first, true);
        if (!text || text->empty() || text->size() > 400)
            return text_response(400, "text: 1 to 400 bytes");
        said_.push_front(*text);
        if (said_.size() > 10)
            said_.pop_back();
        return moved(303, "/server");
    }

    static std::string quoted(std::string_view text)
    {
        std::string out = "\"";
        for (const char c : text) {
            if (is_control(c))
                out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
            else
                (out += c == '"' || c == '\\' ? "\\" : "") += c;
        }
        return out += '"';
    }

    template <class Items, class Make>
    static std::string list(const Items& items, Make make)
    {
        std::string out;
        for (const auto& item : items)
            (out += out.empty() ? "" : ",") += make(item);
        return "[" + out + "]";
    }

    response state() const
    {
        response made;
        made.type = "application/json";
        const asynchat::server_counters& seen = *counters_;
        made.body = fmt::format(
            R"({{"counters":{{"requests":{},"connections":{},"open":{},"refused":{},)"
            R"("bytes in":{},"bytes out":{},"frames":{},"resets":{}}},"said":{},"log":{}}})",
            requests_, seen.accepted, seen.open, seen.refused, seen.bytes_in, seen.bytes_out,
            seen.frames, seen.closes(asynchat::close_reason::reset), list(said_, quoted),
            list(log_, [](const auto& row) { return list(row, quoted); }));
        return made;
    }

    settings settings_;
    files files_;
    const asynchat::server_counters* counters_ = nullptr;
    std::uint64_t requests_ = 0;
    std::deque<std::array<std::string, 4>> log_; // the newest first
    std::deque<std::string> said_;
};

} // namespace http

#endif
