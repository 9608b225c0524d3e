# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Looks who includes whom in include/asynchat: rooms.py [test]

A machine calls nobody, so it includes nothing that it could call: the way in (detail/framing), the
way out (detail/output), the frames of WebSocket (detail/websocket) and a few others know neither
sockets, nor the loop, nor channels, nor logs, nor clocks. No file of the rooms is long, no other is
very long, and no function is. No header includes itself by way of others. One file
asks which system it is, and one calls what is not in POSIX of 2008: no other is compiled in another
way on another system. All names are in the inline
namespace that tells versions apart. With `test`, looks whether all that would be noticed.
"""

import pathlib
import re
import sys
import tempfile

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include" / "asynchat"
ROOMS = ("detail/framing/", "detail/output/", "detail/websocket/")
MACHINES = ("detail/crc32c.hpp", "detail/gate.hpp", "detail/io/accept_backoff.hpp", "detail/io/connect_race.hpp",
            "detail/io/urgent_watch.hpp", "detail/proxy_header.hpp", "detail/timing/back_off.hpp",
            "detail/timing/deadlines.hpp", "detail/timing/rate_limit.hpp")
MAX_LINES = 300
MAX_LINES_ANYWHERE = 700
MAX_BODY = 35  # lines of a function, without its two braces
FORBIDDEN = re.compile(r"asio(\.hpp|/)|fmt/|chrono$|ctime$|time\.h$|sys/time\.h$|"
                       r"asynchat/(loop|dispatcher|socket|const_buffers|detail/timing/clock|"
                       r"detail/io/\w+)\.hpp$")
# What not every POSIX system has, and the files that may name it.
SYSTEM = re.compile(r"__linux__|__unix__|__APPLE__|__\w+BSD__|\baccept4\b|\bSOCK_(?:CLOEXEC|NONBLOCK)\b|"
                    r"\bMSG_(?:NOSIGNAL|CMSG_CLOEXEC)\b|\b(?:SO|F)_(?:SET)?NOSIGPIPE\b|\bsigtimedwait\b|"
                    r"\bTCP_(?!NODELAY\b)[A-Z]\w+|\bSO_REUSEPORT\w*|"
                    r"\bSIOCOUTQ\b|\bPOLLRDHUP\b|\bsched_\w+|\bpipe2\b|"
                    r"<linux/[\w/.]+>|<sys/(?:epoll|eventfd|sendfile|signalfd|timerfd)\.h>")
MAY_NAME_SYSTEMS = ("detail/platform.hpp", "impl/system_calls.ipp")
# The others may ask in an `if`, whose branches are compiled everywhere. platform() names the system.
ASKS_SYSTEM = re.compile(r"^\s*#\s*(?:el)?if[^\n]*\b(ASYNCHAT_(?:HAS|IS)_\w+)", re.M)
MAY_ASK = MAY_NAME_SYSTEMS + ("impl/platform.ipp",)
# What defines ASYNCHAT_ABI, in which all our names are. All others include it, if only by way of others.
FIRST = ("config.hpp", "detail/platform.hpp", "version.hpp")
# What counts time is told it.
ALLOWED = {("detail/timing/back_off.hpp", "chrono"), ("impl/back_off.ipp", "chrono"),
           ("detail/timing/deadlines.hpp", "chrono"), ("impl/deadlines.ipp", "chrono"),
           ("detail/io/accept_backoff.hpp", "chrono"),
           ("detail/timing/rate_limit.hpp", "chrono"),
           ("detail/io/connect_race.hpp", "chrono"), ("impl/connect_race.ipp", "chrono"),
           ("impl/connect_race.ipp", "asynchat/detail/io/connect_race.hpp")}


def includes(text):
    """What a header includes itself, without what follows it in a header-only library."""
    text = re.sub(r"(?ms)^#\s*ifdef ASYNCHAT_HEADER_ONLY\n.*?^#\s*endif\n", "", text)
    return re.findall(r'(?m)^\s*#\s*include\s*[<"]([^>"]+)[>"]', text)


def read(root):
    """The text of each header and implementation, by its path under asynchat/."""
    return {str(file.relative_to(root)): file.read_text(encoding="utf-8")
            for file in sorted(root.rglob("*")) if file.suffix in (".hpp", ".ipp")}


def inside(files):
    """The machines: headers, and the implementations of the same name."""
    headers = [name for name in files if name.startswith(ROOMS) or name in MACHINES]
    bodies = [f"impl/{folder}{pathlib.Path(name).stem}.ipp" for name in headers
              for folder in ("", "websocket/")]
    return headers + [name for name in bodies if name in files]


def ways(files, start):
    """All that a file includes, itself or by way of others: name -> the file that names it."""
    found, waiting = {}, [start]
    while waiting:
        by = waiting.pop()
        for name in includes(files[by]):
            own = name[len("asynchat/"):] if name.startswith("asynchat/") else None
            if name not in found:
                found[name] = by
                if own in files:
                    waiting.append(own)
    return found


def circle(files):
    """A circle of headers that include each other, as a list; or None."""
    done = set()

    def follow(name, path):
        if name in path:
            return path[path.index(name):] + [name]
        if name in done or name not in files:
            return None
        for included in includes(files[name]):
            if included.startswith("asynchat/"):
                found = follow(included[len("asynchat/"):], path + [name])
                if found:
                    return found
        done.add(name)
        return None

    for name in files:
        found = follow(name, [])
        if found:
            return found
    return None


def long_functions(text):
    """The first lines of functions that are long; clang-format puts their braces on lines."""
    lines, found = text.split("\n"), []
    for start, line in enumerate(lines):
        if line not in ("{", "    {"):
            continue
        end = lines.index(line.replace("{", "}"), start) if line.replace("{", "}") in lines[start:] \
            else len(lines)
        if end - start - 1 > MAX_BODY:
            found.append(lines[start - 1].strip())
    return found


def faults(files):
    found = []
    for name in inside(files):
        for included, by in ways(files, name).items():
            if FORBIDDEN.match(included) and (name, included) not in ALLOWED:
                found.append(f"{name} includes <{included}>, by way of {by}")
        lines = files[name].count("\n")
        if lines > MAX_LINES:
            found.append(f"{name} has {lines} lines, {MAX_LINES} at most are allowed")
    for name, text in files.items():
        lines = text.count("\n")
        if lines > MAX_LINES_ANYWHERE:
            found.append(f"{name} has {lines} lines, {MAX_LINES_ANYWHERE} at most are allowed")
        found += [f"{name} has a function of more than {MAX_BODY} lines: {first}"
                  for first in long_functions(text)]
        code = re.sub(r"//[^\n]*", "", text)
        if name not in FIRST and not any(each.startswith("asynchat/") for each in includes(text)):
            found.append(f"{name} includes no header of ours, so ASYNCHAT_ABI may not be defined")
        if re.search(r"^namespace asynchat\b(?! \{\ninline namespace ASYNCHAT_ABI \{$)", code, re.M):
            found.append(f"{name} declares names outside of ASYNCHAT_ABI")
        if name not in MAY_NAME_SYSTEMS:
            found += [f"{name} names {what}" for what in sorted(set(SYSTEM.findall(code)))]
        if name not in MAY_ASK:
            found += [f"{name} asks #if {what}" for what in sorted(set(ASKS_SYSTEM.findall(code)))]
    if not inside(files):
        found.append("there is nothing in " + " and ".join(ROOMS))
    round_trip = circle(files)
    if round_trip:
        found.append("a circle: " + " -> ".join(round_trip))
    return found


def notices():
    """Whether each fault is found, in a few files that are made up."""
    good = {
        "config.hpp": "",
        "loop.hpp": "#include <asynchat/config.hpp>\n#include <asio.hpp>\n#include <chrono>\n",
        "detail/output/queue.hpp": "#include <asynchat/config.hpp>\n#include <string>\n#ifdef ASYNCHAT_HEADER_ONLY\n"
                                   "#  include <asynchat/impl/queue.ipp>\n#endif\n#endif\n",
        "impl/queue.ipp": "#include <asynchat/detail/output/queue.hpp>\n",
        "chat.hpp": "#include <asynchat/detail/output/queue.hpp>\n#include <asynchat/loop.hpp>\n"
                    "namespace asynchat {\ninline namespace ASYNCHAT_ABI {\n",
    }
    queue = "detail/output/queue.hpp"
    with_config = "#include <asynchat/config.hpp>\n"
    defects = {
        "asio": {queue: with_config + "#include <asio/buffer.hpp>\n"},
        "a clock": {queue: with_config + "#  include <chrono>\n"},
        "fmt": {queue: with_config + "#include <fmt/core.h>\n"},
        "the loop": {queue: "#include <asynchat/loop.hpp>\n"},
        "a channel, by way of another": {queue: with_config + '#include "asynchat/chat.hpp"\n'},
        "the loop, in the bodies": {"impl/queue.ipp": "#include <asynchat/loop.hpp>\n"},
        "a long file": {queue: with_config + "\n" * (MAX_LINES + 1)},
        "a very long file": {"loop.hpp": with_config + "\n" * (MAX_LINES_ANYWHERE + 1)},
        "a long function": {"loop.hpp": with_config + "void f()\n{\n" + "\n" * (MAX_BODY + 1) + "}\n"},
        "a system": {"loop.hpp": with_config + "#ifdef __linux__\n#endif\n"},
        "a call that only some systems have": {"impl/queue.ipp": with_config + "accept4(1, nullptr, nullptr, 0);\n"},
        "an option that only some systems have": {"loop.hpp": with_config + "int o = TCP_KEEPCNT;\n"},
        "another option": {"loop.hpp": with_config + "int o = SO_REUSEPORT_LB;\n"},
        "a file that is not the same on each system": {"loop.hpp": with_config + "#if ASYNCHAT_HAS_ACCEPT4\n#endif\n"},
        "a header of Linux": {"loop.hpp": with_config + "#include <sys/epoll.h>\n"},
        "no header of ours": {queue: "#include <string>\n"},
        "another namespace": {queue: with_config + "namespace asynchat {\nclass queue;\n}\n"},
        "another namespace, nested": {queue: with_config + "namespace asynchat::detail {\n"},
        "a circle": {"loop.hpp": "#include <asynchat/chat.hpp>\n"},
        "a header that includes itself": {"loop.hpp": "#include <asynchat/loop.hpp>\n"},
    }
    found = [f"complains: {fault}" for fault in faults(good)]
    found += [f"does not notice {what}" for what, defect in defects.items()
              if not faults({**good, **defect})]
    with tempfile.TemporaryDirectory() as nothing:
        if not faults(read(pathlib.Path(nothing))):
            found.append("does not notice that nothing is there")
    return found


def main():
    if sys.argv[1:] not in ([], ["test"]):
        sys.exit(__doc__)
    found = notices() if sys.argv[1:] else faults(read(INCLUDE))
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
