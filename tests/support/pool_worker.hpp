// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_POOL_WORKER_HPP
#define ASYNCHAT_TESTS_SUPPORT_POOL_WORKER_HPP

#include "support/catch.hpp"

#include <asynchat/async_chat.hpp>
#include <asynchat/endpoint.hpp>
#include <asynchat/handle.hpp>
#include <asynchat/loop.hpp>
#include <asynchat/pool.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace support {

using lines = std::vector<std::string>;

/// A client that says what happens to it, in a list that all of its kind share.
class worker : public asynchat::async_chat {
public:
    worker(asynchat::loop& owner, lines& told) : async_chat(owner), told_(told)
    {
        set_terminator("\n");
        told_.push_back("made");
    }
    ~worker() override { told_.push_back("gone"); }
    void handle_connect() override { told_.push_back("connected"); }
    void collect_incoming_data(std::string_view data) override { line_ += data; }
    void found_terminator() override
    {
        told_.push_back("found " + std::exchange(line_, {}));
        if (on_line)
            on_line();
    }
    void handle_close() override
    {
        told_.push_back("close " + std::string(to_string(close_reason())));
        close();
    }
    void handle_shutdown() override
    {
        told_.push_back("shutdown");
        async_chat::handle_shutdown();
    }
    void handle_error() override
    {
        told_.push_back("error " + exception_text());
        async_chat::handle_error();
    }
    void handle_silence(asynchat::loop::duration) override { told_.push_back("silence"); }
    void handle_log(asynchat::log_type, std::string_view) override {}
    using async_chat::call_later;

    std::function<void()> on_line;

private:
    lines& told_;
    std::string line_;
};

using worker_pool = asynchat::pool<worker>;
using worker_handle = asynchat::handle<worker>;

inline const asynchat::endpoint here("127.0.0.1", 7000);

/// A pool of workers, a server for them, and what the checkouts brought.
struct pool_scene {
    pool_scene()
    {
        loop.log_sink([](asynchat::log_type, std::string_view) {});
        server.emplace(loop.listen(here));
        pool.emplace(loop, asynchat::target(here), std::ref(told));
    }

    /// Asks for a channel; `got` or `failures` tells the result.
    void ask(asynchat::loop::duration timeout = asynchat::loop::duration::zero())
    {
        pool->checkout(timeout, [this](worker_handle channel, const std::error_code& error) {
            CHECK(static_cast<bool>(channel) == !error);
            if (error)
                failures.push_back(error.message());
            else
                got.push_back(channel);
        });
    }
    /// A connected channel in use.
    worker_handle lent()
    {
        const std::size_t before = got.size();
        ask();
        loop.settle();
        REQUIRE(got.size() == before + 1);
        if (server->waiting() > 0)
            peers.push_back(server->accept());
        return got.back();
    }
    /// A channel that is idle.
    worker_handle idle()
    {
        auto channel = lent();
        pool->give_back(channel);
        loop.settle();
        REQUIRE(pool->idle() >= 1);
        return channel;
    }
    lines taken() { return std::exchange(told, {}); }
    static std::string text(std::errc error) { return std::make_error_code(error).message(); }

    lines told; // outlives the channels
    std::vector<worker_handle> got;
    lines failures;
    asynchat::testing::loop loop;
    std::optional<asynchat::testing::listener> server;
    std::vector<asynchat::testing::peer> peers;
    std::optional<worker_pool> pool;
};

} // namespace support

#endif
