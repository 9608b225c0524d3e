"""Defects for mutants.py: each a short text of the library, found exactly once, and what stands
there instead. They imitate what went wrong in libraries of this kind.

Nearly all of them are in bodies of the compiled library, so that only that is built again.
"""

import collections

Defect = collections.namedtuple("Defect", "name imitates file old new")
DEFECTS = []


def of(file):
    """Returns a function that adds a defect to this file."""
    path = "include/asynchat/" + (file if file.endswith(".hpp") else f"impl/{file}.ipp")
    return lambda name, imitates, old, new: DEFECTS.append(Defect(name, imitates, path, old, new))


# --- frames --------------------------------------------------------------------------------------

chat = of("async_chat")
ending = of("async_chat_end")
sending = of("async_chat_output")
decoding = of("frame_decoder")

decoding("string-change-missed", "frames found together ignore a change to another string",
     """\
            pass_->partial_match_ = 0;
    } else if (limit == limit_) {
        return;
    }
    this->limit""",
     """\
            pass_->partial_match_ = 0;
    }
    if (limit == limit_)
        return;
    this->limit""")
passing = of("frame_pass")
pass_inline = of("detail/framing/frame_pass.hpp")

passing("limit-counts-delimiter", "the limit of a frame includes its terminator",
     """\
    if (!seen.found() || d.size_ + seen.collect() > d.limit_ || d.is_dropping())
        return judge""",
     """\
    if (seen.found() && d.size_ + seen.collect() + seen.skip() > d.limit_ && !d.is_dropping())
        return step::of(step::rare::too_long);
    if (!seen.found() || d.size_ + seen.collect() > d.limit_ || d.is_dropping())
        return judge""")
passing("length-limit-off-by-one", "a frame of exactly the longest announced length is refused",
     "if (length_ >= d.limit_ && (length_ > d.limit_ || length_ == largest_length)) {",
     "if (length_ >= d.limit_) {")
passing("saturated-length-believed", "a length that no number can hold is that of the largest",
     "(length_ > d.limit_ || length_ == largest_length)", "length_ > d.limit_")
passing("saturated-frame-ends", "what is left of a frame of unknown length is counted",
     """\
    if (d.current().count() == largest_length)
        flags &= ~unsigned{step::counts}; // the end of such a frame is not known
""",
     "")
passing("delimiter-dropped-on-overflow",
     "what follows a frame that was too long is dropped as well",
     "at_ = s.has(step::holds) ? end_ :",
     "at_ = s.has(step::holds) || d.is_dropping() ? end_ :")
passing("skipped-frame-reported", "the end of a frame that was dropped is reported",
     "d.overflow_ == overflow::truncates ? unsigned{step::ends} : 0;",
     "step::ends;")
passing("truncated-for-ever", "frames that are not cut are said to be",
     """\
    if (d.overflow_ == overflow::truncates)
        d.changes_""",
     """\
    if (s.has(step::unusual))
        d.changes_""")
chat("frame-after-close", "the terminator is reported after a close() in the piece before it",
     """\
        if (is_ending())
            break;
        if (ended)""",
     "        if (ended)")
chat("one-of-many-after-close", "the same for the one of many short frames",
     """\
        if (is_ending())
            break;
        if (ended)""",
     """\
        if (is_ending() && input.frames() < 2)
            break;
        if (ended)""")
chat("nested-loop-reorders-input", "what arrives while a callback runs the loop overtakes the rest",
     """\
    if (under_way())
        return; //""",
     "    //")
chat("handlers-after-close", "a handler of the output is called after a close() in a callback",
     """\
    if (sending_ || closed())
        return;
    compare_with_marks();
    tell_marks();
}

ASYNCHAT_DECL void async_chat::frame_goes_on""",
     """\
    if (sending_)
        return;
    compare_with_marks();
    tell_marks();
}

ASYNCHAT_DECL void async_chat::frame_goes_on""")
sending("spins-while-sending", "a producer that runs the loop keeps it busy with a writable socket",
     """\
            !connected()) &&
           !sending_;""",
     "            !connected());")
sending("forgets-to-wait-after-sending",
     "what is left after a producer that ran the loop is never sent",
     """\
        if (!queue_.is_empty())
            try_flush_soon();""",
     "")
chat("last-reply-waits", "a peer that is still sending is not read, and never reads the last reply",
     "return (delivers_input() || is_closing()) && !closed() && !under_way();",
     "return delivers_input() && !under_way();")
decoding("rest-lost-at-new-terminator", "bytes held back for a terminator are lost when it changes",
     """\
    unread_ = std::make_unique<unread_input>(scanner_.held(partial_match_), nullptr);
""",
     "")
passing("limit-counts-twice", "a piece that is delivered again is counted again",
     "        return step_of(seen.collect(), seen.held(), step::unusual | step::fills | step::holds);",
     """\
        return decoder_.size_ += seen.collect(),
               step_of(seen.collect(), seen.held(), step::unusual | step::holds);""")
passing("held-byte-lost-between-pieces",
     "one byte of a partial terminator is lost at a piece's end",
     "static_cast<unsigned>(behind_) : 0;",
     "static_cast<unsigned>(behind_ - (behind_ > 0)) : 0;")
decoding("held-bytes-lost-at-eof", "a partial terminator is lost at the end of the stream",
     """\
    return unread_ || is_dropping() || partial_match_ == 0 ? std::string_view()
""",
     """\
    return unread_ || is_dropping() || partial_match_ < 99 ? std::string_view()
""")
passing("comma-not-checked", "any byte may stand behind a netstring",
     "    while (matched < there && at_[count + matched] == behind[matched])",
     "    while (matched < there && (behind == \",\" || at_[count + matched] == behind[matched]))")
passing("cut-behind-count-malformed", "the string behind a count may not be cut by the network",
     """\
    if (matched == there)
        return counted(count, matched, step::holds);
""",
     "")
passing("begins-like-what-follows", "of the string behind a count only the first byte is looked at",
     "    if (matched == behind.size())\n        return counted(count, matched, step::closes);",
     "    if (matched > 0)\n        return counted(count, matched, step::closes);")
passing("blames-what-matched", "the first byte behind a frame is blamed, not the first wrong one",
     "return {static_cast<std::size_t>(wrong - at_), nullptr, *expected};",
     "return {0, nullptr, *expected};")
passing("held-bytes-counted", "the beginning of what follows a frame goes off the count",
     ": s.has(step::fills) ? s.size() + behind_",
     ": s.has(step::unusual) ? s.size() + behind_")
passing("believes-more-than-held", "bytes next to held ones are taken for what has to follow",
     "std::size_t matched = std::exchange(partial_match_, 0);",
     "std::size_t matched = std::min(behind.size() - 1, 2 * std::exchange(partial_match_, 0));")
decoding("limit-behind-count", "a limit keeps back what has come of the string behind a count",
     "return is_string(current()) ? std::min(size, room()) : size;",
     "return is_in_length() ? size : std::min(size, room());")
decoding("received-aside-unfollowed", "a large frame is over before what has to follow it has come",
     "if (current().count() > 0 || scanner_.needs_behind())",
     "if (current().count() > 0)")
chat("pause-ignored-until-next-read", "pause_reading() acts only after all that was received",
     "    while (may_deliver(input)) {",
     "    while (may_deliver(input) || (!is_ending() && !input.empty())) {")
of("detail/framing/frame_decoder_inline.hpp")(
    "terminator-change-missed", "frames found together ignore a change of the terminator",
     """\
    pass_->ends_ = 0;
    pass_->partial_match_ = 0;
    pass_->hints_""",
     """\
    pass_->partial_match_ = 0;
    pass_->hints_""")
chat("pause-missed-among-lines", "frames found together ignore pause_reading()",
     "    while (may_deliver(input)) {",
     "    while (may_deliver(input) || (input.frames() > 1 && !is_ending() && !input.empty())) {")
pass_inline("limit-missed-among-lines", "frames found together may be longer than the limit",
     "found && size <= d.limit_ && size", "found && size")
pass_inline("second-byte-left", "frames found together leave the second byte of what ends them",
     "            const std::size_t size = s.size() + behind_;",
     "            const std::size_t size = s.size() + 1;")
pass_inline("long-line-ends-by-half", "the first of the two bytes that end a line ends a long one",
     "if (is_long && (behind_ == 1 || (size + 1 < left() && at_[size + 1] == "
     "d.scanner_.last_byte())))",
     "if (is_long)")
of("detail/framing/find_byte.hpp")("second-byte-is-enough", "the second of two bytes alone ends an empty line",
     "find_bytes(from, first) & find_bytes(from, last) >> 1",
     "(find_bytes(from, first) | 1) & find_bytes(from, last) >> 1")
passing("paused-input-lost", "what was received and not delivered is lost by a pause",
     """\
    if (!storage_)
        return decoder_.keep(rest(), unread_);""",
     """\
    if (!storage_)
        return;""")
passing("held-bytes-lost-at-a-part", "bytes held back at the end of a part are lost in the next one",
     "    at_ -= decoder_.carried().size();\n", "")
pass_inline("later-parts-lost", "a stop keeps only the part that is examined",
     """\
        return {at_, static_cast<std::size_t>(input_end_ - at_)};""",
     "        return part();")
chat("large-receive-after-a-stop", "a channel that stops receives as much as one that does not",
     "received >= part && !decoder_.has_unread() &&", "received >= part &&")
of("frame_chat")("in-place-of-nothing", "a small receive that is full makes room of 0 bytes",
     "std::max(detail::min_received_in_place, large / 2)", "large / 2")
chat("large-receive-of-tiny-frames", "tiny frames come in large receives",
     " && frames <= received / 8", "")
chat("unread-input-without-bound", "channels that keep input receive on as if they did not",
     "owner().unread() > owner().max_unread()", "false")
chat("a-turn-of-large-receives", "a large receive of tiny frames is one turn",
     "    if (input.frames() > max_frames) {", "    if (false) {")
chat("resume-forgets-buffered-input", "after a pause only new bytes bring the buffered ones",
     """\
    deliver_later(); // or throws, for want of memory
    gate_.set(detail::gate::paused, false);""",
     "    gate_.set(detail::gate::paused, false);")
chat("resume-delivers-inside-the-call", "resume_reading() calls back before it returns",
     """\
    deliver_later(); // or throws, for want of memory
    gate_.set(detail::gate::paused, false);""",
     """\
    gate_.set(detail::gate::paused, false);
    in_event([this] { deliver_kept(); });""")
chat("frame-timer-restarted-by-each-byte", "who sends a byte now and then keeps a frame for ever",
     """\
    if (!rare_ || !rare_->clocks.runs(detail::deadlines::clock::frame))
        time_frame();
""",
     """\
    time_frame();
""")
chat("frame-timer-outlives-the-frame", "an idle channel is ended by the timeout of its last frame",
     "case began::nothing: return frame_has_ended();",
     "case began::nothing: return;")

# --- output --------------------------------------------------------------------------------------

sending("short-write-loses-the-rest", "what the system did not take is dropped",
     "pump.sent(taken);", "pump.sent(~std::size_t{0});")

pump = of("output_pump")

pump("producer-asked-after-its-end", "a producer is called once more after its last piece",
     "        queue_.drop_producer();\n        if",
     "        (void)source->more();\n        queue_.drop_producer();\n        if")
pump("piece-of-a-cleared-queue", "the piece of a producer that cleared the queue is sent",
     """\
    if (!let_go())
        return stop();
    if (piece""",
     "    let_go();\n    if (piece")
pump("producer-asked-without-pause", "a producer fills memory as fast as it can be asked",
     "return sent_ > 0 && sent_ + expected > max_bytes_ ? action::stop : action::producer;",
     "return expected > 0 ? action::producer : action::stop;")
pump("producers-without-end", "a producer that pushes the next one keeps the turn for ever",
     "if (++ended_ == max_ended)", "if (false)")
pump("producer-asked-in-the-callback", "a producer is asked in the middle of the input",
     """\
    if (!asks_producers_)
        return action::stop_before_producer;
""",
     "")
sending("close-when-done-loses-output", "the last output is lost by close_when_done()",
     """\
    if (queue_.is_empty() &&
        (ends_when_sent_ || gate_.has(gate::closing | gate::output_ended | gate::lost)))""",
     "    if (ends_when_sent_ || gate_.has(gate::closing | gate::output_ended | gate::lost))")
sending("close-when-done-waits-for-an-event",
     "nothing to send: the channel stays until the next event",
     """\
        decoder_.drop_remainder();
    flush_soon();""",
     "        decoder_.drop_remainder();")
ending("eof-loses-output", "the end of the other side's stream drops what is still to be sent",
     """\
    ends_when_sent_ = true;
    flush_soon();""",
     "finish(close_reason::peer_finished);")
sending("half-closed-for-ever", "a channel whose streams have both ended stays",
     """\
        if (eof_reported_ && !is_lost())
            finish(close_reason::peer_finished);""",
     "")
sending("reply-reset-by-unread-input", "no lingering: the last reply is lost by a reset",
     "lingers_ = connected();", "")
sending("reads-over-the-high-mark", "who does not read answers may still ask",
     "if (marks_.paused() && queue_.size() > stop_over()) {",
     "if (marks_.paused() && queue_.size() > stop_over() && when_full() == full_output::stops_reading) {")
sending("stuck-after-the-low-mark", "input that waited for the output is not delivered",
     """\
    if (!on)
        deliver_later(); // or throws, for want of memory
    time_full(on);""",
     "    time_full(on);")
sending("by-role-again-without-a-clock", "two that are full wait for ever when when_full() is changed back",
        "    time_full(gate_.has(detail::gate::full));\n", "")
sending("full-waits-for-full", "two channels of which each has stopped reading wait for ever",
     """\
    rare_->stop_over = was_accepted_ ? queue_.size() + limits.low : unlimited;
    set_full(false);""",
     "    (void)limits;")
sending("full-reads-on-whatever-is-asked", "who does not read is stopped only for a second",
     "rare_->stop_over = was_accepted_ ? queue_.size() + limits.low : unlimited;",
     "rare_->stop_over = unlimited;")
sending("full-reads-on-for-good", "what was allowed once stays so behind the low mark",
     """\
        if (rare_)
            rare_->stop_over = 0;
""",
     "")
sending("answers-up-to-the-limit", "who connected answers without looking at what waits",
     "was_accepted_ ? 0 : active_output_limits().max_bytes / 2",
     "was_accepted_ ? 0 : unlimited")
sending("output-cap-not-judged", "pending output has no limit",
     "if (!rare_ || !rare_->output_is_full() || bytes == 0)",
     "if (true)")
sending("drained-each-time", "handle_drained() although nothing had to wait",
     "if (had_to_wait && queue_.is_empty() && !closed())",
     "if (queue_.is_empty() && !closed())")
sending("discard-keeps-the-close", "discard_buffers() does not take back close_when_done()",
     """\
    gate_.set(detail::gate::closing, false);
    gate_.set(detail::gate::output_ended, has_sent_eof());""",
     "    gate_.set(detail::gate::output_ended, has_sent_eof());")

queue = of("output_queue")

queue("short-write-resends", "bytes that were sent are sent again",
      "storage.block_front += taken;", "")
queue("string-resent-from-its-start", "what is behind a half-sent string begins too late",
      """\
    storage_->entries.pop();
    storage_->head_sent = 0;""",
      "    storage_->entries.pop();")
queue("piece-of-producer-resent", "what was sent of a producer's piece is sent again",
      "storage.piece.remove_prefix(taken);", "")

# --- channels ------------------------------------------------------------------------------------

channel = of("dispatcher")
closing = of("dispatcher_end")
events = of("transport")
attempt = of("connect_attempt")
lingering = of("lingerer")
connecting = of("dispatcher_connect")
sockets = of("dispatcher_sockets")
log = of("dispatcher_log")
lines = of("log_limit")
times = of("dispatcher_time")
clocks = of("deadlines")

closing("double-close", "handle_close() is called again when its override meets another end",
        """\
    if (gate_.is_over())
        return;
    gate_.set(detail::gate::ended);""",
        """\
    if (closed())
        return;
    gate_.set(detail::gate::ended);""")
closing("close-forgotten-by-override",
        "a handle_close() that does not close leaves the channel open",
        """\
        handle_close();
        if (!closed())
            close();
    } catch (...) {
        close_after_exception();
        throw;
    }
    dispatcher::close(); // an override may have forgotten to call the original""",
        """\
        handle_close();
    } catch (...) {
        close_after_exception();
        throw;
    }""")
closing("throwing-close-leaks", "an exception in handle_close() leaves the channel open",
        """\
    } catch (...) {
        close_after_exception();
        throw;
    }
    dispatcher::close();""",
        """\
    } catch (...) {
        throw;
    }
    dispatcher::close();""")
closing("descriptor-open-after-close", "close() leaves the descriptor to the destructor",
        """\
        leave_to_linger();
    set_transport(nullptr);""",
        "        leave_to_linger();")
events("event-of-the-old-socket", "an event of the socket before reaches the new one",
       "    if (layers_on_top <= state->layers())", "    if (true)")
channel("connected-after-close", "closed in handle_connect(), and said to be connected",
        """\
        if (state_->connection() != connection || state_->opening != 0)
            return;
        now_connected();""",
        "        now_connected();")
channel("listener-dies-of-an-error", "the listener is closed when accept() fails",
        """\
    if (const char* const stays = detail::channel_access::stays_after_errors(*this)) {
        if (rare()""",
        """\
    if (const char* const stays = nullptr) {
        if (rare()""")
sockets("accept-spins", "out of descriptors, the listener tries again at once",
        """\
    });
    rare_->backoff.begin_pause();""",
        "    });")
sockets("back-off-never-reset", "the listener that has backed off never accepts again",
        "channel->in_event([&] { channel->rare().backoff.end_pause(); });",
        "channel->in_event([] {});")
channel("would-block-is-an-error", "a full socket ends the channel",
        """\
        count_sent(sent);
        return sent;
    }
    if (is_would_block(error))
        return 0;""",
        """\
        count_sent(sent);
        return sent;
    }""")
channel("reset-taken-for-the-end", "a reset is reported as an orderly end",
        """\
        input_failed(close_reason::reset, error);
        return 0;""",
        """\
        input_failed(close_reason::peer_finished, error);
        return 0;""")
lines("log-flood", "a channel writes as many lines as the other side likes",
      "return of_channel.admit(second) && (", "return (")
lines("log-flood-of-a-server", "each connection of one peer has lines of its own",
      "(!of_server || of_server->admit(second)) &&", "")
lines("log-flood-of-a-loop", "the channels of a loop together write as they like",
      "of_loop.admit(second);", "true;")
closing("left-out-and-forgotten", "a closed channel takes along what it has left out",
        "        loop_.log_limit_.leave_out(rare_->log_limit.take_left_out());\n", "        ;\n")
attempt("port-wraps", "port 99999 is 34463, as the system has it",
        "return static_cast<bool>(parse_number(service, 65535));", "return true;")
attempt("sign-is-a-port", "+80 is port 80, as the system has it",
        "return is_digit(first) || (first >= 'a'", "return true || (first >= 'a'")
attempt("name-cut-at-nul", "the host is looked up as far as its first NUL",
        "if (name.find('\\0') != name.npos)", "if (false)")
attempt("empty-name-is-here", "an empty host is this machine",
        "if (name.empty())", "if (false)")
connecting("old-attempt-counts", "the end of a connect that was given up is taken for the next one's",
        "    leave_connection(nullptr);\n", "")
connecting("self-connect-is-a-connection", "a client that is connected to itself takes that for a server",
           "detail::connect_attempt::is_self_connected(*transport_)", "false")
connecting("needless-attempt", "the answer and the next attempt come together, and both count",
           "attempt()->wait(loop_.call_later(until - loop_.now(), attempt()->unless_gone(soon)));",
           "attempt()->wait(loop_.call_later(until - loop_.now(), attempt()->unless_gone(is_time)));")
attempt("losers-are-not-reset", "a second connection that was made ends as if it had been used",
        "        each->socket->reset_on_close();\n", "")
attempt("refused-waits-for-the-delay", "an address that fails costs the delay as well",
        "    race_.failed(now);", "    race_.failed(now + std::chrono::milliseconds(250));")
connecting("winner-reset-hides-the-others", "an address that resets hides why the others failed",
           "    end_attempt();\n    detail::channel_access::in_rare_event(*this, [this] {",
           "    end_connect();\n    detail::channel_access::in_rare_event(*this, [this] {")
channel("reset-winner-untold", "an address that accepts and resets is not among the causes",
        "        note_unfinished(error);\n        connecting_ = false;", "        connecting_ = false;")
race = of("connect_race")
race("any-number-of-attempts", "many silent addresses use up the descriptors",
     "under_way_ < max_attempts;", "under_way_ < max_addresses;")
race("one-family-first", "all addresses of a dead network are tried before the first of the other",
     "const int family = first_count == 0 ? 0 : families[i];", "const int family = 0 * families[i];")
channel("event-of-another-channel", "a new channel gets the event of a closed one",
        "return !has_event_;", "return false;")
log("log-injection", "a peer may write line ends into the log",
    "const std::string text = escaped(message);", "const std::string text(message);")

# --- time ----------------------------------------------------------------------------------------

channel("input-is-idle", "input does not put off the idle timeout",
        """\
        received_ = true;
        note_activity(true);""",
        "        received_ = true;")
times("timer-not-rearmed", "a deadline that was put off is forgotten",
      "    look_at_clocks_by(rare_->clocks.next(counting));\n", "")
times("write-timer-restarted-by-push", "output that is stuck never times out while more is pushed",
     """\
    if (sent == 0 && rare_ && rare_->clocks.runs(detail::deadlines::clock::write)) {
        if (state_->layers() != 0) // a part of a record may have left
            look_what_was_taken();
        return;
    }
""",
     "")
times("write-timer-not-stopped", "a channel that has sent all is ended by its write timeout",
      """\
    if (rare_)
        rare_->clocks.stop(detail::deadlines::clock::write);
}""",
      "}")
lingering("linger-never-ends", "a closed connection stays as long as the other side likes",
          "detail::later(now(), timeout)", "((void)timeout, time_point::max())")

loop = of("loop")
time = of("loop_time")

time("nearer-deadline-ignored", "a deadline does not come before one that was set earlier",
     "timers_.move_earlier(state.heap_index, at);", "return;")
time("timer-lost-in-a-nested-loop", "no timer comes while one of them runs the loop",
     "wait_for_timers();            // a timer may run the loop", "")
time("periodic-timer-once", "a timer that repeats is called once",
     "state->done = once;", "state->done = true;")
loop("freed-in-a-nested-loop", "a channel goes while its own callback runs the loop",
     """\
    if (channels_[closed]->number - adopted_before_ < adopted_ - adopted_before_)
        ++doomed_;
    else
        swap_channels(closed, open() + doomed_);""",
     """\
    swap_channels(closed, open() + doomed_);
    ++doomed_;""")
loop("guard-not-noticed", "run() does not end with its last guard",
     "                --alive->owner->guards_;\n                alive->owner->end_run();",
     "                --alive->owner->guards_;")
loop("flush-forgotten", "pushed from outside twice, sent once",
     """\
            const auto state = *to_flush_.pop();
            state->flush_listed = false;""",
     "            const auto state = *to_flush_.pop();")

times("full-clock-forgets-progress", "a peer that reads slowly is one that takes nothing",
      """\
    if (rare_->clocks.runs(detail::deadlines::clock::full))
        start_clock(detail::deadlines::clock::full);
""",
      "")
time("channel-timer-is-no-event", "what a channel's timer throws leaves the loop",
     "if (!state->channel)\n        call();", "if (true)\n        call();")
times("timer-outlives-its-channel", "a channel's timer is called after the close",
      "if (!rare_ || !rare_->timers)", "if (true)")

loop("guard-counted-too-early", "run() returns before all that a thread posted was called",
     "    try {\n        asio::post(*context_, [anchor",
     "    --guards_;\n    if (own_context_)\n        context_->stop();\n    if (true)\n"
     "        return;\n    try {\n        asio::post(*context_, [anchor")
channel("channel-without-a-loop", "a channel on the stack is served by nobody, without a word",
        "if (!std::exchange(owner.creates_, false))",
        "owner.creates_ = false;\n    if (false)")
loop("wrong-thread-unnoticed", "nothing is said of a call out of another thread",
     "return thread == std::thread::id() || thread == std::this_thread::get_id();",
     "return thread == std::thread::id() || true;")
log("sink-gets-line-ends", "what a peer sent makes two lines of one in a log elsewhere",
    "return (*elsewhere)(type, text);", "return (*elsewhere)(type, message);")
log("sink-freed-while-it-runs", "a sink that replaces itself is destroyed under its own feet",
    "if (const auto elsewhere = log_sink_)", "if (const auto& elsewhere = log_sink_)")

times("idle-while-closing", "a channel that closes is kept by its idle timeout",
      "if (!connected_ || gate_.has(detail::gate::closing) || is_held())",
      "if (!connected_ || is_held())")
times("idle-starves-the-others", "an idle handler that throws keeps a write timeout from being seen",
      """\
        start_clock(*over);
        look_at_clocks_by(rare_->clocks.next(counting));
""",
      "        start_clock(*over);\n")

heap = of("timer_queue")

heap("timers-out-of-order", "the next timer is the wrong one",
     "if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child]))",
     "if (child + 1 < heap_.size() && before(heap_[child], heap_[child + 1]))")

# --- servers and relays --------------------------------------------------------------------------

server = of("server")

server("address-limit-off-by-one", "one connection more than allowed from an address",
       "from_there >= max_per_address_)", "from_there > max_per_address_)")
server("stop-never-forces", "at the deadline of stop() channels are only asked once more",
       "shut_down(owner, channels_of(owner, *of), true);",
       "shut_down(owner, channels_of(owner, *of), false);")
server("stop-goes-on-listening", "after stop() connections are still taken",
       "    detail::channel_access::stop_listening(*this);\n", "")
server("queue-lost-at-the-stop", "what waits in the queue when a server stops is lost",
       "accepts_rest_ = listens_ && !is_inherited_ && !is_shared_;", "accepts_rest_ = false;")
server("queue-of-others-taken", "a server that stops takes what another process is to serve",
       "accepts_rest_ = listens_ && !is_inherited_ && !is_shared_;",
       "accepts_rest_ = listens_ && !is_inherited_;")
server("inherited-queue-taken", "a server that stops empties the queue of its service manager",
       "accepts_rest_ = listens_ && !is_inherited_ && !is_shared_;",
       "accepts_rest_ = listens_ && !is_shared_;")
of("server.hpp")("listeners-given-away-for-ever",
                 "the queue is lost after a transfer to a process that has died",
                 "{ is_shared_ = false; }", "{}")
server("accepts-past-the-deadline", "what comes after the deadline of stop() has none",
       "    refuses_ = true;\n    end_listening();\n", "")
server("queue-lost-without-descriptors", "a stop while there are no descriptors loses the queue",
       """\
            accept_rest_soon(fails);
        else
            end_listening();""",
       """\
            fails ? end_listening() : accept_rest_soon(false);
        else
            end_listening();""")
server("stopping-server-dies-of-a-handler",
       "a handler that cannot be made ends a server that stops, which has others",
       "    detail::channel_access::survive_errors(*this); // of a connection\n", "")
server("header-kept-at-the-stop", "what is served at the stop keeps its PROXY header",
       """\
        channel_access::begin(channel);
    }
""",
       """\
        channel_access::begin(channel);
        if (stopping_)
            channel_access::look_now(*channel);
    }
""")
server("newcomers-unheard-at-the-stop", "what they have asked already is not answered",
       "    channel_access::look_now(*channel);", "    (void)channel;")
given = of("hand_off")
given("acceptor-sleeps-on", "a free place in another loop is not noticed",
      "!wake(*members_.front())", "false")
given("headers-without-places", "connections that await their header do not count in the group",
      "    if (is_room_for(count))\n", "    if (is_room_for(1))\n")
of("server_group")("closed-server-gets-all", "the server of a group that was closed gets connections",
                   "    server.leave_group();\n", "")
of("server_group")("one-loop-is-enough", "a stuck loop of a group is not noticed by the watchdog",
                   "if (each->runs && !each->turned)", "if (false)")
of("server_group")("ended-loop-is-stuck", "the watchdog of a group waits for a loop that has ended",
                   "if (each->runs && !each->turned)", "if (!each->turned)")
of("server_group")("others-run-on", "after an exception the loops without a server go on",
                   "        ends_all = true;\n", "        ends_all = serving_ > 0;\n")
given("fullest-loop-first", "the loop with the most connections gets the next one",
      "each->connections < best->connections", "each->connections > best->connections")
server("throwing-handler-counted-for-ever", "a handler that cannot be made keeps its place",
       "leave(close_reason::callback_error);", "")

server("unix-clients-share-an-address", "a client over a UNIX socket ends what lingers of another",
       "if (slot.address && slot.lingering > 0",
       "if (slot.lingering > 0")
server("proxy-from-anywhere", "everybody may send a PROXY header",
       "return each.contains(peer);", "return each.contains(peer) || true;")
server("proxy-is-a-client", "connections of the proxy itself count in the limit per address",
       "proxy && proxy->source().empty() ?", "proxy && proxy->version() == 0 ?")
server("half-header-past-the-deadline", "stop() waits for PROXY headers without end",
       """\
    const detail::scope_exit others([this] { detail::proxy_receiver::close_all(*shared_); });
    while (!shared_->receivers.empty())
""",
       "    if (!shared_->receivers.empty() && false)\n")
server("half-header-cut-by-the-stop", "stop() does not wait for PROXY headers under way",
       "counters().open > 0 || !shared_->receivers.empty() ||", "counters().open > 0 ||")
server("half-headers-over-the-limit", "at the stop any number of PROXY headers is awaited",
       "(stopping_ && used >= max_connections_)", "(stopping_ && used >= unlimited)")
header = of("proxy_header")

header("proxy-checksum-ignored", "a PROXY header with a wrong checksum is believed",
       "return crc == stated ||", "return crc == stated || true ||")
header("proxy-datagram-address", "the address of a datagram is believed on a stream",
       "if ((family & 15U) == 1)", "if ((family & 15U) != 0)")
header("long-proxy-header", "the limit of a PROXY header is not looked at",
       "if (fixed_size + length > max_bytes_)", "if (fixed_size + length > 70000)")
place = of("server_state")

place("half-headers-counted-twice", "a PROXY header under way takes two places of a group",
      "counters.handshakes - receivers.size();", "counters.handshakes;")
place("full-for-ever", "the listener does not hear of free places",
      "channel_access::flush_soon(*listener);", "")
place("address-never-freed", "the connections of an address are counted up only",
      "--slot.open;", "")
place("close-counted-as-another", "the counter of another reason goes up",
      "static_cast<std::size_t>(reason)];", "static_cast<std::size_t>(reason) - 1];")

places = of("listen_options")

places("failed-start-takes-the-sockets", "a server that cannot be made keeps what it was given",
       "            *from = detail::channel_access::socket_of(*listener)->release({});\n",
       "            (void)from, (void)listener;\n")
places("folder-not-locked", "two servers that start remove the sockets of each other",
       "LOCK_EX | LOCK_NB", "LOCK_SH | LOCK_NB")
places("bound-before-the-lock", "a server that starts takes one that does not listen yet for dead",
       """\
        lock.emplace(where.host());
    std::error_code error;
    listener->bind(where, error);
""",
       """\
        where.native();
    std::error_code error;
    listener->bind(where, error);
    if (remove_dead_socket_ && detail::has_file(*listener, where))
        lock.emplace(where.host());
""")
places("locked-folder-not-awaited", "of two servers that start in a folder one fails",
       "if (errno != EWOULDBLOCK || ", "if (errno == EWOULDBLOCK || ")

joined = of("relay")

joined("relay-unbounded", "the fast side is read although the slow one takes nothing",
       "other_->pause_reading();", "return;")
joined("relay-stuck", "the fast side is never read again",
       "other_->resume_reading();", "return;")
joined("relay-drops-the-rest", "the end of one side drops what the other was still to get",
       "left->close_when_done();", "left->close();")
joined("relay-closes-at-half", "the end of one stream ends both",
       "other_->push_eof();", "other_->close_when_done();")

# --- bytes ---------------------------------------------------------------------------------------

scanner = of("terminator_scanner")

scanner("string-behind-count-kept", "another string behind a count is taken for the one before",
        "if (is_counted && !has_bytes(next.view()))",
        "if (is_counted && terminator_.view().empty())")
scanner("partial-match-restarts", "a terminator that begins within a failed match is missed",
        "matched = table.advance(needle, matched, next);", "matched = 0;")

whole = of("frame_chat")

whole("last-piece-is-all", "the last piece of a frame is delivered as the whole of it",
      "next.ends_frame() && frame_.is_empty()", "next.ends_frame()")
whole("set-aside-joins-frame", "what was begun before a length comes stands in front of its frame",
      "(!has_frame || frame_.is_set_aside())", "!has_frame")
whole("begun-frame-lost", "what was begun is lost if the callback throws that it is handed to",
      """\
            frame_.put_back(frame_memory(), std::move(begun));
            frame_.set_aside(set_aside);
""",
      "")
whole("unframed-lost", "bytes of no frame are lost if the callback throws that they are handed to",
      """\
        if (next.size() > 0)
            collect_incoming_data(input.piece(next)); // if it throws, this is delivered again
        input.take(next);
        return;""",
      """\
        const auto bytes = input.piece(next);
        input.take(next);
        if (!bytes.empty())
            collect_incoming_data(bytes);
        return;""")

number = of("number.hpp")

number("smallest-integer-refused", "the smallest number that is allowed is refused",
       "negative ? 0 - farthest : farthest",
       "negative ? 0 - farthest - (farthest > 0) : farthest")
number("blames-the-byte-before", "the sign is forgotten in the position of what is wrong",
       "size.position() + (negative ? 1 : 0)", "size.position()")

search = of("string_search")

search("longest-first-tie", "of two terminators that end together the shorter one is taken",
       "next.found = strings_[first].size() == next.depth ? first + 1 : "
       "nodes_[next.fallback].found;",
       "next.found = nodes_[next.fallback].found > 0 ? nodes_[next.fallback].found\n"
       "                     : strings_[first].size() == next.depth ? first + 1 : 0;")

system = of("socket_transport")

system("aborted-connection-is-an-error", "ECONNABORTED stops the listener for a while",
       "    case ECONNABORTED:\n", "")
system("full-backlog-waits", "a UNIX socket whose backlog is full is not connected for a while",
       "if (family_ != AF_UNIX) {", "if (true) {")
system("abort-is-orderly", "abort() ends the stream as if all had been sent",
       "const ::linger at_once = {1, 0};", "const ::linger at_once = {0, 0};")

errors = of("error")

errors("broken-pipe-is-a-failure", "EPIPE is reported as an error of the system",
       "    case EPIPE:\n", "")
errors("interrupted-is-an-error", "a signal during a system call ends the channel",
       " || number == EINTR", "")

file = of("file_producer")

file("short-file-unnoticed", "a file that was cut meanwhile ends the answer as if it were whole",
     "if (length_)\n", "if (false)\n")
file("offset-not-moved", "what the system sent of a file is sent again",
     """\
    offset_ += sent;
    left_ -= sent;""",
     "    left_ -= sent;")

# --- lost connections ----------------------------------------------------------------------------

ending("failed-send-loses-input",
     "a failed send ends the channel before what was received is delivered",
     "if (!lose_connection(reason, error))\n        return;", "return finish(reason, error);")
ending("lost-output-stays", "output that can never be sent stays, and keeps memory",
     """\
    output_flows();
    queue_.clear();
    gate_.set(detail::gate::blocked, false);
    set_full(false);""",
     """\
    output_flows();
    gate_.set(detail::gate::blocked, false);
    set_full(false);""")
ending("lost-output-not-told", "nobody can tell how much output was lost",
     "rare_->lost.output = queue_.size();", "")
ending("full-and-deaf", "a full channel whose connection is lost delivers no more input",
     """\
    gate_.set(detail::gate::blocked, false);
    set_full(false);
}""",
     """\
    gate_.set(detail::gate::blocked, false);
}""")
ending("ended-before-read", "what the system still holds is not read after a failed send",
     "!gate_.has(detail::gate::turn_over) && !may_receive())",
     "!gate_.has(detail::gate::turn_over))")
ending("ended-in-a-turn-that-is-over", "a lost connection ends before the rest of a turn came",
     "!gate_.has(detail::gate::turn_over) && !may_receive())", "!may_receive())")
ending("lost-while-paused", "a paused channel whose connection is lost stays until it is read again",
     "gate_.has(detail::gate::closing | detail::gate::paused)",
     "gate_.has(detail::gate::closing)")
ending("lost-while-closing", "a channel that closes when done stays when its send fails",
     "gate_.has(detail::gate::closing | detail::gate::paused)",
     "gate_.has(detail::gate::paused)")
ending("lost-after-the-end", "a channel that has read the end and is kept open stays when it is lost",
     "if (eof_reported_ || gate_.has(", "if (gate_.has(")
ending("end-trusted-after-failed-send",
     "after a failed send a reset is taken for the end of the stream",
     """\
    if (is_lost())
        return end_lost();
    handle_eof();""",
     "    handle_eof();")
ending("held-bytes-lost-at-reset", "a partial terminator is lost when the connection is",
     "    if (last.empty() && !kept)",
     "    if (is_lost() || (last.empty() && !kept))")
sending("discard-makes-it-immortal", "discard_buffers() lets a lost connection stay",
     "if (rare_ && !is_lost())", "if (rare_)")
layers = of("dispatcher_layers")
layers("failed-shutdown-is-orderly",
       "a reset found by shutdown_output() ends as the peer's end would",
       "connection_lost_(close_reason::reset, error);", "return true;")
layers("early-input-after-the-switch", "input is not held back until the output before a layer left",
       "begin(std::move(fed), later, ended);", "begin(std::move(fed), false, ended);")
layers("silent-last-words", "a channel that ends in order says none of the last words of a layer",
       "if (state_->layers() == 0 || ", "if (state_->layers() < 32 || ")
layers("last-words-once", "the last words of a layer are not tried again after would_block",
       "    return !is_would_block(error);\n}", "    return true;\n}")
events("input-left-inside", "a layer with input inside waits for more of it below",
       "if (what == readiness::read && has_input())", "if (false)")
events("other-direction", "a layer waits below for the same as its channel",
       "const readiness needed = waits_for(what);", "const readiness needed = what;")
events("wants-of-yesterday", "a wait under way goes on for what the layer does not need any more",
       """\
    wait(readiness::read);
    wait(readiness::write);
    if""", "    if")
ending("early-input-goes-through", "what came before the layer is delivered as if it had come through",
     "    if (bytes.empty() && !in_frame)\n        return bytes;", "    if (!closed())\n        return {};")
sending("discards-half-a-record", "discard_buffers() drops what a layer is bound to",
     "transport_ ? transport_->held_output() : 0", "0")
sending("drained-by-last-words", "last words that had to wait are said to be output that had to",
     "awaits_writable() && !queue_.is_empty();", "awaits_writable();")
closing("lost-and-forgotten", "after a failed send the channel goes on as if nothing had happened",
        "    gate_.set(detail::gate::lost);\n", "")
closing("lost-without-error", "close_error() does not tell why the connection was lost",
        "rare_->lost.error = error;", "")
closing("lost-for-ever", "a lost connection that gives nothing and does not end stays",
        "close_at(detail::later(loop_.now(), detail::client_timeouts.linger));", "rare();")
times("lost-is-a-timeout", "a lost connection without an end is reported as a timeout",
      """\
    if (is_lost()) {
        end_of_input_();
        if (is_lost())
            end_lost(); // if the channel is still open
        return;
    }
""",
      "")
channel("other-errors-lose-input", "an error of send() that is no lost connection drops the input",
        """\
    else if (failure.source == detail::error_source::output)
        connection_lost_(failure.reason, failure.error);
""",
        "")
channel("errors-of-input-lose-input", "an error of recv() drops held-back bytes",
        """\
    if (failure.source == detail::error_source::input)
        input_failed(failure.reason, failure.error);
    else if""",
        "    if")
channel("reset-unheard", "a reset is not noticed while nobody reads or sends",
        "((rare_ && rare_->urgent.waits()) || is_deaf())", "rare_ && rare_->urgent.waits()")
channel("spins-unheard", "a hang-up while nobody reads keeps the loop busy",
        "        ended_unheard_ = true;\n", "")
channel("urgent-mark-deafens", "a reset behind an urgent mark is not noticed while nobody reads",
        "    marked_unheard_ = false; // the end of the event waits again\n", "")
channel("spins-at-urgent-mark", "an urgent mark while nobody reads keeps the loop busy",
        "        marked_unheard_ = true;\n", "")
channel("unheard-reset-is-an-error", "a reset while nobody reads is reported as a system error",
        """\
        return connection_lost_(
            is_disconnected(error) ? close_reason::reset : close_reason::system_error, error);""",
        "        return connection_lost_(close_reason::system_error, error);")
times("finished-peer-unheard", "a write timeout drops what a peer said before it finished",
      "if (transport_ && transport_->peer_has_finished())", "if (false)")
calls = of("system_calls")

calls("killed-by-sigpipe", "sendfile() to a closed connection kills the process",
      "pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);",
      "pthread_sigmask(SIG_BLOCK, nullptr, &before_);")
calls("send-makes-sigpipe", "a send to a closed connection kills the process",
      "inline constexpr int no_signal_flag = MSG_NOSIGNAL;",
      "inline constexpr int no_signal_flag = 0;")
calls("finished-peer-unnoticed", "no socket tells that its other side has finished",
      "return (poll_now(descriptor, POLLRDHUP) & (POLLRDHUP | POLLHUP)) != 0;",
      "return false;")
calls("inherited-connection", "a connection that was accepted outlives exec()",
      "return ::accept4(listener, peer, size, SOCK_CLOEXEC);",
      "return ::accept4(listener, peer, size, 0);")

with_send = of("dispatcher_with_send")

with_send("with-send-loses-input",
          "a failed send ends the channel before handle_read() had the rest",
          "} else if (is_lost() && !may_receive()) {", "} else if (is_lost()) {")
with_send("with-send-never-ends", "a failed send of dispatcher_with_send does not end it",
          "} else if (is_lost() && !may_receive()) {", "} else if (false) {")
with_send("with-send-loses-the-count", "nobody can tell how much of dispatcher_with_send was lost",
          "rare_->lost.output = queue_.size();", "")

# --- bounds of output ----------------------------------------------------------------------------

sending("cap-at-the-first-push", "one large answer ends the channel for max_output()",
     "if (!rare_ || !rare_->output_is_full() || bytes == 0)",
     "if (queue_.size() <= active_output_limits().max_bytes || bytes == 0)")
sending("cap-refuses-only", "over max_output() pushes are refused, and the channel stays",
     """\
    marks_.refuse();
    return false;""",
     "    return false;")
sending("cap-accepts-the-push", "the push over max_output() is queued all the same",
     """\
    marks_.refuse();
    return false;""",
     """\
    marks_.refuse();
    return true;""")
sending("cap-not-noted", "what waits behind a blocked socket is not counted for max_output()",
     """\
    if (rare_ || queue_.size() > active_output_limits().max_bytes)
        rare().output_left = queue_.size();
    compare_with_marks();
    tell_marks();
}

ASYNCHAT_DECL void async_chat::compare_with_marks()""",
     """\
    compare_with_marks();
    tell_marks();
}

ASYNCHAT_DECL void async_chat::compare_with_marks()""")
sending("cap-never-caught-up", "who was over max_output() once is ended, also when all was sent",
     """\
    if (rare_)
        rare_->output_left = queue_.size();
""",
     "")
sending("outside-push-waits", "pushes from outside pile up although the other side reads",
     "sent = send_some(sending::quietly);", "")
sending("outside-push-unnoticed", "what is pushed from outside does not count until a turn comes",
     """\
    const bool was_paused = marks_.paused();
    compare_with_marks();
    if (talker""",
     """\
    const bool was_paused = marks_.paused();
    if (talker""")
sending("outside-push-reads-on", "a channel that others fill goes on reading",
     """\
    compare_with_marks();
    if (talker""",
     """\
    marks_.update(queue_.size(), active_output_limits());
    if (talker""")
sending("outside-pushes-unwatched", "small pushes from outside never come to the high mark",
     """\
    const std::size_t high = active_output_limits().high;
    queue_.watch(high);
    if (queue_.size() > high)""",
     """\
    const std::size_t high = active_output_limits().high;
    if (queue_.size() > high)""")
sending("unwatched-behind-a-producer", "small pushes behind a producer never come to the high mark",
     """\
    queue_.push(pool(), std::move(source));
    queue_.watch(active_output_limits().high);""",
     "    queue_.push(pool(), std::move(source));")
sending("talker-goes-on", "who fills others in one turn is not interrupted",
     """\
    if (talker && marks_.paused() && !was_paused)
        talker->fed_too_much_();""",
     "")
sending("told-inside-push", "handle_write_paused() is called inside push()",
     """\
    if (talker && marks_.paused() && !was_paused)
        talker->fed_too_much_();""",
     """\
    if (talker && marks_.paused() && !was_paused)
        talker->fed_too_much_();
    tell_marks();""")
sending("fails-inside-push", "an error of a send from outside calls handle_error() inside push()",
     "if (what != sending::quietly) // otherwise the next attempt reports it", "")
chat("turn-goes-on", "end_turn() ends nothing",
     """\
    deliver_later(); // or throws, for want of memory
    gate_.set(detail::gate::turn_over);""",
     "")
chat("turn-over-for-ever", "the input behind end_turn() never comes",
     """\
    deliver_later(); // or throws, for want of memory
    gate_.set(detail::gate::turn_over);""",
     "    gate_.set(detail::gate::turn_over);")
chat("turn-never-begins", "after end_turn() no turn begins again",
     """\
    gate_.set(detail::gate::turn_over, false);
    if (under_way() ||""",
     "    if (under_way() ||")
sending("both-sides-wait", "who connected stops over the high mark as well, and both wait",
     "was_accepted_ ? 0 : active_output_limits().max_bytes / 2", "0")
sending("reading-when-full-by-role-only", "when_full() changes nothing for later",
     "    rare().when_full = what;\n", "    (void)what;\n")
sending("reads-on-until-the-next-mark", "when_full() acts only at the next mark",
     "    set_full(marks_.paused() && queue_.size() > stop_over() && !is_lost());\n", "")
sending("push-in-handle-close", "a push() in handle_close() is said to be sent",
     """\
    if (!accepts_output())
        return false;
    flush_soon();
    if (!rare_""",
     """\
    if (gate_.has(detail::gate::of_output & ~unsigned{detail::gate::ended}))
        return false;
    flush_soon();
    if (!rare_""")
sending("producer-waits-for-the-socket", "a producer behind large answers waits for a writable socket",
     """\
            tried = false; // the end of the event calls the producer
""",
     "")
chat("override-not-looked-at", "input goes on after a get_terminator() that closed the channel",
     "    return !gate_.has(reasons); //",
     "    return true; //")
with_send("with-send-reads-on", "who does not read the answers of dispatcher_with_send may ask on",
          "return !was_accepted_ || !marks_.paused();", "return true;")
with_send("with-send-both-sides-wait",
          "a dispatcher_with_send that connected stops reading when full",
          "return !was_accepted_ || !marks_.paused();", "return !marks_.paused();")
with_send("with-send-without-marks",
          "what waits in a dispatcher_with_send is not compared with the marks",
          """\
            output_waits(sent);
            return note_left();""",
          "            return output_waits(sent);")
with_send("with-send-without-cap", "max_output() does not hold for dispatcher_with_send",
          "if (rare_ && rare_->output_is_full()) {", "if (false) {")
with_send("with-send-cap-refuses-only", "over max_output() a dispatcher_with_send stays",
          "if (marks_.refused() && !closed()) {", "if (false) {")
with_send("with-send-says-sent", "a send() in handle_close() says that it was queued",
          "if (!gate_.accepts_output() || data.size() == 0)",
          "if (closed() || data.size() == 0)")

# --- time that stands still ----------------------------------------------------------------------

chat("frame-timed-while-paused", "the time of a frame runs while its channel is paused",
     """\
    gate_.set(detail::gate::paused);
    stop_or_go_on_timing_frame();""",
     "    gate_.set(detail::gate::paused);")
sending("frame-timed-while-full", "the time of a frame runs while its channel is full",
     """\
    gate_.set(detail::gate::full, on);
    stop_or_go_on_timing_frame();""",
     "    gate_.set(detail::gate::full, on);")
chat("frame-timed-in-a-nested-loop", "the time of a frame runs while a callback runs the loop",
     """\
    const bool in_nested_run = under_way() && under_way()->nested > 0;""",
     "    const bool in_nested_run = false;")
chat("frame-not-timed-after-a-pause", "after a pause a frame may take for ever",
     """\
    gate_.set(detail::gate::paused, false);
    stop_or_go_on_timing_frame();""",
     "    gate_.set(detail::gate::paused, false);")
clocks("frame-timed-anew-after-a-pause",
       "who has a channel paused now and then keeps a frame for ever",
       "since_[index(clock::frame)] += now - std::exchange(frame_stopped_, never);",
       "since_[index(clock::frame)] = now, frame_stopped_ = never;")
chat("frame-deadline-forgotten", "after a pause nothing looks at the time of the frame again",
     """\
    rare_->clocks.go_on(owner().now());
    look_at_clocks_by(rare_->clocks.due(detail::deadlines::clock::frame));
""",
     "    rare_->clocks.go_on(owner().now());\n")
chat("frame-timed-from-the-pause",
     "a frame that begins in the piece that pauses is timed all the same",
     """\
    start_clock(detail::deadlines::clock::frame);
    stop_or_go_on_timing_frame();""",
     "    start_clock(detail::deadlines::clock::frame);")
chat("frame-timed-with-the-next", "the frame after another kind of terminator has less time",
     """\
    if (rare_ && !decoder_.in_frame())
        frame_has_ended(); //""",
     "    //")
passing("frame-timed-without-frames",
     "what is collected without an end is ended as a frame too long",
     "d.begun_ = !d.current().collects_everything();",
     "d.begun_ = true;")
chat("frame-timed-for-the-old", "after handle_frame_timeout() another connection is ended as well",
     """\
        if (state_->connection() != connection)
            return; // closed, or another connection
""",
     "")
chat("producer-blamed-for-the-peer", "a producer that runs the loop for long is a write timeout",
     """\
    if (sending_)
        rare_->clocks.stop(clock::write); // a producer runs the loop: it starts again later
""",
     "")
chat("frame-timeout-not-logged", "a frame timeout ends a channel without a word",
     """log_timeout("a frame was not complete", "frame_timeout()", active_timeouts().frame);""", "")
times("idle-timeout-not-logged", "an idle timeout ends a channel without a word",
      """log_timeout("nothing came and nothing went", "idle_timeout()", active_timeouts().idle);""", "")
times("write-timeout-not-logged", "a write timeout ends a channel without a word",
      """log_timeout("the other side took no output", "write_timeout()", limits.write);""", "")
times("close-timeout-not-logged", "close_when_done() with a time drops output without a word",
      """\
    if (!state_->hidden)
        log_timeout("its output""",
      """\
    if (false)
        log_timeout("its output""")
times("lingering-is-logged", "each connection that lingers to its end writes a line",
      "if (!state_->hidden)\n        log_timeout(", "log_timeout(")

# --- one socket after the other ------------------------------------------------------------------

decoding("new-socket-old-input", "another connection begins with input of the one before",
     """\
    discard();
    frame_is_over();""",
     "    frame_is_over();")
decoding("new-socket-held-bytes", "another connection begins with a part of a terminator",
     """\
    discard();
    frame_is_over();""",
     """\
    const unsigned held = partial_match_;
    discard();
    partial_match_ = held;
    frame_is_over();""")
decoding("new-socket-old-frame", "another connection goes on with a frame of the one before",
     """\
    scanner_.start_anew();
""",
     "")
ending("new-socket-old-output", "output for one connection is sent on another",
     """\
    queue_.clear();
    marks_ = {};
    ends_when_sent_ =""",
     """\
    marks_ = {};
    ends_when_sent_ =""")
ending("new-socket-still-full", "a channel stays full when its connection is another",
     """\
    queue_.clear();
    marks_ = {};
    ends_when_sent_ =""",
     """\
    queue_.clear();
    ends_when_sent_ =""")
ending("new-socket-old-end", "another connection ends for what the one before was told",
     "    ends_when_sent_ = input_ended_ = eof_reported_ = at_end_ = false;\n", "")
ending("new-socket-still-stopped", "close_when_done() of one connection holds for the next",
     """\
    for (const auto why :
         {gate::closing, gate::full, gate::output_ended, gate::eof_sent, gate::blocked})
        gate_.set(why, false);
""",
     "")
ending("new-socket-ends-with-the-old",
     "a connection made in the last piece of another ends with that",
     "return chat_.state_->connection() != connection_;", "return false;")
ending("new-socket-old-piece",
     "the end of a frame of the connection before is reported on the new one",
     """\
    if (under_way())
        gate_.set(detail::gate::renewed);
""",
     "")
sockets("new-socket-knows-the-end", "a socket made after the end of a stream never reads",
        "connected_ = accepting_ = connecting_ = was_lost_ = eof_ = was_accepted_ = false;",
        "connected_ = accepting_ = connecting_ = was_lost_ = was_accepted_ = false;")
sockets("new-socket-old-role",
        "a channel that connects anew has the bounds of one that was accepted",
        "connected_ = accepting_ = connecting_ = was_lost_ = eof_ = was_accepted_ = false;",
        "connected_ = accepting_ = connecting_ = was_lost_ = eof_ = false;")
sockets("new-socket-old-clocks", "another connection is ended by a timeout of the one before",
        """\
        if (rare_)
            rare_->start_anew(loop_.now());
""",
        "")
sockets("new-socket-is-lost", "another connection is lost because the one before was",
        "        gate_.set(detail::gate::lost, false);\n        forget_connection_();",
        "        forget_connection_();")
sockets("new-socket-forgets-too-much", "what was pushed before connect() is lost",
        "    if (had_connection) {", "    if (true) {")
sockets("new-socket-in-handle-close", "a connection made in handle_close() is closed behind it",
        """\
    if (gate_.has(detail::gate::ended))
        throw std::logic_error(""",
        """\
    if (false)
        throw std::logic_error(""")
with_send("with-send-old-output", "dispatcher_with_send sends old output on another connection",
          """\
    queue_.clear();
    marks_ = {};
    ends_for_ = close_reason::open;""",
          """\
    marks_ = {};
    ends_for_ = close_reason::open;""")
with_send("with-send-old-end", "dispatcher_with_send ends another connection for the one before",
          "    ends_for_ = close_reason::open;\n", "")

# --- exceptions of the last handlers -------------------------------------------------------------

channel("handle-error-leaves-the-loop", "an exception of handle_error() ends the loop for all",
        "    } catch (...) {\n        end_after_failed_handler();\n    }",
        "    } catch (const std::bad_alloc&) {\n        end_after_failed_handler();\n    }")
channel("exit-now-does-not-exit", "exit_now out of handle_error() is an exception like others",
        """\
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        end_after_failed_handler();""",
        """\
    } catch (...) {
        end_after_failed_handler();""")
channel("handle-error-throws-and-stays", "a channel whose handle_error() throws stays",
        """\
    try {
        finish(reason_, close_error());
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        log_exception("after the close of");
    }
}

ASYNCHAT_DECL void dispatcher::handle_read_event()""",
        """\
}

ASYNCHAT_DECL void dispatcher::handle_read_event()""")
channel("handle-close-leaves-the-loop", "an exception of a handle_close() behind it ends the loop",
        """\
    try {
        finish(reason_, close_error());
    } catch (const exit_now&) {
        throw;
    } catch (...) {
        log_exception("after the close of");
    }
}""",
        """\
    finish(reason_, close_error());
}""")
channel("listener-dies-of-its-handler", "a listener whose handle_error() throws is closed",
        "    if (stays || closed())\n        return;\n    try {\n        finish(",
        "    if (closed())\n        return;\n    try {\n        finish(")
channel("failed-handler-not-logged", "what handle_error() throws vanishes",
        "    log_failure(stays ? stays : \"closing channel\");\n", "")
channel("readable-throws-and-waits", "a readable() that throws once leaves its channel deaf",
        "    if (!again)\n        return flush_later();", "    if (!again)\n        return;")
channel("readable-throws-for-ever", "a readable() that always throws keeps its channel",
        "    guarded([this] { finish(close_reason::callback_error); });", "")
channel("readable-throws-once", "a readable() that throws once ends a channel that survives that",
        "    if (!again)\n        return flush_later();\n", "")

# --- channels of nested runs ---------------------------------------------------------------------

loop("freed-in-a-callback",
     "a channel goes at the end of an inner event, and is still on the stack",
     "if (doomed_ > 0 && turns_ == turns_before_ + 1)", "if (doomed_ > 0)")
loop("kept-by-a-nested-loop", "what a nested run opens and closes stays until it returns",
     "if (doomed_ > 0 && turns_ == turns_before_ + 1)", "if (doomed_ > 0 && turns_ == 1)")
loop("kept-after-a-nested-loop", "what was closed in a nested run is forgotten behind it",
     """\
            loop_.adopted_before_ = adopted_before_;
            loop_.find_doomed();""",
     "            loop_.adopted_before_ = adopted_before_;")
loop("old-ones-freed-in-a-nested-loop", "a nested run frees what its callers have closed before",
     """\
            loop_.adopted_before_ = loop_.adopted_;
            loop_.find_doomed();
        }
        if (outer_)
            detail::channel_access::nested_run(*outer_, true);""",
     """\
            loop_.adopted_before_ = loop_.adopted_;
        }
        if (outer_)
            detail::channel_access::nested_run(*outer_, true);""")
loop("nested-output-waits", "what a channel pushed before it runs the loop is sent after that",
     "detail::channel_access::in_event(*outer_, [] {});", "(void)outer_;")

# --- connections that linger ---------------------------------------------------------------------

server("lingering-not-counted", "connections that linger hold descriptors beyond max_connections()",
       "if (all.lingering > 0 && all.open + all.lingering > max_connections_)", "if (false)")
server("lingering-at-an-address-not-counted",
       "one address has more connections by having them linger",
       "if (slot.address && slot.lingering > 0 && slot.open + slot.lingering > max_per_address_)",
       "if (false)")
server("lingering-ended-too-early",
       "connections linger only while the server is far from its limit",
       "if (all.lingering > 0 && all.open + all.lingering > max_connections_)",
       "if (all.lingering > 0 && all.open + all.lingering >= max_connections_)")
place("lingering-counted-up-only", "the places of connections that have lingered are never free",
      "    --slot.server->counters.lingering;\n", "")
lingering("newest-linger-ended", "the connection that began to linger last is ended for a newcomer",
          """\
    for (const auto& state : lingerers_) {
        const auto channel = state->channel();
        if (!channel)
            continue;
        const auto* const its_slot = detail::channel_access::slot(*channel);
        if (slot && its_slot != slot)
            continue;
        if (!server || (its_slot && its_slot->server.get() == server))
            return channel->close();
    }""",
          """\
    std::shared_ptr<dispatcher> newest;
    for (const auto& state : lingerers_) {
        const auto channel = state->channel();
        if (!channel)
            continue;
        const auto* const its_slot = detail::channel_access::slot(*channel);
        if (slot && its_slot != slot)
            continue;
        if (!server || (its_slot && its_slot->server.get() == server))
            newest = channel;
    }
    if (newest)
        newest->close();""")
lingering("linger-of-another-server-ended", "a server ends what lingers of another one",
          "if (!server || (its_slot && its_slot->server.get() == server))",
          "if (!server || its_slot)")
lingering("lingering-without-bound", "any number of connections may linger",
          """\
    if (lingerers_.is_full())
        end_oldest_linger();
""",
          "")
lingering("lingering-never-forgotten", "each connection that has lingered keeps some memory",
          "    lingerers_.tidy();\n", "")

# --- accepting -----------------------------------------------------------------------------------

channel("accepts-more-than-it-may",
        "a listener that is full accepts on, and refuses what could wait",
        "if (state_->connection() != connection || !accepting_ || !readable())",
        "if (state_->connection() != connection || !accepting_)")
channel("accepts-without-a-break", "newcomers without end keep everybody else from being served",
        "for (int i = 0; i < max_connections; ++i) {\n        auto accepted = accept();",
        "for (;;) {\n        auto accepted = accept();")
channel("accepts-one-by-one", "of many newcomers each waits for a turn of its own",
        "constexpr int max_connections = 64;", "constexpr int max_connections = 1;")
channel("accepts-without-a-socket", "a listener that closes in handle_accepted() goes on accepting",
        "if (state_->connection() != connection || !accepting_ || !readable())", "if (!readable())")

# --- ends of relays ------------------------------------------------------------------------------

joined("relay-hides-a-reset", "a reset at one end of a relay is an orderly end at the other",
       "    if (in_order)\n        return left->close_when_done();",
       "    return left->close_when_done();")
joined("relay-ends-after-a-timeout",
       "a timeout at one end of a relay is an orderly end at the other",
       "close_reason() == close_reason::peer_finished || close_reason() == close_reason::local;",
       "close_reason() != close_reason::reset;")
joined("relay-closes-instead-of-abort", "half an answer through a relay ends as a whole one does",
       "    left->abort();\n", "    left->close();\n")
joined("relay-drops-what-could-go", "what a relay could still pass on is dropped after a reset",
       "        left->initiate_send();\n", "")

# --- addresses -----------------------------------------------------------------------------------

address = of("endpoint")

address("endpoint-port-wraps", "the port 65616 of an endpoint is 80",
        "if (port < 0 || port > 65535)", "if (port < 0)")
address("endpoint-cut-at-nul", "an address is read as far as its first NUL",
        "    if (error || host.find('\\0') != std::string_view::npos)", "    if (error)")
address("path-cut-at-nul", "the path of a UNIX socket is taken as far as its first NUL",
        "nul != 0 && nul != std::string_view::npos)", "false)")

# --- the kit -------------------------------------------------------------------------------------

kit = of("testing")
network = of("memory_network")

kit("kit-accepts-clients", "channels that the kit accepts have the bounds of clients",
    "    accepted.accepted_ = true;\n", "")
network("kit-reset-drops-what-arrived", "a reset of the kit takes back what has arrived",
        "if (reset_ && (what != testing::operation::receive || input_.empty()))", "if (reset_)")
network("kit-reset-overtakes-nothing", "what is under way arrives after a reset of the kit",
        "        end->drop_what_is_under_way();\n", "")

# --- how it is done fast -------------------------------------------------------------------------

state = of("detail/io/channel_state.hpp")
strings = of("detail/output/string_pool.hpp")
kept_string = of("detail/framing/terminator_scanner.hpp")
printing = of("print")

state("crowd-looks-ahead", "those that look ahead come first however many channels are busy",
      "        if (others > max_others)\n            return false;\n", "        (void)others;\n")
strings("newest-string-freed", "a full pool frees what comes in, and keeps what nobody takes",
        """\
        while (size > max_large - kept_large_)
            forget_large(large_.begin(), large_.front().capacity());
""",
        """\
        if (size > max_large - kept_large_)
            return;
""")
kept_string("same-size-same-string", "strings of the same size are taken for the same terminator",
            "&& bytes == terminator_.view();", "&& bytes.size() == terminator_.view().size();")
printing("text-without-room", "a text of print() is written over the end of its memory",
         "if (static_cast<std::ptrdiff_t>(text.size()) > end - to)", "if (false)")
printing("braces-as-text", "print() takes }} for two braces",
         "if (next != '{' && next != '}') {", "if (next != '{') {")
number("short-number-over-max", "a short number may be larger than the limit",
       "parse_few_decimals(text, value) && value <= max)",
       "parse_few_decimals(text, value))")
chat("count-over-limit-at-rest", "set_terminator() takes a count that no frame can have",
     "has_own_max_frame_ || count > limit ||", "has_own_max_frame_ ||")
strings("full-pool-leaves-memory", "what a full pool does not take stays with the channel",
        "            std::string().swap(string); // it has no place\n", "            string.clear();\n")
chat("malformed-frame-in-the-log", "what stands behind a wrong length is logged",
     "escaped(input.rest().substr(wrong.position, 1))", "escaped(input.rest().substr(wrong.position))")
channel("loss-forgotten-by-exception", "an exception that is survived is taken for why a connection was lost",
        "            rare_->close_text.swap(cause);\n", "            cause.reset();\n")

# --- TLS -----------------------------------------------------------------------------------------
# These are left out where OpenSSL is not installed.

built = of("tls/build")
names = of("tls/context")
names("lists-before-authorities", "with revocation lists loaded first the system's store is trusted",
      "if (!settings.is_server) // with", "if (settings.trust.empty() && !settings.is_server) // with")
shaking = of("tls/handshake")
decrypting = of("tls/tls_input")
encrypting = of("tls/tls_output")
bios = of("tls/tls_layer")
tickets = of("tls/ticket_keys")

built("tls-verification-off", "a client takes any certificate",
      "    SSL_CTX_set_verify(ctx, mode, tls_layer::verified);",
      "    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, tls_layer::verified);")
built("tls-client-without-certificate", "verify::required of a server takes who shows nothing",
      "? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT", "? SSL_VERIFY_PEER")
built("tls-revoked-accepted", "lists of revoked certificates are read and not looked at",
      "            flags |= X509_V_FLAG_CRL_CHECK;\n", "")
built("tls-name-of-the-subject", "a name without any subjectAltName is taken from the subject",
      "X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |\n"
      "                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);",
      "X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);")
built("tls-partial-wildcard", "a certificate for w*.example is one for www.example",
      "X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |\n", "\n")
built("tls-minimum-ignored", "minimum_version() is not looked at",
      "number(settings.oldest)", "TLS1_2_VERSION")
built("tls-renegotiation", "a peer may renegotiate",
      "SSL_OP_NO_RENEGOTIATION | SSL_OP", "SSL_OP")
built("tls-unknown-protocol", "a client without a known protocol is served as if it had one",
      "    return SSL_TLSEXT_ERR_ALERT_FATAL;", "    return SSL_TLSEXT_ERR_NOACK;")
built("tls-session-of-another-name", "a session made for one name is resumed under another",
      "layer.built().trust_digest + std::string(layer.server_name())",
      "layer.built().trust_digest")
built("tls-session-of-old-trust", "who was trusted before a change comes back by a session",
      "layer.built().trust_digest + std::string(layer.server_name())",
      "std::string(layer.server_name())")
names("tls-wildcard-first", "a name of its own is shown the certificate of *. that was added before",
      "            found = ctx.get();\n", "            return ctx.get();\n")
names("tls-name-in-capitals", "the name of a host in capitals is another one",
      "c = static_cast<char>(c - 'A' + 'a');", ";")
shaking("tls-name-not-checked", "a certificate for any host is good for this one",
        "is_set = SSL_set1_host(ssl_.get(), name.c_str()) == 1;", "is_set = true;")
shaking("tls-address-not-checked", "a certificate for any host is good for this address",
        "is_set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str()) == 1;",
        "is_set = true;")
shaking("tls-dot-for-all-below", "the host .example is each host below it",
        "name.front() != '.' && ", "")
shaking("tls-name-cut-at-nul", "a host is checked as far as its first NUL",
        "(name.front() != '.' && name.find('\\0') == name.npos)", "name.front() != '.'")
shaking("tls-without-a-name", "a client that knows no name of the host checks none",
        "if (name.empty() && checks) {", "if (false) {")
shaking("tls-session-for-another-host", "a client offers the session of one host to another",
        "earlier->name == options_.server_hostname &&", "")
shaking("tls-unknown-name-served", "refuse_unknown_names() refuses nothing",
        "} else if (built_->settings.refuses_unknown_names) {", "} else if (false) {")
shaking("tls-handshake-waits", "a flight of the handshake is sent after the next one was received",
        "    send_flight(call.scratch(), next); // before a receive: the peer waits for it\n", "")
shaking("tls-tickets-alone", "tickets take a send of their own",
        "const bool is_tickets = result == step::done &&", "const bool is_tickets = false &&")
shaking("tls-open-too-early", "the handshake is complete when it has begun",
        "    else if (next == step::done)\n        is_open_ = true;",
        "    else if (next == step::done || next == step::starved)\n        is_open_ = true;")
shaking("tls-session-useless-after-close", "a connection that is closed leaves no session",
        "    if (!failure_)\n        SSL_set_shutdown(", "    if (failure_)\n        SSL_set_shutdown(")
decrypting("tls-truncation-is-an-end", "the end of TCP without close_notify is an orderly end",
           "if (is_open_ && built_->settings.takes_ragged_end) {", "if (is_open_) {")
decrypting("tls-input-inside-forgotten", "plaintext that OpenSSL holds waits for the network",
           " || SSL_pending(ssl_.get()) > 0 || has_whole_record()", " || has_whole_record()")
decrypting("tls-record-inside-forgotten", "a record that was received waits for the network",
           " || SSL_pending(ssl_.get()) > 0 || has_whole_record()", " || SSL_pending(ssl_.get()) > 0")
decrypting("tls-keys-without-end", "a peer keeps the processor busy with new keys",
           "if (++records_without_data_ > max_records_without_data)", "if (false)")
decrypting("tls-key-update-unanswered", "new keys that a peer asks for wait for other output",
           "    answer_key_update();\n", "")
decrypting("tls-end-before-data", "what is in front of close_notify is lost",
           "    if (size > 0) {\n        error.clear();\n    } else if (failure_) {",
           "    if (size > 0 && !input_ended_) {\n        error.clear();\n    } else if (failure_) {")
decrypting("tls-rest-lost", "ciphertext behind the record that was read is lost",
           "        rest_.append(received_);\n", "        (void)received_;\n")
decrypting("tls-reads-though-it-must-write", "a send that needs input waits for room",
           "return what == readiness::write && output_needs_input_ ? readiness::read : what;",
           "return what;")
encrypting("tls-no-close-notify", "the end of the output is not said",
           "        SSL_shutdown(ssl_.get());\n", "")
encrypting("tls-close-notify-in-a-message", "close_notify is not sent in the middle of a message",
           "        if (!finish_message(call.scratch(), error))\n            return;\n", "")
encrypting("tls-half-record-twice", "a record of which a part was sent is sent again from its start",
           "    keep_waiting(all.substr(sent));", "    keep_waiting(all);")
encrypting("tls-half-record-done", "what waits in the layer is thought to be sent",
           "    taken_ -= size;\n", "")
encrypting("tls-answers-without-bound", "answers to a peer that does not read use up the memory",
           "if (is_open_ && waiting_.size() + bytes.size() > max_waiting)", "if (false)")
encrypting("tls-own-output-once", "what OpenSSL writes by itself is tried once",
           "    return is_would_block(error);\n}\n\nASYNCHAT_DECL std::size_t tls_layer::held",
           "    return false;\n}\n\nASYNCHAT_DECL std::size_t tls_layer::held")
encrypting("tls-alert-behind-tickets", "an alert waits where tickets wait, and is not sent",
           "    take_tickets(scratch);\n    std::string_view all = scratch.sent;\n",
           "    std::string_view all = scratch.sent;\n")
encrypting("tls-tickets-before-input", "tickets do not wait for the answer to what is there",
           "if (holds_tickets_ && has_input())", "if (false)")
encrypting("tls-held-output-uncounted", "what waits in the layer is not in the output's size",
           "        held += records_[i].plain;\n", "        ;\n")
bios("tls-errors-of-others", "an error that other users of OpenSSL left ends the connection",
     "if (ERR_peek_error() != 0)", "if (false)")
shaking("tls-errors-left-to-others", "errors of a connection are left in the thread",
        "    while (const unsigned long next = ERR_get_error()) {",
        "    while (const unsigned long next = telling == 0 ? ERR_peek_error() : 0) {")
sockets("layers-lost-by-another-attempt", "what waits for TLS goes out in the clear",
        "connecting_ && !had_connection && state_->layers() != 0", "false")
of("dispatcher_layers")("layers-before-the-connection", "discard_buffers() takes TLS from a client",
                        "return has_waiting_layers() && before && before->holds_input_;",
                        "return has_waiting_layers();")
names("older-reload-wins", "a reload that began sooner and ends later is taken",
      "    if (reloads_ != before_reloads)\n        return false;\n", "")
names("certificate-not-replaced", "a second certificate of a kind is there beside the first",
      "return EVP_PKEY_is_a(a.key.get(), EVP_PKEY_get0_type_name(b.key.get())) == 1;",
      "return false;")
decrypting("output-waits-for-nothing", "the rest of a message has come, and the output waits on",
           "        output_needs_input_ = false; // the rest of the message has come\n", "        ;\n")
tickets("tls-ticket-keys-for-ever", "the key of tickets never changes",
        "if (!current_ || now - current_->made >= lifetime) {", "if (!current_) {")
tickets("tls-ticket-key-forgotten", "tickets of the key before are worth nothing",
        "previous_ = std::exchange(current_, next);", "current_ = next;")
server("tls-handshakes-uncounted", "any number of clients may be in the handshake",
       "&& counters().handshakes < max_handshakes_;", ";")
opening_up = of("dispatcher_opening")
opening_up("handshake-without-a-clock", "who says nothing in the handshake stays",
           """\
    if (!rare().clocks.runs(clock::connect)) {
        rare_->clocks.start_handshake(loop_.now());
        look_at_clocks_by(rare_->clocks.due(clock::connect));
    }
""",
           "    (void)rare();\n")
opening_up("handshake-clock-goes-on", "a connection ends by the time limit of its handshake",
           "    if (rare_)\n        rare_->clocks.stop(detail::deadlines::clock::connect);\n", "")
opening_up("handshakes-in-crowds", "twenty handshakes go on in one pass of the loop",
           "while (openings_ < detail::max_openings &&",
           "while (openings_ < 4 * detail::max_openings &&")
opening_up("handshakes-first", "who comes is served before those who talk",
           "if (openings_ < detail::max_openings && to_open_.is_empty()) {", "if (true) {")
opening_up("layers-forgotten-by-failure", "after a failed handshake the next attempt is in the clear",
           """\
        transport_layer::stack(rare().layers, std::move(next), 0);
""",
           "        (void)next;\n")
layers("starttls-keeps-what-was-injected", "what came behind STARTTLS is read as if it were inside",
       "    auto fed = take_early_input_(early);", "    auto fed = take_early_input_(early_input::feed);")


# --- streams -------------------------------------------------------------------------------------

# --- rates ----------------------------------------------------------------------------------------

bucket = of("detail/timing/rate_limit.hpp")
rating = of("async_chat_rates")

bucket("rate-rounded", "a rate that divides no second is exceeded a little with each token",
       "fraction_ = rest % rate_;", "fraction_ = 0;")
bucket("rate-saved-up", "who was silent for an hour may send what an hour allows",
       "if (full_at_ < now) {", "if (false) {")
rating("rate-resumed", "resume_reading() ends the wait for a rate",
       "    rates.is_held = true;\n", "")
rating("rate-overtaken", "a connection that was idle is served in front of those that wait",
       "(rates.has_turn || all->waiting.is_empty())", "true")
rating("rate-of-one-only", "only the first connection that waits for the rate of a server goes on",
       "    const detail::scope_exit others([this] { detail::channel_access::wake_first_waiting(*this); });\n", "")
rating("rate-changed-later", "a higher rate does not end a wait that has begun",
       "    if (is_held())\n        detail::channel_access::wake_by_rate(", "    if (false)\n        detail::channel_access::wake_by_rate(")
ending("rate-drops-after-reset", "what came before a reset is dropped while it waits for a rate",
       "        return rare_->clocks.stop(detail::deadlines::clock::close);\n", "        {}\n")
times("rate-idle", "a channel that waits for its rate is ended as idle",
      " || is_held())\n        return counting", ")\n        return counting")
closing("rate-closed-in-the-queue", "the others wait for ever when the first that waits is closed",
        "        detail::channel_access::leave_rates(*this);\n",
        "        rare_->rates->is_held = false;\n")

buffer = of("stream_buffer")
stream = of("streams.hpp")
frames = of("frame_source.hpp")
frames("coroutine-gets-all-of-it", "what an override passes to the coroutine is not looked at",
       "frame_ = take_or_copy(frame);", "frame_ = take_frame(), static_cast<void>(frame);")
stream_channel = of("detail/streams/stream_channel.hpp")
waiting = of("detail/streams/waiting_room.hpp")

buffer("stream-half-a-line", "after a line too long its rest comes with the next line",
       "    if (decoder_.is_dropping() && !end_skip())\n        return {verdict::starved, {}};\n", "")
buffer("stream-end-over-the-limit", "at the end of the stream more than the limit is no error",
       "return unread().size() > limit_ ? result{verdict::too_long, unread()} : take_rest();",
       "return take_rest();")
stream_channel("stream-reads-for-ever", "a stream that is not read receives without end",
               "        is_full_ = true;\n        pause_reading();\n", "")
stream_channel("stream-stays-full", "a stream that was full is never read again",
               "            is_full_ = false;\n            resume_reading();\n",
               "            is_full_ = false;\n")
stream_channel("stream-injected", "what came before TLS is read as if it came through it",
               "if (state_->input.size() > 0) {", "if (false) {")
stream_channel("stream-end-unseen", "a reader does not learn of the end of the stream",
               "        state_->input.end();\n        state_->wake_reader();\n",
               "        state_->input.end();\n")
waiting("stream-cancelled-for-ever", "a cancelled coroutine is not resumed",
        "        resume_later(std::move(gone), asio::error::operation_aborted);\n", "")
waiting("stream-end-of-run", "run() ends before the coroutines of the last channel",
        "result, guard = loop_.keep_running()]", "result]")
stream("stream-drain-of-the-lost", "drain() says nothing of a connection that is ending",
       """\
            if (!state->channel->write_paused() &&
                !detail::channel_access::is_ending(*state->channel))
""",
       "            if (!state->channel->write_paused())\n")
stream("stream-second-reader", "two reads wait at a time",
       "        if (state->has_reader())\n            throw std::logic_error("
       "\"asynchat: another read of this stream is under way\");\n", "")
stream("stream-dangling-cancel", "a cancellation from outside reaches a frame that is gone",
       "            outer.clear(); // it would refer to this frame\n", "            ;\n")
frames("frames-run-ahead", "frames are cut while nobody waits, with the terminator before",
       "            is_paused_ = true;\n            pause_reading();\n", "")
stream("stream-starttls-at-once", "start_tls() takes the line that asked for it as injected",
       "            co_await asio::post(state->channel->owner().context(), asio::use_awaitable);\n",
       "")

# --- pools and watchers --------------------------------------------------------------------------

lending = of("pool")

lending("pool-lends-what-has-ended", "a connection whose end has arrived is lent",
        "        detail::channel_access::look_before_use(*channel);\n", "")
lending("pool-keeps-what-nobody-wanted", "what connects beside a channel that is lent has no limit",
        "if (waiters_.size() > 1 || count({stage::ready}) > 0)", "if (waiters_.size() > 1)")
lending("pool-fails-with-a-channel-ready", "a checkout fails though a channel is there for it",
        "const bool is_told = waiters_.size() > idle();", "const bool is_told = !waiters_.empty();")
lending("pool-stopped-while-it-makes-one", "stop() in a constructor leaves a channel behind",
        "if (stopping_) { // by its constructor", "if (false) {")
lending("pool-tries-again", "a server that is down gets attempts without end for one checkout",
        "if (was_new && !waiters_.empty())", "if (false)")
lending("pool-forgets-the-order", "the channel that was handed back last waits behind the others",
        "    std::rotate(at, at + 1, members_.end());\n", "")
lending("pool-ages-together", "all idle channels of a pool end at the same moment",
        "max - numbers.up_to(max / 10)", "max - 0 * numbers.up_to(max / 10)")
lending("pool-over-its-size", "a pool makes more channels than it may",
        "attempts() < waiters_.size() && size() < max_size_", "attempts() < waiters_.size()")
lending("pool-keeps-unfit", "a channel in the middle of a message is lent to the next",
        "!detail::channel_access::park(channel)) {",
        "(!detail::channel_access::park(channel) && channel.closed())) {")
lending("pool-keeps-announced-body", "the body that a head has announced goes to the next user",
        "detail::terminator_of(channel) != at->at_rest || ", "")
lending("pool-end-asked-again", "a function that asks after each error keeps a stopped pool busy",
        "std::exchange(tells_end_, stopping_)", "tells_end_")
lending("pool-asked-at-its-end", "a function that asks after each error keeps the destructor",
        "    if (tells_end_)\n", "    if (false)\n")
of("request_queue.hpp")("queue-asked-at-its-end", "a function that asks again keeps the destructor",
                        "    if (ends_)\n", "    if (false)\n")
channel("idle-channel-delivers", "T gets what arrives while it is idle in a pool",
        "if ((state_->opening != 0 || state_->parked) &&", "if (state_->opening != 0 &&")
ending("pool-takes-the-rest", "bytes behind the answer do not matter when a channel is handed back",
       "(under_way() && !under_way()->empty())", "false")
times("ping-counts-as-answer", "our own output puts off handle_silence()",
      "if (!is_input || limits.silence == loop::duration::zero())",
      "if (limits.silence == loop::duration::zero())")
times("ping-while-input-waits", "a paused channel takes its own deafness for silence",
      "if (is_met && what == clock::silence)", "if (false)")
times("ping-while-input-waits-in-memory", "in a test, a paused channel takes its deafness for silence",
      "const bool is_unread = what == clock::silence && native_handle() < 0 && !readable();",
      "const bool is_unread = false;")

# --- WebSocket -----------------------------------------------------------------------------------
# These are left out where OpenSSL is not installed.

machine = of("websocket/websocket_machine")
utf8 = of("websocket/utf8_check")
asking = of("websocket/upgrade_request")
talking = of("websocket/websocket_chat")
choosing = of("websocket/websocket_options")

machine("ws-unmasked-accepted", "frames of a client need no mask",
        "    if ((byte & 0x80U) == 0)\n        return websocket_fault::not_masked;\n", "")
machine("ws-long-form-accepted", "a length may be longer than it needs to be",
        "if (left_ <= (length_form_ == in_8_bytes ? 0xffffU : max_control_payload))", "if (false)")
machine("ws-limit-for-each-fragment", "a message of many fragments has no limit",
        "left_ <= max_message - std::min(max_message, data_.size())", "left_ <= max_message")
machine("ws-long-control", "a ping may have any length",
        "if (is_control() && length > max_control_payload)", "if (false)")
machine("ws-message-inside", "a message may begin inside of another",
        "        if (in_message_)\n            return websocket_fault::message_inside;\n", "")
machine("ws-text-may-end-anywhere", "a text may end inside of a character",
        "if (is_text_ && !utf8_.is_complete())", "if (false)")
machine("ws-close-reason-unchecked", "a close reason may be any bytes",
        "return is_utf8(body.substr(2)) ? websocket_fault::none : websocket_fault::bad_close_text;",
        "return websocket_fault::none;")
machine("ws-ping-cuts-message", "a ping between fragments drops what came before it",
        "{ data_.resize(begin); }", "{ data_.clear(); }")
machine("ws-ping-stays-in-message", "without memory a ping becomes a part of the message around it",
        "    const scope_exit at_end([&] { data_.resize(begin); });"
        " // also if there is no memory for a copy\n    return data_.substr(begin);\n",
        "    std::string payload = data_.substr(begin);\n    data_.resize(begin);\n"
        "    return payload;\n")
machine("ws-end-of-character-unchecked", "ASCII may stand where a character has to go on",
        "!(is_ascii && utf8_.is_complete())", "!is_ascii")
whole_message = of("detail/websocket/whole_message.hpp")
masking = of("detail/websocket/masking.hpp")
whole_message("ws-whole-limit", "a message that is there as a whole has no limit",
              "size == 0 || size > max_message ||", "size == 0 ||")
whole_message("ws-whole-text-unchecked", "a text that is there as a whole may be any bytes",
              "if (unmask(frame + head_, size_, key) || !is_text_ || is_utf8(payload))",
              "if (unmask(frame + head_, size_, key) || size_ > 0)")
whole_message("ws-whole-text-unmasked-twice", "a wrong text is judged without its mask",
              "        key = at_first;\n        unmask(frame + head_, size_, key);\n", "")
whole_message("ws-whole-long-form", "a message that is there as a whole may have a longer length",
              "            if (size <= max_control_payload)\n                return;\n", "")
whole_message("ws-whole-too-early", "a message is taken before its last byte is there",
              "input.size() < head + size)", "input.size() + 1 < head + size)")
masking("ws-ascii-in-eights", "of a text only blocks of eight bytes are looked at for other bytes",
        "        all |= byte;\n", "")
masking("ws-key-stays", "the next piece begins with the first byte of the key",
        "std::memcpy(key.data(), twice + size % 4, 4);", "static_cast<void>(twice);")
talking("ws-whole-behind-close", "messages of one receive come behind push_close()",
        "input_flows() && phase_ == phase::open &&", "input_flows() &&")
talking("ws-whole-while-paused", "messages of one receive come though reading is paused",
        "input_flows() && phase_ == phase::open &&", "phase_ == phase::open &&")
talking("ws-whole-output", "the answers to all messages of one receive wait for the last one",
        "!awaits_answer_ &&\n           queue_.size() <= ac_out_buffer_size;", "!awaits_answer_;")
talking("ws-whole-no-answer", "a whole message does not answer a ping",
        "phase_ == phase::open && !awaits_answer_ &&", "phase_ == phase::open &&")
talking("ws-whole-in-message", "a message inside of another is taken if it is there as a whole",
        "    if (!machine_.is_at_rest())\n        return;\n", "")
utf8("ws-surrogates", "halves of surrogates are characters", "    case 0xed: return 5;\n", "")
utf8("ws-overlong", "a character may have a longer form",
     "if (first < 0xc2 || first > 0xf4)", "if (first < 0xc0 || first > 0xf4)")
asking("ws-body-smuggled", "what a proxy takes for a body is read as frames",
       'count("Transfer-Encoding") > 0 || ', "")
asking("ws-folded-field", "the second of two keys counts",
       'count("Sec-WebSocket-Key") != 1 ||', 'count("Sec-WebSocket-Key") < 1 ||')
asking("ws-two-hosts", "the target may have another host than the one that is checked",
       "!detail::same_word(authority_, host())", "false")
choosing("ws-any-origin", "each page may use the sockets of each other",
         "           !host.empty() && detail::same_word(host, request.host());",
         "           !host.empty();")
choosing("ws-options-shared", "a change of the options changes those of others",
         "if (!settings_ || settings_->owners.load(std::memory_order_acquire) != 1) {",
         "if (!settings_) {")
talking("ws-message-after-close", "a message is delivered behind push_close()",
        "    if (is_open()) {\n        handle_message(", "    {\n        handle_message(")
talking("ws-pongs-without-bound", "who pings and does not read makes us keep the answers",
        "if (!awaits_writable() && !write_paused()) {", "if (!write_paused()) {")
talking("ws-pong-of-first-ping", "the pings that wait are answered like the first of them",
        "    if (!is_open())\n        return;\n    if (!awaits_writable()",
        "    if (!is_open() || pong_waits_)\n        return;\n    if (!awaits_writable()")
talking("ws-close-waits-for-ever", "a peer that does not answer a close keeps the channel",
        "                finish(asynchat::close_reason::close_timeout);", "                return;")
talking("ws-close-told-twice", "the end of the connection is told behind the close frame",
        "    const phase before = std::exchange(phase_, phase::over);\n"
        "    if (before == phase::open || before == phase::closing)",
        "    const phase before = std::exchange(phase_, phase::over);\n"
        "    if (before != phase::opening && before != phase::answering)")
talking("ws-message-kept", "a message that nobody has taken is in front of the next one",
        "    const detail::scope_exit at_end([this] { static_cast<void>(machine_.take_message()); });\n",
        "")
talking("ws-ping-ends-transfer", "a peer that is busy with our output has to answer a ping behind it",
        "    if (pending_output() > 0) {\n", "    if (false) {\n")
talking("ws-answer-due-behind-output", "a ping from before the output waited has to be answered at once",
        "        if (awaits_answer_)\n            peer_is_there();\n", "")
talking("ws-exception-without-answer", "a request whose callback throws is never answered",
        "if (!closed() && phase_ == phase::answering)", "if (false)")
talking("ws-answer-overtaken", "a long second request is answered in place of the first",
        "    set_terminator(0); // what follows", "    // what follows")
talking("ws-half-closed", "who sends no more than its request gets no answer that comes later",
        "    if (phase_ != phase::answering) // otherwise it ends with respond()\n", "")
talking("ws-silent-client", "the time for the request is not for a client that sends none",
        "    time_frame(); // of a client that sends nothing as well\n", "")
chat("ws-silent-then-slow", "the time for the request begins anew with its first byte",
     "input.frames() == 0 ? frame_goes_on() : time_frame();", "time_frame();")
talking("ws-half-a-frame", "without memory the head of a frame stays without its payload",
        "        abort(); // the peer would take what follows for the payload\n", "")
talking("ws-close-refused", "a close frame behind much output ends the channel without both",
        "    return push_with_producer(\n"
        "        std::make_unique<simple_producer>(std::string(head.bytes()).append(payload)));",
        "    return push(std::string(head.bytes()).append(payload));")
talking("ws-dead-peer", "a peer that answers no ping is kept",
        '        return finish("no answer to a ping, see pong_timeout()");\n', "        return;\n")
