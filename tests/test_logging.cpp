// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

using namespace asynchat;
using namespace support;

namespace {

class plain : public dispatcher {
public:
    using dispatcher::dispatcher;
};

/// What `act` writes to standard error.
template <class Act>
std::string written_by(Act act)
{
    captured_stderr capture;
    act();
    return capture.text();
}

} // namespace

TEST_CASE("log writes to standard error", "[logging]")
{
    loop loop;
    const auto channel = loop.create<plain>();
    CHECK(written_by([&] { channel->log("to log"); }) == "log: to log\n");
    CHECK(written_by([&] { channel->log("{} of {}", 42, "x"); }) == "log: 42 of x\n");
    CHECK(written_by([&] { channel->log(""); }) == "log: \n");
}

TEST_CASE("a literal is a format, any other text is written as it is", "[logging]")
{
    loop loop;
    const auto channel = loop.create<plain>();
    const std::string foreign = "{} {:d} }{";
    const std::string_view view = foreign;
    const char* const pointer = foreign.c_str();
    char buffer[] = "{}";
    CHECK(written_by([&] { channel->log("{{}}"); }) == "log: {}\n");
    CHECK(written_by([&] { channel->log(foreign); }) == "log: {} {:d} }{\n");
    CHECK(written_by([&] { channel->log(view); }) == "log: {} {:d} }{\n");
    CHECK(written_by([&] { channel->log(pointer); }) == "log: {} {:d} }{\n");
    CHECK(written_by([&] { channel->log(buffer); }) == "log: {}\n");
    CHECK(written_by([&] { channel->log("{}", foreign); }) == "log: {} {:d} }{\n");
    CHECK(written_by([&] { channel->log_info("{{}}"); }) == "info: {}\n");
    CHECK(written_by([&] { channel->log_info(foreign + "!"); }) == "info: {} {:d} }{!\n");
    CHECK(written_by([&] { channel->log_info("{}", view); }) == "info: {} {:d} }{\n");
    CHECK(written_by([&] { channel->log_info(log_type::error, "{{}}"); }) == "error: {}\n");
    CHECK(written_by([&] { channel->log_info(log_type::error, pointer); }) ==
          "error: {} {:d} }{\n");
    CHECK(written_by([&] { channel->log_info(log_type::error, "{}{}", 1, view); }) ==
          "error: 1{} {:d} }{\n");
}

TEST_CASE("an override of the log gets all lines, and hides no call", "[logging]")
{
    class elsewhere : public dispatcher {
    public:
        using dispatcher::dispatcher;
        std::vector<std::string> lines;
        void handle_log(log_type type, std::string_view message) override
        {
            lines.push_back(std::string(to_string(type)) + " " + std::string(message));
            dispatcher::handle_log(type, message);
        }
        void talk()
        {
            log("{}", 1);
            log_info("{}", 2);
            log_info(log_type::warning, "{}", 3);
            log_info(log_type::error, lines.front());
            handle_expt();
        }
    };
    loop loop;
    const auto channel = loop.create<elsewhere>();
    CHECK(written_by([&] { channel->talk(); }) == "log: 1\ninfo: 2\nerror: log 1\n");
    CHECK(channel->lines == std::vector<std::string>{"log 1", "info 2", "warning 3", "error log 1",
                                                     "warning unhandled incoming priority event"});
}

TEST_CASE("a loop's log may go elsewhere, and back", "[logging]")
{
    loop loop;
    asynchat::loop other;
    const auto channel = loop.create<plain>();
    const auto stranger = other.create<plain>();
    std::vector<std::string> lines;
    loop.log_sink([&lines, owned = std::make_unique<int>()](log_type type, std::string_view line) {
        lines.push_back(std::string(to_string(type)) + "|" + std::string(line));
    });
    const auto talk = [&] {
        channel->log("one\ntwo");
        channel->log_info(log_type::warning, "ignored");
        channel->log_info("{}", 42);
        stranger->log("not mine");
        try {
            throw test_error("failed");
        } catch (...) {
            channel->handle_error();
        }
    };
    CHECK(written_by(talk) == "log: not mine\n");
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "log|one\\ntwo");
    CHECK(lines[1] == "info|42");
    CHECK(lines[2].find("error|uncaptured exception, closing channel <") == 0);
    loop.log_sink(nullptr);
    CHECK(written_by([&] { stranger->log("x"), loop.create<plain>()->log("back"); }) ==
          "log: x\nlog: back\n");
    CHECK(lines.size() == 3);
}

TEST_CASE("a sink may replace itself and throw", "[logging]")
{
    loop loop;
    const auto channel = loop.create<plain>();
    std::string seen;
    loop.log_sink([&, text = std::string(100, 'x')](log_type, std::string_view) {
        loop.log_sink([](log_type, std::string_view) { throw test_error("disk full"); });
        seen = text;
    });
    channel->log("one");
    CHECK(seen == std::string(100, 'x'));
    CHECK_THROWS_WITH(channel->log("two"), "disk full");
    channel.post([](plain&) { throw test_error("reason"); });
    CHECK(settle(loop)); // its line is lost, not the loop
    CHECK_FALSE(channel);
}

TEST_CASE("log_info writes the type, and no warnings unless asked to", "[logging]")
{
    loop loop;
    const auto channel = loop.create<plain>();
    const auto three = [&] {
        channel->log_info("default type");
        channel->log_info(log_type::error, "an error");
        channel->log_info(log_type::warning, "a warning");
        channel->log_info(log_type::info, "{:03}", 7);
    };
    CHECK(written_by(three) == "info: default type\nerror: an error\ninfo: 007\n");
    channel->ignore_log_types({});
    CHECK(written_by(three) ==
          "info: default type\nerror: an error\nwarning: a warning\ninfo: 007\n");
    channel->ignore_log_types({log_type::info, log_type::error});
    CHECK(written_by(three) == "warning: a warning\n");
}

TEST_CASE("ignored types belong to one channel", "[logging]")
{
    loop loop;
    const auto one = loop.create<plain>();
    const auto two = loop.create<plain>();
    one->ignore_log_types({log_type::info});
    CHECK(written_by([&] {
              one->log_info("one");
              two->log_info("two");
          }) == "info: two\n");
}

TEST_CASE("the default log escapes everything that is not printable", "[logging]")
{
    loop loop;
    const auto channel = loop.create<plain>();
    std::string all;
    std::string expected;
    for (int byte = 0; byte < 256; ++byte) {
        all += static_cast<char>(byte);
        if (byte == '\n')
            expected += "\\n";
        else if (byte == '\r')
            expected += "\\r";
        else if (byte == '\t')
            expected += "\\t";
        else if (byte < 32 || byte > 126)
            expected += fmt::format("\\x{:02x}", byte);
        else
            expected += static_cast<char>(byte);
    }
    CHECK(escaped(all) == expected);
    CHECK(escaped(escaped(all)) == expected); // twice changes nothing
    CHECK(written_by([&] { channel->log(all); }) == "log: " + expected + "\n");
    CHECK(written_by([&] { channel->log_info(all); }) == "info: " + expected + "\n");
    CHECK(written_by([&] { channel->log("{}", all); }) == "log: " + expected + "\n");
}

TEST_CASE("nobody can forge a second line", "[logging]")
{
    loop loop;
    const auto channel = loop.create<plain>();
    const std::string from_peer = "x\nerror: all is lost\x1b[2J";
    CHECK(written_by([&] { channel->log_info(from_peer); }) ==
          "info: x\\nerror: all is lost\\x1b[2J\n");
}

TEST_CASE("unhandled events are warnings of their own wording", "[logging]")
{
    loop loop;
    const auto channel = loop.create<logging<dispatcher>>().lock();
    channel->handle_expt();
    channel->handle_read();
    channel->handle_write();
    channel->handle_connect();
    channel->handle_accepted(asynchat::socket(), endpoint());
    channel->handle_close();
    CHECK(channel->lines ==
          std::vector<std::string>{
              "warning: unhandled incoming priority event", "warning: unhandled read event",
              "warning: unhandled write event", "warning: unhandled connect event",
              "warning: unhandled accepted event", "warning: unhandled close event"});
    CHECK(channel->closed());
}

TEST_CASE("warnings of unhandled events are not written by default", "[logging]")
{
    loop loop;
    const auto channel = loop.create<plain>().lock();
    CHECK(written_by([&] { channel->handle_read(); }).empty());
    channel->ignore_log_types({});
    CHECK(written_by([&] { channel->handle_read(); }) == "warning: unhandled read event\n");
}

namespace {

/// Throws in handle_read, in the way that the test asks for.
template <class Base>
class throwing : public Base {
public:
    using Base::Base;
    std::function<void()> thrower;
    void handle_read() override { thrower(); }
};

} // namespace

TEST_CASE("an exception is logged as one line with the channel, its type and its text",
          "[logging][errors]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<throwing<logging<dispatcher>>>(std::move(ends.first)).lock();
    std::string expected;
    SECTION("of the standard library")
    {
        channel->thrower = [] { throw std::invalid_argument("bad\ninput"); };
        expected = "std::invalid_argument: bad\\ninput";
    }
    SECTION("of the user's own")
    {
        channel->thrower = [] { throw test_error("mine"); };
        expected = "support::test_error: mine";
    }
    SECTION("that is no std::exception")
    {
        channel->thrower = [] { throw 42; };
        expected = "an exception of unknown type";
    }
    const std::string who = channel->repr();
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    REQUIRE(channel->lines.size() == 2);
    CHECK(channel->lines[0] ==
          "error: uncaptured exception, closing channel " + who + " (" + expected + ")");
    CHECK(channel->lines[1] == "warning: unhandled close event");
}

TEST_CASE("errors are written to standard error by default", "[logging][errors]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<throwing<plain>>(std::move(ends.first)).lock();
    channel->thrower = [] { throw test_error("oh\nno"); };
    ends.second.send("x");
    const std::string text =
        written_by([&] { run_until(loop, [&] { return channel->closed(); }); });
    CHECK_THAT(text, Catch::Matchers::StartsWith("error: uncaptured exception"));
    CHECK_THAT(text, Catch::Matchers::EndsWith("(support::test_error: oh\\nno)\n"));
}

TEST_CASE("a description that throws does not keep the error from being logged",
          "[logging][errors]")
{
    class nameless : public throwing<logging<dispatcher>> {
    public:
        using throwing::throwing;
        std::string repr() const override { throw test_error("no name"); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<nameless>(std::move(ends.first)).lock();
    channel->thrower = [] { throw test_error("the error"); };
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->logged("the error") == 1);
    CHECK(channel->logged("repr() failed") == 1);
    CHECK(channel->close_reason() == close_reason::callback_error);
}

TEST_CASE("what a description takes from a peer is escaped in the error line", "[logging][errors]")
{
    class named : public throwing<logging<dispatcher>> {
    public:
        using throwing::throwing;
        std::string repr() const override { return "<user eve\nerror: forged>"; }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<named>(std::move(ends.first)).lock();
    channel->thrower = [] { throw test_error("x"); };
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->logged("<user eve\\nerror: forged>") == 1);
    CHECK(channel->logged("\n") == 0);
}

TEST_CASE("whatever a peer sends, the log is printable", "[logging]")
{
    class quoting : public throwing<async_chat> {
    public:
        using throwing::throwing;
        std::string line;
        void collect_incoming_data(std::string_view data) override { line += data; }
        void found_terminator() override { throw std::invalid_argument(line.substr(1)); }
        void handle_read() override { async_chat::handle_read(); }
        std::string repr() const override { return "<" + line.substr(0, 10) + ">"; }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<quoting>(std::move(ends.first)).lock();
    channel->set_terminator("the end");
    for (int byte = 0; byte < 256; ++byte)
        ends.second.send(std::string(1, static_cast<char>(byte)));
    ends.second.send("the end");
    const std::string text =
        written_by([&] { run_until(loop, [&] { return channel->closed(); }); });
    CHECK_THAT(text, Catch::Matchers::StartsWith("error: uncaptured exception, closing channel <"));
    CHECK_THAT(text, Catch::Matchers::ContainsSubstring("<\\x00\\x01"));
    CHECK_THAT(text, Catch::Matchers::ContainsSubstring("\\xfe\\xff"));
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(std::all_of(text.begin(), text.end() - 1, [](char c) { return c >= ' ' && c <= '~'; }));
}

TEST_CASE("what is escaped may be cut", "[logging]")
{
    CHECK(escaped("0123456789", 10) == "0123456789");
    CHECK(escaped("0123456789", 9) == "012345...");
    CHECK(escaped("01234\n\n\n", 9) == "01234..."); // not within an escape
    CHECK(escaped("\x80\x80\x80", 11) == "\\x80\\x80...");
    CHECK(escaped("\x80\x80\x80", 12) == "\\x80\\x80\\x80");
    CHECK(escaped("0123456789", 2) == "..");
    CHECK(escaped("0123456789", 0).empty());
}

TEST_CASE("names and texts are cut in the error line", "[logging][errors]")
{
    class long_name : public throwing<logging<dispatcher>> {
    public:
        using throwing::throwing;
        std::string repr() const override { return std::string(100'000, 'n'); }
    };
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<long_name>(std::move(ends.first)).lock();
    channel->thrower = [] { throw test_error(std::string(100'000, 't')); };
    ends.second.send("x");
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->lines[0] == "error: uncaptured exception, closing channel " +
                                   std::string(253, 'n') +
                                   "... (support::test_error: " + std::string(1021, 't') + "...)");
}

TEST_CASE("a limit admits so many lines a second, and counts the others", "[logging]")
{
    detail::log_limit<10> limit;
    for (int i = 0; i < 10; ++i)
        CHECK(limit.admit(5));
    CHECK(limit.take_left_out() == 0);
    for (int i = 0; i < 7; ++i)
        CHECK_FALSE(limit.admit(5));
    CHECK(limit.admit(6));
    CHECK(limit.take_left_out() == 7);
    CHECK(limit.take_left_out() == 0);
    for (int i = 1; i < 10; ++i)
        CHECK(limit.admit(6));
    CHECK(limit.take_left_out() == 0); // the tenth was written
    CHECK_FALSE(limit.admit(6));
    limit.leave_out(2);
    CHECK(limit.take_left_out() == 3);

    limit.leave_out(UINT32_MAX);
    limit.leave_out(5);
    CHECK(limit.take_left_out() == UINT32_MAX);
    detail::log_limit<1> early;
    CHECK(early.admit(0));
    CHECK_FALSE(early.admit(0));
}

namespace {

using log_lines = std::vector<std::string>;

/// Expects frames with their length in front; its lines go to the test.
class framed : public frame_chat {
public:
    framed(loop& owner, asynchat::socket from, log_lines& lines)
        : frame_chat(owner, std::move(from)), lines_(lines)
    {
        set_terminator(terminator::length_prefix(8));
    }
    void handle_log(log_type type, std::string_view line) override
    {
        lines_.push_back(std::string(to_string(type)) + ": " + std::string(line));
    }
    void found_frame(std::string_view) override {}

private:
    log_lines& lines_;
};

/// Connects, sends a length over all limits, and does it again.
void flood(testing::loop& loop, const endpoint& where, int connections)
{
    for (int i = 0; i < connections; ++i) {
        auto peer = loop.connect(where);
        peer.send("\xff\xff\xff\xff\xff\xff\xff\xff");
        loop.settle();
    }
}

/// What the line tells of those that were left out.
std::string left_out(const std::string& line)
{
    const std::string before = " (lines left out before this one: ";
    const auto at = line.find(before);
    return at == line.npos ? "" : line.substr(at + before.size());
}

} // namespace

TEST_CASE("one peer with one connection after the other does not flood the log", "[logging]")
{
    testing::loop loop;
    log_lines lines;
    const endpoint where("127.0.0.1", 7);
    const auto server = loop.create<asynchat::server<framed>>(where, std::ref(lines)).lock();
    flood(loop, where, 200);
    CHECK(
        server->counters().closes_by_reason[static_cast<std::size_t>(close_reason::frame_limit)] ==
        200);
    CHECK(lines.size() == 40);
    CHECK(std::all_of(lines.begin(), lines.end(),
                      [](const std::string& line) { return left_out(line).empty(); }));

    loop.advance(std::chrono::seconds(1));
    flood(loop, where, 2);
    REQUIRE(lines.size() == 42);
    CHECK(left_out(lines[40]) == "160 of its server)");
    CHECK(left_out(lines[41]).empty());
}

TEST_CASE("a server whose connections fill the log leaves room for the others", "[logging]")
{
    testing::loop loop;
    log_lines bad;
    log_lines good;
    log_lines third;
    const endpoint where("127.0.0.1", 7);
    const endpoint other("127.0.0.1", 8);
    loop.create<asynchat::server<framed>>(where, std::ref(bad));
    loop.create<asynchat::server<framed>>(other, std::ref(good));
    flood(loop, where, 200);
    flood(loop, other, 39);
    CHECK(bad.size() == 40);
    CHECK(good.size() == 39);

    // A loop has a limit as well, whoever fills it.
    for (int i = 0; i < 30; ++i) {
        auto ends = loop.accept<framed>(std::ref(third));
        ends.second.send("\xff\xff\xff\xff\xff\xff\xff\xff");
        loop.settle();
    }
    CHECK(third.size() == 21);
    flood(loop, other, 1);
    CHECK(good.size() == 39);
    loop.advance(std::chrono::seconds(1));
    flood(loop, other, 1);
    REQUIRE(good.size() == 40);
    CHECK(left_out(good[39]) == "10 of its loop)");
    flood(loop, where, 1);
    REQUIRE(bad.size() == 41);
    CHECK(left_out(bad[40]) == "160 of its server)");
}

namespace {

/// Logs as many lines as it receives bytes, and stays; warnings, which are ignored at first.
class complaining : public dispatcher {
public:
    complaining(loop& owner, asynchat::socket from, log_lines& lines)
        : dispatcher(owner, std::move(from)), lines_(lines)
    {
        ignore_log_types({});
    }
    void handle_log(log_type, std::string_view line) override { lines_.emplace_back(line); }
    void handle_read() override
    {
        char buffer[4096];
        const std::size_t wanted = recv(asio::buffer(buffer));
        for (std::size_t i = 0; i < wanted; ++i)
            handle_expt(); // whose default is a line
    }
    void handle_eof() override { close(); }

private:
    log_lines& lines_;
};

} // namespace

TEST_CASE("each limit tells what it left out itself, in one text", "[logging]")
{
    testing::loop loop;
    log_lines lines;
    log_lines elsewhere;
    const endpoint where("127.0.0.1", 7);
    loop.create<asynchat::server<complaining>>(where, std::ref(lines));
    std::vector<testing::peer> peers;
    for (int i = 0; i < 5; ++i) {
        peers.push_back(loop.connect(where));
        peers.back().send(std::string(12, 'x'));
        loop.settle();
    }
    CHECK(lines.size() == 40); // ten of each of the first four
    std::vector<std::pair<std::shared_ptr<complaining>, testing::peer>> others;
    for (int i = 0; i < 7; ++i) {
        others.push_back(loop.accept<complaining>(std::ref(elsewhere)));
        others.back().second.send(std::string(10, 'x'));
        loop.settle();
    }
    CHECK(elsewhere.size() == 60); // and ten were over the limit of the loop

    loop.advance(std::chrono::seconds(1));
    peers.back().send("x");
    loop.settle();
    REQUIRE(lines.size() == 41);
    CHECK(lines.back() == "unhandled incoming priority event (lines left out before this one: "
                          "2 of this channel, 10 of its server, 10 of its loop)");
    peers.front().send("x");
    loop.settle();
    CHECK(left_out(lines.back()) == "2 of this channel)");
}

TEST_CASE("what a closed channel left out is told by another one", "[logging]")
{
    testing::loop loop;
    log_lines lines;
    {
        auto ends = loop.accept<complaining>(std::ref(lines));
        ends.second.send(std::string(1000, 'x'));
        loop.settle();
        ends.second.finish();
        loop.settle();
        CHECK(ends.first->closed());
    }
    CHECK(lines.size() == 10);
    auto ends = loop.accept<complaining>(std::ref(lines));
    ends.second.send("x");
    loop.settle();
    REQUIRE(lines.size() == 11);
    CHECK(left_out(lines.back()) == "990 of its loop)");
}

TEST_CASE("lines of an ignored type use up no limit", "[logging]")
{
    testing::loop loop;
    log_lines lines;
    const endpoint where("127.0.0.1", 7);
    const auto server = loop.create<asynchat::server<complaining>>(where, std::ref(lines)).lock();
    auto peer = loop.connect(where);
    loop.settle();
    for (const auto& channel : loop.channels())
        channel->ignore_log_types({log_type::warning});
    peer.send(std::string(1000, 'x'));
    loop.settle();
    CHECK(lines.size() == 1000); // an override gets them all the same
    for (int i = 0; i < 4; ++i) {
        auto other = loop.connect(where);
        other.send(std::string(10, 'x'));
        loop.settle();
    }
    CHECK(lines.size() == 1040);
}

TEST_CASE("a channel that goes on failing does not flood the log", "[logging][errors]")
{
    // A listener stays open when a handler of it throws.
    class failing : public logging<dispatcher> {
    public:
        explicit failing(loop& owner) : logging(owner)
        {
            create_socket();
            bind(endpoint("127.0.0.1", 0));
            listen();
        }
        int accepted = 0;
        void handle_accepted(asynchat::socket, const endpoint&) override
        {
            ++accepted;
            throw test_error("not today");
        }
    };
    loop loop;
    const auto listener = loop.create<failing>();
    const auto seconds_now = [] {
        return std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::steady_clock::now().time_since_epoch())
            .count();
    };
    const auto start = seconds_now();
    const auto flood = [&](int more) {
        const int wanted = listener->accepted + more;
        while (listener->accepted < wanted) {
            const auto peer = raw_peer::connected_to(listener->local_endpoint());
            const int before = listener->accepted;
            if (!run_until(loop, [&] { return listener->accepted > before; }))
                throw test_error("does not accept");
        }
    };
    flood(100);
    const auto lines = static_cast<std::int64_t>(listener->lines.size());
    CHECK(lines >= 10);
    CHECK(lines <= 10 * (seconds_now() - start + 1));

    // In another second the next line tells how many were left out.
    const auto second = seconds_now();
    REQUIRE(run_until(loop, [&] { return seconds_now() > second; }));
    flood(1);
    std::size_t told = 0;
    for (const std::string& line : listener->lines) {
        if (line.find("left out") != line.npos)
            told += std::stoul(left_out(line));
    }
    CHECK(listener->lines.size() + told == 101);
}

TEST_CASE("lines of an ignored type do not use up the others", "[logging]")
{
    loop loop;
    const auto channel = loop.create<logging<dispatcher>>().lock();
    for (int i = 0; i < 100; ++i)
        channel->handle_read(); // "unhandled read event", a warning
    channel->handle_error();
    CHECK(channel->logged("uncaptured exception") == 1);
}

TEST_CASE("reasons and types have names", "[logging]")
{
    std::vector<std::string> names;
    for (const close_reason reason :
         {close_reason::open, close_reason::peer_finished, close_reason::reset, close_reason::local,
          close_reason::frame_limit, close_reason::bad_frame, close_reason::callback_error,
          close_reason::shutdown, close_reason::connect_failed, close_reason::lookup_failed,
          close_reason::system_error}) {
        const std::string name(to_string(reason));
        CHECK_FALSE(name.empty());
        CHECK(std::find(names.begin(), names.end(), name) == names.end());
        names.push_back(name);
    }
    CHECK(to_string(log_type::info) == "info");
    CHECK(to_string(log_type::warning) == "warning");
    CHECK(to_string(log_type::error) == "error");
    CHECK(to_string(log_type::log) == "log");
    CHECK(std::string(exit_now().what()) == "asynchat::exit_now");
}

TEST_CASE("errors are sorted into lost, later and the rest", "[errors]")
{
    const auto system = [](int number) { return std::error_code(number, std::system_category()); };
    const auto of_asio = [](int number) {
        return std::error_code(number, asio::error::get_system_category());
    };
    for (const int number : {ECONNRESET, ENOTCONN, ESHUTDOWN, ECONNABORTED, EPIPE, EBADF}) {
        CAPTURE(number);
        CHECK(is_disconnected(system(number)));
        CHECK(is_disconnected(of_asio(number)));
        CHECK_FALSE(is_would_block(system(number)));
    }
    for (const int number : {EAGAIN, EWOULDBLOCK, EINTR}) {
        CAPTURE(number);
        CHECK(is_would_block(system(number)));
        CHECK(is_would_block(of_asio(number)));
        CHECK_FALSE(is_disconnected(system(number)));
    }
    for (const int number : {0, ETIMEDOUT, ECONNREFUSED, ENOBUFS, EMFILE}) {
        CAPTURE(number);
        CHECK_FALSE(is_would_block(system(number)));
        CHECK_FALSE(is_disconnected(system(number)));
    }
    // The same number means something else in another category.
    CHECK_FALSE(is_disconnected(std::error_code(EPIPE, asio::error::get_addrinfo_category())));
}
