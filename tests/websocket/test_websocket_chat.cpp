// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "cases.hpp"
#include "support.hpp"

#include <asynchat/escape.hpp>

#include <numeric>

using namespace support;
using namespace std::chrono_literals;

namespace {

struct both_sides {
    strings events; // of the channel
    strings frames; // that the peer gets
};

/// What has to become of a case, as the machine tells it.
both_sides expected_of(const websocket_case& each)
{
    both_sides all{{"upgrade /chat", "open"}, {}};
    bool has_ended = false;
    for (const std::string& line : each.outcome) {
        const std::string kind = line.substr(0, line.find(' '));
        const std::string rest = line.substr(kind.size() + 1);
        if (kind == "text" || kind == "binary")
            all.events.push_back(line);
        if (kind == "ping")
            all.frames.push_back("pong " + rest);
        if (kind == "close") {
            all.events.push_back(line);
            all.frames.push_back(rest == "1005 " ? "close" : "close " + rest.substr(0, 5));
        }
        if (kind == "fault") {
            all.events.push_back("close " + rest);
            all.frames.push_back("close " + rest);
        }
        has_ended = has_ended || kind == "close" || kind == "fault";
    }
    if (!has_ended)
        all.events.push_back("close 1006 ");
    all.events.push_back(has_ended ? "end local" : "end peer finished");
    return all;
}

/// The reason of a fault is for people.
strings without_reasons_of_faults(strings lines, const websocket_case& each)
{
    const bool is_fault = !each.outcome.empty() && each.outcome.back().substr(0, 5) == "fault";
    for (std::string& line : lines) {
        if (is_fault && line.substr(0, 6) == "close ")
            line.resize(10);
    }
    return lines;
}

both_sides play(const websocket_case& each, std::size_t piece, std::uint64_t seed = 0)
{
    asynchat::testing::loop loop(seed);
    if (seed != 0) {
        loop.faults().cut = 400;
        loop.faults().block = 200;
    }
    auto [chat, peer] = loop.accept<noting>();
    peer.send(usual_request + each.input, piece);
    std::string sent = peer.received();
    peer.finish();
    sent += peer.received();
    REQUIRE(sent.substr(0, usual_answer.size()) == usual_answer);
    CHECK(peer.ended());
    CHECK_FALSE(peer.was_reset());
    return {without_reasons_of_faults(chat->events, each),
            without_reasons_of_faults(frames_in(sent.substr(usual_answer.size())), each)};
}

} // namespace

TEST_CASE("websocket_chat: the cases of RFC 6455, over a connection", "[websocket]")
{
    for (const websocket_case& each : all_websocket_cases()) {
        INFO(each.section << ": " << each.what << ": " << asynchat::escaped(each.input, 60));
        const both_sides expected = expected_of(each);
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100000}}) {
            if (piece == 1 && each.input.size() > 2000)
                continue;
            INFO("pieces of " << piece);
            const both_sides found = play(each, piece);
            CHECK(found.events == expected.events);
            CHECK(found.frames == expected.frames);
        }
    }
}

TEST_CASE("websocket_chat: the cases with short receives and sends", "[websocket]")
{
    std::uint64_t seed = 1;
    for (const websocket_case& each : all_websocket_cases()) {
        INFO(each.section << ": " << each.what << ", seed " << seed);
        const both_sides found = play(each, 50, seed++);
        const both_sides expected = expected_of(each);
        CHECK(found.events == expected.events);
        CHECK(found.frames == expected.frames);
    }
}

// --- the request ---------------------------------------------------------------------------------

namespace {

std::string answer_to(const std::string& request, websocket_options options = {})
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<noting>(options);
    peer.send(request);
    std::string answer = peer.received();
    if (answer.substr(9, 3) != "101")
        CHECK(peer.ended());
    return answer.substr(9, 3) + " " + answer;
}

std::string status_of(const std::string& request, websocket_options options = {})
{
    return answer_to(request, std::move(options)).substr(0, 3);
}

std::string from(const std::string& origin, const std::string& host = "server.example.com")
{
    std::string request = request_with("Origin: " + origin + "\r\n");
    return request.replace(request.find("server.example.com"), 18, host);
}

} // namespace

TEST_CASE("websocket_chat: only pages of the same host may connect", "[websocket]")
{
    CHECK(status_of(usual_request) == "101"); // no page
    CHECK(status_of(from("http://server.example.com")) == "101");
    CHECK(status_of(from("https://SERVER.example.com")) == "101");
    CHECK(status_of(from("http://server.example.com:81", "server.example.com:81")) == "101");
    CHECK(status_of(from("http://localhost:3000", "localhost:7000")) == "403");
    CHECK(status_of(from("http://server.example.com:81")) == "403");
    CHECK(status_of(from("http://server.example.com.evil.example")) == "403");
    CHECK(status_of(from("http://evil.example")) == "403");
    CHECK(status_of(from("null")) == "403");
    CHECK(status_of(from("")) == "403");
    CHECK(status_of(from("server.example.com")) == "403");
    CHECK(status_of(from("file://server.example.com")) == "403");
    CHECK(status_of(from("http://")) == "403");
}

TEST_CASE("websocket_chat: origins can be added, any can be allowed, one can be required",
          "[websocket]")
{
    const auto two = websocket_options().allow_origin("https://a.example").allow_origin("null");
    CHECK(status_of(from("https://a.example"), two) == "101");
    CHECK(status_of(from("null"), two) == "101");
    CHECK(status_of(from("http://a.example"), two) == "403");
    CHECK(status_of(from("http://server.example.com"), two) == "101");
    CHECK(status_of(from("http://evil.example"), websocket_options().allow_any_origin()) == "101");
    CHECK(status_of(usual_request, websocket_options().require_origin()) == "403");
    CHECK(status_of(from("http://server.example.com"), websocket_options().require_origin()) ==
          "101");
    const auto both = websocket_options().require_origin().allow_any_origin();
    CHECK(status_of(usual_request, both) == "403");
}

TEST_CASE("websocket_chat: what is no upgrade gets an answer that says why", "[websocket]")
{
    CHECK(answer_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n") ==
          "404 HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
          "Content-Length: 37\r\nConnection: close\r\n\r\n404 Not Found: there is nothing here\n");
    for (const std::string method : {"POST", "HEAD"}) { // the answer to HEAD must not have a body
        CHECK(answer_to(method + " / HTTP/1.1\r\nHost: a\r\n\r\n") ==
              "405 HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\n"
              "Content-Length: 0\r\nConnection: close\r\nAllow: GET\r\n\r\n");
    }
    std::string old = usual_request;
    old.replace(old.find("13"), 2, "8");
    CHECK(answer_to(old).find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
    CHECK(status_of(old) == "426");
    CHECK(status_of("\n\r\n\r\n") == "400");
    CHECK(status_of("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x')) == "431");
}

TEST_CASE("websocket_chat: handle_upgrade() decides", "[websocket]")
{
    asynchat::testing::loop loop;
    auto [refusing, one] = loop.accept<noting>();
    refusing->on_upgrade = [](const upgrade_request&) { return false; };
    one.send(usual_request + frame(fin | text, "x"));
    CHECK(one.received().substr(0, 22) == "HTTP/1.1 404 Not Found");
    CHECK(refusing->events == strings{"upgrade /chat", "end local"});

    auto [answering, two] = loop.accept<noting>();
    answering->on_upgrade = [&chat = *answering](const upgrade_request& request) {
        if (request.cookie("session") == "good")
            return true;
        chat.respond(401, "text/plain", "who?", "WWW-Authenticate: x\r\n");
        return false;
    };
    two.send(usual_request);
    CHECK(two.received() == "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\n"
                            "Content-Length: 4\r\nConnection: close\r\nWWW-Authenticate: x\r\n\r\n"
                            "who?");
    CHECK(two.ended());
}

TEST_CASE("websocket_chat: the first of its sub-protocols that is offered", "[websocket]")
{
    const auto options = websocket_options().add_protocol("b").add_protocol("c");
    const auto chosen = [&](const std::string& offered) {
        asynchat::testing::loop loop;
        auto [chat, peer] = loop.accept<noting>(options);
        std::string seen;
        chat->on_upgrade = [&seen, &chat = *chat](const upgrade_request&) {
            seen = chat.protocol();
            return true;
        };
        peer.send(request_with(offered));
        const std::string answer = peer.received();
        CHECK((answer.find("Sec-WebSocket-Protocol: " + seen + "\r\n") != answer.npos) ==
              !seen.empty());
        CHECK(chat->protocol() == seen);
        return seen;
    };
    CHECK(chosen("Sec-WebSocket-Protocol: a, c, b\r\n") == "b");
    CHECK(chosen("Sec-WebSocket-Protocol: c\r\n") == "c");
    CHECK(chosen("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: c\r\n") == "c");
    CHECK(chosen("Sec-WebSocket-Protocol: B\r\n").empty());
    CHECK(chosen("").empty());
    CHECK_THROWS_AS(websocket_options().add_protocol("a b"), std::invalid_argument);
    CHECK_THROWS_AS(websocket_options().add_protocol(""), std::invalid_argument);
}

namespace {

class with_page : public noting {
public:
    using noting::noting;
    void handle_http(const upgrade_request& request) override
    {
        asked = request.path();
        if (asked == "/later")
            call_later(5s, [this] { respond(200, "text/html", "late"); });
        else
            respond(200, "text/html", "<p>page", "X-One: 1\r\n");
        if (asked == "/twice")
            respond(200, "text/html", "again");
    }
    void handle_error() override { events.push_back(exception_text()); }
    std::string asked;
};

} // namespace

TEST_CASE("websocket_chat: a page is served on the same port, also later", "[websocket]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<with_page>();
    peer.send("GET /?x HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(peer.received() == "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\n"
                             "Connection: close\r\nX-One: 1\r\n\r\n<p>page");
    CHECK(chat->asked == "/");
    CHECK_NOTHROW(chat->respond(200, "text/html", "")); // it has ended

    auto [twice, third] = loop.accept<with_page>();
    third.send("GET /twice HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(third.received().find("again") == std::string::npos);
    REQUIRE(twice->events.size() == 2);
    CHECK(twice->events[0].substr(0, 16) == "std::logic_error");

    auto [late, other] = loop.accept<with_page>();
    other.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(other.received().empty());
    loop.advance(5s);
    CHECK(other.received().substr(0, 15) == "HTTP/1.1 200 OK");
    CHECK(late->asked == "/later");
    CHECK_THROWS_AS(loop.accept<with_page>().first->respond(200, "", ""), std::logic_error);
}

TEST_CASE("websocket_chat: what comes behind the request does not overtake the answer",
          "[websocket]")
{
    const std::string request = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    asynchat::testing::loop loop;
    auto [flooded, one] = loop.accept<with_page>();
    auto [finished, two] = loop.accept<with_page>();
    auto [reset, three] = loop.accept<with_page>();
    one.send(request + std::string(9000, 'x'));
    two.send(request);
    two.finish();
    three.send(request);
    loop.settle();
    three.reset();
    CHECK(one.received().empty());
    CHECK(two.received().empty());
    CHECK_FALSE(two.ended());
    loop.advance(5s);
    for (auto* const each : {&one, &two}) {
        CHECK(each->received().substr(0, 15) == "HTTP/1.1 200 OK");
        CHECK(each->ended());
    }
    CHECK(flooded->events == strings{"end local"});
    CHECK(finished->events == strings{"end local"});
    CHECK(reset->events == strings{"end reset"});
}

TEST_CASE("websocket_chat: an exception that the channel survives is answered with 500",
          "[websocket]")
{
    class throwing : public noting {
    public:
        using noting::noting;
        void handle_http(const upgrade_request&) override { throw std::runtime_error("oops"); }
        void handle_error() override { events.push_back("error"); }
    };
    asynchat::testing::loop loop;
    auto [upgrading, one] = loop.accept<throwing>();
    upgrading->on_upgrade = [](const upgrade_request&) -> bool {
        throw std::runtime_error("oops");
    };
    one.send(usual_request);
    CHECK(one.received().substr(0, 34) == "HTTP/1.1 500 Internal Server Error");
    CHECK(one.ended());
    CHECK(upgrading->events == strings{"upgrade /chat", "error", "end local"});

    auto [serving, two] = loop.accept<throwing>();
    two.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(two.received().substr(0, 12) == "HTTP/1.1 500");
    CHECK(serving->events == strings{"error", "end local"});

    auto [open, three] = loop.accept<throwing>(); // it was answered
    open->on_open = [] { throw std::runtime_error("oops"); };
    three.send(usual_request);
    CHECK(three.received() == usual_answer);
    three.send(frame(fin | text, "x"));
    loop.settle();
    CHECK(open->events == strings{"upgrade /chat", "open", "error", "text x"});
}

TEST_CASE("websocket_chat: a request has to be complete in time", "[websocket]")
{
    asynchat::testing::loop loop;
    auto [slow, one] = loop.accept<noting>();
    auto [silent, two] = loop.accept<noting>();
    one.send("GET / HTTP/1.1\r\n");
    for (int i = 0; i < 119; ++i) {
        loop.advance(1s);
        one.send("x");
    }
    CHECK(one.received().empty());
    loop.advance(2s);
    CHECK(one.received().substr(0, 28) == "HTTP/1.1 408 Request Timeout");
    CHECK(two.ended());
    CHECK(silent->close_reason() == asynchat::close_reason::frame_timeout);
}

TEST_CASE("websocket_chat: frame_timeout() is for a silent client too", "[websocket]")
{
    class quick : public noting {
    public:
        quick(asynchat::loop& owner, asynchat::socket from) : noting(owner, std::move(from))
        {
            frame_timeout(5s);
        }
    };
    asynchat::testing::loop loop;
    auto [chat, silent] = loop.accept<quick>();
    auto [later, open] = loop.accept<quick>();
    auto [patient, third] = loop.accept<noting>();
    patient->frame_timeout(0s);
    open.send(usual_request);
    later->frame_timeout(3s); // the time of pings stays
    loop.advance(4900ms);
    CHECK_FALSE(silent.ended());
    loop.advance(200ms);
    CHECK(silent.ended());
    CHECK(chat->close_reason() == asynchat::close_reason::frame_timeout);
    CHECK(chat->frame_timeout() == 5s);
    CHECK(static_cast<asynchat::dispatcher&>(*later).silence_interval() == 30s);
    loop.advance(600s);
    CHECK_FALSE(third.ended());
}

TEST_CASE("websocket_chat: the time of a request begins with the connection", "[websocket]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<noting>();
    loop.advance(119s);
    peer.send("GET /");
    loop.settle();
    CHECK_FALSE(peer.ended());
    loop.advance(2s);
    CHECK(peer.received().substr(0, 12) == "HTTP/1.1 408");
    CHECK(peer.ended());

    auto [paused, other] = loop.accept<noting>(); // the time in which it does not read is its own
    paused->pause_reading();
    other.send("GET /");
    loop.advance(600s);
    paused->resume_reading();
    loop.advance(119s);
    CHECK_FALSE(other.ended());
    loop.advance(2s);
    CHECK(other.received().substr(0, 12) == "HTTP/1.1 408");
}

namespace {

template <class T, class = void>
struct has_silence_interval : std::false_type {
};
template <class T>
struct has_silence_interval<T, std::void_t<decltype(std::declval<T&>().silence_interval(1s))>>
    : std::true_type {
};

} // namespace

TEST_CASE("websocket_chat: the times of pings are those of the options alone", "[websocket]")
{
    CHECK(has_silence_interval<asynchat::async_chat>::value);
    CHECK_FALSE(has_silence_interval<asynchat::websocket_chat>::value);
}

// --- output --------------------------------------------------------------------------------------

TEST_CASE("websocket_chat: a message is one frame, of any length", "[websocket]")
{
    opened one;
    strings expected;
    for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 100000U}) {
        const std::string message(size, 'x');
        CHECK(one.chat->push_text(std::string_view(message)));
        CHECK(one.chat->push_text(std::string(message)));
        CHECK(one.chat->push_binary(std::string_view(message)));
        CHECK(one.chat->push_binary(std::string(message)));
        CHECK(one.chat->push_frame(asynchat::websocket_frame(message)));
        CHECK(one.chat->push_frame(asynchat::websocket_frame(message, message_kind::binary)));
        for (const char* const kind : {"text ", "text ", "binary ", "binary ", "text ", "binary "})
            expected.push_back(kind + message);
    }
    CHECK(one.chat->push_text("literal"));
    CHECK(one.chat->push_binary("\0\1"));
    expected.push_back("text literal");
    expected.push_back(std::string("binary \0\1", 9));
    std::string bytes;
    for (std::string more = one.peer->received(); !more.empty(); more = one.peer->received())
        bytes += more;
    CHECK(frames_in(bytes) == expected);
}

TEST_CASE("websocket_chat: one message for many channels is in memory once", "[websocket]")
{
    asynchat::testing::loop loop;
    loop.window(10);
    std::vector<std::shared_ptr<noting>> members;
    std::vector<asynchat::testing::peer> peers;
    for (int i = 0; i < 10; ++i) {
        auto [chat, peer] = loop.accept<noting>();
        peer.send(usual_request);
        peer.received();
        members.push_back(chat);
        peers.push_back(std::move(peer));
    }
    const asynchat::websocket_frame frame(std::string(10000, 'x'));
    for (const auto& each : members)
        REQUIRE(each->push_frame(frame));
    CHECK(frame.bytes().use_count() == 11);
}

TEST_CASE("websocket_chat: nothing can be pushed before it is open and after a close",
          "[websocket]")
{
    asynchat::testing::loop loop;
    auto made = loop.accept<noting>();
    const std::shared_ptr<noting> chat = made.first;
    asynchat::testing::peer& peer = made.second;
    const asynchat::websocket_frame frame("x");
    const auto pushes = [&frame](noting& to) {
        return to.push_text("x") || to.push_text(std::string("x")) || to.push_binary("x") ||
               to.push_frame(frame) || to.push_close();
    };
    CHECK_FALSE(pushes(*chat));
    chat->on_upgrade = [&](const upgrade_request&) {
        CHECK_FALSE(chat->is_open());
        CHECK_FALSE(pushes(*chat));
        return true;
    };
    chat->on_open = [&] { CHECK(chat->push_text("hello")); };
    peer.send(usual_request);
    CHECK(frames_in(peer.received().substr(usual_answer.size())) == strings{"text hello"});
    CHECK(chat->is_open());
    CHECK(chat->push_close(1000, "bye"));
    CHECK_FALSE(chat->is_open());
    CHECK_FALSE(pushes(*chat));
    CHECK(frames_in(peer.received()) == strings{"close 1000 bye"});
}

TEST_CASE("websocket_chat: a message can be taken instead of copied", "[websocket]")
{
    opened one;
    strings taken;
    const char* where = nullptr;
    one.chat->on_message = [&](std::string_view data) {
        where = data.data();
        taken.push_back(one.chat->take_message());
    };
    const std::string message(1000, 'x');
    one.peer->send(frame(fin | text, message) + frame(fin | binary, "short"));
    one.loop.settle();
    one.peer->send(frame(fin | text, message), 100);
    one.loop.settle();
    CHECK(taken == strings{message, "short", message});
    CHECK(taken.back().data() == where); // the one that came in pieces
}

TEST_CASE("websocket_chat: messages as a whole, and in pieces, cut anywhere", "[websocket]")
{
    std::string input;
    strings expected;
    for (const std::size_t size : {0U, 1U, 7U, 8U, 31U, 64U, 125U, 126U, 127U, 200U}) {
        const std::string part(size, static_cast<char>('a' + size % 26));
        input +=
            frame(fin | text, part) + frame(fin | ping, "") + frame(fin | binary, part + '\xff');
        input +=
            frame(text, part) + frame(fin, part + "\xc3\xa4") + frame(fin | text, "\xe2\x82\xac");
        expected.insert(expected.end(), {"text " + part, "binary " + part + '\xff',
                                         "text " + part + part + "\xc3\xa4", "text \xe2\x82\xac"});
    }
    for (std::size_t at = 0; at <= input.size(); ++at) {
        opened one;
        one.peer->send(input.substr(0, at));
        one.loop.settle();
        one.peer->send(input.substr(at));
        one.loop.settle();
        if (one.chat->events != expected)
            FAIL("cut at " << at);
    }
}

TEST_CASE("websocket_chat: a wrong message that is there as a whole is as wrong as in pieces",
          "[websocket]")
{
    const std::string key = "\x80\x80\x80\x80";
    const std::string wrong[] = {
        frame(fin | text, "\xe1\xe2", key), // masked it is "ab"
        frame(fin | text, "eleven more"),
        bytes_of(fin | text, 1) + length_in(2, 5) + key + masked("hello", key),
    };
    const strings ends = {"close 1007 the text is not UTF-8", "close 1009 the message is too long",
                          "close 1002 a length that has a shorter form"};
    for (std::size_t i = 0; i < ends.size(); ++i) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
            opened one(websocket_options().max_message(10));
            one.peer->send(frame(fin | binary, "good") + wrong[i], piece);
            one.loop.settle();
            CHECK(one.chat->events == strings{"binary good", ends[i], "end local"});
        }
    }
}

TEST_CASE("websocket_chat: a message is two frames, however it comes", "[websocket]")
{
    asynchat::testing::loop loop;
    const asynchat::endpoint where("127.0.0.1", 80);
    const auto server = loop.create<asynchat::server<noting>>(where).lock();
    auto peer = loop.connect(where);
    const auto frames_of = [&](const std::string& input, std::size_t piece) {
        const auto before = server->counters().frames;
        peer.send(input, piece);
        loop.settle();
        return server->counters().frames - before;
    };
    CHECK(frames_of(usual_request, 1000) == 1);
    CHECK(frames_of(frame(fin | text, "1") + frame(fin | binary, "2"), 1000) == 4);
    CHECK(frames_of(frame(fin | text, "1") + frame(fin | binary, "2"), 1) == 4);
    CHECK(frames_of(frame(fin | text, ""), 1000) == 1); // it has no payload
}

TEST_CASE("websocket_chat: much output is sent between the messages of one receive", "[websocket]")
{
    opened one;
    one.chat->ac_out_buffer_size = 100;
    std::size_t most = 0;
    one.chat->on_message = [&](std::string_view data) {
        one.chat->push_text(data);
        most = std::max(most, one.chat->pending_output());
    };
    std::string input;
    strings expected;
    for (int i = 0; i < 100; ++i) {
        const std::string message = std::to_string(1000 + i) + std::string(36, 'x');
        input += frame(fin | text, message);
        expected.push_back("text " + message);
    }
    one.peer->send(input);
    CHECK(one.frames() == expected);
    CHECK(most < 200);
}

TEST_CASE("websocket_chat: an exception of handle_message() drops that message alone",
          "[websocket]")
{
    class brave : public noting {
    public:
        using noting::noting;
        void handle_error() override { events.push_back(exception_text()); }
    };
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<brave>();
    chat->on_message = [](std::string_view data) {
        if (data == "bad")
            throw std::runtime_error("oops");
    };
    peer.send(usual_request + frame(fin | text, "bad") + frame(fin | text, "good"));
    peer.send(frame(text, "b") + frame(fin, "ad") + frame(fin | text, "good"), 3);
    loop.settle();
    CHECK(chat->events == strings{"upgrade /chat", "open", "text bad", "std::runtime_error: oops",
                                  "text good", "text bad", "std::runtime_error: oops",
                                  "text good"});
    CHECK(chat->is_open());
}

TEST_CASE("websocket_chat: reading can be paused between messages", "[websocket]")
{
    opened one;
    one.chat->on_message = [&](std::string_view) { one.chat->pause_reading(); };
    one.peer->send(frame(fin | text, "1") + frame(fin | text, "2") + frame(fin | text, "3"));
    one.loop.settle();
    CHECK(one.chat->events == strings{"text 1"});
    one.chat->resume_reading();
    one.loop.settle();
    CHECK(one.chat->events == strings{"text 1", "text 2"});
    one.chat->push_close(); // which waits for an answer, thus reads
    one.peer->send(frame(fin | closing, close_body(1000)));
    one.loop.settle();
    CHECK(one.chat->events == strings{"text 1", "text 2", "close 1000 ", "end local"});
}

// --- the end -------------------------------------------------------------------------------------

TEST_CASE("websocket_chat: push_close() waits for the answer", "[websocket]")
{
    opened one;
    CHECK(one.chat->push_close(4000, "enough"));
    CHECK(one.frames() == strings{"close 4000 enough"});
    one.peer->send(frame(fin | text, "dropped") + frame(fin | ping, "no answer"));
    CHECK(one.frames().empty());
    CHECK_FALSE(one.peer->ended());
    one.peer->send(frame(fin | closing, close_body(4000)));
    CHECK(one.frames().empty()); // an answer has no answer
    CHECK(one.peer->ended());
    CHECK(one.chat->events == strings{"close 4000 ", "end local"});
}

TEST_CASE("websocket_chat: a close frame goes also over max_output()", "[websocket]")
{
    const std::string message(5000, 'x');
    const auto ends = [&](void (*how)(opened&), const std::string& close) {
        opened one;
        one.chat->max_output(1000);
        one.peer->window(10);
        CHECK(one.chat->push_text(message));
        one.loop.settle();
        CHECK(one.chat->pending_output() > 1000);
        how(one);
        one.loop.settle();
        CHECK_FALSE(one.peer->ended());
        one.peer->window(10000);
        std::string bytes;
        for (std::string more = one.peer->received(); !more.empty(); more = one.peer->received())
            bytes += more;
        CHECK(frames_in(bytes) == strings{"text " + message, close});
    };
    ends([](opened& one) { one.chat->push_close(1000, "bye"); }, "close 1000 bye");
    ends([](opened& one) { one.chat->handle_shutdown(); }, "close 1001 ");
    ends(
        [](opened& one) {
            one.chat->when_full(asynchat::full_output::reads_on);
            one.peer->send(frame(fin | closing, close_body(4000)));
        },
        "close 4000 ");
    ends(
        [](opened& one) {
            one.chat->when_full(asynchat::full_output::reads_on);
            one.peer->send(server_frame(fin | text, "x"));
        },
        "close 1002 a frame without a mask");
}

TEST_CASE("websocket_chat: the answer to push_close() has a deadline", "[websocket]")
{
    opened one(websocket_options().close_timeout(3s));
    one.chat->push_close();
    CHECK(one.frames() == strings{"close 1000 "});
    one.loop.advance(2900ms);
    CHECK_FALSE(one.peer->ended());
    one.peer->send(frame(fin | text, "never mind"));
    one.loop.advance(200ms);
    CHECK(one.peer->ended());
    CHECK(one.chat->events == strings{"close 1006 ", "end close timeout"});

    opened patient(websocket_options().close_timeout(0s));
    patient.chat->push_close();
    patient.loop.advance(60s);
    CHECK(patient.chat->events.empty());
}

TEST_CASE("websocket_chat: a fault behind push_close() ends it without another close",
          "[websocket]")
{
    opened one;
    one.chat->push_close();
    one.peer->send(server_frame(fin | text, "x"));
    CHECK(one.frames() == strings{"close 1000 "});
    CHECK(one.peer->ended());
    CHECK(one.chat->events == strings{"close 1002 a frame without a mask", "end local"});
}

TEST_CASE("websocket_chat: codes that must not be sent, and reasons that are too long",
          "[websocket]")
{
    opened one;
    for (const int code : {0, 999, 1004, 1005, 1006, 1015, 2999, 5000})
        CHECK_THROWS_AS(one.chat->push_close(static_cast<std::uint16_t>(code)),
                        std::invalid_argument);
    std::string reason(121, 'x');
    CHECK(one.chat->push_close(1011, reason + "\xe2\x82\xac"));
    CHECK(one.frames() == strings{"close 1011 " + reason});
}

TEST_CASE("websocket_chat: the end without a close frame is 1006", "[websocket]")
{
    opened finished;
    finished.peer->finish();
    finished.loop.settle();
    CHECK(finished.chat->events == strings{"close 1006 ", "end peer finished"});

    opened reset;
    reset.peer->send(frame(text, "begun"));
    reset.peer->reset();
    reset.loop.settle();
    CHECK(reset.chat->events == strings{"close 1006 ", "end reset"});

    opened own;
    own.chat->close();
    CHECK_FALSE(own.chat->is_open());
    own.loop.settle();
    CHECK(own.chat->events == strings{"end local"});

    asynchat::testing::loop loop;
    auto [early, peer] = loop.accept<noting>(); // it was no WebSocket yet
    peer.send("GET /");
    peer.finish();
    loop.settle();
    CHECK(early->events == strings{"end peer finished"});
}

TEST_CASE("websocket_chat: a server that stops says 1001", "[websocket]")
{
    asynchat::testing::loop loop;
    const asynchat::endpoint there("127.0.0.1", 80);
    const auto server = loop.create<asynchat::server<noting>>(there, websocket_options()).lock();
    auto peer = loop.connect(there);
    peer.send(usual_request);
    CHECK(peer.received() == usual_answer);
    auto waiting = loop.connect(there);
    waiting.send("GET /");
    loop.settle();
    server->stop(2s);
    CHECK(frames_in(peer.received()) == strings{"close 1001 "});
    CHECK(waiting.ended());
    peer.send(frame(fin | closing, close_body(1001)));
    CHECK(peer.ended());
    CHECK(server->counters().open == 0);
}

// --- pings ---------------------------------------------------------------------------------------

TEST_CASE("websocket_chat: a silent peer gets pings, and any input answers", "[websocket]")
{
    opened one;
    one.loop.advance(29s);
    CHECK(one.frames().empty());
    one.loop.advance(2s);
    CHECK(one.frames() == strings{"ping "});
    one.peer->send(frame(fin | pong, ""));
    one.loop.advance(29s);
    CHECK(one.frames().empty());
    one.loop.advance(2s);
    CHECK(one.frames() == strings{"ping "});
    one.loop.advance(8s);
    one.peer->send(frame(fin | text, "here")); // a sign of life
    one.loop.advance(29s);
    CHECK(one.frames().empty());
    one.loop.advance(2s);
    CHECK(one.frames() == strings{"ping "});
    one.loop.advance(8s);
    one.peer->send("\x81"); // half a header is one too
    one.loop.advance(29s);
    CHECK(one.frames().empty());
    one.loop.advance(2s);
    CHECK(one.frames() == strings{"ping "});
    one.loop.advance(11s);
    CHECK(one.peer->ended());
    CHECK(one.chat->events == strings{"text here", "close 1006 ", "end user"});
    CHECK(one.chat->close_text() == "no answer to a ping, see pong_timeout()");
}

TEST_CASE("websocket_chat: the times of pings can be set, and both be off", "[websocket]")
{
    opened quick(websocket_options().ping_interval(2s).pong_timeout(1s));
    quick.loop.advance(2100ms);
    CHECK(quick.frames() == strings{"ping "});
    quick.loop.advance(1100ms);
    CHECK(quick.peer->ended());

    opened off(websocket_options().ping_interval(0s));
    off.loop.advance(1h);
    CHECK(off.frames().empty());
    CHECK(off.chat->is_open());

    opened patient(websocket_options().ping_interval(10s).pong_timeout(0s));
    patient.loop.advance(35s);
    CHECK(patient.frames() == strings{"ping ", "ping ", "ping "});
    CHECK_THROWS_AS(websocket_options().ping_interval(-1s), std::invalid_argument);
    CHECK_THROWS_AS(websocket_options().pong_timeout(-1s), std::invalid_argument);
    CHECK_THROWS_AS(websocket_options().close_timeout(-1s), std::invalid_argument);
}

TEST_CASE("websocket_chat: no ping while output waits, and no end for want of an answer",
          "[websocket]")
{
    opened one(websocket_options().ping_interval(10s).pong_timeout(5s));
    one.peer->window(100);
    const std::string message(6000, 'x');
    REQUIRE(one.chat->push_text(message));
    std::string bytes;
    for (int i = 0; i < 50; ++i) { // the peer takes what it can, and has nothing to say
        one.loop.advance(1s);
        bytes += one.peer->received(100);
    }
    CHECK(one.chat->pending_output() > 0);
    while (bytes.size() < 6004)
        bytes += one.peer->received();
    CHECK(frames_in(bytes) == strings{"text " + message});
    one.loop.advance(11s);
    CHECK(one.frames() == strings{"ping "});

    one.peer->window(0); // this output comes behind the ping
    REQUIRE(one.chat->push_text(message));
    one.loop.advance(18s);
    CHECK(one.chat->is_open());
    one.peer->window(100000); // and now there is nothing more to send
    CHECK(one.frames() == strings{"text " + message});
    one.loop.advance(4s); // for its answer
    CHECK(one.chat->is_open());
    one.peer->send(frame(fin | pong, ""));
    one.loop.advance(9s);
    CHECK(one.frames().empty());

    one.loop.advance(2s);
    CHECK(one.frames() == strings{"ping "});
    one.peer->window(0);
    REQUIRE(one.chat->push_text(message));
    one.loop.advance(20s);
    CHECK(one.chat->is_open());
    one.loop.advance(60s);
    CHECK(one.chat->close_reason() == asynchat::close_reason::write_timeout);
}

TEST_CASE("websocket_chat: a peer that pings and reads nothing costs little", "[websocket]")
{
    for (const bool over_the_mark : {false, true}) {
        opened one;
        one.peer->window(0);
        one.chat->when_full(asynchat::full_output::reads_on);
        if (over_the_mark)
            one.chat->write_buffer_limits(1000, 100);
        const std::string message(2000, 'x');
        REQUIRE(one.chat->push_text(message));
        one.loop.settle();
        CHECK(one.chat->write_paused() == over_the_mark);
        const std::size_t before = one.chat->pending_output();
        for (int i = 0; i < 20; ++i) {
            std::string pings;
            for (int j = 0; j < 200; ++j)
                pings += frame(fin | ping, std::to_string(1000 + i) + std::string(121, 'x'));
            one.peer->send(pings);
            one.loop.settle();
            CHECK(one.chat->pending_output() == before);
        }
        one.peer->window(100000);
        CHECK(one.frames() ==
              strings{"text " + message, "pong 1019" + std::string(121, 'x')}); // the last one
        one.peer->send(frame(fin | ping, "again"));
        CHECK(one.frames() == strings{"pong again"});
    }
}

TEST_CASE("websocket_chat: of the pings that wait for an answer the last one gets it",
          "[websocket]")
{
    opened one;
    one.peer->window(0);
    const auto sends = [&](const std::string& input) {
        one.peer->send(input);
        one.loop.settle();
    };
    REQUIRE(one.chat->push_text("first"));
    one.loop.settle();
    sends(frame(fin | ping, "a") + frame(text, "half ") + frame(fin | ping, "a longer one"));
    REQUIRE(one.chat->push_text("second"));
    sends(frame(fin | ping, "") + frame(fin, "a message"));
    CHECK(one.chat->events == strings{"text half a message"});
    one.peer->window(1000);
    CHECK(one.frames() == strings{"text first", "pong ", "text second"});

    one.peer->window(0);
    REQUIRE(one.chat->push_text("third"));
    one.loop.settle();
    sends(frame(fin | ping, "b"));
    REQUIRE(one.chat->push_close());
    sends(frame(fin | ping, "too late"));
    one.peer->window(1000);
    CHECK(one.frames() == strings{"text third", "pong b", "close 1000 "});
}

// --- the options ---------------------------------------------------------------------------------

TEST_CASE("websocket_options: copies do not change each other", "[websocket]")
{
    websocket_options first;
    first.max_message(10);
    websocket_options second = first;
    second.max_message(20);
    websocket_options third;
    third = second;
    third = *&third;
    third.close_timeout(9s);
    CHECK(first.max_message() == 10);
    CHECK(second.max_message() == 20);
    CHECK(third.max_message() == 20);
    CHECK(second.close_timeout() == 5s);
    CHECK(third.close_timeout() == 9s);
    first = websocket_options();
    CHECK(first.max_message() == 65536);
    CHECK(first.ping_interval() == 30s);
    CHECK(first.pong_timeout() == 10s);
}

TEST_CASE("websocket_chat: a message over the limit is refused by its header", "[websocket]")
{
    opened one(websocket_options().max_message(10));
    CHECK(one.chat->options().max_message() == 10);
    one.peer->send(frame(fin | text, "0123456789") + frame(fin | text, "0123456789x").substr(0, 2));
    CHECK(one.frames() == strings{"close 1009 the message is too long"});
    CHECK(one.chat->events ==
          strings{"text 0123456789", "close 1009 the message is too long", "end local"});
}

TEST_CASE("websocket_chat: a message may be larger than a frame of an async_chat", "[websocket]")
{
    opened one(websocket_options().max_message(1 << 20));
    std::string message(300000, '\0');
    std::iota(message.begin(), message.end(), '\0');
    one.peer->send(frame(fin | binary, message), 10000);
    one.loop.settle();
    CHECK(one.chat->events == strings{"binary " + message});
}

TEST_CASE("websocket_chat: it is small", "[websocket]")
{
    CHECK(sizeof(asynchat::websocket_chat) <= sizeof(asynchat::async_chat) + 64);
}
