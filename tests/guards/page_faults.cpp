// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Pages that the system has to clear for frames of a mebibyte, which cost more than copying them:
// none in the steady state, in whatever way the handler collects and answers a frame. Before that,
// a loop has to get its memory once: what its first frames may take is kept as well, and what the
// first frame of a further connection may.
#include "guards/guard.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t frame_size = 1 << 20;
constexpr int warm_up = 100; // until the loop keeps as many strings as it will
constexpr int frames = 100;

/// What the forms of an echo have in common; after each frame comes another of that size.
class counted_echo : public asynchat::async_chat {
public:
    counted_echo(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        max_frame(frame_size);
        set_terminator(frame_size);
    }
    void collect_incoming_data(std::string_view data) override { data_ += data; }

protected:
    std::string data_;
};

class exchanging : public counted_echo {
public:
    using counted_echo::counted_echo;
    void found_terminator() override
    {
        push(std::exchange(data_, {}));
        set_terminator(frame_size);
    }
};

class moving : public counted_echo {
public:
    using counted_echo::counted_echo;
    void found_terminator() override
    {
        push(std::move(data_));
        data_.clear();
        set_terminator(frame_size);
    }
};

class copying : public counted_echo {
public:
    using counted_echo::counted_echo;
    void found_terminator() override
    {
        push(data_);
        data_.clear();
        set_terminator(frame_size);
    }
};

class collecting : public counted_echo {
public:
    using counted_echo::counted_echo;
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override
    {
        push(_get_data());
        set_terminator(frame_size);
    }
};

class whole_frames : public asynchat::frame_chat {
public:
    whole_frames(asynchat::loop& owner, asynchat::socket from) : frame_chat(owner, std::move(from))
    {
        max_frame(frame_size);
        set_terminator(frame_size);
    }
    void found_frame(std::string_view) override
    {
        push(take_frame());
        set_terminator(frame_size);
    }
};

long faults()
{
    rusage used = {};
    support::check_call(::getrusage(RUSAGE_SELF, &used) == 0, "getrusage");
    return used.ru_minflt;
}

/// Sends frames and receives them back, as fast as the channel takes and gives them.
class client {
public:
    explicit client(int fd) : fd_(fd), frame_(frame_size, 'x'), received_(65536) {}

    template <class Serve>
    void exchange_frame(Serve serve)
    {
        std::size_t sent = 0;
        std::size_t got = 0;
        while (got < frame_size) {
            const ssize_t out =
                ::send(fd_.get(), frame_.data() + sent, frame_size - sent, MSG_DONTWAIT);
            sent += out > 0 ? static_cast<std::size_t>(out) : 0;
            serve();
            ssize_t in = 0;
            while ((in = ::recv(fd_.get(), received_.data(), received_.size(), MSG_DONTWAIT)) > 0)
                got += static_cast<std::size_t>(in);
            if (in == 0)
                throw support::test_error("the connection has ended");
        }
    }

private:
    support::descriptor fd_;
    std::string frame_;
    std::vector<char> received_;
};

/// What may be faults: pages of 4 KiB, of which a frame has 256.
struct bars {
    double first;    // frame of the loop
    double warming;  // all frames until none faults
    double newcomer; // the first frame of a further connection
};

template <class Chat>
void count(guards::report& report, const std::string& how, bars at_most)
{
    asio::io_context context;
    asynchat::loop loop(context);
    const auto serve = [&] { context.poll(); };
    const auto connect = [&] {
        auto ends = asynchat::socket::pair();
        loop.create<Chat>(std::move(ends.first));
        return client(ends.second.release());
    };
    const auto faults_of = [&](client& peer, int count) {
        const long before = faults();
        for (int i = 0; i < count; ++i)
            peer.exchange_frame(serve);
        return double(faults() - before);
    };
    client peer = connect();
    const double first = faults_of(peer, 1);
    report.at_most("page faults of the loop's first frame, " + how, first, at_most.first);
    report.at_most("of the first 100", first + faults_of(peer, warm_up - 1), at_most.warming);
    report.at_most("of each one after that", faults_of(peer, frames) / frames, 8);
    client newcomer = connect();
    report.at_most("of the first one of a new connection", faults_of(newcomer, 1),
                   at_most.newcomer);
}

/// In a process of its own: what was allocated before changes what the allocator does.
template <class Chat>
bool holds(const std::string& how, bars at_most)
{
    std::fflush(stdout);
    const pid_t child = ::fork();
    support::check_call(child >= 0, "fork");
    if (child == 0) {
        guards::report report;
        try {
            count<Chat>(report, how, at_most);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            ::_exit(1);
        }
        std::fflush(stdout);
        ::_exit(report.exit_code());
    }
    int status = 0;
    support::check_call(::waitpid(child, &status, 0) == child, "waitpid");
    return status == 0;
}

} // namespace

int main()
try {
    constexpr double frame_pages = frame_size / 4096 + 8;
    constexpr double none = 8;
    // A string that grows by doubling is in two places for a while. Each is new until the allocator
    // keeps so much that it need not ask the system.
    constexpr bars of_growing = {2.5 * frame_pages, 40 * frame_pages, 2 * frame_pages};
    bool all = holds<exchanging>("push(std::exchange(data_, {}))", of_growing);
    all = holds<moving>("push(std::move(data_))", of_growing) && all;
    all =
        holds<copying>("push(data_)", {3.5 * frame_pages, 4 * frame_pages, 2 * frame_pages}) && all;
    all = holds<collecting>("push(_get_data())", {2 * frame_pages, 3 * frame_pages, none}) && all;
    all =
        holds<whole_frames>("push(take_frame())", {2 * frame_pages, 3 * frame_pages, none}) && all;
    return all ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
