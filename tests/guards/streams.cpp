// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// The allocations of a line through a stream in the steady state, and the memory of a stream whose
// coroutine waits for input.
#include "guards/count_allocations.hpp"

#include <asynchat/streams.hpp>

#include <malloc.h>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace {

using asio::awaitable;
using asynchat::stream_reader;
using asynchat::stream_writer;
using guards::check;
using guards::lines;

/// Every await, with its frame.
awaitable<void> by_line(stream_reader reader, stream_writer writer)
{
    for (auto line = co_await reader.readline(); !line.empty(); line = co_await reader.readline()) {
        writer.write(line);
        co_await writer.drain();
    }
}

awaitable<void> by_batch(stream_reader reader, stream_writer writer)
{
    for (auto line = co_await reader.readline(); !line.empty(); line = co_await reader.readline()) {
        writer.write(line);
        while (const auto next = reader.next_line())
            writer.write(*next);
        co_await writer.drain();
    }
}

awaitable<void> by_count(stream_reader reader, stream_writer writer)
{
    for (;;) {
        writer.write(co_await reader.readexactly(64));
        co_await writer.drain();
    }
}

/// The connection of a server, with this coroutine.
template <auto coroutine>
class served : public asynchat::detail::served_stream {
public:
    served(asynchat::loop& owner, asynchat::socket from, std::size_t&)
        : served_stream(owner, std::move(from), service())
    {
    }

private:
    static std::shared_ptr<const asynchat::detail::stream_service> service()
    {
        static const auto one = std::make_shared<const asynchat::detail::stream_service>(
            asynchat::detail::stream_service{coroutine, {}});
        return one;
    }
};

void check_allocations(guards::report& report)
{
    const std::string one = lines(1, 16);
    const std::string batch = lines(64, 16);
    const std::string cut = batch.substr(8) + batch.substr(0, 8);
    const std::string begun = batch.substr(0, 8);
    check<served<by_line>>(report, "a line at a time", {one, one, 1, "", 64, 64});
    check<served<by_line>>(report, "lines, each awaited", {batch, batch, 64});
    check<served<by_batch>>(report, "lines in batches", {batch, batch, 64});
    check<served<by_batch>>(report, "lines in batches, cut", {cut, batch, 64, begun});
    const std::string counted(64 * 64, 'x');
    check<served<by_count>>(report, "counted frames", {counted, counted, 64});
}

std::size_t in_use()
{
    return ::mallinfo2().uordblks;
}

/// A channel alone.
class idle_chat : public asynchat::async_chat {
public:
    idle_chat(asynchat::loop& owner, asynchat::socket from, std::size_t&)
        : async_chat(owner, std::move(from))
    {
    }
    void found_terminator() override {}
};

/// What one more connection allocates, with the allocator's share. Lists double when they are full:
/// not between 260 and 480.
template <class Chat>
double bytes_of_an_idle_one()
{
    constexpr std::size_t before_count = 260;
    constexpr std::size_t count = 220;
    asio::io_context context;
    asynchat::loop loop(context);
    std::vector<std::pair<asynchat::socket, asynchat::socket>> ends;
    while (ends.size() < before_count + count)
        ends.push_back(asynchat::socket::pair());
    std::size_t served = 0;
    std::size_t before = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        if (i == before_count) {
            context.poll();
            before = in_use();
        }
        loop.create<Chat>(std::move(ends[i].first), served);
    }
    context.poll();
    return static_cast<double>(in_use() - before) / static_cast<double>(count);
}

/// The frames of coroutines are of the compiler's making: this is the figure of g++ 12.
void check_memory(guards::report& report)
{
#if defined(__clang__) || __GNUC__ != 12
    constexpr double slack = 400;
#else
    constexpr double slack = 0;
#endif
    const double stream = bytes_of_an_idle_one<served<by_line>>();
    report.at_most("bytes of an idle stream", stream, 2120 + slack);
    report.at_most("bytes of an idle stream beside its channel",
                   stream - bytes_of_an_idle_one<idle_chat>(), 1530 + slack);
}

} // namespace

int main()
try {
    guards::report report;
    check_allocations(report);
    check_memory(report);
    return report.exit_code();
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
