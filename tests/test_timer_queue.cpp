// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "differential/random.hpp"
#include "support/catch.hpp"

#include <asynchat/detail/timing/timer_queue.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <utility>
#include <vector>

using asynchat::detail::channel_state;
using asynchat::detail::not_queued;
using asynchat::detail::timer_queue;
using asynchat::detail::timer_state;

namespace {

using time_point = timer_queue::time_point;

time_point at(unsigned tick)
{
    return time_point(std::chrono::milliseconds(tick));
}

std::shared_ptr<timer_state> make_timer()
{
    return std::make_shared<timer_state>();
}

} // namespace

TEST_CASE("a timer queue gives out by time, at the same time by age", "[timer_queue]")
{
    timer_queue queue;
    std::vector<std::shared_ptr<timer_state>> timers;
    for (const unsigned tick : {3U, 1U, 2U, 1U, 3U, 1U}) {
        timers.push_back(make_timer());
        queue.add(at(tick), timers.back());
    }
    std::vector<std::size_t> order;
    while (!queue.empty()) {
        const auto next = queue.pop();
        order.push_back(static_cast<std::size_t>(
            std::find(timers.begin(), timers.end(), next.timer) - timers.begin()));
        CHECK(next.timer->heap_index == not_queued);
    }
    CHECK(order == std::vector<std::size_t>{1, 3, 5, 2, 0, 4});
}

TEST_CASE("a timer queue does not keep what was taken out", "[timer_queue]")
{
    timer_queue queue;
    const auto timer = make_timer();
    queue.add(at(1), make_timer());
    queue.add(at(2), timer);
    queue.add(at(3), make_timer());
    CHECK(timer.use_count() == 2);
    CHECK(queue.remove(timer->heap_index).timer == timer);
    CHECK(timer.use_count() == 1);
    CHECK(timer->heap_index == not_queued);
    CHECK(queue.pop().at == at(1));
    CHECK(queue.pop().at == at(3));
    CHECK(queue.empty());
}

TEST_CASE("a timer queue does what a sorted map does", "[timer_queue]")
{
    const auto seed = GENERATE(range(1, 50));
    CAPTURE(seed);
    differential::random random(static_cast<std::uint64_t>(seed));

    using key = std::pair<time_point, std::uint64_t>;
    timer_queue queue;
    std::map<key, unsigned*> model; // of each element its place
    std::vector<std::shared_ptr<timer_state>> timers;
    std::vector<std::unique_ptr<channel_state>> channels;
    for (int step = 0; step < 400; ++step) {
        const unsigned what = random.below(5);
        const key next{at(random.below(20)), queue.next_sequence()};
        if (what == 0) {
            timers.push_back(make_timer());
            model[next] = &timers.back()->heap_index;
            queue.add(next.first, timers.back());
        } else if (what == 1) {
            channels.push_back(std::make_unique<channel_state>(0));
            model[next] = &channels.back()->heap_index;
            queue.add(next.first, *channels.back());
        } else if (!model.empty()) {
            const auto any =
                std::next(model.begin(), random.below(static_cast<unsigned>(model.size())));
            unsigned& place = *any->second;
            const key old = any->first;
            REQUIRE(queue.time_at(place) == old.first);
            if (what == 2) {
                REQUIRE(queue.remove(place).sequence == old.second);
                REQUIRE(place == not_queued);
                model.erase(any);
            } else if (what == 3 && next.first < old.first) {
                queue.move_earlier(place, next.first);
                model.erase(any);
                model[{next.first, old.second}] = &place;
            } else if (what == 4) {
                REQUIRE(queue.pop().sequence == model.begin()->first.second);
                REQUIRE(*model.begin()->second == not_queued);
                model.erase(model.begin());
            }
        }
        REQUIRE(queue.empty() == model.empty());
        if (!model.empty())
            REQUIRE(key(queue.first().at, queue.first().sequence) == model.begin()->first);
    }
}
