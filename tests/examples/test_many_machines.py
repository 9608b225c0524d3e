"""What docs/scaling.md builds of several machines: HAProxy in front of two chats with a Redis."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import tempfile

import support
from support import Program, check, check_that, free_port, need, receive_all, redis
from test_chat import SERVER, arrive, from_each, join, joined, play, until

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "scaling.md")
EACH = 8  # people for each server at the beginning


def config(front, east, west):
    """That of the page, with our ports."""
    with open(PAGE, encoding="utf-8") as file:
        text = file.read().partition("```text haproxy\n")[2].partition("```")[0]
    for theirs, ours in (("bind 127.0.0.1:8080", f"bind fd@{front}"),
                         ("127.0.0.1:8081", f"127.0.0.1:{east}"),
                         ("127.0.0.1:8082", f"127.0.0.1:{west}")):
        check(f"how often the page has {theirs}", text.count(theirs), 1)
        text = text.replace(theirs, ours)
    return text


def chat(redis_port, name, port=0):
    return Program([SERVER, "--port", port, "--proxy", "127.0.0.1",
                    "--redis", f"127.0.0.1:{redis_port}", "--name", name])


@contextlib.contextmanager
def haproxy(text, listener):
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "haproxy.cfg")
        with open(name, "w", encoding="ascii") as file:
            file.write(text)
        with Program([need("haproxy"), "-db", "-f", name], pass_fds=[listener.fileno()]) as program:
            yield program


class Member:
    """Somebody who counts aloud, and comes back when the connection has ended."""

    def __init__(self, address, name):
        self.address, self.name = address, name
        self.number = 0
        self.connections = []

    async def come(self):
        person = await arrive(self.address)
        self.connections.append(person)
        person.say(f"/nick {self.name}")
        person.say("/join")
        await until("in the room, or sent away",
                    lambda: f"* {self.name} is here\n".encode() in person.heard or person.gone)

    @property
    def now(self):
        return self.connections[-1]

    @property
    def server(self):
        return re.search(r"\* you are [^@\n]*@(\w+)", self.now.heard.decode()).group(1)

    async def count(self, ended):
        while not ended.is_set():
            while self.now.gone:
                await self.come()
            self.now.say(str(self.number))
            self.number += 1
            await asyncio.sleep(0.01)


def lost(person, server):
    return sum(map(int, re.findall(rf"\* (\d+) lines of {server} were lost\n",
                                   person.heard.decode())))


def check_order(person, name):
    """Each line once, in the order of its sender."""
    for sender, numbers in from_each(person).items():
        check_that(f"{name} heard {sender} in order, and no line twice",
                   all(a < b for a, b in zip(numbers, numbers[1:])))


def test_the_room_goes_on_while_one_of_its_servers_is_restarted():
    async def scene(address, redis_port, east, west, west_port, restarted):
        members = [Member(address, f"m{number}") for number in range(2 * EACH)]
        await until("both have joined", lambda: joined(east) and joined(west))
        for member in members:
            await member.come()
        check("where they are", sorted(member.server for member in members),
              ["east"] * EACH + ["west"] * EACH)
        stayed = [member for member in members if member.server == "east"]
        moved = [member for member in members if member.server == "west"]
        ended = asyncio.Event()
        counting = [asyncio.ensure_future(member.count(ended)) for member in members]
        await asyncio.gather(*(member.now.hears("> 50\n", len(members)) for member in members))

        west.process.send_signal(signal.SIGTERM)
        await until("the end of west", lambda: west.process.poll() is not None)
        check("exit status of west", west.wait(), 0)
        for member in moved:
            await until(f"{member.name} has moved", lambda: len(member.connections) > 1 and
                        f"* {member.name} is here\n".encode() in member.now.heard)
            check_that("it was told why", b"* the server stops\n" in member.connections[0].heard)
            check("where it is", member.server, "east")
        restarted.append(chat(redis_port, "west", west_port))
        await until("west is back", lambda: joined(restarted[0]))

        # HAProxy finds out by itself, and sends new people there.
        newcomers = []
        while not newcomers or newcomers[-1].server != "west":
            newcomers.append(Member(address, f"n{len(newcomers)}"))
            await newcomers[-1].come()
            await asyncio.sleep(0.02)
        everybody = members + newcomers
        here = newcomers[-1]
        ended.set()
        await asyncio.gather(*counting)
        for member in everybody:
            member.now.say("end")
        for member in everybody:
            await member.now.hears("> end\n", len(everybody))

        for member in everybody:
            for person in member.connections:
                check_order(person, member.name)
        # Who was there all the time missed nothing that was not told.
        for member in stayed:
            check("connections", len(member.connections), 1)
            heard = from_each(member.now)
            for other in members:
                numbers = [n for sender, some in heard.items()
                           if sender.partition("@")[0] == other.name for n in some]
                missing = set(range(other.number)) - set(numbers)
                if other in stayed:
                    check(f"what {member.name} missed of {other.name}", missing, set())
                else:
                    # Said on a connection that was ending, and never in the room.
                    check_that(f"{sorted(missing)} are the last of {other.name} on west",
                               len(missing) <= 100 and
                               sorted(missing) == list(range(min(missing, default=0),
                                                             min(missing, default=0) + len(missing))))
            check("lines of west that were lost", lost(member.now, "west"), 0)
            check_that("it was told that west had stopped",
                       b"* west has stopped\n" in member.now.heard)
        here.now.say("/who")
        await here.now.hears(f"{members[0].name}@east")

    with redis(port := free_port()), socket.create_server(("127.0.0.1", 0)) as listener, \
            chat(port, "east") as east, chat(port, "west") as west:
        restarted = []
        west_port = west.address()[1]
        text = config(listener.fileno(), east.address()[1], west_port)
        with haproxy(text, listener):
            try:
                play(scene(listener.getsockname(), port, east, west, west_port, restarted))
                restarted[0].stop()
                east.stop()
            finally:
                for program in restarted:
                    program.kill()


def test_who_is_not_the_proxy_is_refused():
    """HAProxy asks for the health of a server, and its questions are no members."""
    async def scene(address, east):
        (ann,) = await join(address, "ann")
        with socket.create_connection(east.address(), timeout=support.DEADLINE) as peer:
            peer.sendall(b"/nick bob\r\n" * 20)
            with contextlib.suppress(ConnectionError):
                check("without a header", receive_all(peer), b"")
        ann.say("/who")
        await ann.hears("* here: ann\n")
        check("what east complains of", [line for line in east.output().splitlines()
                                         if "error" in line or "refused" in line],
              [line for line in east.output().splitlines() if "PROXY" in line])

    with redis(port := free_port()), socket.create_server(("127.0.0.1", 0)) as listener, \
            chat(port, "east") as east:
        # The other one is not there: its address has been given back.
        text = config(listener.fileno(), east.address()[1], free_port())
        with haproxy(text, listener) as front:
            front.wait_for("west is DOWN")
            play(scene(listener.getsockname(), east))
            east.stop()


if __name__ == "__main__":
    support.main({name: call for name, call in globals().items() if name.startswith("test_")})
