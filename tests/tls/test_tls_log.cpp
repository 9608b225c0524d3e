// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <asynchat/escape.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

using asynchat::close_reason;
using namespace support;

// What the log must not have: what was sent and received, and keys.

namespace {

/// Takes netstrings, and answers each. All that it logs reaches the loop.
class confidential : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_open() override
    {
        ignore_log_types({});
        set_terminator(asynchat::terminator::netstring());
        max_frame(1000);
        idle_timeout(std::chrono::seconds(60));
    }
    void found_terminator() override
    {
        ++frames;
        push("9:swordfish,");
    }
    int frames = 0;
};

/// The secrets of all connections of the peer, in hexadecimal digits.
strings secrets;

void note_secret(const SSL*, const char* line)
{
    const std::string_view all = line;
    secrets.emplace_back(all.substr(all.rfind(' ') + 1));
}

std::string bytes_of(const std::string& digits)
{
    std::string bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2)
        bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    return bytes;
}

/// Fails for a line that has a part of what nobody may read.
void check_lines(const strings& lines)
{
    strings wrong = {"opens", "sword"};
    for (const std::string& secret : secrets) {
        wrong.push_back(secret.substr(0, 8));
        wrong.push_back(asynchat::escaped(bytes_of(secret.substr(0, 16))));
    }
    for (const std::string& line : lines) {
        INFO(line);
        for (const std::string& part : wrong)
            CHECK(line.find(part) == line.npos);
    }
}

using test_type = openssl_client<confidential>;

struct ending {
    close_reason reason;
    void (*cause)(test_type&);
    std::string_view logged; // a part of the line
};

const ending endings[] = {
    {close_reason::peer_finished, [](test_type& test) { test.peer->close_notify(); }, ""},
    {close_reason::tls_truncated,
     [](test_type& test) {
         test.peer->send("10:opens");
         test.peer->connection.finish();
     },
     "without close_notify"},
    {close_reason::bad_frame, [](test_type& test) { test.peer->send("1x:opensesame,"); },
     "byte 2 of its length, 'x', is not a digit"},
    {close_reason::bad_frame, [](test_type& test) { test.peer->send("9:opensesame,"); },
     "byte 1 behind it, 'e', is not ','"},
    {close_reason::frame_limit, [](test_type& test) { test.peer->send("2000:opensesame"); },
     "longer than 1000 bytes"},
    {close_reason::tls_error,
     [](test_type& test) {
         SSL_write(test.peer->ssl.get(), "10:opensesame,", 14);
         std::string record = test.peer->output();
         record.back() = static_cast<char>(record.back() ^ 1);
         test.peer->send_raw(record);
     },
     "bad record mac"},
    {close_reason::tls_error, [](test_type& test) { test.peer->send_raw("10:opensesame,"); },
     "the peer does not speak TLS"},
    {close_reason::reset,
     [](test_type& test) {
         test.peer->send("10:opens");
         test.peer->connection.reset();
     },
     ""},
    {close_reason::idle_timeout,
     [](test_type& test) {
         test.peer->send("10:opens");
         test.loop.advance(std::chrono::minutes(2));
     },
     ""},
};

} // namespace

TEST_CASE("tls: neither keys nor data are logged, however a conversation ends", "[tls][log]")
{
    const ending& end = endings[GENERATE(range(std::size_t{0}, std::size(endings)))];
    secrets.clear();
    test_type test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    strings lines;
    test.loop.log_sink(
        [&](asynchat::log_type, std::string_view line) { lines.emplace_back(line); });
    SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(test.peer->ssl.get()), note_secret);
    REQUIRE(test.peer->handshake());
    REQUIRE_FALSE(secrets.empty());
    test.peer->send("10:opensesame,");
    CHECK(test.peer->received() == "9:swordfish,");
    REQUIRE(test.channel->frames == 1);
    test.channel->push("9:swordfish,");
    end.cause(test);
    test.loop.settle();
    CHECK(test.channel->close_reason() == end.reason);
    CAPTURE(end.logged, lines);
    const auto has_cause = [&](const std::string& line) {
        return line.find(end.logged) != line.npos;
    };
    CHECK((end.logged.empty() || std::count_if(lines.begin(), lines.end(), has_cause) == 1));
    check_lines(lines);
}

TEST_CASE("tls: a handshake that fails logs no keys, and what was said instead of it", "[tls][log]")
{
    secrets.clear();
    auto context = server_context();
    context.refuse_unknown_names();
    openssl_client<confidential> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION), context);
    strings lines;
    test.loop.log_sink(
        [&](asynchat::log_type, std::string_view line) { lines.emplace_back(line); });
    SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(test.peer->ssl.get()), note_secret);
    SECTION("plain HTTP")
    {
        test.peer->send_raw("GET /opensesame HTTP/1.1\r\n\r\n");
    }
    SECTION("the client refuses")
    {
        SSL_set_verify(test.peer->ssl.get(), SSL_VERIFY_PEER, nullptr);
        CHECK_FALSE(test.peer->handshake());
    }
    SECTION("an unknown name: this alone is logged, escaped")
    {
        test.peer->ask_for("el\nse.example");
        CHECK_FALSE(test.peer->handshake());
        CHECK(lines.back().find("'el\\nse.example'") != std::string::npos);
    }
    test.loop.settle();
    CHECK(test.channel->close_reason() == close_reason::tls_error);
    CHECK(lines.size() == 1);
    check_lines(lines);
}
