// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ASYNC_CHAT_IPP
#define ASYNCHAT_IMPL_ASYNC_CHAT_IPP

#include <asynchat/async_chat.hpp>

#include <asynchat/detail/fmt_format.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/detail/timing/later.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/transport.hpp>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {

inline constexpr std::size_t usual_receive = 65536;
inline constexpr std::size_t large_receive = 262144;
inline constexpr std::size_t max_receive = std::size_t{1} << 30; // memory is reserved for it

} // namespace detail

ASYNCHAT_DECL async_chat::async_chat(loop& owner) : async_chat(owner, socket()) {}

ASYNCHAT_DECL async_chat::async_chat(loop& owner, socket from)
    : dispatcher(owner, std::move(from)), has_own_max_frame_(false), has_no_terminator_(true),
      receives_more_(false), sending_(false), ends_when_sent_(false), input_ended_(false),
      at_end_(false), eof_reported_(false)
{
}

ASYNCHAT_DECL async_chat::~async_chat() = default;

// --- terminators -----------------------------------------------------------------------------

ASYNCHAT_RARE void async_chat::refuse_count(std::size_t count, std::size_t max_frame)
{
    throw std::length_error(fmt::format(
        "asynchat: a frame of {} bytes is longer than max_frame, {}", count, max_frame));
}

ASYNCHAT_DECL void async_chat::change_terminator(const terminator& next, std::size_t max_frame)
{
    if (next.count() > max_frame && next.is_count() && keeps_frames_())
        refuse_count(next.count(), max_frame);
    const bool was_dropping = decoder_.is_dropping();
    decoder_.set(next, max_frame);
    if (was_dropping || !frame_.is_empty())
        kept_frame_goes_on(was_dropping);
    terminator_has_changed();
}

inline void async_chat::terminator_has_changed()
{
    if (rare_ && !decoder_.in_frame())
        frame_has_ended(); // the next one begins with its first byte
}

/// The kept frame continues with another terminator, or its bytes no longer belong to a frame.
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
    change_terminator(next, max_frame());
    has_own_max_frame_ = has_no_terminator_ = false;
}

// For each message of many protocols, and most often nothing is in the way.
ASYNCHAT_DECL void async_chat::set_count(std::size_t count)
{
    const std::size_t limit = decoder_.limit();
    if (!frame_.is_empty() || has_own_max_frame_ || count > limit ||
        !decoder_.set_count_at_rest(count, limit))
        return set_other_count(count);
    terminator_has_changed();
    has_no_terminator_ = false;
}

ASYNCHAT_DECL void async_chat::set_string(std::string_view string)
{
    if (!frame_.is_empty() || has_own_max_frame_ || !decoder_.can_resume_short(string))
        return set_other_string(string);
    resume_string();
}

ASYNCHAT_DECL void async_chat::set_other_string(std::string_view string)
{
    if (!frame_.is_empty() || has_own_max_frame_ || !decoder_.can_resume(string))
        return set_terminator(terminator(string));
    resume_string();
}

inline void async_chat::resume_string()
{
    if (decoder_.resume_string())
        terminator_has_changed();
    has_no_terminator_ = false;
}

ASYNCHAT_DECL void async_chat::set_other_count(std::size_t count)
{
    set_terminator(terminator(count));
}

ASYNCHAT_DECL void async_chat::set_terminator(const terminator& next, std::size_t max_frame)
{
    // Kept for later terminators; most channels have the default.
    if (const std::size_t general = this->max_frame();
        rare_ || general != detail::default_max_frame)
        rare().max_frame = general;
    change_terminator(next, max_frame);
    has_own_max_frame_ = true;
    has_no_terminator_ = false;
}

/// Calls get_terminator() if it may be overridden, and sets its result.
ASYNCHAT_DECL void async_chat::follow_override()
{
    if (!gate_.has(detail::gate::steered))
        return;
    const terminator& next = get_terminator();
    if (&next != &decoder_.current() && next != decoder_.current())
        change_terminator(terminator(next), decoder_.limit());
}

// --- input -----------------------------------------------------------------------------------

ASYNCHAT_DECL bool async_chat::readable()
{
    return (delivers_input() || is_closing()) && !closed() && !under_way();
}

ASYNCHAT_DECL void async_chat::handle_read()
{
    if (under_way())
        return; // a callback runs the loop: its undelivered input comes first
    if (!gate_.input_flows() && !may_receive_now())
        return;
    loop::receive_lease lease(owner());
    // The carried bytes go in front of the new bytes, so that both are one piece. There can be many
    // carried bytes only if callbacks throw and the channel stays open; then they are parsed first.
    const std::size_t front = decoder_.carried().size();
    const std::size_t part = max_receive();
    const std::size_t limit = receives_more_ ? large_receive(part) : part;
    char* const memory = lease.reserve(front + limit);
    std::size_t received = 0;
    if (!decoder_.has_unread() || front <= std::max(limit, detail::usual_receive)) {
        received = receive(asio::mutable_buffer(memory + front, limit));
        if (received == 0 || closed())
            return;
    }
    std::string_view input(memory + front, received);
    if (front > 0 || has_no_terminator_)
        input = behind_carried(memory + front, received);
    const std::size_t frames = parse(part, input);
    if (received >= part || receives_more_) // not with more frames than a turn has: goes_on_with()
        receives_more_ = received >= part && !decoder_.has_unread() && frames <= received / 8;
}

/// Called when there is a reason to stop, or a rate. Returns false when nothing must be received,
/// or it was dropped.
ASYNCHAT_DECL bool async_chat::may_receive_now()
{
    if (!is_closing())
        return !has_rates() || rates_allow(true);
    drop_input();
    return false;
}

/// Puts the carried bytes into the room in front of the input; a layer may have dropped some.
ASYNCHAT_DECL std::string_view async_chat::behind_carried(char* input, std::size_t size)
{
    if (has_no_terminator_)
        tell_no_terminator();
    const std::string_view before = decoder_.carried();
    if (!before.empty())
        std::memcpy(input - before.size(), before.data(), before.size());
    return std::string_view(input - before.size(), before.size() + size);
}

inline std::size_t async_chat::max_receive() const noexcept
{
    return std::clamp<std::size_t>(ac_in_buffer_size, 1, detail::max_receive);
}

/// For fewer system calls, when the last receive was full: more than `size`, which is that of
/// ac_in_buffer_size; unless it was made smaller, a stop has left some of the input, the channels
/// of the loop keep too much of it, or there is a rate, which it would exceed by more.
ASYNCHAT_DECL std::size_t async_chat::large_receive(std::size_t size) const noexcept
{
    if (size < detail::usual_receive || decoder_.has_unread() ||
        owner().unread() > owner().max_unread() || has_rates())
        return size;
    return std::max(size, detail::large_receive);
}

/// Goes on with input that was received beyond ac_in_buffer_size. Returns false when there were
/// enough frames for one turn. Parts do not get tiny: a frame_chat looks in each part once more at
/// the whole frame that goes on in it.
ASYNCHAT_DECL bool async_chat::begin_next_part(delivery& input)
{
    const std::size_t size = std::max(max_receive(), detail::usual_receive);
    const std::size_t least = size / 16;
    const std::size_t max_frames = (size - least) / 2; // in lines of 2 bytes, with this part
    if (input.frames() > max_frames) {
        end_turn();
        return false;
    }
    input.widen(size - 2 * input.frames());
    return true;
}

/// A missing terminator is a frequent error, and nothing else would show it.
ASYNCHAT_RARE void async_chat::tell_no_terminator()
{
    has_no_terminator_ = false;
    const bool is_steered = gate_.has(detail::gate::steered);
    if (!is_steered || (has_rates() && &get_terminator() == &decoder_.current()))
        log_of_peer(log_type::info,
                    "{} collects all its input, as set_terminator() was never called", safe_repr());
}

/// Receives and drops input: the peer may read our last output only after it has sent its own.
ASYNCHAT_DECL void async_chat::drop_input()
{
    loop::receive_lease lease(owner());
    receive(asio::mutable_buffer(lease.reserve(65536), 65536));
}

/// As recv(), but errors go to handle_error(). Returns 0 when there is nothing to parse.
ASYNCHAT_DECL std::size_t async_chat::receive(asio::mutable_buffer into)
{
    try {
        const std::size_t received = recv(into);
        if (!gate_.input_flows())
            charge_bytes(received);
        return received;
    } catch (const std::system_error& error) {
        const int number = detail::errno_of(error.code());
        if (!is_would_block(error.code()) && number != EALREADY && number != EINPROGRESS)
            handle_exception();
        return 0;
    }
}

/// Delivers `input`, or without it the unread input. Returns the number of frames. `part` is the
/// size of a receive. Unread input that no large receive has brought is one part, as in Python.
template <class... Input>
std::size_t async_chat::parse(std::size_t part, Input... input)
{
    std::size_t frames = 0;
    const auto deliver_all = [&] {
        delivery now(*this, std::max(part, detail::usual_receive), input...);
        deliver_(now);
        time_frame_of(now);
        frames = now.frames();
    };
    // If there was no memory for received input, no later input may be delivered.
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
    return frames;
}

inline void async_chat::time_frame_of(const delivery& input)
{
    using began = detail::frame_decoder::pass::began;
    if (is_ending())
        return frame_has_ended();
    switch (input.frame_began()) {
    case began::nothing: return frame_has_ended();
    case began::before: return frame_goes_on();
    // The clock may run before the first byte of a frame: see websocket_chat.
    case began::here: return input.frames() == 0 ? frame_goes_on() : time_frame();
    }
}

ASYNCHAT_DECL void async_chat::deliver_(delivery& input)
{
    while (may_deliver(input)) {
        const auto step = input.next();
        if (step.is_rare()) {
            if (step.is_starved() ? !goes_on_with(input) : !obey(input, step))
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

/// Called when there is a reason to stop, when there is a rate, or when get_terminator() may be
/// overridden: then it is called before each piece.
ASYNCHAT_DECL bool async_chat::may_deliver_steered(delivery& input)
{
    constexpr unsigned reasons = detail::gate::of_input | detail::gate::renewed;
    if (gate_.has(reasons))
        return false;
    if (has_rates()) {
        charge_frames(input.frames());
        if (!input.empty() && !rates_allow(false))
            return false;
    }
    if (!input.empty())
        follow_override();
    return !gate_.has(reasons); // the override may do anything
}

/// The end of a pass, where a callback has stopped the input, or there is a rate.
ASYNCHAT_DECL void async_chat::stopped_input_is_over(delivery& input) noexcept
{
    if (is_ending())
        input.drop();
    gate_.set(detail::gate::renewed, false);
    if (!has_rates())
        return;
    charge_frames(input.frames()); // of a callback that has thrown, or in place
    rare_->rates->charged_frames = 0;
    rare_->rates->has_turn = false;
}

/// Handles the rare steps. Returns false when the rest must wait for more input, or is not wanted.
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

/// Sends in the middle of the input when there is much output.
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

/// Stops the clock of a frame while the channel does not take the input that the peer may have
/// sent; later the clock continues.
ASYNCHAT_DECL void async_chat::stop_or_go_on_timing_frame()
{
    if (!rare_ || !rare_->clocks.runs(detail::deadlines::clock::frame))
        return;
    // Also while an accepted channel over its high mark reads again: the peer may wait for it.
    const bool by_role = was_accepted_ && when_full() == full_output::by_role;
    const bool is_full = gate_.has(detail::gate::full) || (marks_.paused() && by_role);
    const bool in_nested_run = under_way() && under_way()->nested > 0;
    const bool stands_still =
        gate_.has(detail::gate::paused) || is_full || in_nested_run || is_held();
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
    if (is_held() && hold_is_over()) {
        const unsigned before = state_->connection();
        try {
            guarded([this] { end_hold(); });
        } catch (...) { // exit_now: the clocks are still to be looked at
            look_at_clocks_by(owner().now());
            throw;
        }
        if (state_->connection() != before)
            return;
    }
    using clock = detail::deadlines::clock;
    if (sending_)
        rare_->clocks.stop(clock::write); // a producer runs the loop: it starts again later
    if (is_lost() && (under_way() || at_end_))
        rare_->clocks.stop(clock::close); // so does a callback of the input
    if (rare_->clocks.due(clock::full) <= owner().now())
        nothing_was_taken();
    const bool in_frame = !is_ending() && !input_ended_;
    if (in_frame && (rare_->clocks.due(clock::frame) > owner().now() || was_met(clock::frame))) {
        look_at_clocks_by(rare_->clocks.due(clock::frame));
    } else if (in_frame) {
        time_frame(); // in case of an exception after which the channel stays open
        log_timeout("a frame was not complete", "frame_timeout()", active_timeouts().frame);
        const unsigned connection = state_->connection();
        handle_frame_timeout();
        if (state_->connection() != connection)
            return; // closed, or another connection
        if (!is_closing())
            return finish(close_reason::frame_timeout);
        note_text({}); // it ends for another reason
    }
    dispatcher::deadline_reached_();
}

// --- frames that are too long, or malformed ----------------------------------------------------

/// Calls handle_overflow() and does what it says; `input` is null at the end of the stream. Returns
/// false when the channel ends.
ASYNCHAT_RARE bool async_chat::ask_overflow(delivery* input)
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

ASYNCHAT_RARE void async_chat::close_for_frame_limit()
{
    const char* const setter = has_own_max_frame_ ? "set_terminator()" : "max_frame()";
    log_of_peer(log_type::error,
                "closing channel {}: a frame is longer than {} bytes, the limit of {}", safe_repr(),
                decoder_.limit(), setter);
    note_text(fmt::format("{} bytes, set by {}", decoder_.limit(), setter));
    finish(close_reason::frame_limit);
}

ASYNCHAT_RARE void async_chat::close_for_malformed_frame(delivery& input)
{
    const auto wrong = input.fault();
    const std::string byte = escaped(input.rest().substr(wrong.position, 1));
    const std::string text =
        wrong.fault
            ? fmt::format("byte {} of its length, '{}', {}", wrong.position + 1, byte, wrong.fault)
            : fmt::format("byte {} behind it, '{}', is not '{}'", wrong.position + 1, byte,
                          escaped({&wrong.expected, 1}));
    log_of_peer(log_type::error, "closing channel {}: a frame is malformed: {}", safe_repr(), text);
    note_text(text);
    finish(close_reason::bad_frame);
}

// --- flow --------------------------------------------------------------------------------------

ASYNCHAT_DECL void async_chat::pause_reading()
{
    gate_.set(detail::gate::paused);
    stop_or_go_on_timing_frame();
    if (!under_way())
        flush_soon(); // errors must then be noticed in another way
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
    owner().post_function([state = state_] {
        if (const auto channel = state->channel()) {
            auto& chat = static_cast<async_chat&>(*channel);
            chat.in_event([&chat] { chat.deliver_kept(); });
        }
    });
}

/// Delivers input that was kept while reading was paused or after end_turn(), and then the end of
/// the stream if it has arrived.
ASYNCHAT_DECL void async_chat::deliver_kept()
{
    if (is_held())
        return; // end_hold() delivers it
    gate_.set(detail::gate::turn_over, false);
    if (under_way() || !delivers_input())
        return; // the delivery on the stack continues by itself
    if (input_ended_ && !eof_reported_)
        return end_of_input_();
    if (decoder_.has_unread())
        parse(max_receive());
}

// --- kept input --------------------------------------------------------------------------------

ASYNCHAT_DECL void async_chat::_collect_incoming_data(std::string_view data)
{
    const std::size_t room = frame_room();
    const std::string_view fitting = data.substr(0, room);
    const std::size_t to_come =
        std::max(std::min(decoder_.current().count(), room), fitting.size());
    if (frame_.is_empty())
        frame_.begin(frame_memory(), to_come);
    frame_.append(fitting, to_come);
    if (data.size() > room)
        close_for_frame_limit();
}

/// The missing bytes of a counted frame, as far as they are kept.
ASYNCHAT_DECL std::size_t async_chat::frame_to_come() const
{
    return std::min(decoder_.current().count(), frame_room());
}

ASYNCHAT_DECL std::string async_chat::_get_data()
{
    return frame_.take(frame_memory());
}

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#endif
