// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/chat_bench.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using asynchat::terminator;
using Catch::Matchers::ContainsSubstring;
using support::frame_bench;

namespace {

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("frame_chat: a frame is one callback, an empty one too", "[frame_chat]")
{
    frame_bench channel("\r\n");
    CHECK(channel.recv("one\r\n\r\ntwo\r") == texts{"frame one", "frame "});
    CHECK(channel.recv("\nthr") == texts{"frame two"});
    CHECK(channel.recv("ee\r\nfour\r\n") == texts{"frame three", "frame four"});
}

TEST_CASE("frame_chat: a terminator set by the callback acts on what follows", "[frame_chat]")
{
    frame_bench channel("\n");
    channel.chat->on_frame = [&](std::string_view) {
        const bool header = channel.chat->get_terminator().is_bytes();
        header ? channel.chat->set_terminator(5) : channel.chat->set_terminator("\n");
    };
    CHECK(channel.recv("ECHO 5\nhelloECHO") == texts{"frame ECHO 5", "frame hello"});
    CHECK(channel.recv(" 5\nhe") == texts{"frame ECHO 5"});
    CHECK(channel.recv("llo") == texts{"frame hello"});
}

TEST_CASE("frame_chat: what belongs to no frame is collected", "[frame_chat]")
{
    SECTION("without a terminator")
    {
        frame_bench channel;
        CHECK(channel.recv("ab\n") == texts{"collect ab\\n"});
    }
    SECTION("after a spent count")
    {
        frame_bench channel(2);
        CHECK(channel.recv("abcd") == texts{"frame ab", "collect cd"});
    }
    SECTION("at the end of the stream, held-back bytes included")
    {
        frame_bench channel("\r\n");
        CHECK(channel.recv("ab\r").empty());
        CHECK(channel.eof() == texts{"collect ab\\r", "eof", "close peer finished"});
    }
    SECTION("when its terminator is taken away")
    {
        frame_bench channel("\r\n");
        channel.recv("ab");
        channel.chat->set_terminator(std::nullopt);
        CHECK(channel.recv("cd") == texts{"collect abcd"});
    }
    SECTION("and nothing is lost when the callback throws")
    {
        frame_bench channel("\r\n");
        channel.chat->survives = true;
        bool throws = true;
        channel.chat->on_collect = [&](std::string_view) {
            if (std::exchange(throws, false))
                throw std::runtime_error("user");
        };
        channel.recv("ab");
        channel.chat->set_terminator(std::nullopt);
        CHECK(channel.recv("cd") == texts{"collect ab", "error user"});
        CHECK(channel.recv("ef") == texts{"collect abcdef"});
    }
    SECTION("nor what comes when there is no terminator")
    {
        frame_bench channel;
        channel.chat->survives = true;
        bool throws = true;
        channel.chat->on_collect = [&](std::string_view) {
            if (std::exchange(throws, false))
                throw std::runtime_error("user");
        };
        CHECK(channel.recv("ab") == texts{"collect ab", "error user"});
        CHECK(channel.recv("cd") == texts{"collect abcd"});
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
            throw std::runtime_error("user");
    };
    const std::string input = "one\nbad\ntwo\n";
    channel.peer.send(input, chunk);
    CHECK(channel.recv("three\n") ==
          texts{"frame one", "frame bad", "error user", "frame two", "frame three"});
}

TEST_CASE("frame_chat: pausing in a frame keeps the rest", "[frame_chat]")
{
    frame_bench channel("\n");
    channel.chat->on_frame = [&](std::string_view) { channel.chat->pause_reading(); };
    CHECK(channel.recv("a\nb\nc") == texts{"frame a"});
    CHECK(channel.recv("\n").empty());
    channel.chat->resume_reading();
    CHECK(channel.tick() == texts{"frame b"});
    channel.chat->resume_reading();
    CHECK(channel.tick() == texts{"frame c"});
}

TEST_CASE("frame_chat: nothing is delivered after close() and close_when_done()", "[frame_chat]")
{
    const bool at_once = GENERATE(false, true);
    frame_bench channel("\n");
    channel.chat->on_frame = [&](std::string_view) {
        at_once ? channel.chat->close() : channel.chat->close_when_done();
    };
    CHECK(channel.recv("a\nb\nc") ==
          (at_once ? texts{"frame a"} : texts{"frame a", "close local"}));
    CHECK_FALSE(channel.open());
}

TEST_CASE("frame_chat: the frame outlives whatever its callback discards", "[frame_chat]")
{
    frame_bench channel("\n");
    texts kept;
    channel.chat->on_frame = [&](std::string_view frame) {
        channel.chat->discard_buffers();
        kept.emplace_back(frame);
    };
    const std::string half(300, 'x');
    channel.recv(half);
    channel.recv(half + "\nlost");
    channel.recv("whole\nlost");
    CHECK((kept == texts{half + half, "whole"}));
}

TEST_CASE("frame_chat: take_frame() gives the frame away", "[frame_chat]")
{
    frame_bench channel("\n");
    texts taken;
    channel.chat->on_frame = [&](std::string_view) { taken.push_back(channel.chat->take_frame()); };
    SECTION("from the receive buffer")
    {
        channel.recv("one\ntwo\n");
        CHECK(taken == texts{"one", "two"});
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
        REQUIRE((taken == texts{std::string(100, 'x') + "y"}));
        CHECK(shown == taken[0].data());
        channel.recv("next\n");
        CHECK(taken.back() == "next");
    }
    SECTION("only inside of the callback")
    {
        channel.recv("one\n");
        CHECK_THROWS_AS(channel.chat->take_frame(), std::logic_error);
    }
    SECTION("and in no other callback of the same input")
    {
        class between : public asynchat::frame_chat {
        public:
            using frame_chat::frame_chat;
            void found_frame(std::string_view) override { set_terminator(std::nullopt); }
            void collect_incoming_data(std::string_view) override
            {
                CHECK_THROWS_AS(take_frame(), std::logic_error);
                ++refused;
            }
            int refused = 0;
        };
        for (const bool in_pieces : {false, true}) {
            asynchat::testing::loop loop;
            auto [chat, peer] = loop.accept<between>();
            chat->set_terminator("\n");
            const std::string line(3000, 'x');
            in_pieces ? peer.send(line + "\nrest", line.size() - 1) : peer.send(line + "\nrest");
            loop.settle();
            CHECK(chat->refused == 1);
        }
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
    const std::string whole = "frame " + body;
    CHECK((channel.recv(input, piece) ==
           texts{"frame size", whole, "frame end", "frame size", whole}));

    SECTION("and what was begun is not lost at the end of the stream")
    {
        channel.recv("size\n");
        channel.recv(body.substr(0, 100000));
        CHECK((channel.eof() ==
               texts{"collect " + body.substr(0, 100000), "eof", "close peer finished"}));
    }
    SECTION("nor when there was nothing to receive after all")
    {
        channel.recv("size\n");
        channel.loop.fail(1, EAGAIN, asynchat::testing::operation::receive);
        channel.recv(body.substr(0, 100000));
        channel.loop.fail(1, EAGAIN, asynchat::testing::operation::receive);
        CHECK((channel.recv(body.substr(100000)) == texts{whole}));
        CHECK_FALSE(channel.loop.has_to_fail());
    }
    SECTION("nor kept when it is discarded")
    {
        channel.recv("size\n");
        channel.recv(body.substr(0, 100000));
        channel.chat->discard_buffers();
        channel.chat->set_terminator("\n");
        CHECK(channel.recv("next\n") == texts{"frame next"});
    }
}

TEST_CASE("frame_chat: a limit that becomes lower than the begun frame is judged", "[frame_chat]")
{
    const std::string rest = GENERATE(as<std::string>{}, "\n", "4\n", "45678901\n");
    frame_bench channel("\n");
    channel.recv("123");
    channel.chat->max_frame(2);
    CHECK(channel.recv(rest) == texts{"close frame limit"});
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
    // The sizes are near enough for one to be read into the memory of the other.
    const auto check = [&](std::size_t size, char byte) {
        const std::string body(size, byte);
        const std::string announced = std::to_string(size);
        CHECK((channel.recv(announced + "\n" + body, piece) ==
               texts{"frame " + announced, "frame " + body}));
    };
    check(150000, 'a');
    check(100000, 'b');
    check(120000, 'c');
    channel.recv("130000\n" + std::string(70000, 'd'), piece);
    const std::string begun(70000, 'd');
    SECTION("at the end of the stream")
    {
        CHECK((channel.eof() == texts{"collect " + begun, "eof", "close peer finished"}));
    }
    SECTION("when the frame is discarded")
    {
        chat.discard_buffers();
        chat.set_terminator("\n");
        check(110000, 'e');
    }
    SECTION("when the frame has its end taken away")
    {
        chat.set_terminator(std::nullopt);
        CHECK((channel.recv("ff", piece) == texts{"collect " + begun + "ff"}));
    }
    SECTION("when the frame gets another end")
    {
        chat.set_terminator(2);
        CHECK((channel.recv("ff", piece) == texts{"frame " + begun + "ff"}));
    }
}

TEST_CASE("frame_chat: an override of get_terminator that changes its mind sees held bytes again",
          "[frame_chat]")
{
    class steering : public support::told_frame_chat {
    public:
        using told_frame_chat::told_frame_chat;
        const terminator& get_terminator() const override { return wanted; }
        terminator wanted = "\r\n";
    };
    support::chat_bench<asynchat::testing::recorder<steering>> channel;
    CHECK(channel.recv("ab\r").empty());
    channel.chat->wanted = "\r\r";
    CHECK(channel.recv("\rc\r\r") == texts{"frame ab", "frame c"});
}

TEST_CASE("frame_chat: max_frame bounds what is kept", "[frame_chat]")
{
    SECTION("a frame of a string over the limit ends the channel")
    {
        const auto chunk = GENERATE(as<std::size_t>{}, 1, 3, 100);
        frame_bench channel("\r\n");
        channel.chat->max_frame(5);
        const std::string input = "12345\r\n123456\r\nnext\r\n";
        CHECK(channel.recv(input, chunk) == texts{"frame 12345", "close frame limit"});
        REQUIRE(channel.chat->logs.size() == 1);
        CHECK_THAT(channel.chat->logs[0], ContainsSubstring("longer than 5 bytes"));
    }
    SECTION("a count over it is refused before a byte is taken")
    {
        frame_bench channel("\n");
        channel.chat->max_frame(10);
        CHECK_THROWS_AS(channel.chat->set_terminator(11), std::length_error);
        CHECK_THROWS_AS(channel.chat->set_terminator(21, 20), std::length_error);
        CHECK(channel.chat->get_terminator() == terminator("\n"));
        channel.chat->set_terminator(20, 20);
        CHECK(channel.recv(std::string(20, 'x')) == texts{"frame " + std::string(20, 'x')});
    }
}

TEST_CASE("frame_chat: an echo over real sockets", "[frame_chat][slow]")
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
