// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_STREAMS_STREAM_CHANNEL_HPP
#define ASYNCHAT_DETAIL_STREAMS_STREAM_CHANNEL_HPP

#include <asynchat/async_chat.hpp>
#include <asynchat/detail/framing/stream_buffer.hpp>
#include <asynchat/detail/streams/waiting_room.hpp>
#include <asynchat/error.hpp>
#include <asynchat/loop.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {
namespace detail {

class stream_channel;

/// What reader, writer and channel of a stream share; it outlives the channel, so that received
/// bytes can be read after its end. Their coroutines wait in it.
class stream_state final : public waiting_room {
public:
    stream_state(loop& owner, std::size_t limit) noexcept : waiting_room(owner), input(limit) {}

    stream_buffer input;
    stream_channel* channel = nullptr; // null after its end
    asynchat::close_reason reason = asynchat::close_reason::open;
    std::error_code error;
    std::string text;            // of the end
    std::size_t lost_output = 0; // bytes
    bool is_open = false;        // handle_open() was called
    bool is_securing = false;    // start_tls() has begun a handshake
    bool is_closing = false;     // by the writer
};

/// The channel of a stream: collects everything, and wakes the coroutines that wait.
class stream_channel : public async_chat {
public:
    explicit stream_channel(loop& owner, std::size_t limit) : stream_channel(owner, socket(), limit)
    {
    }
    stream_channel(loop& owner, socket from, std::size_t limit)
        : async_chat(owner, std::move(from)), state_(std::make_shared<stream_state>(owner, limit))
    {
        state_->channel = this;
        set_terminator(std::nullopt);
    }
    ~stream_channel() override { state_->channel = nullptr; }

    const std::shared_ptr<stream_state>& state() const noexcept { return state_; }

    using dispatcher::owner;

    void collect_incoming_data(std::string_view data) override
    {
        const auto state = state_; // the coroutine may close the channel
        if (state->input.is_at_rest() && state->input.capacity() < data.size())
            state->input.use(owner().strings().take_string(data.size()));
        state->input.append(data);
        state->wake_reader();
        if (!state->has_reader())
            pause_if_full();
        else if (state->input.is_at_rest())
            free_memory();
    }
    void found_terminator() override {}

    /// A read has taken bytes, or wants more than there are.
    void input_was_read(bool wants_more)
    {
        if (is_full_ && (wants_more || state_->input.size() <= state_->input.limit())) {
            is_full_ = false;
            resume_reading();
        }
    }

    /// Before TLS begins in the middle: what was received and is unread did not come through it.
    bool begin_securing()
    {
        if (closed())
            return false;
        if (state_->input.size() > 0) {
            log_info(log_type::error, "closing a stream: {} bytes were unread when TLS began",
                     state_->input.size());
            channel_access::finish(*this, asynchat::close_reason::early_input);
            return false;
        }
        return state_->is_securing = true;
    }

    /// Output that is written in one event is sent at its end: drain() does not wait for that.
    void send_if_over_high_mark()
    {
        if (pending_output() > write_buffer_limits().first)
            initiate_send();
    }

    /// In a catch: the coroutine of the channel has ended with this exception.
    void callback_failed()
    {
        channel_access::guarded(*this, [] { throw; });
    }
    /// The same when the channel has ended before.
    static void log_failure(loop& owner)
    {
        owner.write_log(log_type::error, "uncaptured exception after the end of a stream (" +
                                             exception_text() + ")");
    }
    /// Tells whether the loop still lives.
    std::weak_ptr<loop_anchor> anchor() const noexcept { return owner().anchor_; }

    /// Who connects gets the error, and decides whether it is told.
    void handle_error() override
    {
        is_quiet_ = !state_->is_open;
        async_chat::handle_error();
        is_quiet_ = false;
    }
    void handle_log(log_type type, std::string_view line) override
    {
        if (!is_quiet_)
            async_chat::handle_log(type, line);
    }

    void handle_open() override
    {
        state_->is_open = true;
        state_->wake_others();
    }
    void handle_handshake() override
    {
        if (std::exchange(state_->is_securing, false))
            state_->wake_others();
    }
    void handle_eof() override
    {
        state_->input.end();
        state_->wake_reader();
    }
    void handle_write_resumed() override { state_->wake_others(); }
    void handle_end() override
    {
        state_->reason = close_reason();
        state_->error = close_error();
        state_->text = close_text();
        state_->lost_output = pending_output();
        state_->wake_all_later();
        state_->channel = nullptr;
    }

private:
    void pause_if_full()
    {
        const std::size_t limit = state_->input.limit();
        const std::size_t size = state_->input.size();
        if (is_full_ || closed() || size <= limit || size - limit <= limit)
            return;
        is_full_ = true;
        pause_reading();
    }
    void free_memory()
    {
        auto memory = state_->input.release();
        owner().strings().give_back(memory);
    }

    std::shared_ptr<stream_state> state_;
    bool is_full_ = false; // and therefore reads nothing
    bool is_quiet_ = false;
};

} // namespace detail
} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
