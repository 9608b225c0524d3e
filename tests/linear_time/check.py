# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Checks that twice the input is at most 2.1 times the work: check.py PROGRAM

The work is counted in instructions, which are the same in each run, on busy machines too. Ends
with 77 (skipped) where valgrind, which counts them, is not installed.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SIZE = 4096
LIMIT = 2.1


def of_program(dump, program):
    """The instructions of the program itself in a dump of callgrind, without its libraries."""
    own, objects, total = False, {}, 0
    lines = iter(dump.splitlines())
    for line in lines:
        key, _, value = line.partition("=")
        if key in ("ob", "cob"):
            number, _, name = value.partition(" ")
            if name:
                objects[number] = pathlib.Path(name).name
            if key == "ob":
                own = objects[number] == pathlib.Path(program).name
        elif key == "calls":
            next(lines)  # what the call took is counted where it was spent
        elif own and line[:1] in tuple("0123456789+-*"):
            total += int(line.split()[1])
    return total


def counts(program, directory, size=SIZE, only_own=False):
    """The kinds of work, and the instructions of each call of counted_work()."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/count",
         "--toggle-collect=counted_work", "--dump-after=counted_work", program, str(size)],
        capture_output=True, text=True)
    if "corrupted debuginfo" in run.stderr:  # that of clang, for the valgrind of Debian 12
        print("skipped: valgrind cannot read the debug information of this compiler")
        sys.exit(77)
    if run.returncode != 0:
        sys.exit(f"cannot count:\n{run.stdout}{run.stderr}")
    calls = {}
    for file in pathlib.Path(directory).glob("count*"):
        text = file.read_text()
        if "Trigger: --dump-after=counted_work" in text:
            part = int(re.search(r"^part: (\d+)", text, re.MULTILINE).group(1))
            calls[part] = (of_program(text, program) if only_own else
                           int(re.search(r"^totals: (\d+)", text, re.MULTILINE).group(1)))
    return run.stdout.split(), [calls[part] for part in sorted(calls)]


def main():
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        return 77
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as directory:
        kinds, calls = counts(sys.argv[1], directory)
    if len(calls) != 2 * len(kinds):
        sys.exit(f"{len(kinds)} kinds of work, but {len(calls)} counts")
    failed = []
    for kind, once, twice in zip(kinds, calls[::2], calls[1::2]):
        verdict = ""
        if twice > LIMIT * once:
            verdict = "  NOT LINEAR"
            failed.append(kind)
        print(f"{kind:40} {once / SIZE:8.1f} instructions a byte, twice the input: "
              f"{twice / once:.3f} times the work{verdict}")
    if failed:
        print(f"more than {LIMIT} times the work for twice the input: {', '.join(failed)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
