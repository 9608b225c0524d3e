// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/memory.hpp"
#include "support/recording_chat.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// How much output may wait: a peer that reads gets answers of any size, one that does not is
// bounded, and two of ours never wait for each other.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;
using asynchat::testing::operation;

namespace {

using texts = std::vector<std::string>;

std::string bytes(std::size_t size)
{
    return std::string(size, 'x');
}

/// Writes down what becomes of its output as well.
class lines : public asynchat::testing::recorder<> {
public:
    explicit lines(asynchat::loop& owner, asynchat::socket from = {})
        : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }

    std::function<void()> on_found;

    void found_terminator() override
    {
        recorder::found_terminator();
        if (on_found)
            on_found();
    }
    void handle_write_paused() override { note("paused"); }
    void handle_write_resumed() override { note("resumed"); }
};

asynchat::full_output full(bool stops)
{
    return stops ? asynchat::full_output::stops_reading : asynchat::full_output::reads_on;
}

/// A channel, accepted or not, that is over its marks with more than 10 bytes.
struct small_channel {
    explicit small_channel(bool accepted = true)
        : ends(accepted ? loop.accept<lines>() : connected()), chat(ends.first), peer(ends.second)
    {
        chat->write_buffer_limits(10, 5);
        peer.window(0);
        loop.settle();
        chat->events.clear();
    }

    /// Calls it in an event of the channel.
    template <class F>
    void event(F call)
    {
        loop.handle_of(*chat).post([call](lines& channel) { call(channel); });
        loop.settle();
    }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<lines>, asynchat::testing::peer> ends;
    std::shared_ptr<lines> chat;
    asynchat::testing::peer& peer;

private:
    std::pair<std::shared_ptr<lines>, asynchat::testing::peer> connected()
    {
        const endpoint somewhere("127.0.0.1", 7);
        auto listener = loop.listen(somewhere);
        auto client = loop.create<lines>().lock();
        client->connect(somewhere);
        return {client, listener.accept()};
    }
};

} // namespace

// --- max_output() ----------------------------------------------------------------------------

TEST_CASE("max_output: one push may be of any size, in an event and outside of it",
          "[output-limits][flow]")
{
    const bool outside = GENERATE(false, true);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    const std::string body = bytes(20 << 20);
    const auto answer = [&body](lines& channel) {
        CHECK(channel.push("header "));
        CHECK(channel.push(std::string(body)));
        CHECK(channel.push(" trailer"));
    };
    if (outside)
        loop.post([&answer, &to = *chat] { answer(to); });
    else
        loop.handle_of(*chat).post([&answer](lines& to) { answer(to); });
    CHECK((peer.received() == "header " + body + " trailer"));
    CHECK_FALSE(chat->closed());
}

TEST_CASE("max_output: a string of 256 MiB is moved in and sent without a copy",
          "[output-limits][flow]")
{
    asynchat::loop loop;
    auto ends = support::connected_pair(AF_UNIX);
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    std::string large = bytes(256 << 20);
    support::memory_peak memory;
    CHECK(chat->push(std::move(large)));
    memory.look();
    std::vector<char> taken(1 << 20);
    std::size_t received = 0;
    REQUIRE(support::run_until(loop, [&] {
        ssize_t got = 0;
        while ((got = ::recv(ends.second.fd(), taken.data(), taken.size(), MSG_DONTWAIT)) > 0)
            received += static_cast<std::size_t>(got);
        memory.look();
        return received == (256 << 20) || chat->closed();
    }));
    CHECK(received == 256 << 20);
    CHECK_FALSE(chat->closed());
    CHECK(memory.growth() < 4 << 20);
}

TEST_CASE("max_output: a thousand pipelined requests have their answers", "[output-limits][flow]")
{
    const std::size_t size = GENERATE(as<std::size_t>{}, 100, 16384);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<lines>();
    std::string requests;
    for (int i = 0; i < 1000; ++i)
        requests += "get\n";
    chat->on_found = [&to = *chat, answer = bytes(size)] { CHECK(to.push(answer)); };
    peer.send(requests);
    CHECK(peer.received().size() == 1000 * size);
    CHECK_FALSE(chat->closed());
}

TEST_CASE("max_output: ends the channel at the first push behind an event that left too much",
          "[output-limits][flow]")
{
    small_channel c;
    c.chat->max_output(100);
    c.event([](lines& chat) {
        CHECK(chat.push(bytes(60)));
        CHECK(chat.push(bytes(40)));
    });
    c.event([](lines& chat) { CHECK(chat.push(bytes(60))); }); // 100 are not more than 100
    c.event([](lines& chat) { CHECK(chat.push("")); });        // adds nothing
    CHECK_FALSE(c.chat->closed());
    bool pushed = true;
    c.event([&pushed](lines& chat) {
        pushed = chat.push("x");
        CHECK_FALSE(chat.closed()); // later
        CHECK(chat.pending_output() == 160);
    });
    CHECK_FALSE(pushed);
    CHECK(c.chat->close_reason() == close_reason::output_limit);
    CHECK(c.chat->pending_output() == 160);
    REQUIRE(c.chat->logs.size() == 1);
    CHECK(c.chat->logs[0].find("160 bytes of output wait, the limit of max_output() is 100") !=
          std::string::npos);
}

TEST_CASE("max_output: what waits behind a socket that takes nothing counts",
          "[output-limits][flow]")
{
    small_channel c;
    c.chat->max_output(100);
    c.event([](lines& chat) { CHECK(chat.push(bytes(60))); });
    c.event([](lines& chat) { CHECK(chat.push(bytes(60))); }); // is not tried: it waits
    c.event([](lines& chat) { CHECK_FALSE(chat.push(bytes(60))); });
    CHECK(c.chat->close_reason() == close_reason::output_limit);
}

TEST_CASE("max_output: who was over it and has caught up may be sent more", "[output-limits][flow]")
{
    small_channel c;
    c.chat->max_output(100);
    c.event([](lines& chat) { CHECK(chat.push(bytes(200))); });
    c.peer.window(65536);
    CHECK(c.peer.received().size() == 200);
    c.event([](lines& chat) { CHECK(chat.push("more")); });
    CHECK(c.peer.received() == "more");
    CHECK_FALSE(c.chat->closed());
}

TEST_CASE("max_output: output that is given up makes room", "[output-limits][flow][no-records]")
{
    small_channel c;
    c.chat->max_output(100);
    c.event([](lines& chat) { CHECK(chat.push(bytes(200))); });
    SECTION("in an event of its own")
    {
        c.event([](lines& chat) { chat.discard_buffers(); });
        c.event([](lines& chat) { CHECK(chat.push("more")); });
    }
    SECTION("for what is pushed at once")
    {
        c.event([](lines& chat) {
            chat.discard_buffers();
            CHECK(chat.push("more"));
        });
    }
    SECTION("also behind a push that was refused")
    {
        c.event([](lines& chat) {
            CHECK_FALSE(chat.push("too much"));
            chat.discard_buffers();
            CHECK(chat.push("more"));
        });
    }
    CHECK_FALSE(c.chat->closed());
    CHECK(c.chat->pending_output() == 4);
}

TEST_CASE("max_output: the pieces of producers are not refused", "[output-limits][flow]")
{
    small_channel c;
    c.chat->max_output(100);
    c.event([](lines& chat) {
        chat.push(bytes(200));
        CHECK(chat.push_with_producer(
            [pieces = 0]() mutable { return ++pieces < 10 ? bytes(1000) : std::string(); }));
    });
    c.event([](lines& chat) { CHECK(chat.push_with_producer([] { return std::string(); })); });
    c.peer.window(65536);
    CHECK(c.peer.received().size() == 9200);
    CHECK_FALSE(c.chat->closed());
}

// --- pushes from outside ---------------------------------------------------------------------

TEST_CASE("a push from outside over the high mark sends at once what the socket takes",
          "[output-limits][flow]")
{
    small_channel c;
    c.peer.window(1000);
    c.loop.post([&chat = *c.chat] {
        CHECK(chat.push(bytes(10)));
        CHECK(chat.pending_output() == 10); // not over the mark
        CHECK(chat.push(bytes(900)));
        CHECK(chat.pending_output() == 0);
        CHECK_FALSE(chat.write_paused());
    });
    CHECK(c.peer.received().size() == 910);
    CHECK(c.chat->events.empty());
}

TEST_CASE("a push from outside that is too much pauses the channel within the call",
          "[output-limits][flow]")
{
    small_channel c;
    c.loop.settle();
    c.loop.post([&chat = *c.chat] {
        CHECK(chat.push(bytes(20)));
        CHECK(chat.write_paused());
        CHECK_FALSE(chat.readable());
        CHECK(chat.events.empty()); // which is told in a turn
    });
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == texts{"paused"});
    c.peer.window(100);
    c.loop.settle();
    CHECK(c.chat->events == texts{"paused", "resumed", "collect one", "found"});
}

TEST_CASE("small pushes from outside come to the high mark as large ones do",
          "[output-limits][flow]")
{
    small_channel c;
    SECTION("behind nothing") {}
    SECTION("behind what an event has left")
    {
        c.event([](lines& chat) { chat.push("x"); });
    }
    SECTION("behind a producer, in memory that was used before")
    {
        c.peer.window(1);
        c.chat->push("x");
        c.loop.settle();
        c.chat->push_with_producer([] { return std::string(); });
    }
    SECTION("behind a large string")
    {
        c.chat->write_buffer_limits(10000, 5);
        c.chat->push(bytes(9990));
    }
    SECTION("behind others, and with lower marks")
    {
        c.chat->write_buffer_limits(1000, 5);
        for (int i = 0; i < 10; ++i)
            c.chat->push("x");
        c.chat->write_buffer_limits(10, 5);
    }
    const std::size_t before = c.chat->pending_output();
    for (int i = 0; i < 20 && !c.chat->write_paused(); ++i)
        CHECK(c.chat->push("x"));
    CHECK(c.chat->write_paused());
    CHECK(c.chat->pending_output() == (before < 1000 ? 11 : 10001));
}

TEST_CASE("pushes from outside come to the high mark before a connection is made",
          "[output-limits][flow]")
{
    asynchat::testing::loop loop;
    const auto chat = loop.create<lines>().lock();
    chat->write_buffer_limits(10, 5);
    for (int i = 0; i < 20 && !chat->write_paused(); ++i)
        CHECK(chat->push("x"));
    CHECK(chat->write_paused());
    CHECK(chat->pending_output() == 11);
}

TEST_CASE("an error of a push from outside is told in a turn", "[output-limits][flow][errors]")
{
    small_channel c;
    c.peer.window(1000);
    c.loop.post([&] {
        c.loop.fail(1, EIO, operation::send);
        CHECK(c.chat->push(bytes(20)));
        CHECK(c.chat->events.empty());
        CHECK_FALSE(c.chat->closed());
        c.loop.fail(1, EIO, operation::send);
    });
    c.loop.settle();
    CHECK(c.chat->events ==
          texts{"paused", "error asynchat: send: Input/output error", "close system error"});
}

TEST_CASE("a connection that a push from outside finds lost ends in a turn",
          "[output-limits][flow]")
{
    small_channel c;
    c.peer.send("one\n");
    c.peer.close();
    c.chat->push(bytes(20));
    CHECK(c.chat->events.empty());
    CHECK_FALSE(c.chat->closed());
    CHECK_FALSE(c.chat->push("more"));
    c.loop.settle();
    CHECK(c.chat->events == texts{"collect one", "found", "close reset"});
    CHECK(c.chat->pending_output() == 20);
}

TEST_CASE("who talks too much for others ends its turn", "[output-limits][flow][fair]")
{
    small_channel c;
    auto [talker, peer] = c.loop.accept<lines>();
    std::size_t lines_at_once = 0;
    talker->on_found = [&, &from = *talker] {
        if (from.events.size() == 2) // others are next
            c.loop.post([&] { lines_at_once = from.events.size(); });
        c.chat->push(bytes(8));
    };
    std::string many;
    for (int i = 0; i < 40; ++i)
        many += "a\n";
    peer.send(many);
    c.loop.settle();
    CHECK(lines_at_once == 4); // "collect a" and "found" of two lines: the second one was too much
    CHECK(talker->events.size() == 80);
}

// --- end_turn() ------------------------------------------------------------------------------

TEST_CASE("end_turn: outside of a callback of the input it does nothing", "[output-limits][fair]")
{
    small_channel c;
    c.chat->end_turn();
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == texts{"collect one", "found"});
}

TEST_CASE("end_turn: others have their turn before the rest of the input", "[output-limits][fair]")
{
    small_channel c;
    c.chat->on_found = [&chat = *c.chat] {
        chat.owner().post([&chat] { chat.note("other"); });
        chat.end_turn();
        chat.end_turn(); // twice is once
    };
    c.peer.send("one\ntwo\nthree");
    c.peer.finish();
    c.loop.settle();
    CHECK(c.chat->events == texts{"collect one", "found", "other", "collect two", "found", "other",
                                  "collect three", "eof", "close peer finished"});
}

// --- who stops reading -----------------------------------------------------------------------

TEST_CASE("over the high mark an accepted channel stops reading, one that connected goes on",
          "[output-limits][flow]")
{
    const bool accepted = GENERATE(false, true);
    small_channel c(accepted);
    c.event([](lines& chat) { chat.push(bytes(20)); });
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->write_paused());
    CHECK(c.chat->events == (accepted ? texts{"paused"} : texts{"paused", "collect one", "found"}));
}

TEST_CASE("a socket that was adopted is not one that was accepted", "[output-limits][flow]")
{
    asynchat::loop loop;
    auto ends = support::connected_pair();
    const auto chat = loop.create<lines>(std::move(ends.first)).lock();
    chat->push(bytes(32 << 20));
    CHECK(support::settle(loop));
    REQUIRE(chat->write_paused());
    ends.second.send("one\n");
    CHECK(support::run_until(loop, [&] { return chat->events.size() == 3; }));
    CHECK(chat->events == texts{"paused", "collect one", "found"});
}

TEST_CASE("when_full() holds for either role, now and later", "[output-limits][flow]")
{
    const bool accepted = GENERATE(false, true);
    const bool stops = GENERATE(false, true);
    const bool before = GENERATE(false, true); // it is full
    small_channel c(accepted);
    if (before)
        c.chat->when_full(full(stops));
    c.event([](lines& chat) { chat.push(bytes(20)); });
    if (!before)
        c.chat->when_full(full(stops));
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == (stops ? texts{"paused"} : texts{"paused", "collect one", "found"}));
    c.chat->when_full(full(!stops)); // it is full again, or still
    c.peer.send("two\n");
    c.loop.settle();
    CHECK(c.chat->events.size() == (stops ? 5 : 3));
    c.peer.window(100); // and empty
    c.loop.settle();
    CHECK(c.chat->events.size() == 6);
}

namespace {

/// Answers each line, with twice as much.
class echo : public asynchat::async_chat {
public:
    echo(asynchat::loop& owner, asynchat::socket from, std::size_t& answered, bool slow)
        : async_chat(owner, std::move(from)), answered_(answered), slow_(slow)
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override
    {
        CHECK(push(line_ + line_ + '\n'));
        line_.clear();
        if (++answered_ % 100 != 0 || !slow_)
            return;
        pause_reading();
        owner().call_later(1ms, [channel = owner().handle_of(*this)] {
            if (const auto alive = channel.lock())
                alive->resume_reading();
        });
    }

private:
    std::string line_;
    std::size_t& answered_;
    bool slow_;
};

/// Sends all its requests as soon as it can, and then reads.
class eager_client : public asynchat::async_chat {
public:
    eager_client(asynchat::loop& owner, const endpoint& to, std::size_t requests)
        : async_chat(owner), requests_(requests)
    {
        set_terminator("\n");
        connect(to);
    }
    void handle_connect() override
    {
        for (std::size_t i = 0; i < requests_; ++i)
            CHECK(push("a request of thirty bytes ...\n"));
    }
    void collect_incoming_data(std::string_view data) override { bytes_ += data.size(); }
    void found_terminator() override
    {
        if (++answers == requests_)
            close();
    }

    std::size_t answers = 0;

private:
    std::size_t requests_;
    std::size_t bytes_ = 0;
};

} // namespace

TEST_CASE("pipelined requests are answered, however much and in both directions",
          "[output-limits][flow]")
{
    const auto [requests, slow] =
        GENERATE(table<std::size_t, bool>({{10240, false}, {10240, true}, {60000, true}}));
    asynchat::testing::loop loop;
    std::size_t answered = 0;
    const auto server =
        loop.create<asynchat::server<echo>>(endpoint("127.0.0.1", 0), std::ref(answered), slow)
            .lock();
    const auto client =
        loop.create<eager_client>(server->local_endpoint(), std::size_t{requests}).lock();
    loop.advance(1h);
    CHECK(client->answers == requests);
    CHECK(answered == requests);
    CHECK(client->close_reason() == close_reason::local);
}

TEST_CASE("pipelined requests are answered over real sockets", "[output-limits][flow]")
{
    asynchat::loop loop;
    std::size_t answered = 0;
    const auto server =
        loop.create<asynchat::server<echo>>(endpoint("127.0.0.1", 0), std::ref(answered), false)
            .lock();
    const auto client =
        loop.create<eager_client>(server->local_endpoint(), std::size_t{60000}).lock();
    REQUIRE(support::run_until(loop, [&] { return client->closed(); }));
    CHECK(client->answers == 60000);
}

// --- who reads on ----------------------------------------------------------------------------

namespace {

constexpr std::size_t many_requests = 200000;

/// Asks all at once, and counts the answers; or only answers, with a hundred bytes.
class talker : public asynchat::async_chat {
public:
    explicit talker(asynchat::loop& owner) : async_chat(owner) { set_terminator("\n"); }
    talker(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
    {
        set_terminator("\n");
    }

    std::size_t asked = 0;
    std::size_t answered = 0;
    std::size_t answers = 0;
    std::size_t most = 0;

    /// Together, or each in a push of its own.
    void ask(std::size_t requests, bool together)
    {
        asked = requests;
        std::string all;
        for (std::size_t i = 0; i < requests; ++i) {
            if (together)
                all += "request\n";
            else if (!push("request\n"))
                FAIL("refused");
        }
        if (together)
            CHECK(push(std::move(all)));
    }
    void collect_incoming_data(std::string_view data) override
    {
        if (first_ == '\0')
            first_ = data.front();
    }
    void found_terminator() override
    {
        if (std::exchange(first_, '\0') == 'r') {
            ++answered;
            push(answer_);
        } else {
            ++answers;
        }
        most = std::max(most, pending_output());
    }

private:
    char first_ = '\0';
    const std::string answer_ = std::string(100, 'a') + "\n";
};

/// A channel that was accepted, and the one that has connected to it.
struct two_talkers {
    asynchat::testing::loop loop;
    std::shared_ptr<asynchat::server<talker>> server =
        loop.create<asynchat::server<talker>>(endpoint("127.0.0.1", 0)).lock();
    std::shared_ptr<talker> connected = loop.create<talker>().lock();
    std::shared_ptr<talker> accepted;

    two_talkers()
    {
        connected->connect(server->local_endpoint());
        loop.settle();
        for (const auto& channel : loop.channels()) {
            const auto chat = std::dynamic_pointer_cast<talker>(channel);
            if (chat && chat != connected)
                accepted = chat;
        }
        REQUIRE(accepted);
    }
};

} // namespace

TEST_CASE("any number of requests is answered, whoever asks", "[output-limits][flow]")
{
    const auto who = GENERATE(as<std::string>{}, "accepted", "connected", "both");
    const bool together = GENERATE(false, true);
    const bool in_event = GENERATE(false, true);
    two_talkers t;
    // Of both at once so many that what waits is under max_output(): something has to hold it.
    const std::size_t requests = who == "both" ? 60000 : many_requests;
    for (const auto& chat : {t.accepted, t.connected}) {
        if (who != "both" && chat != (who == "accepted" ? t.accepted : t.connected))
            continue;
        if (in_event)
            t.loop.handle_of(*chat).post([=](talker& asker) { asker.ask(requests, together); });
        else
            chat->ask(requests, together);
    }
    t.loop.advance(100s);
    for (const auto& chat : {t.accepted, t.connected}) {
        CAPTURE(who, together, in_event, chat->pending_output());
        CHECK_FALSE(chat->closed());
        CHECK(chat->answers == chat->asked);
        CHECK(chat->most < 8 << 20);
    }
}

TEST_CASE("one that connected stops reading at half of max_output()",
          "[output-limits][flow][no-records]")
{
    small_channel c(false);
    c.chat->max_output(100);
    c.event([](lines& chat) { chat.push(bytes(50)); });
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == texts{"paused", "collect one", "found"});
    c.event([](lines& chat) { chat.push("x"); });
    c.peer.send("two\n");
    c.loop.settle();
    CHECK(c.chat->events.size() == 3);
    SECTION("until the low mark")
    {
        c.peer.window(100);
        c.loop.settle();
        CHECK(c.chat->events.size() == 6);
    }
    SECTION("or until two seconds have passed in which nothing was taken")
    {
        c.loop.advance(1900ms);
        CHECK(c.chat->events.size() == 3);
        c.peer.window(1);
        c.loop.advance(1900ms); // a byte was
        CHECK(c.chat->events.size() == 3);
        c.loop.advance(200ms);
        CHECK(c.chat->events.size() == 5);
        c.event([](lines& chat) { chat.push(bytes(40)); });
        c.peer.send("three\n"); // it reads on until the low mark, up to max_output()
        c.loop.settle();
        CHECK(c.chat->events.size() == 7);
    }
    SECTION("but not if it shall stop when it is full")
    {
        c.chat->when_full(asynchat::full_output::stops_reading);
        c.loop.advance(10s);
        CHECK(c.chat->events.size() == 3);
    }
}

TEST_CASE("an accepted channel that is full reads on when nothing is taken, up to the first answer",
          "[output-limits][flow]")
{
    small_channel c(true);
    const bool answers = GENERATE(false, true);
    const std::size_t low = 5; // as small_channel has it
    c.chat->on_found = [&chat = *c.chat, answers] {
        if (answers)
            chat.push("answer");
    };
    c.event([](lines& chat) { chat.push(bytes(20)); });
    c.peer.send("one\ntwo\nthree\n");
    c.loop.advance(900ms);
    CHECK(c.chat->events == texts{"paused"});
    c.loop.advance(200ms);
    c.peer.send("four\n");
    c.loop.advance(10s);
    if (!answers) {
        CHECK(c.chat->events.size() == 9);
        CHECK(c.chat->events.back() == "found");
        return;
    }
    CHECK(c.chat->pending_output() > 20 + low);
    CHECK(c.chat->pending_output() <= 20 + 3 * 6); // what one turn has received
    const std::size_t heard = c.chat->events.size();
    c.peer.send("five\n");
    c.loop.advance(30s);
    CHECK(c.chat->events.size() == heard);
    c.peer.window(100);
    c.loop.settle();
    CHECK(c.chat->events.back() == "found");
    CHECK(c.peer.received().size() == 20 + 5 * 6);
    // The next time it stops at the mark again.
    c.peer.window(0);
    c.chat->on_found = nullptr;
    c.event([](lines& chat) { chat.push(bytes(20)); });
    c.peer.send("six\n");
    c.loop.advance(900ms);
    CHECK(c.chat->events.back() == "paused");
}

TEST_CASE("when_full(): two that are full go on when both decide by role again",
          "[output-limits][flow]")
{
    two_talkers t;
    for (const auto& chat : {t.accepted, t.connected}) {
        chat->when_full(asynchat::full_output::stops_reading);
        t.loop.handle_of(*chat).post([](talker& asker) { asker.ask(60000, true); });
    }
    t.loop.advance(10s);
    CHECK(t.accepted->answers == 0);
    CHECK(t.connected->answers == 0);
    for (const auto& chat : {t.accepted, t.connected})
        chat->when_full(asynchat::full_output::by_role);
    t.loop.advance(30s);
    CHECK(t.accepted->answers == 60000);
    CHECK(t.connected->answers == 60000);
}

TEST_CASE("max_output: a larger one lets a channel that connected read on", "[output-limits][flow]")
{
    small_channel c(false);
    c.chat->max_output(100);
    c.event([](lines& chat) { chat.push(bytes(60)); });
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == texts{"paused"});
    c.chat->max_output(200);
    c.loop.settle();
    CHECK(c.chat->events.size() == 3);
}

TEST_CASE("what a constructor pushes is sent after it, however much", "[output-limits][lifetime]")
{
    class base : public asynchat::async_chat {
    public:
        base(asynchat::loop& owner, asynchat::socket from) : async_chat(owner, std::move(from))
        {
            push(bytes(300000));
        }
        void found_terminator() override {}
    };
    class counting : public base {
    public:
        using base::base;
        std::size_t sent = 0;
        std::size_t send(asynchat::const_buffers data) override
        {
            const std::size_t size = base::send(data);
            sent += size;
            return size;
        }
    };
    asynchat::testing::loop loop;
    loop.window(1 << 20);
    auto [chat, peer] = loop.accept<counting>();
    CHECK(peer.received().size() == 300000);
    CHECK(chat->sent == 300000);
}

// --- the end ---------------------------------------------------------------------------------

namespace {

class last_words : public lines {
public:
    using lines::lines;

    void handle_close() override
    {
        note(push("late") ? "sent" : "refused");
        note(push(std::string("late")) ? "sent" : "refused");
        note(push(std::make_shared<const std::string>("late")) ? "sent" : "refused");
        note(print("{}", "late") ? "sent" : "refused");
        note(push_with_producer([] { return std::string(); }) ? "sent" : "refused");
        lines::handle_close();
    }
};

/// Ends itself when it is asked for its terminator.
class closing_override : public lines {
public:
    using lines::lines;

    bool when_done = false;
    mutable int asked = 0;

    const asynchat::terminator& get_terminator() const override
    {
        auto& self = const_cast<closing_override&>(*this);
        if (++asked == 2)
            when_done ? self.close_when_done() : self.close();
        return lines::get_terminator();
    }
};

} // namespace

TEST_CASE("nothing can be pushed in handle_close()", "[output-limits][close]")
{
    const bool lost = GENERATE(false, true);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<last_words>();
    lost ? peer.reset() : peer.finish();
    loop.settle();
    CHECK(chat->closed());
    CHECK(std::count(chat->events.begin(), chat->events.end(), "refused") == 5);
    CHECK(std::count(chat->events.begin(), chat->events.end(), "sent") == 0);
    CHECK(chat->pending_output() == 0);
}

TEST_CASE("a get_terminator() that ends the channel ends its input", "[output-limits][close]")
{
    const bool when_done = GENERATE(false, true);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<closing_override>();
    chat->when_done = when_done;
    peer.send("one\ntwo\nthree\n");
    loop.settle();
    CHECK(chat->closed());
    CHECK(chat->asked == 2);
    REQUIRE(chat->events.size() >= 2);
    CHECK(chat->events[1] == "found");
    CHECK(chat->events.size() == (when_done ? 3 : 2));
}

TEST_CASE("a producer behind answers that are sent in the input is asked in the same event",
          "[output-limits][producer]")
{
    support::bench<> b("\n");
    b.chat->ac_out_buffer_size = 10; // sends in the middle of the input, over so much
    b.chat->on_found = [&chat = *b.chat] {
        chat.push(bytes(15));
        chat.push_with_producer([pieces = 0]() mutable {
            return ++pieces == 1 ? std::string("piece") : std::string();
        });
        chat.owner().post([&chat] { chat.record->note("later"); });
        chat.on_found = nullptr;
    };
    CHECK(b.recv("a\nb\n") == "collect('a') found send('" + bytes(10) + "')=10 send('" + bytes(5) +
                                  "')=5 collect('b') found send('piece')=5 later");
    CHECK(b.chat->pending_output() == 0);
}

TEST_CASE("a producer in front of large answers is not asked in the middle of the input",
          "[output-limits][producer]")
{
    support::bench<> b("\n");
    b.chat->ac_out_buffer_size = 10;
    b.chat->on_found = [&chat = *b.chat] {
        chat.push_with_producer([pieces = 0]() mutable {
            return ++pieces == 1 ? std::string("piece") : std::string();
        });
        chat.push(bytes(15));
        chat.on_found = nullptr;
    };
    const std::string trace = b.recv("a\nb\n");
    CHECK(trace.find("collect('a') found collect('b') found send('piece") == 0);
}

// --- dispatcher_with_send --------------------------------------------------------------------

namespace {

/// Sends back what comes, as often as asked.
class repeater : public support::logging<asynchat::dispatcher_with_send> {
public:
    explicit repeater(asynchat::loop& owner, asynchat::socket from = {})
        : logging(owner, std::move(from))
    {
    }

    std::size_t received = 0;
    std::size_t refused = 0;

    void handle_read() override
    {
        std::array<char, 4096> some;
        const std::size_t got = recv(asio::buffer(some));
        received += got;
        if (got > 0 && send(std::string_view(some.data(), got)) == 0)
            ++refused;
    }
    void handle_connect() override {}
    void handle_close() override { close(); }
};

} // namespace

TEST_CASE("dispatcher_with_send: a peer that does not read cannot make an echo grow",
          "[output-limits][dispatcher_with_send]")
{
    asynchat::testing::loop loop;
    auto [channel, peer] = loop.accept<repeater>();
    peer.window(0);
    for (int i = 0; i < 10000; ++i)
        peer.send(bytes(4096)); // 40 MiB
    loop.settle();
    CHECK_FALSE(channel->closed());
    CHECK(channel->write_paused());
    CHECK_FALSE(channel->readable());
    CHECK(channel->pending_output() <= 262144 + 4096);
    peer.window(65536);
    CHECK(peer.received().size() == 10000 * 4096);
    CHECK_FALSE(channel->write_paused());
    CHECK(channel->refused == 0);
}

TEST_CASE("dispatcher_with_send: one that connected reads on, up to its limit",
          "[output-limits][dispatcher_with_send]")
{
    asynchat::testing::loop loop;
    const endpoint somewhere("127.0.0.1", 7);
    auto listener = loop.listen(somewhere);
    const auto channel = loop.create<repeater>().lock();
    channel->connect(somewhere);
    channel->write_buffer_limits(100, 50);
    channel->max_output(10000);
    auto peer = listener.accept();
    peer.window(0);
    for (int i = 0; i < 10; ++i) {
        peer.send(bytes(1000));
        loop.settle();
    }
    CHECK(channel->received == 10000);
    CHECK(channel->write_paused());
    CHECK_FALSE(channel->closed());
    peer.send(bytes(1000));
    loop.settle();
    CHECK_FALSE(channel->closed()); // 10000 were not more than 10000
    peer.send(bytes(1000));
    loop.settle();
    CHECK(channel->refused == 1);
    CHECK(channel->close_reason() == close_reason::output_limit);
    CHECK(channel->pending_output() == 11000);
    CHECK(channel->logged("11000 bytes of output wait, the limit of max_output() is 10000") == 1);
}

TEST_CASE("dispatcher_with_send: its marks are checked as those of async_chat are",
          "[output-limits][dispatcher_with_send]")
{
    asynchat::testing::loop loop;
    auto [channel, peer] = loop.accept<repeater>();
    CHECK_THROWS_AS(channel->write_buffer_limits(5, 6), std::invalid_argument);
    channel->write_buffer_limits(10, 5);
    peer.window(0);
    channel->send(bytes(10));
    loop.settle();
    CHECK_FALSE(channel->write_paused());
    channel->send("x");
    loop.settle();
    CHECK(channel->write_paused());
    peer.window(5);
    CHECK(peer.received(5).size() == 5);
    loop.settle();
}

TEST_CASE("write_paused: small pushes to a channel that is not connected yet pass the mark as well",
          "[output-limits]")
{
    asynchat::testing::loop loop;
    loop.ignore(endpoint("127.0.0.1", 9));
    const auto chat = loop.create<lines>().lock();
    chat->write_buffer_limits(10, 5);
    chat->connect(endpoint("127.0.0.1", 9));
    loop.handle_of(*chat).post([](lines& self) { self.push("x"); });
    loop.settle();
    for (int i = 0; i < 9; ++i)
        CHECK(chat->push("x"));
    CHECK_FALSE(chat->write_paused()); // the mark itself is not over it
    CHECK(chat->push("x"));
    CHECK(chat->write_paused());
}
