#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Measures what a framed echo costs, here and elsewhere.

Server and load run on different processors. The figure is the processor time of all threads of the
server, by the kernel's account, for one message; the tables show it divided by the mean of the two
floors of the same round: a bare epoll loop in C takes part twice, over TLS one with OpenSSL. Beside
WebSocket it and this library's counted frames get messages of the same size without WebSocket. Rounds
are short and interleaved in an order that changes; a cell is the median of the rounds, with half of
the distance of the quartiles. A server that answers a wrong byte has no figure.
"""
import argparse
import contextlib
import itertools
import json
import math
import os
import pathlib
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys

import pictures
import tables

HERE = pathlib.Path(__file__).resolve().parent
FLOORS = ("floor", "floor again")
GROUPS = {
    "ping-pong": ["pp64", "10+1k"],
    "few": ["pp1", "pp4"],
    "pipelined": ["pipe16", "pipe64", "pipe512", "count64"],
    "deep": ["deep16", "deep512", "deep4k", "deep64k"],
    "bulk": ["line4k", "count4k", "count64k"],
    "1 MiB": ["count1m"],
    "churn": ["churn"],
    "broadcast": ["broadcast"],
    "TLS": ["tls64", "tls4k"],
    "TLS 1 MiB": ["tls1m"],
    "TLS handshakes": ["tlsfull", "tlsresumed"],
    "WebSocket": ["ws64", "wspipe64"],
}
WORK = {
    # name: (mode of the server, work of the load, settings)
    "pp64": ("lines", "lines", {"connections": 64}),
    "10+1k": ("lines", "lines", {"connections": 10, "idle": 1000}),
    "pp1": ("lines", "lines", {"connections": 1}),
    "pp4": ("lines", "lines", {"connections": 4}),
    "pipe16": ("lines", "lines", {"connections": 16, "batch": 64}),
    "pipe64": ("lines", "lines", {"connections": 16, "batch": 64, "size": 64}),
    "pipe512": ("lines", "lines", {"connections": 16, "batch": 64, "size": 512}),
    "count64": ("counted", "counted", {"connections": 16, "batch": 64, "size": 64}),
    "deep16": ("lines", "lines", {"connections": 4, "batch": 1024}),
    "deep512": ("lines", "lines", {"connections": 4, "batch": 1024, "size": 512}),
    "deep4k": ("lines", "lines", {"connections": 4, "batch": 64, "size": 4096}),
    "deep64k": ("counted", "counted", {"connections": 4, "batch": 8, "size": 65536}),
    "line4k": ("lines", "lines", {"connections": 16, "size": 4096}),
    "count64k": ("counted", "counted", {"connections": 4, "size": 65536}),
    "count4k": ("counted", "counted", {"connections": 16, "size": 4096}),
    "count1m": ("counted", "counted", {"connections": 4, "size": 1 << 20}),
    "churn": ("lines", "churn", {"connections": 16}),
    "broadcast": ("broadcast", "broadcast", {"connections": 1000}),
    # Over TLS, among the servers that speak it.
    "tls64": ("lines", "lines", {"connections": 64, "size": 64}),
    "tls4k": ("lines", "lines", {"connections": 64, "size": 4096}),
    "tls1m": ("counted", "counted", {"connections": 4, "size": 1 << 20}),
    "tlsfull": ("lines", "churn", {"connections": 16, "size": 64}),
    "tlsresumed": ("lines", "churn", {"connections": 16, "size": 64, "resume": 1}),
    # Among the servers that speak WebSocket, and two with counted frames.
    "ws64": ("websocket", "websocket", {"connections": 64, "size": 64}),
    "wspipe64": ("websocket", "websocket", {"connections": 16, "batch": 64, "size": 64}),
}
# Work of other servers than the rest.
FAMILIES = ("TLS", "WebSocket")


def family_of(group):
    return group.split()[0] if group.split()[0] in FAMILIES else ""


FAMILY_OF_WORK = {work: family_of(group) for group, works in GROUPS.items() for work in works}
IDLE = (1000, 9500)
# What is told of the time of an answer.
LATENCY = {
    "64 busy": ("lines", {"connections": 64}),
    "1,000 busy": ("lines", {"connections": 1000}),
    "8,000 busy": ("lines", {"connections": 8000}),
    "100 polite": ("lines", {"connections": 100, "pace": 1}),
    "100 polite, a flood": ("lines", {"connections": 100, "pace": 1, "flood": 1}),
    "100 polite, 64 busy": ("lines", {"connections": 100, "pace": 1, "busy": 64}),
    "4 newcomers at a time, 64 busy": ("churn", {"connections": 4, "busy": 64}),
    "4 newcomers at a time, 1,000 busy": ("churn", {"connections": 4, "busy": 1000}),
}
# Some servers have two speeds here, round by round: more rounds, and both are told.
TWO_SPEEDS = ("deep16", "deep512", "deep64k", "count64k")
MANY_ROUNDS = 15
SWEEPS = {
    "connections": {
        n: ("lines", "lines", {"connections": n}) for n in (1, 4, 16, 64, 256, 1024, 4096, 9500)},
    "bytes of a message": {
        4**n: ("counted", "counted", {"connections": 16, "size": 4**n}) for n in range(2, 11)},
}
# A poll() of all connections for each event, and each accept.
FEW_CONNECTIONS = {"CPython asynchat": 2000}
# Compiles what runs often; milliseconds of each work before it is measured, not in a quick run.
WARM_UP = {"Netty": 3000}
# The others say the same in less detail.
QUICK = ("pp64", "10+1k", "pipe16", "pipe512", "count64", "deep512", "line4k", "count4k", "count1m", "churn")


class Peer:
    """A server that this machine can run."""

    def __init__(self, name, command, modes=("lines", "counted"), files=(), instead=None):
        self.name = name
        self.command = command
        self.modes = modes
        self.files = list(files)  # certificate and key, if it speaks TLS
        self.instead = instead  # what it speaks where others speak WebSocket
        self.most_connections = FEW_CONNECTIONS.get(name, 1 << 20)


def find_peers(build):
    """The servers that can run here, and the names of those that cannot."""
    everything = ("lines", "counted", "broadcast")
    floor = [str(build / "floor")]
    peers, missing = [Peer(FLOORS[0], floor, everything)], []

    def add(name, command, modes=("lines", "counted"), condition=True):
        if condition and command[0] and pathlib.Path(command[0]).exists():
            peers.append(Peer(name, command, modes))
        else:
            missing.append(name)

    for name in ("asynchat frames", "asynchat streaming", "asynchat own string"):
        add(name, [str(build / name.replace(" ", "_"))], everything)
    for name in ("asynchat streams", "asynchat streams batches"):
        add(name, [str(build / name.replace(" ", "_"))])
    for name in ("uSockets", "libuv", "Asio read_some", "Asio read_until", "Asio awaitable", "libevent", "Go bufio",
                 "tokio"):
        add(name, [str(build / name.replace(" ", "_").lower())])
    jars = [f"/usr/share/java/netty-{part}.jar"
            for part in ("common", "buffer", "transport", "resolver", "codec")]
    add("Netty", [shutil.which("java"), "-cp", ":".join([f"{build}/netty"] + jars), "netty_echo"],
        condition=(build / "netty").exists())
    for name, module, script in (("uvloop", "uvloop", ["py_asyncio.py", "uvloop"]),
                                 ("asyncio", "asyncio", ["py_asyncio.py"]),
                                 ("CPython asynchat", "asynchat", ["py_asynchat.py"])):
        script[0] = str(HERE / "servers" / script[0])
        add(name, [find_python(module), "-W", "ignore"] + script, everything)
    return peers + [Peer(FLOORS[1], floor, everything)], missing


def find_tls_peers(build):
    """The same for the servers that speak TLS, with a new certificate; the floors are others."""
    files = [str(build / "certificate.pem"), str(build / "key.pem")]
    floor = Peer(FLOORS[0], [str(build / "tls_floor")], files=files)
    proxy = [sys.executable, str(HERE / "servers" / "proxy.py")]
    candidates = [("asynchat frames", [str(build / "asynchat_frames_tls")]),
                  ("asynchat streaming", [str(build / "asynchat_streaming_tls")]),
                  ("uSockets", [str(build / "usockets_tls")]),
                  ("asio::ssl", [str(build / "asio_ssl")]),
                  ("nginx", proxy + ["nginx", str(build / "floor")]),
                  ("stunnel", proxy + ["stunnel", str(build / "floor")])]
    if not (build / "load_tls").exists() or not shutil.which("openssl"):
        return [], [f"{name} (TLS)" for name, _ in candidates]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-out", files[0], "-keyout", files[1]], capture_output=True, check=True)
    peers, missing = [floor], []
    for name, command in candidates:
        program = shutil.which(name) if command[0] == sys.executable else command[0]
        if program and pathlib.Path(program).exists():
            peers.append(Peer(name, command, files=files))
        else:
            missing.append(f"{name} (TLS)")
    return peers + [Peer(FLOORS[1], floor.command, files=files)], missing


def find_websocket_peers(build):
    """The same for the servers that speak WebSocket."""
    def counted(name, program):
        return Peer(name, [str(build / program)], ("websocket",), instead="counted")

    if not (build / "asynchat_websocket").exists():
        return [], ["asynchat websocket", "uWebSockets", "libwebsockets"]
    peers, missing = [counted(FLOORS[0], "floor"), counted("asynchat counted", "asynchat_frames")], []
    for name in ("asynchat websocket", "uWebSockets", "libwebsockets"):
        program = build / name.replace(" ", "_").lower()
        if program.exists():
            peers.append(Peer(name, [str(program)], ("websocket",)))
        else:
            missing.append(name)
    return peers + [counted(FLOORS[1], "floor")], missing


def find_python(module):
    """A Python that has the module: packages are installed for that of the system."""
    for python in (shutil.which("python3"), "/usr/bin/python3"):
        if python and subprocess.run([python, "-W", "ignore", "-c", f"import {module}"],
                                     capture_output=True, check=False).returncode == 0:
            return python
    return None


def start(command, processor, **streams):
    """A process with one processor for itself, if there are two, and as few others as possible."""
    available = sorted(os.sched_getaffinity(0))[-2:]

    def settle():
        os.sched_setaffinity(0, {available[processor % len(available)]})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -20)

    if shutil.which("setpriv"):  # ends with the runner, however that ends
        command = ["setpriv", "--pdeathsig", "KILL"] + command
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, preexec_fn=settle,
                            **streams)


class Server:
    """A running peer."""

    def __init__(self, peer, mode):
        self.load = "load_tls" if peer.files else "load"
        self.instead = peer.instead
        self.process = start(peer.command + [peer.instead or mode] + peer.files, 0,
                             stdin=subprocess.DEVNULL)
        words = self.process.stdout.readline().split()
        if not words:
            self.stop()
            raise RuntimeError(f"{peer.name} does not start")
        self.port = int(words[0])
        # A proxy says whose time counts: its own and that of the server behind.
        self.processes = [int(word) for word in words[1:]] or [self.process.pid]

    def memory(self):
        """Bytes that its processes share with no other."""
        texts = [pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
                 for pid in self.processes]
        return 1024 * sum(int(line.split()[1]) for line in "".join(texts).splitlines()
                          if line.startswith("Private_"))

    def stop(self):
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def running(peers, mode):
    """The peers that know the mode, running: a server for each name."""
    servers = {}
    try:
        for peer in peers:
            if mode in peer.modes:
                servers[peer.name] = Server(peer, mode)
        yield servers
    finally:
        for server in servers.values():
            server.stop()


def words_of(settings):
    return [f"{key}={value}" for key, value in settings.items()]


def one_round(build, server, work, settings):
    """The figures of one round, or a word for why there are none."""
    command = [str(build / server.load), str(server.port), server.instead or work]
    process = start(command + words_of(settings) + [f"pid={pid}" for pid in server.processes], 1,
                    stderr=subprocess.PIPE)
    try:
        out, error = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        out, error = process.communicate()
    if process.returncode != 0:
        print(f"  {error.strip()}", file=sys.stderr)
        return "void" if process.returncode == 3 else "failed"
    messages, seconds, cpu, p50, p99, longest, others99, others = map(float, out.split())
    if not messages:
        return "failed"
    return {"ns": cpu / messages, "rate": messages / seconds, "p50": p50, "p99": p99,
            "max": longest, "others99": others99, "others": others}


def measure(build, servers, title, work, rounds, times):
    """All servers in turn, `rounds` times: for each its rounds, or a word.

    One more round comes first and does not count.
    """
    _, kind, settings = work
    results = {name: [] for name in servers}
    order = list(servers)
    shuffle = random.Random(1).shuffle  # the same order in each run
    for number in range(rounds + 1):
        print(f"\r{title}: round {number} of {rounds}   ", end="", file=sys.stderr, flush=True)
        shuffle(order)
        for name in order:
            if isinstance(results[name], str):
                continue
            given = dict(settings, **times)
            if number == 0:
                given["warm_up"] = WARM_UP.get(name, times["warm_up"])
            result = one_round(build, servers[name], kind, given)
            if isinstance(result, str):
                print(f"\r{title}: {name}: {result}", file=sys.stderr)
                results[name] = result
            elif number > 0:
                results[name].append(result)
    print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
    return results


def modes(ratios):
    """The median of the lower and of the upper rounds, with their number, if there is a gap."""
    ratios = sorted(ratios)
    few = max(2, len(ratios) // 5)
    cuts = range(few, len(ratios) - few + 1)
    cut = max(cuts, key=lambda i: ratios[i] - ratios[i - 1], default=None)
    if cut is None or ratios[cut] - ratios[cut - 1] < 0.1:
        return None
    return [(statistics.median(part), len(part)) for part in (ratios[:cut], ratios[cut:])]


def summary(results):
    """For each server the medians, with the ratios to the floors, or a word."""
    floors = [results[name] for name in FLOORS]
    if any(isinstance(floor, str) for floor in floors):
        raise RuntimeError("the floor has no figures")
    base = [(a["ns"] + b["ns"]) / 2 for a, b in zip(*floors)]
    cells = {}
    for name, rounds in results.items():
        if isinstance(rounds, str):
            cells[name] = rounds
            continue
        ratios = [r["ns"] / b for r, b in zip(rounds, base)]
        low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        cells[name] = {"ratio": statistics.median(ratios), "low": low, "high": high,
                       "rounds": ratios, "modes": modes(ratios)}
        for key in ("ns", "rate", "p50", "p99", "max", "others99", "others"):
            cells[name][key] = statistics.median(r[key] for r in rounds)
    return cells


def idle_memory(build, peer, count):
    """Bytes of the server's own memory for each of `count` connections that got one answer."""
    server = Server(peer, "lines")
    loads = []
    try:
        sizes = []
        for connections in (100, count):  # the first ones warm the server up
            load = start([str(build / server.load), str(server.port), "memory",
                          f"connections={connections}"], 1, stdin=subprocess.PIPE)
            loads.append(load)
            if load.stdout.readline() != "ready\n":
                return None
            sizes.append(server.memory())
        return (sizes[1] - sizes[0]) / count
    finally:
        for load in loads:
            load.communicate()  # it ends with its input
        server.stop()


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def group_ratios(cells, name):
    """The geometric mean of each group in which the server has all the figures measured."""
    result = {}
    for group, works in GROUPS.items():
        row = [cells[work].get(name) for work in works if work in cells]
        if row and all(isinstance(cell, dict) for cell in row):
            result[group] = geometric_mean([cell["ratio"] for cell in row])
    return result


def print_table(title, rows, columns):
    """`columns` are pairs of a heading and a function from the row to the text of its cell."""
    first = max(len(row) for row in rows)
    print(f"\n{title}\n{'':{first}}" + "".join(f"{heading:>12}" for heading, _ in columns))
    for row in rows:
        print(f"{row:{first}}" + "".join(f"{cell(row):>12}" for _, cell in columns))


def figure(cells, key, text):
    """A column: the figure of each server, or the word in its place."""
    def cell(name):
        value = cells.get(name)
        return text(value) if isinstance(value, dict) else value or "-"
    return key, cell


def ratio_of(cells, one, other):
    """The median of the ratios of two servers, round by round; a dash without figures of both."""
    if not all(isinstance(cells.get(name), dict) for name in (one, other)):
        return "-"
    pairs = zip(cells[one]["rounds"], cells[other]["rounds"])
    return f"{statistics.median(a / b for a, b in pairs):.2f}"


def print_report(report):
    names, cells = report["servers"], report["cells"]

    def ratio(cell):
        return f"{cell['ratio']:.2f} ±{(cell['high'] - cell['low']) / 2:.2f}"

    def mean_of(group):
        return f"= {group}", lambda name: f"{report['groups'][name].get(group, math.nan):.3f}"

    def microseconds(works):
        return [figure(cells[work], work, lambda cell: f"{cell['ns'] / 1000:.3g}")
                for work in works]

    def rates(works):
        return [figure(cells[work], work, lambda cell: f"{cell['rate']:.3g}") for work in works]

    in_clear, over_tls, by_websocket = (
        [work for work in cells if FAMILY_OF_WORK[work] == family] for family in ("", *FAMILIES))
    kinds = [group for group in GROUPS if not family_of(group)]
    for some in (kinds[:2], kinds[2:3], kinds[3:]):
        columns = []
        for group in some:
            works = [work for work in GROUPS[group] if work in cells]
            columns += [figure(cells[work], work, ratio) for work in works]
            if len(works) > 1:
                columns.append(mean_of(group))
        if columns:
            print_table("processor time of a message, floor = 1", names, columns)
    for work, row in cells.items():
        for name, cell in row.items():
            if isinstance(cell, dict) and cell["modes"] and work in TWO_SPEEDS:
                parts = " and ".join(f"{ratio:.2f} in {number}" for ratio, number in cell["modes"])
                print(f"two speeds, {work}: {name}: {parts} rounds")
    if in_clear:
        print_table("microseconds of processor time", names, microseconds(in_clear))
        print_table("messages in a second", names, rates(in_clear))
    if over_tls:
        names_tls = report["tls_servers"]
        idle = report["memory"]["TLS"]
        print_table("TLS: processor time of a message, floor = 1", names_tls,
                    [figure(cells[work], work, ratio) for work in over_tls]
                    + [("idle bytes", lambda name: f"{idle[name]:.0f}" if idle[name] else "-")])
        print_table("TLS: microseconds of processor time", names_tls, microseconds(over_tls))
        print_table("TLS: messages in a second", names_tls, rates(over_tls))
        print("the two floors apart: " + ", ".join(
            f"{work} {abs(cells[work][FLOORS[0]]['ratio'] - cells[work][FLOORS[1]]['ratio']):.2f}"
            for work in over_tls))
    if by_websocket:
        names_websocket = report["websocket_servers"]
        print_table("WebSocket: processor time of a message, floor = 1", names_websocket,
                    [figure(cells[work], work, ratio) for work in by_websocket])
        print_table("WebSocket: microseconds of processor time", names_websocket,
                    microseconds(by_websocket))
        print_table("WebSocket: messages in a second", names_websocket, rates(by_websocket))
        for work in by_websocket:
            print(f"{work}: asynchat websocket / asynchat counted, median of the rounds: "
                  + ratio_of(cells[work], "asynchat websocket", "asynchat counted"))
    columns = []
    for count, row in report["memory"].items():
        if count == "TLS":
            continue
        columns.append((f"at {count}", lambda name, row=row: (
            f"{row[name]:.0f}" if row.get(name) is not None else "-")))
    if columns:
        print_table("bytes of an idle connection", names, columns)
    for title, row in report["latency"].items():
        columns = []
        for key, heading in (("p50", "p50"), ("p99", "p99"), ("max", "max"),
                             ("others99", "others p99"), ("others", "others max")):
            _, cell = figure(row, key, lambda cell, key=key: f"{cell[key]:.0f}")
            columns.append((heading, cell))
        print_table(f"{title}: microseconds for an answer, and requests of others answered "
                    "meanwhile", names, columns)
    for what, value in report.get("many loops", {}).items():
        print(f"{what}: {value}")


def many_loops(build, rounds):
    """{what: figure} of groups.cpp."""
    told = subprocess.run([str(build / "groups"), str(rounds)], capture_output=True, text=True,
                          check=True).stdout
    return {what.strip(): float(value)
            for what, value in (line.rsplit(maxsplit=1) for line in told.splitlines())}


def main():
    parser = argparse.ArgumentParser(prog="./run bench")
    parser.add_argument("extent", nargs="?", choices=("quick", "full"), default="full")
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, help="7, or 3 if quick; more where one round "
                        "differs much from the next")
    parser.add_argument("--only", help="these servers, by commas; the floor is always one of them")
    parser.add_argument("--work", help="these kinds of work, or groups of them: "
                        + ",".join(WORK) + "; " + ",".join(GROUPS))
    parser.add_argument("--latency", action="store_true", help="how long an answer takes, too")
    given = parser.parse_args()
    quick = given.extent == "quick"
    rounds = given.rounds or (3 if quick else 7)
    times = {"ms": 60, "warm_up": 15} if quick else {"ms": 300, "warm_up": 50}
    build = given.build.resolve()
    whole = not given.work

    peers, missing = find_peers(build)
    tls_peers, tls_missing = find_tls_peers(build)
    websocket_peers, websocket_missing = find_websocket_peers(build)
    missing += tls_missing + websocket_missing
    if given.only:
        peers, tls_peers, websocket_peers = (
            [p for p in some if p.name in given.only.split(",") or p.name in FLOORS]
            for some in (peers, tls_peers, websocket_peers))
        missing = []
    if quick:
        missing += [p.name for p in peers if p.name in WARM_UP]
        peers = [p for p in peers if p.name not in WARM_UP]
    chosen = QUICK if quick else list(WORK)
    if given.work:
        chosen = [work for word in given.work.split(",") for work in GROUPS.get(word, [word])]
    asio = subprocess.run([str(build / "asynchat_frames"), "versions"], capture_output=True,
                          text=True, check=True).stdout.strip()
    report = {"asio": asio, "machine": f"{platform.system()} {platform.release()}",
              "rounds": rounds, "missing": missing, "servers": [peer.name for peer in peers],
              "tls_servers": [peer.name for peer in tls_peers],
              "websocket_servers": [peer.name for peer in websocket_peers],
              "cells": {}, "groups": {}, "memory": {}, "latency": {}, "sweeps": {}}
    print(f"{report['machine']}, {os.cpu_count()} processors, {asio}, {rounds} rounds of "
          f"{times['ms']} ms")
    if missing:
        print("without", ", ".join(missing))

    families = {"": peers, "TLS": tls_peers, "WebSocket": websocket_peers}
    for mode, family in itertools.product(("lines", "counted", "broadcast", "websocket"), families):
        works = [work for work in chosen
                 if WORK[work][0] == mode and FAMILY_OF_WORK[work] == family]
        if not works or not families[family]:
            continue
        with running(families[family], mode) as servers:
            for work in works:
                # Single rounds of the large frames differ more than the others.
                most = MANY_ROUNDS if work in TWO_SPEEDS else 10 if work.endswith("1m") else 0
                count = rounds if quick else max(rounds, most)
                report["cells"][work] = summary(
                    measure(build, servers, work, WORK[work], count, times))
    told = LATENCY if given.latency or (whole and not quick) else {}
    for title, (kind, settings) in told.items():
        most = settings["connections"]
        some = [p for p in peers if most <= p.most_connections]
        with running(some, "lines") as servers:
            report["latency"][title] = summary(
                measure(build, servers, title, ("lines", kind, settings), rounds,
                        dict(times, ms=max(times["ms"], most / 10))))
    report["cells"] = {work: report["cells"][work] for work in WORK if work in report["cells"]}
    report["groups"] = {p.name: group_ratios(report["cells"], p.name) for p in peers}
    if any(FAMILY_OF_WORK[work] == "TLS" for work in report["cells"]):
        report["memory"]["TLS"] = {p.name: idle_memory(build, p, IDLE[0]) for p in tls_peers}

    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for count in IDLE[:1] if quick else IDLE if whole else ():
        if count + 200 > descriptors:
            print(f"no more than {descriptors} descriptors: nothing at {count} connections")
            continue
        report["memory"][count] = {p.name: idle_memory(build, p, count) for p in peers
                                   if count <= p.most_connections}
    if whole and not quick:
        for title, points in SWEEPS.items():
            row = report["sweeps"][title] = {}
            for point, work in points.items():
                most = work[2]["connections"]
                if most + 100 > descriptors:
                    continue
                some = [p for p in peers if most <= p.most_connections]
                with running(some, work[0]) as servers:
                    row[point] = summary(
                        measure(build, servers, f"{title}: {point}", work, 3,
                                dict(times, ms=100)))
        report["many loops"] = many_loops(build, rounds)

    print_report(report)
    (build / "bench.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (build / "tables.md").write_text(tables.draw(report), "utf-8")
    written = ["bench.json", "tables.md"]
    for name, picture in pictures.draw(report).items():
        (build / name).write_text(picture, "utf-8")
        written.append(name)
    print(f"\nin {build}: {', '.join(written)}")


if __name__ == "__main__":
    main()
