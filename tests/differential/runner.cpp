// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "program.hpp"
#include "random.hpp"

#include <asynchat/asynchat.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace differential {

namespace {

using asynchat::async_chat;
using strings = std::vector<std::string>;

class user_error : public std::exception {};
class producer_error : public std::exception {};

constexpr std::size_t infinite = std::size_t{1} << 60U;

strings split(std::string_view text, char at)
{
    strings parts;
    for (;;) {
        const std::size_t end = text.find(at);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

/// The text before and behind the first `at`.
std::pair<std::string, std::string> cut_at(std::string_view text, char at)
{
    const std::size_t end = text.find(at);
    if (end == std::string_view::npos)
        return {std::string(text), {}};
    return {std::string(text.substr(0, end)), std::string(text.substr(end + 1))};
}

std::size_t number(const std::string& text)
{
    return text == "inf" ? infinite : std::stoul(text);
}

int errno_named(std::string_view name)
{
    static const std::pair<std::string_view, int> table[] = {{"EAGAIN", EAGAIN},
                                                             {"EALREADY", EALREADY},
                                                             {"EINPROGRESS", EINPROGRESS},
                                                             {"ECONNRESET", ECONNRESET},
                                                             {"ENOTCONN", ENOTCONN},
                                                             {"ESHUTDOWN", ESHUTDOWN},
                                                             {"EPIPE", EPIPE},
                                                             {"ECONNABORTED", ECONNABORTED},
                                                             {"EBADF", EBADF},
                                                             {"ETIMEDOUT", ETIMEDOUT},
                                                             {"EHOSTUNREACH", EHOSTUNREACH},
                                                             {"EIO", EIO},
                                                             {"ECONNREFUSED", ECONNREFUSED},
                                                             {"ENOBUFS", ENOBUFS}};
    for (const auto& [known, value] : table) {
        if (known == name)
            return value;
    }
    throw std::invalid_argument("unknown error " + std::string(name));
}

/// What the program says and what has happened; the channel and its producers work on it.
struct state {
    // The program.
    std::vector<strings> on_collect = {{"-"}};
    std::vector<strings> on_found = {{"-"}};
    std::vector<asynchat::terminator> steering;
    bool survives = true;
    bool binary = false;
    bool net = false;
    random variants{0};

    // The socket.
    std::string input;
    bool eof = false;
    int recv_error = 0;
    int send_error = 0;
    std::size_t room = infinite;

    // What happened.
    strings entries;
    strings errors;
    strings more = {"more"};
    std::string sent;
    std::size_t collects = 0;
    std::size_t founds = 0;
    std::size_t steered = 0;
    int closes = 0;
    int producers = 0;
    int raises = 0;
    bool stopped = false; // by close() or close_when_done()
    bool ended = false;   // by the end of the stream
    bool cut = false;

    bool may_raise() { return --raises >= 0; }

    std::string data(std::string_view text) const
    {
        const auto [unit, times] = cut_at(text, '*');
        std::string all;
        for (std::size_t left = times.empty() ? 1 : number(times); left > 0; --left)
            all += unit;
        return translated(std::move(all), "abc", binary_letters);
    }
    std::string text(std::string_view bytes) const
    {
        return translated(std::string(bytes), binary_letters, "abc");
    }
    asynchat::terminator term(std::string_view text) const
    {
        if (text == "n")
            return std::nullopt;
        const std::string rest(text.substr(1));
        if (text.front() == 'i')
            return number(rest);
        return data(rest);
    }

private:
    static constexpr const char* binary_letters = "\x00\xff\n";

    std::string translated(std::string bytes, const char* from, const char* to) const
    {
        for (char& byte : bytes) {
            if (const void* at = binary ? std::memchr(from, byte, 3) : nullptr)
                byte = to[static_cast<const char*>(at) - from];
        }
        return bytes;
    }
};

/// Says what its more() gives: "m1:abc", "m1:" at the end, "m1:!" for an exception.
class pieces {
public:
    pieces(state& all, std::string list) : all_(all), list_(split(list, ','))
    {
        name_ = "m" + std::to_string(++all.producers) + ":";
    }

    std::string next()
    {
        while (at_ < list_.size()) {
            const std::string piece = list_[at_++];
            if (piece != "!") {
                all_.more.push_back(name_ + piece);
                return all_.data(piece);
            }
            if (all_.may_raise()) {
                all_.more.push_back(name_ + "!");
                throw producer_error();
            }
        }
        all_.more.push_back(name_);
        return {};
    }

private:
    state& all_;
    strings list_;
    std::string name_;
    std::size_t at_ = 0;
};

class pieces_producer : public asynchat::producer {
public:
    explicit pieces_producer(pieces source) : source_(std::move(source)) {}

    std::string_view more() override { return piece_ = source_.next(); }

private:
    pieces source_;
    std::string piece_;
};

class simple : public asynchat::simple_producer {
public:
    simple(state& all, std::string data, std::size_t size)
        : simple_producer(std::move(data), size), all_(all),
          name_("m" + std::to_string(++all.producers) + ":")
    {
    }

    std::string_view more() override
    {
        const std::string_view piece = simple_producer::more();
        all_.more.push_back(name_ + all_.text(piece));
        return piece;
    }

private:
    state& all_;
    std::string name_;
};

class chat : public async_chat {
public:
    chat(asynchat::loop& owner, asynchat::socket from, state& all)
        : async_chat(owner, std::move(from)), all_(all)
    {
        set_connected(true); // there may be no socket
    }

    // --- the scripted socket ---

    std::size_t recv(asio::mutable_buffer into) override
    {
        if (all_.net)
            return async_chat::recv(into);
        if (const int failed = std::exchange(all_.recv_error, 0))
            return fail(failed);
        if (all_.input.empty())
            return all_.eof ? async_chat::recv(into) : 0; // the end comes from a real socket
        const std::size_t size = std::min(into.size(), all_.input.size());
        std::memcpy(into.data(), all_.input.data(), size);
        all_.input.erase(0, size);
        return size;
    }

    std::size_t send(asynchat::const_buffers data) override
    {
        if (data.size() == 0)
            all_.entries.push_back("send-of-nothing");
        if (all_.net)
            return async_chat::send(data);
        if (const int failed = std::exchange(all_.send_error, 0))
            return fail(failed);
        const std::string bytes = data.str();
        const std::size_t taken = std::min(bytes.size(), all_.room);
        all_.room -= taken;
        all_.sent.append(bytes, 0, taken);
        return taken;
    }

    /// Write events of a scripted socket come from the program alone.
    bool writable() override { return all_.net && async_chat::writable(); }

    // --- callbacks ---

    const asynchat::terminator& get_terminator() const override
    {
        if (all_.steering.empty())
            return async_chat::get_terminator();
        return all_.steering[all_.steered++ % all_.steering.size()];
    }

    void collect_incoming_data(std::string_view data) override
    {
        all_.entries.push_back("c:" + all_.text(data) + ":" + terminator_text());
        check_open();
        _collect_incoming_data(data);
        perform_next(all_.on_collect, all_.collects);
    }

    void found_terminator() override
    {
        all_.entries.push_back("f:" + all_.text(_get_data()) + ":" + terminator_text());
        check_open();
        perform_next(all_.on_found, all_.founds);
    }

    void handle_error() override
    {
        try {
            throw;
        } catch (const producer_error&) {
            all_.more.emplace_back("e");
        } catch (const user_error&) {
            all_.errors.emplace_back("e:user");
        } catch (const std::system_error& error) {
            all_.errors.push_back("e:" + std::to_string(error.code().value()));
        } catch (const std::exception& error) {
            all_.errors.push_back(std::string("e:") + error.what());
        }
        if (!all_.survives) {
            all_.cut = true;
            async_chat::handle_error();
        }
    }

    void handle_close() override
    {
        check_open();
        ++all_.closes;
        async_chat::handle_close();
    }

    void handle_log(asynchat::log_type, std::string_view) override {}

    // --- what programs do ---

    void perform_all(const strings& actions)
    {
        for (const std::string& action : actions)
            perform(action);
    }

    void perform(const std::string& action)
    {
        const char kind = action.front();
        const std::string rest = action.substr(1);
        switch (kind) {
        case '-': break;
        case 'T': set_terminator(all_.term(rest)); break;
        case 'N': try { set_terminator(-1);
            } catch (const std::invalid_argument&) {
                all_.entries.emplace_back("negative");
            }
            break;
        case 'P': check_accepted(push_somehow(all_.data(rest))); break;
        case 'W': {
            pieces source(all_, rest);
            if (all_.variants.percent(50))
                check_accepted(push_with_producer([source]() mutable { return source.next(); }));
            else
                check_accepted(
                    push_with_producer(std::make_unique<pieces_producer>(std::move(source))));
            break;
        }
        case 'S': {
            const auto [size, data] = cut_at(rest, ':');
            check_accepted(
                push_with_producer(std::make_unique<simple>(all_, all_.data(data), number(size))));
            break;
        }
        case 'C':
            all_.stopped = true;
            close_when_done();
            break;
        case 'D':
            if (!closed())
                all_.stopped = false;
            discard_buffers();
            break;
        case 'X':
            all_.cut = all_.stopped = true;
            close();
            break;
        case 'I': ac_in_buffer_size = static_cast<std::uint32_t>(number(rest)); break;
        case 'O': ac_out_buffer_size = static_cast<std::uint32_t>(number(rest)); break;
        case 'R':
            if (all_.may_raise())
                throw user_error();
            break;
        case 'E':
            if (all_.may_raise())
                throw asynchat::exit_now();
            break;
        default: throw std::invalid_argument("unknown action " + action);
        }
    }

    bool wants_to_write() { return async_chat::writable(); }

    std::string terminator_text() const
    {
        if (!all_.steering.empty())
            return "-";
        const auto& current = async_chat::get_terminator();
        if (current.is_none())
            return "n";
        if (current.is_count())
            return "i" + std::to_string(current.count());
        return "s" + all_.text(current.bytes());
    }

private:
    void perform_next(const std::vector<strings>& calls, std::size_t& count)
    {
        perform_all(calls[count++ % calls.size()]);
    }

    bool push_somehow(std::string data)
    {
        switch (all_.variants.below(4)) {
        case 0: return push(std::string_view(data));
        case 1: return push(std::move(data));
        case 2: return push(std::make_shared<const std::string>(std::move(data)));
        default: return print("{}", data);
        }
    }

    void check_accepted(bool accepted)
    {
        if (accepted != (!closed() && !all_.stopped))
            all_.entries.push_back(accepted ? "push-accepted" : "push-refused");
    }

    void check_open()
    {
        if (closed())
            all_.entries.emplace_back("callback-after-close");
    }

    /// What the original does with an error of the system.
    std::size_t fail(int number)
    {
        const std::error_code error(number, std::system_category());
        if (asynchat::is_would_block(error))
            return 0;
        if (!asynchat::is_disconnected(error))
            throw std::system_error(error, "scripted");
        all_.cut = true;
        finish(asynchat::close_reason::reset, error);
        return 0;
    }

    state& all_;
};

class runner {
public:
    explicit runner(const program& what)
    {
        for (const std::string& line : what.lines) {
            if (line == "net")
                all_.net = true;
            if (line == "net" || line == "eof")
                needs_socket_ = true;
        }
        asynchat::socket ours;
        if (needs_socket_)
            std::tie(ours, peer_) = asynchat::socket::pair();
        if (all_.net) { // the smallest buffer there is, so that sending would block now and then
            const int bytes = 1;
            ::setsockopt(ours.native_handle(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        }
        channel_ = loop_.create<chat>(std::move(ours), all_);
        object_ = channel_.lock();
        for (const std::string& line : what.lines) {
            const auto [word, rest] = cut_at(line, ' ');
            if (!head(word, rest))
                event(word, rest);
        }
    }

    trace answer()
    {
        read_peer();
        trace_.push_back("out:" + all_.text(all_.sent));
        trace_.push_back(joined(all_.more));
        trace_.push_back("end closes=" + std::to_string(all_.closes) +
                         " open=" + (channel_ ? "1" : "0") + " cut=" + (all_.cut ? "1" : "0"));
        return std::move(trace_);
    }

private:
    bool head(const std::string& word, const std::string& rest)
    {
        const auto calls = [&rest] {
            std::vector<strings> all;
            for (const std::string& call : split(rest, '|'))
                all.push_back(split(call, ';'));
            return all;
        };
        if (word == "in")
            object_->ac_in_buffer_size = static_cast<std::uint32_t>(number(rest));
        else if (word == "out")
            object_->ac_out_buffer_size = static_cast<std::uint32_t>(number(rest));
        else if (word == "policy")
            all_.survives = rest == "survive";
        else if (word == "raises")
            all_.raises = static_cast<int>(number(rest));
        else if (word == "binary")
            all_.binary = true;
        else if (word == "variant")
            all_.variants = random(number(rest));
        else if (word == "steer")
            for (const std::string& term : split(rest, ' '))
                all_.steering.push_back(all_.term(term));
        else if (word == "collect")
            all_.on_collect = calls();
        else if (word == "found")
            all_.on_found = calls();
        else if (word == "term")
            object_->set_terminator(all_.term(rest));
        else
            return word == "net";
        return true;
    }

    void event(const std::string& word, const std::string& rest)
    {
        const auto [number_text, data] = cut_at(rest, ' ');
        if (word == "tx")
            all_.room = number(rest);
        else if (word == "write")
            write_once();
        else if (word == "drain")
            drain();
        else if (word == "do")
            do_outside(rest);
        else if (over())
            ; // nothing is read any more, and what fails depends on what was sent by now
        else if (word == "recv")
            receive(rest);
        else if (word == "recverr")
            receive_error(errno_named(rest));
        else if (word == "eof")
            end_stream();
        else if (word == "fail")
            fail(errno_named(number_text), data);
        else if (word == "pushfail")
            push_fail(errno_named(number_text), data);
        else if (word == "readfail")
            read_fail(errno_named(number_text), data);
        else if (word == "blocked")
            blocked(number(number_text), split(data, ';'));
        else
            throw std::invalid_argument("unknown event " + word);
        end_event();
    }

    bool over() const { return all_.stopped || all_.ended || !channel_; }

    void end_event()
    {
        all_.entries.insert(all_.entries.end(), all_.errors.begin(), all_.errors.end());
        all_.entries.push_back("t:" + (over() ? "-" : object_->terminator_text()));
        trace_.push_back(joined(all_.entries));
        all_.entries.clear();
        all_.errors.clear();
    }

    // --- the loop ---

    /// Runs until nothing is ready.
    void settle()
    {
        for (int passes = 0; passes < 10000000; ++passes) {
            try {
                const bool busy = loop_.poll();
                if (!read_peer() && !busy)
                    return;
            } catch (const asynchat::exit_now&) {
                all_.entries.emplace_back("exit");
            }
        }
        all_.entries.emplace_back("spins");
    }

    /// In a net program: takes what the channel has sent. Returns whether there was anything.
    bool read_peer()
    {
        if (!all_.net)
            return false;
        char bytes[4096];
        bool any = false;
        for (;;) {
            const auto size = ::recv(peer_.native_handle(), bytes, sizeof bytes, MSG_DONTWAIT);
            if (size <= 0)
                return any;
            all_.sent.append(bytes, static_cast<std::size_t>(size));
            any = true;
        }
    }

    template <class F>
    void post(F f)
    {
        channel_.post(std::move(f));
        settle();
    }

    void read_event()
    {
        post([](chat& c) {
            if (c.readable())
                c.handle_read_event();
        });
    }

    void write_once()
    {
        if (all_.net)
            return;
        post([](chat& c) {
            if (c.wants_to_write())
                c.handle_write_event();
        });
    }

    void drain()
    {
        all_.room = infinite;
        settle();
        for (int left = 10000000; left > 0 && channel_ && channel_->wants_to_write(); --left)
            write_once();
    }

    // --- events ---

    /// Actions of others than the channel itself: in an event posted to it, or in none at all.
    void outside(const strings& actions)
    {
        if (channel_ && all_.variants.percent(50)) {
            post([actions](chat& c) { c.perform_all(actions); });
        } else {
            object_->perform_all(actions);
            settle();
        }
    }

    void do_outside(const std::string& rest)
    {
        const bool final = rest.find_first_of("XD") != std::string::npos;
        if (all_.ended || (all_.stopped && final))
            return;
        outside(split(rest, ';'));
        if (rest.find('!') != std::string::npos)
            drain();
    }

    void receive(const std::string& text)
    {
        const std::string data = all_.data(text);
        if (all_.net) {
            if (::send(peer_.native_handle(), data.data(), data.size(), MSG_NOSIGNAL) !=
                static_cast<ssize_t>(data.size()))
                throw std::system_error(errno, std::system_category(), "send");
            settle();
            return;
        }
        all_.input += data;
        read_all();
    }

    void read_all()
    {
        while (!all_.input.empty() && channel_ && channel_->readable())
            read_event();
    }

    void receive_error(int number)
    {
        all_.recv_error = number;
        read_event();
    }

    void end_stream()
    {
        all_.ended = true;
        all_.raises = 0;
        all_.eof = true;
        ::shutdown(peer_.native_handle(), SHUT_WR);
        settle();
    }

    void fail(int number, const std::string& data)
    {
        all_.room = 0;
        outside({"P" + data});
        all_.room = infinite;
        all_.send_error = number;
        write_once();
        all_.send_error = 0;
    }

    void push_fail(int number, const std::string& data)
    {
        drain();
        all_.send_error = number;
        outside({"P" + data});
        all_.send_error = 0;
    }

    void read_fail(int number, const std::string& data)
    {
        drain();
        all_.send_error = number;
        all_.input += all_.data(data);
        read_event();
        all_.send_error = 0;
        read_all();
    }

    void blocked(std::size_t room, const strings& actions)
    {
        drain();
        all_.room = room;
        for (const std::string& action : actions)
            outside({action});
        all_.room = infinite;
    }

    static std::string joined(const strings& words)
    {
        std::string line;
        for (const std::string& word : words)
            line += (line.empty() ? "" : " ") + word;
        return line;
    }

    state all_;
    asynchat::loop loop_;
    asynchat::socket peer_;
    asynchat::handle<chat> channel_;
    std::shared_ptr<chat> object_;
    bool needs_socket_ = false;
    trace trace_;
};

} // namespace

trace run(const program& what)
{
    return runner(what).answer();
}

} // namespace differential
