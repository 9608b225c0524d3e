// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"
#include "support/manual_clock.hpp"
#include "support/memory.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// Peers that want to cost more than they may, over real sockets. Memory is what the process has
// allocated: the peers are plain sockets, those that send much are in a process of their own.

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

constexpr std::size_t kibibyte = 1024;
constexpr std::size_t mebibyte = 1024 * kibibyte;

/// Sends all of it, waiting as long as it takes.
void send_all(raw_peer& peer, std::string_view bytes)
{
    while (!bytes.empty()) {
        const ssize_t sent = ::send(peer.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        check_call(sent > 0, "send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

/// A server whose log is kept.
template <class Handler>
class quiet_server : public logging<server<Handler>> {
public:
    template <class... Args>
    explicit quiet_server(loop& owner, Args... args)
        : logging<server<Handler>>(owner, endpoint("127.0.0.1", 0), std::move(args)...)
    {
    }
};

/// A client that plays by the rules.
class honest_client {
public:
    honest_client(loop& loop, const endpoint& where)
        : loop_(loop), peer_(raw_peer::connected_to(where))
    {
    }

    /// Sends a line and runs the loop until it has come back.
    bool is_served()
    {
        peer_.send("hello\n");
        wanted_ += "hello\n";
        return run_until(loop_, [&] { return peer_.ended() || peer_.received() == wanted_; }) &&
               !peer_.ended();
    }

private:
    loop& loop_;
    raw_peer peer_;
    std::string wanted_;
};

} // namespace

// --- input that has no end -----------------------------------------------------------------------

namespace {

/// Counts what it is given, of what it may be given for ever.
class byte_counter : public logging<async_chat> {
public:
    byte_counter(loop& owner, asynchat::socket from, const terminator& end)
        : logging(owner, std::move(from))
    {
        set_terminator(end, unlimited);
    }
    std::size_t bytes = 0;
    memory_peak memory;

    void collect_incoming_data(std::string_view data) override
    {
        bytes += data.size();
        memory.look();
    }
    void found_terminator() override { throw test_error("there is no terminator"); }
};

/// Takes frames of the usual length, and skips longer ones.
class frame_skipper : public logging<frame_chat> {
public:
    frame_skipper(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
    {
        set_terminator("\r\n");
    }
    int skipped = 0;
    memory_peak memory;

    void found_frame(std::string_view) override { throw test_error("there is no frame"); }
    asynchat::overflow handle_overflow() override
    {
        ++skipped;
        return asynchat::overflow::skip;
    }
    bool readable() override // asked after each of its events
    {
        memory.look();
        return frame_chat::readable();
    }
};

constexpr std::size_t gibibyte = 1024 * mebibyte;

/// Sends a gibibyte to the channel, from another process, and then the end of the stream.
template <class Channel>
void send_gibibyte(loop& loop, Channel& channel, raw_peer peer)
{
    child_process sender([&](auto say) {
        const std::string block(mebibyte, 'x');
        for (std::size_t sent = 0; sent < gibibyte; sent += block.size())
            send_all(peer, block);
        say("sent");
    });
    peer.close(); // the other process has it
    channel.memory = memory_peak();
    REQUIRE(run_until(loop, [&] { return channel.closed(); }));
    CHECK(channel.close_reason() == close_reason::peer_finished);
    CHECK(sender.line() == "sent");
    CHECK(sender.status() == 0);
    // 256 KiB to receive into, 128 of a frame of 64 that grew, and some for all else.
    CHECK(channel.memory.growth() <= 448 * kibibyte);
}

} // namespace

TEST_CASE("a gibibyte without a terminator takes no memory", "[hostile][no-layers]")
{
    loop loop;
    auto ends = connected_pair();
    SECTION("streamed")
    {
        const auto end = GENERATE(terminator(), terminator("\r\n"));
        const auto channel = loop.create<byte_counter>(std::move(ends.first), end).lock();
        send_gibibyte(loop, *channel, std::move(ends.second));
        CHECK(channel->bytes == gibibyte);
    }
    SECTION("skipped")
    {
        const auto channel = loop.create<frame_skipper>(std::move(ends.first)).lock();
        send_gibibyte(loop, *channel, std::move(ends.second));
        CHECK(channel->skipped == 1);
    }
}

// --- frames that are begun, and never finished
// -----------------------------------------------------

namespace {

/// Wants frames; what is too long is cut.
class frame_keeper : public logging<frame_chat> {
public:
    frame_keeper(loop& owner, asynchat::socket from, const terminator& end, std::size_t longest)
        : logging(owner, std::move(from))
    {
        set_terminator(end, longest);
    }
    void found_frame(std::string_view) override { throw test_error("there is no whole frame"); }
    asynchat::overflow handle_overflow() override { return asynchat::overflow::truncate; }
};

} // namespace

TEST_CASE("a thousand begun frames of a mebibyte take what max_frame allows",
          "[hostile][no-layers]")
{
    const auto announced = terminator::length_prefix(4);
    struct {
        terminator end;
        std::size_t longest;
        std::string begin;
        std::size_t sent;   // behind that
        std::size_t memory; // for each, the channel itself included
    } const cases[] = {
        // Strings grow by doubling.
        {"\n", 64 * kibibyte, {}, mebibyte, 136 * kibibyte},
        {announced, 64 * kibibyte, "\0\x10\0\0"s, mebibyte - 1, 72 * kibibyte},
        {announced, mebibyte, "\0\x10\0\0"s, 64 * kibibyte, 1032 * kibibyte},
    };
    const auto& how = cases[GENERATE(0, 1, 2)];
    CAPTURE(how.end.is_length_prefix(), how.longest);
    constexpr std::size_t connections = 1000;
    const descriptor_limit enough(connections + 200);
    if (!enough.possible()) {
        WARN("skipped: it needs " << connections + 200 << " descriptors");
        return;
    }
    loop loop;
    const auto server = loop.create<quiet_server<frame_keeper>>(how.end, how.longest).lock();
    const endpoint where = server->local_endpoint();
    memory_peak memory;
    child_process clients([&](auto say) {
        const std::string frame = how.begin + std::string(how.sent, 'x');
        std::vector<raw_peer> peers;
        for (std::size_t i = 0; i < connections; ++i) {
            peers.push_back(raw_peer::connected_to(where));
            send_all(peers.back(), frame);
        }
        say("sent");
        asynchat::loop clock;
        run_until(clock, [&] { return peers.back().ended(); });
    });
    const auto& seen = server->counters();
    CHECK(run_until(loop, [&] {
        memory.look();
        return seen.bytes_in == connections * (how.begin.size() + how.sent);
    }));
    CHECK(clients.line() == "sent");
    CHECK(seen.open == connections);
    CHECK(memory.growth() <= connections * how.memory);
    loop.close_all();
    CHECK(clients.status() == 0);
}

// --- who does not read ---------------------------------------------------------------------------

namespace {

/// Answers each line with a mebibyte.
class generous : public logging<async_chat> {
public:
    generous(loop& owner, asynchat::socket from, bool bounds_its_output_itself)
        : logging(owner, std::move(from))
    {
        set_terminator("\n");
        when_full(bounds_its_output_itself ? asynchat::full_output::reads_on
                                           : asynchat::full_output::by_role);
    }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override { push(std::string(mebibyte, 'r')); }
};

} // namespace

TEST_CASE("who does not read his answers costs no more than the marks and caps",
          "[hostile][no-records]")
{
    constexpr std::size_t connections = 10;
    constexpr int requests = 500;
    const bool stops_reading = GENERATE(true, false);
    CAPTURE(stops_reading);
    loop loop;
    const auto server = loop.create<quiet_server<generous>>(!stops_reading).lock();
    const auto echo = loop.create<quiet_server<line_echo>>().lock();
    std::vector<raw_peer> peers;
    for (std::size_t i = 0; i < connections; ++i) {
        peers.push_back(raw_peer::connected_to(server->local_endpoint()));
        const int on = 1; // each request is to come by itself
        ::setsockopt(peers.back().fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    honest_client honest(loop, echo->local_endpoint());
    REQUIRE(run_until(loop, [&] { return server->counters().open == connections; }));
    memory_peak memory;
    for (int i = 0; i < requests; ++i) {
        for (raw_peer& peer : peers)
            ::send(peer.fd(), "get\n", 4, MSG_NOSIGNAL); // it may be closed
        REQUIRE(honest.is_served());
        memory.look();
    }
    REQUIRE(settle(loop));
    // One answer may come on top of the limit, and one is kept until its last byte is sent.
    constexpr std::size_t kept_by_loop = 17 * mebibyte; // of strings, see performance.md
    const std::size_t limit = stops_reading ? 256 * kibibyte : 8 * mebibyte;
    CHECK(memory.growth() <= connections * (limit + 2 * mebibyte) + kept_by_loop);
    if (stops_reading)
        CHECK(server->counters().open == connections);
    else
        CHECK(server->counters().closes(close_reason::output_limit) == connections);
    CHECK(honest.is_served());
}

// --- who is slow
// -----------------------------------------------------------------------------------

TEST_CASE("thousands who send a byte now and then are gone at the frame deadline",
          "[hostile][no-tls]")
{
    ASYNCHAT_TEST_NEEDS(asynchat::platform() != "posix select", "something better than select()");
    constexpr std::size_t connections = 2000;
    const descriptor_limit enough(2 * connections + 200);
    if (!enough.possible()) {
        WARN("skipped: it needs " << 2 * connections + 200 << " descriptors");
        return;
    }
    manual_loop loop;
    const auto server = loop.create<quiet_server<line_echo>>().lock();
    const auto& seen = server->counters();
    honest_client honest(loop, server->local_endpoint());
    REQUIRE(honest.is_served());
    std::vector<raw_peer> peers;
    for (std::size_t i = 0; i < connections; ++i) {
        peers.push_back(raw_peer::connected_to(server->local_endpoint()));
        peers.back().send("x");
    }
    const std::uint64_t before = seen.bytes_in;
    REQUIRE(run_until(loop, [&] { return seen.bytes_in == before + connections; }));
    for (int second = 1; second < 120; ++second) {
        loop.advance(1s);
        for (raw_peer& peer : peers)
            peer.send("x");
        REQUIRE(honest.is_served());
    }
    REQUIRE(settle(loop));
    CHECK(seen.open == connections + 1);
    loop.advance(1s + 100ms);
    REQUIRE(run_until(loop, [&] { return seen.open == 1; }));
    CHECK(seen.closes(close_reason::frame_timeout) == connections);
    CHECK(std::all_of(peers.begin(), peers.end(), [](raw_peer& peer) { return peer.ended(); }));
    CHECK(honest.is_served());
}
