// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/detail/output/water_marks.hpp>

#include <cstddef>
#include <utility>
#include <vector>

using asynchat::detail::output_limits;
using asynchat::detail::water_marks;
using news = water_marks::news;

namespace {

output_limits between(std::size_t low, std::size_t high)
{
    output_limits limits;
    limits.low = low;
    limits.high = high;
    return limits;
}

} // namespace

TEST_CASE("water_marks: over the high mark it is paused, until the low mark", "[unit][output]")
{
    water_marks marks;
    const auto limits = between(5, 10);
    // Bytes that are left, and whether it is paused then.
    const std::vector<std::pair<std::size_t, bool>> steps = {
        {0, false}, {10, false}, {11, true}, {10, true}, {6, true},  {5, false},
        {6, false}, {10, false}, {99, true}, {98, true}, {0, false}, {11, true}};
    for (const auto& [size, paused] : steps) {
        CAPTURE(size);
        const bool changes = paused != marks.paused();
        CHECK(marks.update(size, limits) == changes);
        CHECK(marks.paused() == paused);
        CHECK_FALSE(marks.update(size, limits)); // the same again is not a change
    }
}

TEST_CASE("water_marks: of one mark for both, and of none", "[unit][output]")
{
    water_marks marks;
    CHECK_FALSE(marks.update(10, between(10, 10)));
    CHECK(marks.update(11, between(10, 10)));
    CHECK(marks.update(10, between(10, 10)));

    CHECK(marks.update(1, between(0, 0)));
    CHECK(marks.update(0, between(0, 0)));
}

TEST_CASE("water_marks: other marks act when they are compared next", "[unit][output]")
{
    water_marks marks;
    CHECK(marks.update(11, between(5, 10)));
    CHECK(marks.paused());
    CHECK_FALSE(marks.update(11, between(5, 20)));
    CHECK(marks.update(11, between(15, 20)));
    CHECK_FALSE(marks.paused());
}

TEST_CASE("water_marks: what there is to tell is told once, and in turn", "[unit][output]")
{
    water_marks marks;
    const auto limits = between(5, 10);
    CHECK(marks.take_news() == news::none);
    marks.update(11, limits);
    CHECK(marks.take_news() == news::paused);
    CHECK(marks.take_news() == news::none);
    marks.update(12, limits);
    CHECK(marks.take_news() == news::none);
    marks.update(5, limits);
    CHECK(marks.take_news() == news::resumed);
    CHECK(marks.take_news() == news::none);
}

TEST_CASE("water_marks: what is over before it was told is not told", "[unit][output]")
{
    water_marks marks;
    const auto limits = between(5, 10);
    marks.update(11, limits);
    marks.update(5, limits);
    CHECK(marks.take_news() == news::none);

    marks.update(11, limits);
    CHECK(marks.take_news() == news::paused);
    marks.update(5, limits);
    marks.update(11, limits);
    CHECK(marks.take_news() == news::none); // it is paused as it was told
}

TEST_CASE("water_marks: a refusal stays, whatever is left", "[unit][output]")
{
    water_marks marks;
    CHECK_FALSE(marks.refused());
    marks.refuse();
    CHECK(marks.refused());
    marks.update(0, between(5, 10));
    CHECK(marks.refused());
    CHECK_FALSE(marks.paused());
    CHECK(marks.take_news() == news::none);
}

TEST_CASE("water_marks: it is quiet when there is nothing to compare, to tell or to end for",
          "[unit][output]")
{
    water_marks marks;
    const auto limits = between(5, 10);
    CHECK(marks.is_quiet());
    marks.update(10, limits);
    CHECK(marks.is_quiet());
    marks.update(11, limits);
    CHECK_FALSE(marks.is_quiet()); // to tell
    marks.take_news();
    CHECK_FALSE(marks.is_quiet()); // to compare
    marks.update(5, limits);
    CHECK_FALSE(marks.is_quiet()); // to tell
    marks.take_news();
    CHECK(marks.is_quiet());
    marks.refuse();
    CHECK_FALSE(marks.is_quiet()); // to end for
}
