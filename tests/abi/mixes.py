#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Looks that code for different kinds or versions of the library does not link, and says why:
mixes.py COMPILER INCLUDE-DIR LIBRARY INCLUDES

INCLUDES are the directories of Asio and fmt, with semicolons. LIBRARY is the shared library that
was compiled with them.
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
LIBRARY = pathlib.Path(sys.argv[3])
OTHERS = [pathlib.Path(name) for name in sys.argv[4].split(";") if name]
# Behind the compiler's own directories, one of which it may be.
SEARCHED = ["-DASIO_STANDALONE", COMPILED] + [f"-idirafter{path}" for path in OTHERS]
PROGRAM = """#include <asynchat/async_chat.hpp>
class channel : public asynchat::async_chat {
public:
    using async_chat::async_chat;
    void found_terminator() override { print("{}", get_terminator().is_none()); }
};
int main()
{
    asynchat::loop loop;
    return loop.create<channel>().get() == nullptr;
}
"""


def next_minor_version(to):
    """A copy of the headers, of the next minor version."""
    shutil.copytree(INCLUDE / "asynchat", to / "asynchat")
    version = to / "asynchat" / "version.hpp"
    text, count = re.subn(r"(?<=VERSION_MINOR )\d+", lambda m: str(int(m[0]) + 1),
                          version.read_text(encoding="utf-8"))
    assert count == 1
    version.write_text(text, encoding="utf-8")
    return to


def changed(to, library, *changes):
    """A copy of the headers of Asio or fmt, changed: (file, pattern, new number) each."""
    found = next(path for path in OTHERS + [pathlib.Path("/usr/include")]
                 if (path / library).is_dir())
    shutil.copytree(found / library, to / library)
    for file, pattern, number in changes:
        path = to / library / file
        text, count = re.subn(pattern, str(number), path.read_text(encoding="utf-8"))
        assert count >= 1, f"{file} has no {pattern}"
        path.write_text(text, encoding="utf-8")
    return f"-I{to}"


def number_of(library, files, macro):
    """The number of a macro, and the first of the files that has it."""
    for path in OTHERS + [pathlib.Path("/usr/include")]:
        for file in files:
            if (path / library / file).exists():
                found = re.search(rf"#\s*define {macro} (\d+)",
                                  (path / library / file).read_text(encoding="utf-8"))
                if found:
                    return int(found[1]), file
    raise RuntimeError(f"no {macro} in {OTHERS}")


def link_to_library(scratch, *options):
    """A program against the library; what the linker says."""
    source = scratch / "program.cpp"
    source.write_text(PROGRAM, encoding="utf-8")
    subprocess.run([COMPILER, "-std=c++17", *options, f"-I{INCLUDE}", *SEARCHED, "-c", source,
                    "-o", source.with_suffix(".o")], check=True)
    # fmt itself is not linked: only what is missing of asynchat counts.
    linked = subprocess.run(
        [COMPILER, source.with_suffix(".o"), LIBRARY, "-pthread", "-o", scratch / "program"],
        capture_output=True, text=True, check=False)
    return "\n".join(line for line in linked.stderr.splitlines()
                     if "undefined reference to `asynchat::" in line)


def mixes_with_library(scratch):
    """What of Asio and fmt has to be as in the library."""
    version, _ = number_of("asio", ["version.hpp"], "ASIO_VERSION")
    asio = changed(scratch / "asio-minor", "asio",
                   ("version.hpp", r"(?<=define ASIO_VERSION )\d+", version + 100))
    asio_patch = changed(scratch / "asio-patch", "asio",
                         ("version.hpp", r"(?<=define ASIO_VERSION )\d+", version + 1))
    fmt, file = number_of("fmt", ["base.h", "core.h"], "FMT_VERSION")
    major = fmt // 10000
    other_fmt = changed(scratch / "fmt-major", "fmt",
                        (file, r"(?<=define FMT_VERSION )\d+", fmt + 10000),
                        (file, rf"\bv{major}\b", f"v{major + 1}"))
    constructor = "detail::compiled_with_asio<"
    for what, options, says in (
            ("the same Asio and fmt", [], None),
            ("a patch of Asio", [asio_patch], None),
            ("another minor version of Asio", [asio], constructor),
            ("Asio with the executors of the TS", ["-DASIO_USE_TS_EXECUTOR_AS_DEFAULT"],
             constructor),
            ("Asio that keeps more memory", ["-DASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=8"],
             constructor),
            ("Asio without epoll", ["-DASIO_DISABLE_EPOLL"], constructor),
            ("Asio that tracks handlers", ["-DASIO_ENABLE_HANDLER_TRACKING"], constructor),
            ("another major version of fmt", [other_fmt], f"fmt::v{major + 1}::")):
        error = link_to_library(scratch, *options)
        if says is None and error:
            yield f"{what}: does not link: {error}"
        if says is not None and says not in error:
            yield f"{what}: {says!r} is not in: {error or 'nothing, it links'}"


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
            "header-only, calls compiled": (INCLUDE, [], INCLUDE, [COMPILED],
                                            f"_{minor}_header_only"),
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
        problems += mixes_with_library(scratch)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
