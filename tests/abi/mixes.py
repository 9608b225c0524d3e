#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Looks that code for different kinds or versions of the library does not link, and says why:
mixes.py COMPILER INCLUDE-DIR
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

COMPILER = sys.argv[1]
INCLUDE = pathlib.Path(sys.argv[2])
DEFINES = "#include <asynchat/fwd.hpp>\nvoid serve(asynchat::loop&) {}\n"
CALLS = ("#include <asynchat/fwd.hpp>\nvoid serve(asynchat::loop&);\n"
         "int main(int, char** names) { serve(reinterpret_cast<asynchat::loop&>(names)); }\n")
COMPILED = "-DASYNCHAT_COMPILED_LIB"


def next_minor_version(to):
    """A copy of the headers, of the next minor version."""
    shutil.copytree(INCLUDE / "asynchat", to / "asynchat")
    version = to / "asynchat" / "version.hpp"
    text, count = re.subn(r"(?<=VERSION_MINOR )\d+", lambda m: str(int(m[0]) + 1),
                          version.read_text(encoding="utf-8"))
    assert count == 1
    version.write_text(text, encoding="utf-8")
    return to


def build(scratch, *sources):
    """Compiles (text, include directory, option) each, and links them; what the linker says."""
    objects = []
    for number, (text, include, option) in enumerate(sources):
        source = scratch / f"{number}.cpp"
        source.write_text(text, encoding="utf-8")
        objects.append(source.with_suffix(".o"))
        subprocess.run([COMPILER, "-std=c++17", f"-I{include}", *option, "-c", source, "-o",
                        objects[-1]], check=True)
    linked = subprocess.run([COMPILER, *objects, "-o", scratch / "program"], capture_output=True,
                            text=True, check=False)
    return linked.stderr if linked.returncode else ""


def main():
    problems = []
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        other = next_minor_version(scratch / "other")
        minor = re.search(r"VERSION_MINOR (\d+)",
                          (INCLUDE / "asynchat" / "version.hpp").read_text(encoding="utf-8"))[1]
        cases = {
            "the same kind": (INCLUDE, [COMPILED], INCLUDE, [COMPILED], None),
            "both header-only": (INCLUDE, [], INCLUDE, [], None),
            "header-only, calls compiled": (INCLUDE, [], INCLUDE, [COMPILED], f"_{minor}_header_only"),
            "compiled, calls header-only": (INCLUDE, [COMPILED], INCLUDE, [], f"_{minor}::loop"),
            "another minor version": (other, [COMPILED], INCLUDE, [COMPILED],
                                      f"_{int(minor) + 1}::loop"),
        }
        for what, (caller, with_option, called, and_option, says) in cases.items():
            error = build(scratch, (CALLS, caller, with_option), (DEFINES, called, and_option))
            if says is None and error:
                problems.append(f"{what}: does not link: {error}")
            if says is not None and says not in error:
                problems.append(f"{what}: {says!r} is not in: {error or 'nothing, it links'}")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
