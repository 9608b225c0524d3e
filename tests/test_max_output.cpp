// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/memory.hpp"
#include "support/small_channel.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

// How much output may wait: a peer that reads gets answers of any size, one that does not is
// bounded.

using asynchat::close_reason;
using namespace support::output;

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
          "[output-limits][flow][slow]")
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
