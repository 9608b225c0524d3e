// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_FETCH_CHANNEL_HPP
#define HTTP_FETCH_CHANNEL_HPP

#include "crawler.hpp"

#include <limits>

namespace http {

// One connection to a host: asks for one page after the other, as long as there are any.
//
//     head          up to "\r\n\r\n"            which of these follows:
//     counted       so many bytes
//     chunk_size -> chunk -> chunk_end -> chunk_size ... -> trailer, lines up to an empty one
//     until_close   no terminator               the end of the stream is the end of the page
class fetch_channel : public asynchat::async_chat {
public:
    fetch_channel(asynchat::loop& loop, crawler& owner, site_queue& site)
        : async_chat(loop), crawler_(owner), site_(site)
    {
        const auto& first = site.waiting.front().where;
        connect_timeout(owner.chosen().timeout);
        idle_timeout(owner.chosen().timeout); // a server may be silent for ever
        connect(first.host, first.port);
    }

    void handle_connect() override
    {
        crawler_.connected(site_);
        ask_next();
    }

    void collect_incoming_data(std::string_view data) override
    {
        got_something_ = true;
        switch (part_) {
        case part::head:
        case part::chunk_size:
        case part::trailer: line_ += data; break;
        case part::counted:
        case part::chunk:
        case part::until_close: page_->add(data); break;
        case part::chunk_end: throw std::runtime_error("a chunk is longer than its length");
        }
    }

    void found_terminator() override
    {
        const std::string line = std::exchange(line_, {});
        switch (part_) {
        case part::head: return found_head(line);
        case part::counted: return found_end();
        case part::chunk_size: return found_chunk_size(line);
        case part::chunk: return expect(part::chunk_end, "\r\n");
        case part::chunk_end: return expect(part::chunk_size, "\r\n");
        case part::trailer: return line.empty() ? found_end() : expect(part::trailer, "\r\n");
        case part::until_close: return;
        }
    }

    void handle_eof() override
    {
        if (page_ && part_ == part::until_close) {
            keeps_alive_ = false;
            return found_end();
        }
        async_chat::handle_eof();
    }

    void handle_error() override
    {
        try {
            throw;
        } catch (const std::exception& error) {
            error_ = error.what();
        }
        async_chat::handle_error();
    }

    // The reason is reported once, with the page.
    void log_info(std::string_view, asynchat::log_type) override {}

    void handle_close() override
    {
        const bool lost = close_reason() == asynchat::close_reason::peer_finished ||
                          close_reason() == asynchat::close_reason::reset;
        if (error_.empty())
            error_ = asynchat::to_string(close_reason());
        // A server may end an idle connection just when it is asked for more: that is no error.
        if (page_ && lost && pages_ > 1 && !got_something_)
            crawler_.again(site_, std::move(*page_));
        else if (page_)
            crawler_.failed(site_, *page_, error_);
        else if (pages_ == 0)
            crawler_.unreachable(site_, error_);
        leave();
    }

private:
    enum class part { head, counted, chunk_size, chunk, chunk_end, trailer, until_close };

    static constexpr std::size_t most_bytes = std::size_t{1} << 40; // of a page

    void expect(part next, const asynchat::terminator& end)
    {
        part_ = next;
        set_terminator(end);
    }

    void ask_next()
    {
        page_ = crawler_.next(site_);
        if (!page_)
            return leave();
        ++pages_;
        got_something_ = false;
        print("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: asynchat-http_fetch\r\n\r\n",
              page_->where.target, page_->where.site());
        frame_timeout(crawler_.chosen().timeout); // for the head
        expect(part::head, "\r\n\r\n");
    }

    void found_head(std::string_view head)
    {
        const auto [line, lines] = split(head, "\r\n");
        const bool is_http = line.size() >= 12 && line.substr(0, 7) == "HTTP/1." && line[8] == ' ';
        const auto status = asynchat::parse_number(is_http ? line.substr(9, 3) : "", 999);
        if (!status)
            throw std::runtime_error("no answer of HTTP/1.1: " + asynchat::escaped(line, 60));
        fields header;
        if (const problem wrong = parse_fields(lines, header))
            throw std::runtime_error("malformed answer: " + wrong.reason);
        if (*status < 200)
            return;                                      // the real one follows
        frame_timeout(asynchat::loop::duration::zero()); // a page may take its time
        keeps_alive_ = !lists(header, "Connection", "close") &&
                       (line[7] != '0' || lists(header, "Connection", "keep-alive"));
        page_->begin(static_cast<int>(*status), header);
        if (*status == 204 || *status == 304)
            return found_end();
        if (value_of(header, "Transfer-Encoding")) {
            if (!lists(header, "Transfer-Encoding", "chunked"))
                throw std::runtime_error("an unknown Transfer-Encoding");
            return expect(part::chunk_size, "\r\n");
        }
        const auto length = value_of(header, "Content-Length");
        if (!length) {
            keeps_alive_ = false;
            return expect(part::until_close, std::nullopt);
        }
        const auto bytes = asynchat::parse_number(*length, most_bytes);
        if (!bytes || count_of(header, "Content-Length") > 1)
            throw std::runtime_error("malformed Content-Length");
        if (*bytes == 0)
            return found_end(); // a count of 0 would mean "everything"
        expect(part::counted, *bytes);
    }

    void found_chunk_size(std::string_view line)
    {
        const auto text = trimmed(split(line, ";").first); // behind it are extensions
        const auto bytes =
            asynchat::parse_number(text, most_bytes, asynchat::number_base::hexadecimal);
        if (!bytes)
            throw std::runtime_error(fmt::format("size of a chunk: {} at byte {}",
                                                 to_string(bytes.error()), bytes.position()));
        if (*bytes == 0)
            expect(part::trailer, "\r\n");
        else
            expect(part::chunk, *bytes);
    }

    void found_end()
    {
        page_->end(); // what it throws is reported with the page
        const page fetched = *std::exchange(page_, std::nullopt);
        crawler_.done(site_, fetched);
        if (keeps_alive_)
            ask_next();
        else
            leave();
    }

    void leave()
    {
        close();
        crawler_.left(site_);
    }

    crawler& crawler_;
    site_queue& site_;
    part part_ = part::head;
    std::string line_; // or the head
    std::string error_;
    std::optional<page> page_; // that is being fetched
    std::size_t pages_ = 0;
    bool keeps_alive_ = true;
    bool got_something_ = false;
};

inline void crawler::connect(site_queue& site)
{
    loop_.create<fetch_channel>(*this, site);
}

} // namespace http

#endif
