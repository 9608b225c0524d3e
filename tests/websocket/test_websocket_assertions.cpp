// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/child_process.hpp"

#include "support.hpp"

#include <sys/resource.h>

#include <csignal>
#include <cstdio>

using namespace support;

#ifndef NDEBUG

namespace {

/// How a process ends that pushes on an open WebSocket.
template <class Push>
int status_after(Push&& push)
{
    child_process child([&](auto&&) {
        std::signal(SIGABRT, SIG_DFL); // not that of Catch
        const rlimit no_core = {0, 0};
        check_call(::setrlimit(RLIMIT_CORE, &no_core) == 0, "setrlimit");
        check_call(std::freopen("/dev/null", "w", stderr) != nullptr, "freopen");
        opened one;
        push(*one.chat);
    });
    return child.status();
}

template <class Push>
bool aborts(Push&& push)
{
    const int status = status_after(push);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

} // namespace

TEST_CASE("websocket_chat: a debug build notices text that is not UTF-8", "[websocket]")
{
    const std::string bad = "\xe2\x82"; // half a character
    CHECK(status_after([](noting& chat) { chat.push_close(1000, "\xe2\x82\xac"); }) == 0);
    CHECK(aborts([&](noting& chat) { chat.push_close(1000, bad); }));
    CHECK(aborts([&](noting& chat) { chat.push_text(std::string_view(bad)); }));
    CHECK(aborts([&](noting& chat) { chat.push_text(std::string(bad)); }));
    CHECK(aborts([&](noting& chat) { chat.push_frame(asynchat::websocket_frame(bad)); }));
}

#endif
