// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

// No assertion runs in a second thread: Catch2 is for one.

namespace {

const endpoint any_port("127.0.0.1", 0);

/// Runs a group in a thread of its own. Stops it at the end, whatever the test does.
template <class Group>
class running_group {
public:
    explicit running_group(Group& group) : group_(group)
    {
        std::promise<void> started;
        auto starts = started.get_future();
        group_.post([once = std::make_shared<std::atomic<bool>>(false),
                     told = std::make_shared<std::promise<void>>(std::move(started))](auto&) {
            if (!once->exchange(true))
                told->set_value();
        });
        thread_ = std::thread([this] {
            try {
                group_.run();
            } catch (...) {
                failure_ = std::current_exception();
            }
            ended_ = true;
        });
        starts.wait_for(patience);
    }
    ~running_group()
    {
        if (thread_.joinable()) {
            group_.stop(0s);
            thread_.join();
        }
    }
    running_group(const running_group&) = delete;
    running_group& operator=(const running_group&) = delete;

    /// Waits for the end of run(). Returns what it has thrown.
    std::exception_ptr end()
    {
        thread_.join();
        return failure_;
    }
    bool ended() const { return ended_; }

    server_counters counters()
    {
        std::promise<server_counters> sum;
        auto result = sum.get_future();
        group_.gather_counters([&](const server_counters& all) { sum.set_value(all); });
        return result.wait_for(patience) == std::future_status::ready ? result.get()
                                                                      : server_counters();
    }
    template <class Done>
    bool until(Done done)
    {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (!done(counters())) {
            if (std::chrono::steady_clock::now() > end)
                return false;
        }
        return true;
    }

private:
    Group& group_;
    std::thread thread_;
    std::exception_ptr failure_;
    std::atomic<bool> ended_{false};
};

/// Waits for input until `done(peer)`.
template <class Done>
bool until(raw_peer& peer, Done done)
{
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!done(peer)) {
        pollfd state = {};
        state.fd = peer.fd();
        state.events = POLLIN;
        if (std::chrono::steady_clock::now() > end || ::poll(&state, 1, 1000) < 0)
            return false;
    }
    return true;
}

bool receives(raw_peer& peer, const std::string& what)
{
    return until(peer, [&](raw_peer& p) { return p.received() == what || p.ended(); }) &&
           peer.received() == what;
}

bool ends(raw_peer& peer)
{
    return until(peer, [](raw_peer& p) { return p.ended(); });
}

std::vector<std::string> lines_of(std::string_view text)
{
    std::vector<std::string> lines;
    for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return lines;
}

/// Writes no log, and does what the test says.
class quiet_echo : public logging<async_chat> {
public:
    struct hooks {
        std::atomic<bool> throws_when_made{false};
    };

    quiet_echo(loop& owner, asynchat::socket from, hooks& test) : logging(owner, std::move(from))
    {
        if (test.throws_when_made)
            throw test_error("not wanted");
        set_terminator("\n");
        linger_timeout(0s); // the peers of the tests stay
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override
    {
        const std::string line = _get_data();
        if (line == "exit")
            throw exit_now();
        if (line == "stop the loop")
            owner().stop();
        push(line + "\n");
    }
};

using echo_group = server_group<quiet_echo>;

group_options with(spread how, std::size_t loops, const listen_options& where = any_port)
{
    return group_options(where).loops(loops).policy(how);
}

template <class Handler>
void silence(server_group<Handler>& group)
{
    group.each([](auto& server) { server.owner().log_sink([](log_type, std::string_view) {}); });
}

// --- a room over several loops ---------------------------------------------------------------

class talker;

struct chat_room {
    server_group<talker>* group = nullptr;
};

class talker : public async_chat {
public:
    talker(loop& owner, asynchat::socket from, chat_room& room)
        : async_chat(owner, std::move(from)), room_(room)
    {
        set_terminator("\n");
        linger_timeout(0s);
    }
    void handle_open() override { push("welcome\n"); }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override
    {
        room_.group->post([line = _get_data() + "\n"](server_base& here) {
            for (const auto& channel : here.owner().channels()) {
                if (const auto member = std::dynamic_pointer_cast<talker>(channel))
                    member->push(line);
            }
        });
    }

private:
    chat_room& room_;
};

} // namespace

TEST_CASE("each member of a room over four loops sees each message once, in order", "[threads]")
{
    constexpr std::size_t members = 12;
    constexpr std::size_t messages = 50;
    const auto how = GENERATE(spread::hand_off, spread::reuse_port);
    CAPTURE(static_cast<int>(how));
    chat_room room;
    server_group<talker> group(with(how, 4), std::ref(room));
    room.group = &group;
    running_group run(group);

    std::vector<raw_peer> peers;
    for (std::size_t i = 0; i < members; ++i) {
        peers.push_back(raw_peer::connected_to(group.local_endpoint()));
        REQUIRE(receives(peers.back(), "welcome\n"));
    }
    for (std::size_t n = 0; n < messages; ++n) {
        for (std::size_t i = 0; i < members; ++i)
            peers[i].send(std::to_string(i) + " " + std::to_string(n) + "\n");
    }
    for (auto& peer : peers) {
        REQUIRE(until(peer, [&](raw_peer& p) {
            return lines_of(p.received()).size() == 1 + members * messages;
        }));
        std::vector<std::size_t> next(members);
        for (const std::string& line : lines_of(peer.received())) {
            if (line == "welcome")
                continue;
            const std::size_t from = std::stoul(line);
            REQUIRE(std::stoul(line.substr(line.find(' '))) == next.at(from)++);
        }
    }
    group.stop(10s);
    CHECK(run.end() == nullptr);
    CHECK(group.counters().frames == members * messages);
}

TEST_CASE("a group spreads its connections", "[threads]")
{
    const auto how = GENERATE(spread::hand_off, spread::reuse_port);
    CAPTURE(static_cast<int>(how));
    quiet_echo::hooks hooks;
    echo_group group(with(how, 4), std::ref(hooks));
    CHECK(group.size() == 4);
    std::vector<raw_peer> peers;
    {
        running_group run(group);
        for (int i = 0; i < 100; ++i)
            peers.push_back(raw_peer::connected_to(group.local_endpoint()));
        for (auto& peer : peers) {
            peer.send("hello\n");
            REQUIRE(receives(peer, "hello\n"));
        }
        CHECK(run.counters().open == 100);
        group.stop(10s);
        CHECK(run.end() == nullptr);
    }
    CHECK(group.counters().accepted == 100);
    CHECK(group.counters().frames == 100);
    CHECK(group.counters().open == 0);
}

TEST_CASE("hand_off gives each loop as many connections as any other", "[threads]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 3), std::ref(hooks));
    std::vector<std::uint64_t> accepted(3);
    std::vector<raw_peer> peers;
    {
        running_group run(group);
        for (int i = 0; i < 90; ++i)
            peers.push_back(raw_peer::connected_to(group.local_endpoint()));
        REQUIRE(run.until([](const server_counters& all) { return all.open == 90; }));
        std::vector<std::promise<std::size_t>> open(3);
        std::atomic<std::size_t> next{0};
        group.post([&](server_base& here) { open[next++].set_value(here.counters().open); });
        for (auto& each : open)
            CHECK(each.get_future().get() == 30);
    }
}

TEST_CASE("hand_off serves UNIX sockets and sockets that listen already", "[threads]")
{
    temp_dir dir;
    quiet_echo::hooks hooks;
    const endpoint path = endpoint::unix_path(dir.file("s"));
    const raw_listener made(any_port);
    const int copy = ::fcntl(made.fd(), F_DUPFD_CLOEXEC, 0);
    echo_group group(with(spread::hand_off, 2,
                          listen_options(path).add(asynchat::socket(copy, AF_INET, SOCK_STREAM))),
                     std::ref(hooks));
    REQUIRE(group.local_endpoints() == std::vector<endpoint>{path, made.address()});
    running_group run(group);
    for (const endpoint& where : group.local_endpoints()) {
        auto peer = raw_peer::connected_to(where);
        peer.send("hello\n");
        CHECK(receives(peer, "hello\n"));
    }
}

// --- limits ------------------------------------------------------------------------------------

TEST_CASE("a group accepts no more than its loops may have", "[threads][limit]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 2), std::ref(hooks));
    silence(group);
    group.each([](server_base& server) { server.max_connections(2); });
    running_group run(group);
    std::vector<raw_peer> peers;
    for (int i = 0; i < 6; ++i) {
        peers.push_back(raw_peer::connected_to(group.local_endpoint()));
        peers.back().send(std::to_string(i) + "\n");
    }
    for (std::size_t i = 0; i < 4; ++i)
        REQUIRE(receives(peers[i], std::to_string(i) + "\n"));
    CHECK(run.counters().accepted == 4);
    peers[3].close(); // of the second loop, so the first one has to be woken
    REQUIRE(receives(peers[4], "4\n"));
    CHECK(run.counters().accepted == 5);
    group.post([](server_base& server) { server.max_connections(3); });
    REQUIRE(receives(peers[5], "5\n"));
    const auto all = run.counters();
    CHECK(all.open == 5);
    CHECK(all.refused == 0);
}

TEST_CASE("many short connections over the limit of a group are all served", "[threads][limit]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 4), std::ref(hooks));
    silence(group);
    group.each([](server_base& server) { server.max_connections(1); });
    running_group run(group);
    std::atomic<int> served{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 8; ++i) {
        clients.emplace_back([&] {
            for (int n = 0; n < 50; ++n) {
                auto peer = raw_peer::connected_to(group.local_endpoint());
                peer.send("hello\n");
                served += receives(peer, "hello\n") ? 1 : 0;
            }
        });
    }
    for (auto& each : clients)
        each.join();
    CHECK(served == 400);
    CHECK(run.until([](const server_counters& all) { return all.open == 0; }));
    CHECK(run.counters().refused == 0);
}

TEST_CASE("what comes to nothing does not keep its place in the group", "[threads][limit]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 2), std::ref(hooks));
    silence(group);
    group.each([](server_base& server) { server.max_connections(1); });
    running_group run(group);
    hooks.throws_when_made = true;
    for (int i = 0; i < 6; ++i) {
        auto peer = raw_peer::connected_to(group.local_endpoint());
        CHECK(ends(peer));
    }
    group.post([](server_base& server) { server.max_connections_per_address(0); });
    REQUIRE(run.until([](const server_counters&) { return true; })); // behind it in each loop
    hooks.throws_when_made = false;
    for (int i = 0; i < 6; ++i) {
        auto peer = raw_peer::connected_to(group.local_endpoint());
        CHECK(ends(peer));
    }
    group.post([](server_base& server) { server.max_connections_per_address(unlimited); });
    REQUIRE(run.until([](const server_counters&) { return true; })); // behind it in each loop
    for (int i = 0; i < 6; ++i) {
        auto peer = raw_peer::connected_to(group.local_endpoint());
        peer.send("hello\n");
        CHECK(receives(peer, "hello\n"));
    }
    CHECK(run.until([](const server_counters& all) { return all.open == 0; }));
    const auto all = run.counters();
    CHECK(all.accepted == 12);
    CHECK(all.refused == 6);
    CHECK(all.closes(close_reason::callback_error) == 6);
}

TEST_CASE("who waits for its PROXY header has a place in the group already", "[threads][limit]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 2), std::ref(hooks));
    silence(group);
    group.each([](server_base& server) {
        server.max_connections(2);
        server.expect_proxy({address_range("127.0.0.1")});
    });
    running_group run(group);
    const std::string header = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
    std::vector<raw_peer> peers;
    for (int i = 0; i < 5; ++i)
        peers.push_back(raw_peer::connected_to(group.local_endpoint()));
    for (std::size_t i = 0; i < 3; ++i) {
        peers[i].send(header + "hello\n");
        REQUIRE(receives(peers[i], "hello\n"));
    }
    REQUIRE(run.until([](const server_counters& all) { return all.handshakes == 1; }));
    peers[4].send(header + "last\n"); // waits in the system's queue
    peers[3].send(header + "fourth\n");
    REQUIRE(receives(peers[3], "fourth\n"));
    CHECK(run.counters().accepted == 4);
    peers[0].close();
    REQUIRE(receives(peers[4], "last\n"));
    CHECK(run.counters().refused == 0);
}

namespace {

/// A handshake: the peer knocks with one byte.
class knock_layer final : public transport_layer {
public:
    bool is_established() const noexcept override { return knocked_; }
    void establish(const endpoint&, std::error_code& error) override
    {
        char byte = 0;
        lower().read_some(asio::buffer(&byte, 1), error);
        knocked_ = !error;
    }

private:
    bool knocked_ = false;
};

} // namespace

TEST_CASE("a PROXY header and the handshake behind it have one place in the group",
          "[threads][limit]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 2), std::ref(hooks));
    silence(group);
    group.each([](server_base& server) {
        server.max_handshakes(2); // four together
        server.proxy_timeout(0s);
        server.expect_proxy({address_range("127.0.0.1")});
        server.use_layer([] { return std::make_unique<knock_layer>(); });
    });
    running_group run(group);
    const std::string header = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
    std::vector<raw_peer> peers;
    const auto connect = [&](const char* bytes) {
        peers.push_back(raw_peer::connected_to(group.local_endpoint()));
        peers.back().send(bytes);
    };
    const auto counts = [&](std::size_t handshakes, std::size_t accepted) {
        return run.until([=](const server_counters& all) {
            return all.handshakes == handshakes && all.accepted == accepted;
        });
    };
    connect(header.c_str()); // in the loop that accepts
    REQUIRE(counts(1, 1));
    connect(header.c_str()); // in the other one
    REQUIRE(counts(2, 2));
    connect("PROXY");
    connect("PROXY");
    REQUIRE(counts(4, 2));
    connect("PROXY"); // waits in the system's queue
    peers[0].send("!hello\n");
    REQUIRE(receives(peers[0], "hello\n"));
    REQUIRE(counts(4, 2)); // and comes
    for (std::size_t i = 1; i < peers.size(); ++i) {
        if (i > 1)
            peers[i].send(header.substr(5));
        peers[i].send("!hello\n");
        CHECK(receives(peers[i], "hello\n"));
    }
    REQUIRE(counts(0, 5));
    CHECK(run.counters().refused == 0);
}

TEST_CASE("a server of a group that was closed gets no more connections", "[threads]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 3), std::ref(hooks));
    std::mutex mutex;
    std::vector<std::shared_ptr<server_base>> kept; // a closed server may live on
    running_group run(group);
    group.post([&](server_base& server) {
        if (!server.local_endpoints().empty()) // it accepts for the others
            return;
        const std::lock_guard lock(mutex);
        kept.push_back(server.owner().handle_of(server).lock());
        server.close();
    });
    REQUIRE(run.until([](const server_counters&) { return true; })); // behind it in each loop
    std::vector<raw_peer> peers; // they stay, so that the closed ones have the fewest
    for (int i = 0; i < 6; ++i) {
        peers.push_back(raw_peer::connected_to(group.local_endpoint()));
        peers.back().send("hello\n");
        CHECK(receives(peers.back(), "hello\n"));
    }
}

// --- the end -----------------------------------------------------------------------------------

TEST_CASE("an exception that leaves one loop ends all, and comes out of run()", "[threads]")
{
    const auto how = GENERATE(spread::hand_off, spread::reuse_port);
    CAPTURE(static_cast<int>(how));
    quiet_echo::hooks hooks;
    echo_group group(with(how, 3), std::ref(hooks));
    auto other = raw_peer::connected_to(group.local_endpoint());
    {
        running_group run(group);
        auto peer = raw_peer::connected_to(group.local_endpoint());
        peer.send("exit\n");
        const auto failure = run.end();
        REQUIRE(failure);
        CHECK_THROWS_AS(std::rethrow_exception(failure), exit_now);
    }
    // It can be run again, and has lost nobody.
    running_group again(group);
    other.send("hello\n");
    CHECK(receives(other, "hello\n"));
    group.stop(10s);
    CHECK(again.end() == nullptr);
    CHECK(ends(other));
}

TEST_CASE("an exception ends all loops also when no server is left", "[threads]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 2), std::ref(hooks));
    running_group run(group);
    std::vector<raw_peer> peers;
    for (int i = 0; i < 2; ++i) { // one in each loop
        peers.push_back(raw_peer::connected_to(group.local_endpoint()));
        peers.back().send("hello\n");
        REQUIRE(receives(peers.back(), "hello\n"));
    }
    group.post([](server_base& server) { server.close(); });
    REQUIRE(run.until([](const server_counters&) { return true; })); // behind it in each loop
    peers[0].send("exit\n");
    const auto failure = run.end();
    REQUIRE(failure);
    CHECK_THROWS_AS(std::rethrow_exception(failure), exit_now);
    CHECK(group.counters().open == 2);
}

TEST_CASE("stop() of one loop ends the run of all", "[threads]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 3), std::ref(hooks));
    running_group run(group);
    auto peer = raw_peer::connected_to(group.local_endpoint());
    peer.send("stop the loop\n");
    CHECK(run.end() == nullptr);
    CHECK(group.counters().open == 1); // nothing is closed by it
}

TEST_CASE("a handler that cannot be made does not end the server of a group that stops",
          "[threads]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 2), std::ref(hooks));
    silence(group);
    std::promise<void> come;
    auto has_come = come.get_future();
    std::shared_ptr<server_base> other; // that does not accept
    {
        running_group run(group);
        std::vector<raw_peer> peers;
        const auto connect = [&] { // the loops in turn, the one that accepts first
            peers.push_back(raw_peer::connected_to(group.local_endpoint()));
            peers.back().send("hello\n");
        };
        for (int i = 0; i < 2; ++i) {
            connect();
            REQUIRE(receives(peers.back(), "hello\n"));
        }
        group.post([&](server_base& server) {
            if (!server.local_endpoints().empty())
                return;
            other = server.owner().handle_of(server).lock();
            has_come.wait_for(patience);
            server.stop(1h);
        });
        connect();
        REQUIRE(receives(peers.back(), "hello\n"));
        connect(); // to the loop that waits
        connect();
        REQUIRE(receives(peers.back(), "hello\n"));
        hooks.throws_when_made = true;
        come.set_value();
        CHECK(ends(peers[3]));
        CHECK(ends(peers[1])); // it is asked to finish after that
        group.stop(10s);
        CHECK(run.end() == nullptr);
    }
    REQUIRE(other);
    CHECK(other->counters().closes(close_reason::callback_error) == 1);
    CHECK(other->close_reason() == close_reason::local);
}

TEST_CASE("a group stops under load", "[threads]")
{
    const auto how = GENERATE(spread::hand_off, spread::reuse_port);
    CAPTURE(static_cast<int>(how));
    quiet_echo::hooks hooks;
    echo_group group(with(how, 4), std::ref(hooks));
    silence(group);
    running_group run(group);
    const endpoint where = group.local_endpoint();
    std::atomic<int> wrong{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back([&] {
            while (!run.ended()) {
                try {
                    auto peer = raw_peer::connected_to(where);
                    peer.send("hello\n");
                    until(peer, [](raw_peer& p) { return p.ended() || !p.received().empty(); });
                    wrong += peer.received().empty() || peer.received() == "hello\n" ? 0 : 1;
                } catch (const std::system_error&) { // it has ended
                }
            }
        });
    }
    REQUIRE(run.until([](const server_counters& all) { return all.frames > 200; }));
    group.stop(10s);
    const bool failed = run.end() != nullptr;
    for (auto& each : clients)
        each.join();
    CHECK_FALSE(failed);
    CHECK(wrong == 0);
    const auto all = group.counters();
    CHECK(all.open == 0);
    CHECK(all.handshakes == 0);
    CHECK_THROWS_AS(raw_peer::connected_to(where), std::system_error);
}

namespace {

/// Answers one line. Its server may stop before: the line may be on its way.
class one_answer : public logging<async_chat> {
public:
    one_answer(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
    {
        set_terminator("\n");
        linger_timeout(0s); // the peers of the tests stay
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override
    {
        push(_get_data() + "\n");
        close_when_done();
    }
    void handle_shutdown() override {}
};

/// The number of connections, asked and not answered.
std::size_t unanswered(std::vector<raw_peer>& peers)
{
    return static_cast<std::size_t>(std::count_if(
        peers.begin(), peers.end(), [](raw_peer& peer) { return !receives(peer, "hello\n"); }));
}

void ask(std::vector<raw_peer>& peers, const endpoint& where)
{
    for (int i = 0; i < 60; ++i) {
        peers.push_back(raw_peer::connected_to(where));
        peers.back().send("hello\n");
    }
}

/// The sockets that a group listens on, loop by loop.
std::vector<asynchat::socket> sockets_of(server_group<one_answer>& group)
{
    std::mutex mutex;
    std::vector<asynchat::socket> all;
    std::promise<void> done;
    std::size_t left = group.size();
    group.post([&](server_base& server) {
        auto mine = server.share_listeners();
        const std::lock_guard lock(mutex);
        for (asynchat::socket& each : mine)
            all.push_back(std::move(each));
        if (--left == 0)
            done.set_value();
    });
    REQUIRE(done.get_future().wait_for(patience) == std::future_status::ready);
    const std::lock_guard lock(mutex); // until the last one has let go of it
    return all;
}

listen_options options_of(std::vector<asynchat::socket> sockets)
{
    listen_options where(std::move(sockets.at(0)));
    for (std::size_t i = 1; i < sockets.size(); ++i)
        where.add(std::move(sockets[i]));
    return where;
}

} // namespace

TEST_CASE("a group that stops answers all who waited for it", "[threads]")
{
    const auto how = GENERATE(spread::hand_off, spread::reuse_port);
    CAPTURE(static_cast<int>(how));
    for (int round = 0; round < 10; ++round) {
        server_group<one_answer> group(with(how, 3));
        silence(group);
        running_group run(group);
        std::promise<void> go_on; // until then no loop accepts
        group.post([ready = go_on.get_future().share()](server_base&) { ready.wait(); });
        std::vector<raw_peer> peers;
        ask(peers, group.local_endpoint());
        group.stop(10s);
        go_on.set_value();
        CHECK(unanswered(peers) == 0);
        CHECK(run.end() == nullptr);
        CHECK(group.counters().accepted == 60);
        CHECK(group.counters().refused == 0);
    }
}

TEST_CASE("a group takes the sockets of the one before it, and nobody is lost", "[threads]")
{
    const auto how = GENERATE(std::make_pair(spread::hand_off, spread::hand_off),
                              std::make_pair(spread::reuse_port, spread::reuse_port),
                              std::make_pair(spread::reuse_port, spread::hand_off));
    CAPTURE(static_cast<int>(how.first), static_cast<int>(how.second));
    server_group<one_answer> first(with(how.first, 3));
    silence(first);
    running_group old_run(first);
    const endpoint where = first.local_endpoint();
    std::vector<raw_peer> peers;
    ask(peers, where);
    auto sockets = sockets_of(first);
    REQUIRE(sockets.size() == (how.first == spread::hand_off ? 1U : 3U));
    const std::size_t loops = how.first == how.second ? 3 : 2;
    server_group<one_answer> second(with(how.second, loops, options_of(std::move(sockets))));
    silence(second);
    REQUIRE(second.local_endpoint() == where);
    ask(peers, where); // some of these wait for the first group
    first.stop(10s);
    ask(peers, where);
    running_group new_run(second);
    ask(peers, where);
    CHECK(unanswered(peers) == 0);
    CHECK(old_run.end() == nullptr);
    const auto all = new_run.counters();
    CHECK(all.accepted + first.counters().accepted == peers.size());
    CHECK(all.refused + first.counters().refused == 0);
}

TEST_CASE("sockets that do not fit a group are left to the caller", "[threads]")
{
    loop before; // does not run
    auto one = before.create<asynchat::server<one_answer>>(any_port).lock();
    auto two = before.create<asynchat::server<one_answer>>(any_port).lock();
    std::vector<asynchat::socket> sockets = one->share_listeners();
    for (asynchat::socket& each : two->share_listeners())
        sockets.push_back(std::move(each));
    raw_peer peer = raw_peer::connected_to(one->local_endpoint());
    peer.send("hello\n");
    const listen_options where = options_of(std::move(sockets));
    CHECK_THROWS_AS(server_group<one_answer>(with(spread::reuse_port, 2, where)),
                    std::invalid_argument);
    server_group<one_answer> group(with(spread::hand_off, 2, where));
    silence(group);
    one->close();
    two->close();
    running_group run(group);
    CHECK(receives(peer, "hello\n"));
}

TEST_CASE("reuse_port wants a socket for each loop and address", "[threads]")
{
    using Catch::Matchers::ContainsSubstring;
    const auto listening = [](const raw_listener& from) {
        return asynchat::socket(::fcntl(from.fd(), F_DUPFD_CLOEXEC, 0), AF_INET, SOCK_STREAM);
    };
    const raw_listener one(any_port);
    const raw_listener other(any_port);
    const auto make = [](const listen_options& where) {
        server_group<one_answer>(with(spread::reuse_port, 2, where));
    };
    CHECK_THROWS_WITH(make(listening(one)), ContainsSubstring("for each loop"));
    CHECK_THROWS_WITH(make(listen_options(listening(one)).add(listening(other))),
                      ContainsSubstring("for each loop"));
    CHECK_THROWS_WITH(make(listen_options(listening(one)).add(any_port)),
                      ContainsSubstring("for each loop"));
    CHECK_NOTHROW(make(listen_options(listening(one)).add(listening(one))));
}

TEST_CASE("a signal stops a group", "[threads]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 2), std::ref(hooks));
    group.stop_on_signals(10s);
    running_group run(group);
    auto peer = raw_peer::connected_to(group.local_endpoint());
    peer.send("hello\n");
    REQUIRE(receives(peer, "hello\n"));
    ::kill(::getpid(), SIGTERM);
    CHECK(run.end() == nullptr);
    CHECK(ends(peer));
}

TEST_CASE("a group that is stopped before it runs ends at once", "[threads]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::reuse_port, 2), std::ref(hooks));
    group.stop(10s);
    group.run();
    CHECK(group.counters().accepted == 0);
    group.run(); // has nothing left to do
}

TEST_CASE("a group that never ran closes what waits", "[threads]")
{
    quiet_echo::hooks hooks;
    const auto how = GENERATE(spread::hand_off, spread::reuse_port);
    raw_peer peer;
    {
        echo_group group(with(how, 3), std::ref(hooks));
        peer = raw_peer::connected_to(group.local_endpoint());
    }
    CHECK(ends(peer));
}

// --- wrong use -----------------------------------------------------------------------------------

TEST_CASE("a group is left alone while it runs", "[threads]")
{
    quiet_echo::hooks hooks;
    echo_group group(with(spread::hand_off, 2), std::ref(hooks));
    CHECK_NOTHROW(group.counters());
    running_group run(group);
    CHECK_THROWS_AS(group.counters(), std::logic_error);
    CHECK_THROWS_AS(group.each([](server_base&) {}), std::logic_error);
    CHECK_THROWS_AS(group.run(), std::logic_error);
    CHECK_THROWS_AS(group.stop_on_signals(1s), std::logic_error);
}

TEST_CASE("a port that another program serves is not shared by mistake", "[threads]")
{
    quiet_echo::hooks hooks;
    echo_group first(with(spread::reuse_port, 2), std::ref(hooks));
    const endpoint where = first.local_endpoint();
    CHECK_THROWS_AS(echo_group(with(spread::reuse_port, 2, where), std::ref(hooks)),
                    std::system_error);
    CHECK_THROWS_AS(echo_group(with(spread::hand_off, 2, where), std::ref(hooks)),
                    std::system_error);
    // It is shared by who says so.
    CHECK_NOTHROW(echo_group(with(spread::reuse_port, 2, listen_options(where).reuse_port()),
                             std::ref(hooks)));
}

TEST_CASE("reuse_port says what it cannot spread", "[threads]")
{
    using Catch::Matchers::ContainsSubstring;
    temp_dir dir;
    quiet_echo::hooks hooks;
    const listen_options path(endpoint::unix_path(dir.file("s")));
    CHECK_THROWS_WITH(echo_group(with(spread::reuse_port, 2, path), std::ref(hooks)),
                      ContainsSubstring("hand_off"));
    CHECK_NOTHROW(echo_group(with(spread::reuse_port, 1, path), std::ref(hooks)));
    CHECK_THROWS_AS(group_options(any_port).loops(0), std::invalid_argument);
    CHECK(echo_group(any_port, std::ref(hooks)).size() > 0);
}
