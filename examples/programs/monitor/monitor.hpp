// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef MONITOR_MONITOR_HPP
#define MONITOR_MONITOR_HPP

#include "client.hpp"

#include <asynchat/asynchat.hpp>

#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace monitor {

// Watches a server, or all servers of a group, and shows them to browsers and to Prometheus.
//
//     const monitor::monitor watch(*server, asynchat::endpoint("127.0.0.1", 9090));
//
// It has a loop and a thread of its own, so it answers also while a watched loop is busy. Make it
// after the server or the group, before they run, and let it be destroyed when they do not run any
// more, before them.
class monitor {
public:
    // Throws std::invalid_argument if `where` can be reached from other machines, and there is no
    // token; std::system_error if it cannot listen.
    template <class Watched>
    monitor(Watched& watched, const asynchat::endpoint& where, std::string token = "")
        : access_(where, std::move(token)), loop_(),
          server_(
              loop_.create<asynchat::server<client>>(where, std::ref(loops_), std::cref(access_))),
          where_(server_->local_endpoint()), loops_(loop_, sources(watched))
    {
        server_->max_connections(32);
        loop_.log_sink([](asynchat::log_type, std::string_view) {}); // its clients are nobody's
        thread_ = std::thread([this] { run(); });
    }

    ~monitor()
    {
        loop_.stop();
        thread_.join();
    }
    monitor(const monitor&) = delete;
    monitor& operator=(const monitor&) = delete;

    const asynchat::endpoint& local_endpoint() const noexcept { return where_; }

private:
    // Ends the measuring of turns, also when the constructor throws.
    struct measured_loops {
        ~measured_loops()
        {
            for (asynchat::loop* const each : all)
                each->on_turn(nullptr);
        }
        std::vector<asynchat::loop*> all;
    };

    template <class Watched>
    std::vector<source> sources(Watched& watched)
    {
        std::vector<source> all;
        const auto add = [&](asynchat::server_base& server) {
            const auto turns = std::make_shared<histogram>();
            watched_.all.push_back(&server.owner());
            server.owner().on_turn([turns](asynchat::loop::duration took) { turns->add(took); });
            all.push_back({&server.owner(), server.owner().handle_of(server), turns});
        };
        if constexpr (std::is_base_of_v<asynchat::server_base, Watched>)
            add(watched);
        else
            watched.each(add);
        return all;
    }

    void run()
    {
        try {
            loop_.run();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "monitor: %s\n", error.what());
        }
    }

    measured_loops watched_;
    access access_;
    asynchat::loop loop_;
    asynchat::handle<asynchat::server<client>> server_; // before any watched loop is touched
    asynchat::endpoint where_;
    gatherer loops_;
    std::thread thread_;
};

} // namespace monitor

#endif
