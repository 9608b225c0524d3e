# asynchat - Python's asynchat programming model on standalone Asio
# SPDX-License-Identifier: BSL-1.0
"""The reference of the site: a page of Markdown for each public header, made of its comments."""

import re
from pathlib import Path

import declarations

INCLUDE = declarations.INCLUDE
FOLDER = "reference"
# How a comment begins a sentence that says how Python does it.
REMARK = re.compile(r"(?:(?<=^)|(?<=[.:)\"`] ))(Python|Differs): ")


# ---- names and their places ----------------------------------------------------------------------

class Names:
    """Where each name of the reference stands."""

    def __init__(self, entities, page_of):
        self.bases, self.places, self.owners, self.enums = {}, {}, {}, set()
        for entity in entities:
            page = page_of(entity)
            self.places[entity.full_name] = f"{page}#{entity.full_name}"
            self.bases[entity.full_name] = entity.bases
            members = [m.name for m in entity.members if not m.source.startswith("using ")]
            for name in members + [value for value, _, _ in entity.values]:
                self.places[f"{entity.full_name}::{name}"] = f"{page}#{anchor(entity, name)}"
            for name in members:
                self.owners.setdefault(name, []).append(entity.full_name)
            if entity.kind == "enum":
                self.enums.add(entity.full_name)

    def with_bases(self, owner):
        for base in self.bases.get(owner, []):
            base = re.sub(r"<.*|^asynchat::", "", base)
            for known in (f"{owner.rpartition('::')[0]}::{base}", base):
                if known in self.bases and known != owner:
                    yield known
                    yield from self.with_bases(known)

    def find(self, name, owner=""):
        """The place of a name that a comment of `owner` uses, or None."""
        is_call = "(" in name
        name = re.sub(r"<[^<>]*>", "", re.sub(r"\(.*", "", name))
        scope = owner.partition("::")[0] + "::" if "::" in owner else ""
        for full in [f"{one}::{name}" for one in [owner, *self.with_bases(owner)] if one] + \
                [scope + name, name]:
            if full in self.places and not (is_call and full in self.enums):
                return self.places[full]
        head, _, last = name.rpartition("::")
        if head:  # of a base of that class
            return next((self.places[f"{base}::{last}"] for base in self.with_bases(head)
                         if f"{base}::{last}" in self.places), None)
        owners = self.owners.get(name, [])
        # The same name in several classes: a channel's, or the one that the others have it from.
        tops = [one for one in ("dispatcher", "async_chat") if one in owners][:1] or \
            [one for one in owners if not set(self.with_bases(one)) & set(owners)]
        return self.places[f"{tops[0]}::{name}"] if len(set(tops)) == 1 else None


def anchor(entity, name):
    """The id of a member. Operators are spelt, for links."""
    signs = {"==": "eq", "!=": "ne", "<": "lt", "->": "arrow", "*": "deref", "+=": "add",
             "()": "call", "=": "assign"}
    if name.startswith("operator"):
        rest = name[len("operator"):].strip()
        name = "operator-" + signs.get(rest, re.sub(r"\W+", "-", rest))
    return f"{entity.full_name}.{name}"


# ---- comments ------------------------------------------------------------------------------------

def code_span(code):
    ticks = "``" if "`" in code else "`"
    return ticks + code + ticks


def call_at(text, start):
    """The end of "name(...)" whose bracket opens at `start`; None if it does not close."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at + 1
    return None


TOKEN = re.compile(r"`[^`]+`"
                   r"|\"(?:\\.|[^\"\\])*\"|'\\.[^']*'"
                   r"|~?[A-Za-z_]\w*(?:<[^<>\s]*(?:<[^<>]*>)?[^<>\s]*>(?!\w))?"
                   r"(?:(?:::|\.)[A-Za-z_~]\w*(?:<[^<>\s]*>)?)*")


def inline(text, names, owner):
    """A sentence in Markdown: what is code is marked, what is known is a link, unless there are no
    names."""
    result, at = "", 0
    for token in TOKEN.finditer(text):
        if token.start() < at:
            continue
        result += escaped(text[at:token.start()])
        word, at = token.group(), token.end()
        if word.startswith("`"):  # a word alone is a parameter
            result += code_span(word[1:-1]) if word[1:-1].isalnum() else \
                link(word[1:-1], names, owner)
            continue
        if word[0] in "\"'":
            result += code_span(word) if re.search(r"[\\<>*_{}]", word) else escaped(word)
            continue
        if text[at:at + 1] == "(" and call_at(text, at):
            at = call_at(text, at)
            word = text[token.start():at]
        is_code = re.search(r"_|::|\(|<", word) or names is None and \
            re.search(r"\.(?!py$)", word)
        result += link(word, names, owner) if is_code else escaped(word)
    return result + escaped(text[at:])


def link(code, names, owner):
    place = names and re.match(r"[~\w:]+(<[^<>]*>)?(\(|$)", code) and names.find(code, owner)
    return f"[{code_span(code)}]({place})" if place else code_span(code)


def escaped(text):
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)


def blocks_of(doc):
    """Paragraphs, and blocks of code, whose lines are indented."""
    blocks = []
    for part in re.split(r"\n\s*\n", doc):
        for line in part.split("\n"):
            kind = "code" if line.startswith("    ") else "text"
            if not blocks or blocks[-1][0] != kind or blocks[-1][2]:
                blocks.append([kind, [], False])
            blocks[-1][1].append(line)
        if blocks:
            blocks[-1][2] = True  # a blank line ends it
    joined = []
    for kind, lines, _ in blocks:
        if kind == "code" and joined and joined[-1][0] == "code":  # a blank line in the code
            joined[-1][1].extend(["", *lines])
        else:
            joined.append((kind, lines))
    return joined


def paragraph(text, names, owner):
    """Lines of Markdown for one paragraph; remarks on Python stand apart."""
    starts = [match.start() for match in REMARK.finditer(text)] + [len(text)]
    lines = []
    if text[:starts[0]].strip():
        lines += [inline(text[:starts[0]].strip(), names, owner), ""]
    for start, end in zip(starts, starts[1:]):
        word, _, rest = text[start:end].strip().rstrip(".").partition(": ")
        known = None if word == "Python" else names
        lines += [f"*{word}:* {inline(rest, known, owner)}", "{: .remark }", ""]
    return lines


def markdown(doc, names, owner):
    lines = []
    for kind, found in blocks_of(doc.replace("@return ", "Returns ")):
        if kind == "code":
            indent = min(len(line) - len(line.lstrip()) for line in found if line)
            is_code = any(re.search(r"[;{]$|; +//", line) for line in found)
            lines += ["```cpp" if is_code else "```text",
                      *[line[indent:] for line in found], "```", ""]
            continue
        text, items = [], []
        for line in found:
            if line.startswith("@param "):
                _, name, rest = line.split(" ", 2)
                items.append(f"`{name}`: {rest}")
            elif items and not re.match(r"(Throws|Example|Python|Differs)\b", line):
                items[-1] += " " + line
            else:
                text.append(line)
        lines += [f"- {inline(item, names, owner)}" for item in items] + [""] * bool(items)
        if text:
            lines += paragraph(" ".join(text), names, owner)
    return lines


# ---- pages ---------------------------------------------------------------------------------------

def groups_of(members, lines):
    """Members that one comment describes: it stands above the first, and no blank line between."""
    groups = []
    for member in members:
        last = groups[-1][-1] if groups else None
        if last and member.signature == last.signature:  # a `using` of several functions
            continue
        if last and joins(member, groups[-1][0], last, lines):
            groups[-1].append(member)
        else:
            groups.append([member])
    return groups


def joins(member, first, last, lines):
    """Whether a member goes with the group of `first` to `last`."""
    if member.doc or first.is_trailing or (first.doc and member.overrides):
        return False
    if member.access != last.access or member.file != last.file:
        return False
    if {member.kind, last.kind} & {"class", "struct"}:
        return False
    return all(line.strip() for line in lines[last.end - 1:member.line])


def remarks_between(lines, start, end):
    """The titles and the paragraphs `//` between two members that belong to neither."""
    at = start
    while at < end - 1:
        title = re.match(r"\s*// --- (.*?) -*$", lines[at])
        is_comment = re.match(r"\s*// ", lines[at]) is not None
        stop = at
        while stop < end - 1 and re.match(r"\s*//( |$)", lines[stop]):
            stop += 1
        text = [re.sub(r"^\s*// ?", "", line) for line in lines[at + bool(title):stop]]
        if title:
            yield title.group(1), text
        elif is_comment and lines[at - 1].strip() == "" and lines[stop].strip() == "":
            yield "", text
        at = max(stop, at + 1)


def declaration(group):
    lines, access = [], "public"
    for member in group:
        if member.access != access:
            access = member.access
            lines.append(f"{access}:")
        indent = "    " if access != "public" else ""
        lines += [indent + line for line in member.signature]
    return ["```cpp", *lines, "```", ""]


def table_of(entity, names):
    """The values of an enum; without comments only where links to them lead."""
    places = [f'<span id="{anchor(entity, name)}"></span>' for name, _, _ in entity.values]
    if not any(doc for _, _, doc in entity.values):
        return ["".join(places), ""]
    lines = ["| value | meaning |", "|---|---|"]
    for place, (name, _, doc) in zip(places, entity.values):
        text = inline(" ".join(doc.split("\n")), names, entity.full_name)
        lines.append(f"| {place}`{name}` | {text} |")
    return lines + [""]


def sentence(member):
    """A comment behind a declaration is no sentence yet."""
    if not member.is_trailing:
        return member.doc
    return member.doc[0].upper() + member.doc[1:].rstrip(".") + "."


class Page:
    def __init__(self, header, entities, names, about):
        self.header, self.entities, self.names = header, entities, names
        self.source = source_of(header)
        self.last, self.headings = None, []
        self.about = about  # full name: hand-written pages as (title, path)

    def lines_of(self, entity):
        return (INCLUDE / entity.file).read_text(encoding="utf-8").split("\n")

    def text(self):
        lines = [f"# {self.header}", "", "```cpp", f"#include <asynchat/{self.header}>", "```", ""]
        lines += markdown(introduction(self.source), self.names, "")
        for group in groups_of(self.entities, self.source):
            lines += self.class_(group[0]) if group[0].kind in ("class", "struct") else \
                self.others(group)
        return "\n".join(lines).rstrip() + "\n"

    def others(self, group):
        """Functions, enums, aliases, constants, macros."""
        shown = list(dict.fromkeys(entity.full_name for entity in group))
        if self.last == shown:
            lines = []
        else:
            lines = self.heading(2, [(entity.full_name, entity.full_name) for entity in group])
        self.last = shown
        lines += declaration(group)
        for entity in group:
            lines += markdown(entity.doc, self.names, entity.full_name) if entity.doc else []
            lines += table_of(entity, self.names) if entity.kind == "enum" else []
        return lines

    def heading(self, level, anchors):
        anchors = list(dict.fromkeys(anchors))
        if anchors[0] in self.headings:  # overloads apart from each other
            anchors[0] = (anchors[0][0], f"{anchors[0][1]}-{len(self.headings)}")
        self.headings.append(anchors[0])
        title = ", ".join(f"`{name}`" for name, _ in anchors)
        more = "".join(f'<span id="{place}"></span>' for _, place in anchors[1:])
        return [f"{'#' * level} {title} {{ #{anchors[0][1]} }}", ""] + [more, ""] * bool(more)

    def class_(self, entity):
        self.last = None
        lines = self.heading(2, [(entity.full_name, entity.full_name)])
        lines += declaration([entity])
        pages = self.about.get(entity.full_name)
        if pages:
            lines += ["Explained in " + ", ".join(f"[{t}]({p})" for t, p in pages) + ".",
                      "{: .remark }", ""]
        lines += markdown(entity.doc, self.names, entity.full_name)
        if not entity.is_copyable:
            lines += ["It cannot be copied.", ""]
        return lines + self.members(entity)

    def members(self, entity):
        source = self.lines_of(entity)
        lines, last, level = [], None, 3
        groups = groups_of(entity.members, source)
        for remarks, group in self.with_remarks(entity, groups, source):
            for title, text in remarks:
                level = 4 if title else level
                lines += [f"### {title[0].upper() + title[1:]}", ""] if title else []
                lines += markdown("\n".join(text), self.names, entity.full_name) if text else []
                last = None
            shown = list(dict.fromkeys(member.name for member in group))
            if shown != last:
                lines += self.heading(level, [(f"{name}", anchor(entity, name))
                                              for name in shown])
            last = shown
            lines += declaration(group)
            if group[0].doc:
                lines += markdown(sentence(group[0]), self.names, entity.full_name)
            else:
                lines += self.inherited(entity, group)
        return lines

    def with_remarks(self, entity, groups, source):
        at = entity.line
        for group in groups:
            yield list(remarks_between(source, at, group[0].line)), group
            at = group[-1].end

    def inherited(self, entity, group):
        """What members without a comment override."""
        links = []
        for name in dict.fromkeys(m.name for m in group if m.overrides):
            for base in self.names.with_bases(entity.full_name):
                place = self.names.places.get(f"{base}::{name}")
                if place:
                    links.append(f"[`{base}::{name}()`]({place})")
                    break
        return [f"As {', '.join(links)}.", ""] if links else []


def introduction(lines):
    """The comment of a whole header: it begins with `@file`."""
    start = next((i for i, line in enumerate(lines) if line.startswith("/// @file")), None)
    if start is None:
        return ""
    found = []
    for line in lines[start:]:
        if not line.startswith("///"):
            break
        found.append(re.sub(r"^/// ?(@file )?", "", line))
    return "\n".join(found).strip("\n")


def source_of(header):
    return (INCLUDE / "asynchat" / header).read_text(encoding="utf-8").split("\n")


def page_of_header(header):
    return header.replace(".hpp", ".md")


def public_header(file):
    """The header that users include for a declaration in `file`."""
    if "/detail/" not in file:
        return file.replace("asynchat/", "", 1)
    for path in sorted((INCLUDE / "asynchat").glob("*.hpp")):
        if f"#include <{file}>" in path.read_text(encoding="utf-8"):
            return path.name
    raise ValueError(f"no public header includes {file}")


def index(headers, known, names):
    lines = ["# Reference", "",
             "Every public name, header by header, with the comments of the headers. The pages of "
             "the other sections explain and show; these ones are complete. Conditions that only "
             "say for which types a template is are left out of the declarations.", "",
             "| header | what it has |", "|---|---|"]
    for header in headers:
        page = page_of_header(header)
        shown = ", ".join(f"[`{name}`]({page}#{name})" for name in
                          dict.fromkeys(entity.full_name for entity in known.get(header, [])))
        if not shown:  # the first sentence
            text = " ".join(introduction(source_of(header)).split("\n"))
            shown = inline(re.split(r"(?<=\.) ", text)[0], names, "")
        lines.append(f"| [{header}]({page}) | {shown} |")
    return "\n".join(lines) + "\n"


def make(folder, about):
    """The pages as {path: text}, in order, from the folder with Doxygen's XML. `about` maps the
    full name of a class to the hand-written pages about it, as (title, path)."""
    entities = declarations.read(folder)
    names = Names(entities, lambda entity: page_of_header(public_header(entity.file)))
    known = {}
    for entity in sorted(entities, key=lambda entity: (entity.file, entity.line)):
        known.setdefault(public_header(entity.file), []).append(entity)
    headers = [path.name for path in sorted((INCLUDE / "asynchat").glob("*.hpp"))
               if path.name in known or introduction(source_of(path.name))]
    pages = {"index.md": index(headers, known, names)}
    for header in headers:
        page = Page(header, known.get(header, []), names, about)
        pages[page_of_header(header)] = page.text()
    return pages, names
