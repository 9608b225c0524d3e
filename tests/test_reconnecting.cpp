// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/error_text.hpp"
#include "support/leaving.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/detail/timing/back_off.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using asynchat::close_reason;
using asynchat::endpoint;
using asynchat::reconnecting;
using asynchat::target;
using asynchat::detail::back_off;
using duration = asynchat::loop::duration;

// --- the waits -----------------------------------------------------------------------------------

namespace {

/// The shortest and the longest of many waits, with this history in front of each.
template <class History>
std::pair<duration, duration> range(const History& history)
{
    asynchat::detail::random numbers(7);
    duration least = duration::max();
    duration most{};
    for (int i = 0; i < 2000; ++i) {
        back_off waits;
        const duration wait = history(waits, numbers);
        least = std::min(least, wait);
        most = std::max(most, wait);
    }
    return {least, most};
}

/// Whether the waits fill the range up to `bound`.
void check_range(std::pair<duration, duration> found, duration bound)
{
    const duration edge = (bound - 50ms) / 100;
    CHECK(found.first >= 50ms);
    CHECK(found.first < 50ms + edge);
    CHECK(found.second <= bound);
    CHECK(found.second > bound - edge);
}

/// The mean number of attempts until a server is back that was away for so long.
template <class NextWait>
double attempts_while(duration away, NextWait next_wait)
{
    constexpr int clients = 2000;
    int attempts = 0;
    for (int i = 0; i < clients; ++i) {
        duration time{};
        for (int failed = 0; time < away; ++failed, ++attempts)
            time += next_wait(failed);
    }
    return static_cast<double>(attempts) / clients;
}

/// The same with full jitter and nothing else.
double attempts_by_full_jitter(duration away)
{
    asynchat::detail::random numbers(7);
    return attempts_while(away, [&numbers](int failed) {
        return numbers.up_to(std::min<duration>(500ms * (1 << std::min(failed, 6)), 30s));
    });
}

} // namespace

TEST_CASE("back_off: an outage takes about as many attempts as with full jitter alone",
          "[back_off]")
{
    const duration away = GENERATE(100ms, 1s, 10s, 60s, 600s);
    const duration up = GENERATE(1s, 10s, 60s);
    CAPTURE(away.count(), up.count());
    asynchat::detail::random numbers(11);
    back_off waits;
    const double attempts = attempts_while(
        away, [&](int failed) { return waits.next(failed == 0, failed == 0 ? up : 0s, numbers); });
    CHECK(attempts <= 1.5 * attempts_by_full_jitter(away));
    CHECK(attempts >= 1);
}

TEST_CASE("back_off: the bound of the waits doubles up to the cap", "[back_off]")
{
    const duration bounds[] = {500ms, 1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s};
    std::size_t failures = 0;
    for (const duration bound : bounds) {
        CAPTURE(failures);
        check_range(range([failures](back_off& waits, auto& numbers) {
                        for (std::size_t i = 0; i < failures; ++i)
                            waits.next(false, 0s, numbers);
                        return waits.next(false, 0s, numbers);
                    }),
                    bound);
        ++failures;
    }
}

TEST_CASE("back_off: a good connection makes the waits short again", "[back_off]")
{
    const auto after = [](bool is_good, duration up) {
        return range([=](back_off& waits, auto& numbers) {
            for (int i = 0; i < 5; ++i)
                waits.next(false, 0s, numbers);
            return waits.next(is_good, up, numbers);
        });
    };
    check_range(after(true, 0s), 500ms);
    check_range(after(false, 10s), 500ms);
    check_range(after(false, 10s - 1ns), 16s);
    check_range(after(false, 60s), 4s);
    check_range(after(true, 60s), 4s);
    check_range(range([](back_off& waits, auto& numbers) { // and then
                    waits.next(false, 60s, numbers);
                    return waits.next(false, 0s, numbers);
                }),
                2s);
}

TEST_CASE("back_off: the bounds can be set", "[back_off]")
{
    check_range(range([](back_off& waits, auto& numbers) {
                    waits.set(100ms, 150ms);
                    waits.next(false, 0s, numbers);
                    return waits.next(false, 0s, numbers);
                }),
                150ms);
    check_range(range([](back_off& waits, auto& numbers) { // no overflow
                    waits.set(100ms, duration::max());
                    for (int i = 0; i < 200; ++i)
                        waits.next(false, 0s, numbers);
                    return waits.next(false, 0s, numbers);
                }),
                duration::max());
    asynchat::detail::random numbers(1);
    back_off fixed;
    fixed.set(50ms, 50ms);
    CHECK(fixed.next(false, 0s, numbers) == 50ms);
}

// --- the channels --------------------------------------------------------------------------------

namespace {

using lines = std::vector<std::string>;

/// Says what happens to it, in a list that all of its kind share.
class feed : public asynchat::async_chat {
public:
    feed(asynchat::loop& owner, lines& told) : async_chat(owner), told_(told)
    {
        set_terminator("\n");
        told_.push_back("made");
    }
    ~feed() override { told_.push_back("gone"); }
    void handle_connect() override { told_.push_back("connected"); }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override
    {
        told_.push_back("found " + line_);
        if (line_ == "welcome")
            connection_is_good();
        else if (line_ == "bye")
            close();
        else
            finish("wrong password");
        line_.clear();
    }
    void handle_close() override
    {
        told_.push_back("close " + std::string(to_string(close_reason())));
        close();
    }
    void handle_log(asynchat::log_type, std::string_view) override {}

private:
    lines& told_;
    std::string line_;
};

/// Notes its end, and what it was asked.
template <class T = feed>
class watched : public reconnecting<T> {
public:
    using reconnecting<T>::reconnecting;

    bool retry(asynchat::close_reason why, const std::error_code& error,
               std::size_t attempt) override
    {
        asked.push_back(std::string(to_string(why)) + " " + std::to_string(attempt));
        return reconnecting<T>::retry(why, error, attempt) && why != close_reason::user;
    }
    void handle_close() override
    {
        asked.push_back("close " + std::string(to_string(this->close_reason())));
        reconnecting<T>::handle_close();
    }
    void handle_log(asynchat::log_type, std::string_view line) override { logs.emplace_back(line); }

    lines asked;
    lines logs;
};

const endpoint here("127.0.0.1", 7000);

struct scene {
    scene() { made->back_off(100ms, 100ms); }

    /// Lets the next attempt be made.
    void wait() { loop.advance(100ms); }

    lines taken() { return std::exchange(told, {}); }

    lines told; // outlives the channels
    asynchat::testing::loop loop;
    std::shared_ptr<watched<>> made = loop.create<watched<>>(target(here), std::ref(told)).lock();
};

} // namespace

TEST_CASE("reconnecting makes a new channel when the last one has ended", "[reconnecting]")
{
    scene s;
    CHECK(s.told.empty()); // not in its constructor
    auto server = s.loop.listen(here);
    auto peer = server.accept();
    CHECK(s.taken() == lines{"made", "connected"});
    const auto first = s.made->current();
    REQUIRE(first);
    CHECK(first->connected());
    first->push("hello\n");
    CHECK(peer.received() == "hello\n");
    peer.finish();
    s.loop.settle();
    CHECK(s.taken() == lines{"close peer finished", "gone"});
    CHECK_FALSE(s.made->current());
    s.wait();
    CHECK(s.taken() == lines{"made", "connected"});
    CHECK(s.made->current());
    CHECK(s.made->current() != first);
    CHECK(s.made->asked == lines{"peer finished 1"});
    CHECK_THAT(s.made->logs.back(), Catch::Matchers::ContainsSubstring("127.0.0.1:7000 again in"));
}

TEST_CASE("reconnecting tries again while nobody listens", "[reconnecting]")
{
    scene s;
    for (int i = 0; i < 3; ++i)
        s.wait();
    CHECK(s.made->attempts() >= 3);
    auto server = s.loop.listen(here);
    s.wait();
    s.wait();
    CHECK(server.waiting() == 1);
    CHECK(s.made->current()->connected());
    CHECK(s.made->asked[0] == "connect failed 1");
    CHECK(s.made->asked[2] == "connect failed 3");
}

TEST_CASE("an attempt counts as failed until the protocol has succeeded", "[reconnecting]")
{
    scene s;
    auto server = s.loop.listen(here);
    for (std::size_t failed = 1; failed < 4; ++failed) {
        auto peer = server.accept();
        CHECK(s.made->attempts() == failed);
        peer.close();
        s.wait();
    }
    SECTION("by its own word")
    {
        auto peer = server.accept();
        peer.send("welcome\n");
        s.loop.settle();
        CHECK(s.made->attempts() == 0);
        peer.close();
        s.loop.settle();
        CHECK(s.made->asked.back() == "peer finished 0");
    }
    SECTION("by its age")
    {
        auto peer = server.accept();
        s.loop.advance(10s);
        CHECK(s.made->attempts() == 4);
        peer.close();
        s.loop.settle();
        CHECK(s.made->asked.back() == "peer finished 0");
    }
    s.wait();
    CHECK(s.made->attempts() == 1);
}

TEST_CASE("a server that accepts and hangs up is not hammered", "[reconnecting]")
{
    lines told;
    asynchat::testing::loop loop(3);
    auto server = loop.listen(here);
    const auto made = loop.create<watched<>>(target(here), std::ref(told)).lock();
    std::size_t accepted = 0;
    for (int i = 0; i < 10 * 60; ++i) {
        loop.advance(100ms);
        while (server.waiting() > 0) {
            server.accept().close();
            ++accepted;
        }
    }
    CHECK(accepted < 20); // in a minute
    CHECK(accepted > 3);
}

TEST_CASE("reconnecting ends for a local close, a final error, or after max_attempts()",
          "[reconnecting]")
{
    scene s;
    s.made->max_attempts(3);
    CHECK(s.made->max_attempts() == 3);
    SECTION("a local close")
    {
        auto server = s.loop.listen(here);
        auto peer = server.accept();
        peer.send("bye\n");
        s.loop.settle();
        CHECK(s.made->asked == lines{"local 1", "close local"});
        CHECK(s.made->closed());
    }
    SECTION("an error for which retry() is false")
    {
        auto server = s.loop.listen(here);
        auto peer = server.accept();
        peer.send("go away\n");
        s.loop.settle();
        CHECK(s.made->asked == lines{"user 1", "close user"});
        CHECK(s.made->closed());
        CHECK(s.made->close_text() == "wrong password");
    }
    SECTION("max_attempts()")
    {
        s.loop.advance(1h);
        CHECK(s.made->asked == lines{"connect failed 1", "connect failed 2", "connect failed 3",
                                     "close connect failed"});
        CHECK(s.made->closed());
        CHECK(s.made->close_error() == std::errc::connection_refused);
        CHECK_THAT(s.made->close_text(), Catch::Matchers::ContainsSubstring("connect to") &&
                                             Catch::Matchers::ContainsSubstring(support::error_text(
                                                 std::errc::connection_refused)));
    }
    s.taken();
    s.loop.advance(1h);
    CHECK(s.told.empty());
    CHECK(s.loop.size() == 0);
}

TEST_CASE("stop() ends the present channel and makes no further one", "[reconnecting]")
{
    scene s;
    SECTION("connected")
    {
        auto server = s.loop.listen(here);
        auto peer = server.accept();
        s.made->stop();
        CHECK(s.made->stopping());
        CHECK(s.made->current()); // not inside the call
        CHECK(peer.ended());
        CHECK(s.taken() == lines{"made", "connected", "close local", "gone"});
    }
    SECTION("connecting")
    {
        s.loop.ignore(here);
        s.loop.settle();
        s.made->stop();
        s.loop.settle();
        CHECK(s.taken() == lines{"made", "close local", "gone"});
    }
    SECTION("waiting")
    {
        s.loop.settle();
        s.taken();
        s.made->stop();
        s.loop.settle();
    }
    SECTION("before it has begun")
    {
        s.made->stop();
        s.loop.settle();
    }
    s.made->stop(); // once more
    s.loop.advance(1h);
    CHECK(s.made->closed());
    CHECK(s.made->asked.back() == "close local");
    CHECK(s.told.empty());
    CHECK(s.loop.size() == 0);
}

TEST_CASE("a reconnector keeps run() going while it waits", "[reconnecting]")
{
    scene s;
    s.loop.call_later(1min, [&] { s.made->stop(); });
    s.loop.run();
    CHECK(s.made->closed());
    CHECK(s.made->asked.size() > 100);
}

TEST_CASE("several servers are tried in turn, from a random one on", "[reconnecting]")
{
    std::set<std::string> first;
    asynchat::testing::for_seeds(20, [&](std::uint64_t seed) {
        lines told;
        asynchat::testing::loop loop(seed);
        const std::vector<target> servers = {target("a", 1), target("b", 2), target("c", "3")};
        const auto made = loop.create<watched<>>(servers, std::ref(told)).lock();
        made->back_off(100ms, 100ms);
        lines tried;
        for (int i = 0; i < 60 && tried.size() < 6; ++i) {
            loop.advance(10ms);
            const auto& all = made->logs; // each names the next one
            for (std::size_t at = tried.size(); at < all.size(); ++at)
                tried.push_back(all[at].substr(0, all[at].find(" again")));
        }
        REQUIRE(tried.size() >= 6);
        CHECK(std::set<std::string>(tried.begin(), tried.begin() + 3).size() == 3);
        for (std::size_t i = 3; i < 6; ++i)
            CHECK(tried[i] == tried[i - 3]);
        first.insert(tried[0]);
    });
    CHECK(first == std::set<std::string>{"connects to a:1", "connects to b:2", "connects to c:3"});
}

TEST_CASE("exit_now of a constructor ends run(), and another attempt is made in the next",
          "[reconnecting]")
{
    using leaving = support::leaving<feed>;
    lines told;
    asynchat::testing::loop loop;
    bool leaves = true;
    auto server = loop.listen(here);
    const auto made =
        loop.create<watched<leaving>>(target(here), std::ref(told), std::ref(leaves)).lock();
    made->back_off(100ms, 100ms);
    CHECK_THROWS_AS(loop.settle(), asynchat::exit_now);
    loop.advance(100ms);
    CHECK(made->asked == lines{"callback error 1"});
    CHECK(server.waiting() == 1);
}

TEST_CASE("a channel whose constructor throws is an attempt that failed", "[reconnecting]")
{
    class broken : public feed {
    public:
        broken(asynchat::loop& owner, lines& told, int& failures) : feed(owner, told)
        {
            if (failures-- > 0)
                throw std::runtime_error("no config");
        }
    };
    lines told;
    asynchat::testing::loop loop;
    int failures = 2;
    auto server = loop.listen(here);
    const auto made =
        loop.create<watched<broken>>(target(here), std::ref(told), std::ref(failures)).lock();
    made->back_off(100ms, 100ms);
    loop.advance(300ms);
    CHECK(made->asked == lines{"callback error 1", "callback error 2"});
    CHECK_THAT(made->logs.front(), Catch::Matchers::ContainsSubstring("no config"));
    CHECK(server.waiting() == 1);
    CHECK(made->close_text().empty()); // it is open
    SECTION("stop()")
    {
        made->stop();
        loop.settle();
        CHECK(made->close_text() == "local");
    }
    SECTION("max_attempts()")
    {
        failures = 1;
        made->max_attempts(1);
        made->current()->abort(); // for close_reason::local
        loop.settle();
        CHECK(made->close_text() == "local");
        const auto next =
            loop.create<watched<broken>>(target(here), std::ref(told), std::ref(failures)).lock();
        next->max_attempts(1);
        loop.settle();
        CHECK_THAT(next->close_text(), Catch::Matchers::ContainsSubstring("callback error: ") &&
                                           Catch::Matchers::ContainsSubstring("no config"));
    }
}

TEST_CASE("a channel that is closed by its constructor, or cannot connect, has failed",
          "[reconnecting]")
{
    class shut : public feed {
    public:
        shut(asynchat::loop& owner, lines& told) : feed(owner, told) { close(); }
    };
    lines told;
    asynchat::testing::loop loop;
    SECTION("closed")
    {
        const auto made = loop.create<watched<shut>>(target(here), std::ref(told)).lock();
        loop.settle();
        CHECK(made->asked == lines{"local 1", "close local"});
    }
    SECTION("without a descriptor")
    {
        const auto made = loop.create<watched<>>(target(here), std::ref(told)).lock();
        loop.fail(1, EMFILE, asynchat::testing::operation::open);
        loop.settle();
        CHECK(made->asked == lines{"callback error 1"});
        auto server = loop.listen(here);
        loop.advance(1s);
        CHECK(server.waiting() == 1);
    }
}

TEST_CASE("what the channels share lives longer than each of them", "[reconnecting]")
{
    struct shared {
        explicit shared(bool& g) : gone(&g) {}
        shared(shared&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
        shared(const shared& other) : gone(other.gone) { throw std::logic_error("copied"); }
        ~shared()
        {
            if (gone)
                *gone = true;
        }
        bool* gone;
    };
    class user : public feed {
    public:
        user(asynchat::loop& owner, lines& told, const std::shared_ptr<shared>& of)
            : feed(owner, told), of_(of)
        {
        }
        ~user() override { was_there = of_ && !*of_->gone; }
        bool was_there = false;

    private:
        const std::shared_ptr<shared>& of_; // of the reconnector
    };
    lines told;
    bool gone = false;
    asynchat::testing::loop loop;
    auto server = loop.listen(here);
    const auto made =
        loop.create<watched<user>>(target(here), std::ref(told), std::make_shared<shared>(gone));
    loop.settle();
    const auto channel = made->current();
    REQUIRE(channel);
    made->close();
    loop.settle();
    CHECK_FALSE(gone); // the reconnector is, and not its channel
    CHECK(channel->connected());
    channel->close();
    loop.settle();
    CHECK(gone);
}

TEST_CASE("reconnecting refuses what makes no sense", "[reconnecting]")
{
    scene s;
    CHECK_THROWS_AS(s.loop.create<watched<>>(std::vector<target>(), std::ref(s.told)),
                    std::invalid_argument);
    CHECK_THROWS_AS(target("", 1), std::invalid_argument);
    CHECK_THROWS_AS(target("host", ""), std::invalid_argument);
    CHECK_THROWS_AS(target(endpoint()), std::logic_error);
    CHECK_THROWS_AS(s.made->back_off(49ms, 1s), std::invalid_argument);
    CHECK_THROWS_AS(s.made->back_off(2s, 1s), std::invalid_argument);
    CHECK(target("host", 80).to_string() == "host:80");
    CHECK(target(here).to_string() == "127.0.0.1:7000");
}

TEST_CASE("a reconnector and its channel may be destroyed with the loop", "[reconnecting]")
{
    lines told;
    {
        asynchat::testing::loop loop;
        auto server = loop.listen(here);
        loop.create<watched<>>(target(here), std::ref(told));
        loop.create<watched<>>(target(endpoint("127.0.0.1", 9)), std::ref(told));
        loop.advance(1s);
        CHECK(server.waiting() == 1);
    }
    CHECK(std::count(told.begin(), told.end(), "made") ==
          std::count(told.begin(), told.end(), "gone"));
}

// --- many clients --------------------------------------------------------------------------------

namespace {

using times = std::vector<duration>;

/// A client of a thousand: notes when it was made.
class member : public asynchat::async_chat {
public:
    member(asynchat::loop& owner, times& attempts) : async_chat(owner)
    {
        attempts.push_back(owner.now().time_since_epoch());
    }
    void handle_connect() override {}
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
    void handle_close() override { close(); }
    void handle_error() override { finish(close_reason::connect_failed); }
    void handle_log(asynchat::log_type, std::string_view) override {}
};

/// A server that is lost to its 1,000 clients at one moment.
struct crowd {
    static constexpr std::size_t size = 1000;

    explicit crowd(std::uint64_t seed) : loop(seed)
    {
        loop.log_sink([](asynchat::log_type, std::string_view) {});
        server.emplace(loop.listen(here));
        for (std::size_t i = 0; i < size; ++i)
            loop.create<reconnecting<member>>(target(here), std::ref(attempts));
        accept_all();
        loop.advance(2min);
        REQUIRE(attempts.size() == size);
        attempts.clear();
    }

    void accept_all()
    {
        while (server->waiting() > 0)
            peers.push_back(server->accept());
    }

    /// Returns the time.
    duration lose_all()
    {
        for (auto& each : peers)
            each.reset();
        peers.clear();
        return loop.now().time_since_epoch();
    }

    /// The largest number of attempts in any 100 ms.
    static std::size_t busiest(const times& all)
    {
        std::size_t most = 0;
        for (auto first = all.begin(), last = first; last != all.end(); ++last) {
            while (*last - *first >= 100ms)
                ++first;
            most = std::max(most, static_cast<std::size_t>(last - first) + 1);
        }
        return most;
    }

    times attempts; // in the order of time
    asynchat::testing::loop loop;
    std::optional<asynchat::testing::listener> server;
    std::vector<asynchat::testing::peer> peers;
};

} // namespace

TEST_CASE("1,000 clients do not come back at the same moment", "[reconnecting][slow]")
{
    asynchat::testing::for_seeds(5, [](std::uint64_t seed) {
        crowd all(seed);
        all.lose_all();
        all.loop.advance(5s);
        CHECK(all.attempts.size() == crowd::size); // one attempt each
        CHECK(crowd::busiest(all.attempts) <= crowd::size / 20);
    });
}

TEST_CASE("1,000 clients do not storm a server that stays away", "[reconnecting][slow]")
{
    asynchat::testing::for_seeds(5, [](std::uint64_t seed) {
        crowd all(seed);
        const duration lost = all.lose_all();
        all.server.reset();
        all.loop.advance(30s);
        const std::size_t count = all.attempts.size();
        CHECK(count < 7 * crowd::size);
        CHECK(crowd::busiest(all.attempts) <= count / 50);
        CHECK(all.attempts.front() - lost >= 50ms);

        all.server.emplace(all.loop.listen(here));
        all.loop.advance(31s); // the longest wait
        all.accept_all();
        CHECK(all.peers.size() == crowd::size);
        const auto mean = static_cast<double>(all.attempts.size()) / crowd::size;
        CHECK(mean <= 1.5 * attempts_by_full_jitter(30s));
    });
}
