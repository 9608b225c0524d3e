// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_IMPL_ASYNC_CHAT_IPP
#define ASYNCHAT_IMPL_ASYNC_CHAT_IPP

#include <asynchat/async_chat.hpp>

#include <asynchat/detail/io/transport.hpp>
#include <asynchat/detail/output/output_pump.hpp>
#include <asynchat/detail/scope_exit.hpp>
#include <asynchat/escape.hpp>
#include <asynchat/file_producer.hpp>
#include <asynchat/frame_chat.hpp>

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

// A counted frame that lacks less is received together with what follows it, and copied.
inline constexpr std::size_t min_received_in_place = 16384;

inline constexpr std::size_t max_reserved = std::size_t{1} << 24; // for a frame; larger ones grow

inline constexpr std::size_t max_receive = std::size_t{1} << 30; // memory is reserved for it

// What keeps frames from being taken many at a time.
inline constexpr unsigned stops_of_many = stops::of_input | stops::changed;

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
    : dispatcher(owner, std::move(from)), queue_(owner.pool()), whole_frames_(false),
      has_own_max_frame_(false), sending_(false), output_ended_(false), ends_when_sent_(false),
      input_ended_(false), at_end_(false), eof_reported_(false), dropping_(false), truncated_(false)
{
}

ASYNCHAT_DECL async_chat::async_chat(loop& owner, socket from, whole_frames)
    : async_chat(owner, std::move(from))
{
    whole_frames_ = true;
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
    if (whole_frames_ && next.count() > max_frame && next.is_count())
        refuse_count(next.count(), max_frame);
    // Held bytes belong to the old terminator; with the next input the new one sees them again.
    if (held_ > 0 && next != scanner_.current()) {
        keep(held());
        held_ = 0;
    }
    if (!next.is_bytes() || !scanner_.current().is_bytes()) {
        frame_size_ = whole_frames_ ? collected_.size() - unfilled_ : 0;
        if (dropping_)
            stop_dropping();
        if (frame_size_ == 0)
            frame_has_ended(); // the next one begins with its first byte
    }
    if (bounds_ && next.collects_everything())
        frame_has_ended();
    if (scanner_.set(next))
        stops_.set(detail::stops::changed);
}

ASYNCHAT_DECL void async_chat::set_terminator(const terminator& next)
{
    change_terminator(next, max_frame_);
    has_own_max_frame_ = false;
    frame_limit_ = max_frame_;
}

ASYNCHAT_DECL void async_chat::set_terminator(const terminator& next, std::size_t max_frame)
{
    change_terminator(next, max_frame);
    has_own_max_frame_ = true;
    frame_limit_ = max_frame;
}

/// Asks get_terminator(), which may be overridden. Returns true when it changed the terminator.
inline bool async_chat::follow_override()
{
    if (keeps_terminator_)
        return false;
    const terminator& wanted = get_terminator();
    return &wanted != &scanner_.current() && follow(wanted);
}

ASYNCHAT_DECL bool async_chat::follow(const terminator& wanted)
{
    if (wanted == scanner_.current())
        return false;
    change_terminator(terminator(wanted), max_frame());
    return true;
}

// --- input -----------------------------------------------------------------------------------

ASYNCHAT_DECL bool async_chat::readable()
{
    return (delivers_input() || is_closing()) && !closed() && !parsing_;
}

ASYNCHAT_DECL void async_chat::handle_read()
{
    if (parsing_)
        return; // a callback runs the loop: what comes now is behind what it has still to get
    if (is_closing())
        return drop_input();
    if (whole_frames_ && receives_in_place())
        return receive_frame();
    loop::receive_lease lease(owner());
    // The bytes kept from before go in front of the new ones, so that they are one piece. There can
    // be many only if callbacks throw and survive; then they come first.
    const std::size_t front = held_ + kept().size();
    const std::size_t limit = std::clamp<std::size_t>(ac_in_buffer_size, 1, detail::max_receive);
    char* const memory = lease.reserve(front + limit);
    std::size_t received = 0;
    if (kept().size() <= std::max<std::size_t>(limit, 65536)) {
        received = receive(asio::mutable_buffer(memory + front, limit));
        if (received == 0 || closed())
            return;
    }
    const std::string_view before = kept_ ? kept() : held();
    char* const start = memory + front - before.size();
    if (!before.empty())
        std::memcpy(start, before.data(), before.size());
    const std::string_view input(start, before.size() + received);
    kept_.reset();
    parse(input, std::exchange(held_, 0));
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
            failed();
        return 0;
    }
}

/// Whether so much of a counted frame is still to come that it is received straight into it.
ASYNCHAT_DECL bool async_chat::receives_in_place()
{
    if (held_ > 0 || kept_)
        return false;
    follow_override();
    return delivers_input() && !dropping_ &&
           scanner_.current().count() >= detail::min_received_in_place;
}

ASYNCHAT_DECL void async_chat::receive_frame()
{
    const std::size_t lacking = scanner_.current().count();
    if (collected_.empty())
        begin_collecting();
    struct done {
        async_chat& chat;
        ~done()
        {
            if (chat.unfilled_ > 0 && chat.unfilled_ == chat.collected_.size())
                chat.drop_collected(); // nothing came
        }
    } const on_exit{*this};
    const std::size_t limit = std::clamp<std::size_t>(ac_in_buffer_size, 1, detail::max_receive);
    if (unfilled_ == 0) {
        reserve_frame();
        const std::size_t more = std::min(lacking, limit);
        collected_.resize(collected_.size() + more);
        unfilled_ = static_cast<unsigned>(more);
    }
    // As much as a turn may send: the fewer calls, the better.
    const std::size_t room = std::min({std::size_t{unfilled_}, lacking, limit * 16});
    const std::size_t received = std::min(receive(asio::buffer(to_fill(), room)), room);
    if (unfilled_ == 0)
        return; // discarded, or delivered at the end of the stream
    unfilled_ -= static_cast<unsigned>(received);
    if (received == 0 || closed())
        return;
    scanner_.count_down(received);
    if (scanner_.current().count() > 0 || scanner_.ends_with_comma()) {
        if (!bounds_ || bounds_->in_frame == detail::bounds::never)
            time_frame();
        return;
    }
    frame_has_ended();
    scanner_.end_frame();
    parsing now;
    struct parsed {
        async_chat& chat;
        const parsing& now;
        ~parsed()
        {
            chat.parsing_ = nullptr;
            chat.stops_.set(detail::stops::renewed, false);
            chat.count_frames(now.frames);
        }
    } const on_return{*this, now};
    parsing_ = &now;
    end_frame(now, {});
}

/// What is left of a counted frame, as far as it is kept.
ASYNCHAT_DECL std::size_t async_chat::frame_to_come() const
{
    const std::size_t begun = collected_.size() - unfilled_;
    return std::min(scanner_.current().count(), max_frame() - std::min(begun, max_frame()));
}

/// Takes memory that others have used. It is filled over what they left: a large frame would
/// take longer to be set to zero than to be copied.
ASYNCHAT_DECL void async_chat::begin_collecting()
{
    collected_ = owner().strings().take(frame_to_come());
    unfilled_ = static_cast<unsigned>(collected_.size());
}

ASYNCHAT_DECL void async_chat::reserve_frame()
{
    const std::size_t lacking = frame_to_come();
    if (collected_.capacity() - collected_.size() < lacking && lacking <= detail::max_reserved)
        collected_.reserve(collected_.size() + lacking);
}

ASYNCHAT_DECL void async_chat::drop_unfilled()
{
    collected_.resize(collected_.size() - std::exchange(unfilled_, 0U));
}

/// Hands out `input`, whose first `matched` bytes are known to begin the terminator. What is not
/// handed out, because a callback paused or threw, is kept: in `storage` if the input lies there,
/// so that pausing after each frame does not move all that is behind it.
ASYNCHAT_DECL void async_chat::parse(std::string_view input, std::size_t matched,
                                     std::unique_ptr<kept_input> storage)
{
    parsing now;
    now.input = input;
    now.start = input.data();
    const auto stop = [this, &storage, &now] {
        parsing_ = nullptr;
        if (!now.unfinished)
            frame_has_ended();
        count_frames(now.frames);
        const std::string_view rest = now.input;
        const bool dropped = is_ending();
        stops_.set(detail::stops::renewed, false);
        if (rest.empty() || dropped)
            return;
        if (!storage)
            return keep_or_end(rest);
        storage->front = static_cast<std::size_t>(rest.data() - storage->bytes.data());
        kept_ = std::move(storage);
    };
    parsing_ = &now;
    try {
        if (!dropping_ || drop_rest(now, std::exchange(matched, 0)))
            whole_frames_ ? parse_frames(now, matched) : parse_input(now, matched);
    } catch (...) {
        // What threw is delivered again: if that is of the frame that went on, it still does.
        now.unfinished = now.frames == 0 && now.input.data() == now.start;
        stop();
        throw;
    }
    stop();
}

ASYNCHAT_DECL void async_chat::keep(std::string_view input)
{
    kept_ = std::make_unique<kept_input>(kept_input{std::string(input)});
}

/// Without memory for input that was received already, nothing can follow it.
ASYNCHAT_DECL void async_chat::keep_or_end(std::string_view input)
{
    try {
        keep(input);
    } catch (const std::bad_alloc&) {
        end(close_reason::system_error, asio::error::no_memory);
    }
}

ASYNCHAT_DECL void async_chat::parse_all_kept()
{
    if (!kept_)
        return;
    auto storage = std::move(kept_);
    const std::string_view input = std::string_view(storage->bytes).substr(storage->front);
    parse(input, 0, std::move(storage));
}

// The compiler does not guess which function that is, as it would if there were one here.
inline void async_chat::call_found_frame(std::string_view frame)
{
    static_cast<frame_chat&>(*this).found_frame(frame);
}

/// Hands out the frame that lies in collected_ or, if nothing does, is `last_piece`.
inline void async_chat::end_frame(parsing& now, std::string_view last_piece)
{
    frame_size_ = 0;
    ++now.frames;
    if (!collected_.empty())
        return deliver_stored_frame(now);
    now.frame = last_piece;
    call_found_frame(last_piece);
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

/// Whether there may be many frames that the same byte ends, and nothing keeps us from taking them.
inline bool async_chat::can_take_many(const parsing& now) const
{
    return scanner_.is_byte() && now.input.size() >= detail::find_bytes_size &&
           !stops_.any_of(detail::stops_of_many) && keeps_terminator_;
}

/// Goes on after a frame, as long as others come that the same byte ends, and looks for the ends of
/// short ones many at a time. Deliver takes a frame and its end off the input. Not inlined: a
/// single frame has no need of it.
template <void (async_chat::*Deliver)(async_chat::parsing&, std::size_t)>
[[gnu::noinline]] void async_chat::take_many(parsing& now)
{
    const char end = scanner_.only_byte();
    do {
        std::uint64_t ends = detail::find_bytes(now.input.data(), end);
        do {
            const std::size_t size = ends != 0 ? static_cast<unsigned>(__builtin_ctzll(ends))
                                               : now.input.find(end, detail::find_bytes_size);
            if (size > frame_limit_ || size == now.input.npos)
                return;
            if (ends != 0)
                ends = ends >> size >> 1;
            (this->*Deliver)(now, size);
            send_if_much();
            if (stops_.any_of(detail::stops_of_many))
                return;
        } while (ends != 0);
    } while (now.input.size() >= detail::find_bytes_size);
}

inline void async_chat::deliver_line(parsing& now, std::size_t size)
{
    if (size > 0)
        collect_incoming_data({now.input.data(), size});
    now.input.remove_prefix(std::min(now.input.size(), size + 1));
    if (is_ending())
        return;
    ++now.frames;
    found_terminator();
}

inline void async_chat::deliver_whole_line(parsing& now, std::size_t size)
{
    now.frame = {now.input.data(), size};
    now.input.remove_prefix(size + 1);
    ++now.frames;
    call_found_frame(now.frame);
}

ASYNCHAT_DECL void async_chat::parse_input(parsing& now, std::size_t matched)
{
    while (!now.input.empty() && delivers_input()) {
        if (!keeps_terminator_) {
            if (follow_override())
                matched = 0;
            if (now.input.empty() || !delivers_input())
                return; // the override may do anything
        }
        const auto step = scanner_.scan(now.input, std::exchange(matched, 0));
        const bool by_count = step.skip() == 0;
        stops_.set(detail::stops::changed, false);
        if (step.found() && (by_count || frame_size_ + step.collect() <= frame_limit_)) {
            const unsigned revision = scanner_.revision();
            if (step.collect() > 0) // if it throws, the piece is delivered again
                collect_incoming_data({now.input.data(), step.collect()});
            if (by_count && scanner_.revision() == revision)
                scanner_.count_down(step.collect());
            // The callback may have discarded the input.
            now.input.remove_prefix(std::min(now.input.size(), step.collect() + step.skip()));
            if (is_ending())
                return;
            frame_size_ = 0;
            ++now.frames;
            found_terminator();
            send_if_much();
            if (can_take_many(now))
                take_many<&async_chat::deliver_line>(now);
        } else if (!take_piece(now, step)) {
            return;
        } else {
            send_if_much();
        }
    }
}

/// As above, for a channel that wants whole frames.
ASYNCHAT_DECL void async_chat::parse_frames(parsing& now, std::size_t matched)
{
    while (!now.input.empty() && delivers_input()) {
        if (!keeps_terminator_) {
            if (follow_override())
                matched = 0;
            if (now.input.empty() || !delivers_input())
                return; // the override may do anything
        }
        const auto step = scanner_.scan(now.input, std::exchange(matched, 0));
        const bool by_count = step.skip() == 0;
        stops_.set(detail::stops::changed, false);
        if (step.found() && (by_count || frame_size_ + step.collect() <= frame_limit_)) {
            const std::string_view piece(now.input.data(), step.collect());
            if (!collected_.empty())
                collect_frame(piece);
            if (by_count)
                scanner_.count_down(step.collect());
            now.input.remove_prefix(step.collect() + step.skip());
            end_frame(now, piece);
            send_if_much();
            if (can_take_many(now))
                take_many<&async_chat::deliver_whole_line>(now);
        } else if (!take_frame_piece(now, step)) {
            return;
        } else {
            send_if_much();
        }
    }
}

/// Whether a frame that a string ends has more than its limit, which may be lower than it was.
ASYNCHAT_DECL bool async_chat::is_too_long(detail::terminator_scanner::step step) const
{
    return step.collect() > room_in_frame() || (step.found() && frame_size_ > max_frame());
}

/// Takes a piece without the end of a frame. Returns false when the rest has to wait for more.
ASYNCHAT_DECL bool async_chat::take_piece(parsing& now, detail::terminator_scanner::step step)
{
    const terminator& current = scanner_.current();
    if (current.is_length_prefix())
        return scanner_.in_frame() ? take_counted_piece(now) : take_length(now);
    const bool by_string = current.is_bytes() && !current.collects_everything();
    const bool too_long = by_string && is_too_long(step);
    const std::size_t piece =
        by_string ? std::min(step.collect(), room_in_frame()) : step.collect();
    const unsigned revision = scanner_.revision();
    const bool from_start = now.input.data() == now.start;
    deliver(now, piece, by_string ? frame_size_ + piece : 0);
    const bool unchanged = scanner_.revision() == revision;
    if (unchanged && current.count() > 0)
        scanner_.count_down(piece);
    // The callback may have discarded the input.
    now.input.remove_prefix(std::min(now.input.size(), piece));
    if (too_long) {
        if (!unchanged)
            return true; // the rest is for the terminator set just now
        if (from_start)
            now.start = now.input.data(); // it is the same frame
        return delivers_input() && judge_string_frame(now);
    }
    if (!unchanged || is_ending())
        return false;
    if (step.held() > 0 && !now.input.empty()) {
        held_ = step.held();
        now.input = {};
    }
    if (!current.collects_everything())
        frame_goes_on(now, from_start);
    return false;
}

/// As above, for a channel that wants whole frames.
ASYNCHAT_DECL bool async_chat::take_frame_piece(parsing& now, detail::terminator_scanner::step step)
{
    const terminator& current = scanner_.current();
    if (scanner_.in_frame())
        return take_counted_piece(now);
    if (current.is_length_prefix() || current.collects_everything()) {
        if (collected_.empty())
            return take_piece(now, step);
        deliver_begun_frame();
        return true;
    }
    if (current.is_bytes() && is_too_long(step))
        return judge_string_frame(now);
    collect_frame(now.input.substr(0, step.collect()));
    const bool from_start = now.input.data() == now.start;
    if (current.is_bytes())
        frame_size_ += step.collect();
    else
        scanner_.count_down(step.collect());
    held_ = step.held();
    now.input = {};
    frame_goes_on(now, from_start);
    return false;
}

ASYNCHAT_DECL void async_chat::collect_frame(std::string_view piece)
{
    if (collected_.empty())
        begin_collecting();
    append_to_frame(piece);
}

ASYNCHAT_DECL void async_chat::append_to_frame(std::string_view piece)
{
    if (piece.size() <= unfilled_) {
        detail::copy_bytes(to_fill(), piece.data(), piece.size());
        unfilled_ -= static_cast<unsigned>(piece.size());
        return;
    }
    drop_unfilled();
    reserve_frame();
    collected_ += piece;
}

ASYNCHAT_DECL void async_chat::deliver_stored_frame(parsing& now)
{
    drop_unfilled();
    // Whatever the callback discards, the frame stays.
    detail::pooled_string storage(owner().strings(), std::exchange(collected_, {}));
    struct done {
        parsing& now;
        ~done() { now.storage = nullptr; }
    } const on_exit{now};
    now.frame = *storage;
    now.storage = &*storage;
    call_found_frame(*storage);
}

/// What was to become a frame belongs to none, because the terminator was taken away.
ASYNCHAT_DECL void async_chat::deliver_begun_frame()
{
    drop_unfilled();
    std::string begun = std::exchange(collected_, {});
    try {
        collect_incoming_data(begun);
    } catch (...) {
        if (!stops_.any_of(detail::stops::renewed))
            collected_ = std::move(begun); // delivered again, as every piece
        throw;
    }
}

/// Hands out the first `bytes` of the input, with which the frame has `frame_size`. They stay
/// there: if the callback throws, they are delivered again.
ASYNCHAT_DECL void async_chat::deliver(parsing& now, std::size_t bytes, std::size_t frame_size)
{
    const std::size_t size_before = std::exchange(frame_size_, frame_size);
    if (bytes == 0)
        return;
    try {
        collect_incoming_data(now.input.substr(0, bytes));
    } catch (...) {
        if (!is_ending())
            frame_size_ = size_before;
        throw;
    }
}

/// The input of this turn ends within a frame, which began in it unless it is one with its start.
ASYNCHAT_DECL void async_chat::frame_goes_on(parsing& now, bool from_start)
{
    now.unfinished = true;
    if (!from_start || !bounds_ || bounds_->in_frame == detail::bounds::never)
        time_frame();
}

ASYNCHAT_DECL void async_chat::time_frame()
{
    if (limits().frame == loop::duration::zero())
        return;
    time_from_now(&detail::bounds::in_frame, limits().frame);
    bounds_->frame_stopped = detail::bounds::never;
    stop_or_go_on_timing_frame();
}

/// The clock of a frame stands still while the channel does not take what the other side may have
/// sent, and goes on from there.
ASYNCHAT_DECL void async_chat::stop_or_go_on_timing_frame()
{
    if (!bounds_ || bounds_->in_frame == detail::bounds::never)
        return;
    detail::bounds& t = *bounds_;
    const bool stands_still = stops_.any_of(detail::stops::paused | detail::stops::full) ||
                              (parsing_ && parsing_->nested > 0);
    if (stands_still == (t.frame_stopped != detail::bounds::never))
        return;
    if (stands_still) {
        t.frame_stopped = owner().now();
        return;
    }
    t.in_frame += owner().now() - std::exchange(t.frame_stopped, detail::bounds::never);
    if (t.limits.frame > loop::duration::zero())
        owner().set_deadline(*state_, detail::later(t.in_frame, t.limits.frame));
}

ASYNCHAT_DECL void async_chat::nested_run(bool begins)
{
    if (!parsing_)
        return;
    begins ? ++parsing_->nested : --parsing_->nested;
    stop_or_go_on_timing_frame();
}

ASYNCHAT_DECL void async_chat::frame_timeout(loop::duration longest)
{
    set_timeout(&detail::timeouts::frame, longest);
    own_bounds().frame_is_set = true;
}

ASYNCHAT_DECL void async_chat::deadline_reached()
{
    if (!bounds_)
        return;
    if (sending_)
        bounds_->blocked = detail::bounds::never; // a producer runs the loop: it is measured anew
    if (!is_ending() && !input_ended_ && bounds_->frame_stopped == detail::bounds::never &&
        is_over(bounds_->in_frame, limits().frame)) {
        time_frame(); // for an exception that the channel survives
        log_timeout("a frame was not complete", "frame_timeout()", limits().frame);
        const unsigned epoch = state_->epoch;
        handle_frame_timeout();
        if (state_->epoch != epoch)
            return; // closed, or another connection by now
        if (!is_closing())
            return end(close_reason::frame_timeout);
    }
    dispatcher::deadline_reached();
}

// --- a length in front of the frame ----------------------------------------------------------

/// Reads the length. Returns false when the rest has to wait for more.
ASYNCHAT_DECL bool async_chat::take_length(parsing& now)
{
    const auto length = scanner_.read_length(now.input);
    const bool from_start = now.input.data() == now.start;
    if (length.how == detail::length_prefix::state::incomplete) {
        frame_goes_on(now, from_start);
        return false;
    }
    if (length.how == detail::length_prefix::state::malformed) {
        close_for_malformed_frame(fmt::format("byte {} of its length, '{}', {}", length.size + 1,
                                              escaped(now.input.substr(length.size, 1)),
                                              length.fault));
        return false;
    }
    frame_size_ = 0;
    const unsigned revision = scanner_.revision();
    if (length.length > max_frame() && !ask_overflow())
        return false;
    // The callback may have discarded the input.
    now.input.remove_prefix(std::min(now.input.size(), length.size));
    if (from_start)
        now.start = now.input.data(); // it is the same frame
    if (scanner_.revision() != revision) {
        stop_dropping();
        return true;
    }
    scanner_.begin_frame(length.length);
    // At once: for an empty frame nothing more needs to come.
    return !delivers_input() || take_counted_piece(now);
}

/// Takes what is there of the frame.
ASYNCHAT_DECL bool async_chat::take_counted_piece(parsing& now)
{
    const std::size_t left = scanner_.current().count();
    const std::size_t size = std::min(now.input.size(), left);
    const std::size_t comma = scanner_.ends_with_comma() ? 1 : 0;
    const bool from_start = now.input.data() == now.start;
    const bool ends =
        size == left && (comma == 0 || (size < now.input.size() && now.input[size] == ','));
    const std::size_t room = truncated_ ? room_in_frame() : 0;
    const std::string_view piece = now.input.substr(0, dropping_ ? std::min(size, room) : size);
    if (!whole_frames_) {
        const bool counts = ends && !dropping_; // whatever the callback does
        const unsigned revision = scanner_.revision();
        deliver(now, piece.size(), frame_size_ + piece.size());
        if (scanner_.revision() != revision) {
            const std::size_t used = counts ? size + comma : piece.size();
            now.input.remove_prefix(std::min(now.input.size(), used));
            if (counts && !is_ending()) {
                ++now.frames;
                found_terminator();
            }
            return true;
        }
    } else {
        if (!piece.empty() && (!ends || !collected_.empty()))
            collect_frame(piece);
        frame_size_ += piece.size();
    }
    scanner_.count_down(size);
    now.input.remove_prefix(std::min(now.input.size(), ends ? size + comma : size));
    if (is_ending())
        return false;
    if (ends) {
        scanner_.end_frame();
        end_announced_frame(now, piece);
    } else if (!now.input.empty() && delivers_input()) {
        close_for_malformed_frame(
            fmt::format("behind it is '{}', not a comma", escaped(now.input.substr(0, 1))));
        return false;
    } else {
        frame_goes_on(now, from_start);
    }
    return true;
}

/// Reports the end of a frame that has its length in front, or was too long.
ASYNCHAT_DECL void async_chat::end_announced_frame(parsing& now, std::string_view last_piece)
{
    const bool dropped = dropping_;
    dropping_ = false;
    frame_size_ = 0;
    if (dropped && !truncated_)
        return;
    struct done {
        async_chat& chat;
        ~done() { chat.truncated_ = false; }
    } const on_exit{*this};
    if (whole_frames_)
        return end_frame(now, last_piece);
    ++now.frames;
    found_terminator();
}

// --- frames that are too long ----------------------------------------------------------------

/// Asks what becomes of the frame. Returns false when nothing does, because the channel ends.
ASYNCHAT_DECL bool async_chat::ask_overflow()
{
    const overflow answer = handle_overflow();
    if (is_ending())
        return false;
    if (answer == overflow::close) {
        close_for_frame_limit();
        return false;
    }
    dropping_ = true;
    truncated_ = answer == overflow::truncate;
    if (!truncated_)
        drop_collected();
    return true;
}

/// The input begins with bytes of a frame that a string will end, more of them than it has room
/// for. Returns false when the rest has to wait for more.
ASYNCHAT_DECL bool async_chat::judge_string_frame(parsing& now)
{
    const unsigned revision = scanner_.revision();
    if (!ask_overflow())
        return false;
    if (scanner_.revision() != revision && !scanner_.current().is_bytes()) {
        stop_dropping();
        return true;
    }
    if (whole_frames_ && truncated_) {
        const std::string_view fitting = now.input.substr(0, room_in_frame());
        const bool from_start = now.input.data() == now.start;
        collect_frame(fitting);
        now.input.remove_prefix(fitting.size()); // a terminator set just now may be in there
        if (from_start)
            now.start = now.input.data(); // it is the same frame
    }
    return drop_rest(now, 0);
}

/// Drops the input up to the end of a frame that is too long, and reports that. Returns false when
/// the rest has to wait for more.
ASYNCHAT_DECL bool async_chat::drop_rest(parsing& now, std::size_t matched)
{
    while (dropping_ && !scanner_.current().is_length_prefix()) {
        if (now.input.empty() || !delivers_input())
            return false;
        if (!keeps_terminator_) {
            if (follow_override())
                matched = 0;
            if (now.input.empty() || !delivers_input())
                return false;
            if (scanner_.current().is_length_prefix())
                continue;
        }
        if (scanner_.current().collects_everything()) {
            stop_dropping();
            break;
        }
        const auto step = scanner_.scan(now.input, std::exchange(matched, 0));
        if (!step.found()) {
            frame_goes_on(now, now.input.data() == now.start);
            held_ = step.held();
            now.input = {};
            return false;
        }
        now.input.remove_prefix(step.collect() + step.skip());
        end_announced_frame(now, {});
    }
    return true;
}

/// The frame has no end any more.
ASYNCHAT_DECL void async_chat::stop_dropping()
{
    dropping_ = false;
    truncated_ = false;
    frame_size_ = 0;
    drop_collected();
}

/// Gives the memory back as well: frames that are too long are large.
ASYNCHAT_DECL void async_chat::drop_collected()
{
    unfilled_ = 0;
    const detail::pooled_string dropped(owner().strings(), std::exchange(collected_, {}));
}

ASYNCHAT_DECL void async_chat::close_for_frame_limit()
{
    const char* const setter = has_own_max_frame_ ? "set_terminator()" : "max_frame()";
    log_of_peer(log_type::error,
                "closing channel {}: a frame is longer than {} bytes, the limit of {}", safe_repr(),
                max_frame(), setter);
    end(close_reason::frame_limit);
}

ASYNCHAT_DECL void async_chat::close_for_malformed_frame(std::string_view fault)
{
    log_of_peer(log_type::error, "closing channel {}: a frame is malformed: {}", safe_repr(),
                fault);
    end(close_reason::bad_frame);
}

ASYNCHAT_DECL void async_chat::pause_reading()
{
    stops_.set(detail::stops::paused);
    stop_or_go_on_timing_frame();
    if (!parsing_)
        flush_soon(); // then errors are to be noticed in another way
}

ASYNCHAT_DECL void async_chat::resume_reading()
{
    if (!stops_.any_of(detail::stops::paused))
        return;
    deliver_later(); // or throws, for want of memory
    stops_.set(detail::stops::paused, false);
    stop_or_go_on_timing_frame();
}

ASYNCHAT_DECL void async_chat::end_turn()
{
    if (!parsing_ || stops_.any_of(detail::stops::turn_over))
        return;
    deliver_later(); // or throws, for want of memory
    stops_.set(detail::stops::turn_over);
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
    stops_.set(detail::stops::turn_over, false);
    if (parsing_ || !delivers_input())
        return; // the parser on the stack goes on by itself
    if (input_ended_ && !eof_reported_)
        return end_of_input();
    parse_all_kept();
}

ASYNCHAT_DECL void async_chat::end_of_input()
{
    if (at_end_)
        return; // a callback runs the loop: that on the stack goes on by itself
    at_end_ = true;
    input_ended_ = true;
    drop_unfilled();
    // Nothing else will report the end when exit_now leaves a callback.
    struct unfinished {
        async_chat& chat;
        unsigned epoch;
        int exceptions = std::uncaught_exceptions();
        bool is_over() const { return chat.state_->epoch != epoch; } // another connection by now
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
    } const on_exit{*this, state_->epoch};
    // A callback that throws and survives must not keep the end from being reported.
    while (kept_ && delivers_input()) {
        const std::size_t size = kept().size();
        guarded([&] { parse_all_kept(); });
        if (kept().size() >= size)
            break;
    }
    if (!delivers_input() || on_exit.is_over())
        return; // for now
    const bool in_length = kept_ && scanner_.current().is_length_prefix() && !scanner_.in_frame();
    if (dropping_)
        held_ = 0;
    if (held_ > 0 || in_length || (whole_frames_ && !collected_.empty())) {
        std::string rest;
        if (whole_frames_)
            rest.swap(collected_);
        const std::string_view last = in_length ? kept() : held();
        const std::size_t fitting =
            in_length ? last.size() : std::min(last.size(), room_in_frame());
        const std::size_t room = rest.size() + fitting;
        rest += last;
        kept_.reset();
        held_ = 0;
        try {
            if (room > 0)
                guarded([&] { collect_incoming_data(std::string_view(rest).substr(0, room)); });
        } catch (...) { // exit_now: it is delivered again
            if (!on_exit.is_over())
                whole_frames_ ? collected_.swap(rest) : keep_or_end(rest);
            throw;
        }
        if (on_exit.is_over())
            return;
        bool goes_on = true;
        if (rest.size() > room && !is_ending())
            guarded([&] { goes_on = ask_overflow(); });
        if (!goes_on)
            return;
    }
    if (closed() || eof_reported_ || on_exit.is_over())
        return;
    eof_reported_ = true;
    // After a failed send the system shows an end also where the connection was reset: that must
    // not be taken for the end of the stream.
    if (is_lost())
        return end_lost();
    handle_eof();
    if (output_ended_)
        end(close_reason::peer_finished);
}

/// What was received is still to be delivered: the output is dropped, and flush() and
/// end_of_input() see to the end.
ASYNCHAT_DECL void async_chat::connection_lost(asynchat::close_reason reason,
                                               const std::error_code& error)
{
    if (!lose_connection(reason, error))
        return;
    bounds_->lost_output = queue_.size();
    bounds_->blocked = detail::bounds::never;
    queue_.clear();
    stops_.set(detail::stops::blocked, false);
    set_full(false);
}

/// At the end of each event of a lost connection: ends it, unless there is more to deliver.
ASYNCHAT_DECL void async_chat::end_when_heard()
{
    // Nobody waits for a channel that is paused: an error ends it at once.
    if (eof_reported_ || stops_.any_of(detail::stops::closing | detail::stops::paused))
        return end_lost();
    if (!parsing_ && !at_end_ && !stops_.any_of(detail::stops::turn_over) && !may_receive())
        end_of_input();
}

ASYNCHAT_DECL void async_chat::forget_connection()
{
    if (parsing_) {
        parsing_->input = {};
        stops_.set(detail::stops::renewed);
    }
    kept_.reset();
    held_ = 0;
    frame_size_ = 0;
    collected_.clear();
    unfilled_ = 0;
    scanner_.start_anew();
    queue_.clear();
    marks_ = {};
    dropping_ = truncated_ = false;
    output_ended_ = ends_when_sent_ = input_ended_ = eof_reported_ = at_end_ = false;
    using detail::stops;
    for (const auto why : {stops::closing, stops::full, stops::output_ended, stops::blocked})
        stops_.set(why, false);
    stops_.set(stops::changed);
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
    const std::size_t room = max_frame() - std::min(collected_.size() - unfilled_, max_frame());
    const std::string_view fitting = data.substr(0, room);
    // What a string holds without memory needs none from the pool, which may not see it again.
    if (collected_.empty() && std::max(frame_to_come(), fitting.size()) >= detail::min_pooled_size)
        begin_collecting();
    append_to_frame(fitting);
    if (data.size() > room)
        close_for_frame_limit();
}

ASYNCHAT_DECL std::string async_chat::_get_data()
{
    drop_unfilled();
    return std::exchange(collected_, {});
}

// --- output ----------------------------------------------------------------------------------

/// Whether there may be more output, which is then sent soon. First: if that throws, nothing is
/// queued.
inline bool async_chat::may_queue(std::size_t bytes)
{
    if (!accepts_output())
        return false;
    flush_soon();
    if (!bounds_ || bounds_->left <= bounds_->flow.most || bytes == 0)
        return true;
    marks_.refuse();
    return false;
}

/// In an event of ours what is left at its end counts; elsewhere that may be far away.
inline void async_chat::queued()
{
    if (owner().current_ == this && connected())
        return; // it is sent, or waits for the socket, before anything else can be pushed
    const std::size_t high = flow().high;
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
    if (!awaits_writable()) {
        std::size_t sent = 0;
        try {
            sent = send_some(sending::quietly);
        } catch (...) { // of an override of send(): the next attempt tells
        }
        if (is_lost())
            return;
        output_blocked(awaits_writable(), sent > 0);
    }
    if (!marks_.update(queue_.size(), flow()))
        return;
    set_full(marks_.paused() && stops_when_full());
    if (talker && marks_.paused())
        talker->fed_too_much();
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
    detail::pooled_string text(owner().strings());
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
    queue_.watch(flow().high);
    return true;
}

ASYNCHAT_DECL void async_chat::close_when_done()
{
    stops_.set(detail::stops::closing);
    kept_.reset();
    held_ = 0;
    flush_soon();
}

ASYNCHAT_DECL void async_chat::close_when_done(loop::duration longest)
{
    close_when_done();
    if (!closed())
        close_by(longest);
}

ASYNCHAT_DECL void async_chat::push_eof()
{
    stops_.set(detail::stops::output_ended);
    flush_soon();
}

ASYNCHAT_DECL void async_chat::discard_buffers()
{
    if (parsing_) {
        parsing_->input = {};
        stops_.set(detail::stops::changed);
    }
    kept_.reset();
    held_ = 0;
    collected_.clear();
    unfilled_ = 0;
    queue_.clear();
    stops_.set(detail::stops::blocked, false);
    stops_.set(detail::stops::closing, false);
    stops_.set(detail::stops::output_ended, output_ended_);
    if (bounds_ && !is_lost())
        bounds_->close_by = detail::bounds::never;
    if (bounds_)
        bounds_->lost_output = 0; // it is given up
    flush_soon();
}

ASYNCHAT_DECL bool async_chat::writable()
{
    return (!queue_.is_empty() || is_closing() || !connected()) && !sending_;
}

ASYNCHAT_DECL void async_chat::handle_write()
{
    initiate_send();
}

ASYNCHAT_DECL void async_chat::flush()
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
                    safe_repr(), queue_.size(), flow().most);
        return end(close_reason::output_limit);
    }
    if (bounds_ || queue_.size() > flow().most)
        own_bounds().left = queue_.size();
    compare_with_marks();
    tell_marks();
}

ASYNCHAT_DECL void async_chat::compare_with_marks()
{
    if (marks_.update(queue_.size(), flow()))
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
    if (on == stops_.any_of(detail::stops::full))
        return;
    if (!on)
        deliver_later(); // or throws, for want of memory
    stops_.set(detail::stops::full, on);
    stop_or_go_on_timing_frame();
}

ASYNCHAT_DECL void async_chat::set_write_buffer_limits(std::size_t high, std::size_t low)
{
    set_marks(high, low);
    queue_.watch(high);
}

ASYNCHAT_DECL void async_chat::max_output(std::size_t bytes)
{
    own_bounds().flow.most = bytes;
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
    if (bounds_)
        bounds_->left = queue_.size();
    if (!queue_.is_empty() || is_lost())
        return;
    if (is_closing()) {
        lingers_ = connected();
        end(close_reason::local);
    } else if (ends_when_sent_) {
        end(close_reason::peer_finished);
    } else if (stops_.any_of(detail::stops::output_ended) && !output_ended_ && connected()) {
        output_ended_ = true;
        shutdown_output();
        if (eof_reported_ && !is_lost())
            end(close_reason::peer_finished);
    }
}

ASYNCHAT_DECL void async_chat::send_queued(sending what)
{
    if (sending_)
        return;
    const bool had_to_wait = awaits_writable();
    const std::size_t sent = send_some(what);
    // A handle_close() may send what it can, and hears no more of it.
    if (stops_.any_of(detail::stops::closed | detail::stops::ended | detail::stops::lost))
        return;
    if (awaits_writable() || bounds_)
        output_blocked(awaits_writable(), sent > 0);
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
        stops_.set(detail::stops::blocked, tried && connected() && !queue_.is_empty());
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
            failed();
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
