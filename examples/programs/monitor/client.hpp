// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef MONITOR_CLIENT_HPP
#define MONITOR_CLIENT_HPP

#include "access.hpp"
#include "gatherer.hpp"
#include "page.hpp"
#include "report.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace monitor {

// A browser, or Prometheus. It gets one answer at a time.
class client : public asynchat::frame_chat {
public:
    client(asynchat::loop& loop, asynchat::socket peer, gatherer& loops, const access& who)
        : frame_chat(loop, std::move(peer)), loops_(loops), access_(who)
    {
        using namespace std::chrono_literals;
        set_terminator("\r\n\r\n", 8192);
        frame_timeout(10s);
        idle_timeout(60s);
        write_timeout(10s);
    }

    void found_frame(std::string_view head) override
    {
        http::request asked;
        const http::problem wrong = http::parse_head(head, asked);
        has_body_ = asked.method != "HEAD"; // also of a refusal
        if (wrong)
            return refuse(wrong.status, wrong.reason);
        if (asked.length > 0)
            return refuse(413, "no body is read here");
        if (const int status = access_.refusal(asked))
            return refuse(status, status == 401 ? "a token is needed" : "not by this name");
        if (asked.method != "GET" && asked.method != "HEAD")
            return refuse(405, "only GET and HEAD");
        stays_ = asked.keeps_alive;
        choose(asked.path);
    }

    asynchat::overflow handle_overflow() override
    {
        refuse(431, "the header is too long");
        return asynchat::overflow::close;
    }

    void handle_frame_timeout() override { refuse(408, "the request took too long"); }

private:
    void choose(std::string_view path)
    {
        if (path == "/")
            answer(200, "text/html; charset=utf-8", page);
        else if (path == "/metrics")
            answer_later(&client::send_metrics);
        else if (path == "/state")
            answer_later(&client::send_state);
        else
            answer(404, "text/plain", "there are /, /metrics and /state\n");
    }

    // The next request waits for the answer.
    void answer_later(void (client::*what)())
    {
        pause_reading();
        loops_.gather([me = owner().handle_of(*this), what] {
            me.post([what](client& here) {
                (here.*what)();
                here.resume_reading();
            });
        });
    }

    void send_metrics()
    {
        answer(200, "text/plain; version=0.0.4; charset=utf-8", metrics(loops_.latest()).text());
    }

    void send_state()
    {
        const std::chrono::duration<double> now = owner().now().time_since_epoch();
        answer(200, "application/json", json_state(loops_.latest(), now.count()));
    }

    // The start of the next request may be unknown now.
    void refuse(int status, std::string_view why)
    {
        stays_ = false;
        answer(status, "text/plain", fmt::format("{}\n", why));
    }

    void answer(int status, std::string_view type, std::string_view body)
    {
        // The page may use nothing but what is in it, and no other page may use it.
        print("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n"
              "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
              "Cross-Origin-Resource-Policy: same-origin\r\n"
              "Content-Security-Policy: default-src 'none'; img-src data:; style-src "
              "'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
              "frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n{}\r\n",
              status, status == 200 ? "OK" : "Refused", type, body.size(),
              stays_ ? "keep-alive" : "close",
              status == 401   ? "WWW-Authenticate: Basic realm=\"monitor\"\r\n"
              : status == 405 ? "Allow: GET, HEAD\r\n"
                              : "");
        if (std::exchange(has_body_, true))
            push(body);
        if (!stays_)
            close_when_done();
    }

    gatherer& loops_;
    const access& access_;
    bool has_body_ = true;
    bool stays_ = true;
};

} // namespace monitor

#endif
