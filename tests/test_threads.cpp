// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <numeric>
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

/// 0, 1, ... count - 1: what each thread's functions leave when all ran once and in order.
std::vector<int> first_numbers(int count)
{
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

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

TEST_CASE("functions posted from any thread run once each, each thread's in order",
          "[threads][loop]")
{
    constexpr int count = 10000;
    const bool to_channel = GENERATE(false, true);
    CAPTURE(to_channel);
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<recorder>(std::move(ends.first));
    std::vector<std::vector<int>> seen(4);
    int total = 0;
    bool elsewhere = false;
    const auto here = std::this_thread::get_id();
    threads workers;
    for (std::size_t worker = 0; worker < 4; ++worker) {
        workers.start([&, channel, worker] {
            for (int i = 0; i < count; ++i) {
                const auto f = [&, worker, i] {
                    elsewhere = elsewhere || std::this_thread::get_id() != here;
                    seen[worker].push_back(i);
                    if (++total == 4 * count)
                        loop.stop();
                };
                if (to_channel)
                    channel.post([f](recorder&) { f(); });
                else
                    loop.post(f);
            }
        });
    }
    const deadline limit(loop);
    loop.run();
    workers.join();
    CHECK(settle(loop)); // nothing comes a second time
    CHECK(total == 4 * count);
    CHECK_FALSE(elsewhere);
    for (const auto& each : seen)
        CHECK((each == first_numbers(count))); // no text: it would be long
}

TEST_CASE("what channels are told to push from any thread arrives in order", "[threads][loop]")
{
    constexpr int count = 200;
    loop loop;
    auto ends = asynchat::socket::pair();
    const auto channel = loop.create<line_keeper>(std::move(ends.first));
    const auto receiver = loop.create<line_keeper>(std::move(ends.second)).lock();
    threads workers;
    for (int worker = 0; worker < 4; ++worker) {
        workers.start([channel, worker] {
            for (int i = 0; i < count; ++i) {
                channel.post([text = std::to_string(worker) + std::to_string(i) +
                                     "\n"](line_keeper& self) { self.push(text); });
            }
        });
    }
    CHECK(run_until(loop, [&] { return receiver->lines_received.size() >= 4 * count; }));
    workers.join();
    std::vector<std::vector<int>> seen(4);
    for (const std::string& line : receiver->lines_received)
        seen.at(static_cast<std::size_t>(line.at(0) - '0')).push_back(std::stoi(line.substr(1)));
    for (const auto& each : seen)
        CHECK(each == first_numbers(count));
}

TEST_CASE("posting to a channel that closes meanwhile is harmless", "[threads][loop]")
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

TEST_CASE("stop from another thread ends run", "[threads][loop]")
{
    either_loop loop(GENERATE(false, true));
    auto ends = connected_pair(AF_UNIX);
    const auto keeps_it_going = loop->create<recorder>(std::move(ends.first)).lock();
    for (int i = 0; i < 100; ++i) {
        std::promise<void> running;
        loop->post([&] { running.set_value(); });
        threads stopper;
        stopper.start([&] {
            if (running.get_future().wait_for(patience) == std::future_status::ready)
                loop->stop();
        });
        const deadline limit(*loop);
        CHECK_NOTHROW(loop->run());
        stopper.join();
    }
    CHECK_FALSE(keeps_it_going->closed());
}

TEST_CASE("stop from another thread ends a poll that waits", "[threads][loop]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto keeps_it_going = loop.create<recorder>(std::move(ends.first)).lock();
    CHECK(settle(loop));
    const deadline limit(loop); // throws before the poll would end by itself
    threads stopper;
    stopper.start([&] { loop.stop(); });
    CHECK_NOTHROW(loop.poll(2 * patience)); // whether the stop comes before or after
    stopper.join();
    loop.stop();
    CHECK_NOTHROW(loop.run());
    CHECK_FALSE(keeps_it_going->closed());
}

TEST_CASE("stops from many threads end every run, and the loop still works", "[threads][loop]")
{
    either_loop loop(GENERATE(false, true));
    auto ends = connected_pair(AF_UNIX);
    const auto keeps_it_going = loop->create<recorder>(std::move(ends.first)).lock();
    std::atomic<int> finished{0};
    threads workers;
    for (int worker = 0; worker < 4; ++worker) {
        workers.start([&] {
            for (int i = 0; i < 10000; ++i)
                loop->stop();
            ++finished;
            loop->stop(); // who did not see the number yet is ended by this one
        });
    }
    const deadline limit(*loop);
    while (finished < 4)
        CHECK_NOTHROW(loop->run());
    workers.join();
    CHECK(settle(*loop));
    bool called = false;
    loop->post([&] {
        called = true;
        loop->stop();
    });
    CHECK(run_until(*loop, [&] { return called; }));
    CHECK_FALSE(keeps_it_going->closed());
}

TEST_CASE("two loops run in two threads and talk to each other", "[threads][loop]")
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

TEST_CASE("a connection accepted in one thread can be served in another", "[threads][loop]")
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

TEST_CASE("names are looked up by several loops at once", "[threads][loop]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
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

TEST_CASE("post and stop from four threads at once lose nothing and break nothing",
          "[threads][loop]")
{
    constexpr int calls = 25'000; // of each thread
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<recorder>(std::move(ends.first));
    std::atomic<int> finished{0};
    std::vector<std::vector<int>> seen(4);
    threads workers;
    for (std::size_t worker = 0; worker < 4; ++worker) {
        workers.start([&, channel, worker] {
            for (int i = 0; i < calls; ++i) {
                const auto f = [&seen, worker, i](auto&&...) { seen[worker].push_back(i); };
                if (i % 5 == 4)
                    loop.stop();
                if (i % 2 == 0)
                    loop.post(f);
                else
                    channel.post(f);
            }
            ++finished;
        });
    }
    const auto all_seen = [&] {
        return std::all_of(seen.begin(), seen.end(), [](const auto& each) {
            return each.size() == static_cast<std::size_t>(calls);
        });
    };
    // Each stop() ends a run(), and posts nothing away.
    CHECK(run_until(loop, [&] {
        if (finished < 4)
            loop.run(1, 20ms);
        return all_seen();
    }));
    workers.join();
    for (const auto& each : seen)
        CHECK((each == first_numbers(calls)));
    CHECK(loop.size() == 1);
}

TEST_CASE("a server may be stopped from any thread through its handle", "[threads][server][slow]")
{
    loop loop;
    const auto server = loop.create<asynchat::server<line_keeper>>(endpoint("127.0.0.1", 0));
    std::vector<raw_peer> peers;
    for (int i = 0; i < 10; ++i)
        peers.push_back(raw_peer::connected_to(server->local_endpoint()));
    REQUIRE(run_until(loop, [&] { return server->counters().open == 10; }));
    threads workers;
    for (int worker = 0; worker < 4; ++worker) {
        workers.start([server] {
            for (int i = 0; i < 100; ++i)
                server.post([](server_base& self) { self.stop(1h); });
        });
    }
    const deadline limit(loop);
    loop.run();
    workers.join();
    CHECK(loop.size() == 0);
    for (raw_peer& peer : peers)
        CHECK(peer.ended());
}
