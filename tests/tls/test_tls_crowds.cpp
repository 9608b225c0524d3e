// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "openssl_peer.hpp"

#include <asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using namespace support;
using std::chrono::seconds;

// Many handshakes, and one context in several threads.

TEST_CASE("tls: a server bounds the handshakes that are not complete", "[tls][handshake]")
{
    openssl_client<> test;
    test.server->max_handshakes(3);
    CHECK(test.server->counters().handshakes == 1);
    std::vector<asynchat::testing::peer> silent;
    for (int i = 0; i < 5; ++i)
        silent.push_back(test.loop.connect(there));
    test.loop.settle();
    CHECK(test.server->counters().handshakes == 3);
    CHECK(test.server->counters().open == 3);
    SECTION("one that is complete makes room")
    {
        REQUIRE(test.peer->handshake());
        test.loop.settle();
        CHECK(test.server->counters().handshakes == 3);
        CHECK(test.server->counters().open == 4);
        test.server->max_handshakes(asynchat::unlimited);
    }
    SECTION("and one that is closed")
    {
        silent.clear();
        test.loop.settle();
        CHECK(test.server->counters().handshakes == 1);
        CHECK(test.server->counters().accepted == 6);
        REQUIRE(test.peer->handshake());
    }
    test.peer->send("hello\n");
    CHECK(test.peer->received() == "hello\n");
    test.loop.advance(seconds(20));
    CHECK(test.server->counters().handshakes == 0);
    CHECK(test.server->counters().open == 1);
}

TEST_CASE("tls: those who talk do not wait behind those who come", "[tls][handshake]")
{
    openssl_client<> test;
    REQUIRE(test.peer->handshake());
    test.peer->received();
    std::vector<openssl_peer> newcomers;
    for (int i = 0; i < 100; ++i) {
        newcomers.emplace_back(openssl_peer::side::client, test.loop.connect(there));
        SSL_do_handshake(newcomers.back().ssl.get());
    }
    test.loop.settle();
    for (auto& each : newcomers) // all at the same time, and all before the line
        each.connection.send(each.output());
    SSL_write(test.peer->ssl.get(), "hello\n", 6);
    test.peer->connection.send(test.peer->output());
    std::size_t passes = 0;
    while (test.channel->events.back() != "found" && test.loop.poll())
        ++passes;
    CHECK(passes <= 3);
    while (test.loop.poll())
        ++passes;
    CHECK(passes >= 5); // a call of poll() may be several passes of Asio
    for (auto& each : newcomers)
        CHECK(each.handshake());
}

namespace {

/// Counts the handshakes that were completed.
class counting : public recorder {
public:
    using recorder::recorder;
    static inline int complete = 0;
    void handle_handshake() override { ++complete; }
};

} // namespace

TEST_CASE("tls: few handshakes go on in one pass of the loop", "[tls][handshake]")
{
    constexpr int all = 100;
    asynchat::testing::loop loop;
    const auto server = loop.create<asynchat::server<counting>>(there).lock();
    use_tls(*server, server_context());
    std::vector<openssl_peer> newcomers;
    for (int i = 0; i < all; ++i) {
        newcomers.emplace_back(openssl_peer::side::client, loop.connect(there));
        SSL_do_handshake(newcomers.back().ssl.get());
        newcomers.back().move(); // it is answered
    }
    counting::complete = 0;
    for (auto& each : newcomers) { // the last flight of all of them, at the same time
        REQUIRE(SSL_do_handshake(each.ssl.get()) == 1);
        each.connection.send(each.output());
    }
    // What is posted again and again is called once in each pass.
    int before = 0;
    int most = 0;
    int passes = 0;
    std::function<void()> look = [&] {
        most = std::max(most, counting::complete - std::exchange(before, counting::complete));
        if (counting::complete < all && ++passes < 1000)
            asio::post(loop.context(), look);
    };
    asio::post(loop.context(), look);
    loop.settle();
    CHECK(counting::complete == all);
    CHECK(most == 5);
}

TEST_CASE("tls: a server that stops ends those that still shake hands", "[tls][handshake]")
{
    openssl_client<> test;
    test.server->stop(seconds(5));
    test.loop.settle();
    CHECK(test.channel->closed());
    CHECK(test.server->closed());
}

TEST_CASE("tls: one context in several threads, while it is read again", "[tls][threads]")
{
    const auto server = server_context();
    const auto client = client_context();
    const auto visit = [&](int& lines) {
        tls::session session;
        for (int i = 0; i < 20; ++i) {
            tls::start_options options("localhost");
            options.session = session;
            both<> pair(server, client, options);
            pair.client->push("hello\n");
            pair.loop.settle();
            lines += pair.client->events.back() == "found";
            session = tls::connection(*pair.client).session();
        }
    };
    int lines[3] = {};
    std::vector<std::thread> threads;
    for (int& count : lines)
        threads.emplace_back([&visit, &count] { visit(count); });
    for (int i = 0; i < 20; ++i) {
        auto again = server; // a copy is the same context
        again.reload();
    }
    for (auto& each : threads)
        each.join();
    for (const int count : lines)
        CHECK(count == 20);
}

namespace {

/// A server over sockets, with a loop and a thread of its own.
class server_thread {
public:
    explicit server_thread(const tls::context& context)
    {
        std::promise<asynchat::endpoint> address;
        thread_ = std::thread([this, &context, &address] {
            const auto server =
                loop_.create<asynchat::server<echo>>(asynchat::endpoint("127.0.0.1", 0)).lock();
            use_tls(*server, context);
            address.set_value(server->local_endpoint());
            loop_.run();
        });
        address_ = address.get_future().get();
    }
    ~server_thread()
    {
        loop_.stop();
        thread_.join();
    }
    server_thread(const server_thread&) = delete;
    server_thread& operator=(const server_thread&) = delete;
    const asynchat::endpoint& address() const noexcept { return address_; }

private:
    asynchat::loop loop_;
    asynchat::endpoint address_;
    std::thread thread_;
};

/// What clients of one thread have seen.
struct seen {
    int answers = 0;
    int resumed = 0;
    std::set<std::string> certificates; // of full handshakes
};

/// Connects, is answered one line, and closes. Returns the session.
tls::session visit(const asynchat::endpoint& address, const tls::context& context,
                   const tls::session& earlier, seen& all)
{
    asynchat::loop loop;
    const auto client = loop.create<recorder>().lock();
    tls::start_options options("localhost");
    options.session = earlier;
    start_tls(*client, context, options);
    client->connect(address);
    client->push("hello\n");
    const auto is_answered = [&] {
        return !client->events.empty() && client->events.back() == "found";
    };
    for (int i = 0; i < 1000 && !client->closed() && !is_answered(); ++i)
        loop.run(1, std::chrono::milliseconds(100));
    if (!is_answered())
        return {};
    const tls::connection tls(*client);
    ++all.answers;
    all.resumed += tls.session_reused();
    if (!tls.session_reused())
        all.certificates.insert(tls.getpeercert().pem);
    return tls.session();
}

} // namespace

TEST_CASE("tls: loops in several threads share tickets and new certificates", "[tls][threads]")
{
    constexpr int visits = 10;
    const auto other = certificate_for({"localhost"});
    auto context = server_context();
    auto client = client_context();
    client.maximum_version(GENERATE(tls::version::tls1_2, tls::version::tls1_3));
    const server_thread servers[] = {server_thread(context), server_thread(context)};
    seen before;
    const auto session = visit(servers[0].address(), client, {}, before);
    REQUIRE(session); // all threads resume it
    seen all[3];
    std::vector<std::thread> threads;
    for (seen& mine : all) {
        threads.emplace_back([&] {
            for (int i = 0; i < visits; ++i) {
                visit(servers[i % 2].address(), client, session, mine);
                visit(servers[i % 2].address(), client, {}, mine);
            }
        });
    }
    for (int i = 0; i < 50; ++i) {
        const auto& shown = i % 2 == 0 ? other : usual_certificate();
        context.load_cert_chain(pem{shown.certificate}, pem{shown.key});
        context.reload();
    }
    for (auto& each : threads)
        each.join();
    for (const seen& mine : all) {
        CHECK(mine.answers == 2 * visits);
        CHECK(mine.resumed == visits);
        for (const auto& certificate : mine.certificates)
            CHECK((certificate == other.certificate ||
                   certificate == usual_certificate().certificate));
    }
    CHECK(visit(servers[1].address(), client, session, before));
    CHECK(before.resumed == 1);
}
