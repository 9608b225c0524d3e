// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ASYNC_CHAT_OUTPUT_IPP
#define ASYNCHAT_IMPL_ASYNC_CHAT_OUTPUT_IPP

#include <asynchat/async_chat.hpp>

#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/detail/output/output_pump.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/file_producer.hpp>
#include <asynchat/transport.hpp>

#include <asio/buffer.hpp>

#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

/// The buffers of one send. Only the used buffers are written: an array would set all of them to
/// zero for each message.
class buffer_list {
public:
    static constexpr std::size_t capacity = 64;

    void add(std::string_view data) noexcept
    {
        new (&space_[count_++ * sizeof(asio::const_buffer)])
            asio::const_buffer(data.data(), data.size());
    }
    const asio::const_buffer* first() const noexcept
    {
        return std::launder(reinterpret_cast<const asio::const_buffer*>(space_));
    }
    std::size_t count() const noexcept { return count_; }

private:
    std::size_t count_ = 0;
    alignas(asio::const_buffer) unsigned char space_[capacity * sizeof(asio::const_buffer)];
};

} // namespace detail

/// Whether more output may be queued; then it is sent soon. Called before queueing, because nothing
/// may be queued if it throws.
inline bool async_chat::may_queue(std::size_t bytes)
{
    if (!accepts_output())
        return false;
    flush_soon();
    if (!rare_ || !rare_->output_is_full() || bytes == 0)
        return true;
    marks_.refuse();
    return false;
}

/// In an event of this channel the check is at its end; elsewhere that may be much later.
inline void async_chat::queued()
{
    if (owner().current_ == this && connected())
        return; // it is sent, or waits for the socket, before anything else can be pushed
    const std::size_t high = active_output_limits().high;
    queue_.watch(high);
    if (queue_.size() > high)
        pushed_much();
}

/// Queues the first output of an event, and output for which the socket is not ready.
ASYNCHAT_DECL bool async_chat::queue_first(std::string_view data)
{
    if (!may_queue(data.size()))
        return false;
    queue_.push(pool(), data);
    queued();
    return true;
}

/// A push outside an event has passed the high mark: sends now, and compares the rest with the
/// marks.
ASYNCHAT_DECL void async_chat::pushed_much()
{
    dispatcher* const talker = owner().current_;
    if (sending_ || is_lost())
        return;
    if (!awaits_writable() && state_->live()) // not in a constructor: send() may be overridden
        try_to_send();
    if (is_lost())
        return;
    const bool was_paused = marks_.paused();
    compare_with_marks();
    if (talker && marks_.paused() && !was_paused)
        talker->fed_too_much_();
}

/// Sends outside an event, or in the middle of an event.
ASYNCHAT_DECL void async_chat::try_to_send()
{
    std::size_t sent = 0;
    try {
        sent = send_some(sending::quietly);
    } catch (...) { // from an override of send(): the next attempt reports it
    }
    if (!is_lost())
        awaits_writable() ? output_waits(sent) : output_flows();
}

ASYNCHAT_DECL bool async_chat::push(std::string&& data)
{
    constexpr unsigned reasons = detail::gate::of_output | detail::gate::blocked;
    if (!gate_.has(reasons) && queue_.append(std::move(data)))
        return true;
    if (!may_queue(data.size()))
        return false;
    queue_.push(pool(), std::move(data));
    queued();
    return true;
}

ASYNCHAT_DECL bool async_chat::push(std::shared_ptr<const std::string> data)
{
    if (!data)
        throw std::invalid_argument("asynchat: push() of a null pointer");
    if (!may_queue(data->size()))
        return false;
    queue_.push(pool(), std::move(data));
    queued();
    return true;
}

ASYNCHAT_DECL bool async_chat::push_with_producer(std::unique_ptr<producer> source)
{
    if (!source)
        throw std::invalid_argument("asynchat: push_with_producer() of a null pointer");
    if (!accepts_output())
        return false;
    flush_soon();
    queue_.push(pool(), std::move(source));
    queue_.watch(active_output_limits().high);
    return true;
}

ASYNCHAT_DECL void async_chat::close_when_done()
{
    gate_.set(detail::gate::closing);
    if (!under_way())
        decoder_.drop_remainder();
    flush_soon();
}

ASYNCHAT_DECL void async_chat::close_when_done(loop::duration timeout)
{
    close_when_done();
    if (!closed())
        close_at(detail::later(owner().now(), timeout));
}

ASYNCHAT_DECL void async_chat::push_eof()
{
    gate_.set(detail::gate::output_ended);
    flush_soon();
}

/// Output that a layer has begun to send and must finish.
ASYNCHAT_DECL std::string async_chat::take_held_output()
{
    const std::size_t size = transport_ ? transport_->held_output() : 0;
    std::string held;
    if (size > 0)
        queue_.gather(detail::buffer_list::capacity, size,
                      [&](std::string_view data) { held += data; });
    return held;
}

ASYNCHAT_DECL void async_chat::discard_buffers()
{
    decoder_.discard();
    frame_.clear();
    std::string held = take_held_output();
    queue_.clear();
    gate_.set(detail::gate::blocked, false);
    gate_.set(detail::gate::closing, false);
    gate_.set(detail::gate::output_ended, has_sent_eof());
    if (held.empty()) {
        if (layers_wait_for_output())
            put_on_layers();
    } else {
        queue_.push(pool(), std::move(held));
        if (has_waiting_layers())
            queue_.push(pool(), make_layer_switch());
    }
    if (rare_ && !is_lost())
        rare_->clocks.stop(detail::deadlines::clock::close);
    marks_.accept();
    if (rare_) {
        rare_->output_left = 0;
        rare_->lost.output = 0; // it is dropped
    }
    flush_soon();
}

ASYNCHAT_DECL bool async_chat::writable()
{
    // Blocked without output: by the last bytes of a layer.
    return (!queue_.is_empty() || gate_.has(detail::gate::closing | detail::gate::blocked) ||
            !connected()) &&
           !sending_;
}

ASYNCHAT_DECL void async_chat::handle_write()
{
    initiate_send();
}

ASYNCHAT_DECL void async_chat::end_of_event_()
{
    if (!awaits_writable())
        initiate_send();
    if (is_lost())
        return end_when_heard();
    if (!queue_.is_empty() || !marks_.is_quiet())
        check_output_limit();
}

/// Called at the end of each event in which not all output could be sent.
ASYNCHAT_DECL void async_chat::check_output_limit()
{
    if (closed() || sending_)
        return;
    if (marks_.refused()) {
        log_of_peer(log_type::error,
                    "closing channel {}: {} bytes of output wait, the limit of max_output() is {}",
                    safe_repr(), queue_.size(), active_output_limits().max_bytes);
        note_text(fmt::format("{} bytes wait, more than max_output() is: {}", queue_.size(),
                              active_output_limits().max_bytes));
        return finish(close_reason::output_limit);
    }
    if (rare_ || queue_.size() > active_output_limits().max_bytes)
        rare().output_left = queue_.size();
    compare_with_marks();
    tell_marks();
}

ASYNCHAT_DECL void async_chat::compare_with_marks()
{
    const bool changed = marks_.update(queue_.size(), active_output_limits());
    if (marks_.paused() && queue_.size() > stop_over()) {
        set_full(true);
    } else if (changed && !marks_.paused()) {
        if (rare_)
            rare_->stop_over = 0;
        set_full(false);
        stop_or_go_on_timing_frame();
    }
}

/// Bytes of output over which reading stops, once the high mark is passed.
ASYNCHAT_DECL std::size_t async_chat::stop_over() const noexcept
{
    if (when_full() != full_output::by_role)
        return when_full() == full_output::stops_reading ? 0 : unlimited;
    if (rare_ && rare_->stop_over > 0)
        return rare_->stop_over;
    return was_accepted_ ? 0 : active_output_limits().max_bytes / 2;
}

/// The peer takes nothing. It may also have stopped reading because of its output, and wait for
/// this side. Its input is then answers, which add little to our output. A peer that sends requests
/// and does not read the answers is stopped again by our answers, permanently.
ASYNCHAT_DECL void async_chat::nothing_was_taken()
{
    if (!connected())
        return start_clock(detail::deadlines::clock::full); // there is no peer yet
    const detail::output_limits& limits = active_output_limits();
    rare_->stop_over = was_accepted_ ? queue_.size() + limits.low : unlimited;
    set_full(false);
}

ASYNCHAT_DECL void async_chat::tell_marks()
{
    switch (marks_.take_news()) {
    case detail::water_marks::news::none: break;
    case detail::water_marks::news::paused: handle_write_paused(); break;
    case detail::water_marks::news::resumed: handle_write_resumed(); break;
    }
}

/// Stops delivering input because of the output, or continues in a later turn.
ASYNCHAT_DECL void async_chat::set_full(bool on)
{
    if (on == gate_.has(detail::gate::full))
        return;
    if (!on)
        deliver_later(); // or throws, for want of memory
    time_full(on);
    gate_.set(detail::gate::full, on);
    stop_or_go_on_timing_frame();
}

/// Starts or stops the clock that limits how long the output may stop reading.
ASYNCHAT_DECL void async_chat::time_full(bool is_full)
{
    using clock = detail::deadlines::clock;
    if (is_full && when_full() == full_output::by_role && rare().stop_over == 0)
        start_clock(clock::full);
    else if (rare_)
        rare_->clocks.stop(clock::full);
}

ASYNCHAT_DECL void async_chat::write_buffer_limits(std::size_t high, std::size_t low)
{
    set_marks(high, low);
    queue_.watch(high);
}

ASYNCHAT_DECL void async_chat::max_output(std::size_t bytes)
{
    rare().output.max_bytes = bytes;
    check_full();
    flush_soon();
}

ASYNCHAT_DECL void async_chat::when_full(full_output what)
{
    rare().when_full = what;
    check_full();
    time_full(gate_.has(detail::gate::full));
    stop_or_go_on_timing_frame();
}

/// Checks the output again after a change of the limits.
ASYNCHAT_DECL void async_chat::check_full()
{
    set_full(marks_.paused() && queue_.size() > stop_over() && !is_lost());
}

ASYNCHAT_DECL void async_chat::initiate_send()
{
    if (sending_ || is_lost())
        return; // called by a producer or a layer: the attempt on the stack continues
    send_queued(sending::everything);
    if (rare_)
        rare_->output_left = queue_.size();
    using detail::gate;
    if (queue_.is_empty() &&
        (ends_when_sent_ || gate_.has(gate::closing | gate::output_ended | gate::lost)))
        all_is_sent();
}

/// All output is sent: ends the channel or its outgoing stream, if that was requested.
ASYNCHAT_DECL void async_chat::all_is_sent()
{
    if (is_lost())
        return;
    if (is_closing()) {
        if (!has_said_last_words())
            return wait_for_last_words();
        lingers_ = connected();
        finish(close_reason::local);
    } else if (ends_when_sent_) {
        if (!has_said_last_words())
            return wait_for_last_words();
        finish(close_reason::peer_finished);
    } else if (gate_.has(detail::gate::output_ended) && !has_sent_eof() && connected()) {
        gate_.set(detail::gate::eof_sent);
        if (!end_output()) {
            gate_.set(detail::gate::eof_sent, false);
            return wait_for_last_words();
        }
        if (eof_reported_ && !is_lost())
            finish(close_reason::peer_finished);
    }
}

/// The last bytes of a layer wait for the connection like output.
ASYNCHAT_DECL void async_chat::wait_for_last_words()
{
    gate_.set(detail::gate::blocked);
    output_waits(0);
}

ASYNCHAT_DECL void async_chat::send_queued(sending what)
{
    if (sending_)
        return;
    const bool had_to_wait = awaits_writable() && !queue_.is_empty();
    const std::size_t sent = send_some(what);
    // A handle_close() may send, but gets no report of it.
    if (gate_.has(detail::gate::closed | detail::gate::ended | detail::gate::lost))
        return;
    if (awaits_writable())
        output_waits(sent);
    else if (rare_)
        output_flows();
    if (!queue_.is_empty() || !marks_.is_quiet()) {
        compare_with_marks();
        tell_marks();
    }
    if (had_to_wait && queue_.is_empty() && !closed())
        handle_drained();
}

/// Sends until the queue is empty, the socket takes no more, or the limit of a turn is reached.
/// Returns the number of bytes.
ASYNCHAT_DECL std::size_t async_chat::send_some(sending what)
{
    bool tried = true; // all output that may be sent now
    const detail::scope_exit on_exit([this, &tried] {
        // It does not wait for the socket yet if a producer has run the loop. First: g++ 12
        // loses a store that only a call in a condition follows while an exception passes.
        if (!queue_.is_empty())
            try_flush_soon();
        // The rest is sent when the socket is writable, and not at a later push.
        gate_.set(detail::gate::blocked, tried && connected() && !queue_.is_empty());
        sending_ = false;
    });
    sending_ = true;

    using action = detail::output_pump::action;
    detail::output_pump pump(queue_, ac_out_buffer_size, what == sending::everything);
    while (connected()) {
        const auto step = pump.next();
        switch (step.what) {
        case action::data: send_data(pump, step.piece, what); break;
        case action::file: send_file(pump); break;
        case action::producer: ask_producer(pump); break;
        case action::stop_before_producer:
            tried = false; // the end of the event calls the producer
            return pump.sent();
        case action::stop: return pump.sent();
        }
    }
    return pump.sent();
}

/// One send: of `piece`, or if it is empty, of the pieces of the pump.
inline void async_chat::send_data(detail::output_pump& pump, std::string_view piece, sending what)
{
    std::size_t taken = 0;
    try {
        if (!piece.empty()) {
            taken = send(piece);
        } else {
            detail::buffer_list buffers;
            pump.gather(buffers.capacity, [&](std::string_view data) { buffers.add(data); });
            taken = send(const_buffers(buffers.first(), buffers.count()));
        }
    } catch (const std::system_error&) {
        if (what != sending::quietly) // otherwise the next attempt reports it
            handle_exception();
        return pump.stop();
    }
    closed() ? pump.stop() : pump.sent(taken);
}

/// Lets the system send the file at the head, if no override must see the bytes.
ASYNCHAT_DECL void async_chat::send_file(detail::output_pump& pump)
{
    if (!sends_plainly_ || !transport_)
        return pump.sent_of_file(std::nullopt, false);
    file_producer& file = pump.file();
    const auto sent = file.send_to(*transport_, pump.max_of_file());
    if (sent.value_or(0) > 0)
        note_activity(false);
    count_sent(sent.value_or(0));
    pump.sent_of_file(sent, file.has_ended());
}

/// Gets the next piece of the producer at the head.
ASYNCHAT_DECL void async_chat::ask_producer(detail::output_pump& pump)
{
    auto source = pump.take_producer();
    std::string_view piece;
    try {
        file_producer* const file = source->as_file_();
        piece = file ? file->read(ac_out_buffer_size) : source->more();
    } catch (...) {
        pump.put_back(std::move(source)); // called again if the channel stays open
        throw;
    }
    if (closed())
        return pump.stop();
    pump.answered(std::move(source), piece);
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
