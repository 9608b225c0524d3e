#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""The tests with each compiler, standard, library and processor: matrix.py [--packages] [ROW...]
(matrix.py --test looks whether it understands the logs.)

Each row works on a copy of the tree in build/matrix, which goes when the row has passed; its log
stays. The compilers of Debian 12 are used here, those of Debian 13 in a bare root of it. What came
of the rows, also of earlier calls, is kept in build/matrix/results.json and printed as one table,
with a reason for each row that did not run. Without a name all rows run, which takes hours. --packages
prints what the rows need to be installed here.

ASYNCHAT_ASIO, ASYNCHAT_FMT and ASYNCHAT_CATCH2 name the sources of the newest release of each, for
the row `newest`.
"""

import collections
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "matrix"
# Without what is the same with every compiler, or takes long. By names: of the labels, ctest leaves
# out only what the preset and the command line name both.
QUICK = ["-DASYNCHAT_BUILD_EXAMPLES=OFF", "-E", "^(packaging[.]|compile_fail[.]|soak$)"]
Row = collections.namedtuple("Row", "name what packages environment command missing needs")
ROWS = {}
HEADERS = "-DCMAKE_PROJECT_asynchat_INCLUDE=tests/matrix/libraries_as_headers.cmake"


def row(name, what, packages, environment, *command, missing=None, needs=()):
    """`needs` are commands that succeed where all is there that cannot be done without."""
    ROWS[name] = Row(name, what, packages, environment, command, missing, needs)


def compiles(compiler, flags=""):
    """A command that needs the compiler and its standard library."""
    return ["sh", "-c", f"echo '#include <vector>' | {compiler} {flags} -fsyntax-only -xc++ -"]


def verb(name, what, packages, compiler, standard, *arguments, **environment):
    row(name, what, packages,
        {"CXX": compiler, "ASYNCHAT_CXX_STANDARD": str(standard), **environment},
        "./run", *arguments, needs=[compiles(compiler, environment.get("CXXFLAGS", ""))])


def newest():
    """With the libraries that Debian has no package of, as far as sources are named."""
    options = {
        "Asio": ["-Dasio_INCLUDE_DIR={}/include"],
        "fmt": ["-DCMAKE_DISABLE_FIND_PACKAGE_fmt=ON", "-DFETCHCONTENT_SOURCE_DIR_FMT={}"],
        "Catch2": ["-DCMAKE_DISABLE_FIND_PACKAGE_Catch2=ON", "-DFETCHCONTENT_SOURCE_DIR_CATCH2={}"],
    }
    sources = {name: os.environ.get(f"ASYNCHAT_{name.upper()}", "") for name in options}
    given = [name for name in options if sources[name]]
    row("newest", f"g++ 12, C++17, the newest {', '.join(given or options)}", [], {"CXX": "g++"},
        "./run", "test", *(each.format(sources[name]) for name in given for each in options[name]),
        *QUICK, missing=None if given else "no sources are named")


def other_processor(name, what, prefix, *emulator, flags=""):
    row(name, what, [f"g++-{prefix}"] + ["qemu-user"] * len(emulator), {"CXXFLAGS": flags},
        "sh", "tests/matrix/other_processor.sh", prefix, *emulator,
        needs=[compiles(f"{prefix}-g++"), *([each, "--version"] for each in emulator)])


def trixie(name, what, compiler, **environment):
    """In a bare root, so it tells also that ./run installs what is missing."""
    row(name, what, ["debootstrap"], {"CXX": compiler, **environment},
        "sh", "tests/roots/roots.sh", "trixie",
        missing=None if os.geteuid() == 0 else "only root can make a root",
        needs=[["debootstrap", "--version"]])


OFF_T = "-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64"
verb("g++-12", "g++ 12, C++17", ["g++"], "g++", 17, "test", "-E", "^soak$")
verb("g++-12-c++20", "g++ 12, C++20", ["g++"], "g++", 20, "test", *QUICK)
verb("g++-12-c++23", "g++ 12, C++23", ["g++"], "g++", 23, "test", *QUICK)
verb("clang-14", "clang 14, C++17", ["clang-14"], "clang++-14", 17, "test", *QUICK)
verb("clang-16", "clang 16, C++20, header-only", ["clang-16"], "clang++-16", 20, "header-only")
verb("clang-16-c++23", "clang 16, C++23", ["clang-16"], "clang++-16", 23, "test", *QUICK)
verb("posix", "clang 16, C++20, POSIX only, `select`", ["clang-16"], "clang++-16", 20, "posix")
verb("libc++", "clang 16, C++20, libc++ 16", ["clang-16", "libc++-16-dev", "libc++abi-16-dev"],
     "clang++-16", 20, "test", HEADERS, "-DASYNCHAT_TLS=OFF", *QUICK, CXXFLAGS="-stdlib=libc++")
other_processor("i386", "g++ 12, 32 bits, on this processor", "i686-linux-gnu", flags=OFF_T)
other_processor("armhf", "g++ 12, 32 bits, `char` is unsigned, by qemu", "arm-linux-gnueabihf",
                "qemu-arm", flags=OFF_T)
other_processor("s390x", "g++ 12, the highest byte comes first, by qemu", "s390x-linux-gnu",
                "qemu-s390x")
row("musl", "clang 16, headers of musl and libc++ 16, not linked",
    ["clang-16", "libc++-16-dev", "musl-dev"], {}, "sh", "tests/matrix/musl.sh",
    needs=[compiles("clang++-16", "-stdlib=libc++"),
           ["test", "-e", "/usr/include/x86_64-linux-musl/stdio.h"]])
CONSUMERS = ["g++", "clang++-14", "clang++-16"]
row("consumers", "programs of g++ 12, clang 14 and 16 in C++17, 20 and 23, by CMake, pkg-config and "
    "meson, with the library of g++ 12 shared, static and header-only",
    ["g++", "clang-14", "clang-16", "meson", "ninja-build", "pkg-config"], {},
    "sh", "tests/matrix/consumers.sh", *CONSUMERS,
    needs=[*map(compiles, CONSUMERS), ["meson", "--version"], ["pkg-config", "--version"]])
newest()
trixie("trixie-g++-13", "g++ 13, Asio 1.30, fmt 10, Catch2 3.7", "g++-13",
       LDFLAGS="-Wl,--no-as-needed,/usr/lib/x86_64-linux-gnu/libstdc++.so.6")
trixie("trixie-g++-14", "g++ 14, the same libraries", "g++-14")
trixie("trixie-clang-19", "clang 19, the same libraries", "clang++-19")


def copy_tree(to):
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(ROOT, to, symlinks=True,
                    ignore=lambda directory, names: {"build", ".git", "__pycache__"} & set(names))


def passed(log):
    """What the tests say themselves: ctest's sum, or that of each program, or of the compiler."""
    for what, pattern in (("tests passed", r"tests passed, 0 tests failed out of (\d+)"),
                          ("test cases passed", r"\(\d+ assertions? in (\d+) test cases?\)"),
                          ("files compiled", r"(?m)^(\d+) files compiled$"),
                          ("programs ran", r"(?m)^(\d+) programs ran$")):
        counts = [int(n) for n in re.findall(pattern, log)]
        if counts:
            return f"{sum(counts):,} {what}"
    return None


def missing(row):
    """Why the row cannot run, or None."""
    if row.missing:
        return row.missing
    for command in row.needs:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=True)
        except (OSError, subprocess.CalledProcessError):
            return f"not installed: {', '.join(row.packages)}"
    return None


def outcome(code, log, name):
    """What came of a row, by its exit code and its log."""
    refused = re.search(r"(?m)^roots: (not run: .*)$", log)
    if code != 0 and refused:
        return refused[1]
    tests = passed(log)
    return tests if code == 0 and tests else f"failed, see build/matrix/{name}.log"


def run(row):
    """What came of it: one line, and the seconds."""
    reason = missing(row)
    if reason:
        return {"result": f"not run: {reason}"}
    tree, log = WORK / row.name, WORK / f"{row.name}.log"
    copy_tree(tree)
    start = time.monotonic()
    with log.open("wb") as out:
        code = subprocess.run(row.command, cwd=tree, env={**os.environ, **row.environment},
                              stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                              check=False).returncode
    logs = list(tree.glob("build/roots/*.log")) + [log]
    text = "".join(each.read_text(encoding="utf-8", errors="replace") for each in logs)
    if code == 0:
        shutil.rmtree(tree)
    return {"result": outcome(code, text, row.name), "seconds": round(time.monotonic() - start)}


def test():
    """Whether the above understands what the tests print."""
    ctest = "100% tests passed, 0 tests failed out of 1648\n"
    catch = "All tests passed (815226 assertions in 1292 test cases)\n"
    lacks = Row("x", "", ["none"], {}, [], None, [["asynchat-has-no-such-compiler"]])
    for got, wanted in (
            (outcome(0, ctest, "x"), "1,648 tests passed"),
            (outcome(0, catch + "All tests passed (1 assertion in 1 test case)\n", "x"),
             "1,293 test cases passed"),
            (outcome(0, "3 files compiled\n", "x"), "3 files compiled"),
            (outcome(0, "9 programs ran\n", "x"), "9 programs ran"),
            (outcome(0, "nothing was run", "x"), "failed, see build/matrix/x.log"),
            (outcome(1, ctest, "x"), "failed, see build/matrix/x.log"),
            (outcome(0, "99% tests passed, 1 tests failed out of 9", "x"),
             "failed, see build/matrix/x.log"),
            (outcome(1, "roots: not run: there is no g++-99\n", "x"),
             "not run: there is no g++-99"),
            (run(lacks), {"result": "not run: not installed: none"}),
            (missing(lacks._replace(needs=[["true"]])), None)):
        if got != wanted:
            sys.exit(f"matrix.py: {got!r}, not {wanted!r}")


def table(results):
    lines = ["| what | result | seconds | date |", "|---|---|---|---|"]
    for name, each in ROWS.items():
        got = results.get(name, {"result": "not run: nobody asked for it"})
        lines.append(f"| {each.what} | {got['result']} | {got.get('seconds', '')} | "
                     f"{got.get('date', '')} |")
    return "\n".join(lines)


def main():
    names = sys.argv[1:]
    if names == ["--test"]:
        test()
        return 0
    asked = names[:1] == ["--packages"]
    names = names[asked:]
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        sys.exit(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    if asked:
        print(*sorted({package for name in names or ROWS for package in ROWS[name].packages}))
        return 0
    WORK.mkdir(parents=True, exist_ok=True)
    kept = WORK / "results.json"
    results = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for name in names or ROWS:
        print(f"{name}: {ROWS[name].what}", flush=True)
        results[name] = {**run(ROWS[name]), "date": datetime.date.today().isoformat()}
        print(f"    {results[name]['result']}", flush=True)
        kept.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(table(results))
    return 1 if any(results[name]["result"].startswith("failed") for name in names or ROWS) else 0


if __name__ == "__main__":
    sys.exit(main())
