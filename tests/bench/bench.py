#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Measures what a framed echo costs, here and elsewhere.

    bench.py [quick | full] [--build DIR] [--rounds N] [--only SERVER,...] [--work NAME,...]

Servers and load run on different processors. The figure is the processor time of all threads of
the server, by the kernel's account, for one message; the tables show it divided by that of the
floor, a bare epoll loop in C, of which two identical ones take part. Rounds are short and
interleaved; a cell is the median of the rounds, with the quartiles. A server that answers a wrong
byte has no figure.
"""
import argparse
import json
import math
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
GROUPS = {
    "ping-pong": ["pp64", "10+1k"],
    "pipelined": ["pipe16", "pipe64", "pipe512", "count64"],
    "bulk": ["line4k", "count4k"],
    "1 MiB": ["count1m"],
    "churn": ["churn"],
}
WORK = {
    # name: (mode of the server, work of the load, settings)
    "pp64": ("lines", "lines", dict(connections=64, size=16)),
    "pp4": ("lines", "lines", dict(connections=4, size=16)),
    "10+1k": ("lines", "lines", dict(connections=10, size=16, idle=1000)),
    "pipe16": ("lines", "lines", dict(connections=16, batch=64, size=16)),
    "pipe64": ("lines", "lines", dict(connections=16, batch=64, size=64)),
    "pipe512": ("lines", "lines", dict(connections=16, batch=64, size=512)),
    "line4k": ("lines", "lines", dict(connections=16, size=4096)),
    "count64": ("counted", "counted", dict(connections=16, batch=64, size=64)),
    "count4k": ("counted", "counted", dict(connections=16, size=4096)),
    "count1m": ("counted", "counted", dict(connections=4, size=1 << 20)),
    "churn": ("lines", "churn", dict(connections=16, size=16)),
    "broadcast": ("broadcast", "broadcast", dict(connections=1000, size=64)),
}
QUICK = ["pp64", "pipe16", "pipe512", "count4k", "churn"]


def commands(build):
    """The servers that this machine can run, by name: the command without the mode."""
    found = {}
    for name in ("floor", "asynchat_frames", "asynchat_streaming", "libuv", "usockets",
                 "asio_read_some", "asio_read_until", "libevent", "go_bufio", "tokio"):
        program = build / name
        if program.exists():
            found[name.replace("_", " ")] = [str(program)]
    python = shutil.which("python3")
    for name, script, arguments, needs in (
            ("uvloop", "py_asyncio.py", ["uvloop"], "import uvloop"),
            ("asyncio", "py_asyncio.py", [], "import asyncio"),
            ("CPython asynchat", "py_asynchat.py", [], "import asynchat")):
        if subprocess.run([python, "-W", "ignore", "-c", needs], capture_output=True).returncode == 0:
            found[name] = [python, "-W", "ignore", str(HERE / "servers" / script)] + arguments
    found["floor again"] = found["floor"]
    return found


def pinned(processor):
    """For preexec_fn: keeps a process on one processor where there are two."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {available[processor]})


class Server:
    def __init__(self, command, mode):
        self.process = subprocess.Popen(command + [mode], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=pinned(0))
        line = self.process.stdout.readline()
        self.port = int(line) if line.strip() else None

    def cpu(self):
        """Seconds of all its threads."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total * 1e-9

    def memory(self):
        """Bytes that only this process has."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return 1024 * sum(int(line.split()[1]) for line in text.splitlines()
                          if line.startswith(("Private_Clean", "Private_Dirty")))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Load:
    def __init__(self, build, port, work, settings):
        words = [f"{key}={value}" for key, value in settings.items()]
        self.process = subprocess.Popen([str(build / "load"), str(port), work] + words,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, preexec_fn=pinned(1))
        self.ready = self.process.stdout.readline() == "ready\n"

    def go(self):
        """Messages, seconds and the 99th percentile of the time of one; None after an error."""
        if self.ready:
            self.process.stdin.write("\n")
        try:
            out, error = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return None
        if self.process.returncode != 0:
            print(f"  {error.strip()}", file=sys.stderr)
            return None
        words = out.split()
        return int(words[0]), float(words[1]), float(words[2])


def one_round(build, server, work, settings):
    load = Load(build, server.port, work, settings)
    before = server.cpu()
    result = load.go()
    if result is None or result[0] == 0:
        return None
    messages, seconds, p99 = result
    return {"cpu": (server.cpu() - before) / messages, "rate": messages / seconds, "p99": p99}


def measure(build, servers, name, work, rounds, ms):
    """All servers in turn, `rounds` times: for each the list of its rounds, or None."""
    mode, kind, settings = work
    running, results = {}, {}
    for server, command in servers.items():
        started = Server(command, mode)
        if started.port is None:
            started.stop()
        else:
            running[server] = started
            results[server] = []
    order = list(running)
    try:
        for number in range(rounds):
            print(f"\r{name}: round {number + 1} of {rounds}   ", end="", file=sys.stderr)
            for server in order[number % len(order):] + order[:number % len(order)]:
                if results[server] is not None:
                    result = one_round(build, running[server], kind, dict(settings, ms=ms))
                    results[server] = None if result is None else results[server] + [result]
    finally:
        for server in running.values():
            server.stop()
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return results


def against_floor(results):
    """Ratios of the processor time to the mean of the two floors, round by round."""
    table = {}
    floors = [results[name] for name in ("floor", "floor again")]
    for server, rounds in results.items():
        if not rounds:
            table[server] = None
            continue
        base = [statistics.fmean(f[i]["cpu"] for f in floors) for i in range(len(rounds))]
        middle = statistics.median(base)
        ratios = sorted(r["cpu"] / middle for r in rounds)
        quartiles = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        table[server] = {"ratio": statistics.median(ratios), "low": quartiles[0],
                         "high": quartiles[2],
                         "us": statistics.median(r["cpu"] for r in rounds) * 1e6,
                         "rate": statistics.median(r["rate"] for r in rounds),
                         "p99": statistics.median(r["p99"] for r in rounds)}
    return table


def idle_memory(build, servers, count):
    """Bytes of the server's own memory for each of `count` idle connections."""
    table = {}
    for name, command in servers.items():
        server = Server(command, "lines")
        first = Load(build, server.port, "memory", dict(connections=0, idle=100))
        before = server.memory()
        load = Load(build, server.port, "memory", dict(connections=0, idle=count))
        deadline = time.monotonic() + 20
        size, last = server.memory(), 0
        while time.monotonic() < deadline and size != last:  # until all are accepted
            last = size
            time.sleep(0.3)
            size = server.memory()
        table[name] = (size - before) / count
        for each in (first, load):
            each.process.kill()
            each.process.communicate()
        server.stop()
    return table


def fairness(build, servers, ms):
    """The 99th percentile, in microseconds, of 100 polite peers: alone, and beside a flood."""
    table = {}
    for name, command in servers.items():
        server = Server(command, "lines")
        settings = dict(connections=100, size=16, ms=ms)
        calm = Load(build, server.port, "lines", dict(settings, flood=0, timed=1)).go()
        flood = Load(build, server.port, "lines", dict(settings, flood=1, timed=1)).go()
        table[name] = [each and each[2] for each in (calm, flood)]
        server.stop()
    return table


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))


def groups_of(cells):
    """The geometric mean of each group, where all its cells are there."""
    result = {}
    for group, names in GROUPS.items():
        present = [cells[n] for n in names if n in cells and cells[n] is not None]
        measured = [n for n in names if n in cells]
        if measured and len(present) == len(measured):
            result[group] = geometric_mean([c["ratio"] for c in present])
    return result


def print_table(title, columns, rows, cell):
    width = max(len(row) for row in rows)
    print(f"\n{title}\n{'':{width}}" + "".join(f"{c:>18}" for c in columns))
    for row in rows:
        print(f"{row:{width}}" + "".join(f"{cell(row, c):>18}" for c in columns))


def svg(report):
    """A picture of the groups: one bar for each server, on a logarithmic scale."""
    groups = [g for g in GROUPS if any(g in s for s in report["groups"].values())]
    servers = [s for s in report["groups"] if s != "floor again"]
    bar, gap, left, top, wide = 13, 22, 150, 58, 620
    highest = max(v for s in report["groups"].values() for v in s.values())
    scale = wide / math.log10(max(highest, 2) * 1.3)
    height = top + len(groups) * (len(servers) * bar + gap) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + wide + 70}" '
           f'height="{height}" font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="10" y="20" font-size="15">Processor time of a framed echo server, '
           'as a multiple of a bare epoll loop in C</text>',
           '<text x="10" y="38" fill="#555">logarithmic scale, shorter is better; '
           f'{report["machine"]}, Asio {report["asio"]}</text>']
    for mark in (1, 2, 5, 10, 20, 50, 100):
        if mark <= highest * 1.3:
            x = left + scale * math.log10(mark)
            out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 8}" y2="{height - 24}" '
                       'stroke="#ddd"/>'
                       f'<text x="{x:.1f}" y="{height - 10}" text-anchor="middle">{mark}</text>')
    y = top
    for group in groups:
        out.append(f'<text x="{left}" y="{y - 2}" font-weight="bold">{group}</text>')
        for server in servers:
            value = report["groups"][server].get(group)
            if value is not None:
                ours = server.startswith("asynchat")
                length = max(2, scale * math.log10(max(value, 1.0)))
                out.append(f'<text x="{left - 6}" y="{y + bar - 3}" text-anchor="end">{server}</text>'
                           f'<rect x="{left}" y="{y + 2}" width="{length:.1f}" height="{bar - 3}" '
                           f'fill="{"#c0392b" if ours else "#7f8fa6"}"/>'
                           f'<text x="{left + length + 4:.1f}" y="{y + bar - 3}">{value:.2f}</text>')
                y += bar
        y += gap
    out.append("</svg>")
    return "\n".join(out).replace(f'height="{height}"', f'height="{max(height, y + 20)}"', 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("size", nargs="?", choices=("quick", "full"), default="full")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", help="these servers, separated by commas; the floor is always one")
    parser.add_argument("--work", help="these kinds of work")
    given = parser.parse_args()
    quick = given.size == "quick"
    rounds = given.rounds or (3 if quick else 7)
    ms = 200 if quick else 300

    servers = commands(given.build)
    if given.only:
        wanted = given.only.split(",") + ["floor", "floor again"]
        servers = {name: command for name, command in servers.items() if name in wanted}
    names = given.work.split(",") if given.work else QUICK if quick else list(WORK)
    asio = subprocess.run([str(given.build / "asynchat_frames"), "--versions"],
                          capture_output=True, text=True).stdout.strip()
    report = {"asio": asio, "machine": f"{platform.system()} {platform.release()}",
              "rounds": rounds, "cells": {}, "groups": {}, "memory": {}, "fairness": {}}
    print(f"{report['machine']}, {os.cpu_count()} processors, Asio {asio}, {rounds} rounds")

    cells = {server: {} for server in servers}
    for name in names:
        some = servers
        if WORK[name][0] == "broadcast":
            some = {s: c for s, c in servers.items() if s.startswith("asynchat")}
        many = max(rounds, 10) if name == "count1m" and not quick else rounds
        results = measure(given.build, some, name, WORK[name], many, ms)
        if "floor" not in results:
            for server, one in results.items():
                cells[server][name] = {"us": statistics.median(r["cpu"] for r in one) * 1e6,
                                       "ratio": None} if one else None
            continue
        for server, cell in against_floor(results).items():
            cells[server][name] = cell
    report["cells"] = cells
    compared = {s: {n: c for n, c in row.items() if c is None or c["ratio"]}
                for s, row in cells.items()}
    report["groups"] = {server: groups_of(row) for server, row in compared.items()}

    def ratio(server, name):
        cell = cells[server].get(name)
        if cell is None:
            return "void" if name in cells[server] else "-"
        if cell["ratio"] is None:
            return f"{cell['us']:.2f} us"
        return f"{cell['ratio']:.2f} ({cell['low']:.2f}-{cell['high']:.2f})"

    print_table("processor time of a message / that of the floor: median (quartiles)", names,
                list(servers), ratio)
    print_table("geometric means", [g for g in GROUPS if any(n in names for n in GROUPS[g])],
                list(servers),
                lambda s, g: f"{report['groups'][s][g]:.2f}" if g in report["groups"][s] else "-")
    print_table("the floor, microseconds of a message", names, ["floor"],
                lambda s, n: f"{cells[s][n]['us']:.3f}" if cells[s].get(n) else "-")
    if not quick and not given.work:
        for count in (1000, 9500):
            for server, size in idle_memory(given.build, servers, count).items():
                report["memory"].setdefault(server, {})[str(count)] = size
        print_table("bytes of an idle connection", ["1000", "9500"], list(servers),
                    lambda s, n: f"{report['memory'][s][n]:.0f}")
        some = {s: c for s, c in servers.items() if s != "floor again"}
        report["fairness"] = fairness(given.build, some, ms)
        print_table("100 polite peers, p99 in microseconds", ["alone", "beside a flood"],
                    list(some), lambda s, c: "{:.0f}".format(
                        report["fairness"][s][c != "alone"] or 0))

    (given.build / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
    (given.build / "bench.svg").write_text(svg(report))
    print(f"\nwritten: {given.build / 'bench.json'} and bench.svg")


if __name__ == "__main__":
    main()
