// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/proxy_headers.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace std::chrono_literals;
using support::proxy_headers;
using support::run_until;
using support::v2;

namespace {

const std::string of_alice = "PROXY TCP4 192.0.2.1 198.51.100.2 1000 80\r\n";
const std::string of_bob = "PROXY TCP4 192.0.2.2 198.51.100.2 1000 80\r\n";
const std::string health_check = v2("20 00 0000");

/// Answers "who" with the addresses, and each other line with the same line.
class host : public async_chat {
public:
    host(loop& owner, asynchat::socket from, std::vector<std::string>& events)
        : async_chat(owner, std::move(from)), events_(events)
    {
        note("made for " + addr().to_string());
        CHECK(proxy_header::of(*this) == nullptr);
        set_terminator("\n");
    }
    void handle_open() override
    {
        const auto* const proxy = proxy_header::of(*this);
        if (!proxy)
            return note("opened without a header");
        note("opened by version " + std::to_string(proxy->version()) +
             (proxy->is_local() ? " local" : "") + " " + proxy->source().to_string() + " to " +
             proxy->destination().to_string());
        for (const auto& [name, value] :
             {std::make_pair("alpn", proxy->alpn()),
              std::make_pair("authority", proxy->authority()),
              std::make_pair("id", proxy->unique_id()), std::make_pair("ssl", proxy->ssl())})
            if (!value.empty())
                note(std::string(name) + " " + escaped(value));
    }
    void found_terminator() override
    {
        CHECK(proxy_header::of(*this) == nullptr);
        const std::string line = _get_data();
        push(line == "who" ? addr().to_string() + "\n" : line + "\n");
    }
    void handle_close() override { close(); }
    void handle_end() override { note("ended: " + close_text()); }

private:
    void note(std::string line) { events_.push_back(std::move(line)); }

    std::vector<std::string>& events_;
};

struct bench {
    std::vector<std::string> events;
    std::vector<std::string> logs;
    testing::loop loop;
    endpoint where{"127.0.0.1", 7000};
    handle<asynchat::server<host>> server =
        loop.create<asynchat::server<host>>(where, std::ref(events));

    bench()
    {
        loop.log_sink([this](log_type, std::string_view line) {
            const auto at = line.find(" refused ");
            logs.push_back(std::string(at == line.npos ? line : line.substr(at + 1)));
        });
        server->expect_proxy({"127.0.0.1"});
    }
    testing::peer connect() { return loop.connect(where); }
    const server_counters& counters() const { return server->counters(); }

    /// The last line of the log, without the peer.
    std::string refusal() const
    {
        if (logs.empty())
            return "";
        return logs.back().substr(logs.back().find(": ") + 2);
    }
};

} // namespace

TEST_CASE("behind a proxy the address of the client is announced", "[proxy]")
{
    bench bench;
    auto peer = bench.connect();
    peer.send(of_alice + "who\n");
    CHECK(peer.received() == "192.0.2.1:1000\n");
    CHECK(bench.events ==
          std::vector<std::string>{"made for 192.0.2.1:1000",
                                   "opened by version 1 192.0.2.1:1000 to 198.51.100.2:80"});
    CHECK(bench.loop.channels().back()->peer_endpoint() == peer.local_endpoint());
    CHECK(bench.counters().accepted == 1);
    CHECK(bench.counters().bytes_in == 4);
    CHECK(bench.logs.empty());
}

TEST_CASE("a PROXY header may come in any pieces, and what follows it stays", "[proxy]")
{
    const int which = GENERATE(0, 1, 2);
    const std::string header = which == 0   ? of_alice
                               : which == 1 ? v2("21 11 000c c0000201 c6336402 03e8 0050")
                                            : v2("21 11 0011 c0000201 c6336402 03e8 0050"
                                                 "01 0002 6832");
    const std::string stream = header + "who\nagain\n";
    for (std::size_t size = 1; size <= stream.size(); ++size) {
        bench bench;
        auto peer = bench.connect();
        for (std::size_t at = 0; at < stream.size(); at += size) {
            peer.send(stream.substr(at, size));
            bench.loop.settle(); // would not end if a half header kept the loop busy
        }
        CAPTURE(size);
        CHECK(peer.received() == "192.0.2.1:1000\nagain\n");
        CHECK(bench.counters().handshakes == 0);
        CHECK(bench.counters().open == 1);
    }
}

TEST_CASE("each PROXY header has the same verdict in a server", "[proxy]")
{
    for (const auto& row : proxy_headers()) {
        CAPTURE(escaped(row.bytes));
        for (const bool in_pieces : {false, true}) {
            bench bench;
            auto peer = bench.connect();
            if (!row.bytes.empty())
                peer.send(row.bytes, in_pieces ? 5 : row.bytes.size());
            peer.send("who\n");
            const std::string answer = peer.received();
            std::string verdict = row.verdict.substr(0, row.verdict.find(" to "));
            if (ASYNCHAT_HAS_ABSTRACT_UNIX == 0 && verdict == "\\x00x")
                verdict.clear(); // an abstract name, which this system does not know
            const bool has_address = row.verdict.find(" to ") != std::string::npos;
            if (row.verdict == "incomplete")
                continue;
            if (has_address && verdict.find("the ") != 0)
                CHECK(answer == verdict + "\n");
            else if (verdict.find("local") == 0 || verdict == "unknown")
                CHECK(answer == peer.local_endpoint().to_string() + "\n");
            else {
                CHECK(answer.empty());
                CHECK(peer.was_reset());
                CHECK(bench.refusal() == "its PROXY header is malformed: " + escaped(row.verdict));
                CHECK(bench.counters().refused == 1);
                CHECK(bench.events.empty());
            }
        }
    }
}

TEST_CASE("the values of a PROXY header are there until the channel is open", "[proxy]")
{
    bench bench;
    auto peer = bench.connect();
    peer.send(v2("21 21 0047 20010db8000000000000000000000001 20010db8000000000000000000000002"
                 "03e8 01bb 01 0002 6832 02 0009 612e6578616d706c65 05 0004 69642d31"
                 "20 0008 01 00000000 21 0000"));
    bench.loop.settle();
    CHECK(bench.events ==
          std::vector<std::string>{"made for [2001:db8::1]:1000",
                                   "opened by version 2 [2001:db8::1]:1000 to [2001:db8::2]:443",
                                   "alpn h2", "authority a.example", "id id-1",
                                   "ssl \\x01\\x00\\x00\\x00\\x00!\\x00\\x00"});
}

TEST_CASE("a connection of the proxy itself has no client", "[proxy]")
{
    bench bench;
    bench.server->max_connections_per_address(1);
    std::vector<testing::peer> peers;
    for (int i = 0; i < 3; ++i) {
        peers.push_back(bench.connect());
        peers.back().send(health_check + "who\n");
        CHECK(peers.back().received() == peers.back().local_endpoint().to_string() + "\n");
    }
    for (int i = 0; i < 3; ++i) { // also clients without an address
        peers.push_back(bench.connect());
        peers.back().send("PROXY UNKNOWN\r\nwho\n");
        CHECK(peers.back().received() == peers.back().local_endpoint().to_string() + "\n");
    }
    CHECK(bench.counters().open == 6);
    peers.clear();
    bench.loop.settle();
    CHECK(bench.counters().open == 0);
    CHECK(bench.logs.empty());
    CHECK(bench.events[1] == "opened by version 2 local  to ");
}

TEST_CASE("a connection without a PROXY header is closed", "[proxy]")
{
    bench bench;
    auto peer = bench.connect();
    SECTION("because it comes from elsewhere")
    {
        bench.loop.settle();
        bench.server->expect_proxy({"10.0.0.0/8", "::1", "unix:"});
        auto other = bench.connect();
        other.send(of_alice + "who\n");
        CHECK(other.received().empty());
        CHECK(other.was_reset());
        CHECK(bench.refusal() == "it is no proxy that expect_proxy() lists");
        CHECK(bench.counters().refused == 1);
        peer.send(of_alice + "who\n"); // was accepted before
        CHECK(peer.received() == "192.0.2.1:1000\n");
    }
    SECTION("because it begins with something else")
    {
        peer.send("who\n");
        CHECK(peer.received().empty());
        CHECK(peer.was_reset());
        CHECK(bench.refusal() ==
              "its PROXY header is malformed: byte 0 is 0x77, so this is neither "
              "\"PROXY \" nor the signature of version 2");
    }
    SECTION("because it ends too early")
    {
        peer.send("PROXY TCP4");
        bench.loop.settle();
        CHECK(bench.counters().handshakes == 1);
        peer.finish();
        CHECK(peer.ended());
        CHECK(bench.refusal() == "it has ended its stream after 10 bytes of its PROXY header");
    }
    SECTION("because it is lost too early")
    {
        peer.send("PROXY TCP4");
        bench.loop.settle();
        peer.reset();
        bench.loop.settle();
        CHECK_THAT(bench.refusal(),
                   Catch::Matchers::StartsWith("the connection was lost in its PROXY header: "));
    }
    SECTION("without a word when it says nothing, as the checks of some proxies")
    {
        bench.loop.settle();
        peer.close();
        bench.loop.settle();
        CHECK(bench.logs.empty());
    }
    SECTION("because it takes too long")
    {
        peer.send("PROXY TCP4");
        bench.loop.advance(2900ms);
        CHECK(!peer.ended());
        bench.loop.advance(200ms);
        CHECK(peer.ended());
        CHECK(bench.refusal() == "its PROXY header was not complete within 3 s, the limit of "
                                 "proxy_timeout()");
    }
    CHECK(bench.counters().refused == 1);
    CHECK(bench.counters().handshakes == 0);
    CHECK(bench.loop.size() == bench.counters().open + 1);
}

TEST_CASE("a client that shows its PROXY header in time is not hurried", "[proxy]")
{
    bench bench;
    bench.server->proxy_timeout(std::chrono::seconds(GENERATE(0, 60)));
    auto peer = bench.connect();
    bench.loop.advance(59s);
    peer.send(of_alice);
    bench.loop.advance(60s);
    peer.send("who\n");
    CHECK(peer.received() == "192.0.2.1:1000\n");
}

TEST_CASE("the settings of the PROXY protocol are checked", "[proxy]")
{
    bench bench;
    CHECK(bench.server->proxy_timeout() == 3s);
    CHECK(bench.server->max_proxy_header() == 1024);
    CHECK_THROWS_AS(bench.server->proxy_timeout(-1s), std::invalid_argument);
    CHECK_THROWS_WITH(bench.server->max_proxy_header(535),
                      "asynchat: max_proxy_header() is 536 to 4096 bytes, not 535");
    CHECK_THROWS_AS(bench.server->max_proxy_header(4097), std::invalid_argument);
    CHECK_THROWS_AS(bench.server->expect_proxy({"10.0.0.1/8"}), std::invalid_argument);
    bench.server->max_proxy_header(4096);
    auto peer = bench.connect();
    peer.send(v2("21 11 0ff0 c0000201 c6336402 03e8 0050 04 0fe1") + std::string(0xfe1, '\0') +
              "who\n");
    CHECK(peer.received() == "192.0.2.1:1000\n");
    bench.server->max_proxy_header(536);
    auto other = bench.connect();
    other.send(v2("21 11 0209"));
    CHECK(other.was_reset());
}

TEST_CASE("without expect_proxy() a PROXY header is input like any other", "[proxy]")
{
    bench bench;
    bench.server->expect_proxy({});
    auto peer = bench.connect();
    peer.send("PROXY UNKNOWN\nwho\n");
    CHECK(peer.received() == "PROXY UNKNOWN\n" + peer.local_endpoint().to_string() + "\n");
    CHECK(bench.events[1] == "opened without a header");
}

TEST_CASE("behind a proxy the limit per address is that of the clients", "[proxy]")
{
    bench bench;
    bench.server->max_connections_per_address(2);
    std::vector<testing::peer> peers;
    const auto connect = [&](const std::string& header) {
        peers.push_back(bench.connect());
        peers.back().send(header.substr(0, 3)); // the proxy has many connections under way
        bench.loop.settle();
        peers.back().send(header.substr(3) + "who\n");
        return peers.back().received();
    };
    CHECK(connect(of_alice) == "192.0.2.1:1000\n");
    CHECK(connect(of_alice) == "192.0.2.1:1000\n");
    CHECK(connect(of_alice).empty());
    CHECK(bench.logs.back().find("refused 192.0.2.1:1000: 2 connections are open, 2 from there") ==
          0);
    CHECK(connect(of_bob) == "192.0.2.2:1000\n");
    peers[0].close();
    bench.loop.settle();
    CHECK(connect(of_alice) == "192.0.2.1:1000\n");
    CHECK(bench.counters().refused == 1);
}

TEST_CASE("connections without a complete PROXY header count in the limits", "[proxy]")
{
    bench bench;
    if (GENERATE(true, false))
        bench.server->max_connections(2);
    else
        bench.server->max_handshakes(2);
    std::vector<testing::peer> peers;
    for (int i = 0; i < 3; ++i)
        peers.push_back(bench.connect());
    peers[2].send(of_alice + "who\n");
    CHECK(peers[2].received().empty()); // it waits, unaccepted
    CHECK(bench.counters().handshakes == 2);
    peers[0].send("nonsense\n");
    CHECK(peers[2].received() == "192.0.2.1:1000\n");
    peers[1].send(of_bob + "who\n");
    CHECK(peers[1].received() == "192.0.2.2:1000\n");
    CHECK(bench.counters().handshakes == 0);
}

TEST_CASE("a server that stops waits for PROXY headers until their limit, or its deadline",
          "[proxy]")
{
    bench bench;
    auto alice = bench.connect();
    auto bob = bench.connect();
    alice.send(of_alice.substr(0, 5));
    bob.send("PROXY");
    bench.loop.settle();
    CHECK(bench.loop.size() == 1); // they are none of the user's channels
    CHECK(bench.loop.channels().size() == 1);
    const auto server = bench.server.lock();
    const auto deadline = GENERATE(10s, 1s);
    CAPTURE(deadline.count());
    server->stop(deadline);
    bench.loop.settle();
    alice.send(of_alice.substr(5) + "who\n");
    CHECK(alice.received() == "192.0.2.1:1000\n");
    CHECK(alice.ended());
    CHECK(server->counters().open == 0);
    CHECK_FALSE(server->closed()); // bob may still come
    CHECK_FALSE(bob.ended());
    SECTION("or one that cuts it short")
    {
        server->stop(0s);
        bench.loop.settle();
        CHECK(bench.refusal() == "its PROXY header is not complete, and the server stops");
    }
    SECTION("which of them comes first")
    {
        bench.loop.advance(3s);
        CHECK(bench.refusal() == (deadline == 1s
                                      ? "its PROXY header is not complete, and the server stops"
                                      : "its PROXY header was not complete within 3 s, the limit "
                                        "of proxy_timeout()"));
    }
    CHECK(bob.ended());
    CHECK(bench.logs.size() == 1);
    CHECK(server->closed());
    CHECK(server->counters().refused == 1);
    CHECK(server->counters().handshakes == 0);
    CHECK(bench.loop.size() == 0);
}

TEST_CASE("what waits in the queue of a server that stops has the time for its PROXY header",
          "[proxy]")
{
    bench bench;
    bench.server->max_connections(0);
    std::vector<testing::peer> peers;
    for (int i = 0; i < 3; ++i)
        peers.push_back(bench.connect());
    const auto server = bench.server.lock();
    server->max_connections(2);
    server->stop(10s);
    bench.loop.settle();
    CHECK(peers[2].ended()); // as without a proxy
    CHECK(bench.refusal() == "2 connections are open, 0 from there");
    peers[0].send(of_alice + "who\n");
    CHECK(peers[0].received() == "192.0.2.1:1000\n");
    peers[1].send(of_bob + "who\n");
    CHECK(peers[1].received() == "192.0.2.2:1000\n");
    CHECK(server->closed());
    CHECK(server->counters().accepted == 2);
    CHECK(server->counters().refused == 1);
}

TEST_CASE("a server that was closed serves no half PROXY header", "[proxy]")
{
    bench bench;
    auto peer = bench.connect();
    peer.send("PROXY");
    bench.loop.settle();
    const auto server = bench.server.lock();
    const bool stops_first = GENERATE(false, true);
    if (stops_first)
        server->stop(1s);
    server->close();
    if (stops_first)
        bench.loop.advance(1s);
    else
        peer.send(" UNKNOWN\r\n");
    CHECK(peer.ended());
    CHECK(server->counters().refused == 1);
    CHECK(server->counters().handshakes == 0);
    CHECK(bench.loop.size() == 0);
    CHECK(bench.events.empty());
}

TEST_CASE("a half PROXY header ends with its loop", "[proxy]")
{
    testing::peer* peer = nullptr;
    std::unique_ptr<testing::peer> kept;
    {
        bench bench;
        kept = std::make_unique<testing::peer>(bench.connect());
        peer = kept.get();
        peer->send("PROXY");
        bench.loop.settle();
        if (GENERATE(true, false))
            bench.loop.close_all();
    }
    CHECK(peer != nullptr); // the sanitizers look at the rest
}

TEST_CASE("a handler that cannot be made costs its own connection behind a proxy", "[proxy]")
{
    class choosy : public async_chat {
    public:
        choosy(loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
        {
            if (addr().host() == "192.0.2.1")
                throw support::test_error("not alice");
            push("welcome");
        }
        void found_terminator() override {}
    };
    std::string log;
    testing::loop loop;
    loop.log_sink([&](log_type, std::string_view line) { log += line; });
    const auto server = loop.create<asynchat::server<choosy>>(endpoint("127.0.0.1", 7000));
    server->expect_proxy({"127.0.0.1"});
    auto alice = loop.connect(endpoint("127.0.0.1", 7000));
    auto bob = loop.connect(endpoint("127.0.0.1", 7000));
    loop.settle();
    alice.send(of_alice);
    bob.send(of_bob);
    CHECK(alice.ended());
    CHECK(bob.received() == "welcome");
    CHECK_THAT(log, Catch::Matchers::ContainsSubstring("not alice"));
    CHECK(server->counters().closes(close_reason::callback_error) == 1);
}

TEST_CASE("handle_accepted() is called with the client and its PROXY header", "[proxy]")
{
    class picky : public server<host> {
    public:
        using server::server;
        void handle_accepted(asynchat::socket connection, const endpoint& peer) override
        {
            REQUIRE(connection.proxy());
            CHECK(connection.peer() == peer);
            seen.push_back(peer.to_string() + " " + connection.proxy()->destination().to_string());
            if (peer.host() != "192.0.2.2")
                server::handle_accepted(std::move(connection), peer);
        }
        std::vector<std::string> seen;
    };
    std::vector<std::string> events;
    testing::loop loop;
    const auto server = loop.create<picky>(endpoint("127.0.0.1", 7000), std::ref(events));
    server->expect_proxy({"127.0.0.1"});
    auto alice = loop.connect(endpoint("127.0.0.1", 7000));
    auto bob = loop.connect(endpoint("127.0.0.1", 7000));
    alice.send(of_alice + "who\n");
    loop.settle();
    bob.send(of_bob);
    CHECK(bob.ended());
    CHECK(alice.received() == "192.0.2.1:1000\n");
    CHECK(server->seen == std::vector<std::string>{"192.0.2.1:1000 198.51.100.2:80",
                                                   "192.0.2.2:1000 198.51.100.2:80"});
}

TEST_CASE("a frame_chat behind a proxy gets frames only", "[proxy]")
{
    class framed : public frame_chat {
    public:
        framed(loop& owner, asynchat::socket from) : frame_chat(owner, std::move(from))
        {
            set_terminator(terminator::length_prefix(2));
        }
        void found_frame(std::string_view frame) override
        {
            push(addr().host() + " " + std::string(frame));
        }
    };
    testing::loop loop;
    const auto server = loop.create<asynchat::server<framed>>(endpoint("127.0.0.1", 7000));
    server->expect_proxy({"127.0.0.1"});
    auto peer = loop.connect(endpoint("127.0.0.1", 7000));
    const std::size_t piece = GENERATE(1U, 10U, 100U);
    peer.send(of_alice + std::string("\0\5hello", 7), piece);
    CHECK(peer.received() == "192.0.2.1 hello");
}

TEST_CASE("the PROXY protocol survives the faults of the network", "[proxy]")
{
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        std::vector<std::string> events;
        testing::loop loop(seed);
        loop.log_sink([](log_type, std::string_view) {});
        const endpoint where("127.0.0.1", 7000);
        const auto server = loop.create<asynchat::server<host>>(where, std::ref(events));
        server->expect_proxy({"127.0.0.1"});
        loop.faults().cut = 300;
        loop.faults().block = 300;
        std::vector<testing::peer> peers;
        for (int i = 0; i < 5; ++i) {
            peers.push_back(loop.connect(where));
            peers.back().send(of_alice + "who\n", 1 + static_cast<std::size_t>(seed % 20));
        }
        std::string answers;
        for (auto& peer : peers)
            answers += peer.received();
        CAPTURE(seed);
        CHECK(answers == "192.0.2.1:1000\n192.0.2.1:1000\n192.0.2.1:1000\n192.0.2.1:1000\n"
                         "192.0.2.1:1000\n");
        CHECK(server->counters().handshakes == 0);
    }
}

TEST_CASE("real sockets speak the PROXY protocol", "[proxy]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(family);
    std::vector<std::string> events;
    std::string log;
    support::temp_dir dir;
    loop loop;
    loop.log_sink([&](log_type, std::string_view line) { log += line; });
    const auto server =
        loop.create<asynchat::server<host>>(support::free_address(family, dir), std::ref(events));
    server->expect_proxy({"127.0.0.0/8", "::1", "unix:"});
    auto one = support::raw_peer::connected_to(server->local_endpoint());
    one.send(of_alice + "who\n");
    CHECK(run_until(loop, [&] { return one.received() == "192.0.2.1:1000\n"; }));
    auto two = support::raw_peer::connected_to(server->local_endpoint());
    CHECK(run_until(loop, [&] { return server->counters().handshakes == 1; }));
    two.send(of_bob.substr(0, 20));
    // The half header is consumed: the loop has nothing to do.
    CHECK(run_until(loop, [&] { return !loop.poll() && !loop.poll(); }));
    two.send(of_bob.substr(20) + "who\n");
    CHECK(run_until(loop, [&] { return two.received() == "192.0.2.2:1000\n"; }));
    auto three = support::raw_peer::connected_to(server->local_endpoint());
    CHECK(run_until(loop, [&] { return server->counters().handshakes == 1; }));
    three.send("GET / HTTP/1.0\r\n");
    CHECK(run_until(loop, [&] { return three.ended(); }));
    CHECK_THAT(log, Catch::Matchers::ContainsSubstring("byte 0 is 0x47"));
    CHECK(server->counters().accepted == 2);
    CHECK(server->counters().refused == 1);
}
