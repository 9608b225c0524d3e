// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The members of web_chat at both doors, where time is virtual.
#include "support.hpp"

#include <chat/member.hpp>
#include <web_chat/web_member.hpp>

using namespace support;
using namespace std::chrono_literals;

namespace {

std::string request_to(const std::string& host, const std::string& path = "/chat")
{
    std::string request = usual_request;
    request.replace(request.find("/chat"), 5, path);
    return request.replace(request.find("server.example.com"), 18, host);
}

/// A room with both doors.
struct house {
    auto browser()
    {
        return loop.accept<web_chat::web_member>(
            std::ref(door), websocket_options().max_message(web_chat::longest_message));
    }
    auto terminal() { return loop.accept<chat::member>(std::ref(room), web_chat::longest_message); }

    std::string status(const std::string& request)
    {
        auto [member, peer] = browser();
        peer.send(request);
        return peer.received().substr(9, 3);
    }

    chat::room room;
    web_chat::door door{room, "<!DOCTYPE html>", "chat.example:81"};
    asynchat::testing::loop loop; // its channels are destroyed before the room
};

std::string joining(const std::string& name)
{
    return request_to("127.0.0.1") + frame(fin | text, "/nick " + name) +
           frame(fin | text, "/join");
}

/// What a browser has heard since the last time, behind the answer to its request.
strings heard_by(asynchat::testing::peer& peer)
{
    std::string bytes;
    for (std::string more = peer.received(); !more.empty(); more = peer.received())
        bytes += more;
    if (bytes.substr(0, 4) == "HTTP")
        bytes.erase(0, bytes.find("\r\n\r\n") + 4);
    return frames_in(bytes);
}

} // namespace

TEST_CASE("web_chat: a page whose name was made to point here is not let in", "[websocket]")
{
    house here;
    for (const std::string known :
         {"localhost", "localhost:8080", "127.0.0.1:8080", "10.1.2.3", "[::1]:8080",
          "chat.example:81", "Chat.Example:81", "LocalHost"}) {
        INFO(known);
        CHECK(here.status(request_to(known)) == "101");
        CHECK(here.status("GET / HTTP/1.1\r\nHost: " + known + "\r\n\r\n") == "200");
    }
    for (const std::string foreign :
         {"evil.example:8080", "localhost.evil.example", "1.evil.example",
          "127.0.0.1.evil.example:80", "chat.example", "chat.example:8", "evil.example:127", ":80",
          "127.0.0.1-evil"}) {
        INFO(foreign);
        std::string rebound = request_to(foreign);
        rebound.insert(rebound.size() - 2, "Origin: http://" + foreign + "\r\n");
        CHECK(here.status(rebound) == "403");
        CHECK(here.status("GET / HTTP/1.1\r\nHost: " + foreign + "\r\n\r\n") == "403");
    }
    CHECK(here.status("GET / HTTP/1.0\r\n\r\n") == "403");
    CHECK(here.status(request_to("127.0.0.1", "/other")) == "404");
    CHECK(here.status("GET /other HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == "404");
}

TEST_CASE("web_chat: a page gets a sign of life every 15 seconds, whatever it says", "[websocket]")
{
    house here;
    auto [member, peer] = here.browser();
    peer.send(joining("ann"));
    CHECK(heard_by(peer) == strings{"text * you are ann", "text * ann is here"});
    for (int i = 0; i < 5; ++i) { // it says what has no answer
        here.loop.advance(14s);
        CHECK(heard_by(peer).empty());
        peer.send(frame(fin | text, ""));
        here.loop.advance(1s);
        CHECK(heard_by(peer) == strings{"text "});
    }
    peer.window(0);
    for (int i = 0; i < 30; ++i)
        here.room.say(std::string(4000, 'x'));
    here.loop.settle();
    CHECK(member->write_paused());
    const std::size_t before = member->pending_output();
    here.loop.advance(45s);
    CHECK(member->pending_output() == before);
}

TEST_CASE("web_chat: who does not join is told so after a minute", "[websocket]")
{
    house here;
    auto [member, peer] = here.browser();
    peer.send(request_to("127.0.0.1") + frame(fin | text, "/nick ann"));
    for (int i = 0; i < 59; ++i) { // pings do not count as joining
        here.loop.advance(1s);
        peer.send(frame(fin | pong, ""));
    }
    CHECK_FALSE(peer.ended());
    here.loop.advance(2s);
    CHECK(heard_by(peer).back() == "close 1008 nobody has joined");
    here.loop.advance(10s);
    CHECK(peer.ended());
}

TEST_CASE("web_chat: a peer that sends a byte a minute does not stay", "[websocket]")
{
    house here;
    const auto minutes_of = [&](asynchat::testing::peer& peer, const std::string& input) {
        for (std::size_t minute = 0; minute < input.size(); ++minute) {
            peer.send(input.substr(minute, 1));
            here.loop.settle();
            if (peer.ended())
                return minute;
            here.loop.advance(60s);
            static_cast<void>(peer.received());
        }
        return input.size();
    };
    {
        auto [member, peer] = here.browser(); // its request
        CHECK(minutes_of(peer, request_to("127.0.0.1")) <= 2);
        CHECK(member->closed());
    }
    {
        auto [member, peer] = here.browser(); // what it says before it joins
        peer.send(request_to("127.0.0.1"));
        here.loop.settle();
        CHECK(minutes_of(peer, frame(fin | text, "/nick ann")) <= 2);
        CHECK(member->closed());
    }
    {
        auto [member, peer] = here.browser(); // and after it has joined
        peer.send(joining("ann"));
        here.loop.settle();
        REQUIRE(here.room.find("ann"));
        CHECK(minutes_of(peer, frame(fin | text, "hello to all")) <= 8); // a header, then 2 minutes
        CHECK(member->closed());
    }
    {
        auto [member, peer] = here.terminal();
        CHECK(minutes_of(peer, "/nick carl\n") <= 2);
        CHECK(member->closed());
    }
    {
        auto [member, peer] = here.terminal();
        peer.send("/nick carl\n/join\n");
        here.loop.settle();
        REQUIRE(here.room.find("carl"));
        CHECK(minutes_of(peer, "hello to all") <= 3);
        CHECK(member->closed());
    }
    CHECK(here.room.members().empty());
}

TEST_CASE("web_chat: a new member is not slow before it has read the last lines", "[websocket]")
{
    house here;
    auto [talker, lines] = here.terminal();
    lines.send("/nick talker\n/join\n");
    const std::string misleading = "\xe2\x80\xae"; // each becomes \u{202e}
    std::string longest;
    while (longest.size() + misleading.size() <= web_chat::longest_message)
        longest += misleading;
    lines.send("first\n" + std::string(web_chat::longest_message, 'x') + "\n" + longest + "\n" +
               std::string(web_chat::longest_message, 'y') + "\nlast\n");
    here.loop.settle();
    auto [member, peer] = here.browser();
    peer.send(joining("ann"));
    here.loop.settle();
    CHECK_FALSE(member->write_paused());
    const strings all = heard_by(peer);
    REQUIRE(all.size() == 4);
    CHECK(all[1] == "text <talker> " + std::string(web_chat::longest_message, 'y'));
    CHECK(all[2] == "text <talker> last");
    CHECK(all[3] == "text * ann is here");

    peer.send(frame(fin | text, std::string(web_chat::longest_message, 'z')));
    CHECK(heard_by(peer).size() == 1);
    peer.send(frame(fin | text, std::string(web_chat::longest_message + 1, 'z')));
    CHECK(heard_by(peer) == strings{"close 1009 the message is too long"});
    lines.send(std::string(web_chat::longest_message + 1, 'z') + "\n");
    here.loop.settle();
    const std::string said = lines.received();
    CHECK(said.find("! a line has 40000 bytes at most\n") != said.npos);
}
