// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_DETAIL_STREAMS_STREAM_CHANNEL_HPP
#define ASYNCHAT_DETAIL_STREAMS_STREAM_CHANNEL_HPP

#include <asynchat/async_chat.hpp>
#include <asynchat/detail/channel_access.hpp>
#include <asynchat/detail/failure.hpp>
#include <asynchat/detail/framing/stream_buffer.hpp>
#include <asynchat/detail/unique_function.hpp>
#include <asynchat/error.hpp>
#include <asynchat/loop.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/awaitable.hpp>
#include <asio/error.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace asynchat::detail {

class stream_channel;

/// What reader, writer and channel of a stream share; it outlives the channel, so that received
/// bytes can be read after its end. Coroutines wait here.
///
/// A coroutine that was waiting looks again at what it waits for: waking it up says nothing.
class stream_state : public std::enable_shared_from_this<stream_state> {
public:
    explicit stream_state(std::size_t limit) noexcept : input(limit) {}

    stream_buffer input;
    stream_channel* channel = nullptr; // null after its end
    asynchat::close_reason reason = asynchat::close_reason::open;
    std::error_code error;
    std::string text;            // of the end
    std::size_t lost_output = 0; // bytes
    bool is_connected = false;
    bool is_closing = false; // by the writer

    /// Suspends the coroutine until there is input or the end of the stream. One coroutine at a
    /// time may wait for input.
    asio::awaitable<void> wait_for_input() { return wait(true); }

    /// Suspends the coroutine until the channel is connected, has less output, or has ended.
    asio::awaitable<void> wait_for_change() { return wait(false); }

    bool has_reader() const noexcept { return static_cast<bool>(reader_.resume); }
    void wake_reader()
    {
        if (has_reader())
            std::exchange(reader_, {}).resume({}); // it may wait again at once
    }
    void wake_others()
    {
        for (waiter& each : std::exchange(others_, {}))
            each.resume({});
    }

    /// Wakes all in a later turn, because the channel is ending.
    inline void wake_all_later();

private:
    struct waiter {
        std::size_t id = 0;
        unique_function<void(std::error_code)> resume;
    };

    asio::awaitable<void> wait(bool for_input)
    {
        const auto begin = [](auto handler, std::shared_ptr<stream_state> self, bool reads) {
            self->add(reads, std::move(handler));
        };
        return asio::async_initiate<const asio::use_awaitable_t<>&, void(std::error_code)>(
            begin, asio::use_awaitable, shared_from_this(), for_input);
    }
    template <class Handler>
    void add(bool reads, Handler handler)
    {
        const std::size_t id = ++last_id_;
        if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
            slot.assign([id, weak = weak_from_this()](asio::cancellation_type) {
                if (const auto self = weak.lock())
                    self->cancel(id);
            });
        }
        assert(!reads || !has_reader());
        if (reads)
            reader_ = {id, std::move(handler)};
        else
            others_.push_back({id, std::move(handler)});
    }
    inline void cancel(std::size_t id);
    inline void resume_later(waiter who, std::error_code result);

    waiter reader_;
    std::vector<waiter> others_;
    std::size_t last_id_ = 0;
};

/// The channel of a stream: collects everything, and wakes the coroutines that wait.
class stream_channel : public async_chat {
public:
    explicit stream_channel(loop& owner, std::size_t limit) : stream_channel(owner, socket(), limit)
    {
    }
    stream_channel(loop& owner, socket from, std::size_t limit)
        : async_chat(owner, std::move(from)), state_(std::make_shared<stream_state>(limit))
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
        owner.write_log(log_type::error,
                        "uncaptured exception after the end of a stream (" + failure::text() + ")");
    }
    /// Tells whether the loop still lives.
    std::weak_ptr<loop_anchor> anchor() const noexcept { return owner().anchor_; }

    /// Who connects gets the error, and decides whether it is told.
    void handle_error() override
    {
        is_quiet_ = !state_->is_connected;
        async_chat::handle_error();
        is_quiet_ = false;
    }
    void handle_log(log_type type, std::string_view line) override
    {
        if (!is_quiet_)
            async_chat::handle_log(type, line);
    }

    void handle_connect() override
    {
        state_->is_connected = true;
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

inline void stream_state::wake_all_later()
{
    assert(channel);
    if (has_reader())
        others_.push_back(std::exchange(reader_, {}));
    for (waiter& each : std::exchange(others_, {}))
        resume_later(std::move(each), {});
}

/// The coroutine goes on in a later turn: whoever cancels it may be in the middle of something.
inline void stream_state::cancel(std::size_t id)
{
    waiter gone;
    const auto found = std::find_if(others_.begin(), others_.end(),
                                    [id](const waiter& each) { return each.id == id; });
    if (reader_.id == id) {
        gone = std::exchange(reader_, {});
    } else if (found != others_.end()) {
        gone = std::move(*found);
        others_.erase(found);
    } else {
        return;
    }
    resume_later(std::move(gone), asio::error::operation_aborted);
}

/// This may be the last channel: the loop runs on until the coroutine has seen that.
inline void stream_state::resume_later(waiter who, std::error_code result)
{
    assert(channel);
    loop& owner = channel->owner();
    owner.post([who = std::move(who), result, guard = owner.keep_running()]() mutable {
        who.resume(result);
    });
}

} // namespace asynchat::detail

#endif
