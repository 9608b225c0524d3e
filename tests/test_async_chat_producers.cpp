// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/wire_bench.hpp"

#include <asynchat/asynchat.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using asynchat::close_reason;
using support::events;
using support::frames;
using support::pieces;
using support::user_error;
using support::wire_bench;
using namespace std::string_literals;

// --- producers ---------------------------------------------------------------------------------

TEST_CASE("producers: are asked when all before them is taken, and once more after the last piece",
          "[async_chat][write][producer]")
{
    wire_bench<> channel;
    channel.chat->ac_out_buffer_size = 2;
    channel.wire->take(0);
    channel.call([&](auto& chat) {
        chat.push("1");
        chat.push_with_producer(pieces(channel.chat, {"AA", "BB"}));
    });
    CHECK(channel.tick().empty()); // not asked
    CHECK(channel.take(1) == events{"sent 1"});
    CHECK(channel.take_everything() ==
          events{"more AA", "sent AA", "more BB", "sent BB", "more nothing", "producer destroyed"});
}

TEST_CASE("producers: are asked again only when all of the piece before was taken",
          "[async_chat][write][producer][no-records]")
{
    wire_bench<> channel;
    channel.wire->take(1);
    CHECK(channel.call([&](auto& chat) {
        chat.push_with_producer(pieces(channel.chat, {"AA", "BB"}));
    }) == events{"more AA", "sent A of AA"});
    CHECK(channel.take(1) == events{"sent A", "more BB", "sent nothing of BB"});
    CHECK(channel.take_everything() == events{"sent BB", "more nothing", "producer destroyed"});
}

TEST_CASE("producers: one flush asks again while a piece as large as any so far would fit one send",
          "[async_chat][write][producer]")
{
    const auto turns = [](std::uint32_t out_size, frames list) {
        wire_bench<> channel;
        channel.chat->ac_out_buffer_size = out_size;
        channel.chat->push_with_producer(pieces(channel.chat, std::move(list)));
        std::vector<events> all;
        for (int pass = 0; pass < 40 && channel.loop.poll(); ++pass) {
            events turn = std::exchange(channel.chat->events, {});
            if (!turn.empty())
                all.push_back(std::move(turn));
        }
        return all;
    };
    using expected = std::vector<events>;
    SECTION("as many as fit")
    {
        CHECK(turns(6, {"aa", "bb", "cc", "dd"}) ==
              expected{{"more aa", "sent aa", "more bb", "sent bb", "more cc", "sent cc"},
                       {"more dd", "sent dd", "more nothing", "producer destroyed"}});
    }
    SECTION("one at a time when a piece fills a send")
    {
        CHECK(turns(2, {"aa", "bb"}) == expected{{"more aa", "sent aa"},
                                                 {"more bb", "sent bb"},
                                                 {"more nothing", "producer destroyed"}});
    }
    SECTION("the largest so far counts")
    {
        CHECK(turns(8, {"aaaaa", "b", "c", "d"}) ==
              expected{{"more aaaaa", "sent aaaaa"},
                       {"more b", "sent b", "more c", "sent c", "more d", "sent d", "more nothing",
                        "producer destroyed"}});
    }
    SECTION("pieces larger than a send are cut")
    {
        CHECK(turns(4, {"abcdefghij", "kl"}) ==
              expected{{"more abcdefghij", "sent abcd", "sent efgh", "sent ij"},
                       {"more kl", "sent kl"},
                       {"more nothing", "producer destroyed"}});
    }
}

TEST_CASE("producers: the end of one lets the next entry go on in the same flush",
          "[async_chat][write][producer]")
{
    wire_bench<> channel;
    channel.wire->take(0);
    channel.call([&](auto& chat) {
        chat.push("x");
        chat.push_with_producer(pieces(channel.chat, {}));
        chat.push("next");
    });
    channel.wire->take_everything();
    channel.tick();
    CHECK(channel.wire->sent == "xnext");

    wire_bench<> first;
    CHECK(first.call([&](auto& chat) {
        chat.push_with_producer(pieces(first.chat, {}));
        chat.push("next");
    }) == events{"more nothing", "producer destroyed", "sent next"});
}

TEST_CASE("producers: bytes leave in the order of the pushes", "[async_chat][write][producer]")
{
    const auto room = GENERATE(as<std::size_t>{}, 1, 2, 3, 100);
    wire_bench<> channel;
    channel.wire->take(0);
    channel.call([&](auto& chat) {
        chat.push("1");
        chat.push_with_producer(pieces(channel.chat, {"2", "3"}));
        chat.push("4");
        chat.push_with_producer(pieces(channel.chat, {"5"}));
        chat.push_with_producer(support::one_piece("6"));
        chat.push("7");
    });
    for (int i = 0; i < 20; ++i)
        channel.take(room);
    CHECK(channel.wire->sent == "1234567");
}

TEST_CASE("producers: one that is pushed in an event is asked after its callbacks",
          "[async_chat][write][producer][differs]")
{
    wire_bench<> channel("\n");
    channel.chat->on_found = [&] {
        if (channel.chat->seen.size() == 1)
            channel.chat->push_with_producer(pieces(channel.chat, {"AA"}));
    };
    CHECK(channel.recv("a\nb\n") == events{"collect a", "found", "collect b", "found", "more AA",
                                           "sent AA", "more nothing", "producer destroyed"});
}

TEST_CASE("producers: callables and null pointers", "[async_chat][write][producer]")
{
    wire_bench<> channel;
    int n = 0;
    channel.chat->push_with_producer([&n]() -> std::optional<std::string> {
        return n++ < 3 ? std::optional(std::to_string(n)) : std::nullopt;
    });
    channel.tick();
    CHECK(channel.wire->sent == "123");
    CHECK_THROWS_AS(channel.chat->push_with_producer(std::unique_ptr<asynchat::producer>()),
                    std::invalid_argument);
}

TEST_CASE("producers: an exception out of more() goes to handle_error and costs the channel",
          "[async_chat][write][producer][exceptions]")
{
    wire_bench<> channel;
    auto source = pieces(channel.chat, {"AA", "BB"});
    source->during(1, [] { throw user_error(); });
    CHECK(channel.call([&](auto& chat) {
        CHECK(chat.push_with_producer(std::move(source)));
        chat.push("behind");
    }) == events{"more AA", "sent AA", "more BB", "error user", "close callback error"});
    CHECK(channel.reason() == close_reason::callback_error);
    CHECK(channel.chat->pending_output() == 6);
}

TEST_CASE("producers: one that threw is asked again if the channel survives",
          "[async_chat][write][producer][exceptions]")
{
    wire_bench<> channel;
    channel.chat->survives = true;
    int calls = 0;
    channel.chat->push_with_producer([&calls]() -> std::string {
        switch (++calls) {
        case 1: return "AA";
        case 2: throw user_error();
        case 3: return "BB";
        default: return "";
        }
    });
    channel.chat->push("end");
    CHECK(channel.tick() == events{"sent AA", "error user", "sent BB", "sent end"});
    CHECK(channel.open());
}

TEST_CASE("producers: push inside more() queues behind, asks nobody twice (Python: it reorders)",
          "[async_chat][write][producer][differs]")
{
    wire_bench<> channel;
    auto& chat = *channel.chat;
    auto source = pieces(channel.chat, {"AAA", "BBB"});
    source->during(0, [&] { chat.push("xyz"); });
    CHECK(channel.call([&](auto&) { chat.push_with_producer(std::move(source)); }) ==
          events{"more AAA", "sent AAA", "more BBB", "sent BBB", "more nothing",
                 "producer destroyed", "sent xyz"});

    wire_bench<> blocked; // there, the entry vanished
    auto last = pieces(blocked.chat, {});
    last->during(0, [&] { blocked.chat->push("xyz"); });
    blocked.wire->take(0);
    blocked.call([&](auto& c) { c.push_with_producer(std::move(last)); });
    blocked.take_everything();
    CHECK(blocked.wire->sent == "xyz");
}

TEST_CASE("producers: many pushes inside more() survive the growth of the queue",
          "[async_chat][write][producer]")
{
    wire_bench<> channel;
    auto& chat = *channel.chat;
    auto source = pieces(channel.chat, {"first,", "last,"});
    std::string expected = "first,last,";
    source->during(0, [&] {
        for (int i = 0; i < 200; ++i) {
            chat.push(std::string(3000, 'm'));
            chat.push_with_producer(support::one_piece("p"));
            expected += std::string(3000, 'm') + "p";
        }
    });
    chat.push_with_producer(std::move(source));
    channel.tick();
    CHECK((channel.wire->sent == expected));
}

TEST_CASE("producers: close inside more(): nothing more is sent, nobody is asked again",
          "[async_chat][write][producer]")
{
    wire_bench<> channel;
    auto source = pieces(channel.chat, {"AAA", "BBB"});
    source->during(0, [&] { channel.chat->close(); });
    CHECK(channel.call([&](auto& chat) {
        chat.push_with_producer(std::move(source));
        chat.push("behind");
    }) == events{"more AAA", "producer destroyed"});
    CHECK_FALSE(channel.open());
    CHECK(channel.wire->sends == 0);
    CHECK(channel.chat->pending_output() == 6);
    CHECK(channel.chat->closes == 0);
}

TEST_CASE("producers: discard_buffers inside more() drops them, and what is pushed then is sent",
          "[async_chat][write][producer]")
{
    wire_bench<> channel;
    auto source = pieces(channel.chat, {"AAA", "BBB"});
    source->during(0, [&] {
        channel.chat->discard_buffers();
        channel.chat->push("new");
    });
    const events called = channel.call([&](auto& chat) {
        chat.push_with_producer(std::move(source));
        chat.push("behind");
    });
    CHECK(called ==
          events{"more AAA", "producer destroyed", "sent new"}); // gone, but not while it was asked
    CHECK(channel.open());
}

TEST_CASE("producers: close_when_done and throw inside more()", "[async_chat][write][producer]")
{
    wire_bench<> channel;
    auto source = pieces(channel.chat, {"AAA", "BBB"});
    source->during(0, [&] { channel.chat->close_when_done(); });
    CHECK(channel.call([&](auto& chat) { chat.push_with_producer(std::move(source)); }) ==
          events{"more AAA", "sent AAA", "more BBB", "sent BBB", "more nothing",
                 "producer destroyed", "close local"});

    wire_bench<> thrown;
    auto other = pieces(thrown.chat, {"AAA"});
    other->during(0, [&] {
        thrown.chat->close();
        throw user_error();
    });
    thrown.call([&](auto& chat) { chat.push_with_producer(std::move(other)); });
    CHECK(thrown.wire->sends == 0);
    CHECK(thrown.chat->errors == 0); // nothing is called after close
    CHECK(thrown.chat->logs.size() == 1);
}

TEST_CASE("producers: are destroyed with the channel or by discard_buffers",
          "[async_chat][write][producer][no-records]")
{
    wire_bench<> channel;
    channel.wire->take(0);
    channel.call([&](auto& chat) {
        chat.push("x");
        chat.push_with_producer(pieces(channel.chat, {"AAA"}));
    });
    channel.chat->discard_buffers();
    CHECK(channel.tick() == events{"producer destroyed"});
}

TEST_CASE("producers: initiate_send inside more() does nothing", "[async_chat][write][producer]")
{
    wire_bench<> channel;
    auto source = pieces(channel.chat, {"AAA"});
    source->during(0, [&] { channel.chat->initiate_send(); });
    CHECK(channel.call([&](auto& chat) { chat.push_with_producer(std::move(source)); }) ==
          events{"more AAA", "sent AAA", "more nothing", "producer destroyed"});
}

TEST_CASE("producers: what is answered while more() runs the loop goes behind its piece",
          "[async_chat][write][producer]")
{
    wire_bench<> channel("\n");
    channel.chat->ac_out_buffer_size = 4; // so that the answers would be sent between the lines
    channel.chat->on_found = [&] { channel.chat->push("answer"); };
    auto source = pieces(channel.chat, {"AAA"});
    int handlers = 0;
    source->during(0, [&] {
        channel.wire->feed("a\nb\n");
        channel.handle.post([](auto&) {});
        while (handlers < 100 && channel.loop.context().poll_one() > 0)
            ++handlers;
    });
    const bool in_event = GENERATE(false, true);
    if (in_event) {
        channel.event([&](auto& chat) { chat.push_with_producer(std::move(source)); });
    } else {
        channel.wire->take(1);
        channel.chat->push_with_producer(std::move(source));
        channel.chat->initiate_send();
        channel.take_everything();
    }
    CHECK(handlers < 100); // what it cannot send now keeps nobody busy
    CHECK(channel.chat->seen == frames{"a", "b"});
    CHECK(channel.wire->sent == "AAAansweranswer");
}

TEST_CASE("a producer behind answers that are sent in the input is asked in the same event",
          "[output-limits][producer]")
{
    wire_bench<> b("\n");
    b.chat->ac_out_buffer_size = 10; // sends in the middle of the input, over so much
    b.chat->on_found = [&chat = *b.chat] {
        chat.push(std::string(15, 'x'));
        chat.push_with_producer(support::one_piece("piece"));
        chat.owner().post([&chat] { chat.note("later"); });
        chat.on_found = nullptr;
    };
    CHECK(b.recv("a\nb\n") == events{"collect a", "found", "sent " + std::string(10, 'x'),
                                     "sent " + std::string(5, 'x'), "collect b", "found",
                                     "sent piece", "later"});
    CHECK(b.chat->pending_output() == 0);
}

TEST_CASE("a producer in front of large answers is not asked in the middle of the input",
          "[output-limits][producer]")
{
    wire_bench<> b("\n");
    b.chat->ac_out_buffer_size = 10;
    b.chat->on_found = [&chat = *b.chat] {
        chat.push_with_producer(support::one_piece("piece"));
        chat.push(std::string(15, 'x'));
        chat.on_found = nullptr;
    };
    const events called = b.recv("a\nb\n");
    CHECK(events(called.begin(), called.begin() + 5) ==
          events{"collect a", "found", "collect b", "found", "sent piece"});
}
