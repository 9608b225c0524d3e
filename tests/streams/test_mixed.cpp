// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/cuts.hpp"

#include <asynchat/streams.hpp>
#include <asynchat/testing.hpp>

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Coroutines beside callbacks: on channels that exist already, and with awaitables of others.

using namespace std::chrono_literals;
using asio::awaitable;
using asynchat::endpoint;
using asynchat::frame_source;
using texts = std::vector<std::string>;

namespace {

const endpoint here("127.0.0.1", 8080);

/// Answers "ping" itself; everything else is for the coroutine.
class pinged : public frame_source {
public:
    using dispatcher::finish;
    using frame_source::frame_source;
    void handle_open() override { set_terminator("\n"); }
    void found_frame(std::string_view frame) override
    {
        if (frame == "ping")
            push("pong\n");
        else
            frame_source::found_frame(frame);
    }
};

/// A connected channel and its peer.
struct fixture {
    fixture()
        : listener(loop.listen(here)), channel(loop.create<pinged>()),
          peer((channel->connect(here), listener.accept()))
    {
    }
    void send(std::string_view bytes)
    {
        peer.send(bytes);
        loop.settle();
    }

    texts seen;
    asynchat::testing::loop loop;
    asynchat::testing::listener listener;
    asynchat::handle<pinged> channel;
    asynchat::testing::peer peer;
};

template <class Source>
awaitable<void> take_all(asynchat::handle<Source> from, texts* seen)
{
    try {
        for (auto frame = co_await next_frame(from); frame; frame = co_await next_frame(from))
            seen->push_back(*frame);
        seen->push_back("end");
    } catch (const std::exception& error) {
        seen->push_back(error.what());
    }
}

/// A line that says how many bytes follow, and these.
awaitable<void> take_counted(asynchat::handle<pinged> from, texts* seen)
{
    for (auto line = co_await next_frame(from); line; line = co_await next_frame(from)) {
        from->set_terminator(std::size_t(line->at(0) - '0'));
        seen->push_back((co_await next_frame(from)).value());
        from->set_terminator("\n");
    }
}

} // namespace

TEST_CASE("streams: a coroutine takes the frames that callbacks leave to it", "[streams]")
{
    fixture l;
    asynchat::spawn(l.loop, take_all(l.channel, &l.seen));
    l.send("ping\none\ntwo\nping\nthree\nrest");
    CHECK(l.seen == texts{"one", "two", "three"});
    CHECK(l.peer.received() == "pong\npong\n");
    l.peer.finish();
    l.loop.settle();
    CHECK(l.seen == texts{"one", "two", "three", "end"});
}

TEST_CASE("streams: a callback may leave a part of a frame, however it arrives", "[streams]")
{
    /// Takes the tag off.
    class untagged : public frame_source {
    public:
        using frame_source::frame_source;
        void handle_open() override { set_terminator("\n"); }
        void found_frame(std::string_view frame) override
        {
            if (frame.substr(0, 1) == "=") { // or what was made of it
                const std::string own = take_frame();
                return frame_source::found_frame(own + own);
            }
            frame_source::found_frame(frame.substr(std::min<std::size_t>(4, frame.size())));
        }
    };
    const std::string tail(1000, 'x'); // no short string
    const std::string input = "TAG:" + tail + "\n=" + tail + "\nTAG:\n";
    for (const std::size_t cut :
         {std::size_t(0), std::size_t(2), std::size_t(500), std::size_t(1500)}) {
        texts seen;
        asynchat::testing::loop loop;
        auto listener = loop.listen(here);
        const auto channel = loop.create<untagged>();
        channel->connect(here);
        auto peer = listener.accept();
        asynchat::spawn(loop, take_all(channel, &seen));
        peer.send(input.substr(0, cut));
        loop.settle();
        peer.send(input.substr(cut));
        loop.settle();
        CHECK(seen == texts{tail, "=" + tail + "=" + tail, ""});
    }
}

TEST_CASE("streams: the terminator can be changed between two frames, however they arrive",
          "[streams]")
{
    const std::string_view input = "3\nabc1\nd2\n\n\n";
    support::for_each_place(input, [](std::string_view first, std::string_view rest) {
        fixture l;
        const bool waits_first = first.size() % 2 == 0;
        if (waits_first)
            asynchat::spawn(l.loop, take_counted(l.channel, &l.seen));
        l.send(first);
        if (!waits_first)
            asynchat::spawn(l.loop, take_counted(l.channel, &l.seen));
        l.send(rest);
        CHECK(l.seen == texts{"abc", "d", "\n\n"});
    });
}

TEST_CASE("streams: while no coroutine wants a frame, the channel keeps one and reads no further",
          "[streams]")
{
    fixture l;
    l.send("one\ntwo\n");
    l.send("ping\n");
    CHECK(l.peer.received().empty());
    asynchat::spawn(l.loop, take_all(l.channel, &l.seen));
    l.loop.settle();
    CHECK(l.seen == texts{"one", "two"});
    CHECK(l.peer.received() == "pong\n");
}

TEST_CASE("streams: next_frame() after another end than the peer's", "[streams]")
{
    SECTION("a loss, behind a frame that was kept")
    {
        fixture l;
        l.send("kept\n");
        const auto kept = l.channel.lock();
        l.channel->close();
        asynchat::spawn(l.loop, take_all(l.channel, &l.seen));
        l.loop.settle();
        CHECK(l.seen == texts{"kept", "asynchat: local"});
    }
    SECTION("while it waits")
    {
        fixture l;
        asynchat::spawn(l.loop, take_all(l.channel, &l.seen));
        l.loop.settle();
        l.peer.reset();
        l.loop.settle();
        REQUIRE(l.seen.size() == 1);
        CHECK(l.seen[0].find("reset") != std::string::npos);
    }
    SECTION("a channel that was destroyed before")
    {
        fixture l;
        l.channel->close();
        l.loop.settle();
        asynchat::spawn(l.loop, take_all(l.channel, &l.seen));
        l.loop.settle();
        CHECK(l.seen == texts{"asynchat: this handle's channel was destroyed"});
    }
}

TEST_CASE("streams: a second next_frame() at a time is refused", "[streams]")
{
    fixture l;
    texts second;
    asynchat::spawn(l.loop, take_all(l.channel, &l.seen));
    asynchat::spawn(l.loop, take_all(l.channel, &second));
    l.send("one\n");
    CHECK(l.seen == texts{"one"});
    CHECK(second == texts{"asynchat: another coroutine waits for a frame of this channel"});
}

TEST_CASE("streams: next_frame() that is cancelled takes no frame", "[streams]")
{
    fixture l;
    const auto give_up = [](asynchat::loop& loop, asynchat::handle<pinged> from,
                            texts* seen) -> awaitable<void> {
        try {
            co_await with_timeout(loop, 1s, next_frame(from));
        } catch (const asynchat::timeout_error&) {
            seen->push_back("too late");
        }
        seen->push_back((co_await next_frame(from)).value());
    };
    asynchat::spawn(l.loop, give_up(l.loop, l.channel, &l.seen));
    l.loop.advance(1s);
    CHECK(l.seen == texts{"too late"});
    l.send("one\n");
    CHECK(l.seen == texts{"too late", "one"});
}

TEST_CASE("streams: a coroutine waits for the end of a channel, of a server, and of one that ended",
          "[streams]")
{
    const auto wait = [](auto of, texts* seen) -> awaitable<void> {
        const auto ended = co_await closed(of);
        seen->push_back(ended ? ended->close_text() : "destroyed before");
    };
    fixture l;
    asynchat::spawn(l.loop, wait(l.channel, &l.seen));
    asynchat::spawn(l.loop, wait(l.channel, &l.seen));
    const auto server = l.loop.create<asynchat::server<pinged>>(endpoint("127.0.0.1", 8081));
    asynchat::spawn(l.loop, wait(server, &l.seen));
    l.loop.settle();
    CHECK(l.seen.empty());
    l.channel->finish("enough");
    l.loop.settle();
    CHECK(l.seen == texts{"enough", "enough"});
    server->stop(1s);
    l.loop.settle();
    CHECK(l.seen.size() == 3);
    asynchat::spawn(l.loop, wait(server, &l.seen));
    l.loop.settle();
    CHECK(l.seen.back() == "destroyed before");
}

TEST_CASE("streams: the loop ends while coroutines wait for channels", "[streams]")
{
    texts seen;
    {
        fixture l;
        asynchat::spawn(l.loop, take_all(l.channel, &seen));
        asynchat::spawn(l.loop, [](auto of) -> awaitable<void> { co_await closed(of); }(l.channel));
        l.loop.settle();
    }
    CHECK(seen.empty()); // destroyed, not resumed
}

TEST_CASE("streams: a stream over a socket that is connected already", "[streams]")
{
    asynchat::testing::loop loop;
    auto sockets = loop.socket_pair();
    loop.create<pinged>(std::move(sockets.first));
    texts seen;
    const auto talk = [](asynchat::loop& in, asynchat::socket from,
                         texts* into) -> awaitable<void> {
        auto stream = co_await asynchat::open_connection(in, std::move(from));
        stream.writer.write("ping\n");
        into->push_back(std::string(co_await stream.reader.readline()));
    };
    asynchat::spawn(loop, talk(loop, std::move(sockets.second), &seen));
    loop.settle();
    CHECK(seen == texts{"pong\n"});
}

TEST_CASE("streams: awaitables of Asio run on the same loop", "[streams]")
{
    asynchat::loop loop;
    texts seen;
    const auto work = [](texts* into) -> awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
        co_await timer.async_wait(asio::use_awaitable);
        into->push_back("later");
    };
    asynchat::spawn(loop, work(&seen));
    loop.run();
    CHECK(seen == texts{"later"});
}
