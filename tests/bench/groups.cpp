// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// What many loops cost: groups [rounds]
//
// The processor time of a message, all threads of the server, with one loop and with two. The time
// of a connection that goes to another loop, beside a bare asio::post() of a socket between two
// io_contexts. And how evenly 1,000 connections are spread over four loops. The rounds interleave;
// figures are medians. The clients are processes of their own. They run before the server does, on
// as many processors as it has loops, so the loops are busy: one that falls asleep for each message
// would measure how the system wakes it.
#include <asynchat/detail/hand_off.hpp>
#include <asynchat/server_group.hpp>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using asynchat::endpoint;
using asynchat::group_options;
using asynchat::spread;

class echo : public asynchat::async_chat {
public:
    echo(asynchat::loop& loop, asynchat::socket peer) : async_chat(loop, std::move(peer))
    {
        set_terminator("\n");
    }
    void found_terminator() override { push(_get_data() + "\n"); }
};

double cpu_seconds()
{
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::vector<asynchat::socket> connections(const endpoint& to, std::size_t n)
{
    const auto address = to.native();
    std::vector<asynchat::socket> made;
    for (std::size_t i = 0; i < n; ++i) {
        made.emplace_back(::socket(AF_INET, SOCK_STREAM, 0), AF_INET, SOCK_STREAM);
        if (::connect(made.back().native_handle(), address.data(),
                      static_cast<socklen_t>(address.size())) != 0)
            throw std::runtime_error("groups: a connection was refused");
    }
    return made;
}

// --- messages --------------------------------------------------------------------------------

constexpr std::size_t messages = 200'000; // of all clients together
constexpr std::size_t clients = 2;

/// A ping-pong of lines of 16 bytes over many connections. Ends the process.
[[noreturn]] void play_client(const endpoint& to)
{
    constexpr std::string_view line = "0123456789abcde\n";
    const auto peers = connections(to, 256);
    for (std::size_t done = 0; done < messages / clients; done += peers.size()) {
        for (const auto& each : peers) {
            if (::send(each.native_handle(), line.data(), line.size(), 0) != 16)
                ::_exit(1);
        }
        char answer[16];
        for (const auto& each : peers) {
            if (::recv(each.native_handle(), answer, 16, MSG_WAITALL) != 16 ||
                std::string_view(answer, 16) != line)
                ::_exit(1);
        }
    }
    ::_exit(0);
}

double microseconds_of_a_message(std::size_t loops, spread how)
{
    asynchat::server_group<echo> group(
        group_options(endpoint("127.0.0.1", 0)).loops(loops).policy(how));
    std::vector<pid_t> started;
    for (std::size_t i = 0; i < clients; ++i) {
        started.push_back(::fork());
        if (started.back() == 0)
            play_client(group.local_endpoint());
    }
    const double before = cpu_seconds();
    std::thread server([&] {
        ::setpriority(PRIO_PROCESS, 0, 10); // of this thread, and so of those that it starts
        group.run();
    });
    bool all_well = true;
    for (const pid_t each : started) {
        int status = 1;
        ::waitpid(each, &status, 0);
        all_well = all_well && status == 0;
    }
    group.stop(std::chrono::seconds(10));
    server.join();
    if (!all_well)
        throw std::runtime_error("groups: the client got a wrong answer");
    return (cpu_seconds() - before) / messages * 1e6;
}

// --- hand-off --------------------------------------------------------------------------------

/// Counts what happens in other threads.
class arrivals {
public:
    void add()
    {
        const std::lock_guard lock(mutex_);
        if (++count_ == wanted_)
            changed_.notify_one();
    }
    void wait_for(int n)
    {
        std::unique_lock lock(mutex_);
        wanted_ = n;
        changed_.wait(lock, [this] { return count_ >= wanted_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int count_ = 0;
    int wanted_ = 0;
};

/// This thread runs on one processor, the first or the last, until the end of the scope. Whether
/// two threads share one decides more about what they cost than what they do.
class on_processor {
public:
    enum which { first, last };

    explicit on_processor(which one)
    {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t chosen;
        CPU_ZERO(&chosen);
        for (int i = 0; i < CPU_SETSIZE; ++i) {
            if (!CPU_ISSET(i, &before_) || (one == first && CPU_COUNT(&chosen) > 0))
                continue;
            CPU_ZERO(&chosen);
            CPU_SET(i, &chosen);
        }
        ::sched_setaffinity(0, sizeof chosen, &chosen);
    }
    ~on_processor() { ::sched_setaffinity(0, sizeof before_, &before_); }
    on_processor(const on_processor&) = delete;
    on_processor& operator=(const on_processor&) = delete;

private:
    cpu_set_t before_;
};

constexpr int handed = 200'000;
constexpr int burst = 100;

asynchat::socket some_socket()
{
    static const endpoint peer("127.0.0.1", 80);
    return {-1, AF_INET, SOCK_STREAM, peer};
}

/// The time of one of the sockets that `give()` brings to another thread, which adds to `came` what
/// has arrived. A burst arrives before the next one is given.
double nanoseconds_of_a_socket(arrivals& came, const std::function<void()>& give)
{
    const on_processor here(on_processor::first);
    const double before = cpu_seconds();
    for (int given = 0; given < handed;) {
        for (int i = 0; i < burst; ++i, ++given)
            give();
        came.wait_for(given);
    }
    return (cpu_seconds() - before) / handed * 1e9;
}

double nanoseconds_of_a_bare_post()
{
    asio::io_context there;
    asio::ip::tcp::acceptor listener(there, {asio::ip::address_v4::loopback(), 0});
    listener.async_wait(listener.wait_read, [](std::error_code) {}); // it sleeps as a server does
    std::thread other([&] {
        const on_processor here(on_processor::last);
        there.run();
    });
    arrivals came;
    const double result = nanoseconds_of_a_socket(came, [&] {
        asio::post(there, [&came, from = some_socket()]() mutable {
            const asynchat::socket taken(std::move(from));
            came.add();
        });
    });
    asio::post(there, [&] { listener.close(); });
    other.join();
    return result;
}

arrivals* taken = nullptr; // of the hand-off: its function has no other argument

double nanoseconds_of_a_hand_off()
{
    asynchat::loop there;
    auto group = std::make_shared<asynchat::detail::hand_off>();
    const auto server = there.create<asynchat::server<echo>>(endpoint("127.0.0.1", 0));
    auto& member = group->add(*server.lock());
    member.max_connections = member.max_handshakes = 2 * handed;
    member.take = [](asynchat::dispatcher&, asynchat::socket&& from) {
        const asynchat::socket one(std::move(from));
        taken->add();
    };
    arrivals came;
    taken = &came;
    std::thread other([&] {
        const on_processor here(on_processor::last);
        there.run();
    });
    const double result = nanoseconds_of_a_socket(came, [&] {
        if (auto* const to = group->choose())
            group->give(*to, some_socket());
    });
    there.post([&] { server.lock()->close(); });
    other.join();
    return result;
}

// --- spread ----------------------------------------------------------------------------------

/// The connections of the busiest loop, divided by the mean.
double unevenness(spread how)
{
    constexpr std::size_t all = 1000;
    asynchat::server_group<echo> group(
        group_options(endpoint("127.0.0.1", 0)).loops(4).policy(how));
    std::thread server([&] { group.run(); });
    const auto peers = connections(group.local_endpoint(), all);
    for (std::size_t open = 0; open < all;) {
        std::promise<std::size_t> told;
        group.gather_counters(
            [&told](const asynchat::server_counters& sum) { told.set_value(sum.open); });
        open = told.get_future().get();
    }
    std::atomic<std::size_t> most{0};
    arrivals told;
    group.post([&](asynchat::server_base& each) {
        const std::size_t here = each.counters().open;
        for (std::size_t seen = most; seen < here && !most.compare_exchange_weak(seen, here);) {
        }
        told.add();
    });
    told.wait_for(4);
    group.stop(std::chrono::seconds(0));
    server.join();
    return static_cast<double>(most) / (all / 4.0);
}

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

} // namespace

int main(int argc, char** argv)
{
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    std::map<std::string, std::vector<double>> all;
    for (int round = 0; round < rounds; ++round) {
        // What comes first or last is slower on some machines.
        const double first = microseconds_of_a_message(1, spread::reuse_port);
        const double by_system = microseconds_of_a_message(2, spread::reuse_port);
        const double by_hand_off = microseconds_of_a_message(2, spread::hand_off);
        const double last = microseconds_of_a_message(1, spread::reuse_port);
        const double one = (first + last) / 2;
        all["one loop, microseconds a message"].push_back(one);
        all["one loop, last / first"].push_back(last / first);
        all["two loops / one, reuse_port"].push_back(by_system / one);
        all["two loops / one, hand_off"].push_back(by_hand_off / one);
        const double bare = nanoseconds_of_a_bare_post();
        all["bare post, ns"].push_back(bare);
        all["hand-off / bare post"].push_back(nanoseconds_of_a_hand_off() / bare);
        all["busiest of 4 / mean, reuse_port"].push_back(unevenness(spread::reuse_port));
        all["busiest of 4 / mean, hand_off"].push_back(unevenness(spread::hand_off));
    }
    for (const auto& [name, values] : all)
        std::printf("%-34s %8.3f\n", name.c_str(), median(values));
    return 0;
}
