"""10,000 clients that stop in their handshakes, beside 100 that talk: those are served in as many
passes of the loop as without the others, and the memory comes back. Half of the 10,000 stop inside
their first message, half behind it: to them the server has answered.

    crowd.py PATH-OF-asynchat_tls_peer PATH-OF-crowd_server
"""

import errno
import os
import resource
import select
import socket
import ssl
import subprocess
import sys
import time

import interop_support
from interop_support import files, path
from support import DEADLINE, Program, check, check_that

HONEST = 100
CROWD = 10_000
SERVER = os.path.abspath(sys.argv.pop(2)) if len(sys.argv) > 2 else ""


def crowd_size():
    """As many as the hard limit of descriptors allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    size = CROWD if hard == resource.RLIM_INFINITY else min(CROWD, hard - HONEST - 200)
    if size < CROWD:
        print(f"only {size} clients, as at most {hard} descriptors may be open")
    return size


class Served(Program):
    """crowd_server, told command by command."""

    def __init__(self):
        super().__init__([SERVER, *files("ecdsa")], stdin=subprocess.PIPE)
        self.commands = 0

    def tell(self, command, number=0):
        """Waits until it is done; the number in its answer."""
        seen = len(self.lines)
        self.say(f"{command} {number}")
        self.commands += 1
        end = time.monotonic() + DEADLINE
        with self.changed:
            while not any(line and line.startswith("done") for line in self.lines[seen:]):
                check_that(f"{command}: no answer", self.changed.wait(end - time.monotonic()))
            answer = self.lines[seen]
        return int("".join(c for c in answer.split(":")[0] if c.isdigit()) or 0)


def first_words():
    """The first message of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = interop_support.python_context(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(
        incoming, outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


def plain_connections(count, address):
    """Sockets that do not block, connected."""
    made = []
    for _ in range(count):
        peer = socket.socket()
        peer.setblocking(False)
        check_that("connect", peer.connect_ex(address) in (0, errno.EINPROGRESS))
        made.append(peer)
    for peer in made:
        select_one(peer)
        check("connected", peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
    return made


def select_one(peer):
    poll = select.poll()
    poll.register(peer, select.POLLOUT)
    check_that("a connection", poll.poll(DEADLINE * 1000))


class Honest:
    """Clients that shook hands, driven without threads: the server works only when it is told to."""

    def __init__(self, server, address):
        context = interop_support.python_context(ssl.PROTOCOL_TLS_CLIENT)
        self.all = []
        for peer in plain_connections(HONEST, address):
            tls = context.wrap_socket(peer, server_hostname="localhost",
                                      do_handshake_on_connect=False)
            self.all.append(tls)
        waiting = list(self.all)
        end = time.monotonic() + DEADLINE
        while waiting:
            check_that("handshakes", time.monotonic() < end)
            waiting = [tls for tls in waiting if not self.shake_hands(tls)]
            server.tell("rest")

    @staticmethod
    def shake_hands(tls):
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def talk(self, server):
        """Each says a line. The number of passes in which they were served."""
        for tls in self.all:
            tls.send(b"hello\n")
        passes = server.tell("serve", HONEST)
        server.tell("rest")
        for tls in self.all:
            check("the answer", tls.recv(100), b"hello\n")
        return passes

    def close(self):
        for tls in self.all:
            tls.close()


def test_half_handshakes():
    size = crowd_size()
    words = first_words()
    with Served() as server:
        address = server.address()
        honest = Honest(server, address)
        alone = max(honest.talk(server) for _ in range(5))
        accepted = HONEST
        before, after, peak = server.tell("memory"), [], 0
        for _ in range(2):
            crowd = []
            while len(crowd) < size:
                crowd += plain_connections(min(500, size - len(crowd)), address)
                server.tell("accept", accepted + len(crowd))
            accepted += size
            for part, senders in ((words[:5], crowd), (words[5:100], crowd),
                                  (words[100:], crowd[::2])):
                for peer in senders:
                    peer.send(part)
                # The system tells of 128 events at a time, and those of the crowd came before.
                passes = honest.talk(server)
                check_that(f"{passes} passes beside a crowd that sends", passes < alone + size / 64)
            for peer in crowd[::2]:  # the server has done its part of the handshake
                check_that("an answer", len(peer.recv(100)) == 100)
            for _ in range(5):
                passes = honest.talk(server)
                check_that(f"{passes} passes beside a silent crowd", passes <= alone)
            peak = max(peak, server.tell("memory"))
            for peer in crowd:
                peer.close()
            server.tell("wait", HONEST)
            server.tell("rest")
            after.append(server.tell("memory"))
        each = (peak - before) / size
        print(f"{alone} passes; {each:.0f} bytes for each of {size}; before {before}, then {after}")
        check_that("memory comes back", after[0] - before < (peak - before) / 20)
        check_that("memory does not grow", after[1] - after[0] < 100_000)
        honest.close()
        server.process.stdin.close()
        check("exit status", server.wait(), 0)


interop_support.main(globals())
