// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/streams.hpp>
#include <asynchat/testing.hpp>

#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// Destructors of what lives in a coroutine: when the loop ends, and when they throw.

using asio::awaitable;
using asynchat::endpoint;
using asynchat::stream_reader;
using asynchat::stream_writer;
using Catch::Matchers::ContainsSubstring;

namespace {

const endpoint here("127.0.0.1", 8080);

/// What a coroutine still has when the loop destroys it.
struct at_the_end {
    stream_reader& reader;
    stream_writer& writer;
    std::string& seen;

    ~at_the_end()
    {
        seen += writer.channel() == nullptr ? "no channel" : "a channel";
        seen += writer.write("bye\n") ? ", written" : ", not written";
        seen += writer.is_closing() ? ", closing" : ", open";
        seen += ", '" + std::string(reader.next_line().value_or("nothing")) + "'";
    }
};

awaitable<void> wait_for_more(stream_reader reader, stream_writer writer, std::string* seen)
{
    const at_the_end local{reader, writer, *seen};
    co_await reader.readline();
    co_await reader.readexactly(100);
}

/// Throws when it is destroyed, unless something has thrown before.
struct careless {
    std::shared_ptr<int> count;
    int uncaught = std::uncaught_exceptions();

    ~careless() noexcept(false)
    {
        ++*count;
        if (std::uncaught_exceptions() == uncaught)
            throw std::runtime_error("of a destructor");
    }
};

awaitable<void> end_carelessly(std::shared_ptr<int> count, bool after_a_wait)
{
    const careless local{std::move(count)};
    if (after_a_wait)
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

} // namespace

TEST_CASE("streams: a loop that is destroyed ends its channels before their coroutines",
          "[streams]")
{
    std::string seen;
    {
        asynchat::testing::loop loop;
        asynchat::start_server(
            loop,
            [&seen](stream_reader reader, stream_writer writer) {
                return wait_for_more(std::move(reader), std::move(writer), &seen);
            },
            here);
        auto peer = loop.connect(here);
        peer.send("one\ntwo\nthree");
        loop.settle();
        CHECK(seen.empty());
    }
    CHECK(seen == "no channel, not written, closing, 'two\n'");
}

TEST_CASE("streams: an exception of a destructor in a coroutine is one of the coroutine",
          "[streams]")
{
    const bool after_a_wait = GENERATE(false, true);
    const auto count = std::make_shared<int>(0);
    asynchat::testing::loop loop;
    SECTION("of spawn()")
    {
        asynchat::spawn(loop, end_carelessly(count, after_a_wait));
        CHECK_THROWS_WITH(loop.settle(), "of a destructor");
    }
    SECTION("of a server")
    {
        std::string log;
        loop.log_sink([&log](asynchat::log_type, std::string_view line) { log += line; });
        const auto server = asynchat::start_server(
            loop,
            [&](stream_reader, stream_writer writer) -> awaitable<void> {
                co_await end_carelessly(count, after_a_wait);
                writer.write("never\n");
            },
            here);
        auto peer = loop.connect(here);
        loop.settle();
        CHECK_THAT(log, ContainsSubstring("of a destructor"));
        CHECK(server->counters().open == 0);
        CHECK(peer.received().empty());
    }
    CHECK(*count == 1);
    CHECK(count.use_count() == 1);
}
