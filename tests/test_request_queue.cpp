// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using std::errc;

namespace {

using lines = std::vector<std::string>;
using queue = asynchat::request_queue<std::string>;

struct scene {
    /// Notes the result of a request.
    auto note(std::string name)
    {
        return [this, name = std::move(name)](std::string* answer, const std::error_code& error) {
            told.push_back(name + ": " +
                           (answer ? *answer : std::generic_category().message(error.value())));
        };
    }
    static std::string text(errc error) { return std::make_error_code(error).message(); }

    lines told;
    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<asynchat::testing::recorder<>>, asynchat::testing::peer> ends =
        loop.accept<asynchat::testing::recorder<>>();
    asynchat::testing::recorder<>& channel = *ends.first;
    std::unique_ptr<queue> requests = std::make_unique<queue>(channel);
};

} // namespace

TEST_CASE("request_queue: answers go to the requests in their order", "[request_queue]")
{
    scene s;
    CHECK_FALSE(s.requests->answer("too early"));
    s.requests->ask(s.note("a"));
    s.requests->ask(s.note("b"));
    CHECK(s.requests->size() == 2);
    CHECK(s.requests->answer("1"));
    CHECK(s.requests->answer("2"));
    CHECK_FALSE(s.requests->answer("3"));
    CHECK(s.requests->empty());
    CHECK(s.told == lines{"a: 1", "b: 2"});
}

TEST_CASE("request_queue: a request that has timed out still takes its answer", "[request_queue]")
{
    scene s;
    s.requests->ask(s.note("a"), 3s);
    s.requests->ask(s.note("b"), 1s);
    s.requests->ask(s.note("c"));
    s.loop.advance(1s - 1ns);
    CHECK(s.told.empty());
    s.loop.advance(1ns);
    const std::string late = s.text(errc::timed_out);
    CHECK(s.told == lines{"b: " + late});
    CHECK(s.requests->size() == 3);
    CHECK(s.requests->answer("1"));
    CHECK(s.requests->answer("2")); // for the one that has given up
    CHECK(s.requests->answer("3"));
    s.loop.advance(1h);
    CHECK(s.told == lines{"b: " + late, "a: 1", "c: 3"});
}

TEST_CASE("request_queue: all that wait fail, and later ones do not", "[request_queue]")
{
    scene s;
    s.requests->ask([&](std::string*, const std::error_code&) {
        s.told.emplace_back("a");
        s.requests->ask(s.note("again"));
    });
    s.requests->ask(s.note("b"));
    s.requests->fail_all(std::make_error_code(errc::not_connected));
    CHECK(s.told == lines{"a", "b: " + s.text(errc::not_connected)});
    CHECK(s.requests->size() == 1);
    CHECK(s.requests->answer("1"));
    CHECK(s.told.back() == "again: 1");
}

TEST_CASE("request_queue: what is left fails with the queue", "[request_queue]")
{
    scene s;
    s.requests->ask(s.note("a"), 1s);
    s.requests->ask([](std::string*, const std::error_code&) { throw std::runtime_error("no"); });
    s.requests->ask(s.note("b"));
    s.requests.reset();
    const std::string text = s.text(errc::operation_canceled);
    CHECK(s.told == lines{"a: " + text, "b: " + text});
    s.loop.advance(1h);
    CHECK(s.told.size() == 2);
}

TEST_CASE("request_queue: a function that asks after each error is told of the end once",
          "[request_queue]")
{
    scene s;
    queue& requests = *s.requests;
    int refused = 0;
    const std::function<void()> ask = [&] {
        try {
            requests.ask([&](std::string*, const std::error_code& error) {
                s.told.push_back(error.message());
                if (s.told.size() < 100)
                    ask();
            });
        } catch (const std::system_error& error) {
            CHECK(error.code() == errc::operation_canceled);
            ++refused;
        }
    };
    ask();
    requests.ask(s.note("b"));
    s.requests.reset();
    const std::string text = s.text(errc::operation_canceled);
    CHECK(s.told == lines{text, "b: " + text});
    CHECK(refused == 1);
}

TEST_CASE("request_queue: a function may destroy the queue", "[request_queue]")
{
    scene s;
    const auto destroy = [&](std::string*, const std::error_code&) { s.requests.reset(); };
    std::string expected = s.text(errc::operation_canceled);
    SECTION("when it is answered")
    {
        s.requests->ask(destroy);
        s.requests->ask(s.note("b"));
        s.requests->answer("1");
    }
    SECTION("when it has timed out")
    {
        s.requests->ask(destroy, 1s);
        s.requests->ask(s.note("b"), 1s);
        s.loop.advance(1s);
    }
    SECTION("when all fail")
    {
        s.requests->ask(destroy);
        s.requests->ask(s.note("b"));
        s.requests->fail_all(std::make_error_code(errc::not_connected));
    }
    CHECK(s.told == lines{"b: " + expected});
    CHECK_FALSE(s.requests);
}

TEST_CASE("request_queue: an exception leaves the others waiting", "[request_queue]")
{
    scene s;
    s.requests->ask([](std::string*, const std::error_code&) { throw std::runtime_error("no"); });
    s.requests->ask(s.note("b"));
    CHECK_THROWS_AS(s.requests->fail_all(std::make_error_code(errc::not_connected)),
                    std::runtime_error);
    CHECK(s.requests->size() == 1);
    s.requests->fail_all(std::make_error_code(errc::not_connected));
    CHECK(s.told == lines{"b: " + s.text(errc::not_connected)});
}

TEST_CASE("request_queue: an exception at a timeout goes to the channel", "[request_queue]")
{
    scene s;
    s.requests->ask([](std::string*, const std::error_code&) { throw std::runtime_error("late"); },
                    1s);
    s.loop.advance(1s);
    CHECK(s.channel.events == lines{"error late", "close callback error"});
}

TEST_CASE("request_queue: answers and functions may be move-only", "[request_queue]")
{
    scene s;
    asynchat::request_queue<std::unique_ptr<int>> requests(s.channel);
    std::unique_ptr<int> got;
    requests.ask([&got, owned = std::make_unique<int>(1)](std::unique_ptr<int>* answer,
                                                          const std::error_code&) {
        got = std::move(*answer);
        *got += *owned;
    });
    CHECK(requests.answer(std::make_unique<int>(41)));
    REQUIRE(got);
    CHECK(*got == 42);
}
