# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""CPython's own asynchat: py_asynchat.py lines|counted|broadcast"""
import asynchat
import asyncore
import socket
import sys


class Lines(asynchat.async_chat):
    ac_in_buffer_size = ac_out_buffer_size = 65536

    def __init__(self, connection):
        super().__init__(connection)
        self.set_terminator(b"\n")
        self.collect_incoming_data = self._collect_incoming_data

    def found_terminator(self):
        self.push(self._get_data() + b"\n")


class Counted(Lines):
    def found_terminator(self):
        data = self._get_data()
        if self.get_terminator() == b"\n":
            self.set_terminator(int(data[5:]))
        else:
            self.push(data)
            self.set_terminator(b"\n")


class Broadcast(Lines):
    def found_terminator(self):
        line = self._get_data() + b"\n"
        for channel in list(asyncore.socket_map.values()):
            if isinstance(channel, Broadcast):
                channel.push(line)


class Server(asyncore.dispatcher):
    def __init__(self, channel):
        super().__init__()
        self.channel = channel
        self.create_socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Linux: inherited
        self.bind(("127.0.0.1", 0))
        self.listen(4096)
        print(self.socket.getsockname()[1], flush=True)

    def handle_accepted(self, connection, address):
        self.channel(connection)


Server({"lines": Lines, "counted": Counted, "broadcast": Broadcast}[sys.argv[1]])
asyncore.loop(use_poll=True)
