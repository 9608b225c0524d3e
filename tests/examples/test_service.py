"""service, started by systemd-socket-activate and without it, with a service manager made here."""

import contextlib
import os
import socket
import subprocess
import tempfile

import support
from support import Program, check, check_that, connect, example, need, receive_exactly

SERVICE = example("service")


def answers(peer):
    peer.sendall(b"hello\n")
    return receive_exactly(peer, 6) == b"hello\n"


@contextlib.contextmanager
def manager(folder):
    """A socket for messages, and the environment that tells of it."""
    path = os.path.join(folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messages:
        messages.bind(path)
        messages.settimeout(support.DEADLINE)
        yield messages, {**os.environ, "NOTIFY_SOCKET": path}


def test_it_gets_its_socket_from_systemd():
    activate = need("systemd-socket-activate", "/usr/bin/systemd-socket-activate")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        with Program([activate, "-l", path, SERVICE]) as server:
            server.wait_for("Listening on " + path)  # the file alone comes earlier
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(support.DEADLINE)
                peer.connect(path)  # which starts the program
                check_that("an answer", answers(peer))
            server.wait_for("listening on " + path)
            server.stop()


# What systemd does with a service whose sockets it holds: begins it, and for each line here ends it
# in order and begins it again. $0 is the program.
MANAGER = """
begin() {
    sh -c 'LISTEN_PID=$$ exec "$0"' "$0" & # its own, not that of this shell
    child=$!
}
begin
while read -r _; do
    kill -TERM "$child"
    wait "$child" || exit 1
    begin
done
kill -TERM "$child"
wait "$child"
"""


def test_restarts_under_load_lose_no_connection():
    """Connections are made one after the other, while their service is ended and begun again."""
    activate = need("systemd-socket-activate", "/usr/bin/systemd-socket-activate")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        with Program([activate, "-l", path, "sh", "-c", MANAGER, SERVICE],
                     stdin=subprocess.PIPE) as manager:
            manager.wait_for("Listening on " + path)  # the file alone comes earlier
            for restarts in range(6):
                if restarts > 0:
                    manager.say("restart")
                for _ in range(200):
                    with socket.socket(socket.AF_UNIX) as peer:
                        peer.settimeout(support.DEADLINE)
                        peer.connect(path)
                        check_that("an answer", answers(peer))
                support.wait_until("it has begun again", lambda times=restarts: times + 1 ==
                                   manager.output().count("listening on " + path))
            manager.process.stdin.close()
            check("exit status", manager.wait(), 0)


def test_it_is_no_service_for_each_connection():
    activate = need("systemd-socket-activate")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        with Program([activate, "--accept", "-l", path, SERVICE]) as server:
            server.wait_for("Listening on " + path)  # the file alone comes earlier
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(support.DEADLINE)
                peer.connect(path)
                server.wait_for('Accept= has to be "no"')


def test_it_tells_the_manager():
    with tempfile.TemporaryDirectory() as folder, manager(folder) as (messages, environment):
        with Program([SERVICE], env=environment) as server:
            address = server.address()
            check("at the start", messages.recv(100), b"READY=1")
            with connect(address) as peer:
                check_that("an answer", answers(peer))
            server.stop()
            check("at the end", messages.recv(100), b"STOPPING=1")


def test_it_serves_and_stops_also_when_the_manager_is_gone():
    with tempfile.TemporaryDirectory() as folder, manager(folder) as (messages, environment):
        with Program([SERVICE], env=environment) as server:
            address = server.address()
            check("at the start", messages.recv(100), b"READY=1")
            messages.close()
            with connect(address) as peer:
                check_that("an answer", answers(peer))
                server.process.terminate()
                server.wait_for("NOTIFY_SOCKET")
                check_that("another answer", answers(peer))
            check("exit status", server.wait(), 0)
    environment["NOTIFY_SOCKET"] = "nonsense"
    with Program([SERVICE], env=environment) as server:
        address = server.address()
        server.wait_for("NOTIFY_SOCKET is 'nonsense'")
        with connect(address) as peer:
            check_that("an answer", answers(peer))
        server.stop()


def test_it_feeds_the_watchdog():
    with tempfile.TemporaryDirectory() as folder, manager(folder) as (messages, environment):
        with Program([SERVICE], env={**environment, "WATCHDOG_USEC": "20000"}) as server:
            check("at the start", messages.recv(100), b"READY=1")
            for _ in range(3):
                check("then", messages.recv(100), b"WATCHDOG=1")
            server.stop()


if __name__ == "__main__":
    support.main(globals())
