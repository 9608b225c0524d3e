// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/families.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// The cases of CPython's test_asyncore.py, by their names; python_parity.md lists them all.

using namespace asynchat;
using namespace support;

using strings = std::vector<std::string>;

namespace {

/// A plain channel that notes its handlers.
class noting : public recorder {
public:
    using recorder::recorder;
    std::string throws_in;
    bool throws_exit_now = false;
    void note(const char* name)
    {
        calls.push_back(name);
        if (throws_in == name) {
            if (throws_exit_now)
                throw exit_now();
            throw test_error(name);
        }
    }
    void handle_read_event() override
    {
        note("handle_read_event");
        char buffer[64];
        recv(asio::buffer(buffer)); // what is not read is an event again
    }
    void handle_write_event() override
    {
        wants_write = false;
        note("handle_write_event");
    }
    void handle_expt_event() override { note("handle_expt_event"); }
    void handle_error() override { calls.push_back("handle_error"); }
};

/// A channel that listens and serves one connection in a noting way.
class base_server : public recorder {
public:
    base_server(loop& owner, int family, temp_dir& dir) : recorder(owner)
    {
        create_socket(family);
        if (family != AF_UNIX)
            set_reuse_addr();
        bind(free_address(family, dir));
        listen(5);
    }
    std::shared_ptr<recorder> served;
    void handle_accepted(asynchat::socket connection, const endpoint&) override
    {
        calls.push_back("handle_accepted");
        served = owner().create<recorder>(std::move(connection)).lock();
    }
};

/// What BaseTestAPI has for each case: a loop and a family.
struct api {
    asynchat::loop loop;
    temp_dir dir;
    int family;

    explicit api(const std::vector<int>& families = all_families())
        : family(GENERATE_REF(from_range(families)))
    {
    }
    std::shared_ptr<base_server> start_server()
    {
        return loop.create<base_server>(family, dir).lock();
    }
    std::shared_ptr<recorder> start_client(const dispatcher& server)
    {
        const auto client = loop.create<recorder>().lock();
        client->connect(server.local_endpoint());
        return client;
    }
};

} // namespace

TEST_CASE("HelperFunctionTests.test_readwrite: each readiness calls one event",
          "[parity][asyncore]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<noting>(std::move(ends.first));
    CHECK(settle(loop));
    SECTION("input")
    {
        ends.second.send("x");
        REQUIRE(run_until(loop, [&] { return !channel->calls.empty(); }));
        CHECK(settle(loop));
        CHECK(channel->calls == strings{"handle_read_event"});
    }
    SECTION("output")
    {
        channel->wants_write = true;
        channel->update_interest();
        REQUIRE(run_until(loop, [&] { return !channel->calls.empty(); }));
        CHECK(settle(loop));
        CHECK(channel->calls == strings{"handle_write_event"});
    }
}

TEST_CASE("HelperFunctionTests.test_readwrite, urgent data", "[parity][asyncore][urgent]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<noting>(std::move(ends.first));
    channel->watch_urgent_data();
    CHECK(settle(loop));
    ends.second.send("!", MSG_OOB);
    REQUIRE(run_until(loop, [&] { return !channel->calls.empty(); }));
    channel->watch_urgent_data(false);
    CHECK(settle(loop));
    CHECK(channel->count("handle_expt_event") == channel->calls.size());
}

TEST_CASE("an overridden handle_expt_event is called once for each urgent mark",
          "[parity][asyncore][urgent]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<noting>(std::move(ends.first));
    channel->watch_urgent_data();
    CHECK(settle(loop));
    ends.second.send("!", MSG_OOB);
    REQUIRE(run_until(loop, [&] { return !channel->calls.empty(); }));
    CHECK(settle(loop));
    CHECK(channel->count("handle_expt_event") == 1);
}

// Differs: an error or a hang-up is found by receiving, so handle_read() comes before the end.
TEST_CASE("HelperFunctionTests.test_readwrite, error and hang-up: they close once",
          "[parity][asyncore]")
{
    const bool reset = GENERATE(false, true);
    CAPTURE(reset);
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<recorder>(std::move(ends.first)).lock();
    CHECK(settle(loop));
    reset ? ends.second.reset() : ends.second.close();
    REQUIRE(run_until(loop, [&] { return channel->closed(); }));
    CHECK(channel->calls == strings{"handle_read", "handle_close"});
    CHECK(channel->close_reason() == (reset ? close_reason::reset : close_reason::peer_finished));
}

TEST_CASE("HelperFunctionTests.test_readwriteexc: exit_now passes, other exceptions are handled",
          "[parity][asyncore][urgent]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<noting>(std::move(ends.first));
    CHECK(settle(loop));
    const std::string where =
        GENERATE(as<std::string>{}, "handle_read_event", "handle_write_event", "handle_expt_event");
    channel->throws_exit_now = GENERATE(false, true);
    channel->throws_in = where;
    const auto run = [&] { run_until(loop, [&] { return channel->count("handle_error") > 0; }); };
    if (where == "handle_read_event") {
        ends.second.send("x");
    } else if (where == "handle_write_event") {
        channel->wants_write = true;
        channel->update_interest();
    } else {
        channel->watch_urgent_data();
        CHECK(settle(loop));
        ends.second.send("!", MSG_OOB);
    }
    CAPTURE(where, channel->throws_exit_now);
    if (channel->throws_exit_now) {
        CHECK_THROWS_AS(run(), exit_now);
        CHECK(channel->count("handle_error") == 0);
    } else {
        CHECK_NOTHROW(run());
        CHECK(channel->count("handle_error") > 0);
    }
}

TEST_CASE("HelperFunctionTests.test_closeall: close_all closes all channels", "[parity][asyncore]")
{
    loop loop;
    std::vector<std::shared_ptr<recorder>> channels;
    for (int i = 0; i < 10; ++i)
        channels.push_back(loop.create<recorder>().lock());
    loop.close_all();
    CHECK(loop.size() == 0);
    for (const auto& each : channels) {
        CHECK(each->closed());
        CHECK(each->calls.empty());
    }
}

// Differs: writable() is false unless there is something to write.
TEST_CASE("DispatcherTests.test_basic: a fresh dispatcher wants to read", "[parity][asyncore]")
{
    loop loop;
    const auto channel = loop.create<dispatcher>();
    CHECK(channel->readable());
    CHECK_FALSE(channel->writable());
}

TEST_CASE("DispatcherTests.test_repr: a fresh dispatcher describes itself", "[parity][asyncore]")
{
    loop loop;
    const auto channel = loop.create<dispatcher>();
    CHECK(channel->repr() ==
          fmt::format("<asynchat::dispatcher at {}>", static_cast<const void*>(channel.get())));
}

TEST_CASE("DispatcherTests.test_log: log writes to standard error", "[parity][asyncore]")
{
    loop loop;
    const auto channel = loop.create<dispatcher>();
    captured_stderr capture;
    channel->log("Lovely spam! Wonderful spam!");
    channel->log("I don't like spam!");
    CHECK(capture.text() == "log: Lovely spam! Wonderful spam!\nlog: I don't like spam!\n");
}

// Differs: standard error, and the types are those of log_type.
TEST_CASE("DispatcherTests.test_log_info: log_info writes the type first", "[parity][asyncore]")
{
    loop loop;
    const auto channel = loop.create<dispatcher>();
    captured_stderr capture;
    channel->log_info("Have you got anything without spam?");
    channel->log_info(log_type::error, "Why can't she have egg bacon spam and sausage?");
    channel->log_info(log_type::warning, "That's got spam in it!");
    CHECK(capture.text() == "info: Have you got anything without spam?\n"
                            "error: Why can't she have egg bacon spam and sausage?\n");
}

TEST_CASE("DispatcherTests.test_unhandled: the default handlers warn", "[parity][asyncore]")
{
    loop loop;
    const auto channel = loop.create<dispatcher>().lock();
    channel->ignore_log_types({});
    captured_stderr capture;
    channel->handle_expt();
    channel->handle_read();
    channel->handle_write();
    channel->handle_connect();
    CHECK(capture.text() == "warning: unhandled incoming priority event\n"
                            "warning: unhandled read event\n"
                            "warning: unhandled write event\n"
                            "warning: unhandled connect event\n");
}

TEST_CASE("DispatcherWithSendTests.test_send: what was sent arrives in order", "[parity][asyncore]")
{
    loop loop;
    raw_listener server(endpoint("127.0.0.1", 0));
    const auto client = loop.create<dispatcher_with_send>();
    client->connect(server.address());
    const std::string data = "Suppose there isn't a 16-ton weight?";
    client->send(data);
    client->send(data);
    client->send("\n");
    REQUIRE(run_until(loop, [&] { return client->connected(); }));
    auto peer = server.accept();
    CHECK(run_until(loop, [&] { return peer.received() == data + data + "\n"; }));
}

TEST_CASE("FileWrapperTest.test_recv: reads through a duplicate", "[parity][asyncore]")
{
    loop loop;
    auto file = make_file("It's not dead, it's sleeping!");
    const auto channel = loop.create<file_dispatcher>(file.get()).lock();
    CHECK(channel->native_handle() != file.get());
    file.close(); // the channel has a descriptor of its own
    char buffer[64];
    CHECK(std::string(buffer, channel->recv(asio::buffer(buffer, 13))) == "It's not dead");
    CHECK(std::string(buffer, channel->recv(asio::buffer(buffer, 6))) == ", it's");
    channel->close(); // afterwards Python raises OSError
    CHECK(channel->recv(asio::buffer(buffer, 1)) == 0);
}

TEST_CASE("FileWrapperTest.test_send: writes through a duplicate", "[parity][asyncore]")
{
    loop loop;
    const auto file = make_file("It's not dead, it's sleeping!");
    check_call(::fcntl(file.get(), F_SETFL, O_APPEND) == 0, "fcntl");
    const auto channel = loop.create<file_dispatcher>(file.get());
    CHECK(channel->send("Come again?") == 11);
    CHECK(channel->send("I want to buy some cheese.") == 26);
    channel->close();
    char buffer[128];
    const ssize_t size = ::pread(file.get(), buffer, sizeof buffer, 0);
    REQUIRE(size == 66);
    CHECK(std::string(buffer, 66) ==
          "It's not dead, it's sleeping!Come again?I want to buy some cheese.");
}

TEST_CASE("FileWrapperTest.test_dispatcher: the loop reads a regular file", "[parity][asyncore]")
{
    class file_reader : public logging<file_dispatcher> {
    public:
        using logging::logging;
        std::string data;
        void handle_read() override
        {
            char buffer[29];
            data.append(buffer, recv(asio::buffer(buffer)));
        }
    };
    loop loop;
    const auto file = make_file("It's not dead, it's sleeping!");
    const auto channel = loop.create<file_reader>(file.get()).lock();
    const deadline limit(loop);
    loop.run();
    CHECK(channel->data == "It's not dead, it's sleeping!");
}

// Differs: Python raises OSError when closing fails; close() throws nothing here.
TEST_CASE("FileWrapperTest.test_close_twice: the second close does nothing", "[parity][asyncore]")
{
    loop loop;
    const auto file = make_file("x");
    const auto channel = loop.create<file_dispatcher>(file.get()).lock();
    const int own = channel->native_handle();
    SECTION("closing works") {}
    SECTION("closing fails")
    {
        check_call(::close(own) == 0, "close");
    }
    CHECK_NOTHROW(channel->close());
    CHECK(channel->native_handle() == -1);
    CHECK_FALSE(is_open(own));
    CHECK_NOTHROW(channel->close());
    CHECK(channel->closed());
    CHECK(is_open(file.get()));
}

TEST_CASE("BaseTestAPI.test_handle_connect: called when connected", "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    CHECK(run_until(test.loop, [&] { return client->count("handle_connect") == 1; }));
}

TEST_CASE("BaseTestAPI.test_handle_accept: called for a new client", "[parity][asyncore]")
{
    class accepting_itself : public base_server {
    public:
        using base_server::base_server;
        void handle_accept() override { calls.push_back(accept() ? "handle_accept" : "nothing"); }
    };
    api test;
    const auto server = test.loop.create<accepting_itself>(test.family, test.dir).lock();
    const auto client = test.start_client(*server);
    CHECK(run_until(test.loop, [&] { return server->count("handle_accept") == 1; }));
    CHECK(server->count("handle_accepted") == 0);
}

TEST_CASE("BaseTestAPI.test_handle_accepted: gets the connection", "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    REQUIRE(run_until(test.loop, [&] { return server->count("handle_accepted") == 1; }));
    REQUIRE(server->served);
    CHECK(server->served->connected());
}

TEST_CASE("BaseTestAPI.test_handle_read: called when data arrives", "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    REQUIRE(run_until(test.loop, [&] { return server->served && client->connected(); }));
    server->served->send("xxxxxxxxxx");
    CHECK(run_until(test.loop, [&] { return client->input == "xxxxxxxxxx"; }));
}

// Differs: only who asks for it by writable() gets the event.
TEST_CASE("BaseTestAPI.test_handle_write: called when output is possible", "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    client->wants_write = true;
    CHECK(run_until(test.loop, [&] { return client->count("handle_write") > 0; }));
}

TEST_CASE("BaseTestAPI.test_handle_close: called when the other side closes", "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    REQUIRE(run_until(test.loop, [&] { return server->served && client->connected(); }));
    server->served->close();
    REQUIRE(run_until(test.loop, [&] { return client->closed(); }));
    CHECK(client->count("handle_close") == 1);
    CHECK(server->served->count("handle_close") == 0);
}

TEST_CASE("BaseTestAPI.test_handle_close_after_conn_broken: writing to a lost peer closes",
          "[parity][asyncore]")
{
    class writing : public recorder {
    public:
        using recorder::recorder;
        bool readable() override { return false; }
        bool writable() override { return true; }
        void handle_write() override { send(std::string(100000, 'x')); }
    };
    api test;
    const auto server = test.start_server();
    const auto client = test.loop.create<writing>().lock();
    client->connect(server->local_endpoint());
    REQUIRE(run_until(test.loop, [&] { return server->served && client->connected(); }));
    server->served->close();
    REQUIRE(run_until(test.loop, [&] { return client->closed(); }));
    CHECK(client->count("handle_close") == 1);
    CHECK(client->count("handle_error") == 0);
    CHECK(client->close_reason() == close_reason::reset);
}

// Not over UNIX sockets. Differs: on request only.
TEST_CASE("BaseTestAPI.test_handle_expt: called for urgent data", "[parity][asyncore][urgent]")
{
    api test(ip_families());
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    client->watch_urgent_data();
    REQUIRE(run_until(test.loop, [&] { return server->served && client->connected(); }));
    REQUIRE(::send(server->served->native_handle(), "!", 1, MSG_OOB) == 1);
    CHECK(run_until(test.loop, [&] { return client->count("handle_expt") == 1; }));
}

TEST_CASE("BaseTestAPI.test_handle_error: called with the exception at hand", "[parity][asyncore]")
{
    class failing : public recorder {
    public:
        using recorder::recorder;
        void handle_write() override { throw test_error("in handle_write"); }
    };
    api test;
    const auto server = test.start_server();
    const auto client = test.loop.create<failing>().lock();
    client->wants_write = true;
    client->connect(server->local_endpoint());
    REQUIRE(run_until(test.loop, [&] { return client->count("handle_error") == 1; }));
    CHECK(client->error_text == "in handle_write"); // the exception at hand
}

TEST_CASE("BaseTestAPI.test_connection_attributes: connected and accepting follow",
          "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    CHECK(server->accepting());
    CHECK_FALSE(server->connected());
    const auto client = test.start_client(*server);
    CHECK_FALSE(client->accepting());
    REQUIRE(run_until(test.loop, [&] { return client->connected() && server->served; }));
    CHECK_FALSE(server->connected());
    CHECK(server->accepting());
    CHECK_FALSE(client->accepting());
    client->close();
    CHECK_FALSE(client->connected());
    CHECK_FALSE(client->accepting());
    server->close();
    CHECK_FALSE(server->connected());
    CHECK_FALSE(server->accepting());
}

TEST_CASE("BaseTestAPI.test_create_socket: non-blocking, not inherited", "[parity][asyncore]")
{
    api test;
    const auto channel = test.loop.create<recorder>();
    channel->create_socket(test.family);
    const int fd = channel->native_handle();
    CHECK(int_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
    CHECK(int_option(fd, SOL_SOCKET, SO_DOMAIN) == test.family);
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

// Not over UNIX sockets.
TEST_CASE("BaseTestAPI.test_bind: a port can be bound once", "[parity][asyncore]")
{
    api test(ip_families());
    const auto one = test.loop.create<recorder>();
    one->create_socket(test.family);
    one->bind(free_address(test.family, test.dir));
    one->listen(5);
    const auto two = test.loop.create<recorder>();
    two->create_socket(test.family);
    CHECK_THROWS_AS(two->bind(one->local_endpoint()), std::system_error);
}

// Not over UNIX sockets.
TEST_CASE("BaseTestAPI.test_set_reuse_addr: sets the option", "[parity][asyncore]")
{
    api test(ip_families());
    const auto channel = test.loop.create<recorder>();
    channel->create_socket(test.family);
    CHECK(int_option(channel->native_handle(), SOL_SOCKET, SO_REUSEADDR) == 0);
    channel->set_reuse_addr();
    CHECK(int_option(channel->native_handle(), SOL_SOCKET, SO_REUSEADDR) != 0);
}

// IP only.
TEST_CASE("BaseTestAPI.test_quick_connect: clients that reset at once do no harm",
          "[parity][asyncore]")
{
    api test(ip_families());
    const auto server = test.start_server();
    for (int i = 0; i < 20; ++i) {
        raw_peer::connected_to(server->local_endpoint()).reset();
        test.loop.poll();
    }
    CHECK(settle(test.loop));
    CHECK(server->accepting());
    CHECK(server->count("handle_error") == 0);
    const auto client = test.start_client(*server);
    CHECK(run_until(test.loop, [&] { return client->connected(); }));
}
