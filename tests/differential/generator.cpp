// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "program.hpp"
#include "random.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace differential {

namespace {

/// Makes one program. What it avoids, because the library differs from Python there on purpose,
/// is said where it is avoided ("Avoids:").
class generator {
public:
    explicit generator(std::uint64_t seed) : random_(seed * 2 + 1) {}

    std::vector<std::string> make()
    {
        choose_kind();
        head();
        for (unsigned left = random_.between(2, 14); left > 0; --left)
            event();
        if (ends_with_eof_)
            lines_.push_back("eof");
        for (unsigned left = random_.below(4); !net_ && left > 0; --left)
            output_event();
        lines_.push_back("drain");
        return std::move(lines_);
    }

private:
    void choose_kind()
    {
        const unsigned kind = random_.below(100);
        output_ = kind >= 35;
        // Avoids: a send error surfaces inside push() in Python, at the end of the event here; with
        // exceptions of callbacks in the same program, one would decide whether the other happens.
        callback_raises_ = kind < 15 || (kind >= 35 && kind < 50);
        producer_raises_ = kind >= 50 && kind < 60;
        send_errors_ = kind >= 60 && kind < 72;
        // Avoids: when more than ac_out_buffer_size waits during an event, it is sent then and
        // there; when that ends the channel, no more input is delivered. So in programs where a
        // send fails during a read event, that size is never reached.
        read_fails_ = send_errors_ && random_.percent(50);
        net_ = kind >= 88;
        recv_errors_ = !net_ && random_.percent(25);
        // Avoids: a push inside a callback asks a producer at once in Python, at the end of the
        // event here, so its exception would end different callbacks.
        callback_output_ = output_ && !producer_raises_;
        // Avoids: what discard_buffers() drops of the output depends on when it was sent. With
        // output it comes in "blocked" events, where nothing could be sent.
        discards_ = !output_ && random_.percent(50);
        steered_ = !output_ && random_.percent(5);
        closes_ = random_.percent(30);
        // Avoids: an end of stream asks get_terminator() for held bytes once more in Python.
        ends_with_eof_ = !steered_ && random_.percent(50);
        survives_ = random_.percent(65);
        letters_ = random_.between(1, 3);
    }

    void head()
    {
        add("variant", std::to_string(random_.below(1000000)));
        if (net_)
            lines_.push_back("net");
        if (random_.percent(25))
            lines_.push_back("binary");
        if (random_.percent(50))
            add("in", size());
        if (read_fails_)
            add("out", "100000000");
        else if (random_.percent(70))
            add("out", size());
        add("policy", survives_ ? "survive" : "close");
        if (callback_raises_ || producer_raises_)
            add("raises", std::to_string(random_.between(1, 3)));
        for (unsigned left = random_.between(1, 4); left > 0; --left)
            strings_.push_back(letters(1, 8));
        if (steered_) {
            // Avoids: a count that get_terminator() repeats and the countdown of the stored one
            // drift apart in Python.
            std::string answers;
            for (unsigned left = random_.between(1, 5); left > 0; --left)
                answers += (answers.empty() ? "" : " ") + string_term();
            add("steer", answers);
        }
        if (random_.percent(50))
            add("collect", calls(true));
        if (random_.percent(85))
            add("found", calls(false));
        add("term", term());
    }

    // --- data ---

    std::string letters(unsigned least, unsigned most)
    {
        std::string text;
        for (unsigned left = random_.between(least, most); left > 0; --left)
            text += static_cast<char>('a' + random_.below(letters_));
        return text;
    }

    /// Input that has to do with the terminators: whole ones, beginnings of them, and others.
    std::string input()
    {
        std::string text;
        for (unsigned left = random_.between(1, 6); left > 0; --left) {
            const std::string& string = strings_[random_.below(count(strings_))];
            const unsigned what = random_.below(100);
            if (what < 40)
                text += string;
            else if (what < 65)
                text += string.substr(0, random_.between(1, static_cast<unsigned>(string.size())));
            else if (what < 90)
                text += letters(1, 5);
            else
                text += static_cast<char>('a' + random_.below(5));
        }
        return text;
    }

    std::string output()
    {
        const unsigned what = random_.below(100);
        const auto first = static_cast<char>('a' + random_.below(26));
        if (what < 75)
            return first + letters(0, 9);
        if (what < 100 - large_output_)
            return letters(8, 40);
        // Larger than what the library keeps together with other pieces.
        const std::string repeated = letters(2, 7);
        return first + repeated + "*" + std::to_string(random_.between(50, 400));
    }

    std::string size()
    {
        return std::to_string(random_.percent(70) ? random_.between(1, 12)
                                                  : random_.between(13, 70000));
    }

    std::string string_term()
    {
        const unsigned what = random_.below(100);
        if (what < 90)
            return "s" + strings_[random_.below(count(strings_))];
        return what < 95 ? "n" : "s";
    }

    std::string term()
    {
        const unsigned what = random_.below(100);
        if (what < 70)
            return string_term();
        return "i" + std::to_string(what < 75 ? 0 : random_.between(1, 12));
    }

    // --- actions ---

    std::string calls(bool in_collect)
    {
        std::string text;
        for (unsigned left = random_.between(1, 4); left > 0; --left)
            text += (text.empty() ? "" : "|") + call(in_collect);
        return text;
    }

    std::string call(bool in_collect)
    {
        std::string text;
        const auto add_action = [&](const std::string& action) {
            text += (text.empty() ? "" : ";") + action;
        };
        if (random_.percent(in_collect ? 25 : 55))
            add_action("T" + term());
        if (random_.percent(2))
            add_action("N");
        if (random_.percent(5))
            add_action("I" + size());
        while (callback_output_ && random_.percent(in_collect ? 20 : 45))
            add_action(output_action(true));
        if (discards_ && random_.percent(12))
            add_action("D");
        if (closes_ && random_.percent(12)) {
            const unsigned what = random_.below(100);
            // Avoids: with discard_buffers() behind it in a later event, close_when_done() has
            // closed the channel here already.
            if (what < 50)
                add_action("C");
            else if (what < 65 && !output_)
                add_action("C;D");
            else if (!send_errors_)
                return text + (text.empty() ? "" : ";") + "X"; // the last one: nothing follows
        }
        if (callback_raises_ && random_.percent(30))
            add_action(random_.percent(80) ? "R" : "E");
        return text.empty() ? "-" : text;
    }

    std::string output_action(bool in_callback)
    {
        const bool may_raise = producer_raises_ && !in_callback;
        large_output_ = in_callback ? 1 : 7;
        const unsigned what = random_.below(100);
        if (what < 63)
            return "P" + output();
        if (what < 65)
            return "P";
        if (what < 80) {
            const std::string piece_size = std::to_string(random_.between(1, 12));
            return "S" + piece_size + ":" + output();
        }
        if (what < 85 && !read_fails_)
            return "O" + size();
        std::string pieces = output();
        for (unsigned left = random_.below(5); left > 0; --left) {
            if (may_raise && random_.percent(40))
                pieces += ",!";
            else
                pieces += random_.percent(5) ? "," : "," + output();
        }
        return "W" + pieces;
    }

    // --- events ---

    void event()
    {
        const unsigned what = random_.below(100);
        if (what < 50)
            return add("recv", input());
        if (what < 65)
            return outside_event();
        if (what < 70 && recv_errors_)
            return add("recverr", any_of({"EAGAIN", "EALREADY", "EINPROGRESS", "ECONNRESET",
                                          "ENOTCONN", "ESHUTDOWN", "ECONNABORTED", "EPIPE", "EBADF",
                                          "ETIMEDOUT", "EHOSTUNREACH", "EIO", "ECONNREFUSED"}));
        if (!output_ || net_)
            return add("recv", input());
        if (what < 85)
            return output_event();
        if (send_errors_ && what < 97) {
            const std::string word = read_fails_           ? "readfail"
                                     : random_.percent(50) ? "fail"
                                                           : "pushfail";
            const std::string error =
                any_of({"EAGAIN", "EALREADY", "EINPROGRESS", "ECONNRESET", "ENOTCONN", "ESHUTDOWN",
                        "ECONNABORTED", "EPIPE", "EBADF", "ETIMEDOUT", "EHOSTUNREACH", "ENOBUFS",
                        "EIO", "EIO", "EIO"});
            return add(word, error + " " + (word == "readfail" ? input() : letters(1, 20)));
        }
        if (what >= 97)
            return blocked_event();
        add("recv", input());
    }

    void outside_event()
    {
        const unsigned what = random_.below(100);
        if (what < 30 || !output_) {
            if (discards_ && random_.percent(25))
                return add("do", random_.percent(70) ? "D" : "C;D");
            if (closes_ && random_.percent(8))
                return add("do", random_.percent(60) ? "C" : "X");
            return add("do", "T" + term());
        }
        add("do", output_action(false));
    }

    void output_event()
    {
        const unsigned what = random_.below(100);
        if (what < 35)
            add("tx", random_.percent(25) ? "inf" : std::to_string(random_.below(30)));
        else if (what < 90)
            lines_.push_back("write");
        else
            lines_.push_back("drain");
    }

    /// Output that cannot be sent but for the first byte, and is discarded.
    void blocked_event()
    {
        std::string text = random_.percent(50) ? "0 " : "1 ";
        for (unsigned left = random_.between(1, 4); left > 0; --left) {
            text += "P" + letters(2, 20) + ";";
            if (random_.percent(50))
                text += "S3:" + letters(1, 9) + ";";
        }
        add("blocked", text + (random_.percent(70) ? "D" : "C;D"));
    }

    template <class T>
    static unsigned count(const std::vector<T>& all)
    {
        return static_cast<unsigned>(all.size());
    }

    std::string any_of(const std::vector<std::string>& all)
    {
        return all[random_.below(count(all))];
    }

    void add(const std::string& word, const std::string& rest)
    {
        lines_.push_back(word + " " + rest);
    }

    random random_;
    std::vector<std::string> lines_;
    std::vector<std::string> strings_;
    unsigned letters_ = 3;
    unsigned large_output_ = 0; // percent
    bool output_ = false;
    bool callback_output_ = false;
    bool callback_raises_ = false;
    bool producer_raises_ = false;
    bool send_errors_ = false;
    bool read_fails_ = false;
    bool recv_errors_ = false;
    bool discards_ = false;
    bool steered_ = false;
    bool closes_ = false;
    bool ends_with_eof_ = false;
    bool survives_ = true;
    bool net_ = false;
};

} // namespace

program make_program(std::uint64_t seed)
{
    return {seed, generator(seed).make()};
}

} // namespace differential
