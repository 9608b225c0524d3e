// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/driven.hpp"
#include "support/listener.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/local/connect_pair.hpp>
#include <asio/local/stream_protocol.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;

// --- datagrams ---------------------------------------------------------------------------------

namespace {

/// Keeps each datagram that comes.
class datagrams : public recorder {
public:
    datagrams(loop& owner, const endpoint& where) : recorder(owner)
    {
        create_socket(where.family(), SOCK_DGRAM);
        bind(where);
    }
    void handle_read() override
    {
        char buffer[2048];
        endpoint from;
        while (const auto size = recvfrom(asio::buffer(buffer), from)) {
            received.emplace_back(buffer, *size);
            senders.push_back(from);
        }
    }
    std::vector<std::string> received;
    std::vector<endpoint> senders;
};

} // namespace

TEST_CASE("datagrams arrive whole, with their sender; an empty one is no end",
          "[dispatcher][datagram]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(family);
    loop loop;
    temp_dir dir;
    const auto here = loop.create<datagrams>(free_address(family, dir));
    const auto there = loop.create<datagrams>(free_address(family, dir));
    const endpoint to = here->local_endpoint();

    char byte = 0;
    endpoint from;
    CHECK_FALSE(here->recvfrom(asio::buffer(&byte, 1), from));

    CHECK(there->sendto("one", to) == 3);
    CHECK(there->sendto("", to) == 0);
    CHECK(there->sendto(std::string(1000, 'x'), to) == 1000);
    REQUIRE(run_until(loop, [&] { return here->received.size() == 3; }));
    CHECK(here->received == calls{"one", "", std::string(1000, 'x')});
    CHECK(here->senders[0] == there->local_endpoint());
    CHECK(here->sendto("answer", here->senders[0]) == 6);
    REQUIRE(run_until(loop, [&] { return there->received.size() == 1; }));
    CHECK(settle(loop));
    CHECK(here->calls.empty());
    CHECK(there->calls.empty());
    CHECK_FALSE(here->closed());
}

TEST_CASE("a datagram longer than the buffer is cut", "[dispatcher][datagram]")
{
    loop loop;
    const auto here = loop.create<recorder>();
    here->create_socket(AF_INET, SOCK_DGRAM);
    here->bind(endpoint("127.0.0.1", 0));
    here->sendto("abcdef", here->local_endpoint());
    here->sendto("next", here->local_endpoint());
    char buffer[4];
    endpoint from;
    REQUIRE(run_until(loop, [&] { return !here || here->calls.size() > 0; }));
    REQUIRE(here);
    const auto size = here->recvfrom(asio::buffer(buffer), from);
    REQUIRE(size);
    CHECK(std::string(buffer, *size) == "next");
}

TEST_CASE("a connected datagram socket sends and receives; an empty datagram is no end",
          "[dispatcher][datagram]")
{
    loop loop;
    const auto here = loop.create<datagrams>(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>();
    client->create_socket(AF_INET, SOCK_DGRAM);
    client->connect(here->local_endpoint());
    REQUIRE(run_until(loop, [&] { return client->connected(); }));
    CHECK(client->send("question") == 8);
    REQUIRE(run_until(loop, [&] { return here->received.size() == 1; }));
    here->sendto("", here->senders[0]);
    here->sendto("answer", here->senders[0]);
    REQUIRE(run_until(loop, [&] { return !client || client->input == "answer"; }));
    REQUIRE(client);
    CHECK(client->calls == calls{"handle_connect", "handle_read", "handle_read"});
}

TEST_CASE("errors of datagrams are exceptions", "[dispatcher][datagram]")
{
    loop loop;
    const auto here = loop.create<datagrams>(endpoint("127.0.0.1", 0));
    CHECK_THROWS_AS(here->sendto(std::string(70000, 'x'), here->local_endpoint()),
                    std::system_error);
    CHECK_THROWS_AS(here->sendto("x", endpoint()), std::logic_error);
    CHECK_THROWS_AS(here->sendto("x", endpoint::named("localhost", "9")), std::logic_error);
    CHECK(here);
}

// --- adopting ----------------------------------------------------------------------------------

TEST_CASE("a connected socket of Asio can be adopted", "[dispatcher][adopt]")
{
    loop loop;
    asio::io_context other;
    asio::io_context& context = GENERATE(false, true) ? other : loop.context();
    raw_listener server(endpoint("127.0.0.1", 0));
    asio::ip::tcp::socket from_asio(context);
    from_asio.connect(
        asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), server.address().port()));
    auto peer = server.accept();
    bool cancelled = false;
    char unused = 0;
    from_asio.async_read_some(asio::buffer(&unused, 1),
                              [&](const std::error_code& error, std::size_t) {
                                  cancelled = error == asio::error::operation_aborted;
                              });

    const auto channel = loop.create<recorder>(std::move(from_asio));
    CHECK_FALSE(from_asio.is_open());
    CHECK(channel->connected());
    CHECK(channel->addr() == server.address());
    peer.send("hello");
    REQUIRE(run_until(loop, [&] { return channel->input == "hello"; }));
    CHECK(channel->send("there") == 5);
    CHECK(peer.received() == "there");
    other.run();
    CHECK(cancelled);
}

TEST_CASE("a UNIX socket of Asio can be adopted", "[dispatcher][adopt]")
{
    loop loop;
    asio::local::stream_protocol::socket one(loop.context());
    asio::local::stream_protocol::socket two(loop.context());
    asio::local::connect_pair(one, two);
    const auto channel = loop.create<recorder>(std::move(one));
    const auto peer = loop.create<recorder>(std::move(two));
    CHECK(channel->connected());
    CHECK(peer->send("hello") == 5);
    CHECK(run_until(loop, [&] { return channel->input == "hello"; }));
}

TEST_CASE("a socket of Asio that is not open cannot be adopted", "[dispatcher][adopt]")
{
    asio::io_context context;
    CHECK_THROWS_AS(asynchat::socket(asio::ip::tcp::socket(context)), std::system_error);
}

// It was connected when its owner accepted it, so its end has to be reported like any other.
TEST_CASE("an adopted socket whose peer has reset it meanwhile ends", "[dispatcher][adopt]")
{
    loop loop;
    asio::ip::tcp::acceptor acceptor(
        loop.context(), asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
    auto peer = raw_peer::connected_to(endpoint(acceptor.local_endpoint()));
    asio::ip::tcp::socket accepted = acceptor.accept();
    peer.reset();
    const auto channel = loop.create<recorder>(std::move(accepted)).lock();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->count("handle_close") == 1);
    CHECK(channel->count("handle_error") == 0);
}

TEST_CASE("a socket that is not connected yet can be adopted and used", "[dispatcher][adopt]")
{
    loop loop;
    raw_listener server(endpoint("127.0.0.1", 0));
    asynchat::socket fresh(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), AF_INET, SOCK_STREAM);
    const auto channel = loop.create<recorder>(std::move(fresh));
    CHECK_FALSE(channel->connected());
    CHECK(channel->addr().empty());
    CHECK((::fcntl(channel->native_handle(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK(settle(loop));
    CHECK(channel->calls.empty());
    channel->connect(server.address());
    CHECK(run_until(loop, [&] { return channel->connected(); }));
}

TEST_CASE("an empty socket is as none", "[dispatcher][adopt]")
{
    loop loop;
    const auto channel = loop.create<recorder>(asynchat::socket());
    CHECK(channel->native_handle() == -1);
    CHECK_FALSE(channel->connected());
}

TEST_CASE("a descriptor that is no socket is refused and closed", "[dispatcher][adopt]")
{
    loop loop;
    auto ends = make_pipe();
    const int fd = ends.first.release();
    CHECK_THROWS_AS(loop.create<recorder>(asynchat::socket(fd, AF_INET, SOCK_STREAM)),
                    std::system_error);
    CHECK_FALSE(is_open(fd));
    CHECK(loop.size() == 0);
}

TEST_CASE("a socket value owns its descriptor", "[socket]")
{
    auto ends = asynchat::socket::pair();
    const int first = ends.first.native_handle();
    const int second = ends.second.native_handle();
    CHECK((::fcntl(first, F_GETFD) & FD_CLOEXEC) != 0);
    asynchat::socket moved(std::move(ends.first));
    CHECK_FALSE(ends.first);
    CHECK(moved);
    CHECK(moved.native_handle() == first);
    CHECK(moved.family() == AF_UNIX);
    CHECK(moved.type() == SOCK_STREAM);
    moved = std::move(ends.second);
    CHECK_FALSE(is_open(first));
    CHECK(moved.native_handle() == second);
    const descriptor given_up(moved.release());
    CHECK_FALSE(moved);
    CHECK(is_open(second));
}

TEST_CASE("descriptors over 1024 work", "[dispatcher][adopt]")
{
    const descriptor_limit limit(4096);
    ASYNCHAT_TEST_NEEDS(limit.possible(), "a higher limit for descriptors");
    ASYNCHAT_TEST_NEEDS(platform() != "posix select", "something better than select()");
    loop loop;
    auto ends = connected_pair();
    const int high = ::fcntl(ends.first.native_handle(), F_DUPFD_CLOEXEC, 1090);
    REQUIRE(high >= 1090);
    const auto channel = loop.create<recorder>(asynchat::socket(high, AF_INET, SOCK_STREAM));
    ends.second.send("far up");
    CHECK(run_until(loop, [&] { return channel->input == "far up"; }));
}

TEST_CASE("an event meant for a closed channel cannot reach a new one with its descriptor",
          "[dispatcher][adopt]")
{
    class replacing : public recorder {
    public:
        using recorder::recorder;
        std::weak_ptr<recorder> victim;
        std::shared_ptr<recorder> successor;
        raw_peer successor_peer;
        void handle_read() override
        {
            recorder::handle_read();
            const auto target = victim.lock();
            if (!target || target->closed())
                return;
            auto ends = connected_pair(AF_UNIX);
            const int number = target->native_handle();
            target->close();
            REQUIRE(::dup2(ends.first.native_handle(), number) == number);
            ends.first = asynchat::socket(number, AF_UNIX, SOCK_STREAM);
            successor = owner().create<recorder>(std::move(ends.first)).lock();
            successor_peer = std::move(ends.second);
        }
    };
    loop loop;
    auto one = connected_pair(AF_UNIX);
    auto two = connected_pair(AF_UNIX);
    const auto first = loop.create<replacing>(std::move(one.first)).lock();
    const auto second = loop.create<replacing>(std::move(two.first)).lock();
    first->victim = second;
    second->victim = first; // whichever is served first
    CHECK(settle(loop));
    one.second.send("x");
    two.second.send("y");
    REQUIRE(run_until(loop, [&] { return first->closed() || second->closed(); }));
    const auto& survivor = first->closed() ? second : first;
    const auto& gone = first->closed() ? first : second;
    CHECK(settle(loop));
    CHECK(gone->calls.empty());
    REQUIRE(survivor->successor);
    // Asio may wake the new one for nothing, but what belongs to the old one never reaches it.
    CHECK(survivor->successor->input.empty());
    CHECK(survivor->successor->count("handle_close") == 0);
    CHECK(survivor->successor->count("handle_error") == 0);
    CHECK_FALSE(survivor->successor->closed());
    survivor->successor_peer.send("for the new one");
    CHECK(run_until(loop, [&] { return survivor->successor->input == "for the new one"; }));
}

// --- layers ------------------------------------------------------------------------------------

TEST_CASE("a layer can change what goes through recv and send", "[dispatcher][layers]")
{
    // Adds 1 to each byte on its way out and takes it off on the way in, and counts.
    class shifting : public logging<async_chat> {
    public:
        shifting(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
        {
            set_terminator("\n");
        }
        std::vector<std::string> frames;
        std::size_t bytes_in = 0;
        std::size_t bytes_out = 0;

        std::size_t recv(asio::mutable_buffer into) override
        {
            const std::size_t size = async_chat::recv(into);
            char* const bytes = static_cast<char*>(into.data());
            for (std::size_t i = 0; i < size; ++i)
                bytes[i] = static_cast<char>(bytes[i] - 1);
            bytes_in += size;
            return size;
        }
        std::size_t send(const_buffers data) override
        {
            std::string shifted = data.str();
            for (char& c : shifted)
                c = static_cast<char>(c + 1);
            const std::size_t sent = async_chat::send(shifted);
            bytes_out += sent;
            return sent;
        }
        void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
        void found_terminator() override
        {
            frames.push_back(_get_data());
            push("BDF");
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<shifting>(std::move(ends.first));
    ends.second.send("bdf\x0b");
    REQUIRE(run_until(loop, [&] { return ends.second.received() == "CEG"; }));
    CHECK(channel->frames == calls{"ace"});
    CHECK(channel->bytes_in == 4);
    CHECK(channel->bytes_out == 3);
}

TEST_CASE("a layer can put a handshake before the first byte", "[dispatcher][layers]")
{
    class shaking_hands : public recorder {
    public:
        using recorder::recorder;
        bool done = false;
        void handle_read_event() override
        {
            if (done)
                return recorder::handle_read_event();
            char byte = 0;
            if (recv(asio::buffer(&byte, 1)) == 1) {
                calls.push_back("handshake");
                send(std::string_view(&byte, 1));
                done = true;
            }
        }
        void handle_write_event() override
        {
            calls.push_back("handle_write_event");
            recorder::handle_write_event();
        }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<shaking_hands>(std::move(ends.first));
    ends.second.send("!data");
    REQUIRE(run_until(loop, [&] { return channel->input == "data"; }));
    CHECK(ends.second.received() == "!");
    CHECK(channel->calls == calls{"handshake", "handle_read"});
    channel->wants_write = true;
    channel->update_interest();
    REQUIRE(run_until(loop, [&] { return channel->count("handle_write") > 0; }));
    CHECK(channel->count("handle_write_event") == channel->count("handle_write"));
}

TEST_CASE("a channel can be driven by hand, without a network", "[dispatcher][layers]")
{
    class scripted : public logging<async_chat> {
    public:
        explicit scripted(loop& owner) : logging(owner)
        {
            set_connected(true);
            set_terminator("\n");
        }
        std::vector<std::string> script;
        std::string sent;
        std::vector<std::string> frames;
        std::size_t recv(asio::mutable_buffer into) override
        {
            if (script.empty())
                return 0;
            const std::string piece = script.front();
            script.erase(script.begin());
            return asio::buffer_copy(into, asio::buffer(piece));
        }
        std::size_t send(const_buffers data) override
        {
            sent += data.str();
            return data.size();
        }
        void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
        void found_terminator() override
        {
            frames.push_back(_get_data());
            push("ok ");
        }
    };
    loop loop;
    const driven<scripted> owned(loop);
    scripted& channel = *owned;
    channel.script = {"a", "b\nc", "d\n\n"};
    for (int i = 0; i < 4; ++i)
        channel.handle_read();
    CHECK(channel.frames == calls{"ab", "cd", ""});
    channel.initiate_send();
    CHECK(channel.sent == "ok ok ok ");
    CHECK(channel.pending_output() == 0);
}
