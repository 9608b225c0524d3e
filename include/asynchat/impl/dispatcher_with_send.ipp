// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_DISPATCHER_WITH_SEND_IPP
#define ASYNCHAT_IMPL_DISPATCHER_WITH_SEND_IPP

#include <asynchat/dispatcher_with_send.hpp>

#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

ASYNCHAT_DECL dispatcher_with_send::dispatcher_with_send(loop& owner)
    : dispatcher_with_send(owner, socket())
{
}

ASYNCHAT_DECL dispatcher_with_send::dispatcher_with_send(loop& owner, socket from)
    : dispatcher(owner, std::move(from))
{
}

ASYNCHAT_DECL std::size_t dispatcher_with_send::send(const_buffers data)
{
    if (!gate_.accepts_output() || data.size() == 0)
        return 0;
    if (rare_ && rare_->output_is_full()) {
        marks_.refuse();
        flush_soon();
        return 0;
    }
    if (debug)
        log_info(log_type::info, "sending {}", data.str());
    for (const asio::const_buffer& buffer : data)
        queue_.push(owner().pool(),
                    std::string_view(static_cast<const char*>(buffer.data()), buffer.size()));
    flush_soon();
    return data.size();
}

ASYNCHAT_DECL void dispatcher_with_send::initiate_send()
{
    std::size_t sent = 0;
    while (connected() && !queue_.is_empty() && !is_lost()) {
        if (queue_.waiting_producer()) { // by switches_later_()
            queue_.take_producer()->more();
            queue_.drop_producer();
            continue;
        }
        std::string_view data;
        queue_.gather(1, 65536, [&](std::string_view head) { data = head; });
        const std::size_t taken = dispatcher::send(data);
        if (closed() || is_lost())
            return;
        queue_.consume(taken);
        sent += taken;
        if (taken < data.size()) {
            output_waits(sent);
            return note_left();
        }
    }
    if (ends_for_ == close_reason::open || !queue_.is_empty()) {
        gate_.set(detail::gate::blocked, false);
        output_flows();
        return note_left();
    }
    if (has_said_last_words())
        return finish(ends_for_);
    gate_.set(detail::gate::blocked); // by the last bytes of a layer
    output_waits(0);
}

ASYNCHAT_DECL bool dispatcher_with_send::writable()
{
    return !connected() || !queue_.is_empty() || gate_.has(detail::gate::blocked);
}

ASYNCHAT_DECL void dispatcher_with_send::handle_write()
{
    initiate_send();
}

ASYNCHAT_DECL void dispatcher_with_send::end_of_event_()
{
    if (!is_lost())
        initiate_send();
    if (marks_.refused() && !closed()) {
        log_of_peer(log_type::error,
                    "closing channel {}: {} bytes of output wait, the limit of max_output() is {}",
                    safe_repr(), queue_.size(), active_output_limits().max_bytes);
        finish(close_reason::output_limit);
    } else if (is_lost() && !may_receive()) {
        end_lost();
    }
}

/// Handles the output that an attempt to send has left.
ASYNCHAT_DECL void dispatcher_with_send::note_left()
{
    if (rare_ || queue_.size() > active_output_limits().max_bytes)
        rare().output_left = queue_.size();
    marks_.update(queue_.size(), active_output_limits());
}

/// No more output is sent; the input that has arrived can still be received.
ASYNCHAT_DECL void dispatcher_with_send::connection_lost_(asynchat::close_reason reason,
                                                          const std::error_code& error)
{
    if (!lose_connection(reason, error))
        return;
    rare_->lost.output = queue_.size();
    output_flows();
    queue_.clear();
    marks_ = {};
}

ASYNCHAT_DECL void dispatcher_with_send::forget_connection_()
{
    queue_.clear();
    marks_ = {};
    ends_for_ = close_reason::open;
    gate_.set(detail::gate::blocked, false);
}

/// Output from before a layer is added is sent without it.
ASYNCHAT_DECL bool dispatcher_with_send::switches_later_()
{
    if (queue_.is_empty())
        return false;
    flush_soon(); // first: without the layer there must be no mark
    queue_.push(owner().pool(), make_layer_switch());
    return true;
}

ASYNCHAT_DECL void dispatcher_with_send::write_buffer_limits(std::size_t high, std::size_t low)
{
    set_marks(high, low);
}

ASYNCHAT_DECL void dispatcher_with_send::max_output(std::size_t bytes)
{
    rare().output.max_bytes = bytes;
}

ASYNCHAT_DECL bool dispatcher_with_send::readable()
{
    return !was_accepted_ || !marks_.paused();
}

ASYNCHAT_DECL void dispatcher_with_send::handle_eof()
{
    ends_for_ = close_reason::peer_finished;
    flush_soon();
}

ASYNCHAT_DECL void dispatcher_with_send::handle_shutdown()
{
    ends_for_ = close_reason::local;
    flush_soon();
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
