# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""What a machine includes, directly or not: machines.py INCLUDE_DIRECTORY

A machine calls nobody: it does no I/O, asks no clock and knows no channel. So it is tested with
literals, and cannot be used from the middle of itself. Fails when one of them could do otherwise.
"""

import pathlib
import re
import sys

MACHINES = [
    "detail/gate.hpp",
    "detail/io/accept_backoff.hpp",
    "detail/io/urgent_watch.hpp",
    "detail/output/water_marks.hpp",
    "detail/timing/deadlines.hpp",
]
FORBIDDEN = ["asio", "fmt/", "asynchat/dispatcher.hpp", "asynchat/loop.hpp",
             "asynchat/detail/timing/clock.hpp"]
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def included(root, name, seen):
    """All that a header and its bodies include."""
    for found in INCLUDE.findall((root / name).read_text()):
        if found in seen:
            continue
        seen[found] = name
        if found.startswith("asynchat/"):
            included(root, found, seen)
    return seen


def main():
    root = pathlib.Path(sys.argv[1])
    faults = 0
    for machine in MACHINES:
        for found, by in included(root, "asynchat/" + machine, {}).items():
            if any(found.startswith(word) for word in FORBIDDEN):
                print(f"{machine} knows {found}, which {by} includes")
                faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
