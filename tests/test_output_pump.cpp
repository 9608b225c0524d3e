// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/pooled_queue.hpp"

#include <asynchat/detail/output/output_pump.hpp>
#include <asynchat/detail/output/output_queue.hpp>
#include <asynchat/file_producer.hpp>
#include <asynchat/producer.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What is sent next, without a channel: a test is the channel, and the system that takes some of
// what it is offered.

using asynchat::file_producer;
using asynchat::producer;
using asynchat::detail::output_pool;
using asynchat::detail::output_pump;
using asynchat::detail::output_queue;
using action = output_pump::action;
using namespace std::string_view_literals;

namespace {

using texts = std::vector<std::string>;

/// Gives the pieces; calls something before each of them and when it goes.
class pieces final : public producer {
public:
    explicit pieces(texts all, std::function<void()> before = {}, std::function<void()> at_end = {})
        : all_(std::move(all)), before_(std::move(before)), at_end_(std::move(at_end))
    {
    }
    ~pieces() override
    {
        if (at_end_)
            at_end_();
    }
    std::string_view more() override
    {
        if (before_)
            before_();
        return at_ < all_.size() ? std::string_view(all_[at_++]) : std::string_view();
    }

private:
    texts all_;
    std::function<void()> before_;
    std::function<void()> at_end_;
    std::size_t at_ = 0;
};

/// A queue, and what was done of its steps.
struct output {
    output_pool pool;
    support::pooled_queue queue{pool};
    texts offered;    // in each send
    std::string sent; // in all
    unsigned asked = 0;

    void push(std::string_view text) { queue.push(text); }
    void push_large(char of) { queue.push(std::string(3000, of)); }
    void push_shared(char of) { queue.push(std::make_shared<const std::string>(1000, of)); }
    template <class... Args>
    void push_pieces(Args&&... args)
    {
        queue.push(std::make_unique<pieces>(std::forward<Args>(args)...));
    }

    /// What the step offers.
    std::string data_of(output_pump& pump, const output_pump::step& step)
    {
        if (!step.piece.empty())
            return std::string(step.piece);
        std::string data;
        pump.gather(64, [&](std::string_view buffer) { data += buffer; });
        return data;
    }

    void ask(output_pump& pump)
    {
        ++asked;
        auto source = pump.take_producer();
        const std::string_view piece = source->more();
        pump.answered(std::move(source), piece);
    }

    /// One attempt, in which the system takes `window` bytes. Returns its last step.
    action attempt(std::size_t window, std::size_t max_bytes = 65536, bool asks_producers = true)
    {
        output_pump pump(queue, max_bytes, asks_producers);
        const std::size_t before = sent.size();
        for (;;) {
            const auto step = pump.next();
            if (step.what == action::producer) {
                ask(pump);
            } else if (step.what == action::data) {
                const std::string data = data_of(pump, step);
                offered.push_back(data);
                const std::size_t taken = std::min(window, data.size());
                sent += data.substr(0, taken);
                window -= taken;
                pump.sent(taken);
            } else {
                CHECK(pump.sent() == sent.size() - before);
                return step.what;
            }
        }
    }
};

} // namespace

TEST_CASE("output_pump: has nothing to do with an empty queue", "[unit][output]")
{
    output out;
    CHECK(out.attempt(10) == action::stop);
    CHECK(out.offered.empty());
}

TEST_CASE("output_pump: offers what lies in one piece as it is, and the rest as buffers",
          "[unit][output]")
{
    output out;
    out.push("ab");
    {
        output_pump pump(out.queue, 65536, true);
        const auto step = pump.next();
        CHECK(step.what == action::data);
        CHECK(step.piece == "ab");
        pump.sent(2);
        CHECK(pump.next().what == action::stop);
        CHECK(pump.sent() == 2);
    }
    out.push("ab");
    out.push_large('x');
    output_pump pump(out.queue, 65536, true);
    const auto step = pump.next();
    CHECK(step.what == action::data);
    CHECK(step.piece.empty());
    texts buffers;
    pump.gather(64, [&](std::string_view buffer) { buffers.emplace_back(buffer); });
    CHECK(buffers == texts{"ab", std::string(3000, 'x')});
    pump.sent(1);
    CHECK(pump.next().what == action::stop); // the system takes no more now
    CHECK(out.queue.size() == 3001);
}

TEST_CASE("output_pump: sends each byte once and in order, wherever the system cuts",
          "[unit][output]")
{
    // Borders of entries, and one to each side of them.
    const auto window =
        GENERATE(as<std::size_t>{}, 1, 2, 3, 4, 7, 999, 1000, 1001, 2999, 3000, 3001, 4003, 5000);
    const auto max_bytes = GENERATE(as<std::size_t>{}, 1, 2, 999, 3000, 65536);
    output out;
    out.push("abc");
    out.push_large('x');
    out.push("def");
    out.push_shared('y');
    out.push_pieces(texts{"12", std::string(1500, 'z'), "3"});
    out.push("end");
    const std::string all = "abc" + std::string(3000, 'x') + "def" + std::string(1000, 'y') + "12" +
                            std::string(1500, 'z') + "3end";
    std::size_t attempts = 0;
    while (!out.queue.is_empty() && ++attempts < 20000) {
        const std::size_t before = out.sent.size();
        const std::size_t waiting = out.queue.size();
        CHECK(out.attempt(window, max_bytes) == action::stop);
        REQUIRE((out.sent.size() > before || waiting == 0));
    }
    CHECK((out.sent == all));
    CHECK(out.asked == 4);
    CHECK(out.queue.size() == 0);
    for (const std::string& each : out.offered)
        REQUIRE(each.size() <= max_bytes);
}

TEST_CASE("output_pump: every cut of a short output", "[unit][output]")
{
    const std::string all = "abcdefgh";
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        output out;
        out.push("abc");
        out.push_pieces(texts{"de", "f"});
        out.push("gh");
        out.attempt(cut);
        CHECK(out.sent.size() <= cut);
        out.attempt(all.size());
        out.attempt(all.size());
        CHECK(out.sent == all);
        CHECK(out.queue.is_empty());
    }
}

TEST_CASE("output_pump: an attempt ends after sixteen sends of the largest size", "[unit][output]")
{
    output out;
    out.push(std::string(40, 'x'));
    CHECK(out.attempt(100, 2) == action::stop);
    CHECK(out.offered == texts(16, "xx"));
    CHECK(out.queue.size() == 8);

    output one_by_one;
    one_by_one.push("abc");
    one_by_one.attempt(100, 0); // counts as 1
    CHECK(one_by_one.offered == texts{"a", "b", "c"});

    output unlimited;
    unlimited.push("abc");
    unlimited.attempt(100, std::numeric_limits<std::size_t>::max());
    CHECK(unlimited.offered == texts{"abc"});
}

TEST_CASE("output_pump: more than was offered is as much as was offered", "[unit][output]")
{
    output out;
    out.push("abc");
    output_pump pump(out.queue, 2, true);
    CHECK(pump.next().piece == "ab");
    pump.sent(1000);
    CHECK(pump.sent() == 2);
    CHECK(out.queue.size() == 1);
    CHECK(pump.next().piece == "c");
    pump.sent(0);
    CHECK(pump.next().what == action::stop);
    CHECK(out.queue.size() == 1);
}

TEST_CASE("output_pump: what is pushed during a send is sent behind it, and moves nothing",
          "[unit][output]")
{
    output out;
    out.push("abc");
    output_pump pump(out.queue, 65536, true);
    const std::string_view piece = pump.next().piece;
    for (int i = 0; i < 1000; ++i)
        out.push("0123456789");
    CHECK(piece == "abc"); // where it was
    pump.sent(1);
    CHECK(out.queue.size() == 10002);
    out.attempt(10002);
    out.attempt(10002);
    CHECK((out.sent.substr(0, 12) == "bc0123456789"));
    CHECK(out.sent.size() == 10002);
}

TEST_CASE("output_pump: what is cleared during a send stays until it is over", "[unit][output]")
{
    output out;
    bool gone = false;
    out.push("abc");
    out.push_pieces(
        texts{"de"}, [] {}, [&] { gone = true; });
    output_pump pump(out.queue, 65536, true);
    const auto step = pump.next();
    std::string_view shown;
    pump.gather(64, [&](std::string_view buffer) { shown = buffer; });
    CHECK(step.what == action::data);
    out.queue.clear();
    out.push("new");
    CHECK(shown == "abc");
    CHECK_FALSE(gone);
    pump.sent(3); // not of what is there now
    CHECK(gone);
    CHECK(pump.sent() == 0);
    CHECK(pump.next().what == action::stop);
    out.attempt(10);
    CHECK(out.sent == "new");
}

TEST_CASE("output_pump: an attempt that an exception ends lets the queue go", "[unit][output]")
{
    output out;
    out.push("abc");
    {
        output_pump pump(out.queue, 65536, true);
        pump.next();
    }
    out.push("def"); // in one piece with the rest, as it is not being sent
    out.attempt(10);
    CHECK(out.offered == texts{"abcdef"});
}

TEST_CASE("output_pump: stop() ends the attempt, and nothing is lost by it", "[unit][output]")
{
    output out;
    out.push("abc");
    output_pump pump(out.queue, 65536, true);
    CHECK(pump.next().piece == "abc");
    pump.stop();
    CHECK(pump.next().what == action::stop);
    CHECK(pump.sent() == 0);
    out.push("def");
    out.attempt(10);
    CHECK(out.offered == texts{"abcdef"});
}

// --- producers ---------------------------------------------------------------------------------

TEST_CASE("output_pump: no producer is asked where none may be", "[unit][output][producer]")
{
    output out;
    out.push("abc");
    out.push_pieces(texts{"de"});
    CHECK(out.attempt(2, 65536, false) == action::stop); // all was tried
    CHECK(out.attempt(9, 65536, false) == action::stop_before_producer);
    CHECK(out.sent == "abc");
    CHECK(out.asked == 0);
}

TEST_CASE("output_pump: a producer is asked while another piece would fit into one send",
          "[unit][output][producer]")
{
    const auto asked_in_one_attempt = [](std::string_view before, const texts& all) {
        output out;
        out.push(before);
        out.push_pieces(all);
        out.attempt(1000, 10);
        return out.asked;
    };
    CHECK(asked_in_one_attempt("", {"abc", "def", "ghi", "jkl"}) == 3); // 3 + 3 + 3, and 12 is over
    CHECK(asked_in_one_attempt("", {"abcde", "fghij", "k"}) == 2);      // exactly 10
    CHECK(asked_in_one_attempt("", {"abcdef", "g"}) == 1);              // another 6 would not
    CHECK(asked_in_one_attempt("", {"a", "bcdefg", "h"}) == 2);         // the largest counts
    CHECK(asked_in_one_attempt("x", {"a"}) == 0); // a piece that is not known may be of any size
    CHECK(asked_in_one_attempt("", {"abcdefghijklmnop", "q"}) == 1);
    CHECK(asked_in_one_attempt("", {}) == 1);
}

TEST_CASE("output_pump: what the system does not take of a piece goes first",
          "[unit][output][producer]")
{
    output out;
    out.push_pieces(texts{"abc", "def"});
    out.push("g");
    out.attempt(2);
    CHECK(out.asked == 1);
    CHECK(out.queue.size() == 2); // the c, and the g behind it
    out.attempt(1000);
    out.attempt(1000);
    CHECK(out.sent == "abcdefg");
    CHECK(out.asked == 3);
}

TEST_CASE("output_pump: a producer that gives nothing now is asked in another attempt",
          "[unit][output][producer]")
{
    output out;
    out.push_pieces(texts{"abc"});
    {
        output_pump pump(out.queue, 65536, true);
        CHECK(pump.next().what == action::producer);
        pump.put_back(pump.take_producer()); // it threw
        CHECK(pump.next().what == action::stop);
    }
    out.attempt(1000);
    CHECK(out.sent == "abc");
}

TEST_CASE("output_pump: a queue that a producer clears is not touched any more",
          "[unit][output][producer]")
{
    const bool throws = GENERATE(false, true);
    output out;
    bool gone = false;
    const auto clear = [&] {
        out.queue.clear();
        out.push("new");
        CHECK_FALSE(gone); // it is on the stack
    };
    out.push_pieces(texts{"abc"}, clear, [&] { gone = true; });
    {
        output_pump pump(out.queue, 65536, true);
        CHECK(pump.next().what == action::producer);
        auto source = pump.take_producer();
        const std::string_view piece = source->more();
        throws ? pump.put_back(std::move(source)) : pump.answered(std::move(source), piece);
        CHECK(gone);
        CHECK(pump.next().what == action::stop);
    }
    out.attempt(1000);
    CHECK(out.sent == "new");
}

// --- files -------------------------------------------------------------------------------------

namespace {

/// Of a pipe, as it needs no file.
std::unique_ptr<file_producer> some_file()
{
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    auto file = std::make_unique<file_producer>(ends[0]);
    ::close(ends[0]);
    ::close(ends[1]);
    return file;
}

} // namespace

TEST_CASE("output_pump: producers that end without a piece, one after the other, end the attempt",
          "[unit][output]")
{
    output out;
    const std::function<void()> push_next = [&] {
        if (out.asked < 10000)
            out.push_pieces(texts{}, push_next);
    };
    push_next();
    for (unsigned attempts = 1; attempts <= 2; ++attempts) {
        CHECK(out.attempt(10) == action::stop);
        CHECK(out.asked == attempts * output_pump::max_ended);
        CHECK(out.queue.waiting_producer());
    }
}

TEST_CASE("output_pump: lets the system send a file, as much as a turn may send",
          "[unit][output][file_producer]")
{
    output out;
    out.push("ab");
    auto made = some_file();
    const file_producer* const file = made.get();
    out.queue.push(std::move(made));
    out.push("cd");
    output_pump pump(out.queue, 4, true);
    CHECK(pump.next().piece.empty());
    pump.gather(64, [](std::string_view) {});
    pump.sent(2);
    CHECK(pump.next().what == action::file); // behind other output in the same attempt
    CHECK(&pump.file() == file);
    CHECK(pump.max_of_file() == 62);
    pump.sent_of_file(60, false);
    CHECK(pump.sent() == 62);
    CHECK(pump.next().what == action::file);
    CHECK(pump.max_of_file() == 2);
    pump.sent_of_file(1, true);
    CHECK(pump.next().piece == "cd");
    pump.sent(2);
    CHECK(pump.next().what == action::stop);
    CHECK(pump.sent() == 65);
    CHECK(out.queue.is_empty());
}

TEST_CASE("output_pump: a file waits when the system takes no more",
          "[unit][output][file_producer]")
{
    output out;
    out.queue.push(some_file());
    output_pump pump(out.queue, 4, true);
    CHECK(pump.next().what == action::file);
    pump.sent_of_file(0, false);
    CHECK(pump.next().what == action::stop);
    CHECK(out.queue.waiting_producer());
}

TEST_CASE("output_pump: a file that must be read is a producer as any",
          "[unit][output][file_producer]")
{
    output out;
    out.queue.push(some_file());
    output_pump pump(out.queue, 4, true);
    CHECK(pump.next().what == action::file);
    pump.sent_of_file(std::nullopt, false);
    CHECK(pump.next().what == action::producer);
    pump.answered(pump.take_producer(), "ab");
    CHECK(pump.next().what == action::data);
    pump.gather(64, [](std::string_view) {});
    pump.sent(2);
    CHECK(pump.next().what == action::file); // perhaps the system can by now
    pump.sent_of_file(std::nullopt, false);
    CHECK(pump.next().what == action::producer);
    pump.answered(pump.take_producer(), "");
    CHECK(pump.next().what == action::stop);
    CHECK(out.queue.is_empty());
}
