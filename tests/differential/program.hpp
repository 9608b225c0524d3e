// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

#ifndef ASYNCHAT_TESTS_DIFFERENTIAL_PROGRAM_HPP
#define ASYNCHAT_TESTS_DIFFERENTIAL_PROGRAM_HPP

#include <cstdint>
#include <string>
#include <vector>

namespace differential {

/// What one channel is set up to do and what happens to it, as lines of text that both sides read.
///
/// The head, each line at most once:
///     in N, out N             ac_in_buffer_size, ac_out_buffer_size
///     policy survive|close    what handle_error() does
///     raises N                so many exceptions are thrown; all later ones are not
///     binary                  a, b and c stand for the bytes 0x00, 0xff and 0x0a
///     variant N               chooses among the ways to call the same function in C++
///     net                     in C++: over a real socket and driven by the loop's own events
///     steer TERM TERM ...     the answers of an overridden get_terminator(), over and over
///     collect CALL|CALL|...   what the callbacks do, call after call, over and over
///     found CALL|CALL|...
///     term TERM               the first terminator
/// Then the events, one a line:
///     recv DATA               DATA arrives; read events until it was read
///     recverr ERRNO           one read event, whose recv() fails
///     eof                     the stream ends; no exceptions from here on
///     do CALL                 from outside of callbacks
///     tx N|inf                the socket takes N bytes more, then would block
///     write                   one write event
///     drain                   tx inf, and write events until nothing is left
///     fail ERRNO DATA         push DATA while the socket is full; the next send() fails
///     pushfail ERRNO DATA     drain, then push DATA; the first send() fails
///     readfail ERRNO DATA     drain, then recv DATA; the first send() in the first event fails
///     blocked N CALL          drain, tx N, each action as an event, tx inf
/// A CALL is a list of actions with ';' between them:
///     -                       nothing
///     TTERM                   set_terminator
///     N                       set_terminator(-1), which is refused
///     PDATA                   push
///     WPIECE,PIECE,...        push_with_producer; the piece '!' raises
///     SN:DATA                 push_with_producer of a simple_producer of that size
///     C, D, X                 close_when_done, discard_buffers, close
///     IN, ON                  set ac_in_buffer_size, ac_out_buffer_size
///     R, E                    raise an exception of the user's, raise ExitNow
/// A TERM is sDATA, iNUMBER or n for none. DATA are letters, perhaps with *N for N times as much.
struct program {
    std::uint64_t seed = 0;
    std::vector<std::string> lines;
};

/// The program of this seed, the same on every platform.
program make_program(std::uint64_t seed);

/// What happened: a line for each event, then the bytes sent, the calls of more(), and the end.
///
///     c:DATA:TERM f:FRAME:TERM ... e:ERROR ... t:TERM
///     out:DATA
///     more m1:PIECE m1: ...
///     end closes=N open=0|1 cut=0|1
/// c and f are the callbacks with the terminator that they saw, f with what was collected since
/// the last one, e the calls of handle_error(), t the terminator after the event (- when it does
/// not matter any more). cut says that
/// the channel was ended before all of its output could be sent.
using trace = std::vector<std::string>;

/// Runs it through this library.
trace run(const program& what);

} // namespace differential

#endif
