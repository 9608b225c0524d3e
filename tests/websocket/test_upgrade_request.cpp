// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support.hpp"

#include <asynchat/detail/websocket/accept_key.hpp>

using support::request_with;
using support::usual_request;

namespace {

std::string head_of(std::string request)
{
    return request.substr(0, request.rfind("\r\n\r\n"));
}

/// The usual request with `from` replaced.
std::string changed(std::string_view from, std::string_view to)
{
    std::string request = usual_request;
    const std::size_t at = request.find(from);
    REQUIRE(at != request.npos);
    return request.replace(at, from.size(), to);
}

const std::string key_line = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string version_line = "Sec-WebSocket-Version: 13\r\n";
const std::string host_line = "Host: server.example.com\r\n";

struct request_case {
    std::string what;
    std::string request;
    int status;
};

std::vector<request_case> first_line_cases()
{
    const auto first = [](std::string_view line) { return changed("GET /chat HTTP/1.1", line); };
    return {
        {"as in the RFC", usual_request, 101},
        {"an empty line before", "\r\n" + usual_request, 101},
        {"later HTTP/1", first("GET / HTTP/1.9"), 101},
        {"a query", first("GET /?a=b?c HTTP/1.1"), 101},
        {"for a proxy", first("GET http://server.example.com/chat HTTP/1.1"), 101},
        {"for a proxy, ws", first("GET ws://server.example.com/chat HTTP/1.1"), 101},
        {"for a proxy, no path", first("GET http://server.example.com HTTP/1.1"), 101},
        {"for a proxy, a query", first("GET http://server.example.com?a/b HTTP/1.1"), 400},
        {"for a proxy, any case", first("GET HTTP://SERVER.example.com/chat HTTP/1.1"), 101},
        {"for a proxy, another host", first("GET http://evil.example/chat HTTP/1.1"), 400},
        {"for a proxy, a port", first("GET http://server.example.com:80/chat HTTP/1.1"), 400},
        {"for a proxy, a user", first("GET http://a@server.example.com/chat HTTP/1.1"), 400},
        {"for a proxy, no host", first("GET http:///chat HTTP/1.1"), 400},
        {"HTTP/1.0", first("GET /chat HTTP/1.0"), 400},
        {"HTTP/2", first("GET /chat HTTP/2.0"), 505},
        {"HTTP/0.9", first("GET /chat HTTP/0.9"), 505},
        {"no version", first("GET /chat"), 400},
        {"a word", first("GET /chat HTTP/x.1"), 400},
        {"a long version", first("GET /chat HTTP/1.10"), 400},
        {"small letters", first("GET /chat http/1.1"), 400},
        {"two blanks", first("GET  /chat HTTP/1.1"), 400},
        {"a blank at the end", first("GET /chat HTTP/1.1 "), 400},
        {"a tab", first("GET\t/chat HTTP/1.1"), 400},
        {"no method", first(" /chat HTTP/1.1"), 400},
        {"no line", first(""), 400},
        {"no slash", first("GET chat HTTP/1.1"), 400},
        {"a star", first("GET * HTTP/1.1"), 400},
        {"a fragment", first("GET /chat#x HTTP/1.1"), 400},
        {"letters", first("GET /\xc3\xa9 HTTP/1.1"), 400},
        {"a control character", first("GET /\x01 HTTP/1.1"), 400},
        {"a NUL", first(std::string_view("GET /\0 HTTP/1.1", 15)), 400},
        {"POST", first("POST /chat HTTP/1.1"), 405},
        {"HEAD", first("HEAD /chat HTTP/1.1"), 405},
        {"CONNECT", first("CONNECT server.example.com:80 HTTP/1.1"), 405},
        {"get", first("get /chat HTTP/1.1"), 405},
    };
}

std::vector<request_case> field_cases()
{
    return {
        {"no host", changed(host_line, ""), 400},
        {"two hosts", request_with(host_line), 400},
        {"an empty host", changed(host_line, "Host:\r\n"), 400},
        {"a host with a path", changed(host_line, "Host: a/b\r\n"), 400},
        {"a host with a blank", changed(host_line, "Host: a b\r\n"), 400},
        {"a host with a port", changed(host_line, "Host: [::1]:80\r\n"), 101},
        {"folded", request_with("X: a\r\n b\r\n"), 400},
        {"folded with a tab", request_with("X: a\r\n\tb\r\n"), 400},
        {"a blank before the colon", request_with("X : a\r\n"), 400},
        {"no colon", request_with("X\r\n"), 400},
        {"no name", request_with(": a\r\n"), 400},
        {"an empty value", request_with("X:\r\n"), 101},
        {"a tab in a value", request_with("X: a\tb\r\n"), 101},
        {"letters in a value", request_with("X: \xc3\xa9\r\n"), 101},
        {"a NUL in a value", request_with(std::string_view("X: a\0b\r\n", 8)), 400},
        {"a bare carriage return", request_with("X: a\rb\r\n"), 400},
        {"a bare line feed", request_with("X: a\nY: b\r\n"), 400},
        {"a line feed as end", request_with("X: a\n"), 400},
        {"a delete", request_with("X: \x7f\r\n"), 400},
        {"two origins", request_with("Origin: http://a\r\nOrigin: http://b\r\n"), 400},
        {"a body", request_with("Content-Length: 5\r\n"), 400},
        {"an empty body", request_with("Content-Length: 0\r\n"), 101},
        {"two lengths", request_with("Content-Length: 0\r\nContent-Length: 0\r\n"), 400},
        {"chunks", request_with("Transfer-Encoding: chunked\r\n"), 400},
        {"an expectation of no matter", request_with("Expect: 100-continue\r\n"), 101},
    };
}

std::vector<request_case> upgrade_cases()
{
    const auto upgrade = [](std::string_view line) {
        return changed("Upgrade: websocket\r\n", line);
    };
    const auto connection = [](std::string_view line) {
        return changed("Connection: Upgrade\r\n", line);
    };
    const auto key = [](std::string_view value) {
        return changed("dGhlIHNhbXBsZSBub25jZQ==", value);
    };
    const auto version = [](std::string_view line) { return changed(version_line, line); };
    return {
        {"any case", upgrade("upgrade: WebSocket\r\n"), 101},
        {"in a list", upgrade("Upgrade: h2c, websocket\r\n"), 101},
        {"in two fields", upgrade("Upgrade: h2c\r\nUpgrade: websocket\r\n"), 101},
        {"another upgrade", upgrade("Upgrade: h2c\r\n"), 200},
        {"a longer word", upgrade("Upgrade: websockets\r\n"), 200},
        {"no upgrade", upgrade(""), 200},
        {"a list of connection", connection("Connection: keep-alive, Upgrade\r\n"), 101},
        {"small letters of connection", connection("connection: upgrade\r\n"), 101},
        {"two connections", connection("Connection: keep-alive\r\nConnection: upgrade\r\n"), 101},
        {"another connection", connection("Connection: keep-alive\r\n"), 400},
        {"no connection", connection(""), 400},
        {"part of a word of connection", connection("Connection: Upgrade2\r\n"), 400},
        {"no key", changed(key_line, ""), 400},
        {"two keys", request_with(key_line), 400},
        {"an empty key", key(""), 400},
        {"a short key", key("dGhlIHNhbXBsZSBub25j"), 400},
        {"a long key", key("dGhlIHNhbXBsZSBub25jZQAAAA=="), 400},
        {"17 bytes", key("dGhlIHNhbXBsZSBub25jZQA="), 400},
        {"18 bytes", key("dGhlIHNhbXBsZSBub25jZQAA"), 400},
        {"no base64", key("dGhlIHNhbXBsZSBub25jZ*=="), 400},
        {"padding inside", key("dGhlIHNhbXBsZSBub25j===="), 400},
        {"all of base64", key("+/+/+/+/ABCDabcd0189Zg=="), 101},
        {"no version", version(""), 400},
        {"two versions", request_with(version_line), 400},
        {"version 8", version("Sec-WebSocket-Version: 8\r\n"), 426},
        {"version 14", version("Sec-WebSocket-Version: 14\r\n"), 426},
        {"version 013", version("Sec-WebSocket-Version: 013\r\n"), 426},
        {"versions in a list", version("Sec-WebSocket-Version: 13, 8\r\n"), 426},
        {"an empty version", version("Sec-WebSocket-Version:\r\n"), 426},
        {"extensions", request_with("Sec-WebSocket-Extensions: permessage-deflate\r\n"), 101},
        {"sub-protocols", request_with("Sec-WebSocket-Protocol: a, b\r\n"), 101},
        {"no sub-protocol", request_with("Sec-WebSocket-Protocol: a b\r\n"), 400},
    };
}

} // namespace

TEST_CASE("upgrade_request: the cases of section 4.2.1", "[websocket]")
{
    for (const auto& cases : {first_line_cases(), field_cases(), upgrade_cases()}) {
        for (const request_case& each : cases) {
            INFO(each.what);
            const asynchat::upgrade_request request(head_of(each.request));
            CHECK(request.status() == each.status);
            CHECK(request.problem().empty() == (each.status < 400));
        }
    }
}

TEST_CASE("upgrade_request: what it says", "[websocket]")
{
    const asynchat::upgrade_request request(
        head_of(changed("GET /chat", "GET /a/b?room=1&x=?")) +
        "\r\nOrigin: https://a.example\r\nCookie: a=1; b = two ;c\r\nX-One:  x  \r\n"
        "x-one: y\r\nCookie: d=4=4\r\nSec-WebSocket-Protocol: p, q\r\nSec-WebSocket-Protocol: ,r,");
    REQUIRE(request.status() == 101);
    CHECK(request.wants_websocket());
    CHECK(request.target() == "/a/b?room=1&x=?");
    CHECK(request.path() == "/a/b");
    CHECK(request.query() == "room=1&x=?");
    CHECK(request.host() == "server.example.com");
    CHECK(request.origin() == "https://a.example");
    CHECK(request.header("X-ONE") == "x");
    CHECK_FALSE(request.header("X").has_value());
    CHECK(request.cookie("a") == "1");
    CHECK(request.cookie("b") == "two");
    CHECK(request.cookie("c") == "");
    CHECK(request.cookie("d") == "4=4");
    CHECK_FALSE(request.cookie("e").has_value());
    CHECK(request.protocols() == std::vector<std::string_view>{"p", "q", "r"});
    CHECK(request.list("X-One") == std::vector<std::string_view>{"x", "y"});
}

TEST_CASE("upgrade_request: a page needs neither a WebSocket nor HTTP/1.1", "[websocket]")
{
    const asynchat::upgrade_request old("GET / HTTP/1.0");
    CHECK(old.status() == 200);
    CHECK(old.path() == "/");
    CHECK(old.query().empty());
    CHECK(old.origin().empty());
    const asynchat::upgrade_request present("GET / HTTP/1.1");
    CHECK(present.status() == 400);
    CHECK(present.problem() == "one Host is needed");
    const asynchat::upgrade_request by_proxy("GET http://a HTTP/1.1\r\nHost: a");
    CHECK(by_proxy.status() == 200);
    CHECK(by_proxy.target() == "/");
    const asynchat::upgrade_request longer("GET http://a/b/?c HTTP/1.1\r\nHost: a");
    CHECK(longer.target() == "/b/?c");
}

TEST_CASE("accept_key: the example of section 1.3", "[websocket]")
{
    CHECK(asynchat::detail::websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ==") ==
          "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
