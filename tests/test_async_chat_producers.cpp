// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/recording_chat.hpp"

#include <asynchat/asynchat.hpp>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

using asynchat::close_reason;
using support::bench;
using support::frames;
using support::pieces;
using support::recording_chat;
using support::user_error;
using namespace std::string_literals;

// --- producers ---------------------------------------------------------------------------------

TEST_CASE("producers: are asked when all before them is taken, and once more after the last piece",
          "[async_chat][write][producer]")
{
    bench<> channel;
    channel.chat->ac_out_buffer_size = 2;
    channel.wire->take(0);
    channel.call([&](recording_chat& chat) {
        chat.push("1");
        chat.push_with_producer(pieces(channel.wire, {"AA", "BB"}));
    });
    CHECK(channel.tick().empty()); // not asked
    CHECK(channel.take(1) == "send('1')=1");
    CHECK(channel.take_everything() ==
          "more('AA') send('AA')=2 more('BB') send('BB')=2 more('') ~producer");
}

TEST_CASE("producers: are asked again only when all of the piece before was taken",
          "[async_chat][write][producer][no-records]")
{
    bench<> channel;
    channel.wire->take(1);
    CHECK(channel.call([&](recording_chat& chat) {
        chat.push_with_producer(pieces(channel.wire, {"AA", "BB"}));
    }) == "more('AA') send('AA')=1");
    CHECK(channel.take(1) == "send('A')=1 more('BB') send('BB')=EAGAIN");
    CHECK(channel.take_everything() == "send('BB')=2 more('') ~producer");
}

TEST_CASE("producers: one flush asks again while a piece as large as any so far would fit one send",
          "[async_chat][write][producer]")
{
    // Turns are told apart by what another channel, woken in each, notes.
    const auto turns = [](std::size_t out_size, frames list) {
        bench<> channel;
        channel.chat->ac_out_buffer_size = out_size;
        channel.chat->push_with_producer(pieces(channel.wire, std::move(list)));
        std::string trace;
        for (int pass = 0; pass < 40; ++pass) {
            if (!channel.loop.poll())
                break;
            const std::string turn = channel.wire->take_trace();
            if (!turn.empty())
                trace += "| " + turn + " ";
        }
        return trace;
    };
    SECTION("as many as fit")
    {
        CHECK(turns(6, {"aa", "bb", "cc", "dd"}) ==
              "| more('aa') send('aa')=2 more('bb') send('bb')=2 more('cc') send('cc')=2 "
              "| more('dd') send('dd')=2 more('') ~producer ");
    }
    SECTION("one at a time when a piece fills a send")
    {
        CHECK(turns(2, {"aa", "bb"}) == "| more('aa') send('aa')=2 | more('bb') send('bb')=2 "
                                        "| more('') ~producer ");
    }
    SECTION("the largest so far counts")
    {
        CHECK(turns(8, {"aaaaa", "b", "c", "d"}) ==
              "| more('aaaaa') send('aaaaa')=5 "
              "| more('b') send('b')=1 more('c') send('c')=1 more('d') send('d')=1 more('') "
              "~producer ");
    }
    SECTION("pieces larger than a send are cut")
    {
        CHECK(turns(4, {"abcdefghij", "kl"}) ==
              "| more('abcdefghij') send('abcd')=4 send('efgh')=4 send('ij')=2 "
              "| more('kl') send('kl')=2 | more('') ~producer ");
    }
}

TEST_CASE("producers: the end of one lets the next entry go on in the same flush",
          "[async_chat][write][producer]")
{
    bench<> channel;
    channel.wire->take(0);
    channel.call([&](recording_chat& chat) {
        chat.push("x");
        chat.push_with_producer(pieces(channel.wire, {}));
        chat.push("next");
    });
    channel.wire->take_everything();
    channel.tick();
    CHECK(channel.wire->sent == "xnext");

    bench<> first;
    CHECK(first.call([&](recording_chat& chat) {
        chat.push_with_producer(pieces(first.wire, {}));
        chat.push("next");
    }) == "more('') ~producer send('next')=4");
}

TEST_CASE("producers: bytes leave in the order of the pushes", "[async_chat][write][producer]")
{
    const auto room = GENERATE(as<std::size_t>{}, 1, 2, 3, 100);
    bench<> channel;
    channel.wire->take(0);
    channel.call([&](recording_chat& chat) {
        chat.push("1");
        chat.push_with_producer(pieces(channel.wire, {"2", "3"}));
        chat.push("4");
        chat.push_with_producer(pieces(channel.wire, {"5"}));
        chat.push_with_producer([n = 0]() mutable { return n++ == 0 ? "6"s : ""s; });
        chat.push("7");
    });
    for (int i = 0; i < 20; ++i)
        channel.take(room);
    CHECK(channel.wire->sent == "1234567");
}

TEST_CASE("producers: one that is pushed in an event is asked after its callbacks",
          "[async_chat][write][producer][differs]")
{
    bench<> channel("\n");
    channel.chat->on_found = [&] {
        if (channel.chat->seen.size() == 1)
            channel.chat->push_with_producer(pieces(channel.wire, {"AA"}));
    };
    CHECK(channel.recv("a\nb\n") == "collect('a') found collect('b') found more('AA') "
                                    "send('AA')=2 more('') ~producer");
}

TEST_CASE("producers: callables and null pointers", "[async_chat][write][producer]")
{
    bench<> channel;
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
    bench<> channel;
    auto source = pieces(channel.wire, {"AA", "BB"});
    source->during(1, [] { throw user_error(); });
    CHECK(channel.call([&](recording_chat& chat) {
        CHECK(chat.push_with_producer(std::move(source)));
        chat.push("behind");
    }) == "more('AA') send('AA')=2 more('BB') handle_error(user) handle_close closed");
    CHECK(channel.reason() == close_reason::callback_error);
    CHECK(channel.chat->pending_output() == 6);
}

TEST_CASE("producers: one that threw is asked again if the channel survives",
          "[async_chat][write][producer][exceptions]")
{
    bench<> channel;
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
    CHECK(channel.tick() == "send('AA')=2 handle_error(user) send('BB')=2 send('end')=3");
    CHECK(channel.open());
}

TEST_CASE("producers: push inside more() queues behind, asks nobody twice (Python: it reorders)",
          "[async_chat][write][producer][differs]")
{
    bench<> channel;
    auto& chat = *channel.chat;
    auto source = pieces(channel.wire, {"AAA", "BBB"});
    source->during(0, [&] { chat.push("xyz"); });
    CHECK(channel.call([&](recording_chat&) { chat.push_with_producer(std::move(source)); }) ==
          "more('AAA') send('AAA')=3 more('BBB') send('BBB')=3 more('') ~producer send('xyz')=3");

    bench<> blocked; // there, the entry vanished
    auto last = pieces(blocked.wire, {});
    last->during(0, [&] { blocked.chat->push("xyz"); });
    blocked.wire->take(0);
    blocked.call([&](recording_chat& c) { c.push_with_producer(std::move(last)); });
    blocked.take_everything();
    CHECK(blocked.wire->sent == "xyz");
}

TEST_CASE("producers: many pushes inside more() survive the growth of the queue",
          "[async_chat][write][producer]")
{
    bench<> channel;
    auto& chat = *channel.chat;
    auto source = pieces(channel.wire, {"first,", "last,"});
    std::string expected = "first,last,";
    source->during(0, [&] {
        for (int i = 0; i < 200; ++i) {
            chat.push(std::string(3000, 'm'));
            chat.push_with_producer([n = 0]() mutable { return n++ == 0 ? "p" : ""; });
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
    bench<> channel;
    auto source = pieces(channel.wire, {"AAA", "BBB"});
    source->during(0, [&] { channel.chat->close(); });
    CHECK(channel
              .call([&](recording_chat& chat) {
                  chat.push_with_producer(std::move(source));
                  chat.push("behind");
              })
              .find("more('AAA') closed") == 0);
    CHECK(channel.wire->sends == 0);
    CHECK(channel.chat->pending_output() == 6);
    CHECK(channel.chat->closes == 0);
}

TEST_CASE("producers: discard_buffers inside more() drops them, and what is pushed then is sent",
          "[async_chat][write][producer]")
{
    bench<> channel;
    auto source = pieces(channel.wire, {"AAA", "BBB"});
    source->during(0, [&] {
        channel.chat->discard_buffers();
        channel.chat->push("new");
    });
    const std::string trace = channel.call([&](recording_chat& chat) {
        chat.push_with_producer(std::move(source));
        chat.push("behind");
    });
    CHECK(trace == "more('AAA') ~producer send('new')=3"); // gone, but not while it was asked
    CHECK(channel.open());
}

TEST_CASE("producers: close_when_done and throw inside more()", "[async_chat][write][producer]")
{
    bench<> channel;
    auto source = pieces(channel.wire, {"AAA", "BBB"});
    source->during(0, [&] { channel.chat->close_when_done(); });
    CHECK(channel.call([&](recording_chat& chat) { chat.push_with_producer(std::move(source)); }) ==
          "more('AAA') send('AAA')=3 more('BBB') send('BBB')=3 more('') ~producer handle_close "
          "closed");

    bench<> thrown;
    auto other = pieces(thrown.wire, {"AAA"});
    other->during(0, [&] {
        thrown.chat->close();
        throw user_error();
    });
    thrown.call([&](recording_chat& chat) { chat.push_with_producer(std::move(other)); });
    CHECK(thrown.wire->sends == 0);
    CHECK(thrown.chat->errors == 0); // nothing is called after close
    CHECK(thrown.chat->logs.size() == 1);
}

TEST_CASE("producers: are destroyed with the channel or by discard_buffers",
          "[async_chat][write][producer][no-records]")
{
    bench<> channel;
    channel.wire->take(0);
    channel.call([&](recording_chat& chat) {
        chat.push("x");
        chat.push_with_producer(pieces(channel.wire, {"AAA"}));
    });
    channel.chat->discard_buffers();
    CHECK(channel.tick() == "~producer");
}

TEST_CASE("producers: initiate_send inside more() does nothing", "[async_chat][write][producer]")
{
    bench<> channel;
    auto source = pieces(channel.wire, {"AAA"});
    source->during(0, [&] { channel.chat->initiate_send(); });
    CHECK(channel.call([&](recording_chat& chat) { chat.push_with_producer(std::move(source)); }) ==
          "more('AAA') send('AAA')=3 more('') ~producer");
}

TEST_CASE("producers: what is answered while more() runs the loop goes behind its piece",
          "[async_chat][write][producer]")
{
    bench<> channel("\n");
    channel.chat->ac_out_buffer_size = 4; // so that the answers would be sent between the lines
    channel.chat->on_found = [&] { channel.chat->push("answer"); };
    auto source = pieces(channel.wire, {"AAA"});
    int handlers = 0;
    source->during(0, [&] {
        channel.wire->feed("a\nb\n");
        channel.handle.post([](recording_chat&) {});
        while (handlers < 100 && channel.loop.context().poll_one() > 0)
            ++handlers;
    });
    const bool in_event = GENERATE(false, true);
    if (in_event) {
        channel.event([&](recording_chat& chat) { chat.push_with_producer(std::move(source)); });
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
    support::bench<> b("\n");
    b.chat->ac_out_buffer_size = 10; // sends in the middle of the input, over so much
    b.chat->on_found = [&chat = *b.chat] {
        chat.push(std::string(15, 'x'));
        chat.push_with_producer([pieces = 0]() mutable {
            return ++pieces == 1 ? std::string("piece") : std::string();
        });
        chat.owner().post([&chat] { chat.record->note("later"); });
        chat.on_found = nullptr;
    };
    CHECK(b.recv("a\nb\n") == "collect('a') found send('" + std::string(10, 'x') + "')=10 send('" +
                                  std::string(5, 'x') +
                                  "')=5 collect('b') found send('piece')=5 later");
    CHECK(b.chat->pending_output() == 0);
}

TEST_CASE("a producer in front of large answers is not asked in the middle of the input",
          "[output-limits][producer]")
{
    support::bench<> b("\n");
    b.chat->ac_out_buffer_size = 10;
    b.chat->on_found = [&chat = *b.chat] {
        chat.push_with_producer([pieces = 0]() mutable {
            return ++pieces == 1 ? std::string("piece") : std::string();
        });
        chat.push(std::string(15, 'x'));
        chat.on_found = nullptr;
    };
    const std::string trace = b.recv("a\nb\n");
    CHECK(trace.find("collect('a') found collect('b') found send('piece") == 0);
}
