// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// A line echo as a service of systemd: gets its sockets, says that it serves, and stops in order.
//
//     systemd-socket-activate -l 8080 service

#include <asynchat/asynchat.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

class echo : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void handle_open() override { set_terminator("\n"); }
    void found_terminator() override { push(_get_data() + "\n"); }

    // A line may be on its way: only who says nothing for a while is closed.
    void handle_shutdown() override { idle_timeout(std::chrono::seconds(2)); }
};

// That the service manager cannot be told is no reason to end.
void tell_manager(std::string_view state)
{
    try {
        asynchat::notify_service_manager(state);
    } catch (const std::exception& error) {
        fmt::print(stderr, "service: {}\n", error.what());
    }
}

int main()
{
    auto sockets = asynchat::listening_sockets(); // before there are threads
    asynchat::listen_options where(asynchat::endpoint("127.0.0.1", 0));
    if (!sockets.empty())
        where = std::move(sockets.front().second);

    asynchat::loop loop;
    const auto server = loop.create<asynchat::server<echo>>(where);
    loop.on_signals([server] {
        server->stop(std::chrono::seconds(30));
        tell_manager("STOPPING=1");
    });
    asynchat::start_watchdog(loop);
    server->log("listening on {}", server->local_endpoint().to_string());
    tell_manager("READY=1");
    loop.run();
}
