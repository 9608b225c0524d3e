// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/leaving.hpp"
#include "support/pool_worker.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using asynchat::endpoint;
using asynchat::target;
using std::errc;
using scene = support::pool_scene;
using support::here;
using support::lines;
using support::worker;
using support::worker_handle;
using support::worker_pool;

// --- lending -------------------------------------------------------------------------------------

TEST_CASE("pool: a channel is made when it is needed, and lent again", "[pool]")
{
    scene s;
    CHECK(s.pool->size() == 0);
    s.ask();
    CHECK(s.got.empty()); // not inside the call
    CHECK(s.pool->waiting() == 1);
    s.loop.settle();
    REQUIRE(s.got.size() == 1);
    CHECK(s.pool->waiting() == 0);
    CHECK(s.pool->size() == 1);
    CHECK(s.pool->idle() == 0);
    CHECK(s.taken() == lines{"made", "connected"});
    auto peer = s.server->accept();
    s.got[0]->push("hello\n");
    CHECK(peer.received() == "hello\n");
    s.pool->give_back(s.got[0]);
    CHECK(s.pool->idle() == 1);
    s.ask();
    CHECK(s.got.size() == 1);
    s.loop.settle();
    REQUIRE(s.got.size() == 2);
    CHECK(s.got[0] == s.got[1]);
    CHECK(s.told.empty());
    peer.send("answer\n"); // its input reaches it again
    s.loop.settle();
    CHECK(s.taken() == lines{"found answer"});
}

TEST_CASE("pool: what is pushed in done() is sent", "[pool]")
{
    scene s;
    s.pool->checkout(0s, [](worker_handle channel, std::error_code) { channel->push("first\n"); });
    CHECK(s.server->accept().received() == "first\n");
}

TEST_CASE("pool: the channel that was handed back last is lent first", "[pool]")
{
    scene s;
    const auto a = s.lent();
    const auto b = s.lent();
    const auto c = s.lent();
    for (const auto& each : {b, c, a})
        s.pool->give_back(each);
    CHECK(s.lent() == a);
    CHECK(s.lent() == c);
    s.pool->give_back(a);
    CHECK(s.lent() == a);
    CHECK(s.lent() == b);
    CHECK(s.pool->size() == 3);
}

TEST_CASE("pool: over max_size() they wait in order", "[pool]")
{
    lines order;
    worker_handle a; // like `order`, until the pool has failed those who still wait
    worker_handle b;
    scene s;
    s.pool->max_size(2);
    CHECK(s.pool->max_size() == 2);
    a = s.lent();
    b = s.lent();
    for (const char* const name : {"x", "y", "z"}) {
        s.pool->checkout(0s, [&, name](worker_handle channel, std::error_code) {
            order.push_back(name + std::string(channel == a ? " a" : channel == b ? " b" : " ?"));
        });
    }
    s.loop.settle();
    CHECK(order.empty());
    CHECK(s.pool->size() == 2);
    CHECK(s.pool->waiting() == 3);
    s.pool->give_back(b);
    s.loop.settle();
    CHECK(order == lines{"x b"});
    SECTION("one is handed back")
    {
        s.pool->give_back(a);
        s.pool->give_back(b);
        s.loop.settle();
        CHECK(order == lines{"x b", "y b", "z a"});
    }
    SECTION("one ends: there is room for another one")
    {
        a->close();
        s.loop.settle();
        CHECK(order == lines{"x b", "y ?"});
        CHECK(s.pool->size() == 2);
    }
    SECTION("there is more room")
    {
        s.pool->max_size(4);
        s.loop.settle();
        CHECK(order == lines{"x b", "y ?", "z ?"});
        s.pool->max_size(1);
        s.pool->give_back(b); // one too many
        CHECK(s.pool->size() == 3);
        CHECK(s.pool->idle() == 0);
    }
}

TEST_CASE("pool: what connects for one who was served otherwise becomes idle", "[pool]")
{
    scene s;
    const auto first = s.lent();
    s.loop.answer_after(here, 1s);
    s.ask();
    s.loop.settle();
    CHECK(s.pool->size() == 2);
    s.pool->give_back(first);
    s.loop.settle();
    REQUIRE(s.got.size() == 2);
    CHECK(s.got[1] == first);
    s.loop.advance(1s);
    CHECK(s.pool->idle() == 1);
    s.ask();
    s.loop.settle();
    CHECK(s.got.size() == 3);
    CHECK(s.pool->size() == 2);
}

TEST_CASE("pool: the servers are used in turn", "[pool]")
{
    lines told;
    asynchat::testing::loop loop;
    auto one = loop.listen(endpoint("127.0.0.1", 1));
    auto two = loop.listen(endpoint("127.0.0.1", 2));
    worker_pool pool(loop,
                     std::vector<target>{target(endpoint("127.0.0.1", 1)), target("127.0.0.1", 2)},
                     std::ref(told));
    for (int i = 0; i < 4; ++i)
        pool.checkout(0s, [](const worker_handle&, const std::error_code&) {});
    loop.settle();
    CHECK(one.waiting() == 2);
    CHECK(two.waiting() == 2);
}

// --- failures ------------------------------------------------------------------------------------

TEST_CASE("pool: a channel that cannot connect fails one checkout, and is not tried again",
          "[pool]")
{
    scene s;
    s.server.reset();
    s.ask();
    s.loop.settle();
    CHECK(s.failures == lines{s.text(errc::connection_refused)});
    CHECK(s.pool->size() == 0);
    s.taken();
    s.loop.advance(1h);
    CHECK(s.told.empty());

    s.pool->max_size(1); // each of them fails, one attempt after the other
    s.ask();
    s.ask();
    s.loop.settle();
    CHECK(s.failures.size() == 3);
    CHECK(std::count(s.told.begin(), s.told.end(), "made") == 2);
}

TEST_CASE("pool: run() goes on until the checkout has its error", "[pool]")
{
    scene s;
    s.server.reset();
    s.ask();
    s.loop.run();
    CHECK(s.failures.size() == 1);
}

TEST_CASE("pool: a server that accepts and hangs up costs an attempt a checkout", "[pool]")
{
    class hasty : public worker { // is not lent before the end has come
    public:
        using worker::worker;
        void handle_connect() override { finish("no"); }
    };
    lines told;
    int failures = 0;
    asynchat::testing::loop loop;
    auto server = loop.listen(here);
    asynchat::pool<hasty> pool(loop, target(here), std::ref(told));
    for (int i = 0; i < 3; ++i)
        pool.checkout(0s, [&](const asynchat::handle<hasty>&, const std::error_code& error) {
            failures += error == errc::not_connected ? 1 : 0;
        });
    loop.advance(1min);
    CHECK(failures == 3);
    CHECK(std::count(told.begin(), told.end(), "made") == 3);
    CHECK(pool.size() == 0);
}

TEST_CASE("pool: a constructor that throws, or closes, is a failure", "[pool]")
{
    class broken : public worker {
    public:
        broken(asynchat::loop& owner, lines& told, bool throws, int& ends)
            : worker(owner, told), ends_(ends)
        {
            if (throws)
                throw std::runtime_error("no config");
            close();
        }
        void handle_end() override { ++ends_; }

    private:
        int& ends_;
    };
    const bool throws = GENERATE(false, true);
    int ends = 0;
    lines told;
    std::string logged;
    lines failures;
    asynchat::testing::loop loop;
    loop.log_sink([&](asynchat::log_type, std::string_view line) { logged += line; });
    asynchat::pool<broken> pool(loop, target(here), std::ref(told), throws, std::ref(ends));
    pool.checkout(0s, [&](const asynchat::handle<broken>&, const std::error_code& error) {
        failures.push_back(error.message());
    });
    loop.settle();
    CHECK(failures == lines{scene::text(errc::not_connected)});
    CHECK(pool.size() == 0);
    CHECK(ends == (throws ? 0 : 1));
    if (throws)
        CHECK_THAT(logged, Catch::Matchers::ContainsSubstring("127.0.0.1:7000") &&
                               Catch::Matchers::ContainsSubstring("no config"));
}

TEST_CASE("pool: a channel that connects is lent, though another could not", "[pool]")
{
    const endpoint nobody("127.0.0.1", 7001);
    lines told;
    lines results;
    asynchat::testing::loop loop;
    loop.log_sink([](asynchat::log_type, std::string_view) {});
    const auto server = loop.listen(here);
    for (const endpoint& each : {here, nobody})
        loop.answer_after(each, 2s);
    worker_pool pool(loop, std::vector<target>{target(here), target(nobody)}, std::ref(told));
    for (const asynchat::loop::duration timeout : {0s, 1s})
        pool.checkout(timeout, [&](const worker_handle&, const std::error_code& error) {
            results.push_back(error.message());
        });
    loop.advance(2s);
    CHECK(results == lines{scene::text(errc::timed_out), std::error_code().message()});
}

TEST_CASE("pool: a constructor may stop the pool", "[pool]")
{
    class last : public worker {
    public:
        last(asynchat::loop& owner, lines& told, std::function<void()>& made, int& ends)
            : worker(owner, told), ends_(ends)
        {
            made();
        }
        void handle_end() override { ++ends_; }

    private:
        int& ends_;
    };
    int ends = 0;
    lines told;
    lines failures;
    std::function<void()> made;
    asynchat::testing::loop loop;
    const auto server = loop.listen(here);
    asynchat::pool<last> pool(loop, target(here), std::ref(told), std::ref(made), std::ref(ends));
    made = [&] { pool.stop(); };
    for (int i = 0; i < 2; ++i)
        pool.checkout(0s, [&](const asynchat::handle<last>&, const std::error_code& error) {
            failures.push_back(error.message());
        });
    loop.settle();
    const std::string canceled = scene::text(errc::operation_canceled);
    CHECK(failures == lines{canceled, canceled});
    CHECK(pool.size() == 0);
    CHECK(loop.channels().empty());
    CHECK(told == lines{"made", "gone"});
    CHECK(ends == 1);
}

TEST_CASE("pool: exit_now of a constructor ends run(), not the wait", "[pool]")
{
    using leaving = support::leaving<worker>;
    lines told;
    bool leaves = true;
    bool got = false;
    asynchat::testing::loop loop;
    const auto server = loop.listen(here);
    asynchat::pool<leaving> pool(loop, target(here), std::ref(told), std::ref(leaves));
    pool.checkout(0s, [&](const asynchat::handle<leaving>& channel, const std::error_code&) {
        got = static_cast<bool>(channel);
    });
    CHECK_THROWS_AS(loop.settle(), asynchat::exit_now);
    CHECK(pool.waiting() == 1);
    loop.settle();
    CHECK(got);
}

TEST_CASE("pool: without a descriptor the checkout fails", "[pool]")
{
    scene s;
    s.loop.fail(1, EMFILE, asynchat::testing::operation::open);
    s.ask();
    s.loop.settle();
    CHECK(s.failures == lines{s.text(errc::too_many_files_open)});
    CHECK(s.pool->size() == 0);
    s.lent();
}

TEST_CASE("pool: an exception of done() ends its channel, not the pool", "[pool]")
{
    scene s;
    s.pool->checkout(
        0s, [](const worker_handle&, const std::error_code&) { throw std::runtime_error("oops"); });
    s.ask();
    s.loop.settle();
    CHECK(s.got.size() == 1);
    CHECK(s.pool->size() == 1);
    CHECK(std::count(s.told.begin(), s.told.end(), "close callback error") == 1);

    s.server.reset(); // without a channel it leaves run(), and the others are served later
    s.pool->max_size(2);
    s.pool->checkout(
        0s, [](const worker_handle&, const std::error_code&) { throw std::runtime_error("oops"); });
    s.ask();
    CHECK_THROWS_AS(s.loop.settle(), std::runtime_error);
    s.loop.settle();
    CHECK(s.failures.size() == 1);
}

// --- every state, every event --------------------------------------------------------------------

namespace {

enum class state { idle, lent, connecting };
enum class event { finish, input, reset, deadline, stop, destroy, close, pending, twice, foreign };

struct outcome {
    lines told;     // what the channel is told from then on
    lines failures; // of a checkout that waits
    std::size_t size;
    std::size_t idle;
};

outcome run(state from, event what)
{
    scene s;
    s.pool->max_size(1);
    worker_handle channel;
    if (from == state::idle)
        channel = s.idle();
    if (from == state::lent)
        channel = s.lent();
    if (from != state::idle) {
        if (from == state::connecting)
            s.loop.answer_after(here, 5s);
        s.ask(what == event::deadline ? 1s : 0s); // waits
        s.loop.settle();
    }
    if (from == state::connecting)
        channel = s.loop.handle_of(static_cast<worker&>(*s.loop.channels().at(0)));
    REQUIRE(s.pool->size() == 1);
    s.taken();
    switch (what) {
    case event::finish: s.peers.at(0).finish(); break;
    case event::input: s.peers.at(0).send("more\n"); break;
    case event::reset: s.peers.at(0).reset(); break;
    case event::deadline: s.loop.advance(1s); break;
    case event::stop: s.pool->stop(); break;
    case event::destroy: s.pool.reset(); break;
    case event::close: channel->close(); break;
    case event::pending:
        channel->push("not sent yet\n");
        s.pool->give_back(channel);
        break;
    case event::twice:
        s.pool->give_back(channel);
        CHECK_THROWS_AS(s.pool->give_back(channel), std::invalid_argument);
        break;
    case event::foreign: {
        scene other;
        CHECK_THROWS_AS(other.pool->give_back(channel), std::invalid_argument);
        break;
    }
    }
    s.loop.settle();
    return {s.taken(), s.failures, s.pool ? s.pool->size() : 0, s.pool ? s.pool->idle() : 0};
}

void check(state from, event what, const outcome& expected)
{
    CAPTURE(static_cast<int>(from), static_cast<int>(what));
    const outcome found = run(from, what);
    CHECK(found.told == expected.told);
    CHECK(found.failures == expected.failures);
    CHECK(found.size == expected.size);
    CHECK(found.idle == expected.idle);
}

} // namespace

TEST_CASE("pool: what happens to an idle channel", "[pool]")
{
    check(state::idle, event::finish, {{"close peer finished", "gone"}, {}, 0, 0});
    check(state::idle, event::input, {{"close user", "gone"}, {}, 0, 0});
    check(state::idle, event::reset, {{"close reset", "gone"}, {}, 0, 0});
    check(state::idle, event::stop, {{"shutdown", "close local", "gone"}, {}, 0, 0});
    check(state::idle, event::destroy, {{"shutdown", "close local", "gone"}, {}, 0, 0});
    check(state::idle, event::close, {{"gone"}, {}, 0, 0});
    check(state::idle, event::foreign, {{}, {}, 1, 1});
}

TEST_CASE("pool: what happens to a channel in use, while another checkout waits", "[pool]")
{
    const std::string canceled = scene::text(errc::operation_canceled);
    // Another one is made for the checkout that waits.
    check(state::lent, event::finish,
          {{"close peer finished", "gone", "made", "connected"}, {}, 1, 0});
    check(state::lent, event::input, {{"found more"}, {}, 1, 0});
    check(state::lent, event::reset, {{"close reset", "gone", "made", "connected"}, {}, 1, 0});
    check(state::lent, event::deadline, {{}, {scene::text(errc::timed_out)}, 1, 0});
    check(state::lent, event::stop, {{}, {canceled}, 1, 0});
    check(state::lent, event::destroy, {{}, {canceled}, 0, 0});
    check(state::lent, event::close, {{"gone", "made", "connected"}, {}, 1, 0});
    check(state::lent, event::pending, {{"gone", "made", "connected"}, {}, 1, 0});
    check(state::lent, event::twice, {{}, {}, 1, 0}); // lent to the other one
    check(state::lent, event::foreign, {{}, {}, 1, 0});
}

TEST_CASE("pool: what happens to a channel that connects, while its checkout waits", "[pool]")
{
    const std::string canceled = scene::text(errc::operation_canceled);
    const std::string lost = scene::text(errc::not_connected);
    check(state::connecting, event::deadline, {{}, {scene::text(errc::timed_out)}, 1, 0});
    check(state::connecting, event::stop, {{"shutdown", "close local", "gone"}, {canceled}, 0, 0});
    check(state::connecting, event::destroy,
          {{"shutdown", "close local", "gone"}, {canceled}, 0, 0});
    check(state::connecting, event::close, {{"gone"}, {lost}, 0, 0});
    check(state::connecting, event::foreign, {{}, {}, 1, 0});
}

// --- idle channels -------------------------------------------------------------------------------

TEST_CASE("pool: a channel on which something has arrived is never lent", "[pool]")
{
    scene s;
    const auto old = s.idle();
    SECTION("the end")
    {
        s.peers[0].finish();
    }
    SECTION("bytes")
    {
        s.peers[0].send("x");
    }
    SECTION("a reset")
    {
        s.peers[0].reset();
    }
    s.ask(); // the loop has not run: the channel does not know yet
    s.loop.settle();
    REQUIRE(s.got.size() == 2);
    CHECK(s.got[1] != old);
    CHECK(s.pool->size() == 1);
    CHECK(s.server->waiting() == 1);
}

TEST_CASE("pool: an idle channel ends after its limit, a little earlier or not", "[pool]")
{
    std::set<asynchat::loop::duration> times;
    asynchat::testing::for_seeds(10, [&](std::uint64_t seed) {
        lines told;
        asynchat::testing::loop loop(seed);
        auto server = loop.listen(here);
        worker_pool pool(loop, target(here), std::ref(told));
        pool.checkout(0s, [&](const worker_handle& channel, const std::error_code&) {
            pool.give_back(channel);
        });
        loop.settle();
        REQUIRE(pool.idle() == 1);
        loop.advance(54s - 1ns);
        CHECK(pool.idle() == 1);
        const auto start = loop.now();
        while (pool.idle() == 1 && loop.now() < start + 7s)
            loop.advance(100ms);
        times.insert(loop.now() - start);
        CHECK(pool.size() == 0);
        CHECK(loop.now() <= start + 6s + 100ms);
        CHECK(told == lines{"made", "connected", "shutdown", "close local", "gone"});
    });
    CHECK(times.size() > 3);
}

TEST_CASE("pool: each channel has its own time, from when it was handed back", "[pool]")
{
    scene s;
    s.pool->idle_limit(10s);
    CHECK(s.pool->idle_limit() == 10s);
    const auto a = s.lent();
    const auto b = s.lent();
    s.pool->give_back(a);
    s.loop.advance(5s);
    s.pool->give_back(b);
    s.loop.advance(5s);
    CHECK_FALSE(a);
    CHECK(b);
    CHECK(s.lent() == b); // in use no limit counts
    s.loop.advance(1min);
    CHECK(b);
    s.pool->give_back(b);
    s.loop.advance(8s);
    CHECK(b);
    s.loop.advance(2s);
    CHECK_FALSE(b);
    s.pool->idle_limit(0s);
    s.idle();
    s.loop.advance(24h);
    CHECK(s.pool->idle() == 1);
}

TEST_CASE("pool: a channel that connected for nobody has a limit, too", "[pool]")
{
    scene s;
    s.loop.answer_after(here, 5s);
    s.ask(1s);
    s.loop.advance(5s);
    CHECK(s.pool->idle() == 1);
    s.loop.advance(1min);
    CHECK(s.pool->size() == 0);
}

TEST_CASE("pool: so has one that connects in the same turn as one that is lent", "[pool]")
{
    scene s;
    s.loop.answer_after(here, 2s);
    s.ask();
    s.ask(1s);
    s.loop.advance(2s);
    REQUIRE(s.got.size() == 1);
    CHECK(s.pool->idle() == 1);
    s.got[0]->close();
    s.loop.advance(1min);
    CHECK(s.pool->size() == 0);
}

TEST_CASE("pool: an old channel is not lent again", "[pool]")
{
    scene s;
    s.pool->life_limit(1min);
    CHECK(s.pool->life_limit() == 1min);
    const auto used = s.lent();
    const auto idle = s.idle();
    s.pool->idle_limit(0s);
    s.loop.advance(1min);
    CHECK_FALSE(idle);
    CHECK(used);
    CHECK(s.pool->size() == 1);
    s.pool->give_back(used);
    s.loop.settle();
    CHECK_FALSE(used);
    CHECK(s.pool->size() == 0);
}

TEST_CASE("pool: an idle channel has no pings", "[pool]")
{
    scene s;
    const auto channel = s.lent();
    channel->silence_interval(10s);
    s.loop.advance(11s);
    CHECK(s.taken().back() == "silence");
    s.pool->give_back(channel);
    s.loop.advance(45s);
    CHECK(s.told.empty());
    CHECK(s.lent() == channel);
    s.loop.advance(9s); // the time begins again
    CHECK(s.told.empty());
    s.loop.advance(2s);
    CHECK(s.taken() == lines{"silence"});
}
