// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ASYNC_CHAT_END_IPP
#define ASYNCHAT_IMPL_ASYNC_CHAT_END_IPP

#include <asynchat/async_chat.hpp>

#include <asynchat/impl/async_chat.ipp> // parse()

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

/// At the end of end_of_input_(): an exception that leaves a callback, such as exit_now, must not
/// lose the end, which nothing else reports.
class async_chat::end_of_input_guard {
public:
    explicit end_of_input_guard(async_chat& chat) noexcept
        : chat_(chat), connection_(chat.state_->connection())
    {
        chat.at_end_ = true;
    }
    ~end_of_input_guard()
    {
        if (is_renewed())
            return;
        chat_.at_end_ = false;
        if (std::uncaught_exceptions() == exceptions_ || chat_.eof_reported_)
            return;
        try {
            chat_.deliver_later();
        } catch (const std::bad_alloc&) { // then a timeout ends it
        }
    }
    end_of_input_guard(const end_of_input_guard&) = delete;
    end_of_input_guard& operator=(const end_of_input_guard&) = delete;

    /// Whether the channel has another connection by now.
    bool is_renewed() const { return chat_.state_->connection() != connection_; }

private:
    async_chat& chat_;
    const unsigned connection_;
    const int exceptions_ = std::uncaught_exceptions();
};

ASYNCHAT_DECL void async_chat::end_of_input_()
{
    if (at_end_)
        return; // a callback runs the loop: the call on the stack continues later
    input_ended_ = true;
    const end_of_input_guard guard(*this);
    // A callback that throws while the channel stays open must not prevent the report of the end.
    while (decoder_.has_unread() && delivers_input()) {
        const std::size_t size = decoder_.carried().size();
        guarded([&] { parse(max_receive()); });
        if (decoder_.carried().size() >= size)
            break;
    }
    if (!input_ended_ || !delivers_input() || guard.is_renewed() || !deliver_remainder())
        return; // for now, or permanently; a new layer may get the rest first
    if (closed() || eof_reported_ || guard.is_renewed())
        return;
    eof_reported_ = true;
    // After a failed send the system shows an end also for a reset connection. That must not be
    // taken for the end of the stream.
    if (is_lost())
        return end_lost();
    handle_eof();
    if (has_sent_eof())
        finish(close_reason::peer_finished);
}

/// Delivers bytes that wait for more input that does not come. Returns false when the channel has
/// ended.
ASYNCHAT_DECL bool async_chat::deliver_remainder()
{
    const bool kept = keeps_frames_() && frame_.size() > 0;
    const std::string_view last = decoder_.remainder();
    if (last.empty() && !kept)
        return true;
    std::string rest = kept ? frame_.take(frame_memory()) : std::string();
    const std::size_t size = rest.size() + decoder_.room_for_remainder();
    rest += last;
    decoder_.drop_remainder();
    const unsigned connection = state_->connection();
    try {
        if (size > 0)
            guarded([&] { collect_incoming_data(std::string_view(rest).substr(0, size)); });
    } catch (...) { // exit_now: it is delivered again
        if (state_->connection() == connection)
            kept ? frame_.put_back(frame_memory(), std::move(rest)) : decoder_.put_back(rest);
        throw;
    }
    bool goes_on = state_->connection() == connection;
    if (goes_on && rest.size() > size && !is_ending())
        guarded([&] { goes_on = ask_overflow(nullptr); });
    return goes_on;
}

/// Drops the output. The received input is still delivered; then end_of_event_() or end_of_input_()
/// ends the channel.
ASYNCHAT_DECL void async_chat::connection_lost_(asynchat::close_reason reason,
                                                const std::error_code& error)
{
    if (!lose_connection(reason, error))
        return;
    if (under_way() || at_end_)
        rare_->clocks.stop(detail::deadlines::clock::close); // end_when_heard() starts it
    rare_->lost.output = queue_.size();
    output_flows();
    queue_.clear();
    gate_.set(detail::gate::blocked, false);
    set_full(false);
}

/// Called at the end of each event of a lost connection: ends it, unless there is more to deliver.
ASYNCHAT_DECL void async_chat::end_when_heard()
{
    // A paused channel delivers no more input: an error ends it at once.
    if (eof_reported_ || gate_.has(detail::gate::closing | detail::gate::paused))
        return end_lost();
    if (under_way() || at_end_)
        return;
    if (is_held()) // what was received is delivered at its rate
        return rare_->clocks.stop(detail::deadlines::clock::close);
    if (!rare_->clocks.runs(detail::deadlines::clock::close))
        time_lost(); // the clock was stopped while input was delivered
    if (!gate_.has(detail::gate::turn_over) && !may_receive())
        end_of_input_();
}

ASYNCHAT_DECL void async_chat::forget_connection_()
{
    if (under_way())
        gate_.set(detail::gate::renewed);
    if (is_held()) {
        detail::channel_access::leave_rates(*this);
        gate_.set(detail::gate::turn_over, false);
    }
    decoder_.start_anew();
    frame_.clear();
    queue_.clear();
    marks_ = {};
    ends_when_sent_ = input_ended_ = eof_reported_ = at_end_ = false;
    using detail::gate;
    for (const auto why :
         {gate::closing, gate::full, gate::output_ended, gate::eof_sent, gate::blocked})
        gate_.set(why, false);
}

/// In a callback of the input, what is behind the frame is input as well.
ASYNCHAT_DECL bool async_chat::is_at_rest_() const noexcept
{
    const bool has_input = decoder_.in_frame() || !decoder_.carried().empty() ||
                           !frame_.is_empty() || (under_way() && !under_way()->empty());
    return !has_input && queue_.is_empty() && !sending_;
}

// --- layers ----------------------------------------------------------------------------------

/// Input that is received and not delivered was not sent through the new layer.
ASYNCHAT_DECL std::string async_chat::take_early_input_(early_input early)
{
    const bool in_frame = decoder_.in_frame() || (keeps_frames_() && !frame_.is_empty());
    std::string bytes = decoder_.undelivered();
    if (bytes.empty() && !in_frame)
        return bytes;
    if (early == early_input::close || (early == early_input::feed && in_frame)) {
        close_for_early_input();
        return {};
    }
    in_frame ? decoder_.start_anew() : decoder_.discard();
    if (keeps_frames_())
        frame_.clear();
    frame_has_ended();
    if (early == early_input::discard)
        bytes.clear();
    if (!bytes.empty())
        input_ended_ = false;
    return bytes;
}

ASYNCHAT_DECL void async_chat::close_for_early_input()
{
    log_of_peer(log_type::error, "closing channel {}: input came before the layer that is added",
                safe_repr());
    finish(close_reason::early_input);
}

/// Output that was pushed before a layer is sent without it.
ASYNCHAT_DECL bool async_chat::switches_later_()
{
    if (!queue_.is_empty() && !sending_ && !awaits_writable() && state_->live())
        try_to_send();
    if (queue_.is_empty())
        return false;
    flush_soon(); // first: without the layer there must be no mark
    queue_.push(pool(), make_layer_switch());
    queue_.watch(active_output_limits().high);
    return true;
}

ASYNCHAT_DECL void async_chat::handle_close()
{
    close();
}

ASYNCHAT_DECL void async_chat::handle_eof()
{
    ends_when_sent_ = true;
    flush_soon();
}

ASYNCHAT_DECL void async_chat::handle_shutdown()
{
    close_when_done();
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
