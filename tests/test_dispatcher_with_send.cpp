// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <asio/buffer.hpp>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using namespace asynchat;
using namespace support;

namespace {

class sender : public logging<dispatcher_with_send> {
public:
    using logging::logging;
    std::string input;
    int closes = 0;
    int write_events = 0;
    void handle_read() override
    {
        char buffer[4096];
        input.append(buffer, recv(asio::buffer(buffer)));
    }
    void handle_write() override
    {
        ++write_events;
        logging::handle_write();
    }
    void handle_close() override
    {
        ++closes;
        close();
    }
};

} // namespace

TEST_CASE("what is sent arrives in order", "[dispatcher_with_send]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    loop loop;
    auto ends = connected_pair(family);
    const auto channel = loop.create<sender>(std::move(ends.first));
    CHECK_FALSE(channel->writable());
    CHECK(channel->send("one ") == 4);
    CHECK(channel->send(std::string("two ")) == 4);
    const asio::const_buffer parts[] = {asio::buffer("th", 2), asio::buffer("ree", 3)};
    CHECK(channel->send(const_buffers(parts, 2)) == 5);
    CHECK(channel->pending_output() == 13);
    CHECK(channel->writable());
    REQUIRE(run_until(loop, [&] { return ends.second.received() == "one two three"; }));
    CHECK(channel->pending_output() == 0);
    CHECK_FALSE(channel->writable());
    CHECK(channel->write_events == 0); // sent at once, without waiting
    CHECK(settle(loop));
}

TEST_CASE("more than the system takes is sent as it takes it", "[dispatcher_with_send]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<sender>(std::move(ends.first));
    std::string much;
    for (int i = 0; much.size() < (4 << 20); ++i)
        much += std::to_string(i);
    CHECK(channel->send(much) == much.size());
    CHECK(settle(loop)); // waits, and does not spin
    CHECK(channel->pending_output() > 0);
    REQUIRE(run_until(loop, [&] { return ends.second.received().size() == much.size(); }));
    CHECK((ends.second.received() == much));
    CHECK(channel->write_events > 0);
    CHECK(channel->pending_output() == 0);
}

TEST_CASE("what is sent before the connection stands waits for it", "[dispatcher_with_send]")
{
    loop loop;
    raw_listener server(endpoint("127.0.0.1", 0));
    const auto client = loop.create<sender>().lock();
    CHECK(client->send("before connect, ") == 16);
    CHECK(settle(loop));
    CHECK_FALSE(client->closed());
    CHECK(client->writable());
    client->connect(server.address());
    CHECK(client->send("while connecting") == 16);
    CHECK(client->pending_output() == 32);
    REQUIRE(run_until(loop, [&] { return client->connected(); }));
    auto peer = server.accept();
    CHECK(run_until(loop, [&] { return peer.received() == "before connect, while connecting"; }));
}

TEST_CASE("the end of the other side waits for the output", "[dispatcher_with_send]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<sender>(std::move(ends.first)).lock();
    ends.second.send("question");
    REQUIRE(run_until(loop, [&] { return channel->input == "question"; }));
    const std::string answer(1 << 20, 'a');
    channel->send(answer);
    ends.second.shut_down_output();
    CHECK(settle(loop));
    CHECK_FALSE(channel->closed());
    REQUIRE(run_until(loop, [&] { return ends.second.ended(); }));
    CHECK(ends.second.received().size() == answer.size());
    CHECK(channel->closed());
    CHECK(channel->closes == 1);
    CHECK(channel->close_reason() == close_reason::peer_finished);
    CHECK(channel->send("x") == 0);
    CHECK(channel->pending_output() == 0);
}

TEST_CASE("with nothing to send the end is the end", "[dispatcher_with_send]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<sender>(std::move(ends.first)).lock();
    ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->closes == 1);
}

TEST_CASE("a lost connection tells how much was not sent", "[dispatcher_with_send]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<sender>(std::move(ends.first)).lock();
    channel->send(std::string(64 << 20, 'x'));
    CHECK(settle(loop));
    ends.second.reset();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->close_reason() == close_reason::reset);
    CHECK(channel->pending_output() > 0);
    CHECK(channel->closes == 1);
}

// A datagram socket shows what a stream hides: a send of no bytes arrives as an empty datagram.
TEST_CASE("nothing to send sends nothing", "[dispatcher_with_send]")
{
    loop loop;
    temp_dir dir;
    const auto here = loop.create<recorder>();
    here->create_socket(AF_UNIX, SOCK_DGRAM);
    here->bind(free_address(AF_UNIX, dir));
    const auto channel = loop.create<sender>();
    channel->create_socket(AF_UNIX, SOCK_DGRAM);
    channel->connect(here->local_endpoint());
    REQUIRE(run_until(loop, [&] { return channel->connected(); }));
    channel->handle_write();
    channel->initiate_send();
    CHECK(channel->send("") == 0);
    channel->handle_write();
    CHECK(settle(loop));
    CHECK(here->calls.empty());
    channel->send("x");
    REQUIRE(run_until(loop, [&] { return here->input == "x"; }));
    CHECK(here->calls.size() == 1);
}

TEST_CASE("debug logs what is sent, escaped", "[dispatcher_with_send]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<dispatcher_with_send>(std::move(ends.first)).lock();
    captured_stderr capture;
    channel->send("quiet");
    channel->debug = true;
    channel->send("loud\nand clear");
    CHECK(capture.text() == "info: sending loud\\nand clear\n");
}

TEST_CASE("send after close is dropped", "[dispatcher_with_send]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<sender>(std::move(ends.first)).lock();
    channel->close();
    CHECK(channel->send("x") == 0);
    CHECK(channel->pending_output() == 0);
    CHECK(channel->closes == 0);
}

// --- limits of the output ------------------------------------------------------------------------

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
        peer.send(std::string(4096, 'x')); // 40 MiB
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
        peer.send(std::string(1000, 'x'));
        loop.settle();
    }
    CHECK(channel->received == 10000);
    CHECK(channel->write_paused());
    CHECK_FALSE(channel->closed());
    peer.send(std::string(1000, 'x'));
    loop.settle();
    CHECK_FALSE(channel->closed()); // 10000 were not more than 10000
    peer.send(std::string(1000, 'x'));
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
    channel->send(std::string(10, 'x'));
    loop.settle();
    CHECK_FALSE(channel->write_paused());
    channel->send("x");
    loop.settle();
    CHECK(channel->write_paused());
    peer.window(5);
    CHECK(peer.received(5).size() == 5);
    loop.settle();
}
