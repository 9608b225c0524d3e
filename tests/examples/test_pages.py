"""The pages say how to build and start the examples.

    python3 test_pages.py FOLDER-OF-BUILT-EXAMPLES [test_NAME...]
"""

import os
import re

import support
from support import check, check_that, example

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# Built where OpenSSL is installed, or where the compiler has coroutines.
SOMETIMES = ["starttls", "stream_echo", "stream_client", "line_echo_client", "web_chat"]
PROGRAMS = ["chat", "frames", "http_fetch", "http_server", "line_echo", "monitor", "resp_server",
            "smtp_sink", "web_chat"]


def text_of(*path):
    with open(os.path.join(TREE, *path), encoding="utf-8") as file:
        return file.read()


def names_in(*folder, end=""):
    return sorted(name[:len(name) - len(end)] for name in os.listdir(os.path.join(TREE, *folder))
                  if name.endswith(end))


def test_each_program_has_a_page():
    folders = [name for name in names_in("examples", "programs") if "." not in name]
    check("programs", folders, PROGRAMS)
    for name in PROGRAMS:
        section = re.search(r"\n## Build and start\n(.*?)(?=\n## |\Z)", text_of("docs", f"{name}.md"),
                            re.S)[1]
        build, start = re.search(r"\n```sh\n(.*)\n(.*)\n```\n", section).groups()
        built = re.findall(r"(?:add_executable|example_with_streams)\((\w+)",
                           text_of("examples", "programs", name, "CMakeLists.txt"))
        check(f"the first command of {name}", build,
              "cmake -B build -DASYNCHAT_BUILD_EXAMPLES=ON && cmake --build build -t "
              + " ".join(built))
        check_that(f"the second command of {name} starts one: {start}",
                   re.match(r"build/bin/(\w+)", start)[1] in built)
        check_that(f"{name}: ./run examples", "`./run examples`" in section)
        for program in built:
            if program not in SOMETIMES:
                check_that(program, os.access(example(program), os.X_OK))


def test_the_page_of_the_examples_has_them_all():
    page = text_of("docs", "examples.md")
    files = names_in("examples", end=".cpp")
    check("examples", re.findall(r"^\| \[\w+\]\(\.\./examples/(\w+)\.cpp\) \|", page, re.M), sorted(
        files, key=["echo", "line_server", "client", "redis_client", "framed", "proxy", "starttls", "stream_echo",
                    "stream_client", "broadcast", "service"].index))
    check("programs", sorted(re.findall(r"^\| \[\w+\]\((\w+)\.md\) \|", page, re.M)), PROGRAMS)
    for name in files:
        if name not in SOMETIMES:
            check_that(name, os.access(example(name), os.X_OK))


if __name__ == "__main__":
    support.main(globals())
