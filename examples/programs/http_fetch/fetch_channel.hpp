// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef HTTP_FETCH_CHANNEL_HPP
#define HTTP_FETCH_CHANNEL_HPP

#include "answer.hpp"
#include "crawler.hpp"

#include <fmt/format.h>

#include <functional>

namespace http {

// One connection to a host: fetches one page at a time, and is handed back to the pool after it.
//
//     head          up to "\r\n\r\n"            which of these follows:
//     counted       a count of bytes
//     chunk_size -> chunk -> chunk_size ... -> trailer, lines up to an empty one
//     until_close   no terminator               the end of the stream is the end of the page
//
// A body may take any time while bytes arrive. Everything else must be complete in time.
class fetch_channel : public asynchat::async_chat {
public:
    fetch_channel(asynchat::loop& loop, crawler& owner, site& at)
        : async_chat(loop), crawler_(owner), site_(at)
    {
        connect_timeout(owner.chosen().timeout);
        handshake_timeout(owner.chosen().timeout);
        if (at.is_secure)
            owner.chosen().tls.protect(*this);
        expect(part::head, end_of_head);
    }

    void fetch(page wanted)
    {
        page_ = std::move(wanted);
        ++pages_;
        interim_ = 0;
        got_something_ = false;
        print("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: asynchat-http_fetch\r\n\r\n",
              page_->where.target, page_->where.site());
        expect_in_time(part::head, end_of_head, "head");
    }

    void handle_connect() override {} // the pool gives it its work

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
        }
    }

    void found_terminator() override
    {
        const std::string line = std::exchange(line_, {});
        switch (part_) {
        case part::head: return found_head(line);
        case part::counted: return found_end();
        case part::chunk_size: return found_chunk_size(line);
        case part::chunk: return expect_chunk();
        case part::trailer: return found_trailer(line);
        case part::until_close: return;
        }
    }

    void handle_eof() override
    {
        if (page_ && part_ == part::until_close)
            return found_end();
        async_chat::handle_eof();
    }

    void handle_frame_timeout() override { error_ = "the size of a chunk was not there in time"; }

    void handle_error() override
    {
        try {
            throw;
        } catch (const std::exception& error) {
            error_ = error.what();
        }
        async_chat::handle_error();
    }

    // No log: the reason is reported once, with the page.
    void handle_log(asynchat::log_type, std::string_view) override {}

    void handle_close() override
    {
        const bool lost = close_reason() == asynchat::close_reason::peer_finished ||
                          close_reason() == asynchat::close_reason::tls_truncated ||
                          close_reason() == asynchat::close_reason::reset;
        if (error_.empty() && close_reason() == asynchat::close_reason::bad_frame)
            error_ = "a chunk is longer than its length"; // no line end after it
        if (error_.empty())
            error_ = asynchat::to_string(close_reason());
        // A server may end an idle connection while the next request is on its way: no error.
        if (page_ && lost && pages_ > 1 && !got_something_)
            crawler_.again(site_, std::move(*page_));
        else if (page_)
            crawler_.failed(site_, *page_, error_);
        else if (pages_ == 0)
            site_.error = error_;
        close();
        if (page_)
            crawler_.left(site_);
    }

private:
    enum class part { head, counted, chunk_size, chunk, trailer, until_close };

    static constexpr const char* end_of_head = "\r\n\r\n";
    static constexpr std::size_t most_head = 65536; // bytes; also of a trailer
    static constexpr std::size_t most_line = 4096;  // bytes of the line with the size of a chunk
    static constexpr int most_interim = 8;          // answers of 1xx before the answer

    void expect(part next, const asynchat::terminator& until, std::size_t most = most_head)
    {
        part_ = next;
        set_terminator(until, most);
    }

    // A frame_timeout() would start again with each answer of 1xx, and each line of a trailer. So
    // parts that have several frames have one timer.
    void expect_in_time(part next, const asynchat::terminator& until, const char* what)
    {
        expect(next, until);
        idle_timeout(asynchat::loop::duration::zero());
        deadline_ = call_later(crawler_.chosen().timeout, [this, what] {
            error_ = fmt::format("the {} was not there in time", what);
            finish(asynchat::close_reason::frame_timeout);
        });
    }

    void found_head(std::string_view head)
    {
        const answer found = parse_answer(head);
        if (found.status < 200) { // the final answer follows
            if (++interim_ > most_interim)
                throw std::runtime_error(fmt::format("more than {} answers of 1xx", most_interim));
            return;
        }
        deadline_.cancel();
        idle_timeout(crawler_.chosen().timeout);
        keeps_alive_ = found.keeps_alive;
        page_->begin(found.status, found.header);
        switch (found.end) {
        case body_end::none: return found_end();
        case body_end::counted: return expect(part::counted, found.length);
        case body_end::chunked: return expect_chunk();
        case body_end::stream: return expect(part::until_close, std::nullopt);
        }
    }

    void expect_chunk()
    {
        frame_timeout(crawler_.chosen().timeout); // the line is one frame
        expect(part::chunk_size, "\r\n", most_line);
    }

    void found_chunk_size(std::string_view line)
    {
        frame_timeout(asynchat::loop::duration::zero());
        const std::size_t left = most_bytes - static_cast<std::size_t>(page_->bytes);
        const std::size_t size = parse_chunk_size(line, left);
        if (size > 0)
            return expect(part::chunk, asynchat::terminator::counted(size, "\r\n"));
        trailer_.clear();
        expect_in_time(part::trailer, "\r\n", "trailer");
    }

    void found_trailer(std::string_view line)
    {
        if (!line.empty()) {
            (trailer_ += line) += "\r\n";
            if (trailer_.size() > most_head)
                throw std::runtime_error(
                    fmt::format("the trailer is longer than {} bytes", most_head));
            return;
        }
        fields ignored;
        if (const problem wrong = parse_fields(trailer_, ignored))
            throw std::runtime_error("malformed trailer: " + wrong.reason);
        found_end();
    }

    void found_end()
    {
        deadline_.cancel();
        page_->end(); // an exception is reported with the page
        const page fetched = *std::exchange(page_, std::nullopt);
        expect(part::head, end_of_head); // as the pool wants it back
        crawler_.done(site_, fetched);
        if (keeps_alive_ && crawler::needs_connection(site_))
            site_.connections.give_back(owner().handle_of(*this));
        else
            close();
        crawler_.left(site_);
    }

    crawler& crawler_;
    site& site_;
    part part_ = part::head;
    std::string line_; // or the head
    std::string trailer_;
    std::string error_;
    std::optional<page> page_; // that is being fetched
    asynchat::timer deadline_;
    std::size_t pages_ = 0;
    int interim_ = 0;
    bool keeps_alive_ = true;
    bool got_something_ = false;
};

inline site::site(asynchat::loop& loop, const url& any_page, crawler& owner)
    : is_secure(any_page.is_secure),
      connections(loop, asynchat::target(any_page.host, any_page.port), std::ref(owner),
                  std::ref(*this))
{
    connections.max_size(owner.chosen().per_host);
}

inline void crawler::ask_for_connection(site& site)
{
    ++site.users;
    ++site.asking;
    ++users_;
    site.connections.checkout(
        asynchat::loop::duration::zero(),
        [this, &site](const asynchat::handle<fetch_channel>& connection, std::error_code error) {
            if (error == std::errc::operation_canceled)
                return; // the program ends
            --site.asking;
            use(site, connection);
        });
}

// The page that the connection was asked for may have been fetched by another one.
inline void crawler::use(site& site, const asynchat::handle<fetch_channel>& connection)
{
    if (!connection) {
        unreachable(site);
        return left(site);
    }
    if (auto wanted = next(site))
        return connection->fetch(std::move(*wanted));
    connection->close();
    left(site);
}

} // namespace http

#endif
