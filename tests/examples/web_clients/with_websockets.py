"""A member of web_chat, by python3-websockets: with_websockets.py URL NAME TEXT [CA-FILE]"""

import asyncio
import ssl
import sys

import websockets


async def main(url, name, text, ca=None):
    trusted = ssl.create_default_context(cafile=ca) if ca else None
    async with websockets.connect(url, ssl=trusted, max_size=1 << 20) as socket:
        async def until(line):
            while await socket.recv() != line:
                pass

        await (await socket.ping(b"are you there"))
        await socket.send(f"/nick {name}")
        await socket.send("/join")
        await until(f"* {name} is here")
        await socket.send([text[:5], text[5:9], text[9:]])  # three fragments
        await until(f"<{name}> {text}")
        await socket.send("/quit")
        await until("* bye")
        await socket.wait_closed()
        print("closed", socket.close_code, flush=True)


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 50))
