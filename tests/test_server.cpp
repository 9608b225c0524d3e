// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace asynchat;
using namespace support;

namespace {

class echo_line : public logging<async_chat> {
public:
    echo_line(loop& owner, asynchat::socket from, std::string prefix = {})
        : logging(owner, std::move(from)), prefix_(std::move(prefix))
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override { push(prefix_ + _get_data() + "\n"); }

private:
    std::string prefix_;
};

} // namespace

TEST_CASE("a server is one line", "[server]")
{
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(family);
    loop loop;
    temp_dir dir;
    const auto server = loop.create<asynchat::server<echo_line>>(free_address(family, dir));
    REQUIRE(server);
    CHECK(server->accepting());

    std::vector<raw_peer> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(raw_peer::connected_to(server->local_endpoint()));
        clients.back().send("line " + std::to_string(i) + "\n");
    }
    for (int i = 0; i < 5; ++i) {
        auto& client = clients[static_cast<std::size_t>(i)];
        const std::string expected = "line " + std::to_string(i) + "\n";
        CHECK(run_until(loop, [&] { return client.received() == expected; }));
    }
    CHECK(loop.size() == 6);
    clients.clear();
    REQUIRE(run_until(loop, [&] { return loop.size() == 1; }));
    server->close();
    CHECK(loop.size() == 0);
}

TEST_CASE("a server passes its arguments to each handler", "[server]")
{
    loop loop;
    const auto server =
        loop.create<asynchat::server<echo_line>>(endpoint("127.0.0.1", 0), "you said: ");
    auto one = raw_peer::connected_to(server->local_endpoint());
    auto two = raw_peer::connected_to(server->local_endpoint());
    one.send("a\n");
    two.send("b\n");
    CHECK(run_until(loop, [&] { return one.received() == "you said: a\n"; }));
    CHECK(run_until(loop, [&] { return two.received() == "you said: b\n"; }));
}

TEST_CASE("a server shares what is given by reference", "[server]")
{
    struct counter {
        int connections = 0;
    };
    class counted : public logging<async_chat> {
    public:
        counted(loop& owner, asynchat::socket from, counter& count, std::shared_ptr<int> shared)
            : logging(owner, std::move(from)), shared_(std::move(shared))
        {
            ++count.connections;
            ++*shared_;
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}

    private:
        std::shared_ptr<int> shared_;
    };
    loop loop;
    counter count;
    const auto shared = std::make_shared<int>(0);
    const auto server =
        loop.create<asynchat::server<counted>>(endpoint("127.0.0.1", 0), std::ref(count), shared);
    const auto one = raw_peer::connected_to(server->local_endpoint());
    const auto two = raw_peer::connected_to(server->local_endpoint());
    CHECK(run_until(loop, [&] { return count.connections == 2; }));
    CHECK(*shared == 2);
}

TEST_CASE("a handler whose constructor throws costs its own connection", "[server]")
{
    class choosy : public logging<async_chat> {
    public:
        choosy(loop& owner, asynchat::socket from, int& made) : logging(owner, std::move(from))
        {
            if (++made == 2)
                throw test_error("the second one is not wanted");
            push("welcome");
        }
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}
    };
    loop loop;
    int made = 0;
    const auto server =
        loop.create<asynchat::server<choosy>>(endpoint("127.0.0.1", 0), std::ref(made));
    std::vector<raw_peer> clients;
    captured_stderr capture;
    for (int i = 0; i < 3; ++i)
        clients.push_back(raw_peer::connected_to(server->local_endpoint()));
    const bool served = run_until(loop, [&] { return clients[2].received() == "welcome"; });
    const std::string log = capture.text();
    CHECK(served);
    CHECK(clients[0].received() == "welcome");
    CHECK(clients[1].ended());
    CHECK(clients[1].received().empty());
    CHECK(server->accepting());
    CHECK_THAT(log, Catch::Matchers::ContainsSubstring("the second one is not wanted"));
    CHECK_THAT(log, Catch::Matchers::ContainsSubstring("still listening"));
}

TEST_CASE("an address that cannot be had is an exception", "[server]")
{
    loop loop;
    const auto first = loop.create<asynchat::server<echo_line>>(endpoint("127.0.0.1", 0));
    CHECK_THROWS_AS(loop.create<asynchat::server<echo_line>>(first->local_endpoint()),
                    std::system_error);
    CHECK(loop.size() == 1);
    CHECK(first->accepting());
}

TEST_CASE("a server may be made again where one has just closed", "[server]")
{
    loop loop;
    const auto first = loop.create<asynchat::server<echo_line>>(endpoint("127.0.0.1", 0));
    const endpoint where = first->local_endpoint();
    auto client = raw_peer::connected_to(where);
    REQUIRE(run_until(loop, [&] { return loop.size() == 2; }));
    loop.close_all(); // closing first leaves the address waiting on this side
    REQUIRE(run_until(loop, [&] { return client.ended(); }));
    client.close();
    CHECK_NOTHROW(loop.create<asynchat::server<echo_line>>(where));
}

TEST_CASE("a handler may be any dispatcher", "[server]")
{
    loop loop;
    const auto server = loop.create<asynchat::server<echo_channel>>(endpoint("::1", 0));
    auto client = raw_peer::connected_to(server->local_endpoint());
    client.send("anything");
    CHECK(run_until(loop, [&] { return client.received() == "anything"; }));
}
