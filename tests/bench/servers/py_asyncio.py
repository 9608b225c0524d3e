# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""asyncio's Protocol, on its own loop or on uvloop: py_asyncio.py [uvloop] lines|counted"""
import asyncio
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.waiting = b""


class Lines(Echo):
    def data_received(self, data):
        lines = (self.waiting + data).split(b"\n")
        self.waiting = lines.pop()
        if lines:
            lines.append(b"")
            self.transport.write(b"\n".join(lines))


class Counted(Echo):
    def connection_made(self, transport):
        super().connection_made(transport)
        self.waiting = bytearray()
        self.count = None

    def data_received(self, data):
        waiting, at, out = self.waiting, 0, []
        waiting += data
        while True:
            if self.count is None:
                end = waiting.find(b"\n", at)
                if end < 0:
                    break
                self.count = int(waiting[at + 5:end])
                at = end + 1
            if len(waiting) - at < self.count:
                break
            out.append(waiting[at:at + self.count])
            at += self.count
            self.count = None
        del waiting[:at]
        if out:
            self.transport.write(b"".join(out))


async def main(mode):
    loop = asyncio.get_running_loop()
    kinds = {"lines": Lines, "counted": Counted}
    server = await loop.create_server(kinds[mode], "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run(main(sys.argv[-1]))
