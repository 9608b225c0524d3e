"""web_chat with clients that others wrote, with netcat, and with peers that mean harm."""

import base64
import contextlib
import os
import re
import socket
import struct
import subprocess
import threading

import support
from certificates import Authority, need_tls
from support import (Program, check, check_that, connect, example, need, receive_all,
                     receive_exactly, run, skip, wait_until)

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "web_clients")
MIXED = "".join(("a", "\u00e9", "\u044f", "\u20ac", "\u4f60", "\U0001f600", "\u0627", " "))
LONG = (MIXED * 1250)[:9999] + "."  # 10,000 characters
LONGEST = 40000  # bytes of a message


class Server(Program):
    """A web_chat, its port for browsers and its port for lines."""

    def __init__(self, *options):
        if not os.path.exists(example("web_chat")):
            skip("web_chat needs OpenSSL")
        super().__init__([example("web_chat"), *options])
        web = self.wait_for(r"listening on (http\w*)://127.0.0.1:(\d+)/ for browsers")
        self.scheme, self.web = web[1], int(web[2])
        self.lines_port = int(self.wait_for(r"listening on 127.0.0.1:(\d+) for telnet")[1])

    def url(self, host="127.0.0.1"):
        return f"{self.scheme.replace('http', 'ws')}://{host}:{self.web}/chat"


class Lines:
    """A member at the door for lines, that keeps what it hears."""

    def __init__(self, port, name):
        self.peer = connect(("127.0.0.1", port))
        self.heard = b""
        self.reader = threading.Thread(target=self.collect, daemon=True)
        self.reader.start()
        self.say(f"/nick {name}")
        self.say("/join")
        self.hears(f"* {name} is here")

    def collect(self):
        with contextlib.suppress(OSError):
            while piece := self.peer.recv(65536):
                self.heard += piece

    def say(self, line):
        self.peer.sendall(line.encode() + b"\n")

    def hears(self, line):
        wait_until(f"a line {line[:60]!r}", lambda: f"{line}\n".encode() in self.heard)

    def close(self):
        self.peer.shutdown(socket.SHUT_RDWR)
        self.reader.join()
        self.peer.close()


def frame(first, payload, key=b"abcd"):
    """A frame of a client."""
    size = len(payload)
    head = struct.pack("!BB", first, 0x80 | size) if size < 126 else \
        struct.pack("!BBH", first, 0xfe, size) if size < 65536 else \
        struct.pack("!BBQ", first, 0xff, size)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def request(port, origin=None, path="/chat", host=None):
    return (f"GET {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            + (f"Origin: {origin}\r\n" if origin else "") + "\r\n").encode()


def upgraded(port, peer=None):
    peer = peer or connect(("127.0.0.1", port))
    peer.sendall(request(port))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += peer.recv(1)
    check("the answer", answer[:12], b"HTTP/1.1 101")
    return peer


def receive_frame(peer):
    """The next one that is no sign of life."""
    first, size = receive_exactly(peer, 2)
    if (first, size) == (0x81, 0):
        return receive_frame(peer)
    if size == 126:
        size, = struct.unpack("!H", receive_exactly(peer, 2))
    return first, receive_exactly(peer, size)


def python_with(module):
    """A python3 that has this module: that of the system, or the one that runs this."""
    for python in ("/usr/bin/python3", "python3"):
        with contextlib.suppress(OSError):
            if run([python, "-c", f"import {module}"]).returncode == 0:
                return python
    return skip(f"python3-{module} is not installed")


def node_with(module):
    node = need("node")
    environment = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}
    if run([node, "-e", f"require('{module}')"], env=environment).returncode != 0:
        skip(f"node-{module} is not installed")
    return [node, os.path.join(CLIENTS, "with_node.js"), module], environment


def play(command, server, name, environment=None):
    """The client joins, is heard by a member at the other door, and leaves."""
    listener = Lines(server.lines_port, "listener")
    done = run([*command, server.url(), name, LONG], env=environment)
    check_that(f"the client: {done.stdout!r} {done.stderr[-2000:]!r}",
               done.stdout == b"closed 1000\n" and done.returncode == 0)
    listener.hears(f"<{name}> {LONG}")
    listener.hears(f"* {name} is gone")
    listener.close()


def test_websockets():
    with Server() as server:
        python = python_with("websockets")
        play([python, os.path.join(CLIENTS, "with_websockets.py")], server, "python")
        server.stop()


def test_wsproto():
    with Server() as server:
        python = python_with("wsproto")
        play([python, os.path.join(CLIENTS, "with_wsproto.py")], server, "bytewise")
        server.stop()


def test_node_ws():
    with Server() as server:
        command, environment = node_with("ws")
        play(command, server, "node", environment)
        server.stop()


def test_node_undici():
    with Server() as server:
        command, environment = node_with("undici")
        play(command, server, "undici", environment)
        server.stop()


def test_libwebsockets():
    client = need("libwebsockets-test-client")
    with Server() as server:
        # It sends drawings, which are lines of somebody who has not joined. The client tells how
        # long the answer to each is, and shows it to nobody.
        with Program([client, server.url(), "-d", "31"]) as program:
            program.wait_for("mirror: LWS_CALLBACK_CLIENT_ESTABLISHED")
            program.wait_for(f"disbursal of {len('! /join first')} deframed rx")
        server.stop()


def test_tls():
    need_tls()
    python = python_with("websockets")
    with Authority() as ca:
        with Server("--tls", *ca.issue("localhost")) as server:
            check("the scheme", server.scheme, "https")
            done = run([python, os.path.join(CLIENTS, "with_websockets.py"),
                        server.url("localhost"), "safe", LONG, ca.pem])
            check_that(f"over TLS: {done.stdout!r} {done.stderr[-2000:]!r}",
                       done.stdout == b"closed 1000\n")
            server.stop()


def test_netcat():
    netcat = need("nc.openbsd", "nc")
    with Server() as server:
        web = upgraded(server.web)
        web.sendall(frame(0x81, b"/nick web") + frame(0x81, b"/join"))
        with Program([netcat, "127.0.0.1", server.lines_port], stdin=subprocess.PIPE) as person:
            person.say("/nick nc")
            person.say("/join")
            person.wait_for(r"\* nc is here")
            person.say("hello <b>web</b> \u20ac")
            check("it hears", [receive_frame(web) for _ in range(4)],
                  [(0x81, text.encode()) for text in
                   ("* you are web", "* web is here", "* nc is here", "<nc> hello <b>web</b> \u20ac")])
            web.sendall(frame(0x81, b"hello lines"))
            person.wait_for("<web> hello lines")
            web.sendall(frame(0x81, b"/msg nc only for you"))
            person.wait_for(r"\(web\) only for you")
            server.stop()
            person.wait_for("the server stops")
        web.close()


def test_pages_at_the_door_for_lines():
    with Server() as server:
        with connect(("127.0.0.1", server.lines_port)) as page:
            page.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n/nick page\n/join\nhello\n")
            check_that("it ends at the first line", receive_all(page).endswith(
                b"/help tells the rest\n! this is not HTTP\n"))
        server.stop()


def test_origins():
    with Server("--origin", "https://Chat.example") as server:
        def status(*arguments):
            with connect(("127.0.0.1", server.web)) as peer:
                peer.sendall(request(server.web, *arguments))
                return receive_exactly(peer, 12)[9:].decode()

        check("no page", status(), "101")
        check("the page", status(f"http://127.0.0.1:{server.web}"), "101")
        check("a page that was named", status("https://chat.example"), "101")
        check("a page of another port", status("http://127.0.0.1:1"), "403")
        check("a foreign page", status("https://evil.example"), "403")
        check("another path", status(None, "/other"), "404")
        evil = f"evil.example:{server.web}"
        check("a foreign name that points here", status(f"http://{evil}", "/chat", evil), "403")
        check("its page", status(None, "/", evil), "403")
        check("a name that was given", status("https://chat.example", "/chat", "chat.example"), "101")
        check("this machine", status(None, "/chat", f"localhost:{server.web}"), "101")
        server.stop()


def test_page():
    with Server() as server:
        with connect(("127.0.0.1", server.web)) as peer:
            peer.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.web}\r\n\r\n".encode())
            head, _, page = receive_all(peer).partition(b"\r\n\r\n")
        check_that("no other source", b"default-src 'none'" in head)
        text = page.decode()
        check_that("the whole page", text.startswith("<!DOCTYPE html>") and
                   text.endswith("</html>\n"))
        check("addresses in it", re.findall(r"(?:src|href)=\"(?!data:)", text), [])
        check("foreign hosts", re.findall(r"https?://[a-z0-9]", text), [])
        server.stop()


def test_wrong_frames():
    with Server() as server:
        listener = Lines(server.lines_port, "listener")
        for bad, code in ((b"\x81\x05hello", 1002), (frame(0x83, b""), 1002),
                          (frame(0x81, b"\xff"), 1007), (b"\x81\xff" + bytes([0, 0, 0, 1] * 2), 1009),
                          (b"\x81\xfe" + struct.pack("!H", LONGEST + 1) + b"abcd", 1009),
                          (frame(0x82, b"bytes"), 1003)):
            with upgraded(server.web) as peer:
                peer.sendall(bad)
                first, body = receive_frame(peer)
                check(f"close of {bad!r}", (first, struct.unpack("!H", body[:2])[0]), (0x88, code))
                if code == 1003:
                    peer.sendall(frame(0x88, body[:2]))
                check("the end", peer.recv(1), b"")
        listener.say("still here")
        listener.hears("<listener> still here")
        listener.close()
        server.stop()


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) * 1024


def test_hostile_peers():
    """Peers that read nothing, ask without end, announce much, or come and go."""
    if not os.path.exists("/proc/self/status"):
        skip("no /proc here")
    with Server() as server:
        deaf = [upgraded(server.web) for _ in range(20)]
        for number, peer in enumerate(deaf):
            peer.sendall(frame(0x81, f"/nick deaf{number}".encode()) + frame(0x81, b"/join"))
        talker = Lines(server.lines_port, "talker")
        big = [upgraded(server.web) for _ in range(100)]
        for peer in big:
            peer.sendall(b"\x81\xfe" + struct.pack("!H", LONGEST) + b"abcd")  # they will come
        before = resident(server.pid)
        pings = frame(0x89, b"p" * 125) * 500
        for peer in deaf[:5]:
            peer.settimeout(1)
            with contextlib.suppress(OSError):
                for _ in range(200):
                    peer.sendall(pings)
        for number in range(2000):
            talker.say(f"{number} " + "x" * 400)
        talker.hears(f"<talker> 1999 {'x' * 400}")
        for _ in range(50):
            with upgraded(server.web) as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talker.say("/who")
        talker.hears("* here: " + " ".join(sorted([f"deaf{i}" for i in range(20)] + ["talker"])))
        grown = resident(server.pid) - before
        check_that(f"grown by {grown} bytes", grown < 40 << 20)
        for peer in deaf + big:
            peer.close()
        talker.close()
        server.stop()


def deaf_members(server, watcher, name):
    """Fifty browsers that join and read nothing, and how many bytes each of them has cost."""
    before = resident(server.pid)
    peers = []
    for number in range(50):
        peer = socket.socket()
        peer.settimeout(support.DEADLINE)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 88)  # less waits in the system
        peer.connect(("127.0.0.1", server.web))
        upgraded(server.web, peer)
        peer.sendall(frame(0x81, b"/help") * 600)  # the answers fill the buffers of the system
        peer.sendall(frame(0x81, f"/nick {name}{number}".encode()) + frame(0x81, b"/join"))
        peers.append(peer)
    for number in range(50):
        watcher.hears(f"* {name}{number} is here")
    return peers, (resident(server.pid) - before) // 50


def test_last_lines():
    """A new member hears as many as fit, and who reads nothing costs little."""
    if not os.path.exists("/proc/self/status"):
        skip("no /proc here")
    with Server() as server, upgraded(server.web) as talker:
        watcher = Lines(server.lines_port, "watcher")
        early, cost = deaf_members(server, watcher, "early")
        talker.sendall(frame(0x81, b"/nick talker") + frame(0x81, b"/join"))
        for number in range(30):
            line = f"{number} ".ljust(4096, "x")
            talker.sendall(frame(0x81, line.encode()))
            watcher.hears(f"<talker> {line}")
        late, later_cost = deaf_members(server, watcher, "late")
        check_that(f"the last lines cost {later_cost} - {cost} bytes",
                   later_cost - cost < 12000)
        with upgraded(server.web) as reader:
            reader.sendall(frame(0x81, b"/nick reader") + frame(0x81, b"/join"))
            check("first", receive_frame(reader)[1], b"* you are reader")
            for number in range(19, 30):
                check(f"line {number}", receive_frame(reader)[1],
                      f"<talker> {number} ".encode().ljust(4096 + 9, b"x"))
            check("last", receive_frame(reader)[1], b"* reader is here")
        for peer in early + late:
            peer.close()
        watcher.close()
        server.stop()


def test_wrong_use():
    program = example("web_chat")
    if not os.path.exists(program):
        skip("web_chat needs OpenSSL")
    for options, words in ((["--port", "x"], "--port"), (["--lines", "65536"], "--lines"),
                           (["word"], "one argument too many"),
                           (["--origin", "chat.example"], "--origin: 'chat.example'"),
                           (["--origin", "https://"], "--origin"),
                           (["--origin", "https://chat.example/"], "--origin"),
                           (["--what"], "there is no --what")):
        done = run([program, *options])
        check(f"status of {options}", done.returncode, 2)
        check_that(f"{done.stderr!r}", words.encode() in done.stderr)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run([program, "--port", taken.getsockname()[1]])
        check("status", done.returncode, 1)


if __name__ == "__main__":
    support.main(globals())
