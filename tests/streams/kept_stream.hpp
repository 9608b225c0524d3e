// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_STREAMS_KEPT_STREAM_HPP
#define ASYNCHAT_TESTS_STREAMS_KEPT_STREAM_HPP

#include <asynchat/streams.hpp>
#include <asynchat/testing.hpp>

#include <asio/awaitable.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

// A stream in the hands of a test, and coroutines that say how they ended.
namespace support {

inline const asynchat::endpoint here("127.0.0.1", 8080);

/// A server that keeps the stream of its connection for the test, and ends its own coroutine.
struct kept_stream {
    explicit kept_stream(asynchat::stream_options options = {})
        : server(asynchat::start_server(
              loop,
              [this](asynchat::stream_reader reader,
                     asynchat::stream_writer writer) -> asio::awaitable<void> {
                  side = std::make_shared<asynchat::stream>(
                      asynchat::stream{std::move(reader), std::move(writer)});
                  co_return;
              },
              here, std::move(options))),
          peer(loop.connect(here))
    {
        loop.settle();
    }

    /// Runs `work(stream)` until it ends or waits.
    void run(std::function<asio::awaitable<void>(std::shared_ptr<asynchat::stream>)> work)
    {
        works.push_back(std::move(work)); // its captures must live as long as the coroutine
        asynchat::spawn(loop, works.back()(side));
        loop.settle();
    }
    void send(std::string_view bytes)
    {
        peer.send(bytes);
        loop.settle();
    }

    std::shared_ptr<asynchat::stream> side;
    std::list<std::function<asio::awaitable<void>(std::shared_ptr<asynchat::stream>)>> works;
    asynchat::testing::loop loop;
    asynchat::handle<asynchat::stream_server> server;
    asynchat::testing::peer peer;
};

/// The message of what `work` throws; "ended" without.
inline asio::awaitable<void> note(asio::awaitable<void> work, std::string* text)
{
    try {
        co_await std::move(work);
        *text = "ended";
    } catch (const std::system_error& error) {
        *text = error.code() == asio::error::operation_aborted ? "cancelled" : error.what();
    } catch (const std::exception& error) {
        *text = error.what();
    }
}

/// Lets go of the coroutine for a turn.
inline asio::awaitable<void> next_turn()
{
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

inline asio::awaitable<void> read_a_line(std::shared_ptr<asynchat::stream> side, std::string* line)
{
    *line = co_await side->reader.readline();
}

inline asio::awaitable<void> a_line(asynchat::stream_reader& reader)
{
    co_await reader.readline();
}

} // namespace support

#endif
