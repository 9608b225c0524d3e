# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Runs programs (program.hpp says what they are) through Python's own asynchat.

One long-lived process: programs come on standard input, each ended by a line "."; a line "go"
asks for the answers, the trace of each program, ended by a line "." as well.

Channels work on a scripted socket, and their events are delivered as asyncore's poll() does, by
asyncore.read() and asyncore.write(). Where the library differs from Python on purpose, this file
or same() in main.cpp says so with a comment that begins with "Differs:", and does no more than
that difference.
"""

import errno
import sys

try:
    import asyncore
    import asynchat
except ImportError:
    print("missing", flush=True)
    sys.exit(0)

INFINITE = 1 << 60
DISCONNECTED = (errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN, errno.ECONNABORTED,
                errno.EPIPE, errno.EBADF)
PLAIN = bytes(range(256))
TO_BINARY = bytes.maketrans(b"abc", b"\x00\xff\n")
FROM_BINARY = bytes.maketrans(b"\x00\xff\n", b"abc")


class UserError(Exception):
    pass


class ProducerError(Exception):
    pass


class ScriptedSocket:
    def __init__(self, run):
        self.run = run
        self.input = b""
        self.eof = False
        self.recv_error = 0
        self.send_error = 0
        self.room = INFINITE
        self.sent = []

    def recv(self, size):
        if self.recv_error:
            number, self.recv_error = self.recv_error, 0
            if number in DISCONNECTED:
                self.run.cut = True
                # Differs: input kept from before is delivered after handle_close() in Python.
                self.run.stopped = True
            raise OSError(number, "scripted")
        if not self.input and not self.eof:
            raise BlockingIOError(errno.EAGAIN, "scripted")
        data, self.input = self.input[:size], self.input[size:]
        return data

    def send(self, data):
        if not data:
            return 0  # Differs: a push of nothing sends nothing, in Python zero bytes.
        if self.send_error:
            number, self.send_error = self.send_error, 0
            if number in DISCONNECTED:
                self.run.cut = True
            raise OSError(number, "scripted")
        taken = min(len(data), self.room)
        if taken == 0:
            raise BlockingIOError(errno.EAGAIN, "scripted")
        self.room -= taken
        self.sent.append(bytes(data[:taken]))
        return taken

    def setblocking(self, on):
        pass

    def fileno(self):
        return 3

    def getpeername(self):
        return "scripted"

    def close(self):
        pass


class Pieces:
    def __init__(self, run, number, pieces):
        self.run = run
        self.name = "m%d" % number
        self.pieces = pieces

    def more(self):
        while self.pieces:
            piece = self.pieces.pop(0)
            if piece != "!":
                self.run.more.append("%s:%s" % (self.name, piece))
                return self.run.data(piece)
            if self.run.may_raise():
                self.run.more.append(self.name + ":!")
                raise ProducerError()
        self.run.more.append(self.name + ":")
        return b""


class Simple(asynchat.simple_producer):
    def __init__(self, run, number, data, size):
        super().__init__(data, size)
        self.run = run
        self.name = "m%d" % number

    def more(self):
        piece = super().more()
        self.run.more.append("%s:%s" % (self.name, self.run.text(piece)))
        return piece


class Chat(asynchat.async_chat):
    def __init__(self, run, sock, channels):
        self.run = run
        self.counting = False  # the piece being collected belongs to a count
        self.next_terminator = []
        super().__init__(sock, channels)

    def set_terminator(self, term):
        # Differs: Python subtracts a piece that is being counted from a terminator set meanwhile,
        # or overwrites it with 0. Here it is set as soon as Python is done with the piece.
        if self.counting:
            self.next_terminator = [term]
        else:
            super().set_terminator(term)

    def piece_is_done(self):
        self.counting = False
        if self.next_terminator:
            self.terminator = self.next_terminator.pop()

    def get_terminator(self):
        run = self.run
        if not run.steering:
            return self.terminator
        run.steered += 1
        return run.steering[(run.steered - 1) % len(run.steering)]

    def collect_incoming_data(self, data):
        run = self.run
        entry = "c:%s:%s" % (run.text(data), run.terminator())
        if run.stopped:
            # Differs: Python goes on parsing after close() and close_when_done().
            run.entries.append("late:" + entry)
            return
        run.entries.append(entry)
        self._collect_incoming_data(data)
        term = self.terminator
        self.counting = isinstance(term, int) and term > 0 and not run.steering
        run.perform_next(run.on_collect, run.collects)

    def found_terminator(self):
        run = self.run
        self.piece_is_done()
        if run.stopped:
            # Differs: as in collect_incoming_data().
            run.entries.append("late:f")
            return
        run.entries.append("f:%s:%s" % (run.text(self._get_data()), run.terminator()))
        run.perform_next(run.on_found, run.founds)

    def handle_error(self):
        run = self.run
        error = sys.exc_info()[1]
        if isinstance(error, ProducerError):
            run.more.append("e")
        elif isinstance(error, UserError):
            run.errors.append("e:user")
        elif isinstance(error, OSError):
            run.errors.append("e:%d" % error.errno)
        else:
            run.errors.append("e:%r" % error)
        if not run.survives:
            run.cut = True
            super().handle_error()

    def handle_close(self):
        # Differs: at the end of the stream Python closes at once, losing held input and queued
        # output; here both come first, see Run.eof().
        if self.run.in_eof:
            return
        self.run.closes += 1
        super().handle_close()

    def log_info(self, message, type="info"):
        pass


class Run:
    """One program."""

    def __init__(self, lines):
        self.trace = []
        self.entries = []
        self.errors = []
        self.more = []
        self.closes = 0
        self.producers = 0
        self.stopped = False
        self.ended = False
        self.in_eof = False
        self.cut = False
        self.survives = True
        self.raises = 0
        self.binary = False
        self.steering = []
        self.steered = 0
        self.on_collect = [[]]
        self.on_found = [[]]
        self.collects = [0]
        self.founds = [0]
        self.channels = {}
        self.socket = ScriptedSocket(self)
        self.chat = Chat(self, self.socket, self.channels)
        for line in lines:
            word, _, rest = line.partition(" ")
            getattr(self, "do_" + word)(rest)

    # --- values ---

    def data(self, text):
        text, _, times = text.partition("*")
        data = text.encode() * int(times or 1)
        return data.translate(TO_BINARY if self.binary else PLAIN)

    def text(self, data):
        return bytes(data).translate(FROM_BINARY if self.binary else PLAIN).decode()

    def term(self, text):
        if text == "n":
            return None
        return int(text[1:]) if text[0] == "i" else self.data(text[1:])

    def terminator(self):
        if self.steering:
            return "-"
        term = self.chat.terminator
        if term is None:
            return "n"
        return "i%d" % term if isinstance(term, int) else "s" + self.text(term)

    def may_raise(self):
        self.raises -= 1
        return self.raises >= 0

    # --- actions ---

    def perform_next(self, calls, count):
        actions = calls[count[0] % len(calls)]
        count[0] += 1
        for action in actions:
            self.perform(action)

    def perform(self, action):
        chat, kind, rest = self.chat, action[0], action[1:]
        if kind == "T":
            chat.set_terminator(self.term(rest))
        elif kind == "N":
            try:
                asynchat.async_chat.set_terminator(chat, -1)
            except ValueError:
                self.entries.append("negative")
        elif kind == "P":
            chat.push(self.data(rest))
        elif kind == "W":
            self.producers += 1
            chat.push_with_producer(Pieces(self, self.producers, rest.split(",")))
        elif kind == "S":
            size, _, data = rest.partition(":")
            self.producers += 1
            chat.push_with_producer(Simple(self, self.producers, self.data(data), int(size)))
        elif kind == "C":
            self.stopped = True
            chat.close_when_done()
        elif kind == "D":
            if self.channels:
                self.stopped = False
            chat.discard_buffers()
        elif kind == "X":
            self.cut = self.stopped = True
            chat.close()
        elif kind == "I":
            chat.ac_in_buffer_size = int(rest)
        elif kind == "O":
            chat.ac_out_buffer_size = int(rest)
        elif kind == "R":
            if self.may_raise():
                raise UserError()
        elif kind == "E":
            if self.may_raise():
                raise asyncore.ExitNow()
        elif kind != "-":
            raise AssertionError(action)

    # --- the head of a program ---

    def do_in(self, rest):
        self.chat.ac_in_buffer_size = int(rest)

    def do_out(self, rest):
        self.chat.ac_out_buffer_size = int(rest)

    def do_policy(self, rest):
        self.survives = rest == "survive"

    def do_raises(self, rest):
        self.raises = int(rest)

    def do_binary(self, rest):
        self.binary = True

    def do_variant(self, rest):
        pass  # how the library is called; here there is one way

    def do_net(self, rest):
        pass  # the library runs over a real socket

    def do_steer(self, rest):
        self.steering = [self.term(text) for text in rest.split()]

    def do_collect(self, rest):
        self.on_collect = [call.split(";") for call in rest.split("|")]

    def do_found(self, rest):
        self.on_found = [call.split(";") for call in rest.split("|")]

    def do_term(self, rest):
        self.chat.set_terminator(self.term(rest))

    # --- events ---

    def over(self):
        return self.stopped or self.ended or not self.channels

    def event(self, call, *args):
        try:
            call(*args)
        except asyncore.ExitNow:
            self.entries.append("exit")
        self.chat.piece_is_done()

    def outside(self, actions):
        # Differs: an error of the push() itself comes out of it in Python, from the event here.
        try:
            for action in actions.split(";"):
                self.perform(action)
        except Exception:
            self.chat.handle_error()

    def end_event(self):
        known = not self.over()
        line = " ".join(self.entries + self.errors + ["t:" + self.terminator() if known else "t:-"])
        self.trace.append(line)
        self.entries = []
        self.errors = []

    def read_all(self):
        # Differs: Python goes on reading after close_when_done().
        while self.socket.input and not self.over():
            self.event(asyncore.read, self.chat)

    def write_once(self):
        if self.channels and self.chat.writable():
            self.event(asyncore.write, self.chat)

    def drain(self):
        self.socket.room = INFINITE
        for _ in range(10000000):
            if not self.channels or not self.chat.writable():
                return
            self.event(asyncore.write, self.chat)

    def do_recv(self, rest):
        if not self.over():
            self.socket.input += self.data(rest)
            self.read_all()
        self.end_event()

    def do_recverr(self, rest):
        if not self.over():
            self.socket.recv_error = getattr(errno, rest)
            self.event(asyncore.read, self.chat)
        self.end_event()

    def do_eof(self, rest):
        if not self.over():
            self.eof()
        self.end_event()

    def eof(self):
        chat = self.chat
        self.ended = True
        self.raises = 0
        self.socket.eof = self.in_eof = True
        # A terminator changed while bytes were held sees them again, as with any other read.
        while True:
            before = len(chat.ac_in_buffer)
            self.event(asyncore.read, chat)
            if self.stopped or not self.channels or len(chat.ac_in_buffer) >= before:
                break
        self.in_eof = False
        # Differs: Python loses a held-back partial terminator...
        if not self.stopped and self.channels and chat.ac_in_buffer:
            held, chat.ac_in_buffer = chat.ac_in_buffer, b""
            self.event(chat.collect_incoming_data, held)
        # ... and the output that is still queued.
        if not self.stopped and self.channels:
            chat.close_when_done()

    def do_do(self, rest):
        if not (self.ended or self.stopped and ("X" in rest or "D" in rest)):
            self.outside(rest)
            if "!" in rest:
                self.drain()
        self.end_event()

    def do_tx(self, rest):
        self.socket.room = INFINITE if rest == "inf" else int(rest)
        self.end_event()

    def do_write(self, rest):
        self.write_once()
        self.end_event()

    def do_fail(self, rest):
        number, _, data = rest.partition(" ")
        if not self.over():
            self.socket.room = 0
            self.outside("P" + data)
            self.socket.room = INFINITE
            self.socket.send_error = getattr(errno, number)
            self.write_once()
            self.socket.send_error = 0
        self.end_event()

    def do_pushfail(self, rest):
        number, _, data = rest.partition(" ")
        if not self.over():
            self.drain()
            self.socket.send_error = getattr(errno, number)
            self.outside("P" + data)
            self.socket.send_error = 0
        self.end_event()

    def do_readfail(self, rest):
        number, _, data = rest.partition(" ")
        if not self.over():
            self.drain()
            self.socket.send_error = getattr(errno, number)
            self.socket.input += self.data(data)
            self.event(asyncore.read, self.chat)
            self.socket.send_error = 0
            self.read_all()
        self.end_event()

    def do_blocked(self, rest):
        room, _, actions = rest.partition(" ")
        if not self.over():
            self.drain()
            self.socket.room = int(room)
            for action in actions.split(";"):
                self.outside(action)
            self.socket.room = INFINITE
        self.end_event()

    def do_drain(self, rest):
        self.drain()
        self.end_event()

    # --- the answer ---

    def answer(self):
        sent = self.text(b"".join(self.socket.sent))
        return self.trace + [
            "out:" + sent,
            " ".join(["more"] + self.more),
            "end closes=%d open=%d cut=%d" % (self.closes, bool(self.channels), self.cut),
            ".",
        ]


def main():
    print("ready", flush=True)
    programs, lines = [], []
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line == "go":
            for program in programs:
                sys.stdout.write("\n".join(Run(program).answer()) + "\n")
            sys.stdout.flush()
            programs = []
        elif line == ".":
            programs.append(lines)
            lines = []
        else:
            lines.append(line)


main()
