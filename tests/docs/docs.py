#!/usr/bin/env python3
"""Keeps README.md and docs/*.md true.

    docs.py check                    links, layout, names, and the blocks of Python
    docs.py generate DIRECTORY       makes C++ sources of the blocks of C++
    docs.py run DOCS README [TLS [WEBSOCKET [STREAMS]]]
                                     runs the programs that are marked `run` or `server`; those that
                                     need TLS, WebSocket or coroutines are in programs of their own, or `-`
                                     where they cannot be built

The word after the language of a fence says what a block of C++ is:

    cpp               with an `int main`: a whole program, which is compiled and linked;
                      else declarations, compiled at namespace scope
    cpp run           a program that ends by itself, with status 0 and with the output that a block
                      `text output` right after it shows, if there is one
    cpp server        a program that logs its address, serves the conversation in the block
                      `text session` right after it, and ends on SIGINT with status 0
    cpp statements    the body of a function; `loop` is an asynchat::loop
    cpp members       members of a subclass of async_chat

What is no program finds the declarations of prelude.hpp. No block is left out, and a fence that is
none of these, nor one of the other known languages, is an error.
"""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the tree stays as it is
from faults import problem, report  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md"] + sorted((ROOT / "docs").glob("*.md"))
TIMEOUT = 30  # seconds, for anything that could hang

KINDS = {
    "cpp": {"", "run", "server", "statements", "members"},
    "text": {"", "output", "session", "haproxy"},
    "python": {""},
    "cmake": {""},
    "sh": {""},
}
README_LINES = 25
NEEDS = ("", "tls_", "websocket_", "streams_", "tls_streams_")  # the last one has no programs

# What a program that uses the left has to include.
INCLUDES = {
    r"std::(string|to_string)\b": "string",
    r"std::(move|exchange|pair)\b": "utility",
    r"std::(shared_ptr|unique_ptr|make_shared|make_unique)\b": "memory",
    r"std::vector\b": "vector",
    r"std::map\b": "map",
    r"std::set\b": "set",
    r"std::thread\b": "thread",
    r"std::exception\b": "exception",
    r"std::from_chars\b": "charconv",
    r"std::chrono\b": "chrono",
    r"std::(printf|fputs|fflush)\b": "cstdio",
    r"fmt::print\b": "fmt/core.h",
}


class Block:
    def __init__(self, page, line, language, kind, text):
        self.page, self.line = page, line  # of its first line of text
        self.language, self.kind, self.text = language, kind, text
        self.name = f"{page.stem}_{line}"
        self.where = f"{page.relative_to(ROOT)}:{line}"

    @property
    def needs(self):
        """What not every build has: the prefix of the sources that it goes into."""
        tls = self.page.name == "tls.md" or "<asynchat/tls.hpp>" in self.text
        streams = self.page.name == "streams.md" or "<asynchat/streams.hpp>" in self.text
        if self.page.name == "websocket.md" or "<asynchat/websocket_chat.hpp>" in self.text:
            return "websocket_"
        return "tls_" * tls + "streams_" * streams

    @property
    def is_program(self):
        return self.language == "cpp" and re.search(r"^int main\(", self.text, re.M) is not None


def blocks_of(page):
    """All fenced blocks of a page, in order."""
    found, start, info, lines = [], None, "", []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*```(.*)$", line)
        if start is None and fence:
            start, info, lines = number + 1, fence.group(1).strip(), []
        elif fence:
            language, _, kind = info.partition(" ")
            block = Block(page, start, language, kind, "\n".join(lines) + "\n")
            if language not in KINDS or kind not in KINDS[language]:
                problem(block.where, f"unknown kind of block: '{info}'")
            if kind in ("run", "server") and not block.is_program:
                problem(block.where, f"'{info}' without int main")
            if kind in ("statements", "members") and block.is_program:
                problem(block.where, f"'{info}' with int main")
            found.append(block)
            start = None
        elif start is not None:
            lines.append(line)
    if start is not None:
        problem(page.name, f"the block of line {start - 1} does not end")
    return found


def all_blocks():
    return [block for page in PAGES for block in blocks_of(page)]


# ---- generate -----------------------------------------------------------------------------------

def split_includes(block):
    """The #include lines, and the rest with as many lines as before."""
    includes, rest = [], []
    for line in block.text.splitlines():
        is_include = line.startswith("#include")
        if is_include:
            includes.append(line)
        rest.append("" if is_include else line)
    return includes, "\n".join(rest) + "\n"


def renamed_main(text):
    """A main() that can stand beside others: another name, and the `return 0` that only main()
    may leave out."""
    head, tail = re.split(r"^int main\(", text, maxsplit=1, flags=re.M)
    body, end, rest = tail.partition("\n}\n")
    return f"{head}int documented_main({body}\n    return 0;{end}{rest}"


def any_port(text):
    return re.sub(r"\b8080\b", "0", text)


def in_namespace(block, before, text, after):
    page = block.page.relative_to(ROOT)
    return (f"namespace {block.name} {{\n{before}"
            f'#line {block.line} "{page}"\n{text}'
            f"{after}}} // namespace {block.name}\n\n")


def wrapped(block, text):
    if block.kind == "statements":
        loop = "" if "asynchat::loop loop" in text else "[[maybe_unused]] asynchat::loop& loop"
        return in_namespace(block, f"void statements({loop})\n{{\n", text, "}\n")
    if block.kind == "members":
        before = ("class members : public asynchat::async_chat {\npublic:\n"
                  "    using async_chat::async_chat;\n")
        return in_namespace(block, before, text, "};\n")
    return in_namespace(block, "", text, "")


def fragments_of(blocks):
    """The source with all blocks that are no programs."""
    includes, fragments = set(), ""
    for block in blocks:
        if not block.is_program:
            lines, text = split_includes(block)
            includes.update(lines)
            fragments += wrapped(block, text)
    return "\n".join(sorted(includes)) + '\n#include "prelude.hpp"\n\n' + fragments


def programs_of(blocks):
    """The source with all programs: its main() runs the one that it is told."""
    includes, source, table = {"#include <string_view>"}, "", ""
    for block in blocks:
        if not block.is_program:
            continue
        lines, text = split_includes(block)
        includes.update(lines)
        source += in_namespace(block, "", renamed_main(any_port(text)), "")
        arguments = "argc - 1, argv + 1" if "main(int" in text else ""
        table += (f'    if (name == "{block.name}")\n'
                  f"        return {block.name}::documented_main({arguments});\n")
    return ("\n".join(sorted(includes)) + "\n\n" + source +
            "int main(int argc, [[maybe_unused]] char** argv)\n{\n"
            '    const std::string_view name = argc > 1 ? argv[1] : "";\n' + table +
            "    return 2;\n}\n")


def generate(directory):
    blocks = [block for block in all_blocks() if block.language == "cpp"]
    readme = next(block for block in blocks if block.is_program)
    sources = {"readme.cpp": f'#line {readme.line} "README.md"\n' + any_port(readme.text)}
    for needs in NEEDS:
        some = [block for block in blocks if block is not readme and block.needs == needs]
        sources[needs + "fragments.cpp"] = fragments_of(some)
        if needs != "tls_streams_":
            sources[needs + "programs.cpp"] = programs_of(some)
    for name, text in sources.items():
        path = Path(directory) / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


# ---- check --------------------------------------------------------------------------------------

def without_blocks(page):
    """The lines of a page that are text, with their numbers."""
    inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if re.match(r"\s*```", line):
            inside = not inside
        elif not inside:
            yield number, line


def anchors(page):
    """The headings as the usual renderers name them in links."""
    found = set()
    for _, line in without_blocks(page):
        heading = re.match(r"#+ (.*)", line)
        if heading:
            slug = re.sub(r"[^a-z0-9 _-]", "", heading.group(1).lower()).replace(" ", "-")
            found.add(slug)
    return found


def check_links(page):
    targets = set()
    for number, line in without_blocks(page):
        for target in re.findall(r"\]\(([^)]+)\)", line):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            where = (page.parent / path).resolve() if path else page
            if not where.exists():
                problem(f"{page.name}:{number}", f"nothing is at '{target}'")
            elif anchor and anchor not in anchors(where):
                problem(f"{page.name}:{number}", f"no heading for '{target}'")
            targets.add(where)
    return targets


def check_layout(page):
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{page.name}:{number}"
        if not line.isascii():
            problem(where, "not ASCII")
        if line != line.rstrip() or "\t" in line:
            problem(where, "blanks at the end, or a tab")
        if len(line) > 100 and not line.startswith("|"):
            problem(where, f"{len(line)} columns")


def check_names(page, known):
    """Everything written as `name()` has to be in the headers; Python's names are in porting.md."""
    for number, line in without_blocks(page):
        for code in re.findall(r"`([^`]+)`", line):
            if code.startswith("std::"):
                continue
            for name in re.findall(r"\b([a-z_]\w*)\(\)", code):
                if name not in known:
                    problem(f"{page.name}:{number}", f"{name}() is not in the headers")


def check_python(block):
    try:
        compile(block.text, block.where, "exec")
    except SyntaxError as error:
        problem(block.where, f"Python: {error}")


def check_program(block):
    included = set(re.findall(r"^#include <(.*)>", block.text, re.M))
    if "asynchat/asynchat.hpp" not in included:
        problem(block.where, "a program includes <asynchat/asynchat.hpp>")
    for use, header in INCLUDES.items():
        if re.search(use, block.text) and header not in included:
            problem(block.where, f"a program that uses {use} includes <{header}>")


def check_porting():
    """porting.md has a word on each name of the two modules, where Python still has them."""
    try:
        import warnings
        warnings.simplefilter("ignore")
        import asynchat
        import asyncore
    except ImportError:
        print("docs: this Python has no asynchat: the names in porting.md are not compared")
        return
    text = (ROOT / "docs" / "porting.md").read_text()
    names = set()
    for module in (asyncore, asynchat):
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) == module.__name__ and not name.startswith("__"):
                names.add(name)
                if isinstance(value, type):
                    names.update(n for n in vars(value) if not n.startswith("__"))
    for name in sorted(names - {"_exception", "_strerror"}):
        if not re.search(rf"\b{name}\b", text):
            problem("porting.md", f"says nothing about {name}")


def check():
    headers = "".join(p.read_text() for p in (ROOT / "include" / "asynchat").glob("*.hpp"))
    headers = re.sub(r"//.*", "", headers)
    known = set(re.findall(r"([a-z_]\w*)\s*[({]", headers))
    linked = {}
    for page in PAGES:
        linked[page.name] = check_links(page)
        check_layout(page)
        if page.name not in ("porting.md", "misconceptions.md"):
            check_names(page, known)
    for page in PAGES[1:]:
        if page.name != "index.md" and page not in linked["index.md"]:
            problem("index.md", f"does not lead to {page.name}")

    blocks = all_blocks()
    for block, after in zip(blocks, blocks[1:] + [None]):
        if block.language == "python":
            check_python(block)
        if block.is_program:
            check_program(block)
        if block.kind == "server" and (after is None or after.kind != "session"):
            problem(block.where, "no `text session` after it")
    first = blocks_of(PAGES[0])[0]
    lines = first.text.count("\n")
    if not first.is_program or lines > README_LINES:
        problem("README.md", f"begins with a program of {lines} lines, not of {README_LINES}")

    version = re.findall(r"#define ASYNCHAT_VERSION_\w+ (\d+)",
                         (ROOT / "include/asynchat/version.hpp").read_text())
    if f"## {'.'.join(version)}" not in (ROOT / "docs/changelog.md").read_text():
        problem("changelog.md", f"says nothing about {'.'.join(version)}")
    check_porting()


# ---- run ----------------------------------------------------------------------------------------

class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.lines = self.socket.makefile("rb")

    def say(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def hear(self):
        line = self.lines.readline()
        return line.decode().rstrip("\r\n") if line else "(end)"


def talk(session, port):
    """Plays a session: `name> line` is sent, `name< line` is what comes back, `(end)` the end of
    the connection. A client connects when its name first appears."""
    clients = {}
    for line in session.text.splitlines():
        who, direction, what = re.fullmatch(r"(\w*)([<>]) ?(.*)", line).groups()
        if who not in clients:
            clients[who] = Client(port)
        if direction == ">":
            clients[who].say(what)
            continue
        heard = clients[who].hear()
        if heard != what:
            problem(session.where, f"expected '{line}', got '{heard}'")
            return


def serve(command, session):
    # A file would be simpler, but the line with the address has to be waited for.
    server = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        address = os.read(server.stderr.fileno(), 4096).decode()
        port = re.search(r"127\.0\.0\.1:(\d+)", address)
        if not port:
            problem(session.where, f"no address in '{address}'")
            return
        talk(session, int(port.group(1)))
        server.send_signal(signal.SIGINT)
        if server.wait(TIMEOUT) != 0:
            problem(session.where, f"status {server.returncode} after SIGINT")
    finally:
        server.kill()
        server.wait()
        server.stderr.close()


def run(docs, readme, over_tls="-", websocket="-", streams="-"):
    blocks = all_blocks()
    count = 0
    readme_name = next(b.name for b in blocks if b.is_program)
    for block, after in zip(blocks, blocks[1:] + [None]):
        if block.kind not in ("run", "server"):
            continue
        program = {"": docs, "tls_": over_tls, "websocket_": websocket,
                   "streams_": streams}[block.needs]
        if program == "-":
            continue
        command = [readme] if block.name == readme_name else [program, block.name]
        if block.kind == "server":
            serve(command, after)
        else:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  timeout=TIMEOUT, check=False)
            if done.returncode != 0:
                problem(block.where, f"ended with status {done.returncode}")
            elif after and after.kind == "output" and done.stdout.decode() != after.text:
                problem(block.where, f"printed:\n{done.stdout.decode()}")
        count += 1
    print(f"docs: {count} programs run")


def main():
    commands = {"check": check, "generate": generate, "run": run}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
    report()


if __name__ == "__main__":
    main()
