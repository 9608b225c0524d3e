#!/usr/bin/env python3
"""Puts one known defect after the other into the library, and looks whether the tests notice.

usage: mutants.py [--build DIR] [--check] [NAME...]

The defects are in defects.py. The tree is copied to DIR (build/mutants), where each of them is
put in, built, tested and taken out again. --check only looks whether their texts are still found.
Exits with 1 when less than 95 % are caught, or one cannot be tried.
"""

import argparse
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

from defects import DEFECTS

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPIED = ["CMakeLists.txt", "cmake", "examples", "include", "src", "tests"]
ENOUGH = 0.95

# What the tests are, quick ones first; a mutant is caught by the first of them that fails.
PROGRAMS = ["asynchat_tests", "asynchat_failures", "asynchat_simulation",
            "asynchat_fuzz_scanner", "asynchat_fuzz_frames", "asynchat_fuzz_number"]
UNIT = ["tests/asynchat_tests", "--abort", "--reporter", "xml"]
EVERY_CUT = "length prefix: every cut *"
RUNS = [
    ["tests/fuzz/asynchat_fuzz_scanner", "tests/fuzz/corpus/scanner"],
    ["tests/fuzz/asynchat_fuzz_frames", "tests/fuzz/corpus/frames"],
    ["tests/fuzz/asynchat_fuzz_number", "tests/fuzz/corpus/number"],
    ["tests/failures/asynchat_failures", "operations"],
    ["tests/simulation/asynchat_simulation", "300"],
    UNIT + [f"~[hostile]~[many]~{EVERY_CUT}"],
    UNIT + [f"[hostile],[many],{EVERY_CUT}"],
    ["tests/simulation/asynchat_simulation", "3000"],
]
LONGEST = 600  # seconds, for one of them
MOST_MEMORY = 8 << 30  # bytes: some defects use up all there is


def command(arguments, **options):
    """What the other functions start programs with."""
    return subprocess.run(arguments, **options)


def mutated(defect, text):
    count = text.count(defect.old)
    if count != 1:
        raise LookupError(f"{defect.name}: its text is found {count} times in {defect.file}")
    return text.replace(defect.old, defect.new)


def check(defects):
    faults = []
    names = [defect.name for defect in DEFECTS]
    faults += [f"{name}: used twice" for name in set(names) if names.count(name) > 1]
    for defect in defects:
        try:
            mutated(defect, (ROOT / defect.file).read_text())
        except (LookupError, OSError) as fault:
            faults.append(str(fault))
    for fault in faults:
        print(fault, file=sys.stderr)
    return not faults


def copy_tree(to):
    """Only what differs, so that little is built again."""
    wanted = set()
    for name in COPIED:
        source = ROOT / name
        files = [source] if source.is_file() else source.rglob("*")
        for file in files:
            if not file.is_file() or "__pycache__" in file.parts:
                continue
            copy = to / file.relative_to(ROOT)
            wanted.add(copy)
            content = file.read_bytes()
            if not copy.is_file() or copy.read_bytes() != content:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
                shutil.copymode(file, copy)
    for copy in to.rglob("*"):
        if copy.is_file() and copy not in wanted:
            copy.unlink()


def configure(tree, build, definitions):
    launcher = shutil.which("ccache")
    command(["cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
             "-DCMAKE_CXX_FLAGS=-O0 -g0 -w", "-DASYNCHAT_DEVELOPER_MODE=ON",
             "-DASYNCHAT_BUILD_EXAMPLES=OFF"] + definitions +
            ([f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}"] if launcher else []),
            check=True, stdout=subprocess.DEVNULL)


def build_tests(build, jobs):
    """Returns what the compiler said when it fails."""
    done = command(["cmake", "--build", build, "-j", str(jobs), "--target"] + PROGRAMS,
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return None if done.returncode == 0 else done.stdout


def bound():
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def failure(run, tree, build):
    """Which test fails, or None."""
    arguments = [build / run[0]] + [tree / word if word.startswith("tests/") else word
                                    for word in run[1:]]
    how = ""
    try:
        done = command(arguments, cwd=build, preexec_fn=bound, timeout=LONGEST, text=True,
                       errors="replace", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
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


def first_failure(tree, build):
    for run in RUNS:
        failed = failure(run, tree, build)
        if failed:
            return failed
    return None


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

    tree = pathlib.Path(options.build).resolve() / "tree"
    build = tree.parent / "build"
    copy_tree(tree)
    configure(tree, build, ["-D" + d for d in options.definitions])
    print("as it is: building and testing", flush=True)
    fault = build_tests(build, options.jobs) or first_failure(tree, build)
    if fault:
        print(f"without any defect it fails already: {fault[-4000:]}", file=sys.stderr)
        return 1

    survivors = []
    for defect in defects:
        start = time.monotonic()
        file = tree / defect.file
        original = file.read_text()
        file.write_text(mutated(defect, original))
        try:
            fault = build_tests(build, options.jobs)
            if fault and "static assertion failed" not in fault:
                print(f"{defect.name}: does not build\n{fault[-4000:]}", file=sys.stderr)
                return 1
            caught_by = "the compiler: a static assertion" if fault else first_failure(tree, build)
        finally:
            file.write_text(original)
        seconds = time.monotonic() - start
        if caught_by:
            print(f"caught    {defect.name} ({seconds:.0f} s): {caught_by}", flush=True)
        else:
            survivors.append(defect)
            print(f"SURVIVED  {defect.name} ({seconds:.0f} s): {defect.imitates}", flush=True)
    caught = len(defects) - len(survivors)
    print(f"{caught} of {len(defects)} caught")
    return 0 if caught >= ENOUGH * len(defects) else 1


if __name__ == "__main__":
    sys.exit(main())
