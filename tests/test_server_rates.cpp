// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A server with a rate, which its connections share.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;
using asynchat::unlimited;

namespace {

using texts = std::vector<std::string>;

const endpoint here("127.0.0.1", 80);

struct shared_log {
    texts frames;
    std::vector<std::size_t> bytes; // of each connection
    std::function<void(asynchat::async_chat&, const std::string&)> on_frame;
};

class handler : public asynchat::async_chat {
public:
    handler(asynchat::loop& owner, asynchat::socket from, shared_log& log)
        : async_chat(owner, std::move(from)), log_(log), number_(log.bytes.size())
    {
        set_terminator("\n");
        log_.bytes.push_back(0);
    }
    void found_terminator() override
    {
        const std::string frame = _get_data();
        log_.bytes[number_] += frame.size() + 1;
        log_.frames.push_back(frame);
        if (log_.on_frame)
            log_.on_frame(*this, frame);
    }

private:
    shared_log& log_;
    std::size_t number_;
};

struct service {
    explicit service(std::size_t connections)
    {
        for (std::size_t i = 0; i < connections; ++i)
            peers.push_back(loop.connect(here));
        loop.settle();
    }
    /// What was found since the last call, after so long.
    texts more_after(asynchat::loop::duration time)
    {
        loop.advance(time);
        loop.settle();
        return std::exchange(log.frames, {});
    }
    texts more_now() { return more_after(0s); }

    shared_log log;
    asynchat::testing::loop loop;
    asynchat::handle<asynchat::server<handler>> server =
        loop.create<asynchat::server<handler>>(here, std::ref(log));
    std::vector<asynchat::testing::peer> peers;
};

} // namespace

TEST_CASE("server rates: none by default, and never zero", "[rates][server]")
{
    service s(0);
    CHECK(s.server->read_rate() == unlimited);
    CHECK(s.server->frame_rate() == unlimited);
    s.server->read_rate(unlimited);
    s.server->read_rate(5);
    s.server->frame_rate(6);
    CHECK(s.server->read_rate() == 5);
    CHECK(s.server->frame_rate() == 6);
    CHECK_THROWS_AS(s.server->read_rate(0), std::invalid_argument);
    CHECK_THROWS_AS(s.server->frame_rate(0), std::invalid_argument);
}

TEST_CASE("server rates: the connections share them, each in its turn", "[rates][server]")
{
    service s(3);
    s.server->frame_rate(1);
    s.loop.settle();
    for (const std::string name : {"1", "2", "3"})
        s.peers[static_cast<std::size_t>(name[0] - '1')].send(name + "a\n" + name + "b\n" + name +
                                                              "c\n");
    CHECK(s.more_now().size() == 1);
    texts all;
    for (int i = 0; i < 8; ++i) {
        const texts more = s.more_after(1s);
        REQUIRE(more.size() == 1);
        all.push_back(more[0]);
    }
    CHECK(s.more_after(10s).empty());
    CHECK(all == texts{"1b", "2a", "3a", "1c", "2b", "3b", "2c", "3c"});
}

TEST_CASE("server rates: a connection that came before the rate obeys it", "[rates][server]")
{
    service s(1);
    s.peers[0].send("a\nb\n");
    CHECK(s.more_now().size() == 2);
    s.server->frame_rate(2);
    s.peers[0].send("c\nd\ne\n");
    CHECK(s.more_now() == texts{"c", "d"});
    CHECK(s.more_after(500ms) == texts{"e"});
}

TEST_CASE("server rates: a connection obeys its own rate, too", "[rates][server]")
{
    service s(2);
    s.server->frame_rate(10);
    s.log.on_frame = [](asynchat::async_chat& chat, const std::string& frame) {
        if (frame == "limit")
            chat.frame_rate(1);
    };
    s.peers[0].send("limit\na\nb\nc\n");
    CHECK(s.more_now() == texts{"limit", "a"});
    for (int i = 0; i < 20; ++i)
        s.peers[1].send("x\n");
    CHECK(s.more_now() == texts(8, "x"));
    CHECK(s.more_after(900ms) == texts(9, "x"));
    CHECK(s.more_after(300ms) == texts{"x", "b", "x"});
}

TEST_CASE("server rates: a hundred busy connections get the same share",
          "[rates][server][no-records][no-tls]")
{
    service s(100);
    s.server->read_rate(100000);
    for (auto& peer : s.peers) {
        for (int i = 0; i < 100; ++i)
            peer.send(std::string(999, 'x') + "\n");
    }
    for (int second = 0; second < 30; ++second) {
        s.loop.settle();
        const auto [least, most] = std::minmax_element(s.log.bytes.begin(), s.log.bytes.end());
        REQUIRE(*most - *least <= 1000); // one receive
        const std::size_t sum = std::accumulate(s.log.bytes.begin(), s.log.bytes.end(), 0UL);
        const std::size_t exact = 100000UL * (static_cast<std::size_t>(second) + 1);
        REQUIRE(sum >= exact - 1000);
        REQUIRE(sum <= exact + 1000);
        s.loop.advance(1s);
    }
}

TEST_CASE("server rates: connections that come and go get no more than the rate",
          "[rates][server][no-tls]")
{
    service s(1);
    s.server->frame_rate(10);
    for (int i = 0; i < 100; ++i)
        s.peers[0].send("honest\n");
    std::size_t honest = 0;
    std::size_t all = 0;
    for (int second = 0; second < 10; ++second) {
        std::vector<asynchat::testing::peer> flood;
        for (int i = 0; i < 100; ++i) { // more than the rate
            flood.push_back(s.loop.connect(here));
            flood.back().send("flood\n");
        }
        const texts more = s.more_after(500ms);
        flood.clear();
        const texts later = s.more_after(500ms);
        honest += static_cast<std::size_t>(std::count(more.begin(), more.end(), "honest") +
                                           std::count(later.begin(), later.end(), "honest"));
        all += more.size() + later.size();
    }
    CHECK(honest >= 10 + 1);
    CHECK(all <= 110 + 1);
}

TEST_CASE("server rates: nobody overtakes those that wait", "[rates][server]")
{
    service s(3);
    s.server->frame_rate(3);
    s.peers[0].send("1\n2\n3\n4\n");
    CHECK(s.more_now().size() == 3);
    CHECK(s.more_after(335ms).empty()); // the token is there, but the wait ends with the tick
    s.peers[1].send("5\n");
    CHECK(s.more_now() == texts{"4"});
    CHECK(s.more_after(330ms).empty());
    CHECK(s.more_after(5ms) == texts{"5"});
}

TEST_CASE("server rates: when the first that waits is closed, the next one is woken",
          "[rates][server]")
{
    service s(3);
    s.server->frame_rate(1);
    s.log.on_frame = [](asynchat::async_chat& chat, const std::string& frame) {
        if (frame == "quit")
            chat.close();
    };
    s.peers[0].send("a\n");
    CHECK(s.more_now() == texts{"a"});
    s.peers[1].send("b\n");
    s.loop.settle();
    s.peers[2].send("c\n");
    s.loop.settle();
    for (const auto& channel : s.loop.channels()) {
        if (channel->peer_endpoint() == s.peers[1].local_endpoint())
            channel->close();
    }
    CHECK(s.more_after(990ms).empty());
    CHECK(s.more_after(20ms) == texts{"c"});
}

TEST_CASE("server rates: a channel that closes in its turn gives way to the next one",
          "[rates][server]")
{
    service s(2);
    s.server->frame_rate(1);
    s.log.on_frame = [](asynchat::async_chat& chat, const std::string&) { chat.close(); };
    s.peers[0].send("a\nb\n");
    s.loop.settle();
    s.peers[1].send("c\nd\n");
    s.loop.settle();
    CHECK(s.more_now() == texts{"a"});
    CHECK(s.more_after(1010ms) == texts{"c"});
    CHECK(s.more_after(10s).empty());
}

TEST_CASE("server rates: one that was paused in its turn holds nobody up", "[rates][server]")
{
    service s(2);
    s.server->frame_rate(1);
    s.peers[0].send("a\nb\n");
    s.loop.settle();
    s.peers[1].send("c\nd\n");
    s.loop.settle();
    CHECK(s.more_now() == texts{"a"});
    for (const auto& channel : s.loop.channels()) {
        if (channel->peer_endpoint() == s.peers[0].local_endpoint())
            static_cast<asynchat::async_chat&>(*channel).pause_reading();
    }
    CHECK(s.more_after(10s) == texts{"c", "d"});
}

TEST_CASE("server rates: without its rate all go on at once", "[rates][server]")
{
    service s(20);
    s.server->frame_rate(1);
    for (auto& peer : s.peers)
        peer.send("a\nb\n");
    CHECK(s.more_now().size() == 1);
    s.server->frame_rate(unlimited);
    CHECK(s.more_now().size() == 39);
}

TEST_CASE("server rates: another rate acts at once", "[rates][server]")
{
    service s(20);
    s.server->frame_rate(1);
    for (auto& peer : s.peers)
        peer.send("a\nb\n");
    CHECK(s.more_now().size() == 1);
    s.server->frame_rate(1000);
    CHECK(s.more_after(50ms).size() == 39);
}

TEST_CASE("server rates: stop() does not wait for the rate", "[rates][server]")
{
    service s(3);
    s.server->frame_rate(1);
    for (auto& peer : s.peers)
        peer.send("a\nb\n");
    CHECK(s.more_now().size() == 1);
    const auto server = s.server.lock();
    server->stop(10s);
    s.loop.settle();
    CHECK(server->closed());
    CHECK(server->counters().open == 0);
}

TEST_CASE("server rates: connections stay limited when the server is closed", "[rates][server]")
{
    service s(2);
    s.server->frame_rate(1);
    s.peers[0].send("a\nb\n");
    s.loop.settle();
    s.peers[1].send("c\nd\n");
    CHECK(s.more_now() == texts{"a"});
    s.server->close();
    CHECK(s.more_after(1010ms).size() == 1);
    CHECK(s.more_after(2010ms).size() == 2);
}

TEST_CASE("server rates: a loop may be destroyed while connections wait", "[rates][server]")
{
    shared_log log;
    {
        service s(10);
        s.server->frame_rate(1);
        for (auto& peer : s.peers)
            peer.send("a\nb\n");
        s.loop.settle();
        CHECK(s.log.frames.size() == 1);
    }
    asynchat::testing::loop loop;
    const auto server = loop.create<asynchat::server<handler>>(here, std::ref(log));
    server->read_rate(10);
    auto peer = loop.connect(here);
    peer.send("a\n");
    loop.close_all();
    CHECK(log.frames.empty());
}

TEST_CASE("server rates: thousands that wait cost a wake-up each, and not more",
          "[rates][server][no-tls]")
{
    service s(500);
    s.server->frame_rate(100);
    for (auto& peer : s.peers)
        peer.send("a\n");
    s.loop.settle();
    const std::size_t before = s.loop.operations();
    CHECK(s.log.frames.size() == 100);
    s.loop.advance(4s);
    CHECK(s.log.frames.size() == 500);
    CHECK(s.loop.operations() - before < 4 * 400);
}

TEST_CASE("server rates: handlers that are no async_chat have none", "[rates][server]")
{
    class plain : public asynchat::dispatcher_with_send {
    public:
        using dispatcher_with_send::dispatcher_with_send;
        void handle_read() override
        {
            char bytes[100];
            seen += recv(asio::buffer(bytes));
        }
        void handle_close() override { close(); }
        std::size_t seen = 0;
    };
    asynchat::testing::loop loop;
    const auto server = loop.create<asynchat::server<plain>>(here);
    server->read_rate(1);
    auto peer = loop.connect(here);
    for (int i = 0; i < 10; ++i)
        peer.send(std::string(100, 'x'));
    loop.settle();
    CHECK(server->counters().bytes_in == 1000);
}
