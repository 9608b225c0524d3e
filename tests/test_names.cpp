// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <asio/error.hpp>

#include <dlfcn.h>
#include <netdb.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::string_view_literals;
using calls = std::vector<std::string>;

namespace {

/// A name of this machine by every family that it has.
constexpr const char* this_machine = "this-machine.test";

std::atomic<int> look_ups{0};

} // namespace

/// The system's, behind a count and a name that needs no name server.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found)
{
    static const auto of_system =
        reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    ++look_ups;
    const bool is_this = node && node == std::string_view(this_machine);
    return of_system(is_this ? nullptr : node, service, hints, found);
}

namespace {

class listener : public logging<dispatcher> {
public:
    listener(loop& owner, const endpoint& where) : logging(owner)
    {
        create_socket(where.family());
        bind(where);
        listen();
    }
    std::vector<asynchat::socket> connections;
    void handle_accepted(asynchat::socket connection, const endpoint&) override
    {
        connections.push_back(std::move(connection));
    }
};

} // namespace

// --- all addresses of a name -------------------------------------------------------------------

TEST_CASE("connect tries all addresses of a name", "[names][connect]")
{
    loop loop;
    const auto server = loop.create<listener>(endpoint("127.0.0.1", 0));
    const std::uint16_t port = server->local_endpoint().port();
    const refusing_address nobody(AF_INET6, port);
    if (!nobody.bound())
        WARN("the port is taken, or there is no IPv6: the name may have one address only");

    const auto client = loop.create<recorder>();
    client->connect(this_machine, port);
    REQUIRE(run_until(loop, [&] { return !client || client->connected(); }));
    REQUIRE(client);
    CHECK(client->calls == calls{"handle_connect"});
    CHECK(client->peer_endpoint() == server->local_endpoint());
}

TEST_CASE("when no address of a name accepts, that is one error", "[names][connect]")
{
    loop loop;
    const refusing_address nobody(AF_INET);
    const refusing_address nobody_there(AF_INET6, nobody.address().port());
    const auto client = loop.create<recorder>().lock();
    client->connect(this_machine, nobody.address().port());
    REQUIRE(run_until(loop, [&] { return client->closed(); }));
    CHECK(client->calls == calls{"handle_error", "handle_close"});
    CHECK(client->close_reason() == close_reason::connect_failed);
    CHECK(client->close_error() == std::errc::connection_refused);
}

TEST_CASE("a socket made before restricts a name to its family and is used", "[names][connect]")
{
    loop loop;
    const auto server = loop.create<listener>(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>();
    client->create_socket(AF_INET);
    const int fd = client->native_handle();
    client->connect(this_machine, server->local_endpoint().port());
    REQUIRE(run_until(loop, [&] { return !client || client->connected(); }));
    REQUIRE(client);
    CHECK(client->native_handle() == fd);

    const auto other = loop.create<recorder>().lock();
    other->create_socket(AF_INET6);
    other->connect("127.0.0.1", server->local_endpoint().port());
    REQUIRE(run_until(loop, [&] { return other->closed(); }));
    CHECK(other->close_reason() == close_reason::connect_failed);
    CHECK(other->calls == calls{"handle_error", "handle_close"});
}

// --- services ----------------------------------------------------------------------------------

// The system takes signs and spaces in front of a number, and the last 16 bits of it.
TEST_CASE("a service that is no port is none, and the system is not asked", "[names][connect]")
{
    const std::string service =
        GENERATE(as<std::string>{}, "65536", "99999", "4294967376", "18446744073709551696",
                 "99999999999999999999999", "-1", "-65456", "+80", " 80", "\t80", "\n80", "-", " ",
                 "\xa0"
                 "80");
    const std::string host = GENERATE(as<std::string>{}, "127.0.0.1", "localhost", "::1");
    CAPTURE(service, host);
    loop loop;
    const auto client = loop.create<recorder>().lock();
    const int before = look_ups;
    client->connect(host, service);
    CHECK(client->connecting());
    CHECK(client->calls.empty());
    REQUIRE(run_until(loop, [&] { return client->closed(); }));
    CHECK(client->calls == calls{"handle_error", "handle_close"});
    CHECK(client->close_reason() == close_reason::lookup_failed);
    CHECK(client->close_error() == asio::error::service_not_found);
    CHECK_THAT(client->error_text,
               Catch::Matchers::ContainsSubstring("look-up of " + host + ":" + escaped(service)));
    CHECK(look_ups == before);
}

TEST_CASE("a port that is none is refused as text is", "[names][connect]")
{
    loop loop;
    const auto client = loop.create<recorder>().lock();
    const int before = look_ups;
    std::string port;
    SECTION("over 65535")
    {
        client->connect("127.0.0.1", 99999);
        port = "99999";
    }
    SECTION("negative")
    {
        client->connect("127.0.0.1", -1);
        port = "-1";
    }
    SECTION("over 65535, unsigned")
    {
        client->connect("127.0.0.1", std::size_t{65536});
        port = "65536";
    }
    SECTION("larger than any signed number")
    {
        client->connect("127.0.0.1", std::numeric_limits<std::uint64_t>::max());
        port = "18446744073709551615";
    }
    REQUIRE(run_until(loop, [&] { return client->closed(); }));
    CHECK(client->close_reason() == close_reason::lookup_failed);
    CHECK_THAT(client->error_text, Catch::Matchers::ContainsSubstring("127.0.0.1:" + port));
    CHECK(look_ups == before);
}

TEST_CASE("a port is taken in digits, with zeros in front, and in any type", "[names][connect]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    loop loop;
    const auto server = loop.create<listener>(endpoint("127.0.0.1", 0));
    const std::uint16_t port = server->local_endpoint().port();
    const std::string host = GENERATE(as<std::string>{}, "127.0.0.1", "localhost");
    const auto client = loop.create<recorder>().lock();
    client->survives = true;
    SECTION("digits")
    {
        client->connect(host, std::to_string(port));
    }
    SECTION("zeros")
    {
        client->connect(host, "00000" + std::to_string(port));
    }
    SECTION("int")
    {
        client->connect(host, static_cast<int>(port));
    }
    SECTION("size_t")
    {
        client->connect(host, static_cast<std::size_t>(port));
    }
    SECTION("unsigned short")
    {
        client->connect(host, port);
    }
    REQUIRE(run_until(loop, [&] { return !client->calls.empty(); }));
    CHECK(client->calls == calls{"handle_connect"});
    CHECK(client->peer_endpoint() == server->local_endpoint());
}

TEST_CASE("what is not there is found out by the system", "[names][connect]")
{
    const std::string service =
        GENERATE(as<std::string>{}, "no-such-service", "0x50", "80 ", "80a", "1e3", "8_0");
    CAPTURE(service);
    loop loop;
    const auto client = loop.create<recorder>().lock();
    client->connect("127.0.0.1", service);
    REQUIRE(run_until(loop, [&] { return client->closed(); }));
    CHECK(client->close_reason() == close_reason::lookup_failed);
}

// --- what is no name at all ----------------------------------------------------------------------

TEST_CASE("a name with a NUL inside is refused, not cut", "[names][connect]")
{
    loop loop;
    const auto client = loop.create<recorder>().lock();
    const std::string host("127.0.0.1\0.example.com", 22);
    CHECK_THROWS_AS(client->connect(host, 80), std::invalid_argument);
    CHECK_THROWS_WITH(client->connect(host, "80"),
                      Catch::Matchers::ContainsSubstring("host '127.0.0.1\\x00.example.com'"));
    CHECK_THROWS_AS(client->connect("127.0.0.1", "80\0"sv), std::invalid_argument);
    CHECK_THROWS_WITH(client->connect("127.0.0.1", "\0http"sv),
                      Catch::Matchers::ContainsSubstring("service '\\x00http'"));
    CHECK_FALSE(client->connecting());
    CHECK(client->addr().empty());
}

TEST_CASE("an empty host or service is refused", "[names][connect]")
{
    loop loop;
    const auto client = loop.create<recorder>().lock();
    CHECK_THROWS_AS(client->connect("", "80"), std::invalid_argument);
    CHECK_THROWS_WITH(client->connect("", 80), Catch::Matchers::ContainsSubstring("host is empty"));
    CHECK_THROWS_AS(client->connect("127.0.0.1", ""), std::invalid_argument);
    CHECK_THROWS_WITH(client->connect("localhost", ""),
                      Catch::Matchers::ContainsSubstring("service is empty"));
    CHECK_FALSE(client->connecting());
    CHECK(client->addr().empty());
}

TEST_CASE("a name that is refused leaves the connect under way alone", "[names][connect]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    loop loop;
    const auto server = loop.create<listener>(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>().lock();
    client->connect("localhost", server->local_endpoint().port());
    CHECK_THROWS_AS(client->connect("", 80), std::invalid_argument);
    REQUIRE(run_until(loop, [&] { return !client->calls.empty(); }));
    CHECK(client->calls == calls{"handle_connect"});
}

TEST_CASE("a look-up that was given up says nothing about the next one", "[names][connect]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    loop loop;
    const raw_listener server(endpoint("127.0.0.1", 0));
    const refusing_address nobody(AF_INET);
    const auto client = loop.create<recorder>().lock();
    client->connect("nowhere.invalid", 80);
    client->connect(nobody.address()); // the plan goes, and its memory may be used again
    client->connect("localhost", server.address().port());
    REQUIRE(run_until(loop, [&] { return !client->calls.empty(); }));
    CHECK(client->calls == calls{"handle_connect"});
}

TEST_CASE("an attempt that was given up says nothing about the next one", "[names][connect]")
{
    ASYNCHAT_TEST_NEEDS(support::finds_localhost(), "localhost cannot be looked up");
    loop loop;
    const raw_listener one(endpoint("127.0.0.1", 0));
    const raw_listener two(endpoint("127.0.0.1", 0));
    const refusing_address nobody(AF_INET);
    const auto client = loop.create<recorder>().lock();
    const bool refused = GENERATE(false, true);
    client->connect(refused ? nobody.address() : one.address());
    SECTION("by address")
    {
        client->connect(two.address());
    }
    SECTION("by name")
    {
        client->connect("localhost", two.address().port());
    }
    REQUIRE(run_until(loop, [&] { return !client->calls.empty(); }));
    CHECK(client->calls == calls{"handle_connect"});
    CHECK(client->peer_endpoint() == two.address());
}

TEST_CASE("a socket of one's own is kept while a look-up is given up", "[names][connect]")
{
    loop loop;
    const raw_listener server(endpoint("127.0.0.1", 0));
    const auto client = loop.create<recorder>().lock();
    client->create_socket();
    const int fd = client->native_handle();
    client->connect("nowhere.invalid", 80);
    client->connect(server.address());
    REQUIRE(run_until(loop, [&] { return !client->calls.empty(); }));
    CHECK(client->calls == calls{"handle_connect"});
    CHECK(client->native_handle() == fd);
}

TEST_CASE("what an error quotes of a name is cut", "[names][connect]")
{
    loop loop;
    const std::string host(70'000, 'h');
    const std::string shown = std::string(253, 'h') + "...";
    const auto client = loop.create<recorder>().lock();
    SECTION("that is looked up")
    {
        client->connect(host, 80);
        CHECK(client->addr().to_string() == host + ":80");
        REQUIRE(run_until(loop, [&] { return client->closed(); }));
        CHECK(client->close_reason() == close_reason::lookup_failed);
        CHECK_THAT(client->error_text,
                   Catch::Matchers::StartsWith("asynchat: look-up of " + shown + ": "));
        CHECK(client->error_text.size() < 400);
    }
    SECTION("with a NUL inside")
    {
        CHECK_THROWS_WITH(client->connect(host + std::string(1, '\0'), 80),
                          "asynchat: connect(): the host '" + shown + "' has a NUL inside");
    }
    SECTION("where an address is needed")
    {
        CHECK_THROWS_WITH(endpoint(host, 80),
                          Catch::Matchers::StartsWith("asynchat: '" + shown + "' is not"));
        CHECK_THROWS_WITH(endpoint::named(host, "80").native(),
                          "asynchat: '" + shown + "' is not an address");
    }
    SECTION("of the kit")
    {
        testing::loop kit;
        CHECK_THROWS_WITH(kit.connect(endpoint::named(host, "80")),
                          "asynchat: no channel listens on " + shown);
        const auto one = kit.listen(endpoint::named(host, "80"));
        CHECK_THROWS_WITH(kit.listen(endpoint::named(host, "80")),
                          "asynchat: another listener is on " + shown + " already");
    }
    SECTION("of a path")
    {
        const std::string path = "/" + std::string(106, '\x01');
        const std::string cut = "/" + std::string("\\x01\\x01\\x01\\x01");
        const auto lost = loop.create<recorder>().lock();
        lost->connect(endpoint::unix_path(path));
        REQUIRE(run_until(loop, [&] { return lost->closed(); }));
        CHECK_THAT(lost->error_text, Catch::Matchers::StartsWith("asynchat: connect to " + cut));
        CHECK(lost->error_text.size() < 350);
    }
}

// --- the kit
// ---------------------------------------------------------------------------------------

TEST_CASE("names are refused in the kit as elsewhere", "[names][testing]")
{
    testing::loop loop;
    const auto client = loop.create<recorder>().lock();
    const std::string host = GENERATE(as<std::string>{}, "127.0.0.1", "mail.example");
    CHECK_THROWS_AS(client->connect("", 25), std::invalid_argument);
    CHECK_THROWS_AS(client->connect(host, ""), std::invalid_argument);
    CHECK_THROWS_AS(client->connect(host + std::string(1, '\0'), 25), std::invalid_argument);
    const std::string service = GENERATE(as<std::string>{}, "99999", "-1", "+25", " 25");
    client->connect(host, service);
    CHECK(client->connecting());
    CHECK(client->calls.empty());
    loop.settle();
    CHECK(client->calls == calls{"handle_error", "handle_close"});
    CHECK(client->close_reason() == close_reason::lookup_failed);
    CHECK(client->close_error() == asio::error::service_not_found);
}

TEST_CASE("a name that nobody answers comes to the connect timeout in the kit", "[names][testing]")
{
    using namespace std::chrono_literals;
    testing::loop loop;
    loop.ignore(endpoint::named("mail.example", "25"));
    const auto client = loop.create<recorder>().lock();
    client->connect("mail.example", 25);
    loop.advance(30s - 1ms);
    CHECK(client->connecting());
    CHECK(client->calls.empty());
    loop.advance(200ms);
    CHECK(client->calls == calls{"handle_error", "handle_close"});
    CHECK(client->close_reason() == close_reason::connect_timeout);
    CHECK(client->close_error() == std::errc::timed_out);
}

TEST_CASE("what fails behind the look-up is reported in a later turn, in the kit as well",
          "[names][testing]")
{
    testing::loop loop;
    const auto mail = loop.listen(endpoint::named("mail.example", "25"));
    loop.fail(1, EMFILE, testing::operation::open);
    const auto client = loop.create<recorder>().lock();
    client->connect("mail.example", 25);
    loop.settle();
    CHECK(client->calls == calls{"handle_error", "handle_close"});
    CHECK(client->close_reason() == close_reason::connect_failed);
    CHECK(client->close_error() == std::errc::too_many_files_open);
}

TEST_CASE("a socket made before is used for a name in the kit as well", "[names][testing]")
{
    testing::loop loop;
    const auto mail = loop.listen(endpoint::named("mail.example", "25"));
    const auto client = loop.create<recorder>().lock();
    client->create_socket();
    const std::size_t before = loop.operations();
    client->connect("mail.example", 25);
    loop.settle();
    CHECK(client->calls == calls{"handle_connect"});
    CHECK(loop.operations() == before + 1); // it connects, and opens nothing
}
