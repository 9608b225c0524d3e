// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/logged.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// The log and where it goes.

using namespace asynchat;
using namespace support;

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
