// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/error_text.hpp"
#include "support/loopback.hpp"
#include "support/naive_framing.hpp"
#include "support/wire_bench.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

using asynchat::close_reason;
using support::events;
using support::pieces;
using support::user_error;
using support::wire_bench;
using support::wire_chat;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

/// A type whose formatter writes something and then throws.
struct unprintable {};

} // namespace

template <>
struct fmt::formatter<unprintable> {
    constexpr auto parse(format_parse_context& context) { return context.begin(); }
    template <class Context>
    auto format(const unprintable&, Context& context) const -> decltype(context.out())
    {
        fmt::format_to(context.out(), "garbage");
        throw user_error();
    }
};

// --- push --------------------------------------------------------------------------------------

TEST_CASE("push: sends at the end of the event, all in one call (Python: one call each)",
          "[async_chat][write][differs]")
{
    wire_bench<> channel;
    CHECK(channel.event([&](auto& chat) {
        for (int i = 0; i < 100; ++i)
            CHECK(chat.push("a"));
        CHECK(channel.wire->sent.empty());
        channel.chat->note("event ends");
    }) == events{"event ends", "sent " + std::string(100, 'a')});
    CHECK(channel.wire->sends == 1);
    CHECK(channel.wire->sent == std::string(100, 'a'));
}

TEST_CASE("push: outside of events sends before the loop sleeps, and never inside the call",
          "[async_chat][write][differs]")
{
    wire_bench<> channel;
    channel.chat->push("hello ");
    channel.chat->push("world");
    CHECK(channel.wire->sends == 0);
    CHECK(channel.tick() == events{"sent hello world"});
    CHECK(channel.tick().empty());
}

TEST_CASE("push: answers pushed while parsing one receive leave together",
          "[async_chat][write][differs]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] { channel.chat->push(channel.chat->seen.back() + "!"); };
    CHECK(channel.recv("a\nb\nc\n") ==
          events{"collect a", "found", "collect b", "found", "collect c", "found", "sent a!b!c!"});
}

TEST_CASE("push: views, strings, shared strings, literals and C strings", "[async_chat][write]")
{
    wire_bench<> channel;
    auto& chat = *channel.chat;
    const std::string text = "text,";
    const auto shared = std::make_shared<const std::string>("shared,");
    const auto changeable = std::make_shared<std::string>("changeable,");
    const char* const c_string = "c,";
    char array[32] = "array,"; // as snprintf() fills it
    chat.push("literal,");
    chat.push("nul\0,");
    chat.push(text);
    chat.push(std::string("moved,"));
    chat.push("view,"sv);
    chat.push(shared);
    chat.push(changeable);
    chat.push(c_string);
    chat.push(array);
    chat.push(static_cast<char*>(array));
    chat.push({'l', 'i', 's', 't'}); // no literal, with a NUL at its end
    channel.tick();
    CHECK(channel.wire->sent ==
          "literal,nul\0,text,moved,view,shared,changeable,c,array,array,list"s);
    CHECK_THROWS_AS(chat.push(std::shared_ptr<const std::string>()), std::invalid_argument);
}

TEST_CASE("push: large strings of every kind arrive as they are", "[async_chat][write]")
{
    wire_bench<> channel;
    auto& chat = *channel.chat;
    const std::string a(100000, 'a');
    const auto b = std::make_shared<const std::string>(100000, 'b');
    channel.wire->take(0); // so much would be sent at once
    chat.push(a);
    chat.push("-");
    chat.push(std::string(100000, 'm'));
    chat.push("-");
    chat.push(b);
    CHECK(chat.pending_output() == 300002);
    channel.take_everything();
    CHECK((channel.wire->sent == a + "-" + std::string(100000, 'm') + "-" + *b));
    CHECK(b.use_count() == 1);
    CHECK(chat.pending_output() == 0);
}

TEST_CASE("push: memory changed between push and send changes nothing (Python: it is sent changed)",
          "[async_chat][write][differs]")
{
    const auto size = GENERATE(as<std::size_t>{}, 6, 100000);
    wire_bench<> channel;
    std::string text(size, 'a');
    channel.chat->push(std::string_view(text));
    std::fill(text.begin(), text.end(), 'b');
    channel.tick();
    CHECK((channel.wire->sent == std::string(size, 'a')));
}

TEST_CASE("push: nothing is sent for an empty push (Python: a send of no bytes, and a turn lost)",
          "[async_chat][write][differs]")
{
    wire_bench<> channel;
    auto& chat = *channel.chat;
    CHECK(chat.push(""));
    CHECK(chat.push(std::string()));
    CHECK(chat.push(std::make_shared<const std::string>()));
    CHECK(chat.print("{}", ""));
    CHECK(channel.tick().empty());
    chat.push("abc");
    chat.push("");
    chat.push("def");
    CHECK(channel.tick() == events{"sent abcdef"});
    CHECK(channel.wire->empty_sends == 0);
}

TEST_CASE("push: one call offers no more than ac_out_buffer_size, read each time",
          "[async_chat][write]")
{
    wire_bench<> channel;
    channel.chat->ac_out_buffer_size = 4;
    CHECK(channel.call([](auto& chat) { chat.push("abcdefghij"); }) ==
          events{"sent abcd", "sent efgh", "sent ij"});
    CHECK(channel.call([](auto& chat) { chat.push("abcd"); }) == events{"sent abcd"});
    channel.chat->ac_out_buffer_size = 0; // counts as 1
    CHECK(channel.call([](auto& chat) { chat.push("xy"); }) == events{"sent x", "sent y"});
    channel.chat->ac_out_buffer_size = 65536;
    CHECK(channel.call([](auto& chat) { chat.push("abcdefghij"); }) == events{"sent abcdefghij"});
}

TEST_CASE("push: one event does not send for ever, and what is left follows in later ones",
          "[async_chat][write]")
{
    wire_bench<> channel;
    channel.chat->ac_out_buffer_size = 10;
    channel.chat->push(std::string(100000, 'x'));
    channel.loop.poll();
    CHECK(channel.wire->sent.size() > 0);
    CHECK(channel.wire->sent.size() < 1000);
    channel.tick();
    CHECK(channel.wire->sent.size() == 100000);
}

TEST_CASE("push: what a short send left goes first, when the socket is writable",
          "[async_chat][write][no-records]")
{
    wire_bench<> channel;
    channel.wire->take(3);
    CHECK(channel.call([](auto& chat) { chat.push("abcdefgh"); }) ==
          events{"sent abc of abcdefgh"});
    CHECK(channel.chat->pending_output() == 5);
    CHECK(channel.call([](auto& chat) { chat.push("ij"); }).empty()); // no use to try
    CHECK(channel.take(2) == events{"sent de of defghij"});
    CHECK(channel.take_everything() == events{"sent fghij"});
    CHECK(channel.chat->pending_output() == 0);
}

TEST_CASE("push: nothing is lost when the socket takes nothing for a while",
          "[async_chat][write][no-records]")
{
    wire_bench<> channel;
    channel.wire->take(0);
    CHECK(channel.call([](auto& chat) { chat.push("abc"); }) == events{"sent nothing of abc"});
    CHECK(channel.tick().empty()); // no spinning
    channel.chat->push("def");
    CHECK(channel.tick().empty());
    CHECK(channel.take_everything() == events{"sent abcdef"});
    CHECK(channel.chat->errors == 0);
}

TEST_CASE("push: any cut of the output by the socket keeps every byte in order",
          "[async_chat][write][no-records]")
{
    support::random_numbers random(5);
    wire_bench<> channel;
    auto& chat = *channel.chat;
    std::string pushed;
    for (int i = 0; i < 400; ++i) {
        chat.ac_out_buffer_size = static_cast<std::uint32_t>(random.between(1, 100));
        for (std::size_t n = random.between(0, 3); n > 0; --n) {
            const std::string text = random.word(random.between(0, 50), 26);
            pushed += text;
            switch (random.between(0, 3)) {
            case 0: chat.push(std::string_view(text)); break;
            case 1: chat.push(std::make_shared<const std::string>(text)); break;
            case 2: chat.print("{}", text); break;
            default:
                chat.push_with_producer(
                    std::make_unique<asynchat::simple_producer>(text, random.between(1, 20)));
            }
        }
        channel.take(random.between(0, 60));
    }
    channel.take_everything();
    CHECK((channel.wire->sent == pushed));
    CHECK(channel.wire->empty_sends == 0);
    CHECK(channel.wire->largest_send <= 100);
    CHECK(chat.pending_output() == 0);
}

TEST_CASE("push: before the connection is made queues", "[async_chat][write]")
{
    wire_bench<> channel;
    channel.chat->set_connected(false);
    CHECK(channel
              .call([](auto& chat) {
                  CHECK(chat.push("early "));
                  CHECK(chat.push("bird"));
              })
              .empty());
    CHECK(channel.chat->pending_output() == 10);
    channel.chat->set_connected(true);
    CHECK(channel.event([](auto&) {}) == events{"sent early bird"});
}

TEST_CASE("push: after close returns false and keeps nothing", "[async_chat][write]")
{
    wire_bench<> channel;
    channel.chat->close();
    CHECK_FALSE(channel.chat->push("late"));
    CHECK_FALSE(channel.chat->push("late"s));
    CHECK_FALSE(channel.chat->push(std::make_shared<const std::string>("late")));
    CHECK_FALSE(channel.chat->print("{}", "late"));
    CHECK_FALSE(channel.chat->push_with_producer(pieces(channel.chat, {"late"})));
    CHECK(channel.chat->pending_output() == 0);
    CHECK(channel.tick() == events{"producer destroyed"});
    CHECK_FALSE(channel.open());
}

TEST_CASE("push: after close_when_done returns false and is never sent", "[async_chat][write]")
{
    wire_bench<> channel;
    channel.wire->take(0);
    auto& chat = *channel.chat;
    CHECK(chat.push("kept"));
    chat.close_when_done();
    CHECK_FALSE(chat.push("lost"));
    CHECK_FALSE(chat.print("lost"));
    CHECK_FALSE(chat.push_with_producer([] { return "lost"; }));
    channel.take_everything();
    CHECK(channel.wire->sent == "kept");
    CHECK_FALSE(channel.open());
}

TEST_CASE("pending_output: what was not sent, also after the close",
          "[async_chat][write][no-records]")
{
    wire_bench<> channel;
    channel.wire->take(2);
    channel.call([](auto& chat) { chat.push("abcdef"); });
    CHECK(channel.chat->pending_output() == 4);
    channel.chat->push_with_producer(pieces(channel.chat, {"unmade"}));
    CHECK(channel.chat->pending_output() == 4);
    channel.chat->close();
    channel.tick();
    CHECK(channel.chat->pending_output() == 4);
    CHECK(channel.wire->sent == "ab");
}

TEST_CASE("print: formats straight into the output", "[async_chat][write]")
{
    wire_bench<> channel;
    channel.chat->push("<");
    CHECK(channel.chat->print("{} {:>4}\r\n", 200, "OK"));
    channel.chat->push(">");
    CHECK(channel.tick() == events{"sent <200   OK\\r\\n>"});
}

TEST_CASE("print: whatever the format and its arguments are, the text is that of fmt",
          "[async_chat][write]")
{
    wire_bench<> channel;
    std::string expected;
    const auto prints = [&](auto format, auto&&... args) {
        channel.chat->print(format, args...);
        expected += fmt::format(format, args...);
    };
    const std::string text = "text";
    const std::string empty;
    const std::string long_text(300, 'x');
    prints(FMT_STRING(""));
    prints(FMT_STRING("as it is\r\n"));
    prints(FMT_STRING("{}{}|{}"), 1, std::string_view("two"), "three");
    prints(FMT_STRING("{} {} {} {}"), std::numeric_limits<int>::min(),
           std::numeric_limits<unsigned>::max(), std::numeric_limits<long long>::min(),
           std::numeric_limits<std::size_t>::max());
    prints(FMT_STRING("{} {} {}"), short(-1), static_cast<signed char>(2), std::uint8_t(3));
    prints(FMT_STRING("{}{}{}"), text, empty, text);
    prints(FMT_STRING("{} {} {}"), true, 'c', 1.5);
    prints(FMT_STRING("{{{}}}"), 1);
    prints(FMT_STRING("}}{}{{"), 1);
    prints(FMT_STRING("{}}}"), 1); // without "{{", after which fmt writes it all
    prints(FMT_STRING("{1} {0} {1}"), 1, "one");
    prints(FMT_STRING("{:>8}|{:08x}|{:.2}"), "right", 255, "cut");
    prints(FMT_STRING("{} {}"), 1, 2, 3); // which fmt leaves out
    prints(FMT_STRING("{}"), long_text);
    prints(FMT_STRING("{}{}"), std::string(255, 'y'), 12);
    prints(FMT_STRING("{}{}"), std::string(256, 'y'), empty);
    prints(FMT_STRING("{} {}"), std::string(5000, 'z'), 1);
    channel.tick();
    CHECK(channel.wire->sent == expected);
}

TEST_CASE("print: a formatter that throws leaves nothing behind", "[async_chat][write]")
{
    wire_bench<> channel;
    CHECK_THROWS_AS(channel.chat->print("some text {}", unprintable{}), user_error);
    CHECK(channel.chat->pending_output() == 0);
    channel.chat->push("before ");
    CHECK_THROWS_AS(channel.chat->print("some text {}", unprintable{}), user_error);
    channel.chat->push("after");
    CHECK(channel.tick() == events{"sent before after"});
}

TEST_CASE("more than ac_out_buffer_size of answers is sent between callbacks",
          "[async_chat][write]")
{
    wire_bench<> channel("\n");
    channel.chat->ac_out_buffer_size = 10;
    channel.chat->on_found = [&] { channel.chat->push(std::string(6, 'x')); };
    CHECK(channel.recv("\n\n\n") ==
          events{"found", "found", "sent xxxxxxxxxx", "sent xx", "found", "sent xxxxxx"});
}

TEST_CASE("more than ac_out_buffer_size of answers: a socket that takes nothing is asked once",
          "[async_chat][write]")
{
    wire_bench<> channel("\n");
    channel.chat->ac_out_buffer_size = 10;
    channel.wire->take(0);
    channel.chat->on_found = [&] { channel.chat->push(std::string(20, 'x')); };
    channel.recv("\n\n\n");
    CHECK(channel.wire->sends == 1);
    channel.take_everything();
    CHECK(channel.wire->sent == std::string(60, 'x'));
}

// --- initiate_send, errors, layers ---------------------------------------------------------------

TEST_CASE("initiate_send: sends in the middle of a callback", "[async_chat][write]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] {
        channel.chat->push("now");
        channel.chat->initiate_send();
    };
    CHECK(channel.recv("a\nb") == events{"collect a", "found", "sent now", "collect b"});
}

TEST_CASE("initiate_send: lets what a producer throws out to its caller", "[async_chat][write]")
{
    wire_bench<> channel;
    channel.chat->push_with_producer([]() -> std::string { throw user_error(); });
    CHECK_THROWS_AS(channel.chat->initiate_send(), user_error);
    CHECK(channel.open());
    CHECK(channel.chat->errors == 0);
}

TEST_CASE("a lost connection on sending is handle_close at the end of the event",
          "[async_chat][write][errors]")
{
    const auto number = GENERATE(ECONNRESET, ENOTCONN, ESHUTDOWN, ECONNABORTED, EPIPE, EBADF);
    wire_bench<> channel;
    channel.wire->fail_next_send(number);
    CHECK(channel.event([&](auto& chat) {
        chat.push("abc"); // Python: closes inside this call
        CHECK_FALSE(chat.closed());
    }) == events{"sent nothing of abc", "close reset"});
    CHECK(channel.chat->close_error().value() == number);
    CHECK(channel.reason() == close_reason::reset);
    CHECK(channel.chat->pending_output() == 3);
    CHECK(channel.chat->errors == 0);
}

TEST_CASE("other errors on sending go to handle_error", "[async_chat][write][errors]")
{
    const auto number = GENERATE(ENOBUFS, ETIMEDOUT, EHOSTUNREACH, EALREADY, EINPROGRESS);
    wire_bench<> channel;
    channel.wire->fail_next_send(number);
    CHECK(channel.call([](auto& chat) { chat.push("abc"); }) ==
          events{"sent nothing of abc",
                 "error asynchat: send: " + std::system_category().message(number),
                 "close system error"});
    CHECK(channel.reason() == close_reason::system_error);
    CHECK(channel.chat->close_error().value() == number);
}

TEST_CASE("a channel that survives an error on sending sends the same bytes again",
          "[async_chat][write][errors]")
{
    wire_bench<> channel;
    channel.chat->survives = true;
    channel.wire->fail_next_send(ENOBUFS);
    CHECK(channel.call([](auto& chat) { chat.push("abc"); }) ==
          events{"sent nothing of abc",
                 "error asynchat: send: " + support::error_text(std::errc::no_buffer_space),
                 "sent abc"});
    CHECK(channel.open());
}

TEST_CASE("the n-th send fails: what went before is kept, the rest is counted",
          "[async_chat][write][errors]")
{
    const auto n = GENERATE(as<std::size_t>{}, 0, 1, 2, 3);
    wire_bench<> channel;
    channel.chat->ac_out_buffer_size = 2;
    channel.wire->take(2 * n);
    channel.call([](auto& chat) { chat.push("abcdefgh"); });
    channel.wire->fail_next_send(ECONNRESET);
    channel.tick();
    CHECK(channel.wire->sent == std::string("abcdefgh").substr(0, 2 * n));
    CHECK(channel.chat->pending_output() == 8 - 2 * n);
    CHECK(channel.reason() == close_reason::reset);
}

namespace {

/// A layer on the way out.
class sending_chat : public wire_chat {
public:
    using wire_chat::wire_chat;
    std::size_t send(asynchat::const_buffers data) override
    {
        return on_send ? on_send(data) : wire_chat::send(data);
    }
    std::size_t original_send(asynchat::const_buffers data) { return wire_chat::send(data); }
    std::function<std::size_t(asynchat::const_buffers)> on_send;
};

} // namespace

TEST_CASE("an overridden send is a layer: transforms, counts, or takes nothing now",
          "[async_chat][write][override]")
{
    wire_bench<sending_chat> channel;
    auto& chat = *channel.chat;
    chat.on_send = [&](asynchat::const_buffers data) {
        std::string text = data.str();
        std::reverse(text.begin(), text.end());
        chat.original_send(text);
        return text.size();
    };
    chat.push("abc");
    CHECK(channel.tick() == events{"sent cba"});

    chat.on_send = [](asynchat::const_buffers) { return std::size_t{0}; };
    chat.push("abc");
    chat.initiate_send();
    CHECK(chat.pending_output() == 3);
    CHECK(channel.open());
    chat.on_send = nullptr;
    channel.tick();
    CHECK(channel.wire->sent == "cbaabc");
}

TEST_CASE("an overridden send that says it took more than was offered harms nobody",
          "[async_chat][write][override]")
{
    // As a layer that returns the size of what it made of the data does.
    wire_bench<sending_chat> channel;
    channel.chat->on_send = [](asynchat::const_buffers data) { return data.size() + 100; };
    channel.chat->push("abc");
    channel.tick();
    CHECK(channel.chat->pending_output() == 0);
    CHECK(channel.open());
}

TEST_CASE("an overridden send may do what a callback may",
          "[async_chat][write][override][no-records]")
{
    wire_bench<sending_chat> channel;
    auto& chat = *channel.chat;
    bool done = false;
    SECTION("push: queues behind, and what is being sent stays valid")
    {
        chat.on_send = [&](asynchat::const_buffers data) {
            if (!std::exchange(done, true))
                for (int i = 0; i < 1000; ++i)
                    chat.push("0123456789");
            return chat.original_send(data);
        };
        chat.push("abc");
        channel.tick();
        CHECK(channel.wire->sent.substr(0, 13) == "abc0123456789");
        CHECK(channel.wire->sent.size() == 10003);
    }
    SECTION("discard_buffers: what was not taken is gone")
    {
        chat.on_send = [&](asynchat::const_buffers data) {
            const std::size_t taken = chat.original_send(data);
            if (!std::exchange(done, true)) {
                chat.discard_buffers();
                chat.push("new");
            }
            return taken;
        };
        channel.wire->take(2);
        chat.push("abc");
        channel.tick();
        channel.take_everything();
        CHECK(channel.wire->sent == "abnew");
    }
    SECTION("close")
    {
        chat.on_send = [&](asynchat::const_buffers) {
            chat.close();
            return std::size_t{0};
        };
        chat.push("abc");
        CHECK(channel.tick().empty());
        CHECK_FALSE(channel.open());
    }
    SECTION("throw")
    {
        chat.on_send = [](asynchat::const_buffers) -> std::size_t { throw user_error(); };
        chat.push("abc");
        CHECK(channel.tick() == events{"error user", "close callback error"});
        CHECK(chat.pending_output() == 3);
    }
}

// --- discard_buffers, readable and writable ------------------------------------------------------

TEST_CASE("discard_buffers drops the output, half-sent strings and producers included",
          "[async_chat][write][no-records]")
{
    wire_bench<> channel;
    channel.wire->take(2);
    channel.call([&](auto& chat) {
        chat.push("abcd");
        chat.push_with_producer(pieces(channel.chat, {"AA"}));
    });
    CHECK(channel.chat->pending_output() == 2);
    channel.chat->discard_buffers();
    CHECK(channel.chat->pending_output() == 0);
    CHECK_FALSE(channel.chat->writable());
    CHECK(channel.take_everything() == events{"producer destroyed"});
    CHECK(channel.call([](auto& chat) { chat.push("new"); }) == events{"sent new"});
}

TEST_CASE("writable: while something is queued, a close is due or the connection is not made",
          "[async_chat][write]")
{
    wire_bench<> channel;
    auto& chat = *channel.chat;
    CHECK_FALSE(chat.writable());
    CHECK(chat.readable());
    channel.wire->take(0);
    chat.push("x");
    CHECK(chat.writable());
    chat.discard_buffers();
    CHECK_FALSE(chat.writable());
    chat.push_with_producer(pieces(channel.chat, {}));
    CHECK(chat.writable());
    chat.discard_buffers();
    chat.close_when_done();
    CHECK(chat.writable());
    CHECK(chat.readable()); // and drops it
    chat.discard_buffers();
    CHECK_FALSE(chat.writable());
    chat.set_connected(false);
    CHECK(chat.writable());
}

TEST_CASE("an idle channel does not wait for output: nothing spins", "[async_chat][write]")
{
    wire_bench<> channel;
    CHECK(channel.tick().empty()); // tick() fails on a loop that spins
    CHECK(channel.call([](auto& chat) { chat.push("x"); }) == events{"sent x"});
    CHECK(channel.wire->sends == 1);
}

// --- dispatcher_with_send ------------------------------------------------------------------------

namespace {

class plain_sender : public asynchat::dispatcher_with_send {
public:
    plain_sender(asynchat::loop& owner, const std::shared_ptr<support::wire>& to)
        : dispatcher_with_send(owner, support::socket_over(to))
    {
    }
    void handle_read() override {}
};

} // namespace

TEST_CASE("dispatcher_with_send: no send without something to send (Python: empty ones)",
          "[dispatcher_with_send][write][differs]")
{
    asynchat::loop loop;
    const auto wire = std::make_shared<support::wire>();
    const auto channel = loop.create<plain_sender>(wire).lock();
    channel->handle_write();
    channel->initiate_send();
    CHECK(channel->send("") == 0);
    support::settle(loop);
    CHECK(wire->sends == 0);
    CHECK(channel->send("one ") == 4);
    CHECK(channel->send("two") == 3);
    support::settle(loop);
    CHECK(wire->sent == "one two");
    CHECK(wire->empty_sends == 0);
    channel->handle_write();
    CHECK(wire->empty_sends == 0);
}

// g++ 12, when it optimises, forgets on the way of an exception what the end of the attempt writes,
// if a condition and nothing else comes behind it.
TEST_CASE("a send that fails is over when handle_close discards the output and leaves the loop",
          "[async_chat][write]")
{
    wire_bench<> channel;
    auto& chat = *channel.chat;
    chat.on_close = [&] {
        chat.discard_buffers();
        throw asynchat::exit_now();
    };
    chat.push("abc");
    channel.wire->fail_next_send(EIO);
    CHECK_THROWS_AS(channel.tick(), asynchat::exit_now);
    CHECK(chat.closed());
    CHECK(chat.writable()); // as any channel without a connection
}
