// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/naive_framing.hpp"
#include "support/pooled_queue.hpp"

#include <asynchat/detail/output/output_queue.hpp>
#include <asynchat/fifo.hpp>
#include <asynchat/producer.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using asynchat::fifo;
using asynchat::producer;
using asynchat::simple_producer;
using asynchat::detail::callable_producer;
using asynchat::detail::output_pool;
using asynchat::detail::output_queue;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

using strings = std::vector<std::string>;

strings gathered(const output_queue& queue, std::size_t max_buffers = 64,
                 std::size_t max_bytes = 65536)
{
    strings buffers;
    const std::size_t total = queue.gather(
        max_buffers, max_bytes, [&](std::string_view data) { buffers.emplace_back(data); });
    std::size_t sum = 0;
    for (const std::string& buffer : buffers)
        sum += buffer.size();
    CHECK(total == sum);
    return buffers;
}

std::string joined(const strings& parts)
{
    std::string all;
    for (const std::string& part : parts)
        all += part;
    return all;
}

strings all_pieces(producer& source)
{
    strings pieces;
    for (;;) {
        const std::string_view piece = source.more();
        if (piece.empty())
            return pieces;
        pieces.emplace_back(piece);
    }
}

template <class Callable>
strings pieces_of(Callable next)
{
    callable_producer<Callable> source(std::move(next));
    return all_pieces(source);
}

/// Calls something when it goes.
class noticed final : public producer {
public:
    explicit noticed(std::function<void()> at_end) : at_end_(std::move(at_end)) {}
    ~noticed() override { at_end_(); }
    std::string_view more() override { return "piece"; }

private:
    std::function<void()> at_end_;
};

} // namespace

// --- fifo --------------------------------------------------------------------------------------

TEST_CASE("fifo: pushes at the back, looks at and takes from the front", "[unit][fifo]")
{
    fifo<int> queue;
    CHECK(queue.is_empty());
    CHECK_FALSE(queue);
    CHECK(queue.size() == 0);
    CHECK(queue.pop() == std::nullopt);

    queue.push(7);
    queue.push(8);
    CHECK(queue.size() == 2);
    CHECK(queue);
    CHECK(queue.first() == 7);
    CHECK(queue.last() == 8);
    CHECK(queue.pop() == 7);
    CHECK_FALSE(queue.is_empty());
    CHECK(queue.first() == 8);
    CHECK(queue.pop() == 8);
    CHECK(queue.is_empty());
    CHECK(queue.pop() == std::nullopt);
}

TEST_CASE("fifo: takes over a list, in its order", "[unit][fifo]")
{
    fifo<std::string> queue{"x", "y", "z"};
    CHECK(queue.size() == 3);
    CHECK(strings(queue.begin(), queue.end()) == strings{"x", "y", "z"});
    CHECK(queue.pop() == "x");
    CHECK(strings(queue.begin(), queue.end()) == strings{"y", "z"});
    queue.clear();
    CHECK(queue.is_empty());
}

TEST_CASE("fifo: looking at an empty one is an error", "[unit][fifo]")
{
    fifo<int> queue;
    CHECK_THROWS_AS(queue.first(), std::out_of_range);
    CHECK_THROWS_AS(queue.last(), std::out_of_range);
    CHECK_THROWS_AS(std::as_const(queue).first(), std::out_of_range);
    queue.push(1);
    queue.pop();
    CHECK_THROWS_AS(queue.first(), std::out_of_range);
}

TEST_CASE("fifo: holds items that can only be moved", "[unit][fifo]")
{
    fifo<std::unique_ptr<int>> queue;
    queue.push(std::make_unique<int>(3));
    queue.push(nullptr);
    CHECK(**queue.pop() == 3);
    const auto empty = queue.pop();
    REQUIRE(empty.has_value()); // a null item is an item
    CHECK(*empty == nullptr);
}

TEST_CASE("fifo: agrees with std::deque for any mix of calls", "[unit][fifo]")
{
    support::random_numbers random(7);
    fifo<std::size_t> queue;
    std::deque<std::size_t> model;
    std::size_t different = 0;
    for (std::size_t i = 0; i < 20000; ++i) {
        if (random.between(0, 99) < (i / 2000 % 2 == 0 ? 55U : 45U)) {
            queue.push(i);
            model.push_back(i);
        } else {
            const auto item = queue.pop();
            different += item.has_value() == model.empty();
            if (item) {
                different += *item != model.front();
                model.pop_front();
            }
        }
        different += queue.size() != model.size() || queue.is_empty() != model.empty();
        different +=
            !model.empty() && (queue.first() != model.front() || queue.last() != model.back());
    }
    CHECK(different == 0);
    CHECK(std::equal(queue.begin(), queue.end(), model.begin(), model.end()));
}

// --- producers ---------------------------------------------------------------------------------

TEST_CASE("simple_producer: hands out pieces of its size and then nothing for ever",
          "[unit][producer]")
{
    simple_producer source("abcdefgh", 3);
    CHECK(all_pieces(source) == strings{"abc", "def", "gh"});
    CHECK(source.more().empty());
    CHECK(source.more().empty());

    simple_producer exact("abc", 3);
    CHECK(all_pieces(exact) == strings{"abc"});
    simple_producer empty("");
    CHECK(all_pieces(empty).empty());
    simple_producer nul("a\0b"s, 2);
    CHECK(all_pieces(nul) == strings{"a\0"s, "b"});
}

TEST_CASE("simple_producer: pieces have 512 bytes unless another size is given", "[unit][producer]")
{
    simple_producer source(std::string(1200, 'x'));
    CHECK(source.more().size() == 512);
    CHECK(source.more().size() == 512);
    CHECK(source.more().size() == 176);
    CHECK(source.more().empty());
}

TEST_CASE("simple_producer: a size of 0 is refused", "[unit][producer]")
{
    CHECK_THROWS_AS(simple_producer("x", 0), std::invalid_argument);
    CHECK_THROWS_WITH(simple_producer("x", 0), Catch::Matchers::ContainsSubstring("buffer_size"));
}

TEST_CASE("simple_producer: a view stays valid until the next call", "[unit][producer]")
{
    simple_producer source("abcdef", 3);
    const std::string_view first = source.more();
    CHECK(first == "abc");
    const std::string_view second = source.more();
    CHECK(second == "def");
}

TEST_CASE("callable producers return strings, views, optionals of them or text literals",
          "[unit][producer]")
{
    int n = 3;
    CHECK(pieces_of([&] { return std::string(static_cast<std::size_t>(n--), 'x'); }) ==
          strings{"xxx", "xx", "x"});

    std::vector<std::string_view> views{"one"sv, "two"sv, ""sv, "lost"sv};
    std::size_t at = 0;
    CHECK(pieces_of([&] { return views[at++]; }) == strings{"one", "two"});

    at = 0;
    CHECK(pieces_of([&]() -> std::optional<std::string> {
              return at == 2 ? std::nullopt : std::optional(std::string(views[at++]));
          }) == strings{"one", "two"});

    at = 0;
    CHECK(pieces_of([&]() -> std::optional<std::string_view> {
              return at == 2 ? std::nullopt : std::optional(views[at++]);
          }) == strings{"one", "two"});

    n = 2;
    CHECK(pieces_of([&] { return n-- > 0 ? "text" : ""; }) == strings{"text", "text"});

    const std::string kept = "kept";
    n = 1;
    const std::string none;
    CHECK(pieces_of([&]() -> const std::string& { return n-- > 0 ? kept : none; }) ==
          strings{"kept"});
}

TEST_CASE("callable producers may be callables that can only be moved", "[unit][producer]")
{
    auto left = std::make_unique<int>(2);
    CHECK(pieces_of([left = std::move(left)] {
              return std::string((*left)-- > 0 ? "piece" : "");
          }) == strings{"piece", "piece"});
}

// --- the queue ---------------------------------------------------------------------------------

TEST_CASE("output_queue: many small pushes make one buffer, in order", "[unit][output]")
{
    output_pool pool;
    support::pooled_queue queue(pool);
    CHECK(queue.is_empty());
    CHECK(queue.size() == 0);
    CHECK(gathered(queue).empty());
    std::string expected;
    for (int i = 0; i < 100; ++i) {
        const std::string text = std::to_string(i) + ",";
        expected += text;
        if (i % 3 == 0)
            queue.push(std::string_view(text));
        else if (i % 3 == 1)
            queue.push(std::string(text));
        else
            queue.push(std::make_shared<const std::string>(text));
    }
    CHECK(queue.size() == expected.size());
    CHECK(gathered(queue) == strings{expected});
    queue.consume(expected.size());
    CHECK(queue.is_empty());
    CHECK(queue.size() == 0);
}

TEST_CASE("output_queue: an empty push makes no entry, in whatever form", "[unit][output]")
{
    output_pool pool;
    support::pooled_queue queue(pool);
    queue.push(std::string_view());
    queue.push(std::string());
    queue.push(std::make_shared<const std::string>());
    CHECK(queue.is_empty());
    queue.push("a"sv);
    queue.push(""sv);
    queue.push("b"sv);
    CHECK(gathered(queue) == strings{"ab"});
    queue.consume(2);
    CHECK(queue.is_empty());
}

TEST_CASE("output_queue: large strings are moved in and not copied", "[unit][output]")
{
    output_pool pool;
    support::pooled_queue queue(pool);
    std::string large(100000, 'x');
    const char* const memory = large.data();
    queue.push(std::move(large));
    const char* sent_from = nullptr;
    queue.gather(64, 200000, [&](std::string_view data) { sent_from = data.data(); });
    CHECK(sent_from == memory);
}

TEST_CASE("output_queue: large shared strings are referenced by all who send them",
          "[unit][output]")
{
    output_pool pool;
    support::pooled_queue first(pool);
    support::pooled_queue second(pool);
    const auto shared = std::make_shared<const std::string>(100000, 'x');
    first.push(shared);
    second.push(shared);
    CHECK(shared.use_count() == 3);
    const char* sent_from = nullptr;
    first.gather(64, 200000, [&](std::string_view data) { sent_from = data.data(); });
    CHECK(sent_from == shared->data());
    first.consume(100000);
    CHECK(shared.use_count() == 2);
    second.clear();
    CHECK(shared.use_count() == 1);
}

TEST_CASE("output_queue: pushed views are copied, so that changing the memory changes nothing",
          "[unit][output]")
{
    const auto size = GENERATE(as<std::size_t>{}, 6, 600, 5000, 100000);
    output_pool pool;
    support::pooled_queue queue(pool);
    std::string text(size, 'a');
    queue.push(std::string_view(text));
    std::fill(text.begin(), text.end(), 'b');
    CHECK(joined(gathered(queue, 64, size)) == std::string(size, 'a'));
}

TEST_CASE("output_queue: gathers no more than so many bytes and buffers", "[unit][output]")
{
    output_pool pool;
    support::pooled_queue queue(pool);
    const std::string large(3000, 'x');
    queue.push("abc"sv);
    queue.push(std::string(large));
    queue.push("def"sv);
    queue.push(std::string(large));
    CHECK(gathered(queue) == strings{"abc", large, "def", large});
    CHECK(gathered(queue, 2) == strings{"abc", large});
    CHECK(gathered(queue, 0).empty());
    CHECK(gathered(queue, 64, 2) == strings{"ab"});
    CHECK(gathered(queue, 64, 3) == strings{"abc"});
    CHECK(gathered(queue, 64, 5) == strings{"abc", "xx"});
    CHECK(gathered(queue, 64, 0).empty());
    CHECK(queue.size() == 6006);
}

TEST_CASE("output_queue: goes on where a short send ended", "[unit][output]")
{
    output_pool pool;
    support::pooled_queue queue(pool);
    const auto large = std::make_shared<const std::string>(3000, 'y');
    queue.push("abcdef"sv);
    queue.push(large);
    queue.push("end"sv);
    queue.consume(4);
    CHECK(queue.size() == 3005);
    CHECK(gathered(queue, 1) == strings{"ef"});
    queue.consume(0);
    CHECK(gathered(queue, 1) == strings{"ef"});
    queue.consume(2 + 2999);
    CHECK(gathered(queue) == strings{"y", "end"});
    queue.push("!"sv);
    CHECK(gathered(queue) == strings{"y", "end!"});
    queue.consume(5);
    CHECK(queue.is_empty());
}

TEST_CASE("output_queue: any mix of pushes and short sends keeps every byte in order",
          "[unit][output]")
{
    support::random_numbers random(11);
    output_pool pool;
    support::pooled_queue queue(pool);
    std::string pushed;
    std::string sent;
    const auto send_some = [&](std::size_t max_bytes) {
        const std::string offered = joined(gathered(queue, random.between(1, 5), max_bytes));
        const std::size_t taken = random.between(0, offered.size());
        sent += offered.substr(0, taken);
        queue.consume(taken);
    };
    for (std::size_t i = 0; i < 3000; ++i) {
        const std::string text(random.between(0, random.one_in(20) ? 9000 : 60),
                               static_cast<char>('a' + i % 26));
        pushed += text;
        switch (random.between(0, 2)) {
        case 0: queue.push(std::string_view(text)); break;
        case 1: queue.push(std::string(text)); break;
        default: queue.push(std::make_shared<const std::string>(text));
        }
        if (random.one_in(2))
            send_some(random.between(1, 3000));
        REQUIRE(queue.size() == pushed.size() - sent.size());
        REQUIRE(queue.is_empty() == (pushed.size() == sent.size()));
    }
    while (!queue.is_empty())
        send_some(5000);
    CHECK((sent == pushed));
}

TEST_CASE("output_queue: what lies behind a producer waits for its end", "[unit][output]")
{
    output_pool pool;
    support::pooled_queue queue(pool);
    queue.push("before"sv);
    queue.push(std::make_unique<simple_producer>("abcd", 2));
    queue.push("after"sv);
    CHECK_FALSE(queue.waiting_producer()); // something goes first
    CHECK(queue.size() == 11);
    CHECK(gathered(queue) == strings{"before"});
    queue.consume(6);
    CHECK(queue.waiting_producer());
    CHECK(gathered(queue).empty());

    auto source = queue.take_producer();
    auto piece = source->more();
    queue.offer_piece(std::move(source), piece);
    CHECK_FALSE(queue.waiting_producer());
    CHECK(queue.size() == 7);
    CHECK(gathered(queue) == strings{"ab"});
    queue.consume(1);
    CHECK(gathered(queue) == strings{"b"});
    queue.consume(1);
    CHECK(queue.waiting_producer());

    queue.take_producer();
    queue.drop_producer();
    CHECK_FALSE(queue.waiting_producer());
    CHECK(gathered(queue) == strings{"after"});
}

TEST_CASE("output_queue: clear() drops data and producers", "[unit][output]")
{
    output_pool pool;
    support::pooled_queue queue(pool);
    bool gone = false;
    queue.push("data"sv);
    queue.push(std::make_unique<noticed>([&] { gone = true; }));
    queue.clear();
    CHECK(gone);
    CHECK(queue.is_empty());
    CHECK(queue.size() == 0);
    queue.push("new"sv);
    CHECK(gathered(queue) == strings{"new"});
}

TEST_CASE("output_queue: a producer may push in its destructor", "[unit][output]")
{
    output_pool pool;
    support::pooled_queue queue(pool);
    queue.push(std::make_unique<noticed>([&] { queue.push("goodbye"sv); }));
    queue.clear();
    CHECK(gathered(queue) == strings{"goodbye"});
}

TEST_CASE("output_queue: channels that share a pool do not share output", "[unit][output]")
{
    output_pool pool;
    support::pooled_queue first(pool);
    first.push("one"sv);
    first.consume(2);
    first.consume(1);
    support::pooled_queue second(pool); // gets the storage that the first one gave back
    second.push("two"sv);
    first.push("three"sv);
    CHECK(gathered(second) == strings{"two"});
    CHECK(gathered(first) == strings{"three"});
}

TEST_CASE("output_queue: what is held outlives clear(), and another output is told from it",
          "[unit][output]")
{
    using hold = asynchat::detail::output_storage::hold;
    output_pool pool;
    support::pooled_queue queue(pool);
    queue.push("first"sv);
    auto& whole = queue.hold(hold::pinned);
    CHECK(queue.let_go(whole));

    auto& dropped = queue.hold(hold::pinned);
    const auto shown = queue.in_one_piece();
    queue.clear();
    queue.push("second"sv);
    CHECK(shown == "first");
    CHECK_FALSE(queue.let_go(dropped));
    CHECK(gathered(queue) == strings{"second"});
}
