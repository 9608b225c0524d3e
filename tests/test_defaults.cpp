// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/error_text.hpp"
#include "support/witness.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

// What a channel does that was told nothing.

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;
using support::texts;
using support::witness;

TEST_CASE("collecting is the default, and bounded whatever the terminator is",
          "[hooks][async_chat]")
{
    class plain : public asynchat::async_chat {
    public:
        using async_chat::async_chat;
        texts frames;
        void found_terminator() override { frames.push_back(_get_data()); }
        void handle_log(asynchat::log_type, std::string_view) override {}
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<plain>();
    chat->max_frame(5);
    SECTION("a string")
    {
        chat->set_terminator("\n");
        peer.send("one\ntwo\n12345\n");
        loop.settle();
        CHECK(chat->frames == texts{"one", "two", "12345"});
        peer.send("123456\n");
    }
    SECTION("a count")
    {
        chat->set_terminator(5);
        peer.send("12345");
        loop.settle();
        CHECK(chat->frames == texts{"12345"});
        chat->set_terminator(6);
        peer.send("123456");
    }
    SECTION("nothing")
    {
        peer.send("12345");
        loop.settle();
        CHECK_FALSE(chat->closed());
        peer.send("6");
    }
    loop.settle();
    CHECK(chat->close_reason() == close_reason::frame_limit);
}

TEST_CASE("settings can be asked for", "[hooks]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<witness>();
    CHECK(chat->connect_timeout() == 30s);
    CHECK(chat->idle_timeout() == 0s);
    CHECK(chat->frame_timeout() == 120s);
    CHECK(chat->write_timeout() == 60s);
    CHECK(chat->linger_timeout() == 2s);
    CHECK(chat->write_buffer_limits() == std::make_pair<std::size_t, std::size_t>(262144, 65536));
    CHECK(chat->max_output() == 8388608);
    CHECK(chat->max_frame() == 65536);
    CHECK(chat->when_full() == asynchat::full_output::by_role);
    chat->connect_timeout(1s);
    chat->idle_timeout(2s);
    chat->frame_timeout(3s);
    chat->write_timeout(4s);
    chat->linger_timeout(5s);
    chat->write_buffer_limits(20, 10);
    chat->max_output(30);
    chat->max_frame(40);
    chat->when_full(asynchat::full_output::reads_on);
    CHECK(chat->connect_timeout() == 1s);
    CHECK(chat->idle_timeout() == 2s);
    CHECK(chat->frame_timeout() == 3s);
    CHECK(chat->write_timeout() == 4s);
    CHECK(chat->linger_timeout() == 5s);
    CHECK(chat->write_buffer_limits() == std::make_pair<std::size_t, std::size_t>(20, 10));
    CHECK(chat->max_output() == 30);
    CHECK(chat->max_frame() == 40);
    CHECK(chat->when_full() == asynchat::full_output::reads_on);
}

TEST_CASE("settings of other classes can be asked for", "[hooks]")
{
    using marks = std::pair<std::size_t, std::size_t>;
    using waits = std::pair<asynchat::loop::duration, asynchat::loop::duration>;
    asynchat::testing::loop loop;
    CHECK(loop.window() == 65536);
    loop.window(1000);
    CHECK(loop.window() == 1000);
    auto [chat, peer] = loop.accept<asynchat::dispatcher_with_send>();
    CHECK(chat->write_buffer_limits() == marks(262144, 65536));
    CHECK(chat->max_output() == 8388608);
    chat->write_buffer_limits(20, 10);
    chat->max_output(30);
    CHECK(chat->write_buffer_limits() == marks(20, 10));
    CHECK(chat->max_output() == 30);
    CHECK(peer.window() == 1000);
    peer.window(7);
    CHECK(peer.window() == 7);

    auto client = loop.create<asynchat::reconnecting<witness>>(asynchat::endpoint("10.0.0.1", 1));
    CHECK(client->back_off() == waits(500ms, 30s));
    client->back_off(1s, 2s);
    CHECK(client->back_off() == waits(1s, 2s));
    client->stop();

    asynchat::listen_options where(asynchat::endpoint("127.0.0.1", 0));
    CHECK(where.backlog() == SOMAXCONN);
    CHECK(where.backlog(5).backlog() == 5);
    CHECK(asynchat::group_options(where).loops() >= 1);
    CHECK(asynchat::group_options(where).loops(3).loops() == 3);
}

TEST_CASE("a channel whose terminator was never set says so at its first input, once", "[hooks]")
{
    class forgetful : public asynchat::async_chat {
    public:
        using async_chat::async_chat;
        texts lines;
        void found_terminator() override {}
        void handle_log(asynchat::log_type, std::string_view line) override
        {
            lines.emplace_back(line);
        }
    };
    const bool collects_on_purpose = GENERATE(false, true);
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<forgetful>();
    if (collects_on_purpose)
        chat->set_terminator(std::nullopt);
    loop.settle();
    CHECK(chat->lines.empty());
    peer.send("one\n");
    loop.settle();
    peer.send("two\n");
    loop.settle();
    if (collects_on_purpose) {
        CHECK(chat->lines.empty());
    } else {
        REQUIRE(chat->lines.size() == 1);
        CHECK(chat->lines[0].find("set_terminator() was never called") != std::string::npos);
    }
}

TEST_CASE("a refused connection is logged as that, not as an uncaptured exception", "[hooks]")
{
    class calling : public asynchat::async_chat {
    public:
        using async_chat::async_chat;
        texts lines;
        void found_terminator() override {}
        void handle_log(asynchat::log_type type, std::string_view line) override
        {
            lines.push_back(std::string(to_string(type)) + ": " + std::string(line));
        }
    };
    asynchat::testing::loop loop;
    const auto chat = loop.create<calling>().lock();
    chat->connect(endpoint("127.0.0.1", 2601));
    loop.settle();
    REQUIRE(chat->lines.size() == 1);
    CHECK(chat->lines[0].find("error: closing channel <") == 0);
    CHECK(chat->lines[0].find("uncaptured") == std::string::npos);
    CHECK(chat->lines[0].find(": " + support::error_text(std::errc::connection_refused)) !=
          std::string::npos);
}
