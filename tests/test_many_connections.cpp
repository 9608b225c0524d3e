// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"
#include "support/memory.hpp"

#include <asynchat/asynchat.hpp>

#include <dirent.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// Notes how often it tries to accept in vain.
class echo_server : public logging<server<line_echo>> {
public:
    explicit echo_server(loop& owner) : logging(owner, endpoint("127.0.0.1", 0)) {}
    int failed_attempts = 0;

    void handle_error() override
    {
        ++failed_attempts;
        logging::handle_error();
    }
};

int open_descriptors()
{
    DIR* const all = ::opendir("/proc/self/fd");
    check_call(all != nullptr, "opendir");
    int count = 0;
    while (::readdir(all))
        ++count;
    ::closedir(all);
    return count;
}

template <class Done>
bool all_of(std::vector<raw_peer>& peers, Done done)
{
    return std::all_of(peers.begin(), peers.end(), done);
}

} // namespace

TEST_CASE("when descriptors run out, all who wait are served once some are free",
          "[many][accept][errors]")
{
    if (sanitized) {
        WARN("skipped: the sanitizer needs descriptors of its own");
        return;
    }
    constexpr int limit = 64;
    constexpr std::size_t connections = 200;
    child_process child([](auto say) {
        rlimit descriptors = {};
        check_call(::getrlimit(RLIMIT_NOFILE, &descriptors) == 0, "getrlimit");
        descriptors.rlim_cur = limit;
        check_call(::setrlimit(RLIMIT_NOFILE, &descriptors) == 0, "setrlimit");
        loop loop;
        const auto server = loop.create<echo_server>().lock();
        const int before = open_descriptors();
        say(std::to_string(server->local_endpoint().port()));
        const auto& seen = server->counters();

        // At the limit: in the time of ten attempts, no more than ten.
        if (!run_until(loop, [&] { return server->failed_attempts >= 1; }))
            throw test_error("there are descriptors enough");
        const int failed_before = server->failed_attempts;
        const auto start = std::chrono::steady_clock::now();
        if (!run_until(loop, [&] { return server->failed_attempts >= failed_before + 10; }))
            throw test_error("does not try again");
        const auto time = std::chrono::steady_clock::now() - start;
        say(time >= 10 * 10ms ? "backs off" : "spins");
        say(seen.open < limit ? "is full" : "has more than it may");

        if (!run_until(loop, [&] { return seen.accepted == connections && seen.open == 0; }))
            throw test_error("does not serve all");
        say(open_descriptors() == before ? "as before" : "leaks");
        say(server->logged("error: ") < 40 ? "few lines" : "a flood");
    });
    const auto port = static_cast<std::uint16_t>(std::stoi("0" + child.line()));
    REQUIRE(port > 0);
    std::vector<raw_peer> peers;
    for (std::size_t i = 0; i < connections; ++i) {
        peers.push_back(raw_peer::connected_to(endpoint("127.0.0.1", port)));
        peers.back().send("hello\n");
    }
    CHECK(child.line() == "backs off");
    CHECK(child.line() == "is full");

    // Each is closed when it was served, which makes room for another one.
    loop clock;
    std::size_t served = 0;
    CHECK(run_until(clock, [&] {
        for (raw_peer& peer : peers) {
            if (peer.fd() >= 0 && peer.received() == "hello\n") {
                peer.close();
                ++served;
            }
        }
        return served == connections;
    }));
    CHECK(child.line() == "as before");
    CHECK(child.line() == "few lines");
    CHECK(child.status() == 0);
}

TEST_CASE("connections that are reset before they are accepted leave nothing behind",
          "[many][accept][no-tls]")
{
    constexpr int batches = 20;
    constexpr int batch = 1000;
    loop loop;
    const auto server = loop.create<echo_server>().lock();
    const endpoint where = server->local_endpoint();
    const int before = open_descriptors();
    for (int i = 0; i < batches; ++i) {
        for (int j = 0; j < batch; ++j)
            raw_peer::connected_to(where).reset();
        auto honest = raw_peer::connected_to(where);
        honest.send("honest\n");
        REQUIRE(run_until(loop, [&] { return honest.received() == "honest\n"; }));
        honest.close();
        REQUIRE(run_until(loop, [&] { return server->counters().open == 0; }));
    }
    CHECK(server->accepting());
    CHECK(server->failed_attempts == 0);
    CHECK(loop.size() == 1);
    CHECK(open_descriptors() == before);
    CHECK(server->counters().closes(close_reason::peer_finished) == batches);
}

TEST_CASE("thousands of idle connections at once are gone after a stop", "[many][stop][no-tls]")
{
    ASYNCHAT_TEST_NEEDS(asynchat::platform() != "posix select", "something better than select()");
    constexpr std::size_t connections = 9500;
    rlimit limit = {};
    check_call(::getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    if (limit.rlim_max < connections + 200) {
        WARN("skipped: no more than " << limit.rlim_max << " descriptors are allowed here");
        return;
    }
    const descriptor_limit enough(connections + 200);
    REQUIRE(enough.possible());
    const int before = open_descriptors();
    {
        loop loop;
        const auto server = loop.create<echo_server>().lock();
        const endpoint where = server->local_endpoint();
        child_process clients([&](auto say) {
            std::vector<raw_peer> peers;
            for (std::size_t i = 0; i < connections; ++i)
                peers.push_back(raw_peer::connected_to(where));
            say("connected");
            asynchat::loop clock;
            say(run_until(clock, [&] { return all_of(peers, [](auto& p) { return p.ended(); }); })
                    ? "all ended"
                    : "some are left");
        });
        REQUIRE(run_until(loop, [&] { return server->counters().open == connections; }));
        CHECK(clients.line() == "connected");
        CHECK(loop.size() == connections + 1);
        server->stop(10s);
        REQUIRE(run_until(loop, [&] { return loop.size() == 0; }));
        CHECK(server->counters().closes(close_reason::local) == connections);
        CHECK(server->counters().open == 0);
        CHECK(clients.line() == "all ended");
        CHECK(clients.status() == 0);
    }
    CHECK(open_descriptors() == before);
}

// --- every kind of ending ----------------------------------------------------------------------

namespace {

class ending_handler : public logging<async_chat> {
public:
    ending_handler(loop& owner, asynchat::socket from, const std::string& ending)
        : logging(owner, std::move(from)), ending_(ending)
    {
        if (ending_ == "the constructor throws")
            throw test_error("not wanted");
        set_terminator("\n");
        max_frame(100);
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override
    {
        push(_get_data() + "\n");
        if (ending_ == "close")
            close();
        else if (ending_ == "abort")
            abort();
        else if (ending_ == "close_when_done")
            close_when_done();
        else if (ending_ == "a callback throws")
            throw test_error("in a callback");
        else if (ending_ == "a producer throws")
            push_with_producer([]() -> std::string { throw test_error("in a producer"); });
    }

private:
    std::string ending_;
};

/// A way for connections to end. The peer does `act` when the connection is made, and then waits
/// for the end.
struct ending {
    const char* name;
    close_reason reason;
    std::function<void(raw_peer&)> act;
};

void send_line(raw_peer& peer)
{
    peer.send("a line\n");
}

const ending endings[] = {
    {"the peer finishes", close_reason::peer_finished,
     [](raw_peer& peer) {
         peer.send("a line\nand a part");
         peer.shut_down_output();
     }},
    {"the peer closes", close_reason::peer_finished, [](raw_peer& peer) { peer.close(); }},
    {"the peer resets", close_reason::reset, [](raw_peer& peer) { peer.reset(); }},
    {"close", close_reason::local, send_line},
    {"abort", close_reason::local, send_line},
    {"close_when_done", close_reason::local, send_line},
    {"a frame is too long", close_reason::frame_limit,
     [](raw_peer& peer) { peer.send(std::string(200, 'x')); }},
    {"a callback throws", close_reason::callback_error, send_line},
    {"a producer throws", close_reason::callback_error, send_line},
    {"the constructor throws", close_reason::callback_error, [](raw_peer&) {}},
    {"shutdown", close_reason::shutdown, [](raw_peer&) {}},
    {"the server stops", close_reason::local, [](raw_peer&) {}},
};

/// So many connections at once through this ending. Returns how many came to it.
std::uint64_t end_connections(const ending& how, std::size_t count)
{
    loop loop;
    class quiet_server : public logging<server<ending_handler>> {
    public:
        quiet_server(asynchat::loop& owner, const std::string& ending)
            : logging(owner, endpoint("127.0.0.1", 0), std::cref(ending))
        {
        }
    };
    const std::string name = how.name;
    const auto server = loop.create<quiet_server>(std::cref(name)).lock();
    const auto& seen = server->counters();
    std::vector<raw_peer> peers;
    for (std::size_t i = 0; i < count; ++i) {
        peers.push_back(raw_peer::connected_to(server->local_endpoint()));
        how.act(peers.back());
    }
    const bool made = run_until(loop, [&] { return seen.accepted == count; });
    if (name == "shutdown")
        loop.close_all();
    else if (name == "the server stops")
        server->stop(1h);
    const bool over = run_until(loop, [&] {
        return seen.open == 0 &&
               all_of(peers, [](raw_peer& peer) { return peer.fd() < 0 || peer.ended(); });
    });
    return made && over ? seen.closes(how.reason) : 0;
}

} // namespace

TEST_CASE("connections leave nothing behind, whatever their end", "[many][close][no-tls]")
{
    constexpr std::size_t at_once = 100;
    constexpr std::size_t connections = 10'000;
    for (const ending& how : endings) // what is allocated once and kept
        end_connections(how, at_once);
    const int descriptors = open_descriptors();
    const std::size_t memory = memory_in_use();
    for (std::size_t done = 0; done < connections;) {
        for (const ending& how : endings) {
            CAPTURE(how.name, done);
            REQUIRE(end_connections(how, at_once) == at_once);
            done += at_once;
        }
    }
    CHECK(open_descriptors() == descriptors);
    CHECK(memory_in_use() <= memory + 16384);
}
