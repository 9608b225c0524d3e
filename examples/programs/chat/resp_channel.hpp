// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef CHAT_RESP_CHANNEL_HPP
#define CHAT_RESP_CHANNEL_HPP

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chat {

// A reply of Redis. Its first byte is its kind; it has a text or items.
struct reply {
    char kind;
    std::string text;
    std::vector<reply> items;
};

// A client of RESP, the protocol of Redis. A reply is a line, a line and a number of bytes, or a
// line and a number of replies:
//
//     +OK\r\n    :17\r\n    $5\r\nhello\r\n    *2\r\n$3\r\nGET\r\n$1\r\nx\r\n
//
// A reply that is malformed or over the limits throws, and so ends the channel; a missing line end
// also ends it.
class resp_channel : public asynchat::frame_chat {
public:
    explicit resp_channel(asynchat::loop& loop) : frame_chat(loop) { expect_line(); }

    void command(std::initializer_list<std::string_view> words)
    {
        print("*{}\r\n", words.size());
        for (const std::string_view word : words)
            print("${}\r\n{}\r\n", word.size(), word);
    }

    // Called with each complete reply. Replies to commands come in the order of the commands.
    virtual void handle_reply(const reply& whole) = 0;

    void found_frame(std::string_view frame) override
    {
        if (bulk_ != 0)
            end_bulk(frame);
        else if (!frame.empty())
            begin(frame.front(), frame.substr(1));
        else
            throw std::runtime_error("redis: an empty line where a reply begins");
    }

private:
    struct unfinished {
        reply value;
        std::size_t missing; // items
    };

    void expect_line() { set_terminator("\r\n"); }

    void begin(char kind, std::string_view rest)
    {
        switch (kind) {
        case '+': // a text
        case '-': // an error
        case ':': // a number
        case '#': // true or false
        case ',': // a number with a point
        case '(': // a long number
        case '_': // nothing
            return add({kind, std::string(rest), {}});
        case '$': // bytes
        case '!': // an error
        case '=': // a text with its format
            bulk_ = kind;
            return set_terminator(asynchat::terminator::counted(number(rest, max_frame()), "\r\n"));
        case '*': // a list
        case '~': // a set
        case '>': // a message without a command
            return begin_list(kind, number(rest, most_items));
        case '%': // pairs
            return begin_list(kind, 2 * number(rest, most_items));
        default:
            throw std::runtime_error(fmt::format("redis: byte {:#04x} where a reply begins",
                                                 static_cast<unsigned char>(kind)));
        }
    }

    void end_bulk(std::string_view bytes)
    {
        expect_line();
        add({std::exchange(bulk_, '\0'), std::string(bytes), {}});
    }

    void begin_list(char kind, std::size_t size)
    {
        if (size == 0)
            return add({kind, "", {}});
        if (lists_.size() == deepest)
            throw std::runtime_error("redis: lists in lists, too deep");
        lists_.push_back({{kind, "", {}}, size});
    }

    // It may complete its list, which may complete the list around it, and so on.
    void add(reply value)
    {
        while (!lists_.empty()) {
            unfinished& list = lists_.back();
            list.value.items.push_back(std::move(value));
            if (--list.missing > 0)
                return;
            value = std::move(list.value);
            lists_.pop_back();
        }
        handle_reply(value);
    }

    static std::size_t number(std::string_view text, std::size_t most)
    {
        const auto parsed = asynchat::parse_number(text, most);
        if (!parsed) {
            throw std::runtime_error(fmt::format("redis: {} at byte {} of the length '{}'",
                                                 asynchat::to_string(parsed.error()),
                                                 parsed.position(), asynchat::escaped(text, 40)));
        }
        return *parsed;
    }

    static constexpr std::size_t most_items = 64;
    static constexpr std::size_t deepest = 4;

    char bulk_ = '\0'; // the kind of the reply whose bytes come next
    std::vector<unfinished> lists_;
};

} // namespace chat

#endif
