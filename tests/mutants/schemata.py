"""Puts many defects into one file, so that it is compiled only once for all of them.

A function with defects becomes

    { if (asynchat_mutant::is(7)) { body with the defect 7 } else { body as it is } }

and the environment variable ASYNCHAT_MUTANT says, when a program starts, which of them is active.
"""

import collections
import re

VARIABLE = "ASYNCHAT_MUTANT"
HEADER = "asynchat/mutant.hpp"
HEADER_TEXT = """\
#pragma once
#include <cstdlib>
namespace asynchat_mutant {
inline int number() {
    const char* const text = std::getenv("ASYNCHAT_MUTANT");
    return text ? std::atoi(text) : 0;
}
inline const int active = number();
constexpr bool is(int wanted) { return !__builtin_is_constant_evaluated() && active == wanted; }
} // namespace asynchat_mutant
"""

# Where the body of a function is in the text, without its braces.
Body = collections.namedtuple("Body", "begin end")

# In these a brace or a parenthesis means nothing. A number comes first: 1'000.
OPAQUE = re.compile(r"""
    \b\d[\w']*
    | //[^\n]* | /\*.*?\*/
    | R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    | ^[ \t]*\#(?:\\\n|[^\n])*
    """, re.VERBOSE | re.DOTALL | re.MULTILINE)


def masked(text):
    """The same text, of the same size, with dots for what OPAQUE finds."""
    return OPAQUE.sub(lambda found: re.sub(r"[^\n]", ".", found[0]), text)


def end_of(code, at):
    """The place behind the brace or parenthesis that closes the one at `at`."""
    opens = code[at]
    closes = {"(": ")", "{": "}"}[opens]
    depth = 0
    for found in re.finditer(f"[{re.escape(opens + closes)}]", code[at:]):
        depth += 1 if found[0] == opens else -1
        if depth == 0:
            return at + found.end()
    raise ValueError("a brace is not closed")


def without_templates(head):
    """Of these and of access specifiers nothing depends here."""
    head = re.sub(r"\b(public|private|protected)\s*:(?!:)", " ", head.replace(".", " "))
    count = 1
    while count:
        head, count = re.subn(r"<[^<>]*>", " ", head)
    return re.sub(r"\btemplate\b", " ", head).strip()


def kind(head):
    """What begins with a brace behind this text: a scope, a function, or a value."""
    plain = without_templates(head)
    if re.match(r"(inline\s+)?(namespace|class|struct|union|extern)\b", plain):
        return "scope"
    if ")" not in plain or re.match(r"enum\b", plain):
        return "value"
    has_initializers = re.search(r"\)[\w\s]*:(?!:)", plain)
    return "value" if has_initializers and re.search(r"\w\s*$", plain) else "function"


def bodies_of(text):
    """The bodies of the outermost functions of a file, in order."""
    code = masked(text)
    bodies = []
    begin = at = 0  # of what is declared
    while at < len(code):
        what = kind(code[begin:at]) if code[at] == "{" else None
        if code[at] == "(":
            at = end_of(code, at)
        elif what in ("function", "value"):
            end = end_of(code, at)
            if what == "function":
                bodies.append(Body(at + 1, end - 1))
                begin = end
            at = end
        else:
            at += 1
            if code[at - 1] in ";{}":
                begin = at
    return bodies


def outside(text, bodies):
    """What is in none of these bodies."""
    edges = [0] + [edge for body in bodies for edge in body] + [len(text)]
    return [text[begin:end] for begin, end in zip(edges[::2], edges[1::2])]


def changed_bodies(text, mutated):
    """{number of the body: its text with the defect}; None when something else is changed too."""
    before, after = bodies_of(text), bodies_of(mutated)
    if outside(text, before) != outside(mutated, after):
        return None
    pairs = [(text[slice(*a)], mutated[slice(*b)]) for a, b in zip(before, after)]
    return {at: changed for at, (original, changed) in enumerate(pairs) if original != changed}


def woven(text, mutants):
    """The file with all `mutants`, {number: file with that defect}, and the numbers of those that
    could not be put in."""
    changed = {number: changed_bodies(text, mutated) for number, mutated in mutants.items()}
    result, done = f"#include <{HEADER}>\n", 0
    for at, body in enumerate(bodies_of(text)):
        copies = [(number, bodies[at]) for number, bodies in changed.items() if at in (bodies or {})]
        if not copies:
            continue
        result += text[done:body.begin]
        for number, copy in copies:
            result += f"\nif (asynchat_mutant::is({number})) {{ // [{number}]\n{copy}\n}} else"
        result += f"{{ // [0]\n{text[slice(*body)]}\n}}"
        done = body.end
    return result + text[done:], [number for number, bodies in changed.items() if bodies is None]


def numbers_of(said, directory):
    """Of which defects the compiler says, in this directory, that they do not build."""
    numbers = set()
    for file, line in re.findall(r"^(\S+?):(\d+):\d+: error: ", said, re.MULTILINE):
        lines = (directory / file).read_text().splitlines()[:int(line)]
        marks = re.findall(r"// \[(\d+)\]$", "\n".join(lines), re.MULTILINE)
        numbers |= {int(marks[-1])} if marks else set()
    return numbers - {0}
