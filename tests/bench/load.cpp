// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The load of the benchmark: one thread, plain epoll, every byte of every answer checked.
//
//     load PORT WORK KEY=NUMBER...
//
// It connects, works for a moment to warm the server up, and then for `ms` milliseconds. It prints
// the messages answered, the seconds, the processor time in nanoseconds that the processes used for
// them, each of them a `pid=`; how many microseconds an answer took: the median, the 99th
// percentile and the longest; and how many requests of others were answered meanwhile: the 99th
// percentile and the most. These are 0 for `broadcast`. With the work `websocket` each connection
// is upgraded, the messages are masked frames of text, and what comes back are frames of a server.
// The connections counted by `connections` are watched; `busy` more ask as soon as they are
// answered, and `flood` more send without end, and take what comes back. With `pace` the watched
// ones ask in turn, one every 100 microseconds; else as soon as they are answered. With the work
// `churn` each watched one ends when it is answered, and a new one comes. Exit code 3 and a message
// when a byte is wrong. The work `memory` only holds its connections, each of which has got one
// answer: it says "ready" and waits for the end of its input.
//
// Compiled with ASYNCHAT_BENCH_TLS it speaks TLS 1.3, and does not look at certificates. With
// `resume` each connection continues a session of an earlier one; else each shakes hands in full.

#include "../websocket/frames.hpp"
#include "stream.hpp"
#include "upgrade.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

using bench::die;

constexpr microseconds pace(100);

[[noreturn]] void die_of_wrong_bytes()
{
    std::fprintf(stderr, "load: wrong bytes\n");
    std::exit(3);
}

struct options {
    std::uint16_t port = 0;
    std::string work;
    std::map<std::string, std::size_t> values{
        {"connections", 64}, {"batch", 1}, {"size", 16}, {"idle", 0}, {"ms", 300},
        {"warm_up", 30},     {"flood", 0}, {"busy", 0},  {"pace", 0}, {"resume", 0}};
    std::vector<pid_t> processes;

    std::size_t operator[](const char* key) const { return values.at(key); }
};

/// The processor time of all threads of some processes, by the kernel's account.
class processor_time {
public:
    explicit processor_time(const std::vector<pid_t>& processes) : clocks_(processes.size())
    {
        for (std::size_t i = 0; i < clocks_.size(); ++i) {
            if (::clock_getcpuclockid(processes[i], &clocks_[i]) != 0)
                die("no such process");
        }
    }

    /// Nanoseconds, once the processes have come to rest.
    long long settled() const
    {
        long long last = now();
        for (int i = 0; i < 50; ++i) {
            const timespec moment = {0, 500'000};
            ::nanosleep(&moment, nullptr);
            const long long next = now();
            if (next == last)
                break;
            last = next;
        }
        return last;
    }

private:
    long long now() const
    {
        long long all = 0;
        for (const clockid_t clock : clocks_) {
            timespec time = {};
            if (::clock_gettime(clock, &time) != 0)
                die("the server is gone");
            all += time.tv_sec * 1'000'000'000LL + time.tv_nsec;
        }
        return all;
    }

    std::vector<clockid_t> clocks_;
};

/// Text without newlines that looks different at each place of each connection.
class noise {
public:
    explicit noise(std::size_t seed) : state_(seed * 2654435761U + 1) {}

    std::string operator()(std::size_t size)
    {
        std::string text(size, ' ');
        for (char& c : text) {
            state_ = state_ * 6364136223846793005U + 1442695040888963407U;
            c = static_cast<char>('!' + (state_ >> 58));
        }
        return text;
    }

private:
    std::uint64_t state_;
};

/// A connection that sends a batch of messages, waits for the answers, and sends the next. Two
/// batches are sent in turn, so that an answer out of date is a wrong one.
struct connection {
    bench::stream peer;
    std::string requests; // both batches
    std::string answers;
    std::size_t send_at = 0;
    std::size_t to_send = 0;
    std::size_t answer_at = 0;
    std::size_t to_receive = 0;
    bool waits_for_output = false;
    bool watched = false;
    bool floods = false;
    bool closing = false; // has sent the end of its stream
    clock_type::time_point begun;
    std::size_t answers_before = 0; // of all connections, when it asked
};

class load {
public:
    explicit load(const options& o)
        : work_(o.work), port_(o.port), batch_(o["batch"]), watched_(o["connections"]),
          unwatched_(watched_ + o["busy"]), connections_(unwatched_ + o["flood"]),
          times_answers_(o.work != "broadcast"), paced_(o["pace"] != 0),
          poller_(::epoll_create1(0)), shared_(o["resume"] != 0)
    {
        for (std::size_t i = 0; i < o["idle"]; ++i)
            bench::connect_to(port_); // stays open until the end
        for (std::size_t i = 0; i < connections_.size(); ++i)
            prepare(connections_[i], i, o["size"]);
    }
    ~load()
    {
        for (auto& c : connections_)
            c.peer.shut_down_output();
    }
    load(const load&) = delete;
    load& operator=(const load&) = delete;

    void hold()
    {
        for (auto& c : connections_) { // one by one: what many handshakes take at a time stays
            connect(c);
            begin(c);
            finish();
        }
        std::puts("ready");
        std::fflush(stdout);
        std::getchar();
    }

    void run(const options& o)
    {
        for (auto& c : connections_)
            connect(c);
        const processor_time server(o.processes);
        work(milliseconds(o["warm_up"]));
        messages_ = 0;
        times_.clear();
        others_.clear();
        const long long before = server.settled();
        const auto start = clock_type::now();
        work(milliseconds(o["ms"]));
        const std::chrono::duration<double> seconds = clock_type::now() - start;
        std::printf("%zu %.6f %lld %.1f %.1f %.1f %.0f %.0f\n", messages_, seconds.count(),
                    server.settled() - before, percentile(times_, 50), percentile(times_, 99),
                    percentile(times_, 100), percentile(others_, 99), percentile(others_, 100));
    }

private:
    static double percentile(std::vector<double>& all, std::size_t percent)
    {
        if (all.empty())
            return 0;
        const auto at = all.begin() + static_cast<std::ptrdiff_t>((all.size() - 1) * percent / 100);
        std::nth_element(all.begin(), at, all.end());
        return *at;
    }

    void prepare(connection& c, std::size_t number, std::size_t size)
    {
        noise text(work_ == "broadcast" ? 0 : number);
        noise keys(number + 1);
        c.watched = number < watched_;
        c.floods = number >= unwatched_;
        for (std::size_t i = 0; i < 2 * (c.floods ? 1024 : batch_); ++i) {
            const std::string body = text(size);
            if (work_ == "counted") {
                c.requests += "ECHO " + std::to_string(size) + "\n" + body;
                c.answers += body;
            } else if (work_ == "websocket") {
                c.requests += support::frame(support::fin | support::text, body, keys(4));
                c.answers += support::server_frame(support::fin | support::text, body);
            } else {
                c.requests += body + "\n";
                c.answers += body + "\n";
            }
        }
    }

    void connect(connection& c)
    {
        c.peer.connect(port_, shared_);
        if (work_ == "websocket" && !bench::upgrade(c.peer))
            die_of_wrong_bytes();
        epoll_event event = {};
        event.events = EPOLLIN;
        event.data.ptr = &c;
        ::epoll_ctl(poller_, EPOLL_CTL_ADD, c.peer.fd(), &event);
    }

    void begin(connection& c)
    {
        // Of a broadcast the one that was accepted last asks, and all are answered.
        if (work_ != "broadcast" || &c == &connections_.back())
            c.to_send += c.requests.size() / 2;
        c.to_receive += c.answers.size() / 2;
        ++waiting_;
        if (times_answers_)
            c.begun = clock_type::now();
        c.answers_before = answers_;
        send_some(c);
    }

    void begin_all()
    {
        for (auto& c : connections_) {
            if (!c.floods && !(c.watched && paced_))
                begin(c);
        }
    }

    void send_some(connection& c)
    {
        while (c.to_send > 0) {
            const std::size_t size = std::min(c.to_send, c.requests.size() - c.send_at);
            const ssize_t sent = c.peer.send(c.requests.data() + c.send_at, size);
            if (sent < 0 && errno != EAGAIN)
                die("send");
            if (sent < 0)
                break;
            c.to_send -= static_cast<std::size_t>(sent);
            c.send_at = (c.send_at + static_cast<std::size_t>(sent)) % c.requests.size();
            if (static_cast<std::size_t>(sent) < size || c.floods)
                break;
        }
        const bool waits = !c.peer.flush() || c.to_send > 0;
        if (waits == c.waits_for_output)
            return;
        c.waits_for_output = waits;
        epoll_event event = {};
        event.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
        event.data.ptr = &c;
        ::epoll_ctl(poller_, EPOLL_CTL_MOD, c.peer.fd(), &event);
    }

    void receive(connection& c)
    {
        static char buffer[1 << 18];
        const ssize_t got = c.peer.receive(buffer, sizeof buffer);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got == 0 && c.closing)
            return closed(c);
        if (got <= 0)
            die("recv");
        auto size = static_cast<std::size_t>(got);
        if (size > c.to_receive)
            die_of_wrong_bytes();
        c.to_receive -= size;
        for (const char* data = buffer; size > 0;) {
            const std::size_t piece = std::min(size, c.answers.size() - c.answer_at);
            if (std::memcmp(data, c.answers.data() + c.answer_at, piece) != 0)
                die_of_wrong_bytes();
            c.answer_at = (c.answer_at + piece) % c.answers.size();
            data += piece;
            size -= piece;
        }
        if (c.to_receive == 0)
            answered(c);
    }

    /// Sends without end, or until stop_flooding().
    void flood(connection& c)
    {
        constexpr std::size_t batches = 1 << 30;
        c.to_send = batches * (c.requests.size() / 2);
        c.to_receive = batches * (c.answers.size() / 2);
        ++waiting_;
        send_some(c);
    }

    void stop_flooding(connection& c)
    {
        const std::size_t unsent = c.to_send / (c.requests.size() / 2);
        c.to_send -= unsent * (c.requests.size() / 2);
        c.to_receive -= unsent * (c.answers.size() / 2);
        if (c.to_receive == 0)
            --waiting_;
    }

    void answered(connection& c)
    {
        --waiting_;
        if (c.floods)
            return;
        messages_ += work_ == "broadcast" ? 0 : batch_;
        if (times_answers_ && c.watched) {
            times_.push_back(
                std::chrono::duration<double, std::micro>(clock_type::now() - c.begun).count());
            others_.push_back(static_cast<double>(answers_ - c.answers_before));
        }
        ++answers_;
        if (paced_ && c.watched)
            return;
        if (work_ == "churn" && c.watched) {
            c.closing = true;
            ++waiting_;
            c.peer.shut_down_output();
            return;
        }
        if (work_ == "broadcast") {
            if (waiting_ > 0)
                return;
            ++messages_;
            if (!stopping_)
                begin_all();
            return;
        }
        if (!stopping_)
            begin(c);
    }

    void closed(connection& c)
    {
        --waiting_;
        c.peer.close();
        c.closing = false;
        c.send_at = c.answer_at = 0;
        connect(c);
        if (!stopping_)
            begin(c);
    }

    /// Works for so long, then until what was begun is answered.
    void work(clock_type::duration how_long)
    {
        auto now = clock_type::now();
        const auto end = now + how_long;
        auto next = now;
        std::size_t turn = 0;
        stopping_ = false;
        begin_all();
        for (std::size_t i = unwatched_; i < connections_.size(); ++i)
            flood(connections_[i]);
        while ((now = clock_type::now()) < end) {
            for (; paced_ && next <= now; next += pace) {
                connection& c = connections_[turn++ % watched_];
                if (c.to_receive == 0)
                    begin(c);
            }
            step(0); // does not sleep: the processor is its own, and waking up takes long
        }
        for (std::size_t i = unwatched_; i < connections_.size(); ++i)
            stop_flooding(connections_[i]);
        finish();
    }

    void finish()
    {
        stopping_ = true;
        const auto deadline = clock_type::now() + std::chrono::seconds(30);
        while (waiting_ > 0) {
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

    std::string work_;
    std::uint16_t port_;
    std::size_t batch_;
    // Of the connections: the watched ones, busy ones behind them up to here, and those that flood.
    std::size_t watched_;
    std::size_t unwatched_;
    std::vector<connection> connections_;
    bool times_answers_;
    bool paced_;
    int poller_;
    bench::stream::shared shared_;
    std::vector<double> times_;
    std::vector<double> others_; // answered while one waited
    std::size_t answers_ = 0;    // of all that do not flood
    std::size_t messages_ = 0;
    std::size_t waiting_ = 0; // answers and ends of streams that are yet to come
    bool stopping_ = false;
};

} // namespace

int main(int argc, char** argv)
{
    options given;
    if (argc > 2) {
        given.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
        given.work = argv[2];
    }
    for (int i = 3; i < argc; ++i) {
        const std::string_view word(argv[i]);
        const auto equals = word.find('=');
        if (equals == word.npos)
            continue;
        const std::string key(word.substr(0, equals));
        const std::size_t number = std::strtoul(argv[i] + equals + 1, nullptr, 10);
        if (key == "pid")
            given.processes.push_back(static_cast<pid_t>(number));
        else
            given.values[key] = number;
    }
    const bool known = given.work == "lines" || given.work == "counted" || given.work == "churn" ||
                       given.work == "broadcast" || given.work == "websocket" ||
                       given.work == "memory";
    if (!known) {
        std::fprintf(stderr, "usage: load PORT lines|counted|churn|broadcast|websocket|memory "
                             "KEY=NUMBER...\n");
        return 2;
    }
    rlimit files = {};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);

    load work(given);
    if (given.work == "memory")
        work.hold();
    else
        work.run(given);
}
