# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""CPython's own asynchat: py_asynchat.py lines|counted"""
import asynchat
import asyncore
import sys


class Lines(asynchat.async_chat):
    def __init__(self, connection):
        super().__init__(connection)
        self.set_terminator(b"\n")

    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)

    def found_terminator(self):
        self.push(self._get_data() + b"\n")


class Counted(Lines):
    body = False

    def found_terminator(self):
        data = self._get_data()
        if self.body:
            self.push(data)
            self.set_terminator(b"\n")
        else:
            self.set_terminator(int(data[5:]))
        self.body = not self.body


class Server(asyncore.dispatcher):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.create_socket()
        self.bind(("127.0.0.1", 0))
        self.listen(4096)

    def handle_accepted(self, connection, address):
        self.kind(connection)


server = Server({"lines": Lines, "counted": Counted}[sys.argv[-1]])
print(server.socket.getsockname()[1], flush=True)
asyncore.loop(use_poll=True)
