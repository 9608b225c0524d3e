"""A member of web_chat, by python3-wsproto: with_wsproto.py URL NAME TEXT

Each event is sent a byte at a time.
"""

import socket
import sys
import urllib.parse

from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, CloseConnection, Ping, Pong, Request, TextMessage)


def main(url, name, text):
    where = urllib.parse.urlsplit(url)
    peer = socket.create_connection((where.hostname, where.port), timeout=50)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = WSConnection(ConnectionType.CLIENT)

    def send(event):
        for byte in connection.send(event):
            peer.sendall(bytes([byte]))

    def events():
        while True:
            received = peer.recv(65536)
            connection.receive_data(received or None)
            yield from connection.events()

    send(Request(host=where.netloc, target=where.path))
    message = ""
    for event in events():
        if isinstance(event, AcceptConnection):
            send(Ping(b"x" * 125))
        elif isinstance(event, Pong):
            assert event.payload == b"x" * 125
            send(TextMessage(f"/nick {name}"))
            send(TextMessage("/join"))
        elif isinstance(event, CloseConnection):
            if event.code == 1000:
                send(event.response())
            print("closed", event.code, flush=True)
            return
        elif isinstance(event, TextMessage):
            message += event.data
            if not event.message_finished:
                continue
            line, message = message, ""
            if line == f"* {name} is here":
                send(TextMessage(text))
            elif line == f"<{name}> {text}":
                send(TextMessage("/quit"))


main(*sys.argv[1:])
