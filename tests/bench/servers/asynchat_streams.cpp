// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// This library's streams, as docs/streams.md writes a server. ASYNCHAT_BENCH_BATCHES: with all
// lines that are there after each wait.

#include "server.hpp"

#include <asynchat/streams.hpp>

namespace {

#ifdef ASYNCHAT_BENCH_BATCHES
asio::awaitable<void> echo_lines(asynchat::stream_reader reader, asynchat::stream_writer writer)
{
    for (auto line = co_await reader.readline(); !line.empty(); line = co_await reader.readline()) {
        writer.write(line);
        while (const auto next = reader.next_line())
            writer.write(*next);
        co_await writer.drain();
    }
}
#else
asio::awaitable<void> echo_lines(asynchat::stream_reader reader, asynchat::stream_writer writer)
{
    for (auto line = co_await reader.readline(); !line.empty(); line = co_await reader.readline()) {
        writer.write(line);
        co_await writer.drain();
    }
}
#endif

asio::awaitable<void> echo_counted(asynchat::stream_reader reader, asynchat::stream_writer writer)
{
    for (auto line = co_await reader.readline(); !line.empty(); line = co_await reader.readline()) {
        line.remove_suffix(1);
        writer.write(co_await reader.readexactly(bench::count_of(line)));
        co_await writer.drain();
    }
}

} // namespace

int main(int argc, char** argv)
{
    const std::string_view mode = argc == 2 ? argv[1] : "";
    if (mode != "lines" && mode != "counted")
        return std::fprintf(stderr, "usage: %s lines|counted\n", argv[0]), 2;
    asynchat::loop loop;
    const auto server = asynchat::start_server(loop, mode == "lines" ? echo_lines : echo_counted,
                                               asynchat::endpoint("127.0.0.1", 0));
    std::printf("%u\n", static_cast<unsigned>(server->local_endpoint().port()));
    std::fflush(stdout);
    loop.stop_on_signals();
    loop.run();
    return 0;
}
