#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Compares what programs rely on in the shared libraries with the list of this minor version.

    baseline.py check COMPILER INCLUDE LIBRARY...  a symbol that is gone, and a virtual table or a
                                                   class of another size, would break programs
    baseline.py write COMPILER INCLUDE LIBRARY...  writes the list again: for a break that is meant
                                                   (after a release it needs a new minor version);
                                                   all libraries must be there
    baseline.py test                               whether `check` notices a break

The list is baseline-MAJOR.MINOR.txt here, with a section for each library. One that is not built,
for want of OpenSSL, is not compared. It is the list of one processor and one version of Asio; with
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


def libraries_of_tree():
    """The library itself, and each of its parts."""
    return sorted(path.stem if path.stem == "asynchat" else f"asynchat_{path.stem}"
                  for path in (headers.ROOT / "src").glob("*.cpp"))


def library_name(path):
    return re.sub(r"^lib|(_shared)?\.so.*$", "", pathlib.Path(path).name)


def library_with(header):
    """Where the functions of a public header are compiled."""
    found = headers.INCLUDE.glob(f"impl/*/{pathlib.Path(header).stem}.ipp")
    return next((f"asynchat_{path.parent.name}" for path in found), "asynchat")


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


def sizes(compiler, include, library):
    """Lines of the list. Nothing is run: the sizes are those of arrays in an object."""
    headers_of = {name: header for name, header in classes() if library_with(header) == library}
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


def read_list():
    """Its first line, and the lines of each library."""
    first, *lines = path_of_list().read_text(encoding="utf-8").splitlines()
    sections = {}
    for line in lines:
        if line.startswith("# "):
            sections[line[2:]] = []
        else:
            list(sections.values())[-1].append(line)
    return first, sections


def write_list(first, sections):
    text = "".join("\n".join([f"# {library}", *sorted(lines), ""])
                   for library, lines in sorted(sections.items()))
    path_of_list().write_text(f"{first}\n{text}", encoding="utf-8")


def compare(before, now):
    """Both have lines for each library; those of now are of the libraries that are built."""
    for library, lines in now.items():
        changed = {line.rpartition(" = ")[0]: line for line in lines if " = " in line}
        for line in sorted(set(before.get(library, [])) - set(lines)):
            name = line.rpartition(" = ")[0]
            problem(library, f"{changed[name]}, it was {line.rpartition(' ')[2]}"
                    if name in changed else f"{line} is gone")


def test():
    _, before = read_list()
    file = path_of_list().name
    if sorted(before) != libraries_of_tree():
        problem("abi", f"{file} has sections for {sorted(before)}")
    for library, line in (("asynchat", "asynchat::loop::run()"),
                          ("asynchat", "asynchat::terminator::netstring"),
                          ("asynchat", "sizeof(proxy_header) = "),
                          ("asynchat_tls", "asynchat::tls::use_tls("),
                          ("asynchat_tls", "sizeof(testing::authority) = "),
                          ("asynchat_websocket", "asynchat::upgrade_request::query()"),
                          ("asynchat_websocket", "sizeof(websocket_options) = ")):
        if not any(each.startswith(line) for each in before[library]):
            problem("abi", f"{file} lacks {line} in {library}")
        without = {**before, library: [each for each in before[library]
                                       if not each.startswith(line)]}
        noticed(f"{library}: {line}", lambda without=without: compare(before, without))
        # Of a library that is not built nothing is gone, whichever others are built.
        for other in set(before) - {library}:
            compare(before, {other: before[other]})
    compare(before, {"asynchat": before["asynchat"] + ["asynchat::one_more()"]})
    for what in ("sizeof(loop)", "vtable for asynchat::dispatcher"):
        larger = [re.sub(r"= (\d+)", lambda m: f"= {int(m[1]) + 8}", line)
                  if line.startswith(what + " ") else line for line in before["asynchat"]]
        noticed(f"{what} = ", lambda larger=larger: compare(before, {"asynchat": larger}))
    for path, name in (("libasynchat_shared.so", "asynchat"), ("libasynchat.so.0.1", "asynchat"),
                       ("a/libasynchat_tls_shared.so", "asynchat_tls")):
        if library_name(path) != name:
            problem("abi", f"{path} is taken for {library_name(path)}")


def main():
    command, arguments = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if command == "test" and not arguments:
        test()
        report()
    if command not in ("check", "write") or len(arguments) < 3:
        sys.exit(__doc__)
    compiler, include, *libraries = arguments
    here = machine(include)
    if command == "check":
        first, before = read_list()
        if first != here:
            print(f"Skipped: {path_of_list().name} is for{first[1:]}")
            return
    now = {library_name(path): symbols(path) | sizes(compiler, include, library_name(path))
           for path in libraries}
    if command == "write":
        missing = sorted(set(libraries_of_tree()) - set(now))
        if missing:
            sys.exit(f"baseline.py: not built, so the list is not written: {', '.join(missing)}")
        write_list(here, now)
        return
    compare(before, now)
    for library, lines in now.items():
        news = len(lines - set(before.get(library, [])))
        print(f"{library}: {len(lines)} names, {news} of them new")
    if problems:
        print("If that is meant, write the list again: see tests/abi/baseline.py", file=sys.stderr)
    report()


if __name__ == "__main__":
    main()
