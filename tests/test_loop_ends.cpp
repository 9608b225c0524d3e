// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <cerrno>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

// --- close_all ---------------------------------------------------------------------------------

namespace {

/// Notes that it is closed, and may throw instead of closing.
class closer : public logging<dispatcher> {
public:
    closer(loop& owner, std::vector<int>& order, int number)
        : logging(owner), order_(order), number_(number)
    {
    }
    std::function<void()> thrower;
    int handle_close_calls = 0;
    void close() override
    {
        order_.push_back(number_);
        if (thrower)
            thrower();
        logging::close();
    }
    void handle_close() override { ++handle_close_calls; }

private:
    std::vector<int>& order_;
    int number_;
};

} // namespace

TEST_CASE("close_all closes everything, without handle_close", "[loop][close_all]")
{
    loop loop;
    std::vector<int> order;
    std::vector<std::shared_ptr<closer>> channels;
    for (int i = 1; i <= 3; ++i)
        channels.push_back(loop.create<closer>(order, i).lock());
    loop.close_all();
    CHECK(order == std::vector<int>{1, 2, 3});
    CHECK(loop.size() == 0);
    for (const auto& each : channels) {
        CHECK(each->closed());
        CHECK(each->close_reason() == close_reason::shutdown);
        CHECK(each->handle_close_calls == 0);
    }
    loop.close_all();
    CHECK(order.size() == 3);
}

TEST_CASE("close_all and exceptions of close", "[loop][close_all]")
{
    const auto fails_with = [](int number) -> std::function<void()> {
        return [number] { throw std::system_error(number, std::system_category(), "close"); };
    };
    struct row {
        const char* what;
        std::function<void()> thrower;
        bool stops;            // without ignore_all
        bool stops_ignore_all; // with it
    };
    const row rows[] = {
        {"bad descriptor", fails_with(EBADF), false, false},
        {"input/output error", fails_with(EIO), true, false},
        {"another exception", [] { throw test_error("close"); }, true, false},
        {"no std::exception", [] { throw 42; }, true, false},
        {"exit_now", [] { throw exit_now(); }, true, true},
    };
    for (const row& each : rows) {
        for (const bool ignore_all : {false, true}) {
            CAPTURE(each.what, ignore_all);
            loop loop;
            std::vector<int> order;
            std::vector<std::shared_ptr<closer>> channels;
            for (int i = 1; i <= 3; ++i)
                channels.push_back(loop.create<closer>(order, i).lock());
            channels[1]->thrower = each.thrower;
            const bool stops = ignore_all ? each.stops_ignore_all : each.stops;
            bool stopped = false;
            try {
                loop.close_all(ignore_all);
            } catch (...) {
                stopped = true;
            }
            CHECK(stopped == stops);
            if (stops) {
                CHECK(order == std::vector<int>{1, 2});
                CHECK(loop.size() == 2);
                CHECK_FALSE(channels[1]->closed());
                CHECK(channels[1]->close_reason() == close_reason::open);
                CHECK(channels[2]->close_reason() == close_reason::open);
            } else {
                CHECK(order == std::vector<int>{1, 2, 3});
                CHECK(loop.size() == 0);
                CHECK(channels[1]->closed());
            }
        }
    }
}

TEST_CASE("close_all inside a callback ends run", "[loop][close_all]")
{
    either_loop loop(GENERATE(false, true));
    ready_channel one(*loop);
    ready_channel two(*loop);
    one.channel->on_read = [&] { loop->close_all(); };
    two.channel->on_read = [&] { loop->close_all(); };
    const deadline limit(*loop);
    loop->run();
    CHECK(one.channel->calls.size() + two.channel->calls.size() == 1);
    CHECK(one.channel->close_reason() == close_reason::shutdown);
}

TEST_CASE("a channel that is closed by another one's close is not closed twice by close_all",
          "[loop][close_all]")
{
    loop loop;
    std::vector<int> order;
    const auto one = loop.create<closer>(order, 1).lock();
    const auto two = loop.create<closer>(order, 2).lock();
    one->thrower = [&] { two->close(); };
    loop.close_all();
    CHECK(order == std::vector<int>{1, 2});
    CHECK(two->close_reason() == close_reason::local);
}

// --- the channels ------------------------------------------------------------------------------

TEST_CASE("the channels may be closed and created while they are walked", "[loop][channels]")
{
    loop loop;
    std::vector<int> order;
    std::vector<std::weak_ptr<closer>> made;
    for (int i = 0; i < 5; ++i)
        made.push_back(loop.create<closer>(order, i).lock());
    std::size_t walked = 0;
    for (const auto& channel : loop.channels()) {
        CHECK(channel == made[walked].lock()); // oldest first
        ++walked;
        channel->close();
        loop.create<recorder>();
    }
    CHECK(walked == 5);
    CHECK(loop.size() == 5);
    CHECK(loop.channels().size() == 5);
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("a channel is one of its loop's from create to close", "[loop][channels]")
{
    loop loop;
    const auto one = loop.create<recorder>();
    const auto two = loop.create<recorder>();
    CHECK(&one->owner() == &loop);
    CHECK(loop.channels().size() == 2);
    one->close();
    CHECK(loop.size() == 1);
    REQUIRE(loop.channels().size() == 1);
    CHECK(loop.channels()[0] == two.lock());
}

// --- the end of a loop -------------------------------------------------------------------------

TEST_CASE("a loop may go with everything under way", "[loop][destruction]")
{
    const bool borrowed = GENERATE(false, true);
    CAPTURE(borrowed);
    asio::io_context context;
    std::optional<loop> loop;
    if (borrowed)
        loop.emplace(context);
    else
        loop.emplace();
    bool called = false;
    const auto witness = std::make_shared<int>(0);
    const auto call = [&called, witness] { called = true; };
    timer later;
    timer every;
    handle<recorder> handle;
    std::shared_ptr<recorder> object;
    std::shared_ptr<chat> talking;
    raw_peer peer;

    SECTION("live channels")
    {
        auto ends = connected_pair(AF_UNIX);
        handle = loop->create<recorder>(std::move(ends.first));
        object = handle.lock();
        peer = std::move(ends.second);
        peer.send("x");
    }
    SECTION("channels waiting for events")
    {
        auto ends = connected_pair(AF_UNIX);
        object = loop->create<recorder>(std::move(ends.first)).lock();
        CHECK(settle(*loop));
    }
    SECTION("events that were not served yet")
    {
        auto ends = connected_pair(AF_UNIX);
        object = loop->create<recorder>(std::move(ends.first)).lock();
        CHECK(settle(*loop));
        ends.second.send("x");
        ends.second.close();
    }
    SECTION("output that was not sent yet")
    {
        auto ends = connected_pair(AF_UNIX);
        talking = loop->create<chat>(std::move(ends.first)).lock();
        peer = std::move(ends.second);
        talking->push("lost");
        talking->push(std::string(1 << 20, 'x'));
    }
    SECTION("timers")
    {
        later = loop->call_later(0s, call);
        every = loop->call_every(1ms, call);
        loop->call_later(1h, call);
    }
    SECTION("connects")
    {
        const raw_listener server(endpoint("127.0.0.1", 0));
        object = loop->create<recorder>().lock();
        object->connect(server.address());
        loop->create<recorder>()->connect(server.address());
    }
    SECTION("look-ups")
    {
        object = loop->create<recorder>().lock();
        object->connect("localhost", 9);
        loop->create<recorder>()->connect("nowhere.invalid", 9);
    }
    SECTION("posted functions")
    {
        auto ends = connected_pair(AF_UNIX);
        handle = loop->create<recorder>(std::move(ends.first));
        loop->post(call);
        handle.post([call](recorder&) { call(); });
    }
    SECTION("signals")
    {
        loop->stop_on_signals();
    }
    SECTION("a listener in its pause")
    {
        class failing : public recorder {
        public:
            using recorder::recorder;
            std::optional<std::pair<asynchat::socket, endpoint>> accept() override
            {
                throw std::system_error(EMFILE, std::system_category(), "accept");
            }
        };
        object = loop->create<failing>().lock();
        object->create_socket();
        object->bind(endpoint("127.0.0.1", 0));
        object->listen();
        const auto client = raw_peer::connected_to(object->local_endpoint());
        REQUIRE(run_until(*loop, [&] { return object->count("handle_error") > 0; }));
        object->calls.clear();
    }

    loop.reset();
    CHECK_FALSE(handle);
    if (object) {
        CHECK(object->closed());
        CHECK(object->close_reason() == close_reason::shutdown);
        CHECK(object->calls.empty());
        CHECK(object->native_handle() == -1);
    }
    if (talking) {
        CHECK(talking->pending_output() > 0);
        CHECK_FALSE(talking->push("x"));
        talking->close_when_done();
        talking->discard_buffers();
        talking.reset();
    }
    CHECK_FALSE(later.active());
    CHECK_FALSE(every.active());
    later.cancel();
    every.cancel();
    context.run_for(patience); // what is left in it does nothing
    CHECK_FALSE(called);
    if (!borrowed)
        CHECK(witness.use_count() == 2); // here and in `call`: the functions are gone
}

TEST_CASE("a channel that was closed outside of events goes with its loop", "[loop][destruction]")
{
    either_loop loop(GENERATE(false, true));
    std::weak_ptr<dispatcher> gone;
    {
        const auto channel = loop->create<dispatcher>().lock();
        gone = channel;
        channel->close();
    }
    loop.destroy();
    CHECK(gone.expired());
}

TEST_CASE("channels that outlive their loop can be looked at and destroyed", "[loop][destruction]")
{
    std::shared_ptr<chat> kept;
    auto ends = connected_pair(AF_UNIX);
    {
        loop loop;
        kept = loop.create<chat>(std::move(ends.first)).lock();
        kept->push(std::string(100, 'x'));
    }
    CHECK(kept->closed());
    CHECK(kept->pending_output() == 100);
    CHECK(kept->close_reason() == close_reason::shutdown);
    kept->close();
    kept->update_interest();
    CHECK(kept->repr().find("chat") != std::string::npos);
    kept.reset(); // its output queue goes after the pool of the loop
}

TEST_CASE("destructors of channels may close and create channels", "[loop][destruction]")
{
    class meddling : public recorder {
    public:
        meddling(loop& owner, int& generations) : recorder(owner), generations_(generations) {}
        ~meddling() override
        {
            for (const auto& other : owner().channels())
                other->close();
            if (--generations_ > 0)
                owner().create<meddling>(generations_);
            owner().post([] {});
            owner().call_later(0s, [] {});
        }

    private:
        int& generations_;
    };
    int generations = 5;
    SECTION("at the end of the loop")
    {
        {
            loop loop;
            loop.create<meddling>(generations);
            loop.create<recorder>();
            loop.create<recorder>();
        }
        CHECK(generations == 0);
    }
    SECTION("while it runs")
    {
        loop loop;
        const auto first = loop.create<meddling>(generations);
        loop.create<recorder>();
        first->close();
        for (int i = 0; i < 20 && generations > 0; ++i) {
            settle(loop);
            loop.close_all();
        }
        CHECK(generations == 0);
    }
}

TEST_CASE("a constructor that throws leaves nothing behind", "[loop][create]")
{
    class unlucky : public logging<async_chat> {
    public:
        unlucky(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
        {
            push("never sent");
            create_socket();
            connect("localhost", 9);
            throw test_error("in the constructor");
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}
    };
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    CHECK_THROWS_WITH(loop.create<unlucky>(std::move(ends.first)), "in the constructor");
    CHECK(loop.size() == 0);
    CHECK(settle(loop));
    CHECK(ends.second.ended()); // nobody asks for the descriptor: the look-up may have its number
    CHECK(ends.second.received().empty());
}

TEST_CASE("a constructor may close", "[loop][create]")
{
    class shy : public recorder {
    public:
        shy(loop& owner, asynchat::socket from) : recorder(owner, std::move(from)) { close(); }
    };
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    const auto channel = loop.create<shy>(std::move(ends.first));
    CHECK_FALSE(channel);
    CHECK(loop.size() == 0);
    CHECK(ends.second.ended());
    loop.run();
}

TEST_CASE("a constructor may push, listen and connect", "[loop][create][slow]")
{
    class busy : public logging<async_chat> {
    public:
        busy(loop& owner, asynchat::socket from) : logging(owner, std::move(from))
        {
            set_terminator("\n");
            push("greeting\n");
            close_when_done();
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}
    };
    loop loop;
    auto ends = connected_pair(AF_UNIX);
    loop.create<busy>(std::move(ends.first));
    const deadline limit(loop);
    loop.run();
    CHECK(ends.second.received() == "greeting\n");
    CHECK(ends.second.ended());
}

TEST_CASE("a constructor may create other channels", "[loop][create]")
{
    class pair_of : public recorder {
    public:
        pair_of(loop& owner) : recorder(owner), other(owner.create<recorder>()) {}
        handle<recorder> other;
    };
    loop loop;
    const auto channel = loop.create<pair_of>();
    CHECK(loop.size() == 2);
    CHECK(channel->other);
}
