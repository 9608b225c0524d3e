// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/file_chat.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/detail/io/socket_transport.hpp>

#include <asio/error.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

// Files that are sent over sockets.

using asynchat::close_reason;
using Catch::Matchers::ContainsSubstring;
using support::connected_pair;
using support::content_of;
using support::counting_chat;
using support::file_chat;
using support::make_file;
using support::next_descriptor;
using support::resize;
using support::run_until;
using support::settle;

TEST_CASE("a socket lets the system send a file, and says when it cannot", "[file_producer]")
{
    asynchat::loop loop;
    const auto file = make_file("0123456789");
    std::error_code error;
    SECTION("streams")
    {
        auto [ours, peer] = connected_pair(GENERATE(AF_INET, AF_INET6, AF_UNIX));
        asynchat::detail::socket_transport transport(loop.context(), std::move(ours));
#if ASYNCHAT_HAS_SENDFILE
        CHECK(transport.write_file(file.get(), 3, 100, error) == 7);
        CHECK_FALSE(error);
        CHECK(transport.write_file(file.get(), 10, 100, error) == 0);
        CHECK_FALSE(error);
        const std::uint64_t far = (std::uint64_t{5} << 30) + 1; // behind a hole
        support::check_call(::pwrite(file.get(), "far", 3, static_cast<off_t>(far)) == 3, "pwrite");
        CHECK(transport.write_file(file.get(), far, 100, error) == 3);
        REQUIRE(run_until(loop, [&peer = peer] { return peer.received().size() >= 10; }));
        CHECK(peer.received() == "3456789far");
        transport.write_file(-1, 0, 1, error);
        CHECK(error.value() == EBADF);
#else
        CHECK(transport.write_file(file.get(), 3, 100, error) == 0);
        CHECK(error == asio::error::operation_not_supported);
#endif
    }
    SECTION("a connection that is gone is an error and no signal")
    {
        auto [ours, peer] = connected_pair(AF_UNIX);
        asynchat::detail::socket_transport transport(loop.context(), std::move(ours));
        peer.close();
        CHECK(transport.write_file(file.get(), 0, 10, error) == 0);
        CHECK(error);
    }
    SECTION("datagrams")
    {
        asynchat::detail::socket_transport transport(
            loop.context(), asynchat::detail::socket_transport::open(AF_INET, SOCK_DGRAM));
        CHECK(transport.write_file(file.get(), 0, 10, error) == 0);
        CHECK(error == asio::error::operation_not_supported);
    }
}

namespace {

/// Sends a file of `size` bytes between two pushes and ends. True when all came, in order.
template <class Chat>
bool sends_whole(int family, std::size_t size)
{
    asynchat::loop loop;
    auto [ours, peer] = connected_pair(family);
    const auto channel = loop.create<Chat>(std::move(ours)).lock();
    const std::string content = content_of(size);
    channel->push("before");
    channel->push_file(make_file(content));
    channel->push("after");
    channel->close_when_done();
    const bool ended = run_until(loop, [&peer = peer] { return peer.ended(); });
    if constexpr (std::is_base_of_v<counting_chat, Chat>)
        CHECK(channel->counted == size + 11);
    CHECK(channel->closes == 1);
    CHECK(channel->close_reason() == close_reason::local);
    CHECK(channel->lines.empty());
    return ended && peer.received() == "before" + content + "after";
}

} // namespace

TEST_CASE("file_producer: files of all sizes arrive whole", "[file_producer][loopback]")
{
    const auto size = GENERATE(as<std::size_t>{}, 0, 1, 65535, 65536, 65537, 1048576);
    const int family = GENERATE(AF_INET, AF_INET6, AF_UNIX);
    CAPTURE(size, family);
    CHECK(sends_whole<file_chat>(family, size));
    CHECK(sends_whole<counting_chat>(family, size));
}

TEST_CASE("file_producer: a file of 64 MiB arrives whole", "[file_producer][loopback][slow]")
{
    constexpr std::size_t size = std::size_t{64} << 20;
    SECTION("sent by the system")
    {
        CHECK(sends_whole<file_chat>(AF_INET, size));
    }
    SECTION("through a layer")
    {
        CHECK(sends_whole<counting_chat>(AF_INET, size));
    }
}

TEST_CASE("file_producer: a peer that reads nothing stops it, and nothing spins",
          "[file_producer][loopback][no-records][slow]")
{
    asynchat::loop loop;
    auto [ours, peer] = connected_pair();
    const auto channel = loop.create<file_chat>(std::move(ours)).lock();
    const std::string content = content_of(std::size_t{16} << 20);
    channel->push_file(make_file(content));
    channel->push("after");
    channel->close_when_done();
    REQUIRE(settle(loop));
    CHECK_FALSE(channel->closed());
    // Over a layer a piece was read, and not all of it sent.
    const bool over_layer = std::getenv("ASYNCHAT_TEST_LAYERS") != nullptr; // see tests/layers
    CHECK(channel->pending_output() <= (over_layer ? channel->ac_out_buffer_size + 5 : 5));
    CHECK(channel->pending_output() >= 5);
    // It takes a little at a time from now on.
    std::string received;
    std::string buffer(300000, '\0');
    REQUIRE(run_until(loop, [&, fd = peer.fd()] {
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        received.append(buffer, 0, got > 0 ? static_cast<std::size_t>(got) : 0);
        return got == 0;
    }));
    CHECK((received == content + "after"));
    CHECK(channel->close_reason() == close_reason::local);
}

TEST_CASE("file_producer: a file truncated while it is sent ends the connection and says why",
          "[file_producer][loopback][errors][slow]")
{
    constexpr std::size_t size = std::size_t{64} << 20;
    asynchat::loop loop;
    auto [ours, peer] = connected_pair();
    const auto file = make_file(content_of(size));
    const auto run = [&loop, &file, &peer = peer](auto channel) {
        channel->push_file(file);
        channel->push("never sent");
        REQUIRE(settle(loop)); // until the peer's buffers are full
        CHECK_FALSE(channel->closed());
        resize(file, size - 1000);
        CHECK(run_until(loop, [&] { return peer.ended(); }));
        CHECK(channel->errors == 1);
        CHECK_THAT(channel->error_text, ContainsSubstring("1000 bytes too early"));
        CHECK(channel->closes == 1);
        CHECK(channel->close_reason() == close_reason::callback_error);
        CHECK(channel->pending_output() == 10);
        CHECK(channel->logged("1000 bytes too early") == 1);
    };
    SECTION("sent by the system")
    {
        run(loop.create<file_chat>(std::move(ours)).lock());
    }
    SECTION("through a layer")
    {
        run(loop.create<counting_chat>(std::move(ours)).lock());
    }
    CHECK(peer.received().size() == size - 1000);
}

TEST_CASE("file_producer: a peer that goes in the middle ends the channel as any lost connection",
          "[file_producer][loopback][errors]")
{
    const int family = GENERATE(AF_INET, AF_UNIX);
    asynchat::loop loop;
    auto [ours, peer] = connected_pair(family);
    const auto run = [&loop, &peer = peer](auto channel) {
        const auto file = make_file(content_of(std::size_t{16} << 20));
        const int duplicate = next_descriptor();
        channel->push_file(file);
        CHECK(support::is_open(duplicate));
        REQUIRE(settle(loop));
        CHECK_FALSE(channel->closed());
        peer.reset();
        CHECK(run_until(loop, [&] { return channel->closed(); }));
        CHECK(channel->closes == 1);
        CHECK(channel->errors == 0);
        CHECK(channel->close_reason() == close_reason::reset);
        CHECK(channel->close_error());
        channel->discard_buffers();
        CHECK_FALSE(support::is_open(duplicate));
    };
    SECTION("sent by the system")
    {
        run(loop.create<file_chat>(std::move(ours)).lock());
    }
    SECTION("through a layer")
    {
        run(loop.create<counting_chat>(std::move(ours)).lock());
    }
}
