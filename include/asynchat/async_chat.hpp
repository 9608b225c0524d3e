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

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asynchat {

namespace detail {
class output_pump;
struct send_override;
} // namespace detail

/// For max_frame: no limit at all.
inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// What handle_overflow() does with a frame that is longer than max_frame().
enum class overflow : unsigned char {
    close,    ///< the channel is closed
    skip,     ///< its rest is dropped, and its end is not reported
    truncate, ///< its rest is dropped, and its end is reported; truncated() is true then
};

/// What a channel does with its input while its output is over the high mark.
enum class full_output : unsigned char {
    by_role,       ///< one that was accepted stops reading, one that connected does so later
    stops_reading, ///< it stops, until the low mark, however long that takes
    reads_on,      ///< it reads on: then bound the output yourself
};

/// A channel that cuts its input into frames and queues its output.
///
/// Flow: set a terminator; each piece of input before it comes to collect_incoming_data(), its end
/// to found_terminator(), where the next terminator may be set: it governs the bytes that follow,
/// also those already received. What is pushed leaves in order, at the end of the event in which it
/// was pushed, in as few system calls as possible.
///
///     input  "ECHO 5\nhello"   set_terminator("\n")
///       collect_incoming_data("ECHO 5")
///       found_terminator()         -> set_terminator(5)
///       collect_incoming_data("hello")
///       found_terminator()         -> push("hello")
///
/// However the network cuts the input, the frames are the same; only the pieces differ.
///
/// Inside any callback everything is allowed: push, change the terminator, pause, close, throw,
/// create and close other channels, run the loop. After close() and close_when_done() no more input
/// is delivered.
///
/// Thread safety and lifetime: as dispatcher. An idle channel holds no buffer.
/// Python: Lib/asynchat.py, async_chat
class async_chat : public dispatcher {
public:
    /// Without a socket, for clients: connect() follows. Throws std::bad_alloc.
    ASYNCHAT_DECL explicit async_chat(loop& owner);

    /// Over a connected socket, for servers.
    ASYNCHAT_DECL async_chat(loop& owner, socket from);

    ASYNCHAT_DECL ~async_chat() override;

    /// Bytes of one receive, 1 GiB at most, and of one send; sixteen times as many for a turn of
    /// the loop, which may send several times, and receive that much of a large frame into its own
    /// memory. Read each time they are needed; 0 counts as 1.
    std::size_t ac_in_buffer_size = 65536;
    std::size_t ac_out_buffer_size = 65536;

    // --- what a subclass overrides -------------------------------------------------------------

    /// Called with each piece of input that precedes the terminator; pieces may split anywhere.
    ///
    /// `data` is never empty and is valid only during the call: copy what you keep. An exception
    /// goes to handle_error(); if the channel survives it, the piece is delivered again. The
    /// default keeps the pieces, up to max_frame(): see _get_data(). Python:
    /// async_chat.collect_incoming_data, which raises NotImplementedError
    virtual void collect_incoming_data(std::string_view data) { _collect_incoming_data(data); }

    /// Called when the terminator was found, after the last piece before it; without any piece if
    /// the frame is empty. A count is 0 by then and stays so, collecting everything, until a new
    /// terminator is set.
    /// Python: async_chat.found_terminator
    virtual void found_terminator() = 0;

    /// Called once for each frame that is longer than max_frame(). Says what becomes of it; the
    /// default closes the channel, for close_reason::frame_limit and with a line in the log.
    ///
    /// By then max_frame() bytes have been delivered. A length-prefixed frame is judged when its
    /// length is known, before any byte is delivered; with overflow::truncate its first bytes are
    /// delivered afterwards. overflow::skip also drops what _collect_incoming_data() kept.
    ///
    /// Everything is allowed inside. After close() and close_when_done() the answer does not
    /// matter. If another string is set here or later, the rest of the frame is dropped up to that
    /// string. A terminator of another kind ends the frame at once, unreported; so does any
    /// terminator if the frame is length-prefixed. If the function throws and the channel survives,
    /// it is called again with the next input. Python: none
    virtual overflow handle_overflow() { return overflow::close; }

    /// Called when a frame was not complete within frame_timeout(), before the channel ends for
    /// close_reason::frame_timeout.
    ///
    /// A chance for a last word: after push() and close_when_done() it is sent, and the reason is
    /// close_reason::local. If the function throws and the channel survives, the frame is measured
    /// anew. Python: none
    virtual void handle_frame_timeout() {}

    // --- input ---------------------------------------------------------------------------------

    /// What ends the frames from the next byte on: a string or the first of several, a count of
    /// bytes, the length in front of each frame, or nothing (std::nullopt, 0 and "" collect
    /// everything).
    ///
    /// May be called at any time. In found_terminator() it acts on the bytes already received; in
    /// collect_incoming_data() from the byte after the piece and the terminator already found;
    /// elsewhere together with the next input. Throws std::invalid_argument for a negative count.
    /// Differs: a terminator set while a count is running is taken as it is.
    /// Python: async_chat.set_terminator
    ASYNCHAT_DECL void set_terminator(const terminator& next);

    /// As above, with a max_frame() of its own, in bytes, for the frames that this terminator ends.
    ASYNCHAT_DECL void set_terminator(const terminator& next, std::size_t max_frame);

    /// The terminator in force. Its count() is what is left of a count, or of a frame that has its
    /// length in front; that is 0 while the length is read. Asked before each piece, so that
    /// an override can steer the parser. Python: async_chat.get_terminator
    virtual const terminator& get_terminator() const { return decoder_.current(); }

    /// In found_terminator(), until the terminator is changed: the string that ended the frame, of
    /// several the one that did. Empty if no string did.
    std::string_view matched_terminator() const noexcept { return decoder_.matched(); }

    /// In found_terminator(): whether handle_overflow() had this frame truncated.
    bool truncated() const noexcept { return decoder_.truncated(); }

    /// Largest accepted frame in bytes, not counting the terminator or length prefix; 64 KiB by
    /// default, `unlimited` must be spelled out. It bounds what _collect_incoming_data() keeps for
    /// every terminator, but not a count or unframed input whose pieces the subclass takes itself.
    /// A longer frame goes to handle_overflow(). A terminator that was set with a limit of its own
    /// goes by that one.
    void max_frame(std::size_t bytes) noexcept
    {
        max_frame_ = bytes;
        if (!has_own_max_frame_)
            decoder_.limit(bytes);
    }
    std::size_t max_frame() const noexcept { return max_frame_; }

    /// Delivers no more input until resume_reading(), from the next piece on: only a
    /// found_terminator() that belongs to the piece being delivered still follows.
    ASYNCHAT_DECL void pause_reading();

    /// Delivers input again, in a later turn and never inside the call.
    ASYNCHAT_DECL void resume_reading();

    /// In a callback of the input: ends this turn of the channel after it. Input that was received
    /// already is delivered in a later turn, after the other channels had theirs.
    ///
    /// For callbacks whose work is more than the bytes of their frame: a turn is bounded in bytes,
    /// so that a line that is passed on to a thousand others makes it a thousand times as long.
    /// Does nothing elsewhere. Python: none
    ASYNCHAT_DECL void end_turn();

    /// How long a frame may take, from its first byte to its last; 120 seconds by default on a
    /// connection that was accepted, no limit on others. As the timeouts of dispatcher. It stands
    /// still while reading is paused or the high mark holds, and while a callback of the input runs
    /// the loop, and goes on from there.
    ASYNCHAT_DECL void frame_timeout(loop::duration timeout);
    loop::duration frame_timeout() const noexcept { return active_timeouts().frame; }

    // --- output --------------------------------------------------------------------------------

    /// Queues bytes to be sent in order. A view is copied, a string moved, a shared string
    /// referenced, so that one message to many channels is kept once; a literal means all its
    /// bytes. Small ones (moved under 2048 bytes, shared under 512) are copied: that is cheaper.
    ///
    /// They are sent at the end of the running event of this channel, or before the loop sleeps;
    /// errors show then. From outside of an event of this channel, what is over the high mark is
    /// sent at once, as far as it goes. Returns false, and queues nothing, after close(),
    /// close_when_done() and push_eof(), in handle_close(), when the connection is lost, and over
    /// max_output(). Python: async_chat.push. Differs: it sends later, and gathers.
    bool push(std::string_view data)
    {
        constexpr unsigned reasons = detail::gate::of_output | detail::gate::blocked;
        return (!gate_.has(reasons) && queue_.append(data)) || queue_first(data);
    }
    ASYNCHAT_DECL bool push(std::string&& data);
    ASYNCHAT_DECL bool push(std::shared_ptr<const std::string> data);
    template <std::size_t N>
    bool push(const char (&literal)[N])
    {
        return push(std::string_view(literal, N - 1));
    }
    template <class T,
              std::enable_if_t<std::is_same_v<T, const char*> || std::is_same_v<T, char*>, int> = 0>
    bool push(T text)
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

    /// Queues a producer, which is asked for its pieces when all before it was sent.
    /// Throws std::invalid_argument for a null pointer. Returns as push(), but max_output() does
    /// not refuse it: what it will make is not known. Python: async_chat.push_with_producer
    ASYNCHAT_DECL bool push_with_producer(std::unique_ptr<producer> source);

    /// As above, with a callable: each call returns the next piece, as std::string, view or
    /// optional of one; an empty one ends it.
    template <class Callable, std::enable_if_t<std::is_invocable_v<Callable&>, int> = 0>
    bool push_with_producer(Callable next)
    {
        return push_with_producer(std::unique_ptr<producer>(
            std::make_unique<detail::callable_producer<Callable>>(std::move(next))));
    }

    /// Calls `f()` when all that was pushed before is sent, which means: handed to the system. Not
    /// called if the channel ends before. Returns as push_with_producer(). Python: none
    template <class F, std::enable_if_t<std::is_invocable_v<F&>, int> = 0>
    bool call_when_sent(F f)
    {
        return push_with_producer(std::make_unique<detail::call_producer<F>>(std::move(f)));
    }

    /// Ends the channel with handle_close() when all that was pushed is sent: at the end of the
    /// event if that is nothing. No input is delivered from now on: what still comes is dropped, so
    /// that the other side, which may be busy sending, gets to read.
    /// Python: async_chat.close_when_done
    ASYNCHAT_DECL void close_when_done();

    /// As above, but after `timeout` whatever is left, for close_reason::close_timeout;
    /// pending_output() tells what was lost.
    ASYNCHAT_DECL void close_when_done(loop::duration timeout);

    /// Ends our stream when all that was pushed is sent: the other side comes to its end, and may
    /// go on sending. From now on push() returns false. The channel ends when the other side has
    /// ended its stream as well.
    /// Python: none; asyncio has WriteTransport.write_eof
    ASYNCHAT_DECL void push_eof();

    /// Drops the input that waits, what _collect_incoming_data() kept, all queued output and a
    /// requested close_when_done() or push_eof(). The terminator stays.
    /// Python: async_chat.discard_buffers
    ASYNCHAT_DECL void discard_buffers();

    /// Sends what can be sent now. The library calls it; calling it is needed only to send in the
    /// middle of a callback. What a producer throws comes out of it.
    /// Python: async_chat.initiate_send
    ASYNCHAT_DECL void initiate_send();

    /// Bytes that were pushed and not sent yet; what producers will make does not count. When the
    /// connection is lost or closed, the bytes that were lost.
    std::size_t pending_output() const noexcept
    {
        return queue_.size() + (rare_ ? rare_->lost.output : 0);
    }

    // --- flow ----------------------------------------------------------------------------------
    // Output that the other side does not take waits here. Over the high mark a channel that was
    // accepted stops reading, and delivering what it has read, until no more than the low mark is
    // left: a client that does not read its answers cannot ask for more of them. A channel that
    // connected stops over half of max_output(). If both have stopped, each waits for the other:
    // when nothing is taken for a second or two, both read on.

    /// The marks, in bytes of pending_output() after an attempt to send; 256 KiB and 64 KiB by
    /// default. Throws std::invalid_argument when `low` is over `high`.
    /// Python: none; asyncio has WriteTransport.set_write_buffer_limits
    ASYNCHAT_DECL void write_buffer_limits(std::size_t high, std::size_t low);

    /// The high and the low mark.
    std::pair<std::size_t, std::size_t> write_buffer_limits() const noexcept
    {
        return {active_output_limits().high, active_output_limits().low};
    }

    /// Output that is added while more than this waits, in bytes, ends the channel with
    /// close_reason::output_limit; 8 MiB by default, `unlimited` must be spelled out.
    ///
    /// What waits is what the last event or attempt to send has left: all that one event pushes
    /// may be of any size, so that a peer that reads is never ended by its answer. The push that is
    /// too much returns false, and the end comes in a later turn.
    ASYNCHAT_DECL void max_output(std::size_t bytes);
    std::size_t max_output() const noexcept { return active_output_limits().max_bytes; }

    /// What the channel does over the high mark; `by_role` by default, as said above. With
    /// `reads_on`, bound the output yourself, for example in handle_write_paused().
    ASYNCHAT_DECL void when_full(full_output what);
    full_output when_full() const noexcept { return when_full_; }

    /// Whether the high mark was passed, and not yet the low one.
    bool write_paused() const noexcept { return marks_.paused(); }

    /// The high mark was passed, and later the low one: called in turn, never inside push(). The
    /// defaults do nothing. Python: none; asyncio has Protocol.pause_writing, resume_writing
    virtual void handle_write_paused() {}
    virtual void handle_write_resumed() {}

    /// All output is sent, of which some had to wait for the other side. Not called when an event
    /// could send at once all that it pushed.
    virtual void handle_drained() {}

    // --- handlers, as in dispatcher --------------------------------------------------------------

    ASYNCHAT_DECL bool readable() override;
    ASYNCHAT_DECL bool writable() override;
    ASYNCHAT_DECL void handle_read() override;
    ASYNCHAT_DECL void handle_write() override;

    /// Closes. Python: async_chat.handle_close
    ASYNCHAT_DECL void handle_close() override;

    /// The other side will send no more; all it sent was delivered, held-back bytes included. The
    /// default ends the channel when the output, to which one may still push, is first empty. An
    /// override that does nothing keeps the channel open for output.
    ASYNCHAT_DECL void handle_eof() override;

    /// close_when_done(). An override that pushes a goodbye calls it too, or later close().
    ASYNCHAT_DECL void handle_shutdown() override;

protected:
    /// Keeps the piece for _get_data(), up to max_frame() bytes in all.
    /// Python: async_chat._collect_incoming_data
    ASYNCHAT_DECL void _collect_incoming_data(std::string_view data);

    /// What the above kept, joined; empties it. Python: async_chat._get_data
    [[nodiscard]] ASYNCHAT_DECL std::string _get_data();

    // What is sent or received past the queue would be out of order: for layers that override them.
    using dispatcher::recv;
    using dispatcher::send;

private:
    friend class frame_chat;
    friend struct detail::send_override;

    // What an attempt to send may do: everything; no producer; call nobody but send().
    enum class sending : unsigned char { everything, data_only, quietly };

    /// The input of one receive while it is delivered.
    class delivery : public detail::frame_decoder::pass {
    public:
        template <class... Input>
        explicit delivery(async_chat& chat, Input... input) noexcept
            : pass(chat.decoder_, input...), chat_(chat)
        {
        }
        ~delivery() { chat_.input_is_over(*this); }

        unsigned nested = 0; // loops that a callback runs
        // Of a frame_chat, what found_frame() is looking at.
        std::string_view frame;
        std::string* storage = nullptr; // where that lies, if not in the input

    private:
        async_chat& chat_;
    };

    ASYNCHAT_DECL bool vprint(fmt::string_view format, fmt::format_args args);
    ASYNCHAT_DECL bool queue_first(std::string_view data);
    bool may_queue(std::size_t bytes);
    void queued();
    ASYNCHAT_DECL void pushed_much();
    bool accepts_output() const noexcept { return gate_.accepts_output(); }
    bool delivers_input() const noexcept { return gate_.delivers_input(); }
    bool awaits_writable() const noexcept { return gate_.has(detail::gate::blocked); }
    bool is_closing() const noexcept { return gate_.has(detail::gate::closing); }
    /// Whether the input that is being delivered belongs to nobody any more.
    bool is_ending() const noexcept
    {
        using detail::gate;
        return gate_.has(gate::closed | gate::closing | gate::ended | gate::renewed);
    }
    detail::string_pool& frame_memory() noexcept { return owner().strings(); }
    bool is_renewed() const noexcept { return gate_.has(detail::gate::renewed); }
    /// While input is delivered: a callback may run the loop, close, set a terminator.
    delivery* under_way() const noexcept { return static_cast<delivery*>(decoder_.under_way()); }

    ASYNCHAT_DECL void end_of_event_() override;
    ASYNCHAT_DECL void end_of_input_() override;
    ASYNCHAT_DECL void connection_lost_(asynchat::close_reason reason,
                                        const std::error_code& error) override;
    ASYNCHAT_DECL void forget_connection_() override;
    ASYNCHAT_DECL std::string take_early_input_(early_input early) override;
    ASYNCHAT_DECL bool switches_later_() override;
    ASYNCHAT_DECL void nested_run_(bool begins) override;
    ASYNCHAT_DECL void fed_too_much_() override { end_turn(); }
    ASYNCHAT_DECL void deadline_reached_() override;
    bool reads_speculatively_() const override { return true; }

    /// What a frame_chat does otherwise: hands out the input, and keeps its frames.
    ASYNCHAT_DECL virtual void deliver_(delivery& input);
    virtual bool keeps_frames_() const noexcept { return false; }

    void change_terminator(const terminator& next, std::size_t max_frame);
    void kept_frame_goes_on(bool was_dropping);
    [[noreturn]] static void refuse_count(std::size_t count, std::size_t max_frame);
    void follow_override();
    void drop_input();
    void tell_no_terminator();
    ASYNCHAT_DECL std::string_view behind_carried(char* input, std::size_t size);
    std::size_t receive(asio::mutable_buffer into);
    std::size_t max_receive() const noexcept;
    template <class... Input>
    void parse(Input... input);
    void input_is_over(delivery& input) noexcept
    {
        if (is_ending())
            input.drop();
        gate_.set(detail::gate::renewed, false);
        count_frames(input.frames());
    }
    void time_frame_of(const delivery& input);
    bool may_deliver(delivery& input) { return gate_.input_flows() || may_deliver_steered(input); }
    ASYNCHAT_DECL bool may_deliver_steered(delivery& input);
    ASYNCHAT_DECL bool obey(delivery& input, detail::frame_decoder::step step);
    bool ask_overflow(delivery* input);
    void send_if_much();
    ASYNCHAT_DECL void send_much();
    std::size_t frame_to_come() const;
    void close_for_frame_limit();
    void close_for_malformed_frame(delivery& input);
    void close_for_early_input();
    bool deliver_remainder();
    ASYNCHAT_DECL void frame_goes_on();
    void time_frame();
    ASYNCHAT_DECL void stop_or_go_on_timing_frame();
    void frame_has_ended() noexcept
    {
        if (rare_)
            rare_->clocks.stop(detail::deadlines::clock::frame);
    }
    ASYNCHAT_DECL void end_when_heard();
    void deliver_later();
    void deliver_kept();
    ASYNCHAT_DECL void all_is_sent();
    void wait_for_last_words();
    void try_to_send();
    std::string take_held_output();
    void send_queued(sending what);
    std::size_t send_some(sending what);
    void send_data(detail::output_pump& pump, std::string_view piece, sending what);
    void send_file(detail::output_pump& pump);
    void ask_producer(detail::output_pump& pump);
    void check_output_limit();
    void compare_with_marks();
    ASYNCHAT_DECL std::size_t stop_over() const noexcept;
    void nothing_was_taken();
    void tell_marks();
    void set_full(bool on);
    ASYNCHAT_DECL void time_full(bool is_full);
    ASYNCHAT_DECL void judge_full();

    detail::frame_decoder decoder_;
    detail::output_queue queue_;
    std::size_t max_frame_ = 65536; // but for terminators that have their own
    detail::frame_store frame_;     // by _collect_incoming_data(), or the begun one of a frame_chat
    detail::water_marks marks_;
    full_output when_full_ = full_output::by_role;
    bool has_own_max_frame_ : 1;
    bool has_no_terminator_ : 1; // none was ever set
    bool sending_ : 1;
    bool output_ended_ : 1;   // push_eof() was called, and has happened
    bool ends_when_sent_ : 1; // by handle_eof()
    bool input_ended_ : 1;    // handle_eof() is due, or was called
    bool at_end_ : 1;         // end_of_input_() is on the stack
    bool eof_reported_ : 1;
};

} // namespace asynchat

#ifdef ASYNCHAT_HEADER_ONLY
#  include <asynchat/impl/async_chat.ipp>
#  include <asynchat/impl/async_chat_end.ipp>
#  include <asynchat/impl/async_chat_output.ipp>
#endif
#endif
