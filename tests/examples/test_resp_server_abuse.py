"""Peers that want to use up resp_server."""

import contextlib
import os
import re
import signal
import socket
import struct
import tempfile
import threading

import support
from support import (Program, check, check_that, connect, example, need, receive_all,
                     receive_exactly, run, wait_until)

SERVER = example("resp_server")
MIB = 1024  # KiB


def request(*words):
    bulks = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(bulks) + b"".join(b"$%d\r\n%s\r\n" % (len(b), b) for b in bulks)


def ask(peer, sent, wanted):
    peer.sendall(sent)
    check(f"the reply to {support.shown(sent)}", receive_exactly(peer, len(wanted)), wanted)


def memory_of(server):
    """KiB; 0 with a sanitizer, which keeps what was freed."""
    with open(f"/proc/{server.pid}/maps", "rb") as maps:
        if re.search(rb"lib[at]san", maps.read()):
            return 0
    return int(re.search(r"VmRSS:\s+(\d+)", status_of(server))[1])


def status_of(server):
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        return status.read()


def flood(peer, data):
    """Sends until nothing is taken for a while, or the server ends it. Returns how much."""
    peer.settimeout(0.5)
    sent = 0
    try:
        while sent < 1 << 30:
            sent += peer.send(data)
    except OSError:
        pass
    return sent


def stays_small(server, before, most):
    used = memory_of(server) - before
    check_that(f"{used} KiB more, {most} are allowed", used <= most)


def check_alive(server):
    with connect(server.address()) as peer:
        ask(peer, request("PING"), b"+PONG\r\n")


def test_peers_that_never_read():
    with Program([SERVER]) as server, connect(server.address()) as owner:
        ask(owner, request("SET", "large", b"x" * 1000000), b"+OK\r\n")
        ask(owner, request("SET", "small", b"x" * 400), b"+OK\r\n")
        for asked in (request("GET", "large"), request("GET", "small"),
                      request("MGET", *["large"] * 8)):
            before = memory_of(server)
            peers = [connect(server.address()) for _ in range(8)]
            many = asked * max(1, 100000 // len(asked))
            threads = [threading.Thread(target=flood, args=(peer, many)) for peer in peers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            check_alive(server)
            stays_small(server, before, 8 * 2 * MIB)
            for peer in peers:
                peer.close()
        server.stop()


def test_values_outlive_their_keys_in_few_replies():
    """A reply keeps its values when they are overwritten, so it has a limit."""
    with Program([SERVER, "--memory", 16]) as server, connect(server.address()) as owner:
        before = memory_of(server)
        peers = [connect(server.address()) for _ in range(6)]
        for peer in peers:
            for key in range(12):
                ask(owner, request("SET", key, b"x" * 1000000), b"+OK\r\n")
            ask(peer, request("MGET", *range(12)) + request("MGET", *range(8)),
                b"-ERR the answer is too large, ask for less\r\n*8\r\n$1000000\r\n")
        stays_small(server, before, (16 + 6 * 8 + 8) * MIB)
        for peer in peers:
            peer.close()
        server.stop()


def test_large_ranges_take_turns():
    """Neither a client with many of them nor one that is refused keeps the others waiting."""
    with Program([SERVER]) as server, connect(server.address()) as one, \
            connect(server.address()) as other:
        for _ in range(30):
            one.sendall(request("LPUSH", "list", *["x"] * 4000))
            check_that("the length", one.recv(100).startswith(b":"))
        for asked in request("LRANGE", "list", 0, -1), request("LRANGE", "list", 0, 200):
            one.sendall(request("DEL", "n"))
            check_that("it is not there", one.recv(100).startswith(b":"))
            # All requests of both are there before the server looks.
            os.kill(server.pid, signal.SIGSTOP)
            wait_until("it has stopped", lambda: "\nState:\tT" in status_of(server))
            for peer in one, other:
                peer.sendall(request("INCR", "n") + asked * 50 + request("INCR", "n"))
            os.kill(server.pid, signal.SIGCONT)
            check("both begin before one has ended",
                  sorted(receive_exactly(peer, 4) for peer in (one, other)), [b":1\r\n", b":2\r\n"])
            for peer in one, other:
                received = b""
                while not received.endswith((b":3\r\n", b":4\r\n")):
                    received += peer.recv(1 << 20)
        server.stop()


def test_subscribers_that_never_read():
    for loops in (1, 2):
        with Program([SERVER, "--loops", loops]) as server, connect(server.address()) as publisher:
            before = memory_of(server)
            peers = [connect(server.address()) for _ in range(20)]
            for peer in peers:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                ask(peer, request("SUBSCRIBE", "news"),
                    b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n")
            heard = [20]
            replies = publisher.makefile("rb")

            def publish():
                publisher.sendall(request("PUBLISH", "news", b"x" * 300) * 100)
                for _ in range(100):
                    heard.append(int(replies.readline()[1:]))
                return heard[-1] == 0  # they were closed

            wait_until("the silent subscribers are closed", publish)
            check("subscribers come back", heard, sorted(heard, reverse=True))
            stays_small(server, before, 20 * 2 * MIB)
            check_alive(server)
            for peer in peers:
                peer.close()
            server.stop()


def test_peers_that_are_slow():
    late = b"-ERR Protocol error: the request was not complete in time\r\n"
    with Program([SERVER, "--timeout", 1]) as server:
        # The beginning of a frame; a whole frame of a request; nothing, which is allowed.
        for sent in (b"*2\r\n$100", b"*2\r\n", b"*2\r\n$3\r\nGET\r\n"):
            with connect(server.address()) as idle, connect(server.address()) as peer:
                peer.sendall(sent)
                check(f"the end after {sent}", receive_all(peer), late)
                ask(idle, request("PING"), b"+PONG\r\n")
        # A byte now and then completes frames, but no request.
        with connect(server.address()) as peer:
            rest = iter(b"*4096\r\n" + b"$1\r\nx\r\n" * 4096)
            peer.settimeout(0.1)
            received = b""
            while not received.endswith(b"in time\r\n"):
                try:
                    peer.sendall(bytes([next(rest)]))
                    received += peer.recv(100) or b"no answer in time\r\n"
                except TimeoutError:
                    pass
                except ConnectionError:
                    break
            check_that("a trickle ends", received in (late, b""))
        server.stop()


def test_unfinished_requests():
    with Program([SERVER]) as server:
        before = memory_of(server)
        peers = [connect(server.address()) for _ in range(50)]
        for peer in peers:  # their lengths promise a MiB each
            peer.sendall(b"*4096\r\n$1048000\r\n" + b"x" * 1000)
        for _ in range(3):  # all words of a request together have a limit
            with connect(server.address()) as peer:
                word = b"$1000\r\n" + b"x" * 1000 + b"\r\n"
                check_that("it takes some", flood(peer, b"*4096\r\n" + word * 4000) > 100000)
        check_alive(server)
        stays_small(server, before, 16 * MIB)
        for peer in peers:
            peer.close()
        server.stop()


def test_floods():
    with Program([SERVER, "--loops", 2, "--memory", 16]) as server:
        before = memory_of(server)
        with connect(server.address()) as peer:
            # Keys until the store is full: then it refuses, and still answers.
            for _ in range(2):
                for start in range(0, 40000, 1000):
                    peer.sendall(b"".join(request("SET", f"key {i}", b"x" * 300)
                                          for i in range(start, start + 1000)))
                    replies = b""
                    while replies.count(b"\r\n") < 1000:
                        replies += peer.recv(65536)
            check_that("the store is full", b"-OOM the store is full\r\n" in replies)
            check_that("some fit", replies.count(b"+OK") < 1000)
            ask(peer, request("DEL", "key 1") + request("SET", "key 1", "x"), b":1\r\n+OK\r\n")
            peer.sendall(request("LPUSH", "list", *["y" * 200] * 4000) * 20)
            replies = b""
            while replies.count(b"\r\n") < 20:
                replies += peer.recv(65536)
            check("a list that does not fit", replies, b"-OOM the store is full\r\n" * 20)
        with connect(server.address()) as peer:
            peer.sendall(b"".join(request("SUBSCRIBE", i) for i in range(1001)))
            replies = b""
            while not replies.endswith(b"-ERR too many channels\r\n"):
                replies += peer.recv(65536)
            check("channels", replies.count(b"subscribe"), 1000)
            ask(peer, request("SUBSCRIBE", "7"),
                b"*3\r\n$9\r\nsubscribe\r\n$1\r\n7\r\n:1000\r\n")
        stays_small(server, before, 32 * MIB)
        server.stop()


def fill_small_store(requests_of, reply, least):
    """Sends `requests_of` one number after the other until the store is full: more than `least` fit."""
    with Program([SERVER, "--memory", 16]) as server, connect(server.address()) as peer:
        before = memory_of(server)
        replies = peer.makefile("rb")
        count = 0
        while count % 1000 == 0:
            sent = [each for i in range(1000) for each in requests_of(count + i)]
            peer.sendall(b"".join(sent))
            good = [replies.readline() for _ in sent].count(reply)
            count += good * 1000 // len(sent)
        check_that(f"{count} fit", count > least)
        stays_small(server, before, 17 * MIB)
        server.stop()


def test_small_lists():
    fill_small_store(lambda key: [request("LPUSH", key, "x")], b":1\r\n", 30000)


def test_small_values_in_place_of_larger_ones():
    """The memory of the larger ones is not kept."""
    fill_small_store(lambda key: [request("SET", key, b"x" * 511), request("SET", key, "")],
                     b"+OK\r\n", 50000)


@contextlib.contextmanager
def without_memory_for(least, most):
    """A server that gets no memory for what needs that much."""
    compiler = need("cc")
    with tempfile.TemporaryDirectory() as folder:
        library = os.path.join(folder, "refusing_malloc.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "refusing_malloc.c")
        done = run([compiler, "-shared", "-fPIC", f"-DLEAST={least}", f"-DMOST={most}",
                    "-o", library, source, "-ldl"])
        check("cc", (done.returncode, done.stderr), (0, b""))
        with Program([SERVER], env={**os.environ, "LD_PRELOAD": library}) as server:
            yield server
            server.stop()


def test_no_step_grows_with_the_number_of_keys():
    """Else all clients would wait for it."""
    if support.has_own_malloc(SERVER):
        return
    with without_memory_for(100000, 1 << 40) as server, connect(server.address()) as peer:
        for start in range(0, 40000, 1000):
            ask(peer, b"".join(request("SET", i, i) for i in range(start, start + 1000)),
                b"+OK\r\n" * 1000)
        ask(peer, request("MGET", 0, 39999), b"*2\r\n$1\r\n0\r\n$5\r\n39999\r\n")


def test_no_memory():
    """What could not be done leaves nothing behind, and is not paid for."""
    if support.has_own_malloc(SERVER):
        return
    key = b"k" * 20000
    for least, most, before, sent, after in (
            (20020, 20200, b"", request("SET", key, "x"), b"$-1\r\n"),
            (20020, 20200, b"", request("LPUSH", key, "x"), b"$-1\r\n"),
            (4790, 4830, b"", request("LPUSH", key, *range(300)), b"$-1\r\n"),
            (4790, 4830, request("LPUSH", key, "x"), request("LPUSH", key, *range(300)),
             b"*1\r\n$1\r\nx\r\n")):
        with without_memory_for(least, most) as server:
            with connect(server.address()) as peer:
                if before:
                    ask(peer, before, b":1\r\n")
                memory = used_memory(peer)
                peer.sendall(sent)
                check("the reply", receive_all(peer), b"")
            with connect(server.address()) as peer:
                check("memory", used_memory(peer), memory)
                ask(peer, request("LRANGE", key, 0, -1) if before else request("GET", key), after)


def used_memory(peer):
    peer.sendall(request("INFO"))
    received = b""
    while b",expires=" not in received:
        received += peer.recv(4096)
    return int(re.search(rb"used_memory:(\d+)", received)[1])


def test_resets():
    with Program([SERVER, "--loops", 2]) as server, connect(server.address()) as publisher:
        for cut in range(0, 60, 3):
            for _ in range(20):
                with connect(server.address()) as peer:
                    peer.sendall((request("SUBSCRIBE", "news") + request("PUBLISH", "news", "x")
                                  + request("GET", "x"))[:cut])
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        replies = publisher.makefile("rb")

        def none_is_left():
            publisher.sendall(request("PUBLISH", "news", "x"))
            return replies.readline() == b":0\r\n"

        wait_until("the connections are gone", none_is_left)
        server.stop()


if __name__ == "__main__":
    support.main(globals())
