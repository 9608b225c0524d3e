#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Looks what the shared library exports: exports.py BUILD-DIR LIBRARY...

Each symbol is a promise, so there are not many, and none of the names in `detail` but those that
templates and coroutines of the headers call. All that the examples ask for is among them, and all
that the tests ask for outside of `detail`.
"""

import json
import pathlib
import re
import subprocess
import sys

MOST = 700
OURS = re.compile(r"^_ZN?K?(?:T[VIS]N)?\w*8asynchat")
IN_DETAIL = re.compile(r"(?:vtable for |typeinfo for )?asynchat::v\d+_\d+::detail::")
# Functions in detail that the headers call, and why they are no members of a public class.
CALLED_BY_HEADERS = re.compile(
    r"^asynchat::v\d+_\d+::detail::("
    r"stream_buffer::|"  # of stream_reader, whose coroutines are compiled with the program
    r"runs_here\(|"  # asserted by handle<T>, which does not know the loop
    r"refuse_port\()"  # the end of a template of endpoint
)


def symbols(*arguments):
    """What nm lists: the names as a linker knows them -> as people do."""
    listed = subprocess.run(["nm", *arguments], check=True, capture_output=True, text=True).stdout
    names = sorted({line.split()[-1] for line in listed.splitlines() if line[17:18].strip()})
    plain = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return dict(zip(names, plain))


def programs(build):
    """The objects that are built: those of examples, and those of tests."""
    examples, tests = [], []
    for command in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        source = pathlib.Path(command["directory"], command["file"])
        made = re.search(r" -o (\S+\.o) ", command["command"])
        made = made and pathlib.Path(command["directory"], made[1])
        if not made or not made.exists() or "layered" in str(made) or source.parent.name == "src":
            continue
        is_example = {"examples", "docs"}.intersection(source.parts[:-1])
        (examples if is_example else tests).append(str(made))
    return examples, tests


def main():
    build, libraries = pathlib.Path(sys.argv[1]), sys.argv[2:]
    problems, exported = [], {}
    for library in libraries:
        own = symbols("-D", "--defined-only", library)
        if len(own) > MOST:
            problems.append(f"{library} exports {len(own)} symbols, {MOST} at most are allowed")
        problems += [f"{library} exports {plain}" for plain in own.values()
                     if IN_DETAIL.match(plain) and not CALLED_BY_HEADERS.match(plain)]
        print(f"{pathlib.Path(library).name}: {len(own)} symbols")
        exported.update(own)
    examples, tests = programs(build)
    if len(examples) < 10 or len(tests) < 100:
        problems.append(f"only {len(examples)} examples and {len(tests)} tests are built")
    needed = symbols("-u", *examples)
    needed.update({name: plain for name, plain in symbols("-u", *tests).items()
                   if not IN_DETAIL.search(plain)})
    needed = {name: plain for name, plain in needed.items() if OURS.match(name)}
    print(f"{len(examples)} examples and {len(tests)} tests ask for {len(needed)} of them")
    problems += [f"a program needs {needed[name]}" for name in sorted(set(needed) - set(exported))]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
