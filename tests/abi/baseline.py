#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Compares what programs rely on in the shared libraries with the list of this minor version.

    baseline.py check COMPILER INCLUDE LIBRARY...  a symbol that is gone, and a virtual table or a
                                                   class of another size, would break programs
    baseline.py write COMPILER INCLUDE LIBRARY...  writes the list again: for a break that is meant
                                                   (after a release it needs a new minor version)
    baseline.py test                               whether `check` notices a break

The list is baseline-MAJOR.MINOR.txt here. It is that of one processor and one version of Asio; with
others there is nothing to compare. New symbols and classes are no break. compare.sh looks deeper,
but needs a release to compare with. Classes of streams.hpp and templates are compiled into
programs.
"""

import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
OURS = re.compile(r"((vtable|typeinfo|typeinfo name|VTT) for |non-virtual thunk to )?asynchat::")
sys.path[:0] = [str(HERE.parent / "docs"), str(HERE.parents[1] / "cmake" / "site")]
sys.dont_write_bytecode = True  # the tree stays as it is

import complete  # noqa: E402
import headers  # noqa: E402
import pages as site_pages  # noqa: E402
from faults import noticed, problem, problems, report  # noqa: E402


def run(*command, text=None):
    return subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout


def symbols(library):
    """What a library exports of asynchat, but for inline functions, which programs have too: lines
    of the list."""
    found = set()
    for line in run("nm", "-DSC", "--defined-only", str(library)).splitlines():
        parts = re.match(r"\w+ (\w+ )?(\w) (.*)", line)
        if not parts or parts[2] not in "TRDBV" or not OURS.match(parts[3]):
            continue
        name = re.sub(r"asynchat::v\d+_\d+::", "asynchat::", parts[3])
        name = re.sub(r"fmt::v\d+::", "fmt::", re.sub(r"(compiled_with_asio)<[^>]*>", r"\1", name))
        is_table = name.startswith("vtable for ")
        found.add(f"{name} = {int(parts[1], 16)}" if is_table else name)
    return found


def classes():
    """The public classes and structs that are no templates: (full name, header)."""
    for header, kind, name in sum(complete.PAGES.values(), []):
        text = (headers.INCLUDE / header).read_text(encoding="utf-8")
        is_template = re.search(rf"template <[^;{{}}]*>\s*{kind} (?:\[\[\w+\]\] )?{name}\b", text)
        if kind in ("class", "struct") and header != "streams.hpp" and not is_template:
            yield site_pages.full_name(header, name), header


def sizes(compiler, include):
    """Lines of the list. Nothing is run: the sizes are those of arrays in an object."""
    headers_of = dict(classes())
    names = sorted(headers_of)
    text = "".join(f"#include <asynchat/{header}>\n" for header in sorted(set(headers_of.values())))
    text += "".join(f"char size_{number}[sizeof(asynchat::{name})];\n"
                    for number, name in enumerate(names))
    with tempfile.TemporaryDirectory() as folder:
        made = os.path.join(folder, "sizes.o")
        run(compiler, "-std=c++17", "-DASIO_STANDALONE", "-DASYNCHAT_COMPILED_LIB",
            *(f"-I{path}" for path in include.split(";") if path != "/usr/include"),
            "-xc++", "-c", "-", "-o", made, text=text)
        by_number = {int(number): int(size, 16) for size, number in
                     re.findall(r"\w+ (\w+) \w size_(\d+)", run("nm", "-S", made))}
    return {f"sizeof({name}) = {by_number[number]}" for number, name in enumerate(names)}


def machine(include):
    """For what the list is."""
    for path in [*include.split(";"), "/usr/include"]:
        file = pathlib.Path(path, "asio", "version.hpp")
        if file.exists():
            number = int(re.search(r"define ASIO_VERSION (\d+)", file.read_text("utf-8"))[1])
            return f"# {platform.machine()}, Asio {number // 100000}.{number // 100 % 1000}"
    raise RuntimeError(f"no Asio in {include}")


def path_of_list():
    text = (headers.INCLUDE / "version.hpp").read_text(encoding="utf-8")
    version = dict(re.findall(r"define ASYNCHAT_VERSION_(\w+) (\d+)", text))
    return HERE / f"baseline-{version['MAJOR']}.{version['MINOR']}.txt"


def compare(before, now):
    changed = {line.rpartition(" = ")[0]: line for line in now if " = " in line}
    for line in sorted(set(before) - set(now)):
        name = line.rpartition(" = ")[0]
        problem("abi", f"{changed[name]}, it was {line.rpartition(' ')[2]}" if name in changed
                else f"{line} is gone")


def test():
    before = path_of_list().read_text(encoding="utf-8").splitlines()[1:]
    if len(before) < 300:
        problem("abi", f"{path_of_list().name} has only {len(before)} lines")
    for line in ("asynchat::loop::run()", "asynchat::terminator::netstring"):
        if not any(each.startswith(line) for each in before):
            problem("abi", f"{path_of_list().name} lacks {line}")
    compare(before, before + ["asynchat::one_more()"])
    gone = [line for line in before if line != "asynchat::loop::run()"]
    noticed("asynchat::loop::run() is gone", lambda: compare(before, gone))
    for what in ("sizeof(loop)", "vtable for asynchat::dispatcher"):
        larger = [re.sub(r"= (\d+)", lambda m: f"= {int(m[1]) + 8}", line)
                  if line.startswith(what + " ") else line for line in before]
        noticed(f"{what} = ", lambda larger=larger: compare(before, larger))


def main():
    command, arguments = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if command == "test" and not arguments:
        test()
        report()
    if command not in ("check", "write") or len(arguments) < 3:
        sys.exit(__doc__)
    compiler, include, *libraries = arguments
    file = path_of_list()
    first, *before = file.read_text(encoding="utf-8").splitlines() if file.exists() else [""]
    if command == "check" and first != machine(include):
        print(f"Skipped: {file.name} is for{first[1:]}")
        return
    now = set.union(sizes(compiler, include), *(symbols(library) for library in libraries))
    if command == "write":
        file.write_text("\n".join([machine(include), *sorted(now), ""]), encoding="utf-8")
        return
    if len(libraries) == 1:  # built without TLS
        before = [line for line in before if not re.search("tls|authority", line)]
    compare(before, now)
    print(f"{len(now)} names, {len(now - set(before))} of them new")
    if problems:
        print("If that is meant, write the list again: see tests/abi/baseline.py", file=sys.stderr)
    report()


if __name__ == "__main__":
    main()
