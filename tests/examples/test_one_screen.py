"""The examples of one screen, each against plain sockets."""

import contextlib
import os
import socket
import struct

import support
from support import Program, check, check_that, connect, example, receive_all, receive_exactly, run

LINE_SERVER, CLIENT = example("line_server"), example("client")
STREAM_ECHO, STREAM_CLIENT = example("stream_echo"), example("stream_client")
FRAMED, PROXY, BROADCAST = example("framed"), example("proxy"), example("broadcast")


def exchange(address, data):
    """What comes back for `data`, behind which our stream ends."""
    with connect(address) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        return receive_all(peer)


def test_line_server():
    with Program([LINE_SERVER]) as server:
        address = server.address()
        check("lines", exchange(address, b"one\ntwo words\r\n\n"),
              b"3 bytes: one\n9 bytes: two words\n0 bytes: \n")
        with connect(address) as peer:
            for byte in b"a line\r\n":
                peer.sendall(bytes([byte]))
            check("in pieces", receive_exactly(peer, 16), b"6 bytes: a line\n")
            peer.sendall(b"quit\nmore\n")
            check("after quit", receive_all(peer), b"bye\n")
        server.stop()


@contextlib.contextmanager
def asked(line):
    """A client that has asked for an answer to `line`, and the connection that it made."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(support.DEADLINE)
        with Program([CLIENT, *listener.getsockname(), line]) as client:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(support.DEADLINE)
                check("request", receive_exactly(peer, len(line) + 1), line.encode() + b"\n")
                yield client, peer


def test_client_prints_the_answer():
    for answer in b"hello\n", b"hello\r\n", b"hello\nmore":
        with asked("a line") as (client, peer):
            peer.sendall(answer)
            check("exit status", client.wait(), 0)
            check("output", client.output(), "hello\n")


def test_client_without_an_answer():
    with asked("a line") as (client, peer):
        peer.sendall(b"no end")
        peer.close()
        check("exit status", client.wait(), 1)
        check("output", client.output(), "client: no answer: peer finished\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    done = run([CLIENT, *address, "x"])
    check_that(f"{done}", done.returncode == 1 and b"no answer: " in done.stderr)
    check("exit status without a line", run([CLIENT, *address]).returncode, 2)


def test_client_and_line_server():
    with Program([LINE_SERVER]) as server:
        done = run([CLIENT, *server.address(), "hello"])
        check("output", (done.returncode, done.stdout), (0, b"5 bytes: hello\n"))
        server.stop()


def need_streams():
    if not os.path.exists(STREAM_ECHO):
        support.skip("this compiler has no coroutines")


def test_stream_echo():
    need_streams()
    with Program([STREAM_ECHO]) as server:
        address = server.address()
        check("lines", exchange(address, b"one\ntwo words\n\nrest"), b"one\ntwo words\n\nrest")
        with connect(address) as idle, connect(address) as peer:
            idle.sendall(b"no end")
            for byte in b"a line\n":
                peer.sendall(bytes([byte]))
            check("in pieces, beside another", receive_exactly(peer, 7), b"a line\n")
        server.stop()


def test_stream_client():
    need_streams()
    with Program([STREAM_ECHO]) as server:
        done = run([STREAM_CLIENT, *server.address(), "hello"])
        check("output", (done.returncode, done.stdout), (0, b"hello\n"))
        server.stop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with Program([STREAM_CLIENT, *address, "hello"]) as client:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(support.DEADLINE)
                check("request", receive_exactly(peer, 6), b"hello\n")
                peer.sendall(b"no end")
            check("exit status", client.wait(), 1)
            check("output", client.output(), "stream_client: asynchat: the stream ended after 6 "
                                             "bytes without a separator\n")
    done = run([STREAM_CLIENT, *address, "x"])
    check_that(f"{done}", done.returncode == 1 and b"refused" in done.stderr)
    check("exit status without a line", run([STREAM_CLIENT, *address]).returncode, 2)


def framed(frame):
    return struct.pack(">I", len(frame)) + frame


def test_framed():
    frames = [b"one", b"", b"\x00\n\xff", os.urandom(256), os.urandom(70000), os.urandom(1 << 20)]
    with Program([FRAMED]) as server:
        address = server.address()
        for frame in frames:
            check_that(f"{len(frame)} bytes", exchange(address, framed(frame)) == framed(frame))
        data = b"".join(map(framed, frames[:4]))
        check("a frame without its end is no frame", exchange(address, data + b"\0\0\0\2x"), data)
        with connect(address) as peer:
            for byte in data:
                peer.sendall(bytes([byte]))
            check("in pieces", receive_exactly(peer, len(data)), data)
        check("a length over the limit", exchange(address, struct.pack(">I", (1 << 20) + 1)), b"")
        server.stop()


def test_proxy_passes_on_both_directions():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(support.DEADLINE)
        with Program([PROXY, *listener.getsockname()]) as proxy:
            with connect(proxy.address()) as client:
                server, _ = listener.accept()
                with server:
                    server.settimeout(support.DEADLINE)
                    client.sendall(b"a question")
                    check("to the server", receive_exactly(server, 10), b"a question")
                    server.sendall(b"an answer")
                    check("to the client", receive_exactly(client, 9), b"an answer")
                    client.shutdown(socket.SHUT_WR)
                    check("the end of one stream", receive_all(server), b"")
                    server.sendall(b"the rest")
                    server.shutdown(socket.SHUT_WR)
                    check("the other stream goes on", receive_all(client), b"the rest")
            proxy.stop()
    check("exit status of wrong use", run([PROXY]).returncode, 2)


def test_proxy_in_front_of_a_server():
    with Program([FRAMED]) as server, Program([PROXY, *server.address()]) as proxy:
        frame = framed(os.urandom(1 << 20))
        check_that("a large frame", exchange(proxy.address(), frame) == frame)
        server.stop()
        try:
            check("without a server", exchange(proxy.address(), frame), b"")
        except OSError:  # reset, a broken pipe, not connected any more
            pass  # the proxy was quicker than the client
        proxy.wait_for("Connection refused")
        proxy.stop()


def join(stack, server, line):
    """Another member: it is one when the line that it sends comes back."""
    member = stack.enter_context(connect(server.address()))
    member.sendall(line)
    check("its own line", receive_exactly(member, len(line)), line)
    return member


def test_broadcast():
    with Program([BROADCAST]) as server, contextlib.ExitStack() as stack:
        names = [b"%d\n" % number for number in range(10)]
        members = [join(stack, server, name) for name in names]
        for number, member in enumerate(members):
            later = b"".join(names[number + 1:])
            check("lines of those that came later", receive_exactly(member, len(later)), later)
        members[3].sendall(b"one\r\ntwo\nthr")
        for member in members:
            check("lines", receive_exactly(member, 8), b"one\ntwo\n")
        members.pop(3).close()
        members[0].sendall(b"three\n")
        for member in members:
            check("after one has left", receive_exactly(member, 6), b"three\n")
        server.stop()


def test_broadcast_does_not_wait_for_a_member_that_does_not_read():
    with Program([BROADCAST]) as server, contextlib.ExitStack() as stack:
        idle = join(stack, server, b"idle\n")
        member = join(stack, server, b"busy\n")
        for number in range(400):  # 24 MiB, more than the system and the server keep
            line = b"%d " % number + b"x" * 60000 + b"\n"
            member.sendall(line)
            check(f"line {number}", receive_exactly(member, len(line)), line)
        idle.shutdown(socket.SHUT_WR)
        first, *lines, rest = receive_all(idle).split(b"\n")
        check("between its lines", (first, rest), (b"busy", b""))
        numbers = [int(line.split()[0]) for line in lines]
        check_that(f"{len(numbers)} of 400 lines", 0 < len(numbers) < 400)
        check("in order", numbers, sorted(set(numbers)))
        check("whole lines", {len(line.split()[1]) for line in lines}, {60000})
        server.stop()


if __name__ == "__main__":
    support.main(globals())
