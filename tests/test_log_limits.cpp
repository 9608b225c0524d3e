// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// How many lines a channel, a server and a loop may write.

using namespace asynchat;
using namespace support;

TEST_CASE("a limit admits so many lines a second, and counts the others", "[logging]")
{
    detail::log_limit<10> limit;
    for (int i = 0; i < 10; ++i)
        CHECK(limit.admit(5));
    CHECK(limit.take_left_out() == 0);
    for (int i = 0; i < 7; ++i)
        CHECK_FALSE(limit.admit(5));
    CHECK(limit.admit(6));
    CHECK(limit.take_left_out() == 7);
    CHECK(limit.take_left_out() == 0);
    for (int i = 1; i < 10; ++i)
        CHECK(limit.admit(6));
    CHECK(limit.take_left_out() == 0); // the tenth was written
    CHECK_FALSE(limit.admit(6));
    limit.leave_out(2);
    CHECK(limit.take_left_out() == 3);

    limit.leave_out(UINT32_MAX);
    limit.leave_out(5);
    CHECK(limit.take_left_out() == UINT32_MAX);
    detail::log_limit<1> early;
    CHECK(early.admit(0));
    CHECK_FALSE(early.admit(0));
}

namespace {

using log_lines = std::vector<std::string>;

/// Expects frames with their length in front; its lines go to the test.
class framed : public frame_chat {
public:
    framed(loop& owner, asynchat::socket from, log_lines& lines)
        : frame_chat(owner, std::move(from)), lines_(lines)
    {
        set_terminator(terminator::length_prefix(8));
    }
    void handle_log(log_type type, std::string_view line) override
    {
        lines_.push_back(std::string(to_string(type)) + ": " + std::string(line));
    }
    void found_frame(std::string_view) override {}

private:
    log_lines& lines_;
};

/// Connects, sends a length over all limits, and does it again.
void flood(testing::loop& loop, const endpoint& where, int connections)
{
    for (int i = 0; i < connections; ++i) {
        auto peer = loop.connect(where);
        peer.send("\xff\xff\xff\xff\xff\xff\xff\xff");
        loop.settle();
    }
}

/// What the line tells of those that were left out.
std::string left_out(const std::string& line)
{
    const std::string before = " (lines left out before this one: ";
    const auto at = line.find(before);
    return at == line.npos ? "" : line.substr(at + before.size());
}

} // namespace

TEST_CASE("one peer with one connection after the other does not flood the log", "[logging]")
{
    testing::loop loop;
    log_lines lines;
    const endpoint where("127.0.0.1", 7);
    const auto server = loop.create<asynchat::server<framed>>(where, std::ref(lines)).lock();
    flood(loop, where, 200);
    CHECK(
        server->counters().closes_by_reason[static_cast<std::size_t>(close_reason::frame_limit)] ==
        200);
    CHECK(lines.size() == 40);
    CHECK(std::all_of(lines.begin(), lines.end(),
                      [](const std::string& line) { return left_out(line).empty(); }));

    loop.advance(std::chrono::seconds(1));
    flood(loop, where, 2);
    REQUIRE(lines.size() == 42);
    CHECK(left_out(lines[40]) == "160 of its server)");
    CHECK(left_out(lines[41]).empty());
}

TEST_CASE("a server whose connections fill the log leaves room for the others", "[logging]")
{
    testing::loop loop;
    log_lines bad;
    log_lines good;
    log_lines third;
    const endpoint where("127.0.0.1", 7);
    const endpoint other("127.0.0.1", 8);
    loop.create<asynchat::server<framed>>(where, std::ref(bad));
    loop.create<asynchat::server<framed>>(other, std::ref(good));
    flood(loop, where, 200);
    flood(loop, other, 39);
    CHECK(bad.size() == 40);
    CHECK(good.size() == 39);

    // A loop has a limit as well, whoever fills it.
    for (int i = 0; i < 30; ++i) {
        auto ends = loop.accept<framed>(std::ref(third));
        ends.second.send("\xff\xff\xff\xff\xff\xff\xff\xff");
        loop.settle();
    }
    CHECK(third.size() == 21);
    flood(loop, other, 1);
    CHECK(good.size() == 39);
    loop.advance(std::chrono::seconds(1));
    flood(loop, other, 1);
    REQUIRE(good.size() == 40);
    CHECK(left_out(good[39]) == "10 of its loop)");
    flood(loop, where, 1);
    REQUIRE(bad.size() == 41);
    CHECK(left_out(bad[40]) == "160 of its server)");
}

namespace {

/// Logs as many lines as it receives bytes, and stays; warnings, which are ignored at first.
class complaining : public dispatcher {
public:
    complaining(loop& owner, asynchat::socket from, log_lines& lines)
        : dispatcher(owner, std::move(from)), lines_(lines)
    {
        ignore_log_types({});
    }
    void handle_log(log_type, std::string_view line) override { lines_.emplace_back(line); }
    void handle_read() override
    {
        char buffer[4096];
        const std::size_t wanted = recv(asio::buffer(buffer));
        for (std::size_t i = 0; i < wanted; ++i)
            handle_expt(); // whose default is a line
    }
    void handle_eof() override { close(); }

private:
    log_lines& lines_;
};

} // namespace

TEST_CASE("each limit tells what it left out itself, in one text", "[logging]")
{
    testing::loop loop;
    log_lines lines;
    log_lines elsewhere;
    const endpoint where("127.0.0.1", 7);
    loop.create<asynchat::server<complaining>>(where, std::ref(lines));
    std::vector<testing::peer> peers;
    for (int i = 0; i < 5; ++i) {
        peers.push_back(loop.connect(where));
        peers.back().send(std::string(12, 'x'));
        loop.settle();
    }
    CHECK(lines.size() == 40); // ten of each of the first four
    std::vector<std::pair<std::shared_ptr<complaining>, testing::peer>> others;
    for (int i = 0; i < 7; ++i) {
        others.push_back(loop.accept<complaining>(std::ref(elsewhere)));
        others.back().second.send(std::string(10, 'x'));
        loop.settle();
    }
    CHECK(elsewhere.size() == 60); // and ten were over the limit of the loop

    loop.advance(std::chrono::seconds(1));
    peers.back().send("x");
    loop.settle();
    REQUIRE(lines.size() == 41);
    CHECK(lines.back() == "unhandled incoming priority event (lines left out before this one: "
                          "2 of this channel, 10 of its server, 10 of its loop)");
    peers.front().send("x");
    loop.settle();
    CHECK(left_out(lines.back()) == "2 of this channel)");
}

TEST_CASE("what a closed channel left out is told by another one", "[logging]")
{
    testing::loop loop;
    log_lines lines;
    {
        auto ends = loop.accept<complaining>(std::ref(lines));
        ends.second.send(std::string(1000, 'x'));
        loop.settle();
        ends.second.finish();
        loop.settle();
        CHECK(ends.first->closed());
    }
    CHECK(lines.size() == 10);
    auto ends = loop.accept<complaining>(std::ref(lines));
    ends.second.send("x");
    loop.settle();
    REQUIRE(lines.size() == 11);
    CHECK(left_out(lines.back()) == "990 of its loop)");
}

TEST_CASE("lines of an ignored type use up no limit", "[logging]")
{
    testing::loop loop;
    log_lines lines;
    const endpoint where("127.0.0.1", 7);
    const auto server = loop.create<asynchat::server<complaining>>(where, std::ref(lines)).lock();
    auto peer = loop.connect(where);
    loop.settle();
    for (const auto& channel : loop.channels())
        channel->ignore_log_types({log_type::warning});
    peer.send(std::string(1000, 'x'));
    loop.settle();
    CHECK(lines.size() == 1000); // an override gets them all the same
    for (int i = 0; i < 4; ++i) {
        auto other = loop.connect(where);
        other.send(std::string(10, 'x'));
        loop.settle();
    }
    CHECK(lines.size() == 1040);
}

TEST_CASE("a channel that goes on failing does not flood the log", "[logging][errors]")
{
    // A listener stays open when a handler of it throws.
    class failing : public logging<dispatcher> {
    public:
        explicit failing(loop& owner) : logging(owner)
        {
            create_socket();
            bind(endpoint("127.0.0.1", 0));
            listen();
        }
        int accepted = 0;
        void handle_accepted(asynchat::socket, const endpoint&) override
        {
            ++accepted;
            throw test_error("not today");
        }
    };
    loop loop;
    const auto listener = loop.create<failing>();
    const auto seconds_now = [] {
        return std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::steady_clock::now().time_since_epoch())
            .count();
    };
    const auto start = seconds_now();
    const auto flood = [&](int more) {
        const int wanted = listener->accepted + more;
        while (listener->accepted < wanted) {
            const auto peer = raw_peer::connected_to(listener->local_endpoint());
            const int before = listener->accepted;
            if (!run_until(loop, [&] { return listener->accepted > before; }))
                throw test_error("does not accept");
        }
    };
    flood(100);
    const auto lines = static_cast<std::int64_t>(listener->lines.size());
    CHECK(lines >= 10);
    CHECK(lines <= 10 * (seconds_now() - start + 1));

    // In another second the next line tells how many were left out.
    const auto second = seconds_now();
    REQUIRE(run_until(loop, [&] { return seconds_now() > second; }));
    flood(1);
    std::size_t told = 0;
    for (const std::string& line : listener->lines) {
        if (line.find("left out") != line.npos)
            told += std::stoul(left_out(line));
    }
    CHECK(listener->lines.size() + told == 101);
}

TEST_CASE("lines of an ignored type do not use up the others", "[logging]")
{
    loop loop;
    const auto channel = loop.create<logging<dispatcher>>().lock();
    for (int i = 0; i < 100; ++i)
        channel->handle_read(); // "unhandled read event", a warning
    channel->handle_error();
    CHECK(channel->logged("uncaptured exception") == 1);
}
