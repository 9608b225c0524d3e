// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/small_channel.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <string>

using namespace support::output;

TEST_CASE("who talks too much for others ends its turn", "[output-limits][flow][fair]")
{
    small_channel c;
    auto [talker, peer] = c.loop.accept<lines>();
    std::size_t lines_at_once = 0;
    talker->on_found = [&, &from = *talker] {
        if (from.events.size() == 2) // others are next
            c.loop.post([&] { lines_at_once = from.events.size(); });
        c.chat->push(bytes(8));
    };
    std::string many;
    for (int i = 0; i < 40; ++i)
        many += "a\n";
    peer.send(many);
    c.loop.settle();
    CHECK(lines_at_once == 4); // "collect a" and "found" of two lines: the second one was too much
    CHECK(talker->events.size() == 80);
}

TEST_CASE("end_turn: outside of a callback of the input it does nothing", "[output-limits][fair]")
{
    small_channel c;
    c.chat->end_turn();
    c.peer.send("one\n");
    c.loop.settle();
    CHECK(c.chat->events == texts{"collect one", "found"});
}

TEST_CASE("end_turn: others have their turn before the rest of the input", "[output-limits][fair]")
{
    small_channel c;
    c.chat->on_found = [&chat = *c.chat] {
        chat.owner().post([&chat] { chat.note("other"); });
        chat.end_turn();
        chat.end_turn(); // twice is once
    };
    c.peer.send("one\ntwo\nthree");
    c.peer.finish();
    c.loop.settle();
    CHECK(c.chat->events == texts{"collect one", "found", "other", "collect two", "found", "other",
                                  "collect three", "eof", "close peer finished"});
}
