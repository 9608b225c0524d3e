// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_LOOP_CHANNELS_HPP
#define ASYNCHAT_TESTS_SUPPORT_LOOP_CHANNELS_HPP

#include "support/loopback.hpp"

#include <asynchat/asynchat.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace support {

/// A loop, in an io_context of its own or in a borrowed one.
class either_loop {
public:
    explicit either_loop(bool borrowed)
    {
        if (borrowed)
            loop_.emplace(context_);
        else
            loop_.emplace();
    }
    asynchat::loop* operator->() { return &*loop_; }
    asynchat::loop& operator*() { return *loop_; }
    void destroy() { loop_.reset(); }
    asio::io_context& borrowed_context() { return context_; }

private:
    asio::io_context context_;
    std::optional<asynchat::loop> loop_;
};

/// Calls what the test gives it.
class hooked : public recorder {
public:
    using recorder::recorder;
    std::function<void()> on_read;
    void handle_read() override
    {
        recorder::handle_read();
        if (on_read)
            on_read();
    }
};

/// A channel with input waiting, and its peer.
struct ready_channel {
    explicit ready_channel(asynchat::loop& loop)
    {
        auto ends = connected_pair(AF_UNIX);
        channel = loop.create<hooked>(std::move(ends.first)).lock();
        peer = std::move(ends.second);
        peer.send("x");
    }
    std::shared_ptr<hooked> channel;
    raw_peer peer;
};

/// Keeps its frames and says what happened.
class chat : public logging<asynchat::async_chat> {
public:
    chat(asynchat::loop& owner, asynchat::socket from) : logging(owner, std::move(from))
    {
        set_terminator("\n");
    }
    std::string pieces;
    std::function<void(std::string_view)> on_collect;
    std::function<void()> on_frame;
    int frames = 0;
    void collect_incoming_data(std::string_view data) override
    {
        pieces += data;
        if (on_collect)
            on_collect(data);
    }
    void found_terminator() override
    {
        ++frames;
        if (on_frame)
            on_frame();
    }
};

/// Answers each line.
class line_echo : public logging<asynchat::async_chat> {
public:
    line_echo(asynchat::loop& owner, asynchat::socket from) : logging(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override { push(_get_data() + "\n"); }
};

} // namespace support

#endif
