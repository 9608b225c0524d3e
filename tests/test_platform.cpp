// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/descriptors.hpp>
#include <asynchat/detail/io/system_calls.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;

namespace {

bool is_inherited(int descriptor)
{
    const int flags = ::fcntl(descriptor, F_GETFD);
    check_call(flags >= 0, "fcntl");
    return (flags & FD_CLOEXEC) == 0;
}

} // namespace

TEST_CASE("the platform has a name", "[unit][platform]")
{
    const std::string name(platform());
    CHECK(name.substr(0, name.find(' ')) == (ASYNCHAT_IS_LINUX != 0 ? "linux" : "posix"));
#ifdef ASIO_DISABLE_EPOLL
    CHECK(name.find("epoll") == name.npos);
#endif
}

TEST_CASE("programs that are started later inherit no socket", "[platform]")
{
    SECTION("that was opened")
    {
        const descriptor stream(detail::open_socket(AF_INET, SOCK_STREAM));
        CHECK_FALSE(is_inherited(stream.get()));
    }
    SECTION("of a pair")
    {
        const auto [left, right] = asynchat::socket::pair();
        CHECK_FALSE(is_inherited(left.native_handle()));
        CHECK_FALSE(is_inherited(right.native_handle()));
    }
    SECTION("that was accepted")
    {
        const raw_listener listener(endpoint("127.0.0.1", 0));
        const auto client = raw_peer::connected_to(listener.address());
        const descriptor accepted(detail::accept_socket(listener.fd(), nullptr, nullptr));
        CHECK_FALSE(is_inherited(accepted.get()));
    }
    SECTION("that another process has sent")
    {
        const auto [left, right] = asynchat::socket::pair();
        std::vector<asynchat::socket> sent;
        sent.push_back(asynchat::socket::pair().first);
        sent.push_back(asynchat::socket::pair().first);
        send_descriptors(left.native_handle(), sent);
        const auto received = recv_descriptors(right.native_handle(), 2);
        REQUIRE(received.size() == 2);
        for (const asynchat::socket& each : received)
            CHECK_FALSE(is_inherited(each.native_handle()));
    }
}

TEST_CASE("a send to nobody is an error and no signal", "[platform]")
{
    // SIGPIPE is blocked here, so that it would stay pending.
    const detail::sigpipe_guard guard;
    auto [left, right] = asynchat::socket::pair();
    detail::without_sigpipe(left.native_handle());
    right = {};
    const auto is_pending = [] {
        sigset_t pending;
        sigpending(&pending);
        return sigismember(&pending, SIGPIPE) == 1;
    };
    CHECK(detail::send_bytes(left.native_handle(), "x", 1) == -1);
    CHECK(errno == EPIPE);
    CHECK_FALSE(is_pending());
    {
        const detail::sigpipe_guard inner;
        CHECK(::write(left.native_handle(), "x", 1) == -1);
        CHECK(is_pending());
        errno = EPIPE;
    }
    CHECK(errno == EPIPE);
    CHECK_FALSE(is_pending());
}

TEST_CASE("there is a processor to run on", "[unit][platform]")
{
    CHECK(detail::usable_processors() >= 1);
}
