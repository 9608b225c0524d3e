// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "../examples/programs/chat/member.hpp"
#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// One who talks, and many who hear it. Counted, on the memory network: no clock is looked at.

using asynchat::endpoint;

namespace {

std::string repeated(std::string_view line, std::size_t times)
{
    std::string all;
    for (; times > 0; --times)
        all += line;
    return all;
}

/// Counts the lines that go to everybody.
class line_counter final : public chat::listener {
public:
    void hear(const chat::shared_line&) override { ++lines; }
    bool joined() const override { return true; }

    std::size_t lines = 0;
};

/// Notes how many lines had gone to everybody when the answer to /who was sent.
class watched_member : public chat::member {
public:
    watched_member(asynchat::loop& loop, asynchat::socket peer, chat::room& where,
                   const line_counter& counter, std::size_t& lines_at_answer)
        : member(loop, std::move(peer), where), counter_(counter), lines_at_answer_(lines_at_answer)
    {
    }
    std::size_t send(asynchat::const_buffers data) override
    {
        if (data.str().find("* here:") != std::string::npos)
            lines_at_answer_ = counter_.lines;
        return member::send(data);
    }

private:
    const line_counter& counter_;
    std::size_t& lines_at_answer_;
};

} // namespace

TEST_CASE("fan-out: a member who floods a room of 500 does not keep a bystander waiting",
          "[fan-out][fair][no-tls]")
{
    constexpr std::size_t members = 500;
    const std::size_t wait = GENERATE(as<std::size_t>{}, 0, 1, 2, 3, 10);
    asynchat::testing::loop loop;
    loop.window(1 << 20); // everybody reads
    chat::room room;
    line_counter counter;
    std::size_t lines_at_answer = 0;
    room.take_name("counter", counter);
    const auto at =
        loop.create<asynchat::server<watched_member>>(endpoint("127.0.0.1", 0), std::ref(room),
                                                      std::cref(counter), std::ref(lines_at_answer))
            ->local_endpoint();
    std::vector<asynchat::testing::peer> peers;
    for (std::size_t i = 0; i < members; ++i) {
        peers.push_back(loop.connect(at));
        peers.back().send("/nick member" + std::to_string(i) + "\n/join\n");
    }
    loop.settle();
    counter.lines = 0;

    peers[0].send(repeated("a\n", 2000));
    for (std::size_t i = 0; i < wait; ++i)
        loop.poll();
    const std::size_t lines_before = counter.lines;
    peers[1].send("/who\n");
    for (int passes = 0; lines_at_answer == 0 && passes < 1000; ++passes)
        loop.poll();
    REQUIRE(lines_at_answer > 0);
    CHECK(lines_at_answer < 2000); // it did not have to wait for all of them
    CHECK(lines_at_answer - lines_before <= 50);

    loop.settle();
    CHECK(counter.lines == 2000); // and all of them were heard
    loop.close_all();
}

namespace {

/// Passes each line on to all, asking each whether it is full, as flow.md advises.
class broadcaster : public asynchat::async_chat {
public:
    broadcaster(asynchat::loop& owner, asynchat::socket from,
                std::vector<std::shared_ptr<asynchat::async_chat>>& to)
        : async_chat(owner, std::move(from)), to_(to)
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override
    {
        ++lines;
        const auto line = std::make_shared<const std::string>(std::exchange(line_, {}));
        for (const auto& each : to_) {
            if (each->write_paused())
                ++held_back;
            else
                each->push(line);
            most_waiting = std::max(most_waiting, each->pending_output());
        }
    }

    std::size_t lines = 0;
    std::size_t held_back = 0;
    std::size_t most_waiting = 0; // bytes

private:
    std::string line_;
    std::vector<std::shared_ptr<asynchat::async_chat>>& to_;
};

class hearer : public asynchat::testing::recorder<> {
public:
    hearer(asynchat::loop& owner, asynchat::socket from) : recorder(owner, std::move(from))
    {
        write_buffer_limits(65536, 16384);
    }
};

} // namespace

TEST_CASE("fan-out: the marks of those who hear act within the turn of the one who talks",
          "[fan-out][flow]")
{
    asynchat::testing::loop loop;
    std::vector<std::shared_ptr<asynchat::async_chat>> hearers;
    std::vector<asynchat::testing::peer> peers;
    SECTION("they read: nothing waits for the end of the turn, and nothing is held back")
    {
        loop.window(1 << 30);
        for (int i = 0; i < 20; ++i) {
            auto [chat, peer] = loop.accept<hearer>();
            hearers.push_back(chat);
            peers.push_back(std::move(peer));
        }
        auto [talker, talking] = loop.accept<broadcaster>(std::ref(hearers));
        talking.send(repeated(std::string(99, 'x') + "\n", 655)); // one receive
        loop.settle();
        CHECK(talker->lines == 655);
        CHECK(talker->held_back == 0);
        CHECK(talker->most_waiting <= 65536 + 99);
        for (auto& peer : peers)
            CHECK(peer.received().size() == 655 * 99);
    }
    SECTION("one does not read: its output stays at its mark, and the turn ends there")
    {
        for (int i = 0; i < 2; ++i) {
            auto [chat, peer] = loop.accept<hearer>();
            hearers.push_back(chat);
            peers.push_back(std::move(peer));
        }
        peers[0].window(0);
        auto [talker, talking] = loop.accept<broadcaster>(std::ref(hearers));
        talking.send(repeated(std::string(999, 'x') + "\n", 65)); // under the mark
        talking.send(repeated(std::string(999, 'x') + "\n", 65)); // passes it
        for (int passes = 0; !hearers[0]->write_paused() && passes < 100; ++passes)
            loop.poll();
        CHECK(hearers[0]->write_paused());
        CHECK(talker->lines == 66); // of 130: it is the turn of others
        loop.settle();
        CHECK(talker->lines == 130);
        CHECK(talker->held_back == 64);
        CHECK(talker->most_waiting <= 65536 + 999);
        CHECK(peers[1].received().size() == 130 * 999);
    }
    loop.close_all();
}

namespace {

class short_turns : public asynchat::testing::recorder<> {
public:
    using recorder::recorder;
    void found_terminator() override
    {
        recorder::found_terminator();
        order += name;
        if (ends_turn)
            end_turn();
    }
    static inline std::string order; // of all of them
    char name = '?';
    bool ends_turn = false;
};

} // namespace

TEST_CASE("end_turn: the rest of the input comes after the turn of the others", "[fan-out][fair]")
{
    short_turns::order.clear();
    asynchat::testing::loop loop;
    auto [a, to_a] = loop.accept<short_turns>();
    auto [b, to_b] = loop.accept<short_turns>();
    a->set_terminator("\n");
    b->set_terminator("\n");
    a->name = 'a';
    b->name = 'b';
    SECTION("without it a turn is all that was received")
    {
        to_a.send("1\n2\n3\n");
        to_b.send("1\n2\n3\n");
        loop.settle();
        CHECK(short_turns::order == "aaabbb");
    }
    SECTION("with it one frame each, however many others do so as well")
    {
        a->ends_turn = b->ends_turn = true;
        to_a.send("1\n2\n3\n");
        to_b.send("1\n2\n3\n");
        to_a.finish();
        loop.settle();
        CHECK(short_turns::order == "ababab");
        CHECK(a->close_reason() == asynchat::close_reason::peer_finished);
    }
    SECTION("outside of a callback of the input it does nothing")
    {
        a->end_turn();
        to_a.send("1\n");
        loop.settle();
        CHECK(short_turns::order == "a");
    }
    SECTION("a pause in the same callback is a pause")
    {
        a->ends_turn = true;
        to_a.send("1\n2\n");
        loop.handle_of(*a).post([](short_turns& chat) { chat.pause_reading(); });
        loop.settle();
        const std::string before = short_turns::order;
        a->resume_reading();
        loop.settle();
        CHECK(short_turns::order == "aa");
        CHECK(before.size() < 2);
    }
}
