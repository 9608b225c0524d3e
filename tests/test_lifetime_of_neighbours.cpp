// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

// Channels that are closed, or made, by others.

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

TEST_CASE("a callback may destroy the channel that is served next", "[lifetime]")
{
    class killer : public recorder {
    public:
        using recorder::recorder;
        std::weak_ptr<killer> other;
        void handle_read() override
        {
            recorder::handle_read();
            if (const auto target = other.lock())
                target->close();
        }
    };
    loop loop;
    auto one = connected_pair(AF_UNIX);
    auto two = connected_pair(AF_UNIX);
    const auto first = loop.create<killer>(std::move(one.first)).lock();
    const auto second = loop.create<killer>(std::move(two.first)).lock();
    first->other = second;
    second->other = first;
    CHECK(settle(loop));
    one.second.send("x");
    two.second.send("y");
    REQUIRE(run_until(loop, [&] { return first->closed() || second->closed(); }));
    CHECK(settle(loop));
    CHECK(first->calls.size() + second->calls.size() == 1);
    CHECK(loop.size() == 1);
}

TEST_CASE("a channel may be closed by the timer of another one while it has output", "[lifetime]")
{
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<echo_channel>(std::move(ends.first)).lock();
    channel->send(std::string(1 << 20, 'x'));
    CHECK(settle(loop));
    CHECK(channel->pending_output() > 0); // the system does not take so much
    loop.call_later(0s, [&] { channel->close(); });
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->pending_output() > 0); // how much was lost can be asked
    CHECK(settle(loop));
}

TEST_CASE("a channel may close itself and everybody in its destructor's neighbourhood",
          "[lifetime]")
{
    class last_words : public recorder {
    public:
        last_words(loop& owner, asynchat::socket from, std::weak_ptr<recorder> other)
            : recorder(owner, std::move(from)), other_(std::move(other))
        {
        }
        ~last_words() override
        {
            if (const auto other = other_.lock())
                other->close();
        }

    private:
        std::weak_ptr<recorder> other_;
    };
    loop loop;
    auto one = connected_pair(AF_UNIX);
    auto two = connected_pair(AF_UNIX);
    const auto other = loop.create<recorder>(std::move(one.first)).lock();
    loop.create<last_words>(std::move(two.first), other);
    two.second.close();
    REQUIRE(run_until(loop, [&] { return other->closed(); }));
    CHECK(other->calls.empty());
    CHECK(loop.size() == 0);
}

namespace {

void send_datagram(const endpoint& to)
{
    const descriptor from(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto native = to.native();
    check_call(
        ::sendto(from.get(), "z", 1, 0, native.data(), static_cast<socklen_t>(native.size())) == 1,
        "sendto");
}

} // namespace

// Asio keeps its record of a descriptor for the next one. When a channel whose event is queued is
// closed, the channel that is made next gets that event.
TEST_CASE("the event of a closed channel does not reach the one that is made next",
          "[lifetime][no-layers]")
{
    enum class kind { socket, with_send, datagrams, listener, pipe, next_socket };
    const kind what = GENERATE(kind::socket, kind::with_send, kind::datagrams, kind::listener,
                               kind::pipe, kind::next_socket);
    CAPTURE(static_cast<int>(what));

    // Each counts the events that reach its handler, and leaves what is there.
    class quiet : public recorder {
    public:
        using recorder::recorder;
        int events = 0;
        void handle_read() override { ++events; }
        void handle_accept() override { ++events; }
    };
    class quiet_sender : public echo_channel {
    public:
        using echo_channel::echo_channel;
        int events = 0;
        void handle_read() override { ++events; }
    };
    class quiet_file : public logging<file_dispatcher> {
    public:
        using logging::logging;
        int events = 0;
        void handle_read() override { ++events; }
    };
    class killer : public recorder {
    public:
        using recorder::recorder;
        std::function<void()> act;
        void handle_read() override
        {
            recorder::handle_read();
            act();
        }
    };

    loop loop;
    for (int attempt = 0; attempt < 10; ++attempt) {
        auto one = connected_pair(AF_UNIX);
        auto two = connected_pair(AF_UNIX);
        auto fresh = connected_pair(AF_UNIX);
        const auto pipe = make_pipe();
        const auto first = loop.create<killer>(std::move(one.first)).lock();
        const auto second = loop.create<killer>(std::move(two.first)).lock();
        const auto older = loop.create<quiet>().lock();
        std::function<int()> events;
        std::shared_ptr<dispatcher> next;
        const auto watch = [&](auto channel) {
            next = channel;
            events = [channel] { return channel->events; };
        };
        const auto bound = [&](std::shared_ptr<quiet> channel, int type) {
            channel->create_socket(AF_INET, type);
            channel->bind(endpoint("127.0.0.1", 0));
            if (type == SOCK_STREAM)
                channel->listen();
            channel->update_interest(); // now, not at the end of the event
            watch(channel);
        };
        const auto replace = [&](killer& other) {
            other.close();
            switch (what) {
            case kind::socket: return watch(loop.create<quiet>(std::move(fresh.first)).lock());
            case kind::with_send:
                return watch(loop.create<quiet_sender>(std::move(fresh.first)).lock());
            case kind::datagrams: return bound(loop.create<quiet>().lock(), SOCK_DGRAM);
            case kind::listener: return bound(loop.create<quiet>().lock(), SOCK_STREAM);
            case kind::pipe: return watch(loop.create<quiet_file>(pipe.first.get()).lock());
            case kind::next_socket: return bound(older, SOCK_STREAM);
            }
        };
        first->act = [&] { replace(*second); };
        second->act = [&] { replace(*first); };
        CHECK(settle(loop));
        one.second.send("x");
        two.second.send("y");
        REQUIRE(run_until(loop, [&] { return first->closed() || second->closed(); }));
        CHECK(settle(loop));
        CHECK(first->calls.size() + second->calls.size() == 1);
        CHECK(events() == 0);

        // What is meant for it comes.
        raw_peer client;
        if (what == kind::pipe)
            check_call(::write(pipe.second.get(), "z", 1) == 1, "write");
        else if (what == kind::datagrams)
            send_datagram(next->local_endpoint());
        else if (what == kind::listener || what == kind::next_socket)
            client = raw_peer::connected_to(next->local_endpoint());
        else
            fresh.second.send("z");
        CHECK(run_until(loop, [&] { return events() > 0; }));
        loop.close_all();
    }
}
