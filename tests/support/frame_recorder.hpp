// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_SUPPORT_FRAME_RECORDER_HPP
#define ASYNCHAT_TESTS_SUPPORT_FRAME_RECORDER_HPP

#include "support/recording_chat.hpp"
#include "support/scripted_transport.hpp"

#include <asynchat/asynchat.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace support {

/// Writes down its frames, and the bytes that belong to none.
class frame_recorder : public asynchat::frame_chat {
public:
    frame_recorder(asynchat::loop& owner, std::shared_ptr<wire> to)
        : frame_chat(owner, socket_over(to)), record(std::move(to))
    {
    }

    void found_frame(std::string_view frame) override
    {
        record->note("frame(" + quoted(frame) + ")");
        seen.emplace_back(frame);
        if (on_frame)
            on_frame(frame);
    }
    void collect_incoming_data(std::string_view data) override
    {
        record->note("collect(" + quoted(data) + ")");
        unframed += data;
        if (on_collect)
            on_collect();
    }
    void handle_eof() override
    {
        record->note("handle_eof");
        frame_chat::handle_eof();
    }
    void handle_error() override
    {
        record->note("handle_error");
        if (!survives)
            frame_chat::handle_error();
    }
    void handle_log(asynchat::log_type, std::string_view message) override { logs += message; }
    using frame_chat::take_frame;

    std::function<void(std::string_view)> on_frame;
    std::function<void()> on_collect;
    bool survives = false; ///< handle_error() does nothing
    frames seen;
    std::string unframed;
    std::string logs;
    std::shared_ptr<wire> record;
};

} // namespace support

#endif
