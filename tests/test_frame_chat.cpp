// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/frame_recorder.hpp"
#include "support/recording_chat.hpp"

#include <asynchat/asynchat.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using asynchat::close_reason;
using asynchat::terminator;
using Catch::Matchers::ContainsSubstring;
using support::bench;
using support::frame_recorder;
using support::frames;
using support::user_error;
using namespace std::string_literals;

namespace {

using frame_bench = bench<frame_recorder>;

} // namespace

TEST_CASE("frame_chat: a frame is one callback, an empty one too", "[frame_chat]")
{
    frame_bench channel("\r\n");
    CHECK(channel.recv("one\r\n\r\ntwo\r") == "frame('one') frame('')");
    CHECK(channel.recv("\nthr") == "frame('two')");
    CHECK(channel.recv("ee\r\nfour\r\n") == "frame('three') frame('four')");
}

TEST_CASE("frame_chat: a terminator set by the callback acts on what follows", "[frame_chat]")
{
    frame_bench channel("\n");
    channel.chat->on_frame = [&](std::string_view) {
        const bool header = channel.chat->get_terminator().is_bytes();
        header ? channel.chat->set_terminator(5) : channel.chat->set_terminator("\n");
    };
    CHECK(channel.recv("ECHO 5\nhelloECHO") == "frame('ECHO 5') frame('hello')");
    CHECK(channel.recv(" 5\nhe") == "frame('ECHO 5')");
    CHECK(channel.recv("llo") == "frame('hello')");
}

TEST_CASE("frame_chat: what belongs to no frame is collected", "[frame_chat]")
{
    SECTION("without a terminator")
    {
        frame_bench channel;
        CHECK(channel.recv("ab\n") == "collect('ab\\n')");
    }
    SECTION("after a spent count")
    {
        frame_bench channel(2);
        CHECK(channel.recv("abcd") == "frame('ab') collect('cd')");
    }
    SECTION("at the end of the stream, held-back bytes included")
    {
        frame_bench channel("\r\n");
        CHECK(channel.recv("ab\r").empty());
        CHECK(channel.eof() == "collect('ab\\r') handle_eof closed");
    }
    SECTION("when its terminator is taken away")
    {
        frame_bench channel("\r\n");
        channel.recv("ab");
        channel.chat->set_terminator(std::nullopt);
        CHECK(channel.recv("cd") == "collect('ab') collect('cd')");
    }
    SECTION("and nothing is lost when the callback throws")
    {
        frame_bench channel("\r\n");
        channel.chat->survives = true;
        bool throws = true;
        channel.chat->on_collect = [&] {
            channel.chat->unframed.clear();
            if (std::exchange(throws, false))
                throw user_error();
        };
        channel.recv("ab");
        channel.chat->set_terminator(std::nullopt);
        CHECK(channel.recv("cd") == "collect('ab') handle_error");
        CHECK(channel.recv("ef") == "collect('ab') collect('cdef')");
    }
    SECTION("nor what comes when there is no terminator")
    {
        frame_bench channel;
        channel.chat->survives = true;
        bool throws = true;
        channel.chat->on_collect = [&] {
            if (std::exchange(throws, false))
                throw user_error();
        };
        CHECK(channel.recv("ab") == "collect('ab') handle_error");
        CHECK(channel.recv("cd") == "collect('abcd')");
    }
}

TEST_CASE("frame_chat: a frame that threw is not delivered again, the ones behind it are",
          "[frame_chat]")
{
    const auto chunk = GENERATE(as<std::size_t>{}, 1, 4, 100);
    frame_bench channel("\n");
    channel.chat->survives = true;
    channel.chat->on_frame = [](std::string_view frame) {
        if (frame == "bad")
            throw user_error();
    };
    const std::string input = "one\nbad\ntwo\n";
    channel.recv(input, chunk);
    channel.recv("three\n");
    CHECK(channel.chat->seen == frames{"one", "bad", "two", "three"});
}

TEST_CASE("frame_chat: pausing in a frame keeps the rest", "[frame_chat]")
{
    frame_bench channel("\n");
    channel.chat->on_frame = [&](std::string_view) { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\nc") == "frame('a')");
    CHECK(channel.recv("\n").empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == "frame('b')");
    channel.chat->resume_reading();
    CHECK(channel.tick() == "frame('c')");
}

TEST_CASE("frame_chat: nothing is delivered after close() and close_when_done()", "[frame_chat]")
{
    const bool at_once = GENERATE(false, true);
    frame_bench channel("\n");
    channel.chat->on_frame = [&](std::string_view) {
        at_once ? channel.chat->close() : channel.chat->close_when_done();
    };
    channel.recv("a\nb\nc");
    CHECK(channel.chat->seen == frames{"a"});
    CHECK(channel.chat->unframed.empty());
    CHECK_FALSE(channel.open());
}

TEST_CASE("frame_chat: the frame outlives whatever its callback discards", "[frame_chat]")
{
    frame_bench channel("\n");
    frames kept;
    channel.chat->on_frame = [&](std::string_view frame) {
        channel.chat->discard_buffers();
        kept.emplace_back(frame);
    };
    const std::string half(300, 'x');
    channel.recv(half);
    channel.recv(half + "\nlost");
    channel.recv("whole\nlost");
    CHECK((kept == frames{half + half, "whole"}));
}

TEST_CASE("frame_chat: take_frame() gives the frame away", "[frame_chat]")
{
    frame_bench channel("\n");
    frames taken;
    channel.chat->on_frame = [&](std::string_view) { taken.push_back(channel.chat->take_frame()); };
    SECTION("from the receive buffer")
    {
        channel.recv("one\ntwo\n");
        CHECK(taken == frames{"one", "two"});
    }
    SECTION("from the channel's storage, without copying it")
    {
        const void* shown = nullptr;
        channel.chat->on_frame = [&](std::string_view frame) {
            shown = frame.data();
            taken.push_back(channel.chat->take_frame());
        };
        channel.recv(std::string(100, 'x'));
        channel.recv("y\n");
        REQUIRE((taken == frames{std::string(100, 'x') + "y"}));
        CHECK(shown == taken[0].data());
        channel.recv("next\n");
        CHECK(taken.back() == "next");
    }
    SECTION("only inside of the callback")
    {
        channel.recv("one\n");
        CHECK_THROWS_AS(channel.chat->take_frame(), std::logic_error);
    }
}

TEST_CASE("frame_chat: a large counted frame is received straight into it", "[frame_chat]")
{
    const std::size_t size = 300000;
    frame_bench channel("\n");
    channel.chat->max_frame(size);
    channel.chat->on_frame = [&](std::string_view frame) {
        channel.chat->set_terminator(frame == "size" ? terminator(size) : terminator("\n"));
    };
    std::string body;
    while (body.size() < size)
        body += std::to_string(body.size()) + ' ';
    body.resize(size);
    const std::size_t piece = GENERATE(as<std::size_t>{}, 1000, 65536, 70000, 1000000);
    const std::string input = "size\n" + body + "end\nsize\n" + body;
    channel.recv(input, piece);
    CHECK((channel.chat->seen == frames{"size", body, "end", "size", body}));
    CHECK(channel.chat->unframed.empty());

    SECTION("and what was begun is not lost at the end of the stream")
    {
        channel.recv("size\n");
        channel.recv(body.substr(0, 100000));
        channel.eof();
        CHECK((channel.chat->unframed == body.substr(0, 100000)));
    }
    SECTION("nor when there was nothing to receive after all")
    {
        channel.recv("size\n");
        channel.recv_error(EAGAIN);
        channel.recv(body.substr(0, 100000));
        channel.recv_error(EAGAIN);
        channel.recv(body.substr(100000));
        CHECK(channel.chat->seen.back() == body);
    }
    SECTION("nor kept when it is discarded")
    {
        channel.recv("size\n");
        channel.recv(body.substr(0, 100000));
        channel.chat->discard_buffers();
        channel.chat->set_terminator("\n");
        channel.recv("next\n");
        CHECK(channel.chat->seen.back() == "next");
    }
}

TEST_CASE("frame_chat: a limit that becomes lower than the begun frame is judged", "[frame_chat]")
{
    const std::string rest = GENERATE(as<std::string>{}, "\n", "4\n", "45678901\n");
    frame_bench channel("\n");
    channel.recv("123");
    channel.chat->max_frame(2);
    channel.recv(rest);
    CHECK(channel.chat->seen.empty());
    CHECK(channel.reason() == close_reason::frame_limit);
}

TEST_CASE("frame_chat: memory that a frame used before shows nothing of it", "[frame_chat]")
{
    const std::size_t piece = GENERATE(as<std::size_t>{}, 999, 20000, 65536);
    frame_bench channel("\n");
    auto& chat = *channel.chat;
    chat.max_frame(asynchat::unlimited);
    chat.on_frame = [&](std::string_view frame) {
        if (frame.size() < 10)
            chat.set_terminator(std::stoul(std::string(frame)));
        else
            chat.set_terminator("\n");
    };
    const auto receive = [&](const std::string& input) { channel.recv(input, piece); };
    // The sizes are near enough for one to be read into the memory of the other.
    receive("150000\n" + std::string(150000, 'a') + "100000\n" + std::string(100000, 'b'));
    receive("120000\n" + std::string(120000, 'c'));
    CHECK((chat.seen == frames{"150000", std::string(150000, 'a'), "100000",
                               std::string(100000, 'b'), "120000", std::string(120000, 'c')}));
    receive("130000\n" + std::string(70000, 'd'));
    SECTION("at the end of the stream")
    {
        channel.eof();
        CHECK((chat.unframed == std::string(70000, 'd')));
    }
    SECTION("when the frame is discarded")
    {
        chat.discard_buffers();
        chat.set_terminator("\n");
        receive("110000\n" + std::string(110000, 'e'));
        CHECK((chat.seen.back() == std::string(110000, 'e')));
    }
    SECTION("when the frame has its end taken away")
    {
        chat.set_terminator(std::nullopt);
        receive("ff");
        CHECK((chat.unframed == std::string(70000, 'd') + "ff"));
    }
    SECTION("when the frame gets another end")
    {
        chat.set_terminator(2);
        receive("ff");
        CHECK((chat.seen.back() == std::string(70000, 'd') + "ff"));
    }
}

TEST_CASE("frame_chat: an override of get_terminator that changes its mind sees held bytes again",
          "[frame_chat]")
{
    class steering_recorder : public frame_recorder {
    public:
        using frame_recorder::frame_recorder;
        const terminator& get_terminator() const override { return wanted; }
        terminator wanted = "\r\n";
    };
    bench<steering_recorder> channel;
    channel.recv("ab\r");
    channel.chat->wanted = "\r\r";
    channel.recv("\rc\r\r");
    CHECK(channel.chat->seen == frames{"ab", "c"});
}

TEST_CASE("frame_chat: max_frame bounds what is kept", "[frame_chat]")
{
    SECTION("a frame of a string over the limit ends the channel")
    {
        const auto chunk = GENERATE(as<std::size_t>{}, 1, 3, 100);
        frame_bench channel("\r\n");
        channel.chat->max_frame(5);
        const std::string input = "12345\r\n123456\r\nnext\r\n";
        channel.recv(input, chunk);
        CHECK(channel.chat->seen == frames{"12345"});
        CHECK(channel.reason() == close_reason::frame_limit);
        CHECK_THAT(channel.chat->logs, ContainsSubstring("longer than 5 bytes"));
    }
    SECTION("a count over it is refused before a byte is taken")
    {
        frame_bench channel("\n");
        channel.chat->max_frame(10);
        CHECK_THROWS_AS(channel.chat->set_terminator(11), std::length_error);
        CHECK_THROWS_AS(channel.chat->set_terminator(21, 20), std::length_error);
        CHECK(channel.chat->get_terminator() == terminator("\n"));
        channel.chat->set_terminator(20, 20);
        channel.recv(std::string(20, 'x'));
        CHECK(channel.chat->seen == frames{std::string(20, 'x')});
    }
}

TEST_CASE("frame_chat: an echo over real sockets", "[frame_chat]")
{
    class echo : public asynchat::frame_chat {
    public:
        echo(asynchat::loop& owner, asynchat::socket from) : frame_chat(owner, std::move(from))
        {
            set_terminator("\n");
        }
        void found_frame(std::string_view frame) override
        {
            push(frame);
            push("\n");
            if (frame == "quit")
                close_when_done();
        }
    };
    asynchat::loop loop;
    auto ends = asynchat::socket::pair();
    loop.create<echo>(std::move(ends.first));
    const std::string line = std::string(1000, 'x') + "\n";
    REQUIRE(::send(ends.second.native_handle(), (line + "quit\n").data(), line.size() + 5, 0) ==
            static_cast<ssize_t>(line.size() + 5));
    loop.run();
    char answer[4096];
    const auto size = ::recv(ends.second.native_handle(), answer, sizeof answer, 0);
    REQUIRE(size == static_cast<ssize_t>(line.size() + 5));
    CHECK((std::string(answer, static_cast<std::size_t>(size)) == line + "quit\n"));
}
