// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The load of the benchmark: one thread, plain epoll, every byte of every answer checked.
//
//     load PORT WORK key=value...
//
// It connects, does the work for a moment, says "ready" and waits for a line on standard input;
// then works for `ms` milliseconds and prints "messages seconds p99-in-microseconds". Exit code 3
// and a message when a byte is wrong.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& what)
{
    std::fprintf(stderr, "load: %s (%s)\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

struct options {
    std::uint16_t port = 0;
    std::string work;
    std::map<std::string, std::size_t> values{{"connections", 64}, {"batch", 1}, {"size", 16},
                                              {"idle", 0},         {"ms", 300},  {"flood", 0}};

    std::size_t operator[](const char* key) const { return values.at(key); }
};

int connect_to(std::uint16_t port)
{
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
        die("connect");
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/// A connection that sends a request, waits for the whole answer, and sends the next.
struct connection {
    int fd = -1;
    std::string request;
    std::string answer;
    std::size_t sent = 0;
    std::size_t received = 0;
    std::size_t messages = 1; // in a request
    bool polite = true;       // counts and is timed
    bool waits_for_output = false;
    clock_type::time_point begun;
};

class load {
public:
    explicit load(const options& o) : options_(o), poller_(::epoll_create1(0)) {}

    void run()
    {
        for (std::size_t i = 0; i < options_["idle"]; ++i)
            idle_.push_back(connect_to(options_.port));
        const std::size_t count = options_["connections"] + options_["flood"];
        connections_.resize(count);
        for (std::size_t i = 0; i < count; ++i)
            open(connections_[i], i);
        if (options_.work == "memory")
            return wait_for_go();
        work(std::chrono::milliseconds(30));
        wait_for_go();
        messages_ = 0;
        times_.clear();
        const auto start = clock_type::now();
        work(std::chrono::milliseconds(options_["ms"]));
        const std::chrono::duration<double> seconds = clock_type::now() - start;
        double p99 = 0;
        if (!times_.empty()) {
            const auto at = times_.begin() + static_cast<std::ptrdiff_t>(times_.size() * 99 / 100);
            std::nth_element(times_.begin(), at, times_.end());
            p99 = *at;
        }
        std::printf("%zu %.6f %.1f\n", messages_, seconds.count(), p99);
    }

private:
    void wait_for_go()
    {
        std::puts("ready");
        std::fflush(stdout);
        if (std::getchar() == EOF)
            std::exit(1);
    }

    void open(connection& c, std::size_t number)
    {
        c.fd = connect_to(options_.port);
        c.polite = number < options_["connections"];
        const std::size_t size = options_["size"];
        const char letter = static_cast<char>('a' + number % 26);
        c.messages = c.polite ? options_["batch"] : 4096;
        for (std::size_t i = 0; i < c.messages; ++i) {
            if (options_.work == "counted") {
                const std::string body(size, letter);
                c.request += "ECHO " + std::to_string(size) + "\n" + body;
                c.answer += body;
            } else {
                const std::string line = std::string(size - 1, letter) + "\n";
                c.request += line;
                c.answer += line;
            }
        }
        epoll_event event = {};
        event.events = EPOLLIN;
        event.data.ptr = &c;
        ::epoll_ctl(poller_, EPOLL_CTL_ADD, c.fd, &event);
    }

    void begin(connection& c)
    {
        c.sent = c.received = 0;
        if (c.polite && options_["flood"] > 0)
            c.begun = clock_type::now();
        // Of a broadcast one asks, and all are answered.
        if (options_.work == "broadcast" && &c != &connections_[0])
            c.sent = c.request.size();
        send_some(c);
    }

    void send_some(connection& c)
    {
        while (c.sent < c.request.size()) {
            const ssize_t sent = ::send(c.fd, c.request.data() + c.sent, c.request.size() - c.sent,
                                        MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN)
                die("send");
            if (sent < 0)
                break;
            c.sent += static_cast<std::size_t>(sent);
        }
        const bool waits = c.sent < c.request.size();
        if (waits == c.waits_for_output)
            return;
        c.waits_for_output = waits;
        epoll_event event = {};
        event.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
        event.data.ptr = &c;
        ::epoll_ctl(poller_, EPOLL_CTL_MOD, c.fd, &event);
    }

    void receive(connection& c)
    {
        static char buffer[1 << 20];
        const ssize_t got = ::recv(c.fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            die("recv");
        const auto size = static_cast<std::size_t>(got);
        if (size > c.answer.size() - c.received ||
            std::memcmp(buffer, c.answer.data() + c.received, size) != 0) {
            std::fprintf(stderr, "load: wrong bytes\n");
            std::exit(3);
        }
        c.received += size;
        if (c.received == c.answer.size())
            answered(c);
    }

    void answered(connection& c)
    {
        if (c.polite)
            messages_ += c.messages;
        if (c.polite && options_["flood"] > 0)
            times_.push_back(
                std::chrono::duration<double, std::micro>(clock_type::now() - c.begun).count());
        if (options_.work == "churn") {
            const auto number = static_cast<std::size_t>(&c - connections_.data());
            const linger reset = {1, 0}; // no TIME_WAIT: ports would run out
            char byte = 0;
            ::shutdown(c.fd, SHUT_WR);
            while (::recv(c.fd, &byte, 1, 0) > 0) { // the server closes first
            }
            ::setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            ::close(c.fd);
            c = connection();
            open(c, number);
        }
        if (options_.work == "broadcast") {
            if (++answers_ < connections_.size())
                return;
            answers_ = 0;
            for (auto& each : connections_)
                each.sent = each.received = 0;
            if (!stopping_)
                for (auto& each : connections_)
                    begin(each);
            return;
        }
        if (!stopping_)
            begin(c);
        else
            c.sent = c.received = 0;
    }

    /// Works for so long, then until what was begun is answered.
    void work(clock_type::duration how_long)
    {
        const auto end = clock_type::now() + how_long;
        stopping_ = false;
        for (auto& c : connections_)
            if (c.sent == 0 && c.received == 0)
                begin(c);
        while (clock_type::now() < end)
            step(0); // does not sleep: the processor is its own, and waking up takes long
        stopping_ = true;
        const auto deadline = clock_type::now() + std::chrono::seconds(20);
        while (std::any_of(connections_.begin(), connections_.end(),
                           [](const connection& c) { return c.sent > 0 || c.received > 0; })) {
            step(100);
            if (clock_type::now() > deadline)
                die("no answer");
        }
    }

    void step(int ms)
    {
        epoll_event events[256];
        const int ready = ::epoll_wait(poller_, events, 256, ms);
        for (int i = 0; i < ready; ++i) {
            auto& c = *static_cast<connection*>(events[i].data.ptr);
            if ((events[i].events & EPOLLOUT) != 0)
                send_some(c);
            if ((events[i].events & ~static_cast<unsigned>(EPOLLOUT)) != 0)
                receive(c);
        }
    }

    const options& options_;
    int poller_;
    std::vector<int> idle_;
    std::vector<connection> connections_;
    std::vector<double> times_;
    std::size_t messages_ = 0;
    std::size_t answers_ = 0; // to the present broadcast
    bool stopping_ = false;
};

} // namespace

int main(int argc, char** argv)
{
    if (argc < 3) {
        std::fprintf(stderr, "usage: load PORT lines|counted|churn|broadcast|memory KEY=N...\n");
        return 2;
    }
    options given;
    given.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
    given.work = argv[2];
    for (int i = 3; i < argc; ++i) {
        const std::string_view word(argv[i]);
        const auto equals = word.find('=');
        given.values[std::string(word.substr(0, equals))] =
            std::strtoul(argv[i] + equals + 1, nullptr, 10);
    }
    rlimit files = {};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    load(given).run();
}
