"""The same pair on Python's own asynchat (up to 3.11), for the tests.

    python3 python_echo.py server          prints the port, serves until it is killed
    python3 python_echo.py client PORT     exits with 0 if the copy matched
    python3 python_echo.py both            one loop, prints the transcript
"""

import asyncore
import asynchat
import socket
import sys

TEXT = (b"Lorem ipsum dolor sit amet, consectetuer adipiscing elit. Donec\n"
        b"egestas, enim et consectetuer ullamcorper, lectus ligula rutrum\n"
        b"leo, a elementum elit tortor eu quam.\n")


def step(who, what):
    print("%-11s: %s" % (who, what), flush=True)


def quoted(data):
    return "'" + data.decode("ascii").replace("\n", "\\n") + "'"


class Handler(asynchat.async_chat):
    ac_in_buffer_size = ac_out_buffer_size = 128

    def __init__(self, sock):
        super().__init__(sock)
        self.received = []
        self.process = self.process_command
        self.set_terminator(b"\n")

    def collect_incoming_data(self, data):
        step("EchoHandler", "collect_incoming_data() -> (%d bytes) %s" % (len(data), quoted(data)))
        self.received.append(data)

    def found_terminator(self):
        step("EchoHandler", "found_terminator()")
        frame, self.received = b"".join(self.received), []
        self.process(frame)

    def process_command(self, command):
        step("EchoHandler", "_process_command() " + quoted(command))
        self.set_terminator(int(command.split()[1]))
        self.process = self.process_message

    def process_message(self, message):
        step("EchoHandler", "_process_message() echoing " + quoted(message))
        self.push(message)
        self.close_when_done()


class Server(asyncore.dispatcher):
    def __init__(self, once):
        super().__init__()
        self.once = once
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.bind(("127.0.0.1", 0))
        self.listen(5)
        self.port = self.socket.getsockname()[1]

    def handle_accepted(self, sock, addr):
        Handler(sock)
        if self.once:
            self.close()


class Producer(asynchat.simple_producer):
    def more(self):
        piece = super().more()
        step("EchoProducer", "more() -> (%d bytes) %s" % (len(piece), quoted(piece)))
        return piece


class Client(asynchat.async_chat):
    ac_in_buffer_size = ac_out_buffer_size = 128

    def __init__(self, port):
        super().__init__()
        self.received = []
        self.matched = False
        step("EchoClient", "connecting to ('127.0.0.1', %d)" % port)
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.connect(("127.0.0.1", port))

    def handle_connect(self):
        step("EchoClient", "handle_connect()")
        self.push(b"ECHO %d\n" % len(TEXT))
        self.push_with_producer(Producer(TEXT, self.ac_out_buffer_size))
        self.set_terminator(len(TEXT))

    def collect_incoming_data(self, data):
        step("EchoClient", "collect_incoming_data() -> (%d) %s" % (len(data), quoted(data)))
        self.received.append(data)

    def found_terminator(self):
        step("EchoClient", "found_terminator()")
        self.matched = b"".join(self.received) == TEXT
        step("EchoClient", "RECEIVED COPY OF MESSAGE" if self.matched else "ERROR IN TRANSMISSION")
        self.close()


def main():
    role = sys.argv[1]
    if role == "client":
        client = Client(int(sys.argv[2]))
        asyncore.loop(timeout=1, count=20)
    else:
        server = Server(once=role == "both")
        if role == "server":
            print(server.port, flush=True)
            asyncore.loop(timeout=1, count=60)
            return 0
        client = Client(server.port)
        asyncore.loop(timeout=1, count=100)
    return 0 if client.matched else 1


if __name__ == "__main__":
    sys.exit(main())
