"""echo against plain sockets and the same pair on Python's asynchat."""

import importlib.util
import os
import re
import socket
import sys

import support
from support import Program, check, check_that, connect, example, receive_all, run

ECHO = example("echo")
PYTHON = [sys.executable, "-W", "ignore",
          os.path.join(os.path.dirname(os.path.abspath(__file__)), "python_echo.py")]

FIRST = ("Lorem ipsum dolor sit amet, consectetuer adipiscing elit. Donec\\n"
         "egestas, enim et consectetuer ullamcorper, lectus ligula rutrum\\n")
REST = "leo, a elementum elit tortor eu quam.\\n"
TRANSCRIPT = [
    "EchoClient : connecting to ('127.0.0.1', PORT)",
    "EchoClient : handle_connect()",
    "EchoHandler: collect_incoming_data() -> (8 bytes) 'ECHO 166'",
    "EchoHandler: found_terminator()",
    "EchoHandler: _process_command() 'ECHO 166'",
    f"EchoProducer: more() -> (128 bytes) '{FIRST}'",
    f"EchoHandler: collect_incoming_data() -> (128 bytes) '{FIRST}'",
    f"EchoProducer: more() -> (38 bytes) '{REST}'",
    f"EchoHandler: collect_incoming_data() -> (38 bytes) '{REST}'",
    "EchoHandler: found_terminator()",
    f"EchoHandler: _process_message() echoing '{FIRST}{REST}'",
    "EchoProducer: more() -> (0 bytes) ''",
    f"EchoClient : collect_incoming_data() -> (128) '{FIRST}'",
    f"EchoClient : collect_incoming_data() -> (38) '{REST}'",
    "EchoClient : found_terminator()",
    "EchoClient : RECEIVED COPY OF MESSAGE",
]


def transcript(command):
    """Exit status and lines, the port left out."""
    done = run(command)
    lines = done.stdout.decode().splitlines()
    return done.returncode, [re.sub(r"^(EchoClient : connecting to \('127\.0\.0\.1', )\d+",
                                    r"\1PORT", line) for line in lines]


def talk(address, *pieces):
    with connect(address) as peer:
        for piece in pieces:
            peer.sendall(piece)
        return receive_all(peer)


def test_transcript():
    for _ in range(20):  # the order must not depend on luck
        check("transcript", transcript([ECHO]), (0, TRANSCRIPT))


def test_server_and_client_apart():
    with Program([ECHO, "server"]) as server:
        port = server.address()[1]
        for _ in range(2):
            status, lines = transcript([ECHO, "client", port])
            check("client", (status, lines[-1]), (0, TRANSCRIPT[-1]))
        server.stop()
    check("exit status when nobody listens", run([ECHO, "client", port]).returncode, 1)


def test_server_sends_back_any_message():
    with Program([ECHO, "server"]) as server:
        address = server.address()
        for message in b"x", b"two\nlines\n", bytes(range(256)), b"y" * 65536:
            command = b"ECHO %d\n" % len(message)
            check("at once", talk(address, command + message), message)
            check("behind it", talk(address, command + message[:1], message[1:] + b"more"), message)
        server.stop()


def test_server_refuses_other_commands():
    with Program([ECHO, "server"]) as server:
        for command in b"", b"ECHO", b"ECHO ", b"ECHO 0", b"ECHO -1", b"ECHO 65537", b"echo 1":
            check(f"{command}", talk(server.address(), command + b"\nx"),
                  b"ERROR expected ECHO <length>\n")
        server.stop()


def test_client_notices_another_message():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(support.DEADLINE)
        for answer, step in ((b"z" * 166, "EchoClient : ERROR IN TRANSMISSION"),
                             (b"Lorem", "EchoClient : collect_incoming_data() -> (5) 'Lorem'")):
            with Program([ECHO, "client", listener.getsockname()[1]]) as client:
                peer, _ = listener.accept()
                with peer:
                    peer.settimeout(support.DEADLINE)
                    support.receive_exactly(peer, len("ECHO 166\n") + 166)
                    peer.sendall(answer)
                check("exit status", client.wait(), 1)
                check_that(step, step in client.output().splitlines())


def test_against_python():
    if importlib.util.find_spec("asynchat") is None:
        support.skip("this python3 has no asynchat")
    check("Python's own transcript", transcript([*PYTHON, "both"]), (0, TRANSCRIPT))
    with Program([*PYTHON, "server"]) as server:
        port = server.wait_for(r"^(\d+)$").group(1)
        check("our client, Python's server", transcript([ECHO, "client", port])[0], 0)
    with Program([ECHO, "server"]) as server:
        check("Python's client, our server",
              run([*PYTHON, "client", server.address()[1]]).returncode, 0)
        server.stop()


if __name__ == "__main__":
    support.main(globals())
