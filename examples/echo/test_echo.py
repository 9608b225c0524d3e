"""End-to-end tests of the echo programs.

    python3 test_echo.py transcript ECHO
    python3 test_echo.py pair ECHO_SERVER ECHO_CLIENT
    python3 test_echo.py python ECHO ECHO_SERVER ECHO_CLIENT

Exit status 77 means that the test could not run here.
"""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = [sys.executable, "-W", "ignore", os.path.join(HERE, "python_echo.py")]
DEADLINE = 30  # seconds; for a program that hangs

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


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=DEADLINE)
    return done.returncode, done.stdout.splitlines()


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}:\n--- got\n{got}\n--- wanted\n{wanted}")


def without_port(lines):
    return [re.sub(r"^(EchoClient : connecting to \('127\.0\.0\.1', )\d+", r"\1PORT", line)
            for line in lines]


def transcript(echo):
    for _ in range(20):  # the order must not depend on luck
        status, lines = run([echo])
        expect("transcript", without_port(lines), TRANSCRIPT)
        expect("exit status", status, 0)


class Server:
    """A server in the background: ended by its pid, on any way out."""

    def __init__(self, command, port_pattern):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        match = re.search(port_pattern, line)
        if not match:
            self.process.kill()
            sys.exit(f"no port in {line!r}")
        self.port = match.group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=DEADLINE)


def resolves(name):
    try:
        return bool(socket.getaddrinfo(name, None))
    except OSError:
        return False


def pair(server_path, client_path):
    with Server([server_path], r"listening on 127\.0\.0\.1:(\d+)") as server:
        for text in ([], ["short"], [""], ["x" * 5000]):
            status, lines = run([client_path, "127.0.0.1", server.port, *text])
            if text == [""]:
                # Nothing to wait for: a count of 0 is not a frame, and the server just closes.
                expect("exit status of an empty echo", status, 1)
                continue
            expect("last line", lines[-1], "EchoClient : RECEIVED COPY OF MESSAGE")
            expect("exit status", status, 0)
        if resolves("localhost"):
            expect("exit status by name", run([client_path, "localhost", server.port])[0], 0)
        expect("exit status after SIGINT", server.interrupt(), 0)
    with Server([server_path, "::1"], r"listening on \[::1\]:(\d+)") as server:
        expect("exit status over IPv6", run([client_path, "::1", server.port])[0], 0)
    expect("exit status of a refused connection", run([client_path, "127.0.0.1", server.port])[0], 1)
    expect("exit status of wrong use", run([client_path])[0], 2)
    expect("exit status of a bad port", run([server_path, "127.0.0.1", "port"])[0], 2)
    expect("exit status of a host name", run([server_path, "no such host"])[0], 1)


def python(echo, server_path, client_path):
    if importlib.util.find_spec("asynchat") is None:
        print("skipped: this python3 has no asynchat")
        sys.exit(77)
    expect("Python's own transcript", without_port(run([*PYTHON, "both"])[1]), TRANSCRIPT)
    expect("ours", without_port(run([echo])[1]), TRANSCRIPT)
    with Server([*PYTHON, "server"], r"^(\d+)$") as server:
        expect("our client, Python's server", run([client_path, "127.0.0.1", server.port])[0], 0)
    with Server([server_path], r"listening on 127\.0\.0\.1:(\d+)") as server:
        expect("Python's client, our server", run([*PYTHON, "client", server.port])[0], 0)


if __name__ == "__main__":
    {"transcript": transcript, "pair": pair, "python": python}[sys.argv[1]](*sys.argv[2:])
    print(sys.argv[1] + ": passed")
