// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/failing_new.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <monitor/monitor.hpp>

#include <stdlib.h> // posix_memalign()

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;

/// Asio takes the memory for a handler by this.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept
{
    void* memory = nullptr;
    return !support::fails_now() && ::posix_memalign(&memory, alignment, size) == 0 ? memory
                                                                                    : nullptr;
}

namespace {

class quiet : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void found_terminator() override {}
};

const asynchat::endpoint any_port("127.0.0.1", 0);

} // namespace

TEST_CASE("monitor: a watched loop stays as it was if the address is taken", "[programs]")
{
    int turns = 0; // also at the end of the loop
    asio::io_context context;
    asynchat::loop loop(context);
    const auto server = loop.create<asynchat::server<quiet>>(any_port);
    const auto other = loop.create<asynchat::server<quiet>>(any_port);
    loop.on_turn([&turns](asynchat::loop::duration) { ++turns; });
    CHECK_THROWS_AS(monitor::monitor(*server, other->local_endpoint()), std::system_error);
    loop.post([] {});
    context.poll();
    CHECK(turns > 0);
}

TEST_CASE("monitor: without memory an answer is lost, and asked for again", "[programs]")
{
    std::size_t lost = 0;
    for (std::size_t n = 0;; ++n) {
        INFO("allocation " << n);
        REQUIRE(n < 100);
        asynchat::testing::loop own;
        asynchat::testing::loop watched;
        const auto server =
            watched.create<asynchat::server<quiet>>(asynchat::endpoint("127.0.0.1", 80));
        monitor::gatherer all(own,
                              {{&watched, watched.handle_of<asynchat::server_base>(*server.lock()),
                                std::make_shared<monitor::histogram>()}});
        int done = 0;
        all.gather([&done] { ++done; });
        support::allocations_to_come = n;
        watched.settle();
        const bool has_failed = support::allocations_to_come == support::never;
        support::allocations_to_come = support::never;
        own.settle();
        lost += done == 0 ? 1 : 0;
        own.advance(1200ms); // it is patient for a second, and asks no more than five times in one
        CHECK(done == 1);
        all.gather([&done] { ++done; });
        watched.settle();
        own.settle();
        CHECK(done == 2);
        CHECK(all.latest()[0].is_there);
        CHECK_FALSE(all.latest()[0].is_late);
        if (!has_failed)
            break;
    }
    CHECK(lost > 0);
}

TEST_CASE("monitor: a time is in the class below whose bound it is", "[programs]")
{
    using std::chrono::nanoseconds;
    const auto add_to = [](std::size_t number, auto time) {
        monitor::histogram all;
        all.add(nanoseconds(time));
        CAPTURE(number, time);
        CHECK(all.classes()[number] == 1);
        CHECK(all.sum() == static_cast<std::uint64_t>(std::max<decltype(time)>(time, 0)));
    };
    add_to(0, -1);
    add_to(0, 0);
    for (std::size_t i = 0; i + 1 < monitor::histogram::size; ++i) {
        const auto bound = static_cast<std::int64_t>(monitor::histogram::bound(i));
        add_to(i, bound - 1);
        add_to(i + 1, bound);
    }
    add_to(monitor::histogram::size - 1, std::numeric_limits<std::int64_t>::max());
}
