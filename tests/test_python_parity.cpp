// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The cases of CPython's own tests, by their names; python_parity.md lists them all.

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace asynchat;
using namespace support;

namespace {

using strings = std::vector<std::string>;

const std::string quit = "QUIT\n";

/// Keeps all input until "QUIT\n", then sends back what came before in pieces of `chunk` bytes, one
/// for each write event, and closes.
class chunked_echo : public logging<dispatcher> {
public:
    chunked_echo(loop& owner, asynchat::socket from, std::size_t chunk)
        : logging(owner, std::move(from)), chunk_(chunk)
    {
    }
    bool writable() override { return !output_.empty(); }
    void handle_read() override
    {
        char buffer[4096];
        input_.append(buffer, recv(asio::buffer(buffer)));
        const auto end = input_.find(quit);
        if (end != std::string::npos)
            output_ = input_.substr(0, end);
    }
    void handle_write() override
    {
        output_.erase(0, send(std::string_view(output_).substr(0, chunk_)));
        if (output_.empty())
            close();
    }

private:
    std::size_t chunk_;
    std::string input_;
    std::string output_;
};

/// Connects and keeps what it gets, frame by frame.
class echo_client : public logging<async_chat> {
public:
    echo_client(loop& owner, const terminator& term, const endpoint& server) : logging(owner)
    {
        set_terminator(term);
        connect(server);
    }
    strings contents;
    std::string buffer;
    void handle_connect() override {}
    void collect_incoming_data(std::string_view data) override { buffer += data; }
    void found_terminator() override { contents.push_back(std::exchange(buffer, {})); }
};

/// One server and one client, over each family and with each chunk size.
class fixture {
public:
    fixture()
        : family_(GENERATE(AF_INET, AF_INET6, AF_UNIX)),
          chunk_(GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{3}))
    {
        server_ = loop_.create<server<chunked_echo>>(free_address(family_, dir_), chunk_);
    }

    std::shared_ptr<echo_client> start_client(const terminator& term)
    {
        CAPTURE(family_, chunk_);
        return loop_.create<echo_client>(term, server_->local_endpoint()).lock();
    }

    /// Runs until the client has seen the end.
    void finish(const std::shared_ptr<echo_client>& client)
    {
        CAPTURE(family_, chunk_);
        CHECK(run_until(loop_, [&] { return client->closed(); }));
        CHECK(client->close_reason() == close_reason::peer_finished);
    }

private:
    int family_;
    std::size_t chunk_;
    temp_dir dir_;
    loop loop_;
    handle<server<chunked_echo>> server_;
};

void line_terminator_check(const std::string& term)
{
    fixture test;
    const auto client = test.start_client(term);
    client->push("hello ");
    client->push("world" + term);
    client->push("I'm not dead yet!" + term);
    client->push(quit);
    test.finish(client);
    CHECK(client->contents == strings{"hello world", "I'm not dead yet!"});
}

void numeric_terminator_check(int length)
{
    fixture test;
    const auto client = test.start_client(length);
    const std::string data = "hello world, I'm not dead yet!\n";
    client->push(data);
    client->push(quit);
    test.finish(client);
    CHECK(client->contents == strings{data.substr(0, static_cast<std::size_t>(length))});
}

} // namespace

// --- test_asynchat ---------------------------------------------------------------------------

TEST_CASE("TestAsynchat.test_line_terminator1", "[parity][asynchat]")
{
    line_terminator_check("\n");
}

TEST_CASE("TestAsynchat.test_line_terminator2", "[parity][asynchat]")
{
    line_terminator_check("\r\n");
}

TEST_CASE("TestAsynchat.test_line_terminator3", "[parity][asynchat]")
{
    line_terminator_check("qqq");
}

TEST_CASE("TestAsynchat.test_numeric_terminator1", "[parity][asynchat]")
{
    numeric_terminator_check(1);
}

TEST_CASE("TestAsynchat.test_numeric_terminator2", "[parity][asynchat]")
{
    numeric_terminator_check(6);
}

TEST_CASE("TestAsynchat.test_none_terminator", "[parity][asynchat]")
{
    fixture test;
    const auto client = test.start_client(std::nullopt);
    const std::string data = "hello world, I'm not dead yet!\n";
    client->push(data);
    client->push(quit);
    test.finish(client);
    CHECK(client->contents.empty());
    CHECK(client->buffer == data);
}

TEST_CASE("TestAsynchat.test_simple_producer", "[parity][asynchat]")
{
    fixture test;
    const auto client = test.start_client("\n");
    const std::string data = "hello world\nI'm not dead yet!\n";
    client->push_with_producer(std::make_unique<simple_producer>(data + quit, 8));
    test.finish(client);
    CHECK(client->contents == strings{"hello world", "I'm not dead yet!"});
}

// Here plain data goes to push(), and push_with_producer() takes a callable.
TEST_CASE("TestAsynchat.test_string_producer", "[parity][asynchat]")
{
    fixture test;
    const auto client = test.start_client("\n");
    std::string data = "hello world\nI'm not dead yet!\n" + quit;
    client->push_with_producer([&data] { return std::exchange(data, {}); });
    test.finish(client);
    CHECK(client->contents == strings{"hello world", "I'm not dead yet!"});
}

TEST_CASE("TestAsynchat.test_empty_line", "[parity][asynchat]")
{
    fixture test;
    const auto client = test.start_client("\n");
    client->push("hello world\n\nI'm not dead yet!\n");
    client->push(quit);
    test.finish(client);
    CHECK(client->contents == strings{"hello world", "", "I'm not dead yet!"});
}

TEST_CASE("TestAsynchat.test_close_when_done", "[parity][asynchat]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    loop loop;
    temp_dir dir;
    raw_listener server(free_address(family, dir));
    const auto client = loop.create<echo_client>("\n", server.address()).lock();
    client->push("hello world\nI'm not dead yet!\n");
    client->push(quit);
    client->close_when_done();
    auto peer = raw_peer();
    REQUIRE(run_until(loop, [&] { return client->closed(); }));
    peer = server.accept();
    CHECK(run_until(loop, [&] { return peer.ended(); }));
    CHECK(peer.received() == "hello world\nI'm not dead yet!\n" + quit);
    CHECK(client->contents.empty());
    CHECK(client->close_reason() == close_reason::local);
}

// What Python refuses with a TypeError does not compile here.
TEST_CASE("TestAsynchat.test_push", "[parity][asynchat]")
{
    fixture test;
    const auto client = test.start_client("\n");
    const std::string bytes = "bytes\n";
    const char array[] = "array\n";
    const char* pointer = "pointer\n";
    CHECK(client->push(bytes));
    CHECK(client->push(std::string_view("view\n")));
    CHECK(client->push(std::string("moved\n")));
    CHECK(client->push(array));
    CHECK(client->push(pointer));
    CHECK(client->push(std::make_shared<const std::string>("shared\n")));
    CHECK(client->push(quit));
    test.finish(client);
    CHECK(client->contents == strings{"bytes", "view", "moved", "array", "pointer", "shared"});
}

TEST_CASE("TestAsynchatMocked.test_blockingioerror", "[parity][asynchat]")
{
    class would_block : public logging<async_chat> {
    public:
        explicit would_block(loop& owner) : logging(owner) { set_connected(true); }
        int number = EAGAIN;
        int errors = 0;
        std::size_t recv(asio::mutable_buffer) override
        {
            throw std::system_error(number, std::system_category(), "recv");
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}
        void handle_error() override { ++errors; }
    };
    loop loop;
    would_block channel(loop);
    for (const int number : {EAGAIN, EWOULDBLOCK, EALREADY, EINPROGRESS}) {
        channel.number = number;
        channel.handle_read();
    }
    CHECK(channel.errors == 0);
    channel.number = ETIMEDOUT;
    channel.handle_read();
    CHECK(channel.errors == 1);
}

TEST_CASE("TestHelperFunctions.test_find_prefix_at_end", "[parity][asynchat]")
{
    CHECK(find_prefix_at_end("qwerty\r", "\r\n") == 1);
    CHECK(find_prefix_at_end("qwertydkjf", "\r\n") == 0);
}

TEST_CASE("TestNotConnected.test_disallow_negative_terminator", "[parity][asynchat]")
{
    loop loop;
    const refusing_address nobody(AF_INET);
    const auto client = loop.create<echo_client>("\n", nobody.address());
    CHECK_THROWS_AS(client->set_terminator(-1), std::invalid_argument);
    CHECK(client->get_terminator() == terminator("\n"));
}

// --- test_asyncore ---------------------------------------------------------------------------

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
    void handle_read_event() override { note("handle_read_event"); }
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
    int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);

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

TEST_CASE("HelperFunctionTests.test_readwrite", "[parity][asyncore]")
{
    loop loop;
    auto ends = connected_pair();
    const auto channel = loop.create<noting>(std::move(ends.first));
    CHECK(settle(loop));
    SECTION("input")
    {
        ends.second.send("x");
        REQUIRE(run_until(loop, [&] { return !channel->calls.empty(); }));
        CHECK(channel->calls[0] == "handle_read_event");
        CHECK(channel->count("handle_write_event") == 0);
        CHECK(channel->count("handle_expt_event") == 0);
    }
    SECTION("output")
    {
        channel->wants_write = true;
        channel->update_interest();
        CHECK(settle(loop));
        CHECK(channel->calls == strings{"handle_write_event"});
    }
    SECTION("urgent data")
    {
        channel->watch_urgent_data();
        CHECK(settle(loop));
        ends.second.send("!", MSG_OOB);
        REQUIRE(run_until(loop, [&] { return channel->count("handle_expt_event") > 0; }));
        CHECK(channel->count("handle_write_event") == 0);
    }
}

TEST_CASE("HelperFunctionTests.test_readwriteexc", "[parity][asyncore]")
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

TEST_CASE("HelperFunctionTests.test_closeall", "[parity][asyncore]")
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
TEST_CASE("DispatcherTests.test_basic", "[parity][asyncore]")
{
    loop loop;
    const auto channel = loop.create<dispatcher>();
    CHECK(channel->readable());
    CHECK_FALSE(channel->writable());
}

TEST_CASE("DispatcherTests.test_repr", "[parity][asyncore]")
{
    loop loop;
    const auto channel = loop.create<dispatcher>();
    CHECK(channel->repr() ==
          fmt::format("<asynchat::dispatcher at {}>", static_cast<const void*>(channel.get())));
}

TEST_CASE("DispatcherTests.test_log", "[parity][asyncore]")
{
    loop loop;
    const auto channel = loop.create<dispatcher>();
    captured_stderr capture;
    channel->log("Lovely spam! Wonderful spam!");
    channel->log("I don't like spam!");
    CHECK(capture.text() == "log: Lovely spam! Wonderful spam!\nlog: I don't like spam!\n");
}

// Differs: standard error, and the types are those of log_type.
TEST_CASE("DispatcherTests.test_log_info", "[parity][asyncore]")
{
    loop loop;
    const auto channel = loop.create<dispatcher>();
    captured_stderr capture;
    channel->log_info("Have you got anything without spam?");
    channel->log_info("Why can't she have egg bacon spam and sausage?", log_type::error);
    channel->log_info("That's got spam in it!", log_type::warning);
    CHECK(capture.text() == "info: Have you got anything without spam?\n"
                            "error: Why can't she have egg bacon spam and sausage?\n");
}

TEST_CASE("DispatcherTests.test_unhandled", "[parity][asyncore]")
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

TEST_CASE("DispatcherWithSendTests.test_send", "[parity][asyncore]")
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

TEST_CASE("FileWrapperTest.test_recv", "[parity][asyncore]")
{
    loop loop;
    auto file = make_file("It's not dead, it's sleeping!");
    const auto channel = loop.create<file_dispatcher>(file.get());
    CHECK(channel->native_handle() != file.get());
    file.close();
    char buffer[64];
    CHECK(std::string(buffer, channel->recv(asio::buffer(buffer, 13))) == "It's not dead");
    CHECK(std::string(buffer, channel->recv(asio::buffer(buffer, 6))) == ", it's");
}

TEST_CASE("FileWrapperTest.test_send", "[parity][asyncore]")
{
    loop loop;
    const auto file = make_file({});
    const auto channel = loop.create<file_dispatcher>(file.get());
    CHECK(channel->send("Come again?") == 11);
    CHECK(channel->send("I want to buy some cheese.") == 26);
    char buffer[64];
    const ssize_t size = ::pread(file.get(), buffer, sizeof buffer, 0);
    REQUIRE(size == 37);
    CHECK(std::string(buffer, 37) == "Come again?I want to buy some cheese.");
}

TEST_CASE("FileWrapperTest.test_dispatcher", "[parity][asyncore]")
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

TEST_CASE("FileWrapperTest.test_close_twice", "[parity][asyncore]")
{
    loop loop;
    const auto file = make_file("x");
    const auto channel = loop.create<file_dispatcher>(file.get()).lock();
    const int own = channel->native_handle();
    channel->close();
    CHECK(channel->native_handle() == -1);
    CHECK_FALSE(is_open(own));
    channel->close();
    CHECK(is_open(file.get()));
}

TEST_CASE("BaseTestAPI.test_handle_connect", "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    CHECK(run_until(test.loop, [&] { return client->count("handle_connect") == 1; }));
}

TEST_CASE("BaseTestAPI.test_handle_accept", "[parity][asyncore]")
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

TEST_CASE("BaseTestAPI.test_handle_accepted", "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    REQUIRE(run_until(test.loop, [&] { return server->count("handle_accepted") == 1; }));
    REQUIRE(server->served);
    CHECK(server->served->connected());
}

TEST_CASE("BaseTestAPI.test_handle_read", "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    REQUIRE(run_until(test.loop, [&] { return server->served && client->connected(); }));
    server->served->send("xxxxxxxxxx");
    CHECK(run_until(test.loop, [&] { return client->input == "xxxxxxxxxx"; }));
}

// Differs: only who asks for it by writable() gets the event.
TEST_CASE("BaseTestAPI.test_handle_write", "[parity][asyncore]")
{
    api test;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    client->wants_write = true;
    CHECK(run_until(test.loop, [&] { return client->count("handle_write") > 0; }));
}

TEST_CASE("BaseTestAPI.test_handle_close", "[parity][asyncore]")
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

TEST_CASE("BaseTestAPI.test_handle_close_after_conn_broken", "[parity][asyncore]")
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
TEST_CASE("BaseTestAPI.test_handle_expt", "[parity][asyncore]")
{
    api test;
    if (test.family == AF_UNIX)
        return;
    const auto server = test.start_server();
    const auto client = test.start_client(*server);
    client->watch_urgent_data();
    REQUIRE(run_until(test.loop, [&] { return server->served && client->connected(); }));
    REQUIRE(::send(server->served->native_handle(), "!", 1, MSG_OOB) == 1);
    CHECK(run_until(test.loop, [&] { return client->count("handle_expt") == 1; }));
}

TEST_CASE("BaseTestAPI.test_handle_error", "[parity][asyncore]")
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

TEST_CASE("BaseTestAPI.test_connection_attributes", "[parity][asyncore]")
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

TEST_CASE("BaseTestAPI.test_create_socket", "[parity][asyncore]")
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
TEST_CASE("BaseTestAPI.test_bind", "[parity][asyncore]")
{
    api test;
    if (test.family == AF_UNIX)
        return;
    const auto one = test.loop.create<recorder>();
    one->create_socket(test.family);
    one->bind(free_address(test.family, test.dir));
    one->listen(5);
    const auto two = test.loop.create<recorder>();
    two->create_socket(test.family);
    CHECK_THROWS_AS(two->bind(one->local_endpoint()), std::system_error);
}

// Not over UNIX sockets.
TEST_CASE("BaseTestAPI.test_set_reuse_addr", "[parity][asyncore]")
{
    api test;
    if (test.family == AF_UNIX)
        return;
    const auto channel = test.loop.create<recorder>();
    channel->create_socket(test.family);
    CHECK(int_option(channel->native_handle(), SOL_SOCKET, SO_REUSEADDR) == 0);
    channel->set_reuse_addr();
    CHECK(int_option(channel->native_handle(), SOL_SOCKET, SO_REUSEADDR) != 0);
}

// IP only.
TEST_CASE("BaseTestAPI.test_quick_connect", "[parity][asyncore]")
{
    api test;
    if (test.family == AF_UNIX)
        return;
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
