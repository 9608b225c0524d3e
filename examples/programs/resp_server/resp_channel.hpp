// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef RESP_RESP_CHANNEL_HPP
#define RESP_RESP_CHANNEL_HPP

#include "request.hpp"
#include "text.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace resp {

// A server's side of RESP, the protocol of Redis. A request is a number of words, each behind its
// size; or, for people with netcat, one line with blanks:
//
//     *2\r\n$3\r\nGET\r\n$4\r\nname\r\n        GET name\n
//
//     line     "*2"     how many words          set_terminator("\n")
//     size     "$3"     of the next word
//     word     "GET"    and the line end        set_terminator(3 + 2)
class resp_channel : public asynchat::frame_chat {
public:
    // A frame may take `patience`, if that is not zero.
    resp_channel(asynchat::loop& loop, asynchat::socket peer, asynchat::loop::duration patience)
        : frame_chat(loop, std::move(peer))
    {
        max_frame(most_bytes + 2);
        frame_timeout(patience);
        set_terminator("\n");
    }

    void found_frame(std::string_view frame) override
    {
        switch (part_) {
        case part::line: return begin(without_line_end(frame));
        case part::size: return expect_word(without_line_end(frame));
        case part::word: return end_word(frame);
        }
    }

    asynchat::overflow handle_overflow() override
    {
        refuse("too big inline request");
        return asynchat::overflow::close;
    }

    void handle_frame_timeout() override { refuse("the request was not complete in time"); }

    // To be called from time to time, for peers that send whole words, but whole requests never.
    // Ends the channel when this request was incomplete at the last call.
    void end_if_stuck()
    {
        const bool is_incomplete = part_ != part::line && !write_paused();
        if (is_incomplete && seen_incomplete_ == requests_)
            refuse("the request was not complete in time");
        seen_incomplete_ = is_incomplete ? requests_ : none;
    }

protected:
    // Called with each request; its words are valid during the call.
    virtual void handle_request(const request& words) = 0;

    // Replies. RESP3 has more kinds of them than RESP2.
    bool speaks_resp3 = false;

    void push_integer(std::int64_t number) { print(":{}\r\n", number); }
    void push_error(std::string_view line) { print("-{}\r\n", line); }
    void push_array(std::size_t size) { print("*{}\r\n", size); } // so many replies follow
    void push_map(std::size_t pairs)
    {
        print(speaks_resp3 ? "%{}\r\n" : "*{}\r\n", speaks_resp3 ? pairs : 2 * pairs);
    }
    void push_bulk(std::string_view bytes) { print("${}\r\n{}\r\n", bytes.size(), bytes); }

    void push_bulk(const text& bytes)
    {
        if (bytes->size() < smallest_shared)
            return push_bulk(std::string_view(*bytes));
        print("${}\r\n", bytes->size());
        push(bytes); // not copied
        push("\r\n");
    }

    void push_null()
    {
        if (speaks_resp3)
            push("_\r\n");
        else
            push("$-1\r\n");
    }

private:
    enum class part : unsigned char { line, size, word };

    static constexpr std::uint64_t none = ~std::uint64_t{0};

    static std::string_view without_line_end(std::string_view line) noexcept
    {
        if (!line.empty() && line.back() == '\r')
            line.remove_suffix(1);
        return line;
    }

    void begin(std::string_view line)
    {
        if (line.empty() || line.front() != '*')
            return execute_line(line);
        const auto words = asynchat::parse_integer(line.substr(1), -1, most_words);
        if (!words)
            return refuse("invalid multibulk length");
        if (*words > 0) {
            missing_ = static_cast<std::size_t>(*words);
            part_ = part::size;
        }
    }

    void expect_word(std::string_view line)
    {
        if (line.empty() || line.front() != '$')
            return refuse("expected '$'");
        const auto size = asynchat::parse_number(line.substr(1), request_.room());
        if (!size)
            return refuse("invalid bulk length");
        part_ = part::word;
        set_terminator(*size + 2);
    }

    void end_word(std::string_view word)
    {
        const std::size_t size = word.size() - 2;
        if (word[size] != '\r' || word[size + 1] != '\n')
            return refuse("no line end behind a word");
        word.remove_suffix(2);
        part_ = part::size;
        set_terminator("\n");
        if (--missing_ > 0)
            return request_.keep(word);
        execute(word);
    }

    void execute_line(std::string_view line)
    {
        constexpr std::string_view blanks = " \t";
        line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
        // A page in a browser may send HTTP to any port of its machine. Here the header would be
        // some unknown commands, and the body would be executed.
        const std::string_view first = line.substr(0, line.find_first_of(blanks));
        if (is_word(first, "POST") || is_word(first, "HOST:"))
            return refuse("this is not HTTP");
        std::string_view word;
        for (std::size_t end = 0, at = line.find_first_not_of(blanks); at != line.npos;
             at = line.find_first_not_of(blanks, end)) {
            if (request_.size() == most_words)
                return refuse("too many words in a line");
            if (!word.empty())
                request_.keep(word);
            end = std::min(line.find_first_of(blanks, at), line.size());
            word = line.substr(at, end - at);
        }
        if (!word.empty())
            execute(word);
    }

    void execute(std::string_view last_word)
    {
        part_ = part::line;
        ++requests_;
        request_.end_with(last_word);
        handle_request(request_);
        request_.clear();
    }

    // The start of the next request is unknown now.
    void refuse(std::string_view why)
    {
        request_.clear();
        print("-ERR Protocol error: {}\r\n", why);
        close_when_done();
    }

    request request_;
    std::size_t missing_ = 0; // words
    std::uint64_t requests_ = 0;
    std::uint64_t seen_incomplete_ = none; // the number of the request
    part part_ = part::line;
};

} // namespace resp

#endif
