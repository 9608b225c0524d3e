// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <chrono>

using asynchat::close_reason;
using namespace support;

// How connections over TLS end, with both versions of the protocol.

TEST_CASE("tls: close_notify is the end, in order", "[tls][ends]")
{
    openssl_client<> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    REQUIRE(test.peer->handshake());
    test.peer->send("one\ntw");
    test.peer->close_notify();
    CHECK(test.peer->received() == "one\n");
    CHECK(test.channel->events == strings{"handshake", "open", "collect one", "found", "collect tw",
                                          "eof", "close peer finished"});
    CHECK(test.peer->got_close_notify()); // the answer
    CHECK(test.peer->connection.ended());
    CHECK_FALSE(test.peer->connection.was_reset());
}

TEST_CASE("tls: an end without close_notify is a truncation, after all complete data",
          "[tls][ends]")
{
    openssl_client<> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    REQUIRE(test.peer->handshake());
    const bool in_record = GENERATE(false, true);
    test.peer->send("one\ntw");
    if (in_record) {
        SSL_write(test.peer->ssl.get(), "never\n", 6);
        const std::string record = test.peer->output();
        test.peer->connection.send(record.substr(0, record.size() - 1));
    }
    test.peer->connection.finish();
    CHECK(test.peer->received() == "one\n");
    CHECK(test.channel->events == strings{"handshake", "open", "collect one", "found", "collect tw",
                                          "close tls truncated"});
    CHECK(test.channel->close_text() ==
          "tls truncated: the peer ended the stream without close_notify");
    CHECK(test.channel->close_error().category() == tls::tls_category());
    CHECK(test.channel->close_error().message() == "unexpected eof while reading");
    REQUIRE(test.channel->logs.size() == 1);
    CHECK(test.channel->logs[0].find("info: closing channel") == 0);
}

TEST_CASE("tls: a peer that is known to omit close_notify", "[tls][ends]")
{
    auto context = server_context();
    context.suppress_ragged_eofs();
    openssl_client<> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION), context);
    SECTION("ends in order")
    {
        REQUIRE(test.peer->handshake());
        test.peer->send("one\n");
        test.peer->connection.finish();
        test.loop.settle();
        CHECK(test.channel->events ==
              strings{"handshake", "open", "collect one", "found", "eof", "close peer finished"});
    }
    SECTION("not in the handshake")
    {
        test.peer->connection.finish();
        test.loop.settle();
        CHECK(test.channel->close_text() ==
              "tls error: the peer ended the stream in the handshake");
    }
}

TEST_CASE("tls: a reset is one, after the data before it", "[tls][ends]")
{
    openssl_client<> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    REQUIRE(test.peer->handshake());
    test.peer->send("one\n");
    test.peer->connection.reset();
    test.loop.settle();
    CHECK(test.channel->events ==
          strings{"handshake", "open", "collect one", "found", "close reset"});
}

TEST_CASE("tls: push_eof() is close_notify, and the other direction goes on", "[tls][ends]")
{
    openssl_client<recorder> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    REQUIRE(test.peer->handshake());
    test.channel->push("bye\n");
    test.channel->push_eof();
    CHECK(test.peer->received() == "bye\n");
    CHECK(test.peer->got_close_notify());
    CHECK(test.peer->connection.ended());
    test.peer->send("still\n");
    test.loop.settle();
    CHECK(test.channel->events == strings{"handshake", "open", "collect still", "found"});
    CHECK_FALSE(test.channel->closed());
    test.peer->close_notify();
    test.loop.settle();
    CHECK(test.channel->close_reason() == close_reason::peer_finished);
}

TEST_CASE("tls: close_when_done() says close_notify behind the output, and lingers", "[tls][ends]")
{
    openssl_client<recorder> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    REQUIRE(test.peer->handshake());
    SECTION("at once")
    {
        test.channel->push("bye\n");
        test.channel->close_when_done();
        CHECK(test.peer->received() == "bye\n");
    }
    SECTION("when there is room for it")
    {
        test.peer->connection.window(10);
        test.channel->push("bye\n");
        test.channel->close_when_done();
        test.loop.settle();
        CHECK_FALSE(test.channel->closed());
        CHECK(test.peer->received() == "bye\n");
    }
    CHECK(test.peer->got_close_notify());
    CHECK(test.channel->close_reason() == close_reason::local);
    test.peer->connection.send("whatever is still on its way");
    test.loop.settle();
    CHECK_FALSE(test.peer->connection.was_reset());
}

TEST_CASE("tls: close() and abort() say nothing", "[tls][ends]")
{
    openssl_client<recorder> test;
    REQUIRE(test.peer->handshake());
    test.peer->received(); // tickets
    SECTION("close")
    {
        test.channel->close();
        CHECK(test.peer->connection.received().empty());
        CHECK(test.peer->connection.ended());
    }
    SECTION("abort")
    {
        test.channel->abort();
        CHECK(test.peer->connection.received().empty());
        CHECK(test.peer->connection.was_reset());
    }
}

TEST_CASE("tls: what is not TLS in the middle ends the channel, with an alert", "[tls][ends]")
{
    openssl_client<> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    REQUIRE(test.peer->handshake());
    SSL_write(test.peer->ssl.get(), "one\n", 4);
    std::string record = test.peer->output();
    SECTION("a changed byte")
    {
        record.back() = static_cast<char>(record.back() ^ 1);
        test.peer->send_raw(record);
        test.loop.settle();
        CHECK(test.channel->close_text() == "tls error: decryption failed or bad record mac");
    }
    SECTION("data, then a changed byte, in one receive")
    {
        std::string wrong = record;
        SSL_write(test.peer->ssl.get(), "two\n", 4);
        wrong = test.peer->output();
        wrong.back() = static_cast<char>(wrong.back() ^ 1);
        test.peer->send_raw(record + wrong);
        test.loop.settle();
        CHECK(test.channel->events.at(3) == "found"); // of the first record
        CHECK(test.channel->close_reason() == close_reason::tls_error);
    }
    CHECK(test.channel->events.back() == "close tls error");
    CHECK(test.peer->connection.received().size() > 7); // the alert
}
