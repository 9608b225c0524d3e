// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/families.hpp"
#include "support/loop_channels.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <asio/ip/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

using echo_server = asynchat::server<line_echo>;

const endpoint any_port("127.0.0.1", 0);

bool answers(loop& loop, const endpoint& where)
{
    auto client = raw_peer::connected_to(where);
    client.send("hello\n");
    return run_until(loop, [&] { return client.received() == "hello\n"; });
}

asynchat::socket listening_socket(const endpoint& where, int flags = 0)
{
    asynchat::socket made(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC | flags, 0),
                          where.family(), SOCK_STREAM);
    const auto native = where.native();
    check_call(::bind(made.native_handle(), native.data(), static_cast<socklen_t>(native.size())) ==
                   0,
               "bind");
    check_call(::listen(made.native_handle(), 16) == 0, "listen");
    return made;
}

bool is_socket_file(const std::string& path)
{
    struct stat file = {};
    return ::lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode);
}

} // namespace

TEST_CASE("a server listens where an endpoint of Asio says", "[server][listen]")
{
    loop loop;
    const asio::ip::tcp::endpoint where(asio::ip::address_v4::loopback(), 0);
    const auto server = loop.create<echo_server>(where);
    CHECK(server->addr() == any_port);
    CHECK(server->local_endpoint().port() != 0);
    CHECK(answers(loop, server->local_endpoint()));
}

TEST_CASE("the backlog bounds how many connections wait", "[server][listen]")
{
    temp_dir dir;
    loop loop;
    const auto server = loop.create<echo_server>(
        listen_options(endpoint::unix_path(dir.file("backlog"))).backlog(0));
    server->max_connections(0);
    const auto first = raw_peer::connected_to(server->local_endpoint());
    // One more than the backlog is taken; over UNIX sockets the next one is told.
    asynchat::socket second(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                            AF_UNIX, SOCK_STREAM);
    const auto native = server->local_endpoint().native();
    CHECK(::connect(second.native_handle(), native.data(), static_cast<socklen_t>(native.size())) !=
          0);
    CHECK(errno == EAGAIN);
}

TEST_CASE("two servers share a port if both say so", "[server][listen]")
{
    loop loop;
    const auto first = loop.create<echo_server>(listen_options(any_port).reuse_port());
    const endpoint where = first->local_endpoint();
    CHECK_THROWS_AS(loop.create<echo_server>(where), std::system_error);
    const auto second = loop.create<echo_server>(listen_options(where).reuse_port());
    CHECK(second->local_endpoint() == where);
    std::vector<raw_peer> clients;
    for (int i = 0; i < 64; ++i)
        clients.push_back(raw_peer::connected_to(where));
    REQUIRE(run_until(loop, [&] {
        return first->counters().accepted + second->counters().accepted == clients.size();
    }));
    // Each misses all of 64 with a chance of 2 to the 63.
    CHECK(first->counters().accepted > 0);
    CHECK(second->counters().accepted > 0);
}

TEST_CASE("an IPv6 server serves IPv4 as well if it shall", "[server][listen]")
{
    if (ip_families().size() == 1)
        return;
    loop loop;
    const bool both = GENERATE(false, true);
    CAPTURE(both);
    const auto server =
        loop.create<echo_server>(listen_options(endpoint("::", 0)).dualstack_ipv6(both));
    const std::uint16_t port = server->local_endpoint().port();
    CHECK(answers(loop, endpoint("::1", port)));
    if (both)
        CHECK(answers(loop, endpoint("127.0.0.1", port)));
    else
        CHECK_THROWS_AS(raw_peer::connected_to(endpoint("127.0.0.1", port)), std::system_error);
}

TEST_CASE("one server has several addresses, limits and counters once", "[server][listen]")
{
    temp_dir dir;
    loop loop;
    const endpoint path = endpoint::unix_path(dir.file("s"));
    listen_options where(any_port);
    where.add(path).add(endpoint("127.0.0.2", 0));
    const auto server = loop.create<echo_server>(where);
    const auto bound = server->local_endpoints();
    REQUIRE(bound.size() == 3);
    CHECK(bound[0] == server->local_endpoint());
    CHECK(bound[1] == path);
    CHECK(bound[2] == endpoint("127.0.0.2", bound[0].port()));
    CHECK(loop.size() == 1);

    server->ignore_log_types({log_type::info});
    server->max_connections(2);
    std::vector<raw_peer> clients;
    for (const endpoint& each : bound) {
        clients.push_back(raw_peer::connected_to(each));
        clients.back().send("hello\n");
    }
    REQUIRE(run_until(loop, [&] { return server->counters().frames == 2; }));
    CHECK(settle(loop)); // does not spin
    CHECK(server->counters().accepted == 2);
    for (auto& client : clients) {
        if (!client.received().empty()) {
            client.close();
            break;
        }
    }
    REQUIRE(run_until(loop, [&] { return server->counters().frames == 3; }));
    CHECK(server->counters().accepted == 3);

    server->close();
    for (const endpoint& each : bound)
        CHECK_THROWS_AS(raw_peer::connected_to(each), std::system_error);
}

TEST_CASE("a server of several addresses serves them for long", "[server][listen]")
{
    loop loop;
    const auto server =
        loop.create<echo_server>(listen_options(any_port).add(endpoint("127.0.0.2", 0)));
    const auto bound = server->local_endpoints();
    for (std::size_t i = 0; i < 50; ++i) // the one and the other, and one several times in a row
        CHECK(answers(loop, bound[i % 7 == 0 ? 1 : i % 2]));
    CHECK(settle(loop));
    CHECK(server->counters().accepted == 50);
}

TEST_CASE("a server of several addresses works in memory, too", "[server][listen]")
{
    testing::loop loop;
    const auto server = loop.create<echo_server>(
        listen_options(endpoint("10.0.0.1", 7)).add(endpoint("10.0.0.2", 7)));
    auto one = loop.connect(endpoint("10.0.0.1", 7));
    auto two = loop.connect(endpoint("10.0.0.2", 7));
    one.send("one\n");
    two.send("two\n");
    loop.poll();
    auto three = loop.connect(endpoint("10.0.0.2", 7));
    three.send("three\n");
    loop.poll();
    CHECK(one.received() == "one\n");
    CHECK(two.received() == "two\n");
    CHECK(three.received() == "three\n");
}

TEST_CASE("if one of several addresses cannot be had, no server is made", "[server][listen]")
{
    loop loop;
    const raw_listener taken(any_port);
    auto where = listen_options(endpoint("127.0.0.2", 0)).add(taken.address());
    CHECK_THROWS_AS(loop.create<echo_server>(where), std::system_error);
    CHECK(loop.size() == 0);
}

TEST_CASE("a port that the system chose is another one if it is taken at a further address",
          "[server][listen]")
{
    asynchat::testing::loop loop;
    const auto where = listen_options(endpoint("10.0.0.1", 0)).add(endpoint("10.0.0.2", 0));
    loop.fail(2, EADDRINUSE, asynchat::testing::operation::bind);
    const auto server = loop.create<echo_server>(where);
    CHECK_FALSE(loop.has_to_fail());
    const auto bound = server->local_endpoints();
    REQUIRE(bound.size() == 2);
    CHECK(bound[0].port() == bound[1].port());
    for (std::size_t tries = 1; tries <= 10; ++tries) // each binds twice
        loop.fail(2 * tries, EADDRINUSE, asynchat::testing::operation::bind);
    CHECK_THROWS_AS(loop.create<echo_server>(where), std::system_error);
}

TEST_CASE("a server listens on all addresses of a name", "[server][listen]")
{
    ASYNCHAT_TEST_NEEDS(finds_localhost(), "a name for this machine");
    loop loop;
    const auto server = loop.create<echo_server>(listen_options("localhost", 0));
    const auto bound = server->local_endpoints();
    REQUIRE_FALSE(bound.empty());
    std::set<std::string> hosts;
    for (const endpoint& each : bound) {
        hosts.insert(each.host());
        CHECK(each.port() == bound.front().port());
        CHECK(answers(loop, each));
    }
    CHECK(hosts.count("127.0.0.1") == 1);
    CHECK(hosts.size() == bound.size());
}

TEST_CASE("an empty name is every address", "[server][listen]")
{
    loop loop;
    const auto server = loop.create<echo_server>(listen_options("", 0U));
    const std::uint16_t port = server->local_endpoint().port();
    CHECK(answers(loop, endpoint("127.0.0.1", port)));
    if (ip_families().size() == 2)
        CHECK(answers(loop, endpoint("::1", port)));
}

TEST_CASE("a name that is none, and a port that is none, are quoted", "[server][listen]")
{
    using Catch::Matchers::ContainsSubstring;
    CHECK_THROWS_WITH(listen_options("no host\n", 80), ContainsSubstring("no host\\n"));
    CHECK_THROWS_AS(listen_options("no host\n", 80), std::system_error);
    CHECK_THROWS_AS(listen_options(std::string_view("a\0b", 3), 80), std::invalid_argument);
    CHECK_THROWS_WITH(listen_options("127.0.0.1", 65536), ContainsSubstring("65536"));
    CHECK_THROWS_AS(listen_options("127.0.0.1", -1), std::invalid_argument);
}

TEST_CASE("a server takes a socket that listens already", "[server][listen]")
{
    const int family = GENERATE(AF_INET, AF_UNIX);
    CAPTURE(family);
    temp_dir dir;
    loop loop;
    auto made = listening_socket(free_address(family, dir));
    const int descriptor = made.native_handle();
    const endpoint where = local_endpoint_of(descriptor);
    // What family and type it has is asked for, not believed.
    const listen_options options(asynchat::socket(made.release(), AF_INET6, SOCK_DGRAM));
    {
        const auto server = loop.create<echo_server>(options);
        CHECK(server->native_handle() == descriptor);
        CHECK(server->local_endpoint() == where);
        CHECK(server->addr() == where);
        CHECK(answers(loop, where));
        if (family == AF_INET)
            CHECK(int_option(descriptor, IPPROTO_TCP, TCP_NODELAY) != 0);
        server->close();
    }
    CHECK_FALSE(is_open(descriptor));
    CHECK_THROWS_AS(loop.create<echo_server>(options), std::logic_error); // it was taken
}

TEST_CASE("a start that fails leaves the sockets for another one", "[server][listen]")
{
    loop loop;
    auto made = listening_socket(any_port);
    const endpoint where = local_endpoint_of(made.native_handle());
    auto taken = std::make_unique<raw_listener>(any_port);
    const endpoint other = taken->address();
    const listen_options first(std::move(made));
    SECTION("if an address is taken")
    {
        auto options = first;
        options.add(other);
        CHECK_THROWS_AS(loop.create<echo_server>(options), std::system_error);
        taken.reset();
        loop.create<echo_server>(options);
        CHECK(answers(loop, other));
    }
    SECTION("if another socket was taken")
    {
        const listen_options second(listening_socket(any_port));
        loop.create<echo_server>(second);
        auto options = first;
        options.add(second);
        CHECK_THROWS_AS(loop.create<echo_server>(options), std::logic_error);
        loop.create<echo_server>(first);
    }
    CHECK(answers(loop, where));
}

TEST_CASE("sockets and addresses are served together", "[server][listen]")
{
    loop loop;
    const auto server = loop.create<echo_server>(
        listen_options(listening_socket(any_port)).add(endpoint("127.0.0.2", 0)));
    const auto bound = server->local_endpoints();
    REQUIRE(bound.size() == 2);
    CHECK(answers(loop, bound[0]));
    CHECK(answers(loop, bound[1]));
}

TEST_CASE("a socket that does not listen is refused, and the error says why", "[server][listen]")
{
    using Catch::Matchers::ContainsSubstring;
    auto ends = connected_pair(AF_INET);
    CHECK_THROWS_WITH(listen_options(std::move(ends.first)), ContainsSubstring("Accept="));
    CHECK_THROWS_WITH(
        listen_options(asynchat::socket(::socket(AF_INET, SOCK_STREAM, 0), AF_INET, SOCK_STREAM)),
        ContainsSubstring("call listen()"));
    CHECK_THROWS_WITH(
        listen_options(asynchat::socket(::socket(AF_INET, SOCK_DGRAM, 0), AF_INET, SOCK_STREAM)),
        ContainsSubstring("no stream socket"));
    CHECK_THROWS_AS(listen_options(asynchat::socket()), std::invalid_argument);
    auto file = make_pipe();
    CHECK_THROWS_WITH(listen_options(asynchat::socket(file.first.release(), AF_UNIX, SOCK_STREAM)),
                      ContainsSubstring("no stream socket"));
}

TEST_CASE("a listener may share its port, and wait for the first bytes", "[server][listen]")
{
    loop loop;
    const auto first = loop.create<recorder>();
    const auto second = loop.create<recorder>();
    CHECK_THROWS_AS(first->set_reuse_port(), std::logic_error); // there is no socket
    for (const auto& each : {first, second}) {
        each->create_socket();
        each->set_reuse_port();
        each->bind(first->local_endpoint().port() == 0 ? any_port : first->local_endpoint());
        each->listen();
    }
    CHECK(first->local_endpoint() == second->local_endpoint());
    if (ASYNCHAT_HAS_TCP_TIMEOUTS != 0) {
        second->set_defer_accept(1500ms); // the system has steps of its own
        CHECK(int_option(second->native_handle(), IPPROTO_TCP, TCP_DEFER_ACCEPT) >= 2);
        second->set_defer_accept(0s);
        CHECK(int_option(second->native_handle(), IPPROTO_TCP, TCP_DEFER_ACCEPT) == 0);
    } else {
        CHECK_THROWS_AS(second->set_defer_accept(1500ms), std::system_error);
    }
}

// --- files of UNIX sockets ---------------------------------------------------------------------

TEST_CASE("the file of a dead UNIX socket is replaced only if that was asked for",
          "[server][listen]")
{
    temp_dir dir;
    loop loop;
    const std::string path = dir.file("dead");
    const endpoint where = endpoint::unix_path(path);
    listening_socket(where); // and closed
    REQUIRE(is_socket_file(path));
    CHECK_THROWS_AS(loop.create<echo_server>(where), std::system_error);
    CHECK_NOTHROW(loop.create<echo_server>(listen_options(where).remove_dead_socket()));
    CHECK(answers(loop, where));
}

TEST_CASE("what lives, or is no socket, is not removed", "[server][listen]")
{
    temp_dir dir;
    loop loop;
    const std::string path = dir.file("there");
    const endpoint where = endpoint::unix_path(path);
    const auto what = GENERATE(0, 1, 2);
    CAPTURE(what);
    asynchat::socket other;
    if (what == 0) {
        other = listening_socket(where);
    } else if (what == 1) {
        const descriptor file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        REQUIRE(file.get() >= 0);
    } else { // a datagram socket
        other =
            asynchat::socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), AF_UNIX, SOCK_DGRAM);
        const auto native = where.native();
        check_call(::bind(other.native_handle(), native.data(),
                          static_cast<socklen_t>(native.size())) == 0,
                   "bind");
    }
    CHECK_THROWS_AS(loop.create<echo_server>(listen_options(where).remove_dead_socket()),
                    std::system_error);
    struct stat file = {};
    CHECK(::lstat(path.c_str(), &file) == 0);
}

TEST_CASE("a full backlog is no sign of death", "[server][listen]")
{
    temp_dir dir;
    loop loop;
    const std::string path = dir.file("full");
    const endpoint where = endpoint::unix_path(path);
    const raw_listener busy(where, 0);
    const auto waiting = raw_peer::connected_to(where);
    CHECK_THROWS_AS(loop.create<echo_server>(listen_options(where).remove_dead_socket()),
                    std::system_error);
    CHECK(is_socket_file(path));
}

namespace {

descriptor folder_of(temp_dir& dir)
{
    return descriptor(::open(dir.file("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// Two servers that replace dead sockets start at the same time, in threads of their own, while the
/// lock of the folder is taken. Calls `look_before()` before it is given back, and `look()` while
/// the servers are there. Returns how many there are.
template <class LookBefore, class Look>
int start_two(temp_dir& dir, const endpoint& one, const endpoint& two, LookBefore look_before,
              Look look)
{
    std::atomic<int> steps{0};
    std::atomic<int> started{0};
    const auto wait_for = [&](int step) {
        while (steps < step)
            std::this_thread::yield();
    };
    const auto start = [&](const endpoint& where) {
        loop loop;
        ++steps;
        wait_for(2);
        try {
            loop.create<echo_server>(listen_options(where).remove_dead_socket());
            ++started;
        } catch (const std::system_error&) { // the other one listens there
        }
        ++steps;
        wait_for(5);
    };
    const descriptor folder = folder_of(dir);
    check_call(::flock(folder.get(), LOCK_EX) == 0, "flock");
    std::thread first(start, one);
    std::thread second(start, two);
    wait_for(2);
    for (int i = 0; i < 200; ++i) // they come to the lock
        std::this_thread::yield();
    look_before();
    ::flock(folder.get(), LOCK_UN);
    wait_for(4);
    look();
    ++steps;
    first.join();
    second.join();
    return started;
}

bool has_a_server(const endpoint& where)
{
    try {
        raw_peer::connected_to(where);
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

} // namespace

TEST_CASE("servers that start at the same time remove only dead sockets", "[listen][threads]")
{
    temp_dir dir;
    const std::string path = dir.file("one");
    const endpoint one = endpoint::unix_path(path);
    const endpoint two = endpoint::unix_path(dir.file("two"));
    bool one_lives = false;
    bool two_lives = false;
    const auto look = [&] {
        one_lives = has_a_server(one);
        two_lives = has_a_server(two);
    };
    for (int round = 0; round < 30; ++round) { // from the second one on there are dead sockets
        CAPTURE(round);
        REQUIRE(start_two(
                    dir, one, two, [] {}, look) == 2);
        REQUIRE(one_lives);
        REQUIRE(two_lives);
        if (round % 2 == 0)
            ::unlink(path.c_str());
        const auto began = std::chrono::steady_clock::now();
        bool too_early = false; // bound without the lock
        const auto look_before = [&] {
            too_early = round % 2 == 0 && is_socket_file(path) &&
                        std::chrono::steady_clock::now() - began < 500ms; // they wait no longer
        };
        REQUIRE(start_two(dir, one, one, look_before, look) == 1);
        REQUIRE_FALSE(too_early);
        REQUIRE(one_lives);
    }
}

TEST_CASE("a lock of the folder that nobody gives back stops no server", "[listen][slow]")
{
    temp_dir dir;
    loop loop;
    const endpoint dead = endpoint::unix_path(dir.file("dead"));
    const endpoint fresh = endpoint::unix_path(dir.file("fresh"));
    listening_socket(dead); // and closed
    const descriptor folder = folder_of(dir);
    check_call(::flock(folder.get(), LOCK_SH) == 0, "flock"); // who removes needs it alone
    CHECK_THROWS_AS(loop.create<echo_server>(listen_options(dead).remove_dead_socket()),
                    std::system_error);
    CHECK(is_socket_file(dir.file("dead")));
    loop.create<echo_server>(listen_options(fresh).remove_dead_socket());
    CHECK(answers(loop, fresh));
    check_call(::flock(folder.get(), LOCK_UN) == 0, "flock");
    loop.create<echo_server>(listen_options(dead).remove_dead_socket());
    CHECK(answers(loop, dead));
}
