"""redis_client at a real redis-server, which stops, is killed and comes back."""

import contextlib
import re
import signal
import socket
import tempfile

import support
from support import Program, check, check_that, example, redis, run, wait_until

CLIENT = example("redis_client")


@contextlib.contextmanager
def stopped(server):
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def answers(client):
    """What each request was told so far: a list of (number, text)."""
    lines = re.findall(r"(?m)^(\d+): (.*)$", client.output())  # the others are its log
    return [(int(number), text) for number, text in lines]


def more_answers(client, count=5):
    """Waits for further answers from Redis."""
    before = sum(text.isdigit() for _, text in answers(client))
    wait_until(f"{count} more answers", lambda: sum(
        text.isdigit() for _, text in answers(client)) >= before + count)


def more_failures(client, pattern):
    before = len(answers(client))
    wait_until(f"a request fails: {pattern}", lambda: any(
        re.search(pattern, text) for _, text in answers(client)[before:]))


def check_answers(client):
    """Each request was told once, and no answer belongs to another one."""
    told = answers(client)
    numbers = [number for number, _ in told]
    check("requests that were told more than once", len(numbers) - len(set(numbers)), 0)
    for number, text in told:
        check_that(f"request {number} has the answer '{text}'",
                   text == str(number) or not text.isdigit())


def test_an_order_of_stops_and_restarts():
    port = support.free_port()
    with Program([CLIENT, "localhost", port]) as client:
        with redis(port) as server:
            more_answers(client)
            # For less than it takes to give up: late answers are for nobody.
            with stopped(server):
                more_failures(client, "timed out")
            more_answers(client, 30)
            check_answers(client)
            # For longer: the connection is given up.
            with stopped(server):
                more_failures(client, "not connected")
            more_answers(client, 30)
            server.process.kill()
            server.wait()
        with redis(port) as server:
            more_answers(client, 30)
            server.process.send_signal(signal.SIGTERM)
            server.wait()
        with redis(port):
            more_answers(client)
        check_answers(client)
        client.stop()


def test_nonsense_instead_of_redis():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(support.DEADLINE)
        with Program([CLIENT, *listener.getsockname()]) as client:
            for nonsense in (b"$no number\r\n", b"$9999999\r\n", b"+1\r\n" * 99, b"x" * 100000):
                peer, _ = listener.accept()
                with peer:
                    peer.settimeout(support.DEADLINE)
                    peer.sendall(nonsense)
                    with contextlib.suppress(ConnectionError):
                        support.receive_all(peer)
            client.stop()
    check("exit status without a port", run([CLIENT, "localhost"]).returncode, 2)


if __name__ == "__main__":
    support.main(globals())
