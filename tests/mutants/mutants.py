#!/usr/bin/env python3
"""Puts known defects into the library, one at a time, and looks whether the tests notice.

usage: mutants.py [--build DIR] [--check] [NAME...]

The defects are in defects.py. The tree is copied to DIR (build/mutants), and is built once with
all of them; a variable of the environment says which one is active (see schemata.py). A defect
that does not build beside the others is put in alone. --check only looks whether the texts of the
defects are still found. Exits with 1 when less than 95 % are caught, or one cannot be tried.
"""

import argparse
import collections
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time
import zlib

import schemata
from defects import DEFECTS

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPIED = ["CMakeLists.txt", "cmake", "examples", "include", "src", "tests"]
ENOUGH = 0.95

# What the tests are, quick ones first; a mutant is caught by the first of them that fails.
PROGRAMS = ["asynchat_tests", "asynchat_failures", "asynchat_simulation",
            "asynchat_fuzz_scanner", "asynchat_fuzz_frames", "asynchat_fuzz_number"]
# Where OpenSSL is installed, and where the compiler has coroutines. A defect in their files is
# tried with them first.
MORE_PROGRAMS = {"asynchat_tls_tests": ("tests/tls/", "/tls/"),
                 "asynchat_websocket_tests": ("tests/websocket/", "/websocket/"),
                 "asynchat_streams_tests": ("tests/streams/", "stream")}
AS_XML = ["--abort", "--reporter", "xml"]
UNIT = ["tests/asynchat_tests"] + AS_XML
EVERY_CUT = "length prefix: every cut *"
RUNS = [
    ["tests/fuzz/asynchat_fuzz_scanner", "tests/fuzz/corpus/scanner"],
    ["tests/fuzz/asynchat_fuzz_frames", "tests/fuzz/corpus/frames"],
    ["tests/fuzz/asynchat_fuzz_number", "tests/fuzz/corpus/number"],
    ["tests/failures/asynchat_failures", "operations"],
    ["tests/simulation/asynchat_simulation", "3000"],
    UNIT + [f"~[slow]~[hostile]~[many]~{EVERY_CUT}"],
    ["tests/simulation/asynchat_simulation", "20000"],
    UNIT + [f"[slow],[hostile],[many],{EVERY_CUT}"],
]
PATIENCE = 10  # with a defect a run may take so many times what it took without,
SHORTEST = 60  # at least so many seconds,
LONGEST = 600  # and at most so many
MOST_MEMORY = 8 << 30  # bytes: some defects use up all there is

Tree = collections.namedtuple("Tree", "path build jobs")


def command(arguments, **options):
    """What the other functions start programs with."""
    return subprocess.run(arguments, **options)


def number_of(defect):
    """What chooses it. A new defect leaves the numbers of others: little is built again."""
    return zlib.crc32(defect.name.encode()) >> 1


def mutated(defect):
    text = (ROOT / defect.file).read_text()
    count = text.count(defect.old)
    if count != 1:
        raise LookupError(f"{defect.name}: its text is found {count} times in {defect.file}")
    return text.replace(defect.old, defect.new)


def check(defects):
    faults = []
    numbers = collections.Counter(map(number_of, DEFECTS))
    faults += [f"{d.name}: used twice" for d in DEFECTS if numbers[number_of(d)] > 1]
    for defect in defects:
        try:
            mutated(defect)
        except (LookupError, OSError) as fault:
            faults.append(str(fault))
    for fault in faults:
        print(fault, file=sys.stderr)
    return not faults


# --- the tree ------------------------------------------------------------------------------------

def weave(alone):
    """{file: its text with all defects that are not in `alone`}; adds to `alone` those that do not
    fit."""
    by_file = collections.defaultdict(dict)
    for defect in DEFECTS:
        if number_of(defect) not in alone:
            by_file[defect.file][number_of(defect)] = mutated(defect)
    files = {"include/" + schemata.HEADER: schemata.HEADER_TEXT}
    for file, mutants in by_file.items():
        files[file], left_out = schemata.woven((ROOT / file).read_text(), mutants)
        alone |= set(left_out)
    return files


def copied_files():
    for name in COPIED:
        source = ROOT / name
        for file in [source] if source.is_file() else source.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def copy_tree(to, woven):
    """Only what differs, so that little is built again."""
    contents = {file.relative_to(ROOT): file.read_bytes() for file in copied_files()}
    contents.update({pathlib.Path(file): text.encode() for file, text in woven.items()})
    for file, content in contents.items():
        copy = to / file
        if not copy.is_file() or copy.read_bytes() != content:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
            if (ROOT / file).is_file():
                shutil.copymode(ROOT / file, copy)
    for copy in to.rglob("*"):
        if copy.is_file() and copy.relative_to(to) not in contents:
            copy.unlink()


def configure(tree, definitions):
    launcher = shutil.which("ccache")
    command(["cmake", "-S", tree.path, "-B", tree.build, "-G", "Ninja",
             "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS=-w", "-DCMAKE_CXX_FLAGS_DEBUG=-O1",
             "-DASYNCHAT_DEVELOPER_MODE=ON", "-DASYNCHAT_BUILD_EXAMPLES=OFF"] +
            ["-D" + definition for definition in definitions] +
            ([f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}"] if launcher else []),
            check=True, stdout=subprocess.DEVNULL)


def build_tests(tree):
    """Returns what the compiler said when it fails."""
    done = command(["cmake", "--build", tree.build, "-j", str(tree.jobs), "--target"] + PROGRAMS,
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return None if done.returncode == 0 else done.stdout


def add_programs(tree):
    targets = command(["cmake", "--build", tree.build, "--target", "help"], check=True,
                      stdout=subprocess.PIPE, text=True).stdout
    for program, (folder, _) in MORE_PROGRAMS.items():
        if program in targets:
            PROGRAMS.append(program)
            RUNS.insert(-1, [folder + program] + AS_XML)


def build_all(tree, definitions):
    """Builds the tree with the defects; returns the numbers of those that must be tried alone."""
    alone = set()
    copy_tree(tree.path, weave(alone))
    configure(tree, definitions)
    add_programs(tree)
    while True:
        fault = build_tests(tree)
        if not fault:
            return alone
        wrong = schemata.numbers_of(fault, tree.build)
        if not wrong:
            sys.exit(f"without any defect it does not build: {fault[-4000:]}")
        alone |= wrong
        copy_tree(tree.path, weave(alone))


# --- the tests -----------------------------------------------------------------------------------

def bound():
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def failure(run, tree, number, longest):
    """Which test fails, or None."""
    arguments = [tree.build / run[0]] + [tree.path / word if word.startswith("tests/") else word
                                         for word in run[1:]]
    how = ""
    try:
        done = command(arguments, cwd=tree.build, preexec_fn=bound, timeout=longest, text=True,
                       env={**os.environ, schemata.VARIABLE: str(number)}, errors="replace",
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return None
        output = done.stdout
        if done.returncode < 0:
            how = f" (signal {-done.returncode})"
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode(errors="replace")
        how = " (no end)"
    cases = re.findall(r'<TestCase name="([^"]*)"', output)
    if cases:  # the last that was begun
        return cases[-1].replace("&lt;", "<").replace("&quot;", '"').replace("&amp;", "&") + how
    said = [line.strip() for line in output.splitlines() if line.strip()]
    return pathlib.Path(run[0]).name + how + "".join(f": {line[:80]}" for line in said[-1:])


def limits_of(tree):
    """How long each of the runs may take with a defect."""
    limits = []
    for run in RUNS:
        start = time.monotonic()
        failed = failure(run, tree, 0, LONGEST)
        if failed:
            sys.exit(f"without any defect it fails already: {failed}")
        seconds = time.monotonic() - start
        print(f"{seconds:6.1f} s: {' '.join(run)}", flush=True)
        limits.append(min(max(SHORTEST, PATIENCE * seconds), LONGEST))
    return limits


def first_failure(defect, number, tree, limits):
    runs = list(zip(RUNS, limits))
    first = [folder + program for program, (folder, files) in MORE_PROGRAMS.items()
             if files in defect.file]
    runs.sort(key=lambda run: run[0][0] not in first)
    failures = (failure(run, tree, number, longest) for run, longest in runs)
    return next(filter(None, failures), None)


def caught_alone(defect, tree, limits):
    """Builds again, twice: with this defect only, and as before."""
    file = tree.path / defect.file
    before = file.read_text()
    file.write_text(mutated(defect))
    try:
        fault = build_tests(tree)
        if fault and "static assertion failed" not in fault:
            sys.exit(f"{defect.name}: does not build\n{fault[-4000:]}")
        return "the compiler: a static assertion" if fault else first_failure(
            defect, 0, tree, limits)
    finally:
        file.write_text(before)


def try_all(defects, tree, alone, limits):
    """Returns how many were caught."""
    caught = 0
    for defect in defects:
        start = time.monotonic()
        number = number_of(defect)
        caught_by = (caught_alone(defect, tree, limits) if number in alone else
                     first_failure(defect, number, tree, limits))
        seconds = time.monotonic() - start
        caught += bool(caught_by)
        print(f"caught    {defect.name} ({seconds:.0f} s): {caught_by}" if caught_by else
              f"SURVIVED  {defect.name} ({seconds:.0f} s): {defect.imitates}", flush=True)
    return caught


def main():
    parser = argparse.ArgumentParser(usage="mutants.py [--build DIR] [--check] [-D...] [NAME...]")
    parser.add_argument("--build", default=str(ROOT / "build" / "mutants"))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("-D", dest="definitions", action="append", default=[])
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()

    unknown = set(options.names) - {defect.name for defect in DEFECTS}
    if unknown:
        parser.error("there is no " + ", ".join(sorted(unknown)))
    defects = [d for d in DEFECTS if not options.names or d.name in options.names]
    if not check(defects):
        return 1
    if options.check:
        return 0

    start = time.monotonic()
    directory = pathlib.Path(options.build).resolve()
    tree = Tree(directory / "tree", directory / "build", options.jobs)
    print("with all defects, none of them active: building and testing", flush=True)
    alone = build_all(tree, options.definitions)
    for program, (_, files) in MORE_PROGRAMS.items():
        if program not in PROGRAMS:
            defects = [d for d in defects if files not in d.file]
            print(f"no {program} here: without the defects that it is for", flush=True)
    limits = limits_of(tree)
    print(f"{len(alone)} must be built alone ({time.monotonic() - start:.0f} s)", flush=True)
    caught = try_all(defects, tree, alone, limits)
    print(f"{caught} of {len(defects)} caught ({time.monotonic() - start:.0f} s)")
    return 0 if caught >= ENOUGH * len(defects) else 1


if __name__ == "__main__":
    sys.exit(main())
