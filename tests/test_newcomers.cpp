// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/memory.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Connections that linger, many newcomers at once, and relays whose ends end.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;

namespace {

const endpoint any_port("127.0.0.1", 0);

/// Says goodbye at once; its connection lingers as long as the other side stays.
class farewell : public asynchat::async_chat {
public:
    farewell(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        push("bye");
        close_when_done();
    }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
};

/// Stays until it is told to go.
class guest : public asynchat::async_chat {
public:
    guest(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
        push("hello");
    }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override { close_when_done(); }
};

template <class Handler>
using server = support::logging<asynchat::server<Handler>>;

int open_descriptors()
{
    int count = 0;
    for (int fd = 0; fd < 1024; ++fd)
        count += support::is_open(fd) ? 1 : 0;
    return count;
}

/// Connects so many and keeps them.
class crowd {
public:
    explicit crowd(asynchat::testing::loop& loop) : loop_(loop) {}

    void connect(const endpoint& to, int count)
    {
        for (; count > 0; --count)
            peers_.push_back(loop_.connect(to));
        loop_.settle();
    }

private:
    asynchat::testing::loop& loop_;
    std::vector<asynchat::testing::peer> peers_;
};

} // namespace

// --- connections that linger -----------------------------------------------------------------

TEST_CASE("without a limit at most a thousand connections linger, the oldest ones go",
          "[newcomers][linger]")
{
    asynchat::testing::loop loop;
    const auto one = loop.create<server<farewell>>(any_port).lock();
    const auto other = loop.create<server<farewell>>(any_port).lock();
    crowd all(loop);
    all.connect(one->local_endpoint(), 500);
    CHECK(one->counters().lingering == 500);
    loop.advance(1s);
    all.connect(other->local_endpoint(), 600);
    CHECK(one->counters().lingering == 400);
    CHECK(other->counters().lingering == 600);
    loop.advance(1200ms);
    CHECK(one->counters().lingering == 0);
    CHECK(other->counters().lingering == 600);
    loop.advance(1s);
    CHECK(other->counters().lingering == 0);
}

TEST_CASE("connections that have lingered leave nothing behind", "[newcomers][linger][no-tls]")
{
    asynchat::testing::loop loop;
    const auto at = loop.create<server<farewell>>(any_port)->local_endpoint();
    const auto serve = [&](int count) {
        for (; count > 0; --count) {
            auto peer = loop.connect(at);
            loop.settle();
            peer.close();
            loop.settle();
        }
    };
    serve(100);
    support::memory_peak memory;
    serve(5000);
    memory.look();
    CHECK(memory.growth() < 200000); // much less than one hundred bytes for each
}

TEST_CASE("a newcomer takes the place of the connection that lingers longest",
          "[newcomers][linger]")
{
    asynchat::loop loop;
    const auto listener = loop.create<server<farewell>>(any_port).lock();
    listener->max_connections(4);
    const auto other = loop.create<server<farewell>>(any_port).lock();
    auto bystander = support::raw_peer::connected_to(other->local_endpoint());
    REQUIRE(support::run_until(loop, [&] { return bystander.ended(); }));
    std::vector<support::raw_peer> peers;
    const int before = open_descriptors();
    for (int i = 1; i <= 10; ++i) {
        peers.push_back(support::raw_peer::connected_to(listener->local_endpoint()));
        REQUIRE(support::run_until(loop, [&] { return peers.back().ended(); }));
        CHECK(peers.back().received() == "bye");
        CHECK(peers.back().error() == 0);
        CHECK(open_descriptors() - before - i == std::min(i, 4));
    }
    CHECK(listener->counters().lingering == 4);
    CHECK(other->counters().lingering == 1); // none of the other server

    // Who does not linger any more is reset when it speaks.
    for (std::size_t i = 0; i < peers.size(); ++i) {
        ::send(peers[i].fd(), "x", 1, MSG_NOSIGNAL);
        support::settle(loop);
        const bool lingers = ::send(peers[i].fd(), "x", 1, MSG_NOSIGNAL) == 1;
        CHECK(lingers == (i >= 6));
    }
}

TEST_CASE("what lingers keeps nobody out, and is ended only for want of a place",
          "[newcomers][linger]")
{
    asynchat::testing::loop loop;
    const auto listener = loop.create<server<guest>>(any_port).lock();
    listener->max_connections(4);
    std::vector<asynchat::testing::peer> peers;
    for (int i = 0; i < 4; ++i) {
        peers.push_back(loop.connect(listener->local_endpoint()));
        CHECK(peers.back().received() == "hello");
    }
    const auto counts = [&listener] {
        return std::make_pair(listener->counters().open, listener->counters().lingering);
    };
    for (std::size_t i = 0; i < 2; ++i)
        peers[i].send("go\n");
    loop.settle();
    CHECK(counts() == std::make_pair<std::size_t, std::size_t>(2, 2));
    crowd more(loop);
    more.connect(listener->local_endpoint(), 1);
    CHECK(counts() == std::make_pair<std::size_t, std::size_t>(3, 1));
    more.connect(listener->local_endpoint(), 1);
    CHECK(counts() == std::make_pair<std::size_t, std::size_t>(4, 0));
    peers[2].send("go\n");
    loop.settle();
    CHECK(counts() == std::make_pair<std::size_t, std::size_t>(3, 1)); // there is room for it
    CHECK(listener->counters().refused == 0);
}

TEST_CASE("what lingers counts for the limit of its address", "[newcomers][linger]")
{
    asynchat::testing::loop loop;
    const auto listener = loop.create<server<farewell>>(any_port).lock();
    listener->max_connections_per_address(3);
    crowd all(loop);
    for (std::size_t i = 1; i <= 10; ++i) {
        all.connect(listener->local_endpoint(), 1);
        CHECK(listener->counters().lingering == std::min<std::size_t>(i, 3));
    }
    CHECK(listener->counters().refused == 0);
    CHECK(listener->counters().accepted == 10);
}

TEST_CASE("connections over a UNIX socket have no address to be counted by", "[newcomers][linger]")
{
    asynchat::testing::loop loop;
    const auto listener = loop.create<server<farewell>>(endpoint::unix_path("/here")).lock();
    listener->max_connections_per_address(3);
    crowd all(loop);
    all.connect(listener->local_endpoint(), 10);
    CHECK(listener->counters().lingering == 10);
    CHECK(listener->counters().refused == 0);
}

TEST_CASE("the place of a connection is free when it has lingered", "[newcomers][linger]")
{
    asynchat::testing::loop loop;
    const auto listener = loop.create<server<farewell>>(any_port).lock();
    listener->max_connections(4);
    crowd all(loop);
    for (int round = 0; round < 3; ++round) {
        all.connect(listener->local_endpoint(), 4);
        CHECK(listener->counters().lingering == 4);
        loop.advance(3s);
        CHECK(listener->counters().lingering == 0);
    }
}

// --- many newcomers --------------------------------------------------------------------------

namespace {

/// Counts what one call of handle_accept() accepts.
class counting_listener : public support::logging<asynchat::dispatcher> {
public:
    explicit counting_listener(asynchat::loop& owner) : logging(owner)
    {
        create_socket();
        bind(endpoint("127.0.0.1", 7));
        listen();
    }

    std::vector<int> accepted; // by each call
    int most = 1000;           // readable() as long as there are less
    std::function<void()> on_accepted;

    int total() const { return std::accumulate(accepted.begin(), accepted.end(), 0); }
    bool readable() override { return total() < most; }
    void handle_accept() override
    {
        accepted.push_back(0);
        dispatcher::handle_accept();
    }
    void handle_accepted(asynchat::socket, const endpoint&) override
    {
        ++accepted.back();
        if (on_accepted)
            on_accepted();
    }
    void handle_error() override { failed = true; }

    bool failed = false;
};

/// So many clients that connect at the same time.
class clients {
public:
    clients(asynchat::loop& loop, const endpoint& to, int count)
    {
        for (; count > 0; --count) {
            all_.push_back(loop.create<client>().lock());
            all_.back()->connect(to);
        }
    }

private:
    class client : public asynchat::dispatcher {
    public:
        using dispatcher::dispatcher;
        void handle_connect() override {}
        void handle_read() override
        {
            char some[10];
            recv(asio::buffer(some));
        }
        void handle_close() override { close(); }
    };

    std::vector<std::shared_ptr<client>> all_;
};

} // namespace

TEST_CASE("newcomers are accepted many at a time, and not without a break", "[newcomers][accept]")
{
    asynchat::testing::loop loop;
    const auto listener = loop.create<counting_listener>().lock();
    const clients all(loop, endpoint("127.0.0.1", 7), 300);
    loop.settle();
    CHECK(listener->accepted == std::vector<int>{64, 64, 64, 64, 44});
}

TEST_CASE("three hundred newcomers are accepted in a few turns", "[newcomers][accept]")
{
    const support::descriptor_limit descriptors(1024);
    ASYNCHAT_TEST_NEEDS(descriptors.possible(), "1024 descriptors");
    asynchat::loop loop;
    const auto listener = loop.create<server<guest>>(any_port).lock();
    std::vector<support::raw_peer> peers;
    for (int i = 0; i < 300; ++i)
        peers.push_back(support::raw_peer::connected_to(listener->local_endpoint()));
    int turns = 0;
    for (; turns < 300 && listener->counters().accepted < 300; ++turns)
        loop.poll(1s);
    CHECK(turns <= 20);
    CHECK(listener->counters().accepted == 300);
}

TEST_CASE("a listener that is not readable() any more accepts no more in the same turn",
          "[newcomers][accept]")
{
    asynchat::testing::loop loop;
    const auto listener = loop.create<counting_listener>().lock();
    listener->most = 10;
    const clients all(loop, endpoint("127.0.0.1", 7), 50);
    loop.settle();
    CHECK(listener->accepted == std::vector<int>{10});
    listener->most = 30;
    listener->update_interest();
    loop.settle();
    CHECK(listener->accepted == std::vector<int>{10, 20});
}

TEST_CASE("who comes to a full server waits, and is not refused", "[newcomers][accept]")
{
    asynchat::testing::loop loop;
    const auto listener = loop.create<server<guest>>(endpoint("127.0.0.1", 7)).lock();
    listener->max_connections(5);
    const clients all(loop, endpoint("127.0.0.1", 7), 20);
    loop.settle();
    CHECK(listener->counters().accepted == 5);
    CHECK(listener->counters().refused == 0);
    listener->max_connections(20);
    loop.settle();
    CHECK(listener->counters().accepted == 20);
    CHECK(listener->counters().refused == 0);
}

TEST_CASE("a listener that gives up its socket in handle_accepted() accepts no more",
          "[newcomers][accept]")
{
    asynchat::testing::loop loop;
    const auto listener = loop.create<counting_listener>().lock();
    SECTION("it closes")
    {
        listener->on_accepted = [&listener] { listener->close(); };
    }
    SECTION("it makes another socket")
    {
        listener->on_accepted = [&listener] { listener->create_socket(); };
    }
    SECTION("it listens elsewhere")
    {
        listener->on_accepted = [&listener] {
            listener->create_socket();
            listener->bind(endpoint("127.0.0.1", 8));
            listener->listen();
        };
    }
    const clients all(loop, endpoint("127.0.0.1", 7), 3);
    loop.settle();
    CHECK(listener->accepted == std::vector<int>{1});
    CHECK_FALSE(listener->failed);
    CHECK(listener->lines.empty());
}

// --- relays ----------------------------------------------------------------------------------

namespace {

class quiet_relay : public support::logging<asynchat::relay> {
public:
    using logging::logging;
};

/// Two ends that are joined, and what is behind them.
struct joined {
    joined() { left.first->join(*right.first); }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<quiet_relay>, asynchat::testing::peer> left =
        loop.accept<quiet_relay>();
    std::pair<std::shared_ptr<quiet_relay>, asynchat::testing::peer> right =
        loop.accept<quiet_relay>();
};

} // namespace

TEST_CASE("relay: an end that is lost does not look like an orderly one at the other",
          "[newcomers][relay]")
{
    joined j;
    j.left.second.send("half an answer");
    SECTION("by a reset")
    {
        j.loop.settle();
        j.left.second.reset();
    }
    SECTION("by a timeout")
    {
        j.left.first->idle_timeout(5s);
        j.loop.advance(6s);
    }
    CHECK(j.right.second.received() == "half an answer");
    CHECK(j.right.second.was_reset());
    CHECK(j.left.first->closed());
    CHECK(j.right.first->closed());
    j.loop.run(); // nothing lingers
    CHECK(j.loop.now().time_since_epoch() < 24h + 10s);
}

TEST_CASE("relay: what can be passed on before a reset is passed on",
          "[newcomers][relay][no-records]")
{
    joined j;
    j.right.second.window(0);
    j.left.second.send("half an answer");
    j.loop.settle();
    CHECK(j.right.first->pending_output() == 14);
    j.left.second.reset();
    j.right.second.window(10); // is there, before anybody was told
    CHECK(j.right.second.received() == "half an an");
    CHECK(j.right.second.was_reset());
    CHECK(j.right.first->pending_output() == 4);
}

TEST_CASE("relay: both orderly ends are passed on as such", "[newcomers][relay]")
{
    joined j;
    j.left.second.send("an answer");
    SECTION("the end of both streams")
    {
        j.left.second.finish();
        j.loop.settle();
        j.right.second.finish();
    }
    SECTION("a close of one's own")
    {
        j.loop.settle();
        j.left.first->close();
    }
    CHECK(j.right.second.received() == "an answer");
    CHECK(j.right.second.ended());
    CHECK_FALSE(j.right.second.was_reset());
}
