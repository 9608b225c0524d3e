// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_FRAME_BENCH_HPP
#define ASYNCHAT_TESTS_SUPPORT_FRAME_BENCH_HPP

#include <asynchat/frame_chat.hpp>
#include <asynchat/testing.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

/// A frame_chat that does what the test says.
class told_frame_chat : public asynchat::frame_chat {
public:
    using frame_chat::frame_chat;

    void found_frame(std::string_view frame) override
    {
        if (on_frame)
            on_frame(frame);
    }
    void collect_incoming_data(std::string_view) override
    {
        if (on_collect)
            on_collect();
    }
    void handle_error() override
    {
        if (!survives)
            frame_chat::handle_error();
    }
    using frame_chat::take_frame;

    std::function<void(std::string_view)> on_frame;
    std::function<void()> on_collect;
    bool survives = false; ///< handle_error() does nothing
};

/// A recorded frame_chat in its loop. Each call plays one thing and returns what was called then.
template <class Chat = told_frame_chat>
class frame_bench {
public:
    using recorder = asynchat::testing::recorder<Chat>;
    using events = std::vector<std::string>;

    frame_bench() = default;
    explicit frame_bench(const asynchat::terminator& first) : frame_bench()
    {
        chat->set_terminator(first);
    }

    events recv(std::string_view bytes)
    {
        peer.send(bytes);
        return tick();
    }
    /// In pieces of so many bytes.
    events recv(std::string_view bytes, std::size_t piece)
    {
        peer.send(bytes, piece);
        return tick();
    }
    events eof()
    {
        peer.finish();
        return tick();
    }
    /// Lets the loop work until nothing is left to do.
    events tick()
    {
        loop.settle();
        return std::exchange(chat->events, {});
    }

    bool open() const { return !chat->closed(); }
    asynchat::close_reason reason() const { return chat->close_reason(); }

    asynchat::testing::loop loop;
    std::pair<std::shared_ptr<recorder>, asynchat::testing::peer> ends =
        loop.template accept<recorder>();
    std::shared_ptr<recorder> chat = ends.first; ///< stays alive when it is closed
    asynchat::testing::peer& peer = ends.second;
};

} // namespace support

#endif
