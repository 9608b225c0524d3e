"""What the end-to-end tests of the examples share. Needs python3 and nothing else.

A test is a script that imports this file, has functions whose names begin with test_, and ends with

    support.main(globals())

Its argument is the folder of the built examples, build/debug/bin; the names of the functions to run
may follow. It exits with 0, 1, or 77 when a function could not run here because a
program is missing; with ASYNCHAT_NO_SKIP in the environment that is a failure, too.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

DEADLINE = 60  # seconds, for anything that could hang
SKIPPED = 77


class Skipped(Exception):
    pass


def skip(why):
    raise Skipped(why)


def need(*names):
    """The path of the first of these programs that is installed; skips when none is."""
    where = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for name in names:
        path = shutil.which(name, path=where)
        if path:
            return path
    skip(f"{' or '.join(names)} is not installed")


def unpacked(package, path):
    """A program of a package that ./run examples has only unpacked; skips when it is not there."""
    found = os.path.join(os.path.abspath(sys.argv[1]), "..", "..", "unpacked", package, path)
    if not os.path.exists(found):
        skip(f"the package {package} is not unpacked")
    return os.path.normpath(found)


@contextlib.contextmanager
def imports_from(folder):
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def example(name):
    """The path of a built example."""
    return os.path.join(os.path.abspath(sys.argv[1]), name)


def check(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}:\n--- got\n{shown(got)}\n--- wanted\n{shown(wanted)}")


def check_that(what, condition):
    if not condition:
        raise AssertionError(what)


def shown(value):
    text = repr(value)
    return text if len(text) <= 1000 else f"{text[:500]} ... {text[-500:]}"


def wait_until(what, condition, deadline=DEADLINE):
    """Asks `condition` until it is true, and returns what it said."""
    end = time.monotonic() + deadline
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        time.sleep(0.01)


def rules_of(page):
    """The first column of the table under the heading "Rules of HTTP" of a page in docs."""
    docs = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")
    with open(os.path.join(docs, page), encoding="utf-8") as file:
        section = file.read().partition("\n## Rules of HTTP\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")]
    return rows[2:]  # without the head and the line below it


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago, for programs that cannot be given 0."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def run(command, input=b"", deadline=DEADLINE, **more):
    """Runs a program to its end: the result has returncode, stdout and stderr as bytes."""
    return subprocess.run([str(part) for part in command], input=input, timeout=deadline,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **more)


class Program:
    """A program in the background, both its outputs collected; killed by its pid on any way out.

        with Program([example("line_echo")]) as server:
            host, port = server.address()
            ...
            server.stop()

    With stdin=subprocess.PIPE, say() gives it lines.
    """

    def __init__(self, command, stdin=subprocess.DEVNULL, **more):
        self.command = [str(part) for part in command]
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(self.command, stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, **more)
        self.reader = threading.Thread(target=self.collect, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.kill()
        if kind not in (None, Skipped):
            print(f"--- output of {' '.join(self.command)}\n{self.output()[-4000:]}---")

    @property
    def pid(self):
        return self.process.pid

    def collect(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def output(self):
        """All that it has printed so far."""
        with self.changed:
            return "".join(line + "\n" for line in self.lines if line is not None)

    def wait_for(self, pattern, deadline=DEADLINE):
        """The match in the first line of its output that has one, printed already or to come."""
        seen = 0
        end = time.monotonic() + deadline
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    match = line is not None and re.search(pattern, line)
                    if match:
                        return match
                seen = len(self.lines)
                if self.lines and self.lines[-1] is None:
                    raise AssertionError(f"{self.command[0]} ended without {pattern!r}")
                if not self.changed.wait(end - time.monotonic()):
                    raise AssertionError(f"{self.command[0]}: no {pattern!r} in {deadline} s")

    def address(self):
        """(host, port) as it says itself: "listening on 127.0.0.1:80" or "[::1]:80"."""
        match = self.wait_for(r"listening on (?:\w+://)?(?:\[([^]]+)\]|([\d.]+)):(\d+)")
        return match.group(1) or match.group(2), int(match.group(3))

    def wait(self, deadline=DEADLINE):
        """Its exit status."""
        status = self.process.wait(deadline)
        self.reader.join(deadline)
        return status

    def interrupt(self):
        """Has it end by SIGINT; its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def stop(self):
        """As above, and the status has to be 0."""
        check(f"exit status of {self.command[0]} after SIGINT", self.interrupt(), 0)

    def kill(self):
        """Ends it now, without a chance to say anything; nothing when it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(DEADLINE)
        self.process.stdout.close()
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):  # it has ended before it read all
                self.process.stdin.close()


def has_own_malloc(program):
    """With a sanitizer it has one, and none can be put in front of it."""
    with open(program, "rb") as file:
        return re.search(rb"__[at]san_init", file.read()) is not None


@contextlib.contextmanager
def redis(port):
    """A redis-server that keeps nothing on the disk."""
    command = need("redis-server")
    with tempfile.TemporaryDirectory() as folder:
        with Program([command, "--port", port, "--bind", "127.0.0.1", "--dir", folder,
                      "--save", "", "--appendonly", "no", "--daemonize", "no"]) as program:
            program.wait_for("Ready to accept connections")
            yield program


def connect(address):
    """A plain blocking socket that does not wait for ever."""
    return socket.create_connection(address[:2], timeout=DEADLINE)


def receive_all(peer):
    """What comes until the other side ends its stream."""
    received = bytearray()
    while True:
        piece = peer.recv(65536)
        if not piece:
            return bytes(received)
        received += piece


def receive_exactly(peer, size):
    received = bytearray()
    while len(received) < size:
        piece = peer.recv(size - len(received))
        if not piece:
            raise AssertionError(f"the end after {len(received)} of {size} bytes: {shown(received)}")
        received += piece
    return bytes(received)


def trickle_to(command):
    """Exit status and output of a client whose server sends a byte now and then and never a whole
    answer. `command` makes its command of the address of the server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        with Program(command(listener.getsockname())) as client:
            peer, _ = listener.accept()
            end = time.monotonic() + DEADLINE
            with peer:
                while client.process.poll() is None and time.monotonic() < end:
                    try:
                        peer.sendall(b"x")
                        client.process.wait(0.2)
                    except (OSError, subprocess.TimeoutExpired):
                        pass
            return client.wait(1), client.output()


def main(names):
    wanted = sys.argv[2:]
    tests = [(name, call) for name, call in names.items()
             if name.startswith("test_") and callable(call) and (not wanted or name in wanted)]
    if len(sys.argv) < 2 or not tests:
        sys.exit(f"usage: {sys.argv[0]} FOLDER-OF-BUILT-EXAMPLES [test_NAME...]")
    failed = skipped = 0
    for name, call in tests:
        start = time.monotonic()
        try:
            call()
            outcome = "passed"
        except Skipped as why:
            skipped += 1
            outcome = f"skipped: {why}"
        except Exception:  # whatever it is, the other tests can still say something
            failed += 1
            traceback.print_exc(file=sys.stdout)
            outcome = "FAILED"
        print(f"{name}: {outcome} ({time.monotonic() - start:.1f} s)", flush=True)
    if skipped and "ASYNCHAT_NO_SKIP" in os.environ:
        failed += skipped
    sys.exit(1 if failed else SKIPPED if skipped else 0)
