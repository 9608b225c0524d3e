// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Pages that the system has to clear for frames of a mebibyte, which cost more than copying them:
// none in the steady state, in whatever way the handler collects and answers a frame.
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

template <class Chat>
void count(guards::report& report, const std::string& how)
{
    asio::io_context context;
    asynchat::loop loop(context);
    auto ends = asynchat::socket::pair();
    loop.create<Chat>(std::move(ends.first));
    client peer(ends.second.release());
    const auto serve = [&] { context.poll(); };
    for (int i = 0; i < warm_up; ++i)
        peer.exchange_frame(serve);
    const long before = faults();
    for (int i = 0; i < frames; ++i)
        peer.exchange_frame(serve);
    report.at_most("page faults of a frame, " + how, double(faults() - before) / frames, 8);
}

/// In a process of its own: what was allocated before changes what the allocator does.
template <class Chat>
bool holds(const std::string& how)
{
    std::fflush(stdout);
    const pid_t child = ::fork();
    support::check_call(child >= 0, "fork");
    if (child == 0) {
        guards::report report;
        try {
            count<Chat>(report, how);
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
    bool all = holds<exchanging>("push(std::exchange(data_, {}))");
    all = holds<moving>("push(std::move(data_))") && all;
    all = holds<copying>("push(data_)") && all;
    all = holds<collecting>("push(_get_data())") && all;
    all = holds<whole_frames>("push(take_frame())") && all;
    return all ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
