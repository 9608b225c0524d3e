// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <algorithm>
#include <chrono>
#include <functional>

using asynchat::close_reason;
using namespace support;

// Data over TLS: what waits inside, what is half sent, changes of keys.

namespace {

/// The sizes of the records in bytes as they are sent.
std::vector<std::size_t> records_of(const std::string& bytes)
{
    std::vector<std::size_t> sizes;
    for (std::size_t at = 0; at + 5 <= bytes.size();) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
        sizes.push_back(byte(3) * 256U + byte(4));
        at += 5 + sizes.back();
    }
    return sizes;
}

/// Counts the messages of one kind that a peer gets, by their type and their first byte.
class messages {
public:
    messages(openssl_peer& peer, int type, unsigned char first)
        : ssl_(peer.ssl.get()), type_(type), first_(first)
    {
        SSL_set_msg_callback(ssl_, look);
        SSL_set_msg_callback_arg(ssl_, this);
    }
    ~messages() { SSL_set_msg_callback(ssl_, nullptr); }
    messages(const messages&) = delete;
    messages& operator=(const messages&) = delete;
    int count() const noexcept { return count_; }

private:
    static void look(int is_own, int, int type, const void* bytes, std::size_t size, SSL*,
                     void* self)
    {
        auto& seen = *static_cast<messages*>(self);
        seen.count_ += is_own == 0 && type == seen.type_ && size > 0 &&
                       *static_cast<const unsigned char*>(bytes) == seen.first_;
    }

    SSL* ssl_;
    int type_;
    unsigned char first_;
    int count_ = 0;
};

} // namespace

// --- input ---------------------------------------------------------------------------------------

TEST_CASE("tls: output that waits for the rest of a message goes on, whoever reads the rest",
          "[tls][flow]")
{
    // A ticket in two parts; a channel that answers in between cannot send before the second.
    class hungry : public recorder {
    public:
        using recorder::recorder;
        std::function<void()> then;
        void found_terminator() override
        {
            recorder::found_terminator();
            push("reply\n");
        }
        std::size_t send(asynchat::const_buffers data) override
        {
            const std::size_t sent = recorder::send(data);
            if (sent == 0 && then) { // the rest comes, and is read at once
                std::exchange(then, nullptr)();
                char more[64];
                recv(asio::buffer(more));
            }
            return sent;
        }
    };
    asynchat::testing::loop loop;
    auto listener = loop.listen(there);
    const auto client = loop.create<hungry>().lock();
    start_tls(*client, client_context(), "localhost");
    client->connect(there);
    openssl_peer peer(openssl_peer::side::server, listener.accept(), TLS1_3_VERSION);
    REQUIRE(peer.handshake());
    loop.settle();
    SSL_write(peer.ssl.get(), "question\n", 9);
    const std::string question = peer.output();
    SSL* const ssl = peer.ssl.get();
    SSL_set_max_send_fragment(ssl, 512);
    const std::string much(1500, 'x');
    REQUIRE(SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), much.data(), much.size()) == 1);
    REQUIRE(SSL_new_session_ticket(ssl) == 1);
    REQUIRE(SSL_do_handshake(ssl) == 1);
    const std::string ticket = peer.output();
    REQUIRE(ticket.size() > 1000);
    client->then = [&] { peer.connection.send(ticket.substr(700)); };
    peer.connection.send(question + ticket.substr(0, 700));
    loop.settle();
    CHECK_FALSE(client->then); // it had to wait
    CHECK(peer.received() == "reply\n");
}

TEST_CASE("tls: plaintext inside is delivered without more from the network", "[tls][flow]")
{
    openssl_client<recorder> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    test.channel->ac_in_buffer_size = 10;
    REQUIRE(test.peer->handshake());
    const bool in_one_record = GENERATE(true, false);
    std::string text;
    for (int i = 0; i < 100; ++i)
        text += "line\n";
    const std::size_t size = in_one_record ? text.size() : 5;
    for (std::size_t at = 0; at < text.size(); at += size)
        SSL_write(test.peer->ssl.get(), text.data() + at, static_cast<int>(size));
    test.peer->send_raw(test.peer->output()); // in one piece
    SECTION("by itself, in turns")
    {
        std::size_t passes = 0;
        while (test.loop.poll())
            ++passes;
        CHECK(passes >= 25); // of 50 receives
    }
    SECTION("after a pause in the middle")
    {
        test.loop.poll();
        test.loop.poll();
        test.channel->pause_reading();
        test.loop.settle();
        const std::size_t before = test.channel->events.size();
        CHECK(before < 100);
        test.loop.advance(std::chrono::seconds(5));
        CHECK(test.channel->events.size() == before);
        test.channel->resume_reading();
        test.loop.settle();
    }
    CHECK(test.channel->events.size() == 2 + 200);
}

TEST_CASE("tls: a paused channel takes no more than it has", "[tls][flow]")
{
    openssl_client<recorder> test;
    REQUIRE(test.peer->handshake());
    test.channel->pause_reading();
    test.loop.settle();
    for (int i = 0; i < 3; ++i)
        test.peer->send("line\n");
    test.loop.settle();
    CHECK(test.channel->events.size() == 2);
    test.channel->resume_reading();
    test.loop.settle();
    CHECK(test.channel->events.size() == 2 + 6);
}

TEST_CASE("tls: data and the last bytes of the handshake in one receive", "[tls][flow]")
{
    openssl_client<> test(TLS1_3_VERSION);
    SSL_do_handshake(test.peer->ssl.get());
    test.peer->move();
    REQUIRE(SSL_do_handshake(test.peer->ssl.get()) == 1);
    SSL_write(test.peer->ssl.get(), "hello\n", 6);
    SECTION("whole") {}
    SECTION("with half a record")
    {
        std::string all = test.peer->output();
        test.peer->send_raw(all.substr(0, all.size() - 3));
        test.loop.settle();
        CHECK(test.channel->events == strings{"handshake", "open"});
        test.peer->send_raw(all.substr(all.size() - 3));
    }
    CHECK(test.peer->received() == "hello\n");
    CHECK(test.channel->events == strings{"handshake", "open", "collect hello", "found"});
}

TEST_CASE("tls: bytes one by one, both ways", "[tls][flow]")
{
    openssl_client<> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    test.peer->piece = 1;
    test.peer->connection.window(1);
    REQUIRE(test.peer->handshake());
    test.peer->send("hello\n");
    CHECK(test.peer->received() == "hello\n");
}

// --- output --------------------------------------------------------------------------------------

TEST_CASE("tls: many small pushes are one record, and leave in one send", "[tls][flow]")
{
    openssl_client<recorder> test;
    REQUIRE(test.peer->handshake());
    test.peer->received();
    std::size_t before = test.loop.operations();
    for (int i = 0; i < 60; ++i)
        test.channel->push(std::string(200, 'x'));
    CHECK(records_of(test.peer->connection.received()).size() == 1);
    CHECK(test.loop.operations() == before + 1);
    before = test.loop.operations();
    test.channel->push(std::string(60000, 'y'));
    const auto sizes = records_of(test.peer->connection.received());
    CHECK(sizes.size() == 4);
    CHECK(sizes.at(0) == 16384 + 17);
    CHECK(test.loop.operations() == before + 1);
}

namespace {

/// The last bytes of a client's handshake, not sent.
std::string last_flight(openssl_peer& peer)
{
    SSL_do_handshake(peer.ssl.get());
    peer.move();
    REQUIRE(SSL_do_handshake(peer.ssl.get()) == 1);
    return peer.output();
}

} // namespace

TEST_CASE("tls: tickets and the first answer leave in one send", "[tls][flow]")
{
    openssl_client<> test(TLS1_3_VERSION);
    std::string bytes = last_flight(*test.peer);
    SSL_write(test.peer->ssl.get(), "hello\n", 6);
    bytes += test.peer->output();
    const bool is_short = GENERATE(true, false); // of room for the tickets
    if (is_short)
        test.peer->connection.window(10);
    else
        test.loop.fail(2, EPIPE, asynchat::testing::operation::send); // there is only one
    test.peer->send_raw(bytes);
    test.loop.settle();
    CHECK(test.loop.has_to_fail() != is_short);
    const messages tickets(*test.peer, SSL3_RT_HANDSHAKE, SSL3_MT_NEWSESSION_TICKET);
    test.peer->connection.window(65536);
    CHECK(test.peer->received() == "hello\n");
    CHECK(tickets.count() == 2);
}

TEST_CASE("tls: tickets leave although nothing is answered", "[tls][flow]")
{
    openssl_client<recorder> test(TLS1_3_VERSION);
    std::string bytes = last_flight(*test.peer);
    const messages tickets(*test.peer, SSL3_RT_HANDSHAKE, SSL3_MT_NEWSESSION_TICKET);
    SECTION("without input")
    {
        test.peer->send_raw(bytes);
    }
    SECTION("with input that has no answer")
    {
        SSL_write(test.peer->ssl.get(), "hello\n", 6);
        test.peer->send_raw(bytes + test.peer->output());
    }
    CHECK(test.peer->received().empty());
    CHECK(tickets.count() == 2);
}

TEST_CASE("tls: tickets leave in front of close_notify", "[tls][flow]")
{
    class leaving : public recorder {
    public:
        using recorder::recorder;
        void handle_handshake() override { close_when_done(); }
    };
    openssl_client<leaving> test(TLS1_3_VERSION);
    const std::string bytes = last_flight(*test.peer);
    const messages tickets(*test.peer, SSL3_RT_HANDSHAKE, SSL3_MT_NEWSESSION_TICKET);
    test.peer->send_raw(bytes);
    CHECK(test.peer->received().empty());
    CHECK(tickets.count() == 2);
    CHECK(test.peer->got_close_notify());
}

TEST_CASE("tls: an alert leaves although tickets wait", "[tls][flow]")
{
    openssl_client<> test(TLS1_3_VERSION);
    std::string bytes = last_flight(*test.peer);
    SSL_write(test.peer->ssl.get(), "hello\n", 6);
    bytes += test.peer->output();
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    const messages alerts(*test.peer, SSL3_RT_ALERT, SSL3_AL_FATAL);
    test.peer->send_raw(bytes);
    test.peer->received();
    CHECK(test.channel->close_reason() == close_reason::tls_error);
    CHECK(alerts.count() == 1);
}

TEST_CASE("tls: what is half sent is not lost, and not sent twice", "[tls][flow]")
{
    openssl_client<recorder> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    REQUIRE(test.peer->handshake());
    test.peer->received();
    test.peer->connection.window(GENERATE(as<std::size_t>(), 1, 30, 20000, 33000));
    std::string all;
    for (int i = 0; i < 5; ++i) {
        const std::string piece(15000, static_cast<char>('a' + i));
        test.channel->push(piece);
        all += piece;
        test.loop.settle();
    }
    CHECK(test.channel->pending_output() > 0);
    all += "the end\n";
    test.channel->push("the end\n");
    CHECK(test.peer->received() == all);
    CHECK(test.channel->pending_output() == 0);
}

TEST_CASE("tls: discard_buffers() keeps the records that have begun", "[tls][flow]")
{
    openssl_client<recorder> test(GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    REQUIRE(test.peer->handshake());
    test.peer->received();
    test.peer->connection.window(4);
    test.channel->push("hello\n");
    test.loop.settle();
    test.channel->push("lost\n");
    test.channel->discard_buffers();
    CHECK(test.channel->pending_output() == 6);
    test.channel->push("kept\n");
    CHECK(test.peer->received() == "hello\nkept\n");
}

TEST_CASE("tls: much data, both ways at once", "[tls][flow]")
{
    auto context = client_context();
    context.maximum_version(GENERATE(tls::version::tls1_2, tls::version::tls1_3));
    both<> pair(server_context(), context);
    pair.loop.window(GENERATE(as<std::size_t>(), 100, 65536));
    const std::string line(3000, 'x');
    for (int i = 0; i < 300; ++i)
        pair.client->push(line + "\n");
    pair.client->push_eof();
    pair.loop.settle();
    CHECK(pair.client->close_reason() == close_reason::peer_finished);
    std::size_t lines = 0;
    for (const auto& event : pair.client->events)
        lines += event == "collect " + line;
    CHECK(lines == 300);
}

// --- changes of keys -----------------------------------------------------------------------------

TEST_CASE("tls: the end of a handshake leaves when there is room, without other output",
          "[tls][flow]")
{
    openssl_client<recorder> test(TLS1_2_VERSION);
    SSL_do_handshake(test.peer->ssl.get());
    test.peer->move();
    SSL_do_handshake(test.peer->ssl.get());
    test.peer->connection.window(GENERATE(as<std::size_t>(), 0, 3));
    test.peer->send_raw(test.peer->output());
    test.loop.settle();
    CHECK(test.channel->events == strings{"handshake", "open"});
    CHECK(SSL_do_handshake(test.peer->ssl.get()) != 1);
    test.peer->connection.window(65536);
    CHECK(test.peer->handshake());
}

TEST_CASE("tls: new keys of the peer, while output is half sent or not", "[tls][flow]")
{
    openssl_client<recorder> test(TLS1_3_VERSION);
    REQUIRE(test.peer->handshake());
    test.peer->received();
    const bool is_half_sent = GENERATE(false, true);
    test.peer->connection.window(is_half_sent ? 10 : 0);
    if (is_half_sent)
        test.channel->push("half\n");
    test.loop.settle();
    REQUIRE(SSL_key_update(test.peer->ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    SSL_write(test.peer->ssl.get(), "under new keys\n", 15);
    test.peer->send_raw(test.peer->output());
    test.loop.settle();
    CHECK(test.channel->events.back() == "found");
    test.channel->push("new\n"); // behind our new keys
    test.loop.settle();
    test.peer->connection.window(65536);
    CHECK(test.peer->received() == (is_half_sent ? "half\nnew\n" : "new\n"));
    CHECK_FALSE(test.channel->closed());
}

namespace {

/// The peer of `test` asks for new keys of the channel, which sends nothing else.
template <class Test>
void ask_for_new_keys(Test& test)
{
    REQUIRE(test.peer->handshake());
    test.peer->received(); // tickets
    const messages updates(*test.peer, SSL3_RT_HANDSHAKE, SSL3_MT_KEY_UPDATE);
    const bool has_room = GENERATE(true, false);
    if (!has_room)
        test.peer->connection.window(0);
    test.loop.settle();
    SSL_key_update(test.peer->ssl.get(), SSL_KEY_UPDATE_REQUESTED);
    const bool with_data = GENERATE(true, false);
    if (with_data)
        SSL_write(test.peer->ssl.get(), "line\n", 5);
    else
        REQUIRE(SSL_do_handshake(test.peer->ssl.get()) == 1);
    test.peer->send_raw(test.peer->output());
    test.loop.settle();
    CHECK((test.channel->events.back() == "found") == with_data);
    test.peer->connection.window(65536);
    CHECK(test.peer->received().empty());
    CHECK(updates.count() == 1);
    test.channel->push("hello\n");
    CHECK(test.peer->received() == "hello\n");
    CHECK(updates.count() == 1);
}

} // namespace

TEST_CASE("tls: a peer that asks for new keys gets them, without other output", "[tls][flow]")
{
    SECTION("from a server")
    {
        openssl_client<recorder> test(TLS1_3_VERSION);
        ask_for_new_keys(test);
    }
    SECTION("from a client")
    {
        openssl_server test(TLS1_3_VERSION);
        ask_for_new_keys(test);
    }
}

TEST_CASE("tls: new keys are not sent behind close_notify", "[tls][flow]")
{
    openssl_client<recorder> test(TLS1_3_VERSION);
    REQUIRE(test.peer->handshake());
    test.channel->push_eof();
    test.peer->received();
    const messages updates(*test.peer, SSL3_RT_HANDSHAKE, SSL3_MT_KEY_UPDATE);
    SSL_key_update(test.peer->ssl.get(), SSL_KEY_UPDATE_REQUESTED);
    test.peer->send("line\n");
    test.loop.settle();
    CHECK(test.channel->events.back() == "found");
    CHECK(test.peer->received().empty());
    CHECK(updates.count() == 0);
    CHECK_FALSE(test.channel->closed());
}

TEST_CASE("tls: new keys without end are an error", "[tls][flow]")
{
    openssl_client<> test(TLS1_3_VERSION);
    REQUIRE(test.peer->handshake());
    const bool has_data_between = GENERATE(true, false);
    const bool in_one_piece = GENERATE(true, false);
    std::string all;
    for (int i = 0; i < 100; ++i) {
        SSL_key_update(test.peer->ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(test.peer->ssl.get());
        if (has_data_between)
            SSL_write(test.peer->ssl.get(), "x", 1);
        all += test.peer->output();
        if (!in_one_piece && !test.channel->closed()) {
            test.peer->send_raw(std::exchange(all, {}));
            test.loop.settle();
        }
    }
    if (in_one_piece)
        test.peer->send_raw(all);
    test.loop.settle();
    CHECK(test.channel->closed() != has_data_between);
    if (!has_data_between)
        CHECK(test.channel->close_text() ==
              "tls error: the peer sends records without data, such as changes of keys, without "
              "end");
}

TEST_CASE("tls: renegotiation is refused", "[tls][flow]")
{
    openssl_client<> test(TLS1_2_VERSION);
    REQUIRE(test.peer->handshake());
    SSL_renegotiate(test.peer->ssl.get());
    CHECK_FALSE(test.peer->handshake());
    CHECK(SSL_total_renegotiations(test.peer->ssl.get()) <= 1);
    const auto events = test.channel->events;
    CHECK(std::count(events.begin(), events.end(), "handshake") == 1);
}

TEST_CASE("tls: renegotiation that a server asks for is refused", "[tls][flow]")
{
    openssl_server test(TLS1_2_VERSION);
    REQUIRE(test.peer->handshake());
    SSL_renegotiate(test.peer->ssl.get());
    SSL_do_handshake(test.peer->ssl.get()); // writes the request only
    test.peer->send_raw(test.peer->output());
    const std::string answer = test.peer->connection.received();
    REQUIRE_FALSE(answer.empty());
    CHECK(answer[0] == '\x15'); // an alert, and no message of a handshake
    CHECK(test.channel->events == strings{"handshake", "open", "connect"});
}
