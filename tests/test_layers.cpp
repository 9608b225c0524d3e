// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/layered_chat.hpp"
#include "support/layers.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>
#include <asio/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// What the seam below a channel promises to layers, clause by clause of transport.hpp.

using asynchat::close_reason;
using namespace support;

// --- input ---------------------------------------------------------------------------------------

TEST_CASE("layer: an incomplete record stays inside, and nothing spins", "[layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<record_chat>();
    const std::string all = record("one\ntw") + record("o\n");
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        peer.send(all.substr(i, 1));
        loop.settle();
    }
    CHECK(chat->events == strings{"collect one", "found", "collect tw"});
    peer.send(all.substr(all.size() - 1));
    loop.settle();
    CHECK(chat->events == strings{"collect one", "found", "collect two", "found"});
}

TEST_CASE("layer: what is left inside is received without more from below", "[layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<record_chat>();
    chat->ac_in_buffer_size = 10;
    const std::string text(995, 'x');
    peer.send(record(text + "\n") + record("y\n"));
    SECTION("by run() and poll()")
    {
        loop.settle();
    }
    SECTION("two receives in a pass at most")
    {
        std::size_t passes = 0;
        while (loop.poll())
            ++passes;
        CHECK(passes >= 50); // of 101 receives
    }
    SECTION("after a pause")
    {
        chat->pause_reading();
        loop.settle();
        CHECK(chat->events.empty());
        chat->resume_reading();
        loop.settle();
    }
    CHECK(chat->events == strings{"collect " + text, "found", "collect y", "found"});
}

TEST_CASE("layer: a plain dispatcher gets what is left inside as well", "[layers]")
{
    class reader : public asynchat::dispatcher {
    public:
        reader(asynchat::loop& owner, asynchat::socket peer) : dispatcher(owner, std::move(peer))
        {
            add_layer(std::make_unique<record_layer>());
        }
        void handle_read() override
        {
            char piece[4];
            received.append(piece, recv(asio::buffer(piece)));
        }
        std::string received;
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<reader>();
    peer.send(record("hello, world"));
    loop.settle();
    CHECK(chat->received == "hello, world");
}

TEST_CASE("layer: its end of the stream is the end, and another one is its error", "[layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<record_chat>();
    SECTION("in order")
    {
        peer.send(record("one\ntw") + end_record);
        loop.settle();
        CHECK(chat->events ==
              strings{"collect one", "found", "collect tw", "eof", "close peer finished"});
    }
    SECTION("cut off: complete lines come first")
    {
        peer.send(record("one\n") + record("two\n").substr(0, 4));
        peer.finish();
        loop.settle();
        CHECK(chat->events.size() == 4);
        CHECK(chat->events[0] == "collect one");
        CHECK(chat->events[3] == "close system error");
        CHECK(chat->close_error() == std::errc::bad_message);
    }
    SECTION("a reset is one")
    {
        peer.send(record("one\n"));
        loop.settle();
        peer.reset();
        loop.settle();
        CHECK(chat->events == strings{"collect one", "found", "close reset"});
    }
}

TEST_CASE("layer: large frames are received in place through it", "[layers][frame_chat]")
{
    class frames : public asynchat::frame_chat {
    public:
        frames(asynchat::loop& owner, asynchat::socket peer) : frame_chat(owner, std::move(peer))
        {
            max_frame(200000);
            set_terminator(100000);
            add_layer(std::make_unique<record_layer>());
        }
        void found_frame(std::string_view frame) override
        {
            found.emplace_back(frame);
            set_terminator(100000);
        }
        strings found;
    };
    asynchat::testing::loop loop;
    loop.window(1 << 20);
    auto [chat, peer] = loop.accept<frames>();
    const std::string frame(100000, 'f');
    const std::string all = frame + frame;
    for (std::size_t at = 0; at < all.size(); at += 33000)
        peer.send(record(all.substr(at, 33000)), 777);
    loop.settle();
    CHECK((chat->found == strings{frame, frame}));
}

// --- output --------------------------------------------------------------------------------------

TEST_CASE("layer: a write that is taken in parts is offered again, the same bytes first",
          "[layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<record_chat>();
    peer.window(3);
    chat->push("hello\n");
    CHECK(peer.received(3) == record("hello\n").substr(0, 3));
    chat->push("again\n"); // record_layer throws if it is offered something else
    CHECK(peer.received() == record("hello\n").substr(3) + record("again\n"));
    CHECK(chat->pending_output() == 0);
    CHECK_FALSE(chat->closed());
}

TEST_CASE("layer: discard_buffers() does not drop what it is bound to", "[layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<record_chat>();
    peer.window(4);
    chat->push("hello\n");
    loop.settle();
    chat->push("lost\n");
    chat->discard_buffers();
    CHECK(chat->pending_output() == 6);
    chat->push("kept\n");
    CHECK(peer.received() == record("hello\n") + record("kept\n"));
}

TEST_CASE("layer: bytes of a file go through it, not past it", "[layers][file_producer]")
{
    char name[] = "/tmp/asynchat-layer-XXXXXX";
    const int file = ::mkstemp(name);
    REQUIRE(file >= 0);
    ::unlink(name);
    REQUIRE(::write(file, "of a file\n", 10) == 10);
    asynchat::loop loop;
    auto ends = asynchat::socket::pair();
    const auto chat = loop.create<xor_chat>(std::move(ends.first)).lock();
    chat->push_with_producer(std::make_unique<asynchat::file_producer>(file));
    chat->close_when_done();
    loop.run(10, std::chrono::milliseconds(1));
    char received[64];
    const auto size = ::recv(ends.second.native_handle(), received, sizeof received, 0);
    CHECK(std::string(received, static_cast<std::size_t>(std::max<ssize_t>(size, 0))) ==
          changed("of a file\n"));
    ::close(file);
}

TEST_CASE("layer: push_eof() ends its stream, and the other one goes on", "[layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<record_chat>();
    chat->push("bye\n");
    chat->push_eof();
    CHECK(peer.received() == record("bye\n") + end_record);
    CHECK(peer.ended());
    peer.send(record("still\n"));
    loop.settle();
    CHECK(chat->events == strings{"collect still", "found"});
    CHECK_FALSE(chat->closed());
}

TEST_CASE("layer: push_eof() waits for room for its last words", "[layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<record_chat>();
    peer.window(0);
    chat->push_eof();
    loop.settle();
    CHECK_FALSE(peer.ended());
    peer.window(1);
    CHECK(peer.received() == end_record);
    CHECK(peer.ended());
    CHECK_FALSE(chat->closed());
}

TEST_CASE("layer: an end in order has its last words, another one has none", "[layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<record_chat>();
    const auto drained = [c = chat.get()] { return c->pending_output() == 0; };
    SECTION("close_when_done()")
    {
        chat->push("bye\n");
        chat->close_when_done();
        CHECK(peer.received() == record("bye\n") + end_record);
        CHECK(peer.ended());
        CHECK(chat->close_reason() == close_reason::local);
    }
    SECTION("close_when_done() without a linger")
    {
        chat->linger_timeout(std::chrono::seconds(0));
        chat->close_when_done();
        CHECK(peer.received() == end_record);
    }
    SECTION("close_when_done(), and they have to wait")
    {
        peer.window(6); // the end has no room
        chat->push("bye\n");
        chat->close_when_done();
        loop.settle();
        CHECK(drained());
        CHECK_FALSE(chat->closed());
        CHECK(peer.received() == record("bye\n") + end_record);
        CHECK(chat->close_reason() == close_reason::local);
    }
    SECTION("they wait no longer than output does")
    {
        peer.window(0);
        chat->close_when_done();
        loop.advance(std::chrono::seconds(59));
        CHECK_FALSE(chat->closed());
        loop.advance(std::chrono::seconds(2));
        CHECK(chat->close_reason() == close_reason::write_timeout);
    }
    SECTION("the answer to the end of the other side")
    {
        peer.send(end_record);
        CHECK(peer.received() == end_record);
        CHECK(chat->close_reason() == close_reason::peer_finished);
    }
    SECTION("close()")
    {
        chat->close();
        CHECK(peer.received().empty());
    }
    SECTION("abort()")
    {
        chat->abort();
        CHECK(peer.received().empty());
        CHECK(peer.was_reset());
    }
}

TEST_CASE("layer: last words are not output", "[layers]")
{
    class counting : public record_chat {
    public:
        using record_chat::record_chat;
        void handle_drained() override { note("drained"); }
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<counting>();
    peer.window(0);
    chat->push_eof();
    loop.settle();
    CHECK(peer.received().empty());
    peer.window(1);
    CHECK(peer.received() == end_record);
    CHECK(chat->events.empty());
}

TEST_CASE("layer: a connection that lingers drops what comes through it", "[layers]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<record_chat>();
    peer.send(record(std::string(60000, 'x')).substr(0, 1000));
    chat->close_when_done();
    loop.settle();
    REQUIRE(chat->closed());
    peer.send(record("more\n") + record("and more\n"));
    loop.settle();
    CHECK_FALSE(peer.was_reset());
    peer.send(end_record);
    peer.finish();
    loop.settle();
    CHECK_FALSE(peer.was_reset());
}

TEST_CASE("layer: while in_flight() goes down the other side takes output", "[layers][timeouts]")
{
    class slow_layer final : public asynchat::transport_layer {
    public:
        std::size_t in_flight() override { return left > 0 ? --left : 0; }
        std::size_t left = 100;
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<layered<slow_layer>>();
    peer.window(1);
    chat->push("much");
    loop.advance(std::chrono::seconds(200)); // it is asked every sixteenth of the time
    CHECK_FALSE(chat->closed());
    loop.advance(std::chrono::seconds(300));
    CHECK(chat->close_reason() == close_reason::write_timeout);
}

// --- waiting for the other direction -------------------------------------------------------------

namespace {

/// Says "hi" and wants "yo" before anything else: a handshake of which either side may begin.
class greeting_layer final : public asynchat::transport_layer {
public:
    std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
    {
        return greet(error) ? lower().read_some(into, error) : 0;
    }
    std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
    {
        return greet(error) ? lower().write_some(from, error) : 0;
    }

private:
    asynchat::readiness waits_for(asynchat::readiness what) override
    {
        if (!said_.empty())
            return asynchat::readiness::write;
        return heard_.size() < 2 ? asynchat::readiness::read : what;
    }
    bool greet(std::error_code& error)
    {
        error.clear();
        while (!said_.empty()) {
            const std::size_t size = lower().write_some(said_, error);
            if (error)
                return false;
            said_.erase(0, size);
        }
        while (heard_.size() < 2) {
            char byte = 0;
            const std::size_t size = lower().read_some(asio::buffer(&byte, 1), error);
            if (error)
                return false;
            heard_.append(&byte, size);
        }
        return true;
    }

    std::string said_ = "hi";
    std::string heard_;
};

} // namespace

TEST_CASE("layer: reading waits for output, and writing for input, where it says so", "[layers]")
{
    asynchat::testing::for_seeds(50, [](std::uint64_t seed) {
        asynchat::testing::loop loop(seed);
        loop.faults().cut = 300;
        loop.faults().block = seed % 2 == 0 ? 500 : 0;
        auto [chat, peer] = loop.accept<layered<greeting_layer>>();
        const bool pushes_first = seed % 3 == 0;
        if (pushes_first)
            chat->push("early\n");
        if (peer.received() != "hi") // without anything to send or to receive
            throw std::runtime_error("no greeting");
        if (!pushes_first)
            chat->push("early\n");
        if (!peer.received().empty())
            throw std::runtime_error("output before the greeting");
        peer.send("yo" + std::string("line\n"), 1 + static_cast<std::size_t>(seed % 3));
        if (peer.received() != "early\n" || chat->events != strings{"collect line", "found"})
            throw std::runtime_error("nothing after the greeting");
    });
}

TEST_CASE("layer: a wait under way follows what the layer waits for by now", "[layers]")
{
    /// Writes only after a byte '!' was read, which a read finds.
    class gated_layer final : public asynchat::transport_layer {
    public:
        std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
        {
            const std::size_t size = lower().read_some(into, error);
            if (std::string_view(static_cast<char*>(into.data()), size).find('!') !=
                std::string_view::npos)
                open_ = true;
            return size;
        }
        std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
        {
            if (open_)
                return lower().write_some(from, error);
            error = asio::error::would_block;
            return 0;
        }

    private:
        asynchat::readiness waits_for(asynchat::readiness what) override
        {
            return open_ ? what : asynchat::readiness::read;
        }
        bool open_ = false;
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<layered<gated_layer>>();
    chat->push("held\n");
    CHECK(peer.received().empty());
    peer.send("no\n");
    CHECK(peer.received().empty());
    peer.send("yes!\n");
    CHECK(peer.received() == "held\n");
}

TEST_CASE("layer: a wait under way ends when another call has left input inside", "[layers]")
{
    /// What is written is input.
    class mirror_layer final : public asynchat::transport_layer {
    public:
        std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
        {
            if (inside_.empty())
                return lower().read_some(into, error);
            error.clear();
            const std::size_t size = asio::buffer_copy(into, asio::buffer(inside_));
            inside_.erase(0, size);
            return size;
        }
        std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
        {
            error.clear();
            inside_ += from.str();
            return from.size();
        }

    private:
        bool has_input() override { return !inside_.empty(); }
        std::string inside_;
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<layered<mirror_layer>>();
    loop.settle(); // it waits for input
    chat->push("line\n");
    loop.settle();
    CHECK(chat->events == strings{"collect line", "found"});
}

// --- what lies below, and over -------------------------------------------------------------------

TEST_CASE("transport: a socket says would_block, the same as a connection in memory", "[layers]")
{
    class looking : public asynchat::transport_layer {
    public:
        explicit looking(std::vector<std::error_code>& list) : list_(list) {}
        std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override
        {
            const std::size_t size = lower().read_some(into, error);
            if (size == 0)
                list_.push_back(error);
            return size;
        }
        std::size_t write_some(asynchat::const_buffers from, std::error_code& error) override
        {
            const std::size_t size = lower().write_some(from, error);
            if (size == 0)
                list_.push_back(error);
            return size;
        }

    private:
        std::vector<std::error_code>& list_;
    };
    std::vector<std::error_code> errors;
    const bool in_memory = GENERATE(false, true);
    const auto use = [&errors](asynchat::loop& loop, asynchat::socket from) {
        const auto chat = loop.create<asynchat::testing::recorder<>>(std::move(from)).lock();
        chat->add_layer(std::make_unique<looking>(errors));
        chat->handle_read(); // nothing is there
        for (int i = 0; i < 1000 && chat->pending_output() == 0; ++i)
            chat->push(std::string(100000, 'x'));
        for (int i = 0; i < 100; ++i)
            chat->push(std::string(3000, 'x')); // several buffers
        chat->initiate_send();
        chat->abort();
    };
    if (in_memory) {
        asynchat::testing::loop loop;
        auto ends = loop.socket_pair();
        use(loop, std::move(ends.first));
    } else {
        asynchat::loop loop;
        auto ends = support::connected_pair();
        use(loop, std::move(ends.first));
    }
    CHECK_FALSE(errors.empty());
    for (const auto& error : errors)
        CHECK(error == asio::error::would_block);
}

TEST_CASE("layer: passes on what it does not change", "[layers]")
{
    asynchat::loop loop;
    const auto server =
        loop.create<asynchat::server<xor_chat>>(asynchat::endpoint("127.0.0.1", 0)).lock();
    const auto chat = loop.create<asynchat::testing::recorder<>>().lock();
    chat->connect(server->local_endpoint());
    chat->add_layer(std::make_unique<xor_layer>());
    loop.run(10, std::chrono::milliseconds(1));
    REQUIRE(chat->connected());
    CHECK(chat->native_handle() >= 0);
    CHECK(chat->peer_endpoint() == server->local_endpoint());
    CHECK_FALSE(chat->local_endpoint().empty());
    chat->set_no_delay(false); // throws without a socket
    chat->set_keep_alive(true);
}
