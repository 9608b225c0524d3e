// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ASYNC_CHAT_IPP
#define ASYNCHAT_IMPL_ASYNC_CHAT_IPP

#include <asynchat/async_chat.hpp>

#include <asynchat/detail/output/output_pump.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/file_producer.hpp>
#include <asynchat/transport.hpp>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>

namespace asynchat {

namespace detail {

inline constexpr std::size_t max_receive = std::size_t{1} << 30; // memory is reserved for it

/// The buffers of one send. Only those in use are touched: an array would set all of them to zero
/// for each message.
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

ASYNCHAT_DECL async_chat::async_chat(loop& owner) : async_chat(owner, socket()) {}

ASYNCHAT_DECL async_chat::async_chat(loop& owner, socket from)
    : dispatcher(owner, std::move(from)), queue_(owner.pool()), has_own_max_frame_(false),
      sending_(false), output_ended_(false), ends_when_sent_(false), input_ended_(false),
      at_end_(false), eof_reported_(false)
{
}

ASYNCHAT_DECL async_chat::~async_chat() = default;

// --- terminators -----------------------------------------------------------------------------

ASYNCHAT_DECL void async_chat::refuse_count(std::size_t count, std::size_t max_frame)
{
    throw std::length_error(fmt::format(
        "asynchat: a frame of {} bytes is longer than max_frame, {}", count, max_frame));
}

// For each message of many protocols: a call would be a tenth of it.
[[gnu::always_inline]] inline void async_chat::change_terminator(const terminator& next,
                                                                 std::size_t max_frame)
{
    if (next.count() > max_frame && next.is_count() && keeps_frames_())
        refuse_count(next.count(), max_frame);
    const bool was_dropping = decoder_.is_dropping();
    decoder_.set(next, max_frame);
    if (was_dropping || !frame_.is_empty())
        kept_frame_goes_on(was_dropping);
    if (rare_ && !decoder_.in_frame())
        frame_has_ended(); // the next one begins with its first byte
}

/// With another terminator; or it belongs to no frame any more.
ASYNCHAT_DECL void async_chat::kept_frame_goes_on(bool was_dropping)
{
    if (was_dropping && !decoder_.is_dropping())
        frame_.give_back(frame_memory());
    if (frame_.is_empty() || !keeps_frames_())
        return;
    decoder_.go_on_with(frame_.size());
    frame_.set_aside(decoder_.current().is_length_prefix());
}

ASYNCHAT_DECL void async_chat::set_terminator(const terminator& next)
{
    change_terminator(next, max_frame_);
    has_own_max_frame_ = false;
}

ASYNCHAT_DECL void async_chat::set_terminator(const terminator& next, std::size_t max_frame)
{
    change_terminator(next, max_frame);
    has_own_max_frame_ = true;
}

/// Asks get_terminator(), if it may be overridden.
ASYNCHAT_DECL void async_chat::follow_override()
{
    if (!gate_.has(detail::gate::steered))
        return;
    const terminator& wanted = get_terminator();
    if (&wanted != &decoder_.current() && wanted != decoder_.current())
        change_terminator(terminator(wanted), max_frame());
}

// --- input -----------------------------------------------------------------------------------

ASYNCHAT_DECL bool async_chat::readable()
{
    return (delivers_input() || is_closing()) && !closed() && !under_way();
}

ASYNCHAT_DECL void async_chat::handle_read()
{
    if (under_way())
        return; // a callback runs the loop: what comes now is behind what it has still to get
    if (is_closing())
        return drop_input();
    loop::receive_lease lease(owner());
    // The bytes carried over from before go in front of the new ones, so that they are one piece.
    // There can be many only if callbacks throw and survive; then they come first.
    const std::size_t front = decoder_.carried().size();
    const std::size_t limit = max_receive();
    char* const memory = lease.reserve(front + limit);
    std::size_t received = 0;
    if (!decoder_.has_unread() || front <= std::max<std::size_t>(limit, 65536)) {
        received = receive(asio::mutable_buffer(memory + front, limit));
        if (received == 0 || closed())
            return;
    }
    const std::string_view before = decoder_.carried();
    char* const start = memory + front - before.size();
    if (!before.empty())
        std::memcpy(start, before.data(), before.size());
    parse(std::string_view(start, before.size() + received));
}

ASYNCHAT_DECL std::size_t async_chat::max_receive() const noexcept
{
    return std::clamp<std::size_t>(ac_in_buffer_size, 1, detail::max_receive);
}

/// Receives for nobody: the other side may not read our last output before it has sent its own.
ASYNCHAT_DECL void async_chat::drop_input()
{
    loop::receive_lease lease(owner());
    receive(asio::mutable_buffer(lease.reserve(65536), 65536));
}

/// recv() whose errors go to handle_error(). Returns 0 when there is nothing to parse.
ASYNCHAT_DECL std::size_t async_chat::receive(asio::mutable_buffer into)
{
    try {
        return recv(into);
    } catch (const std::system_error& error) {
        const int number = detail::errno_of(error.code());
        if (!is_would_block(error.code()) && number != EALREADY && number != EINPROGRESS)
            handle_exception();
        return 0;
    }
}

/// Delivers `input`, or what is unread.
template <class... Input>
void async_chat::parse(Input... input)
{
    const auto deliver_all = [&] {
        delivery now(*this, input...);
        deliver_(now);
        time_frame_of(now);
    };
    // Without memory for input that was received already, nothing can follow it.
    const auto end_if_lost = [this] {
        if (decoder_.out_of_memory())
            finish(close_reason::system_error, asio::error::no_memory);
    };
    try {
        deliver_all();
    } catch (...) {
        end_if_lost();
        throw;
    }
    end_if_lost();
}

inline void async_chat::time_frame_of(const delivery& input)
{
    using began = detail::frame_decoder::pass::began;
    if (is_ending())
        return frame_has_ended();
    switch (input.frame_began()) {
    case began::nothing: return frame_has_ended();
    case began::before: return frame_goes_on();
    case began::here: return time_frame();
    }
}

ASYNCHAT_DECL void async_chat::deliver_(delivery& input)
{
    while (may_deliver(input)) {
        const auto step = input.next();
        if (step.is_rare()) {
            if (step.is_starved() || !obey(input, step))
                break;
            continue;
        }
        if (step.size() > 0)
            collect_incoming_data(input.piece(step)); // if it throws, this is delivered again
        const bool ended = input.take(step);
        if (is_ending())
            break;
        if (ended)
            found_terminator();
        send_if_much();
    }
}

/// There is a reason to stop, or get_terminator() may be overridden: it is asked before each piece.
ASYNCHAT_DECL bool async_chat::may_deliver_steered(delivery& input)
{
    constexpr unsigned reasons = detail::gate::of_input | detail::gate::renewed;
    if (gate_.has(reasons))
        return false;
    if (!input.empty())
        follow_override();
    return !gate_.has(reasons); // the override may do anything
}

/// What is not simply a piece. Returns false when the rest has to wait for more, or nobody wants
/// it.
ASYNCHAT_DECL bool async_chat::obey(delivery& input, detail::frame_decoder::step step)
{
    using rare = detail::frame_decoder::step::rare;
    switch (step.why()) {
    case rare::starved: return false;
    case rare::too_long: return ask_overflow(&input);
    case rare::malformed: close_for_malformed_frame(input); return false;
    }
    return false;
}

/// Sends in the middle of the input when its answers have become much.
inline void async_chat::send_if_much()
{
    if (queue_.size() > ac_out_buffer_size)
        send_much();
}

ASYNCHAT_DECL void async_chat::send_much()
{
    if (!awaits_writable())
        return send_queued(sending::data_only);
    if (sending_ || closed())
        return;
    compare_with_marks();
    tell_marks();
}

ASYNCHAT_DECL void async_chat::frame_goes_on()
{
    if (!rare_ || !rare_->clocks.runs(detail::deadlines::clock::frame))
        time_frame();
}

ASYNCHAT_DECL void async_chat::time_frame()
{
    if (active_timeouts().frame == loop::duration::zero())
        return;
    start_clock(detail::deadlines::clock::frame);
    stop_or_go_on_timing_frame();
}

/// The clock of a frame stands still while the channel does not take what the other side may have
/// sent, and goes on from there.
ASYNCHAT_DECL void async_chat::stop_or_go_on_timing_frame()
{
    if (!rare_ || !rare_->clocks.runs(detail::deadlines::clock::frame))
        return;
    const bool stands_still = gate_.has(detail::gate::paused | detail::gate::full) ||
                              (under_way() && under_way()->nested > 0);
    if (stands_still == rare_->clocks.stands_still())
        return;
    if (stands_still)
        return rare_->clocks.stand_still(owner().now());
    rare_->clocks.go_on(owner().now());
    look_at_clocks_by(rare_->clocks.due(detail::deadlines::clock::frame));
}

ASYNCHAT_DECL void async_chat::nested_run_(bool begins)
{
    if (!under_way())
        return;
    begins ? ++under_way()->nested : --under_way()->nested;
    stop_or_go_on_timing_frame();
}

ASYNCHAT_DECL void async_chat::frame_timeout(loop::duration timeout)
{
    set_timeout(&detail::timeouts::frame, timeout);
}

ASYNCHAT_DECL void async_chat::deadline_reached_()
{
    if (!rare_)
        return;
    using clock = detail::deadlines::clock;
    if (sending_)
        rare_->clocks.stop(clock::write); // a producer runs the loop: it is measured anew
    if (is_lost() && (under_way() || at_end_))
        rare_->clocks.stop(clock::close); // or a callback of the input: so is this one
    const bool in_frame = !is_ending() && !input_ended_;
    if (in_frame && (rare_->clocks.due(clock::frame) > owner().now() || was_met(clock::frame))) {
        look_at_clocks_by(rare_->clocks.due(clock::frame));
    } else if (in_frame) {
        time_frame(); // for an exception that the channel survives
        log_timeout("a frame was not complete", "frame_timeout()", active_timeouts().frame);
        const unsigned connection = state_->connection();
        handle_frame_timeout();
        if (state_->connection() != connection)
            return; // closed, or another connection by now
        if (!is_closing())
            return finish(close_reason::frame_timeout);
    }
    dispatcher::deadline_reached_();
}

// --- frames that are too long, or malformed ----------------------------------------------------

/// Asks what becomes of the frame; at the end of the stream there is no more input. Returns false
/// when nothing does, because the channel ends.
ASYNCHAT_DECL bool async_chat::ask_overflow(delivery* input)
{
    const overflow answer = handle_overflow();
    if (is_ending())
        return false;
    if (answer == overflow::close) {
        close_for_frame_limit();
        return false;
    }
    if (input)
        input->drop_frame(answer == overflow::truncate);
    if (answer == overflow::skip)
        frame_.give_back(frame_memory());
    return true;
}

ASYNCHAT_DECL void async_chat::close_for_frame_limit()
{
    const char* const setter = has_own_max_frame_ ? "set_terminator()" : "max_frame()";
    log_of_peer(log_type::error,
                "closing channel {}: a frame is longer than {} bytes, the limit of {}", safe_repr(),
                max_frame(), setter);
    finish(close_reason::frame_limit);
}

ASYNCHAT_DECL void async_chat::close_for_malformed_frame(delivery& input)
{
    const auto wrong = input.fault();
    const std::string byte = escaped(input.rest().substr(wrong.position, 1));
    const std::string text = wrong.fault ? fmt::format("byte {} of its length, '{}', {}",
                                                       wrong.position + 1, byte, wrong.fault)
                                         : fmt::format("behind it is '{}', not a comma", byte);
    log_of_peer(log_type::error, "closing channel {}: a frame is malformed: {}", safe_repr(), text);
    finish(close_reason::bad_frame);
}

// --- flow --------------------------------------------------------------------------------------

ASYNCHAT_DECL void async_chat::pause_reading()
{
    gate_.set(detail::gate::paused);
    stop_or_go_on_timing_frame();
    if (!under_way())
        flush_soon(); // then errors are to be noticed in another way
}

ASYNCHAT_DECL void async_chat::resume_reading()
{
    if (!gate_.has(detail::gate::paused))
        return;
    deliver_later(); // or throws, for want of memory
    gate_.set(detail::gate::paused, false);
    stop_or_go_on_timing_frame();
}

ASYNCHAT_DECL void async_chat::end_turn()
{
    if (!under_way() || gate_.has(detail::gate::turn_over))
        return;
    deliver_later(); // or throws, for want of memory
    gate_.set(detail::gate::turn_over);
}

ASYNCHAT_DECL void async_chat::deliver_later()
{
    owner().post([state = state_] {
        if (const auto channel = state->channel) {
            auto& chat = static_cast<async_chat&>(*channel);
            chat.in_event([&chat] { chat.deliver_kept(); });
        }
    });
}

/// Delivers input that was kept while reading was paused, or of a turn that was ended, and then the
/// end of the stream if that came meanwhile.
ASYNCHAT_DECL void async_chat::deliver_kept()
{
    gate_.set(detail::gate::turn_over, false);
    if (under_way() || !delivers_input())
        return; // the loop on the stack goes on by itself
    if (input_ended_ && !eof_reported_)
        return end_of_input_();
    if (decoder_.has_unread())
        parse();
}

ASYNCHAT_DECL void async_chat::end_of_input_()
{
    if (at_end_)
        return; // a callback runs the loop: that on the stack goes on by itself
    at_end_ = true;
    input_ended_ = true;
    // Nothing else will report the end when exit_now leaves a callback.
    struct unfinished {
        async_chat& chat;
        unsigned connection;
        int exceptions = std::uncaught_exceptions();
        bool is_over() const // another connection by now
        {
            return chat.state_->connection() != connection;
        }
        ~unfinished()
        {
            if (is_over())
                return;
            chat.at_end_ = false;
            if (std::uncaught_exceptions() == exceptions || chat.eof_reported_)
                return;
            try {
                chat.deliver_later();
            } catch (const std::bad_alloc&) { // then a timeout ends it
            }
        }
    } const on_exit{*this, state_->connection()};
    // A callback that throws and survives must not keep the end from being reported.
    while (decoder_.has_unread() && delivers_input()) {
        const std::size_t size = decoder_.carried().size();
        guarded([&] { parse(); });
        if (decoder_.carried().size() >= size)
            break;
    }
    if (!delivers_input() || on_exit.is_over() || !deliver_remainder())
        return; // for now, or for good
    if (closed() || eof_reported_ || on_exit.is_over())
        return;
    eof_reported_ = true;
    // After a failed send the system shows an end also where the connection was reset: that must
    // not be taken for the end of the stream.
    if (is_lost())
        return end_lost();
    handle_eof();
    if (output_ended_)
        finish(close_reason::peer_finished);
}

/// Delivers what waits for bytes that do not come. Returns false when the channel has ended.
ASYNCHAT_DECL bool async_chat::deliver_remainder()
{
    const bool kept = keeps_frames_() && frame_.size() > 0;
    const std::string_view last = decoder_.remainder();
    if (last.empty() && !kept)
        return true;
    std::string rest = kept ? frame_.take() : std::string();
    const std::size_t size = rest.size() + decoder_.room_for_remainder();
    rest += last;
    decoder_.drop_remainder();
    const unsigned connection = state_->connection();
    try {
        if (size > 0)
            guarded([&] { collect_incoming_data(std::string_view(rest).substr(0, size)); });
    } catch (...) { // exit_now: it is delivered again
        if (state_->connection() == connection)
            kept ? frame_.put_back(std::move(rest)) : decoder_.put_back(rest);
        throw;
    }
    bool goes_on = state_->connection() == connection;
    if (goes_on && rest.size() > size && !is_ending())
        guarded([&] { goes_on = ask_overflow(nullptr); });
    return goes_on;
}

/// What was received is still to be delivered: the output is dropped, and end_of_event_() and
/// end_of_input_() see to the end.
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

/// At the end of each event of a lost connection: ends it, unless there is more to deliver.
ASYNCHAT_DECL void async_chat::end_when_heard()
{
    // Nobody waits for a channel that is paused: an error ends it at once.
    if (eof_reported_ || gate_.has(detail::gate::closing | detail::gate::paused))
        return end_lost();
    if (under_way() || at_end_)
        return;
    if (!rare_->clocks.runs(detail::deadlines::clock::close))
        time_lost(); // it stood still while input was delivered
    if (!gate_.has(detail::gate::turn_over) && !may_receive())
        end_of_input_();
}

ASYNCHAT_DECL void async_chat::forget_connection_()
{
    if (under_way())
        gate_.set(detail::gate::renewed);
    decoder_.start_anew();
    frame_.clear();
    queue_.clear();
    marks_ = {};
    output_ended_ = ends_when_sent_ = input_ended_ = eof_reported_ = at_end_ = false;
    using detail::gate;
    for (const auto why : {gate::closing, gate::full, gate::output_ended, gate::blocked})
        gate_.set(why, false);
}

// --- layers ----------------------------------------------------------------------------------

/// What was received and not delivered was not sent through the layer that is added.
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
    if (!queue_.is_empty() && !sending_ && !awaits_writable())
        try_to_send();
    if (queue_.is_empty())
        return false;
    queue_.push(make_layer_switch());
    queue_.watch(active_output_limits().high);
    flush_soon();
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

ASYNCHAT_DECL void async_chat::_collect_incoming_data(std::string_view data)
{
    const std::size_t room = max_frame() - std::min(frame_.size(), max_frame());
    const std::string_view fitting = data.substr(0, room);
    const std::size_t to_come = std::max(frame_to_come(), fitting.size());
    // What a string holds without memory needs none from the pool, which may not see it again.
    if (frame_.is_empty() && to_come >= detail::min_pooled_size)
        frame_.begin(frame_memory(), to_come);
    frame_.append(fitting, to_come);
    if (data.size() > room)
        close_for_frame_limit();
}

/// What is left of a counted frame, as far as it is kept.
ASYNCHAT_DECL std::size_t async_chat::frame_to_come() const
{
    return std::min(decoder_.current().count(), max_frame() - std::min(frame_.size(), max_frame()));
}

ASYNCHAT_DECL std::string async_chat::_get_data()
{
    return frame_.take();
}

// --- output ----------------------------------------------------------------------------------

/// Whether there may be more output, which is then sent soon. First: if that throws, nothing is
/// queued.
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

/// In an event of ours what is left at its end counts; elsewhere that may be far away.
inline void async_chat::queued()
{
    if (owner().current_ == this && connected())
        return; // it is sent, or waits for the socket, before anything else can be pushed
    const std::size_t high = active_output_limits().high;
    queue_.watch(high);
    if (queue_.size() > high)
        pushed_much();
}

/// The first output of an event, and what the other side is not yet ready for.
ASYNCHAT_DECL bool async_chat::queue_first(std::string_view data)
{
    if (!may_queue(data.size()))
        return false;
    queue_.push(data);
    queued();
    return true;
}

/// A push from elsewhere that leaves more than the high mark: the socket is tried now, and what it
/// does not take counts.
ASYNCHAT_DECL void async_chat::pushed_much()
{
    dispatcher* const talker = owner().current_;
    if (sending_ || is_lost())
        return;
    if (!awaits_writable())
        try_to_send();
    if (is_lost())
        return;
    if (!marks_.update(queue_.size(), active_output_limits()))
        return;
    set_full(marks_.paused() && stops_when_full());
    if (talker && marks_.paused())
        talker->fed_too_much_();
}

/// Outside of an event, or in the middle of one.
ASYNCHAT_DECL void async_chat::try_to_send()
{
    std::size_t sent = 0;
    try {
        sent = send_some(sending::quietly);
    } catch (...) { // of an override of send(): the next attempt tells
    }
    if (!is_lost())
        awaits_writable() ? output_waits(sent) : output_flows();
}

ASYNCHAT_DECL bool async_chat::push(std::string&& data)
{
    if (!may_queue(data.size()))
        return false;
    queue_.push(std::move(data));
    queued();
    return true;
}

ASYNCHAT_DECL bool async_chat::push(std::shared_ptr<const std::string> data)
{
    if (!data)
        throw std::invalid_argument("asynchat: push() of a null pointer");
    if (!may_queue(data->size()))
        return false;
    queue_.push(std::move(data));
    queued();
    return true;
}

ASYNCHAT_DECL bool async_chat::vprint(fmt::string_view format, fmt::format_args args)
{
    if (!accepts_output())
        return false;
    // Not straight into the output: a formatter may push to this channel as well, or throw.
    detail::pooled_string text(frame_memory());
    fmt::vformat_to(std::back_inserter(*text), format, args);
    return push(std::string_view(*text));
}

ASYNCHAT_DECL bool async_chat::push_with_producer(std::unique_ptr<producer> source)
{
    if (!source)
        throw std::invalid_argument("asynchat: push_with_producer() of a null pointer");
    if (!accepts_output())
        return false;
    flush_soon();
    queue_.push(std::move(source));
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

/// What a layer has begun to send, and cannot leave.
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
    gate_.set(detail::gate::output_ended, output_ended_);
    if (held.empty()) {
        put_on_layers();
    } else {
        queue_.push(std::move(held));
        if (has_waiting_layers())
            queue_.push(make_layer_switch());
    }
    if (rare_ && !is_lost())
        rare_->clocks.stop(detail::deadlines::clock::close);
    marks_.accept();
    if (rare_) {
        rare_->output_left = 0;
        rare_->lost.output = 0; // it is given up
    }
    flush_soon();
}

ASYNCHAT_DECL bool async_chat::writable()
{
    // Blocked without output: by the last words of a layer.
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

/// At the end of each event in which not everything could be sent.
ASYNCHAT_DECL void async_chat::check_output_limit()
{
    if (closed() || sending_)
        return;
    if (marks_.refused()) {
        log_of_peer(log_type::error,
                    "closing channel {}: {} bytes of output wait, the limit of max_output() is {}",
                    safe_repr(), queue_.size(), active_output_limits().max_bytes);
        return finish(close_reason::output_limit);
    }
    if (rare_ || queue_.size() > active_output_limits().max_bytes)
        rare().output_left = queue_.size();
    compare_with_marks();
    tell_marks();
}

ASYNCHAT_DECL void async_chat::compare_with_marks()
{
    if (marks_.update(queue_.size(), active_output_limits()))
        set_full(marks_.paused() && stops_when_full());
}

ASYNCHAT_DECL void async_chat::tell_marks()
{
    switch (marks_.take_news()) {
    case detail::water_marks::news::none: break;
    case detail::water_marks::news::paused: handle_write_paused(); break;
    case detail::water_marks::news::resumed: handle_write_resumed(); break;
    }
}

/// Stops delivering input because of the output, or goes on with it in a later turn.
ASYNCHAT_DECL void async_chat::set_full(bool on)
{
    if (on == gate_.has(detail::gate::full))
        return;
    if (!on)
        deliver_later(); // or throws, for want of memory
    gate_.set(detail::gate::full, on);
    stop_or_go_on_timing_frame();
}

ASYNCHAT_DECL void async_chat::set_write_buffer_limits(std::size_t high, std::size_t low)
{
    set_marks(high, low);
    queue_.watch(high);
}

ASYNCHAT_DECL void async_chat::max_output(std::size_t bytes)
{
    rare().output.max_bytes = bytes;
    flush_soon();
}

ASYNCHAT_DECL void async_chat::stops_reading_when_full(bool on)
{
    when_full_ = on ? when_full::stop : when_full::read_on;
    set_full(on && marks_.paused() && !is_lost());
}

ASYNCHAT_DECL void async_chat::initiate_send()
{
    if (sending_ || is_lost())
        return; // called by a producer or a layer: the attempt on the stack goes on
    send_queued(sending::everything);
    if (rare_)
        rare_->output_left = queue_.size();
    using detail::gate;
    if (queue_.is_empty() &&
        (ends_when_sent_ || gate_.has(gate::closing | gate::output_ended | gate::lost)))
        all_is_sent();
}

/// The output has ended, or the channel.
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
    } else if (gate_.has(detail::gate::output_ended) && !output_ended_ && connected()) {
        output_ended_ = true;
        if (!end_output()) {
            output_ended_ = false;
            return wait_for_last_words();
        }
        if (eof_reported_ && !is_lost())
            finish(close_reason::peer_finished);
    }
}

/// Those of a layer: they wait for the connection as output does.
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
    // A handle_close() may send what it can, and hears no more of it.
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

/// Sends until there is nothing more, the socket takes no more, or it was much. Returns the bytes.
ASYNCHAT_DECL std::size_t async_chat::send_some(sending what)
{
    bool tried = true; // all that may be sent now
    const detail::scope_exit on_exit([this, &tried] {
        // It does not wait for the socket yet if a producer has run the loop. First: g++ 12
        // loses a store that only a call in a condition follows while an exception passes.
        if (!queue_.is_empty())
            try_flush_soon();
        // What is left goes when the socket is writable: not before, whatever is pushed.
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
            tried = false; // the end of the event asks the producer
            return pump.sent();
        case action::stop: return pump.sent();
        }
    }
    return pump.sent();
}

/// One send: of `piece`, or of what the pump gathers when there is none.
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
        if (what != sending::quietly) // else the next attempt tells
            handle_exception();
        return pump.stop();
    }
    closed() ? pump.stop() : pump.sent(taken);
}

/// Lets the system send of the file at the head what it takes, if nothing has to see the bytes.
ASYNCHAT_DECL void async_chat::send_file(detail::output_pump& pump)
{
    if (!sends_plainly_ || !transport_)
        return pump.sent_of_file(std::nullopt, false);
    file_producer& file = pump.file();
    const auto sent = file.send_to(*transport_, pump.max_of_file());
    if (sent.value_or(0) > 0)
        note_activity();
    count_sent(sent.value_or(0));
    pump.sent_of_file(sent, file.has_ended());
}

/// Asks the producer at the head for its next piece.
ASYNCHAT_DECL void async_chat::ask_producer(detail::output_pump& pump)
{
    auto source = pump.take_producer();
    std::string_view piece;
    try {
        file_producer* const file = source->as_file();
        piece = file ? file->read(ac_out_buffer_size) : source->more();
    } catch (...) {
        pump.put_back(std::move(source)); // asked again, if the channel survives
        throw;
    }
    if (closed())
        return pump.stop();
    pump.answered(std::move(source), piece);
}

} // namespace asynchat

#endif
