// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_ASYNC_CHAT_HPP
#define ASYNCHAT_ASYNC_CHAT_HPP

#include <asynchat/config.hpp>
#include <asynchat/detail/format.hpp>
#include <asynchat/detail/output/output_queue.hpp>
#include <asynchat/detail/framing/frame_pass.hpp>
#include <asynchat/detail/framing/frame_store.hpp>
#include <asynchat/detail/output/water_marks.hpp>
#include <asynchat/dispatcher.hpp>
#include <asynchat/producer.hpp>
#include <asynchat/terminator.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asynchat {
inline namespace ASYNCHAT_ABI {

namespace detail {
class output_pump;
struct send_override;
} // namespace detail

/// A limit for max_frame(), max_output() and connections that means: no limit.
inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// What handle_overflow() does with a frame that is longer than max_frame().
enum class overflow : unsigned char {
    close,    ///< the channel is closed
    skip,     ///< its rest is dropped, and its end is not reported
    truncate, ///< its rest is dropped, and its end is reported; truncated() is true then
};

/// What a channel does with its input while its output is over the high mark.
enum class full_output : unsigned char {
    by_role,       ///< an accepted channel stops reading; one that connected stops later
    stops_reading, ///< it stops reading until the low mark is reached, without a time limit
    reads_on,      ///< it keeps reading: bound the output yourself
};

/// A channel that cuts its input into frames and queues its output.
///
/// Flow: set a terminator. The channel calls collect_incoming_data() with each piece of input
/// before the terminator, then found_terminator(). There you may set the next terminator. It
/// applies to all bytes that follow, also to those already received. Pushed output is sent in
/// order, at the end of the event in which it was pushed, in as few system calls as possible.
///
///     input  "ECHO 5\nhello"   set_terminator("\n")
///       collect_incoming_data("ECHO 5")
///       found_terminator()         -> set_terminator(5)
///       collect_incoming_data("hello")
///       found_terminator()         -> push("hello")
///
/// The frames do not depend on how the network cuts the input; only the pieces do.
///
/// Inside any callback everything is allowed: push, change the terminator, pause, close, throw,
/// create and close other channels, run the loop. After close() and close_when_done() no more input
/// is delivered.
///
/// Thread safety and lifetime: as dispatcher. An idle channel holds no buffer.
/// Python: Lib/asynchat.py, async_chat
class ASYNCHAT_API async_chat : public dispatcher {
    // First, in the last bytes of the dispatcher.
    detail::water_marks marks_;
    bool has_own_max_frame_ : 1; // by set_terminator(t, max_frame)
    bool has_no_terminator_ : 1; // set_terminator() was never called
    bool receives_more_ : 1;     // the last receive was full, and was used up
    bool sending_ : 1;
    bool ends_when_sent_ : 1; // by handle_eof()
    bool input_ended_ : 1;    // handle_eof() is due, or was called
    bool at_end_ : 1;         // end_of_input_() is on the stack
    bool eof_reported_ : 1;

public:
    /// A channel without a socket, for clients: call connect() next. Throws std::bad_alloc.
    ASYNCHAT_DECL explicit async_chat(loop& owner);

    /// A channel over a connected socket, for servers.
    ASYNCHAT_DECL async_chat(loop& owner, socket from);

    ASYNCHAT_DECL ~async_chat() override;

    /// Largest piece and receive (at most 1 GiB) and largest send, in bytes; 0 counts as 1. One
    /// turn of the loop sends several times, sixteen times as many bytes but no more than 1 MiB
    /// unless one send does. It receives up to 262144 bytes while the peer sends more than this,
    /// unless this is less than 65536; and up to sixteen times as many bytes of a large frame
    /// directly into the frame's memory. May be changed at any time. Differs: 65536 bytes for
    /// output in Python; a receive never takes more there.
    std::uint32_t ac_in_buffer_size = 65536;
    std::uint32_t ac_out_buffer_size = 262144;

    // --- what a subclass overrides -------------------------------------------------------------

    /// Called with each piece of input that precedes the terminator; pieces may split anywhere.
    ///
    /// `data` is never empty and is valid only during the call: copy what you keep. An exception
    /// goes to handle_error(); if the channel stays open, the piece is delivered again. The
    /// default keeps the pieces, up to max_frame() bytes: see _get_data(). Python:
    /// async_chat.collect_incoming_data, which raises NotImplementedError
    virtual void collect_incoming_data(std::string_view data) { _collect_incoming_data(data); }

    /// Called when the terminator was found, after the last piece before it. An empty frame has no
    /// piece. A count is 0 when this is called. It stays 0, which collects everything, until you
    /// set a new terminator.
    /// Python: async_chat.found_terminator
    virtual void found_terminator() = 0;

    /// Called once for each frame that is longer than max_frame(). The result says what happens to
    /// the frame. The default closes the channel with close_reason::frame_limit and logs a line.
    ///
    /// By then max_frame() bytes have been delivered. A length-prefixed frame is judged when its
    /// length is known, before any byte is delivered; with overflow::truncate its first bytes are
    /// delivered afterwards. overflow::skip also drops what _collect_incoming_data() kept.
    ///
    /// Everything is allowed inside. After close() and close_when_done() the result is ignored.
    /// If you set another string here or later, the rest of the frame is dropped up to that
    /// string. A terminator of another kind ends the frame at once, without a report; so does any
    /// terminator if the frame is length-prefixed. If the function throws and the channel stays
    /// open, it is called again with the next input. Python: none
    virtual overflow handle_overflow() { return overflow::close; }

    /// Called when a frame was not complete within frame_timeout(), before the channel ends with
    /// close_reason::frame_timeout.
    ///
    /// You may send a last message: call push(), then close_when_done(). The reason is then
    /// close_reason::local. If the function throws and the channel stays open, the timeout starts
    /// again. Python: none
    virtual void handle_frame_timeout() {}

    // --- input ---------------------------------------------------------------------------------

    /// Sets what ends the frames from the next byte on: a string, the first of several strings, a
    /// count of bytes, a length prefix, or nothing (std::nullopt, 0 and "" collect everything).
    ///
    /// May be called at any time. In found_terminator() it applies to the bytes already received.
    /// In collect_incoming_data() it applies from the byte after the piece, and after the
    /// terminator if that was already found. Elsewhere it applies from the next input on. Throws
    /// std::invalid_argument for a negative count.
    /// Differs: a terminator that is set while a count is running replaces the count.
    /// Python: async_chat.set_terminator
    ASYNCHAT_DECL void set_terminator(const terminator& next);

    template <class Integer, std::enable_if_t<detail::is_count_type<Integer>, int> = 0>
    void set_terminator(Integer count)
    {
        if constexpr (std::is_signed_v<Integer>) {
            if (count < 0)
                return set_terminator(terminator(count)); // which throws
        }
        set_count(static_cast<std::size_t>(count));
    }
    template <class Text, detail::if_literal<Text> = 0>
    void set_terminator(Text& literal)
    {
        set_string(std::string_view(literal, std::extent_v<Text> - 1));
    }

    /// As above, with a max_frame() of its own, in bytes, for the frames that this terminator ends.
    ASYNCHAT_DECL void set_terminator(const terminator& next, std::size_t max_frame);

    /// The current terminator. Its count() is the number of bytes that are left of a count or of a
    /// length-prefixed frame; it is 0 while the length is read. The channel calls this before each
    /// piece, so an override can steer the parser. Python: async_chat.get_terminator
    virtual const terminator& get_terminator() const { return decoder_.current(); }

    /// In found_terminator(): the string that ended the frame; empty if no string ended it. The
    /// view is valid until the terminator is changed.
    [[nodiscard]] std::string_view matched_terminator() const noexcept
    {
        return decoder_.matched();
    }

    /// In found_terminator(): true if this frame was cut because handle_overflow() returned
    /// overflow::truncate.
    [[nodiscard]] bool truncated() const noexcept { return decoder_.truncated(); }

    /// Largest accepted frame in bytes, not counting the terminator or length prefix; 64 KiB by
    /// default. For no limit pass `unlimited`. It bounds what _collect_incoming_data() keeps for
    /// every terminator. It does not bound a count or unframed input if the subclass takes the
    /// pieces itself. A longer frame goes to handle_overflow(). A terminator that was set with a
    /// separate limit uses that limit.
    void max_frame(std::size_t bytes)
    {
        if (has_own_max_frame_)
            rare().max_frame = bytes;
        else
            decoder_.limit(bytes);
    }
    [[nodiscard]] std::size_t max_frame() const noexcept
    {
        if (has_own_max_frame_)
            return rare_ ? rare_->max_frame : detail::default_max_frame;
        return decoder_.limit();
    }

    /// Stops the delivery of input until resume_reading(). Inside a piece, the found_terminator()
    /// that belongs to this piece is still called.
    ASYNCHAT_DECL void pause_reading();

    /// Delivers input again, in a later turn and never inside the call.
    ASYNCHAT_DECL void resume_reading();

    /// In a callback of the input: ends this turn of the channel after the callback. Input that is
    /// already received is delivered in a later turn, after the turns of the other channels.
    ///
    /// Use it when the work of a callback is large compared with its frame. A turn is bounded in
    /// bytes received: a line that is sent on to a thousand channels costs a thousand times as much
    /// as the bound expects. Does nothing outside such a callback. Python: none
    ASYNCHAT_DECL void end_turn();

    /// How long a frame may take, from its first byte to its last; 120 seconds by default on an
    /// accepted connection, no limit on others. Zero and negative values: as for the timeouts of
    /// dispatcher. The clock stands still while reading is paused or stopped by the high mark, and
    /// while a callback of the input runs the loop; then it continues.
    ASYNCHAT_DECL void frame_timeout(loop::duration timeout);
    [[nodiscard]] loop::duration frame_timeout() const noexcept { return active_timeouts().frame; }

    /// Largest number of bytes that the channel receives in a second; `unlimited` by default. Over
    /// it the channel stops reading until it may go on, so TCP slows the peer down: nothing is
    /// lost, and nobody is closed.
    ///
    /// A channel that has received less may receive the bytes of one second at once. A receive,
    /// which is of ac_in_buffer_size at most, may go beyond that; the wait is then longer. It ends
    /// up to a hundredth of a second late, which the channel catches up with. Over TLS the
    /// decrypted bytes count. frame_timeout() stands still in the meantime, and idle_timeout()
    /// starts again afterwards. May be called at any time, and acts at once, also on a channel that
    /// waits: it keeps the unused part of a second's bytes, in proportion, and a debt is forgiven.
    /// Throws std::invalid_argument for 0. Python: none
    ASYNCHAT_DECL void read_rate(std::size_t bytes_per_second);
    [[nodiscard]] std::size_t read_rate() const noexcept
    {
        return has_rates() ? rare_->rates->own.bytes.rate() : unlimited;
    }

    /// As read_rate(), for the frames that end in a second. The next frame begins when it may: what
    /// was received of it stays in the channel, and is delivered later. Without a terminator there
    /// are no frames, and no limit.
    ASYNCHAT_DECL void frame_rate(std::size_t frames_per_second);
    [[nodiscard]] std::size_t frame_rate() const noexcept
    {
        return has_rates() ? rare_->rates->own.frames.rate() : unlimited;
    }

    // --- output --------------------------------------------------------------------------------

    /// Queues bytes to be sent in order. A view is copied, a string is moved, a shared string is
    /// referenced: one message to many channels is stored once. A literal means all its bytes
    /// without the final NUL. Small strings (moved: under 2048 bytes, shared: under 512) are copied
    /// because that is cheaper.
    ///
    /// The bytes are sent at the end of the running event of this channel, or before the loop
    /// sleeps; errors are reported then. Outside an event of this channel, a push that passes the
    /// high mark sends at once what the socket takes. Returns false and queues nothing after
    /// close(), close_when_done() and push_eof(), in handle_close(), when the connection is lost,
    /// and over max_output(). Python: async_chat.push. Differs: it sends later, and sends several
    /// pushes together.
    bool push(std::string_view data)
    {
        constexpr unsigned reasons = detail::gate::of_output | detail::gate::blocked;
        return (!gate_.has(reasons) && queue_.append(data)) || queue_first(data);
    }
    ASYNCHAT_DECL bool push(std::string&& data);
    ASYNCHAT_DECL bool push(std::shared_ptr<const std::string> data);
    template <class Text, detail::if_literal<Text> = 0>
    bool push(Text& literal)
    {
        return push(std::string_view(literal, std::extent_v<Text> - 1));
    }
    template <class T,
              std::enable_if_t<std::is_same_v<T, const char*> || std::is_same_v<T, char*>, int> = 0>
    bool push(const T& text)
    {
        return push(std::string_view(text));
    }
    template <std::size_t N>
    bool push(char (&text)[N])
    {
        return push(std::string_view(text));
    }
    bool push(std::nullptr_t) = delete;

    /// push() of a text that fmt formats: print("{} {}\r\n", 200, "OK").
    template <class... Args>
    bool print(fmt::format_string<Args...> format, Args&&... args)
    {
        return vprint(detail::text_of(format), fmt::make_format_args(args...));
    }

    /// Queues a producer. Its more() is called when all earlier output was sent.
    /// Throws std::invalid_argument for a null pointer. Returns false when push() does, but
    /// max_output() does not refuse it, because the size of its output is not known.
    /// Python: async_chat.push_with_producer
    ASYNCHAT_DECL bool push_with_producer(std::unique_ptr<producer> source);

    /// As above, with a callable. Each call returns the next piece, as a std::string, a
    /// std::string_view or an optional of one; an empty piece ends it.
    template <class Callable, std::enable_if_t<std::is_invocable_v<Callable&>, int> = 0>
    bool push_with_producer(Callable next)
    {
        return push_with_producer(std::unique_ptr<producer>(
            std::make_unique<detail::callable_producer<Callable>>(std::move(next))));
    }

    /// Calls `f()` when all output that was pushed before is sent, that is, handed to the system.
    /// Not called if the channel ends earlier. Returns as push_with_producer(). Python: none
    template <class F, std::enable_if_t<std::is_invocable_v<F&>, int> = 0>
    bool call_when_sent(F f)
    {
        return push_with_producer(std::make_unique<detail::call_producer<F>>(std::move(f)));
    }

    /// Ends the channel with handle_close() when all pushed output is sent; with no output, at the
    /// end of the event. No input is delivered from now on. Further input is received and dropped,
    /// so that a peer that is still sending can finish and read our output.
    /// Python: async_chat.close_when_done
    ASYNCHAT_DECL void close_when_done();

    /// As above, but ends the channel with close_reason::close_timeout if the output is not sent
    /// within `timeout`. pending_output() is then the number of bytes lost.
    ASYNCHAT_DECL void close_when_done(loop::duration timeout);

    /// Ends our stream when all pushed output is sent. The peer then sees the end of the stream; it
    /// may continue to send. From now on push() returns false. The channel ends when the peer has
    /// also ended its stream.
    /// Python: none; asyncio has WriteTransport.write_eof
    ASYNCHAT_DECL void push_eof();

    /// Drops undelivered input, the data that _collect_incoming_data() kept, all queued output, and
    /// a pending close_when_done() or push_eof(). The terminator stays.
    /// Python: async_chat.discard_buffers
    ASYNCHAT_DECL void discard_buffers();

    /// Sends as much as the socket takes now. The library calls it; call it yourself only to send
    /// in the middle of a callback. Passes on what a producer throws.
    /// Python: async_chat.initiate_send
    ASYNCHAT_DECL void initiate_send();

    /// Bytes that were pushed and are not sent yet, without the future output of producers. When
    /// the connection is lost or closed: the bytes that were lost.
    [[nodiscard]] std::size_t pending_output() const noexcept
    {
        return queue_.size() + (rare_ ? rare_->lost.output : 0);
    }

    // --- flow ----------------------------------------------------------------------------------
    // Output that the peer does not take waits in the queue. Over the high mark an accepted channel
    // stops reading and stops delivering input, until the queue is down to the low mark: a client
    // that does not read its answers cannot request more of them. A channel that connected stops
    // over half of max_output(). If both sides have stopped, each waits for the other. Therefore
    // both read again when the peer has taken nothing for one to two seconds.

    /// Sets the marks, in bytes. They are compared with pending_output() after an attempt to send;
    /// 256 KiB and 64 KiB by default. Throws std::invalid_argument when `low` is over `high`.
    /// Python: none; asyncio has WriteTransport.set_write_buffer_limits
    ASYNCHAT_DECL void write_buffer_limits(std::size_t high, std::size_t low);

    /// The high and the low mark.
    [[nodiscard]] std::pair<std::size_t, std::size_t> write_buffer_limits() const noexcept
    {
        return {active_output_limits().high, active_output_limits().low};
    }

    /// Largest amount of waiting output in bytes; 8 MiB by default. For no limit pass `unlimited`.
    /// Output that is added while more than this waits ends the channel with
    /// close_reason::output_limit.
    ///
    /// Waiting output is what was left after the last event or attempt to send. One event may push
    /// any amount: a large answer never ends the connection of a peer that reads. The push that is
    /// refused returns false, and the channel ends in a later turn.
    ASYNCHAT_DECL void max_output(std::size_t bytes);
    [[nodiscard]] std::size_t max_output() const noexcept
    {
        return active_output_limits().max_bytes;
    }

    /// Sets what the channel does over the high mark; full_output::by_role by default. With
    /// `reads_on`, bound the output yourself, for example in handle_write_paused().
    ASYNCHAT_DECL void when_full(full_output what);
    [[nodiscard]] full_output when_full() const noexcept
    {
        return rare_ ? rare_->when_full : full_output::by_role;
    }

    /// True from when the output passes the high mark until it is down to the low mark.
    [[nodiscard]] bool write_paused() const noexcept { return marks_.paused(); }

    /// Called when the output passes the high mark, and later when it is down to the low mark. The
    /// calls alternate and never happen inside push(). The defaults do nothing.
    /// Python: none; asyncio has Protocol.pause_writing, resume_writing
    virtual void handle_write_paused() {}
    virtual void handle_write_resumed() {}

    /// Called when all output is sent after some of it had to wait for the peer. Not called when an
    /// event could send all its output at once.
    virtual void handle_drained() {}

    // --- handlers, as in dispatcher --------------------------------------------------------------

    ASYNCHAT_DECL bool readable() override;
    ASYNCHAT_DECL bool writable() override;
    ASYNCHAT_DECL void handle_read() override;
    ASYNCHAT_DECL void handle_write() override;

    /// Closes. Python: async_chat.handle_close
    ASYNCHAT_DECL void handle_close() override;

    /// Called when the peer has ended its stream and all its input was delivered, including the
    /// bytes that could have begun a terminator. You may still push. The default ends the channel
    /// when the output is empty. An override that does nothing keeps the channel open for output.
    ASYNCHAT_DECL void handle_eof() override;

    /// Calls close_when_done(). An override may push a last message first; it then calls
    /// close_when_done() too, or close() later.
    ASYNCHAT_DECL void handle_shutdown() override;

protected:
    /// Keeps the piece for _get_data(), up to max_frame() bytes in all.
    /// Python: async_chat._collect_incoming_data
    ASYNCHAT_DECL void _collect_incoming_data(std::string_view data);

    /// Takes the data that _collect_incoming_data() kept, as one string.
    /// Python: async_chat._get_data
    [[nodiscard]] ASYNCHAT_DECL std::string _get_data();

    // Protected: a call past the queue would send or receive out of order. Layers override them.
    using dispatcher::recv;
    using dispatcher::send;

private:
    friend class frame_chat;
    friend class websocket_chat;
    friend struct detail::send_override;

    // What an attempt to send may do: everything; call no producer; call nothing but send().
    enum class sending : unsigned char { everything, data_only, quietly };

    /// The input of one receive while it is delivered.
    class delivery : public detail::frame_decoder::pass {
    public:
        delivery(async_chat& chat, std::size_t part, std::string_view input) noexcept
            : pass(chat.decoder_, input, {part, &chat.owner().unread_}), chat_(chat)
        {
        }
        delivery(async_chat& chat, std::size_t part) noexcept // of the unread input
            : pass(chat.decoder_, {part, &chat.owner().unread_}), chat_(chat)
        {
        }
        delivery(async_chat& chat, received_aside aside) noexcept
            : pass(chat.decoder_, aside), chat_(chat)
        {
        }
        ~delivery() { chat_.input_is_over(*this); }

        unsigned nested = 0; // loops that a callback runs
        // In a frame_chat: the frame of the found_frame() that is running. In a websocket_chat: the
        // message of the handle_message() that is running, if it is in the input.
        std::string_view frame;
        std::string* storage = nullptr; // owns `frame` if it is not in the input

    private:
        async_chat& chat_;
    };

    class end_of_input_guard;

    ASYNCHAT_DECL bool vprint(fmt::string_view format, fmt::format_args args);
    [[gnu::cold]] ASYNCHAT_PRIVATE bool print_by_fmt(fmt::string_view format,
                                                     fmt::format_args args);
    ASYNCHAT_DECL bool queue_first(std::string_view data);
    bool may_queue(std::size_t bytes);
    void queued();
    ASYNCHAT_PRIVATE void pushed_much();
    bool accepts_output() const noexcept { return gate_.accepts_output(); }
    bool delivers_input() const noexcept { return gate_.delivers_input(); }
    bool input_flows() const noexcept { return gate_.input_flows(); }
    bool awaits_writable() const noexcept { return gate_.has(detail::gate::blocked); }
    bool is_closing() const noexcept { return gate_.has(detail::gate::closing); }
    bool has_sent_eof() const noexcept { return gate_.has(detail::gate::eof_sent); }
    /// Whether the rest of the input that is being delivered must be dropped.
    bool is_ending() const noexcept
    {
        using detail::gate;
        return gate_.has(gate::closed | gate::closing | gate::ended | gate::renewed);
    }
    detail::output_pool& pool() noexcept { return owner().pool(); }
    detail::string_pool& frame_memory() noexcept { return owner().strings(); }
    bool is_renewed() const noexcept { return gate_.has(detail::gate::renewed); }
    /// While input is delivered: a callback may run the loop, close, set a terminator.
    delivery* under_way() const noexcept { return static_cast<delivery*>(decoder_.under_way()); }

    ASYNCHAT_DECL void end_of_event_() override;
    ASYNCHAT_DECL void end_of_input_() override;
    ASYNCHAT_DECL void connection_lost_(asynchat::close_reason reason,
                                        const std::error_code& error) override;
    ASYNCHAT_DECL void forget_connection_() override;
    ASYNCHAT_DECL bool is_at_rest_() const noexcept override;
    ASYNCHAT_DECL std::string take_early_input_(early_input early) override;
    ASYNCHAT_DECL bool switches_later_() override;
    ASYNCHAT_DECL void nested_run_(bool begins) override;
    ASYNCHAT_DECL void fed_too_much_() override { end_turn(); }
    ASYNCHAT_DECL void obey_rates_() override;
    ASYNCHAT_DECL void deadline_reached_() override;
    bool reads_speculatively_() const override { return true; }

    /// Delivers the input of one receive. A frame_chat overrides this and keeps its frames.
    ASYNCHAT_DECL virtual void deliver_(delivery& input);
    virtual bool keeps_frames_() const noexcept { return false; }

    // What set_terminator() does without making a terminator: it may be called for each message.
    ASYNCHAT_DECL void set_count(std::size_t count);
    ASYNCHAT_DECL void set_string(std::string_view string);
    // Apart, or the usual cases would save registers for them.
    ASYNCHAT_PRIVATE void set_other_count(std::size_t count);
    ASYNCHAT_PRIVATE void set_other_string(std::string_view string);
    void resume_string();
    ASYNCHAT_PRIVATE void change_terminator(const terminator& next, std::size_t max_frame);
    void terminator_has_changed();
    ASYNCHAT_PRIVATE void kept_frame_goes_on(bool was_dropping);
    [[noreturn]] ASYNCHAT_PRIVATE static void refuse_count(std::size_t count,
                                                           std::size_t max_frame);
    void follow_override();
    ASYNCHAT_PRIVATE void drop_input();
    ASYNCHAT_PRIVATE void tell_no_terminator();
    ASYNCHAT_PRIVATE std::string_view behind_carried(char* input, std::size_t size);
    ASYNCHAT_PRIVATE std::size_t receive(asio::mutable_buffer into);
    ASYNCHAT_PRIVATE bool may_receive_now();
    inline std::size_t max_receive() const noexcept;
    ASYNCHAT_PRIVATE std::size_t large_receive(std::size_t size) const noexcept;
    template <class... Input>
    std::size_t parse(std::size_t part, Input... input);
    bool goes_on_with(delivery& input) { return input.has_more() && begin_next_part(input); }
    ASYNCHAT_PRIVATE bool begin_next_part(delivery& input);
    void input_is_over(delivery& input) noexcept
    {
        if (!gate_.input_flows())
            stopped_input_is_over(input);
        count_frames(input.frames());
    }
    ASYNCHAT_PRIVATE void stopped_input_is_over(delivery& input) noexcept;
    void time_frame_of(const delivery& input);
    bool may_deliver(delivery& input) { return gate_.input_flows() || may_deliver_steered(input); }
    ASYNCHAT_PRIVATE bool may_deliver_steered(delivery& input);
    ASYNCHAT_PRIVATE bool obey(delivery& input, detail::frame_decoder::step step);
    ASYNCHAT_PRIVATE bool ask_overflow(delivery* input);
    ASYNCHAT_PRIVATE void set_rate(detail::rate_limit detail::rate_limits::*which,
                                   std::size_t per_second);
    ASYNCHAT_PRIVATE void charge(detail::rate_limit detail::rate_limits::*which,
                                 std::size_t n) noexcept;
    ASYNCHAT_PRIVATE void charge_bytes(std::size_t n) noexcept;
    ASYNCHAT_PRIVATE void charge_frames(std::size_t in_pass) noexcept;
    ASYNCHAT_PRIVATE bool rates_allow(bool receives);
    ASYNCHAT_PRIVATE void hold(loop::time_point until, detail::server_rates* all);
    ASYNCHAT_PRIVATE bool hold_is_over();
    ASYNCHAT_PRIVATE void end_hold();
    bool obeys_rates() const noexcept { return has_rates(); }
    void turn_is_used() noexcept
    {
        if (has_rates())
            rare_->rates->has_turn = false;
    }
    void send_if_much();
    ASYNCHAT_PRIVATE void send_much();
    std::size_t frame_room() const noexcept
    {
        return decoder_.limit() - std::min(frame_.size(), decoder_.limit());
    }
    ASYNCHAT_PRIVATE std::size_t frame_to_come() const;
    ASYNCHAT_PRIVATE void close_for_frame_limit();
    ASYNCHAT_PRIVATE void close_for_malformed_frame(delivery& input);
    ASYNCHAT_PRIVATE void close_for_early_input();
    ASYNCHAT_PRIVATE bool deliver_remainder();
    ASYNCHAT_PRIVATE void frame_goes_on();
    ASYNCHAT_DECL void time_frame(); // also for the library of WebSocket
    ASYNCHAT_PRIVATE void stop_or_go_on_timing_frame();
    void frame_has_ended() noexcept
    {
        if (rare_)
            rare_->clocks.stop(detail::deadlines::clock::frame);
    }
    ASYNCHAT_PRIVATE void end_when_heard();
    ASYNCHAT_PRIVATE void deliver_later();
    ASYNCHAT_PRIVATE void deliver_kept();
    ASYNCHAT_PRIVATE void all_is_sent();
    ASYNCHAT_PRIVATE void wait_for_last_words();
    ASYNCHAT_PRIVATE void try_to_send();
    ASYNCHAT_PRIVATE std::string take_held_output();
    ASYNCHAT_PRIVATE void send_queued(sending what);
    ASYNCHAT_PRIVATE std::size_t send_some(sending what);
    void send_data(detail::output_pump& pump, std::string_view piece, sending what);
    ASYNCHAT_PRIVATE void send_file(detail::output_pump& pump);
    ASYNCHAT_PRIVATE void ask_producer(detail::output_pump& pump);
    ASYNCHAT_PRIVATE void check_output_limit();
    ASYNCHAT_PRIVATE void compare_with_marks();
    ASYNCHAT_PRIVATE std::size_t stop_over() const noexcept;
    ASYNCHAT_PRIVATE void nothing_was_taken();
    ASYNCHAT_PRIVATE void tell_marks();
    ASYNCHAT_PRIVATE void set_full(bool on);
    ASYNCHAT_PRIVATE void time_full(bool is_full);
    ASYNCHAT_PRIVATE void check_full();

    detail::frame_decoder decoder_;
    detail::output_queue queue_;
    detail::frame_store frame_; // _collect_incoming_data(), or a begun frame
};

} // namespace ASYNCHAT_ABI
} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/async_chat.ipp>
#  include <asynchat/impl/async_chat_end.ipp>
#  include <asynchat/impl/async_chat_output.ipp>
#  include <asynchat/impl/async_chat_rates.ipp>
#  include <asynchat/impl/print.ipp>
#endif
#endif
