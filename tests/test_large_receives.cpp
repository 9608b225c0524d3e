// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>
#include <asynchat/transport.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A channel whose peer keeps it full receives more at a time than ac_in_buffer_size.
namespace {

using sizes = std::vector<std::size_t>;

constexpr std::size_t usual = 65536;
constexpr std::size_t large = 262144;

/// Counts what comes, and how it was received.
template <class Base>
class counting : public Base {
public:
    explicit counting(asynchat::loop& owner, asynchat::socket from = {})
        : Base(owner, std::move(from))
    {
        this->max_frame(asynchat::unlimited);
        this->set_terminator("\n");
    }

    sizes asked; ///< for how much
    std::size_t largest = 0;
    std::size_t parts = 0;
    std::size_t frames = 0;
    std::string text;
    std::function<void()> on_frame;

protected:
    std::size_t recv(asio::mutable_buffer into) override
    {
        const std::size_t received = Base::recv(into);
        if (received > 0)
            asked.push_back(into.size());
        return received;
    }
    void add(std::string_view piece)
    {
        largest = std::max(largest, piece.size());
        ++parts;
        text += piece;
    }
    void found()
    {
        text += '\n';
        ++frames;
        if (on_frame)
            on_frame();
    }
};

class pieces : public counting<asynchat::async_chat> {
public:
    using counting::counting;
    void collect_incoming_data(std::string_view piece) override { add(piece); }
    void found_terminator() override { found(); }
    void handle_error() override { note_error(); }
    void handle_log(asynchat::log_type, std::string_view) override {}

    int errors = 0;
    bool survives = false;

private:
    void note_error()
    {
        ++errors;
        if (!survives)
            async_chat::handle_error();
    }
};

class whole : public counting<asynchat::frame_chat> {
public:
    using counting::counting;
    void found_frame(std::string_view frame) override
    {
        add(frame);
        found();
    }
};

class plain_layer : public asynchat::transport_layer {};

/// `size` bytes of lines of `line` bytes each, the last one maybe shorter. No two lines are equal.
std::string lines_of(std::size_t line, std::size_t size)
{
    std::string all;
    while (all.size() < size) {
        std::string one = std::to_string(all.size());
        one.resize(line - 1, 'x');
        all += one + '\n';
    }
    all.resize(size);
    return all;
}

/// A channel that gets one usual and one large piece.
template <class Chat>
struct full {
    explicit full(std::size_t line, std::size_t first = usual)
        : ends(loop.accept<Chat>()), chat(*ends.first), peer(ends.second),
          input(lines_of(line, first + large))
    {
        peer.send(std::string_view(input).substr(0, first));
        peer.send(std::string_view(input).substr(first));
    }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<Chat>, asynchat::testing::peer> ends;
    Chat& chat;
    asynchat::testing::peer& peer;
    std::string input;
};

} // namespace

TEST_CASE("large receives: after a full receive that was used up", "[large-receives][no-records]")
{
    full<pieces> c(1000);
    c.loop.settle();
    CHECK(c.chat.asked == sizes{usual, large});
    CHECK(c.chat.text == c.input);
    SECTION("while at least ac_in_buffer_size comes at a time")
    {
        c.peer.send(lines_of(1000, 100000));
        c.loop.settle();
        c.peer.send(lines_of(1000, usual - 1));
        c.loop.settle();
        c.peer.send(lines_of(1000, 10));
        c.loop.settle();
        CHECK(c.chat.asked == sizes{usual, large, large, large, usual});
    }
}

TEST_CASE("large receives: a piece has at most ac_in_buffer_size bytes",
          "[large-receives][no-records]")
{
    SECTION("of lines that are longer")
    {
        full<pieces> c(100000);
        c.loop.settle();
        CHECK(c.chat.asked == sizes{usual, large});
        CHECK(c.chat.largest <= usual);
        CHECK(c.chat.text == c.input);
    }
    SECTION("of lines that end at a part")
    {
        full<pieces> c(usual);
        c.loop.settle();
        CHECK(c.chat.largest == usual - 1);
        CHECK(c.chat.text == c.input);
    }
    SECTION("without a terminator")
    {
        full<pieces> c(1000);
        c.chat.set_terminator(asynchat::terminator());
        c.loop.settle();
        CHECK(c.chat.asked == sizes{usual, large});
        CHECK(c.chat.largest == usual);
        CHECK(c.chat.text == c.input);
    }
}

TEST_CASE("large receives: a terminator lies across two parts", "[large-receives][no-records]")
{
    for (std::size_t before = usual - 3; before < usual + 3; ++before) {
        asynchat::testing::loop loop;
        auto [chat, peer] = loop.accept<pieces>();
        chat->set_terminator("\r\n");
        const std::string rest = lines_of(1000, large - before - 2);
        peer.send(lines_of(1000, usual - 2) + "\r\n");
        peer.send(std::string(before, 'x') + "\r\n" + rest);
        std::vector<std::size_t> at;
        chat->on_frame = [&at, &chat = *chat] { at.push_back(chat.text.size()); };
        loop.settle();
        CAPTURE(before);
        CHECK(chat->asked == sizes{usual, large});
        CHECK(at == sizes{usual - 1, usual + before});
        CHECK(chat->text.size() == usual - 1 + before + 1 + rest.size());
    }
}

TEST_CASE("large receives: whole frames lie in the input across parts",
          "[large-receives][no-records]")
{
    full<whole> c(1000);
    c.loop.settle();
    CHECK(c.chat.asked == sizes{usual, large});
    CHECK(c.chat.text == c.input.substr(0, c.chat.text.size()));
    CHECK(c.chat.text.size() == (usual + large) / 1000 * 1000);
}

TEST_CASE("large receives: not after a receive that was stopped, or of tiny frames",
          "[large-receives][no-records]")
{
    SECTION("a pause")
    {
        full<pieces> c(1000);
        c.chat.on_frame = [&chat = c.chat] {
            if (chat.frames == 10)
                chat.pause_reading();
        };
        c.loop.settle();
        c.chat.resume_reading();
        c.loop.settle();
        CHECK(c.chat.asked[1] == usual);
        CHECK(c.chat.text == c.input);
    }
    SECTION("lines of 7 bytes")
    {
        full<pieces> c(7);
        c.loop.settle();
        CHECK(c.chat.asked[1] == usual);
        CHECK(c.chat.text == c.input);
    }
    SECTION("a smaller ac_in_buffer_size")
    {
        full<pieces> c(1000);
        c.chat.ac_in_buffer_size = usual - 1;
        c.loop.settle();
        CHECK(*std::max_element(c.chat.asked.begin(), c.chat.asked.end()) == usual - 1);
        CHECK(c.chat.text == c.input);
    }
    SECTION("a callback that throws")
    {
        full<pieces> c(1000);
        c.chat.survives = true;
        c.chat.on_frame = [&chat = c.chat] {
            if (chat.frames == 10)
                throw std::runtime_error("no");
        };
        c.loop.settle();
        CHECK(c.chat.errors == 1);
        CHECK(c.chat.asked[1] == usual);
        CHECK(c.chat.text == c.input);
    }
}

TEST_CASE("large receives: a turn has as many frames as one of ac_in_buffer_size can have",
          "[large-receives][no-records][fair]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<pieces>();
    const std::string long_ones = lines_of(1000, usual);
    std::string tiny;
    while (tiny.size() < large)
        tiny += "x\n";
    peer.send(long_ones);
    peer.send(tiny);
    sizes turns; // frames until the end of each, from the large receive on
    std::function<void()> look = [&turns, &loop = loop, &chat = *chat, &look] {
        turns.push_back(chat.frames);
        if (turns.size() < 100 && chat.frames < 65 + large / 2)
            loop.post([&look] { look(); });
    };
    chat->on_frame = [&look, &loop = loop, &chat = *chat] {
        if (chat.frames == 66)
            loop.post([&look] { look(); });
    };
    loop.settle();
    CHECK(chat->asked == sizes{usual, large});
    CHECK(chat->frames == 65 + large / 2);
    turns.insert(turns.begin(), 65);
    CHECK(turns.size() > 4);
    for (std::size_t i = 1; i < turns.size(); ++i)
        CHECK(turns[i] - turns[i - 1] <= usual / 2);
}

TEST_CASE("large receives: parts do not get tiny when a turn has nearly all its frames",
          "[large-receives][no-records]")
{
    // A frame_chat looks in each part at the whole frame that goes on: as often as there are parts.
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<pieces>();
    std::string tiny;
    for (std::size_t line = 1; line < usual / 2; ++line)
        tiny += "x\n";
    std::size_t turns = 0;
    loop.on_turn([&](asynchat::loop::duration) { ++turns; });
    peer.send(lines_of(1000, usual));
    peer.send(tiny + std::string(large - tiny.size(), 'y'));
    loop.settle();
    loop.on_turn(nullptr);
    CHECK(chat->asked == sizes{usual, large});
    CHECK(chat->frames == 65 + usual / 2 - 1);
    CHECK(chat->parts < 65 + usual / 2 + 20);
    CHECK(turns < 20);
    CHECK(loop.unread() == 0);
}

TEST_CASE("large receives: a stop in any part keeps the rest", "[large-receives][no-records]")
{
    for (const std::size_t stop : {1U, 65U, 66U, 131U, 132U, 196U, 300U, 327U}) {
        full<pieces> c(1000);
        c.chat.on_frame = [&chat = c.chat, stop] {
            if (chat.frames == stop)
                chat.pause_reading();
        };
        c.loop.settle();
        CAPTURE(stop);
        CHECK(c.chat.frames == stop);
        const std::size_t received = stop <= 65 ? usual : usual + large;
        CHECK(c.loop.unread() == received - stop * 1000);
        c.chat.resume_reading();
        c.loop.settle();
        CHECK(c.chat.text == c.input);
        CHECK(c.chat.largest <= usual);
        CHECK(c.loop.unread() == 0);
    }
}

TEST_CASE("large receives: max_unread() bounds what the channels of a loop keep",
          "[large-receives][no-records][flow]")
{
    asynchat::testing::loop loop;
    CHECK(loop.max_unread() == std::size_t{16} << 20);
    loop.max_unread(300000);
    std::vector<std::pair<std::shared_ptr<pieces>, asynchat::testing::peer>> all;
    for (int i = 0; i < 4; ++i) {
        all.push_back(loop.accept<pieces>());
        auto& [chat, peer] = all.back();
        chat->on_frame = [&chat = *chat] {
            if (chat.frames == 66)
                chat.pause_reading();
        };
        peer.send(lines_of(1000, usual));
        peer.send(lines_of(1000, large));
        loop.settle();
    }
    CHECK(all[0].first->asked == sizes{usual, large});
    CHECK(all[1].first->asked == sizes{usual, large});
    CHECK(all[2].first->asked == sizes{usual, usual}); // the others keep enough
    CHECK(loop.unread() > 500000);
    SECTION("what a closed channel kept is counted until it is destroyed")
    {
        for (auto& each : all)
            each.first->close();
        all.clear();
        loop.settle();
        CHECK(loop.unread() == 0);
    }
    SECTION("when it is delivered there is room again")
    {
        for (auto& each : all)
            each.first->resume_reading();
        loop.settle();
        CHECK(loop.unread() == 0);
        for (int i = 0; i < 2; ++i)
            all[3].second.send(lines_of(1000, usual));
        loop.settle();
        CHECK(all[3].first->asked.back() == large);
    }
}

TEST_CASE("large receives: a channel that outlives its loop gives its input up",
          "[large-receives][no-records][lifetime]")
{
    std::shared_ptr<pieces> kept;
    {
        full<pieces> c(1000);
        c.chat.on_frame = [&chat = c.chat] { chat.pause_reading(); };
        c.loop.settle();
        CHECK(c.loop.unread() > 0);
        kept = c.ends.first;
        kept->on_frame = nullptr;
    }
    CHECK(kept->frames == 1);
    kept.reset(); // the counter is still there
}

TEST_CASE("large receives: input in later parts is early input of a layer",
          "[large-receives][no-records][layers]")
{
    full<pieces> c(1000);
    c.chat.on_frame = [&chat = c.chat] {
        if (chat.frames == 66)
            chat.add_layer(std::make_unique<plain_layer>(), asynchat::early_input::close);
    };
    c.loop.settle();
    CHECK(c.chat.close_reason() == asynchat::close_reason::early_input);
    CHECK(c.chat.frames == 66);
}

TEST_CASE("large receives: a close in any part drops the rest", "[large-receives][no-records]")
{
    for (const std::size_t stop : {66U, 131U, 200U}) {
        full<pieces> c(1000);
        c.chat.on_frame = [&chat = c.chat, stop] {
            if (chat.frames == stop)
                chat.close();
        };
        c.loop.settle();
        CHECK(c.chat.frames == stop);
        CHECK(c.loop.unread() == 0);
    }
}

TEST_CASE("large receives: a full receive of a small size does not spin at the end of a count",
          "[large-receives][no-records]")
{
    asynchat::testing::loop loop;
    auto [chat, peer] = loop.accept<whole>();
    chat->ac_in_buffer_size = 1;
    chat->set_terminator(4);
    peer.send("abcdefgh", 3);
    loop.settle();
    CHECK(chat->text == "abcd\n"); // the rest belongs to no frame
}
