// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/detail/timing/rate_limit.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <stdexcept>

using namespace std::chrono_literals;
using asynchat::detail::rate_limit;

namespace {

using time_point = rate_limit::time_point;

constexpr time_point start{1h};
/// 18 thousand million a second, where a std::size_t has room for it.
constexpr std::size_t largest_rate = static_cast<std::size_t>(
    std::min<std::uint64_t>(18'000'000'000, std::numeric_limits<std::size_t>::max() - 1));

/// A bucket with a rate since `start`.
rate_limit of(std::size_t rate)
{
    rate_limit limit;
    limit.rate(rate, start);
    return limit;
}

/// How many are taken from `start` on, `n` at a time, each as soon as it is allowed.
std::uint64_t taken_in(rate_limit limit, std::size_t n, time_point::duration time)
{
    std::uint64_t taken = 0;
    for (time_point now = start; now <= start + time; now = std::max(now, limit.next())) {
        limit.charge(n, now);
        taken += n;
    }
    return taken;
}

} // namespace

TEST_CASE("rate limit: a second's worth may be taken at once, then one at a time", "[rates]")
{
    rate_limit limit = of(4);
    for (int i = 0; i < 4; ++i) {
        CHECK(limit.next() <= start);
        limit.charge(1, start);
    }
    CHECK(limit.next() == start + 250ms);
    limit.charge(1, start + 250ms);
    CHECK(limit.next() == start + 500ms);
}

TEST_CASE("rate limit: what is not taken is kept for a second only", "[rates]")
{
    rate_limit limit = of(2);
    limit.charge(1, start);
    limit.charge(2, start + 24h);
    CHECK(limit.next() == start + 24h + 500ms);
}

TEST_CASE("rate limit: a debt is paid before the next one", "[rates]")
{
    rate_limit limit = of(10);
    limit.charge(65, start);
    CHECK(limit.next() == start + 5s + 600ms);
}

TEST_CASE("rate limit: nothing is lost or won by rounding in an hour", "[rates]")
{
    for (const std::size_t rate :
         {std::size_t{1}, std::size_t{3}, std::size_t{7}, std::size_t{997}, std::size_t{65537},
          std::size_t{999'999'937}, std::size_t{1'000'000'000}, largest_rate}) {
        for (const std::size_t n : {std::size_t{1}, rate / 3 + 1, rate * 5 + 1}) {
            if (rate / n > 100)
                continue; // takes long
            INFO("rate " << rate << ", " << n << " at a time");
            const std::uint64_t taken = taken_in(of(rate), n, 1h);
            const std::uint64_t exact = std::uint64_t{3600} * rate + rate; // with the first second
            CHECK(taken >= exact);
            CHECK(taken <= exact + n);
        }
    }
}

TEST_CASE("rate limit: a third of a second is not rounded", "[rates]")
{
    rate_limit limit = of(3);
    limit.charge(3, start);
    CHECK(limit.next() == start + 333'333'334ns); // up
    for (int i = 0; i < 300'000; ++i)
        limit.charge(1, start);
    CHECK(limit.next() == start + 100'000s + 333'333'334ns);
}

TEST_CASE("rate limit: the largest numbers overflow nothing", "[rates]")
{
    constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();
    for (const std::size_t rate : {std::size_t{1}, std::size_t{2}, largest_rate}) {
        rate_limit limit = of(rate);
        time_point last = limit.next();
        for (int i = 0; i < 10; ++i) {
            limit.charge(largest, start);
            CHECK(limit.next() >= last);
            last = limit.next();
        }
        constexpr std::uint64_t year = std::uint64_t{365} * 24 * 3600;
        CHECK(last > start + std::chrono::seconds(std::min<std::uint64_t>(largest / rate, year)));
    }
}

TEST_CASE("rate limit: without a rate everything is allowed at once", "[rates]")
{
    rate_limit limit;
    CHECK(limit.rate() == std::numeric_limits<std::size_t>::max());
    limit.charge(1'000'000, start);
    CHECK(limit.next() == time_point::min());
    if (sizeof(std::size_t) == 8) { // more than any machine does
        limit.rate(std::numeric_limits<std::size_t>::max() - 1, start);
        limit.charge(1'000'000, start);
        CHECK(limit.next() == time_point::min());
    }
}

TEST_CASE("rate limit: another rate finds the bucket as full as it was", "[rates]")
{
    rate_limit limit = of(100);
    limit.charge(50, start);
    limit.rate(10, start);
    limit.charge(5, start);
    CHECK(limit.next() == start + 100ms);
}

TEST_CASE("rate limit: another rate forgives a debt, but gives nothing", "[rates]")
{
    rate_limit limit = of(1);
    limit.charge(3600, start);
    limit.rate(10, start);
    CHECK(limit.next() == start + 100ms);
    limit.charge(100, start + 100ms);
    limit.rate(10, start + 100ms); // the same one
    CHECK(limit.next() == start + 10s + 100ms);
}

TEST_CASE("rate limit: a rate of zero is refused", "[rates]")
{
    CHECK_THROWS_AS(asynchat::detail::require_rate(0), std::invalid_argument);
    CHECK_NOTHROW(asynchat::detail::require_rate(1));
}
