// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/layered_chat.hpp"
#include "support/layers.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// Layers that are put on a channel, and what becomes of its input and output then.

using asynchat::close_reason;
using asynchat::early_input;
using namespace support;

// --- putting a layer on --------------------------------------------------------------------------

namespace {

/// Adds a layer at the line "go", as protocols do that begin in the clear.
class switching : public asynchat::testing::recorder<> {
public:
    switching(asynchat::loop& owner, asynchat::socket peer, early_input early = early_input::close)
        : recorder(owner, std::move(peer)), early_(early)
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override
    {
        recorder::collect_incoming_data(data);
        line_ += data;
    }
    void found_terminator() override
    {
        recorder::found_terminator();
        if (std::exchange(line_, {}) != "go")
            return;
        push("ready\n");
        add_layer(std::make_unique<xor_layer>(), early_);
        push("inside\n");
    }

private:
    early_input early_;
    std::string line_;
};

} // namespace

TEST_CASE("add_layer: the output before it leaves without it, what follows goes through it",
          "[layers][add_layer]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<switching>();
    SECTION("at once")
    {
        peer.send("go\n");
        CHECK(peer.received() == "ready\n" + changed("inside\n"));
    }
    SECTION("when there is room for it; input waits until then")
    {
        peer.window(2);
        peer.send("go\n");
        loop.settle();
        peer.send(changed("line\n"));
        loop.settle();
        CHECK(chat->events == strings{"collect go", "found"});
        CHECK_THROWS_AS(chat->add_layer(std::make_unique<xor_layer>()), std::logic_error);
        CHECK(peer.received() == "ready\n" + changed("inside\n"));
    }
    peer.send(changed("line\n"));
    loop.settle();
    CHECK(chat->events.back() == "found");
    CHECK(chat->events[2] != "collect go");
    CHECK_FALSE(chat->closed());
}

TEST_CASE("add_layer: when the output before it is discarded", "[layers][add_layer][no-records]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<switching>();
    peer.window(0);
    peer.send("go\n");
    loop.settle();
    chat->discard_buffers();
    chat->push("more\n");
    peer.window(100);
    CHECK(peer.received() == changed("more\n"));
    peer.send(changed("line\n"));
    loop.settle();
    CHECK(chat->events == strings{"collect go", "found", "collect line", "found"});
}

TEST_CASE("add_layer: behind producers, and not by a lost connection", "[layers][add_layer]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<asynchat::testing::recorder<>>();
    chat->set_terminator("\n");
    chat->push_with_producer(std::make_unique<asynchat::simple_producer>("plain", 2));
    chat->add_layer(std::make_unique<xor_layer>());
    chat->push("through");
    SECTION("one after the other")
    {
        CHECK(peer.received() == "plain" + changed("through"));
    }
    SECTION("lost before")
    {
        peer.send("clear\n");
        peer.reset();
        loop.settle();
        CHECK(chat->close_reason() == close_reason::reset);
        CHECK(chat->events == strings{"close reset"}); // it was not sent through the layer
    }
}

TEST_CASE("add_layer: input behind the line that agrees on it", "[layers][add_layer]")
{
    asynchat::testing::loop loop;
    const std::string through = changed("line\n");
    SECTION("closes")
    {
        auto [chat, peer] = loop.accept<switching>();
        peer.send("go\nMAIL\n");
        loop.settle();
        CHECK(chat->close_reason() == close_reason::early_input);
        CHECK(chat->events == strings{"collect go", "found", "close early input"});
        CHECK(chat->logs.size() == 1);
    }
    SECTION("is discarded")
    {
        auto [chat, peer] = loop.accept<switching>(early_input::discard);
        peer.send("go\nMAIL\nRCP");
        loop.settle();
        peer.send(through);
        loop.settle();
        CHECK(chat->events == strings{"collect go", "found", "collect line", "found"});
    }
    SECTION("is fed to it")
    {
        auto [chat, peer] = loop.accept<switching>(early_input::feed);
        peer.send("go\n" + through.substr(0, 3));
        loop.settle();
        peer.send(through.substr(3));
        loop.settle();
        CHECK(chat->events == strings{"collect go", "found", "collect line", "found"});
    }
    SECTION("is fed to it, also at the end of the stream")
    {
        class late : public switching {
        public:
            using switching::switching;
            void found_terminator() override
            {
                switching::found_terminator();
                if (events.size() == 2) // the rest waits for more, and the end comes
                    throw std::runtime_error("the first line");
            }
            void handle_error() override {}
        };
        auto [chat, peer] = loop.accept<late>(early_input::feed);
        peer.send("first\ngo\n" + through);
        loop.settle();
        CHECK(chat->events == strings{"collect first", "found"});
        peer.finish();
        loop.settle();
        CHECK(chat->events == strings{"collect first", "found", "collect go", "found",
                                      "collect line", "found", "eof", "close peer finished"});
    }
    SECTION("that was not even there is none")
    {
        auto [chat, peer] = loop.accept<switching>();
        peer.send("go\n");
        peer.send(through); // another receive: the layer has it
        loop.settle();
        CHECK(chat->events == strings{"collect go", "found", "collect line", "found"});
    }
}

TEST_CASE("add_layer: a frame that is begun is early input", "[layers][add_layer]")
{
    const auto early = GENERATE(early_input::close, early_input::discard, early_input::feed);
    asynchat::testing::loop loop;
    const auto check = [&](auto& chat, auto& peer) {
        loop.settle();
        chat->add_layer(std::make_unique<xor_layer>(), early);
        if (early != early_input::discard) {
            CHECK(chat->close_reason() == close_reason::early_input);
            return;
        }
        peer.send(changed("line\r\n"));
        loop.settle();
        CHECK(chat->events.back() == (chat->events.size() > 1 ? "found" : "frame line"));
    };
    SECTION("a piece of it was delivered")
    {
        auto [chat, peer] = loop.accept<asynchat::testing::recorder<>>();
        chat->set_terminator("\r\n");
        peer.send("MAIL");
        check(chat, peer);
    }
    SECTION("the beginning of a terminator is held back")
    {
        auto [chat, peer] = loop.accept<asynchat::testing::recorder<>>();
        chat->set_terminator("\r\n");
        peer.send("x\r");
        check(chat, peer);
    }
    SECTION("it is kept by a frame_chat")
    {
        auto [chat, peer] = loop.accept<asynchat::testing::recorder<asynchat::frame_chat>>();
        chat->set_terminator("\r\n");
        peer.send("MAIL");
        check(chat, peer);
    }
}

TEST_CASE("add_layer: while reading is paused, input that is unread is early",
          "[layers][add_layer]")
{
    class pausing : public asynchat::testing::recorder<> {
    public:
        pausing(asynchat::loop& owner, asynchat::socket peer) : recorder(owner, std::move(peer))
        {
            set_terminator("\n");
        }
        void found_terminator() override { pause_reading(); }
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<pausing>();
    peer.send("go\nMAIL\n");
    loop.settle();
    chat->add_layer(std::make_unique<xor_layer>());
    CHECK(chat->close_reason() == close_reason::early_input);
}

TEST_CASE("add_layer: over each other, the last one on top", "[layers][add_layer][no-layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<asynchat::testing::recorder<>>();
    chat->set_terminator("\n");
    chat->add_layer(std::make_unique<xor_layer>());
    chat->add_layer(std::make_unique<record_layer>());
    chat->push("out\n");
    CHECK(peer.received() == changed(record("out\n")));
    peer.send(changed(record("in\n")));
    loop.settle();
    CHECK(chat->events == strings{"collect in", "found"});
    for (int more = 2; more < 30; ++more)
        chat->add_layer(std::make_unique<xor_layer>());
    // The 31st may need one of the library's own below it.
    CHECK_THROWS_AS(chat->add_layer(std::make_unique<xor_layer>()), std::length_error);
    chat->push("even\n"); // 28 of them
    CHECK(peer.received() == changed(record("even\n")));
}

TEST_CASE("add_layer: one that is refused for want of room has changed nothing",
          "[layers][add_layer][no-layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<asynchat::testing::recorder<>>();
    chat->set_terminator("\n");
    peer.window(0);
    std::size_t added = 0;
    try {
        for (;; ++added) { // each behind output that waits
            chat->push("text\n");
            loop.settle();
            chat->add_layer(std::make_unique<xor_layer>());
            peer.window(100);
            loop.settle();
            peer.window(0);
        }
    } catch (const std::length_error&) {
    }
    CHECK(added == 15);
    peer.window(100);
    loop.settle();
    chat->push("last\n");
    std::string expected;
    for (std::size_t i = 0; i <= added; ++i)
        expected += i % 2 == 0 ? "text\n" : changed("text\n");
    CHECK(peer.received() == expected + changed("last\n"));
    peer.send(changed("heard\n"));
    loop.settle();
    CHECK(chat->events == strings{"collect heard", "found"});
}

TEST_CASE("add_layer: outside of an event, over waits that are under way", "[layers][add_layer]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<asynchat::testing::recorder<>>();
    chat->set_terminator("\n");
    peer.window(0);
    loop.settle();
    loop.call_later(std::chrono::seconds(1), [c = chat.get()] {
        c->add_layer(std::make_unique<record_layer>());
        c->push("out\n");
    });
    loop.advance(std::chrono::seconds(2));
    peer.send(record("in\n"), 1);
    peer.window(2);
    CHECK(peer.received() == record("out\n"));
    CHECK(chat->events == strings{"collect in", "found"});
}

TEST_CASE("add_layer: where there is none to put on", "[layers][add_layer]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<asynchat::testing::recorder<>>();
    CHECK_THROWS_AS(chat->add_layer(nullptr), std::invalid_argument);
    chat->close();
    CHECK_THROWS_AS(chat->add_layer(std::make_unique<xor_layer>()), std::logic_error);
    const asynchat::endpoint here("127.0.0.1", 80);
    const auto server = loop.create<asynchat::server<xor_chat>>(here).lock();
    CHECK_THROWS_AS(server->add_layer(std::make_unique<xor_layer>()), std::logic_error);
    CHECK_THROWS_AS(asynchat::socket().add_layer(std::make_unique<xor_layer>()), std::logic_error);
    asynchat::loop real;
    const auto datagrams = real.create<asynchat::dispatcher>().lock();
    datagrams->create_socket(AF_INET, SOCK_DGRAM);
    CHECK_THROWS_AS(datagrams->add_layer(std::make_unique<xor_layer>()), std::logic_error);
}

// --- clients and servers -------------------------------------------------------------------------

namespace {

class client : public asynchat::testing::recorder<> {
public:
    explicit client(asynchat::loop& owner, asynchat::socket from = {})
        : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void handle_error() override
    {
        recorder::note("failed");
        if (!retry.empty())
            connect(std::exchange(retry, {}));
    }
    asynchat::endpoint retry;
};

} // namespace

TEST_CASE("add_layer: before the connection is made, for when it is", "[layers][connect]")
{
    asynchat::testing::loop loop;
    const asynchat::endpoint there("127.0.0.1", 25);
    auto listener = loop.listen(there);
    const auto chat = loop.create<client>().lock();
    const bool connects_first = GENERATE(true, false);
    const bool fails_first = GENERATE(true, false);
    const asynchat::endpoint first = fails_first ? asynchat::endpoint("127.0.0.1", 26) : there;
    if (fails_first)
        chat->retry = there;
    if (connects_first)
        chat->connect(first);
    chat->add_layer(std::make_unique<xor_layer>());
    chat->add_layer(std::make_unique<record_layer>());
    chat->push("out\n");
    if (!connects_first)
        chat->connect(first);
    auto peer = listener.accept();
    CHECK(peer.received() == changed(record("out\n")));
}

TEST_CASE("add_layer: before and after connect() is called", "[layers][connect]")
{
    asynchat::testing::loop loop;
    const asynchat::endpoint there("127.0.0.1", 25);
    auto listener = loop.listen(there);
    const auto chat = loop.create<client>().lock();
    chat->add_layer(std::make_unique<support::xor_layer>());
    chat->connect(there);
    chat->add_layer(std::make_unique<support::xor_layer>()); // which undoes it
    chat->push("hello\n");
    loop.settle();
    auto peer = listener.accept();
    CHECK(peer.received() == "hello\n");
}

TEST_CASE("add_layer: in handle_connect()", "[layers][connect]")
{
    class late : public client {
    public:
        using client::client;
        void handle_connect() override
        {
            add_layer(std::make_unique<xor_layer>());
            push("out\n");
        }
    };
    asynchat::testing::loop loop;
    const asynchat::endpoint there("127.0.0.1", 25);
    auto listener = loop.listen(there);
    const auto chat = loop.create<late>().lock();
    chat->connect(there);
    auto peer = listener.accept();
    CHECK(peer.received() == changed("out\n"));
    chat->create_socket(); // another connection has none
    chat->connect(there);
    auto second = listener.accept();
    CHECK(second.received() == changed("out\n"));
}

TEST_CASE("server: use_layer() is for each connection, from its first byte on", "[layers][server]")
{
    class greeter : public asynchat::testing::recorder<> {
    public:
        greeter(asynchat::loop& owner, asynchat::socket peer) : recorder(owner, std::move(peer))
        {
            set_terminator("\n");
            push("welcome\n");
        }
        void found_terminator() override { push("yes\n"); }
    };
    asynchat::testing::loop loop;
    const asynchat::endpoint here("127.0.0.1", 80);
    const auto server = loop.create<asynchat::server<greeter>>(here).lock();
    server->use_layer([] { return std::make_unique<xor_layer>(); });
    auto one = loop.connect(here);
    auto two = loop.connect(here);
    CHECK(one.received() == changed("welcome\n"));
    CHECK(two.received() == changed("welcome\n"));
    two.send(changed("line\n"));
    CHECK(two.received() == changed("yes\n"));
    server->use_layer(nullptr);
    auto three = loop.connect(here);
    CHECK(three.received() == "welcome\n");
    server->use_layer([]() -> std::unique_ptr<asynchat::transport_layer> {
        throw std::runtime_error("none today");
    });
    auto four = loop.connect(here);
    CHECK(four.received().empty());
    CHECK(server->counters().open == 3);
    CHECK_FALSE(server->closed());
}

TEST_CASE("relay: between a layer and none", "[layers][relay]")
{
    asynchat::testing::loop loop;
    auto [left, client_side] = loop.accept<asynchat::relay>();
    auto [right, server_side] = loop.accept<asynchat::relay>();
    left->add_layer(std::make_unique<record_layer>());
    left->join(*right);
    client_side.send(record("to the server"));
    CHECK(server_side.received() == "to the server");
    server_side.send("to the client");
    server_side.finish();
    CHECK(client_side.received() == record("to the client") + end_record);
    CHECK(client_side.ended());
    client_side.send(record("last") + end_record);
    CHECK(server_side.received() == "last");
    CHECK(server_side.ended());
}

TEST_CASE("dispatcher_with_send: what was sent before a layer leaves without it",
          "[layers][dispatcher_with_send]")
{
    class sender : public asynchat::dispatcher_with_send {
    public:
        sender(asynchat::loop& owner, asynchat::socket peer)
            : dispatcher_with_send(owner, std::move(peer))
        {
        }
        void handle_read() override
        {
            char bytes[64];
            recv(asio::buffer(bytes));
        }
        void handle_close() override { close(); }
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<sender>();
    peer.window(2);
    chat->send(std::string_view("plain"));
    chat->add_layer(std::make_unique<record_layer>());
    chat->send(std::string_view("through"));
    CHECK(peer.received() == "plain" + record("through"));
    peer.window(0);
    peer.send(end_record);
    loop.settle();
    CHECK_FALSE(chat->closed()); // the last words have to wait
    CHECK(peer.received().empty());
    peer.window(10);
    CHECK(peer.received() == end_record);
    CHECK(chat->close_reason() == close_reason::peer_finished);
}
