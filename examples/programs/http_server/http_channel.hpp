// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_CHANNEL_HPP
#define HTTP_CHANNEL_HPP

#include "site.hpp"

#include <fmt/chrono.h>

#include <ctime>

namespace http {

// One connection of the server. Requests come one after the other; answers leave in that order.
//
//     head     up to "\r\n\r\n"      parse_head()
//     body     a count of bytes      only if the head says so
//     answer   pushed                back to head, or the end
//     tunnel   no terminator         after an upgrade: everything is sent back
class http_channel : public asynchat::async_chat {
public:
    http_channel(asynchat::loop& loop, asynchat::socket connection, site& pages)
        : async_chat(loop, std::move(connection)), site_(pages), peer_(peer_endpoint().host())
    {
        frame_timeout(pages.chosen().timeout);    // from the first byte of a head, or body
        idle_timeout(2 * pages.chosen().timeout); // between requests; longer: 408 comes first
        next_request();
    }

    void collect_incoming_data(std::string_view data) override
    {
        switch (part_) {
        case part::head:
            if (has_bare_newline(data))
                return refuse({400, "a line ends without a carriage return"});
            head_ += data;
            break;
        case part::body: body_ += data; break;
        case part::tunnel: push(data); break;
        }
    }

    void found_terminator() override
    {
        if (part_ == part::head) {
            if (const problem wrong = parse_head(head_, request_))
                return refuse(wrong);
            if (request_.length > 0) {
                if (request_.awaits_continue)
                    push("HTTP/1.1 100 Continue\r\n\r\n");
                part_ = part::body;
                return set_terminator(request_.length);
            }
        }
        answer(site_.answer(request_, body_));
        if (part_ != part::tunnel)
            next_request();
    }

    // The head is too long. A counted body is checked before it is read.
    asynchat::overflow handle_overflow() override
    {
        if (head_.find("\r\n", 2) == head_.npos)
            refuse({414, "the first line is too long"});
        else
            refuse({431, fmt::format("the header is longer than {} bytes", most_head)});
        return asynchat::overflow::close;
    }

    void handle_frame_timeout() override { refuse({408, "the request was not complete in time"}); }

private:
    enum class part { head, body, tunnel };

    static constexpr std::size_t most_head = 16384; // bytes

    void next_request()
    {
        part_ = part::head;
        request_ = request();
        head_ = std::string(); // frees the memory: many connections are idle
        body_ = std::string();
        set_terminator("\r\n\r\n", most_head);
    }

    bool has_bare_newline(std::string_view data) const
    {
        for (std::size_t at = data.find('\n'); at != data.npos; at = data.find('\n', at + 1)) {
            const char before = at > 0 ? data[at - 1] : head_.empty() ? '\0' : head_.back();
            if (before != '\r')
                return true;
        }
        return false;
    }

    // The start of the next request is unknown now, so this answer is the last one.
    void refuse(const problem& wrong)
    {
        request_.keeps_alive = false;
        answer(text_response(wrong.status, wrong.reason));
    }

    void answer(response made)
    {
        const std::uint64_t length =
            made.source ? made.source_length.value_or(0) : made.body.size();
        const bool length_known = !made.source || made.source_length;
        const bool in_chunks = !length_known && !request_.is_1_0;
        if (!length_known && !in_chunks)
            request_.keeps_alive = false; // the end of the stream is the end of the body
        print("HTTP/1.1 {} {}\r\nDate: {}\r\nServer: asynchat\r\n{}", made.status,
              reason_of(made.status), date(), made.header);
        if (made.becomes_tunnel) {
            push("Connection: Upgrade\r\n\r\n");
        } else {
            print("Content-Type: {}\r\n", made.type);
            if (length_known)
                print("Content-Length: {}\r\n", length);
            else if (in_chunks)
                push("Transfer-Encoding: chunked\r\n");
            print("Connection: {}\r\n\r\n", request_.keeps_alive ? "keep-alive" : "close");
            if (request_.method != "HEAD")
                send_body(std::move(made), in_chunks);
        }
        site_.note(peer_, request_, made.status);
        if (made.becomes_tunnel)
            become_tunnel();
        else if (!request_.keeps_alive)
            close_when_done();
    }

    void send_body(response made, bool in_chunks)
    {
        if (!made.source) {
            push(std::move(made.body));
            return;
        }
        if (in_chunks)
            made.source = std::make_unique<chunked_producer>(std::move(made.source));
        push_with_producer(std::move(made.source));
        // Producers do not count in pending_output(), so a client could request a million files at
        // once. So the next request waits until this one is answered.
        pause_reading();
        push_with_producer([this] {
            resume_reading();
            return std::string();
        });
    }

    void become_tunnel()
    {
        part_ = part::tunnel;
        request_ = request();
        head_ = std::string();
        set_terminator(std::nullopt);
    }

    // For example "Sun, 06 Nov 1994 08:49:37 GMT"; formatted once a second.
    static const std::string& date()
    {
        static std::time_t when = 0;
        static std::string text;
        const std::time_t now = std::time(nullptr);
        if (now != std::exchange(when, now))
            text = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
        return text;
    }

    site& site_;
    std::string peer_;
    part part_ = part::head;
    std::string head_;
    std::string body_;
    request request_; // its views point into head_
};

} // namespace http

#endif
