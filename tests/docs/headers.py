"""Reads what the headers in include/asynchat declare for users: enough of C++ for that, no more."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include" / "asynchat"


def without_comments(text):
    """The text without comments, preprocessor lines, what says who may call a function, and the
    contents of string literals."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"(?m)^[ \t]*#.*(?:\\\n.*)*$", "", text)
    text = re.sub(r"\bASYNCHAT_(API|DECL|PRIVATE)\b ?", "", text)
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', text)


def closing(text, start):
    """The index of the bracket that closes the one at `start`."""
    pairs = {"{": "}", "(": ")", "<": ">"}
    opens, closes = text[start], pairs[text[start]]
    depth = 0
    for i in range(start, len(text)):
        if text[i] == opens:
            depth += 1
        elif text[i] == closes and not (closes == ">" and text[i - 1] == "-"):
            depth -= 1
            if depth == 0:
                return i
    raise ValueError(f"nothing closes '{text[start:start + 40]}'")


def one_line(text):
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"\b(asynchat|detail)::", "", text)


def body_of(header, kind, name):
    """What is between the braces of a class, struct or enum; the first definition of that name."""
    text = without_comments((INCLUDE / header).read_text(encoding="utf-8"))
    found = re.search(rf"\b{kind} (?:\[\[\w+\]\] )?{name}\b[^;{{(]*{{", text)
    if not found:
        raise ValueError(f"{header} has no {kind} {name}")
    start = found.end() - 1
    return text[start + 1:closing(text, start)]


def declarations(body, access):
    """The public and protected declarations of a class, each as (text without its body, whether
    it has one)."""
    i, start = 0, 0
    while i < len(body):
        label = re.compile(r"\s*(public|protected|private):(?!:)").match(body, i)
        if label and start == i:
            access = label.group(1)
            i = start = label.end()
        elif body[i] in "(":
            i = closing(body, i) + 1
        elif body[i] == "{":
            end = closing(body, i)
            text = body[start:i]
            # The braces of an initializer are not the end of the declaration.
            if "(" in text or re.match(r"\s*(class|struct|enum|union)\b", text):
                if access != "private":
                    yield text
                i = start = end + 1
                rest = re.compile(r"\s*;").match(body, i)
                if rest:
                    i = start = rest.end()
            else:
                i = end + 1
        elif body[i] == ";":
            if access != "private":
                yield body[start:i]
            i = start = i + 1
        else:
            i += 1


def without_templates(text):
    text = text.strip()
    while text.startswith("template"):
        text = text[closing(text, text.index("<")) + 1:].strip()
    return text


def members(header, kind, name):
    """What users may call or set: `name(parameters)` of each function, `name` of each variable.

    Left out are operators, destructors, what is deleted, and constructors that copy or move."""
    found = []
    for text in declarations(body_of(header, kind, name), "public" if kind == "struct" else
                             "private"):
        text = without_templates(text)
        if not text or re.match(r"(friend|using|static_assert|class|struct|enum|typedef)\b", text):
            continue
        if re.search(r"=\s*delete\s*$|\boperator\b|~", text):
            continue
        bracket = text.find("(")
        # A default argument or initializer with a call is behind the name, never before it.
        variable = re.match(r"[^(]*?\b(\w+)\s*=", text) or re.fullmatch(r".*>\s+(\w+)\s*", text)
        if variable and variable.end() == len(text):  # std::function<void()> name
            bracket = -1
        if bracket < 0 or (variable and variable.end() <= bracket):
            known = re.search(r"(\w+)\s*(=.*|{.*)?$", text.strip(), re.S)
            found.append(variable.group(1) if variable else known.group(1))
            continue
        called = re.search(r"(\w+)\s*$", text[:bracket]).group(1)
        parameters = one_line(text[bracket + 1:closing(text, bracket)])
        is_copy = re.fullmatch(rf"(const )?{name}(<\w+>)?&&?( \w+)?", parameters)
        if called == name and (is_copy or (not parameters and "= default" in text)):
            continue
        found.append(f"{called}({parameters})")
    return found


def enumerators(header, name):
    return re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", body_of(header, "enum class", name).strip())



def namespaces(text, inside=None):
    """What stands in the namespaces that are for users, as (name inside asynchat, text)."""
    opening = re.compile(r"\b(?:inline )?namespace ([\w:]+) {")
    own, at = "", 0
    opened = opening.search(text)
    while opened:
        own += text[at:opened.start()]
        at = closing(text, opened.end() - 1) + 1
        names = [name for name in opened.group(1).split("::")
                 if name not in ("asynchat", "ASYNCHAT_ABI")]
        if "detail" not in names:
            yield from namespaces(text[opened.end():at - 1], (inside or []) + names)
        opened = opening.search(text, at)
    if inside is not None:
        yield "::".join(inside), own + text[at:]


def public_names(header):
    """What a header declares outside of classes, as (kind, name); kinds are class, struct, enum,
    using, variable and function."""
    found = []
    text = without_comments((INCLUDE / header).read_text(encoding="utf-8"))
    for inside, body in namespaces(text):
        prefix = f"{inside}::" if inside else ""
        for declared in declarations(body, "public"):
            declared = without_templates(declared)
            type_ = re.match(r"(class|struct|enum class|using) (?:\[\[\w+\]\] )?(\w+)\b", declared)
            bracket = declared.find("(")
            if type_:
                found.append((type_.group(1).replace("enum class", "enum"), prefix +
                              type_.group(2)))
            elif re.match(r"[^(]*?\b(\w+)\s*=", declared):
                found.append(("variable", prefix + re.match(r"[^=]*?(\w+)\s*=", declared).group(1)))
            elif bracket > 0 and re.search(r"(?<![~:\w])(\w+)\s*$", declared[:bracket]):
                found.append(("function", prefix +
                              re.search(r"(\w+)\s*$", declared[:bracket]).group(1)))
    return list(dict.fromkeys(found))
