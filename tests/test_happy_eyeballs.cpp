// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/listener.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;
using duration = asynchat::loop::duration;

namespace {

using lines = std::vector<std::string>;

const endpoint v6("2001:db8::1", 80);
const endpoint v4("192.0.2.1", 80);

/// Connects by name, and notes when it did.
class client : public asynchat::testing::recorder<> {
public:
    explicit client(asynchat::loop& owner) : recorder(owner) {}

    void go(std::string_view host = "host")
    {
        begun = owner().now();
        connect(host, 80);
    }
    void handle_connect() override
    {
        recorder::handle_connect();
        took = owner().now() - begun;
        errors_at_connect = connect_errors().size();
    }
    void handle_error() override
    {
        took = owner().now() - begun;
        if (survives)
            note("error");
        else
            recorder::handle_error();
    }

    bool survives = false;
    asynchat::loop::time_point begun;
    std::optional<duration> took;
    std::size_t errors_at_connect = 0;
};

/// "192.0.2.1:80 Connection refused"
lines causes(const asynchat::dispatcher& channel)
{
    lines all;
    for (const auto& each : channel.connect_errors())
        all.push_back(each.to.to_string() + " " + each.error.message());
    return all;
}

std::string text(int error)
{
    return std::system_category().message(error);
}

struct network : asynchat::testing::loop {
    explicit network(std::vector<std::string> addresses = {v6.host(), v4.host()})
    {
        add_host("host", std::move(addresses));
        channel = create<client>().lock();
    }
    std::shared_ptr<client> channel;
};

} // namespace

TEST_CASE("a dead address costs the delay, a refused one nothing", "[connect][testing]")
{
    network net;
    auto good = net.listen(v4);
    std::optional<asynchat::testing::listener> other;
    duration expected{};
    SECTION("dead")
    {
        net.ignore(v6);
        expected = 250ms;
    }
    SECTION("refused")
    {
        expected = 0ms;
    }
    SECTION("refused after a while")
    {
        net.answer_after(v6, 100ms);
        expected = 100ms;
    }
    SECTION("slow, and first all the same")
    {
        other = net.listen(v6);
        net.answer_after(v6, 400ms);
        net.answer_after(v4, 300ms);
        expected = 400ms;
    }
    SECTION("slow, and overtaken")
    {
        other = net.listen(v6);
        net.answer_after(v6, 400ms);
        net.answer_after(v4, 100ms);
        expected = 350ms;
    }
    net.channel->go();
    CHECK(net.channel->connecting());
    CHECK(net.channel->events.empty());
    net.advance(10s);
    CHECK(net.channel->took == expected);
    CHECK(net.channel->events == lines{"connect"});
    CHECK(net.channel->connected());
    CHECK(net.channel->peer_endpoint() == (expected == 400ms ? v6 : v4));
    CHECK(net.channel->addr().to_string() == "host:80");
    CHECK(net.channel->errors_at_connect == 0);
    CHECK(net.sockets() == (other ? 3 : 2)); // with the listeners
}

TEST_CASE("the delay before the next attempt can be set", "[connect][testing]")
{
    network net;
    auto good = net.listen(v4);
    net.ignore(v6);
    CHECK(net.channel->happy_eyeballs_delay() == 250ms);
    net.channel->happy_eyeballs_delay(1s);
    CHECK(net.channel->happy_eyeballs_delay() == 1s);
    CHECK_THROWS_AS(net.channel->happy_eyeballs_delay(-1ms), std::invalid_argument);
    CHECK_THROWS_AS(net.channel->happy_eyeballs_delay(9ms), std::invalid_argument);
    net.channel->go();
    net.advance(10s);
    CHECK(net.channel->took == 1s);
    CHECK(net.channel->happy_eyeballs_delay() == 1s); // also for the next connection
}

TEST_CASE("without a delay the addresses are tried one after the other", "[connect][testing]")
{
    network net;
    auto good = net.listen(v4);
    net.ignore(v6);
    net.channel->happy_eyeballs_delay({});
    net.channel->connect_timeout(5s);
    net.channel->go();
    net.advance(1s);
    CHECK(net.sockets() == 2);
    net.advance(10s);
    CHECK(net.channel->close_reason() == close_reason::connect_timeout);
    CHECK(causes(*net.channel) == lines{"[2001:db8::1]:80 " + text(ETIMEDOUT)});
}

TEST_CASE("the families take turns, unless that is not wanted", "[connect][testing]")
{
    network net({"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"});
    CHECK(net.channel->interleave() == 1);
    const std::size_t first = GENERATE(0U, 1U, 2U);
    CAPTURE(first);
    net.channel->interleave(first);
    CHECK(net.channel->interleave() == first);
    net.channel->go();
    net.advance(1s);
    const std::string refused = " " + text(ECONNREFUSED);
    const lines in_order = {"[2001:db8::1]:80" + refused, "[2001:db8::2]:80" + refused,
                            "192.0.2.1:80" + refused, "192.0.2.2:80" + refused};
    CHECK(causes(*net.channel) ==
          (first == 1 ? lines{in_order[0], in_order[2], in_order[1], in_order[3]} : in_order));
}

TEST_CASE("all causes of a failure are told, and handle_error() is called once",
          "[connect][testing]")
{
    network net({"2001:db8::1", "192.0.2.1", "2001:db8::2"});
    net.answer_after(v6, 300ms);
    net.channel->survives = GENERATE(false, true);
    net.channel->go();
    net.advance(10s);
    CHECK(net.channel->took == 300ms);
    CHECK(net.channel->events ==
          (net.channel->survives
               ? lines{"error"}
               : lines{"error asynchat: connect to host:80: " + text(ECONNREFUSED),
                       "close connect failed"}));
    const std::string refused = " " + text(ECONNREFUSED);
    CHECK(causes(*net.channel) == lines{"192.0.2.1:80" + refused, "[2001:db8::2]:80" + refused,
                                        "[2001:db8::1]:80" + refused});
    CHECK(net.sockets() == 0);
    if (!net.channel->survives)
        return;
    auto good = net.listen(v4);
    net.channel->go(); // another attempt knows nothing of them
    CHECK(net.channel->connect_errors().empty());
    net.advance(10s);
    CHECK(net.channel->events == lines{"error", "connect"});
    CHECK(net.channel->connect_errors().empty());
}

TEST_CASE("an address that accepts and resets at once is told with the others",
          "[connect][testing]")
{
    class resetting : public asynchat::testing::recorder<> {
    public:
        using recorder::recorder;
        void handle_open() override { abort(); }
    };
    network net({v6.host(), "192.0.2.2", v4.host()});
    const auto server = net.create<asynchat::server<resetting>>(v4);
    const std::string refused = " " + text(ECONNREFUSED);
    const std::string reset = v4.to_string() + " " + text(ECONNRESET);
    lines expected;
    SECTION("by name")
    {
        net.channel->go();
        expected = {"192.0.2.2:80" + refused, v6.to_string() + refused, reset};
    }
    SECTION("by name, with a setting that stays")
    {
        net.channel->happy_eyeballs_delay(10ms);
        net.channel->go();
        expected = {"192.0.2.2:80" + refused, v6.to_string() + refused, reset};
    }
    SECTION("by name, with a socket")
    {
        net.channel->create_socket(AF_INET);
        net.channel->go();
        expected = {"192.0.2.2:80" + refused, v6.to_string() + refused, reset};
    }
    SECTION("by address")
    {
        net.channel->connect(v4);
        expected = {reset};
    }
    net.settle();
    lines told = causes(*net.channel);
    REQUIRE(told.size() == expected.size());
    CHECK(told.back() == expected.back());
    std::sort(told.begin(), told.end());
    std::sort(expected.begin(), expected.end());
    CHECK(told == expected);
    CHECK(net.channel->close_reason() == close_reason::connect_failed);
    CHECK(net.channel->close_error() == std::errc::connection_reset);
}

TEST_CASE("a single address tells its cause as well", "[connect][testing]")
{
    network net;
    net.channel->connect(v4);
    net.settle();
    CHECK(causes(*net.channel) == lines{"192.0.2.1:80 " + text(ECONNREFUSED)});
    CHECK(net.channel->events.back() == "close connect failed");
}

TEST_CASE("connect_timeout covers all attempts, and tells those under way", "[connect][testing]")
{
    network net(
        {"2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8::5"});
    for (const char* const dead : {"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"})
        net.ignore(endpoint(dead, 80));
    net.channel->connect_timeout(3s);
    net.channel->go();
    net.advance(2s);
    CHECK(net.sockets() == 4); // and none for the last address
    net.advance(10s);
    CHECK(net.channel->close_reason() == close_reason::connect_timeout);
    CHECK(net.channel->events.size() == 2); // the error and the close
    const std::string late = " " + text(ETIMEDOUT);
    CHECK(causes(*net.channel) == lines{"192.0.2.1:80 " + text(ECONNREFUSED),
                                        "[2001:db8::1]:80" + late, "[2001:db8::2]:80" + late,
                                        "[2001:db8::3]:80" + late, "[2001:db8::4]:80" + late});
    CHECK(net.sockets() == 0);
}

TEST_CASE("an answer at the moment of the next attempt makes it needless", "[connect][testing]")
{
    network net;
    auto slow = net.listen(v6);
    auto fast = net.listen(v4);
    net.answer_after(v6, 250ms);
    net.channel->go();
    net.advance(10s);
    CHECK(net.channel->took == 250ms);
    CHECK(net.channel->peer_endpoint() == v6);
    CHECK(fast.waiting() == 0);
}

TEST_CASE("of two that answer at the same moment the second is reset", "[connect][testing]")
{
    network net;
    auto slow = net.listen(v6);
    auto fast = net.listen(v4);
    net.answer_after(v6, 350ms);
    net.answer_after(v4, 100ms);
    net.channel->go();
    net.advance(10s);
    CHECK(net.channel->took == 350ms);
    CHECK(net.channel->events == lines{"connect"});
    REQUIRE(slow.waiting() == 1);
    REQUIRE(fast.waiting() == 1);
    auto a = slow.accept();
    auto b = fast.accept();
    CHECK(a.was_reset() != b.was_reset());
    CHECK(net.sockets() == 3);
}

TEST_CASE("what ends an attempt closes all its sockets", "[connect][testing]")
{
    network net;
    net.ignore(v6);
    net.ignore(v4);
    net.channel->go();
    net.advance(1s);
    REQUIRE(net.sockets() == 2);
    lines expected;
    std::size_t left = 0;
    SECTION("close()")
    {
        net.channel->close();
    }
    SECTION("another connect()")
    {
        net.channel->connect(endpoint("127.0.0.1", 9));
        expected = {"error asynchat: connect to 127.0.0.1:9: " + text(ECONNREFUSED),
                    "close connect failed"};
        left = 1;
    }
    SECTION("another connect() to a name")
    {
        net.channel->go("elsewhere");
        expected = {"error asynchat: connect to elsewhere:80: " + text(ECONNREFUSED),
                    "close connect failed"};
    }
    SECTION("create_socket()")
    {
        net.channel->create_socket();
        CHECK_FALSE(net.channel->connecting());
        left = 1;
    }
    CHECK(net.sockets() == left);
    const bool has_socket = left == 1 && expected.empty();
    net.advance(10min);
    CHECK(net.channel->events == expected);
    CHECK(net.sockets() == (has_socket ? 1 : 0));
}

TEST_CASE("a socket made before is used, and the addresses are tried in turn", "[connect][testing]")
{
    network net;
    auto good = net.listen(v4);
    net.answer_after(v6, 5s);
    net.channel->create_socket();
    net.channel->go();
    net.advance(4s);
    CHECK(net.channel->connecting());
    CHECK(net.sockets() == 2);
    net.advance(1s);
    CHECK(net.channel->took == 5s);
    CHECK(net.channel->events == lines{"connect"});
}

TEST_CASE("without descriptors the other addresses are tried", "[connect][testing]")
{
    network net;
    auto good = net.listen(v4);
    const std::size_t failures = GENERATE(1U, 2U);
    for (std::size_t i = 1; i <= failures; ++i)
        net.fail(i, EMFILE, asynchat::testing::operation::open);
    net.channel->go();
    net.advance(1s);
    if (failures == 1) {
        CHECK(net.channel->events == lines{"connect"});
        return;
    }
    CHECK(net.channel->close_error() == std::errc::too_many_files_open);
    CHECK(net.channel->connect_errors().size() == 2);
}

TEST_CASE("a pushed output waits for the winner", "[connect][testing]")
{
    network net;
    auto good = net.listen(v4);
    net.ignore(v6);
    net.channel->push("hello");
    net.channel->go();
    net.advance(1s);
    CHECK(good.accept().received() == "hello");
}

TEST_CASE("a host of the test kit has addresses, and ports by number", "[testing]")
{
    network net;
    CHECK_THROWS_AS(net.add_host("bad", {"name"}), std::invalid_argument);
    CHECK_THROWS_AS(net.channel->connect("host", std::string_view("http")), std::logic_error);
}

// --- over sockets --------------------------------------------------------------------------------

TEST_CASE("localhost whose first family refuses is connected over the other", "[connect]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    asynchat::loop loop;
    const support::raw_listener server(endpoint("127.0.0.1", 0));
    const auto channel = loop.create<support::recorder>();
    channel->connect("localhost", server.address().port());
    CHECK(channel->native_handle() == -1); // it has a socket when it is connected
    REQUIRE(support::run_until(loop, [&] { return channel->connected(); }));
    CHECK(channel->calls == support::calls{"handle_connect"});
    CHECK(channel->peer_endpoint() == server.address());
}

TEST_CASE("a socket that is connected to itself is refused", "[connect]")
{
    const int family = GENERATE(AF_INET, AF_INET6);
    const bool by_name = GENERATE(false, true);
    CAPTURE(family, by_name);
    if (by_name && (family != AF_INET || !support::finds_localhost()))
        return;
    asynchat::loop loop;
    const auto channel = loop.create<support::recorder>().lock();
    channel->create_socket(family);
    channel->bind(endpoint(family == AF_INET ? "127.0.0.1" : "::1", 0));
    const endpoint own = channel->local_endpoint();
    if (by_name)
        channel->connect("localhost", own.port());
    else
        channel->connect(own);
    REQUIRE(support::run_until(loop, [&] { return !channel->calls.empty(); }));
    CHECK(channel->calls == support::calls{"handle_error", "handle_close"});
    CHECK(channel->close_reason() == close_reason::connect_failed);
    CHECK(channel->close_error() == std::errc::connection_refused);
    CHECK(channel->connect_errors().size() == 1);
}

// --- many networks -------------------------------------------------------------------------------

namespace {

/// A network whose addresses answer, refuse or are silent, each after a time of its own, and a
/// client that is closed, or connects again, at some moment.
class random_network : public asynchat::testing::loop {
public:
    explicit random_network(std::uint64_t seed) : loop(seed), random_(seed)
    {
        std::vector<std::string> addresses;
        for (std::size_t count = random_.below(8); addresses.size() < count;)
            addresses.push_back(make_address(addresses.size()));
        add_host("host", addresses);
        faults().refuse = random_.per_mille(200) ? 300 : 0;
        channel_ = create<client>().lock();
        channel_->survives = random_.per_mille(500);
        channel_->connect_timeout(some_time(4000));
        if (random_.per_mille(300))
            channel_->happy_eyeballs_delay(random_.per_mille(200) ? duration()
                                                                  : 10ms + some_time(500));
        channel_->interleave(random_.below(3));
        if (random_.per_mille(200))
            channel_->create_socket(random_.per_mille(500) ? AF_INET : AF_INET6);
        if (random_.per_mille(100))
            fail(1 + random_.below(4), EMFILE, asynchat::testing::operation::open);
    }

    void run_it()
    {
        const std::size_t what = random_.below(6);
        channel_->go();
        std::size_t begun = 1;
        if (what < 3) {
            advance(some_time(3000));
            const bool was_over = outcomes() > 0;
            if (what == 0)
                channel_->close();
            else if (!channel_->closed() && channel_->connecting())
                channel_->go();
            if (!was_over && what == 0)
                begun = 0;
        }
        advance(1min);
        REQUIRE(outcomes() == begun);
        check_sockets();
        channel_->close();
        advance(1min);
        REQUIRE(outcomes() == begun);
        CHECK(sockets() == listeners_.size());
        CHECK(open_connections() == 0);
    }

private:
    std::string make_address(std::size_t index)
    {
        const std::string number = std::to_string(index + 1);
        const endpoint where(random_.per_mille(500) ? "2001:db8::" + number : "192.0.2." + number,
                             80);
        const std::size_t kind = random_.below(10);
        if (kind < 3)
            ignore(where);
        else if (kind < 6)
            listeners_.push_back(listen(where));
        if (random_.per_mille(800))
            answer_after(where, some_time(1500));
        return where.host();
    }

    /// Often a multiple of the delay, so that much happens at the same moment.
    duration some_time(std::size_t milliseconds)
    {
        const std::size_t time = 1 + random_.below(milliseconds);
        return std::chrono::milliseconds(random_.per_mille(500) ? (time + 49) / 50 * 50 : time);
    }

    std::size_t outcomes() const
    {
        std::size_t found = 0;
        for (const std::string& event : channel_->events)
            found += event == "connect" || event.rfind("error", 0) == 0 ? 1U : 0U;
        return found;
    }

    /// The channel has one if it is connected, and the others were closed.
    void check_sockets()
    {
        const bool connected = channel_->connected();
        CHECK(sockets() == listeners_.size() + (connected ? 1 : 0));
        CHECK(open_connections() == (connected ? 1 : 0));
        CHECK_FALSE(channel_->connecting());
    }

    std::size_t open_connections()
    {
        std::size_t open = 0;
        for (auto& each : listeners_) {
            while (each.waiting() > 0)
                peers_.push_back(each.accept());
        }
        for (auto& each : peers_)
            open += each.was_reset() || each.ended() ? 0U : 1U;
        return open;
    }

    asynchat::testing::random random_;
    std::vector<asynchat::testing::listener> listeners_;
    std::vector<asynchat::testing::peer> peers_;
    std::shared_ptr<client> channel_;
};

} // namespace

TEST_CASE("in any network a connect has one outcome, and leaves no socket", "[connect][slow]")
{
    asynchat::testing::for_seeds(10000, [](std::uint64_t seed) {
        CAPTURE(seed);
        random_network(seed).run_it();
    });
}
