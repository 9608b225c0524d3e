// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// How many messages of others are answered while one waits, counted without a clock. Behind a plain
// epoll loop with n busy connections that is n - 1 at most for one that is busy too. One that was
// at rest may wait longer: epoll puts what it reports, level-triggered, behind its list at once, so
// before what becomes ready next.

using namespace asynchat;
using namespace support;

namespace {

/// Counts the messages that are answered, and notes how many of them one has waited for.
class turnstile {
public:
    explicit turnstile(std::size_t last) : last_(last) {}

    /// A request is ready to be received.
    std::size_t now() const { return answered_; }

    /// One that was ready since then is answered.
    void passes(std::size_t since)
    {
        longest_ = std::max(longest_, answered_ - since);
        if (++answered_ == next_)
            act_();
    }
    /// Calls `act` when `more` further messages are answered.
    void after(std::size_t more, std::function<void()> act)
    {
        next_ = answered_ + more;
        act_ = std::move(act);
    }
    bool is_over() const { return answered_ >= last_; }
    std::size_t longest_wait() const { return longest_; }

private:
    std::size_t last_;
    std::size_t answered_ = 0;
    std::size_t longest_ = 0;
    std::size_t next_ = 0;
    std::function<void()> act_ = [] {};
};

/// Does not ask again at once, but after some more messages of others, a different number each
/// time. Counts how many are answered before its own is.
class cold_one {
public:
    cold_one(turnstile& counter, std::size_t busy, std::function<void()> ask)
        : counter_(counter), busy_(busy), ask_(std::move(ask))
    {
        rest();
    }
    void is_answered()
    {
        ++answers_;
        longest_ = std::max(longest_, counter_.now() - since_);
        rest();
    }
    std::size_t answers() const { return answers_; }
    std::size_t longest_wait() const { return longest_; }

private:
    void rest()
    {
        counter_.after(2 * busy_ + 1 + answers_ % busy_, [this] {
            since_ = counter_.now();
            ask_();
        });
    }

    turnstile& counter_;
    std::size_t busy_;
    std::function<void()> ask_;
    std::size_t since_ = 0;
    std::size_t answers_ = 0;
    std::size_t longest_ = 0;
};

/// A server whose client asks again at once: the next request is there before the answer is sent.
class busy_server : public async_chat {
public:
    busy_server(loop& owner, asynchat::socket from, turnstile& counter, std::function<void()> ask)
        : async_chat(owner, std::move(from)), counter_(counter), ask_(std::move(ask))
    {
        set_terminator("\n");
        begin();
    }
    void begin()
    {
        ask_();
        since_ = counter_.now();
    }
    void found_terminator() override
    {
        push(_get_data() + "\n");
        counter_.passes(since_);
        if (counter_.is_over())
            owner().stop();
        else
            begin();
    }

private:
    turnstile& counter_;
    std::function<void()> ask_;
    std::size_t since_ = 0;
};

/// The client's end of a pair of sockets. Asks without reading: the answers fit into the socket.
class raw_client {
public:
    explicit raw_client(int fd) : fd_(fd) {}
    raw_client(const raw_client&) = delete;
    raw_client& operator=(const raw_client&) = delete;
    ~raw_client() { ::close(fd_); }

    void ask()
    {
        std::array<char, 256> answers;
        while (::recv(fd_, answers.data(), answers.size(), MSG_DONTWAIT) > 0) {
        }
        check_call(::send(fd_, "hello\n", 6, MSG_NOSIGNAL) == 6, "send");
    }

private:
    int fd_;
};

/// Asks again when it has the answer.
class client : public async_chat {
public:
    client(loop& owner, asynchat::socket from, turnstile& counter)
        : async_chat(owner, std::move(from)), counter_(counter)
    {
        set_terminator("\n");
        push("hello\n");
    }
    void found_terminator() override
    {
        last_ = _get_data();
        counter_.passes(std::exchange(since_, counter_.now()));
        since_ = counter_.now();
        if (counter_.is_over())
            owner().stop();
        else
            push("hello\n");
    }

private:
    turnstile& counter_;
    std::size_t since_ = 0;
    std::string last_;
};

/// Asks when it is told to, and calls `answered`.
class patient_client : public async_chat {
public:
    patient_client(loop& owner, asynchat::socket from, std::function<void()> answered)
        : async_chat(owner, std::move(from)), answered_(std::move(answered))
    {
        set_terminator("\n");
    }
    void found_terminator() override
    {
        last_ = _get_data();
        answered_();
    }

private:
    std::function<void()> answered_;
    std::string last_;
};

/// Connects, and asks once.
class newcomer : public async_chat {
public:
    newcomer(loop& owner, const endpoint& where, std::function<void()> answered)
        : async_chat(owner), answered_(std::move(answered))
    {
        set_terminator("\n");
        connect(where);
        push("hello\n");
    }
    void found_terminator() override { answered_(); }

private:
    std::function<void()> answered_;
};

/// The longest wait of a connection at rest among busy ones behind a plain epoll loop that fetches
/// as many events at a time as Asio.
std::size_t cold_wait_behind_epoll(std::size_t busy)
{
    turnstile counter(busy * 60);
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    check_call(poller >= 0, "epoll_create1");
    std::vector<asynchat::socket> servers;
    std::vector<std::unique_ptr<raw_client>> clients;
    for (std::size_t i = 0; i <= busy; ++i) {
        auto ends = asynchat::socket::pair();
        epoll_event wanted = {};
        wanted.events = EPOLLIN;
        wanted.data.u64 = i;
        check_call(::epoll_ctl(poller, EPOLL_CTL_ADD, ends.first.native_handle(), &wanted) == 0,
                   "epoll_ctl");
        servers.push_back(std::move(ends.first));
        clients.push_back(std::make_unique<raw_client>(ends.second.release()));
    }
    cold_one cold(counter, busy, [&] { clients[busy]->ask(); });
    for (std::size_t i = 0; i < busy; ++i)
        clients[i]->ask();
    std::array<epoll_event, 128> ready;
    while (!counter.is_over()) {
        const int count = ::epoll_wait(poller, ready.data(), 128, -1);
        for (int i = 0; i < count; ++i) {
            const auto which =
                static_cast<std::size_t>(ready[static_cast<std::size_t>(i)].data.u64);
            std::array<char, 256> request;
            check_call(::recv(servers[which].native_handle(), request.data(), request.size(), 0) >
                           0,
                       "recv");
            if (which == busy) {
                cold.is_answered();
            } else {
                counter.passes(counter.now());
                clients[which]->ask();
            }
        }
    }
    ::close(poller);
    return cold.longest_wait();
}

class echo : public async_chat {
public:
    echo(loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void found_terminator() override { push(_get_data() + "\n"); }
};

} // namespace

TEST_CASE("fairness: behind many busy connections nobody waits longer than a turn of all",
          "[fair][socket]")
{
    const std::size_t busy = GENERATE(as<std::size_t>{}, 2, 64, 129, 400);
    INFO("busy connections: " << busy);
    turnstile counter(busy * 20);
    std::vector<std::unique_ptr<raw_client>> clients;
    loop loop;
    for (std::size_t i = 0; i < busy; ++i) {
        auto ends = asynchat::socket::pair();
        clients.push_back(std::make_unique<raw_client>(ends.second.release()));
        loop.create<busy_server>(std::move(ends.first), std::ref(counter),
                                 [client = clients.back().get()] { client->ask(); });
    }
    loop.run();
    CHECK(counter.is_over());
    CHECK(counter.longest_wait() <= busy);
    loop.close_all();
}

TEST_CASE("fairness: a cold connection among busy ones waits no longer than behind epoll",
          "[fair][socket]")
{
    const std::size_t busy = GENERATE(as<std::size_t>{}, 2, 64, 127, 129, 400);
    INFO("busy connections: " << busy);
    turnstile counter(busy * 60);
    std::vector<std::unique_ptr<raw_client>> clients;
    loop loop;
    const auto connect = [&] {
        auto ends = asynchat::socket::pair();
        clients.push_back(std::make_unique<raw_client>(ends.second.release()));
        return std::make_pair(std::move(ends.first), clients.back().get());
    };
    auto [end, cold_client] = connect();
    cold_one cold(counter, busy, [client = cold_client] { client->ask(); });
    loop.create<patient_client>(std::move(end), [&] { cold.is_answered(); });
    for (std::size_t i = 0; i < busy; ++i) {
        auto [of_server, client] = connect();
        loop.create<busy_server>(std::move(of_server), std::ref(counter),
                                 [client = client] { client->ask(); });
    }
    loop.run();
    CHECK(cold.answers() >= 10);
    CHECK(cold.longest_wait() <= cold_wait_behind_epoll(busy));
    if (busy > 128) // nobody looks ahead, and Asio's epoll is edge-triggered
        CHECK(cold.longest_wait() <= busy);
    loop.close_all();
}

TEST_CASE("fairness: a newcomer among busy connections is served in its turn", "[fair][socket]")
{
    const std::size_t busy = GENERATE(as<std::size_t>{}, 16, 100, 300);
    INFO("busy connections: " << busy);
    turnstile counter(busy * 20);
    std::vector<std::unique_ptr<raw_client>> clients;
    loop loop;
    const auto where = loop.create<server<echo>>(endpoint("127.0.0.1", 0))->local_endpoint();
    std::size_t asked = 0;
    std::size_t connected_at = 0;
    std::size_t answered_at = 0;
    raw_peer newcomer;
    for (std::size_t i = 0; i < busy; ++i) {
        auto ends = asynchat::socket::pair();
        clients.push_back(std::make_unique<raw_client>(ends.second.release()));
        loop.create<busy_server>(
            std::move(ends.first), std::ref(counter), [&, client = clients.back().get()] {
                client->ask();
                if (++asked == busy * 5) {
                    newcomer = raw_peer::connected_to(where);
                    newcomer.send("hello\n");
                    connected_at = counter.now();
                } else if (connected_at > 0 && answered_at == 0 && newcomer.received() != "") {
                    answered_at = counter.now();
                }
            });
    }
    loop.run();
    REQUIRE(answered_at > 0);
    CHECK(answered_at - connected_at <= 3 * busy); // a turn to be accepted, and one to be answered
    loop.close_all();
}

namespace {

/// In the memory network: clients that ask again when they are answered, and their servers.
void make_busy(testing::loop& loop, std::size_t count, turnstile& counter)
{
    for (std::size_t i = 0; i < count; ++i) {
        auto ends = loop.socket_pair();
        loop.create<echo>(std::move(ends.first));
        loop.create<client>(std::move(ends.second), std::ref(counter));
    }
}

} // namespace

TEST_CASE("fairness: no client waits longer for an answer than a turn of all", "[fair]")
{
    const std::size_t busy = GENERATE(as<std::size_t>{}, 2, 64, 129, 400, 1000, 8000);
    INFO("busy connections: " << busy);
    turnstile counter(busy * (busy < 1000 ? 20 : 5));
    testing::loop loop;
    make_busy(loop, busy, counter);
    loop.run();
    CHECK(counter.is_over());
    CHECK(counter.longest_wait() <= busy);
    loop.close_all();
}

TEST_CASE("fairness: a cold client among busy ones waits no longer than two turns", "[fair]")
{
    const std::size_t busy = GENERATE(as<std::size_t>{}, 2, 64, 129, 400);
    INFO("busy connections: " << busy);
    turnstile counter(busy * 60);
    testing::loop loop;
    std::shared_ptr<patient_client> client;
    cold_one cold(counter, busy, [&] { client->push("hello\n"); });
    auto ends = loop.socket_pair();
    loop.create<echo>(std::move(ends.first));
    client =
        loop.create<patient_client>(std::move(ends.second), [&] { cold.is_answered(); }).lock();
    make_busy(loop, busy, counter);
    loop.run();
    CHECK(cold.answers() >= 10);
    // A turn until the server has the request, and one until the client has the answer.
    CHECK(cold.longest_wait() <= 2 * busy);
    loop.close_all();
}

TEST_CASE("fairness: a newcomer among busy clients is served in its turn", "[fair]")
{
    const std::size_t busy = GENERATE(as<std::size_t>{}, 16, 100, 300);
    INFO("busy connections: " << busy);
    turnstile counter(busy * 20);
    testing::loop loop;
    const auto where = loop.create<server<echo>>(endpoint("127.0.0.1", 7))->local_endpoint();
    std::size_t connected_at = 0;
    std::size_t answered_at = 0;
    counter.after(busy * 5, [&] {
        connected_at = counter.now();
        loop.create<newcomer>(where, [&] { answered_at = counter.now(); });
    });
    make_busy(loop, busy, counter);
    loop.run();
    REQUIRE(answered_at > 0);
    CHECK(answered_at - connected_at <= 3 * busy);
    loop.close_all();
}
