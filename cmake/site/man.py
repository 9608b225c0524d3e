#!/usr/bin/env python3
# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Makes the manual pages of the larger programs: man.py BIN FOLDER

BIN is the folder with the built programs. What `--help` says is all that a page says: the usage,
a paragraph, and a list with two columns, whose second goes on in lines below it.
"""

import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def programs():
    for path in sorted((ROOT / "examples" / "programs").glob("*/CMakeLists.txt")):
        yield from re.findall(r"(?:add_executable|example_with_streams)\((\w+)",
                              path.read_text(encoding="utf-8"))


def version():
    text = (ROOT / "include" / "asynchat" / "version.hpp").read_text(encoding="utf-8")
    return ".".join(re.findall(r"#define ASYNCHAT_VERSION_\w+ (\d+)", text))


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def marked(text):
    """A usage, or an option: what is typed is bold, what stands for something is italic."""
    return re.sub(r"[A-Z]{1,}\b|[a-z\-][\w\-]*",
                  lambda m: f"\\f{'I' if m.group().isupper() else 'B'}{roff(m.group())}\\fR", text)


def page(name, text):
    usage, *rest = text.rstrip("\n").split("\n\n")
    synopsis = " ".join(usage.split())
    if not synopsis.startswith(f"usage: {name}") or not rest:
        raise ValueError(f"{name} --help has no usage, or says nothing")
    summary = re.split(r"[.:;](?:\s|$)", rest[0])[0]
    if not summary[1].isupper():
        summary = summary[0].lower() + summary[1:]
    day = datetime.datetime.fromtimestamp(
        int(os.environ.get("SOURCE_DATE_EPOCH", datetime.datetime.now().timestamp())),
        datetime.timezone.utc)
    lines = [f'.TH {name.upper()} 1 {day:%Y-%m-%d} "asynchat {version()}" "User Commands"',
             ".SH NAME", f"{name} \\- {roff(' '.join(summary.split()))}",
             ".SH SYNOPSIS", marked(synopsis[len("usage: "):]), ".SH DESCRIPTION"]
    for number, block in enumerate(rest):
        if number and not block.startswith("  "):
            lines.append(".PP")
        for line in block.split("\n"):
            item = re.match(r"  (\S+(?: \S+)*)  +(\S.*)", line)
            if item:
                lines += [".TP", marked(item.group(1)), roff(item.group(2))]
            else:
                lines.append(roff(line.strip()))
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    built, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    found = [name for name in programs() if (built / name).exists()]
    if not found:
        sys.exit(f"man.py: there is no program in {built}")
    for name in found:
        done = subprocess.run([built / name, "--help"], capture_output=True, text=True, check=True,
                              timeout=10)
        (folder / f"{name}.1").write_text(page(name, done.stdout), encoding="utf-8")


if __name__ == "__main__":
    main()
