// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

// Any number of requests at once is answered: two of ours never wait for each other.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;

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

// --- of both sides at once -----------------------------------------------------------------------

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
