// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_GUARDS_GUARD_HPP
#define ASYNCHAT_TESTS_GUARDS_GUARD_HPP

#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What the guards share.
namespace guards {

/// True while the library works; what the peers and the guard itself do is not counted.
inline bool counting = false;

/// Counts as long as it lives.
class counted {
public:
    counted() noexcept { counting = true; }
    ~counted() { counting = false; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
};

/// The figures of a guard, one a line, each with its bar.
class report {
public:
    void at_most(const std::string& what, double value, double bar)
    {
        line(value <= bar, what, value, "at most", bar);
    }
    void exactly(const std::string& what, double value, double bar)
    {
        line(value == bar, what, value, "exactly", bar);
    }
    int exit_code() const noexcept { return failed_ ? 1 : 0; }

private:
    void line(bool holds, const std::string& what, double value, const char* relation, double bar)
    {
        std::printf("%-60s %9.3f, %s %g%s\n", what.c_str(), value, relation, bar,
                    holds ? "" : "  FAILED");
        failed_ = failed_ || !holds;
    }

    bool failed_ = false;
};

/// The other end of a channel in the clear.
class plain_end {
public:
    explicit plain_end(support::descriptor socket) : socket_(std::move(socket)) {}

    /// Whether it is ready to send; the channel may have to do something before.
    static bool open() { return true; }
    void send(std::string_view bytes)
    {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        support::check_call(sent == static_cast<ssize_t>(bytes.size()), "send");
    }
    /// The result of recv().
    ssize_t receive(char* into, std::size_t size)
    {
        return ::recv(socket_.get(), into, size, MSG_DONTWAIT);
    }

private:
    support::descriptor socket_;
};

/// Channels, and the sockets at their other ends, in one thread and in lockstep: first the
/// peers send, then the channels are served, then the peers receive. No scheduler has a say in what
/// is ready when, also because nothing is ever under way between two ends of a UNIX socket.
///
/// A Chat is made with (loop&, socket, std::size_t&), and counts there what it has served.
template <class Chat, class End = plain_end>
class lockstep {
public:
    explicit lockstep(std::size_t size)
    {
        for (std::size_t i = 0; i < size; ++i) {
            auto ends = asynchat::socket::pair();
            auto channel = loop_.template create<Chat>(std::move(ends.first), served_);
            channels_.push_back(channel.lock());
            peers_.push_back({End(support::descriptor(ends.second.release()))});
        }
        idle();
        while (std::count_if(peers_.begin(), peers_.end(),
                             [](other_end& each) { return !each.end.open(); }) > 0)
            idle();
        idle();
    }

    std::size_t size() const noexcept { return peers_.size(); }
    Chat& channel(std::size_t i) { return *channels_[i]; }

    /// Each peer sends `bytes`, at once.
    void send(std::string_view bytes)
    {
        for (std::size_t i = 0; i < size(); ++i)
            send(i, bytes);
    }
    void send(std::size_t peer, std::string_view bytes) { peers_[peer].end.send(bytes); }

    /// Each peer receives `bytes`; they are there already.
    void receive(std::string_view bytes)
    {
        await(bytes);
        if (!receive_some())
            throw support::test_error("an answer is missing");
    }

    /// Runs the loop, as run() would, until `count` more are served. The io_context is ours:
    /// loop::poll() does not look ahead.
    void serve(std::size_t count)
    {
        const std::size_t end = served_ + count;
        while (served_ < end) {
            const counted here;
            context_.run_one();
        }
    }

    /// One pass of the loop.
    void poll()
    {
        const counted here;
        loop_.poll();
    }

    /// Runs the loop until nothing is left to do.
    void idle()
    {
        const counted here;
        context_.poll();
    }

    /// So many rounds inside one run of the loop, which keeps memory for its next handlers until
    /// it returns: the first `speakers` peers ask, all get the answer.
    void converse(std::size_t rounds, std::size_t speakers, std::string_view question,
                  std::string_view answer)
    {
        const auto ask = [&] {
            for (std::size_t i = 0; i < speakers; ++i)
                send(i, question);
            await(answer);
        };
        std::function<void()> look = [&] {
            counting = false;
            if (receive_some()) {
                if (--rounds == 0)
                    return context_.stop();
                ask();
            }
            counting = true;
            asio::post(context_, std::ref(look));
        };
        ask();
        asio::post(context_, std::ref(look));
        context_.run();
        context_.restart();
    }

private:
    struct other_end {
        End end;
        std::string_view awaited = {}; // and not received yet
    };

    void await(std::string_view bytes)
    {
        for (other_end& each : peers_)
            each.awaited = bytes;
    }

    /// Receives what is there of what is awaited. Returns true when that was all.
    bool receive_some()
    {
        return std::count_if(peers_.begin(), peers_.end(),
                             [](other_end& each) { return !receive_some(each); }) == 0;
    }
    static bool receive_some(other_end& from)
    {
        char buffer[4096];
        while (!from.awaited.empty()) {
            const ssize_t got =
                from.end.receive(buffer, std::min(sizeof buffer, from.awaited.size()));
            if (got < 0 && errno == EAGAIN)
                return false;
            support::check_call(got >= 0, "recv");
            const std::string_view part(buffer, static_cast<std::size_t>(got));
            if (part.empty() || part != from.awaited.substr(0, part.size()))
                throw support::test_error("a wrong answer");
            from.awaited.remove_prefix(part.size());
        }
        return true;
    }

    // The context goes last, and the channels before their loop.
    asio::io_context context_;
    asynchat::loop loop_{context_};
    std::vector<std::shared_ptr<Chat>> channels_;
    std::vector<other_end> peers_;
    std::size_t served_ = 0;
};

/// `count` lines of `size` bytes, their end included.
inline std::string lines(std::size_t count, std::size_t size, std::string_view end = "\n")
{
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
        text.append(size - end.size(), 'x').append(end);
    return text;
}

/// Answers each line with the same line.
class line_echo : public asynchat::async_chat {
public:
    line_echo(asynchat::loop& owner, asynchat::socket from, std::size_t& served)
        : async_chat(owner, std::move(from)), served_(served)
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override
    {
        line_ += '\n';
        push(std::string_view(line_));
        line_.clear();
        ++served_;
    }

private:
    std::string line_;
    std::size_t& served_;
};

} // namespace guards

#endif
