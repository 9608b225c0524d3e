// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/driven.hpp"
#include "support/families.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

// The cases of CPython's test_asynchat.py, by their names; python_parity.md lists them all.

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
    std::size_t largest_piece = 0;
    void handle_connect() override {}
    void collect_incoming_data(std::string_view data) override
    {
        largest_piece = std::max(largest_piece, data.size());
        buffer += data;
    }
    void found_terminator() override { contents.push_back(std::exchange(buffer, {})); }
};

/// One server and one client, over each family and with each chunk size.
class fixture {
public:
    fixture()
        : family_(GENERATE(from_range(all_families()))),
          chunk_(GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{3}))
    {
        server_ = loop_.create<server<chunked_echo>>(free_address(family_, dir_), chunk_);
    }

    std::shared_ptr<echo_client> start_client(const terminator& term)
    {
        auto client = loop_.create<echo_client>(term, server_->local_endpoint()).lock();
        // However the system joins what the server sent piece by piece, no piece is larger here.
        client->ac_in_buffer_size = static_cast<std::uint32_t>(chunk_);
        return client;
    }

    /// Runs until the client has seen the end.
    void finish(const std::shared_ptr<echo_client>& client)
    {
        CAPTURE(family_, chunk_);
        CHECK(run_until(loop_, [&] { return client->closed(); }));
        CHECK(client->close_reason() == close_reason::peer_finished);
        CHECK(client->largest_piece > 0);
        CHECK(client->largest_piece <= chunk_);
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

TEST_CASE("TestAsynchat.test_line_terminator1: one byte ends a line", "[parity][asynchat]")
{
    line_terminator_check("\n");
}

TEST_CASE("TestAsynchat.test_line_terminator2: two bytes end a line", "[parity][asynchat]")
{
    line_terminator_check("\r\n");
}

TEST_CASE("TestAsynchat.test_line_terminator3: three equal bytes end a line", "[parity][asynchat]")
{
    line_terminator_check("qqq");
}

TEST_CASE("TestAsynchat.test_numeric_terminator1: a count of 1 gives the first byte once",
          "[parity][asynchat]")
{
    numeric_terminator_check(1);
}

TEST_CASE("TestAsynchat.test_numeric_terminator2: a count of 6 gives six bytes once",
          "[parity][asynchat]")
{
    numeric_terminator_check(6);
}

TEST_CASE("TestAsynchat.test_none_terminator: without a terminator all is collected, nothing found",
          "[parity][asynchat]")
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

TEST_CASE("TestAsynchat.test_simple_producer: a producer sends in pieces of 8",
          "[parity][asynchat]")
{
    fixture test;
    const auto client = test.start_client("\n");
    const std::string data = "hello world\nI'm not dead yet!\n";
    client->push_with_producer(std::make_unique<simple_producer>(data + quit, 8));
    test.finish(client);
    CHECK(client->contents == strings{"hello world", "I'm not dead yet!"});
}

// Here plain data goes to push(), and push_with_producer() takes a callable.
TEST_CASE("TestAsynchat.test_string_producer: a string is sent as a producer", "[parity][asynchat]")
{
    fixture test;
    const auto client = test.start_client("\n");
    std::string data = "hello world\nI'm not dead yet!\n" + quit;
    client->push_with_producer([&data] { return std::exchange(data, {}); });
    test.finish(client);
    CHECK(client->contents == strings{"hello world", "I'm not dead yet!"});
}

TEST_CASE("TestAsynchat.test_empty_line: an empty line is a frame", "[parity][asynchat]")
{
    fixture test;
    const auto client = test.start_client("\n");
    client->push("hello world\n\nI'm not dead yet!\n");
    client->push(quit);
    test.finish(client);
    CHECK(client->contents == strings{"hello world", "", "I'm not dead yet!"});
}

TEST_CASE("TestAsynchat.test_close_when_done: sends all, receives nothing, closes",
          "[parity][asynchat]")
{
    const int family = GENERATE(from_range(all_families()));
    CAPTURE(family);
    loop loop;
    temp_dir dir;
    raw_listener server(free_address(family, dir));
    const auto client = loop.create<echo_client>("\n", server.address()).lock();
    raw_peer peer;
    SECTION("before it is connected") {}
    SECTION("while an answer waits to be read")
    {
        REQUIRE(run_until(loop, [&] { return client->connected(); }));
        peer = server.accept();
        peer.send("hello world\n");
    }
    client->push("hello world\nI'm not dead yet!\n");
    client->push(quit);
    client->close_when_done();
    REQUIRE(run_until(loop, [&] { return client->closed(); }));
    if (peer.fd() < 0)
        peer = server.accept();
    CHECK(run_until(loop, [&] { return peer.ended(); }));
    CHECK(peer.received() == "hello world\nI'm not dead yet!\nQUIT\n");
    CHECK(client->contents.empty());
    CHECK(client->buffer.empty());
    CHECK(client->close_reason() == close_reason::local);
}

// What Python refuses with a TypeError does not compile here.
TEST_CASE("TestAsynchat.test_push: every kind of bytes can be pushed", "[parity][asynchat]")
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

TEST_CASE("TestAsynchatMocked.test_blockingioerror: would-block is no error", "[parity][asynchat]")
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
    const driven<would_block> owned(loop);
    would_block& channel = *owned;
    for (const int number : {EAGAIN, EWOULDBLOCK, EALREADY, EINPROGRESS}) {
        channel.number = number;
        channel.handle_read();
    }
    CHECK(channel.errors == 0);
    channel.number = ETIMEDOUT;
    channel.handle_read();
    CHECK(channel.errors == 1);
}

TEST_CASE("TestHelperFunctions.test_find_prefix_at_end: finds a prefix at the end",
          "[parity][asynchat]")
{
    CHECK(find_prefix_at_end("qwerty\r", "\r\n") == 1);
    CHECK(find_prefix_at_end("qwertydkjf", "\r\n") == 0);
}

TEST_CASE("TestNotConnected.test_disallow_negative_terminator: a negative count is refused",
          "[parity][asynchat]")
{
    loop loop;
    const refusing_address nobody(AF_INET);
    const auto client = loop.create<echo_client>("\n", nobody.address());
    CHECK_THROWS_AS(client->set_terminator(-1), std::invalid_argument);
    CHECK(client->get_terminator() == terminator("\n"));
}

// Of Python 2.7. Here pop() returns an optional item instead of a pair.
TEST_CASE("TestFifo.test_basic: first in, first out", "[parity][asynchat]")
{
    using item = std::variant<int, std::string>;
    fifo<item> f;
    f.push(7);
    f.push("a");
    CHECK(f.size() == 2);
    CHECK((f.first() == item(7)));
    CHECK((f.pop() == item(7)));
    CHECK(f.size() == 1);
    CHECK((f.first() == item("a")));
    CHECK_FALSE(f.is_empty());
    CHECK((f.pop() == item("a")));
    CHECK(f.size() == 0);
    CHECK(f.is_empty());
    CHECK_FALSE(f.pop().has_value());
}

TEST_CASE("TestFifo.test_given_list: starts with a list", "[parity][asynchat]")
{
    using item = std::variant<int, std::string>;
    fifo<item> f{"x", 17, 3};
    CHECK(f.size() == 3);
    CHECK((f.pop() == item("x")));
    CHECK((f.pop() == item(17)));
    CHECK((f.pop() == item(3)));
    CHECK_FALSE(f.pop().has_value());
}
