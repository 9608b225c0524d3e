# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""asyncio's protocols, or those of uvloop: py_asyncio.py [uvloop] lines|counted|broadcast"""
import asyncio
import sys


class Lines(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.rest = b""

    def data_received(self, data):
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        if lines:
            self.lines_received(lines)

    def lines_received(self, lines):
        self.transport.writelines([line + b"\n" for line in lines])


class Broadcast(Lines):
    transports = set()

    def connection_made(self, transport):
        super().connection_made(transport)
        self.transports.add(transport)

    def connection_lost(self, error):
        self.transports.discard(self.transport)

    def lines_received(self, lines):
        message = b"\n".join(lines) + b"\n"
        for transport in self.transports:
            transport.write(message)


class Counted(Lines):
    def connection_made(self, transport):
        super().connection_made(transport)
        self.parts = []
        self.size = 0
        self.missing = None

    def data_received(self, data):
        self.parts.append(data)
        self.size += len(data)
        if self.missing is not None and self.size < self.missing:
            return
        data = b"".join(self.parts)
        answers, at = [], 0
        while True:
            if self.missing is None:
                end = data.find(b"\n", at)
                if end < 0:
                    break
                self.missing = int(data[at + 5:end])
                at = end + 1
            if len(data) - at < self.missing:
                break
            answers.append(data[at:at + self.missing])
            at += self.missing
            self.missing = None
        self.parts = [data[at:]]
        self.size = len(data) - at
        if answers:
            self.transport.write(b"".join(answers))


async def main(protocol):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run(main({"lines": Lines, "counted": Counted, "broadcast": Broadcast}[sys.argv[-1]]))
