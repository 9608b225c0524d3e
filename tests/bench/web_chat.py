#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Measures web_chat, an example: a line that members in browsers hear, beside as many at terminals.

    web_chat.py WEB_CHAT [MEMBERS [ROUNDS]]

The figure is the processor time of the server, by the kernel's account, for one line of somebody at
a terminal that all members have got; every byte of them is checked. Each round measures both kinds,
in turn; a cell is the median of the rounds, and the quotient is that of the quotients within them.
"""
import random
import re
import resource
import socket
import statistics
import struct
import subprocess
import sys
import time

LINES = 20  # of a round
TEXT = "x" * 60
REQUEST = (b"GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def at_terminal(text):
    return text + b"\n"


def in_browser(text):
    """As a client sends it, with a key of zeros; all that this program says is short."""
    return struct.pack("!BB", 0x81, 0x80 | len(text)) + bytes(4) + text


def to_browser(text):
    return struct.pack("!BB", 0x81, len(text)) + text


SIGN_OF_LIFE = to_browser(b"")  # between two lines for a browser, each 15 seconds


class Room:
    """A web_chat with members of one kind, and somebody who talks."""

    def __init__(self, program, members, in_browsers):
        self.process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
        ports = [int(re.search(r":(\d+)\b(?!.*:\d)", self.process.stdout.readline())[1])
                 for _ in range(2)]
        says, self.hears = (in_browser, to_browser) if in_browsers else (at_terminal, at_terminal)
        self.talker = socket.create_connection(("127.0.0.1", ports[1]))
        self.talker.sendall(b"/nick t\n/join\n")
        self.members = []
        for number in range(members):
            peer = socket.create_connection(("127.0.0.1", ports[0 if in_browsers else 1]))
            peer.sendall((REQUEST if in_browsers else b"") + says(b"/nick m%d" % number)
                         + says(b"/join"))
            self.members.append(peer)
            self.read_up_to(b"* m%d is here" % number, [peer])
            if number % 50 == 49 or number == members - 1:  # or it waits, and is dropped at last
                self.talker.sendall(b"all here?\n")
                self.read_up_to(b"<t> all here?", self.members)

    def read_up_to(self, last, peers):
        for peer in peers:
            heard = b""
            while not heard.endswith((self.hears(last), self.hears(last) + SIGN_OF_LIFE)):
                piece = peer.recv(65536) or sys.exit("web_chat has ended a connection")
                heard = heard[-100:] + piece

    def cost(self):
        """Microseconds of processor time for a line."""
        wanted = self.hears(b"<t> " + TEXT.encode())
        before = self.seconds()
        for _ in range(LINES):
            self.talker.sendall(TEXT.encode() + b"\n")
            for peer in self.members:
                got = peer.recv(len(wanted), socket.MSG_WAITALL)
                while got.startswith(SIGN_OF_LIFE):
                    got = got[2:] + peer.recv(2, socket.MSG_WAITALL)
                if got != wanted:
                    sys.exit("wrong bytes")
        return (self.seconds() - before) / LINES * 1e6

    def seconds(self):
        """Processor time so far: the clock of another process has this number on Linux."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def stop(self):
        self.process.kill()
        self.process.communicate()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    members = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rooms = {"at terminals": Room(sys.argv[1], members, False),
             "in browsers": Room(sys.argv[1], members, True)}
    costs = {name: [] for name in rooms}
    order = list(rooms)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            costs[name].append(rooms[name].cost())
    for room in rooms.values():
        room.stop()
    for name, each in costs.items():
        print(f"{members} members {name}: {statistics.median(each):.0f} microseconds a line")
    quotients = [b / t for t, b in zip(costs["at terminals"], costs["in browsers"])]
    print(f"browsers / terminals: {statistics.median(quotients):.2f}, from {min(quotients):.2f} to "
          f"{max(quotients):.2f}")


if __name__ == "__main__":
    main()
