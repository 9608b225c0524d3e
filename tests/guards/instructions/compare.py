# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Compares the instructions of a message with those in figures.txt.

Fails when a kind of work needs over 5 % more than what is recorded for this compiler, or more than
its bar, if it has one. Ends with 77 (skipped) where nothing is recorded, or where valgrind, which
counts the instructions, is not installed.
"""

import argparse
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent.parent / "linear_time"))
from check import SIZE, counts  # noqa: E402, how one counts is the same there

FIGURES = here / "figures.txt"
LIMIT = 1.05
# What a kind of work may need at most, whatever is recorded.
BARS = {"print-number": 250, "set-terminator-count": 40, "set-terminator-literal": 40,
        "parse-number": 30, "unmask-1k": 512, "utf8-1k-of-ascii": 1536}
# ... and of what another kind needs.
MULTIPLES = {"websocket-64": (1.25, "frames-64"),
             "websocket-64-one-by-one": (1.25, "frames-64-one-by-one")}

# The C library chooses how to copy and to search by the features of the processor; without these it
# chooses alike on all of them.
PLAIN = "glibc.cpu.hwcaps=-AVX2,-AVX512VL,-AVX512BW,-BMI2,-ERMS,-FSRM,-RTM"


def measured(program, size, only_own):
    """The instructions of a message, by kind of work: what `size` more of them cost."""
    os.environ["GLIBC_TUNABLES"] = PLAIN
    with tempfile.TemporaryDirectory() as directory:
        kinds, calls = counts(program, directory, size, only_own)
    if len(calls) != 2 * len(kinds):
        sys.exit(f"{len(kinds)} kinds of work, but {len(calls)} counts")
    return {kind: (twice - once) / size
            for kind, once, twice in zip(kinds, calls[::2], calls[1::2])}


def recorded():
    """The lines of comment, and the figures: key -> kind -> instructions of a message."""
    comment, figures = [], {}
    for line in FIGURES.read_text().splitlines():
        if line.startswith("#"):
            comment.append(line)
        elif line:
            key, kind, figure = line.split()
            figures.setdefault(key, {})[kind] = float(figure)
    return comment, figures


def record(key, now):
    comment, figures = recorded()
    figures[key] = now
    lines = [f"{key:28} {kind:24} {figure:9.1f}"
             for key in sorted(figures) for kind, figure in figures[key].items()]
    FIGURES.write_text("\n".join(comment + lines) + "\n")


def compare(before, now):
    failed = []
    for kind in sorted(before.keys() | now.keys()):
        if kind not in before or kind not in now:
            print(f"{kind:24} only {'here' if kind in now else 'recorded'}  FAILED")
            failed.append(kind)
            continue
        verdict = ""
        factor, other = MULTIPLES.get(kind, (math.inf, kind))
        bar = min(BARS.get(kind, math.inf), factor * now[other])
        if now[kind] > min(LIMIT * before[kind], bar):
            verdict = "  FAILED"
            failed.append(kind)
        print(f"{kind:24} {now[kind]:9.1f} instructions a message, recorded {before[kind]:9.1f}: "
              f"{100 * (now[kind] / before[kind] - 1):+.1f} %{verdict}")
    if failed:
        print(f"more than 5 % over {FIGURES.name}, which says how to record, or over a bar: "
              f"{', '.join(failed)}")
    return 1 if failed else 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("program")
    arguments.add_argument("--messages", type=int, default=SIZE)
    arguments.add_argument("--own", action="store_true",
                           help="leave out the instructions of shared libraries")
    arguments.add_argument("--record", action="store_true", help="write the figures instead")
    options = arguments.parse_args()
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        return 77
    key = subprocess.run([options.program, "key"], capture_output=True, text=True,
                         check=True).stdout.strip()
    before = recorded()[1].get(key)
    if before is None and not options.record:
        print(f"skipped: nothing is recorded for {key}")
        return 77
    now = measured(options.program, options.messages, options.own)
    if options.record:
        record(key, now)
        return 0
    return compare(before, now)


if __name__ == "__main__":
    sys.exit(main())
