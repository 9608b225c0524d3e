# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""Looks whether each file that formats includes the header for it: fmt_headers.py [test]

Up to fmt 10, <fmt/core.h> has fmt::format(); in later releases it has not, or only if asked. No
compiler here sees that. With `test`, looks whether it would be noticed.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
USES = re.compile(r"\bfmt::(format|to_string|format_to|format_to_n|formatted_size|vformat|vformat_to|"
                  r"memory_buffer|join)\b(?!_)")
HEADERS = re.compile(r"#\s*include <(fmt/(format|chrono|ranges)\.h|asynchat/detail/fmt_format\.hpp)>")
BLOCK = re.compile(r"(?s)```cpp[^\n]*\n(.*?)```")


def is_wrong(text):
    return bool(USES.search(re.sub(r"//[^\n]*", "", text))) and not HEADERS.search(text)


def texts():
    """The text of each source file, and of each program in the pages, by where it is."""
    for folder in ("include", "src", "tests", "examples", "docs"):
        for file in sorted((ROOT / folder).rglob("*")):
            name = file.relative_to(ROOT)
            if file.suffix in (".cpp", ".hpp", ".ipp"):
                yield name, file.read_text(encoding="utf-8")
            elif file.suffix == ".md":
                for block in BLOCK.findall(file.read_text(encoding="utf-8")):
                    if "#include" in block:
                        yield name, block


def test():
    call = "std::string s = fmt::format(\"{}\", 1);\n"
    return [f"takes {text!r} for {'right' if wrong else 'wrong'}" for text, wrong in (
        ("#include <fmt/core.h>\n" + call, True), (call, True), ("fmt::join(a, \"\");", True),
        ("#include <fmt/format.h>\n" + call, False), ("#  include <fmt/chrono.h>\n" + call, False),
        ("#include <fmt/core.h>\nvoid f(fmt::format_string<int> s);\nfmt::print(\"\");", False),
        ("// as fmt::format() does\n", False)) if is_wrong(text) != wrong]


def main():
    if sys.argv[1:] not in ([], ["test"]):
        sys.exit(__doc__)
    found = test() if sys.argv[1:] else [f"{name} formats without <fmt/format.h>"
                                         for name, text in texts() if is_wrong(text)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
