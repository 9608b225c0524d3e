// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include <asynchat/asynchat.hpp>
#include <asynchat/streams.hpp>

#include <cstdio>
#include <utility>

namespace {

asio::awaitable<void> talk(asynchat::loop& loop, bool& answered)
{
    auto ends = asynchat::socket::pair();
    auto near = co_await asynchat::open_connection(loop, std::move(ends.first));
    auto far = co_await asynchat::open_connection(loop, std::move(ends.second));
    near.writer.write("hello\n");
    const auto line = co_await far.reader.readline();
    answered = line == "hello\n";
}

} // namespace

int main()
{
    asynchat::loop loop;
    bool answered = false;
    asynchat::spawn(loop, talk(loop, answered));
    loop.run();
    std::puts(answered ? "asynchat: a coroutine has a line" : "asynchat: no line");
    return answered ? 0 : 1;
}
