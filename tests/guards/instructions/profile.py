# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Shows in which functions the instructions of a message are: profile.py PROGRAM KIND

The kinds of work are those in figures.txt. What is inlined counts for the function around it.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from compare import PLAIN, SIZE

FEWEST = 1  # instructions of a message; less is shown as one line


def of_functions(dump):
    """The instructions of each function in a dump of callgrind, without what it calls."""
    names, own, function = {}, collections.Counter(), ""
    lines = iter(dump.splitlines())
    for line in lines:
        named = re.match(r"(c?fn)=\((\d+)\)(?: (.*))?$", line)
        if named:
            names.setdefault(named[2], named[3])
            if named[1] == "fn":
                function = names[named[2]]
        elif line.startswith("calls="):
            next(lines)  # what the call took is counted where it was spent
        elif function and line[:1] in tuple("0123456789+-*"):
            own[function] += int(line.split()[1])
    return own


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    _, program, kind = sys.argv
    os.environ["GLIBC_TUNABLES"] = PLAIN
    with tempfile.TemporaryDirectory() as directory:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/count",
             "--toggle-collect=counted_work", "--dump-after=counted_work", program, str(SIZE)],
            capture_output=True, text=True, check=True)
        dumps = {int(re.search(r"^part: (\d+)", text, re.MULTILINE).group(1)): text
                 for text in (file.read_text() for file in pathlib.Path(directory).glob("count*"))
                 if "Trigger: --dump-after=counted_work" in text}
    kinds = run.stdout.split()
    if kind not in kinds:
        sys.exit(f"no such kind of work; there are: {', '.join(kinds)}")
    parts = [of_functions(dumps[part]) for part in sorted(dumps)]
    once, twice = parts[2 * kinds.index(kind)], parts[2 * kinds.index(kind) + 1]
    costs = {name: (twice[name] - once[name]) / SIZE for name in twice}
    shown = {name: cost for name, cost in costs.items() if cost >= FEWEST}
    for name in sorted(shown, key=shown.get, reverse=True):
        print(f"{shown[name]:9.1f}  {name}")
    print(f"{sum(costs.values()) - sum(shown.values()):9.1f}  others, below {FEWEST} each")
    print(f"{sum(costs.values()):9.1f}  in all")


if __name__ == "__main__":
    main()
