// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"

#include <asynchat/endpoint.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/local/datagram_protocol.hpp>
#include <asio/local/stream_protocol.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace asynchat;

TEST_CASE("an endpoint is an address and a port", "[endpoint]")
{
    const endpoint four("127.0.0.1", 8080);
    CHECK(four.is_ip());
    CHECK(four.family() == AF_INET);
    CHECK(four.host() == "127.0.0.1");
    CHECK(four.port() == 8080);
    CHECK(four.to_string() == "127.0.0.1:8080");

    const endpoint six("::1", 80);
    CHECK(six.is_ip());
    CHECK(six.family() == AF_INET6);
    CHECK(six.host() == "::1");
    CHECK(six.to_string() == "[::1]:80");

    CHECK(endpoint("", 1).to_string() == "0.0.0.0:1");
}

TEST_CASE("an endpoint is the path of a UNIX socket", "[endpoint]")
{
    const endpoint path = endpoint::unix_path("/run/app.sock");
    CHECK(path.is_unix());
    CHECK_FALSE(path.is_ip());
    CHECK(path.family() == AF_UNIX);
    CHECK(path.host() == "/run/app.sock");
    CHECK(path.port() == 0);
    CHECK(path.to_string() == "/run/app.sock");
    CHECK(endpoint::unix_path("/a\nb\xff").to_string() == "/a\\nb\\xff");

    CHECK(endpoint::unix_path(std::string(107, 'p')).host().size() == 107);
    CHECK_THROWS_AS(endpoint::unix_path(""), std::invalid_argument);
    CHECK_THROWS_AS(endpoint::unix_path(std::string(108, 'p')), std::invalid_argument);
    CHECK_THROWS_WITH(endpoint::unix_path(std::string(108, 'p')),
                      Catch::Matchers::ContainsSubstring("107") &&
                          Catch::Matchers::ContainsSubstring("108"));
}

TEST_CASE("an endpoint is nowhere at first", "[endpoint]")
{
    const endpoint nowhere;
    CHECK(nowhere.empty());
    CHECK(nowhere.family() == AF_UNSPEC);
    CHECK(nowhere.host().empty());
    CHECK(nowhere.port() == 0);
    CHECK(nowhere.to_string().empty());
    CHECK_THROWS_AS(nowhere.native(), std::logic_error);
}

TEST_CASE("a name that is still to be looked up is no address", "[endpoint]")
{
    const endpoint name = endpoint::named("localhost", "http");
    CHECK_FALSE(name.empty());
    CHECK_FALSE(name.is_ip());
    CHECK(name.family() == AF_UNSPEC);
    CHECK(name.to_string() == "localhost:http");
    CHECK_THROWS_WITH(name.native(), Catch::Matchers::ContainsSubstring("localhost:http"));
}

TEST_CASE("a name instead of digits is refused, and quoted", "[endpoint]")
{
    const std::string host =
        GENERATE(as<std::string>{}, "localhost", "256.0.0.1", "1.2.3", "::g", "a\nb");
    CAPTURE(host);
    CHECK_THROWS_AS(endpoint(host, 80), std::invalid_argument);
    CHECK_THROWS_WITH(endpoint("local\nhost", 80),
                      Catch::Matchers::ContainsSubstring("'local\\nhost'"));
}

TEST_CASE("a port is 0 to 65535, of any type of number", "[endpoint]")
{
    CHECK(endpoint("::1", 0).port() == 0);
    CHECK(endpoint("::1", 65535).port() == 65535);
    CHECK(endpoint("127.0.0.1", std::uint16_t{80}).port() == 80);
    CHECK(endpoint("127.0.0.1", std::size_t{80}).port() == 80);
    CHECK(endpoint("127.0.0.1", 80U).port() == 80);
    CHECK(endpoint("127.0.0.1", 80L).port() == 80);

    const auto refused = [](auto port, const std::string& shown) {
        CAPTURE(shown);
        CHECK_THROWS_AS(endpoint("127.0.0.1", port), std::invalid_argument);
        CHECK_THROWS_WITH(endpoint("127.0.0.1", port),
                          "asynchat: " + shown + " is not a port; ports are 0 to 65535");
    };
    refused(65536, "65536");
    refused(99999, "99999");
    refused(-1, "-1");
    refused(static_cast<signed char>(-80), "-80");
    refused(std::size_t{65536}, "65536");
    refused(std::numeric_limits<std::int64_t>::min(), "-9223372036854775808");
    refused(std::numeric_limits<std::uint64_t>::max(), "18446744073709551615");
}

TEST_CASE("a NUL inside does not cut an address short", "[endpoint]")
{
    using namespace std::string_view_literals;
    CHECK_THROWS_AS(endpoint("127.0.0.1\0.example"sv, 80), std::invalid_argument);
    CHECK_THROWS_AS(endpoint::unix_path("/run/app\0.sock"sv), std::invalid_argument);
    if (ASYNCHAT_HAS_ABSTRACT_UNIX != 0)
        CHECK_NOTHROW(endpoint::unix_path("\0abstract\0name"sv)); // there it means itself
    else
        CHECK_THROWS_AS(endpoint::unix_path("\0abstract\0name"sv), std::invalid_argument);
}

TEST_CASE("endpoints compare by value", "[endpoint]")
{
    CHECK(endpoint("127.0.0.1", 80) == endpoint("127.0.0.1", 80));
    CHECK(endpoint("127.0.0.1", 80) != endpoint("127.0.0.1", 81));
    CHECK(endpoint("127.0.0.1", 80) != endpoint("::1", 80));
    CHECK(endpoint("127.0.0.1", 80) != endpoint::named("127.0.0.1", "80"));
    CHECK(endpoint::unix_path("/a") == endpoint::unix_path("/a"));
    CHECK(endpoint::unix_path("/a") != endpoint::unix_path("/b"));
    CHECK(endpoint() == endpoint());
    CHECK(endpoint() != endpoint::named("", ""));
}

TEST_CASE("endpoints survive the way through the system's form", "[endpoint]")
{
    using namespace std::string_view_literals;
    for (const endpoint& where :
         {endpoint("192.0.2.1", 65535), endpoint("2001:db8::1", 1), endpoint("fe80::1%1", 7),
          endpoint::unix_path("/run/app.sock"),
          endpoint::unix_path(ASYNCHAT_HAS_ABSTRACT_UNIX != 0 ? "\0abstract\0name"sv : "app"sv),
          endpoint::unix_path(std::string(107, 'p'))}) {
        CAPTURE(where.to_string());
        const auto native = where.native();
        CHECK(endpoint::from_native(native.data(), native.size()) == where);
    }
    const sockaddr unknown = {AF_APPLETALK, {}};
    CHECK(endpoint::from_native(&unknown, sizeof unknown).empty());
    CHECK(endpoint::from_native(&unknown, 0).empty());
}

TEST_CASE("a UNIX socket without a name has none, in the form of each system", "[endpoint]")
{
    sockaddr_un zeros = {};
    zeros.sun_family = AF_UNIX;
    const auto* const address = reinterpret_cast<const sockaddr*>(&zeros);
    const std::size_t before_path = offsetof(sockaddr_un, sun_path);
    CHECK(endpoint::from_native(address, before_path).host().empty()); // Linux
    // The systems of BSD fill a sockaddr with zeros. On Linux such a name is an abstract one.
    const std::string zeros_of_bsd(sizeof(sockaddr) - before_path, '\0');
    const std::string expected = ASYNCHAT_HAS_ABSTRACT_UNIX != 0 ? zeros_of_bsd : std::string();
    const endpoint peer = endpoint::from_native(address, sizeof(sockaddr));
    CHECK(peer.is_unix());
    CHECK(peer.host() == expected);
    asio::local::stream_protocol::endpoint of_asio;
    of_asio.resize(sizeof(sockaddr));
    std::memcpy(of_asio.data(), &zeros, sizeof(sockaddr));
    CHECK(endpoint(of_asio).host().empty() == expected.empty()); // one zero less on Linux

    zeros.sun_path[0] = '/';
    zeros.sun_path[1] = 'a';
    CHECK(endpoint::from_native(address, sizeof(sockaddr)) == endpoint::unix_path("/a"));
    CHECK(endpoint::from_native(address, before_path + 2) == endpoint::unix_path("/a"));
    CHECK(endpoint::from_native(address, 1).empty()); // no family fits in
}

TEST_CASE("endpoints of Asio convert", "[endpoint]")
{
    const auto address = asio::ip::make_address("127.0.0.1");
    CHECK(endpoint(asio::ip::tcp::endpoint(address, 80)) == endpoint("127.0.0.1", 80));
    CHECK(endpoint(asio::ip::udp::endpoint(address, 80)) == endpoint("127.0.0.1", 80));
    CHECK(endpoint(asio::local::stream_protocol::endpoint("/a")) == endpoint::unix_path("/a"));
    CHECK(endpoint(asio::local::datagram_protocol::endpoint("/a")) == endpoint::unix_path("/a"));
}
