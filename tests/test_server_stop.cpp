// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cerrno>
#include <chrono>
#include <functional>
#include <numeric>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// What the test and all its handlers share.
struct common {
    std::vector<std::string> calls;
    std::function<void(async_chat&, const std::string&)> on_line; // instead of an echo
    std::function<void(async_chat&)> on_shutdown;                 // instead of close_when_done()
    std::function<void(async_chat&)> on_made;
    std::function<void()> on_close;
};

class line_handler : public logging<async_chat> {
public:
    line_handler(loop& owner, asynchat::socket from, common& shared)
        : logging(owner, std::move(from)), shared_(shared)
    {
        set_terminator("\n");
        max_output(asynchat::unlimited); // for the long answers
        if (shared_.on_made)
            shared_.on_made(*this);
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override
    {
        const std::string line = _get_data();
        if (shared_.on_line)
            shared_.on_line(*this, line);
        else
            push(line + "\n");
    }
    void handle_shutdown() override
    {
        shared_.calls.push_back("handle_shutdown");
        if (shared_.on_shutdown)
            shared_.on_shutdown(*this);
        else
            logging::handle_shutdown();
    }
    void handle_close() override
    {
        shared_.calls.push_back("handle_close, " + std::string(to_string(close_reason())));
        if (shared_.on_close)
            shared_.on_close();
        logging::handle_close();
    }

private:
    common& shared_;
};

/// Notes its own end, and lets the test look at a connection first.
class line_server : public logging<server<line_handler>> {
public:
    line_server(loop& owner, common& shared, int family = AF_INET)
        : logging(owner, family == AF_INET ? endpoint("127.0.0.1", 0) : endpoint("::1", 0),
                  std::ref(shared))
    {
    }
    line_server(loop& owner, common& shared, const listen_options& where)
        : logging(owner, where, std::ref(shared))
    {
    }
    int ends = 0;
    std::function<void()> before_accepted;

    void handle_accepted(asynchat::socket connection, const endpoint& peer) override
    {
        if (before_accepted)
            before_accepted();
        logging::handle_accepted(std::move(connection), peer);
    }
    void handle_close() override
    {
        ++ends;
        logging::handle_close();
    }
};

struct running_server {
    explicit running_server(int connections = 0, int family = AF_INET)
        : server(loop.create<line_server>(std::ref(shared), family).lock())
    {
        for (int i = 0; i < connections; ++i)
            connect();
    }
    raw_peer& connect()
    {
        const auto open = server->counters().open;
        peers.push_back(raw_peer::connected_to(server->local_endpoint()));
        if (!run_until(loop, [&] { return server->counters().open == open + 1; }))
            throw test_error("not accepted");
        return peers.back();
    }
    bool ends() // the server, and the loop with it
    {
        return run_until(loop, [&] { return loop.size() == 0; });
    }

    common shared;
    asynchat::loop loop;
    std::shared_ptr<line_server> server;
    std::vector<raw_peer> peers;
};

/// Every accepted connection is open or was closed for one reason.
bool adds_up(const server_counters& seen)
{
    return seen.accepted == seen.open + std::accumulate(seen.closes_by_reason.begin(),
                                                        seen.closes_by_reason.end(),
                                                        std::uint64_t{0});
}

std::size_t count_of(const std::vector<std::string>& calls, std::string_view call)
{
    return static_cast<std::size_t>(std::count(calls.begin(), calls.end(), call));
}

/// An answer that no socket takes at once, whatever the system buffers.
const std::string long_answer(std::size_t{16} << 20, 'x');

} // namespace

TEST_CASE("a server without connections stops, and stops only once", "[server][stop]")
{
    running_server run;
    const endpoint where = run.server->local_endpoint();
    run.server->stop(1h);
    CHECK(run.server->stopping());
    CHECK_FALSE(run.server->accepting());
    CHECK_FALSE(run.server->closed()); // not inside the call
    run.server->stop(1h);
    REQUIRE(run.ends());
    CHECK(run.server->ends == 1);
    CHECK(run.server->close_reason() == close_reason::local);
    run.server->stop(0s); // has nothing left to do
    CHECK(settle(run.loop));
    CHECK(run.server->ends == 1);
    CHECK_THROWS_AS(raw_peer::connected_to(where), std::system_error);
}

TEST_CASE("a stopped server lets its connections finish", "[server][stop]")
{
    running_server run(3);
    const endpoint where = run.server->local_endpoint();
    run.shared.on_line = [](async_chat& chat, const std::string&) { chat.push(long_answer); };
    run.peers[1].send("give me much\n");
    REQUIRE(run_until(run.loop, [&] { return run.server->counters().frames == 1; }));
    run.server->stop(1h);
    CHECK(run.shared.calls.empty()); // in a later turn
    REQUIRE(run_until(run.loop, [&] {
        return run.peers[0].ended() && run.peers[2].ended() && !run.peers[1].received().empty();
    }));
    CHECK_THROWS_AS(raw_peer::connected_to(where), std::system_error); // nobody else is let in
    REQUIRE(run_until(run.loop, [&] { return run.peers[1].ended(); }));
    CHECK((run.peers[1].received() == long_answer));
    REQUIRE(run.ends());
    CHECK(count_of(run.shared.calls, "handle_shutdown") == 3);
    CHECK(count_of(run.shared.calls, "handle_close, local") == 3);
    CHECK(run.server->counters().closes(close_reason::local) == 3);
    CHECK(run.server->counters().open == 0);
    CHECK(run.server->ends == 1);
}

TEST_CASE("what has not finished by the deadline is closed for the shutdown", "[server][stop]")
{
    running_server run(2);
    run.shared.on_line = [](async_chat& chat, const std::string&) { chat.push(long_answer); };
    run.peers[0].send("I shall not read\n");
    REQUIRE(run_until(run.loop, [&] { return run.server->counters().frames == 1; }));
    run.server->stop(1ms);
    REQUIRE(run.ends());
    CHECK(run.shared.calls == std::vector<std::string>{"handle_shutdown", "handle_shutdown",
                                                       "handle_close, local",
                                                       "handle_close, shutdown"});
    CHECK(run.server->counters().closes(close_reason::shutdown) == 1);
    CHECK(adds_up(run.server->counters()));
    CHECK(run.server->ends == 1);
}

TEST_CASE("a handler may say goodbye, or take its time until the deadline", "[server][stop]")
{
    running_server run(2);
    int told = 0;
    run.shared.on_shutdown = [&](async_chat& chat) {
        if (++told > 1)
            return;
        chat.push("421 closing\n");
        chat.close_when_done();
    };
    run.server->stop(1h);
    REQUIRE(run_until(run.loop, [&] { return run.peers[0].ended(); }));
    CHECK(run.peers[0].received() == "421 closing\n");
    CHECK(settle(run.loop));
    run.peers[1].send("still here\n");
    CHECK(run_until(run.loop, [&] { return run.peers[1].received() == "still here\n"; }));
    run.server->stop(0s); // the latest deadline counts
    REQUIRE(run.ends());
    CHECK(told == 2);
    CHECK(run.server->counters().closes(close_reason::shutdown) == 1);
}

TEST_CASE("a later deadline takes the place of an earlier one", "[server][stop]")
{
    running_server run(1);
    run.shared.on_shutdown = [](async_chat&) {};
    run.server->stop(50ms);
    run.server->stop(1h);
    bool over = false;
    run.loop.call_later(100ms, [&] { over = true; });
    REQUIRE(run_until(run.loop, [&] { return over; }));
    CHECK(run.server->counters().open == 1);
    run.peers[0].close();
    REQUIRE(run.ends());
    CHECK(run.server->counters().closes(close_reason::peer_finished) == 1);
}

TEST_CASE("a server may be stopped inside any callback", "[server][stop]")
{
    running_server run(1);
    const auto stop = [&run](auto&&...) {
        run.server->stop(1h);
        run.server->stop(1h);
    };
    std::uint64_t accepted = 2;
    const std::string where =
        GENERATE(as<std::string>{}, "found_terminator", "found_terminator, then close",
                 "handle_shutdown", "handle_close", "a constructor", "handle_accepted", "a timer",
                 "a posted function", "the server's own event");
    CAPTURE(where);
    if (where == "found_terminator")
        run.shared.on_line = stop;
    else if (where == "found_terminator, then close")
        run.shared.on_line = [&](async_chat& chat, const std::string&) {
            stop();
            chat.close();
        };
    else if (where == "handle_shutdown")
        run.shared.on_shutdown = [&](async_chat& chat) {
            stop();
            chat.close_when_done();
        };
    else if (where == "handle_close")
        run.shared.on_close = stop;
    else if (where == "a constructor")
        run.shared.on_made = stop;
    else if (where == "handle_accepted")
        run.server->before_accepted = stop;

    if (where == "a timer")
        run.loop.call_later(1ms, stop);
    else if (where == "a posted function")
        run.loop.post(stop);
    else if (where == "the server's own event")
        run.loop.handle_of(*run.server).post(stop);
    else if (where == "handle_shutdown")
        run.server->stop(1h);
    else if (where == "handle_close")
        run.peers[0].close();
    else if (where == "a constructor" || where == "handle_accepted")
        run.peers.push_back(raw_peer::connected_to(run.server->local_endpoint()));
    else
        run.peers[0].send("now\n");
    if (run.peers.size() == 1)
        accepted = 1;
    CHECK(run_until(run.loop,
                    [&] { return run.server->ends == 1 && run.server->counters().open == 0; }));
    run.peers.clear(); // their connections linger no longer
    run.loop.run();
    CHECK(run.loop.size() == 0);
    CHECK(run.server->ends == 1);
    CHECK(run.server->counters().accepted == accepted);
    CHECK(run.server->counters().open == 0);
    CHECK(adds_up(run.server->counters()));
}

TEST_CASE("a connection that throws out of the loop does not keep others from the shutdown",
          "[server][stop][slow]")
{
    running_server run(3);
    const bool at_the_deadline = GENERATE(false, true);
    CAPTURE(at_the_deadline);
    int calls = 0;
    if (at_the_deadline) {
        run.shared.on_shutdown = [](async_chat&) {};
        run.shared.on_close = [&] {
            if (++calls == 1)
                throw exit_now();
        };
    } else {
        run.shared.on_shutdown = [&](async_chat& chat) {
            chat.close_when_done();
            if (++calls == 1)
                throw exit_now();
        };
    }
    run.server->stop(1ms);
    const deadline limit(run.loop);
    CHECK_THROWS_AS(run.loop.run(), exit_now);
    run.loop.run();
    CHECK(calls == 3);
    CHECK(run.loop.size() == 0);
    CHECK(run.server->ends == 1);
}

TEST_CASE("closing a server that stops leaves the deadline to its connections", "[server][stop]")
{
    running_server run(1);
    run.shared.on_shutdown = [](async_chat&) {};
    run.server->stop(1ms);
    run.server->close();
    REQUIRE(run.ends());
    CHECK(run.shared.calls ==
          std::vector<std::string>{"handle_shutdown", "handle_close, shutdown"});
    CHECK(run.server->counters().closes(close_reason::shutdown) == 1);
    CHECK(run.server->ends == 0); // it was closed by us
}

TEST_CASE("a dispatcher that sends by itself finishes what it has, a plain one ends at once",
          "[server][stop]")
{
    loop loop;
    const auto sending = loop.create<asynchat::server<echo_channel>>(endpoint("127.0.0.1", 0));
    const auto plain = loop.create<asynchat::server<recorder>>(endpoint("127.0.0.1", 0)).lock();
    auto reader = raw_peer::connected_to(sending->local_endpoint());
    auto other = raw_peer::connected_to(plain->local_endpoint());
    REQUIRE(run_until(loop, [&] { return loop.size() == 4; }));
    for (const auto& channel : loop.channels()) {
        if (const auto echo = std::dynamic_pointer_cast<echo_channel>(channel))
            echo->send(long_answer);
    }
    sending->stop(1h);
    plain->stop(1h);
    REQUIRE(run_until(loop, [&] { return reader.ended() && other.ended(); }));
    CHECK((reader.received() == long_answer));
    REQUIRE(run_until(loop, [&] { return loop.size() == 0; }));
    CHECK(plain->counters().closes(close_reason::shutdown) == 1);
}

TEST_CASE("stopping one server does not touch the connections of another", "[server][stop]")
{
    loop loop;
    const auto one = loop.create<asynchat::server<echo_channel>>(endpoint("127.0.0.1", 0));
    const auto two = loop.create<asynchat::server<echo_channel>>(endpoint("127.0.0.1", 0));
    auto of_one = raw_peer::connected_to(one->local_endpoint());
    auto of_two = raw_peer::connected_to(two->local_endpoint());
    REQUIRE(run_until(loop, [&] { return loop.size() == 4; }));
    one->stop(0s);
    REQUIRE(run_until(loop, [&] { return of_one.ended() && !one; }));
    of_two.send("hello");
    CHECK(run_until(loop, [&] { return of_two.received() == "hello"; }));
    CHECK(two->counters().open == 1);
}

// --- limits ----------------------------------------------------------------------------------

TEST_CASE("over the limit in total connections wait until others end", "[server][limit]")
{
    running_server run;
    CHECK(run.server->max_connections() == asynchat::unlimited);
    run.server->max_connections(2);
    CHECK(run.server->max_connections() == 2);
    run.connect();
    run.connect();
    auto third = raw_peer::connected_to(run.server->local_endpoint());
    auto fourth = raw_peer::connected_to(run.server->local_endpoint());
    third.send("third\n");
    fourth.send("fourth\n");
    CHECK(settle(run.loop)); // does not spin
    CHECK(run.server->counters().accepted == 2);
    CHECK(run.server->counters().refused == 0);
    CHECK(run.server->logged("accepts no more: 2 connections are open") == 1);

    run.peers[0].close();
    CHECK(run_until(run.loop, [&] { return third.received() == "third\n"; }));
    CHECK(settle(run.loop));
    CHECK(run.server->counters().open == 2);
    CHECK(fourth.received().empty());
    run.server->max_connections(3);
    CHECK(run_until(run.loop, [&] { return fourth.received() == "fourth\n"; }));
    CHECK(run.server->counters().refused == 0);
}

TEST_CASE("over the limit of an address connections are refused", "[server][limit]")
{
    const int family = GENERATE(AF_INET, AF_INET6);
    CAPTURE(family);
    running_server run(0, family);
    CHECK(run.server->max_connections_per_address() == asynchat::unlimited);
    run.server->max_connections_per_address(2);
    CHECK(run.server->max_connections_per_address() == 2);
    run.connect().send("one\n");
    run.connect().send("two\n");
    auto refused = raw_peer::connected_to(run.server->local_endpoint());
    REQUIRE(run_until(run.loop, [&] { return refused.ended(); }));
    CHECK(run_until(run.loop, [&] { return run.peers[0].received() == "one\n"; }));
    CHECK(run_until(run.loop, [&] { return run.peers[1].received() == "two\n"; }));
    CHECK(run.server->counters().refused == 1);
    CHECK(run.server->counters().accepted == 2);
    CHECK(run.server->logged("refused") == 1);

    run.peers[0].close();
    REQUIRE(run_until(run.loop, [&] { return run.server->counters().open == 1; }));
    run.connect().send("again\n");
    CHECK(run_until(run.loop, [&] { return run.peers[2].received() == "again\n"; }));
}

TEST_CASE("each address has its own limit", "[server][limit]")
{
    running_server run;
    run.server->max_connections_per_address(1);
    const auto connect_from = [&](const char* address) {
        raw_peer peer(descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
        const auto from = endpoint(address, 0).native();
        const auto to = run.server->local_endpoint().native();
        check_call(::bind(peer.fd(), from.data(), static_cast<socklen_t>(from.size())) == 0 &&
                       ::connect(peer.fd(), to.data(), static_cast<socklen_t>(to.size())) == 0,
                   "connect");
        return peer;
    };
    auto one = connect_from("127.0.0.1");
    auto two = connect_from("127.0.0.2");
    one.send("one\n");
    two.send("two\n");
    CHECK(run_until(run.loop, [&] { return one.received() == "one\n"; }));
    CHECK(run_until(run.loop, [&] { return two.received() == "two\n"; }));
    auto three = connect_from("127.0.0.2");
    CHECK(run_until(run.loop, [&] { return three.ended(); }));
    CHECK(run.server->counters().open == 2);
    CHECK(run.server->counters().refused == 1);
}

TEST_CASE("addresses are counted by what tells who is there", "[server][limit]")
{
    const auto of = [](const char* host) {
        return detail::server_state::address_of(endpoint(host, 80));
    };
    CHECK(of("127.0.0.1") != of("127.0.0.2"));
    CHECK(of("127.0.0.1") == of("::ffff:127.0.0.1"));
    CHECK(of("2001:db8:1:2::1") == of("2001:db8:1:2:3:4:5:6"));
    CHECK(of("2001:db8:1:2::1") != of("2001:db8:1:3::1"));
    CHECK(of("::1").has_value());
    CHECK_FALSE(detail::server_state::address_of(endpoint::unix_path("/run/x")).has_value());
    CHECK_FALSE(detail::server_state::address_of(endpoint()).has_value());
}

TEST_CASE("a flood of refusals is ten lines a second, and every one is counted",
          "[server][limit][logging]")
{
    running_server run;
    run.server->max_connections_per_address(0);
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < 200; ++i) {
        const auto peer = raw_peer::connected_to(run.server->local_endpoint());
        REQUIRE(run_until(run.loop, [&] { return run.server->counters().refused == i + 1; }));
    }
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
    const auto lines = run.server->lines.size();
    CHECK(lines >= 10);
    CHECK(lines <= 10 * (static_cast<std::size_t>(seconds.count()) + 2));
    CHECK(run.server->counters().accepted == 0);
}

// --- counters --------------------------------------------------------------------------------

TEST_CASE("a server counts bytes, frames and closes", "[server][counters]")
{
    running_server run(2);
    run.peers[0].send("one\ntwo\nunfinished");
    REQUIRE(run_until(run.loop, [&] { return run.peers[0].received() == "one\ntwo\n"; }));
    run.peers[1].send("three\n");
    REQUIRE(run_until(run.loop, [&] { return run.peers[1].received() == "three\n"; }));
    const server_counters& seen = run.server->counters();
    CHECK(seen.accepted == 2);
    CHECK(seen.open == 2);
    CHECK(seen.bytes_in == 24);
    CHECK(seen.bytes_out == 14);
    CHECK(seen.frames == 3);
    run.peers[0].reset();
    run.peers[1].close();
    REQUIRE(run_until(run.loop, [&] { return seen.open == 0; }));
    CHECK(seen.closes(close_reason::reset) == 1);
    CHECK(seen.closes(close_reason::peer_finished) == 1);
    CHECK(adds_up(seen));
}

TEST_CASE("the last frame of a channel counts, however it ends", "[server][counters]")
{
    running_server run(1);
    const bool throws = GENERATE(false, true);
    run.shared.on_line = [&](async_chat& chat, const std::string&) {
        if (throws)
            throw test_error("in the last frame");
        chat.close();
    };
    run.peers[0].send("last\n");
    REQUIRE(run_until(run.loop, [&] { return run.server->counters().open == 0; }));
    CHECK(run_until(run.loop, [&] { return run.server->counters().frames == 1; }));
    CHECK(run.server->counters().closes(throws ? close_reason::callback_error
                                               : close_reason::local) == 1);
}

TEST_CASE("a server counts whole frames and files", "[server][counters]")
{
    class file_sender : public frame_chat {
    public:
        file_sender(loop& owner, asynchat::socket from, int file)
            : frame_chat(owner, std::move(from)), file_(file)
        {
            set_terminator("\n");
        }
        void collect_incoming_data(std::string_view) override {}
        void found_frame(std::string_view) override
        {
            push_with_producer(std::make_unique<file_producer>(file_));
            set_terminator(40000); // lacks much: is received in place
        }

    private:
        int file_;
    };
    loop loop;
    const auto file = make_file(std::string(1000, 'f'));
    const auto server =
        loop.create<asynchat::server<file_sender>>(endpoint("127.0.0.1", 0), file.get());
    auto peer = raw_peer::connected_to(server->local_endpoint());
    peer.send("GET\n");
    REQUIRE(run_until(loop, [&] { return peer.received().size() == 1000; }));
    CHECK(server->counters().frames == 1);
    CHECK(server->counters().bytes_out == 1000);
    peer.send(std::string(40000, 'x'));
    REQUIRE(run_until(loop, [&] { return peer.received().size() == 2000; }));
    CHECK(server->counters().frames == 2);
    CHECK(server->counters().bytes_in == 40004);
}

TEST_CASE("channels outlive their server, and go on", "[server][counters]")
{
    running_server run(1);
    auto server = std::exchange(run.server, nullptr);
    const auto watcher = server; // keeps the object, not the channel
    server->close();
    run.peers[0].send("line\n");
    REQUIRE(run_until(run.loop, [&] { return run.peers[0].received() == "line\n"; }));
    CHECK(watcher->counters().frames == 1);
    CHECK(watcher->counters().open == 1);

    // And now without the object.
    running_server gone(1);
    gone.server->close();
    gone.server.reset();
    gone.peers[0].send("line\n");
    CHECK(run_until(gone.loop, [&] { return gone.peers[0].received() == "line\n"; }));
    gone.peers[0].close();
    CHECK(run_until(gone.loop, [&] { return gone.loop.size() == 0; }));
}

TEST_CASE("handlers that do not come into being are counted as well", "[server][counters]")
{
    running_server run;
    run.shared.on_made = [](async_chat& chat) { chat.close(); };
    auto closed = raw_peer::connected_to(run.server->local_endpoint());
    REQUIRE(run_until(run.loop, [&] { return closed.ended(); }));
    CHECK(run.server->counters().closes(close_reason::local) == 1);
    run.shared.on_made = [](async_chat&) { throw test_error("no"); };
    auto failed = raw_peer::connected_to(run.server->local_endpoint());
    REQUIRE(run_until(run.loop, [&] { return failed.ended(); }));
    CHECK(run.server->counters().closes(close_reason::callback_error) == 1);
    CHECK(run.server->counters().accepted == 2);
    CHECK(run.server->counters().open == 0);
}

TEST_CASE("there is a counter for each reason", "[server][counters]")
{
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < close_reason_count; ++i)
        names.insert(to_string(static_cast<close_reason>(i)));
    CHECK(names.size() == close_reason_count);
    CHECK(names.count("unknown") == 0);
    CHECK(to_string(static_cast<close_reason>(close_reason_count)) == "unknown");
}

// --- what waits in the queue -----------------------------------------------------------------

TEST_CASE("what waits in the queue is served when a server stops", "[server][stop]")
{
    running_server run;
    run.shared.on_made = [](async_chat& chat) { chat.linger_timeout(0s); }; // the peers stay
    const int waiting = GENERATE(1, 3, 200); // more than are accepted in a turn
    CAPTURE(waiting);
    const endpoint where = run.server->local_endpoint();
    for (int i = 0; i < waiting; ++i) {
        run.peers.push_back(raw_peer::connected_to(where));
        run.peers.back().send(std::to_string(i) + "\n");
    }
    run.server->stop(1h);
    CHECK_FALSE(run.server->accepting());
    CHECK(run.server->counters().accepted == 0); // not inside the call
    const deadline limit(run.loop);
    run.loop.run();
    for (int i = 0; i < waiting; ++i) {
        auto& peer = run.peers[static_cast<std::size_t>(i)];
        REQUIRE(peer.received() == std::to_string(i) + "\n");
        REQUIRE(peer.ended());
        REQUIRE(peer.error() == 0);
    }
    CHECK(run.server->counters().accepted == static_cast<std::uint64_t>(waiting));
    CHECK(count_of(run.shared.calls, "handle_shutdown") == static_cast<std::size_t>(waiting));
    CHECK(run.server->ends == 1);
    CHECK_THROWS_AS(raw_peer::connected_to(where), std::system_error);
}

TEST_CASE("over a limit, what waits in the queue is refused by name", "[server][stop][limit]")
{
    running_server run(2);
    run.server->max_connections(2);
    run.peers.push_back(raw_peer::connected_to(run.server->local_endpoint()));
    CHECK(settle(run.loop));
    run.server->stop(1h);
    REQUIRE(run.ends());
    CHECK(run.server->counters().refused == 1);
    CHECK(run.server->logged("refused") == 1);
    CHECK(run.peers[2].ended());
}

TEST_CASE("stop(0s) leaves what waits in the queue", "[server][stop]")
{
    const bool first_in_order = GENERATE(false, true);
    running_server run;
    auto peer = raw_peer::connected_to(run.server->local_endpoint());
    if (first_in_order)
        run.server->stop(1h);
    run.server->stop(0s);
    REQUIRE(run.ends());
    CHECK(run.server->counters().accepted == 0);
    CHECK(run.server->counters().refused == 0);
    CHECK(peer.ended());
}

TEST_CASE("the queue of a socket from elsewhere is left to its other owners", "[server][stop]")
{
    loop loop;
    const raw_listener made(endpoint("127.0.0.1", 0));
    const int copy = ::fcntl(made.fd(), F_DUPFD_CLOEXEC, 0);
    const auto server = loop.create<asynchat::server<echo_channel>>(
        listen_options(asynchat::socket(copy, AF_INET, SOCK_STREAM)));
    auto peer = raw_peer::connected_to(made.address());
    server->take_back_listeners(); // its own were shared with nobody
    server->stop(1h);
    REQUIRE(run_until(loop, [&] { return loop.size() == 0; }));
    CHECK_FALSE(peer.ended());
    const auto next = loop.create<asynchat::server<echo_channel>>(listen_options(
        asynchat::socket(::fcntl(made.fd(), F_DUPFD_CLOEXEC, 0), AF_INET, SOCK_STREAM)));
    peer.send("hello");
    CHECK(run_until(loop, [&] { return peer.received() == "hello"; }));
}

TEST_CASE("a server passes its listeners on with their queue", "[server][stop]")
{
    running_server run;
    const endpoint where = run.server->local_endpoint();
    auto peer = raw_peer::connected_to(where);
    peer.send("hello\n");
    auto shared = run.server->share_listeners();
    REQUIRE(shared.size() == 1);
    CHECK((::fcntl(shared[0].native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
    run.server->stop(1h);
    REQUIRE(run.ends());
    CHECK(run.server->counters().accepted == 0);
    CHECK(run.server->share_listeners().empty());
    const auto next =
        run.loop.create<line_server>(std::ref(run.shared), listen_options(std::move(shared[0])));
    CHECK(next->local_endpoint() == where);
    CHECK(run_until(run.loop, [&] { return peer.received() == "hello\n"; }));
}

TEST_CASE("a server whose listeners reached nobody serves its queue", "[server][stop]")
{
    running_server run;
    auto peer = raw_peer::connected_to(run.server->local_endpoint());
    peer.send("hello\n");
    auto ends = asynchat::socket::pair();
    ends.second = asynchat::socket(); // the process that asked is gone
    CHECK_THROWS_AS(send_descriptors(ends.first.native_handle(), run.server->share_listeners()),
                    std::system_error);
    run.server->take_back_listeners();
    run.server->stop(1h);
    CHECK(run_until(run.loop, [&] { return peer.received() == "hello\n"; }));
}

TEST_CASE("a handler that throws does not keep the rest of the queue waiting", "[server][stop]")
{
    running_server run;
    const bool leaves_the_loop = GENERATE(false, true);
    CAPTURE(leaves_the_loop);
    int made = 0;
    run.shared.on_made = [&](async_chat& chat) {
        chat.linger_timeout(0s);
        if (++made == 1 && leaves_the_loop)
            throw exit_now();
        if (made == 1)
            throw test_error("not wanted");
    };
    for (int i = 0; i < 3; ++i) {
        run.peers.push_back(raw_peer::connected_to(run.server->local_endpoint()));
        run.peers.back().send("hello\n");
    }
    run.server->stop(1h);
    const deadline limit(run.loop);
    if (leaves_the_loop)
        CHECK_THROWS_AS(run.loop.run(), exit_now);
    run.loop.run();
    CHECK(run.peers[0].received().empty());
    CHECK(run.peers[1].received() == "hello\n");
    CHECK(run.peers[2].received() == "hello\n");
    CHECK(run.server->ends == 1);
    CHECK(adds_up(run.server->counters()));
}

TEST_CASE("a handler that cannot be made does not end a server that stops", "[server][stop]")
{
    running_server run(1);
    run.shared.on_shutdown = [](async_chat&) {};
    run.shared.on_made = [&](async_chat&) {
        run.server->stop(1h);
        throw test_error("not wanted");
    };
    auto unwanted = raw_peer::connected_to(run.server->local_endpoint());
    REQUIRE(run_until(run.loop, [&] { return unwanted.ended(); }));
    CHECK(run.server->logged("still stopping") == 1);
    CHECK(settle(run.loop));
    CHECK(run.server->ends == 0);
    run.peers[0].close();
    REQUIRE(run.ends());
    CHECK(run.server->ends == 1);
    CHECK(run.server->close_reason() == close_reason::local);
}

TEST_CASE("after the deadline of a stop nothing more is accepted", "[server][stop]")
{
    running_server run;
    constexpr std::uint64_t waiting = 200; // more than are accepted in a turn
    for (std::uint64_t i = 0; i < waiting; ++i)
        run.peers.push_back(raw_peer::connected_to(run.server->local_endpoint()));
    bool is_first = true;
    run.shared.on_made = [&](async_chat& chat) {
        chat.linger_timeout(0s);
        if (!std::exchange(is_first, false))
            return;
        run.server->stop(1ms);
        const auto after = std::chrono::steady_clock::now() + 2ms;
        while (std::chrono::steady_clock::now() < after) {
        }
    };
    run.shared.on_shutdown = [](async_chat&) {};
    run.server->stop(1h);
    REQUIRE(run.ends());
    const server_counters& seen = run.server->counters();
    CHECK(seen.accepted > 0);
    CHECK(seen.accepted < waiting);
    CHECK(seen.closes(close_reason::shutdown) == seen.accepted);
    CHECK(adds_up(seen));
    CHECK(run.server->ends == 1);
}

TEST_CASE("a lack of descriptors costs a server that stops its queue only after the deadline",
          "[server][stop][errors]")
{
    common shared;
    testing::loop loop;
    const endpoint where("127.0.0.1", 7000);
    const auto server = loop.create<line_server>(std::ref(shared), listen_options(where)).lock();
    server->max_connections(0);
    std::vector<testing::peer> peers;
    for (int i = 0; i < 3; ++i) {
        peers.push_back(loop.connect(where));
        peers.back().send("hello\n");
    }
    server->max_connections(asynchat::unlimited);
    const bool in_time = GENERATE(true, false);
    CAPTURE(in_time);
    for (std::size_t n = 2; n <= (in_time ? 4U : 100U); ++n)
        loop.fail(n, EMFILE, testing::operation::accept);
    server->stop(1s);
    loop.advance(in_time ? 500ms : 1s);
    CHECK(peers[0].received() == "hello\n");
    CHECK(peers[1].received() == (in_time ? "hello\n" : ""));
    CHECK(peers[2].received() == (in_time ? "hello\n" : ""));
    CHECK((in_time ? peers[2].ended() : peers[2].was_reset()));
    CHECK(server->ends == 1);
    CHECK(server->counters().accepted == (in_time ? 3U : 1U));
    CHECK(server->logged("still stopping") == 1); // the first one of those in a row
}

TEST_CASE("a server that is closed while it waits for descriptors tries no more",
          "[server][stop][errors]")
{
    common shared;
    testing::loop loop;
    const endpoint where("127.0.0.1", 7000);
    const auto server = loop.create<line_server>(std::ref(shared), listen_options(where)).lock();
    server->max_connections(0);
    const testing::peer peer = loop.connect(where);
    server->max_connections(asynchat::unlimited);
    loop.fail(1, EMFILE, testing::operation::accept);
    server->stop(1h);
    loop.settle();
    CHECK(server->logged("still stopping") == 1);
    server->close();
    const std::size_t before = server->logged("");
    loop.advance(1min);
    CHECK(server->logged("") == before); // no other attempt
    CHECK(server->counters().accepted == 0);
}
