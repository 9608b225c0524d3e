// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

using namespace asynchat;
using namespace support;
using namespace std::chrono_literals;

namespace {

/// Counts its attempts, and keeps what it accepts.
class counting_listener : public logging<dispatcher> {
public:
    explicit counting_listener(loop& owner) : logging(owner)
    {
        create_socket();
        bind(endpoint("127.0.0.1", 0));
        listen();
    }
    int attempts = 0;
    int errors = 0;
    std::function<void()> before_accept;
    std::function<void()> before_hook;
    std::vector<asynchat::socket> accepted;

    std::optional<std::pair<asynchat::socket, endpoint>> accept() override
    {
        ++attempts;
        if (before_accept)
            before_accept();
        return logging::accept();
    }
    void handle_accept() override
    {
        if (before_hook) {
            ++attempts;
            before_hook();
        }
        logging::handle_accept();
    }
    void handle_accepted(asynchat::socket connection, const endpoint&) override
    {
        accepted.push_back(std::move(connection));
    }
    void handle_error() override
    {
        ++errors;
        logging::handle_error();
    }
};

/// Many passes, as many as there is something to do for; none of them waits.
void many_passes(loop& loop)
{
    for (int i = 0; i < 2000; ++i)
        loop.poll();
}

} // namespace

// First with an error that is made up, then for real. There are no assertions while descriptors are
// missing, and no second round with the address and undefined behaviour sanitizers: these look at
// an object by way of a pipe, and report a bad one when there is none to be had.
TEST_CASE("when descriptors run out the listener survives, waits and serves again",
          "[accept][errors][slow]")
{
    loop loop;
    const auto listener = loop.create<counting_listener>().lock();
    honest_pair other(loop);
    for (const bool rehearsal : {true, false}) {
        if (!rehearsal && sanitized)
            break;
        CAPTURE(rehearsal);
        const std::size_t served = listener->accepted.size();
        const std::size_t lines = listener->lines.size();
        bool others_work = false;
        bool tried_again = false;
        bool accepting = false;
        int attempts = 0;
        std::size_t logged_at_first = 0;
        std::size_t logged_later = 0;
        raw_peer client = raw_peer::connected_to(listener->local_endpoint());

        std::vector<descriptor> all;
        all.reserve(4096);
        {
            const descriptor_limit limit(static_cast<rlim_t>(client.fd()) + 40);
            REQUIRE(limit.possible());
            if (rehearsal)
                listener->before_accept = [] {
                    throw std::system_error(EMFILE, std::system_category(), "accept");
                };
            for (int next = 0; !rehearsal && next >= 0;) {
                next = ::fcntl(client.fd(), F_DUPFD_CLOEXEC, 0);
                if (next >= 0)
                    all.emplace_back(next);
            }
            listener->attempts = 0;
            many_passes(loop);
            attempts = listener->attempts;
            accepting = listener->accepting();
            logged_at_first = listener->lines.size() - lines;
            others_work = other.works(); // the others are served meanwhile
            // However often it tries in vain, that is one line.
            tried_again = run_until(loop, [&] { return listener->attempts >= attempts + 2; });
            logged_later = listener->lines.size() - lines;
            all.clear();
            listener->before_accept = nullptr;
        }
        CHECK(attempts >= 1);
        CHECK(attempts <= 20); // 2000 passes did not mean 2000 attempts
        CHECK(accepting);
        CHECK(others_work);
        CHECK(tried_again);
        CHECK(logged_at_first == 1);
        CHECK(logged_later == 1);
        CHECK(listener->close_reason() == close_reason::open);
        CHECK_THAT(listener->lines.back(),
                   Catch::Matchers::ContainsSubstring(std::system_category().message(EMFILE)));
        REQUIRE(run_until(loop, [&] { return listener->accepted.size() == served + 1; }));
        const auto another = raw_peer::connected_to(listener->local_endpoint());
        CHECK(run_until(loop, [&] { return listener->accepted.size() == served + 2; }));
    }
}

TEST_CASE("an error of accept is logged once in a row, and again in the next row",
          "[accept][errors]")
{
    loop loop;
    const auto listener = loop.create<counting_listener>();
    bool fails = true;
    const int number = GENERATE(EMFILE, ENFILE, ENOBUFS, ENOMEM);
    CAPTURE(number);
    listener->before_accept = [&] {
        if (fails)
            throw std::system_error(number, std::system_category(), "accept");
    };
    auto client = raw_peer::connected_to(listener->local_endpoint());
    many_passes(loop);
    CHECK(listener->attempts >= 1);
    CHECK(listener->attempts <= 20);
    CHECK(listener->logged("error: ") == 1);
    REQUIRE(run_until(loop, [&] { return listener->attempts >= 3; }));
    CHECK(listener->logged("error: ") == 1);
    CHECK(listener->accepting());

    fails = false;
    REQUIRE(run_until(loop, [&] { return listener->accepted.size() == 1; }));
    CHECK(settle(loop));
    fails = true;
    auto second = raw_peer::connected_to(listener->local_endpoint());
    const int before = listener->errors;
    REQUIRE(run_until(loop, [&] { return listener->errors > before; }));
    CHECK(listener->logged("error: ") == 2);
}

TEST_CASE("an accept hook that throws before it accepts does not spin", "[accept][errors]")
{
    loop loop;
    const auto listener = loop.create<counting_listener>();
    bool fails = true;
    listener->before_hook = [&] {
        if (fails)
            throw test_error("no");
    };
    auto client = raw_peer::connected_to(listener->local_endpoint());
    many_passes(loop);
    CHECK(listener->accepting());
    CHECK(listener->attempts >= 1);
    CHECK(listener->attempts <= 20);
    CHECK(listener->logged("error: ") == 1);
    fails = false;
    CHECK(run_until(loop, [&] { return listener->accepted.size() == 1; }));
}

TEST_CASE("handlers that throw do not slow the listener down", "[accept][errors]")
{
    class failing : public counting_listener {
    public:
        using counting_listener::counting_listener;
        void handle_accepted(asynchat::socket, const endpoint&) override
        {
            throw std::system_error(EIO, std::system_category(), "in the handler");
        }
    };
    loop loop;
    const auto listener = loop.create<failing>();
    std::vector<raw_peer> clients;
    for (int i = 0; i < 20; ++i)
        clients.push_back(raw_peer::connected_to(listener->local_endpoint()));
    bool paused = false;
    const timer clock = loop.call_later(2s, [&] { paused = true; }); // 20 pauses of 0.1 s
    REQUIRE(run_until(loop, [&] { return listener->errors == 20; }));
    CHECK_FALSE(paused);
    CHECK(listener->logged("in the handler") >= 10); // each is another connection's
}

TEST_CASE("a connection that was lost before it was accepted is no error", "[accept][errors]")
{
    loop loop;
    const auto listener = loop.create<counting_listener>();
    for (int i = 0; i < 5; ++i) {
        auto client = raw_peer::connected_to(listener->local_endpoint());
        client.reset();
    }
    auto honest = raw_peer::connected_to(listener->local_endpoint());
    CHECK(run_until(loop, [&] {
        for (const auto& each : listener->accepted) {
            if (each.peer() == local_endpoint_of(honest.fd()))
                return true;
        }
        return false;
    }));
    CHECK(listener->errors == 0);
    CHECK(listener->accepting());
}

TEST_CASE("after an aborted connection the next one is accepted at once", "[accept][errors]")
{
    asynchat::testing::loop loop; // the time of which stands still
    const auto listener = loop.create<counting_listener>();
    const int error = GENERATE(ECONNABORTED, EPROTO, ENETUNREACH);
    CAPTURE(error);
    loop.fail(1, error, asynchat::testing::operation::accept);
    const auto peer = loop.connect(listener->local_endpoint());
    loop.settle();
    CHECK(listener->accepted.size() == 1);
    CHECK(listener->attempts >= 2);
    CHECK(listener->errors == 0);
    CHECK(listener->accepting());
}

TEST_CASE("a listener that is closed in its pause stays closed", "[accept][errors]")
{
    loop loop;
    const auto listener = loop.create<counting_listener>().lock();
    listener->before_accept = [] {
        throw std::system_error(EMFILE, std::system_category(), "accept");
    };
    const auto client = raw_peer::connected_to(listener->local_endpoint());
    REQUIRE(run_until(loop, [&] { return listener->errors == 1; }));
    listener->close();
    bool over = false;
    loop.call_later(150ms, [&] { over = true; }); // longer than the pause
    REQUIRE(run_until(loop, [&] { return over; }));
    CHECK(listener->errors == 1);
}

TEST_CASE("an overridden handle_error may close the listener", "[accept][errors]")
{
    class strict : public counting_listener {
    public:
        using counting_listener::counting_listener;
        void handle_error() override { close(); }
    };
    loop loop;
    const auto listener = loop.create<strict>().lock();
    listener->before_accept = [] {
        throw std::system_error(EMFILE, std::system_category(), "accept");
    };
    const auto client = raw_peer::connected_to(listener->local_endpoint());
    const deadline limit(loop);
    loop.run();
    CHECK(listener->closed());
    CHECK(listener->attempts == 1);
}
