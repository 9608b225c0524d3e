// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

// No assertion runs in a second thread: Catch2 is for one.

namespace {

/// Joins at the end of the scope, whatever the test does.
class threads {
public:
    ~threads() { join(); }
    template <class F>
    void start(F f)
    {
        all_.emplace_back(std::move(f));
    }
    void join()
    {
        for (std::thread& each : all_)
            each.join();
        all_.clear();
    }

private:
    std::vector<std::thread> all_;
};

class line_keeper : public logging<async_chat> {
public:
    line_keeper(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
    {
        set_terminator("\n");
    }
    std::vector<std::string> lines_received;
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override { lines_received.push_back(_get_data()); }
};

} // namespace

TEST_CASE("functions can be posted from any thread, each thread's in order", "[threads]")
{
    constexpr int count = 500;
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto keeps_it_going = loop.create<recorder>(std::move(ends.first)).lock();
    std::vector<std::vector<int>> seen(4);
    int total = 0;
    threads workers;
    for (std::size_t worker = 0; worker < 4; ++worker) {
        workers.start([&loop, &seen, &total, worker] {
            for (int i = 0; i < count; ++i) {
                loop.post([&, worker, i] {
                    seen[worker].push_back(i);
                    if (++total == 4 * count)
                        loop.stop();
                });
            }
        });
    }
    const deadline limit(loop);
    loop.run();
    workers.join();
    CHECK(total == 4 * count);
    for (const auto& each : seen) {
        REQUIRE(each.size() == count);
        CHECK(std::is_sorted(each.begin(), each.end()));
    }
}

TEST_CASE("a channel can be spoken to from any thread", "[threads]")
{
    constexpr int count = 200;
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<line_keeper>(std::move(ends.first));
    const auto other = loop.create<line_keeper>(
        asynchat::socket(::fcntl(ends.second.fd(), F_DUPFD_CLOEXEC, 0), AF_UNIX, SOCK_STREAM));
    const auto receiver = other.lock();
    threads workers;
    for (int worker = 0; worker < 4; ++worker) {
        workers.start([channel, worker] {
            for (int i = 0; i < count; ++i) {
                channel.post([text = std::to_string(worker) + " says " + std::to_string(i) +
                                     "\n"](line_keeper& self) { self.push(text); });
            }
        });
    }
    CHECK(run_until(loop, [&] { return receiver->lines_received.size() == 4 * count; }));
    workers.join();
}

TEST_CASE("posting to a channel that closes meanwhile is harmless", "[threads]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<line_keeper>(std::move(ends.first));
    std::atomic<bool> over{false};
    int called = 0;
    threads workers;
    for (int worker = 0; worker < 4; ++worker) {
        workers.start([channel, &over, &called] {
            for (int i = 0; i < 2000 && !over; ++i)
                channel.post([&called](line_keeper&) { ++called; });
        });
    }
    const bool reached = run_until(loop, [&] { return called >= 10; });
    channel->close();
    const int before = called;
    over = true;
    workers.join();
    CHECK(reached);
    CHECK(settle(loop));
    CHECK(called == before);
}

TEST_CASE("stop from another thread ends run", "[threads]")
{
    const bool borrowed = GENERATE(false, true);
    asio::io_context context;
    std::unique_ptr<loop> loop =
        borrowed ? std::make_unique<asynchat::loop>(context) : std::make_unique<asynchat::loop>();
    auto ends = connected_pair(AF_UNIX);
    const auto keeps_it_going = loop->create<recorder>(std::move(ends.first)).lock();
    for (int i = 0; i < 100; ++i) {
        std::atomic<bool> running{false};
        loop->post([&] { running = true; });
        threads stopper;
        stopper.start([&] {
            while (!running)
                std::this_thread::yield();
            loop->stop();
        });
        const deadline limit(*loop);
        loop->run();
        stopper.join();
    }
    CHECK_FALSE(keeps_it_going->closed());
}

TEST_CASE("stop from another thread ends a poll that waits", "[threads]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto keeps_it_going = loop.create<recorder>(std::move(ends.first)).lock();
    CHECK(settle(loop));
    threads stopper;
    stopper.start([&] { loop.stop(); });
    loop.poll(patience); // at once, whether it comes before or after
    stopper.join();
    loop.stop();
    loop.run();
    CHECK_FALSE(keeps_it_going->closed());
}

TEST_CASE("two loops run in two threads and talk to each other", "[threads]")
{
    constexpr int count = 1000;
    class counter : public logging<async_chat> {
    public:
        counter(loop& owner, asynchat::socket from, int& seen)
            : logging(owner, std::move(from)), seen_(seen)
        {
            set_terminator("\n");
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override
        {
            if (++seen_ == count)
                close_when_done();
            else
                push("next\n");
        }

    private:
        int& seen_;
    };
    auto ends = asynchat::socket::pair();
    int seen_here = 0;
    int seen_there = 0;
    bool failed_there = false;
    threads other;
    other.start([&seen_there, &failed_there,
                 end = std::make_shared<asynchat::socket>(std::move(ends.second))] {
        try {
            loop loop;
            loop.create<counter>(std::move(*end), seen_there);
            const deadline limit(loop);
            loop.run();
        } catch (...) {
            failed_there = true;
        }
    });
    {
        loop loop;
        const auto channel = loop.create<counter>(std::move(ends.first), seen_here);
        channel->push("first\n");
        const deadline limit(loop);
        loop.run();
    }
    other.join();
    CHECK_FALSE(failed_there);
    CHECK(seen_here + seen_there == 2 * count - 1);
}

TEST_CASE("a connection accepted in one thread can be served in another", "[threads]")
{
    class handing_over : public logging<dispatcher> {
    public:
        handing_over(loop& owner, loop& worker) : logging(owner), worker_(worker)
        {
            create_socket();
            bind(endpoint("127.0.0.1", 0));
            listen();
        }
        void handle_accepted(asynchat::socket connection, const endpoint&) override
        {
            worker_.post([&worker = worker_, c = std::move(connection)]() mutable {
                worker.create<echo_channel>(std::move(c));
            });
        }

    private:
        loop& worker_;
    };
    loop worker;
    auto ends = connected_pair(AF_UNIX);
    const auto keeps_it_going = worker.create<recorder>(std::move(ends.first));
    bool failed_there = false;
    threads other;
    other.start([&] {
        try {
            const deadline limit(worker);
            worker.run();
        } catch (...) {
            failed_there = true;
        }
    });
    bool echoed = false;
    {
        loop loop;
        const auto listener = loop.create<handing_over>(worker);
        auto client = raw_peer::connected_to(listener->local_endpoint());
        client.send("across");
        echoed = run_until(loop, [&] { return client.received() == "across"; });
    }
    worker.stop();
    other.join();
    CHECK(echoed);
    CHECK_FALSE(failed_there);
}

TEST_CASE("names are looked up by several loops at once", "[threads]")
{
    std::atomic<int> connected{0};
    threads all;
    for (int i = 0; i < 3; ++i) {
        all.start([&connected] {
            try {
                const raw_listener server(endpoint("127.0.0.1", 0));
                loop loop;
                const auto client = loop.create<recorder>();
                client->connect("localhost", server.address().port());
                if (run_until(loop, [&] { return !client || client->connected(); }) && client)
                    ++connected;
            } catch (...) {
            }
        });
    }
    all.join();
    CHECK(connected == 3);
}
