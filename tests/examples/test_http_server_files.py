"""http_server when the system does not let it have a file.

    python3 test_http_server_files.py FOLDER-OF-BUILT-EXAMPLES [test_NAME...]
"""

import contextlib
import ctypes
import errno
import os
import platform
import resource
import socket
import struct

import support
from support import check, connect, run, skip
from test_http_server import LAST, PAGE, Answer, Server, exchange, get


class Client:
    """One connection that stays."""

    def __init__(self, server):
        self.peer = connect(server.address())
        self.stream = self.peer.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.peer.close()

    def ask(self, path, *more):
        self.peer.sendall(get(path, *more))
        status = int(self.stream.readline().split()[1])
        header = {}
        for line in iter(self.stream.readline, b"\r\n"):
            name, _, value = line.decode("latin-1").rstrip().partition(": ")
            header[name.lower()] = value
        return Answer(status, header, self.stream.read(int(header["content-length"])))


@contextlib.contextmanager
def descriptors(pid, free):
    """Leaves the process so many descriptors that it may still open."""
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    unused = (number for number in range(len(used) + free + 1) if number not in used)
    limit = [next(unused) for _ in range(free + 1)][-1]
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_no_descriptors():
    """A file that cannot be opened for want of descriptors exists all the same."""
    with Server() as server, Client(server) as client:
        check("before", client.ask("/").body, PAGE)
        check("no file is open any more", client.ask("/server/state").status, 200)
        with descriptors(server.pid, free=0):
            for path, status in [("/", 503), ("/sub/", 503), ("/large", 503), ("/sub", 301),
                                 ("/nothing", 404), ("/.git/config", 404), ("/out.txt", 404)]:
                answer = client.ask(path)
                check(f"{path}: {answer}", (answer.status, answer.header["connection"]),
                      (status, "keep-alive"))
            ranged = client.ask("/large", "Range: bytes=1-2")
            check("a range", (ranged.status, ranged.header["retry-after"]), (503, "1"))
        with descriptors(server.pid, free=1):
            check("a range with one descriptor", client.ask("/large", "Range: bytes=1-2").status,
                  206)
        check("afterwards", client.ask("/").body, PAGE)
        check("for others", exchange(server, LAST)[0].status, 200)


def test_other_things_than_files():
    with Server() as server, socket.socket(socket.AF_UNIX) as other:
        other.bind(os.path.join(server.root, "socket"))
        os.symlink("loop", os.path.join(server.root, "loop"))
        os.symlink("missing", os.path.join(server.root, "dangling"))
        for path in ["/socket", "/fifo", "/loop", "/dangling", "/" + "x" * 300, "/a%20b.txt/x"]:
            check(path, exchange(server, get(path) + LAST)[0].status, 404)


PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def test_rights():
    def be_nobody_special():
        for capability in [CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH] if os.getuid() == 0 else []:
            control(PR_CAPBSET_DROP, capability, 0, 0, 0)

    with prepared(be_nobody_special) as server:
        locked = os.path.join(server.root, "locked")
        os.mkdir(locked)
        server.write("root/locked.txt", b"x")
        for path in [locked, locked + ".txt"]:
            os.chmod(path, 0)
        try:
            for path, status in [("/locked.txt", 403), ("/locked/", 403), ("/locked/x", 403),
                                 ("/", 200)]:
                check(path, exchange(server, get(path) + LAST)[0].status, status)
        finally:
            os.chmod(locked, 0o700)


# What open() of a file may fail with: nothing but "there is none" is 404.
STATUSES = {"ENOENT": 404, "ENOTDIR": 404, "ENAMETOOLONG": 404, "ELOOP": 404, "ENXIO": 404,
            "ENODEV": 404, "EACCES": 403, "EPERM": 403, "EMFILE": 503, "ENFILE": 503,
            "ENOMEM": 503, "EAGAIN": 503, "EINTR": 503, "EIO": 500, "EOVERFLOW": 500,
            "ESTALE": 500, "EINVAL": 500, "ENOTCONN": 500}


def test_errors_of_open():
    for name, status in STATUSES.items():
        with fails_to_open(getattr(errno, name)) as server, Client(server) as client:
            for _ in range(2):
                answer = client.ask("/")
                check(f"{name}: {answer}", (answer.status, answer.header.get("retry-after")),
                      (status, "1" if status == 503 else None))


PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, ERRNO = 0x7fff0000, 0x00050000
OPENAT = {"x86_64": 257, "aarch64": 56}.get(platform.machine())
FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK  # those of file_producer


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


def filter_of_open(number):
    """A filter of system calls that fails openat() with these flags only."""
    load, equal, answer = 0x20, 0x15, 0x06
    return b"".join(struct.pack("=HBBI", *line) for line in [
        (load, 0, 0, 0),                    # the number of the call
        (equal, 0, 3, OPENAT),
        (load, 0, 0, 16 + 2 * 8),           # its third argument
        (equal, 0, 1, FLAGS),
        (answer, 0, 0, ERRNO | number),
        (answer, 0, 0, ALLOW)])


def fails_to_open(number):
    """A server in whose process opening a file to send fails."""
    if OPENAT is None:
        skip("the number of openat() is not known here")
    program = filter_of_open(number)
    wanted = Filter(len(program) // 8, program)

    def prepare():
        control(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(wanted), 0, 0)

    return prepared(prepare)


def control(*arguments):
    """prctl() in a process that is about to become a server."""
    libc = ctypes.CDLL(None)
    given = [ctypes.c_ulong(word) if isinstance(word, int) else word for word in arguments]
    if libc.prctl(*given) != 0:
        os._exit(99)


def prepared(prepare):
    if run(["true"], preexec_fn=prepare).returncode == 99:
        skip("the system does not let a test do that")
    return Server(preexec_fn=prepare)


if __name__ == "__main__":
    support.main(globals())
