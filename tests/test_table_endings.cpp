// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#include "support/catch.hpp"
#include "support/ending_bench.hpp"
#include "support/loopback.hpp"
#include "support/table.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/testing.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// What becomes of input that was not delivered, and of output that was not sent, when a channel
// ends: for each way to end, whatever was received before, paused or not.

using namespace std::chrono_literals;
using asynchat::testing::operation;
using support::memory_bench;
using support::paused;
using support::received;
using support::some_output;
using support::system_bench;
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
    "failed send without end", // the other side is there
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

// Callbacks in order, from when the end begins, then the bytes of output that were lost; the reason
// where no handle_close() tells it. "waits": the channel did not end before it was not paused, or
// full, any more. A full one reads on when the other side has taken nothing for a second.
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

reset, failed push_eof
    nothing, ended | running : close reset; 0 lost
    unread  | running : collect one, found, collect two, close reset; 0 lost
    partial | running : collect \r, close reset; 0 lost
    frame   | running : collect one, close reset; 0 lost
    kept    | running : collect two, found, close reset; 0 lost
    *       | paused  : close reset; 0 lost

failed sendfile
    nothing, ended | running : close reset; 7 lost
    unread  | running : collect one, found, collect two, close reset; 7 lost
    partial | running : collect \r, close reset; 7 lost
    frame   | running : collect one, close reset; 7 lost
    kept    | running : collect two, found, close reset; 7 lost
    *       | paused  : close reset; 7 lost

failed push_eof, failed sendfile
    *       | full    : cannot be: what was pushed before goes first

failed send, failed send without end
    nothing, ended | running : close reset; 3 lost
    unread  | running : collect one, found, collect two, close reset; 3 lost
    partial | running : collect \r, close reset; 3 lost
    frame   | running : collect one, close reset; 3 lost
    kept    | running : collect two, found, close reset; 3 lost
    *       | paused  : close reset; 3 lost

reset, failed send, failed send without end
    nothing, ended | full : close reset; 11 lost
    unread  | full    : collect one, found, collect two, close reset; 11 lost
    partial | full    : collect \r, close reset; 11 lost
    frame   | full    : collect one, close reset; 11 lost
    kept    | full    : collect two, found, close reset; 11 lost

failed send after close_when_done
    *       | running, paused : close reset; 3 lost
    *       | full    : close reset; 11 lost

failed send not lost
    nothing, ended | running : error, close system error; 3 lost
    unread  | running : error, collect one, found, collect two, close system error; 3 lost
    partial | running : error, collect \r, close system error; 3 lost
    frame   | running : error, collect one, close system error; 3 lost
    kept    | running : error, collect two, found, close system error; 3 lost
    *       | paused  : error, close system error; 3 lost
    nothing, ended | full : error, close system error; 11 lost
    unread  | full    : error, collect one, found, collect two, close system error; 11 lost
    partial | full    : error, collect \r, close system error; 11 lost
    frame   | full    : error, collect one, close system error; 11 lost
    kept    | full    : error, collect two, found, close system error; 11 lost

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
    nothing, partial, frame, ended | full : close idle timeout; 11 lost
    unread  | full    : collect one, found, collect two, close idle timeout; 11 lost
    kept    | full    : collect two, found, close idle timeout; 11 lost

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
    nothing | full    : eof, close write timeout; 11 lost
    unread  | full    : collect one, found, collect two, eof, close write timeout; 11 lost
    partial | full    : collect \r, eof, close write timeout; 11 lost
    frame   | full    : collect one, eof, close write timeout; 11 lost
    kept    | full    : collect two, found, eof, close write timeout; 11 lost
    ended   | full    : close write timeout; 11 lost

write timeout
    nothing, partial, frame, kept | running : close write timeout; 3 lost
    unread  | running : collect one, found, collect two, close write timeout; 3 lost
    nothing, unread, partial, frame, kept | paused : close write timeout; 3 lost
    nothing, partial, frame | full : close write timeout; 11 lost
    unread  | full    : collect one, found, collect two, close write timeout; 11 lost
    kept    | full    : collect two, found, close write timeout; 11 lost
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

std::string fail_to_send_a_file(received what, paused how)
{
    system_bench b(what, how, AF_UNIX);
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
    const auto chat = loop.create<support::ending_lines>(asynchat::socket()).lock();
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
        break;
    case ending::failed_send_other:
        b.arrive();
        b.loop.fail(1, EIO, operation::send);
        if (b.chat().pending_output() == 0)
            b.chat().push(some_output);
        b.chat().initiate_send();
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

/// The ends that real sockets can have in common with those in memory.
bool is_real(const table::cell& cell, int family)
{
    const auto how = static_cast<ending>(cell[0]);
    return static_cast<paused>(cell[2]) != paused::by_mark &&
           (how == ending::end_of_stream || how == ending::failed_send ||
            (how == ending::reset && family == AF_INET));
}

/// As soon as the other side has closed, what is sent to it is answered by a reset.
void have_reset(int fd)
{
    pollfd state = {fd, 0, 0};
    support::check_call(::send(fd, "!", 1, MSG_NOSIGNAL) == 1, "send");
    support::check_call(::poll(&state, 1, 20000) == 1, "poll");
}

std::string play_real(ending how, received what, paused pause, int family)
{
    system_bench b(what, pause, family);
    b.arrive();
    if (how == ending::reset)
        b.peer.reset();
    else
        b.peer.close();
    if (how == ending::failed_send) {
        if (family == AF_INET)
            have_reset(b.chat().native_handle());
        b.push_and_send();
    }
    b.settle();
    if (!b.chat().closed())
        b.go_on();
    return b.happened();
}

} // namespace

TEST_CASE("the table of endings: input, output and the reason", "[table]")
{
    const table expected({endings, support::before, support::pauses}, what_happens);
    expected.walk([](const table::cell& cell) {
        return play(static_cast<ending>(cell[0]), static_cast<received>(cell[1]),
                    static_cast<paused>(cell[2]));
    });
}

TEST_CASE("the table of endings: real sockets are as those in memory", "[table]")
{
    ASYNCHAT_TEST_NEEDS(ASYNCHAT_HAS_PEER_STATE != 0, "a system that tells of a peer's end");
    const int family = GENERATE(AF_INET, AF_UNIX);
    const table expected({endings, support::before, support::pauses}, what_happens);
    expected.walk(
        [family](const table::cell& cell) {
            return play_real(static_cast<ending>(cell[0]), static_cast<received>(cell[1]),
                             static_cast<paused>(cell[2]), family);
        },
        [family](const table::cell& cell) { return is_real(cell, family); });
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
