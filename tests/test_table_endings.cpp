// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/table.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

// What becomes of input that was not delivered, and of output that was not sent, when a channel
// ends: for each way to end, whatever was received before, paused or not.

using namespace std::chrono_literals;
using asynchat::testing::operation;
using asynchat::testing::recorder;
using support::table;

namespace {

enum class ending {
    end_of_stream,
    reset,
    failed_send,
    failed_send_closing,
    failed_send_unending,
    failed_send_other,
    failed_receive,
    failed_push_eof,
    failed_sendfile,
    throwing_producer,
    throwing_callback,
    connect_timeout,
    idle_timeout,
    frame_timeout,
    write_timeout_finished,
    write_timeout_alive,
    close_timeout,
    output_limit,
    close,
    abort,
};
const support::names endings = {
    "end of stream",
    "reset",
    "failed send", // the other side has closed, and we push before we read
    "failed send after close_when_done",
    "failed send without end", // only a scripted failure does that
    "failed send not lost",    // an error that does not mean a lost connection
    "failed receive not lost",
    "failed push_eof",
    "failed sendfile",
    "throwing producer",
    "throwing callback",
    "connect timeout",
    "idle timeout",
    "frame timeout",
    "write timeout to a finished peer",
    "write timeout",
    "close_when_done(time)",
    "output limit",
    "close",
    "abort",
};

enum class received { nothing, in_system, partial, frame, kept, ended };
const support::names before = {
    "nothing",
    "unread",  // "one\ntwo": sent, and not received when the end begins
    "partial", // "one\r", the beginning of a terminator, of which "\r" is held back
    "frame",   // "one", the beginning of a frame of a frame_chat
    "kept",    // "one\ntwo\n", of which the end is kept, since a callback threw
    "ended",   // the other side's stream, and the channel stays for its output
};

enum class paused { no, by_user, by_mark };
const support::names pauses = {"running", "paused", "full"};

// What is pushed so that output waits, and what of it is not sent.
constexpr std::string_view over_the_mark = "hello world";
constexpr std::string_view some_output = "out";

// Callbacks in order, from when the end begins, then the bytes of output that were lost; the reason
// where no handle_close() tells it. "waits": the channel did not end before it was not paused, or
// full, any more. "2 s": so much time passed.
constexpr std::string_view what_happens = R"(
end of stream
    nothing | running : eof, close peer finished; 0 lost
    unread  | running : collect one, found, collect two, eof, close peer finished; 0 lost
    partial | running : collect \r, eof, close peer finished; 0 lost
    frame   | running : collect one, eof, close peer finished; 0 lost
    kept    | running : collect two, found, eof, close peer finished; 0 lost
    nothing | paused, full : waits, eof, close peer finished; 0 lost
    unread  | paused  : waits, collect one, found, collect two, eof, close peer finished; 0 lost
    unread  | full    : waits, collect one, found, collect two, eof, close peer finished; 0 lost
    partial | paused, full : waits, collect \r, eof, close peer finished; 0 lost
    frame   | paused, full : waits, collect one, eof, close peer finished; 0 lost
    kept    | paused, full : waits, collect two, found, eof, close peer finished; 0 lost
    ended   | *       : cannot be: there is one end

reset, failed push_eof, failed sendfile
    nothing, ended | running : close reset; 0 lost
    unread  | running : collect one, found, collect two, close reset; 0 lost
    partial | running : collect \r, close reset; 0 lost
    frame   | running : collect one, close reset; 0 lost
    kept    | running : collect two, found, close reset; 0 lost
    *       | paused  : close reset; 0 lost

failed push_eof, failed sendfile
    *       | full    : cannot be: what was pushed before goes first

failed send
    nothing, ended | running : close reset; 3 lost
    unread  | running : collect one, found, collect two, close reset; 3 lost
    partial | running : collect \r, close reset; 3 lost
    frame   | running : collect one, close reset; 3 lost
    kept    | running : collect two, found, close reset; 3 lost
    *       | paused  : close reset; 3 lost

reset, failed send
    nothing, ended | full : close reset; 11 lost
    unread  | full    : collect one, found, collect two, close reset; 11 lost
    partial | full    : collect \r, close reset; 11 lost
    frame   | full    : collect one, close reset; 11 lost
    kept    | full    : collect two, found, close reset; 11 lost

failed send after close_when_done
    *       | running, paused : close reset; 3 lost
    *       | full    : close reset; 11 lost

failed send without end
    nothing | running : 2 s, close reset; 3 lost
    unread  | running : collect one, found, collect two, 2 s, close reset; 3 lost
    partial | running : 2 s, collect \r, close reset; 3 lost
    frame   | running : 2 s, collect one, close reset; 3 lost
    kept    | running : collect two, found, 2 s, close reset; 3 lost
    ended   | running : close reset; 3 lost
    *       | paused  : close reset; 3 lost
    nothing | full    : 2 s, close reset; 11 lost
    unread  | full    : collect one, found, collect two, 2 s, close reset; 11 lost
    partial | full    : 2 s, collect \r, close reset; 11 lost
    frame   | full    : 2 s, collect one, close reset; 11 lost
    kept    | full    : collect two, found, 2 s, close reset; 11 lost
    ended   | full    : close reset; 11 lost

failed send not lost
    nothing | running : error, 2 s, close system error; 3 lost
    unread  | running : error, collect one, found, collect two, 2 s, close system error; 3 lost
    partial | running : error, 2 s, collect \r, close system error; 3 lost
    frame   | running : error, 2 s, collect one, close system error; 3 lost
    kept    | running : error, collect two, found, 2 s, close system error; 3 lost
    ended   | running : error, close system error; 3 lost
    *       | paused  : error, close system error; 3 lost
    nothing | full    : error, 2 s, close system error; 11 lost
    unread  | full    : error, collect one, found, collect two, 2 s, close system error; 11 lost
    partial | full    : error, 2 s, collect \r, close system error; 11 lost
    frame   | full    : error, 2 s, collect one, close system error; 11 lost
    kept    | full    : error, collect two, found, 2 s, close system error; 11 lost
    ended   | full    : error, close system error; 11 lost

failed receive not lost
    nothing | running : error, close system error; 0 lost
    unread  | running : cannot be: an error comes behind what can be received
    partial | running : error, collect \r, close system error; 0 lost
    frame   | running : error, collect one, close system error; 0 lost
    kept    | running : error, collect two, found, close system error; 0 lost
    ended   | running : cannot be: nobody receives
    *       | paused, full : cannot be: nobody receives

throwing producer
    *       | running, paused : error, close callback error; 0 lost
    *       | full    : cannot be: a producer is not asked while output waits

throwing callback
    *       | running, paused : error, close callback error; 0 lost
    *       | full    : error, close callback error; 11 lost

connect timeout
    nothing | running, paused : error, close connect timeout; 3 lost
    nothing | full    : cannot be: only a connection that was accepted stops reading
    unread, partial, frame, kept, ended | * : cannot be: nothing comes before the connection

idle timeout
    nothing, partial, frame, kept, ended | running : close idle timeout; 0 lost
    unread  | running : collect one, found, collect two, close idle timeout; 0 lost
    *       | paused  : close idle timeout; 0 lost
    *       | full    : close idle timeout; 11 lost

frame timeout
    nothing, ended | running : cannot be: no frame is begun
    unread  | running : collect one, found, collect two, late, close frame timeout; 0 lost
    partial, frame | running : late, close frame timeout; 0 lost
    kept    | running : cannot be: a frame is timed when it is parsed
    *       | paused, full : cannot be: the time of a frame stands still

write timeout to a finished peer
    nothing | running : eof, close write timeout; 3 lost
    unread  | running : collect one, found, collect two, eof, close write timeout; 3 lost
    partial | running : collect \r, eof, close write timeout; 3 lost
    frame   | running : collect one, eof, close write timeout; 3 lost
    kept    | running : collect two, found, eof, close write timeout; 3 lost
    ended   | running : close write timeout; 3 lost
    *       | paused  : close write timeout; 3 lost
    nothing, ended | full : close write timeout; 11 lost
    unread  | full    : collect one, found, collect two, close write timeout; 11 lost
    partial | full    : collect \r, close write timeout; 11 lost
    frame   | full    : collect one, close write timeout; 11 lost
    kept    | full    : collect two, found, close write timeout; 11 lost

write timeout
    nothing, partial, frame, kept | running : close write timeout; 3 lost
    unread  | running : collect one, found, collect two, close write timeout; 3 lost
    nothing, unread, partial, frame, kept | paused : close write timeout; 3 lost
    nothing, unread, partial, frame, kept | full : close write timeout; 11 lost
    ended   | *       : cannot be: this peer is finished

close_when_done(time)
    *       | running, paused : close close timeout; 3 lost
    *       | full    : close close timeout; 11 lost

output limit
    *       | running, paused : close output limit; 3 lost
    *       | full    : close output limit; 11 lost

close, abort
    *       | running, paused : local; 3 lost
    *       | full    : local; 11 lost
)";

/// A channel that notes all that is called on it, and what its callbacks may do besides.
class lines : public recorder<asynchat::async_chat> {
public:
    lines(asynchat::loop& owner, asynchat::socket from) : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }
    bool survives = false;          // handle_error() does not close
    bool stays = false;             // nor does handle_eof()
    std::function<void()> on_frame; // once

    void found_terminator() override
    {
        recorder::found_terminator();
        if (const auto action = std::exchange(on_frame, nullptr))
            action();
    }
    void handle_frame_timeout() override { note("late"); }
    void handle_eof() override
    {
        note("eof");
        if (!stays)
            async_chat::handle_eof();
    }
    void handle_error() override
    {
        note("error");
        if (!survives)
            async_chat::handle_error();
    }
};

class frames : public recorder<asynchat::frame_chat> {
public:
    frames(asynchat::loop& owner, asynchat::socket from) : recorder(owner, std::move(from))
    {
        set_terminator("\n");
    }
    void handle_frame_timeout() override { note("late"); }
    void handle_error() override
    {
        note("error");
        frame_chat::handle_error();
    }
};

/// A channel and the other side of it, in memory or over real sockets, in one situation.
class bench {
public:
    bench(received what, paused how) : what_(what), how_(how) {}
    virtual ~bench() = default;
    bench(const bench&) = delete;
    bench& operator=(const bench&) = delete;

    // What the other side does.
    virtual void send(std::string_view bytes) = 0;
    virtual void finish() = 0;

    virtual void settle() = 0;

    /// What comes only when the end begins.
    void arrive()
    {
        if (what_ == received::in_system)
            send("one\ntwo");
    }

    /// Has `body` called as an event of the channel.
    void event(const std::function<void()>& body)
    {
        lines_ ? owner().handle_of(*lines_).post([body](auto&) { body(); })
               : owner().handle_of(*frames_).post([body](auto&) { body(); });
    }

    asynchat::async_chat& chat() const
    {
        return lines_ ? static_cast<asynchat::async_chat&>(*lines_) : *frames_;
    }
    void note(std::string line) const
    {
        lines_ ? lines_->note(std::move(line)) : frames_->note(std::move(line));
    }

    /// Marks callbacks that came inside of the call before, where there should be none.
    void note_calls() const
    {
        if (!calls().empty())
            note("(inside the call)");
    }

    /// What happened, in one line.
    std::string happened() const
    {
        std::string all = support::joined(calls());
        const std::string reason(to_string(chat().close_reason()));
        if (all.find("close " + reason) == all.npos)
            all += (all.empty() ? "" : ", ") + reason;
        return all + "; " + std::to_string(chat().pending_output()) + " lost";
    }

protected:
    virtual asynchat::loop& owner() = 0;

    /// From now on it is told what happens.
    void begin()
    {
        note("begin"); // so that pieces before and after it are two lines
        begin_ = (lines_ ? lines_->events : frames_->events).size();
    }

    /// What was called since the beginning.
    support::names calls() const
    {
        const support::names& all = lines_ ? lines_->events : frames_->events;
        return {all.begin() + static_cast<std::ptrdiff_t>(begin_), all.end()};
    }

    /// Has the channel receive what comes before the end.
    void receive()
    {
        switch (what_) {
        case received::nothing:
        case received::in_system: return;
        case received::partial:
            chat().set_terminator("\r\n");
            send("one\r");
            break;
        case received::frame: send("one"); break;
        case received::kept:
            lines_->survives = true;
            lines_->on_frame = [] { throw std::runtime_error("no"); };
            send("one\ntwo\n");
            break;
        case received::ended:
            lines_->stays = true;
            finish();
            break;
        }
        settle();
        if (lines_)
            lines_->survives = false;
    }

    const received what_;
    const paused how_;
    std::shared_ptr<lines> lines_; // one of them
    std::shared_ptr<frames> frames_;

private:
    std::size_t begin_ = 0; // of the events that count
};

class memory_bench final : public bench {
public:
    memory_bench(received what, paused how, asynchat::loop::duration frame_timeout)
        : bench(what, how)
    {
        if (what == received::frame)
            std::tie(frames_, peer) = loop.accept<frames>();
        else
            std::tie(lines_, peer) = loop.accept<lines>();
        chat().frame_timeout(frame_timeout);
        receive();
        if (how == paused::by_user)
            chat().pause_reading();
        if (how == paused::by_mark) {
            chat().set_write_buffer_limits(over_the_mark.size() - 1, 1);
            block(over_the_mark);
            if (!chat().write_paused())
                throw std::logic_error("the channel is not full");
        }
        begin();
    }

    void send(std::string_view bytes) override { peer->send(bytes); }
    void finish() override { peer->finish(); }
    void settle() override { loop.settle(); }

    /// Has output wait, if none does.
    void block(std::string_view output = some_output)
    {
        if (chat().pending_output() > 0)
            return;
        peer->window(0);
        chat().push(output);
        settle();
    }

    /// Tries to send, something new unless other output waits: which calls nobody.
    void push_and_send()
    {
        if (how_ != paused::by_mark)
            chat().push(some_output);
        chat().initiate_send();
        note_calls();
    }

    /// Ends the pause of a channel that is still there.
    void go_on()
    {
        note("waits");
        if (how_ == paused::by_user)
            chat().resume_reading();
        peer->window(65536);
        peer->received();
        settle();
    }

    /// Lets time pass until the channel ends, if it has not yet.
    void outlast(asynchat::loop::duration longest)
    {
        settle();
        if (chat().closed())
            return;
        loop.advance(longest - 1ms);
        if (chat().closed())
            return;
        note(std::to_string(longest / 1s) + " s");
        loop.advance(101ms);
    }

    asynchat::testing::loop loop;
    std::optional<asynchat::testing::peer> peer;

private:
    asynchat::loop& owner() override { return loop; }
};

class system_bench final : public bench {
public:
    system_bench(received what, paused how) : bench(what, how)
    {
        auto ends = support::connected_pair(AF_UNIX);
        peer = std::move(ends.second);
        if (what == received::frame)
            frames_ = loop.create<frames>(std::move(ends.first)).lock();
        else
            lines_ = loop.create<lines>(std::move(ends.first)).lock();
        receive();
        if (how == paused::by_user)
            chat().pause_reading();
        begin();
    }

    void send(std::string_view bytes) override { peer.send(bytes); }
    void finish() override { peer.shut_down_output(); }
    void settle() override { support::settle(loop); }

    asynchat::loop loop;
    support::raw_peer peer;

private:
    asynchat::loop& owner() override { return loop; }
};

std::string fail_to_send_a_file(received what, paused how)
{
    system_bench b(what, how);
    b.arrive();
    b.peer.close();
    b.chat().push_with_producer(
        std::make_unique<asynchat::file_producer>(support::make_file("content").release()));
    b.chat().initiate_send();
    b.note_calls();
    b.settle();
    return b.happened();
}

std::string fail_to_connect(paused how)
{
    asynchat::testing::loop loop;
    const asynchat::endpoint nowhere("127.0.0.1", 9);
    loop.ignore(nowhere);
    const auto chat = loop.create<lines>(asynchat::socket()).lock();
    chat->connect(nowhere);
    chat->push(some_output);
    if (how == paused::by_user)
        chat->pause_reading();
    loop.advance(31s);
    return support::joined(chat->events) + "; " + std::to_string(chat->pending_output()) + " lost";
}

void end_by_error(memory_bench& b, ending how)
{
    switch (how) {
    case ending::end_of_stream:
        b.arrive();
        b.peer->finish();
        break;
    case ending::reset:
        b.arrive();
        b.peer->reset();
        break;
    case ending::failed_send:
        b.arrive();
        b.peer->close();
        b.push_and_send();
        break;
    case ending::failed_send_closing:
        b.block();
        b.chat().close_when_done();
        b.arrive();
        b.peer->close();
        b.chat().initiate_send();
        break;
    case ending::failed_send_unending:
        b.arrive();
        b.loop.fail(1, EPIPE, operation::send);
        b.push_and_send();
        b.outlast(2s);
        break;
    case ending::failed_send_other:
        b.arrive();
        b.loop.fail(1, EIO, operation::send);
        if (b.chat().pending_output() == 0)
            b.chat().push(some_output);
        b.chat().initiate_send();
        b.outlast(2s);
        break;
    case ending::failed_receive:
        b.loop.fail(1, EIO, operation::receive);
        b.send("!");
        break;
    case ending::failed_push_eof:
        b.arrive();
        b.peer->close();
        b.loop.fail(1, ENOTCONN, operation::shutdown);
        b.chat().push_eof();
        b.chat().initiate_send();
        b.note_calls();
        break;
    default: throw std::logic_error("not an error of the connection");
    }
}

void end_by_timeout(memory_bench& b, ending how)
{
    switch (how) {
    case ending::idle_timeout:
        b.chat().idle_timeout(10s);
        b.arrive();
        b.loop.advance(11s);
        break;
    case ending::frame_timeout:
        b.arrive();
        b.loop.advance(11s);
        break;
    case ending::write_timeout_finished:
        b.block();
        b.arrive();
        b.peer->finish();
        b.loop.advance(61s);
        break;
    case ending::write_timeout_alive:
        b.block();
        b.arrive();
        b.loop.advance(61s);
        break;
    case ending::close_timeout:
        b.block();
        b.chat().close_when_done(5s);
        b.arrive();
        b.loop.advance(6s);
        break;
    default: throw std::logic_error("not a timeout");
    }
}

void end_in_event(memory_bench& b, ending how)
{
    if (how == ending::output_limit)
        b.block();
    b.event([&b, how] {
        b.arrive();
        switch (how) {
        case ending::throwing_producer:
            b.chat().push_with_producer([]() -> std::string { throw std::runtime_error("no"); });
            break;
        case ending::throwing_callback: throw std::runtime_error("no");
        case ending::output_limit:
            b.chat().max_output(2);
            if (b.chat().push("more"))
                b.note("(pushed)");
            break;
        case ending::close:
        case ending::abort:
            if (b.chat().pending_output() == 0)
                b.chat().push(some_output);
            how == ending::close ? b.chat().close() : b.chat().abort();
            break;
        default: throw std::logic_error("not of an event");
        }
    });
}

std::string play(ending how, received what, paused pause)
{
    if (how == ending::failed_sendfile)
        return fail_to_send_a_file(what, pause);
    if (how == ending::connect_timeout)
        return fail_to_connect(pause);
    memory_bench b(what, pause, how == ending::frame_timeout ? 10s : 0s);
    if (how < ending::failed_sendfile)
        end_by_error(b, how);
    else if (how >= ending::idle_timeout && how <= ending::close_timeout)
        end_by_timeout(b, how);
    else
        end_in_event(b, how);
    b.settle();
    if (!b.chat().closed() && how == ending::end_of_stream)
        b.go_on();
    return b.happened();
}

} // namespace

TEST_CASE("the table of endings: input, output and the reason", "[table]")
{
    const table expected({endings, before, pauses}, what_happens);
    expected.walk([](const table::cell& cell) {
        return play(static_cast<ending>(cell[0]), static_cast<received>(cell[1]),
                    static_cast<paused>(cell[2]));
    });
}

TEST_CASE("a table knows what is missing in it, and what is written twice", "[table]")
{
    const support::names fruit = {"apple", "pear"};
    const support::names state = {"raw", "baked"};
    CHECK(table({fruit, state}, "* | * : good").faults().empty());
    CHECK(table({fruit, state}, "apple\n raw, baked : good\npear\n * : good").faults().empty());
    CHECK(table({fruit, state}, "apple | * : good\npear | raw : good").faults() ==
          support::names{"nothing is written for: pear | baked"});
    CHECK(table({fruit, state}, "* | * : good\npear | raw : good").faults() ==
          support::names{"written twice: pear | raw"});
    CHECK(table({fruit}, "* : good\nplum : good\n* | * : good").faults() ==
          support::names{"not a name of the table: plum", "not a cell: * | *"});
}
