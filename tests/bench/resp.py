#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Measures resp_server, an example, beside redis-server.

    resp.py RESP_SERVER [ROUNDS]

The figure is the processor time of all threads of the server, by the kernel's account, for one
request of redis-benchmark. Two of these run at once, and before the server does: a loop that sleeps
between its requests would measure how the system wakes it. Each round measures all servers, in an
order that changes; a cell is the median of the rounds, and the quotient is the median of the
quotients within the rounds. No process is tied to a processor, as two loops would then share one.
"""
import contextlib
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

# name: (requests, arguments of redis-benchmark)
WORK = {
    "P1, 3 bytes": (20000, ["-P", "1", "-d", "3"]),
    "P16, 3 bytes": (200000, ["-P", "16", "-d", "3"]),
    "P16, 4 KiB": (60000, ["-P", "16", "-d", "4096"]),
}
KEYS = (1, 10000)  # in turn: one key, as redis-benchmark has it by default, stays in the cache
CLIENTS = 2


class Server:
    """A running server on a port of its own."""

    def __init__(self, command, ready):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"{command[0]} does not start")
            if match := re.search(ready, line):
                self.port = int(match.group(1))
                return

    def seconds(self):
        """Processor time so far: the clock of another process has this number on Linux."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def stand_back(self):
        """All threads run behind those of the clients from now on."""
        behind = min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)
        for thread in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), behind)

    def benchmark(self, test, keys, requests, arguments):
        clients = [subprocess.Popen(
            ["redis-benchmark", "-p", str(self.port), "-t", test, "-n", str(requests // CLIENTS),
             "-r", str(keys), "-q"] + arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True) for _ in range(CLIENTS)]
        for client in clients:
            told = client.communicate(timeout=600)[0]
            if client.returncode != 0 or "requests per second" not in told or "Error" in told:
                raise RuntimeError(told)

    def cost(self, test, keys, requests, arguments):
        """Nanoseconds of processor time for one request."""
        before = self.seconds()
        self.benchmark(test, keys, requests, arguments)
        return (self.seconds() - before) / requests * 1e9

    def stop(self):
        self.process.kill()
        self.process.communicate()


def start_all(program, folder):
    free = subprocess.run([sys.executable, "-c", "import socket; s = socket.socket(); "
                           "s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"],
                          capture_output=True, text=True, check=True).stdout.strip()
    redis = ["redis-server", "--port", free, "--bind", "127.0.0.1", "--dir", folder, "--save", "",
             "--appendonly", "no"]
    listening = r"listening on [\d.]+:(\d+)"
    return {
        "redis-server": Server(redis, r"port=(\d+)"),
        "one loop": Server([program], listening),
        "two loops": Server([program, "--loops", "2"], listening),
    }


def measure(servers, keys, rounds):
    for work, (requests, arguments) in WORK.items():
        for server in servers.values():  # the keys exist, with values of this size
            server.benchmark("set", keys, 100000, arguments + ["-P", "16"])
        for test in ("get", "set"):
            cells = {name: [] for name in servers}
            for _ in range(rounds):
                for name in random.sample(list(servers), len(servers)):
                    cells[name].append(servers[name].cost(test, keys, requests, arguments))
            show(f"{test.upper()}, {work}, {keys:,} key{'s' * (keys > 1)}", cells)


def quotient(cells, name, of):
    return statistics.median(a / b for a, b in zip(cells[name], cells[of]))


def show(work, cells):
    medians = " | ".join(f"{statistics.median(cells[name]):,.0f}" for name in cells)
    beside_redis = quotient(cells, "one loop", "redis-server")
    beside_one = quotient(cells, "two loops", "one loop")
    print(f"| {work} | {medians} | {beside_redis:.2f} | {beside_one:.2f} |", flush=True)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    program = str(pathlib.Path(sys.argv[1]).resolve())
    rounds = int(sys.argv[2]) if len(sys.argv) == 3 else 9
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)  # as few others as possible; inherited
    with tempfile.TemporaryDirectory() as folder:
        servers = start_all(program, folder)
        try:
            for server in servers.values():
                server.stand_back()
            print("| nanoseconds of processor time for a request | redis-server | one loop | "
                  "two loops | one loop / redis-server | two loops / one loop |\n"
                  "|---|---|---|---|---|---|")
            for keys in KEYS:
                measure(servers, keys, rounds)
        finally:
            for server in servers.values():
                server.stop()


if __name__ == "__main__":
    main()
