"""Defects for mutants.py: each a short text of the library, found exactly once, and what stands
there instead. They imitate what went wrong in libraries of this kind.

All of them are in bodies of the compiled library, so that only that is built again.
"""

import collections

Defect = collections.namedtuple("Defect", "name imitates file old new")
DEFECTS = []


def of(file):
    """Returns a function that adds a defect to this file."""
    path = f"include/asynchat/impl/{file}.ipp"
    return lambda name, imitates, old, new: DEFECTS.append(Defect(name, imitates, path, old, new))


# --- frames --------------------------------------------------------------------------------------

chat = of("async_chat")

chat("limit-counts-delimiter", "the limit of a frame includes its terminator",
     """\
            const unsigned revision = scanner_.revision();
            if (step.collect() > 0) // if it throws""",
     """\
            if (!by_count && frame_size_ + step.collect() + step.skip() > frame_limit_)
                return close_for_frame_limit();
            const unsigned revision = scanner_.revision();
            if (step.collect() > 0) // if it throws""")
chat("length-limit-off-by-one", "a frame of exactly the longest announced length is refused",
     "length.length > max_frame() && !judge_overflow()",
     "length.length >= max_frame() && !judge_overflow()")
chat("delimiter-dropped-on-overflow", "what follows a frame that was too long is dropped as well",
     """\
        now.input.remove_prefix(step.collect() + step.skip());
        end_announced_frame(now, {});""",
     """\
        now.input = {};
        end_announced_frame(now, {});""")
chat("skipped-frame-reported", "the end of a frame that was dropped is reported",
     """\
    if (dropped && !truncated_)
        return;""",
     "")
chat("truncated-for-ever", "after one frame that was cut all are said to be",
     "~done() { chat.truncated_ = false; }", "~done() {}")
chat("frame-after-close", "the terminator is reported after a close() in the piece before it",
     """\
            if (is_ending())
                return;
            frame_size_ = 0;""",
     """\
            frame_size_ = 0;""")
chat("one-of-many-after-close", "the same for the one of many short frames",
     """\
    if (is_ending())
        return;
    ++now.frames;
    found_terminator();
}""",
     """\
    ++now.frames;
    found_terminator();
}""")
chat("nested-loop-reorders-input", "what arrives while a callback runs the loop overtakes the rest",
     """\
    if (parsing_)
        return; //""",
     "    //")
chat("handlers-after-close", "a handler of the output is called after a close() in a callback",
     """\
    if (sending_ || closed())
        return;
    compare_with_marks();
    tell_marks();
}

/// Whether there may be many""",
     """\
    if (sending_)
        return;
    compare_with_marks();
    tell_marks();
}

/// Whether there may be many""")
chat("spins-while-sending", "a producer that runs the loop keeps it busy with a writable socket",
     "(!queue_.is_empty() || is_closing() || !connected()) && !sending_",
     "!queue_.is_empty() || is_closing() || !connected()")
chat("forgets-to-wait-after-sending", "what is left after a producer that ran the loop is never sent",
     """\
            if (!chat.queue_.is_empty())
                chat.try_flush_soon();""",
     "")
chat("last-reply-waits", "a peer that is still sending is not read, and never reads the last reply",
     "return (delivers_input() || is_closing()) && !closed() && !parsing_;",
     "return delivers_input() && !parsing_;")
chat("rest-lost-at-new-terminator", "bytes held back for a terminator are lost when it changes",
     "keep(held());", "")
chat("limit-counts-twice", "a piece that is delivered again is counted again",
     "frame_size_ = size_before;", "")
chat("held-byte-lost-between-pieces", "one byte of a partial terminator is lost at a piece's end",
     """\
    if (step.held() > 0 && !now.input.empty()) {
        held_ = step.held();""",
     """\
    if (step.held() > 0 && !now.input.empty()) {
        held_ = step.held() - 1;""")
chat("held-bytes-lost-at-eof", "a partial terminator is lost at the end of the stream",
     "last = in_length ? kept() : held();",
     "last = in_length ? kept() : std::string_view();")
chat("comma-not-checked", "any byte may stand behind a netstring",
     "(size < now.input.size() && now.input[size] == ',')", "size < now.input.size()")
chat("pause-ignored-until-next-read", "pause_reading() acts only after all that was received",
     """\
parse_input(parsing& now, std::size_t matched)
{
    while (!now.input.empty() && delivers_input()) {""",
     """\
parse_input(parsing& now, std::size_t matched)
{
    while (!now.input.empty() && !is_ending()) {""")
chat("terminator-change-missed", "frames found together ignore a change of the terminator",
     "stops_of_many = stops::of_input | stops::changed;",
     "stops_of_many = stops::of_input;")
chat("pause-missed-among-lines", "frames found together ignore pause_reading()",
     "stops_of_many = stops::of_input | stops::changed;",
     "stops_of_many = stops::closed | stops::changed;")
chat("limit-missed-among-lines", "frames found together may be longer than the limit",
     "if (size > frame_limit_ || size == now.input.npos)", "if (size == now.input.npos)")
chat("paused-input-lost", "what was received and not delivered is lost by a pause",
     "return keep_or_end(rest);", "return;")
chat("resume-forgets-buffered-input", "after a pause only new bytes bring the buffered ones",
     """\
    deliver_later(); // or throws, for want of memory
    stops_.set(detail::stops::paused, false);""",
     "    stops_.set(detail::stops::paused, false);")
chat("resume-delivers-inside-the-call", "resume_reading() calls back before it returns",
     """\
    deliver_later(); // or throws, for want of memory
    stops_.set(detail::stops::paused, false);""",
     """\
    stops_.set(detail::stops::paused, false);
    in_event([this] { deliver_kept(); });""")
chat("frame-timer-restarted-by-each-byte", "who sends a byte now and then keeps a frame for ever",
     """\
    if (!from_start || !bounds_ || bounds_->in_frame == detail::bounds::never)
        time_frame();
}

ASYNCHAT_DECL void async_chat::time_frame()""",
     """\
    time_frame();
}

ASYNCHAT_DECL void async_chat::time_frame()""")
chat("frame-timer-outlives-the-frame", "an idle channel is ended by the timeout of its last frame",
     """\
        if (!now.unfinished)
            frame_has_ended();""",
     "")

# --- output --------------------------------------------------------------------------------------

chat("short-write-loses-the-rest", "what the system did not take is dropped",
     "queue_.consume(taken);", "queue_.consume(offered);")
chat("producer-asked-after-its-end", "a producer is called once more after its last piece",
     """\
    if (piece.empty()) {
        queue_.drop_producer();""",
     """\
    if (piece.empty()) {
        (void)source->more();
        queue_.drop_producer();""")
chat("producer-asked-without-pause", "a producer fills memory as fast as it can be asked",
     """\
        if (sent > 0 && sent + expected > most)
            return sent;""",
     "")
chat("producer-asked-in-the-callback", "a producer is asked in the middle of the input",
     """\
        if (what != sending::everything) {
            on_exit.tried = false; // the end of the event asks the producer
            return sent;
        }
""",
     "")
chat("close-when-done-loses-output", "the last output is lost by close_when_done()",
     """\
    if (!queue_.is_empty() || is_lost())
        return;
    if (is_closing()) {""",
     "    if (is_closing()) {")
chat("close-when-done-waits-for-an-event", "nothing to send: the channel stays until the next event",
     """\
    held_ = 0;
    flush_soon();
}

ASYNCHAT_DECL void async_chat::close_when_done(loop""",
     """\
    held_ = 0;
}

ASYNCHAT_DECL void async_chat::close_when_done(loop""")
chat("eof-loses-output", "the end of the other side's stream drops what is still to be sent",
     """\
    ends_when_sent_ = true;
    flush_soon();""",
     "end(close_reason::peer_finished);")
chat("half-closed-for-ever", "a channel whose streams have both ended stays",
     """\
        if (eof_reported_ && !is_lost())
            end(close_reason::peer_finished);""",
     "")
chat("reply-reset-by-unread-input", "no lingering: the last reply is lost by a reset",
     "lingers_ = connected();", "")
chat("reads-over-the-high-mark", "who does not read answers may still ask",
     """\
    if (marks_.update(queue_.size(), flow()))
        set_full(marks_.paused() && stops_when_full());""",
     "    (void)marks_.update(queue_.size(), flow());")
chat("stuck-after-the-low-mark", "input that waited for the output is not delivered",
     """\
    if (!on)
        deliver_later(); // or throws, for want of memory
""",
     "")
chat("output-cap-not-judged", "pending output has no limit",
     "if (!bounds_ || bounds_->left <= bounds_->flow.most)",
     "if (true)")
chat("drained-each-time", "handle_drained() although nothing had to wait",
     "if (had_to_wait && queue_.is_empty() && !closed())",
     "if (queue_.is_empty() && !closed())")
chat("discard-keeps-the-close", "discard_buffers() does not take back close_when_done()",
     """\
    stops_.set(detail::stops::closing, false);
    stops_.set(detail::stops::output_ended, output_ended_);""",
     "    stops_.set(detail::stops::output_ended, output_ended_);")

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

channel("double-close", "handle_close() is called again when its override meets another end",
        """\
    if (stops_.any_of(detail::stops::closed | detail::stops::ended))
        return;
    stops_.set(detail::stops::ended);""",
        """\
    if (closed())
        return;
    stops_.set(detail::stops::ended);""")
channel("close-forgotten-by-override", "a handle_close() that does not close leaves the channel open",
        """\
        handle_close();
        if (!closed())
            close();
    } catch (...) {
        dispatcher::close();
        throw;
    }
    dispatcher::close(); // an override may have forgotten to call the original""",
        """\
        handle_close();
    } catch (...) {
        dispatcher::close();
        throw;
    }""")
channel("throwing-close-leaks", "an exception in handle_close() leaves the channel open",
        """\
    } catch (...) {
        dispatcher::close();
        throw;
    }
    dispatcher::close();""",
        """\
    } catch (...) {
        throw;
    }
    dispatcher::close();""")
channel("descriptor-open-after-close", "close() leaves the descriptor to the destructor",
        """\
        linger();
    set_transport(nullptr);""",
        "        linger();")
channel("event-of-the-old-socket", "an event of the socket before reaches the new one",
        "if (!channel || state_->epoch != epoch_)", "if (!channel)")
channel("connected-after-close", "closed in handle_connect(), and said to be connected",
        """\
            if (channel.state_->epoch != epoch)
                return;
            channel.connected_ = true;""",
        "            channel.connected_ = true;")
channel("listener-dies-of-an-error", "the listener is closed when accept() fails",
        """\
    if (accepting_) {
        if (accept_failures_ < 2)""",
        """\
    if (false) {
        if (accept_failures_ < 2)""")
channel("aborted-connection-is-an-error", "ECONNABORTED stops the listener for a while",
        "    case ECONNABORTED:\n", "")
channel("accept-spins", "out of descriptors, the listener tries again at once",
        """\
    });
    accept_paused_ = true;""",
        "    });")
channel("back-off-never-reset", "the listener that has backed off never accepts again",
        "channel->in_event([&] { channel->accept_paused_ = false; });",
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
channel("log-flood", "a channel writes as many lines as the other side likes",
        "if (!log_limit_.admit(second) || (of_server", "if ((of_server")
channel("log-flood-of-a-server", "each connection of one peer has lines of its own",
        "(of_server && !of_server->admit(second)) ||", "")
channel("log-flood-of-a-loop", "the channels of a loop together write as they like",
        "        !loop_.log_limit_.admit(second))", "        false)")
channel("left-out-and-forgotten", "a closed channel takes along what it has left out",
        "    loop_.log_limit_.leave_out(log_limit_.take_left_out()); // for others to tell\n", "")
channel("port-wraps", "port 99999 is 34463, as the system has it",
        "return static_cast<bool>(parse_number(service, 65535));", "return true;")
channel("sign-is-a-port", "+80 is port 80, as the system has it",
        "return is_digit(first) || (first >= 'a'", "return true || (first >= 'a'")
channel("name-cut-at-nul", "the host is looked up as far as its first NUL",
        "if (name.find('\\0') != name.npos)", "if (false)")
channel("empty-name-is-here", "an empty host is this machine",
        "if (name.empty())", "if (false)")
channel("old-attempt-counts", "the end of a connect that was given up is taken for the next one's",
        """\
    connecting_ = false;
    set_transport(nullptr);
}""",
        "}")
channel("event-of-another-channel", "a new channel gets the event of a closed one",
        "return !has_event_;", "return false;")
channel("log-injection", "a peer may write line ends into the log",
        """std::string(to_string(type)) + ": " + escaped(message) + '\\n'""",
        """std::string(to_string(type)) + ": " + std::string(message) + '\\n'""")

# --- time ----------------------------------------------------------------------------------------

channel("input-is-idle", "input does not put off the idle timeout",
        """\
        received_ = true;
        not_idle();""",
        "        received_ = true;")
channel("timer-not-rearmed", "a deadline that was put off is forgotten",
        """\
    if (end != detail::bounds::never)
        loop_.set_deadline(*state_, end);""",
        "")
channel("write-timer-restarted-by-push", "output that is stuck never times out while more is pushed",
        "} else if (progress || !bounds_ || bounds_->blocked == detail::bounds::never) {",
        "} else {")
channel("write-timer-not-stopped", "a channel that has sent all is ended by its write timeout",
        """\
        if (bounds_)
            bounds_->blocked = detail::bounds::never;""",
        "")
channel("linger-never-ends", "a closed connection stays as long as the other side likes",
        "base.close_by(longest);", "")

time = of("loop")

time("nearer-deadline-ignored", "a deadline does not come before one that was set earlier",
     "timers_.hasten(state.timer_place, at);", "return;")
time("timer-lost-in-a-nested-loop", "no timer comes while one of them runs the loop",
     "wait_for_timers();            // what is called now may run the loop", "")
time("periodic-timer-once", "a timer that repeats is called once",
     "state->done = once;", "state->done = true;")
time("freed-in-a-nested-loop", "a channel goes while its own callback runs the loop",
     """\
    if (channels_[closed]->number - adopted_before_ < adopted_ - adopted_before_)
        ++doomed_;
    else
        swap_channels(closed, open() + doomed_);""",
     """\
    swap_channels(closed, open() + doomed_);
    ++doomed_;""")
time("flush-forgotten", "pushed from outside twice, sent once",
     """\
            const auto state = *to_flush_.pop();
            state->flush_listed = false;""",
     "            const auto state = *to_flush_.pop();")

heap = of("timer_queue")

heap("timers-out-of-order", "the next timer is the wrong one",
     "if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child]))",
     "if (child + 1 < heap_.size() && before(heap_[child], heap_[child + 1]))")

# --- servers and relays --------------------------------------------------------------------------

server = of("server")

server("address-limit-off-by-one", "one connection more than allowed from an address",
       "from_there >= max_per_address_)", "from_there > max_per_address_)")
server("stop-never-forces", "at the deadline of stop() channels are only asked once more",
       "shut_down(owner, channels_of(owner, *shared), true);",
       "shut_down(owner, channels_of(owner, *shared), false);")
server("stop-goes-on-listening", "after stop() connections are still taken",
       """\
        accepting_ = false;
        set_transport(nullptr);""",
       "")
server("throwing-handler-counted-for-ever", "a handler that cannot be made keeps its place",
       "detail::server_state::leave(place, close_reason::callback_error);", "")

place = of("server_state")

place("full-for-ever", "the listener does not hear of free places",
      "server.listener->flush_soon();", "")
place("address-never-freed", "the connections of an address are counted up only",
      "--place.open;", "")
place("close-counted-as-another", "the counter of another reason goes up",
      "static_cast<std::size_t>(reason)];", "static_cast<std::size_t>(reason) - 1];")

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

scanner("partial-match-restarts", "a terminator that begins within a failed match is missed",
        "matched = table_.advance(needle, matched, next);", "matched = 0;")

search = of("string_search")

search("longest-first-tie", "of two terminators that end together the shorter one is taken",
       "next.found = strings_[first].size() == next.depth ? first + 1 : "
       "nodes_[next.fallback].found;",
       "next.found = nodes_[next.fallback].found > 0 ? nodes_[next.fallback].found\n"
       "                     : strings_[first].size() == next.depth ? first + 1 : 0;")

system = of("transport")

system("killed-by-sigpipe", "sendfile() to a closed connection kills the process",
       "pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);",
       "pthread_sigmask(SIG_BLOCK, nullptr, &before_);")
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
