# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""What the public headers declare, with its comments, as Doxygen reads it.

    declarations.py FILE     the header as Doxygen shall see it

Doxygen finds the declarations. It would take the backslashes and angle brackets of a comment for
commands of its own, so each comment reaches it, and comes back from it, word for word.
"""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
WIDTH = 80  # of a declaration

OPTIONS = """
INPUT                = "{include}/asynchat"
EXCLUDE              = "{include}/asynchat/impl"
RECURSIVE            = YES
FILE_PATTERNS        = *.hpp
STRIP_FROM_PATH      = "{include}"
INPUT_FILTER         = "'{python}' -B '{script}'"
OUTPUT_DIRECTORY     = "{output}"
GENERATE_HTML        = NO
GENERATE_LATEX       = NO
GENERATE_XML         = YES
XML_PROGRAMLISTING   = NO
EXTRACT_ALL          = YES
MARKDOWN_SUPPORT     = NO
AUTOLINK_SUPPORT     = NO
INHERIT_DOCS         = NO
SORT_MEMBER_DOCS     = NO
INCLUDE_GRAPH        = NO
INCLUDED_BY_GRAPH    = NO
MACRO_EXPANSION      = YES
EXPAND_ONLY_PREDEF   = YES
PREDEFINED           = ASYNCHAT_API= ASYNCHAT_DECL= ASYNCHAT_PRIVATE= ASIO_HAS_CO_AWAIT ASYNCHAT_COMPILED_LIB
QUIET                = YES
"""


# ---- for Doxygen ---------------------------------------------------------------------------------

def filtered(text):
    """The same lines, with each comment of documentation marked as verbatim, and without the inline
    namespace, which users do not write."""
    text = re.sub(r"(?m)^(inline|}( //)?) namespace ASYNCHAT_ABI( {)?$", "", text)
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        begin = re.match(r"\s*///(?!<)", lines[at])
        if not begin:
            lines[at] = re.sub(r"///< ?(.*)$", r"///< @verbatim \1 @endverbatim", lines[at])
            at += 1
            continue
        end = at
        while end + 1 < len(lines) and re.match(r"\s*///(?!<)", lines[end + 1]):
            end += 1
        if "@file" in lines[at]:  # read by introduction()
            lines[at:end + 1] = [""] * (end + 1 - at)
        else:
            lines[at] = begin.group() + " @verbatim" + lines[at][begin.end():]
            lines[end] += " @endverbatim"
        at = end + 1
    return "\n".join(lines)


def run_doxygen(output):
    """Writes the XML into a folder. What Doxygen does not find, tests/docs/site.py misses."""
    options = OPTIONS.format(include=INCLUDE, output=output, python=sys.executable,
                             script=Path(__file__).resolve())
    subprocess.run(["doxygen", "-"], input=options, stdout=subprocess.DEVNULL, text=True,
                   check=True)


# ---- from Doxygen --------------------------------------------------------------------------------

class Entity:
    """A class, function, variable, enum, alias or macro."""

    def __init__(self, kind, name, file, line):
        self.kind = kind          # class, struct, function, variable, typedef, enum, define
        self.name = name          # without its namespace
        self.scope = ""           # its namespace inside asynchat: testing, tls
        self.file, self.line = file, line  # of the declaration
        self.end = line           # the last line of the definition there
        self.source = ""          # that line
        self.doc, self.is_trailing = "", False  # trailing: the comment stands behind it
        self.signature = []       # lines
        self.access = "public"
        self.overrides = False
        self.bases = []           # of a class, public ones
        self.members = []         # of a class
        self.values = []          # of an enum: (name, doc)
        self.is_copyable = True

    @property
    def full_name(self):
        return f"{self.scope}::{self.name}" if self.scope else self.name


def text_of(element):
    return "" if element is None else "".join(element.itertext())


def doc_of(element):
    """The comment, as it was written."""
    found = []
    for part in ("briefdescription", "detaileddescription", "inbodydescription"):
        for verbatim in element.findall(f"{part}//verbatim"):
            found.append(verbatim.text or "")
    lines = [re.sub(r"^(\s*///)? ?", "", line) for line in "\n".join(found).split("\n")]
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def tidy(code):
    """As the project writes it: `const T& name`, `std::vector<T>`."""
    code = re.sub(r"\s+", " ", code).strip()
    code = re.sub(r"\basynchat::", "", code)
    code = re.sub(r"\s*([*&]+)\s*(?=[\w,)>.]|$)", lambda m: m.group(1) + " ", code)
    code = re.sub(r"([*&]) (?=[,)>.])", r"\1", code)
    code = re.sub(r"([*&]) (?=\.\.\.)", r"\1", code)
    code = re.sub(r"\( ?([*&]) (\w)", r" (\1\2", code)   # char (&text)[N]
    code = re.sub(r"(\w)< ", r"\1<", code)
    code = re.sub(r" >", ">", code)
    code = re.sub(r"(?<![=!<>+\-])\s*=\s*(?!=)", " = ", code)
    return re.sub(r"\s+", " ", code).strip()


def is_condition(kind):
    """Whether a parameter of a template only says for which types it is."""
    return re.match(r"(typename )?(std::enable_if|detail::if_)", kind) is not None


def template_line(element):
    parameters = []
    found = element.find("templateparamlist")
    if found is None:
        return []
    for parameter in found.findall("param"):
        kind = tidy(text_of(parameter.find("type")))
        if is_condition(kind):
            continue
        name = text_of(parameter.find("declname"))
        default = tidy(text_of(parameter.find("defval")))
        text = f"{kind} {name}" if name and not kind.endswith(" " + name) else kind
        parameters.append(text + (f" = {default}" if default else ""))
    return [f"template <{', '.join(parameters)}>"] if parameters else []


def split_parameters(text):
    """("(a, b<c, d>)", " const") of "(a, b<c, d>) const", the parameters apart."""
    depth, start, found = 0, 1, []
    for at, character in enumerate(text):
        if character in "(<[{":
            depth += 1
        elif character in ")>]}" and not text[at - 1:at + 1] == "->":
            depth -= 1
            if depth == 0:
                return found + ([text[start:at].strip()] if at > start else []), text[at + 1:]
        elif character == "," and depth == 1:
            found.append(text[start:at].strip())
            start = at + 1
    return found, ""


def wrapped(head, arguments):
    """A declaration; its parameters in several lines when they do not fit into one."""
    parameters, rest = split_parameters(arguments)
    if len(head + arguments) <= WIDTH or not parameters:
        return [head + arguments]
    pieces = [parameter + "," for parameter in parameters[:-1]] + [parameters[-1] + ")" + rest]
    lines, indent = [head + "("], " " * (len(head) + 1)
    if len(indent) + max(map(len, pieces)) > WIDTH:
        lines, indent = lines + ["    "], "    "
    for piece in pieces:
        if not lines[-1].endswith("(") and lines[-1].strip():
            if len(lines[-1]) + 1 + len(piece) > WIDTH:
                lines.append(indent)
            else:
                lines[-1] += " "
        lines[-1] += piece
    return lines


def location_of(entity, element, files):
    place = element.find("location")
    file = place.get("declfile") or place.get("file")
    line = int(place.get("declline") or place.get("line"))
    entity.file, entity.line, entity.end = file, line, line
    if place.get("bodyfile") == file and int(place.get("bodyend") or -1) >= line and \
            place.get("line") == place.get("declline", place.get("line")):
        entity.end = int(place.get("bodyend"))
    entity.source = files(file)[line - 1].strip()
    entity.is_trailing = "///<" in entity.source
    return entity


def member_of(element, files):
    kind, name = element.get("kind"), text_of(element.find("name"))
    entity = location_of(Entity(kind, name, "", 0), element, files)
    entity.doc = doc_of(element)
    entity.access = element.get("prot")
    for value in element.findall("enumvalue"):
        entity.values.append((text_of(value.find("name")),
                              tidy(text_of(value.find("initializer"))), doc_of(value)))
    if kind in ("function", "friend") and entity.source.startswith("using "):  # names of a base
        base = re.match(r"using ([\w:<>]+)::", entity.source)
        entity.doc, entity.signature = f"As in {base.group(1)}.", [entity.source]
        return entity
    arguments = text_of(element.find("argsstring"))
    entity.overrides = bool(re.search(r"\b(override|final)\b", arguments))
    make = {"define": macro, "enum": enumeration, "typedef": alias, "variable": variable}
    entity.signature = make.get(kind, function)(
        element, entity, tidy(text_of(element.find("type"))),
        tidy(text_of(element.find("initializer"))))
    if kind not in ("define", "enum"):
        entity.signature = template_line(element) + entity.signature
    return entity


def macro(_, entity, _type, value):
    return [f"#define {entity.name} {value}".rstrip()]


def alias(_, entity, type_text, _value):
    return [f"using {entity.name} = {type_text};"]


def variable(element, entity, type_text, value):
    name = entity.name + tidy(text_of(element.find("argsstring")))  # the brackets of an array
    return [f"{type_text} {name} {value}".rstrip() + ";"]


def enumeration(element, entity, type_text, _):
    head = "enum class" if element.get("strong") == "yes" else "enum"
    head += f" {entity.name}" + (f" : {type_text}" if type_text else "")
    values = [f"{name} {value}".rstrip() for name, value, _ in entity.values]
    line = head + " { " + ", ".join(values) + " };"
    return [line] if len(line) <= WIDTH else [head + " {", *[f"    {v}," for v in values], "};"]


def function(element, entity, type_text, _):
    arguments = tidy(text_of(element.find("argsstring")))
    if element.get("kind") == "friend":
        type_text = type_text.replace("friend ", "", 1)
    is_virtual = element.get("virt") in ("virtual", "pure-virtual") and not entity.overrides
    is_constant = type_text.startswith("constexpr")
    words = [word for word, stands in (
        ("constexpr", is_constant), ("friend", element.get("kind") == "friend"),
        ("explicit", element.get("explicit") == "yes"),
        ("static", element.get("static") == "yes"), ("virtual", is_virtual)) if stands]
    words += [type_text.replace("constexpr", "", 1).strip() if is_constant else type_text]
    return wrapped(" ".join([word for word in words if word] + [entity.name]), arguments + ";")


def is_public(element):
    """Whether a member is one for users."""
    name, arguments = text_of(element.find("name")), text_of(element.find("argsstring"))
    if element.get("prot") == "private" or re.search(r"=\s*delete\s*$", arguments):
        return False
    if element.get("kind") == "friend" and "(" not in arguments:
        return False
    return not (name.startswith("~") and not doc_of(element))


def is_internal(entity):
    """Whether it is only for the library itself: a type of it is nothing that a user has. What else
    a signature may say of such types is written in another way."""
    text = "\n".join(entity.signature)
    for pattern, plain in (
            (r"detail::string_argument\b", "std::string_view"),  # which it is made of
            (r"= server<detail::\w+>", "= server<...>")):
        text = re.sub(pattern, plain, text)
    entity.signature = text.split("\n")
    return "detail::" in text


def copies_or_moves(name, member):
    if member.name == "operator=":
        return not member.doc
    pattern = rf".*\b{name}\((const )?{name}(<[\w, ]+>)?&&?( \w+)?\).*"
    return member.name == name and not member.doc and \
        re.fullmatch(pattern, " ".join(member.signature)) is not None


def head_of(entity, files):
    """The class and its public bases, as the header says it."""
    text = " ".join(files(entity.file)[entity.line - 1:entity.line + 5]) \
        .replace("ASYNCHAT_API ", "")
    head, _, bases = re.split(r"[{;]", text)[0].partition(" : ")
    default = "public " if head.startswith("struct") else "private "
    for base in split_parameters(f"({bases})")[0]:
        base = base if re.match("public |private ", base) else default + base
        if base.startswith("public ") and "detail::" not in base:
            base = re.sub(rf"\basynchat::(?!{entity.name}\b)", "", base)
            entity.bases.append(base[len("public "):])
    head = re.sub(r"\[\[\w+\]\] | final$", "", head.strip())
    return head + (" : public " + ", public ".join(entity.bases) if entity.bases else "")


def class_of(element, scope, name, files):
    entity = location_of(Entity(element.get("kind"), name, "", 0), element, files)
    entity.scope = scope
    entity.doc = doc_of(element)
    entity.signature = template_line(element) + [head_of(entity, files) + ";"]
    for member in element.findall("sectiondef/memberdef"):
        arguments = text_of(member.find("argsstring"))
        if re.match(rf"\(const {name}\s*&.*=\s*delete$", arguments):
            entity.is_copyable = False
        if is_public(member):
            entity.members.append(member_of(member, files))
    entity.members = [m for m in entity.members if not copies_or_moves(name, m)]
    entity.members.sort(key=lambda member: member.line)
    return entity


def read(folder):
    """All public entities, from the folder with Doxygen's XML."""
    texts = {}

    def files(name):
        if name not in texts:
            texts[name] = (INCLUDE / name).read_text(encoding="utf-8").split("\n")
        return texts[name]

    found = []
    for path in sorted((Path(folder) / "xml").glob("*.xml")):
        element = ElementTree.parse(path).getroot().find("compounddef")
        if element is None:
            continue
        kind, name = element.get("kind"), text_of(element.find("compoundname"))
        scope = re.fullmatch(r"asynchat(?:::(testing|tls))?(?:::(\w+))?", name)
        if kind in ("class", "struct") and scope and scope.group(2):
            found.append(class_of(element, scope.group(1) or "", scope.group(2), files))
        elif kind == "namespace" and scope and scope.group(2) is None:
            for member in element.findall("sectiondef/memberdef"):
                entity = member_of(member, files)
                entity.scope = scope.group(1) or ""
                found.append(entity)
        elif kind == "file" and element.find("location").get("file") == "asynchat/version.hpp":
            for member in element.findall("sectiondef[@kind='define']/memberdef"):
                if not text_of(member.find("name")).endswith("_HPP"):
                    found.append(member_of(member, files))
    for entity in found:
        entity.members = [m for m in entity.members if not is_internal(m)]
    return [entity for entity in found if not is_internal(entity)]


if __name__ == "__main__":
    sys.stdout.write(filtered(Path(sys.argv[1]).read_text(encoding="utf-8")))
