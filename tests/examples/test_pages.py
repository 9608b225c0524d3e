"""The pages of the examples say how to build and start the programs.

    python3 test_pages.py FOLDER-OF-BUILT-EXAMPLES [test_NAME...]
"""

import os
import re

import support
from support import check, check_that, example

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def text_of(*path):
    with open(os.path.join(TREE, *path), encoding="utf-8") as file:
        return file.read()


def pages():
    """(name, text) of each example that has a page."""
    for name in sorted(os.listdir(os.path.join(TREE, "examples"))):
        if os.path.exists(os.path.join(TREE, "docs", f"{name}.md")):
            yield name, text_of("docs", f"{name}.md")


def test_build_and_start():
    names = [name for name, _ in pages()]
    check("pages", names, ["chat", "frames", "http_fetch", "http_server", "line_echo"])
    for name, text in pages():
        first, section = re.search(r"\n## (.*?)\n(.*?)(?=\n## |\Z)", text, re.S).groups()
        check(f"the first section of {name}", first, "Build and start")
        check_that(f"{name}: ./run examples", f"`build/release/examples/{name}" in section)
        check_that(f"{name}: the folder", f"\ncd build/examples/{name}\n" in section)
        targets = re.search(r"cmake --build build --target (.*)", section)[1].split()
        built = re.findall(r"add_executable\((\w+)", text_of("examples", name, "CMakeLists.txt"))
        check(f"targets of {name}", sorted(targets), sorted(built))
        started = set(re.findall(r"^\./(\w+) ?", section, re.M)) - {"run"}
        check_that(f"{name}: {started} are started", started and started <= set(targets))
        for program in targets:
            check_that(program, os.access(example(name, program), os.X_OK))


if __name__ == "__main__":
    support.main(globals())
