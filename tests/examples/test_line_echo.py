"""line_echo against netcat, telnet, asyncio and Python's asynchat, and against its own client."""

import asyncio
import importlib.util
import os
import select
import socket
import sys
import tempfile

import support
from support import Program, check, check_that, connect, example, need, receive_all, run

SERVER = example("line_echo")
CLIENT = example("line_echo_client")
LINES = ["one", "two words", "", "x" * 5000]


def netcat(address, data):
    """What comes back for `data`, after which netcat ends its stream and waits for ours."""
    nc = need("nc.openbsd")
    done = run([nc, "-N", address[0], address[1]], data)
    check("exit status of nc", done.returncode, 0)
    return done.stdout


def test_netcat_gets_back_all_it_sent_before_the_half_close():
    need("nc.openbsd")
    with Program([SERVER]) as server:
        address = server.address()
        check("a word", netcat(address, b"hello\n"), b"hello\n")
        check("no end of line", netcat(address, b"\x00\xff\r"), b"\x00\xff\r")
        check("nothing", netcat(address, b""), b"")
        much = os.urandom(8 << 20)
        check_that("8 MiB come back as they were", netcat(address, much) == much)
        server.stop()


def test_simple_protocol_answers_each_piece():
    with Program([SERVER, "--simple"]) as server:
        with connect(server.address()) as peer:
            for piece in (b"a", b"bc", b"def\n", b"\x00"):
                peer.sendall(piece)
                check("answer", support.receive_exactly(peer, 5 + len(piece)), b"echo:" + piece)
            peer.shutdown(socket.SHUT_WR)
            check("the end", receive_all(peer), b"")
        got = netcat(server.address(), b"some words")
        check("netcat", got, b"echo:some words")
        server.stop()


def test_telnet_in_a_terminal():
    tmux, telnet = need("tmux"), need("telnet")
    with Program([SERVER, "--simple"]) as server, tempfile.TemporaryDirectory() as folder:
        host, port = server.address()
        terminal = [tmux, "-f", "/dev/null", "-S", os.path.join(folder, "terminal")]

        def screen():
            return run([*terminal, "capture-pane", "-p"]).stdout.decode()

        environment = dict(os.environ, TERM="screen", LC_ALL="C.UTF-8")
        environment.pop("TMUX", None)
        done = run([*terminal, "new-session", "-d", "-x", "80", "-y", "24",
                    f"{telnet} {host} {port}"], env=environment)
        check("tmux", (done.returncode, done.stderr), (0, b""))
        try:
            support.wait_until("telnet is connected", lambda: "Escape character" in screen())
            for text in ("abc", "and more"):
                run([*terminal, "send-keys", "-l", text])
                run([*terminal, "send-keys", "Enter"])
                support.wait_until(f"the answer to {text!r}", lambda: f"echo:{text}" in screen())
        finally:
            run([*terminal, "kill-server"])
        server.stop()


async def talk(address, lines, prefix):
    reader, writer = await asyncio.open_connection(*address)
    for line in lines:
        writer.write(line)
        await writer.drain()
        check("line", await reader.readline(), prefix + line)
    writer.write_eof()
    check("the rest", await reader.read(), b"")
    writer.close()
    await writer.wait_closed()


async def talk_all(address, lines, prefix, how_many):
    talks = [talk(address, lines, prefix) for _ in range(how_many)]
    await asyncio.wait_for(asyncio.gather(*talks), support.DEADLINE)


def test_asyncio_streams_get_four_lines_back():
    lines = [b"first line\n", b"second\n", b"\n", b"y" * 1000 + b"\n"]
    for options, prefix in ([], b""), (["--simple"], b"echo:"):
        with Program([SERVER, *options]) as server:
            asyncio.run(talk_all(server.address(), lines, prefix, 100))
            server.stop()


def test_own_client_gets_four_lines_back():
    for host in "127.0.0.1", "::1":
        with Program([SERVER, host]) as server:
            address = server.address()
            done = run([CLIENT, *address, *LINES])
            check("lines", done.stdout.decode().split("\n"), [*LINES, ""])
            check("exit status", (done.returncode, done.stderr), (0, b""))
            server.stop()
    done = run([CLIENT, *address, "x"])
    check("exit status when nobody listens", done.returncode, 1)
    check_that("it says so", b"refused" in done.stderr)


ASYNCHAT_CLIENT = """
import asynchat, asyncore, sys

class Client(asynchat.async_chat):
    def __init__(self, host, port, lines):
        super().__init__()
        self.lines, self.got = lines, []
        self.set_terminator(b"\\n")
        self.create_socket()
        self.connect((host, port))
        self.push(lines[0] + b"\\n")
    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)
    def found_terminator(self):
        self.got.append(self._get_data())
        if len(self.got) < len(self.lines):
            self.push(self.lines[len(self.got)] + b"\\n")
        else:
            self.close_when_done()

lines = [b"one", b"two words", b"", b"z" * 100]
client = Client(sys.argv[1], int(sys.argv[2]), lines)
asyncore.loop(timeout=1, count=1000)
sys.exit(0 if client.got == lines else 1)
"""


def test_client_of_pythons_asynchat_gets_four_lines_back():
    if importlib.util.find_spec("asynchat") is None:
        support.skip("this python3 has no asynchat")
    with Program([SERVER]) as server:
        done = run([sys.executable, "-W", "ignore", "-c", ASYNCHAT_CLIENT, *server.address()])
        check("exit status", (done.returncode, done.stderr), (0, b""))
        server.stop()


def resident(pid):
    """KiB of memory that the process holds."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def test_who_does_not_read_is_not_read_from():
    with Program([SERVER]) as server, connect(server.address()) as peer:
        before = resident(server.pid)
        peer.setblocking(False)
        sent, piece = 0, bytes(65536)
        while sent < 256 << 20:
            try:
                sent += peer.send(piece)
            except BlockingIOError:
                # Everything between us is full when nothing can be sent for a while.
                if not writable_within(peer, 1):
                    break
        check_that(f"the server stopped reading ({sent} bytes)", sent < 256 << 20)
        grown = resident(server.pid) - before
        check_that(f"its memory is bounded (grew by {grown} KiB)", grown < 16384)
        peer.settimeout(support.DEADLINE)
        peer.shutdown(socket.SHUT_WR)
        check("bytes that come back", len(receive_all(peer)), sent)
        server.stop()


def test_client_does_not_wait_for_ever():
    status, output = support.trickle_to(lambda address: [CLIENT, *address, "one"])
    check("status and output", (status, output),
          (1, "line_echo_client: 0 of 1 lines came back: "
              "asynchat: the operation took longer than its time\n"))


def writable_within(peer, seconds):
    return bool(select.select([], [peer], [], seconds)[1])


def test_wrong_use():
    for command, wanted in (
        ([SERVER, "--loud"], b"usage: "),
        ([SERVER, "127.0.0.1", "80x"], b"PORT: not a digit at byte 2 of '80x'"),
        ([SERVER, "127.0.0.1", "65536"], b"PORT: too large at byte 4 of '65536'"),
        ([SERVER, "127.0.0.1", "0", "more"], b"usage: "),
        ([CLIENT, "127.0.0.1"], b"usage: "),
        ([CLIENT, "127.0.0.1", "", "x"], b"PORT: no digits at byte 0 of ''"),
    ):
        done = run(command)
        check(f"exit status of {command[1:]}", done.returncode, 2)
        check_that(f"{done.stderr!r} has {wanted!r}", wanted in done.stderr)
    done = run([SERVER, "--help"])
    check("exit status of --help", (done.returncode, done.stdout[:7]), (0, b"usage: "))
    done = run([SERVER, "localhost.example"])
    check("exit status for a name", done.returncode, 1)
    check_that("it quotes the host", b"localhost.example" in done.stderr)
    with Program([SERVER]) as server:
        done = run([SERVER, *server.address()])
        check("exit status for a port in use", done.returncode, 1)
        check_that("it says why", b"in use" in done.stderr)


if __name__ == "__main__":
    support.main(globals())
