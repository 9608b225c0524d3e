// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef MONITOR_SNAPSHOT_HPP
#define MONITOR_SNAPSHOT_HPP

#include "histogram.hpp"

#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace monitor {

// A line of the table of channels.
struct row {
    int descriptor = -1;
    std::string channel; // class, state and address
    std::string reads;   // up to which terminator; empty for channels without frames
    std::size_t pending = 0;
};

// What a loop said of itself and of its server.
struct snapshot {
    bool is_there = false; // it has answered, and the server lives
    bool is_late = false;  // it has not answered for a second: these are older figures
    asynchat::server_counters counters;
    histogram turns;
    std::size_t channels = 0;
    std::size_t unread = 0; // bytes
    std::vector<row> rows;  // the first of them
};

// A loop that is watched. The histogram is used in its thread only.
struct source {
    asynchat::loop* owner;
    asynchat::handle<asynchat::server_base> server;
    std::shared_ptr<histogram> turns;
};

constexpr std::size_t most_rows = 200;       // of each loop
constexpr std::size_t most_channels = 10000; // with more, there is no table: the list is copied

// "<echo connected 127.0.0.1:80 at 0x55d0c0ffee>" without the brackets, and without the address of
// the object, which is nobody's business.
inline std::string description(const asynchat::dispatcher& channel)
{
    const std::string text = channel.repr();
    const std::size_t first = text.substr(0, 1) == "<" ? 1 : 0;
    return text.substr(first, std::min(text.rfind(" at 0x"), text.size()) - first);
}

inline row describe(const asynchat::dispatcher& channel)
{
    row result{channel.native_handle(), description(channel), "", 0};
    if (const auto* const chat = dynamic_cast<const asynchat::async_chat*>(&channel)) {
        result.reads = chat->async_chat::get_terminator().repr();
        result.pending = chat->pending_output();
    }
    return result;
}

inline snapshot describe(const source& from)
{
    snapshot result;
    const auto server = from.server.lock();
    if (!server)
        return result;
    result.is_there = true;
    result.counters = server->counters();
    result.turns = *from.turns;
    result.channels = from.owner->size();
    result.unread = from.owner->unread();
    if (result.channels > most_channels)
        return result;
    for (const auto& each : from.owner->channels()) {
        if (result.rows.size() == most_rows)
            break;
        result.rows.push_back(describe(*each));
    }
    return result;
}

// In the thread of the loop. An exception, for example of somebody's repr(), must not end the loop.
inline snapshot take_snapshot(const source& from) noexcept
{
    try {
        return describe(from);
    } catch (const std::exception&) {
        return {};
    }
}

} // namespace monitor

#endif
