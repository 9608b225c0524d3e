"""chat from netcat, telnet and plain sockets; several of them at a real redis-server."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import tempfile
import time

import support
from support import Program, check, check_that, connect, example, need, redis, run

SERVER = example("chat")
GREETING = b"* hello; /nick NAME, then /join; /help tells the rest\n"


class Person(asyncio.Protocol):
    """A connection to a room that keeps all it hears."""

    everybody = []

    def __init__(self):
        self.heard = bytearray()
        self.gone = False

    def connection_made(self, transport):
        self.transport = transport
        Person.everybody.append(self)

    def data_received(self, data):
        self.heard += data

    def connection_lost(self, exc):
        self.gone = True

    def lines(self):
        return bytes(self.heard).decode().split("\n")[:-1]

    def say(self, line):
        self.transport.write(line.encode() + b"\n")

    async def hears(self, text, times=1):
        await until(f"{text!r}, {times} times", lambda: self.heard.count(text.encode()) >= times)


async def until(what, condition):
    end = time.monotonic() + support.DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {support.DEADLINE} s: {what}")
        await asyncio.sleep(0.01)


async def arrive(address):
    _, person = await asyncio.get_running_loop().create_connection(Person, *address)
    return person


async def join(address, *names):
    """People with these names, in the room."""
    people = []
    for name in names:
        person = await arrive(address)
        person.name = name
        person.say(f"/nick {name}")
        person.say("/join")
        people.append(person)
    for person in people:
        await person.hears(f"* {person.name} is here\n")
    return people


def in_one_room(scene, *options):
    """Runs the scene with a server; afterwards it has to end well."""
    with Program([SERVER, *options]) as server:
        play(scene(server, server.address()))
        server.stop()


def play(scene):
    async def whole():
        try:
            await asyncio.wait_for(scene, 3 * support.DEADLINE)
        finally:
            while Person.everybody:
                Person.everybody.pop().transport.abort()

    asyncio.run(whole())


def test_netcat():
    nc = need("nc.openbsd")
    with Program([SERVER]) as server:
        address = server.address()
        done = run([nc, "-N", *address], b"/nick ann\n/join\nhello\n/who\n/quit\nnot any more\n")
        check("what ann sees", done.stdout, GREETING +
              b"* you are ann\n* ann is here\n<ann> hello\n* here: ann\n* bye\n")
        done = run([nc, "-N", *address], b"/nick bob\r\n/join\r\nhi\r\nunfinished")
        check("what bob sees, who just ends", done.stdout, GREETING +
              b"* you are bob\n<ann> hello\n* bob is here\n<bob> hi\n")
        server.stop()


def test_web_pages():
    """They may send any text to any port of their machine, behind the header of a request."""
    async def scene(_, address):
        (ann,) = await join(address, "ann")
        end = GREETING + b"! this is not HTTP\n"
        too_long = GREETING + b"! a line has 512 bytes at most\n! this is not HTTP\n"
        for line, wanted in ((b"POST / HTTP/1.1", end), (b"GET /x HTTP/1.0", end),
                             (b"POST /" + b"x" * 600 + b" HTTP/1.1", too_long)):
            page = await arrive(address)
            page.transport.write(line + b"\r\nHost: a\r\n\r\n/nick page\n/join\nhello\n")
            await until("the end", lambda: page.gone)
            check(f"what it hears after {line[:20]}", bytes(page.heard), wanted)
        ann.say("Host: GET / HTTP/1.1")  # who is in the room may say so
        await ann.hears("<ann> Host: GET / HTTP/1.1\n")
        check("what ann hears", ann.lines()[-2:], ["* ann is here", "<ann> Host: GET / HTTP/1.1"])
    in_one_room(scene)


def test_telnet_in_a_terminal():
    tmux, telnet = need("tmux"), need("telnet")

    async def scene(_, address):
        (ann,) = await join(address, "ann")
        terminal = [tmux, "-f", "/dev/null", "-S", os.path.join(folder, "terminal")]
        environment = dict(os.environ, TERM="screen", LC_ALL="C.UTF-8")
        environment.pop("TMUX", None)

        def screen():
            return run([*terminal, "capture-pane", "-p"]).stdout.decode()

        def type_line(line):
            run([*terminal, "send-keys", "-l", line])
            run([*terminal, "send-keys", "Enter"])

        done = run([*terminal, "new-session", "-d", "-x", "80", "-y", "24",
                    f"{telnet} {address[0]} {address[1]}"], env=environment)
        check("tmux", (done.returncode, done.stderr), (0, b""))
        try:
            await until("the greeting", lambda: "/help tells the rest" in screen())
            type_line("/nick bob")
            type_line("/join")
            await ann.hears("* bob is here\n")
            type_line("from telnet")
            await ann.hears("<bob> from telnet\n")
            ann.say("to telnet")
            await until("the answer", lambda: "<ann> to telnet" in screen())
            type_line("/quit")
            await ann.hears("* bob is gone\n")
        finally:
            run([*terminal, "kill-server"])

    with tempfile.TemporaryDirectory() as folder:
        in_one_room(scene)


def test_names_private_messages_who():
    async def scene(_, address):
        ann, bob, carl = await join(address, "ann", "bob", "carl")
        ann.say("/msg bob psst")
        await bob.hears("(ann) psst\n")
        ann.say("/msg nobody psst")
        await ann.hears("! nobody is not here\n")
        bob.say("/nick ann")
        await bob.hears("! ann is taken\n")
        bob.say("/nick Robert-2_")
        bob.name = "Robert-2_"
        await ann.hears("* bob is Robert-2_ now\n")
        carl.say("/nick bob")  # it is free again
        await carl.hears("* you are bob\n")
        carl.name = "bob"
        ann.say("/who")
        await ann.hears("* here: Robert-2_ ann bob\n")
        bob.transport.abort()
        await ann.hears("* Robert-2_ is gone\n")
        carl.say("/quit")
        await carl.hears("* bye\n")
        await until("the end of carl", lambda: carl.gone)
        await ann.hears("* bob is gone\n")
        check_that("carl did not hear what was for bob", b"psst" not in carl.heard)
        (newcomer,) = await join(address, "bob")
        newcomer.say("/who")
        await newcomer.hears("* here: ann bob\n")
    in_one_room(scene)


def test_rules_for_lines_and_names():
    async def scene(_, address):
        someone = await arrive(address)
        await someone.hears(GREETING.decode())
        for line, wanted in (
            ("hello", "! /join first"),
            ("/msg ann hello", "! /join first"),
            ("/join", "! /nick NAME first"),
            ("/dance now", "! no such command: /dance"),
            ("/nick", "! NAME: byte 0: up to 16 letters, digits, - and _"),
            ("/nick an n", "! NAME: byte 2: "),
            ("/nick \u00e4nn", "! NAME: byte 0: "),
            ("/nick " + 17 * "x", "! NAME: byte 16: "),
            ("bell \a", "! byte 5 of the line is no text"),
            ("a\x1b[2J", "! byte 1 of the line is no text"),
            ("\u009b", "! byte 0 of the line is no text"),
            ("x" * 513, "! a line has 512 bytes at most"),
            ("/nick " + 16 * "x", "* you are " + 16 * "x"),
            ("/join", "* " + 16 * "x" + " is here"),
            ("y" * 512, "<" + 16 * "x" + "> " + "y" * 512),
            ("\u00e4\u20ac\U0001f600", "<" + 16 * "x" + "> \u00e4\u20ac\U0001f600"),
        ):
            before = len(someone.heard)
            someone.say(line)
            await until(f"the answer to {line!r}", lambda: someone.heard[before:].endswith(b"\n"))
            answer = bytes(someone.heard[before:]).decode()
            check_that(f"{answer!r} begins with {wanted!r}", answer.startswith(wanted))
        for raw, at in (
            (b"\xff\xf4", 0), (b"ab\xc3", 2), (b"\xe2\x82", 0), (b"a\xc0\xaf", 1), (b"\x80", 0),
            (b"\xe0\x80\x9b[2J", 0), (b"a\xf0\x80\x80\x8a", 1), (b"ab\xed\xa0\x80", 2),
            (b"abc\xf4\x90\x80\x80", 3), (b"\xc3\xa4\xc2\x9b", 2), (b"\x7f", 0),
            (b"/nick a\xe0\x80\x9b", 7), (b"/msg \xed\xbf\xbf x", 5), (b"\xf8\x88\x80\x80\x80", 0),
        ):
            before = len(someone.heard)
            someone.transport.write(raw + b"\n")
            await until(f"the answer to {raw}", lambda: someone.heard[before:].endswith(b"\n"))
            check(f"the answer to {raw}", bytes(someone.heard[before:]),
                  b"! byte %d of the line is no text\n" % at)
    in_one_room(scene)


def is_text(raw):
    try:
        return not any(ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 for c in raw.decode())
    except UnicodeDecodeError:
        return False


def test_what_is_utf_8():
    """All beginnings of two bytes, with what is at the edges behind: exactly as Python has it."""
    edges = [b"", b"\x7f", b"\x80", b"\xbf", b"\xc0"]
    ends = {one + other for one in edges for other in edges}
    with Program([SERVER]) as server, connect(server.address()) as peer:
        stream = peer.makefile("rb")
        check("greeting", stream.readline(), GREETING)
        for first in range(0x80, 0x100):
            lines = [bytes([first, second]) + end for second in range(0x7f, 0xc1) for end in ends]
            lines += [bytes([first])]
            peer.sendall(b"".join(line + b"\n" for line in lines))
            for line in lines:
                answer = stream.readline()
                check(f"{line} is text", answer == b"! /join first\n", is_text(line))
                check_that(f"{line}: {answer}", is_text(line) or b"is no text" in answer)
        stream.close()


# Each is U+N: as it is said, and as others hear it.
MISLEADING = [*range(0x2028, 0x202f), *range(0x2066, 0x206a), 0xe0000, 0xe0001, 0xe0041, 0xe007f]
HARMLESS = [0xa0, 0xe4, 0x200d, 0x2027, 0x202f, 0x2065, 0x206a, 0x20ac, 0xffff, 0x1f600, 0xdffff,
            0xe0080, 0xe0100, 0x10ffff]


def said_and_shown():
    yield from ((f"a{chr(code)}b", f"a\\u{{{code:x}}}b") for code in MISLEADING)
    yield from ((f"a{chr(code)}b", f"a{chr(code)}b") for code in HARMLESS)


def test_what_misleads_is_shown_by_its_number():
    async def scene(_, address):
        ann, bob = await join(address, "ann", "bob")
        for said, shown in said_and_shown():
            ann.say(said)
            await bob.hears(f"<ann> {shown}\n")
            ann.say(f"/msg bob {said}")
            await bob.hears(f"(ann) {shown}\n")
            ann.say(f"/msg {said} x")
            await ann.hears(f"! {shown} is not here\n")
        ann.say("/nick ann\u202e")
        await ann.hears("! NAME: byte 3: ")
        (carl,) = await join(address, "carl")
        check("history", spoken(carl), [f"<ann> {shown}" for _, shown in said_and_shown()][-20:])
    in_one_room(scene)


def test_newcomers_hear_the_last_twenty_lines():
    async def scene(_, address):
        (ann,) = await join(address, "ann")
        for number in range(25):
            ann.say(f"line {number}")
        await ann.hears("line 24\n")
        (bob,) = await join(address, "bob")
        check("what bob hears", bob.lines()[2:],
              [f"<ann> line {number}" for number in range(5, 25)] + ["* bob is here"])
    in_one_room(scene)


def resident(pid):
    """KiB of memory that the process holds."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def test_slow_readers_block_nobody_and_cost_little():
    how_many, lines = 20, 20000

    async def scene(server, address):
        ann, bob = await join(address, "ann", "bob")
        slow = []
        for number in range(how_many):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.settimeout(support.DEADLINE)
            peer.connect(address)
            peer.sendall(b"/nick slow%d\n/join\n" % number)
            slow.append(peer)
            await ann.hears(f"* slow{number} is here\n")
        before = resident(server.pid)
        for number in range(lines):
            ann.say(f"{number} " + "x" * 400)
            if number % 100 == 99:  # as fast as bob can hear it
                await bob.hears(f"<ann> {number} ")
        grown = resident(server.pid) - before
        print(f"{lines} lines past {how_many} who do not read: the server grew by {grown} KiB")
        check_that(f"its memory is bounded (grew by {grown} KiB)", grown < 16384)
        wanted = [f"<ann> {number} " + "x" * 400 for number in range(lines)]
        for person in ann, bob:
            check_that("the others hear everything",
                       spoken(person) == wanted)
        # A slow one who reads at last learns how much he has missed.
        with contextlib.closing(slow[0]) as peer:
            seen = b""
            while b"were dropped" not in seen:
                seen += await asyncio.get_running_loop().run_in_executor(None, peer.recv, 1 << 20)
            heard = seen.count(b"<ann> ")
            dropped = int(re.search(rb"\* (\d+) lines were dropped", seen).group(1))
            check("lines heard and lines dropped", heard + dropped, lines)
            ann.say("after")
            while b"<ann> after\n" not in seen:
                seen += await asyncio.get_running_loop().run_in_executor(None, peer.recv, 1 << 20)
        for peer in slow:
            peer.close()
        await ann.hears("is gone\n", how_many)
    in_one_room(scene)


def test_a_server_that_stops_says_so():
    with Program([SERVER, "--host", "::1"]) as server, connect(server.address()) as peer:
        check("greeting", support.receive_exactly(peer, len(GREETING)), GREETING)
        server.process.send_signal(signal.SIGTERM)
        check("goodbye", support.receive_all(peer), b"* the server stops\n")
        peer.close()
        check("exit status", server.wait(), 0)


def test_wrong_use():
    for options, status, wanted in (
        (["--help"], 0, b""),
        (["--port"], 2, b"--port: the value is missing"),
        (["--port", "1e3"], 2, b"--port: not a digit at byte 1 of '1e3'"),
        (["--redis", "somewhere"], 2, b"--redis: 'somewhere' is not HOST:PORT"),
        (["--redis", "somewhere:65536"], 2, b"--redis: too large at byte 4"),
        (["--redis", "h:1", "--name", "a b"], 2, b"--name: byte 1 of 'a b'"),
        (["--name", "a"], 2, b"--name: without --redis"),
        (["--loud", "x"], 2, b"there is no --loud"),
        (["--loud"], 2, b"there is no --loud"),
        (["--host", "nowhere"], 1, b"nowhere"),
        (["--host", "192.0.2.1"], 1, b"192.0.2.1"),
    ):
        done = run([SERVER, *options])
        check(f"exit status of {options}", done.returncode, status)
        check_that(f"{done.stderr!r} has {wanted!r}", wanted in done.stderr)


# ---- Several servers ----------------------------------------------------------------------------

@contextlib.contextmanager
def servers(port, *names):
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(Program([SERVER, "--redis", f"127.0.0.1:{port}",
                                                "--name", name])) for name in names]
        yield started
        for server in started:
            server.stop()


def joined(server, times=1):
    return server.output().count("redis: joined\n") >= times


def spoken(person):
    return [line for line in person.lines() if line.startswith("<")]


def from_each(person):
    """{full name: [numbers of the lines that `person` heard from it, in order]}"""
    heard = {}
    for line in person.lines():
        match = re.fullmatch(r"<(\S+)> (\d+)", line)
        if match:
            heard.setdefault(match.group(1), []).append(int(match.group(2)))
    return heard


def test_three_servers_and_300_people_are_one_room():
    each, lines = 100, 5

    async def scene(started):
        people = []
        for server in started:
            await until("it has joined", lambda: joined(server))
            names = [f"p{number}" for number in range(each)]
            people.append(await join(server.address(), *names))
        everybody = [person for some in people for person in some]
        start = time.monotonic()
        for number in range(lines):
            for person in everybody:
                person.say(str(number))
            await asyncio.sleep(0)
        for person in everybody:
            person.say("end")
        for person in everybody:
            await person.hears("> end\n", len(everybody))
        took = time.monotonic() - start
        senders = {f"p{number}@s{server}" for number in range(each) for server in (1, 2, 3)}
        for person in everybody:
            heard = from_each(person)
            check("those heard", set(heard), senders)
            check_that("every line once and in order per sender",
                       all(numbers == list(range(lines)) for numbers in heard.values()))
            check_that("nothing was lost", b"were lost" not in person.heard)
        print(f"{len(everybody)} people, {(lines + 1) * len(everybody) ** 2} lines heard, "
              f"in {took:.1f} s")

        # Who is there, and messages for one person, anywhere.
        ann, bob = people[0][0], people[2][1]
        while True:  # the servers tell each other after a moment
            before = ann.heard.count(b"* here: ")
            ann.say("/who")
            await ann.hears("* here: ", before + 1)
            here = ann.lines()[-1].split(": ")[1].split()
            if len(here) == len(senders):
                break
        check("who", {name if "@" in name else f"{name}@s1" for name in here}, senders)
        ann.say("/msg p1@s3 psst")
        await bob.hears("(p0@s1) psst\n")
        ann.say("/msg p100@s3 psst")
        await ann.hears("! p100@s3 is not here\n")
        ann.say("/msg p1@s4 psst")
        await ann.hears("! p1@s4 is not here\n")
        check("who else heard it", sum(b"psst\n" in person.heard for person in everybody), 1)

        # History is that of the whole room.
        (newcomer,) = await join(started[1].address(), "late")
        check("history", spoken(newcomer), spoken(people[1][0])[-20:])

    port = support.free_port()
    with redis(port), servers(port, "s1", "s2", "s3") as started:
        play(scene(started))


def test_the_room_goes_on_without_redis():
    each = 10

    async def scene(started, port):
        people, counts = [], {}
        for server in started:
            await until("it has joined", lambda: joined(server))
            people.append(await join(server.address(), *[f"p{number}" for number in range(each)]))
        everybody = [person for some in people for person in some]
        for index, some in enumerate(people, 1):
            for person in some:
                person.server = f"s{index}"
                person.full = f"{person.name}@{person.server}"
                counts[person.full] = 0

        async def talk(person):
            while not stop.is_set():
                person.say(str(counts[person.full]))
                counts[person.full] += 1
                await asyncio.sleep(0.01)

        async def more(lines):
            wanted = {full: count + lines for full, count in counts.items()}
            await until("they go on talking", lambda: all(counts[full] >= wanted[full]
                                                          for full in wanted))

        stop = asyncio.Event()
        talks = [asyncio.ensure_future(talk(person)) for person in everybody]
        await more(20)
        first.kill()
        down = time.monotonic()
        for server in started:
            await until("it is missed", lambda: "again in" in server.output())
        await more(20)
        with redis(port):
            back = time.monotonic()
            for server in started:
                await until("it has joined again", lambda: joined(server, 2))
            again = time.monotonic()
            await more(20)
            stop.set()
            await asyncio.gather(*talks)
            for person in everybody:
                person.say("end")
            for person in everybody:
                await person.hears("> end\n", len(everybody))
            judge(everybody, counts, back - down, again - back)

    def judge(everybody, counts, outage, rejoining):
        most = 0
        for person in everybody:
            heard = from_each(person)
            lost = {server: 0 for server in ("s1", "s2", "s3")}
            for line in person.lines():
                match = re.fullmatch(r"\* (\d+) lines of (\S+) were lost", line)
                if match:
                    lost[match.group(2)] += int(match.group(1))
            missing = dict.fromkeys(lost, 0)
            for full, count in counts.items():
                numbers, server = heard[full], full.split("@")[1]
                check_that(f"{person.full} hears {full} once and in order",
                           all(a < b for a, b in zip(numbers, numbers[1:])))
                missing[server] += count - len(numbers)
            check("missing of the same server", missing[person.server], 0)
            check("lines missing, and lines said to be lost", missing, lost)
            check_that("the outage was noticed", sum(lost.values()) > 0)
            most = max(most, *lost.values())
        total = sum(counts.values())
        print(f"Redis gone for {outage:.2f} s, all joined {rejoining:.2f} s later; of {total} lines "
              f"of 3 servers at most {most} of one server's were lost to another")

    port = support.free_port()
    with redis(port) as first, servers(port, "s1", "s2", "s3") as started:
        play(scene(started, port))
        for server in started:
            check_that("the outage is in the log", "reset" in server.output() or
                       "peer finished" in server.output())


def test_what_others_publish():
    """Messages that a server never sent are ignored, and missing numbers are told."""
    async def scene(server, port):
        await until("it has joined", lambda: joined(server))
        (ann,) = await join(server.address(), "ann")
        with connect(("127.0.0.1", port)) as peer:
            for channel, text, wanted in (
                ("chat", "line s9 7 <x@s9> first", "<x@s9> first"),
                ("chat", "", None),
                ("chat", "line", None),
                ("chat", "line s9 x <x@s9> no number", None),
                ("chat", "line s9 -8 <x@s9> no number", None),
                ("chat", "line s9 99999999999999999999 too large", None),
                ("chat", "line s! 8 no name", None),
                ("chat", "line s1 8 from ourselves", None),
                ("chat", "dance s9 8 no such kind", None),
                ("chat", "line s9 8 \\x1b[2J", None),
                ("chat", "line s9 8 \\xe0\\x80\\x9b[2J", None),
                ("chat", "line s9 8 \\xc2\\x9b2J", None),
                ("chat", "line s9 8 \\xed\\xa0\\x80", None),
                ("chat", "who s9 8 \\xf4\\x90\\x80\\x80", None),
                ("chat:s1", "ann (x@s9) \\xf0\\x80\\x80\\x8a", None),
                ("chat:s1", "ann (x@s9) \\xe2\\x80\\xaepsst", "(x@s9) \\u{202e}psst"),
                ("chat:s1", "nobody psst", None),
                ("chat:s1", "ann (x@s9) psst", "(x@s9) psst"),
                ("chat", "line s9 8 <x@s9> second", "<x@s9> second"),
                ("chat", "line s9 12 <x@s9> later", "* 3 lines of s9 were lost\n<x@s9> later"),
                ("chat", "who s9 14 x y z! \\xe2\\x80\\xae [2J " + "x" * 17,
                 "* 2 lines of s9 were lost"),
                ("chat", "line s9 15 <\\xe2\\x81\\xa6x@s9>", "<\\u{2066}x@s9>"),
                ("chat", "line s9 1 <x@s9> started again",
                 "* s9 has begun anew; its last lines may be lost\n<x@s9> started again"),
                ("chat", "line s8 1 <z@s8> hello", "<z@s8> hello"),
                ("chat", "who s8 1 z", None),
                ("chat", "bye s8 3", "* 2 lines of s8 were lost\n* s8 has stopped"),
            ):
                before = len(ann.heard)
                peer.sendall(f'PUBLISH {channel} "{text}"\r\n'.encode())
                check(f"servers that got {text!r}", support.receive_exactly(peer, 4), b":1\r\n")
                if wanted is not None:
                    await ann.hears(wanted)
                    check("what ann hears", bytes(ann.heard[before:]).decode(), wanted + "\n")
        ann.say("/who")
        await ann.hears("* here: ann x@s9 y@s9\n")

    port = support.free_port()
    with redis(port), servers(port, "s1") as (server,):
        play(scene(server, port))


def test_a_redis_that_does_not_answer_is_left():
    port = support.free_port()
    with redis(port) as silent, servers(port, "s1") as (server,):
        server.wait_for("redis: joined")
        silent.process.send_signal(signal.SIGSTOP)
        try:
            server.wait_for("redis: no answer")
        finally:
            silent.process.send_signal(signal.SIGCONT)
        support.wait_until("it has joined again", lambda: joined(server, 2))


def test_nonsense_instead_of_redis():
    for nonsense in (b"HTTP/1.1 200 OK\r\n", b"$99999999\r\n", b"*1\r\n" * 9, b"\r\n", b"$1\r\nabc",
                     b"%-1\r\n", b"-NOAUTH who are you\r\n", b"x" * 100000):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(support.DEADLINE)
            with servers(listener.getsockname()[1], "s1") as (server,):
                for _ in range(2):  # it comes back
                    peer, _ = listener.accept()
                    with peer:
                        peer.settimeout(support.DEADLINE)
                        peer.sendall(nonsense)
                        with contextlib.suppress(ConnectionError):
                            support.receive_all(peer)
                server.wait_for("again in")
                with connect(server.address()) as peer:
                    peer.sendall(b"/nick ann\n/join\nhello\n/quit\n")
                    check_that("the room is open",
                               b"<ann@s1> hello\n" in support.receive_all(peer))


if __name__ == "__main__":
    support.main(globals())
