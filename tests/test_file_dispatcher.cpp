// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <pty.h>
#include <termios.h>

#include <csignal>
#include <string>
#include <vector>

using namespace asynchat;
using namespace support;

namespace {

using calls = std::vector<std::string>;

/// Reads what comes, and writes what it is told to.
class file_recorder : public logging<file_dispatcher> {
public:
    using logging::logging;
    calls noted;
    std::string input;
    std::string output;
    bool reads = true;

    bool readable() override { return reads; }
    bool writable() override { return !output.empty(); }
    void handle_read() override
    {
        char buffer[1000];
        input.append(buffer, recv(asio::buffer(buffer)));
    }
    void handle_write() override { output.erase(0, send(output)); }
    void handle_expt() override { noted.push_back("handle_expt"); }
    void handle_error() override
    {
        noted.push_back("handle_error");
        logging::handle_error();
    }
    void handle_close() override
    {
        noted.push_back("handle_close");
        close();
    }
};

} // namespace

TEST_CASE("a pipe is read to its end", "[file_dispatcher]")
{
    loop loop;
    auto pipe = make_pipe();
    const auto channel = loop.create<file_recorder>(pipe.first.get()).lock();
    CHECK(channel->connected());
    CHECK(channel->addr().empty());
    CHECK(channel->native_handle() != pipe.first.get()); // a duplicate
    CHECK((::fcntl(channel->native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(pipe.first.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK(channel->local_endpoint().empty());
    CHECK(channel->peer_endpoint().empty());

    REQUIRE(::write(pipe.second.get(), "hello", 5) == 5);
    REQUIRE(run_until(loop, [&] { return channel->input == "hello"; }));
    CHECK(settle(loop));
    CHECK(channel->noted.empty());
    REQUIRE(::write(pipe.second.get(), " there", 6) == 6);
    pipe.second.close();
    const deadline limit(loop);
    loop.run();
    CHECK(channel->input == "hello there");
    CHECK(channel->noted == calls{"handle_close"});
    CHECK(channel->close_reason() == close_reason::peer_finished);
    CHECK(is_open(pipe.first.get())); // the original stays the caller's
}

TEST_CASE("a pipe is written as fast as it is read", "[file_dispatcher]")
{
    loop loop;
    auto pipe = make_pipe();
    const auto channel = loop.create<file_recorder>(pipe.second.get());
    channel->reads = false;
    std::string sent;
    for (int i = 0; i < 100000; ++i)
        sent += std::to_string(i);
    channel->output = sent;
    channel->update_interest();
    const auto reader = loop.create<file_recorder>(pipe.first.get());
    REQUIRE(run_until(loop, [&] { return reader->input.size() == sent.size(); }));
    CHECK((reader->input == sent));
    CHECK(channel);
}

TEST_CASE("a pipe without a reader ends the channel and not the process", "[file_dispatcher]")
{
    struct sigaction before = {};
    REQUIRE(::sigaction(SIGPIPE, nullptr, &before) == 0);
    REQUIRE(before.sa_handler == SIG_DFL); // which ends the process
    loop loop;
    auto pipe = make_pipe();
    const auto channel = loop.create<file_recorder>(pipe.second.get()).lock();
    channel->reads = false;
    pipe.first.close();
    SECTION("by hand")
    {
        CHECK(channel->send("x") == 0);
    }
    SECTION("in the loop")
    {
        channel->output = "x";
        channel->update_interest();
        const deadline limit(loop);
        loop.run();
    }
    CHECK(channel->noted == calls{"handle_close"});
    CHECK(channel->close_reason() == close_reason::reset);
    CHECK(channel->close_error() == std::errc::broken_pipe);
    sigset_t pending;
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGPIPE) == 0);
}

TEST_CASE("a regular file is read to its end by the loop", "[file_dispatcher]")
{
    loop loop;
    std::string content;
    for (int i = 0; i < 3000; ++i)
        content += std::to_string(i);
    const auto file = make_file(GENERATE(false, true) ? content : std::string());
    const auto channel = loop.create<file_recorder>(file.get()).lock();
    const deadline limit(loop);
    loop.run();
    CHECK((content.find(channel->input) == 0));
    CHECK((channel->input.empty() || channel->input == content));
    CHECK(channel->noted == calls{"handle_close"});
    CHECK(channel->close_reason() == close_reason::peer_finished);
}

TEST_CASE("a regular file does not starve the others", "[file_dispatcher]")
{
    loop loop;
    const auto file = make_file(std::string(1 << 20, 'f'));
    const auto channel = loop.create<file_recorder>(file.get()).lock();
    honest_pair other(loop);
    CHECK(other.works());
    CHECK_FALSE(channel->closed()); // a thousand events are not over yet
}

TEST_CASE("a regular file is written", "[file_dispatcher]")
{
    loop loop;
    const auto file = make_file({});
    const auto channel = loop.create<file_recorder>(file.get());
    channel->reads = false;
    channel->output = "text for the file";
    channel->update_interest();
    REQUIRE(run_until(loop, [&] { return channel->output.empty(); }));
    char buffer[100];
    const auto size = ::pread(file.get(), buffer, sizeof buffer, 0);
    REQUIRE(size > 0);
    CHECK(std::string(buffer, static_cast<std::size_t>(size)) == "text for the file");
}

TEST_CASE("/dev/null is at its end, and takes everything", "[file_dispatcher]")
{
    loop loop;
    const descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    REQUIRE(null.get() >= 0);
    const deadline limit(loop);
    SECTION("read")
    {
        const auto channel = loop.create<file_recorder>(null.get()).lock();
        loop.run();
        CHECK(channel->input.empty());
        CHECK(channel->noted == calls{"handle_close"});
        CHECK(channel->close_reason() == close_reason::peer_finished);
    }
    SECTION("written")
    {
        const auto channel = loop.create<file_recorder>(null.get()).lock();
        channel->reads = false;
        channel->output = "into the void";
        channel->update_interest();
        REQUIRE(run_until(loop, [&] { return channel->closed() || channel->output.empty(); }));
        CHECK_FALSE(channel->closed());
    }
}

TEST_CASE("a terminal is read and written", "[file_dispatcher]")
{
    int master = -1;
    int slave = -1;
    if (::openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) {
        WARN("there are no terminals here");
        return;
    }
    const descriptor one(master);
    const descriptor two(slave);
    termios raw = {};
    REQUIRE(::tcgetattr(slave, &raw) == 0);
    ::cfmakeraw(&raw);
    REQUIRE(::tcsetattr(slave, TCSANOW, &raw) == 0);

    loop loop;
    const auto left = loop.create<file_recorder>(master);
    const auto right = loop.create<file_recorder>(slave);
    left->output = "typed";
    left->update_interest();
    REQUIRE(run_until(loop, [&] { return right->input == "typed"; }));
    right->output = "shown";
    right->update_interest();
    CHECK(run_until(loop, [&] { return left->input == "shown"; }));
}

TEST_CASE("a descriptor that is none is an exception", "[file_dispatcher]")
{
    loop loop;
    CHECK_THROWS_AS(loop.create<file_recorder>(-1), std::system_error);
    auto pipe = make_pipe();
    const int fd = pipe.first.get();
    pipe.first.close();
    CHECK_THROWS_AS(loop.create<file_recorder>(fd), std::system_error);
    CHECK(loop.size() == 0);
}

TEST_CASE("two channels on duplicates of one descriptor", "[file_dispatcher]")
{
    loop loop;
    auto pipe = make_pipe();
    const auto reader = loop.create<file_recorder>(pipe.first.get()).lock();
    const auto writer = loop.create<file_recorder>(pipe.second.get()).lock();
    const auto another = loop.create<file_recorder>(pipe.second.get()).lock();
    writer->reads = another->reads = false;
    pipe.first.close();
    pipe.second.close();
    CHECK(writer->send("one ") == 4);
    writer->close();
    CHECK(another->send("two") == 3);
    CHECK(run_until(loop, [&] { return reader->input == "one two"; }));
    another->close();
    REQUIRE(run_until(loop, [&] { return reader->closed(); }));
    CHECK(reader->close_reason() == close_reason::peer_finished);
}

TEST_CASE("a file has no socket options", "[file_dispatcher]")
{
    loop loop;
    auto pipe = make_pipe();
    const auto channel = loop.create<file_recorder>(pipe.first.get());
    CHECK_THROWS_AS(channel->set_no_delay(true), std::logic_error);
    CHECK_THROWS_AS(channel->listen(), std::logic_error);
    CHECK_THROWS_AS(channel->bind(endpoint("127.0.0.1", 0)), std::logic_error);
}
